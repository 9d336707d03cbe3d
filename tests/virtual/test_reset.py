"""Leaving a latch: who, why, and with which cause, at a simulated station; and that the record says so."""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl.accounts.resets import TOLD_AS
from rfctl.accounts.roles import Person, Role
from rfctl.clock import NS_PER_S
from rfctl.errors import EXIT_DONE, EXIT_STOPPED, RecordError
from rfctl.record.disk import Disk
from rfctl.record.keys import load_public_key
from rfctl.record.segments import entries
from rfctl.record.verify import verify
from rfctl.record.writer import RecordWriter
from rfctl.report.contents import contents
from rfctl.report.evidence import gather
from rfctl.station import latches, logbook
from rfctl.station.connection import Connection
from rfctl.station.reset import Asked, Outcome, reset
from tests.station_bench import Bench, plan_text, station_bench, station_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import Clock
    from rfctl.station.session import Order

REASON = "lead was plugged in again"
WARM = plan_text(set_temperature_c=45, hold_s=6, ramp_c_per_s=5)


def person(clock: Clock, name: str, role: Role) -> Person:
    return Person(name, frozenset({role}), clock.monotonic_ns())


def ordered(bench: Bench, plan: str = WARM) -> Order:
    """With accounts, so that nobody without a name may reset; the file itself is not asked here."""
    order = bench.order(station=station_text(bench.simulator.address) + bench.guard_text, plan=plan)
    folder = bench.folder
    return replace(
        order, station=replace(order.station, accounts=folder / "accounts.toml", record_folder=folder / "resets")
    )


async def trip(bench: Bench, fault: str, **parameters: object) -> latches.Standing:
    """A lesion that ends by a trip; what it leaves."""
    task = bench.begin(ordered(bench))
    await bench.in_hold(for_s=1.0)
    bench.simulator.faults.start(fault, **parameters)  # type: ignore[arg-type]
    result = await task
    assert result.document["trips"], result.error
    (standing,) = latches.load(ordered(bench).station.state_folder)
    return standing


async def ask(bench: Bench, clock: Clock, **asked: object) -> tuple[Outcome, list[dict[str, object]]]:
    """A reset, and what its record says people did."""
    order = ordered(bench)
    outcome = await reset(order.station, order.profile, Asked(**asked), clock)  # type: ignore[arg-type]
    assert outcome.record is not None
    assert outcome.public_key is not None
    assert verify(outcome.record, load_public_key(outcome.public_key)).verdict.good
    return outcome, [dict(entry.members) for entry in entries(outcome.record) if entry.kind == "person"]


def lacks(outcome: Outcome) -> set[str]:
    return {demand.name for _, demands in outcome.refused for demand in demands}


@pytest.mark.requirement("latch.reset")
async def test_a_trip_is_left_only_by_its_class_and_every_attempt_is_recorded(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        standing = await trip(bench, "impedance", channel=1, ohm=5000.0)
        assert (standing.code, standing.reset_class) == ("impedance_high", "R2")

        refused = await bench.begin(ordered(bench))
        assert (refused.exit_code, refused.document["outcome"]) == (EXIT_STOPPED, "refused")
        assert "latched since" in refused.error
        assert "rfctl reset --station bench" in refused.error
        assert [e for e in entries(tmp_path / str(refused.document["record"])) if e.kind == "refused"]

        anna, ben = person(clock, "anna", Role.OPERATOR), person(clock, "ben", Role.VIEWER)
        for asked, missing in (
            ({"by": anna, "reason": REASON}, {"CAUSE_GONE"}),
            ({"by": anna}, {"CAUSE_GONE", "REASON"}),
        ):
            outcome, (said,) = await ask(bench, clock, **asked)
            assert lacks(outcome) == missing
            assert (said["deed"], said["actor"]) == ("reset_refused", "anna")
            assert len(said["missing"]) == len(missing)  # type: ignore[arg-type]
        bench.simulator.faults.clear("impedance", channel=1)
        for asked, missing in (
            ({"by": ben, "reason": REASON}, {"ACKNOWLEDGED"}),
            ({"reason": REASON}, {"ACKNOWLEDGED"}),
            ({"by": anna, "reason": "ok"}, {"REASON"}),
        ):
            outcome, (said,) = await ask(bench, clock, **asked)
            assert lacks(outcome) == missing
            assert said["deed"] == "reset_refused"
        assert latches.load(ordered(bench).station.state_folder) == (standing,)
        assert (await bench.begin(ordered(bench))).exit_code == EXIT_STOPPED

        outcome, (said,) = await ask(bench, clock, by=anna, reason=REASON)
        assert (outcome.reset, outcome.refused) == ((standing,), ())
        assert (said["deed"], said["actor"], said["reason"], said["class"]) == ("reset", "anna", REASON, "R2")
        assert (await bench.begin(ordered(bench))).exit_code == EXIT_DONE


@pytest.mark.requirement("latch.reset")
async def test_after_heat_an_r3_takes_imaging_and_the_same_impedance(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        standing = await trip(bench, "thermocouple_open", channel=1)
        assert standing.reset_class == "R3b"
        bench.simulator.faults.clear("thermocouple_open", channel=1)
        anna = person(clock, "anna", Role.OPERATOR)
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON)
        assert lacks(outcome) == {"IMAGING"}, outcome.problem
        bench.simulator.faults.start("electrode_moved", channel=1, factor=1.6)
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON, physician="Dr. Weber")
        assert lacks(outcome) == {"IMPEDANCE"}
        bench.simulator.faults.clear("electrode_moved", channel=1)
        outcome, (said,) = await ask(bench, clock, by=anna, reason=REASON, physician="Dr. Weber")
        assert outcome.reset == (standing,)
        assert said["physician"] == "Dr. Weber"


