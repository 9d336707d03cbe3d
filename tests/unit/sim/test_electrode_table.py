"""The shipped electrode table is what the field model says, and has what its readers rely on."""

import tomllib
from collections.abc import Callable
from itertools import pairwise
from math import exp, sin

import pytest

from rfctl.model.electrode import Electrode, electrode_table, find_electrode
from rfctl_sim.electrode_table import GAUGES, STEP_TIME_CONSTANTS_S, TIPS_MM, compute
from rfctl_sim.field.needle import NeedleField

TABLE = electrode_table()


@pytest.mark.parametrize(("gauge", "tip_mm"), [(23, 2.0), (22, 5.0), (18, 10.0), (16, 15.0)])
def test_the_field_model_computes_the_row_that_is_shipped(gauge: int, tip_mm: float) -> None:
    shipped = find_electrode(gauge, tip_mm)
    computed = tomllib.loads(compute(gauge, tip_mm).as_toml())["electrode"][0]
    response = dict(map(tuple, computed.pop("step_response")))
    assert len(computed.pop("step_poles_k_per_w")) == len(STEP_TIME_CONSTANTS_S)
    assert response == pytest.approx(dict(shipped.step_response), rel=2e-3)
    assert computed == pytest.approx({name: getattr(shipped, name) for name in computed}, rel=5e-3)


def test_every_gauge_has_every_tip() -> None:
    assert set(TABLE) == {(gauge, tip_mm) for gauge in GAUGES for tip_mm in TIPS_MM}


def predicted(electrode: Electrode, power_w: Callable[[float], float], to_s: float, cycle_s: float) -> list[float]:
    """The rise at the end of each cycle, as a reader keeps it: one number a pole."""
    rises = [0.0] * len(electrode.step_poles_k_per_w)
    follows = [1.0 - exp(-cycle_s / after_s) for after_s in electrode.step_time_constants_s]
    out = []
    for cycle in range(round(to_s / cycle_s)):
        power = power_w(cycle * cycle_s)
        rises = [
            rise + (pole * power - rise) * share
            for rise, pole, share in zip(rises, electrode.step_poles_k_per_w, follows, strict=True)
        ]
        out.append(sum(rises))
    return out


def test_the_poles_add_up_to_the_step_response() -> None:
    for electrode in TABLE.values():
        poles = list(zip(electrode.step_poles_k_per_w, electrode.step_time_constants_s, strict=True))
        for after_s, rise in electrode.step_response:
            fitted = sum(pole * (1.0 - exp(-after_s / tau_s)) for pole, tau_s in poles)
            assert fitted == pytest.approx(rise, rel=0.01 if after_s >= 0.3 else 0.03), (electrode.gauge, after_s)


def test_the_poles_predict_the_field_under_a_power_that_changes_between_their_times() -> None:
    electrode, field = find_electrode(18, 10.0), NeedleField(18, 10.0, 37.0)
    rises = []

    def power_w(at_s: float) -> float:
        return 0.0 if 12.0 <= at_s < 20.0 else 0.02 * (1.0 + 0.5 * sin(0.7 * at_s))

    for cycle in range(800):
        field.advance(0.05, power_w(cycle * 0.05))
        rises.append(field.tip_temperature_c - 37.0)
    for known, told in list(zip(rises, predicted(electrode, power_w, 40.0, 0.05), strict=True))[10:]:
        assert told == pytest.approx(known, abs=0.02 * max(rises))


def test_half_a_second_is_among_the_times_and_the_response_rises_and_flattens() -> None:
    for electrode in TABLE.values():
        response = electrode.step_response
        assert electrode.half_second_k_per_w == dict(response)[0.5]
        rises = [(after - before, late - early) for (early, before), (late, after) in pairwise(response)]
        assert all(rise > 0.0 for rise, _ in rises)
        assert all(late < early for early, late in pairwise(rise / span_s for rise, span_s in rises[4:]))


@pytest.mark.parametrize("tip_mm", TIPS_MM)
def test_a_thicker_needle_takes_more_power_and_answers_later(tip_mm: float) -> None:
    rows = [TABLE[gauge, tip_mm] for gauge in GAUGES]
    for thin, thick in pairwise(rows):
        assert thin.hold_power_w < thick.hold_power_w
        assert thin.power_cap_w < thick.power_cap_w
        assert thin.probe_energy_j < thick.probe_energy_j
        assert thin.impedance_ohm > thick.impedance_ohm
        assert thin.half_second_k_per_w > thick.half_second_k_per_w
