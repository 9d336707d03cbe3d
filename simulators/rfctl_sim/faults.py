"""The faults that can be injected, by name, and their start and end."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError
from rfctl_sim.control import ChannelFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rfctl.clock import Clock
    from rfctl_sim.fault_effects import ChannelEffects, WireEffects
    from rfctl_sim.generator import Generator

Parameter = bool | float | str
Parameters = dict[str, Parameter]


@dataclass(frozen=True, slots=True)
class Number:
    """A parameter that is a number.

    Attributes:
        default: When not given.
        low: Smallest.
        high: Largest.
    """

    default: float
    low: float
    high: float

    def accept(self, given: object) -> float:
        """The value given, within its bounds; ValueError says what is wrong."""
        if isinstance(given, bool) or not isinstance(given, int | float) or not self.low <= given <= self.high:
            raise ValueError(f"a number from {self.low:g} to {self.high:g}")
        return float(given)


@dataclass(frozen=True, slots=True)
class Flag:
    """A parameter that is true or false."""

    default: bool

    def accept(self, given: object) -> bool:
        """The value given; ValueError says what is wrong."""
        if not isinstance(given, bool):
            raise ValueError("true or false")
        return given


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter that is one of a few names."""

    default: str
    valid: tuple[str, ...]

    def accept(self, given: object) -> str:
        """The value given; ValueError says what is wrong."""
        if not isinstance(given, str) or given not in self.valid:
            raise ValueError(f"one of {', '.join(self.valid)}")
        return given


Kind = Number | Flag | Name


@dataclass(frozen=True, slots=True)
class ChannelFaultKind:
    """A fault of one channel: as long as it is active, its effects are in force.

    Attributes:
        parameters: What can be given beside the channel.
        apply: Puts it in force.
        unseen_bits: What the firmware's own safety does not look for while ``firmware_blind`` is true.
    """

    parameters: Mapping[str, Kind]
    apply: Callable[[ChannelEffects, Parameters], None]
    unseen_bits: int


def _number(parameters: Parameters, name: str) -> float:
    value = parameters[name]
    assert isinstance(value, float)  # noqa: S101  Number.accept gave it
    return value


def _thermocouple_open(effects: ChannelEffects, parameters: Parameters) -> None:
    effects.thermocouple_open = True


def _over_temperature(effects: ChannelEffects, parameters: Parameters) -> None:
    effects.temperature_offset_k = _number(parameters, "kelvin")


def _impedance(effects: ChannelEffects, parameters: Parameters) -> None:
    effects.load_ohm = _number(parameters, "ohm")


def _power_over_limit(effects: ChannelEffects, parameters: Parameters) -> None:
    effects.overpower_w = _number(parameters, "power_w")


def _ignore_off(effects: ChannelEffects, parameters: Parameters) -> None:
    effects.stuck_on = True


def _rf_without_command(effects: ChannelEffects, parameters: Parameters) -> None:
    effects.self_on_w = _number(parameters, "power_w")


# So that the host's interlock is what a test measures, the firmware's own safety does not see an injected fault unless
# it is told to.
BLIND: dict[str, Kind] = {"firmware_blind": Flag(default=True)}

CHANNEL_FAULTS = {
    "thermocouple_open": ChannelFaultKind(BLIND, _thermocouple_open, ChannelFault.THERMOCOUPLE_OPEN),
    "over_temperature": ChannelFaultKind(
        {"kelvin": Number(20.0, -200.0, 1000.0), **BLIND}, _over_temperature, ChannelFault.OVER_TEMPERATURE
    ),
    "impedance": ChannelFaultKind(
        {"ohm": Number(5000.0, 1.0, 1e6), **BLIND},
        _impedance,
        ChannelFault.IMPEDANCE_HIGH | ChannelFault.IMPEDANCE_LOW,
    ),
    "power_over_limit": ChannelFaultKind(
        {"power_w": Number(25.0, 0.1, 100.0), **BLIND}, _power_over_limit, ChannelFault.OVERPOWER
    ),
    "ignore_off": ChannelFaultKind(BLIND, _ignore_off, ChannelFault.UNCOMMANDED_RF),
    "rf_without_command": ChannelFaultKind(
        {"power_w": Number(5.0, 0.1, 100.0), **BLIND}, _rf_without_command, ChannelFault.UNCOMMANDED_RF
    ),
}

