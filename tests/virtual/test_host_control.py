"""The station controls the temperature of a generator that takes a set point: whole sessions over a real link."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rfctl.errors import EXIT_DEVICE, EXIT_DONE, EXIT_STOPPED
from rfctl.kernel import regulator
from rfctl.model.electrode import find_electrode
from rfctl.record.keys import load_public_key
from rfctl.record.replay import replay
from rfctl.record.verify import Outcome as Verified
from rfctl.record.verify import verify
from rfctl_sim.tissue import ThreePoleTissue
from rfctl_sim.writes import CHANNEL_RULES
from tests.electrode_tissues import poles_of
from tests.log_tools import of_kind
from tests.station_bench import plan_text, station_bench, station_text

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.station.session import Result
    from tests.station_bench import Bench

ONLY_BY_VOLTAGE, ONLY_BY_POWER, MAP_1_0 = 0b01110, 0b10110, 0b00111
"""Capability bits: stimulation and one set point, and what a generator of map 1.0 says."""


class Case(NamedTuple):
    """One lesion.

    Attributes:
        gauge: Of the electrode.
        tip_mm: Of the electrode.
        set_temperature_c: Of the plan.
        ramp_c_per_s: Of the plan.
        series_ohm: Body, pad and leads.
        capabilities: What the generator says that it can do.
        control: What the station file says.
        address: Where the generator is.
        longer_s: The ramp may take so much longer than its rate says.
    """

    gauge: int
    tip_mm: float
    set_temperature_c: float
    ramp_c_per_s: float
    series_ohm: float = 100.0
    capabilities: int = ONLY_BY_VOLTAGE
    control: str = "auto"
    address: str = "tcp:127.0.0.1:0"
    longer_s: float = 1.5

    @property
    def set_point(self) -> str:
        return "power" if self.capabilities == ONLY_BY_POWER else "voltage"


CASES = (
    Case(18, 10, 80.0, 4.3, capabilities=0b11111, control="host"),
    Case(18, 10, 80.0, 5.0, address="pty:"),
    Case(22, 5, 60.0, 5.0, series_ohm=0.0),
    Case(20, 10, 80.0, 1.0, capabilities=ONLY_BY_POWER),
    Case(16, 15, 90.0, 2.0, series_ohm=200.0, longer_s=5.0),  # the rating of 50 W binds
)


def name_of(case: Case) -> str:
    return "-".join(str(part) for part in (*case[:5], case.set_point, case.address[:3]))


def simulate(case: Case, patch: pytest.MonkeyPatch) -> None:
    """A generator with these capabilities, on this electrode."""
    poles = poles_of(find_electrode(case.gauge, case.tip_mm))
    patch.setattr("rfctl_sim.setups.ThreePoleTissue", lambda rest_c: ThreePoleTissue(poles, rest_c))
    patch.setattr("rfctl_sim.answers.CAPABILITIES", case.capabilities)


class Truth(NamedTuple):
    """What the output stage and the tissue did, decision by decision, in the hold and before."""

    peak_c: float
    worst_k: float
    peak_w: float


async def run(bench: Bench, case: Case, hold_s: float = 10.0) -> tuple[Result, Truth]:
    """One session, with the generator's own truth looked at after each decision."""
    plan = plan_text(
        gauge=case.gauge,
        tip_mm=case.tip_mm,
        set_temperature_c=case.set_temperature_c,
        ramp_c_per_s=case.ramp_c_per_s,
        hold_s=hold_s,
    )
    order = bench.order(station=station_text(bench.simulator.address, control=case.control), plan=plan)
    rows: list[tuple[str, float, float]] = []

    def look(state: KernelState, effects: tuple[Effect, ...]) -> None:
        order.watch(state, effects)
        truth: Any = bench.simulator.truth()["channels"]
        rows.append((state.channels[0].phase.name, truth[0]["tip_temperature_c"], truth[0]["power_w"]))

    result = await bench.begin(replace(order, watch=look))
    held = [tip_c for phase, tip_c, _ in rows if phase == "HOLD"]
    settled = held[20:]  # 1 s after it was reached
    return result, Truth(
        max(tip_c for _, tip_c, _ in rows),
        max((abs(tip_c - case.set_temperature_c) for tip_c in settled), default=float("inf")),
        max(power_w for _, _, power_w in rows),
    )


