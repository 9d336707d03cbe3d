"""The oldest segments of a log can be deleted on purpose; what is left verifies, says so, and can be gone on with."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import ConfigError
from rfctl.record.disk import Disk
from rfctl.record.opening import ThrowAway
from rfctl.record.retention import retire
from rfctl.record.segments import entries, segment_numbers
from rfctl.record.verify import Outcome, verify
from rfctl.record.writer import RecordWriter

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.virtual import VirtualClock

HEADER = {"station": "bench-1", "backend": "simulated", "medium": "load"}
DAY_S = 86_400.0


async def sessions(log: Path, clock: VirtualClock, keys: ThrowAway, count: int) -> None:
    """One a day."""
    for _ in range(count):
        record = await RecordWriter.open(log, clock=clock, keys=keys, header=HEADER)
        record.append("note", clock.monotonic_ns(), {"text": "x"})
        await record.seal()
        await asyncio.sleep(DAY_S)


async def retired(log: Path, clock: VirtualClock, keys: ThrowAway, days: float, disk: Disk | None = None) -> int:
    since = clock.utc() - timedelta(days=days)
    return await retire(log, since, keys=keys, clock=clock, header=HEADER, disk=disk)


async def test_old_segments_go_and_what_is_left_verifies_and_goes_on(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await sessions(log, clock, keys, 5)
    before = [entry.seq for entry in entries(log)][-1]
    assert await retired(log, clock, keys, 2.5) == 2
    assert segment_numbers(log) == [2, 3, 4, 5]
    assert (log / "retired.json").exists()
    await sessions(log, clock, keys, 1)
    assert await retired(log, clock, keys, 2.5) == 3
    verdict = verify(log, keys.public)
    assert verdict.verdict is Outcome.VALID_UNANCHORED, verdict.detail
    told = list(entries(log))
    assert told[0].seq > 0
    assert told[-1].seq > before
    assert [entry.members["segments"] for entry in told if entry.kind == "retired"] == [2, 3]


async def test_nothing_goes_that_is_not_old_enough(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await sessions(log, clock, keys, 2)
    assert await retired(log, clock, keys, 30.0) == 0
    assert segment_numbers(log) == [0, 1]


class KilledAt(Disk):
    """The process ends at the n-th removal of a retired file, or before the stub is in its place."""

    def __init__(self, step: int) -> None:
        self.steps = step

    def _step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise KeyboardInterrupt

    def rename(self, old: Path, new: Path) -> None:
        if new.name == "retired.json":
            self._step()
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        if path.suffix in {".seg", ".chunk"}:
            self._step()
        super().remove(path)


@pytest.mark.parametrize("step", range(4))
async def test_a_retirement_that_was_cut_short_is_finished_by_the_next_session(
    clock: VirtualClock, tmp_path: Path, step: int
) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await sessions(log, clock, keys, 5)
    with pytest.raises(KeyboardInterrupt):
        await retired(log, clock, keys, 1.5, KilledAt(step))
    await sessions(log, clock, keys, 1)
    assert segment_numbers(log)[0] == (0 if step == 0 else 3)
    verdict = verify(log, keys.public)
    assert verdict.verdict is Outcome.VALID_UNANCHORED, verdict.detail


@pytest.mark.parametrize("change", [(b'"segments":3', b'"segments":2'), (b'"nodes":["', b'"nodes":["0'), (b"{", b"")])
async def test_a_stub_that_was_changed_is_not_gone_on_with(
    clock: VirtualClock, tmp_path: Path, change: tuple[bytes, bytes]
) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await sessions(log, clock, keys, 5)
    assert await retired(log, clock, keys, 1.5) == 3
    path = log / "retired.json"
    path.write_bytes(path.read_bytes().replace(*change))
    assert not verify(log, keys.public).verdict.good
    with pytest.raises(ConfigError):
        await sessions(log, clock, keys, 1)
