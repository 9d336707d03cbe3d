"""One decision of the station's temperature control at a time: ramp, bounds, integral, and what a bad number does."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest

from rfctl.kernel.actions import f32
from rfctl.kernel.regulator import Aim, Regulator, begin, regulate, steady
from rfctl.model.capability import SetPoint
from tests.unit.kernel.bench import ELECTRODE, LESION

BEGAN_NS = 7_000_000_000
PERIOD_NS = 62_500_000
"""A sixteenth of a second: what follows are numbers without rounding."""
AIM = Aim(
    SetPoint.VOLTAGE, 80.0, 4.0, 40.0, cap_w=8.0, limit_w=40.0, voltage_v_rms=60.0, series_ohm=100.0, tissue_ohm=100.0,
    gain_w_per_k=2.0, slope_w_s_per_k=0.5, hold_w_per_k=0.0625,
)  # fmt: skip
BEFORE = Regulator(AIM, BEGAN_NS, reference_c=50.0, slope_c_per_s=4.0, integral_w=0.375, tissue_ohm=100.0, value=20.0)
REFERENCE_C = 50.25
FORWARD_W = 2.640625
"""For 4 K/s and 10.25 K."""


class Next(NamedTuple):
    """What was measured, and what is to follow."""

    before: Regulator = BEFORE
    temperature_c: float = REFERENCE_C
    tissue_ohm: float = 100.0
    delivered: float = 20.0
    power_w: float = FORWARD_W + 0.375
    integral_w: float = 0.375


def aimed(before: Regulator = BEFORE, **fields: object) -> Regulator:
    return before._replace(aim=before.aim._replace(**fields))


def with_integral(integral_w: float, before: Regulator = BEFORE) -> Regulator:
    return before._replace(integral_w=integral_w)


def of(it: Next) -> Regulator:
    return regulate(it.before, it.temperature_c, it.tissue_ohm, it.delivered, BEGAN_NS + PERIOD_NS)


STEP_W = 0.4 * 2.0 * 0.0625
"""By which the integral moves for 1 K in one period."""
CASES = {
    "on the ramp": Next(),
    "1 K too cold": Next(temperature_c=49.25, power_w=FORWARD_W + 2.375, integral_w=0.375 + STEP_W),
    "1 K too warm": Next(temperature_c=51.25, power_w=FORWARD_W - 1.625, integral_w=0.375 - STEP_W),
    "much too cold": Next(temperature_c=40.0, power_w=8.0),
    "much too warm": Next(temperature_c=60.0, power_w=0.0),
    "at the cap to the last bit": Next(
        with_integral(8.0 - FORWARD_W - 2.0), 49.25, power_w=8.0, integral_w=8.0 - FORWARD_W - 2.0 + STEP_W
    ),
    "at nothing to the last bit": Next(
        with_integral(2.0 - FORWARD_W), 51.25, power_w=0.0, integral_w=2.0 - FORWARD_W - STEP_W
    ),
    "wound up, and too warm": Next(with_integral(20.0), 51.25, power_w=8.0, integral_w=20.0 - STEP_W),
    "wound down, and too cold": Next(with_integral(-20.0), 49.25, power_w=0.0, integral_w=-20.0 + STEP_W),
    "0.9 of it delivered": Next(
        temperature_c=49.25, delivered=18.0, power_w=FORWARD_W + 2.375, integral_w=0.375 + STEP_W
    ),
    "less delivered, and too cold": Next(temperature_c=49.25, delivered=17.99, power_w=FORWARD_W + 2.375),
    "less delivered, and too warm": Next(
        temperature_c=51.25, delivered=17.99, power_w=FORWARD_W - 1.625, integral_w=0.375 - STEP_W
    ),
    "at the power limit": Next(aimed(limit_w=6.0), 40.0, power_w=3.0),
    "at the voltage of the envelope": Next(aimed(voltage_v_rms=30.0), 49.25, power_w=900.0 / 400.0),
    "at the cap, and a little too cold": Next(with_integral(20.0), REFERENCE_C - 0.0625, power_w=8.0, integral_w=20.0),
    "at nothing, and a little too cold": Next(
        with_integral(-20.0), REFERENCE_C - 0.0625, power_w=0.0, integral_w=-20.0 + STEP_W / 16
    ),
    "more gain": Next(aimed(gain_w_per_k=1.0), 49.25, power_w=FORWARD_W + 1.375, integral_w=0.375 + STEP_W / 2),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("set_point", SetPoint)
def test_the_power_follows_ramp_error_and_integral_within_its_bounds(name: str, set_point: SetPoint) -> None:
    """At 100 ohm of tissue and as many in series: V^2 is 400 ohm x P, and half of the power is in the tissue."""
    it = CASES[name]
    if set_point is SetPoint.POWER and "voltage" in name:
        it = Next(it.before, it.temperature_c, power_w=FORWARD_W + 2.375, integral_w=0.375 + STEP_W)
    after = of(it._replace(before=aimed(it.before, set_point=set_point)))
    by_voltage = set_point is SetPoint.VOLTAGE
    assert after.value == f32(math.sqrt(it.power_w * 400.0) if by_voltage else it.power_w * 2.0)
    assert after.integral_w == pytest.approx(it.integral_w, abs=1e-12)
    assert after[1:4] == (BEGAN_NS + PERIOD_NS, REFERENCE_C, 4.0)
    assert after.tissue_ohm == 100.0
    assert after.aim == it.before.aim._replace(set_point=set_point)


@pytest.mark.parametrize(
    ("reference_c", "slope", "period_ns", "next_slope", "next_reference_c"),
    [
        (50.0, 0.0, PERIOD_NS, 0.25, 50.015625),
        (50.0, 3.9, PERIOD_NS, 4.0, 50.25),
        (50.0, 0.0, 10_000_000_000, 1.2, 50.36),
        (50.0, 0.0, 300_000_000, 1.2, 50.36),
        (50.0, 0.0, 200_000_000, 0.8, 50.16),
        (79.2, 4.0, PERIOD_NS, 1.0, 79.2625),
        (80.0, 4.0, PERIOD_NS, 0.0, 80.0),
    ],
)
def test_the_ramp_starts_softly_and_bends_into_the_set_temperature(
    reference_c: float, slope: float, period_ns: int, next_slope: float, next_reference_c: float
) -> None:
    before = BEFORE._replace(reference_c=reference_c, slope_c_per_s=slope)
    after = regulate(before, 50.0, 100.0, 20.0, BEGAN_NS + period_ns)
    assert after.slope_c_per_s == pytest.approx(next_slope)
    assert after.reference_c == pytest.approx(next_reference_c)
    slower = regulate(aimed(before, ramp_c_per_s=2.0), 50.0, 100.0, 20.0, BEGAN_NS + period_ns)
    assert slower.slope_c_per_s <= 2.0


def test_the_soft_start_takes_as_long_as_it_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfctl.kernel.regulator.SOFT_START_S", 2.0)
    assert of(Next(BEFORE._replace(slope_c_per_s=0.0))).slope_c_per_s == 0.125


@pytest.mark.parametrize(
    ("measured_ohm", "believed_ohm"),
    [(110.0, 110.0), (120.0, 120.0), (130.0, 120.0), (60.0, 60.0), (50.0, 50.0), (40.0, 50.0), (-1e9, 50.0)],
)
@pytest.mark.parametrize("set_point", SetPoint)
def test_the_impedance_that_is_counted_with_is_smoothed_and_believed_within_bounds(
    measured_ohm: float, believed_ohm: float, set_point: SetPoint
) -> None:
    before = aimed(BEFORE._replace(tissue_ohm=90.0), set_point=set_point)
    after = of(Next(before, tissue_ohm=measured_ohm))
    ohm = 90.0 + (believed_ohm - 90.0) * 0.0625 / 0.5625
    assert after.tissue_ohm == pytest.approx(ohm)
    power_w = FORWARD_W + 0.375
    by_voltage = set_point is SetPoint.VOLTAGE
    value = math.sqrt(power_w / ohm) * (ohm + 100.0) if by_voltage else power_w * (ohm + 100.0) / ohm
    assert after.value == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("bad_c", [math.nan, math.inf, -math.inf])
def test_without_a_temperature_the_set_point_is_halved_and_nothing_else_moves(bad_c: float) -> None:
    assert of(Next(temperature_c=bad_c)) == BEFORE._replace(now_ns=BEGAN_NS + PERIOD_NS, value=10.0)
    odd = BEFORE._replace(value=0.3)
    assert of(Next(odd, bad_c)).value == f32(0.15)


@pytest.mark.parametrize("bad_ohm", [math.nan, math.inf, -math.inf])
def test_without_an_impedance_the_set_point_may_fall_and_not_rise(bad_ohm: float) -> None:
    cold, hot = Next(temperature_c=49.25, tissue_ohm=bad_ohm), Next(temperature_c=60.0, tissue_ohm=bad_ohm)
    assert (of(cold).value, of(cold).tissue_ohm) == (20.0, 100.0)
    assert of(hot).value == 0.0
    assert of(cold._replace(tissue_ohm=100.0)).value > 20.0


def test_a_load_takes_its_power_whatever_is_measured() -> None:
    load = steady(7.5, 9)
    assert repr(load) == repr(
        Regulator(
            Aim(SetPoint.POWER, 0.0, 0.0, math.nan, 7.5, 7.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, steady=True),
            9, math.nan, 0.0, 0.0, 0.0, 7.5,
        )
    )  # fmt: skip
    assert regulate(load, 90.0, 300.0, 1.0, PERIOD_NS) is load
    assert regulate(load, math.nan, math.nan, 1.0, PERIOD_NS) is load


@pytest.mark.parametrize(("tissue_ohm", "counted_ohm"), [(85.0, 85.0), (15.0, 15.0), (14.0, 15.0), (-3.0, 15.0)])
@pytest.mark.parametrize("set_point", SetPoint)
def test_gains_follow_from_the_electrode(tissue_ohm: float, counted_ohm: float, set_point: SetPoint) -> None:
    """Half a second after a step of 1 W the tip is 0.866 K warmer, and 43 K are held with 2.036 W."""
    begun = begin(
        ELECTRODE, LESION, set_point, start_c=36.5, limit_w=30.0, voltage_v_rms=60.0, series_ohm=90.0,
        tissue_ohm=tissue_ohm, now_ns=7,
    )  # fmt: skip
    k_per_j = 1.5 * 0.8659
    aim = Aim(
        set_point, 80.0, 4.3, 36.5, 11.73, 30.0, 60.0, 90.0, counted_ohm, pytest.approx(1.5 / k_per_j),
        pytest.approx(1.0 / k_per_j), pytest.approx(2.036 / 43.0),
    )  # fmt: skip
    assert begun == Regulator(aim, 7, 36.5, 0.0, 0.0, counted_ohm, 0.0)
