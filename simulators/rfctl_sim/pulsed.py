"""The firmware's part of pulsed RF: the mean temperature below its ceiling, and what is kept of each pulse."""

from __future__ import annotations

from collections import deque
from math import nan, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfctl_sim.output_stage import OutputStage
    from rfctl_sim.pulses import Pulse

# The mean is over one second of measurements.
MEAN_SAMPLES = 50

# Of the set voltage, per kelvin above the ceiling: at once, and more each second, until it is below again. With 45 V at
# 2 Hz the tip follows the power within ten seconds; half of the voltage is a quarter of the power.
PROPORTIONAL_PER_K = 0.1
INTEGRAL_PER_K_S = 0.02
LEAST_SHARE = 0.1


class PulsedControl:
    """One channel.

    Attributes:
        last: The pulse that ended last.
        temperature_max_c: Highest temperature measured since it began, degC.
        mean_temperature_c: Of the last second, degC.
        share: Of the set voltage that is in force.
    """

    __slots__ = ("_integral", "_sum_c", "_window", "last", "mean_temperature_c", "share", "temperature_max_c")

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin a train."""
        self._window: deque[float] = deque()
        self._sum_c = self._integral = 0.0
        self.last: Pulse | None = None
        self.temperature_max_c = self.mean_temperature_c = nan
        self.share = 1.0

    def sample(
        self,
        dt_s: float,
        stage: OutputStage,
        temperature_c: float,
        ceiling_c: float,
        voltage_v_peak: float,
        power_limit_w: float,
    ) -> None:
        """Take a measurement into account and set the voltage of the pulses from now on.

        Args:
            dt_s: Time since the measurement before, s.
            stage: What delivers them.
            temperature_c: As measured, degC.
            ceiling_c: Of the mean temperature, degC.
            voltage_v_peak: As set, V peak.
            power_limit_w: Of the mean power at the terminals, W.
        """
        pulses = stage.pulses
        if pulses is None:
            return
        window = self._window
        window.append(temperature_c)
        self._sum_c += temperature_c
        if len(window) > MEAN_SAMPLES:
            self._sum_c -= window.popleft()
        self.mean_temperature_c = self._sum_c / len(window)
        if pulses.last is not self.last:
            self.last, self.temperature_max_c = pulses.last, temperature_c
        elif temperature_c > self.temperature_max_c:
            self.temperature_max_c = temperature_c
        below_k = ceiling_c - self.mean_temperature_c
        self._integral = min(max(self._integral + INTEGRAL_PER_K_S * below_k * dt_s, LEAST_SHARE - 1.0), 0.0)
        self.share = min(max(1.0 + self._integral + PROPORTIONAL_PER_K * below_k, LEAST_SHARE), 1.0)
        self.set(stage, voltage_v_peak, power_limit_w)

    def set(self, stage: OutputStage, voltage_v_peak: float, power_limit_w: float) -> None:
        """Tell the stage what a pulse may be from now on. Arguments as of ``sample``."""
        if stage.pulses is not None:
            stage.regulate(power_limit_w / stage.pulses.told_duty, self.share * voltage_v_peak / sqrt(2.0))
            stage.resolve()
