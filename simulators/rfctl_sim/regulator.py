"""The firmware's temperature control: a ramp, a PI controller on power, and the power limit."""

from __future__ import annotations

# Gains at the terminals. The tip follows power at once with 1.5 K/J in the tissue, about 0.65 K/J at the terminals with
# 100 ohm in series: 2.5 W/K crosses over near 1.6 rad/s, half of what the thermocouple's lag of 0.3 s allows.
PROPORTIONAL_W_PER_K = 2.5
INTEGRAL_W_PER_K_S = 0.8

# The last part of the ramp bends into the set temperature with this time constant, so that the tip does not overshoot.
BEND_S = 0.6


class Regulator:
    """Brings the tip to the set temperature along a ramp and holds it there."""

    __slots__ = ("_integral_w", "_reference_c")

    def __init__(self) -> None:
        self._reference_c = 0.0
        self._integral_w = 0.0

    def start(self, temperature_c: float) -> None:
        """Begin a ramp at the present temperature, degC."""
        self._reference_c = temperature_c
        self._integral_w = 0.0

    def power_w(
        self, dt_s: float, temperature_c: float, set_temperature_c: float, ramp_c_per_s: float, limit_w: float
    ) -> float:
        """Power at the terminals for the next ``dt_s`` seconds, W: from 0 to ``limit_w``."""
        left_k = set_temperature_c - self._reference_c
        self._reference_c += min(ramp_c_per_s, left_k / BEND_S) * dt_s
        error_k = self._reference_c - temperature_c
        integral_w = self._integral_w + INTEGRAL_W_PER_K_S * error_k * dt_s
        wanted_w = PROPORTIONAL_W_PER_K * error_k + integral_w
        power_w = min(max(wanted_w, 0.0), limit_w)
        # Anti-windup: the integral stands still while the output is at a bound and the error pushes it further.
        if power_w == wanted_w or (wanted_w < 0.0) == (error_k > 0.0):
            self._integral_w = integral_w
        return power_w
