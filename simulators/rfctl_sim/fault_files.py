"""Files of faults: which ones a simulator starts with, when each begins and how long it lasts."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfctl.errors import ConfigError
from rfctl_sim import shipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rfctl_sim.faults import Faults

KEYS = ("title", "fault")


@dataclass(frozen=True, slots=True)
class Entry:
    """One fault of a file.

    Attributes:
        where: File and number of the entry, for messages.
        name: Of the fault.
        unit: Of the generator on the wire, from 1.
        given: Channel, timing and parameters, as ``Faults.start`` takes them.
    """

    where: str
    name: str
    unit: int
    given: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FaultFile:
    """What a file says.

    Attributes:
        path: Of the file.
        title: In one line.
        entries: In the order of the file.
    """

    path: Path
    title: str
    entries: tuple[Entry, ...]


def read(name_or_path: str) -> FaultFile:
    """Read a shipped file by its name, or one's own by its path, which ends in ``.toml``.

    Raises:
        ConfigError: No such file, or something in it that is no fault; whether a machine takes it, shows at the start.
    """
    path = shipped.find("faults", name_or_path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(f"cannot be read: {problem}", where=str(path), remedy="Correct the file.") from None
    for key in data:
        if key not in KEYS:
            raise ConfigError(f"unknown key {key!r}", where=str(path), remedy=shipped.nearest(key, KEYS))
    title, faults = data.get("title"), data.get("fault")
    if not isinstance(title, str) or not title:
        raise ConfigError("title: missing, or no text", where=str(path), remedy="Say in one line what goes wrong.")
    if not isinstance(faults, list) or not faults or not all(isinstance(fault, dict) for fault in faults):
        raise ConfigError("fault: missing", where=str(path), remedy='Write [[fault]] with start = "thermocouple_open".')
    return FaultFile(path, title, tuple(_entry(f"{path}: fault[{at}]", fault) for at, fault in enumerate(faults)))


def _entry(where: str, fault: dict[str, Any]) -> Entry:
    given = dict(fault)
    name, unit = given.pop("start", None), given.pop("unit", 1)
    if not isinstance(name, str):
        raise ConfigError("start: missing, or no name", where=where, remedy="Name the fault: rfctl sim faults.")
    if isinstance(unit, bool) or not isinstance(unit, int):
        raise ConfigError(f"unit is {unit!r}", where=where, remedy="Give a number from 1.")
    return Entry(where, name, unit, given)


def start(file: FaultFile, faults_of: Callable[[int], Faults]) -> None:
    """Start every fault of a file.

    Raises:
        ConfigError: One that the machine does not take, with its place in the file; those before it have been started.
    """
    for entry in file.entries:
        try:
            faults_of(entry.unit).start(entry.name, entry.given.get("channel"), **_without_channel(entry.given))
        except ConfigError as problem:
            raise ConfigError(problem.what, where=entry.where, remedy=problem.remedy) from None


def _without_channel(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != "channel"}


def catalogue() -> dict[str, FaultFile]:
    """Every shipped file, by name. Raises ConfigError as ``read``."""
    return {name: read(name) for name in shipped.names("faults")}
