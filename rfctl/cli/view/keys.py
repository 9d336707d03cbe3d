"""What a key press means: an answer to the question that is shown, STOP, or leaving the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfctl.station.snapshot import OpenQuestion

STOP_KEY = " "
LEAVE_KEY = "q"
ACKNOWLEDGE_KEY = "k"
CHOICES = {
    "confirm": ("c", "confirm"),
    "decline": ("d", "decline"),
    "perform": ("m", "make the check"),
    "leave_out": ("l", "leave it out"),
    "step": ("u", "up 0.1"),
    "step_down": ("d", "down 0.1"),
    "off": ("o", "off, pause"),
    "again": ("b", "begin again"),
    "felt": ("f", "felt"),
    "not_felt": ("n", "not felt"),
    "none": ("n", "no response"),
    "response": ("r", "response"),
    "accept": ("y", "accept"),
    "override": ("v", "override, with a reason"),
    "reposition": ("p", "reposition"),
    "done": ("d", "done"),
    "given": ("g", "given"),
    "arm": ("a", "ARM"),
    "start": ("s", "START RF"),
}
"""Letter and words of each choice. Those of one question differ; ``a`` and ``s`` give energy and mean nothing else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The operator's choice on a question that was shown; it counts for that question only."""

    channel: int
    question: str
    choice: str
    reason: str = ""
    physician: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Everything off, at once."""

    by: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The alarms were seen: silence them for a time. It resets nothing."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Look no longer; the procedure is somebody else's and goes on."""


def words(choice: str) -> str:
    """A choice as a person reads it."""
    return CHOICES[choice][1]


def letter(choice: str) -> str:
    """The key of a choice."""
    return CHOICES[choice][0]


def meaning(typed: bytes, question: OpenQuestion | None, *, ours: bool) -> Answer | Stop | Acknowledge | Leave | None:
    """What was meant by what one read of the keyboard gave.

    The space bar stops, whatever came with it. Anything else must be one small letter, perhaps repeated: a pasted text
    decides nothing, nor does an arrow key, whose escape sequence ends in a capital letter.

    Args:
        typed: The bytes.
        question: What the operator was shown; None when nothing was.
        ours: The session ends with this view, so leaving it is a stop.
    """
    text = typed.decode("utf-8", "replace")
    if STOP_KEY in text:
        return Stop("the space bar")
    pressed = set(text)
    if len(pressed) != 1:
        return None
    key = pressed.pop()
    if key == LEAVE_KEY:
        return Stop(f"key {LEAVE_KEY}") if ours else Leave()
    if key == ACKNOWLEDGE_KEY:
        return Acknowledge()
    if question is None:
        return None
    for choice in question.choices:
        if letter(choice) == key:
            return Answer(question.channel, question.question, choice)
    return None
