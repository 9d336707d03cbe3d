"""The field around one electrode for a generator that asks every 20 ms.

The field itself is moved on every 0.1 s. In between, tip, hottest tissue and impedance go straight to where the field
will be if the power stays as it is, and follow every change of the power by their own short-time responses, computed
once by the same field in steps of a millisecond. What the two disagree by when the field arrives is gone a span later,
so that nothing jumps; the field alone carries the energy, every joule of it.
"""

from __future__ import annotations

from math import exp, log

import numpy as np

from rfctl_sim.field.disturbance import beside_the_tip, fluid_gain, fluid_profile
from rfctl_sim.field.matter import Matter
from rfctl_sim.field.mesh import Array
from rfctl_sim.field.needle import NeedleField
from rfctl_sim.tissue import FLUID_DECAY_S, FLUID_GONE, FLUID_MOST

# The field moves on by this while power flows.
SPAN_S = 0.1

# And by this where tissue boils.
BOILING_STEP_S = 0.02

# Without power, by up to this much, as long as the tip changes less than the second within one span.
LONGEST_SPAN_S = 6.4
QUIET_K = 0.02

# The response to power is tabulated in steps of this.
TICK_S = 0.001

# The response of the whole field to power is computed again when the impedance has changed by this share since.
SOURCE_CHANGE = 0.01

# Below this rise the tissue counts as at rest: a fiftieth of the smallest step that a thermocouple input shows.
REST_K = 0.002

# Spans end where the sum of steps comes this close to them, s.
ROUNDING_S = 1e-9

# Tip, degC, hottest tissue, degC, and the natural logarithm of the impedance; or what 1 W adds to them.
Values = tuple[float, float, float]


