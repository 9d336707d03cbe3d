"""The phases of a channel, and what each of them allows."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a channel is in the work on its site."""

    START_OFF = "start: verifying off"
    IDLE = "idle"
    QUEUED = "waiting for its turn"
    IMPEDANCE = "impedance check"
    SENSORY_NEXT = "sensory check next"
    SENSORY_CHOICE = "sensory check: whether to make it"
    SENSORY_INTENT = "sensory check: writing the intent"
    SENSORY_SETUP = "sensory check: writing the settings"
    SENSORY_SET = "sensory check: settings written"
    SENSORY_START = "sensory check: starting the stimulator"
    SENSORY = "sensory check"
    SENSORY_OFF = "sensory check: verifying off"
    SENSORY_HIGH = "sensory threshold above target"
    MOTOR_NEXT = "motor check next"
    MOTOR_CHOICE = "motor check: whether to make it"
    MOTOR_INTENT = "motor check: writing the intent"
    MOTOR_SETUP = "motor check: writing the settings"
    MOTOR_SET = "motor check: settings written"
    MOTOR_START = "motor check: starting the stimulator"
    MOTOR = "motor check"
    MOTOR_OFF = "motor check: verifying off"
    PAUSE_OFF = "stimulation paused: verifying off"
    PAUSED = "stimulation paused"
    HIGHER_OFF = "end of the envelope: verifying off"
    HIGHER = "end of the envelope"
    REPOSITION_OFF = "reposition: verifying off"
    REPOSITION = "reposition the electrode"
    ANAESTHETIC_NEXT = "anaesthetic next"
    ANAESTHETIC = "anaesthetic"
    ANAESTHETIC_WAIT = "anaesthetic wait"
    VOID_OFF = "stimulation result void: verifying off"
    STIM_REQUIRED = "stimulation check required"
    LESION_READY = "ready for its lesion"
    ARM_READY = "ready to arm"
    LESION_INTENT = "arming: writing the intent"
    CONFIGURING = "arming: writing the set points"
    ARMING = "arming"
    ARMED = "armed"
    DISARM_OFF = "disarmed: verifying off"
    FIRING = "starting RF"
    PROBE = "probe"
    PROBE_OFF = "probe: verifying off"
    RAMP = "ramp"
    HOLD = "hold"
    LESION_OFF = "lesion: verifying off"
    COOLING = "cooling"
    MOVE = "move the electrode for its next lesion"
    RECHECK = "impedance check after the move"
    DONE = "done"
    DROP_OFF = "dropped: verifying off"
    DROPPED = "dropped"
    ENDED = "ended"

    __hash__ = str.__hash__  # phases are looked up in sets in every sample, and Enum's own hash is a Python function


ALL = frozenset(Phase)
STIMULATION = frozenset({Phase.SENSORY, Phase.MOTOR})
STIMULATION_SETTING = frozenset({Phase.SENSORY_SETUP, Phase.SENSORY_SET, Phase.MOTOR_SETUP, Phase.MOTOR_SET})
"""The stimulator is set, its output off; it starts after a sample that comes later."""
STIMULATION_STARTING = frozenset({Phase.SENSORY_START, Phase.MOTOR_START})
LESION = frozenset({Phase.FIRING, Phase.PROBE, Phase.RAMP, Phase.HOLD})
HEATING = frozenset({Phase.PROBE, Phase.RAMP, Phase.HOLD})
ENERGISED = STIMULATION | STIMULATION_STARTING | LESION
OFF_VERIFYING = frozenset(
    {
        Phase.START_OFF,
        Phase.SENSORY_OFF,
        Phase.MOTOR_OFF,
        Phase.PAUSE_OFF,
        Phase.HIGHER_OFF,
        Phase.REPOSITION_OFF,
        Phase.VOID_OFF,
        Phase.DISARM_OFF,
        Phase.PROBE_OFF,
        Phase.LESION_OFF,
        Phase.DROP_OFF,
    }
)
CHECKING = frozenset(
    {
        Phase.IMPEDANCE,
        Phase.SENSORY_NEXT,
        Phase.SENSORY_CHOICE,
        Phase.SENSORY_INTENT,
        Phase.SENSORY_SETUP,
        Phase.SENSORY_SET,
        Phase.SENSORY_START,
        Phase.SENSORY,
        Phase.SENSORY_OFF,
        Phase.SENSORY_HIGH,
        Phase.MOTOR_NEXT,
        Phase.MOTOR_CHOICE,
        Phase.MOTOR_INTENT,
        Phase.MOTOR_SETUP,
        Phase.MOTOR_SET,
        Phase.MOTOR_START,
        Phase.MOTOR,
        Phase.MOTOR_OFF,
        Phase.PAUSE_OFF,
        Phase.PAUSED,
        Phase.HIGHER_OFF,
        Phase.HIGHER,
        Phase.REPOSITION_OFF,
        Phase.REPOSITION,
    }
)
"""Phases of the checks; one channel at a time is in them."""
MOTOR_CHECK = frozenset(
    {
        Phase.MOTOR_NEXT,
        Phase.MOTOR_CHOICE,
        Phase.MOTOR_INTENT,
        Phase.MOTOR_SETUP,
        Phase.MOTOR_SET,
        Phase.MOTOR_START,
        Phase.MOTOR,
    }
)
ARMING = frozenset({Phase.LESION_INTENT, Phase.CONFIGURING, Phase.ARMING, Phase.ARMED})
"""From the person's word to the last moment before RF."""
BEFORE_RF = ARMING | {Phase.LESION_READY, Phase.ARM_READY}
"""Everything is ready; what the checks found must still hold."""
PERMITTED = ENERGISED | STIMULATION_SETTING | {Phase.CONFIGURING, Phase.ARMING, Phase.ARMED}
"""Phases in which each decision renews permit and lease."""
INTENDED = frozenset({Phase.SENSORY_INTENT, Phase.MOTOR_INTENT, Phase.LESION_INTENT})
"""The intent is being written, and the enable loop closed; both must be done before anything goes on."""
ENABLED = INTENDED | PERMITTED
"""Phases in which the guard is asked to hold the enable loop closed. In no other phase can an output be on for long."""
OVER = frozenset({Phase.DONE, Phase.DROPPED})
"""Nothing more happens at the site."""
ON_SITE = ALL - OVER - {Phase.START_OFF, Phase.IDLE, Phase.QUEUED, Phase.DROP_OFF, Phase.ENDED}
"""Phases in which the channel's electrode is in use, so that its signals must make sense."""
WITHOUT_RF = ALL - LESION - OFF_VERIFYING - {Phase.ENDED}
"""Phases in which RF has no business to be on. After the end, verifying off has its own row."""
