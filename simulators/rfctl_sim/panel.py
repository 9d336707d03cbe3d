"""What people do at a generator: emergency stop, footswitch, keys and knobs of the panel, the mains switch.

What each does is told in docs/protocols/modbus.md, under *People at the generator*.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS
from rfctl.errors import ConfigError
from rfctl_sim.control import NEVER_NS, Mode, Phase
from rfctl_sim.conventions import Refusal
from rfctl_sim.firmware import RestartCause
from rfctl_sim.inputs import BOOT_MS
from rfctl_sim.writes import RANGES, RATED_POWER_W, check_nothing_prevents, energise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rfctl_sim.control import Control
    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.generator import Generator

# What a start at the panel goes by where nobody has set anything else.
PANEL_SETTINGS = {"set_temperature_c": 60.0, "ramp_c_per_s": 1.0, "max_on_s": 60.0, "power_limit_w": 10.0}

# The deeds as the back door takes them, by the key of the machine that each needs.
EXAMPLES = {
    "emergency_stop": '{"press": "emergency_stop"}, {"release": "emergency_stop"}',
    "enable_loop": '{"enable_loop": "open"}, {"enable_loop": "closed"}',
    "footswitch": '{"press": "footswitch"}, {"release": "footswitch"}',
    "knob": '{"knob": "set_temperature_c", "channel": 1, "value": 85}',
    "power": '{"power": "off"}, {"power": "on"}, {"power": "cycle"}',
    "remote": '{"remote": "locked"}, {"remote": "free"}',
    "start": '{"press": "start", "channel": 1}',
    "stop": '{"press": "stop"}',
}

# These act on the hardware, whether a firmware runs or not.
WIRED = frozenset({"emergency_stop", "enable_loop", "power"})

KNOBS = {
    "set_temperature_c": RANGES["set_temperature_c"],
    "power_limit_w": (0.1, RATED_POWER_W),
    "stimulation_amplitude": (0.0, 10.0),
}


class Panel:
    """A person's hands and feet at one generator."""

    def __init__(self, generator: Generator, effects: WireEffects) -> None:
        self._generator = generator
        self._effects = effects
        self._by_foot: set[int] = set()

    def do(self, deed: Mapping[str, object], now_ns: int) -> None:
        """Do one thing. What the state of the machine does not allow does nothing, and the log has the reason.

        Args:
            deed: As in EXAMPLES.
            now_ns: The instant, to which the generator has been brought.

        Raises:
            ConfigError: No such deed, no such key on this machine, or no such channel or value.
        """
        generator = self._generator
        key, act = self._understood(deed)
        if key not in generator.firmware.conventions.keys:
            raise self._no_such_key(deed)
        generator.events.add(now_ns, "panel", **{name: str(value) for name, value in deed.items()})
        running = generator.inputs.powered and now_ns >= self._effects.booting_until_ns and not generator.effects.hung
        if key in WIRED or running:
            try:
                act(now_ns)
            except Refusal as refusal:
                generator.events.add(now_ns, "panel_refused", reason=refusal.reason.name.lower())

    def _understood(self, deed: Mapping[str, object]) -> tuple[str, Callable[[int], None]]:
        """The key of the machine that a deed needs, and the deed."""
        match tuple(sorted(deed.items(), key=lambda item: item[0])):
            case ((("press" | "release") as verb, "emergency_stop"),):
                return "emergency_stop", partial(self._set_input, "emergency_stop", verb == "press")
            case (("enable_loop", ("open" | "closed") as state),):
                return "enable_loop", partial(self._set_input, "enable_open", state == "open")
            case (("press", "footswitch"),):
                return "footswitch", self._foot_down
            case (("release", "footswitch"),):
                return "footswitch", self._foot_up
            case (("press", "stop"),):
                return "stop", partial(self._by_hand, lambda control: control.turn_off_all())
            case (("channel", number), ("press", "start")):
                return "start", partial(self._start, self._channel(number))
            case (("channel", number), ("knob", str(name)), ("value", value)):
                return "knob", partial(self._by_hand, _turn(self._channel(number), *_knob(name, value)))
            case (("remote", ("locked" | "free") as state),):
                return "remote", partial(self._lock, state == "locked")
            case (("power", "off"),):
                return "power", self._power_off
            case (("power", "on"),):
                return "power", self._power_on
            case (("power", "cycle"),):
                return "power", self._power_cycle
        raise self._no_such_key(deed)

    def _no_such_key(self, deed: Mapping[str, object]) -> ConfigError:
        there = sorted(self._generator.firmware.conventions.keys)
        return ConfigError(
            f"no such key on the panel: {dict(deed)}",
            remedy=f"POST one of {'; '.join(EXAMPLES[key] for key in there)}.",
        )

    def _channel(self, number: object) -> int:
        channels = len(self._generator.channels)
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= channels:
            raise ConfigError(f"no channel {number!r} at the panel", remedy=f"There are channels 1 to {channels}.")
        return number

    def _by_hand(self, deed: Callable[[Control], None], now_ns: int) -> None:
        self._generator.firmware.by_hand(deed, now_ns)

    def _lock(self, locked: bool, now_ns: int) -> None:
        self._by_hand(lambda control: control.lock_panel(now_ns, locked=locked), now_ns)

    def _set_input(self, name: str, value: bool, now_ns: int) -> None:
        setattr(self._generator.inputs, name, value)
        self._generator.interrupt(now_ns)

    def _foot_down(self, now_ns: int) -> None:
        self._generator.inputs.footswitch = True

        def fire(control: Control) -> None:
            for number, channel in enumerate(control.channels, start=1):
                if channel.phase is Phase.ARMED:
                    self._by_foot.add(number)
                    energise(channel, now_ns)

        self._by_hand(fire, now_ns)

    def _foot_up(self, now_ns: int) -> None:
        self._generator.inputs.footswitch = False

        def end(control: Control) -> None:
            for number in self._by_foot:
                control.channels[number - 1].turn_off()

        self._by_hand(end, now_ns)
        self._by_foot.clear()

    def _start(self, number: int, now_ns: int) -> None:
        def start(control: Control) -> None:
            channel = control.channels[number - 1]
            check_nothing_prevents(control, channel)
            held = {name: getattr(channel, name) for name in PANEL_SETTINGS if channel.mode is Mode.LESION}
            control.lock_panel(now_ns, locked=True)
            channel.set_mode(Mode.LESION)
            for name, usual in PANEL_SETTINGS.items():
                setattr(channel, name, held.get(name) or usual)
            energise(channel, now_ns)

        self._by_hand(start, now_ns)

    def _power_off(self, now_ns: int) -> None:
        generator = self._generator
        generator.inputs.powered = False
        generator.interrupt(now_ns)
        self._by_hand(lambda control: control.disown(), now_ns)
        self._effects.booting_until_ns = NEVER_NS
        self._by_foot.clear()

    def _power_on(self, now_ns: int) -> None:
        generator = self._generator
        if not generator.inputs.powered:
            generator.inputs.powered = True
            generator.interrupt(now_ns)
            generator.restart(now_ns, RestartCause.POWER)
            self._effects.booting_until_ns = now_ns + BOOT_MS * NS_PER_MS

    def _power_cycle(self, now_ns: int) -> None:
        self._power_off(now_ns)
        self._power_on(now_ns)


def _knob(name: str, value: object) -> tuple[str, float]:
    """A knob and what it is turned to, both checked. Raises ConfigError."""
    if name not in KNOBS:
        raise ConfigError(f"no knob named {name!r}", remedy=f"There are {', '.join(KNOBS)}.")
    low, high = KNOBS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f"{name} turned to {value!r}", remedy=f"It goes from {low:g} to {high:g}.")
    return name, float(value)


def _turn(number: int, name: str, value: float) -> Callable[[Control], None]:
    return lambda control: setattr(control.channels[number - 1], name, value)