def lines_of(document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The record's lines of one kind."""
    return of_kind(Path(document["record"]), kind)


@pytest.mark.parametrize("case", CASES, ids=name_of)
async def test_a_lesion_is_held_within_2_k_inside_one_durable_intent(
    tmp_path: Path, clock: Clock, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(case, monkeypatch)
    setup = tmp_path / "setup.toml"
    setup.write_text(f"title = 'One case'\nseries_ohm = {case.series_ohm}\n")
    async with station_bench(tmp_path, clock, address=case.address, setup=str(setup)) as bench:
        result, truth = await run(bench, case)
    document = result.document
    assert (result.exit_code, document["trips"]) == (EXIT_DONE, []), result.error
    assert (document["temperature_control"], document["set_point"]) == ("host", case.set_point)
    assert truth.peak_c <= case.set_temperature_c + 3.0
    assert truth.worst_k <= 2.0
    (site,) = document["sites"]
    assert site["overshoot_c"] <= 3.0
    assert site["mean_hold_temperature_c"] == pytest.approx(case.set_temperature_c, abs=0.5)
    assert site["seconds_within_2c"] == pytest.approx(10.0, abs=0.3)
    ideal_s = (case.set_temperature_c - 37.0) / case.ramp_c_per_s
    assert ideal_s - 1.5 < site["ramp_s"] < ideal_s + case.longer_s
    (setup,) = lines_of(document, "setup")
    assert setup["set_point"] == case.set_point
    told = [effect for line in lines_of(document, "decision") for effect in line["effects"]]
    assert len([effect for effect in told if effect[0] == "MakeDurable"]) == 1, "set points inside it are not awaited"
    outputs = [line["v"][1][2] for line in lines_of(document, "sample") if len(line["v"][1]) == 3]
    assert len(outputs) > 10.0 / 0.05
    verdict = verify(Path(document["record"]), load_public_key(Path(document["public_key"])))
    assert verdict.verdict is Verified.VALID_UNANCHORED
    again = replay(Path(document["record"]))
    assert (again.differences, again.first_difference) == (0, "")


async def test_a_generator_that_can_control_the_temperature_is_let(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        plan = plan_text(hold_s=1.0, set_temperature_c=42.0)
        result = await bench.begin(bench.order(plan=plan))
    assert (result.document["temperature_control"], result.document["set_point"]) == ("device", None)


@pytest.mark.parametrize(
    ("capabilities", "control", "says"),
    [
        (MAP_1_0, "host", "generator.temperature_control is 'host', and this generator takes neither a voltage nor a"),
        (ONLY_BY_VOLTAGE, "device", "generator.temperature_control is 'device', and this generator does not control"),
        (0b110, "auto", "this generator can neither control the temperature itself nor take a voltage or power"),
    ],
)
async def test_what_the_generator_cannot_do_is_refused_before_anything_but_off_is_written(
    tmp_path: Path, clock: Clock, capabilities: int, control: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rfctl_sim.answers.CAPABILITIES", capabilities)
    async with station_bench(tmp_path, clock) as bench:
        order = bench.order(station=station_text(bench.simulator.address, control=control))
        result = await bench.begin(order)
        assert (result.exit_code, result.document["outcome"]) == (2, "refused")
        assert says in result.error
        assert set(bench.written()) == {b"\x06\0\0\0\1"}


async def test_a_set_point_outside_the_envelope_does_not_leave_the_station(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel gone wrong: its set point is doubled 3 s after RF on."""
    right = regulator.regulate

    def wrong(before: regulator.Regulator, *sample: float) -> regulator.Regulator:
        after = right(before, *sample)  # type: ignore[arg-type]
        return after._replace(value=1.001 * before.aim.voltage_v_rms) if after.reference_c > 50.0 else after

    monkeypatch.setattr(regulator, "regulate", wrong)
    case = CASES[0]
    async with station_bench(tmp_path, clock) as bench:
        result, truth = await run(bench, case)
        (trip,) = result.document["trips"]
        assert (trip["code"], result.exit_code) == ("command_failed", EXIT_STOPPED)
        assert "voltage_set_point_v_rms of channel 1" in trip["text"]
        assert "outside the permit's envelope" in trip["text"]
        assert truth.peak_c < 52.0
        assert bench.simulator.truth()["channels"][0]["rf_on"] is False  # type: ignore[index]


async def test_a_generator_that_holds_another_set_point_is_turned_off(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It acknowledges every write and obeys none: only the read-back with the status tells."""
    monkeypatch.setitem(CHANNEL_RULES, "voltage_set_point_v_rms", lambda _control, _channel, _value, _at: None)
    async with station_bench(tmp_path, clock) as bench:
        result, truth = await run(bench, CASES[0])
    assert [trip["code"] for trip in result.document["trips"]] == ["set_point_mismatch"]
    assert (result.exit_code, result.document["off_verified"]) == (EXIT_DEVICE, True)
    assert truth.peak_w == 0.0


async def test_a_set_point_stays_no_longer_than_the_lease_when_the_station_is_gone(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(CASES[0], monkeypatch)
    async with station_bench(tmp_path, clock) as bench:
        order = bench.order(station=station_text(bench.simulator.address, control="host"))
        running = bench.begin(order)
        await bench.in_hold(for_s=1.0)
        began_ns = bench.clock.monotonic_ns()
        bench.simulator.faults.start("no_reply", seconds=60.0)
        await asyncio.sleep(0.6)
        assert bench.event_ns("rf_off", channel=1, after_ns=began_ns) - began_ns <= 500_000_000
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
