"""Tissue around one electrode: what the tip's temperature and the impedance do when power goes in."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Protocol

BODY_TEMPERATURE_C = 37.0

# Below this rise the tissue counts as at rest and is set to its rest temperature exactly: a fiftieth of the smallest
# step that the thermocouple input shows.
REST_K = 0.002


# Injected fluid spreads and is taken up with this time constant.
FLUID_DECAY_S = 240.0

# Of the share f that fluid takes of the impedance, so much reappears as power that is needed for the same temperature.
FLUID_POWER_SHARE = 0.6

# The most that fluid takes of the impedance.
FLUID_MOST = 0.6

# Below this it counts as gone: a tenth of what the impedance meter's noise hides.
FLUID_GONE = 0.0002

# Of the tissue's conductivity, for each kelvin of a rise that is the same everywhere.
CONDUCTIVITY_PER_K = 0.02


class Tissue(Protocol):
    """What an output stage and a thermocouple need of the tissue. It has no clock: time is what ``advance`` is told.

    Attributes:
        warmed_k: Rise that neighbouring electrodes cause at this one, K. Whoever knows the neighbours sets it.
    """

    warmed_k: float

    @property
    def tip_temperature_c(self) -> float:
        """Temperature of the metal tip, degC."""
        ...

    @property
    def tissue_max_c(self) -> float:
        """Hottest tissue, degC."""
        ...

    @property
    def impedance_ohm(self) -> float:
        """Magnitude of the tissue's own impedance, without body, pad and leads, ohm."""
        ...

    @property
    def at_rest(self) -> bool:
        """Without power nothing changes any more."""
        ...

    def advance(self, dt_s: float, power_w: float) -> None:
        """Let ``dt_s`` seconds pass with ``power_w`` watts, the mean over that time, going into the tissue."""
        ...

    def rise_at_k(self, distance_mm: float) -> float:
        """What this electrode's own power has warmed the tissue at a distance, beside the middle of the tip, K."""
        ...

    def inject(self, share: float) -> None:
        """Fluid is injected at the tip: it takes ``share``, 0 to 0.6, of the impedance, and spreads from then on."""
        ...

    def move(self, distance_mm: float) -> None:
        """The electrode is moved by so much, mm: into tissue that is colder, and has none of the fluid."""
        ...

    def cool(self, conductance_w_per_k: float, coolant_c: float) -> None:
        """From now on coolant of that temperature takes this from each kelvin of the tip above it; 0 for none."""
        ...


@dataclass(frozen=True, slots=True)
class Pole:
    """One part of the response: after 1 W for a long time it adds ``rise_k_per_w`` to the tip.

    Attributes:
        rise_k_per_w: Final rise of the tip, K/W.
        time_constant_s: Time to 63 % of it, s.
        conductance_per_k: Relative rise of the tissue's conductance for each kelvin in this part, 1/K.
    """

    rise_k_per_w: float
    time_constant_s: float
    conductance_per_k: float


@dataclass(frozen=True, slots=True)
class ThreePoles:
    """A tissue as three poles in parallel.

    Attributes:
        impedance_ohm: Tissue impedance at rest temperature, ohm.
        near: The tissue that follows the power within seconds.
        middle: The tissue between.
        far: The tissue that warms over the whole lesion.
        lead: The hottest tissue is this many times the near part's rise above the tip.
    """

    impedance_ohm: float
    near: Pole
    middle: Pole
    far: Pole
    lead: float


# 18 G, 10 mm at 37 degC, fitted by fit_three_pole.py to the computed step of 11 V rms (2.0, 7.8, 12.0, 20.8, 27.7,
# 35.6 K at 1, 5, 10, 30, 60, 120 s; power 1.43 W rising to 2.1 W), to a fall of the impedance by about 29 % at 80 degC,
# and to a tip that is back at 45 degC about 40 s after 90 s at 80 degC. The lead gives the "several kelvin" by which
# tissue leads the tip at the end of a 10 s ramp.
GAUGE_18_TIP_10_MM = ThreePoles(
    impedance_ohm=85.0,
    near=Pole(rise_k_per_w=0.543, time_constant_s=2.0, conductance_per_k=0.0160),
    middle=Pole(rise_k_per_w=4.207, time_constant_s=5.0, conductance_per_k=0.0035),
    far=Pole(rise_k_per_w=13.009, time_constant_s=30.0, conductance_per_k=0.0136),
    lead=1.0,
)


# Heat reaches a distance later than the tip and falls with it: the far pole's rise by the distance in these.
NEIGHBOUR_MM = 4.5

# Moving by so much leaves the near tissue's heat behind, and by so much more the far one's, mm.
MOVED_NEAR_MM, MOVED_FAR_MM = 2.0, 6.0

# From the near tissue into the metal of a cooled tip, W/K, and the time its water takes to show.
COOLED_CONTACT_W_PER_K = 0.05
COOLED_S = 1.0


