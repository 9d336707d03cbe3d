"""The thermocouple in the tip and its input: lag, seat, RF pick-up, noise, resolution."""

from __future__ import annotations

from math import exp, nan
from random import Random

LAG_S = 0.3
NOISE_K = 0.02
RESOLUTION_K = 0.1

# The filtered input still shows RF, in proportion to the square of its voltage: 0.08 K at 100 V rms, and with its own
# noise at most 0.1 K.
PICK_UP_K_PER_V2 = 8e-6
PICK_UP_NOISE, PICK_UP_NOISE_MOST = 0.1, 0.25

# A needle of another temperature takes on the tissue's with this time constant: half a minute until it has arrived.
NEEDLE_S = 10.0

# Noise repeats after so many samples. A prime, so that no period of anything else divides it; at 20 ms it is 82 s.
NOISE_LENGTH = 4093

# Below this distance from the tip the sensed temperature has arrived.
ARRIVED_K = 1e-6


def noise_table(random: Random, standard_deviation: float) -> tuple[float, ...]:
    """Gaussian noise by sample number: the same for a sample whoever reads it, when and how often."""
    return tuple(random.gauss(0.0, standard_deviation) for _ in range(NOISE_LENGTH))


class Thermocouple:
    """A first-order lag behind the tip, and what its input makes of it.

    Attributes:
        fitted: It is connected; else the input is open.
        lag_s: Time constant, s.
        seated: Share of the tip's rise above ``ambient_c`` that the junction feels: 1 where the electrode sits at the
            end of its cannula, about 0.5 where it does not.
        ambient_c: What a junction that is not seated feels otherwise, degC.
        pick_up_k_per_v2: What the input adds for the RF voltage, K/V^2.
        sensed_c: Temperature of the junction, degC.
    """

    __slots__ = (
        "_a",
        "_cold_k",
        "_dt_s",
        "_noise",
        "_of_lag_s",
        "ambient_c",
        "fitted",
        "lag_s",
        "pick_up_k_per_v2",
        "seated",
        "sensed_c",
    )

    def __init__(self, ambient_c: float, random: Random, *, lag_s: float = LAG_S, start_c: float | None = None) -> None:
        """A junction in tissue of ``ambient_c`` degC; its needle was at ``start_c`` before."""
        self.ambient_c = ambient_c
        self.sensed_c = ambient_c if start_c is None else start_c
        self._cold_k = ambient_c - self.sensed_c
        self.fitted = True
        self.seated = 1.0
        self.lag_s = lag_s
        self.pick_up_k_per_v2 = PICK_UP_K_PER_V2
        self._noise = noise_table(random, NOISE_K)
        self._dt_s = self._of_lag_s = self._a = 0.0

    def settled_at(self, tip_c: float) -> bool:
        """It has arrived at a tip that stays at ``tip_c`` degC."""
        return not self._cold_k and self.sensed_c == self._felt_c(tip_c)

    def advance(self, dt_s: float, tip_c: float) -> None:
        """Let ``dt_s`` seconds pass at a tip of ``tip_c`` degC."""
        if dt_s != self._dt_s or self.lag_s != self._of_lag_s:
            self._dt_s, self._of_lag_s = dt_s, self.lag_s
            self._a = 1.0 - exp(-dt_s / self.lag_s)
        if self._cold_k:
            self._cold_k *= exp(-dt_s / NEEDLE_S)
            if -ARRIVED_K < self._cold_k < ARRIVED_K:
                self._cold_k = 0.0
        felt_c = (tip_c if self.seated == 1.0 else self._felt_c(tip_c)) - self._cold_k
        distance_k = felt_c - self.sensed_c
        if -ARRIVED_K < distance_k < ARRIVED_K:
            self.sensed_c = felt_c
        else:
            self.sensed_c += distance_k * self._a

    def measured_c(self, sample: int, voltage_v_rms: float = 0.0) -> float:
        """Sample number ``sample`` with its noise, degC, before it is rounded to the resolution.

        Args:
            sample: Its number.
            voltage_v_rms: RF at the terminals.
        """
        if not self.fitted:
            return nan
        noise_k = self._noise[sample % NOISE_LENGTH]
        if not voltage_v_rms:
            return self.sensed_c + noise_k
        swing = noise_k * (PICK_UP_NOISE / NOISE_K)
        swing = min(max(swing, -PICK_UP_NOISE_MOST), PICK_UP_NOISE_MOST)
        return self.sensed_c + noise_k + self.pick_up_k_per_v2 * voltage_v_rms * voltage_v_rms * (1.0 + swing)

    def _felt_c(self, tip_c: float) -> float:
        return tip_c if self.seated == 1.0 else self.ambient_c + self.seated * (tip_c - self.ambient_c)


def rounded_c(measured_c: float) -> float:
    """A measurement in steps of the resolution, as the wire shows it."""
    return round(measured_c * 10.0) / 10.0
