"""What the kernel hears. Each event carries the monotonic time of the station in integer nanoseconds."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from rfctl.model.reading import Reading


class Command(StrEnum):
    """The acts on the generator that the kernel asks for and hears the end of."""

    CLAIM = "claim"
    CONFIGURE = "configure"
    ARM = "arm"
    FIRE = "fire"
    START_STIMULATION = "start_stimulation"
    SET_AMPLITUDE = "set_amplitude"
    SET_OUTPUT = "set_output"
    LOWER_LIMIT = "lower_limit"
    CHANNEL_OFF = "channel_off"
    RENEW = "renew"
    RELEASE = "release"


class Cause(StrEnum):
    """Why there is no sample, or why a command failed."""

    TIMEOUT = "time-out"
    CLOSED = "connection lost"
    BAD_REPLY = "bad reply"
    PREEMPTED = "overtaken by a stop"
    REFUSED = "refused by the generator"
    GATE = "refused by the gate"


class Question(StrEnum):
    """What only a person can decide."""

    CHECKLIST = "checklist"
    PERFORM = "perform"
    SENSORY = "sensory"
    SENSORY_HIGH = "sensory_high"
    MOTOR = "motor"
    PAUSED = "paused"
    HIGHER = "higher"
    REPOSITION = "reposition"
    POSITION = "position"
    ANAESTHETIC = "anaesthetic"
    ARM = "arm"
    START = "start"
    MOVE = "move"


class Choice(StrEnum):
    """The answers to the questions."""

    CONFIRM = "confirm"
    DECLINE = "decline"
    PERFORM = "perform"
    LEAVE_OUT = "leave_out"
    STEP = "step"
    STEP_DOWN = "step_down"
    OFF = "off"
    AGAIN = "again"
    FELT = "felt"
    NOT_FELT = "not_felt"
    NONE = "none"
    RESPONSE = "response"
    ACCEPT = "accept"
    OVERRIDE = "override"
    REPOSITION = "reposition"
    DONE = "done"
    GIVEN = "given"
    ARM = "arm"
    START = "start"


class Notice(StrEnum):
    """What the station notices by itself, beside the generator's answers; the kernel's rows judge it."""

    SUSPENDED = "suspended_s"
    """The machine slept: s by which its clock that goes on in sleep ran ahead."""
    REFUSED_FRAMES = "refused_frames"
    """So many frames of the generator were refused since this was last said."""
    RECORD_BACKLOG = "record_backlog_s"
    """Age of the oldest line that is not in the file, s."""


class Sampled(NamedTuple):
    """A reading arrived."""

    now_ns: int
    reading: Reading


class Missed(NamedTuple):
    """A poll gave no reading."""

    now_ns: int
    cause: Cause
    text: str


class Answered(NamedTuple):
    """A person decided.

    Attributes:
        now_ns: When.
        question: What was asked.
        choice: The answer.
        by: Who.
        reason: As typed, where the choice takes one.
        physician: Who confirmed the electrode's position by imaging, where the choice takes that.
    """

    now_ns: int
    question: Question
    choice: Choice
    by: str
    reason: str = ""
    physician: str = ""


class Stopped(NamedTuple):
    """A person or a signal stopped everything; the off frames are already on the wire."""

    now_ns: int
    by: str


class Durable(NamedTuple):
    """The intent with this number is on disk."""

    now_ns: int
    intent: int


class Guarded(NamedTuple):
    """The guard says something new, or nothing any more.

    Attributes:
        now_ns: When the station noticed.
        closed: The relay's contact is held, and was read closed.
        silent_ns: Since when the guard has said nothing; 0 while it goes on.
        code: Why it has let go for good; empty while it has not.
        hazard: Of that.
        text: In words.
    """

    now_ns: int
    closed: bool
    silent_ns: int = 0
    code: str = ""
    hazard: str = ""
    text: str = ""


class RecordFailed(NamedTuple):
    """The record cannot be written."""

    now_ns: int
    text: str


class Completed(NamedTuple):
    """A command was carried out and read back. ``value`` is the token of ARM, else 0."""

    now_ns: int
    command: Command
    channel: int
    value: int


class Failed(NamedTuple):
    """A command was not carried out."""

    now_ns: int
    command: Command
    channel: int
    cause: Cause
    text: str


class Noticed(NamedTuple):
    """The station noticed something; said only when there is something to say."""

    now_ns: int
    notice: Notice
    value: float


Event = Sampled | Missed | Answered | Stopped | Durable | Guarded | RecordFailed | Completed | Failed | Noticed
