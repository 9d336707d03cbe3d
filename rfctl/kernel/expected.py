"""What the electrode table leads to expect of a lesion: power in hold, energy, and how much power the time allows.

Power and energy are the tissue's, unless they say "at the terminals". Temperatures in degC, rises in K, times in s.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rfctl.model.electrode import Electrode

HOLD_RISE_K = 43.0
"""From 37 to 80 degC: the rise that the electrode table's hold power belongs to."""
FLUID_MAX = 0.6
FLUID_TAKES = 0.6
"""Of the rise, for each part of the impedance that injected fluid has taken."""
FLUID_UPTAKE_S = 120.0
"""Injected fluid spreads and is taken up with a time constant of some minutes; this is faster than any."""
TISSUE_OHM_MIN = 15.0
"""With less than this the tissue's share of the power would rest on the error of the series resistance."""
BOILING_C = 100.0
MEASURING_ERROR_K = 1.0
OVER_SET_TRIPS_K = 8.0
TRIPS_AT_MOST_C = 95.0
"""Readings that end a lesion at once, or in two of three samples: set + 8 degC, at most the hard maximum."""
POWER_OVER_EXPECTED = 1.8
"""A limit of less than this many times the hold power leaves the control no room."""
LOWERED_BELOW_SET_K = 10.0


class Budget(NamedTuple):
    """What passes between a rise at the tip and RF off, s: the station's own numbers.

    Attributes:
        poll_s: From one reading to the next.
        filter_s: One sample more, for two of three.
        lag_s: Of the thermocouple behind the tip.
        decision_s: From the reading to the off frame.
        off_s: From the off frame to no output, at the latest.
    """

    poll_s: float = 0.05
    filter_s: float = 0.05
    lag_s: float = 0.3
    decision_s: float = 0.01
    off_s: float = 0.25

    @property
    def total_s(self) -> float:
        """All of it, s."""
        return sum(self)


USUAL = Budget()


def fluid_factor(before_ohm: float, after_ohm: float, series_ohm: float) -> float:
    """f: the part of the tissue's impedance that injected fluid has taken, 0 to 0.6; 0 where a number is missing.

    Args:
        before_ohm: Z_pre, at the terminals.
        after_ohm: Z_post, at the terminals.
        series_ohm: R_series.
    """
    tissue_ohm = before_ohm - series_ohm
    return min(max(0.0, (before_ohm - after_ohm) / tissue_ohm), FLUID_MAX) if tissue_ohm > 0.0 else 0.0


def drying_per_s(fluid: float) -> float:
    """The most by which the tissue's impedance grows while injected fluid is taken up, as a share of itself, 1/s."""
    return fluid / (1.0 - fluid) / FLUID_UPTAKE_S


def hold_power_w(electrode: Electrode, rise_k: float, fluid: float) -> float:
    """P_exp: what holds a rise over T0, W."""
    return electrode.hold_power_w * rise_k / HOLD_RISE_K / (1.0 - FLUID_TAKES * fluid)


def terminal_power_w(tissue_w: float, impedance_ohm: float, series_ohm: float) -> float:
    """What the terminals have to give for so much in the tissue, W. Without an impedance: no more than the tissue's."""
    if not math.isfinite(impedance_ohm):
        return tissue_w
    return tissue_w * impedance_ohm / max(impedance_ohm - series_ohm, TISSUE_OHM_MIN)


def tissue_power_w(terminal_w: float, impedance_ohm: float, series_ohm: float) -> float:
    """What is left of it in the tissue, W."""
    return terminal_w * max(impedance_ohm - series_ohm, TISSUE_OHM_MIN) / impedance_ohm


def rise_k_per_w(electrode: Electrode, after_s: float) -> float:
    """k: rise of the thermocouple so long after a step of the power, K/W; between the times of the table by powers."""
    table = electrode.step_response
    (left_s, left), (right_s, right) = next(
        (pair for pair in pairwise(table) if after_s <= pair[1][0]), (table[-2], table[-1])
    )
    power = math.log(right / left) / math.log(right_s / left_s)
    return left * math.exp(power * math.log(after_s / left_s))


def allowed_power_w(electrode: Electrode, set_temperature_c: float, hold_w: float, budget: Budget) -> float:
    """The most that the tissue may get near the set temperature so that it does not boil before RF is off, W.

    Should the control fail, what exceeds the hold power heats for the whole budget after the reading that trips.
    """
    trips_at_c = min(set_temperature_c + OVER_SET_TRIPS_K, TRIPS_AT_MOST_C)
    margin_k = BOILING_C - trips_at_c - MEASURING_ERROR_K
    return hold_w + margin_k / rise_k_per_w(electrode, budget.total_s)
