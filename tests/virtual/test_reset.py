"""Leaving a latch: who, why, and with which cause, at a simulated station; and that the record says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rfctl.accounts.roles import Person, Role
from rfctl.clock import NS_PER_S
from rfctl.errors import EXIT_DONE, EXIT_STOPPED
from rfctl.record.keys import load_public_key
from rfctl.record.segments import entries
from rfctl.record.verify import verify
from rfctl.station import latches
from rfctl.station.reset import Asked, Outcome, reset
from tests.station_bench import Bench, plan_text, station_bench, station_text

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.station.session import Order

REASON = "lead was plugged in again"
WARM = plan_text(set_temperature_c=45, hold_s=6, ramp_c_per_s=5)


def person(clock: Clock, name: str, role: Role) -> Person:
    return Person(name, frozenset({role}), clock.monotonic_ns())


def ordered(bench: Bench) -> Order:
    """With accounts, so that nobody without a name may reset; the file itself is not asked here."""
    order = bench.order(station=station_text(bench.simulator.address), plan=WARM)
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
        assert lacks(outcome) == {"IMAGING"}
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