SECONDS: dict[str, Kind] = {"seconds": Number(2.0, 0.001, 86_400.0)}

REGISTER = Name("", ())
"""Valid are the registers of the machine in question."""

GENERATOR_FAULTS: dict[str, Mapping[str, Kind]] = {
    "counter_frozen": {},
    "lease_dead": {},
    "no_reply": SECONDS,
    "refuse_write": {"register": REGISTER},
    "socket_cut": SECONDS,
    "unit_dead": {},
    "wrong_map_id": {},
}

NAMES = tuple(sorted((*CHANNEL_FAULTS, *GENERATOR_FAULTS)))


@dataclass(frozen=True, slots=True)
class Active:
    """A fault in force.

    Attributes:
        name: Of the fault.
        channel: Number from 1; 0 for a fault of the generator.
        parameters: As given and defaulted.
        until_ns: It ends by itself here; None when it lasts until it is cleared.
    """

    name: str
    channel: int
    parameters: Parameters
    until_ns: int | None


class Cuttable(Protocol):
    """What a fault does to the way that clients come by."""

    def cut(self, for_s: float | None) -> None:
        """Take it away, for so many seconds or until ``restore``."""
        ...

    def restore(self) -> None:
        """Put it back."""
        ...


class Faults:
    """Starts and clears faults. Power, temperatures and loads are as in the output stage: power in the tissue."""

    def __init__(
        self, generator: Generator, effects: WireEffects, face: Cuttable, clock: Clock, registers: tuple[str, ...]
    ) -> None:
        """Nothing is wrong yet.

        Args:
            generator: Whose faults these are.
            effects: What its clients see.
            face: The way that they come by.
            clock: Of the running loop.
            registers: What can be written, by name; the power limit is the default of ``refuse_write``.
        """
        self._generator = generator
        self._effects = effects
        self._face = face
        self._clock = clock
        self._register = Name(next(name for name in registers if name.startswith("power_limit")), registers)
        self._active: dict[tuple[str, int], Active] = {}

    def active(self) -> list[Active]:
        """The faults in force now, in the order of their start."""
        now_ns = self._clock.monotonic_ns()
        return [fault for fault in self._active.values() if fault.until_ns is None or now_ns < fault.until_ns]

    def start(self, name: str, /, channel: int | None = None, **parameters: object) -> None:
        """Start a fault, or start it anew with other parameters.

        Args:
            name: One of NAMES.
            channel: Number from 1, the first by default; only for a fault of a channel.
            parameters: As the fault takes them; each has a default.

        Raises:
            ConfigError: Unknown name, channel or parameter, or a value out of bounds.
        """
        number = self._channel_of(name, channel)
        kinds = CHANNEL_FAULTS[name].parameters if name in CHANNEL_FAULTS else GENERATOR_FAULTS[name]
        kinds = {key: self._register if kind is REGISTER else kind for key, kind in kinds.items()}
        accepted = _accepted(name, kinds, parameters)
        now_ns = self._now()
        until_ns = now_ns + round(_number(accepted, "seconds") * NS_PER_S) if "seconds" in accepted else None
        self._generator.events.add(now_ns, "fault_started", name=name, channel=number, **accepted)
        fault = Active(name, number, accepted, until_ns)
        if name == "lease_dead":
            self._generator.firmware.end_lease(now_ns)
            return
        self._active.pop((name, number), None)
        self._active[name, number] = fault
        if number:
            self._put_in_force(number, now_ns)
        else:
            self._start_on_wire(fault, now_ns)

    def clear(self, name: str, /, channel: int | None = None) -> None:
        """End a fault; on every channel when none is given. One that is not in force may be cleared.

        Raises:
            ConfigError: Unknown name or channel.
        """
        if channel is not None:
            self._channel_of(name, channel)
        _check_name(name)
        now_ns = self._now()
        for fault in [f for f in self._active.values() if f.name == name and channel in {None, f.channel}]:
            del self._active[name, fault.channel]
            self._generator.events.add(now_ns, "fault_cleared", name=name, channel=fault.channel)
            if fault.channel:
                self._put_in_force(fault.channel, now_ns)
            else:
                self._end_on_wire(name)

    def _now(self) -> int:
        now_ns = self._clock.monotonic_ns()
        self._generator.advance_to(now_ns)
        return now_ns

    def _channel_of(self, name: str, channel: object) -> int:
        _check_name(name)
        if name in GENERATOR_FAULTS:
            if channel is not None:
                raise ConfigError(
                    f"the fault {name} is the whole generator's, not one channel's", remedy="Leave it out."
                )
            return 0
        channels = len(self._generator.channels)
        number = 1 if channel is None else channel
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= channels:
            raise ConfigError(
                f"no channel {number!r} for the fault {name}", remedy=f"There are channels 1 to {channels}."
            )
        return number

    def _put_in_force(self, number: int, now_ns: int) -> None:
        """Make a channel's effects what its active faults say, at once."""
        channel = self._generator.channels[number - 1]
        effects = channel.effects
        effects.reset()
        for fault in self._active.values():
            if fault.channel == number:
                kind = CHANNEL_FAULTS[fault.name]
                kind.apply(effects, fault.parameters)
                if fault.parameters["firmware_blind"]:
                    effects.unseen_bits |= kind.unseen_bits
        channel.stage.settle(now_ns)
        channel.measure(self._generator.firmware.sample_counter(now_ns))

    def _start_on_wire(self, fault: Active, now_ns: int) -> None:
        effects = self._effects
        if fault.name == "counter_frozen":
            effects.frozen_ns = now_ns
        elif fault.name == "unit_dead":
            effects.dead = True
        elif fault.name == "no_reply":
            effects.silent_until_ns = fault.until_ns or 0
        elif fault.name == "refuse_write":
            effects.refused_register = str(fault.parameters["register"])
        elif fault.name == "wrong_map_id":
            effects.wrong_map_id = True
        else:
            self._face.cut(_number(fault.parameters, "seconds"))

    def _end_on_wire(self, name: str) -> None:
        effects = self._effects
        if name == "counter_frozen":
            effects.frozen_ns = None
        elif name == "unit_dead":
            effects.dead = False
        elif name == "no_reply":
            effects.silent_until_ns = 0
        elif name == "refuse_write":
            effects.refused_register = None
        elif name == "wrong_map_id":
            effects.wrong_map_id = False
        else:
            self._face.restore()


def _check_name(name: object) -> None:
    if name not in NAMES:
        near = difflib.get_close_matches(str(name), NAMES, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise ConfigError(f"no fault named {name!r}", remedy=f"{hint}Valid: {', '.join(NAMES)}.")


def _accepted(name: str, kinds: Mapping[str, Kind], given: Mapping[str, object]) -> Parameters:
    for parameter in given:
        if parameter not in kinds:
            valid = ", ".join(kinds) or "none"
            raise ConfigError(f"the fault {name} has no parameter {parameter!r}", remedy=f"Valid: {valid}.")
    accepted: Parameters = {}
    for parameter, kind in kinds.items():
        value = given.get(parameter, kind.default)
        try:
            accepted[parameter] = kind.accept(value)
        except ValueError as problem:
            raise ConfigError(f"{parameter} of the fault {name} is {value!r}", remedy=f"Give {problem}.") from None
    return accepted
