"""What the firmware remembers: who owns it, its lease, and per channel what is set and what is on."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from enum import IntEnum
from math import ceil

from rfctl.clock import NS_PER_MS

LEASE_DEFAULT_MS = 500

# No deadline: later than any clock shows.
NEVER_NS = 1 << 63


class Mode(IntEnum):
    """Mode of a channel, by its number on the wire."""

    NONE = 0
    STIMULATION_VOLTAGE = 1
    STIMULATION_CURRENT = 2
    LESION = 3
    LESION_VOLTAGE = 4
    LESION_POWER = 5
    PULSED = 6
    COOLED = 7


DEVICE_CONTROLLED = (Mode.LESION, Mode.COOLED)
HOST_CONTROLLED = (Mode.LESION_VOLTAGE, Mode.LESION_POWER)


class Phase(IntEnum):
    """What a channel does."""

    OFF = 0
    ARMED = 1
    RF_ON = 2
    STIMULATING = 3


class Lease(IntEnum):
    """The dead-man timer."""

    NONE = 0
    RUNNING = 1
    EXPIRED = 2


class GeneratorFault(IntEnum):
    """Bits of the generator's fault register."""

    SELF_TEST = 1 << 0
    LEASE_EXPIRED = 1 << 1
    DISPERSIVE_ELECTRODE = 1 << 2
    EMERGENCY_STOP = 1 << 3
    INTERNAL = 1 << 4


class ChannelFault(IntEnum):
    """Bits of a channel's fault register."""

    OVER_TEMPERATURE = 1 << 0
    THERMOCOUPLE_OPEN = 1 << 1
    IMPEDANCE_HIGH = 1 << 2
    IMPEDANCE_LOW = 1 << 3
    LESION_TIMER = 1 << 4
    UNCOMMANDED_RF = 1 << 5
    OVERPOWER = 1 << 6
    PULSE = 1 << 7
    COOLING = 1 << 8


@dataclass(slots=True)
class ChannelControl:
    """One channel as the firmware knows it. A set point is None until it has been written.

    Attributes:
        phase: What it does.
        mode: Mode in force.
        cooled_electrode: The electrode has a coolant, and there is a pump.
        fault_bits: Latched.
        arm_token: Non-zero while armed.
        spent_token: The token that fired last.
        token_until_ns: The arm token is void from here on.
        timer_until_ns: The lesion timer turns RF off here.
        without_thermocouple: RF went on in a mode that needs none, and there was none.
    """

    phase: Phase = Phase.OFF
    mode: Mode = Mode.NONE
    set_temperature_c: float | None = None
    ramp_c_per_s: float | None = None
    max_on_s: float | None = None
    power_limit_w: float | None = None
    stimulation_rate_dhz: int | None = None
    stimulation_width_us: int | None = None
    stimulation_limit: float | None = None
    stimulation_amplitude: float = 0.0
    voltage_set_point_v_rms: float = 0.0
    power_set_point_w: float = 0.0
    pulse_width_us: int | None = None
    pulse_rate_dhz: int | None = None
    pulse_voltage_v_peak: float | None = None
    pump_flow_ml_min: float | None = None
    cooled_electrode: bool = False
    fault_bits: int = 0
    arm_token: int = 0
    spent_token: int = 0
    token_until_ns: int = 0
    timer_until_ns: int = 0
    without_thermocouple: bool = False

    @property
    def energised(self) -> bool:
        """An output of this channel is meant to be on."""
        return self.phase in {Phase.RF_ON, Phase.STIMULATING}

    @property
    def command(self) -> int:
        """The command register: the last accepted command, 0 once its output has ended."""
        return (0, 1, 1, 2)[self.phase]

    def turn_off(self) -> None:
        """End what is on or armed. Settings of a lesion do not outlive an output."""
        if self.energised:
            self.clear_lesion()
        self.phase = Phase.OFF
        self.arm_token = 0
        self.stimulation_amplitude = 0.0

    def disarm(self) -> None:
        """Void what armed it; nothing is on."""
        self.turn_off()

    def clear_lesion(self) -> None:
        """Forget the set points of a lesion."""
        self.set_temperature_c = self.ramp_c_per_s = self.max_on_s = self.power_limit_w = None
        self.voltage_set_point_v_rms = self.power_set_point_w = 0.0
        self.pulse_width_us = self.pulse_rate_dhz = self.pulse_voltage_v_peak = self.pump_flow_ml_min = None

    def set_mode(self, mode: Mode) -> None:
        """Start from nothing in a mode: an armed channel is disarmed, every set point is to be written again."""
        self.turn_off()
        self.clear_lesion()
        self.stimulation_rate_dhz = self.stimulation_width_us = self.stimulation_limit = None
        self.mode = mode


