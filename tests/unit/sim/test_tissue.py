"""The three poles against the published response of an 18 G, 10 mm electrode."""

import pytest

from rfctl_sim.tissue import ThreePoleTissue


def run_step(until_s, dt_s=0.01):
    """11 V rms across the tissue alone."""
    tissue = ThreePoleTissue()
    for _ in range(round(until_s / dt_s)):
        tissue.advance(dt_s, 121.0 / tissue.impedance_ohm)
    return tissue


@pytest.mark.parametrize(("time_s", "rise_k"), [(1, 2.0), (5, 7.8), (10, 12.0), (30, 20.8), (60, 27.7), (120, 35.6)])
def test_a_step_of_11_v_warms_the_tip_as_published_within_10_percent(time_s, rise_k):
    assert run_step(time_s).tip_temperature_c - 37.0 == pytest.approx(rise_k, rel=0.10)


def test_the_power_of_that_step_rises_from_1_43_to_about_2_1_w_as_the_impedance_falls():
    assert 121.0 / ThreePoleTissue().impedance_ohm == pytest.approx(1.43, rel=0.01)
    assert 121.0 / run_step(120).impedance_ohm == pytest.approx(2.1, rel=0.10)


def test_the_size_of_the_steps_does_not_matter_at_constant_power():
    fine, coarse = ThreePoleTissue(), ThreePoleTissue()
    for _ in range(1000):
        fine.advance(0.01, 2.0)
    coarse.advance(10.0, 2.0)
    assert fine.tip_temperature_c == pytest.approx(coarse.tip_temperature_c, abs=1e-9)


def test_tissue_leads_the_tip_while_power_goes_in_and_never_falls_behind_it():
    tissue = ThreePoleTissue()
    tissue.advance(5.0, 6.0)
    assert tissue.tissue_max_c > tissue.tip_temperature_c + 2.0
    tissue.advance(60.0, 0.0)
    assert tissue.tissue_max_c >= tissue.tip_temperature_c


def test_tissue_comes_to_rest_exactly_and_not_before_it_is_within_2_mk():
    tissue = ThreePoleTissue()
    assert tissue.at_rest
    tissue.advance(1.0, 2.0)
    assert not tissue.at_rest
    before = tissue.tip_temperature_c
    while not tissue.at_rest:
        before = tissue.tip_temperature_c
        tissue.advance(1.0, 0.0)
    assert before - 37.0 < 0.0025
    assert (tissue.tip_temperature_c, tissue.impedance_ohm) == (37.0, 85.0)
