"""Alarms as data: for every code its priority, and for every priority colour, sound, and how long it may be silenced.

The bursts are this project's own choice, made in the manner of alarm signals that clinicians know; nothing claims to
meet a standard. An acknowledgement silences for a time and resets nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from rfctl.kernel.limits import ROWS
from rfctl.kernel.row import Action


class Priority(StrEnum):
    """How soon somebody must act."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Presentation(NamedTuple):
    """How alarms of a priority are shown and heard.

    Attributes:
        rank: 0 comes before all others.
        colour: Of light and text.
        flashing_hz: How often it flashes; 0: it does not.
        pulses: Onset of each pulse of a burst, ms.
        pulse_ms: Length of a pulse, ms.
        pitch_hz: Its tone, Hz.
        repeated_s: Time from burst to burst, s; 0: one burst.
        silenced_s: An acknowledgement silences for so long, s.
    """

    rank: int
    colour: str
    flashing_hz: float
    pulses: tuple[int, ...]
    pulse_ms: int
    pitch_hz: int
    repeated_s: float
    silenced_s: float


PRESENTATIONS: dict[Priority, Presentation] = {
    Priority.HIGH: Presentation(
        0, "red", 2.0, (0, 250, 500, 950, 1200, 2200, 2450, 2700, 3150, 3400), 150, 523, 8.0, 60.0
    ),
    Priority.MEDIUM: Presentation(1, "yellow", 0.5, (0, 400, 800), 200, 440, 15.0, 120.0),
    Priority.LOW: Presentation(2, "cyan", 0.0, (0, 400), 200, 392, 0.0, 120.0),
}
_H, _M, _L = Priority.HIGH, Priority.MEDIUM, Priority.LOW
OF_HAZARD: dict[str, Priority] = {
    "HZ-01": _H, "HZ-02": _H, "HZ-03": _H, "HZ-04": _H, "HZ-05": _H, "HZ-06": _H, "HZ-07": _M, "HZ-08": _M,
    "HZ-09": _M, "HZ-10": _M, "HZ-11": _H, "HZ-12": _H, "HZ-13": _H, "HZ-14": _H, "HZ-15": _H, "HZ-16": _H,
    "HZ-17": _H, "HZ-18": _M, "HZ-19": _M, "HZ-20": _H, "HZ-21": _H, "HZ-22": _H, "HZ-23": _L, "HZ-24": _M,
    "HZ-25": _H, "HZ-26": _M, "HZ-27": _M, "HZ-28": _H, "HZ-29": _H, "HZ-30": _H, "HZ-31": _H, "HZ-32": _M,
    "HZ-33": _M, "HZ-34": _L, "HZ-35": _M, "HZ-42": _L, "HZ-43": _H, "HZ-44": _M, "HZ-45": _H, "HZ-46": _M,
    "HZ-47": _M, "HZ-48": _H, "HZ-49": _H, "HZ-50": _M, "HZ-51": _H, "HZ-52": _H, "HZ-53": _H, "HZ-54": _H,
    "HZ-55": _M,
}  # fmt: skip
"""Of a hazard's trip. What only warns of it is one step lower: there is time."""
OF_EVENT: dict[str, str] = {
    "link_lost": "HZ-17",
    "record_failed": "HZ-35",
    "command_failed": "HZ-32",
    "off_uncertain": "HZ-16",
    "repositioned": "HZ-08",
}
"""Hazards of the verdicts that follow from something that happened, and not from a row."""
_LOWER = {Priority.HIGH: Priority.MEDIUM, Priority.MEDIUM: Priority.LOW, Priority.LOW: Priority.LOW}

ALARMS: dict[str, Priority] = {
    **{code: OF_HAZARD[hazard] for code, hazard in OF_EVENT.items()},
    **{row.code: _LOWER[OF_HAZARD[row.hazard]] if row.action is Action.WARN else OF_HAZARD[row.hazard] for row in ROWS},
}
"""Every code of a verdict, with its priority."""
OTHER_WARNINGS = Priority.LOW
"""Of a note that warns and comes from no verdict."""


def priority_of(level: str, code: str) -> Priority | None:
    """The priority of a note by its level and code; None of one that is no alarm."""
    if level not in {"trip", "warning"}:
        return None
    return ALARMS.get(code, OTHER_WARNINGS)
