"""What heat leaves behind on a channel: the predicted rise, half-second means, the last display code, a line before RF.

Pure values. ``follow`` takes a sample in; ``signals_thermal.py`` makes of it what the rows compare.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel.phase import LESION, Phase

if TYPE_CHECKING:
    from rfctl.model.electrode import Electrode

HALF_SECOND_NS = 500_000_000
HALVES = 20
"""So many half-second means are kept: two stretches of 5 s."""
FIVE_SECONDS = 10
"""In half seconds."""
JUDGED = 7
"""Ends of half seconds that span 3 s."""
SETTLES_NS = 10_000_000_000
"""The hold is judged by windows that are wholly later than this after set temperature was reached."""
FOLLOWED = LESION | {Phase.LESION_OFF, Phase.PROBE_OFF}
"""Phases in which power may flow; between them the predicted rise only decays."""
AVERAGED = frozenset({Phase.ANAESTHETIC_WAIT, Phase.PROBE_OFF, Phase.RECHECK, Phase.LESION_READY, Phase.HOLD})
"""Phases in which half-second means are asked for: by the baseline and by the hold check."""
PICK_UP_NS = 100_000_000


class Half(NamedTuple):
    """Means over half a second.

    Attributes:
        since_ns: Where it begins.
        power_w: In the tissue, W.
        temperature_c: Tip, degC.
    """

    since_ns: int
    power_w: float
    temperature_c: float


class HoldSigns(NamedTuple):
    """What the last 5 and 3 s of a hold say.

    Attributes:
        power_w: Mean power of 5 s in the tissue, W.
        share_pct: Of this hold's own mean from 10 to 15 s, %; None until that is known.
        least_pct: Rise for each W of the mean, in % of what the table expects: the least of 3 s; None before they are
            over.
        most_pct: The most of 3 s.
    """

    power_w: float
    share_pct: float | None
    least_pct: float | None
    most_pct: float | None


class Edge(NamedTuple):
    """A straight line through the last second before RF went on or off.

    Attributes:
        ns: The edge.
        temperature_c: Of the line there, degC.
        slope_k_per_s: Its slope, K/s.
        on: RF went on, else off.
    """

    ns: int
    temperature_c: float
    slope_k_per_s: float
    on: bool


class Thermal(NamedTuple):
    """The thermal memory of one channel.

    Attributes:
        followed_ns: Up to when the predicted rise is known.
        rises_k: Predicted rise, K, a pole each, run on through the pauses of a site.
        base_c: What the measured rise is counted from: T_start of the first RF of a site, T0 for later lesions.
        code_c: The last reading, degC.
        code_ns: Since when it has stood still.
        since_ns: Where the running half second begins.
        samples: In it.
        power_sum_w: Sum of their power, W.
        temperature_sum_c: Sum of their temperatures, degC.
        halves: The half seconds before it, oldest first.
        own_w: Mean power of this hold from 10 to 15 s, W; 0 before.
        ratios_pct: Rise for each W in % of the expected at the end of the last half seconds of a hold.
        hold: What the hold check compares; None before there is anything.
        edge: Before the last change of RF.
        biased: RF shifts the reading.
        heated_ns: When RF was last commanded on or off, -1 for never.
        low_c: The lowest reading of this cooling, degC, to a whole step of it.
        low_ns: When it was reached.
        lowered: The reading has been within 10 K of the set temperature; the power limit is lowered, or need not be.
        limit_due: A lowered power limit has still to be written.
        pauses: How often the ramp of this lesion was paused.
        paused_j: What its ramps before brought into the tissue, J.
        paused_generator_j: At the terminals, J.
        predicted_energy_j: Of the coming lesion, by the model, J in the tissue.
        predicted_hold_w: Power at the end of its hold, W in the tissue.
        predicted_ramp_s: Its ramp, s.
    """

    followed_ns: int = 0
    rises_k: tuple[float, ...] = ()
    base_c: float = math.nan
    code_c: float = math.nan
    code_ns: int = 0
    since_ns: int = 0
    samples: int = 0
    power_sum_w: float = 0.0
    temperature_sum_c: float = 0.0
    halves: tuple[Half, ...] = ()
    own_w: float = 0.0
    ratios_pct: tuple[float, ...] = ()
    hold: HoldSigns | None = None
    edge: Edge | None = None
    biased: bool = False
    heated_ns: int = -1
    low_c: float = math.nan
    low_ns: int = 0
    lowered: bool = False
    limit_due: bool = False
    pauses: int = 0
    paused_j: float = 0.0
    paused_generator_j: float = 0.0
    predicted_energy_j: float = math.nan
    predicted_hold_w: float = math.nan
    predicted_ramp_s: float = math.nan


def carried(thermal: Thermal) -> Thermal:
    """What of it holds at the channel's next site, too."""
    return Thermal(biased=thermal.biased, heated_ns=thermal.heated_ns)


