#!/usr/bin/env python3
"""Holds the layout of src/: who may import whom.

Each part of the program (a folder of src/, or a file beside them) has a place in
PARTS, and imports only what stands below it, and nothing that its line leaves
out. No two files import each other, by whatever way round. What stands against
that today is in LEFT, to be taken away: an entry that nothing needs any more is
an error too, so that the list only gets shorter.

Nor does any part name a crate of CRATES whose line leaves it out: clap's types and
the SDK's stay where they are dealt with.

What counts is every path that begins with `crate`, `super` or `self`, in `use`
(nested trees too) and in code. Tests inside src/ may import what they like.

    tests/layout.py          checks
    tests/layout.py --edges  shows what imports what
"""

import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"

# From the top down: a part, and those that it may import. Each is below it.
PARTS = {
    "main": "commands settings cli identity terminal error",
    "commands": "image launch machines settings cli identity aws inductiva plan model terminal error values",
    "image": "machines aws plan model terminal error values",
    "launch": "machines aws inductiva plan model terminal time error values",
    "machines": "aws inductiva plan model terminal time error values",
    "settings": "cli identity inductiva http plan model terminal error values bounds",
    "cli": "identity model terminal error values",
    "identity": "aws http terminal time error values bounds",
    "aws": "plan model terminal http time error values bounds",
    "inductiva": "http model terminal time error values",
    "http": "time error values bounds",
    "plan": "model terminal error values",
    "model": "terminal values",
    "terminal": "time error values",
    "time": "",
    "bounds": "",
    "error": "values",
    "values": "",
}

# Crates whose types stay in some parts, by how their names begin.
CRATES = {
    "clap": "main commands cli",
    "aws_config": "aws identity",
    "aws_sdk_": "aws identity",
}

# What is left: `file -> file`, or `file -> part` for an import that is not allowed.
LEFT: set[str] = set()


def code_of(text: str) -> str:
    """Without comments, texts and the module of tests."""
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', re.sub(r"//[^\n]*", "", text))
    return re.split(r"#\[cfg\(test\)\]\s*mod tests\b", text)[0]


def leaves(tree: str, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of a `use` tree."""
    head, brace, rest = tree.strip().partition("{")
    names = before + tuple(name.split(" as ")[0].strip() for name in head.split("::") if name.strip())
    if not brace:
        return [names]
    found, depth, start = [], 0, 0
    inside = rest.rpartition("}")[0]
    for at, character in enumerate(inside + ","):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            if inside[start:at].strip():
                found += leaves(inside[start:at], names)
            start = at + 1
    return found


def module_of(file: Path) -> tuple[str, ...]:
    names = file.relative_to(SRC).with_suffix("").parts
    if names == ("main",):
        return ()
    return names[:-1] if names[-1] == "mod" else names


def imports(text: str, module: tuple[str, ...], modules: dict[tuple[str, ...], str]) -> set[str]:
    """The files that a file names."""
    code = code_of(text)
    paths = [leaf for tree in re.findall(r"\buse\s+([^;]+);", code) for leaf in leaves(tree)]
    rest = re.sub(r"\buse\s+[^;]+;", "", code)
    paths += [tuple(path.split("::")) for path in re.findall(r"\b(?:crate|super|self)(?:::\w+)+", rest)]
    # A module that is declared here is named by its own name.
    for child in re.findall(r"\bmod (\w+);", code):
        if re.search(rf"(?<![\w:]){child}::", rest):
            paths.append(("self", child))
    found = set()
    for first, *names in paths:
        if first not in ("crate", "self", "super"):
            continue
        base = {"crate": (), "self": module, "super": module[:-1]}[first]
        while names and names[0] in ("super", "self"):
            base, names = (base[:-1] if names[0] == "super" else base), names[1:]
        path = (*base, *names)
        while path and path not in modules:
            path = path[:-1]
        if path and path != module:
            found.add(modules[path])
    return found


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The groups of files that reach each other (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(file: str) -> None:
        index[file] = low[file] = len(index)
        stack.append(file)
        for other in sorted(edges[file]):
            if other not in index:
                visit(other)
                low[file] = min(low[file], low[other])
            elif other in stack:
                low[file] = min(low[file], index[other])
        if low[file] == index[file]:
            group = stack[stack.index(file) :]
            del stack[stack.index(file) :]
            if len(group) > 1:
                found.append(sorted(group))

    for file in sorted(edges):
        if file not in index:
            visit(file)
    return found


def part_of(file: str) -> str:
    return file.split("/")[0].removesuffix(".rs")


def main() -> int:
    files = sorted(SRC.rglob("*.rs"))
    modules = {module_of(file): file.relative_to(SRC).as_posix() for file in files}
    edges = {
        modules[module_of(file)]: imports(file.read_text(), module_of(file), modules) for file in files
    }
    if "--edges" in sys.argv:
        for file, others in edges.items():
            print(file, "->", *sorted(others))
        return 0
    wrong = []
    order = list(PARTS)
    for part, allowed in PARTS.items():
        wrong += [
            f"the table lets {part} import {other}, which is not below it"
            for other in allowed.split()
            if other not in order or order.index(other) <= order.index(part)
        ]
    wrong += [f"{part} is not in the table" for part in {part_of(file) for file in edges} - set(order)]
    needed = set()
    for file, others in edges.items():
        for other in sorted(others):
            part, its = part_of(file), part_of(other)
            if part == its or its in PARTS.get(part, "").split():
                continue
            entry = f"{file} -> {its}"
            needed.add(entry)
            if entry not in LEFT:
                wrong.append(f"{file} imports {other}: {part} may import only {PARTS.get(part)}")
    for file in files:
        path, code = file.relative_to(SRC).as_posix(), code_of(file.read_text())
        for crate, its_parts in CRATES.items():
            if re.search(rf"\b{crate}\w*::", code) and part_of(path) not in its_parts.split():
                wrong.append(f"{path} names {crate}: only {its_parts} may")
    # The edges of LEFT are mended one by one; what they close is no other fault.
    kept = {
        file: {
            other
            for other in others
            if f"{file} -> {part_of(other)}" not in LEFT and f"{file} -> {other}" not in LEFT
        }
        for file, others in edges.items()
    }
    needed |= {f"{file} -> {other}" for file, others in edges.items() for other in others}
    wrong += [f"these import each other: {', '.join(circle)}" for circle in circles(kept)]
    wrong += [f"nothing needs this entry of LEFT any more: {entry}" for entry in sorted(LEFT - needed)]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
