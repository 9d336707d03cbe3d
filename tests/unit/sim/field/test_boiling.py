"""Tissue at 100 degC: its water takes heat, its conductivity goes, the impedance rises."""

import pytest

from rfctl_sim.field.electrode import ElectrodeTissue
from rfctl_sim.field.needle import NeedleField


def driven(power_w, seconds, volts=90.0):
    """An electrode at constant power, as far as the voltage goes, and its lowest impedance on the way."""
    tissue = ElectrodeTissue(18, 10, 37.0)
    lowest_ohm = tissue.impedance_ohm
    for _ in range(round(seconds * 50)):
        tissue.advance(0.02, min(power_w, volts**2 / tissue.impedance_ohm))
        lowest_ohm = min(lowest_ohm, tissue.impedance_ohm)
    return tissue, lowest_ohm


def test_above_100_degc_the_impedance_rises_at_once_and_energy_still_closes():
    tissue, lowest_ohm = driven(20.0, 15.0)
    assert tissue.impedance_ohm > 3.0 * lowest_ohm
    energy = tissue.field.energy
    assert energy.delivered == pytest.approx(tissue.field.stored_j + energy.boundary, rel=1e-4)


def test_below_100_degc_it_does_not():
    tissue, lowest_ohm = driven(5.0, 15.0)
    assert tissue.tissue_max_c < 95.0
    assert tissue.impedance_ohm == pytest.approx(lowest_ohm, rel=1e-6)


def test_while_its_water_boils_tissue_stays_below_100_degc_and_the_electrode_shows_that():
    tissue, _ = driven(12.0, 5.0)
    assert 99.0 <= tissue.tissue_max_c < 100.0
    assert tissue.tissue_max_c == tissue.field.tissue_max_c


def test_vapour_gives_its_heat_back():
    field = NeedleField(18, 10, 37.0)
    for _ in range(50):
        field.advance(0.1, 12.0)
    assert field.boils
    for _ in range(300):
        field.advance(0.1, 0.0)
    assert not field.boils
    assert field.tip_temperature_c < 75.0
    assert field.energy.delivered == pytest.approx(field.stored_j + field.energy.boundary, rel=1e-9)
