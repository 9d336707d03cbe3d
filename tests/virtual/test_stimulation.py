"""The stimulation check and what its result permits, on a whole station, seen at the generator's output stages."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import EXIT_DEVICE, EXIT_DONE, EXIT_STOPPED
from rfctl.kernel.phase import Phase
from rfctl.record.replay import replay
from rfctl.virtual import VirtualClock, run_virtual
from tests.station_bench import station_bench

POLL_S = 0.05
SLOW_S = 0.045
PLAN = """
[plan]
title = "One lesion after its checks"
checklist = ["electrode stands in the simulator"]

[[site]]
name = "bench"
channel = 1
electrode = {{ gauge = 18, tip_mm = 10 }}
sensory = {{ {sensory} }}
motor = {{ {motor} }}
anaesthetic = {{ agent = "lidocaine 2 %", volume_ml = 0.5 }}
lesion = {{ set_temperature_c = 80, hold_s = 10, ramp_c_per_s = 4.3 }}
"""
NO_MOTOR = 'use = "not used", reason = "bench"'


def plan(sensory: str = 'use = "required"', motor: str = NO_MOTOR) -> str:
    return PLAN.format(sensory=sensory, motor=motor)


def script(more: str = "felt_at_v = 0.4") -> str:
    return f'[answers]\noperator = "script"\n[[site]]\nname = "bench"\n{more}\n'


class Case(NamedTuple):
    """A fault of the stimulator while it is on, and what must come of it.

    Attributes:
        fault: Name in the simulator's catalogue.
        parameters: Of the fault.
        code: The cause.
        limit_s: Longest time to off at the output stage: the hazard's.
    """

    fault: str
    parameters: dict[str, Any]
    code: str
    limit_s: float


CASES = (
    Case("stimulation_too_strong", {"factor": 3.0}, "stimulation_amplitude", 0.2 + 0.1),  # HZ-26; its slew comes first
    Case("stimulation_wrong_rate", {"rate_hz": 2.0}, "stimulation_rate", 0.2),
    Case("stimulation_wrong_width", {"width_us": 100.0}, "stimulation_width", 0.2),
    Case("stimulation_wrong_unit", {}, "stimulation_mode", 0.2),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_stimulator_that_does_otherwise_than_it_was_told_is_off_in_time(tmp_path: Path, case: Case) -> None:
    run_virtual(_a_stimulator_that_does_otherwise(tmp_path, case))


async def _a_stimulator_that_does_otherwise(tmp_path: Path, case: Case) -> None:
    async with station_bench(tmp_path, VirtualClock.running()) as bench:
        running = bench.begin(bench.order(plan=plan(), script=script("felt_at_v = 0.9")))
        await bench.until(lambda state: state.channels[0].amplitude >= 0.3)
        await asyncio.sleep(2 * POLL_S)
        began_ns = bench.clock.monotonic_ns()
        bench.simulator.faults.start(case.fault, channel=1, **case.parameters)
        result = await running
        off_s = (bench.event_ns("stimulation_off", channel=1, after_ns=began_ns) - began_ns) / NS_PER_S
    assert result.document["trips"][0]["code"] == case.code
    assert result.exit_code == EXIT_DEVICE
    assert off_s <= case.limit_s


SETTINGS = (
    ("stimulation_wrong_rate", {"rate_hz": 2.0}, "stimulation_rate_hz of channel 1: wrote 50, read back 2"),
    ("stimulation_wrong_width", {"width_us": 100.0}, "stimulation_width_us of channel 1: wrote 1000, read back 100"),
    ("stimulation_wrong_unit", {}, "mode of channel 1: wrote 1, read back 2"),
    (
        "set_point_corrupted",
        {"register": "stimulation_limit", "factor": 2.0},
        "stimulation_limit of channel 1: wrote 1, read back 2",
    ),
)


@pytest.mark.parametrize(("fault", "parameters", "text"), SETTINGS, ids=lambda part: str(part)[:24])
def test_a_stimulator_that_holds_other_settings_than_were_written_is_never_turned_on(
    tmp_path: Path, fault: str, parameters: dict[str, Any], text: str
) -> None:
    run_virtual(_a_stimulator_that_holds_other_settings(tmp_path, fault, parameters, text))


async def _a_stimulator_that_holds_other_settings(
    tmp_path: Path, fault: str, parameters: dict[str, Any], text: str
) -> None:
    async with station_bench(tmp_path, VirtualClock.running()) as bench:
        bench.simulator.faults.start(fault, channel=1, **parameters)
        result = await bench.begin(bench.order(plan=plan(), script=script()))
        assert not [event for event in bench.simulator.events if event.kind in {"stimulation_on", "rf_on"}]
    assert text in result.error
    assert result.exit_code == EXIT_DEVICE


def test_on_a_line_as_slow_as_is_taken_the_checks_and_the_lesion_are_completed(tmp_path: Path) -> None:
    """Two transactions of a cycle may take 100 ms; claim, settings and read-back are a dozen."""
    with mock.patch("rfctl_sim.answers.REPLY_MS", round(SLOW_S * 1000)):
        run_virtual(_a_slow_line(tmp_path))


async def _a_slow_line(tmp_path: Path) -> None:
    async with station_bench(tmp_path, VirtualClock.running()) as bench:
        bench.simulator.faults.start("reply_delayed", delay_s=SLOW_S)
        result = await bench.begin(bench.order(plan=plan(motor='use = "required"'), script=script()))
    document = result.document
    assert (document["outcome"], document["trips"], result.exit_code) == ("complete", [], EXIT_DONE)
    (site,) = document["sites"]
    assert site["sensory"]["performed"] and site["motor"]["performed"]


@pytest.mark.parametrize(
    ("phase", "code"), [(Phase.HOLD, "stimulation_with_rf"), (Phase.ARM_READY, "uncommanded_stimulation")]
)
def test_a_stimulator_that_comes_on_by_itself_ends_everything_in_time(tmp_path: Path, phase: Phase, code: str) -> None:
    run_virtual(_a_stimulator_that_comes_on_by_itself(tmp_path, phase, code))


async def _a_stimulator_that_comes_on_by_itself(tmp_path: Path, phase: Phase, code: str) -> None:
    async with station_bench(tmp_path, VirtualClock.running()) as bench:
        running = bench.begin(bench.order(plan=plan(), script=script()))
        await bench.until(lambda state: state.channels[0].phase is phase)
        began_ns = bench.clock.monotonic_ns()
        bench.simulator.faults.start("stimulation_without_command", channel=1, duration_s=1.0)
        result = await running
        if phase is Phase.HOLD:
            assert bench.event_ns("rf_off", channel=1, after_ns=began_ns) - began_ns <= 0.2 * NS_PER_S
    assert result.document["trips"][0]["code"] == code
    assert result.exit_code == EXIT_DEVICE


WAYS = (
    (Phase.ARM_READY, "electrode_moved", {"factor": 1.5}, "% of its reference"),
    (Phase.ARM_READY, "electrode_moved", {"factor": 0.5}, "% of its reference"),
    (Phase.ARM_READY, "wrong_electrode", {"tip_mm": 5.0}, "unplugged or swapped"),
    (Phase.ANAESTHETIC_WAIT, "electrode_moved", {"factor": 1.6}, "across the injection"),
    (Phase.ANAESTHETIC_WAIT, "lead_open", {}, "the electrode was out"),
)


@pytest.mark.parametrize(("phase", "fault", "parameters", "text"), WAYS, ids=lambda part: str(part)[:24])
@pytest.mark.requirement("procedure.check-first")
def test_a_result_that_became_void_blocks_the_lesion(
    tmp_path: Path, phase: Phase, fault: str, parameters: dict[str, Any], text: str
) -> None:
    run_virtual(_a_result_that_became_void_blocks_the_lesion(tmp_path, phase, fault, parameters, text))


async def _a_result_that_became_void_blocks_the_lesion(
    tmp_path: Path, phase: Phase, fault: str, parameters: dict[str, Any], text: str
) -> None:
    async with station_bench(tmp_path, VirtualClock.running()) as bench:
        running = bench.begin(bench.order(plan=plan(), script=script()))
        await bench.until(lambda state: state.channels[0].phase is phase)
        bench.simulator.faults.start(fault, channel=1, **parameters)
        await bench.until(lambda state: state.channels[0].phase is Phase.STIM_REQUIRED)
        result = await running
        assert not [event for event in bench.simulator.events if event.kind == "rf_on"]
    assert result.exit_code == EXIT_STOPPED
    assert text in result.error
    assert "No lesion until a named physician" in result.error


def test_a_position_that_a_physician_takes_over_is_heated_and_stands_in_document_and_record(tmp_path: Path) -> None:
    run_virtual(_a_position_that_a_physician_takes_over(tmp_path))


async def _a_position_that_a_physician_takes_over(tmp_path: Path) -> None:
    words = 'override_reason = "seen on two views"\nconfirmed_by = "Dr. Example"'
    async with station_bench(tmp_path, VirtualClock.running()) as bench:
        running = bench.begin(bench.order(plan=plan(), script=script(f"felt_at_v = 0.4\n{words}")))
        await bench.until(lambda state: state.channels[0].phase is Phase.ARM_READY)
        bench.simulator.faults.start("electrode_moved", channel=1, factor=1.5, duration_s=0.3)
        result = await running
    assert result.exit_code == EXIT_DONE, result.error
    (override,) = result.document["sites"][0]["overrides"]
    assert (override["by"], override["physician"], override["reason"]) == ("script", "Dr. Example", "seen on two views")
    replayed(result.document)


def replayed(document: dict[str, Any]) -> None:
    """The record decides the same again, typed words included."""
    found = replay(Path(document["record"]))
    assert found.differences == 0


@pytest.mark.parametrize("felt_at_ma", [0.4, 0.9])
def test_a_plan_in_ma_runs_to_complete_and_says_so(tmp_path: Path, felt_at_ma: float) -> None:
    run_virtual(_a_plan_in_ma_runs_to_complete(tmp_path, felt_at_ma))


async def _a_plan_in_ma_runs_to_complete(tmp_path: Path, felt_at_ma: float) -> None:
    sensory = 'unit = "mA", target_ma = 0.5, maximum_ma = 1.0'
    motor = 'unit = "mA", target_ma = 1.0, maximum_ma = 3.0'
    async with station_bench(tmp_path, VirtualClock.running()) as bench:
        answers = script(f"felt_at_ma = {felt_at_ma}\naccept_high = true")
        result = await bench.begin(bench.order(plan=plan(sensory, motor), script=answers))
    assert result.exit_code == EXIT_DONE, result.error
    (site,) = result.document["sites"]
    assert site["sensory"] | {"reason": None} == {
        "performed": True, "threshold": felt_at_ma, "unit": "mA", "width_us": 1000, "reason": None
    }  # fmt: skip
    assert site["motor"]["negative_to"] == pytest.approx(max(2 * felt_at_ma, 1.0))
    assert site["sensory_threshold_v"] is None
    json.dumps(result.document)
