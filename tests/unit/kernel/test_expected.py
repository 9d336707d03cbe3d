"""What the electrode table leads to expect: injected fluid, power in hold, the rise between two times of the table."""

from __future__ import annotations

import math

import pytest

from rfctl.kernel.expected import (
    Budget,
    allowed_power_w,
    drying_per_s,
    fluid_factor,
    hold_power_w,
    rise_k_per_w,
    terminal_power_w,
    tissue_power_w,
)
from rfctl.kernel.stimulation import Stimulation, allowed_amplitude
from rfctl.model.electrode import find_electrode

NAN = math.nan
E_18_10 = find_electrode(18, 10)
TABLE = E_18_10.step_response


@pytest.mark.parametrize(
    ("before_ohm", "after_ohm", "series_ohm", "fluid"),
    [
        (200.0, 150.0, 100.0, 0.5),
        (200.0, 195.0, 100.0, 0.05),
        (200.0, 141.0, 100.0, 0.59),
        (200.0, 130.0, 100.0, 0.6),
        (200.0, 210.0, 100.0, 0.0),
        (100.05, 100.02, 100.0, 0.6),
        (100.0, 90.0, 100.0, 0.0),
        (90.0, 80.0, 100.0, 0.0),
        (math.nan, 130.0, 100.0, 0.0),
        (200.0, math.nan, 100.0, 0.0),
        (200.0, 130.0, math.nan, 0.0),
    ],
)
def test_fluid_takes_a_part_of_the_tissue_s_share_and_at_most_six_tenths(
    before_ohm: float, after_ohm: float, series_ohm: float, fluid: float
) -> None:
    assert fluid_factor(before_ohm, after_ohm, series_ohm) == pytest.approx(fluid)


@pytest.mark.parametrize(("fluid", "times"), [(0.0, 1.0), (0.2, 1.25), (0.5, 2.0), (0.6, 2.5)])
def test_fluid_is_gone_after_two_minutes_and_the_impedance_what_it_was(fluid: float, times: float) -> None:
    assert 1.0 + 120.0 * drying_per_s(fluid) == pytest.approx(times)


@pytest.mark.parametrize(("rise_k", "fluid", "share"), [(43.0, 0.0, 1.0), (21.5, 0.0, 0.5), (43.0, 0.5, 1 / 0.7)])
def test_hold_power_goes_with_the_rise_and_fluid_takes_some(rise_k: float, fluid: float, share: float) -> None:
    assert hold_power_w(E_18_10, rise_k, fluid) == pytest.approx(share * E_18_10.hold_power_w)


@pytest.mark.parametrize(
    ("tissue_w", "impedance_ohm", "terminal_w"), [(2.0, 300.0, 3.0), (2.0, 115.0, 46 / 3), (2.0, 110.0, 44 / 3)]
)
def test_terminals_give_more_than_the_tissue_gets_which_has_15_ohm_at_least(
    tissue_w: float, impedance_ohm: float, terminal_w: float
) -> None:
    assert terminal_power_w(tissue_w, impedance_ohm, 100.0) == pytest.approx(terminal_w)
    assert tissue_power_w(terminal_w, impedance_ohm, 100.0) == pytest.approx(tissue_w)


@pytest.mark.parametrize("impedance_ohm", [NAN, math.inf])
def test_without_an_impedance_the_terminals_give_no_more_than_the_tissue_may_get(impedance_ohm: float) -> None:
    assert terminal_power_w(2.0, impedance_ohm, 100.0) == 2.0


@pytest.mark.parametrize(("after_s", "k_per_w"), TABLE)
def test_the_rise_at_a_time_of_the_table_is_the_table_s(after_s: float, k_per_w: float) -> None:
    assert rise_k_per_w(E_18_10, after_s) == pytest.approx(k_per_w)


@pytest.mark.parametrize("at", range(len(TABLE) - 1))
def test_midway_between_two_times_as_powers_go_the_rise_is_their_geometric_mean(at: int) -> None:
    (left_s, left), (right_s, right) = TABLE[at : at + 2]
    assert rise_k_per_w(E_18_10, math.sqrt(left_s * right_s)) == pytest.approx(math.sqrt(left * right))


def test_beyond_the_table_the_rise_goes_on_as_between_its_last_two_times() -> None:
    (left_s, left), (right_s, right) = TABLE[-2:]
    assert rise_k_per_w(E_18_10, right_s * right_s / left_s) == pytest.approx(right * right / left)


@pytest.mark.parametrize(("set_c", "margin_k"), [(80.0, 11.0), (86.0, 5.0), (87.0, 4.0), (90.0, 4.0)])
def test_what_exceeds_the_hold_power_heats_to_a_kelvin_below_boiling_from_the_trip_to_off(
    set_c: float, margin_k: float
) -> None:
    budget = Budget(0.1, 0.05, 0.2, 0.05, 0.1)
    excess_w = margin_k / dict(TABLE)[0.5]
    assert allowed_power_w(E_18_10, set_c, 2.0, budget) == pytest.approx(2.0 + excess_w)


@pytest.mark.parametrize(
    ("commanded", "since_s", "allowed"),
    [(1.0, 0.0, 2.0), (1.0, 0.15, 2.0), (1.0, 0.25, 1.95), (1.0, 1.15, 1.5), (1.0, 9.0, 1.0), (2.5, 0.2, 2.5)],
)
def test_a_lower_amplitude_is_on_its_way_for_three_samples_and_then_falls_by_half_a_volt_a_second(
    commanded: float, since_s: float, allowed: float
) -> None:
    assert allowed_amplitude(commanded, Stimulation(allowed=2.0), since_s) == pytest.approx(allowed)
