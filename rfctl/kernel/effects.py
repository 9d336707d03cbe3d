"""What the kernel wants done. The station carries effects out in the order given, off first."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from rfctl.kernel.events import Choice, Question
from rfctl.model.capability import SetPoint
from rfctl.model.permit import Envelope, Permit
from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings


class Off(NamedTuple):
    """Everything off, at once, by the synchronous path."""

    reason: str


class ChannelOff(NamedTuple):
    """One channel off, by its own command; the others go on. Where that fails, everything goes off."""

    channel: int
    reason: str


class Grant(NamedTuple):
    """Hand this permit to the link."""

    permit: Permit


class Renew(NamedTuple):
    """Renew the generator's lease: this decision is complete."""


class MakeDurable(NamedTuple):
    """Write this intent to disk and say so with Durable; no energy before it."""

    intent: int
    channel: int
    kind: str
    envelope: Envelope


class Claim(NamedTuple):
    """Take or keep ownership of the generator; at the start also clear the faults that an earlier session left."""

    clear_faults: bool = False


class Release(NamedTuple):
    """Give ownership of the generator back."""


class Configure(NamedTuple):
    """Write the set points of a lesion."""

    channel: int
    settings: LesionSettings


class ConfigureSetPoint(NamedTuple):
    """Write what bounds a lesion whose temperature the station controls; its set point is 0."""

    channel: int
    settings: SetPointSettings


class SetOutput(NamedTuple):
    """Set the output of a lesion that is on: V rms, or W at the terminals."""

    channel: int
    set_point: SetPoint
    value: float


class LowerLimit(NamedTuple):
    """Lower the power limit of a lesion that is on, W at the terminals."""

    channel: int
    power_limit_w: float


class Arm(NamedTuple):
    """First act of a lesion."""

    channel: int


class Fire(NamedTuple):
    """Second act of a lesion: RF on."""

    channel: int
    token: int


class ConfigureStimulation(NamedTuple):
    """Write what the stimulator is to do, and read it back; output off, amplitude 0."""

    channel: int
    settings: StimulationSettings


class StartStimulation(NamedTuple):
    """Start the stimulator as configured, at amplitude 0."""

    channel: int


class SetAmplitude(NamedTuple):
    """Set the stimulation amplitude, V or mA by the mode in force."""

    channel: int
    amplitude: float


class Ask(NamedTuple):
    """Put a question to the operator."""

    channel: int
    question: Question
    choices: tuple[Choice, ...]
    text: str


class Level(StrEnum):
    """Weight of a note."""

    INFO = "info"
    WARNING = "warning"
    TRIP = "trip"


class Note(NamedTuple):
    """Something a person reading the log wants to see. ``channel`` 0 is the whole generator."""

    level: Level
    channel: int
    code: str
    text: str


class Outcome(StrEnum):
    """How a procedure ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"
    REFUSED = "refused"
    FAILED = "failed"


class Finish(NamedTuple):
    """The procedure is over; nothing more is decided."""

    outcome: Outcome
    exit_code: int
    off_verified: bool
    text: str


Effect = (
    Off
    | ChannelOff
    | Grant
    | Renew
    | MakeDurable
    | Claim
    | Release
    | Configure
    | ConfigureSetPoint
    | SetOutput
    | LowerLimit
    | Arm
    | Fire
    | ConfigureStimulation
    | StartStimulation
    | SetAmplitude
    | Ask
    | Note
    | Finish
)
