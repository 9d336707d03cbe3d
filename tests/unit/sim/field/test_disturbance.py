"""What is done to the tissue around a needle, seen at the tip: fluid, a move, a coolant, a neighbour."""

import numpy as np
import pytest

from rfctl_sim.field.disturbance import distance_m, drawn_w
from rfctl_sim.field.electrode import ElectrodeTissue
from rfctl_sim.field.needle import NeedleField

pytestmark = pytest.mark.slow


def heated(tissue, seconds, power_w=2.0):
    for _ in range(round(seconds / 0.02)):
        tissue.advance(0.02, power_w)
    return tissue


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_fluid_takes_its_share_of_the_impedance_and_spreads(share):
    tissue = ElectrodeTissue(18, 10, 37.0)
    before_ohm = tissue.impedance_ohm
    tissue.inject(share)
    assert tissue.impedance_ohm == pytest.approx(before_ohm * (1.0 - share), rel=1e-3)
    heated(tissue, 120.0, 0.0)
    assert before_ohm * (1.0 - share) < tissue.impedance_ohm < before_ohm
    heated(tissue, 3000.0, 0.0)
    assert tissue.impedance_ohm == pytest.approx(before_ohm, rel=1e-3)
    assert tissue.at_rest


def test_fluid_asks_for_more_power_at_the_same_temperature_and_enlarges_the_lesion():
    def field_at_80(share):
        tissue = ElectrodeTissue(20, 10, 21.0)
        if share:
            tissue.inject(share)
        field = tissue.field
        for tick in range(400):
            power_w = field.advance_to(0.25, min(21.0 + 1.475 * (tick + 1), 80.0))
        return power_w, float(field.mesh.volume_m3[field.peak_c >= 50.0].sum())

    plain, with_fluid = field_at_80(0.0), field_at_80(0.4)
    assert with_fluid[0] > 1.02 * plain[0]
    assert with_fluid[1] > 1.02 * plain[1]


def test_a_needle_that_is_pushed_on_finds_colder_tissue_and_leaves_its_heat_behind():
    tissue = heated(ElectrodeTissue(18, 10, 37.0), 30.0)
    before_c, stored_j = tissue.tip_temperature_c, tissue.field.stored_j
    tissue.move(8.0)
    heated(tissue, 3.0, 0.0)
    still = heated(ElectrodeTissue(18, 10, 37.0), 30.0)
    heated(still, 3.0, 0.0)
    assert tissue.tip_temperature_c < still.tip_temperature_c - 3.0
    assert tissue.tip_temperature_c < before_c
    assert tissue.field.stored_j == pytest.approx(stored_j, rel=0.2)


def test_a_move_of_nothing_changes_next_to_nothing():
    tissue = heated(ElectrodeTissue(18, 10, 37.0), 30.0)
    before = tissue.field.rise.copy()
    tissue.move(1e-9)
    assert np.abs(tissue.field.rise - before).max() < 0.05


def test_a_coolant_cools_the_tip_more_than_the_tissue_and_energy_closes():
    cooled = ElectrodeTissue(17, 4, 37.0)
    cooled.cool(0.03, 22.0)
    heated(cooled, 60.0, 2.0)
    plain = heated(ElectrodeTissue(17, 4, 37.0), 60.0, 2.0)
    assert cooled.tip_temperature_c < plain.tip_temperature_c - 5.0
    lead_k = cooled.tissue_max_c - cooled.tip_temperature_c
    assert lead_k > 3.0 + plain.tissue_max_c - plain.tip_temperature_c
    energy = cooled.field.energy
    assert energy.delivered == pytest.approx(cooled.field.stored_j + energy.boundary + energy.perfused, rel=1e-3)
    cooled.cool(0.0, 22.0)
    heated(cooled, 20000.0, 0.0)
    assert cooled.at_rest


def test_a_coolant_takes_no_more_than_brings_the_metal_to_its_temperature():
    assert drawn_w(1.0, 0.02, 10.0, 0.1) <= 10.0 * 0.02 / 0.1
    assert drawn_w(0.03, 0.02, 10.0, 1e-6) == pytest.approx(0.3, rel=1e-3)
    assert drawn_w(0.0, 0.02, 10.0, 0.1) == 0.0


@pytest.mark.parametrize(("distance_mm", "least_k", "most_k"), [(6.0, 10.0, 23.0), (10.0, 3.0, 9.0)])
def test_one_electrode_at_80_degc_warms_a_neighbour_as_published(distance_mm, least_k, most_k):
    tissue = ElectrodeTissue(18, 10, 37.0)
    field = tissue.field
    rises = []
    for tick in range(400):
        field.advance_to(0.25, min(37.0 + 1.075 * (tick + 1), 80.0))
        rises.append(tissue.rise_at_k(distance_mm))
    assert least_k < rises[-1] < most_k
    assert rises == sorted(rises)


def test_what_a_neighbour_causes_is_added_to_tip_and_conductivity():
    tissue = ElectrodeTissue(18, 10, 37.0)
    before_ohm = tissue.impedance_ohm
    tissue.warmed_k = 5.0
    heated(tissue, 3.0, 0.0)
    assert tissue.tip_temperature_c == pytest.approx(42.0, abs=0.01)
    assert tissue.impedance_ohm == pytest.approx(before_ohm / 1.1, rel=1e-3)
    assert not tissue.at_rest
    tissue.warmed_k = 0.0
    heated(tissue, 3.0, 0.0)
    assert tissue.tip_temperature_c == pytest.approx(37.0, abs=0.01)
    assert tissue.at_rest


def test_distance_from_the_tip_is_zero_at_its_surface():
    mesh = NeedleField(18, 10, 37.0).mesh
    away = distance_m(mesh)
    assert away.min() == pytest.approx(mesh.r_m[mesh.metal] - mesh.radius_m, rel=0.05)
    assert (away > 0.0).all()
