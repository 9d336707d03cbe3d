"""What the simulated Orrin V remembers and accepts: one control word, a lease by a key, an access code written twice.

Written from docs/generators/orrin-v.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl_sim.control import ChannelControl, Control, Lease, Mode, Phase
from rfctl_sim.conventions import Circumstances, Conventions, Reason, Refusal, WrongToken

if TYPE_CHECKING:
    from rfctl_sim.conventions import ChannelRule, GeneratorRule

RATED_POWER_W = 30.0
LEASE_KEY, LEASE_NS = 0x5AA5, 400 * NS_PER_MS
ACCESS_CODE, ACCESS_NS = 0x4F52, NS_PER_S
ARMED_NS = 5 * NS_PER_S
OFF, ENABLED, RF, STIMULATION, RESET = 0, 1, 3, 5, 8
"""The control word."""


@dataclass(slots=True)
class OrrinChannel(ChannelControl):
    """The one channel.

    Attributes:
        enabled: The output stage is enabled.
        access_until_ns: The access code was written once; the second time is due before this.
    """

    enabled: bool = False
    access_until_ns: int = 0

    def turn_off(self) -> None:
        ChannelControl.turn_off(self)
        self.enabled = False
        self.access_until_ns = 0
        self.voltage_set_point_v_rms = 0.0

    def disarm(self) -> None:
        self.phase = Phase.OFF
        self.arm_token = self.access_until_ns = 0

    @property
    def word(self) -> int:
        """The control word in force."""
        if self.energised:
            return RF if self.phase is Phase.RF_ON else STIMULATION
        return ENABLED if self.enabled else OFF


@dataclass(slots=True)
class OrrinControl(Control):
    """The whole machine. ``owner`` and ``owner_connection`` are the connection that holds the lease."""

    @property
    def set_points_locked(self) -> bool:
        return False

    def end_lease(self) -> None:
        Control.end_lease(self)
        self.owner = self.owner_connection = 0


def _channel(channel: ChannelControl) -> OrrinChannel:
    return cast("OrrinChannel", channel)


def is_off(name: str, value: float) -> bool:
    """A write that turns off: accepted from anyone, in any state."""
    return name == "control" and value == OFF


def _admit(control: Control, name: str, value: float, at: Circumstances) -> None:
    if control.lease is Lease.RUNNING and control.owner_connection != at.connection:
        raise Refusal(Reason.NOT_THE_OWNER)


def _accepted(control: Control, name: str) -> None:
    # The code counts twice only when nothing but renewals stands between.
    if name not in {"access", "lease"}:
        _channel(control.channels[0]).access_until_ns = 0


def _lease(control: Control, value: float, at: Circumstances) -> None:
    if value == LEASE_KEY:
        control.lease = Lease.RUNNING
        control.owner = control.owner_connection = at.connection
        control.lease_until_ns = at.now_ns + LEASE_NS
    elif value != 0:
        raise Refusal(Reason.OUT_OF_RANGE)
    elif control.lease is Lease.RUNNING:
        control.turn_off_all()
        control.lease = Lease.NONE
        control.owner = control.owner_connection = 0


def _control_word(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    orrin = _channel(channel)
    if value not in WORDS:
        raise Refusal(Reason.OUT_OF_RANGE)
    if value in {OFF, RESET} or value != orrin.word:
        WORDS[int(value)](control, orrin, at)


def _off(control: Control, channel: OrrinChannel, at: Circumstances) -> None:
    channel.turn_off()


def _enable(control: Control, channel: OrrinChannel, at: Circumstances) -> None:
    if channel.energised:
        channel.turn_off()
    else:
        _check_may_energise(control, channel)
    channel.enabled = True


def _check_may_energise(control: Control, channel: OrrinChannel) -> None:
    if control.lease is not Lease.RUNNING:
        raise Refusal(Reason.NO_LEASE)
    if control.fault_bits or channel.fault_bits:
        raise Refusal(Reason.FAULT_PRESENT)


def _rf(control: Control, channel: OrrinChannel, at: Circumstances) -> None:
    if channel.phase is not Phase.ARMED:
        raise Refusal(Reason.NOT_ARMED)
    if channel.voltage_set_point_v_rms:
        raise Refusal(Reason.SET_POINTS_INCOMPLETE)
    # Armed means a running lease, no fault and complete set points: what ends one of these disarms.
    channel.phase = Phase.RF_ON
    channel.arm_token = 0
    channel.timer_until_ns = at.now_ns + round((channel.max_on_s or 0.0) * NS_PER_S)


def _stimulate(control: Control, channel: OrrinChannel, at: Circumstances) -> None:
    if channel.word != ENABLED or channel.phase is Phase.ARMED:
        raise Refusal(Reason.NOT_ARMED)
    if None in {channel.stimulation_rate_dhz, channel.stimulation_width_us, channel.stimulation_limit}:
        raise Refusal(Reason.SET_POINTS_INCOMPLETE)
    channel.mode = Mode.STIMULATION_VOLTAGE
    channel.phase = Phase.STIMULATING
    channel.stimulation_amplitude = 0.0


def _reset(control: Control, channel: OrrinChannel, at: Circumstances) -> None:
    if channel.energised:
        raise Refusal(Reason.OUTPUT_IS_ON)
    channel.turn_off()
    control.fault_bits &= at.causes(0)
    channel.fault_bits &= at.causes(1)


WORDS = {OFF: _off, ENABLED: _enable, RF: _rf, STIMULATION: _stimulate, RESET: _reset}


def _access(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    orrin = _channel(channel)
    if value != ACCESS_CODE:
        raise WrongToken(Reason.OUT_OF_RANGE)
    if orrin.word != ENABLED:
        raise Refusal(Reason.NOT_ARMED)
    if orrin.power_limit_w is None or orrin.max_on_s is None:
        raise Refusal(Reason.SET_POINTS_INCOMPLETE)
    if at.now_ns >= orrin.access_until_ns:
        orrin.access_until_ns = at.now_ns + ACCESS_NS
        return
    orrin.mode = Mode.LESION_VOLTAGE
    orrin.phase = Phase.ARMED
    orrin.access_until_ns = 0
    orrin.token_until_ns = at.now_ns + ARMED_NS


def _set_voltage(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    channel.voltage_set_point_v_rms = value


def _power_limit(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    if channel.phase is Phase.RF_ON and value > (channel.power_limit_w or 0.0):
        raise Refusal(Reason.OUTPUT_IS_ON)
    channel.power_limit_w = value


def _time_limit(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    if channel.phase is Phase.RF_ON:
        raise Refusal(Reason.OUTPUT_IS_ON)
    channel.max_on_s = value


def _check_not_stimulating(channel: ChannelControl) -> None:
    if channel.phase is Phase.STIMULATING:
        raise Refusal(Reason.OUTPUT_IS_ON)


def _stimulation_width(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_not_stimulating(channel)
    channel.stimulation_width_us = int(value)


def _stimulation_rate(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_not_stimulating(channel)
    rate_dhz = round(10 * value, 3)
    if rate_dhz % 1:
        raise Refusal(Reason.OUT_OF_RANGE)
    channel.stimulation_rate_dhz = int(rate_dhz)


def _stimulation_limit(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_not_stimulating(channel)
    channel.stimulation_limit = value


def _stimulation_amplitude(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    if value > (channel.stimulation_limit or 0.0):
        raise Refusal(Reason.OUT_OF_RANGE)
    if value and channel.phase is not Phase.STIMULATING:
        raise Refusal(Reason.NOT_IN_THIS_MODE)
    channel.stimulation_amplitude = value


RANGES: dict[str, tuple[float, float]] = {
    "set_voltage": (0.0, 120.0),
    "power_limit": (0.001, RATED_POWER_W),
    "time_limit": (1.0, 720.0),
    "stimulation_width": (50, 2000),
    "stimulation_rate": (2.0, 200.0),
    "stimulation_limit": (0.0, 10.0),
    "stimulation_amplitude": (0.0, 10.0),
}
WHOLE: dict[str, GeneratorRule] = {"lease": _lease}
CHANNEL: dict[str, ChannelRule] = {
    "control": _control_word,
    "access": _access,
    "set_voltage": _set_voltage,
    "power_limit": _power_limit,
    "time_limit": _time_limit,
    "stimulation_width": _stimulation_width,
    "stimulation_rate": _stimulation_rate,
    "stimulation_limit": _stimulation_limit,
    "stimulation_amplitude": _stimulation_amplitude,
}

ORRIN = Conventions(
    rated_power_w=RATED_POWER_W,
    new_control=lambda channels: OrrinControl([OrrinChannel() for _ in range(channels)]),
    ranges=RANGES,
    generator_rules=WHOLE,
    channel_rules=CHANNEL,
    is_off=is_off,
    admit=_admit,
    keys=frozenset({"power"}),
    accepted=_accepted,
)
