"""Commands that other installed packages contribute, by the entry-point group ``rfctl.commands``.

The metadata files are read directly: importing importlib.metadata costs more than click itself, and would be paid by
every ``rfctl --help``.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import click

HEADING = "[rfctl.commands]"


def find() -> dict[str, str]:
    """Name of each contributed command and where it is: ``module:attribute``. The first on the path wins."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = sorted(name for name in os.listdir(folder or ".") if name.endswith((".dist-info", ".egg-info")))  # noqa: PTH208
        except OSError:
            continue
        for name in names:
            for command, place in _commands_in(f"{folder or '.'}/{name}/entry_points.txt"):
                found.setdefault(command, place)
    return found


def _commands_in(path: str) -> list[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs as much as everything else here
            text = file.read()
    except OSError:
        return []
    if HEADING not in text:
        return []
    section = text.split(HEADING, 1)[1].split("\n[", 1)[0]
    pairs = (line.partition("=") for line in section.splitlines() if "=" in line)
    return [(name.strip(), place.strip()) for name, _, place in pairs]


def load(place: str) -> click.Command:
    """Import a contributed command."""
    module, _, attribute = place.partition(":")
    return cast("click.Command", getattr(importlib.import_module(module), attribute))
