"""The limits of the stimulation check, what a channel remembers of it, and what its stimulator may deliver."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

SENSORY_MAX = 3.0
MOTOR_MAX = 10.0
CONFIRMED_ABOVE = 3.0
"""A motor check goes on beyond this only after a second confirmation, under an intent of its own."""
ACCEPTED_UP_TO = 2.0
"""A sensory threshold of up to so many times its target may be accepted without a reason."""
STIMULATION_STEP = 0.1
STIMULATION_SLEW_PER_S = 0.5
"""Amplitudes of stimulation are V or mA, by the plan, peak."""
RESULT_VALID_MIN_S = 300.0
RESULT_VALID_MAX_S = 1800.0
OPEN_OHM = 1200.0
"""More than any electrode in tissue: it is out, unplugged, or its lead is off."""
SHORTEST_REASON = 10
"""Characters of a typed reason; "ok" is none."""
IMPEDANCE_WITHIN = 0.15
"""Of the reference: an electrode that was moved reads otherwise."""
FALL_AFTER_S = 0.15
"""A lower amplitude is on its way so long before it falls: two cycles and the generator's own."""


class Check(StrEnum):
    """Which of the two."""

    SENSORY = "sensory check"
    MOTOR = "motor check"
    POSITION = "position"
    """Taken over by a person after a check could not be repeated."""


class Override(NamedTuple):
    """A person took over what a check did not show.

    Attributes:
        check: Which.
        by: Who.
        reason: As typed.
        physician: Who confirmed the electrode's position by imaging; empty where nobody had to.
        found: What had been found, in words.
    """

    check: Check
    by: str
    reason: str
    physician: str
    found: str


class Stimulation(NamedTuple):
    """Beside amplitude and results, which the channel itself has.

    Attributes:
        open_check: The check that was begun and has no result yet.
        confirmed: The second confirmation was given: amplitudes beyond the first envelope.
        allowed: What the stimulator may still have delivered when the amplitude was last set.
        electrode_id: Of the electrode at the impedance check; 0: unknown.
        present: An electrode was reported as plugged in then.
        checked_ns: When the last check of the site had its result; 0: none had.
        anaesthetic: It has been given.
        void_code: Row, or word of a person, that made the result void; empty while it counts.
        void_text: The same in words.
        overrides: What people took over.
    """

    open_check: Check | None = None
    confirmed: bool = False
    allowed: float = 0.0
    electrode_id: int = 0
    present: bool = False
    checked_ns: int = 0
    anaesthetic: bool = False
    void_code: str = ""
    void_text: str = ""
    overrides: tuple[Override, ...] = ()


def allowed_amplitude(commanded: float, before: Stimulation, since_s: float) -> float:
    """The most that the stimulator may deliver: what was commanded, or what a lower command has not brought down yet.

    Args:
        commanded: Newest amplitude commanded, V or mA.
        before: What it may have delivered then.
        since_s: Time since then, s.
    """
    return max(commanded, before.allowed - STIMULATION_SLEW_PER_S * max(since_s - FALL_AFTER_S, 0.0))
