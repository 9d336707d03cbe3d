"""Deletes the oldest segments of a log on purpose: says so in the log, signs that, leaves a stub, and then deletes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rfctl.record import stub
from rfctl.record.body import segment_name, state_folder
from rfctl.record.disk import Disk
from rfctl.record.notes import BadNote, decode64, parse
from rfctl.record.opening import put_in_place, scan
from rfctl.record.segments import bodies, entry_of, segment_numbers
from rfctl.record.writer import RecordWriter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.record.notes import VerifierKey
    from rfctl.record.opening import Keys


async def retire(
    log: Path, since: datetime, *, keys: Keys, clock: Clock, header: Mapping[str, object], disk: Disk | None = None
) -> int:
    """Delete whole segments that hold nothing from ``since`` on, by a session of their own. What is left verifies.

    Args:
        log: The folder; nobody writes it meanwhile.
        since: What is kept, UTC.
        keys: Of the log; the session uses up an epoch.
        clock: Of the running loop.
        header: As for ``RecordWriter.open``.
        disk: Where it lies.

    Returns:
        Number of the first segment that is left.

    Raises:
        ConfigError: The log cannot be gone on with.
        RecordError: The disk refused; nothing was deleted that the log does not say is.
    """
    disk = disk if disk is not None else Disk()
    segments = _first_kept(log, since, keys.public)
    if segments is None:
        return min(segment_numbers(log), default=0)
    record = await RecordWriter.open(log, clock=clock, keys=keys, header=header, disk=disk)
    try:
        standing = await asyncio.to_thread(scan, log, keys.origin, before=segments)
        record.retired(segments, standing.tree)
        await record.durable()
        before = stub.Stub(segments, standing.tree, standing.epoch, standing.prev, standing.last_checkpoint.hex())
        put_in_place(state_folder(log) / f"{stub.NAME}.new", log / stub.NAME, before.text(), disk)
        for path in stub.retired_files(log, segments):
            disk.remove(path)
        disk.sync_folder(log)
        await record.seal()
    finally:
        await record.close()
    return segments


def _first_kept(log: Path, since: datetime, root: VerifierKey) -> int | None:
    """The newest segment that begins an epoch certified by the root before ``since``; None where nothing precedes."""
    wall = f"{since:%Y-%m-%dT%H:%M:%S.%fZ}"
    numbers = segment_numbers(log)
    for index in reversed(numbers[1:]):
        records = bodies(log, index, last=index == numbers[-1])
        first, second = next(records, None), next(records, None)
        if first is None or second is None:
            continue
        begun, epoch = (entry_of(body, index, segment_name(index)) for body in (first, second))
        if begun.wall < wall and epoch.kind == "epoch" and _signed_by(root, epoch.members.get("certificate")):
            return index
    return None


def _signed_by(root: VerifierKey, encoded: object) -> bool:
    try:
        return parse(decode64(str(encoded))).signed_by(root)
    except BadNote:
        return False