@lru_cache(maxsize=32)
def _shares(time_constants_s: tuple[float, ...], dt_ns: int) -> tuple[float, ...]:
    """Share of its way that every pole goes in so long."""
    return tuple([1.0 - math.exp(-dt_ns / (tau * 1e9)) for tau in time_constants_s])


def warmed(thermal: Thermal, electrode: Electrode, power_w: float, now_ns: int) -> tuple[float, ...]:
    """The predicted rise of every pole after this power until now, K."""
    dt_ns = now_ns - thermal.followed_ns
    if not thermal.rises_k:
        return (0.0,) * len(electrode.step_poles_k_per_w)
    shares = _shares(electrode.step_time_constants_s, dt_ns)
    poles = electrode.step_poles_k_per_w
    return tuple(
        [x + (pole * power_w - x) * share for x, pole, share in zip(thermal.rises_k, poles, shares, strict=True)]
    )


def predicted_rise_k(thermal: Thermal) -> float:
    """What the model says that the tip is warmer than before the site's first RF, K."""
    return sum(thermal.rises_k)


def averaged(thermal: Thermal, power_w: float, temperature_c: float, now_ns: int) -> Thermal:
    """With one more sample in the half-second means."""
    if not thermal.samples or now_ns - thermal.since_ns > 2 * HALF_SECOND_NS:  # after a phase that is not averaged
        return thermal._replace(
            since_ns=now_ns, samples=1, power_sum_w=power_w, temperature_sum_c=temperature_c, halves=()
        )
    if now_ns - thermal.since_ns < HALF_SECOND_NS:
        return thermal._replace(
            samples=thermal.samples + 1,
            power_sum_w=thermal.power_sum_w + power_w,
            temperature_sum_c=thermal.temperature_sum_c + temperature_c,
        )
    half = Half(thermal.since_ns, thermal.power_sum_w / thermal.samples, thermal.temperature_sum_c / thermal.samples)
    return thermal._replace(
        since_ns=now_ns,
        samples=1,
        power_sum_w=power_w,
        temperature_sum_c=temperature_c,
        halves=(*thermal.halves[1 - HALVES :], half),
    )


def cooled(thermal: Thermal, temperature_c: float, step_k: float, since_ns: int, now_ns: int) -> Thermal:
    """With one more reading of a cooling that began at ``since_ns``; a step downwards is of so many K, at least."""
    if thermal.low_ns >= since_ns and not temperature_c <= thermal.low_c - step_k:
        return thermal
    return thermal._replace(low_c=temperature_c, low_ns=now_ns)


def held(thermal: Thermal, base_c: float, expected_k_per_w: float, hold_ns: int) -> Thermal:
    """After the end of a half second of a hold: its means compared with what is expected.

    Args:
        thermal: With that half second.
        base_c: T0, degC.
        expected_k_per_w: (set - T0) / P_exp.
        hold_ns: When set temperature was reached.
    """
    last = thermal.halves[-FIVE_SECONDS:]
    if len(last) < FIVE_SECONDS or last[0].since_ns < hold_ns + SETTLES_NS:
        return thermal
    power_w = sum(half.power_w for half in last) / FIVE_SECONDS
    own_w = thermal.own_w or power_w
    rise_k = last[-1].temperature_c - base_c
    per_w = rise_k / power_w if power_w else math.inf
    ratios = (*thermal.ratios_pct[1 - JUDGED :], 100.0 * per_w / expected_k_per_w)
    known = len(ratios) == JUDGED
    nan = math.nan if any(ratio != ratio for ratio in ratios) else None
    signs = HoldSigns(
        power_w,
        100.0 * power_w / own_w if thermal.own_w else None,
        (min(ratios) if nan is None else nan) if known else None,
        (max(ratios) if nan is None else nan) if known else None,
    )
    return thermal._replace(own_w=own_w, ratios_pct=ratios, hold=signs)


def line_before(samples: list[tuple[int, float]], edge_ns: int, *, on: bool) -> Edge | None:
    """The straight line through (ns, degC), as it is at the edge. None without two samples."""
    count = len(samples)
    if count < 2:
        return None
    t = [(ns - edge_ns) * 1e-9 for ns, _ in samples]
    c = [celsius for _, celsius in samples]
    mean_t, mean_c = sum(t) / count, sum(c) / count
    spread = sum((each - mean_t) ** 2 for each in t)
    if not spread > 0.0:
        return None
    slope = sum((each - mean_t) * celsius for each, celsius in zip(t, c, strict=True)) / spread
    return Edge(edge_ns, mean_c - slope * mean_t, slope, on)
