"""Who controls the tip temperature: the generator where it can, else the station, as the station file allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rfctl.errors import ConfigError
from rfctl.model.capability import Capability, SetPoint

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

Wanted = Literal["auto", "device", "host"]
"""``generator.temperature_control`` of the station file."""

SET_POINTS = ((Capability.VOLTAGE_SET_POINT, SetPoint.VOLTAGE), (Capability.POWER_SET_POINT, SetPoint.POWER))
"""What the station sets, the better one first: at a constant voltage the power falls when tissue chars, at a constant
power it goes on.
"""


def choose(wanted: Wanted, capabilities: AbstractSet[Capability], where: str) -> SetPoint | None:
    """What the station sets to control the temperature; None where the generator controls it.

    Args:
        wanted: As the station file says.
        capabilities: What the generator can do.
        where: The station, for messages.

    Raises:
        ConfigError: The generator cannot do what is wanted.
    """
    thermal = Capability.THERMAL in capabilities
    set_points = [set_point for capability, set_point in SET_POINTS if capability in capabilities]
    if wanted == "device" and not thermal:
        raise ConfigError(
            "generator.temperature_control is 'device', and this generator does not control the temperature itself",
            where=where,
            remedy="Use 'host'." if set_points else _NOT_A_LESION_GENERATOR,
        )
    if wanted == "host" and not set_points:
        raise ConfigError(
            "generator.temperature_control is 'host', and this generator takes neither a voltage nor a power set point",
            where=where,
            remedy="Use 'device'." if thermal else _NOT_A_LESION_GENERATOR,
        )
    if not thermal and not set_points:
        raise ConfigError(
            "this generator can neither control the temperature itself nor take a voltage or power set point",
            where=where,
            remedy=_NOT_A_LESION_GENERATOR,
        )
    return None if thermal and wanted != "host" else set_points[0]


def power_for_a_load(capabilities: AbstractSet[Capability], where: str) -> SetPoint:
    """A load takes a power; nobody controls a temperature.

    Raises:
        ConfigError: The generator takes no power set point.
    """
    if Capability.POWER_SET_POINT not in capabilities:
        raise ConfigError(
            "station.medium is 'load', and this generator takes no power set point",
            where=where,
            remedy="Try it in a phantom; a generator that only controls a temperature does nothing in a resistor.",
        )
    return SetPoint.POWER


_NOT_A_LESION_GENERATOR = "Lesions need one of the two; check the capabilities in the generator's profile."
