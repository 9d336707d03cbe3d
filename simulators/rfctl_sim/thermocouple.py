"""The thermocouple in the tip and its input: lag, noise, resolution."""

from __future__ import annotations

from math import exp
from random import Random

LAG_S = 0.3
NOISE_K = 0.02
RESOLUTION_K = 0.1

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
        sensed_c: Temperature of the junction, degC.
    """

    __slots__ = ("_a", "_dt_s", "_noise", "sensed_c")

    def __init__(self, start_c: float, random: Random) -> None:
        self.sensed_c = start_c
        self._noise = noise_table(random, NOISE_K)
        self._dt_s = self._a = 0.0

    def advance(self, dt_s: float, tip_c: float) -> None:
        """Let ``dt_s`` seconds pass at a tip of ``tip_c`` degC."""
        if dt_s != self._dt_s:
            self._dt_s = dt_s
            self._a = 1.0 - exp(-dt_s / LAG_S)
        distance_k = tip_c - self.sensed_c
        if -ARRIVED_K < distance_k < ARRIVED_K:
            self.sensed_c = tip_c
        else:
            self.sensed_c += distance_k * self._a

    def measured_c(self, sample: int) -> float:
        """Sample number ``sample`` with its noise, degC, before it is rounded to the resolution."""
        return self.sensed_c + self._noise[sample % NOISE_LENGTH]


def rounded_c(measured_c: float) -> float:
    """A measurement in steps of the resolution, as the wire shows it."""
    return round(measured_c * 10.0) / 10.0
