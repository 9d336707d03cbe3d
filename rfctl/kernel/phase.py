"""The phases of a channel, and what each of them allows."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a channel is in the work on its site."""

    START_OFF = "start: verifying off"
    IDLE = "idle"
    IMPEDANCE = "impedance check"
    SENSORY_NEXT = "sensory check next"
    SENSORY_INTENT = "sensory check: writing the intent"
    SENSORY_SETUP = "sensory check: starting the stimulator"
    SENSORY = "sensory check"
    SENSORY_OFF = "sensory check: verifying off"
    SENSORY_HIGH = "sensory threshold above target"
    MOTOR_NEXT = "motor check next"
    MOTOR_INTENT = "motor check: writing the intent"
    MOTOR_SETUP = "motor check: starting the stimulator"
    MOTOR = "motor check"
    MOTOR_OFF = "motor check: verifying off"
    REPOSITION_OFF = "reposition: verifying off"
    REPOSITION = "reposition the electrode"
    ANAESTHETIC_NEXT = "anaesthetic next"
    ANAESTHETIC = "anaesthetic"
    ANAESTHETIC_WAIT = "anaesthetic wait"
    ARM_READY = "ready to arm"
    LESION_INTENT = "arming: writing the intent"
    CONFIGURING = "arming: writing the set points"
    ARMING = "arming"
    ARMED = "armed"
    DISARM_OFF = "disarmed: verifying off"
    FIRING = "starting RF"
    RAMP = "ramp"
    HOLD = "hold"
    LESION_OFF = "lesion: verifying off"
    COOLING = "cooling"
    DONE = "done"
    ENDED = "ended"

    __hash__ = str.__hash__  # phases are looked up in sets in every sample, and Enum's own hash is a Python function


ALL = frozenset(Phase)
STIMULATION = frozenset({Phase.SENSORY, Phase.MOTOR})
STIMULATION_STARTING = frozenset({Phase.SENSORY_SETUP, Phase.MOTOR_SETUP})
LESION = frozenset({Phase.FIRING, Phase.RAMP, Phase.HOLD})
HEATING = frozenset({Phase.RAMP, Phase.HOLD})
ENERGISED = STIMULATION | STIMULATION_STARTING | LESION
OFF_VERIFYING = frozenset(
    {
        Phase.START_OFF,
        Phase.SENSORY_OFF,
        Phase.MOTOR_OFF,
        Phase.REPOSITION_OFF,
        Phase.DISARM_OFF,
        Phase.LESION_OFF,
    }
)
PERMITTED = ENERGISED | {Phase.CONFIGURING, Phase.ARMING, Phase.ARMED}
"""Phases in which each decision renews permit and lease."""
ON_SITE = ALL - {Phase.START_OFF, Phase.IDLE, Phase.DONE, Phase.ENDED}
"""Phases in which the channel's electrode is in use, so that its signals must make sense."""
WITHOUT_RF = ALL - LESION - OFF_VERIFYING - {Phase.ENDED}
"""Phases in which RF has no business to be on. After the end, verifying off has its own row."""
