"""Controls that are no row of the interlock table, each seen where it acts: at the output, or in what is done next."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest

from rfctl.kernel.effects import Arm, Fire, StartStimulation
from rfctl.kernel.phase import Phase
from rfctl.virtual import VirtualLoop
from tests.log_tools import of_kind
from tests.mqtt_peers import Mosquitto
from tests.station_bench import plan_text, station_bench
from tests.unit.kernel.bench import Bench, setup_of

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock

SHORT = plan_text(set_temperature_c=45, hold_s=6)
ENERGISING = (StartStimulation, Arm, Fire)


@pytest.mark.requirement("off.gap")
def test_nothing_follows_a_stimulation_before_its_output_was_measured_off() -> None:
    bench = Bench(setup_of()).reach(Phase.SENSORY)
    bench.until(lambda bench: bench.channel.amplitude > 0.0)
    bench.alter(bench.active, stimulating=True)
    bench.reach(Phase.SENSORY_OFF)
    begun = len(bench.effects)
    bench.samples(4)
    assert bench.channel.phase is Phase.SENSORY_OFF
    assert not [effect for effect in bench.effects[begun:] if isinstance(effect, ENERGISING)]


@pytest.mark.requirement("stop.emergency")
async def test_an_emergency_stop_at_the_generator_is_off_at_once_and_ends_the_procedure(
    tmp_path: Path, clock: Clock
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin()
        await bench.in_hold()
        pressed_ns = clock.monotonic_ns()
        bench.simulator.at_the_machine({"press": "emergency_stop"})
        assert bench.event_ns("rf_off", channel=1, after_ns=pressed_ns) == pressed_ns
        result = await running
    assert (result.exit_code, result.document["outcome"]) == (4, "failed")
    assert [trip["code"] for trip in result.document["trips"]] == ["generator_fault"]


@pytest.mark.requirement("clock.monotonic")
@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(days=1)])
async def test_a_wall_clock_that_is_set_changes_no_decision_and_is_in_the_record(
    tmp_path: Path, clock: Clock, step: timedelta
) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with station_bench(tmp_path, clock) as bench:
        running = bench.begin(bench.order(plan=SHORT))
        await bench.in_hold(for_s=1.0)
        loop.utc_start += step
        result = await running
    assert (result.exit_code, result.document["outcome"], result.document["trips"]) == (0, "complete", [])
    # whatever ends the record's one second of readings sees the step; a microsecond is lost to the label
    (told,) = stepped(tmp_path / result.document["record"])
    assert int(told["wall_step_ns"]) == pytest.approx(step.total_seconds() * 1e9, abs=1e6)


def stepped(record: Path) -> list[dict[str, Any]]:
    return [line for line in clock_records(record) if "wall_step_ns" in line]


def clock_records(record: Path) -> list[dict[str, Any]]:
    found = []
    for segment in sorted(record.glob("*.seg")):
        data = segment.read_bytes()
        at = data.find(b'"kind":"clock"')
        while at >= 0:
            payload = data.find(b'"payload":', at) + len(b'"payload":')
            found.append(json.JSONDecoder().raw_decode(data[payload : payload + 500].decode("latin-1"))[0])
            at = data.find(b'"kind":"clock"', at + 1)
    return found


@pytest.mark.requirement("telemetry.no-commands")
async def test_nothing_that_is_published_reaches_the_station(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribed: list[object] = []

    async def subscribe(_client: aiomqtt.Client, *topics: object, **_options: object) -> None:
        subscribed.append(topics)

    monkeypatch.setattr(aiomqtt.Client, "subscribe", subscribe)
    with Mosquitto(tmp_path) as mosquitto:
        async with station_bench(tmp_path, clock) as bench:
            order = replace(bench.order(plan=SHORT), broker=mosquitto.broker)
            result = await bench.begin(order)
    assert (result.exit_code, result.document["outcome"]) == (0, "complete")
    assert result.document["mqtt"]["status"] == "connected"
    assert subscribed == []
    assert of_kind(tmp_path / result.document["record"], "refused") == []
