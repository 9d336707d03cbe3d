"""When a fault begins, after it was injected, and how long it lasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S
from rfctl_sim.catalogue.parameters import Name, Number, Parameter, Parameters, accepted, number
from rfctl_sim.control import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfctl_sim.generator import Generator

LONG_S = 86_400.0
MANY = 1e9

PHASES = Name("rf_on", tuple(phase.name.lower() for phase in Phase))

ONSET: dict[str, Parameter] = {
    "after_s": Number(0.0, 0.0, LONG_S, "s"),
    "in_phase": PHASES,
    "rf_on_s": Number(0.0, 0.0, LONG_S, "s"),
    "above_c": Number(37.0, -50.0, 150.0, "degC"),
    "below_c": Number(37.0, -50.0, 150.0, "degC"),
    "after_requests": Number(0.0, 0.0, MANY),
}
"""Each that is given must hold: time since the injection; the channel's phase; time since RF on; the true temperature
of the tip; requests since the injection. Of a fault that is of no channel, any channel will do.
"""

DURATION: dict[str, Parameter] = {
    "duration_s": Number(1.0, 0.001, LONG_S, "s"),
    "for_requests": Number(1.0, 1.0, MANY),
}
"""Whichever ends first; without one the fault lasts until it is cleared."""

KEYS = (*ONSET, *DURATION)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a fault begins and ends.

    Attributes:
        injected_ns: When it was injected.
        requests: How many requests had been counted by then.
        given: What was said of it, by the names of ONSET and DURATION.
    """

    injected_ns: int
    requests: int
    given: Parameters

    @property
    def earliest_ns(self) -> int:
        """It does not begin before."""
        return self.injected_ns + self._ns("after_s")

    def begins(self, generator: Generator, channel: int, requests: int, now_ns: int) -> bool:
        """It begins now, or has begun."""
        given = self.given
        if now_ns < self.earliest_ns:
            return False
        if "after_requests" in given and requests - self.requests <= number(given, "after_requests"):
            return False
        numbers: Sequence[int] = [channel] if channel else range(1, len(generator.channels) + 1)
        return any(self._holds_on(generator, each, now_ns) for each in numbers)

    def _holds_on(self, generator: Generator, channel: int, now_ns: int) -> bool:
        given = self.given
        hardware, memory = generator.channels[channel - 1], generator.firmware.control.channels[channel - 1]
        on_since_ns, tip_c = hardware.stage.on_since_ns, hardware.tissue.tip_temperature_c
        return (
            ("in_phase" not in given or memory.phase.name.lower() == given["in_phase"])
            and ("rf_on_s" not in given or (on_since_ns is not None and now_ns - on_since_ns >= self._ns("rf_on_s")))
            and ("above_c" not in given or tip_c > number(given, "above_c"))
            and ("below_c" not in given or tip_c < number(given, "below_c"))
        )

    def until_ns(self, began_ns: int) -> int | None:
        """When it ends; None for when it is cleared."""
        return began_ns + self._ns("duration_s") if "duration_s" in self.given else None

    def until_requests(self, begun_at: int) -> int | None:
        """After which request it ends; None where no number of requests ends it."""
        return begun_at + int(number(self.given, "for_requests")) if "for_requests" in self.given else None

    def _ns(self, key: str) -> int:
        return round(number(self.given, key) * NS_PER_S) if key in self.given else 0


def split(fault: str, given: Mapping[str, object]) -> tuple[Parameters, dict[str, object]]:
    """What was said of a fault's timing, and the rest.

    Raises:
        ConfigError: A value that it cannot have.
    """
    kinds = {key: kind for key, kind in (ONSET | DURATION).items() if key in given}
    timing = accepted(fault, kinds, {key: given[key] for key in kinds})
    rest = {key: value for key, value in given.items() if key not in kinds}
    return timing, rest


def with_seconds(timing: Parameters, parameters: Parameters) -> Parameters:
    """A fault that has ``seconds`` among its parameters lasts as long, unless it is said otherwise."""
    if "seconds" not in parameters or timing.keys() & DURATION.keys():
        return timing
    return {**timing, "duration_s": parameters["seconds"]}