@dataclass(slots=True)
class Control:
    """The whole generator as its firmware knows it.

    Attributes:
        owner: Session number, 0 for none.
        owner_connection: The connection that claimed it.
        lease: State of the dead-man timer.
        lease_ms: Its length.
        lease_counter: Last renewal that was accepted.
        lease_counter_free: The next renewal may be any number.
        lease_until_ns: A running lease ends here.
        fault_bits: Latched faults of the generator.
        last_refusal: Reason of the last refused request.
        interrupted: Emergency stop or enable loop hold the output stage off.
        panel_has_control: A person took control away from every host.
        channels: Channel 1 first.
    """

    channels: list[ChannelControl]
    owner: int = 0
    owner_connection: int = 0
    lease: Lease = Lease.NONE
    lease_ms: int = LEASE_DEFAULT_MS
    lease_counter: int = 0
    lease_counter_free: bool = True
    lease_until_ns: int = 0
    fault_bits: int = 0
    last_refusal: int = 0
    interrupted: bool = False
    panel_has_control: bool = False

    def copy(self) -> Control:
        """A copy to try a request on."""
        other = copy(self)
        other.channels = [copy(channel) for channel in self.channels]
        return other

    def turn_off_all(self) -> None:
        """End every output and disarm every channel."""
        for channel in self.channels:
            channel.turn_off()

    @property
    def any_energised(self) -> bool:
        """Some output is meant to be on."""
        return any(channel.energised for channel in self.channels)

    def disown(self) -> None:
        """Nobody owns it any more: everything off, no lease."""
        self.turn_off_all()
        self.owner = self.owner_connection = 0
        self.lease = Lease.NONE
        self.lease_counter_free = True

    def lease_left_ms(self, now_ns: int) -> int:
        """What the status shows: a lease that runs has 1 ms at least, also one that does not run out when it should."""
        if self.lease is not Lease.RUNNING:
            return 0
        return max(ceil((self.lease_until_ns - now_ns) / NS_PER_MS), 1)

    def end_lease(self) -> None:
        """The lease ran out: everything off, set points read-only until it is acknowledged."""
        if self.any_energised:
            self.fault_bits |= GeneratorFault.LEASE_EXPIRED
        self.turn_off_all()
        self.lease = Lease.EXPIRED
        self.lease_counter_free = True

    # What a make may do in its own way

    @property
    def set_points_locked(self) -> bool:
        """Set points are read-only until somebody acknowledges something."""
        return self.lease is Lease.EXPIRED

    @property
    def own_deadline_ns(self) -> int:
        """When ``run_own_timers`` is due."""
        return NEVER_NS

    def run_own_timers(self, now_ns: int) -> None:
        """Do what is due at ``now_ns`` beside lease, arm tokens and lesion timers."""

    def connection_lost(self, connection: int) -> None:
        """A client is gone. Here outputs go on until the lease runs out."""

    def lock_panel(self, now_ns: int, *, locked: bool) -> None:
        """A person takes control away from every host, or gives it back."""
        if locked and not self.panel_has_control:
            self.disown()
        elif not locked and self.panel_has_control:
            self.turn_off_all()
        self.panel_has_control = locked
