"""Signals about heat: what the memory takes in, and what ramp, hold, cooling, arm and rest say of it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from rfctl.kernel.expected import allowed_power_w, hold_power_w, terminal_power_w, tissue_power_w
from rfctl.kernel.phase import HEATING, Phase
from rfctl.kernel.signals_thermal import (
    AROUND_EDGES,
    NONE,
    REMEMBERED,
    Signals,
    expected_power_w,
    follow,
    near_set_limit_w,
    pick_up_limit_k,
    start_limit_w,
)
from rfctl.kernel.state import Mean, Reference, Sample
from rfctl.kernel.thermal import AVERAGED, FOLLOWED, Edge, Half, HoldSigns, Thermal, warmed
from rfctl.model.plan import Medium
from tests.unit.kernel.bench import ELECTRODE
from tests.unit.kernel.derived import MS, NO_MEAN, derived, made
from tests.unit.kernel.turned import FIGURES, NOW, Change, S, measured, medium, one, planned, third, two

NAN = math.nan
REFERENCE = Reference(220.0, 37.0, 80.0, 200.0, 37.0, fluid=0.25)
EXPECTED_W = hold_power_w(ELECTRODE, 43.0, 0.25)


def signals(sample: Sample) -> Signals:
    return Signals(*(getattr(sample, name) for name in Signals._fields))


def station(**fields: object) -> Change:
    return lambda state: state._replace(setup=replace(state.setup, **fields))


def said(memory: Thermal, *changes: Change, mean: Mean = NO_MEAN) -> Signals:
    mean = Mean() if mean is None else mean
    return signals(
        derived(one(phase=Phase.RAMP, reference=REFERENCE, figures=FIGURES), *changes, mean=mean, memory=memory)
    )


def approx(**fields: float | None) -> Signals:
    """These signals alone."""
    told: dict[str, Any] = {name: None if x is None else pytest.approx(x, nan_ok=True) for name, x in fields.items()}
    return NONE._replace(**told)


# powers


def test_expected_power_and_limits_are_those_of_the_channel_s_electrode_lesion_and_impedance() -> None:
    state = made(one(reference=REFERENCE))
    setup, channel = state.setup, state.channels[0]
    site = setup.plan.sites[0]
    cap_w = terminal_power_w(ELECTRODE.power_cap_w, 200.0, 80.0)
    assert expected_power_w(site, channel) == pytest.approx(EXPECTED_W)
    assert near_set_limit_w(setup, site, channel) == pytest.approx(
        allowed_power_w(ELECTRODE, 80.0, EXPECTED_W, setup.budget)
    )
    assert start_limit_w(setup, site, channel) == pytest.approx(cap_w)
    assert start_limit_w(replace(setup, rated_power_w=cap_w - 0.1), site, channel) == pytest.approx(cap_w - 0.1)
    assert start_limit_w(replace(setup, rated_power_w=cap_w + 0.1), site, channel) == pytest.approx(cap_w)


def test_before_the_impedance_check_no_power_is_known() -> None:
    state = made()
    channel, site = state.channels[0], state.setup.plan.sites[0]
    assert math.isnan(expected_power_w(site, channel))
    assert math.isnan(start_limit_w(state.setup, site, channel))
    assert math.isnan(near_set_limit_w(state.setup, site, channel))


@pytest.mark.parametrize(("step_k", "limit_k"), [(0.1, 1.5), (0.75, 1.5), (0.8, 1.6), (1.0, 2.0)])
def test_a_jump_is_more_than_a_kelvin_and_a_half_or_two_steps_of_the_display(step_k: float, limit_k: float) -> None:
    assert pick_up_limit_k(made(station(resolution_k=(step_k, 0.1))).setup) == pytest.approx(limit_k)


# memory


RISES = (0.5,) * len(ELECTRODE.step_poles_k_per_w)
MEMORY = Thermal(followed_ns=NOW - S // 20, rises_k=RISES, base_c=37.0, code_c=50.0, code_ns=NOW - 9 * S)
FLOWING = measured(rf_on=True, current_ma_rms=200.0, impedance_ohm=200.0, temperature_c=51.0)
FLOWING_W = 0.2 * 0.2 * 120.0


def followed(memory: Thermal, *changes: Change) -> Thermal:
    state = made(one(phase=Phase.RAMP, reference=REFERENCE, figures=FIGURES), FLOWING, *changes)
    assert state.reading is not None
    return follow(state.setup, 1, state.channels[0]._replace(thermal=memory), state.reading.channels[0], NOW)


@pytest.mark.parametrize("phase", list(Phase))
def test_a_phase_is_followed_averaged_or_left_out(phase: Phase) -> None:
    memory = MEMORY._replace(edge=Edge(NOW, 20.0, 0.0, on=True))
    after = followed(memory, one(phase=phase, since_ns=NOW - S))
    assert (after.followed_ns == NOW) == (phase in FOLLOWED)
    assert (after.samples == 1) == (phase in AVERAGED)
    assert (after.low_c == 51.0) == (phase is Phase.COOLING)
    assert after.biased == (phase in REMEMBERED)
    assert (after is memory) == (phase not in REMEMBERED)


@pytest.mark.parametrize("change", [one(site=-1), medium(Medium.LOAD)])
@pytest.mark.parametrize("phase", [Phase.RAMP, Phase.HOLD, Phase.COOLING])
def test_nothing_is_remembered_without_a_site_or_in_a_load(phase: Phase, change: Change) -> None:
    assert followed(MEMORY, one(phase=phase), change) is MEMORY


@pytest.mark.parametrize(
    ("change", "power_w"),
    [
        (one(), FLOWING_W),
        (one(reference=None), 0.2 * 0.2 * 200.0),
        (measured(rf_on=False), 0.0),
        (measured(current_ma_rms=NAN), ELECTRODE.power_cap_w),
        (measured(impedance_ohm=NAN), ELECTRODE.power_cap_w),
        (measured(rf_on=False, impedance_ohm=NAN), 0.0),
    ],
)
def test_the_rise_follows_the_power_in_the_tissue_and_one_that_is_not_known_is_the_cap(
    change: Change, power_w: float
) -> None:
    after = followed(MEMORY, change, one(phase=Phase.PROBE_OFF))
    assert after.rises_k == pytest.approx(warmed(MEMORY, ELECTRODE, power_w, NOW))
    assert (after.power_sum_w, after.temperature_sum_c) == (pytest.approx(power_w), 51.0)


@pytest.mark.parametrize(("reading_c", "since_ns"), [(50.0, MEMORY.code_ns), (50.1, NOW), (49.9, NOW), (NAN, NOW)])
def test_a_reading_that_does_not_move_stands_still_since_it_came(reading_c: float, since_ns: int) -> None:
    after = followed(MEMORY, measured(temperature_c=reading_c))
    assert after.code_ns == since_ns
    assert after.code_c == pytest.approx(reading_c, nan_ok=True)


HALVES = tuple(Half(NOW - (11 - at) * S // 2, 2.0, 79.0) for at in range(10))
HELD = MEMORY._replace(since_ns=NOW - S // 2, samples=2, power_sum_w=4.0, temperature_sum_c=158.0, halves=HALVES)
SINCE_LONG = one(phase=Phase.HOLD, figures=FIGURES._replace(hold_ns=NOW - 16 * S))


def test_a_hold_is_compared_with_the_expected_at_the_end_of_each_half_second() -> None:
    after = followed(HELD, SINCE_LONG)
    assert after.ratios_pct == pytest.approx((100.0 * (42.0 / 2.0) / (43.0 / EXPECTED_W),))
    assert after.hold == HoldSigns(pytest.approx(2.0), None, None, None)
    between = followed(HELD._replace(since_ns=NOW - S // 2 + 1), SINCE_LONG)
    assert (between.ratios_pct, between.hold) == ((), None)


@pytest.mark.parametrize(
    "change",
    [
        one(phase=Phase.LESION_READY),
        one(figures=None),
        one(reference=None),
        one(figures=FIGURES._replace(hold_ns=NOW - 15 * S + 1)),
    ],
)
def test_without_a_hold_of_long_enough_nothing_is_compared(change: Change) -> None:
    after = followed(HELD, SINCE_LONG, change)
    assert (after.ratios_pct, after.hold) == ((), None)
    assert len(after.halves) == 11


@pytest.mark.parametrize(
    ("step_k", "reading_c", "lower"), [(0.1, 59.0, True), (0.1, 59.1, False), (2.0, 58.0, True), (2.0, 58.1, False)]
)
def test_a_cooling_falls_by_a_kelvin_or_a_step_of_the_display(step_k: float, reading_c: float, lower: bool) -> None:
    cooling = (one(phase=Phase.COOLING, since_ns=NOW - 2 * S), station(resolution_k=(step_k,) * 2))
    memory = MEMORY._replace(low_c=60.0, low_ns=NOW - S)
    after = followed(memory, *cooling, measured(temperature_c=reading_c))
    assert (after.low_c, after.low_ns) == ((reading_c, NOW) if lower else (60.0, NOW - S))


# pick-up


EDGE = Edge(NOW - 100 * MS, 50.0, -10.0, on=True)
"""Its line is at 49 degC now."""


@pytest.mark.parametrize("phase", [Phase.RAMP, Phase.PROBE, Phase.LESION_OFF, Phase.COOLING])
@pytest.mark.parametrize(
    ("edge", "reading_c", "jump_k"),
    [
        (EDGE, 49.0, 0.0),
        (EDGE, 50.5, 1.5),
        (EDGE, 47.0, 2.0),
        (EDGE, NAN, NAN),
        (EDGE._replace(ns=EDGE.ns - 1), 99.0, None),
        (EDGE._replace(on=False), 99.0, None),
        (None, 99.0, None),
    ],
)
def test_for_100_ms_a_reading_is_compared_with_the_line_before_the_edge(
    phase: Phase, edge: Edge | None, reading_c: float, jump_k: float | None
) -> None:
    memory = MEMORY._replace(edge=edge)
    heard = said(memory, one(phase=phase), FLOWING, measured(temperature_c=reading_c))
    assert heard.pick_up_k == approx(pick_up_k=jump_k).pick_up_k
    if phase in AROUND_EDGES:
        assert heard == approx(pick_up_k=jump_k)
    after = followed(memory, one(phase=phase), measured(temperature_c=reading_c))
    assert after.biased == (jump_k is not None and not jump_k <= 1.5)
    assert followed(memory._replace(biased=True), one(phase=phase), measured(temperature_c=reading_c)).biased


# ramp


def predicted(kelvin: float) -> Thermal:
    return MEMORY._replace(rises_k=(kelvin,))


@pytest.mark.parametrize(
    ("predicted_k", "reading_c", "pct"),
    [
        (8.0, 41.0, 50.0),
        (7.99, 41.0, None),
        (20.0, 74.99, 189.95),
        (20.0, 75.0, None),
        (20.0, 35.0, -10.0),
        (NAN, 41.0, NAN),
        (20.0, NAN, NAN),
    ],
)
def test_a_ramp_is_compared_with_what_the_model_predicts_from_8_k_up_to_near_the_set_temperature(
    predicted_k: float, reading_c: float, pct: float | None
) -> None:
    heard = said(predicted(predicted_k), measured(temperature_c=reading_c))
    assert heard.rise_share_pct == approx(rise_share_pct=pct).rise_share_pct


@pytest.mark.parametrize(
    ("on_ms", "reading_c", "lowered", "still_s"),
    [
        (3000, 50.0, False, 9.0),
        (2999, 50.0, False, None),
        (3000, 69.99, False, 9.0),
        (3000, 69.99, True, None),
        (9000, NAN, False, 9.0),
    ],
)
def test_a_reading_stands_still_in_a_ramp_after_three_seconds_until_it_has_been_10_k_below_the_set_temperature(
    on_ms: int, reading_c: float, lowered: bool, still_s: float | None
) -> None:
    ramped = one(figures=FIGURES._replace(rf_on_ns=NOW - on_ms * MS))
    heard = said(predicted(1.0)._replace(lowered=lowered), ramped, measured(temperature_c=reading_c))
    assert heard == approx(same_code_ramp_s=still_s)


@pytest.mark.parametrize(
    "change", [one(figures=None), one(site=-1), medium(Medium.LOAD), one(phase=Phase.FIRING), one(phase=Phase.MOTOR)]
)
def test_without_a_ramp_in_tissue_nothing_is_said(change: Change) -> None:
    assert said(predicted(20.0)._replace(edge=EDGE, biased=True), change) == NONE


# hold


NOISY = station(noise_k=(0.1, 0.0))
SIGNS = HoldSigns(2.5, 110.0, 90.0, 95.0)


@pytest.mark.parametrize("signs", [SIGNS, None])
@pytest.mark.parametrize(("change", "still_s"), [(NOISY, 9.0), (one(), None)])
def test_a_hold_says_what_was_found_and_stands_still_where_noise_tells(
    signs: HoldSigns | None, change: Change, still_s: float | None
) -> None:
    heard = said(MEMORY._replace(hold=signs), one(phase=Phase.HOLD), change)
    found = (
        {}
        if signs is None
        else {
            "hold_power_w": 2.5,
            "hold_power_share_pct": 110.0,
            "hold_ratio_least_pct": 90.0,
            "hold_ratio_most_pct": 95.0,
        }
    )
    assert heard == approx(same_code_hold_s=still_s, **found)


# cooling


COOLING = one(phase=Phase.COOLING)
WARM = MEMORY._replace(edge=Edge(NOW - 5 * S, 60.0, 0.0, on=False), low_ns=NOW - 9 * S)


@pytest.mark.parametrize(
    ("memory", "changes", "fallen_k", "still_s"),
    [
        (WARM, (), 10.0, 9.0),
        (WARM, (measured(temperature_c=45.0),), 15.0, 9.0),
        (WARM, (measured(temperature_c=44.99),), 15.01, None),
        (WARM, (measured(temperature_c=NAN),), NAN, 9.0),
        (WARM._replace(edge=Edge(NOW - 5 * S + 1, 60.0, 0.0, on=False)), (), None, 9.0),
        (WARM._replace(edge=Edge(NOW - 5 * S, 59.99, 0.0, on=False)), (), None, 9.0),
        (WARM._replace(edge=Edge(NOW - 5 * S, NAN, 0.0, on=False)), (), NAN, 9.0),
        (WARM._replace(edge=None), (), None, 9.0),
        (WARM, (two(off_ns=NOW - 5 * S),), 10.0, 5.0),
        (WARM, (two(off_ns=NOW - 4 * S),), None, 4.0),
        (WARM, (two(off_ns=NOW - 4 * S), third(off_ns=NOW - 8 * S)), None, 4.0),
        (WARM, (one(off_ns=NOW),), 10.0, 9.0),
        *((WARM, (two(phase=phase),), None, None) for phase in sorted(HEATING)),
        (WARM, (two(phase=Phase.FIRING),), 10.0, 9.0),
    ],
)
def test_a_tip_cools_unless_a_neighbour_keeps_it_warm(
    memory: Thermal, changes: tuple[Change, ...], fallen_k: float | None, still_s: float | None
) -> None:
    heard = said(memory, COOLING, measured(temperature_c=50.0), *changes)
    assert heard == approx(fallen_since_off_k=fallen_k, stands_warm_s=still_s)


def test_a_generator_of_one_channel_has_no_neighbours() -> None:
    heard = said(WARM, COOLING, measured(temperature_c=50.0), lambda state: state._replace(channels=state.channels[:1]))
    assert heard == approx(fallen_since_off_k=10.0, stands_warm_s=9.0)


# arm


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(
    ("set_c", "rated_w", "by_rating"), [(80.0, 12.0, True), (80.0, 50.0, True), (90.0, 50.0, False)]
)
def test_the_arm_is_told_a_bias_and_the_least_limit_of_the_lesion(
    biased: bool, set_c: float, rated_w: float, by_rating: bool
) -> None:
    ready = (one(phase=Phase.ARM_READY, thermal=Thermal(biased=biased)), station(rated_power_w=rated_w))
    expected_w = hold_power_w(ELECTRODE, set_c - 37.0, 0.25)
    near_w = allowed_power_w(ELECTRODE, set_c, expected_w, made().setup.budget)
    rating_w = tissue_power_w(min(rated_w, terminal_power_w(ELECTRODE.power_cap_w, 200.0, 80.0)), 200.0, 80.0)
    assert (rating_w < near_w) == by_rating
    heard = said(MEMORY, *ready, planned(lesion={"set_temperature_c": set_c}))
    assert heard == approx(biased=float(biased), power_limit_tissue_w=min(near_w, rating_w))
    unknown = said(MEMORY, *ready, one(reference=None))
    assert unknown == approx(biased=float(biased), power_limit_tissue_w=NAN)


# rest


AT_REST = one(phase=Phase.IMPEDANCE, since_ns=NOW - 5 * S)
MEAN = Mean(4, 800.0, 120.0)


@pytest.mark.parametrize(("cold_c", "apart_k"), [(22.0, 8.0), (33.0, 3.0), (NAN, None)])
def test_at_rest_the_tip_is_told_from_its_cold_junction(cold_c: float, apart_k: float | None) -> None:
    heard = said(MEMORY, AT_REST, measured(cold_junction_c=cold_c), mean=MEAN)
    assert heard == approx(temperature_at_rest_c=30.0, from_cold_junction_k=apart_k)


@pytest.mark.parametrize(
    "change", [one(since_ns=NOW - 5 * S + 1), one(phase=Phase.RECHECK), medium(Medium.PHANTOM), one(site=-1)]
)
def test_rest_is_asked_about_in_tissue_when_the_check_is_complete(change: Change) -> None:
    assert said(MEMORY, AT_REST, change, mean=MEAN) == NONE
