"""What a generator can do, as it says itself or as its profile says, and how the tip temperature is then controlled."""

from __future__ import annotations

from enum import StrEnum


class Capability(StrEnum):
    """One thing that a generator can do."""

    THERMAL = "thermal"
    """It brings the tip to a set temperature along a ramp and holds it there by itself."""
    VOLTAGE_SET_POINT = "voltage_set_point"
    """It delivers the RF voltage that it is told to, within its power limit."""
    POWER_SET_POINT = "power_set_point"
    """It delivers the RF power at its terminals that it is told to, within its power limit."""
    STIMULATION_V = "stimulation_v"
    """It stimulates with a set voltage."""
    STIMULATION_MA = "stimulation_ma"
    """It stimulates with a set current."""


class SetPoint(StrEnum):
    """What the station sets while RF is on, where it controls the temperature itself."""

    VOLTAGE = "voltage"
    POWER = "power"