@pytest.mark.requirement("latch.reset")
async def test_an_r4_takes_a_second_person_and_what_was_changed(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        order = ordered(bench)
        order.station.state_folder.mkdir()
        standing = latches.Standing("off_not_verified", "HZ-15", 1, "still on", "R4", None, "bench-1", "2026-01-01")
        latches.store(order.station.state_folder, (standing,))
        anna, carla = person(clock, "anna", Role.OPERATOR), person(clock, "carla", Role.SECOND_PERSON)
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON)
        assert lacks(outcome) == {"SERVICE", "SECOND_PERSON"}
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON, service="output stage replaced", second=anna)
        assert lacks(outcome) == {"SECOND_PERSON"}
        stale = replace(carla, proved_ns=clock.monotonic_ns() - 301 * NS_PER_S)
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON, service="output stage replaced", second=stale)
        assert lacks(outcome) == {"SECOND_PERSON"}
        outcome, (said,) = await ask(
            bench, clock, by=anna, reason=REASON, service="output stage replaced", second=carla
        )
        assert outcome.reset == (standing,)
        assert said["second"] == {"actor": "carla", "roles": ["second-person"]}


async def test_a_generator_that_does_not_answer_passes_no_self_test(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        await trip(bench, "impedance", channel=1, ohm=5000.0)
        bench.simulator.faults.clear("impedance", channel=1)
        bench.simulator.faults.start("counter_frozen")
        anna = person(clock, "anna", Role.OPERATOR)
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON)
        assert lacks(outcome) == {"CAUSE_GONE", "SELF_TEST"}
        assert "counter stands still" in outcome.problem


