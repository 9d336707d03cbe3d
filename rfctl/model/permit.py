"""The right to energise: what a frame intends, and the short-lived permit that an energising frame needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Intent(StrEnum):
    """What a frame does to the generator, as the gate's table classifies it."""

    READ = "read"
    OFF = "off"
    RENEW = "renew"
    CONFIG = "config"
    ENERGISE = "energise"


class PermitKind(StrEnum):
    """Which output a permit opens."""

    STIMULATION = "stimulation"
    LESION = "lesion"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The most that a permit allows, whatever is asked for under it.

    Attributes:
        temperature_c: Highest set temperature.
        power_w: Highest power limit and highest power that the station may set, at the generator's terminals.
        duration_s: Longest time with RF on.
        stimulation_v: Highest stimulation amplitude in voltage mode.
        stimulation_ma: Highest stimulation amplitude in current mode.
        voltage_v_rms: Highest RF voltage that the station may set; 0 where the generator controls the temperature.
    """

    temperature_c: float = 0.0
    power_w: float = 0.0
    duration_s: float = 0.0
    stimulation_v: float = 0.0
    stimulation_ma: float = 0.0
    voltage_v_rms: float = 0.0


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to energise one channel until ``expires_ns`` of the station's monotonic clock.

    Attributes:
        channel: Channel number, from 1.
        kind: The output it opens.
        envelope: The most it allows.
        expires_ns: First instant at which it is void.
    """

    channel: int
    kind: PermitKind
    envelope: Envelope
    expires_ns: int
