"""What the simulated Kestrel-2 remembers and accepts: REMOTE, its watchdog, and a challenge before RF.

Written from docs/generators/kestrel-2.md; what is not said here is as in rfctl_sim.writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, cast

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl_sim.control import NEVER_NS, ChannelControl, Control, Lease, Mode, Phase
from rfctl_sim.conventions import Circumstances, Conventions, Reason, Refusal, WrongToken
from rfctl_sim.writes import CHANNEL_RULES, GENERATOR_RULES

if TYPE_CHECKING:
    from rfctl_sim.conventions import ChannelRule, GeneratorRule

RATED_POWER_W = 40.0
WATCHDOG_NS = NS_PER_S
GRANT_NS = 200 * NS_PER_MS
REQUEST_NS = NS_PER_S  # after which a request falls
RESPONSE_MASK = 0xA5A5

MODES = (Mode.NONE, Mode.LESION, Mode.STIMULATION_VOLTAGE, Mode.STIMULATION_CURRENT)
"""By their numbers in the manual."""


class Remote(IntEnum):
    """Who has the say: the panel or a connection."""

    LOCAL = 0
    REQUESTED = 1
    GRANTED = 2


@dataclass(slots=True)
class KestrelChannel(ChannelControl):
    """One channel.

    Attributes:
        unlocked: The challenge was answered.
    """

    unlocked: bool = False

    def turn_off(self) -> None:
        ChannelControl.turn_off(self)
        self.unlocked = False


@dataclass(slots=True)
class KestrelControl(Control):
    """The whole machine. ``owner`` and ``owner_connection`` are the connection that REMOTE is granted to.

    Attributes:
        remote: Where the panel stands.
        asking: The connection that requested REMOTE and has not got it yet.
        asked_ns: When it did.
        panel_locked: The operator grants nothing.
        watchdog: The value written last.
    """

    remote: Remote = Remote.LOCAL
    asking: int = 0
    asked_ns: int = 0
    panel_locked: bool = False
    watchdog: int = 0

    @property
    def set_points_locked(self) -> bool:
        return False

    @property
    def own_deadline_ns(self) -> int:
        if self.remote is not Remote.REQUESTED:
            return NEVER_NS
        return self.asked_ns + (REQUEST_NS if self.panel_locked else GRANT_NS)

    def run_own_timers(self, now_ns: int) -> None:
        if now_ns < self.own_deadline_ns:
            return
        if self.panel_locked:
            self.local()
        else:
            self.remote, self.owner, self.owner_connection = Remote.GRANTED, self.asking, self.asking

    def local(self) -> None:
        """The panel has the say again: everything off, no watchdog."""
        self.turn_off_all()
        self.remote = Remote.LOCAL
        self.asking = self.owner = self.owner_connection = 0
        self.lease = Lease.NONE

    def disown(self) -> None:
        self.local()

    def connection_lost(self, connection: int) -> None:
        if connection in {self.owner_connection, self.asking} and self.remote is not Remote.LOCAL:
            self.local()

    def lock_panel(self, now_ns: int, *, locked: bool) -> None:
        self.panel_locked = locked
        if locked and self.remote is Remote.GRANTED:
            self.local()
        self.run_own_timers(now_ns)


def _memory(control: Control) -> KestrelControl:
    return cast("KestrelControl", control)


def is_off(name: str, value: float) -> bool:
    """A write that turns off: accepted from anyone, in any state."""
    return name == "all_off" or (name in {"rf_enable", "stimulation_enable"} and value == 0)


def _admit(control: Control, name: str, value: float, at: Circumstances) -> None:
    memory = _memory(control)
    if name == "remote_request" and (value or at.connection == memory.asking):
        return
    if memory.remote is not Remote.GRANTED or memory.owner_connection != at.connection:
        raise Refusal(Reason.NOT_THE_OWNER)


def _remote_request(control: Control, value: float, at: Circumstances) -> None:
    memory = _memory(control)
    if not value:
        memory.local()
        return
    if memory.remote is not Remote.LOCAL and at.connection in {memory.owner_connection, memory.asking}:
        return
    if memory.remote is Remote.GRANTED and memory.lease is Lease.RUNNING:
        raise Refusal(Reason.NOT_THE_OWNER)
    memory.local()
    memory.remote, memory.asking, memory.asked_ns = Remote.REQUESTED, at.connection, at.now_ns


def _watchdog(control: Control, value: float, at: Circumstances) -> None:
    memory = _memory(control)
    memory.watchdog = int(value)
    memory.lease = Lease.RUNNING
    memory.lease_until_ns = at.now_ns + WATCHDOG_NS


def _fault_reset(control: Control, value: float, at: Circumstances) -> None:
    if value:
        GENERATOR_RULES["fault_clear"](control, value, at)


def _mode(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    CHANNEL_RULES["mode"](control, channel, MODES[int(value)], at)


def _arm(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    CHANNEL_RULES["command"](control, channel, 1, at)
    cast("KestrelChannel", channel).unlocked = False


def _response(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    if channel.phase is not Phase.ARMED:
        raise Refusal(Reason.NOT_ARMED)
    if value != channel.arm_token ^ RESPONSE_MASK:
        raise WrongToken
    cast("KestrelChannel", channel).unlocked = True


def _rf_enable(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    if not value:
        channel.turn_off()
    elif channel.phase is not Phase.RF_ON:
        if not cast("KestrelChannel", channel).unlocked:
            raise Refusal(Reason.NOT_ARMED)
        CHANNEL_RULES["fire"](control, channel, channel.arm_token, at)
        cast("KestrelChannel", channel).unlocked = False


def _stimulation_enable(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    if not value:
        channel.turn_off()
    elif channel.phase is not Phase.STIMULATING:
        CHANNEL_RULES["command"](control, channel, 2, at)


def _stimulation_rate(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
    CHANNEL_RULES["stimulation_rate_dhz"](control, channel, 10 * value, at)


def _only_in(mode: Mode, rule: str) -> ChannelRule:
    """A set point that each of two modes has a register of its own for."""

    def judge(control: Control, channel: ChannelControl, value: float, at: Circumstances) -> None:
        if channel.mode is not mode:
            raise Refusal(Reason.NOT_IN_THIS_MODE)
        CHANNEL_RULES[rule](control, channel, value, at)

    return judge


RANGES: dict[str, tuple[float, float]] = {
    "mode": (0, 3),
    "set_temperature": (42.0, 90.0),
    "ramp": (0.1, 5.0),
    "time_limit": (1.0, 720.0),
    "arm": (1, 1),
    "stimulation_rate": (2, 200),
    "stimulation_width": (50, 2000),
    "volts_limit": (0.0, 10.0),
    "volts": (0.0, 10.0),
    "milliamps_limit": (0.0, 10.0),
    "milliamps": (0.0, 10.0),
}

WHOLE: dict[str, GeneratorRule] = {
    "all_off": GENERATOR_RULES["all_off"],
    "remote_request": _remote_request,
    "fault_reset": _fault_reset,
    "watchdog": _watchdog,
}
CHANNEL: dict[str, ChannelRule] = {
    "rf_enable": _rf_enable,
    "stimulation_enable": _stimulation_enable,
    "mode": _mode,
    "set_temperature": CHANNEL_RULES["set_temperature_c"],
    "ramp": CHANNEL_RULES["ramp_c_per_s"],
    "time_limit": CHANNEL_RULES["max_on_s"],
    "power_limit": CHANNEL_RULES["power_limit_w"],
    "arm": _arm,
    "response": _response,
    "stimulation_rate": _stimulation_rate,
    "stimulation_width": CHANNEL_RULES["stimulation_width_us"],
    "volts_limit": _only_in(Mode.STIMULATION_VOLTAGE, "stimulation_limit"),
    "volts": _only_in(Mode.STIMULATION_VOLTAGE, "stimulation_amplitude"),
    "milliamps_limit": _only_in(Mode.STIMULATION_CURRENT, "stimulation_limit"),
    "milliamps": _only_in(Mode.STIMULATION_CURRENT, "stimulation_amplitude"),
}

KESTREL = Conventions(
    rated_power_w=RATED_POWER_W,
    new_control=lambda channels: KestrelControl([KestrelChannel() for _ in range(channels)]),
    ranges=RANGES,
    generator_rules=WHOLE,
    channel_rules=CHANNEL,
    is_off=is_off,
    admit=_admit,
    keys=frozenset({"emergency_stop", "power", "remote"}),
)
