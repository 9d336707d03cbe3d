"""The station's own temperature control, for a generator that only takes a set point: PI on V^2 along a ramp.

What is regulated is the power in the tissue, which the tip follows; a voltage set point is the V^2 that gives it
at the impedance measured now. Gains and feed-forward come from the electrode's row of the electrode table. Why it is
built so, and what bounds it, is decision 0006.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel.expected import HOLD_RISE_K, TISSUE_OHM_MIN
from rfctl.model.capability import SetPoint

if TYPE_CHECKING:
    from rfctl.model.electrode import Electrode
    from rfctl.model.plan import Lesion

CROSSOVER_RAD_PER_S = 1.5
"""Bandwidth of the loop. A thermocouple's lag of 0.5 s and the poll of 50 ms turn the phase by 41 degrees there."""
INTEGRAL_PER_S = 0.4
"""Integral gain in units of the proportional one: slower than the crossover, faster than the tissue warms through."""
SLOPE_PER_K = 1.5
"""The tip's first slope, K/J, for each K/W of the electrode's rise in half a second."""
BEND_S = 0.8
"""The ramp bends into the set temperature with this time constant, so that the tip does not overshoot."""
SOFT_START_S = 1.0
"""The ramp reaches its rate in this time, so that the power starts from nothing."""
IMPEDANCE_S = 0.5
"""Time constant of the impedance that turns power into voltage: its noise must not become the output's."""
IMPEDANCE_SPAN = (0.5, 1.2)
"""Of the tissue's impedance before RF: what lies outside is another matter than warming, and changes no gain."""
PERIOD_MAX_S = 0.3
"""A sample may be so old; after a longer pause nothing is integrated for more."""
DELIVERED = 0.9
"""Less than this share of the set point is measured: the generator is at a limit of its own."""


class Aim(NamedTuple):
    """What one lesion is regulated by; it does not change while RF is on.

    Attributes:
        set_point: What the generator is told.
        set_temperature_c: Where the ramp ends, degC.
        ramp_c_per_s: Its rate, K/s.
        start_c: T_start, degC.
        cap_w: Most power in the tissue, W.
        limit_w: Power limit at the terminals, W.
        voltage_v_rms: Highest voltage of the envelope, V rms; without meaning for a power set point.
        series_ohm: Series resistance of body, pad and leads, ohm.
        tissue_ohm: Impedance of the tissue before RF, ohm.
        gain_w_per_k: Proportional gain, W in the tissue.
        slope_w_s_per_k: Power in the tissue for each K/s of the ramp, W s/K.
        hold_w_per_k: Power in the tissue that holds a rise of 1 K, W/K.
        steady: Nothing is regulated: a load takes the set point as it is.
    """

    set_point: SetPoint
    set_temperature_c: float
    ramp_c_per_s: float
    start_c: float
    cap_w: float
    limit_w: float
    voltage_v_rms: float
    series_ohm: float
    tissue_ohm: float
    gain_w_per_k: float
    slope_w_s_per_k: float
    hold_w_per_k: float
    steady: bool = False


class Regulator(NamedTuple):
    """What the controller of one channel remembers from sample to sample.

    Attributes:
        aim: What it is regulated by.
        now_ns: The sample before.
        reference_c: Where the ramp is, degC.
        slope_c_per_s: How fast it moves, K/s.
        integral_w: Integral part, W in the tissue.
        tissue_ohm: Impedance of the tissue, smoothed, ohm.
        value: The set point last commanded: V rms or W at the terminals.
    """

    aim: Aim
    now_ns: int
    reference_c: float
    slope_c_per_s: float
    integral_w: float
    tissue_ohm: float
    value: float


def begin(
    electrode: Electrode,
    lesion: Lesion,
    set_point: SetPoint,
    *,
    start_c: float,
    limit_w: float,
    voltage_v_rms: float,
    series_ohm: float,
    tissue_ohm: float,
    now_ns: int,
) -> Regulator:
    """The controller at RF on: the ramp starts where the tip is, and the set point at 0."""
    slope_k_per_j = SLOPE_PER_K * electrode.half_second_k_per_w
    aim = Aim(
        set_point,
        lesion.set_temperature_c,
        lesion.ramp_c_per_s,
        start_c,
        electrode.power_cap_w,
        limit_w,
        voltage_v_rms,
        series_ohm,
        max(tissue_ohm, TISSUE_OHM_MIN),
        CROSSOVER_RAD_PER_S / slope_k_per_j,
        1.0 / slope_k_per_j,
        electrode.hold_power_w / HOLD_RISE_K,
    )
    return Regulator(aim, now_ns, start_c, 0.0, 0.0, aim.tissue_ohm, 0.0)


