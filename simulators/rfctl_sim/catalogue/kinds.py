"""What a row of the catalogue is: a fault, its parameters, its hazards, and how it begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from rfctl.errors import ConfigError
from rfctl_sim.catalogue.parameters import Flag, Parameter, Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from rfctl_sim.channel import Channel
    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.generator import Generator
    from rfctl_sim.relay_board import RelayBoard


class Scope(StrEnum):
    """The part of the machine that a fault is of."""

    CHANNEL = "channel"
    GENERATOR = "generator"
    WIRE = "wire"
    RELAY = "relay"


class Cuttable(Protocol):
    """What a fault does to the way that clients come by."""

    def cut(self, for_s: float | None) -> None:
        """Take it away, for so many seconds or until ``restore``."""
        ...

    def restore(self) -> None:
        """Put it back."""
        ...


@dataclass(slots=True)
class Site:
    """Where a fault is injected, when, and by which chance.

    Attributes:
        generator: The machine.
        wire: What its clients see.
        face: The way that they come by.
        relay: The relay board beside it; None without one.
        channel_number: Number from 1; 0 for a fault of the whole machine.
        now_ns: When it begins.
        until_ns: When it ends; None for when it is cleared.
        random: Of this fault alone: the same seed, the same course.
    """

    generator: Generator
    wire: WireEffects
    face: Cuttable
    relay: RelayBoard | None
    channel_number: int
    now_ns: int
    until_ns: int | None
    random: Random

    @property
    def channel(self) -> Channel:
        """The channel that it is injected into."""
        return self.generator.channels[self.channel_number - 1]

    @property
    def board(self) -> RelayBoard:
        """The relay board that it is injected into.

        Raises:
            ConfigError: There is none.
        """
        if self.relay is None:
            raise ConfigError("no relay board here", remedy="rfctl sim relay --fault NAME serves a faulty one.")
        return self.relay


Hold = Callable[[], None]
"""Puts a fault in force again after every effect was reset: called at its beginning and at each later change."""


def nothing() -> None:
    """A fault that leaves nothing to hold in force."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that can be injected.

    Attributes:
        name: By which it is started.
        description: What happens, in one sentence.
        scope: Of which part.
        hazards: Ids of the hazards that it produces.
        begin: Begins it and says what holds it in force.
        parameters: What can be given beside the channel.
        check: Raises ConfigError where the fault cannot be injected, with these parameters.
        end: Told when it is over.
        unseen_bits: What the firmware's own safety does not look for while ``firmware_blind`` is true.
        instant: It is over as soon as it has happened.
        reference_only: Other makes have no place to show it.
    """

    name: str
    description: str
    scope: Scope
    hazards: tuple[str, ...]
    begin: Callable[[Site, Parameters], Hold]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    check: Callable[[Site, Parameters], None] = lambda _, __: None
    end: Callable[[Site], None] = lambda _: None
    unseen_bits: int = 0
    instant: bool = False
    reference_only: bool = False

    def as_json(self) -> dict[str, object]:
        """The row as ``rfctl sim faults --json`` gives it."""
        return {
            "name": self.name,
            "scope": self.scope.value,
            "description": self.description,
            "hazards": list(self.hazards),
            "instant": self.instant,
            "reference_only": self.reference_only,
            "parameters": {name: kind.as_json() for name, kind in self.parameters.items()},
        }


# So that the host's interlock is what a test measures, the firmware's own safety does not see these faults unless it is
# told to; it does see those that bring its own control to grief.
BLIND: dict[str, Parameter] = {"firmware_blind": Flag(default=True)}
SEEN: dict[str, Parameter] = {"firmware_blind": Flag(default=False)}
