"""Where a key stands in a TOML file: from its dotted path to its line, which tomllib does not tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(?:\.|$)""")
_ASSIGNED = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_.\s-])+?)\s*=(.*)$""")
_STRINGS = re.compile(r'''"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\])*"|'[^']*'|#[^\n]*''', re.DOTALL)


def place(path: Path, key: str) -> str:
    """``FILE:LINE``, the way editors understand it, of the key or of the nearest table around it."""
    return f"{path}:{line_of(path.read_text(encoding='utf-8'), key)}"


def line_of(text: str, key: str) -> int:
    """The line of a key, from 1; of the nearest table around it when it stands in an inline table or is not there.

    Args:
        text: A file that tomllib accepts.
        key: A dotted path as messages show it: ``write.mode.values``, ``identity.expect[1].value``.
    """
    lines = lines_of(text)
    while key:
        if key in lines:
            return lines[key]
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return 1


def lines_of(text: str) -> dict[str, int]:
    """The line of every table and key, by dotted path; a key of an inline table has none of its own."""
    lines: dict[str, int] = {}
    elements: dict[str, int] = {}  # of each array of tables, how many there are so far
    table = ""
    for number, line in _statements(text):
        header = _HEADER.match(line)
        if header:
            table = _in_newest(_parts(header[2]), elements, begins=header[1] == "[[")
            lines.setdefault(table, number)
            continue
        assigned = _ASSIGNED.match(line)
        if assigned:
            key = ".".join(_parts(assigned[1]))
            lines.setdefault(f"{table}.{key}" if table else key, number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each first line of a header or an assignment with its number; what a value goes on over is left out."""
    blanked = _STRINGS.sub(_blank, text)
    depth = 0
    quiet = blanked.split("\n")
    for number, (line, code) in enumerate(zip(text.split("\n"), quiet, strict=True), 1):
        if depth == 0 and code.strip():
            yield number, line
        if depth or not _HEADER.match(code):
            depth += sum(code.count(bracket) for bracket in "[{") - sum(code.count(bracket) for bracket in "]}")


def _blank(string: re.Match[str]) -> str:
    """A string or comment without anything that could be taken for TOML; its line breaks stay."""
    return ("" if string[0].startswith("#") else "x") + "\n" * string[0].count("\n")


def _parts(dotted: str) -> list[str]:
    return [next(part for part in found.groups() if part is not None) for found in _PART.finditer(dotted)]


def _in_newest(parts: list[str], elements: dict[str, int], *, begins: bool) -> str:
    """The path of a header, with the index of the newest element of each array of tables on the way."""
    path = ""
    for index, part in enumerate(parts):
        path = f"{path}.{part}" if path else part
        if begins and index == len(parts) - 1:
            elements[path] = elements.get(path, -1) + 1
        if path in elements:
            path = f"{path}[{elements[path]}]"
    return path
