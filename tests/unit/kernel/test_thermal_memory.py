"""The thermal memory by itself: predicted rise, half-second means, a cooling, the hold's own figures, a line."""

from __future__ import annotations

import math
from functools import reduce

import pytest

from rfctl.kernel.thermal import (
    FIVE_SECONDS,
    HALVES,
    SETTLES_NS,
    Edge,
    Half,
    HoldSigns,
    Thermal,
    averaged,
    carried,
    cooled,
    held,
    line_before,
    predicted_rise_k,
    warmed,
)
from rfctl.model.electrode import find_electrode

NAN = math.nan
S, MS = 1_000_000_000, 1_000_000
E_22_5 = find_electrode(22, 5)
POLES = tuple(zip(E_22_5.step_poles_k_per_w, E_22_5.step_time_constants_s, strict=True))
BEGAN_NS = 70 * S
EMPTY = Thermal()


# predicted rise


def test_before_the_first_power_every_pole_is_at_rest() -> None:
    assert warmed(Thermal(), E_22_5, 5.0, BEGAN_NS) == (0.0,) * len(POLES)


@pytest.mark.parametrize("seconds", [0.05, 2.0, 15.0])
def test_constant_power_warms_by_the_step_response_and_without_it_that_decays(seconds: float) -> None:
    rest = Thermal(followed_ns=BEGAN_NS, rises_k=(0.0,) * len(POLES))
    after_ns = BEGAN_NS + round(seconds * 1e9)
    warm = rest._replace(followed_ns=after_ns, rises_k=warmed(rest, E_22_5, 3.0, after_ns))
    expected = [3.0 * k_per_w * (1.0 - math.exp(-seconds / tau_s)) for k_per_w, tau_s in POLES]
    assert warm.rises_k == pytest.approx(expected)
    assert predicted_rise_k(warm) == pytest.approx(sum(expected))
    left = warmed(warm, E_22_5, 0.0, after_ns + 4 * S)
    assert left == pytest.approx([x * math.exp(-4.0 / tau_s) for x, (_, tau_s) in zip(expected, POLES, strict=True)])


def test_a_memory_of_another_table_of_poles_is_not_followed() -> None:
    with pytest.raises(ValueError, match="zip"):
        warmed(Thermal(rises_k=(0.0,)), E_22_5, 3.0, BEGAN_NS)


def test_only_a_bias_and_when_there_was_heat_are_carried_to_the_next_site() -> None:
    full = Thermal(
        7, (1.0,), 37.0, heated_ns=9, biased=True, lowered=True, pauses=1, low_c=44.0, halves=(Half(1, 1, 1),)
    )
    assert repr(carried(full)) == repr(Thermal(biased=True, heated_ns=9))


# half seconds


def sampled(*samples: tuple[int, float, float], memory: Thermal = EMPTY) -> Thermal:
    """After these samples, each (ms, W, degC)."""
    return reduce(lambda memory, each: averaged(memory, each[1], each[2], each[0] * MS), samples, memory)


def test_a_half_second_ends_with_the_first_sample_of_the_next() -> None:
    memory = sampled((1000, 1.0, 40.0), (1050, 2.0, 41.0), (1499, 6.0, 45.0))
    assert (memory.since_ns, memory.samples, memory.power_sum_w, memory.temperature_sum_c) == (1 * S, 3, 9.0, 126.0)
    assert memory.halves == ()
    memory = sampled((1500, 7.0, 50.0), memory=memory)
    assert memory.halves == (Half(1 * S, 3.0, 42.0),)
    assert (memory.since_ns, memory.samples, memory.power_sum_w, memory.temperature_sum_c) == (1500 * MS, 1, 7.0, 50.0)


@pytest.mark.parametrize(("next_ms", "kept"), [(2499, True), (2500, True), (2501, False), (9000, False)])
def test_a_gap_of_more_than_a_second_begins_anew(next_ms: int, kept: bool) -> None:
    before = sampled((1000, 1.0, 40.0), (1500, 2.0, 41.0))
    memory = sampled((next_ms, 3.0, 42.0), memory=before)
    halves = (*before.halves, Half(1500 * MS, 2.0, 41.0))
    assert memory == before._replace(
        since_ns=next_ms * MS, samples=1, power_sum_w=3.0, temperature_sum_c=42.0, halves=halves if kept else ()
    )


def test_the_first_sample_forgets_half_seconds_of_another_phase() -> None:
    memory = sampled((100, 3.0, 42.0), memory=Thermal(halves=(Half(0, 9.0, 90.0),), power_sum_w=5.0, samples=0))
    assert memory.halves == ()
    assert (memory.since_ns, memory.samples, memory.power_sum_w, memory.temperature_sum_c) == (100 * MS, 1, 3.0, 42.0)


def test_twenty_half_seconds_are_kept_and_the_oldest_goes() -> None:
    memory = sampled(*((500 * at, float(at), 40.0) for at in range(HALVES + 3)))
    assert [half.power_w for half in memory.halves] == [float(at) for at in range(2, HALVES + 2)]


# cooling


@pytest.mark.parametrize(
    ("low_ns", "reading_c", "lower"),
    [
        (BEGAN_NS, 59.0, True),
        (BEGAN_NS, 59.01, False),
        (BEGAN_NS, NAN, False),
        (BEGAN_NS + S, 70.0, False),
        (BEGAN_NS - 1, 70.0, True),
    ],
)
def test_a_cooling_falls_by_whole_steps_and_begins_where_it_is(low_ns: int, reading_c: float, lower: bool) -> None:
    before = Thermal(low_c=60.0, low_ns=low_ns)
    after = cooled(before, reading_c, 1.0, BEGAN_NS, BEGAN_NS + 2 * S)
    assert (after.low_c, after.low_ns) == ((reading_c, BEGAN_NS + 2 * S) if lower else (60.0, low_ns))


