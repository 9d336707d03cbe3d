"""Whole lesions under ideal regulation: how exact, and in which direction each thing asked for moves them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfctl_sim.field.lesion import Heating, make_lesion

pytestmark = pytest.mark.slow

HEATING = Heating(gauge=18, tip_mm=10.0, set_c=80.0, hold_s=90.0)

lesions = settings(max_examples=6, deadline=None, derandomize=True)
heatings = st.builds(
    Heating,
    gauge=st.sampled_from([16, 18, 20, 22]),
    tip_mm=st.sampled_from([5.0, 10.0, 15.0]),
    set_c=st.floats(65.0, 85.0),
    hold_s=st.floats(20.0, 90.0),
    start_c=st.sampled_from([22.0, 37.0]),
)


def sizes(lesion, edges=("50", "55", "60", "arrhenius")):
    return [lesion.width_mm[edge] for edge in edges] + [lesion.length_mm[edge] for edge in edges]


@pytest.mark.parametrize(
    "heating",
    [HEATING, Heating(22, 5.0, 80.0, 60.0), Heating(16, 15.0, 80.0, 60.0), Heating(20, 10.0, 70.0, 60.0, start_c=22.0)],
)
def test_half_the_mesh_and_half_the_step_change_next_to_nothing(heating):
    coarse, fine = make_lesion(heating), make_lesion(replace(heating, fineness=2.0, quicker=2.0))
    assert sizes(coarse) == pytest.approx(sizes(fine), abs=0.1)
    assert coarse.power_w == pytest.approx(fine.power_w, rel=0.01)
    assert coarse.peak_power_w == pytest.approx(fine.peak_power_w, rel=0.015)
    assert coarse.impedance_ohm == pytest.approx(fine.impedance_ohm, rel=0.01)


@lesions
@given(heating=heatings, perfusion=st.sampled_from([0.0, 0.0008]))
def test_no_energy_is_lost(heating, perfusion):
    field = make_lesion(replace(heating, perfusion=perfusion)).field
    spent = field.stored_j + field.energy.boundary + field.energy.perfused
    assert field.energy.delivered == pytest.approx(spent, rel=1e-9)
    assert (field.energy.perfused > 0.0) == (perfusion > 0.0)


@lesions
@given(heating=heatings)
def test_hotter_longer_thicker_or_from_warmer_tissue_is_wider(heating):
    lesion = make_lesion(heating)
    assert lesion.width_mm["50"] > lesion.width_mm["55"] > lesion.width_mm["60"] > 0.0
    wider = [
        replace(heating, set_c=heating.set_c + 5.0),
        replace(heating, hold_s=heating.hold_s + 20.0),
        replace(heating, start_c=heating.start_c + 3.0),
    ]
    if heating.gauge > 16:
        wider.append(replace(heating, gauge={22: 20, 20: 18, 18: 16}[heating.gauge]))
    for more in wider:
        made = make_lesion(more)
        assert made.width_mm["55"] > lesion.width_mm["55"]
        assert made.width_mm["arrhenius"] > lesion.width_mm["arrhenius"]


def test_blood_takes_heat_until_tissue_is_coagulated():
    dry, perfused, more = (make_lesion(replace(HEATING, perfusion=flow)) for flow in (0.0, 0.0008, 0.003))
    assert dry.power_w < perfused.power_w < more.power_w
    assert dry.width_mm["50"] > perfused.width_mm["50"] > more.width_mm["50"]
    # Inside, where it no longer flows, little changes.
    assert more.width_mm["60"] == pytest.approx(dry.width_mm["60"], rel=0.15)


def test_length_exceeds_the_tip_as_published_and_two_minutes_are_wider_than_one():
    one, two = (make_lesion(replace(HEATING, hold_s=hold_s, start_c=22.0)) for hold_s in (60.0, 120.0))
    assert 1.0 < two.length_mm["50"] - 10.0 < 5.0
    assert 1.11 < two.width_mm["50"] / one.width_mm["50"] < 1.25


def test_where_nothing_gets_hot_enough_the_size_is_0():
    lesion = make_lesion(replace(HEATING, set_c=45.0, hold_s=5.0))
    assert sizes(lesion) == [0.0] * 8


def test_sensor_and_ramp_are_followed_exactly_and_the_tissue_leads():
    lesion = make_lesion(replace(HEATING, hold_s=0.0))
    assert lesion.field.tip_temperature_c == pytest.approx(80.0, abs=1e-9)
    assert lesion.tissue_max_c > 83.0
