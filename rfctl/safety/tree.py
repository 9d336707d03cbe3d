"""One hash over the sources that a test run has proved: results of another tree prove nothing about this one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = ("rfctl", "drivers", "simulators", "config", "tests", "benchmarks")
FILES = ("pyproject.toml", "requirements.lock", "Makefile")
LEFT_OUT = frozenset({"__pycache__"})


def tree_hash(root: Path, folders: tuple[str, ...] = FOLDERS, files: tuple[str, ...] = FILES) -> str:
    """SHA-256 over names and contents of everything that a test run depends on, in order of the names.

    Raises:
        FileNotFoundError: ``root`` is no checkout.
    """
    found = [root / name for name in files]
    for folder in folders:
        if not (root / folder).is_dir():
            raise FileNotFoundError(root / folder)
        found += [
            path
            for path in (root / folder).rglob("*")
            if path.is_file() and path.suffix != ".pyc" and LEFT_OUT.isdisjoint(path.parts)
        ]
    total = hashlib.sha256()
    for path in sorted(found, key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()