class ThreePoleTissue:
    """A tissue of three poles; each step is exact for a power that is constant over it.

    Made for quick tests: what is not the tip's own response (neighbours, fluid, cooling) is only of the right kind.
    """

    __slots__ = (
        "_coolant",
        "_cooled_k",
        "_dt_s",
        "_fluid",
        "_parts_k",
        "_poles",
        "_step",
        "at_rest",
        "impedance_ohm",
        "rest_c",
        "tip_temperature_c",
        "warmed_k",
    )

    def __init__(self, poles: ThreePoles = GAUGE_18_TIP_10_MM, rest_c: float = BODY_TEMPERATURE_C) -> None:
        self._poles = poles
        self.rest_c = rest_c
        self._parts_k = (0.0, 0.0, 0.0)
        self._dt_s = 0.0
        self._step: tuple[float, ...] = ()
        self._fluid = 0.0
        self._coolant = (0.0, 0.0)
        self._cooled_k = 0.0
        self.warmed_k = 0.0
        self.tip_temperature_c = rest_c
        self.impedance_ohm = poles.impedance_ohm
        self.at_rest = True

    @property
    def tissue_max_c(self) -> float:
        return self.tip_temperature_c + self._cooled_k + self._poles.lead * self._parts_k[0]

    def rise_at_k(self, distance_mm: float) -> float:
        return self._parts_k[2] * exp(-distance_mm / NEIGHBOUR_MM)

    def inject(self, share: float) -> None:
        self._fluid = min(share, FLUID_MOST)
        self.at_rest = False

    def move(self, distance_mm: float) -> None:
        near_k, middle_k, far_k = self._parts_k
        near, far = exp(-distance_mm / MOVED_NEAR_MM), exp(-distance_mm / MOVED_FAR_MM)
        self._parts_k = (near_k * near, middle_k * near, far_k * far)
        self._fluid *= near
        self.at_rest = False

    def cool(self, conductance_w_per_k: float, coolant_c: float) -> None:
        self._coolant = (conductance_w_per_k, coolant_c)
        self.at_rest = False

    def advance(self, dt_s: float, power_w: float) -> None:
        if dt_s != self._dt_s:
            self._dt_s = dt_s
            self._step = self._coefficients(dt_s)
        if self._fluid:
            self._fluid *= exp(-dt_s / FLUID_DECAY_S)
            power_w *= 1.0 - FLUID_POWER_SHARE * self._fluid
        near_r, near_a, near_g, middle_r, middle_a, middle_g, far_r, far_a, far_g = self._step
        near_k, middle_k, far_k = self._parts_k
        near_k += (power_w * near_r - near_k) * near_a
        middle_k += (power_w * middle_r - middle_k) * middle_a
        far_k += (power_w * far_r - far_k) * far_a
        rise_k = near_k + middle_k + far_k
        still = power_w == 0.0 and rise_k < REST_K
        if still:
            near_k = middle_k = far_k = rise_k = 0.0
        self._parts_k = (near_k, middle_k, far_k)
        rise_k += self.warmed_k
        conductance = 1.0 + near_g * near_k + middle_g * middle_k + far_g * far_k
        if self.warmed_k:
            conductance *= 1.0 + CONDUCTIVITY_PER_K * self.warmed_k
            still = False
        if self._coolant[0] or self._cooled_k:
            still = self._draw_heat(dt_s, rise_k) and still
        if self._fluid:
            still = still and self._fluid < FLUID_GONE
            self._fluid = 0.0 if still else self._fluid
            conductance /= 1.0 - self._fluid
        self.at_rest = still
        self.tip_temperature_c = self.rest_c + rise_k - self._cooled_k
        self.impedance_ohm = self._poles.impedance_ohm / conductance

    def _draw_heat(self, dt_s: float, rise_k: float) -> bool:
        """Let the coolant draw the tip towards itself; True when nothing of it is left."""
        conductance, coolant_c = self._coolant
        share = conductance / (conductance + COOLED_CONTACT_W_PER_K)
        wanted_k = share * (self.rest_c + rise_k - coolant_c)
        self._cooled_k += (wanted_k - self._cooled_k) * (1.0 - exp(-dt_s / COOLED_S))
        if conductance == 0.0 and abs(self._cooled_k) < REST_K:
            self._cooled_k = 0.0
        return conductance == 0.0 and self._cooled_k == 0.0

    def _coefficients(self, dt_s: float) -> tuple[float, ...]:
        """Of each pole: rise per watt, share of the distance covered in ``dt_s``, conductance per kelvin."""
        poles = self._poles
        return tuple(
            value
            for pole in (poles.near, poles.middle, poles.far)
            for value in (pole.rise_k_per_w, 1.0 - exp(-dt_s / pole.time_constant_s), pole.conductance_per_k)
        )


class LoadResistor:
    """A resistor on the bench: takes power and stays as it is."""

    __slots__ = ("impedance_ohm", "tip_temperature_c", "warmed_k")
    at_rest = True

    def __init__(self, ohm: float, temperature_c: float) -> None:
        self.impedance_ohm = ohm
        self.tip_temperature_c = temperature_c
        self.warmed_k = 0.0

    @property
    def tissue_max_c(self) -> float:
        return self.tip_temperature_c

    def advance(self, dt_s: float, power_w: float) -> None:
        pass

    def rise_at_k(self, distance_mm: float) -> float:
        return 0.0

    def inject(self, share: float) -> None:
        pass

    def move(self, distance_mm: float) -> None:
        pass

    def cool(self, conductance_w_per_k: float, coolant_c: float) -> None:
        pass