# hold

BASE_C, K_PER_W, HOLD_NS = 37.0, 20.0, 100 * S


def holding(count: int, power_w: float = 2.0, rise_k: float = 40.0, since_ns: int = HOLD_NS + SETTLES_NS) -> Thermal:
    """So many half seconds of a hold, the last ten from ``since_ns`` on; the last one is warmer than those before."""
    first_ns = since_ns - (count - FIVE_SECONDS) * S // 2
    halves = [Half(first_ns + at * S // 2, power_w, BASE_C + 1.0) for at in range(count)]
    last = halves.pop() if halves else Half(0, 0.0, 0.0)
    return Thermal(halves=(*halves, last._replace(temperature_c=BASE_C + rise_k)))


def judged(memory: Thermal) -> Thermal:
    return held(memory, BASE_C, K_PER_W, HOLD_NS)


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        (holding(FIVE_SECONDS), True),
        (holding(FIVE_SECONDS + 5), True),
        (holding(FIVE_SECONDS, since_ns=HOLD_NS + SETTLES_NS - 1), False),
        (holding(HALVES, since_ns=HOLD_NS + SETTLES_NS - 1), False),
        (holding(FIVE_SECONDS - 1, since_ns=HOLD_NS + 2 * SETTLES_NS), False),
        (holding(0), False),
    ],
)
def test_a_hold_is_judged_by_five_seconds_that_lie_10_s_after_set_temperature_was_reached(
    memory: Thermal, said: bool
) -> None:
    after = judged(memory)
    assert after == (memory._replace(own_w=2.0, ratios_pct=(100.0,), hold=after.hold) if said else memory)
    assert after.hold == (HoldSigns(2.0, None, None, None) if said else None)


def test_power_is_the_mean_of_five_seconds_beside_the_hold_s_own_which_stays() -> None:
    early = holding(15, power_w=50.0).halves[:5]
    ramped = [half._replace(power_w=float(at)) for at, half in enumerate(holding(FIVE_SECONDS).halves)]
    after = judged(Thermal(halves=(*early, *ramped), own_w=3.0))
    assert after.own_w == 3.0
    assert after.hold == HoldSigns(4.5, 150.0, None, None)


@pytest.mark.parametrize(
    ("earlier", "least", "most"),
    [
        ((), None, None),
        ((90.0,) * 5, None, None),
        ((90.0, 80.0, 130.0, 90.0, 90.0, 90.0), 80.0, 130.0),
        ((70.0, 90.0, 80.0, 130.0, 90.0, 90.0, 110.0), 80.0, 130.0),
        ((90.0, NAN, 130.0, 90.0, 90.0, 90.0), NAN, NAN),
        ((NAN, 90.0, 80.0, 130.0, 90.0, 90.0, 110.0), 80.0, 130.0),
    ],
)
def test_rise_for_each_watt_is_its_least_and_its_most_over_three_seconds(
    earlier: tuple[float, ...], least: float | None, most: float | None
) -> None:
    after = judged(holding(FIVE_SECONDS)._replace(ratios_pct=earlier, own_w=2.0))
    assert repr(after.hold) == repr(HoldSigns(2.0, 100.0, least, most))
    assert repr(after.ratios_pct) == repr((*earlier[-6:], 100.0))


@pytest.mark.parametrize(
    ("power_w", "rise_k", "pct"), [(2.0, 20.0, 50.0), (1.0, 40.0, 200.0), (0.5, -4.0, -40.0), (0.0, 40.0, math.inf)]
)
def test_the_ratio_is_the_last_rise_over_the_mean_power_beside_the_expected(
    power_w: float, rise_k: float, pct: float
) -> None:
    assert judged(holding(FIVE_SECONDS, power_w, rise_k)).ratios_pct == (pct,)


# a line


@pytest.mark.parametrize("on", [True, False])
def test_a_line_through_readings_is_carried_to_the_edge(on: bool) -> None:
    points = [(BEGAN_NS - ms * MS, 50.0 - 0.002 * ms) for ms in (900, 800, 350, 40)]
    edge = line_before(points, BEGAN_NS, on=on)
    assert edge == Edge(BEGAN_NS, pytest.approx(50.0), pytest.approx(2.0), on)


def test_the_line_is_the_one_of_least_squares() -> None:
    points = [(BEGAN_NS + at * S, celsius) for at, celsius in ((-3, 40.0), (-2, 43.0), (-1, 41.0))]
    edge = line_before(points, BEGAN_NS, on=True)
    assert edge is not None
    assert (edge.temperature_c, edge.slope_k_per_s) == pytest.approx((41.333333 + 1.0, 0.5))


def test_two_readings_of_two_moments_are_a_line_and_less_is_none() -> None:
    first, second = (BEGAN_NS - 50 * MS, 40.0), (BEGAN_NS, 40.1)
    edge = line_before([first, second], BEGAN_NS, on=True)
    assert edge == Edge(BEGAN_NS, pytest.approx(40.1), pytest.approx(2.0), on=True)
    assert line_before([first], BEGAN_NS, on=True) is None
    assert line_before([], BEGAN_NS, on=True) is None
    assert line_before([first, (first[0], 41.0)], BEGAN_NS, on=True) is None
