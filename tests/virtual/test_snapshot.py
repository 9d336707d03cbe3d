"""What an onlooker sees of a session that runs against a generator over a real socket."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.station.attended import AttendedOperator
from rfctl.station.onlooker import Onlooker
from rfctl.station.snapshot import Snapshot
from tests.station_bench import answers_text, plan_text, station_bench

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.station.session import Order
    from tests.station_bench import Bench


def watched(bench: Bench, order: Order) -> tuple[Order, Onlooker]:
    """The order with an onlooker beside the bench's own watch."""
    onlooker = Onlooker("bench", "Bench", "virtual", order.operator.name)

    def watch(state: KernelState, effects: tuple[Effect, ...]) -> None:
        onlooker(state, effects)
        order.watch(state, effects)

    return replace(order, watch=watch), onlooker


async def test_before_the_first_decision_there_is_nothing_to_see() -> None:
    onlooker = Onlooker("bench", "Bench", "virtual", "somebody")
    assert not onlooker.begun
    with pytest.raises(LookupError, match="nothing has been decided"):
        onlooker.snapshot(0)


async def test_in_hold_the_onlooker_sees_what_the_generator_measures(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        order, onlooker = watched(bench, bench.order(plan=plan_text(sensory="required"), script=answers_text()))
        bench.begin(order)
        await bench.in_hold(for_s=5.0)
        assert bench.state is not None
        received_ns = bench.state.received_ns
        seen = onlooker.snapshot(received_ns + NS_PER_S // 4)
        heated, other = seen.channels
        truth = bench.state.reading.channels[0] if bench.state.reading else None
        assert truth is not None
        assert (seen.simulated, seen.medium, seen.stage) == (True, "tissue", "treating")
        assert seen.age_ms == 250.0
        assert (heated.phase, heated.rf_on, heated.site) == ("hold", True, "bench")
        assert heated.temperature_c == truth.temperature_c
        assert heated.power_w == truth.power_w
        assert heated.sensory_threshold == 0.4
        assert heated.progress is not None
        assert heated.progress.what == "hold"
        assert heated.progress.done_s == pytest.approx(5.0, abs=0.06)
        assert heated.progress.left_s == pytest.approx(15.0, abs=0.06)
        assert (heated.limits.maximum_c, heated.limits.over_set_c) == (95.0, 85.0)
        assert heated.peak_c is not None
        assert heated.peak_c >= 79.0
        assert (other.phase, other.rf_on, other.site) == ("idle", False, "")
        steps = [after.t_s - before.t_s for before, after in zip(heated.curve, heated.curve[1:], strict=False)]
        assert min(steps) >= 0.25
        assert any(event.code == "sensory" and "felt at 0.4 V" in event.text for event in seen.events)


async def test_an_open_thermocouple_is_null_and_a_trip_is_told_with_its_numbers(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        order, onlooker = watched(bench, bench.order())
        session = bench.begin(order)
        await bench.in_hold(for_s=1.0)
        bench.simulator.faults.start("thermocouple_open", channel=1)
        await session
        seen = onlooker.snapshot(clock.monotonic_ns())
        assert onlooker.over
        assert seen.over
        assert seen.channels[0].temperature_c is None
        assert seen.channels[0].end_reason is not None
        assert seen.trips[0].code == "thermocouple_open"
        assert (seen.outcome, seen.off_verified) == ("stopped", True)
        assert "thermocouple is open" in seen.ending


async def test_a_snapshot_survives_its_way_as_json(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        order, onlooker = watched(bench, bench.order())
        bench.begin(order)
        await bench.in_hold(for_s=1.0)
        seen = onlooker.snapshot(clock.monotonic_ns())
        text = json.dumps(seen.to_json(), allow_nan=False)
        assert Snapshot.from_json(json.loads(text)) == seen
    with pytest.raises(ValueError, match="channels"):
        Snapshot.from_json(seen.to_json() | {"channels": "two"})


async def test_progress_stands_still_when_the_readings_do(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        order, onlooker = watched(bench, bench.order())
        bench.begin(order)
        await bench.in_hold(for_s=1.0)
        now_ns = clock.monotonic_ns()
        fresh, stale = onlooker.snapshot(now_ns), onlooker.snapshot(now_ns + 5 * NS_PER_S)
        assert fresh.channels[0].progress == stale.channels[0].progress
        assert stale.age_ms is not None
        assert stale.age_ms >= 5000.0


async def test_a_service_tells_how_it_is_at_each_snapshot(tmp_path: Path, clock: Clock) -> None:
    status = ["connected"]
    async with station_bench(tmp_path, clock) as bench:
        order, onlooker = watched(bench, bench.order())
        onlooker.services["mqtt"] = lambda: status[0]
        bench.begin(order)
        await bench.in_hold(for_s=1.0)
        assert onlooker.snapshot(0).services == {"mqtt": "connected"}
        status[0] = "not reachable"
        assert onlooker.snapshot(0).services == {"mqtt": "not reachable"}


async def test_a_person_decides_a_whole_procedure(tmp_path: Path, clock: Clock) -> None:
    person = AttendedOperator("A. Physician")
    async with station_bench(tmp_path, clock) as bench:
        order, onlooker = watched(bench, replace(bench.order(), operator=person))
        session = bench.begin(order)
        for question, choice in (("checklist", "confirm"), ("arm", "arm"), ("start", "start")):
            await bench.until(lambda state, asked=question: state.question is not None and state.question[1] == asked)
            seen = onlooker.snapshot(clock.monotonic_ns()).question
            assert seen is not None
            assert choice in seen.choices
            person.answer(seen.channel, seen.question, choice)
        result = await session
    assert result.exit_code == 0
    assert result.document["outcome"] == "complete"


async def test_an_answer_to_another_question_is_dropped(tmp_path: Path, clock: Clock) -> None:
    person = AttendedOperator("A. Physician")
    async with station_bench(tmp_path, clock) as bench:
        order, onlooker = watched(bench, replace(bench.order(), operator=person))
        bench.begin(order)
        await bench.until(lambda state: state.question is not None)
        person.answer(1, "start", "start")
        await bench.until(lambda state: state.received_ns > state.started_ns + NS_PER_S)
        seen = onlooker.snapshot(clock.monotonic_ns())
        assert seen.question is not None
        assert seen.question.question == "checklist"
        assert all(event.level != "warning" for event in seen.events)


async def test_an_answer_that_nobody_knows_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="perhaps"):
        AttendedOperator("A. Physician").answer(1, "arm", "perhaps")
