"""What a seed says: a plan, a generator, and what goes wrong with it and around it, when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from rfctl_sim.catalogue.kinds import Scope
from rfctl_sim.catalogue.parameters import Flag, Number, Parameter
from rfctl_sim.catalogue.table import CATALOGUE
from tests.station_bench import plan_text


class Mode(StrEnum):
    """What is asked of a world."""

    SAFETY = "safety"
    """Anything may go wrong; the output has to be off in time."""
    LIVENESS = "liveness"
    """Only what a service has to bear goes wrong; the lesion has to be completed without a trip."""


class Kind(StrEnum):
    """Where a trouble comes from."""

    FAULT = "fault"
    """Of the generator, by its name in the catalogue."""
    PANEL = "panel"
    """Somebody's hand at the generator."""
    SIGNAL = "signal"
    """Sent to the station."""
    DISK_FULL = "disk full"
    DISK_SLOW = "disk slow"
    WALL_CLOCK = "wall clock"


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong.

    Attributes:
        at_s: After the session began.
        kind: Where it comes from.
        name: Of the fault, or of the signal.
        parameters: Of the fault or deed; of the others ``seconds``.
    """

    at_s: float
    kind: Kind
    name: str
    parameters: dict[str, Any]

    def __str__(self) -> str:
        given = ", ".join(f"{key} = {value}" for key, value in self.parameters.items())
        return f"at {self.at_s:.3f} s {self.kind} {self.name} {given}".rstrip()


@dataclass(frozen=True)
class World:
    """One session and everything around it.

    Attributes:
        seed: Gives all the rest.
        mode: What is asked.
        address: How the station reaches the generator.
        control: Who controls the temperature.
        plan: The plan file.
        troubles: What goes wrong, in order.
    """

    seed: int
    mode: Mode
    address: str
    control: str
    plan: str
    troubles: tuple[Trouble, ...]

    @property
    def faults(self) -> frozenset[str]:
        """Names of the generator's faults."""
        return frozenset(trouble.name for trouble in self.troubles if trouble.kind is Kind.FAULT)

    @property
    def started_by_hand(self) -> bool:
        """Somebody may have started an output at the panel."""
        return any(trouble.parameters.get("press") == "start" for trouble in self.troubles)

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.mode}: {self.address.partition(':')[0]}, control by {self.control}"]
        return "\n  ".join([*lines, *map(str, self.troubles)])


LINKS = ("tcp:127.0.0.1:0",) * 6 + ("rtutcp:127.0.0.1:0",)
ELECTRODES = ((18, 10.0), (18, 10.0), (20, 10.0), (22, 10.0), (16, 10.0), (18, 5.0))
ANYTHING = tuple(
    kind.name for kind in CATALOGUE.values() if kind.scope is not Scope.RELAY and "coolant" not in kind.description
)
DEEDS: tuple[dict[str, Any], ...] = (
    {"press": "emergency_stop"},
    {"enable_loop": "open"},
    {"press": "stop"},
    {"power": "off"},
    {"power": "cycle"},
    {"remote": "locked"},
    {"press": "start", "channel": 2},
    {"knob": "set_temperature_c", "channel": 1, "value": 85.0},
)
BORNE: tuple[tuple[str, dict[str, tuple[float, float]]], ...] = (
    ("temperature_noise", {"kelvin": (0.0, 0.2)}),
    ("reply_delayed", {"delay_s": (0.0, 0.03)}),
    ("reply_duplicated", {"probability": (0.0, 0.3)}),
    ("garbage_before", {"probability": (0.0, 0.1)}),
)
"""With the bounds of what is borne: of most of the catalogue nothing is. A bad reply to a command is not: it ends the
procedure, for nobody knows what the generator has done. The stimulator is started by 14 transactions within the
age that a sample may have (docs/timing.md).
"""


def world(seed: int, mode: Mode) -> World:
    """The world of a seed: the same one for ever."""
    random = Random(f"{mode} {seed}")
    gauge, tip_mm = random.choice(ELECTRODES if mode is Mode.SAFETY else ELECTRODES[:1])
    plan = plan_text(
        sensory=random.choice(("required", "not used", "not used")),
        set_temperature_c=random.choice((45, 60, 80)),
        hold_s=random.choice((3, 6, 10)),
        ramp_c_per_s=random.choice((3.0, 4.3, 5.0)) if gauge > 16 else 2.0,
        gauge=gauge,
        tip_mm=tip_mm,
    )
    trouble = _anything if mode is Mode.SAFETY else _what_is_borne
    count = random.choice((1, 1, 1, 2, 2, 3)) if mode is Mode.SAFETY else random.choice((0, 1, 2, 3))
    troubles = tuple(sorted((trouble(random) for _ in range(count)), key=lambda trouble: trouble.at_s))
    return World(
        seed=seed,
        mode=mode,
        address=random.choice(LINKS),
        control=random.choice(("device", "device", "host")),
        plan=plan,
        troubles=troubles,
    )


def _at_s(random: Random) -> float:
    return round(random.uniform(0.0, 35.0), 3)


def _anything(random: Random) -> Trouble:
    at_s, draw = _at_s(random), random.random()
    if draw < 0.08:
        return Trouble(at_s, Kind.PANEL, "", random.choice(DEEDS))
    if draw < 0.12:
        return Trouble(at_s, Kind.SIGNAL, random.choice(("SIGINT", "SIGTERM")), {})
    if draw < 0.16:
        return Trouble(at_s, Kind.DISK_FULL, "", {"seconds": random.choice((0.5, 5.0, 1000.0))})
    if draw < 0.18:
        return Trouble(at_s, Kind.WALL_CLOCK, "", {"seconds": random.choice((-3600.0, 86400.0))})
    fault = CATALOGUE[random.choice(ANYTHING)]
    parameters: dict[str, Any] = {}
    for name, kind in fault.parameters.items():
        if random.random() < 0.5:
            continue
        value = _drawn(random, kind)
        if value is not None:
            parameters[name] = value
    if not fault.instant and random.random() < 0.5:
        parameters["duration_s"] = round(random.choice((0.06, 0.3, 1.0, 5.0)) * random.uniform(0.5, 1.5), 3)
    return Trouble(at_s, Kind.FAULT, fault.name, parameters)


def _drawn(random: Random, kind: Parameter) -> float | bool | str | None:
    """A value of a parameter; None leaves it at its default."""
    match kind:
        case Flag():
            return random.random() < 0.5
        case Number():
            near = kind.default * random.uniform(0.3, 3.0)
            return round(min(max(near, kind.low), kind.high), 4)
    return random.choice(kind.valid) if kind.valid else None


def _what_is_borne(random: Random) -> Trouble:
    at_s, draw = _at_s(random), random.random()
    if draw < 0.15:
        return Trouble(at_s, Kind.WALL_CLOCK, "", {"seconds": random.choice((-3600.0, 86400.0))})
    if draw < 0.3:
        return Trouble(at_s, Kind.DISK_SLOW, "", {"seconds": 0.4})
    name, bounds = random.choice(BORNE)
    parameters: dict[str, Any] = {key: round(random.uniform(*bound), 4) for key, bound in bounds.items()}
    return Trouble(at_s, Kind.FAULT, name, parameters)
