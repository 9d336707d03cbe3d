"""Set points that are written to a generator before it is armed or stimulates."""

from __future__ import annotations

from dataclasses import dataclass

from rfctl.model.capability import SetPoint


@dataclass(frozen=True, slots=True)
class LesionSettings:
    """Set points of one thermal lesion, all within the envelope of its permit.

    Attributes:
        set_temperature_c: Set temperature, degC.
        ramp_c_per_s: Ramp rate, degC/s.
        max_on_s: The generator's own lesion timer: RF off by itself after so long, s.
        power_limit_w: Power limit at the generator's terminals, W.
    """

    set_temperature_c: float
    ramp_c_per_s: float
    max_on_s: float
    power_limit_w: float


@dataclass(frozen=True, slots=True)
class SetPointSettings:
    """A lesion whose tip temperature the station controls, all within the envelope of its permit.

    The set point itself is 0 until RF is on, and is set apart from then on.

    Attributes:
        set_point: What is set while RF is on.
        max_on_s: The generator's own lesion timer: RF off by itself after so long, s.
        power_limit_w: Power limit at the generator's terminals, W.
    """

    set_point: SetPoint
    max_on_s: float
    power_limit_w: float


@dataclass(frozen=True, slots=True)
class StimulationSettings:
    """A stimulator setting; the amplitude is set apart, in steps, once the output is on.

    Attributes:
        unit: ``"V"`` or ``"mA"``.
        rate_hz: Pulse rate, Hz.
        width_us: Pulse width, us.
        amplitude_limit: The generator's own ceiling for the amplitude, in ``unit``.
    """

    unit: str
    rate_hz: float
    width_us: int
    amplitude_limit: float
