"""The field model against what was computed and measured elsewhere, nothing tuned per electrode."""

import pytest

from rfctl_sim.field.electrode import ElectrodeTissue
from rfctl_sim.field.needle import NeedleField


def test_11_v_rms_across_the_tissue_of_18_g_10_mm_warm_the_tip_as_published():
    field = NeedleField(18, 10, 37.0)
    assert 121.0 / field.impedance_ohm == pytest.approx(1.43, rel=0.02)
    risen_k = {}
    for step in range(1, 241):
        field.advance(0.5, 121.0 / field.impedance_ohm)
        risen_k[step / 2] = field.tip_temperature_c - 37.0
    published_k = {1: 2.0, 5: 7.8, 10: 12.0, 30: 20.8, 60: 27.7, 120: 35.6}
    assert {time_s: risen_k[time_s] for time_s in published_k} == pytest.approx(published_k, abs=0.7)
    assert 121.0 / field.impedance_ohm == pytest.approx(1.43 * 1.32, rel=0.02)


@pytest.mark.parametrize(("gauge", "peak_w"), [(22, 4.5), (20, 5.6), (18, 7.8), (16, 10.3)])
def test_a_ramp_of_10_s_to_80_degc_peaks_and_is_held_with_the_published_power(gauge, peak_w):
    field = NeedleField(gauge, 10, 37.0)
    start_ohm = field.impedance_ohm
    for tick in range(1, 101):
        power_w = field.advance_to(0.1, 37.0 + 0.43 * tick)
    assert power_w == pytest.approx(peak_w, rel=0.05)
    for _ in range(180):
        power_w = field.advance_to(0.5, 80.0)
    assert 1.2 < power_w < 2.9
    if gauge == 18:
        assert 1.0 - field.impedance_ohm / start_ohm == pytest.approx(0.29, abs=0.01)
    assert field.energy.delivered == pytest.approx(field.stored_j + field.energy.boundary, rel=1e-9)


@pytest.mark.parametrize(("series_ohm", "least_c", "most_c"), [(0.0, 48.0, 51.0), (100.0, 39.0, 42.0)])
def test_pulses_of_45_v_peak_give_the_published_mean_at_the_tip(series_ohm, least_c, most_c):
    tissue = ElectrodeTissue(22, 10, 37.0)
    temperatures = []
    for tick in range(12_000):
        current_a = 45.0 / 2.0**0.5 / (tissue.impedance_ohm + series_ohm)
        tissue.advance(0.01, current_a * current_a * tissue.impedance_ohm if tick % 50 < 2 else 0.0)
        temperatures.append(tissue.tip_temperature_c)
    mean_c = sum(temperatures[6000:]) / 6000
    assert least_c < mean_c < most_c
    assert tissue.tissue_max_c > mean_c