class ElectrodeTissue:
    """Tissue around one electrode; a ``rfctl_sim.tissue.Tissue``.

    Attributes:
        field: Temperatures, running maximum, damage and energy of every cell; at most one span old.
        tip_temperature_c: At the thermocouple, degC.
        tissue_max_c: Hottest tissue, degC.
        impedance_ohm: Of the tissue, ohm.
        at_rest: Without power nothing changes any more, and ``advance`` costs nothing.
    """

    __slots__ = (
        "_beside",
        "_boils",
        "_drained",
        "_elapsed_s",
        "_energy_j",
        "_expected_w",
        "_fluid_share",
        "_gain",
        "_kernel",
        "_parts",
        "_rest_gain",
        "_shown",
        "_slope",
        "_span_s",
        "_unit",
        "_unit_ohm",
        "_weights",
        "at_rest",
        "field",
        "impedance_ohm",
        "tip_temperature_c",
        "tissue_max_c",
    )

    def __init__(
        self, gauge: int = 18, tip_mm: float = 10.0, rest_c: float = 37.0, matter: Matter | None = None
    ) -> None:
        self.field = field = NeedleField(gauge, tip_mm, rest_c, matter)
        self._kernel, self._rest_gain = _short_response(field)
        self._beside: dict[float, tuple[Array, Array]] = {}
        self._fluid_share = 0.0
        self.at_rest = True
        self._boils = False
        self._span_s = SPAN_S
        self._elapsed_s = self._energy_j = self._expected_w = 0.0
        self._parts: list[tuple[float, float, float]] = []
        self._unit, self._weights = field.unit_response(SPAN_S), field.impedance_fall_per_k()
        self._unit_ohm = field.impedance_ohm
        self._begin((field.tip_temperature_c, field.tissue_max_c, log(field.impedance_ohm)), 0.0)
        self._look()

    @property
    def warmed_k(self) -> float:
        """Rise that neighbouring electrodes cause at this one, K. Whoever knows the neighbours sets it."""
        return self.field.background_k

    @warmed_k.setter
    def warmed_k(self, rise_k: float) -> None:
        if rise_k != self.field.background_k:
            self._disturb()
            self.field.background_k = rise_k

    def rise_at_k(self, distance_mm: float) -> float:
        """What this electrode's own power has warmed the tissue at a distance, beside the middle of the tip, K."""
        if distance_mm not in self._beside:
            self._beside[distance_mm] = beside_the_tip(self.field.mesh, distance_mm)
        cells, weights = self._beside[distance_mm]
        return float(weights @ self.field.rise.ravel()[cells])

    def inject(self, share: float) -> None:
        """Fluid is injected at the tip: it takes ``share``, 0 to 0.6, of the impedance, and spreads from then on."""
        self._disturb()
        field, share = self.field, min(share, FLUID_MOST)
        field.fluid = None
        if share > 0.0:
            profile = fluid_profile(field.mesh)
            field.fluid = fluid_gain(field.mesh, profile, field.sigma(), share) * profile
        field.follow()
        self._fluid_share = share
        self._restart()

    def move(self, distance_mm: float) -> None:
        """The electrode is pushed on by so much, mm: heat and fluid stay where they were."""
        self._disturb()
        self.field.pushed_on(distance_mm)
        self._restart()

    def cool(self, conductance_w_per_k: float, coolant_c: float) -> None:
        """From now on coolant of that temperature takes this from each kelvin of the tip above it; 0 for none."""
        self._disturb()
        self.field.coolant = (conductance_w_per_k, coolant_c)
        self._restart()

    def _disturb(self) -> None:
        """Something from outside is about to change the field: bring it to this moment."""
        if not self.at_rest:
            self._end(self._expected_w)
        self.at_rest = False
        self._span_s = SPAN_S

    def _restart(self) -> None:
        """Show what the field says after a change from outside."""
        field = self.field
        self._unit_ohm = 0.0
        self._begin((field.tip_temperature_c, field.tissue_max_c, log(field.impedance_ohm)), self._expected_w)
        self._look()

    @property
    def _disturbed(self) -> bool:
        """Something from outside acts without power."""
        return bool(self.field.background_k or self.field.coolant[0]) or self.field.fluid is not None

    def _spread(self, elapsed_s: float) -> None:
        """Fluid spreads and is taken up."""
        field = self.field
        if field.fluid is None:
            return
        self._fluid_share *= exp(-elapsed_s / FLUID_DECAY_S)
        if self._fluid_share < FLUID_GONE:
            field.fluid = None
        else:
            field.fluid *= exp(-elapsed_s / FLUID_DECAY_S)

    def advance(self, dt_s: float, power_w: float) -> None:
        """Let ``dt_s`` seconds pass with ``power_w`` watts, the mean over that time, going into the tissue."""
        if self.at_rest:
            if power_w == 0.0:
                return
            self.at_rest = False
        elif power_w and self._span_s > SPAN_S:
            self._end(power_w)
        while dt_s > 0.0:
            if self._boils:
                part_s = min(dt_s, BOILING_STEP_S)
                self._boil(part_s, power_w)
                dt_s -= part_s
                continue
            part_s = min(dt_s, self._span_s - self._elapsed_s)
            self._pour(part_s, power_w)
            dt_s -= part_s
            if self._span_s - self._elapsed_s < ROUNDING_S:
                self._end(power_w)
            if dt_s < ROUNDING_S:
                break
        self._look()

    def _boil(self, dt_s: float, power_w: float) -> None:
        """Boiling knows no short-time response: the field itself moves on, until it is over."""
        field = self.field
        self._spread(dt_s)
        field.advance(dt_s, power_w)
        self._boils = field.boils
        shown = field.tip_temperature_c, field.tissue_max_c, log(field.impedance_ohm)
        if self._boils:
            self._shown, self._slope = shown, (0.0, 0.0, 0.0)
        else:
            self._unit_ohm = 0.0
            self._begin(shown, power_w)

    def _pour(self, dt_s: float, power_w: float) -> None:
        """Take the power of a part of the span."""
        begins_s = self._elapsed_s
        ends_s = self._elapsed_s = begins_s + dt_s
        self._energy_j += dt_s * power_w
        change_w = power_w - self._expected_w
        if change_w:
            parts = self._parts
            if parts and parts[-1][1] == begins_s and parts[-1][2] == change_w:
                parts[-1] = (parts[-1][0], ends_s, change_w)
            else:
                parts.append((begins_s, ends_s, change_w))

    def _now(self) -> Values:
        """Tip, degC, hottest tissue, degC, and the logarithm of the impedance, at this moment of the span."""
        at_s = self._elapsed_s
        (tip, hot, ohm), (tip_rate, hot_rate, ohm_rate) = self._shown, self._slope
        tip += tip_rate * at_s
        hot += hot_rate * at_s
        ohm += ohm_rate * at_s
        if self._parts:
            kernel = self._kernel
            tip_k = hot_k = ohm_k = 0.0
            for begins_s, ends_s, change_w in self._parts:
                tip_1, hot_1, ohm_1 = kernel[int((at_s - begins_s) / TICK_S + 0.5)]
                tip_0, hot_0, ohm_0 = kernel[int((at_s - ends_s) / TICK_S + 0.5)]
                tip_k += change_w * (tip_1 - tip_0)
                hot_k += change_w * (hot_1 - hot_0)
                ohm_k += change_w * (ohm_1 - ohm_0)
            tip_gain, hot_gain, ohm_gain = self._gain
            tip += tip_gain * tip_k
            hot += hot_gain * hot_k
            ohm += ohm_gain * ohm_k
        return tip, hot, ohm

    def _look(self) -> None:
        self.tip_temperature_c, self.tissue_max_c, log_ohm = self._now()
        self.impedance_ohm = exp(log_ohm)

    def _end(self, power_w: float) -> None:
        """Bring the field to this moment, and begin the next span, in which ``power_w`` is expected."""
        field, elapsed_s = self.field, self._elapsed_s
        shown = self._now()
        if elapsed_s > 0.0:
            before_c = field.tip_temperature_c
            whole = self._span_s - elapsed_s < ROUNDING_S
            flat, lost_j = self._drained if whole else field.coast(elapsed_s)
            mean_w = self._energy_j / elapsed_s
            if mean_w:
                flat += mean_w * (self._unit if whole else field.unit_response(elapsed_s))
            self._spread(elapsed_s)
            field.arrive(flat, lost_j, elapsed_s, mean_w)
            self._boils = field.boils
            change_k = abs(field.tip_temperature_c - before_c)
            if power_w or mean_w or not whole or change_k > QUIET_K or field.coolant[0]:
                self._span_s = SPAN_S
            elif change_k < QUIET_K / 3.0:
                self._span_s = min(2.0 * self._span_s, LONGEST_SPAN_S)
            if power_w == 0.0 and not self._disturbed and float(np.abs(field.rise).max()) < REST_K:
                field.rest()
                self.at_rest = True
                self._span_s = SPAN_S
                shown = (field.tip_temperature_c, field.tissue_max_c, log(field.impedance_ohm))
        else:
            self._span_s = SPAN_S
        self._begin(shown, power_w)

    def _begin(self, shown: Values, power_w: float) -> None:
        """Begin a span at the values that were ``shown`` last, with ``power_w`` expected in it."""
        field, span_s = self.field, self._span_s
        if abs(field.impedance_ohm - self._unit_ohm) > SOURCE_CHANGE * self._unit_ohm:
            self._unit = field.unit_response(SPAN_S)
            self._weights = field.impedance_fall_per_k()
            self._unit_ohm = field.impedance_ohm
        unit, weights = self._unit, self._weights
        flat, _ = self._drained = field.coast(span_s)
        ahead = flat + power_w * unit if power_w else flat
        hottest = field.hottest(ahead)
        tip_rest, hot_rest, ohm_rest = self._rest_gain
        self._gain = (
            field.at_thermocouple(unit) / tip_rest,
            float(unit[hottest] if power_w else unit.max()) / hot_rest,
            float(weights @ unit) / ohm_rest,
        )
        around_c = field.rest_c + field.background_k
        tip, hot, ohm = self._shown = shown
        self._slope = (
            (around_c + field.at_thermocouple(ahead) - tip) / span_s,
            (around_c + float(ahead[hottest]) - hot) / span_s,
            (log(field.impedance_ohm) - float(weights @ (ahead - field.rise.ravel())) - ohm) / span_s,
        )
        self._expected_w = power_w
        self._parts.clear()
        self._elapsed_s = self._energy_j = 0.0


def _short_response(field: NeedleField) -> tuple[list[Values], Values]:
    """The response of ``field``, which is at rest, to 1 W: tip, K, hottest tissue, K, logarithm of the impedance.

    Returns:
        The response after each tick of a span, and what the field says of tip, hottest tissue and fall of the
        impedance when it takes the span as one step.
    """
    weights = field.impedance_fall_per_k()
    unit = field.unit_response(SPAN_S)
    rise = np.zeros_like(unit)
    response = [(0.0, 0.0, 0.0)]
    for _ in range(round(SPAN_S / TICK_S)):
        rise = field.conducted(rise, field.watts_each, TICK_S)
        response.append((field.at_thermocouple(rise), float(rise.max()), -float(weights @ rise)))
    return response, (field.at_thermocouple(unit), float(unit.max()), float(weights @ unit))
