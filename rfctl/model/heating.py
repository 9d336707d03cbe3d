"""What a planned lesion will ask for, before anything is heated: power, energy and current over time.

The electrode table holds the linear response to a small step of power. Tissue that warms conducts better, near the tip
first, so that a real lesion needs more power than that response says, and draws more current. Both are put right by
numbers that were fitted to the field model: over 16 to 22 G, 10 and 15 mm tips, 60 to 90 degC and ramps of 1 to 9 K/s
from 37 degC the integral of the squared current over 60 s comes out within 2 %, the energy within 2 %; from 22 degC
5 % and 7 % low; and up to 12 % high where the ramp takes 40 s.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfctl.model.electrode import Electrode
    from rfctl.model.plan import Lesion

STEP_S = 0.5
REST_C = 37.0
"""Where nothing else is said, the tip begins at body temperature."""
TABLE_RISE_K, TABLE_RAMP_S, TABLE_HOLD_S = 43.0, 10.0, 90.0
"""The lesion of the electrode table: 37 to 80 degC in 10 s, held for 90 s."""
CAP_OVER_PEAK = 1.5
SIGMA_PER_K = 0.02
"""Conductivity of tissue, of its value at 37 degC."""
WARM_IN_RAMP, WARM_IN_HOLD, SPREAD_S = 0.285, 0.44, 15.0
"""Share of the tip's rise that the impedance follows: while it ramps, and after the heat has spread."""
SETTLE_S = 8.0
"""How long into the hold the power remembers the ramp."""
PAD_WINDOW_S = 60.0


class Prediction(NamedTuple):
    """One lesion in tissue that conducts as the electrode table's.

    Attributes:
        ramp_s: From RF on to the set temperature, s.
        peak_power_w: Most power in the tissue, W.
        hold_power_w: Power in the tissue at the end of the hold, W.
        energy_j: Energy in the tissue, J.
        current_a_rms: Current every half second from RF on, A rms.
    """

    ramp_s: float
    peak_power_w: float
    hold_power_w: float
    energy_j: float
    current_a_rms: tuple[float, ...]


@lru_cache(maxsize=64)
def predict(electrode: Electrode, lesion: Lesion, start_c: float = REST_C) -> Prediction:
    """The lesion as planned, begun at ``start_c``, degC, by a generator that follows its ramp. A load has no dispersive
    electrode.
    """
    if lesion.power_w is not None:
        return Prediction(0.0, lesion.power_w, lesion.power_w, lesion.power_w * lesion.hold_s, ())
    rise_k = max(lesion.set_temperature_c - start_c, 0.0)
    ramp_s = lesion.ramp_s(start_c)
    peak, held = _over_linear(electrode)
    at_start = 1.0 + SIGMA_PER_K * (start_c - REST_C)
    energy_j = peak_w = power_w = 0.0
    currents: list[float] = []
    for index, linear_w in enumerate(_linear_w(electrode, rise_k, ramp_s, lesion.hold_s)):
        middle_s = (index + 0.5) * STEP_S
        risen_k = rise_k * min(1.0, middle_s / ramp_s) if ramp_s else rise_k
        into_hold_s = max(0.0, middle_s - ramp_s)
        ramped = math.exp(-into_hold_s / SETTLE_S)
        more = (peak - 1.0) * ramped + (held - 1.0) * (1.0 - ramped)
        power_w = linear_w * (1.0 + more * risen_k / TABLE_RISE_K)
        warm = WARM_IN_RAMP + (WARM_IN_HOLD - WARM_IN_RAMP) * (1.0 - math.exp(-into_hold_s / SPREAD_S))
        conductance_s = (at_start + SIGMA_PER_K * warm * risen_k) / electrode.impedance_ohm
        currents.append(math.sqrt(power_w * conductance_s))
        energy_j += power_w * STEP_S
        peak_w = max(peak_w, power_w)
    return Prediction(ramp_s, peak_w, power_w, energy_j, tuple(currents))


def pad_heating_a2s(lesions: Sequence[Prediction], *, multiplexed: bool) -> float:
    """Heating of the pad that returns the current of lesions begun together, A2s: most in any 60 s.

    Args:
        lesions: Of the channels on that pad.
        multiplexed: The generator's outputs take turns, so that their squared currents add, not their currents.
    """
    currents = [lesion.current_a_rms for lesion in lesions]
    steps = max(map(len, currents), default=0)
    padded = [(*each, *(0.0,) * (steps - len(each))) for each in currents]
    if multiplexed:
        squared = [sum(value * value for value in at) * STEP_S for at in zip(*padded, strict=True)]
    else:
        squared = [sum(at) ** 2 * STEP_S for at in zip(*padded, strict=True)]
    window = round(PAD_WINDOW_S / STEP_S)
    return max((sum(squared[first : first + window]) for first in range(max(1, steps - window + 1))), default=0.0)


@lru_cache(maxsize=64)
def _over_linear(electrode: Electrode) -> tuple[float, float]:
    """How much more power the table's own lesion takes than its linear response says: at the ramp's end, and held."""
    linear_w = _linear_w(electrode, TABLE_RISE_K, TABLE_RAMP_S, TABLE_HOLD_S)
    return electrode.power_cap_w / CAP_OVER_PEAK / max(linear_w), electrode.hold_power_w / linear_w[-1]


def _linear_w(electrode: Electrode, rise_k: float, ramp_s: float, hold_s: float) -> list[float]:
    """Power that has the linear response follow ramp and hold, step by step, W."""
    decays = [math.exp(-STEP_S / each) for each in electrode.step_time_constants_s]
    steps = [pole * (1.0 - decay) for pole, decay in zip(electrode.step_poles_k_per_w, decays, strict=True)]
    gain = sum(steps)
    rises_k = [0.0] * len(steps)
    powers_w: list[float] = []
    for index in range(1, round((ramp_s + hold_s) / STEP_S) + 1):
        wanted_k = rise_k * min(1.0, index * STEP_S / ramp_s) if ramp_s else rise_k
        left_k = sum(rise * decay for rise, decay in zip(rises_k, decays, strict=True))
        power_w = max((wanted_k - left_k) / gain, 0.0)
        rises_k = [x * decay + step * power_w for x, decay, step in zip(rises_k, decays, steps, strict=True)]
        powers_w.append(power_w)
    return powers_w or [0.0]
