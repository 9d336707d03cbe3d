"""The electrode that is asked every 20 ms, against a field that is itself moved on in steps of 5 ms."""

from math import sin

import numpy as np
import pytest

from rfctl_sim.field.electrode import ElectrodeTissue
from rfctl_sim.field.needle import NeedleField

TICK_S = 0.02


def wave(tick):
    return 4.0 + 4.0 * sin(3.0 * TICK_S * tick)


def burst(tick):
    return 25.0 if tick < 10 else 4.0 if tick < 150 else 0.0


def spike(tick):
    return 30.0 if tick in (26, 73) else 2.0


def seen(tissue):
    return np.array([tissue.tip_temperature_c, tissue.tissue_max_c, tissue.impedance_ohm])


@pytest.mark.parametrize(
    ("power_w", "tip_k", "hottest_k", "impedance_ohm"),
    [(wave, 0.2, 0.5, 0.1), (burst, 0.4, 3.5, 0.5), (spike, 0.15, 5.0, 0.2)],
)
def test_what_it_shows_is_what_a_field_of_much_finer_steps_says(power_w, tip_k, hottest_k, impedance_ohm):
    tissue, fine = ElectrodeTissue(18, 10), NeedleField(18, 10, 37.0)
    apart = np.zeros(3)
    for tick in range(200):
        tissue.advance(TICK_S, power_w(tick))
        for _ in range(4):
            fine.advance(TICK_S / 4, power_w(tick))
        apart = np.maximum(apart, np.abs(seen(tissue) - seen(fine)))
    assert (apart < [tip_k, hottest_k, impedance_ohm]).all(), apart


@pytest.mark.parametrize("power_w", [wave, burst, spike])
def test_every_joule_of_a_changing_power_arrives(power_w):
    tissue = ElectrodeTissue(18, 10)
    for tick in range(400):
        tissue.advance(TICK_S, power_w(tick))
    energy = tissue.field.energy
    assert energy.delivered == pytest.approx(sum(TICK_S * power_w(tick) for tick in range(400)))
    assert energy.delivered == pytest.approx(tissue.field.stored_j + energy.boundary, rel=1e-4)


def test_under_a_steady_power_nothing_jumps_when_the_field_moves_on():
    tissue = ElectrodeTissue(18, 10)
    shown = []
    for tick in range(250):
        tissue.advance(TICK_S, 4.0)
        if tick >= 50:
            shown.append(seen(tissue))
    steps = np.diff(shown, axis=0)
    assert (np.abs(np.diff(steps, axis=0)) < [0.01, 0.03, 0.01]).all()
    assert (steps[:, 0] > 0.0).all()


def test_a_sudden_25_w_shows_within_20_ms():
    tissue = ElectrodeTissue(18, 10)
    tissue.advance(TICK_S, 25.0)
    assert tissue.tissue_max_c > 42.0
    assert tissue.tip_temperature_c > 37.02
    assert tissue.impedance_ohm < 0.995 * NeedleField(18, 10, 37.0).impedance_ohm


def test_the_length_of_the_calls_hardly_matters():
    one, other = ElectrodeTissue(20, 5), ElectrodeTissue(20, 5)
    for _ in range(20):
        one.advance(0.35, 2.0)
        for _ in range(50):
            other.advance(0.007, 2.0)
    assert seen(one) == pytest.approx(seen(other), rel=1e-3)


def test_left_alone_it_comes_to_rest_exactly_and_stays_there():
    tissue = ElectrodeTissue(22, 2)
    start = seen(tissue)
    assert tissue.at_rest
    tissue.advance(0.1, 0.2)
    assert not tissue.at_rest
    hours = 0
    while not tissue.at_rest:
        for _ in range(36):
            tissue.advance(100.0, 0.0)
        hours += 1
        assert hours < 3
    assert seen(tissue) == pytest.approx(start, abs=1e-9)
    tissue.advance(1e9, 0.0)
    assert tissue.at_rest
