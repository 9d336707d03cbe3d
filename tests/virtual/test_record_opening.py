"""A log that is not where this station left it is not gone on with; a recovery that was cut short is finished."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import ConfigError
from rfctl.record.epochs import Epoch
from rfctl.record.opening import Standing, ThrowAway
from rfctl.record.segments import entries
from rfctl.record.verify import Outcome, verify
from rfctl.record.writer import RecordWriter

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.virtual import VirtualClock

HEADER = {"station": "bench-1", "backend": "simulated", "medium": "load"}


async def session(log: Path, clock: VirtualClock, keys: ThrowAway, *notes: str, sealed: bool = True) -> None:
    record = await RecordWriter.open(log, clock=clock, keys=keys, header=HEADER)
    for note in notes:
        record.append("note", 0, {"text": note})
    await record.durable()
    await (record.seal() if sealed else record.close())


def copied(log: Path, name: str) -> Path:
    """The log without what lies beside it."""
    copy = log.with_name(name)
    shutil.copytree(log, copy)
    return copy


def put_back(copy: Path, log: Path) -> None:
    shutil.rmtree(log)
    shutil.copytree(copy, log)


async def test_an_older_copy_is_not_gone_on_with(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await session(log, clock, keys, "one")
    old = copied(log, "old")
    await session(log, clock, keys, "two")
    new = copied(log, "new")
    put_back(old, log)
    assert verify(log, keys.public).verdict is Outcome.VALID_UNANCHORED
    with pytest.raises(ConfigError, match="it has 8 records, this station has signed 15"):
        await session(log, clock, keys, "three")
    shutil.rmtree(log)
    with pytest.raises(ConfigError, match="it has 0 records"):
        await session(log, clock, keys, "three")
    put_back(new, log)
    await session(log, clock, keys, "three")
    assert verify(log, keys.public).verdict is Outcome.VALID_UNANCHORED


async def test_an_older_copy_that_went_on_elsewhere_is_not_gone_on_with(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await session(log, clock, keys, "one")
    old = copied(log, "old")
    await session(old, clock, keys, "other", "and more", "and more")
    await session(log, clock, keys, "two")
    put_back(old, log)
    assert verify(log, keys.public).verdict is Outcome.VALID_UNANCHORED
    with pytest.raises(ConfigError, match="its first 15 records are not those that this station has signed"):
        await session(log, clock, keys, "three")


@pytest.mark.parametrize("head", ["x", "rfctl/bench-1\nx\nAAAA\n", "rfctl/bench-1\n3\n?\n"])
async def test_a_head_that_cannot_be_read_is_an_error(clock: VirtualClock, tmp_path: Path, head: str) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await session(log, clock, keys)
    (tmp_path / "log.state" / "head").write_text(head)
    with pytest.raises(ConfigError, match="is no checkpoint"):
        await session(log, clock, keys)


async def test_a_recovery_that_was_cut_short_is_finished_by_the_next(clock: VirtualClock, tmp_path: Path) -> None:
    class NoKeys(ThrowAway):
        """The recovery is through, the new segment is not there yet."""

        def begin(self, standing: Standing, now: object) -> Epoch:
            raise KeyboardInterrupt

    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await session(log, clock, keys, "one", sealed=False)
    with (log / "00000000.seg").open("ab") as file:
        file.write(b"\0\0\1\0torn")
    cut_short = NoKeys("bench-1")
    cut_short.origin = keys.origin
    with pytest.raises(KeyboardInterrupt):
        await session(log, clock, cut_short)
    assert (log / "00000000.seg.torn").read_bytes() == b"\0\0\1\0torn"
    await session(log, clock, keys, "two")
    verdict = verify(log, keys.public)
    assert verdict.verdict is Outcome.VALID_UNANCHORED, verdict.detail
    (recovered,) = [entry.members for entry in entries(log) if entry.kind == "recovered"]
    assert recovered["torn_bytes"] == 8
