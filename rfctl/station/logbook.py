"""Which log a session of a station writes: the station's one log with its prepared keys, or a log of its own."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfctl.errors import ConfigError, RfctlError
from rfctl.record import epochs, keys, pointer
from rfctl.record.continuing import pointer_to
from rfctl.record.opening import Damaged, Keys, ThrowAway
from rfctl.record.prepared import Prepared
from rfctl.record.verify import verify
from rfctl.record.writer import RecordWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfctl.clock import Clock
    from rfctl.station.station_file import Station
    from rfctl_verify.public_key import Key

LOG = logging.getLogger("rfctl.logbook")
NAME = "record"
PUBLIC_NAME = "record.pub"
THROW_AWAY = "throw-away root, made for this record"


@dataclass(frozen=True, slots=True)
class Opened:
    """A record that a session has begun.

    Attributes:
        record: Its writer.
        keys: Of the log.
        header: What the session said of itself.
        public_key: File of the root's public key, in the session's folder.
        warning: What somebody has to do about log or keys, soon; empty where nothing is to be done.
    """

    record: RecordWriter
    keys: Keys
    header: Mapping[str, object]
    public_key: Path
    warning: str

    def members(self) -> dict[str, Any]:
        """Of the session's document."""
        return {
            "record": str(self.record.path),
            "public_key": str(self.public_key),
            "session": self.record.epoch,
            "key": self.header["key"],
            "key_warning": self.warning or None,
        }


async def begin(station: Station, folder: Path, header: Mapping[str, object], clock: Clock) -> Opened:
    """Open the record of a session: when this returns, its first records are on disk.

    A log that is damaged, or was replaced by an older copy, is left as it is: the session then makes a log of its own
    that says so, until the station gets keys for another one.

    Args:
        station: Whose.
        folder: The session's own.
        header: As for ``RecordWriter.open``; the kind of key is added.
        clock: Of the running loop.

    Raises:
        ConfigError: The keys cannot be used, or the log is another one's or in use.
        RecordError: The disk refused.
    """
    try:
        return await _begin(station, folder, header, clock)
    except RfctlError:
        _remove_empty(folder)
        raise


async def _begin(station: Station, folder: Path, header: Mapping[str, object], clock: Clock) -> Opened:
    if station.keys is None:
        return await _of_its_own(station, folder, header, clock)
    prepared = Prepared.of(station.keys)
    _require_place(station.log)
    root = {**header, "key": f"prepared epochs of {prepared.origin}"}
    try:
        record = await RecordWriter.open(station.log, clock=clock, keys=prepared, header=root)
    except Damaged as problem:
        with clock.hold():  # it may be long
            before = await asyncio.to_thread(pointer_to, station.log, prepared.public)
        warning = (
            f"{problem} This session made a log of its own, which names it. Have keys made for a new log: "
            "docs/record.md."
        )
        LOG.warning(warning)
        return await _of_its_own(station, folder, header, clock, continues=before, warning=warning)
    public_key = folder / PUBLIC_NAME
    epochs.write_public_key(public_key, prepared.public)
    if prepared.warning:
        LOG.warning(prepared.warning)
    return Opened(record, prepared, root, public_key, prepared.warning)


async def _of_its_own(
    station: Station,
    folder: Path,
    header: Mapping[str, object],
    clock: Clock,
    *,
    continues: Mapping[str, object] | None = None,
    warning: str = "",
) -> Opened:
    thrown_away = ThrowAway(station.id)
    public_key = folder / PUBLIC_NAME
    epochs.write_public_key(public_key, thrown_away.public)
    own = {**header, "key": THROW_AWAY}
    record = await RecordWriter.open(folder / NAME, clock=clock, keys=thrown_away, header=own, continues=continues)
    return Opened(record, thrown_away, own, public_key, warning)


async def unclean_end(station: Station, clock: Clock) -> dict[str, Any] | None:
    """The record that an earlier session left without a seal, and how far it goes; None when there is none.

    Raises:
        ConfigError: What says so cannot be read.
    """
    left = pointer.left_open(station.state_folder)
    if left is None:
        return None
    path = Path(left.path)
    found: dict[str, Any] = {"record": left.path, "boot_id": left.boot_id, "pid": left.pid, "records": None}
    try:
        if station.keys is not None and path == station.log:
            key: Key = Prepared.of(station.keys).public
        else:
            key = keys.load_public_key(path.with_suffix(".pub"))
        with clock.hold():  # it may be long
            verdict = await asyncio.to_thread(verify, path, key)
    except RfctlError as problem:
        return found | {"verdict": str(problem)}
    if verdict.verdict.good:  # it went down between the seal and forgetting the record
        return None
    return found | {"records": verdict.records, "verdict": str(verdict.verdict)}


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # something is in it
        folder.rmdir()


def _require_place(log: Path) -> None:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigError(
            f"cannot be made: {problem.strerror}", where=str(log.parent), remedy="Give record.log a folder."
        ) from None
