"""The licences of all that is linked into the program."""

import re
from pathlib import Path

from packages import source

# What may be linked into an Apache-2.0 program without a condition that we do not
# meet by passing the texts on. Another one is for a person to read.
ACCEPTED = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}
FILES = re.compile(r"(?i)(un)?licen[cs]e|copying|notice|copyright")


def dependencies() -> list[dict]:
    """The packages that are linked in on this system, by name and version."""
    metadata = source.metadata("--filter-platform", source.target())
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    found, left = set(), [root]
    while left:
        node = left.pop()
        if node in found:
            continue
        found.add(node)
        left += [
            dependency["pkg"]
            for dependency in nodes[node]["deps"]
            # Neither what builds it nor what tests it.
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
        ]
    linked = (packages[node] for node in found - {root})
    return sorted(linked, key=lambda package: (package["name"], package["version"]))


def is_accepted(expression: str) -> bool:
    """Whether an SPDX expression can be met with ACCEPTED licences: one of each OR,
    all of each AND."""
    words = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    # An exception only permits more.
    while "WITH" in words:
        at = words.index("WITH")
        del words[at : at + 2]
    operators = {"AND": "and", "OR": "or", "(": "(", ")": ")"}
    # Python's `and` binds tighter than its `or`, as SPDX's do.
    return eval(" ".join(operators.get(word, str(word in ACCEPTED)) for word in words))


def text() -> str:
    """Raises ValueError at a licence that nobody has accepted yet."""
    texts: dict[str, list[str]] = {}
    without = []
    listed = dependencies()
    for package in listed:
        name = f"{package['name']} {package['version']}"
        expression = package["license"] or ""
        if not expression or not is_accepted(expression):
            raise ValueError(f"{name}: licence {expression or 'unknown'}: see {__file__}")
        folder = Path(package["manifest_path"]).parent
        files = sorted(f for f in folder.iterdir() if f.is_file() and FILES.match(f.name))
        for file in files:
            content = file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
            texts.setdefault(content.strip(), []).append(f"{name} ({file.name})")
        if not files:
            by = ", ".join(package["authors"]) or f"the authors of {package['repository']}"
            without.append(f"{name}: {expression}; copyright (c) {by}")
    lines = [
        f"{source.NAME} has these libraries in it, beside Rust's own standard library",
        "(https://www.rust-lang.org, MIT OR Apache-2.0):",
        "",
        *(f"{p['name']} {p['version']}: {p['license']}" for p in listed),
        "",
        "These come without a text of their licence:",
        "",
        *without,
    ]
    for content, names in texts.items():
        lines += ["", "=" * 80, *names, "=" * 80, "", content]
    return "\n".join(lines) + "\n"
