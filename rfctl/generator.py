"""The ports to a generator: a Reader that can only look, and a Controller that can act. Drivers implement them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import date

    from rfctl.link.table import Table
    from rfctl.model.capability import Capability
    from rfctl.model.reading import Reading
    from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings


@dataclass(frozen=True, slots=True)
class ChannelTraits:
    """What a generator states of one channel's thermocouple input.

    Attributes:
        temperature_resolution_k: Smallest step of the temperature, K.
        temperature_noise_k: Standard deviation of the temperature at rest, K; not-a-number when not stated.
        thermocouple_lag_s: Time constant of the reading behind the tip, s; not-a-number when not stated.
    """

    temperature_resolution_k: float
    temperature_noise_k: float
    thermocouple_lag_s: float = math.nan


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answered.

    Attributes:
        map_id: Name of the register map it speaks.
        map_version: (major, minor).
        simulated: It says of itself that it is a simulator.
        model: Maker's model name.
        serial: Serial number.
        firmware: Firmware version.
        channels: Number of channels.
        rated_power_w: Rated power of one channel, W.
        reply_ms: The generator's stated maximum time to answer, ms.
        sample_period_ms: Time between its measurements, ms.
        pad_monitored: It has a monitor for the dispersive electrode.
        traits: One entry a channel.
        capabilities: What it can do; what is not there must not be asked of it.
        time_scale: How many times faster than a clock its time runs; other than 1 only in a simulator.
        channel_off: One channel can be turned off while the others go on; without it channels do not heat together.
        calibration_done: The day of its calibration, by its own word; None where it does not tell.
        calibration_due: The last day on which that holds; likewise.
    """

    map_id: int
    map_version: tuple[int, int]
    simulated: bool
    model: str
    serial: str
    firmware: str
    channels: int
    rated_power_w: float
    reply_ms: int
    sample_period_ms: int
    pad_monitored: bool
    traits: tuple[ChannelTraits, ...]
    capabilities: frozenset[Capability]
    time_scale: float = 1.0
    channel_off: bool = False
    calibration_done: date | None = None
    calibration_due: date | None = None


class Reader(Protocol):
    """What an observer may do. Every method raises LinkError or DeviceError."""

    async def identify(self) -> Identity:
        """Read who answers; refuse a map, word order or number format that is not the profile's (WrongDevice)."""
        ...

    async def read(self) -> Reading:
        """One sample of the whole generator, from one consistent answer."""
        ...


class Controller(Reader, Protocol):
    """What a station may do. Every write is read back; a difference raises ReadBackMismatch, a refusal DeviceRefused.

    None of these methods grants anything: without a live permit the link refuses the frame (RefusedError).
    """

    def off_frames(self) -> tuple[bytes, ...]:
        """The frames that turn everything off, the all-channels frame first; asked for once, at load."""
        ...

    def table(self) -> Table:
        """What may be written, for the gate: compiled from the profile, or declared by the driver. Asked for once."""
        ...

    def cycle(self) -> tuple[bytes, ...]:
        """The requests of one control cycle, status and renewal, to know how long they take. After ``identify``."""
        ...

    async def claim(self, session: int) -> None:
        """Take ownership for this session (1 to 65535) and clear what an expired lease left."""
        ...

    async def clear_faults(self) -> None:
        """Clear latched faults, output off; one whose cause is still there stays."""
        ...

    async def release(self) -> None:
        """Give ownership back."""
        ...

    async def renew(self) -> None:
        """Renew the lease. Called only by the code that has just decided."""
        ...

    async def configure_lesion(self, channel: int, settings: LesionSettings) -> None:
        """Write and read back the set points of a lesion, output off. Needs the capability thermal."""
        ...

    async def configure_set_point(self, channel: int, settings: SetPointSettings) -> None:
        """Write and read back what bounds a lesion that the station controls, output off, with its set point at 0.

        Needs the capability of the set point.
        """
        ...

    async def set_voltage(self, channel: int, voltage_v_rms: float) -> None:
        """Set the RF voltage while RF is on, V rms.

        Once a cycle, so the cycle must not become twice as long: read back here only where the status does not hold
        the set point in force. Where it does (ChannelReading.set_point), it is compared with the next sample.
        """
        ...

    async def set_power(self, channel: int, power_w: float) -> None:
        """Set the RF power at the generator's terminals while RF is on, W; read back as ``set_voltage``."""
        ...

    async def lower_power_limit(self, channel: int, power_limit_w: float) -> None:
        """Lower the power limit while RF is on, W at the generator's terminals."""
        ...

    async def arm(self, channel: int) -> int:
        """First act: arm the channel for a lesion. Returns the generator's token, valid once and for 5 s."""
        ...

    async def fire(self, channel: int, token: int) -> None:
        """Second act: RF on."""
        ...

    async def channel_off(self, channel: int) -> None:
        """Turn one channel off and leave the others as they are. Needs ``Identity.channel_off``."""
        ...

    async def configure_stimulation(self, channel: int, settings: StimulationSettings) -> None:
        """Write and read back mode, rate, width and ceiling of the stimulator, output off, its amplitude at 0."""
        ...

    async def start_stimulation(self, channel: int) -> None:
        """Switch the stimulator on, as configured, at amplitude 0."""
        ...

    async def set_amplitude(self, channel: int, amplitude: float) -> None:
        """Set the stimulation amplitude, in the unit of the running setting."""
        ...
