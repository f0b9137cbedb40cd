"""shellcheck for the supervisor, the script that user-data.sh has in it."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "user-data.sh"


def main():
    text = SCRIPT.read_text()
    supervisor = re.search(r"supervisor\" <<'EOF'\n(.*?)\nEOF\n", text, re.S)[1]
    given = re.search(r"declare -p ([^\n]*\\\n[^\n]*)", text)[1].split()
    settings = [f"{name}=x" for name in given if name != "\\"]
    settings.append("export phase")
    source = '. "${0%/*}/settings"'
    assert source in supervisor
    # SC2317: the functions that come with the settings call some of it.
    return subprocess.run(
        ["shellcheck", "--shell=bash", "--exclude=SC2034,SC2317", "-"],
        input=supervisor.replace(source, "\n".join(settings)),
        text=True,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
