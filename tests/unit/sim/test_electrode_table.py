"""The shipped electrode table is what the field model says, and has what its readers rely on."""

import tomllib
from itertools import pairwise

import pytest

from rfctl.model.electrode import electrode_table, find_electrode
from rfctl_sim.electrode_table import GAUGES, TIPS_MM, compute

TABLE = electrode_table()


@pytest.mark.parametrize(("gauge", "tip_mm"), [(23, 2.0), (22, 5.0), (18, 10.0), (16, 15.0)])
def test_the_field_model_computes_the_row_that_is_shipped(gauge: int, tip_mm: float) -> None:
    shipped = find_electrode(gauge, tip_mm)
    computed = tomllib.loads(compute(gauge, tip_mm).as_toml())["electrode"][0]
    response = dict(map(tuple, computed.pop("step_response")))
    assert response == pytest.approx(dict(shipped.step_response), rel=2e-3)
    assert computed == pytest.approx({name: getattr(shipped, name) for name in computed}, rel=5e-3)


def test_every_gauge_has_every_tip() -> None:
    assert set(TABLE) == {(gauge, tip_mm) for gauge in GAUGES for tip_mm in TIPS_MM}


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
