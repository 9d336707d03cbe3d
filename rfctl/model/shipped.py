"""Where the shipped configuration is: package data of a wheel, else the repository of an editable install."""

from __future__ import annotations

from pathlib import Path

from rfctl.errors import ConfigError

PACKAGE = Path(__file__).resolve().parents[1]
ROOTS = (PACKAGE / "config", PACKAGE.parent / "config")


def shipped_root() -> Path:
    """The folder that holds stations, generators and plans.

    Raises:
        ConfigError: Neither place exists: the installation is incomplete.
    """
    for root in ROOTS:
        if (root / "generators").is_dir():
            return root
    raise ConfigError(
        f"no shipped configuration in {ROOTS[0]} or {ROOTS[1]}", remedy="Reinstall rfctl; its wheel carries the files."
    )


def find(kind: str, name_or_path: str, *, relative_to: Path | None = None) -> Path:
    """A configuration file by path, or by the name of a shipped one.

    Args:
        kind: Folder of the shipped files: ``generators``, ``stations``, ``plans``.
        name_or_path: ``rfctl-reference``, or a path that ends in ``.toml``.
        relative_to: Folder that a relative path starts from; the working folder by default.

    Raises:
        ConfigError: No such file; the message lists the shipped names.
    """
    if name_or_path.endswith(".toml"):
        path = (relative_to or Path.cwd()) / name_or_path
        if path.is_file():
            return path.resolve()
        raise ConfigError("no such file", where=str(path), remedy="Check the path.")
    folder = shipped_root() / kind
    path = folder / f"{name_or_path}.toml"
    if path.is_file():
        return path
    names = ", ".join(sorted(p.stem for p in folder.glob("*.toml")))
    raise ConfigError(
        f"no {kind} file named {name_or_path!r}", remedy=f"Shipped: {names}. A file of your own ends in .toml."
    )