async def test_where_nothing_stands_nothing_is_done(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        order = ordered(bench)
        outcome = await reset(order.station, order.profile, Asked(), clock)
        assert outcome == Outcome()
        assert not (tmp_path / "resets").exists()


async def goes_down(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    """A session that is gone in mid-hold, and does not close its record."""

    async def cut(record: RecordWriter) -> None:
        await record.close()
        raise RecordError("gone")

    task = bench.begin(ordered(bench))
    await bench.in_hold(for_s=1.0)
    with patch.context() as gone:
        gone.setattr(RecordWriter, "seal", cut)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.01)  # what it had written is received


@pytest.mark.requirement("start.unclean-end")
@pytest.mark.parametrize("answers", [True, False])
async def test_after_a_session_that_went_down_off_comes_before_its_record_is_read(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        await goes_down(bench, monkeypatch)
        if not answers:
            bench.simulator.faults.start("no_reply")
        again_ns = clock.monotonic_ns()
        written: list[list[bytes]] = []

        def reading(*given: object) -> object:
            written.append(bench.written(after_ns=again_ns))
            return verify(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(logbook, "verify", reading)
        refused = await bench.begin(ordered(bench))
        assert refused.exit_code != EXIT_DONE
        (before,) = written
        assert set(before) == ({bytes.fromhex("0600000001")} if answers else set())


async def test_a_session_that_went_down_is_followed_by_off_a_latch_and_a_reset_that_the_report_tells_of(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        await goes_down(bench, monkeypatch)
        again_ns = clock.monotonic_ns()
        refused = await bench.begin(ordered(bench))
        assert (refused.exit_code, refused.document["outcome"]) == (EXIT_STOPPED, "refused")
        assert "unclean_end on channel 1 (HZ-22, reset class R3b)" in refused.error
        assert bench.written(after_ns=again_ns)[0] == bytes.fromhex("0600000001")
        assert (await bench.begin(ordered(bench))).exit_code == EXIT_STOPPED  # and it is latched once
        (standing,) = latches.load(ordered(bench).station.state_folder)
        assert standing.reference_ohm is not None
        await asyncio.sleep(1.0)  # until then the generator is the lost session's, by its lease

        anna = person(clock, "anna", Role.OPERATOR)
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON)
        assert lacks(outcome) == {"IMAGING"}, outcome.problem
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON, physician="Dr. Weber")
        assert outcome.reset == (standing,)
        done = await bench.begin(ordered(bench))
        assert done.exit_code == EXIT_DONE
        after = await bench.begin(ordered(bench))
    record, public = tmp_path / done.document["record"], tmp_path / done.document["public_key"]
    key = load_public_key(public)
    rows = [row for row in contents(gather(record, key), record, public, key)["long-facts"] if row[0] == "reset before"]
    ((_, said),) = rows
    assert "HZ-22" in said
    assert said.endswith(f"by anna, position confirmed by imaging by Dr. Weber: {REASON}")
    told = [entry for entry in entries(tmp_path / after.document["record"]) if entry.kind == TOLD_AS]
    assert not told, "it is told once"


async def test_after_an_r3a_the_channel_is_checked_anew_before_it_is_heated(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        state_folder = ordered(bench).station.state_folder
        state_folder.mkdir()
        latches.store(
            state_folder,
            (latches.Standing("thermocouple_open", "HZ-02", 1, "open", "R3a", 100.0, "bench-1", "2026-01-01"),),
        )
        anna = person(clock, "anna", Role.OPERATOR)
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON)
        assert lacks(outcome) == {"NEW_SETUP"}
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON, new_setup=True)
        assert not outcome.refused

        sensory = WARM.replace('sensory = { use = "not used"', 'sensory = { use = "required"')
        checked = sensory.replace('motor = { use = "not used"', 'motor = { use = "required"')
        for plan in (WARM, sensory):
            refused = await bench.begin(ordered(bench, plan))
            assert refused.document["outcome"] == "refused"
            assert "demands a new stimulation check" in refused.error
        elsewhere = WARM.replace("channel = 1", "channel = 2")
        assert (await bench.begin(ordered(bench, elsewhere))).exit_code == EXIT_DONE
        assert (await bench.begin(ordered(bench))).document["outcome"] == "refused"
        assert (await bench.begin(ordered(bench, checked))).exit_code == EXIT_DONE
        assert (await bench.begin(ordered(bench))).exit_code == EXIT_DONE


async def test_the_relay_is_proved_by_each_reset(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock, guarded=True) as bench:
        await trip(bench, "impedance", channel=1, ohm=5000.0)
        bench.simulator.faults.clear("impedance", channel=1)
        anna = person(clock, "anna", Role.OPERATOR)
        bench.simulator.faults.start("stuck_open")
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON)
        assert lacks(outcome) == {"CAUSE_GONE", "SELF_TEST"}
        assert "relay" in outcome.problem
        bench.simulator.faults.clear("stuck_open")
        await asyncio.sleep(1.0)  # the last order has run out
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON)
        assert not outcome.refused, outcome.problem
        assert outcome.record is not None
        (proof,) = [entry.members["proof"] for entry in entries(outcome.record) if entry.kind == "guard"]
        assert proof


def full(write: Callable[[Path, bytes], None]) -> Callable[[Path, bytes], None]:
    def refusing(path: Path, content: bytes) -> None:
        if path.name.endswith(".new"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, content)

    return refusing


async def test_a_full_disk_has_room_for_what_is_latched(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        task = bench.begin(ordered(bench))
        await bench.in_hold(for_s=1.0)
        with monkeypatch.context() as disk:
            disk.setattr(latches, "_write", full(latches._write))
            bench.simulator.faults.start("impedance", channel=1, ohm=5000.0)
            result = await task
        assert result.document["trips"][0]["code"] == "impedance_high"
        assert result.document["off_verified"]
        (standing,) = latches.load(ordered(bench).station.state_folder)
        assert standing.code == "impedance_high"
        assert (await bench.begin(ordered(bench))).document["outcome"] == "refused"


@pytest.mark.parametrize("asked", ["open", "durable"])
async def test_nothing_is_reset_that_no_disk_takes(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        standing = await trip(bench, "impedance", channel=1, ohm=5000.0)
        bench.simulator.faults.clear("impedance", channel=1)
        order, anna = ordered(bench), person(clock, "anna", Role.OPERATOR)
        with monkeypatch.context() as disk:

            def refuses(*_: object) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            if asked == "open":
                disk.setattr(Disk, "write", refuses)
            else:
                looked = Connection.off

                def filled(connection: Connection) -> None:
                    looked(connection)
                    disk.setattr(Disk, "write", refuses)

                disk.setattr(Connection, "off", filled)
            with pytest.raises(RecordError, match="No space left"):
                await reset(order.station, order.profile, Asked(by=anna, reason=REASON), clock)
        assert latches.load(order.station.state_folder) == (standing,)
        assert (await bench.begin(ordered(bench))).document["outcome"] == "refused"
        outcome, _ = await ask(bench, clock, by=anna, reason=REASON)
        assert outcome.reset == (standing,)
