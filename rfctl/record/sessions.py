"""The sessions of a log: where each begins, and which one is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.errors import ConfigError
from rfctl.record.body import segment_name
from rfctl.record.segments import Entry, bodies, entry_of, segment_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL = "all"
_FIRST_RECORDS = 8
"""A session states itself within so many records: behind segment, epoch, and what was recovered."""
_SHOWN = 5


class Session(NamedTuple):
    """One session of a log.

    Attributes:
        epoch: Number of its epoch.
        segments: Numbers of its segments.
        begun: Its ``session`` record.
    """

    epoch: int
    segments: range
    begun: Entry

    @property
    def procedure_id(self) -> str:
        """Name of its procedure; empty where there was none."""
        return str(self.begun.members.get("procedure_id", ""))


def sessions(log: Path) -> list[Session]:
    """The sessions of a log, oldest first. What only says how one lost its disk belongs to that one.

    The first records of each segment are read, and believed.

    Raises:
        ConfigError: The folder cannot be read, or holds no segment.
        RecordError: A record is not one of a log.
    """
    numbers = segment_numbers(log)
    if not numbers:
        raise ConfigError("holds no segment of a log", where=str(log), remedy="Give the folder of a log.")
    found: list[Session] = []
    for index in numbers:
        begun = next(_begun(log, index, last=index == numbers[-1]), None)
        if begun is not None and not (found and begun.members.get("after_failure")):
            found.append(Session(begun.epoch, range(index, index + 1), begun))
        elif found:
            found[-1] = found[-1]._replace(segments=range(found[-1].segments.start, index + 1))
    return found


def chosen(log: Path, which: str | None) -> Session | None:
    """The session that somebody asks for.

    Args:
        log: The folder.
        which: Number of its epoch, or name of its procedure; None for the newest one.

    Returns:
        None where the newest was asked for, and none has come so far as to state itself.

    Raises:
        ConfigError: There is none of that name, or the folder cannot be read.
        RecordError: A record is not one of a log.
    """
    found = sessions(log)
    for each in reversed(found):
        if which is None or which in {str(each.epoch), each.procedure_id}:
            return each
    if which is None:
        return None
    newest = ", ".join(f"{each.epoch} {each.procedure_id}".rstrip() for each in found[-_SHOWN:])
    raise ConfigError(
        f"has no session {which}", where=str(log), remedy=f"The newest of its {len(found)} sessions: {newest}."
    )


def _begun(log: Path, index: int, *, last: bool) -> Iterator[Entry]:
    """The ``session`` record of a segment that begins a session."""
    for number, body in enumerate(bodies(log, index, last=last)):
        entry = entry_of(body, index, str(log / segment_name(index)))
        if entry.kind == "session":
            yield entry
        if number == _FIRST_RECORDS or (number == 1 and entry.kind != "epoch"):
            return
