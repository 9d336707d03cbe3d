"""The machines that can be simulated, by name: the rules and the registers of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rfctl.errors import ConfigError
from rfctl_sim import kestrel_map, orrin_map, registers, writes
from rfctl_sim.conventions import Conventions
from rfctl_sim.fault_effects import WireEffects
from rfctl_sim.generator import Generator
from rfctl_sim.kestrel_rules import KESTREL
from rfctl_sim.orrin_rules import ORRIN
from rfctl_sim.requests import Unit
from rfctl_sim.unit import ReferenceUnit


@dataclass(frozen=True, slots=True)
class Make:
    """One machine as it can be bought.

    Attributes:
        channels: How many it can have; the first number is what it has when nobody says.
        conventions: The rules of its firmware.
        unit: Its registers.
        writable: What can be written, by the names in its manual.
    """

    channels: tuple[int, ...]
    conventions: Conventions
    unit: Callable[[Generator, WireEffects], Unit]
    writable: tuple[str, ...]


REFERENCE = "rfctl-reference"
MAKES = {
    REFERENCE: Make((2, 1, 3, 4), writes.REFERENCE, ReferenceUnit, registers.CONTROL_NAMES),
    "kestrel-2": Make((2,), KESTREL, kestrel_map.unit, kestrel_map.WRITABLE),
    "orrin-v": Make((1,), ORRIN, orrin_map.unit, orrin_map.WRITABLE),
}
ALIASES = {"reference": REFERENCE}


def make_of(name: str) -> Make:
    """The make of that name.

    Raises:
        ConfigError: There is none.
    """
    name = ALIASES.get(name, name)
    if name not in MAKES:
        raise ConfigError(f"no simulated generator named {name!r}", remedy=f"Valid: {', '.join(MAKES)}.")
    return MAKES[name]


def channels_of(name: str, channels: int | None) -> int:
    """The number of channels of one machine, when so many are asked for.

    Raises:
        ConfigError: No such make, or it does not come with so many.
    """
    valid = make_of(name).channels
    if channels is None:
        return valid[0]
    if channels not in valid:
        offered = f"{min(valid)} to {max(valid)}" if len(valid) > 1 else str(valid[0])
        raise ConfigError(f"{channels} channels", remedy=f"The simulated generator {name} has {offered}.")
    return channels
