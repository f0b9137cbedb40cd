"""Entry point of the sandbox; `run` beside it sets up what this needs.

main.py serve               the server alone, until its stdin ends
main.py run DIR COMMAND…    the server, and COMMAND with its environment; DIR
                            holds the program and is put first on PATH
"""

import sys

from sandbox.server import bind, serve_until_stdin_ends


def main(arguments):
    if arguments == ["serve"]:
        serve_until_stdin_ends(bind())
        return 0
    if len(arguments) >= 3 and arguments[0] == "run":
        from sandbox.command import run_command

        return run_command(binary_directory=arguments[1], command=arguments[2:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
