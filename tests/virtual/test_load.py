"""A procedure in a test load and one in a phantom, from the plan to the sealed record, in virtual time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import ConfigError
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.kernel.row import OF_THE_TIP
from rfctl.kernel.state import Setup
from rfctl.model.plan import Medium
from rfctl.station import plan_check, plan_file
from tests.station_bench import answers_text, plan_text, station_bench, station_text

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.station.session import Result
    from tests.station_bench import Bench

POWER_W, HOLD_S = 10.0, 20.0
LOAD_OHM = 200.0
PLAN = f"""
[plan]
title = "Resistor"
medium = "load"
checklist = ["the resistor is on channel 1"]

[[site]]
name = "bench"
channel = 1
lesion = {{ power_w = {POWER_W}, hold_s = {HOLD_S:g} }}
"""


def into_load(bench: Bench, plan: str = PLAN, **station: str) -> Result:
    text = station_text(bench.simulator.address, medium="load", **station)
    return bench.begin(bench.order(station=text, plan=plan, script=answers_text()))


@pytest.mark.parametrize("control", ["auto", "device"])
async def test_a_load_takes_its_power_for_its_time(tmp_path: Path, clock: Clock, control: str) -> None:
    async with station_bench(tmp_path, clock, setup="bench-load", tissue="load") as bench:
        running = into_load(bench, control=control)
        await bench.in_hold()
        (truth, *_) = bench.simulator.truth()["channels"]
        assert truth["power_w"] == pytest.approx(POWER_W, rel=0.02)
        result = await running
        on_s = (bench.event_ns("rf_off", channel=1) - bench.event_ns("rf_on", channel=1)) / 1e9
    assert (result.exit_code, result.document["outcome"]) == (0, "complete"), result.error
    assert on_s == pytest.approx(HOLD_S, abs=0.3)
    (site,) = result.document["sites"]
    assert (site["power_w"], site["set_temperature_c"], site["peak_temperature_c"]) == (POWER_W, None, None)
    assert site["energy_j"] == pytest.approx(POWER_W * HOLD_S, rel=0.05)
    assert site["energy_j"] == pytest.approx(site["generator_energy_j"], rel=0.02)
    assert site["predicted"]["energy_j"] == POWER_W * HOLD_S
    assert site["impedance_start_ohm"] == pytest.approx(LOAD_OHM, rel=0.02)
    json.dumps(result.document, allow_nan=False)


@pytest.mark.parametrize(
    ("fault", "parameters", "code"),
    [
        ("impedance", {"ohm": 5000.0}, "impedance_high"),
        ("power_over_limit", {"power_w": 13.0}, "power_cap"),
        ("meter_wrong", {"meter": "voltage_v_rms", "factor": 1.5}, "power_mismatch"),
    ],
)
async def test_what_needs_no_temperature_is_judged_in_a_load_too(
    tmp_path: Path, clock: Clock, fault: str, parameters: dict[str, object], code: str
) -> None:
    async with station_bench(tmp_path, clock, setup="bench-load", tissue="load") as bench:
        running = into_load(bench)
        await bench.in_hold()
        began_ns = clock.monotonic_ns()
        bench.simulator.faults.start(fault, channel=1, **parameters)
        result = await running
        off_s = (bench.event_ns("rf_off", channel=1, after_ns=began_ns) - began_ns) / 1e9
    assert result.document["trips"][0]["code"] == code
    assert off_s <= 1.0


def test_rows_about_the_tip_are_in_force_wherever_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "load.toml"
    path.write_text(PLAN, encoding="utf-8")
    plan = plan_file.load(str(path))
    held = {}
    for medium in Medium:
        setup = Setup(plan, medium, 1, 1, 50.0, simulated=True)
        rows = (ready.row for ready in (*setup.channel_rows[Phase.RAMP], *setup.channel_rows[Phase.HOLD]))
        held[medium] = {row.code for row in rows}
    about_tip = {row.code for row in ROWS if row.quantity in OF_THE_TIP}
    assert not held[Medium.LOAD] & about_tip
    assert held[Medium.TISSUE] == held[Medium.PHANTOM]
    assert held[Medium.TISSUE] - held[Medium.LOAD] == (held[Medium.TISSUE] & about_tip) | {"target_not_reached"}
    assert {"power_cap", "impedance_high", "power_mismatch", "energy", "duration", "current"} <= held[Medium.LOAD]


async def test_a_generator_without_a_power_set_point_is_refused(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rfctl.model.capability import Capability
    from rfctl.station import session

    choose = session.power_for_a_load
    monkeypatch.setattr(session, "power_for_a_load", lambda _can, where: choose({Capability.THERMAL}, where))
    async with station_bench(tmp_path, clock, setup="bench-load", tissue="load") as bench:
        result = await into_load(bench)
        assert not [event for event in bench.simulator.events if event.kind == "rf_on"]
    assert (result.exit_code, result.document["outcome"]) == (2, "refused")
    assert "takes no power set point" in result.error


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("power_w = 10.0", "power_w = 60.0"), "power_w"),
        (("power_w = 10.0", "set_temperature_c = 80"), "set_temperature_c"),
        (('medium = "load"', 'medium = "load"\norder = "batch"'), "probed by their temperatures"),
        (('medium = "load"\n', ""), "electrode"),
    ],
)
def test_a_plan_for_a_load_states_power_and_time_and_nothing_else(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    path = tmp_path / "load.toml"
    path.write_text(PLAN.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        plan_file.load(str(path))


def test_a_load_has_no_dispersive_electrode_to_be_checked(tmp_path: Path) -> None:
    path = tmp_path / "load.toml"
    path.write_text(PLAN, encoding="utf-8")
    plan = plan_file.load(str(path))
    assert plan_check.pad_loads(plan) == []
    assert plan_check.prediction_of(plan, plan.sites[0], plan.sites[0].lesions[0]).energy_j == POWER_W * HOLD_S


async def test_a_plan_for_tissue_is_not_run_in_a_load(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock, setup="bench-load", tissue="load") as bench:
        result = await into_load(bench, plan_text())
    assert (result.exit_code, result.document["outcome"]) == (2, "refused")
    assert "station.medium" in result.error


async def test_a_phantom_at_22_degrees_is_heated_as_planned(tmp_path: Path, clock: Clock) -> None:
    plan = plan_text(set_temperature_c=60, hold_s=10).replace("[plan]\n", '[plan]\nmedium = "phantom"\n')
    async with station_bench(tmp_path, clock, setup="phantom-22") as bench:
        station = station_text(bench.simulator.address, medium="phantom")
        result = await bench.begin(bench.order(station=station, plan=plan))
    assert (result.exit_code, result.document["outcome"]) == (0, "complete"), result.error
    assert result.document["sites"][0]["ramp_s"] > 8.0  # from 37 degC it would be 5
