"""Which hazards the faults of the catalogue produce, and why the others are none that a machine can show."""

from __future__ import annotations

from rfctl.errors import ConfigError
from rfctl_sim.shipped import nearest

HAZARDS = tuple(f"HZ-{number:02}" for number in range(1, 61))

NOT_SHOWN = {
    "HZ-23": "a jump of the wall clock is of the host that has it",
    "HZ-35": "the record is on the host's disk",
    "HZ-36": "the slow disk is the host's",
    "HZ-37": "commands over MQTT come to the host, from a broker",
    "HZ-38": "a replayed command comes to the host, from a broker",
    "HZ-39": "whoever reads stale telemetry reads it from a broker",
    "HZ-40": "the slow reader is one of the host's",
    "HZ-41": "the record is tampered with where it is kept",
    "HZ-42": "the wrong step is a person's; the host asks for the right one",
    "HZ-45": "the guard is a process of the host",
    "HZ-46": "limits are loosened in a file of the host",
    "HZ-49": "the exception is raised in the host",
    "HZ-56": "the display is the host's",
    "HZ-57": "the tone is the host's",
    "HZ-58": "a person withdraws the electrode; the machine only cools, as it always does",
    "HZ-59": "the computer's mains earth is beside the machine",
    "HZ-60": "scripted answers are given to the host",
}
"""Why no fault of a machine produces the hazard. HZ-20 to HZ-22 begin at the host, too; the machine adds a lease
without an end.
"""


def checked(hazard: str) -> str:
    """The id of a hazard that a machine can show.

    Raises:
        ConfigError: No such hazard, or none of a machine's, with the reason.
    """
    if hazard in NOT_SHOWN:
        raise ConfigError(f"no machine shows {hazard}: {NOT_SHOWN[hazard]}", remedy="It is tried at the host.")
    if hazard not in HAZARDS:
        raise ConfigError(f"no hazard {hazard!r}", remedy=nearest(hazard, HAZARDS))
    return hazard
