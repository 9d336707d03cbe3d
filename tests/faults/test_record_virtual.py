"""A disk that refuses: no energy without a record, and a record that was lost is told at the next start."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import EXIT_DEVICE, RecordError
from rfctl.kernel.phase import Phase
from rfctl.record.body import RESERVE
from rfctl.record.disk import Disk
from rfctl.record.keys import load_public_key
from rfctl.record.replay import replay
from rfctl.record.segments import entries
from rfctl.record.verify import Outcome, verify
from rfctl.virtual import HOLD_LIMIT_NS
from tests.station_bench import answers_text, plan_text, station_bench

if TYPE_CHECKING:
    from rfctl.clock import Clock

RECORD_S = 1.0
"""HZ-35: from the failure to off."""


class Fault:
    """The disk works until it is told to refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.syncs: list[int] = []
        write, sync = Disk.write, Disk.sync

        def refusing_write(disk: Disk, descriptor: int, data: bytes) -> None:
            self._refuse()
            write(disk, descriptor, data)

        def refusing_sync(disk: Disk, descriptor: int) -> None:
            self._refuse()
            sync(disk, descriptor)

        monkeypatch.setattr(Disk, "write", refusing_write)
        monkeypatch.setattr(Disk, "sync", refusing_sync)

    def _refuse(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Room:
    """A disk with so much room, which a file that is removed does not give back, save the reserve."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 1 << 30
        write, reserve, remove = Disk.write, Disk.reserve, Disk.remove

        def bounded_write(disk: Disk, descriptor: int, data: bytes) -> None:
            self._take(len(data))
            write(disk, descriptor, data)

        def bounded_reserve(disk: Disk, path: Path, length: int) -> None:
            self._take(length)
            reserve(disk, path, length)

        def giving_back(disk: Disk, path: Path) -> None:
            self.free += path.stat().st_size if path.name == RESERVE and path.exists() else 0
            remove(disk, path)

        for name, method in (("write", bounded_write), ("reserve", bounded_reserve), ("remove", giving_back)):
            monkeypatch.setattr(Disk, name, method)

    def _take(self, length: int) -> None:
        if length > self.free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.free -= length


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Fault:
    return Fault(monkeypatch)


@pytest.mark.parametrize("sensory", ["required", "not used"], ids=["stimulation", "lesion"])
async def test_an_intent_that_cannot_be_stored_energises_nothing(
    tmp_path: Path, clock: Clock, disk: Fault, sensory: str
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


@pytest.mark.requirement("record.failure")
async def test_a_disk_that_fills_in_hold_ends_the_lesion(tmp_path: Path, clock: Clock, disk: Fault) -> None:
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
    assert verify(path, load_public_key(path.with_suffix(".pub"))).verdict is Outcome.OPEN_TAIL


@pytest.mark.requirement("start.unclean-end")
async def test_a_full_disk_keeps_room_to_say_so_and_nothing_starts_until_there_is_more(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(monkeypatch)
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold()
        room.free = 0
        result = await running
        on = len(bench.simulator.events.of("rf_on"))
        with pytest.raises(RecordError, match="No space left"):
            await bench.begin()
        assert len(bench.simulator.events.of("rf_on")) == on == 1
        room.free = 1 << 30
        after = await bench.begin(bench.order(script=answers_text(checklist="decline")))
    assert result.document["off_verified"] is True
    path = tmp_path / result.document["record"]
    verdict = verify(path, load_public_key(path.with_suffix(".pub")))
    assert verdict.verdict is Outcome.VALID_UNANCHORED, verdict.detail
    assert [entry.kind for entry in entries(path)].count("record_lost") == 1
    assert after.document["outcome"] == "refused"


async def test_the_next_start_tells_of_a_record_that_was_not_sealed(tmp_path: Path, clock: Clock, disk: Fault) -> None:
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
    assert (unclean["record"], unclean["verdict"]) == (lost.document["record"], "OPEN-TAIL")
    assert after.document["unclean_end"] is None


async def test_a_sync_that_fails_once_ends_the_session_and_a_new_segment_tells_why(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = Disk.sync
    failed: list[str] = []
    later: list[str] = []

    def fails_once(disk: Disk, descriptor: int) -> None:
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if bench.state is not None and bench.state.channels[0].phase is Phase.LESION_INTENT and not failed:
            failed.append(name)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if failed:
            later.append(name)
        sync(disk, descriptor)

    monkeypatch.setattr(Disk, "sync", fails_once)
    async with station_bench(tmp_path, clock) as bench:
        result = await bench.begin()
        assert not [event for event in bench.simulator.events if event.kind == "rf_on"]
    (trip,) = result.document["trips"]
    assert (trip["code"], result.document["off_verified"]) == ("record_failed", True)
    assert "Input/output error" in result.error
    (poisoned,) = failed
    assert poisoned not in later, "no second sync on that descriptor"
    path = tmp_path / result.document["record"]
    verdict = verify(path, load_public_key(path.with_suffix(".pub")))
    assert verdict.verdict is Outcome.VALID_UNANCHORED, verdict.detail
    told = list(entries(path))
    second = next(entry for entry in told if entry.kind == "segment" and entry.segment == 1)
    about = second.members["about"]
    assert isinstance(about, dict)
    assert "Input/output error" in about["after_error"]
    assert about["last_verified"]["size"] == second.seq
    (lost,) = [entry.members for entry in told if entry.kind == "record_lost"]
    assert lost["unrecorded"]
    assert replay(path).differences == 0


@pytest.mark.requirement("record.never-awaited")
async def test_a_disk_that_takes_five_seconds_delays_no_shut_off(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    off_s = []
    sync = Disk.sync
    for slow in (False, True):

        def slowly(disk: Disk, descriptor: int, slow: bool = slow) -> None:
            if slow and bench.state is not None and bench.state.channels[0].phase is Phase.HOLD:
                threading.Event().wait(HOLD_LIMIT_NS / NS_PER_S + 0.2)  # longer than virtual time waits for a disk
            sync(disk, descriptor)

        monkeypatch.setattr(Disk, "sync", slowly)
        folder = tmp_path / str(slow)
        folder.mkdir()
        async with station_bench(folder, clock) as bench:
            running = bench.begin()
            await bench.in_hold()
            at_ns = clock.monotonic_ns()
            bench.simulator.faults.start("impedance", channel=1, ohm=5000.0)
            await running
            off_s.append(bench.event_ns("rf_off", channel=1, after_ns=at_ns) - at_ns)
    assert off_s[0] == off_s[1]
