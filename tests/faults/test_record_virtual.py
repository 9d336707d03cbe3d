"""A disk that refuses: no energy without a record, and a record that was lost is told at the next start."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import EXIT_DEVICE
from rfctl.kernel.phase import Phase
from rfctl.record.keys import load_public_key
from rfctl.record.verify import Outcome, verify
from tests.station_bench import answers_text, plan_text, station_bench

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock

RECORD_S = 1.0
"""HZ-35: from the failure to off."""


class Disk:
    """Works until it is told to refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._write, self._sync = os.write, os.fdatasync
        monkeypatch.setattr("rfctl.record.writer._write", self.write)
        monkeypatch.setattr(os, "fdatasync", self.sync)

    def write(self, descriptor: int, data: bytes) -> None:
        self._refuse()
        self._write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._refuse()
        self._sync(descriptor)

    def _refuse(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.mark.parametrize("sensory", ["required", "not used"], ids=["stimulation", "lesion"])
async def test_an_intent_that_cannot_be_stored_energises_nothing(
    tmp_path: Path, clock: Clock, disk: Disk, sensory: str
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin(bench.order(plan=plan_text(sensory=sensory)))
        await bench.until(lambda state: state.channels[0].phase is Phase.IMPEDANCE)
        disk.full = True
        result = await running
        assert not [event for event in bench.simulator.events if event.kind in {"rf_on", "stimulation_on"}]
    assert result.exit_code == EXIT_DEVICE
    assert result.document["trips"][0]["code"] == "record_failed"
    assert "No space left" in result.error


async def test_a_disk_that_fills_in_hold_ends_the_lesion(tmp_path: Path, clock: Clock, disk: Disk) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold()
        full_ns = clock.monotonic_ns()
        disk.full = True
        result = await running
        assert (bench.event_ns("rf_off", channel=1, after_ns=full_ns) - full_ns) / NS_PER_S <= RECORD_S
    (trip,) = result.document["trips"]
    assert (trip["code"], trip["hazard"]) == ("record_failed", "HZ-35")
    assert (result.exit_code, result.document["outcome"]) == (EXIT_DEVICE, "failed")
    assert result.document["off_verified"] is True
    path = tmp_path / result.document["record"]
    assert verify(path, load_public_key(path.with_suffix(".pub"))).verdict is Outcome.UNCLEAN_END


async def test_the_next_start_tells_of_a_record_that_was_not_sealed(tmp_path: Path, clock: Clock, disk: Disk) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold()
        disk.full = True
        lost = await running
        disk.full = False
        declined = answers_text(checklist="decline")
        told = await bench.begin(bench.order(script=declined))
        after = await bench.begin(bench.order(script=declined))
    unclean = told.document["unclean_end"]
    assert (unclean["record"], unclean["verdict"]) == (lost.document["record"], "UNCLEAN-END")
    assert after.document["unclean_end"] is None
