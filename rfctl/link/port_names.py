"""What a port may be called, and which port that is now: a path, a USB serial number, or an alias of this machine."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from rfctl.errors import ConfigError, LinkClosed

ALIAS = re.compile(r"(?!tty)[A-Za-z][A-Za-z0-9._-]{0,63}")  # ttyUSB0 is a path without its folder
WINDOWS = re.compile(r"COM[1-9][0-9]{0,2}")
USB = "usb:"

MACHINE_FILE = Path("/etc/rfctl/ports.toml")


def is_name(text: str) -> bool:
    """It can name a port."""
    by_serial_number = text.startswith(USB) and len(text) > len(USB)
    return text.startswith("/") or by_serial_number or bool(ALIAS.fullmatch(text))


def alias_files() -> tuple[Path, ...]:
    """Where aliases stand; the first file that has one counts."""
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "rfctl" / "ports.toml", MACHINE_FILE


def aliases() -> dict[str, str]:
    """Every alias and the port it stands for.

    Raises:
        ConfigError: A file of aliases that cannot be accepted.
    """
    found: dict[str, str] = {}
    for file in reversed(alias_files()):
        if file.exists():
            found.update(read_aliases(file))
    return found


def read_aliases(file: Path) -> dict[str, str]:
    """The aliases of one file.

    Raises:
        ConfigError: Not such a file: syntax, an unknown key, a name or a port that is none.
    """
    from rfctl.model import strict_toml

    data = strict_toml.parse(file)
    where = str(file)
    table = data.pop("ports", {})
    if data or not isinstance(table, dict):
        unknown = next(iter(data), "ports")
        raise ConfigError(
            f"{unknown}: not accepted", where=where, remedy='The file has one table, [ports], of NAME = "PORT".'
        )
    for name, port in table.items():
        if not ALIAS.fullmatch(name) or WINDOWS.fullmatch(name):
            raise ConfigError(
                f"ports.{name}: not a name",
                where=where,
                remedy="Letters, digits, '.', '_' and '-', a letter first; not COMn, not tty...",
            )
        if not isinstance(port, str) or not is_name(port) or (ALIAS.fullmatch(port) and not WINDOWS.fullmatch(port)):
            raise ConfigError(
                f"ports.{name}: {port!r} is not a port",
                where=where,
                remedy="Write an absolute path, usb:SERIAL or COMn.",
            )
    return table


def path_of(name: str, *, where: str = "") -> str:
    """The path of the port that has this name now.

    Args:
        name: An absolute path, ``usb:SERIAL``, ``COMn`` or an alias.
        where: For messages.

    Raises:
        ConfigError: There is no such alias, or a file of aliases cannot be accepted.
        LinkClosed: No port, or more than one, has that USB serial number.
    """
    if name.startswith("/") or WINDOWS.fullmatch(name):
        return name
    if name.startswith(USB):
        return _by_serial_number(name.removeprefix(USB), where or name)
    known = aliases()
    if name in known:
        return path_of(known[name], where=where or name)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    meant = f"Did you mean {near[0]!r}? " if near else ""
    raise ConfigError(
        f"no port is called {name!r} on this machine",
        where=where or name,
        remedy=f"{meant}Aliases stand in {alias_files()[0]}; 'rfctl ports' shows ports and aliases.",
    )


def _by_serial_number(number: str, where: str) -> str:
    from rfctl.link.ports import ports

    present = ports()
    found = [port.by_id or port.path for port in present if port.usb_serial == number]
    if len(found) == 1:
        return found[0]
    if found:
        raise LinkClosed(
            f"{len(found)} ports have the USB serial number {number}: {', '.join(found)}",
            where=where,
            remedy="Name one of them by its path.",
        )
    others = ", ".join(port.usb_serial for port in present if port.usb_serial)
    raise LinkClosed(
        f"no port with the USB serial number {number} is plugged in",
        where=where,
        remedy=f"Present: {others}." if others else "No adapter with a serial number is. Check the cable.",
    )
