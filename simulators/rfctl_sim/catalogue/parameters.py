"""The parameters of faults: what each may be, and the judgement of a value that was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl_sim.shipped import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = bool | float | str
Parameters = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Number:
    """A parameter that is a number.

    Attributes:
        default: When not given.
        low: Smallest.
        high: Largest.
        unit: Its unit; empty for a ratio or a count.
    """

    default: float
    low: float
    high: float
    unit: str = ""

    def accept(self, given: object) -> float:
        """The value given, within its bounds; ValueError says what is wrong."""
        if isinstance(given, bool) or not isinstance(given, int | float) or not self.low <= given <= self.high:
            raise ValueError(f"a number {self.bounds}")
        return float(given)

    @property
    def bounds(self) -> str:
        """From where to where, in words."""
        return f"from {self.low:.10g} to {self.high:.10g}"

    @property
    def described(self) -> str:
        """Default, unit and bounds."""
        return f"{self.default:.10g}{f' {self.unit}' if self.unit else ''}, {self.bounds}"

    def as_json(self) -> dict[str, object]:
        """As the list of faults tells it."""
        return {"kind": "number", "default": self.default, "low": self.low, "high": self.high, "unit": self.unit}


@dataclass(frozen=True, slots=True)
class Flag:
    """A parameter that is true or false."""

    default: bool

    bounds = "true or false"

    @property
    def described(self) -> str:
        """Default and what it may be."""
        return f"{str(self.default).lower()}, {self.bounds}"

    def accept(self, given: object) -> bool:
        """The value given; ValueError says what is wrong."""
        if not isinstance(given, bool):
            raise ValueError(self.bounds)
        return given

    def as_json(self) -> dict[str, object]:
        """As the list of faults tells it."""
        return {"kind": "flag", "default": self.default}


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter that is one of a few names."""

    default: str
    valid: tuple[str, ...]

    @property
    def bounds(self) -> str:
        """The valid names, in words."""
        return f"one of {', '.join(self.valid)}" if self.valid else "one of those of the machine"

    @property
    def described(self) -> str:
        """Default and what it may be."""
        return f"{self.default}, {self.bounds}"

    def accept(self, given: object) -> str:
        """The value given; ValueError says what is wrong."""
        if not isinstance(given, str) or given not in self.valid:
            raise ValueError(self.bounds)
        return given

    def as_json(self) -> dict[str, object]:
        """As the list of faults tells it."""
        return {"kind": "name", "default": self.default, "valid": list(self.valid)}


Parameter = Number | Flag | Name

REGISTER = Name("power_limit_w", ())
"""Valid are the registers of the machine in question, by the names of its manual."""

RULE = Name("power_limit_w", ())
"""Valid are the writes that the firmware of the machine in question knows."""


def accepted(fault: str, kinds: Mapping[str, Parameter], given: Mapping[str, object]) -> Parameters:
    """Every parameter of a fault, as given or by default.

    Raises:
        ConfigError: An unknown parameter, or a value that it cannot have.
    """
    for parameter in given:
        if parameter not in kinds:
            raise ConfigError(
                f"the fault {fault} has no parameter {parameter!r}", remedy=nearest(parameter, kinds or ("none",))
            )
    values: Parameters = {}
    for parameter, kind in kinds.items():
        value = given.get(parameter, kind.default)
        try:
            values[parameter] = kind.accept(value)
        except ValueError as problem:
            raise ConfigError(f"{parameter} of the fault {fault} is {value!r}", remedy=f"Give {problem}.") from None
    return values


def number(parameters: Parameters, name: str) -> float:
    """A parameter that Number accepted."""
    value = parameters[name]
    assert isinstance(value, float)  # noqa: S101  Number.accept gave it
    return value


def text(parameters: Parameters, name: str) -> str:
    """A parameter that Name accepted."""
    value = parameters[name]
    assert isinstance(value, str)  # noqa: S101  Name.accept gave it
    return value
