"""What the reference generator's firmware accepts: one rule for each register that can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl_sim.control import LEASE_DEFAULT_MS, ChannelControl, ChannelFault, Control, Lease, Mode, Phase
from rfctl_sim.conventions import Circumstances, Conventions, Reason, Refusal, WrongToken
from rfctl_sim.inputs import EVERY_KEY
from rfctl_sim.output_stage import VOLTAGE_LIMIT_V_RMS

if TYPE_CHECKING:
    from collections.abc import Callable

RATED_POWER_W = 50.0
ARM_TOKEN_NS = 5 * NS_PER_S


# Smallest and largest value; what depends on more than the value is in the rules.
RANGES: dict[str, tuple[float, float]] = {
    "owner": (0, 65535),
    "lease_ms": (100, 1000),
    "lease_clear": (1, 1),
    "fault_clear": (1, 1),
    "command": (0, 2),
    "mode": (0, 7),
    "set_temperature_c": (42.0, 95.0),
    "ramp_c_per_s": (0.1, 10.0),
    "max_on_s": (1.0, 720.0),
    "stimulation_rate_dhz": (20, 2000),
    "stimulation_width_us": (50, 2000),
    "stimulation_limit": (0.0, 10.0),
    "voltage_set_point_v_rms": (0.0, VOLTAGE_LIMIT_V_RMS),
    "pulse_width_us": (1000, 50_000),
    "pulse_rate_dhz": (5, 100),
    "pulse_voltage_v_peak": (1.0, 100.0),
    "pump_flow_ml_min": (0.0, 40.0),
}

# Pulses take at most this share of the time.
PULSE_DUTY_MOST = 0.2


def is_off(name: str, value: float) -> bool:
    """A write that turns off: accepted from anyone, in any state."""
    return name == "all_off" or (name == "command" and value == 0)


def _admit(control: Control, name: str, value: float, at: Circumstances) -> None:
    if control.panel_has_control:
        raise Refusal(Reason.PANEL_HAS_CONTROL)
    if name != "owner":
        _check_owner(control, at)


def _check_owner(control: Control, at: Circumstances) -> None:
    if control.owner == 0 or control.owner_connection != at.connection:
        raise Refusal(Reason.NOT_THE_OWNER)


def _check_lease_not_expired(control: Control) -> None:
    if control.set_points_locked:
        raise Refusal(Reason.LEASE_EXPIRED)


def _check_may_energise(control: Control, channel: ChannelControl) -> None:
    _check_lease_not_expired(control)
    if control.lease is not Lease.RUNNING:
        raise Refusal(Reason.NO_LEASE)
    check_nothing_prevents(control, channel)


def check_nothing_prevents(control: Control, channel: ChannelControl) -> None:
    """Raises Refusal while emergency stop, enable loop or a fault forbid an output."""
    if control.interrupted:
        raise Refusal(Reason.INTERRUPTED)
    if control.fault_bits or channel.fault_bits:
        raise Refusal(Reason.FAULT_PRESENT)


def _check_mode(channel: ChannelControl, *modes: Mode) -> None:
    if channel.mode is Mode.NONE:
        raise Refusal(Reason.MODE_NOT_SET)
    if channel.mode not in modes:
        raise Refusal(Reason.NOT_IN_THIS_MODE)


STIMULATION_MODES = (Mode.STIMULATION_VOLTAGE, Mode.STIMULATION_CURRENT)

# What must have been written before a lesion of each mode is armed.
SET_POINTS = {
    Mode.LESION: ("set_temperature_c", "ramp_c_per_s", "max_on_s", "power_limit_w"),
    Mode.LESION_VOLTAGE: ("max_on_s", "power_limit_w"),
    Mode.LESION_POWER: ("max_on_s", "power_limit_w"),
    Mode.PULSED: (
        *("set_temperature_c", "max_on_s", "power_limit_w"),
        *("pulse_width_us", "pulse_rate_dhz", "pulse_voltage_v_peak"),
    ),
    Mode.COOLED: ("set_temperature_c", "ramp_c_per_s", "max_on_s", "power_limit_w", "pump_flow_ml_min"),
}


def _all_off(control: Control, value: float, at: Circumstances) -> None:
    control.turn_off_all()


def _owner(control: Control, value: float, at: Circumstances) -> None:
    if value == 0:
        _check_owner(control, at)
        control.turn_off_all()
        control.owner = control.owner_connection = 0
    else:
        if control.owner not in {0, value} and control.lease is Lease.RUNNING:
            raise Refusal(Reason.NOT_THE_OWNER)
        control.turn_off_all()
        control.owner, control.owner_connection = int(value), at.connection
        control.lease_ms = LEASE_DEFAULT_MS
    control.lease_counter_free = True
    if control.lease is Lease.RUNNING:
        control.lease = Lease.NONE


def _lease_ms(control: Control, value: float, at: Circumstances) -> None:
    control.lease_ms = int(value)


def _lease_renew(control: Control, value: float, at: Circumstances) -> None:
    _check_lease_not_expired(control)
    if not control.lease_counter_free and value != (control.lease_counter + 1) % 65536:
        raise Refusal(Reason.OUT_OF_RANGE)
    control.lease_counter, control.lease_counter_free = int(value), False
    control.lease = Lease.RUNNING
    control.lease_until_ns = at.now_ns + control.lease_ms * NS_PER_MS


def _lease_clear(control: Control, value: float, at: Circumstances) -> None:
    if control.lease is Lease.EXPIRED:
        control.lease = Lease.NONE


def _fault_clear(control: Control, value: float, at: Circumstances) -> None:
    if control.any_energised:
        raise Refusal(Reason.OUTPUT_IS_ON)
    if not control.set_points_locked:
        control.fault_bits &= at.causes(0)
    for number, channel in enumerate(control.channels, start=1):
        channel.fault_bits &= at.causes(number)


def _command(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    (_off, _arm, _stimulate)[int(value)](control, channel, at)


def _off(control: Control, channel: ChannelControl, at: Circumstances) -> None:
    channel.turn_off()


def _arm(control: Control, channel: ChannelControl, at: Circumstances) -> None:
    _check_may_energise(control, channel)
    if channel.energised or any(other.phase is Phase.STIMULATING for other in control.channels):
        raise Refusal(Reason.OUTPUT_IS_ON)
    _check_mode(channel, *SET_POINTS)
    if None in [getattr(channel, name) for name in SET_POINTS[channel.mode]]:
        raise Refusal(Reason.SET_POINTS_INCOMPLETE)
    if channel.mode is Mode.COOLED:
        number = next(number for number, other in enumerate(control.channels, start=1) if other is channel)
        if not channel.pump_flow_ml_min or at.causes(number) & ChannelFault.COOLING:
            raise Refusal(Reason.FAULT_PRESENT)
    if at.causes(0):
        raise Refusal(Reason.FAULT_PRESENT)
    channel.phase = Phase.ARMED
    channel.arm_token = at.new_token()
    channel.token_until_ns = at.now_ns + ARM_TOKEN_NS


def _stimulate(control: Control, channel: ChannelControl, at: Circumstances) -> None:
    _check_may_energise(control, channel)
    if any(other.phase is not Phase.OFF for other in control.channels):
        raise Refusal(Reason.OUTPUT_IS_ON)
    _check_mode(channel, *STIMULATION_MODES)
    if None in {channel.stimulation_rate_dhz, channel.stimulation_width_us, channel.stimulation_limit}:
        raise Refusal(Reason.SET_POINTS_INCOMPLETE)
    channel.phase = Phase.STIMULATING
    channel.stimulation_amplitude = 0.0


def _fire(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    if channel.phase is not Phase.ARMED:
        raise Refusal(Reason.WRONG_TOKEN if value and value == channel.spent_token else Reason.NOT_ARMED)
    if value != channel.arm_token:
        raise WrongToken
    # Armed means a running lease, no fault and complete set points: what ends one of these disarms.
    energise(channel, at.now_ns)


def energise(channel: ChannelControl, now_ns: int) -> None:
    """RF on. What forbids it has been looked at."""
    channel.phase = Phase.RF_ON
    channel.spent_token, channel.arm_token = channel.arm_token, 0
    channel.timer_until_ns = now_ns + round((channel.max_on_s or 0.0) * NS_PER_S)


def _mode(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_lease_not_expired(control)
    if channel.energised:
        raise Refusal(Reason.OUTPUT_IS_ON)
    channel.set_mode(Mode(int(value)))


def _check_lesion_set_point(control: Control, channel: ChannelControl, name: str) -> None:
    _check_lease_not_expired(control)
    _check_mode(channel, *(mode for mode, names in SET_POINTS.items() if name in names))
    if channel.energised:
        raise Refusal(Reason.OUTPUT_IS_ON)


def _set_temperature(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_lesion_set_point(control, channel, "set_temperature_c")
    channel.set_temperature_c = value


def _ramp(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_lesion_set_point(control, channel, "ramp_c_per_s")
    channel.ramp_c_per_s = value


def _max_on(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_lesion_set_point(control, channel, "max_on_s")
    channel.max_on_s = value


def _power_limit(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    if value <= 0:
        raise Refusal(Reason.OUT_OF_RANGE)
    if value > at.rated_power_w:
        raise Refusal(Reason.ABOVE_THE_RATING)
    may_fall = channel.phase is Phase.RF_ON and channel.power_limit_w is not None and value <= channel.power_limit_w
    if not may_fall:
        _check_lesion_set_point(control, channel, "power_limit_w")
    channel.power_limit_w = value


def _voltage_set_point(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_output_set_point(control, channel, Mode.LESION_VOLTAGE, value)
    channel.voltage_set_point_v_rms = value


def _power_set_point(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    if value < 0.0:
        raise Refusal(Reason.OUT_OF_RANGE)
    if value > at.rated_power_w:
        raise Refusal(Reason.ABOVE_THE_RATING)
    _check_output_set_point(control, channel, Mode.LESION_POWER, value)
    channel.power_set_point_w = value


def _pulse_width(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_lesion_set_point(control, channel, "pulse_width_us")
    _check_duty(value, channel.pulse_rate_dhz)
    channel.pulse_width_us = int(value)


def _pulse_rate(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_lesion_set_point(control, channel, "pulse_rate_dhz")
    _check_duty(channel.pulse_width_us, value)
    channel.pulse_rate_dhz = int(value)


def _check_duty(width_us: float | None, rate_dhz: float | None) -> None:
    if width_us is not None and rate_dhz is not None and width_us * 1e-6 * rate_dhz / 10.0 > PULSE_DUTY_MOST:
        raise Refusal(Reason.OUT_OF_RANGE)


def _pulse_voltage(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_lesion_set_point(control, channel, "pulse_voltage_v_peak")
    channel.pulse_voltage_v_peak = value


def _pump_flow(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_lesion_set_point(control, channel, "pump_flow_ml_min")
    if not channel.cooled_electrode:
        raise Refusal(Reason.ELECTRODE_ABSENT)
    channel.pump_flow_ml_min = value


def _check_output_set_point(control: Control, channel: ChannelControl, mode: Mode, value: float) -> None:
    _check_lease_not_expired(control)
    _check_mode(channel, mode)
    if value > 0.0 and channel.phase is not Phase.RF_ON:
        raise Refusal(Reason.NOT_IN_THIS_MODE)


def _check_stimulation_set_point(control: Control, channel: ChannelControl) -> None:
    _check_lease_not_expired(control)
    _check_mode(channel, *STIMULATION_MODES)
    if channel.energised:
        raise Refusal(Reason.OUTPUT_IS_ON)


def _stimulation_rate(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_stimulation_set_point(control, channel)
    channel.stimulation_rate_dhz = int(value)


def _stimulation_width(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_stimulation_set_point(control, channel)
    channel.stimulation_width_us = int(value)


def _stimulation_limit(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_stimulation_set_point(control, channel)
    channel.stimulation_limit = value


def _stimulation_amplitude(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    _check_lease_not_expired(control)
    if value < 0.0:
        raise Refusal(Reason.OUT_OF_RANGE)
    if value > 0.0 and (channel.phase is not Phase.STIMULATING or channel.stimulation_limit is None):
        raise Refusal(Reason.NOT_IN_THIS_MODE)
    if value > (channel.stimulation_limit or 0.0):
        raise Refusal(Reason.OUT_OF_RANGE)
    channel.stimulation_amplitude = value


GENERATOR_RULES: dict[str, Callable[[Control, float, Circumstances], None]] = {
    "all_off": _all_off,
    "owner": _owner,
    "lease_ms": _lease_ms,
    "lease_renew": _lease_renew,
    "lease_clear": _lease_clear,
    "fault_clear": _fault_clear,
}
CHANNEL_RULES: dict[str, Callable[[Control, ChannelControl, float, Circumstances], None]] = {
    "command": _command,
    "fire": _fire,
    "mode": _mode,
    "set_temperature_c": _set_temperature,
    "ramp_c_per_s": _ramp,
    "max_on_s": _max_on,
    "power_limit_w": _power_limit,
    "stimulation_rate_dhz": _stimulation_rate,
    "stimulation_width_us": _stimulation_width,
    "stimulation_amplitude": _stimulation_amplitude,
    "stimulation_limit": _stimulation_limit,
    "voltage_set_point_v_rms": _voltage_set_point,
    "power_set_point_w": _power_set_point,
    "pulse_width_us": _pulse_width,
    "pulse_rate_dhz": _pulse_rate,
    "pulse_voltage_v_peak": _pulse_voltage,
    "pump_flow_ml_min": _pump_flow,
}

REFERENCE = Conventions(
    rated_power_w=RATED_POWER_W,
    new_control=lambda channels: Control([ChannelControl() for _ in range(channels)]),
    ranges=RANGES,
    generator_rules=GENERATOR_RULES,
    channel_rules=CHANNEL_RULES,
    is_off=is_off,
    admit=_admit,
    keys=EVERY_KEY,
    watches_pad=True,
)
