"""A record as tables for other programs: sessions, events, decisions and samples, row by row, in bounded memory."""

from __future__ import annotations

import csv
import json
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TextIO

from rfctl.errors import ConfigError
from rfctl.kernel import journal
from rfctl.kernel.events import Sampled
from rfctl.model.reading import ChannelReading, Reading
from rfctl.record.segments import Entry
from rfctl.record.story import Heard, story
from rfctl.record.values import encode_value, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rfctl.record.sessions import Session

FORMAT: Final = "rfctl-export-1"
_UNITS: Final = {"stimulation_amplitude": "stimulation_amplitude_v_or_ma", "set_point": "set_point_v_rms_or_w"}
"""Quantities whose unit follows from the mode, which stands beside them."""
_SAID: Final = (
    "procedure_id", "station", "backend", "medium", "operator", "time_scale", "software",
    "plan_sha256", "profile_sha256", "station_sha256",
)  # fmt: skip
_TIMES: Final = ("session", "t_s", "utc")
_HEAD: Final = tuple(name for name in Reading._fields if name not in {"received_ns", "channels"})
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "sessions": ("session", "utc", "closed_utc", "readings", "decisions", "events", *_SAID),
    "events": (*_TIMES, "seq", "kind", "actor", "said"),
    "decisions": (*_TIMES, "event", "detail", "effects"),
    "samples": (*_TIMES, "channel", *(_UNITS.get(name, name) for name in ChannelReading._fields), *_HEAD),
}
"""The tables and their columns. ``session`` is the number of its epoch, ``t_s`` the seconds since it began, ``utc`` the
station's wall clock. Other units stand at the end of a name as in the record: c is degC, ma mA, v_rms V rms."""
_OF_THE_LOG: Final = frozenset(
    {"segment", "epoch", "recovered", "chunk", "checkpoint", "segment_close", "countersigned", "retired", "seal"}
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Row = tuple[str, tuple[object, ...]]
"""Table and values, in the order of its columns."""


def rows(path: Path, only: Session | None = None) -> Iterator[Row]:
    """All rows of a record in its order, a session's own behind those of its tables. Nothing is verified.

    Args:
        path: The folder of a log, or a record of format 0.
        only: This session of a log; None for all.

    Raises:
        ConfigError: Something cannot be read.
        RecordError: Something cannot be understood.
    """
    session = _Session(0, 0, {})
    for told in story(path, only):
        if isinstance(told, Heard):
            yield from session.heard(told)
        elif told.kind in {"session", "open"} and not told.members.get("after_failure"):
            yield from session.ended()
            session = _Session(told.epoch or 1, told.t_ns, told.members)
        elif told.kind not in _OF_THE_LOG:
            yield from session.event(told)
    yield from session.ended()


class _Session:
    """The session whose rows are being made."""

    def __init__(self, number: int, begun_ns: int, said: dict[str, Any]) -> None:
        self._number = number
        self._begun_ns = begun_ns
        self._said = said
        offset = said.get("wall_offset_ns")
        self._offset_ns = offset if isinstance(offset, int) else None
        self._closed: object = None
        self._counts = {"readings": 0, "decisions": 0, "events": 0}

    def ended(self) -> Iterator[Row]:
        if not self._said:
            return
        said = [self._said.get(name) for name in _SAID]
        begun = self._utc(self._begun_ns)
        yield "sessions", (self._number, begun, self._closed, *self._counts.values(), *said)

    def event(self, entry: Entry) -> Iterator[Row]:
        self._counts["events"] += 1
        if entry.kind == "session_close":
            self._closed = self._utc(entry.t_ns)
        yield "events", (*self._times(entry.t_ns), entry.seq, entry.kind, entry.actor, text_of(entry.members))

    def heard(self, heard: Heard) -> Iterator[Row]:
        event, times = heard.event, self._times(heard.event.now_ns)
        if isinstance(event, Sampled):
            self._counts["readings"] += 1
            common = [getattr(event.reading, name) for name in _HEAD]
            for number, channel in enumerate(event.reading.channels, start=1):
                yield "samples", (*times, number, *channel, *common)
        if not heard.routine:
            self._counts["decisions"] += 1
            name, *detail = ["Sampled"] if isinstance(event, Sampled) else journal.event_values(event)
            yield "decisions", (*times, name, text_of(detail), text_of(heard.decided))

    def _times(self, t_ns: int) -> tuple[object, ...]:
        return self._number, round((t_ns - self._begun_ns) / 1e9, 6), self._utc(t_ns)

    def _utc(self, t_ns: int) -> str | None:
        if self._offset_ns is None:
            return None
        return f"{_EPOCH + timedelta(microseconds=(t_ns + self._offset_ns) // 1000):%Y-%m-%dT%H:%M:%S.%fZ}"


def write_json(path: Path, only: Session | None, out: TextIO) -> None:
    """One JSON document: a list of objects a table, one object a line. A number that is none is the string ``"NaN"``.

    Raises:
        ConfigError, RecordError: As ``rows``.
        OSError: The disk refused.
    """
    out.write(f'{{"format":"{FORMAT}"')
    for table, columns in COLUMNS.items():
        out.write(f',\n"{table}":[')
        between = "\n"
        for _, values in (row for row in rows(path, only) if row[0] == table):
            out.write(between + json.dumps(encode_value(dict(zip(columns, values, strict=True)))))
            between = ",\n"
        out.write("]")
    out.write("}\n")


def write_json_file(path: Path, only: Session | None, file: Path) -> None:
    """``write_json`` into a file, which is replaced once the document is whole.

    Raises:
        ConfigError: As ``rows``, or the file cannot be written.
        RecordError: As ``rows``.
    """
    draft = file.with_name(f".{file.name}.part")
    try:
        with draft.open("w", encoding="utf-8") as out:
            write_json(path, only, out)
        draft.replace(file)
    except OSError as problem:
        raise _unwritable(file, problem) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def write_csv(path: Path, only: Session | None, folder: Path) -> list[Path]:
    """One file a table, RFC 4180, the columns' names first. What is absent is empty, a number that is none ``NaN``.

    Files that were there are replaced, once all are whole.

    Returns:
        The files.

    Raises:
        ConfigError: As ``rows``, or a file cannot be written.
        RecordError: As ``rows``.
    """
    files = {table: folder / f"{table}.csv" for table in COLUMNS}
    drafts = {table: file.with_name(f".{file.name}.part") for table, file in files.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened:
            tables = {}
            for table, columns in COLUMNS.items():
                tables[table] = csv.writer(opened.enter_context(drafts[table].open("w", encoding="utf-8", newline="")))
                tables[table].writerow(columns)
            for table, values in rows(path, only):
                tables[table].writerow([_cell(value) for value in values])
        for table, draft in drafts.items():
            draft.replace(files[table])
    except OSError as problem:
        raise _unwritable(folder, problem) from None
    finally:
        for draft in drafts.values():
            with suppress(OSError):
                draft.unlink(missing_ok=True)
    return list(files.values())


def _unwritable(path: Path, problem: OSError) -> ConfigError:
    return ConfigError(f"cannot be written: {problem.strerror}", where=str(path), remedy="Give --out another place.")


def _cell(value: object) -> object:
    """A text that a spreadsheet would calculate is led by a quote."""
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
