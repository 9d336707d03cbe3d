"""What a record tells, in its order and whatever its format: what the kernel heard and decided, and everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rfctl.errors import RecordError
from rfctl.kernel import journal
from rfctl.kernel.events import Event, Sampled
from rfctl.record import chunk, segments
from rfctl.record.reader import read_entries
from rfctl.record.segments import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rfctl.record.sessions import Session


class Heard(NamedTuple):
    """One input of the kernel and what was decided on it.

    Attributes:
        place: Where it stands, for a person.
        event: What was heard.
        decided: The effects as they were recorded, as plain JSON values.
        routine: They have the form of ``journal.routine_values``; else they are a list of ``journal.effect_values``.
    """

    place: str
    event: Event
    decided: object
    routine: bool = False


def story(path: Path, only: Session | None = None) -> Iterator[Entry | Heard]:
    """Everything in the log of a folder, or in a file of format 0. This does not verify: it believes what it reads.

    Args:
        path: The folder or file.
        only: This session of a log; None for all.

    Raises:
        ConfigError: Unreadable.
        RecordError: Something in it cannot be understood, or an input is missing.
    """
    return _of_log(path, only) if path.is_dir() else _of_format_0(path)


def _of_format_0(path: Path) -> Iterator[Entry | Heard]:
    for entry in read_entries(path):
        place = f"line {entry.seq}"
        members: dict[str, Any] = entry.members
        try:
            if entry.kind == "sample":
                values, recorded = members["v"]
                yield Heard(place, Sampled(entry.t_ns, journal.reading_from(values)), recorded, routine=True)
            elif entry.kind == "decision":
                yield Heard(place, journal.event_from(entry.t_ns, members["event"]), members["effects"])
            else:
                yield entry
        except (KeyError, TypeError, ValueError) as problem:
            raise RecordError(f"a decision cannot be read: {problem!r}", where=place) from None


def _of_log(path: Path, only: Session | None) -> Iterator[Entry | Heard]:
    expected = 0
    waiting: chunk.Frame | None = None
    layout = chunk.OWN
    for entry in segments.entries(path, only.segments if only is not None else None):
        members: dict[str, Any] = entry.members
        if entry.kind == "chunk":
            for frame in chunk.frames(segments.chunk_bytes(path, entry), layout):
                expected = _next(expected, frame.input, entry)
                if frame.decision is None:
                    waiting = frame
                    expected -= 1  # until its decision comes
                else:
                    place = f"input {frame.input}, chunk of record {entry.seq}"
                    yield Heard(place, Sampled(frame.t_ns, frame.reading), frame.decision, routine=True)
        elif entry.kind == "decision":
            try:
                number, heard, effects = members["input"], members["event"], members["effects"]
                expected = _next(expected, number, entry)
                if heard is not None:
                    event = journal.event_from(entry.t_ns, heard)
                elif waiting is not None and waiting.input == number:
                    event, waiting = Sampled(waiting.t_ns, waiting.reading), None
                else:
                    raise ValueError(f"the reading of input {number} is not there")
            except (KeyError, TypeError, ValueError) as problem:
                raise RecordError(f"a decision cannot be read: {problem!r}", where=f"record {entry.seq}") from None
            yield Heard(f"input {number}, record {entry.seq}", event, effects)
        else:
            if entry.kind == "session":
                expected, waiting = 0, None
                layout = chunk.layout_from(members.get("frames"))
            yield entry


def _next(expected: int, number: object, entry: Entry) -> int:
    if number != expected:
        raise RecordError(
            f"input {expected} of the session is missing, {number} comes next",
            where=f"record {entry.seq}",
            remedy="Verify the log.",
        )
    return expected + 1
