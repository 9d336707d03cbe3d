"""Where the simulator's own data files are: package data of an installed wheel, else the repository."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import rfctl.errors
from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGE = Path(rfctl.errors.__file__).parent
ROOTS = (PACKAGE / "config", PACKAGE.parent / "config")


def folder(kind: str) -> Path:
    """The folder of shipped files of one kind: ``setups``, ``faults``.

    Raises:
        ConfigError: Neither place has it: the installation is incomplete.
    """
    for root in ROOTS:
        if (root / kind).is_dir():
            return root / kind
    raise ConfigError(
        f"no shipped {kind} in {ROOTS[0]} or {ROOTS[1]}", remedy="Reinstall rfctl; its wheel carries the files."
    )


def names(kind: str) -> tuple[str, ...]:
    """The shipped names of one kind, sorted. Raises ConfigError as ``folder``."""
    return tuple(sorted(path.stem for path in folder(kind).glob("*.toml")))


def find(kind: str, name_or_path: str) -> Path:
    """A file by its shipped name, or by its path, which ends in ``.toml``.

    Raises:
        ConfigError: There is no such file; the message names the nearest and all shipped ones.
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        if path.is_file():
            return path.resolve()
        raise ConfigError("no such file", where=str(path.absolute()), remedy="Check the path.")
    valid = names(kind)
    if name_or_path not in valid:
        raise ConfigError(f"no {kind} file named {name_or_path!r}", remedy=nearest(name_or_path, valid))
    return folder(kind) / f"{name_or_path}.toml"


def nearest(given: object, valid: Iterable[str]) -> str:
    """The end of a message about a name that is not valid: what was probably meant, and what there is."""
    names = list(valid)
    near = difflib.get_close_matches(str(given), names, n=1)
    return f"{f'Did you mean {near[0]}? ' if near else ''}Valid: {', '.join(names)}."
