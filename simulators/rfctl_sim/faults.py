"""Starts and clears the faults of one machine, and begins and ends them when their time has come."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl_sim.catalogue.kinds import Scope, Site
from rfctl_sim.catalogue.parameters import REGISTER, RULE, Name, Parameters, accepted
from rfctl_sim.catalogue.table import kind_of
from rfctl_sim.catalogue.timing import Timing, split, with_seconds
from rfctl_sim.control import NEVER_NS
from rfctl_sim.firmware import SAMPLE_NS
from rfctl_sim.writes import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import Clock
    from rfctl_sim.catalogue.kinds import Cuttable, FaultKind, Hold
    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.generator import Generator
    from rfctl_sim.relay_board import RelayBoard


@dataclass(frozen=True, slots=True)
class Active:
    """A fault in force.

    Attributes:
        name: Of the fault.
        channel: Number from 1; 0 for a fault of the whole machine.
        parameters: As given and defaulted.
        until_ns: It ends by itself here; None when it lasts until it is cleared.
    """

    name: str
    channel: int
    parameters: Parameters
    until_ns: int | None


@dataclass(slots=True)
class _Injected:
    """A fault that waits for its time or is in force.

    Attributes:
        kind: Its row of the catalogue.
        site: Where it is.
        parameters: As given and defaulted.
        timing: When it begins and ends.
        hold: Keeps it in force; None while it waits.
        until_requests: After which request it ends.
    """

    kind: FaultKind
    site: Site
    parameters: Parameters
    timing: Timing
    hold: Hold | None = None
    until_requests: int | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.kind.name, self.site.channel_number


def _no_alarm(at_ns: int) -> None:
    pass


class Faults:
    """Starts and clears faults. Power, temperatures and loads are as in the output stage: power in the tissue."""

    def __init__(
        self,
        generator: Generator,
        effects: WireEffects,
        face: Cuttable,
        clock: Clock,
        registers: tuple[str, ...],
        *,
        relay: RelayBoard | None = None,
        alarm: Callable[[int], None] = _no_alarm,
    ) -> None:
        """Nothing is wrong yet.

        Args:
            generator: Whose faults these are.
            effects: What its clients see.
            face: The way that they come by.
            clock: Of the running loop.
            registers: What can be written, by name; the power limit is the default of ``refuse_write``.
            relay: The relay board beside it.
            alarm: Asked to have ``wake`` called at an instant, ns, so that nothing waits for somebody to look.
        """
        self._generator = generator
        self._effects = effects
        self._face = face
        self._clock = clock
        conventions = generator.firmware.conventions
        rules = (*conventions.generator_rules, *conventions.channel_rules)
        self._register, self._rule = _one_of(registers), _one_of(rules)
        # It shows what other makes have no place for.
        self._reference = conventions is REFERENCE
        self._relay = relay
        self._alarm = alarm
        self._injected: dict[tuple[str, int], _Injected] = {}
        generator.run_faults = self._run
        effects.arrived = self._on_request

    def active(self) -> list[Active]:
        """The faults in force now, in the order of their start."""
        self._advance()
        return [_shown(fault) for fault in self._injected.values() if fault.hold is not None]

    def waiting(self) -> list[Active]:
        """The faults that were started and whose time has not come yet."""
        self._advance()
        return [_shown(fault) for fault in self._injected.values() if fault.hold is None]

    def start(self, name: str, /, channel: int | None = None, **parameters: object) -> None:
        """Start a fault, or start it anew with other parameters.

        Args:
            name: One of the catalogue.
            channel: Number from 1, the first by default; only for a fault of a channel.
            parameters: As the fault takes them, each with a default; and when it begins and how long it lasts, by the
                keys of rfctl_sim.catalogue.timing. Without those it begins at once and lasts until it is cleared.

        Raises:
            ConfigError: Unknown name, channel or parameter, a value out of bounds, or a fault that this machine cannot
                show.
        """
        kind, number = self._checked(name, channel)
        given, rest = split(name, parameters)
        kinds = {
            key: self._register if row is REGISTER else self._rule if row is RULE else row
            for key, row in kind.parameters.items()
        }
        values = accepted(name, kinds, rest)
        given = with_seconds(given, values)
        now_ns = self._advance()
        random = Random(f"{self._generator.seed} fault {name} {number}")  # noqa: S311  repeatable on purpose
        site = Site(self._generator, self._effects, self._face, self._relay, number, now_ns, None, random)
        kind.check(site, values)
        fault = _Injected(kind, site, values, Timing(now_ns, self._effects.requests, given))
        self._drop(fault.key, now_ns)
        self._injected[fault.key] = fault
        if not self._begin(fault, now_ns):
            self._generator.events.add(now_ns, "fault_waits", name=name, channel=number, **values, **given)
        self._put_in_force(now_ns)

    def clear(self, name: str, /, channel: int | None = None) -> None:
        """End a fault, or let one that waits not begin; on every channel when none is given.

        One that is not in force may be cleared.

        Raises:
            ConfigError: Unknown name or channel.
        """
        kind_of(name)
        if channel is not None:
            self._checked(name, channel)
        now_ns = self._advance()
        for fault in [f for f in self._injected.values() if f.kind.name == name]:
            if channel in {None, fault.site.channel_number}:
                self._drop(fault.key, now_ns)
                self._generator.events.add(now_ns, "fault_cleared", name=name, channel=fault.site.channel_number)
        self._put_in_force(now_ns)

    def clear_all(self) -> None:
        """End every fault."""
        for name, channel in tuple(self._injected):
            self.clear(name, channel or None)

    def hold(self) -> None:
        """Keep in force what is: parts of the machine were exchanged."""
        self._put_in_force(self._advance())

    def wake(self) -> None:
        """The instant that the alarm was set to has come."""
        self._advance()
        self._set_alarm()

    def _advance(self) -> int:
        now_ns = self._clock.monotonic_ns()
        self._generator.advance_to(now_ns)
        return now_ns

    def _checked(self, name: str, channel: object) -> tuple[FaultKind, int]:
        kind = kind_of(name)
        if kind.reference_only and not self._reference:
            raise ConfigError(f"this machine does not show the fault {name}", remedy="The reference machine does.")
        if kind.scope is not Scope.CHANNEL:
            if channel is not None:
                raise ConfigError(
                    f"the fault {name} is the whole {kind.scope}'s, not one channel's", remedy="Leave it out."
                )
            return kind, 0
        channels = len(self._generator.channels)
        number = 1 if channel is None else channel
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= channels:
            raise ConfigError(
                f"no channel {number!r} for the fault {name}", remedy=f"There are channels 1 to {channels}."
            )
        return kind, number

    # When time has come

    def _run(self, now_ns: int) -> None:
        """Begin and end what is due."""
        changed = False
        for fault in tuple(self._injected.values()):
            if fault.hold is None:
                changed |= self._begin(fault, now_ns)
            elif self._is_over(fault, now_ns):
                self._drop(fault.key, now_ns)
                name, channel = fault.key
                self._generator.events.add(now_ns, "fault_ended", name=name, channel=channel)
                changed = True
        if changed:
            self._put_in_force(now_ns)
        else:
            self._set_next(now_ns)

    def _on_request(self, now_ns: int) -> None:
        """A request arrives: time first, then what counts requests."""
        self._generator.advance_to(now_ns)
        self._run(now_ns)

    def _is_over(self, fault: _Injected, now_ns: int) -> bool:
        until_ns, until_requests = fault.site.until_ns, fault.until_requests
        return (until_ns is not None and until_ns <= now_ns) or (
            until_requests is not None and until_requests < self._effects.requests
        )

    def _begin(self, fault: _Injected, now_ns: int) -> bool:
        site, requests = fault.site, self._effects.requests
        if not fault.timing.begins(self._generator, site.channel_number, requests, now_ns):
            return False
        site.now_ns, site.until_ns = now_ns, fault.timing.until_ns(now_ns)
        # The request that made it begin is the first of those that it lasts.
        at_request = "after_requests" in fault.timing.given
        fault.until_requests = fault.timing.until_requests(requests - at_request)
        fault.hold = fault.kind.begin(site, fault.parameters)
        self._generator.events.add(
            now_ns, "fault_started", name=fault.kind.name, channel=site.channel_number, **fault.parameters
        )
        if fault.kind.instant:
            del self._injected[fault.key]
        return True

    def _drop(self, key: tuple[str, int], now_ns: int) -> None:
        fault = self._injected.pop(key, None)
        if fault is not None and fault.hold is not None:
            self._reset()
            fault.site.until_ns = now_ns
            fault.kind.end(fault.site)

    # What is in force

    def _reset(self) -> None:
        for channel in self._generator.channels:
            channel.effects.reset()
        self._generator.effects.reset()
        self._effects.reset()

    def _put_in_force(self, now_ns: int) -> None:
        """Make every effect what the faults in force say, at once."""
        generator, effects = self._generator, self._effects
        self._reset()
        in_force = [fault for fault in self._injected.values() if fault.hold is not None]
        for fault in in_force:
            if fault.hold is not None:
                fault.hold()
            if fault.parameters.get("firmware_blind") and fault.site.channel_number:
                fault.site.channel.effects.unseen_bits |= fault.kind.unseen_bits
        of_the_machine = any(fault.kind.scope in {Scope.CHANNEL, Scope.GENERATOR} for fault in in_force)
        generator.effects.active = of_the_machine
        generator.firmware.follow_faults(now_ns)
        effects.active = bool(self._injected or effects.held_back)
        for channel in generator.channels:
            channel.effects.active = of_the_machine
            channel.stage.settle(now_ns)
            channel.measure(generator.firmware.sample_counter(now_ns))
        self._set_next(now_ns)

    def _set_next(self, now_ns: int) -> None:
        """When ``_run`` is due: at an onset or end, or with each sample while something waits for more than time."""
        generator = self._generator
        next_ns = NEVER_NS
        for fault in self._injected.values():
            if fault.hold is not None:
                next_ns = min(next_ns, NEVER_NS if fault.site.until_ns is None else fault.site.until_ns)
            elif fault.timing.earliest_ns > now_ns:
                next_ns = min(next_ns, fault.timing.earliest_ns)
            else:
                passed_ns = now_ns - generator.power_up_ns
                next_ns = min(next_ns, generator.power_up_ns + (passed_ns // SAMPLE_NS + 1) * SAMPLE_NS)
        if next_ns != generator.next_fault_ns:
            generator.next_fault_ns = next_ns
            self._set_alarm()

    def _set_alarm(self) -> None:
        if self._generator.next_fault_ns < NEVER_NS:
            self._alarm(self._generator.next_fault_ns)


def _one_of(names: tuple[str, ...]) -> Name:
    """One of the names, the power limit by default where there is one."""
    return Name(next((name for name in names if name.startswith("power_limit")), names[0]), names)


def _shown(fault: _Injected) -> Active:
    return Active(fault.kind.name, fault.site.channel_number, fault.parameters, fault.site.until_ns)