def steady(power_w: float, now_ns: int) -> Regulator:
    """For a load: so much power at the terminals from RF on, as a register holds it."""
    aim = Aim(SetPoint.POWER, 0.0, 0.0, math.nan, power_w, power_w, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, steady=True)
    return Regulator(aim, now_ns, math.nan, 0.0, 0.0, 0.0, power_w)


def regulate(before: Regulator, temperature_c: float, tissue_ohm: float, delivered: float, now_ns: int) -> Regulator:
    """The next set point, from one sample.

    A bad sample never raises the output: without a temperature the set point is halved and nothing is integrated,
    without an impedance it may only fall.

    Args:
        before: After the sample before.
        temperature_c: Tip, degC.
        tissue_ohm: Impedance of the tissue, ohm.
        delivered: What was measured of the set point before: V rms or W at the terminals.
        now_ns: Time of the sample.
    """
    aim = before.aim
    if aim.steady:
        return before
    if not -math.inf < temperature_c < math.inf:
        return before._replace(now_ns=now_ns, value=_f32(0.5 * before.value))
    period_s = min((now_ns - before.now_ns) / 1e9, PERIOD_MAX_S)
    measured = -math.inf < tissue_ohm < math.inf
    smooth_ohm = before.tissue_ohm
    if measured:
        low, high = IMPEDANCE_SPAN
        believed_ohm = min(max(tissue_ohm, low * aim.tissue_ohm), high * aim.tissue_ohm)
        smooth_ohm += (believed_ohm - smooth_ohm) * period_s / (IMPEDANCE_S + period_s)
    slope, reference_c = _along_the_ramp(before, period_s)
    error_k = reference_c - temperature_c
    forward_w = aim.slope_w_s_per_k * slope + aim.hold_w_per_k * (reference_c - aim.start_c)
    wanted_w = forward_w + aim.gain_w_per_k * error_k + before.integral_w
    total_ohm = smooth_ohm + aim.series_ohm
    most_w = min(aim.cap_w, aim.limit_w * smooth_ohm / total_ohm)
    square_per_w = total_ohm * total_ohm / smooth_ohm
    if aim.set_point is SetPoint.VOLTAGE:
        most_w = min(most_w, aim.voltage_v_rms * aim.voltage_v_rms / square_per_w)
    power_w = min(max(wanted_w, 0.0), most_w)
    integral_w = before.integral_w
    # Anti-windup: at a bound, ours or the generator's, the integral moves only away from it.
    at_most = wanted_w > most_w or delivered < DELIVERED * before.value
    if not (at_most and error_k > 0.0) and not (wanted_w < 0.0 and error_k < 0.0):
        integral_w += INTEGRAL_PER_S * aim.gain_w_per_k * error_k * period_s
    if aim.set_point is SetPoint.VOLTAGE:
        value = min(math.sqrt(power_w * square_per_w), aim.voltage_v_rms)
    else:
        value = min(power_w * total_ohm / smooth_ohm, aim.limit_w)
    if not measured:
        value = min(value, before.value)
    return Regulator(aim, now_ns, reference_c, slope, integral_w, smooth_ohm, _f32(value))


def _along_the_ramp(before: Regulator, period_s: float) -> tuple[float, float]:
    """Slope and place of the ramp one period later: it starts softly, and bends into the set temperature."""
    aim = before.aim
    left_k = aim.set_temperature_c - before.reference_c
    faster = before.slope_c_per_s + aim.ramp_c_per_s * period_s / SOFT_START_S
    slope = min(faster, aim.ramp_c_per_s, left_k / BEND_S)
    return slope, before.reference_c + slope * period_s


def _f32(value: float) -> float:
    """As a register holds it. What the envelope bounds is such a number itself, so rounding does not pass it."""
    return float(struct.unpack(">f", struct.pack(">f", value))[0])
