"""Rows of the interlock table: the station's own cycle, link, clock and record, the pads, and meters that disagree."""

from __future__ import annotations

from rfctl.kernel.phase import ALL, ENERGISED, HEATING, LESION, ON_SITE, STIMULATION, Phase
from rfctl.kernel.row import AT_ONCE, TWO_OF_THREE, Action, Basis, Origin, Quantity, Row, Side, sustained
from rfctl.kernel.signals_supervision import PLACED
from rfctl.model.plan import Medium

ARM_TOKEN_S = 4.5
"""The token is valid 5 s; the last half second is not used, so that a fire on the wire still finds it valid."""
PAD_HEATING_PLANNED_A2S = 27.0
"""Of the squared sum of the currents in one dispersive electrode, over any 60 s: more is not planned."""
PAD_HEATING_WARNED_A2S = 24.0
PAD_HEATING_MAX_A2S = 30.0
_OUTPUT = HEATING | STIMULATION
_OPEN = ALL - {Phase.ENDED}
_ON_PAD = frozenset({Medium.TISSUE, Medium.PHANTOM})

GENERATOR: tuple[Row, ...] = (
    Row(
        "suspended", "HZ-21", _OPEN, Quantity.SUSPENDED, Side.ABOVE, Basis.ABSOLUTE, 0, 0.2, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "s",
        "the computer slept for {measured} s, limit {limit} s: nothing is known of what happened meanwhile",
        "limits: supervision", watching=Action.WARN,
    ),
    Row(
        "cycle_overrun", "HZ-20", _OUTPUT, Quantity.CYCLE_GAP, Side.ABOVE, Basis.ABSOLUTE, 0, 0.2, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "s",
        "the station did nothing for {measured} s while an output is on, limit {limit} s", "limits: supervision",
    ),
    Row(
        "cycle_overrun_warning", "HZ-20", _OUTPUT, Quantity.CYCLE_GAP, Side.ABOVE, Basis.ABSOLUTE, 0, 0.1, AT_ONCE,
        Action.WARN, Origin.PROCESS, "s",
        "the station did nothing for {measured} s while an output is on, warned from {limit} s", "limits: supervision",
    ),
    Row(
        "refused_frames", "HZ-19", ON_SITE, Quantity.REFUSED_FRAMES, Side.ABOVE, Basis.ABSOLUTE, 0, 2, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "{count}",
        "{measured} frames of the generator were refused within 1 s, limit {limit}; check cable, earth and baud rate",
        "limits: supervision",
    ),
    Row(
        "record_backlog", "HZ-35", _OPEN, Quantity.RECORD_BACKLOG, Side.ABOVE, Basis.ABSOLUTE, 0, 1.0, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "s",
        "the record is {measured} s behind, limit {limit} s; no energy without a record", "limits: supervision",
        watching=Action.WARN,
    ),
    Row(
        "lease_late_warning", "HZ-20", _OUTPUT, Quantity.SAMPLE_AGE, Side.ABOVE, Basis.ABSOLUTE, 0, 0.15, AT_ONCE,
        Action.WARN, Origin.PROCESS, "s",
        "no decision, and so no renewal of the lease, for {measured} s, warned from {limit} s", "limits: lease",
    ),
    Row(
        "clock_rate", "HZ-24", ON_SITE, Quantity.CLOCK_ERROR, Side.ABOVE, Basis.ABSOLUTE, 0, 2.0, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "%",
        "the clocks of station and generator differ by {measured} % in rate, limit {limit} %; one of them measures no "
        "seconds", "limits: clock rate",
    ),
    Row(
        "pad_bad", "HZ-13", ENERGISED, Quantity.PAD_BAD, Side.ABOVE, Basis.ABSOLUTE, 0, 0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "1",
        "the generator reports that the dispersive electrode is not in good contact; look at the skin under it",
        "limits: supervision", stops_all=True, media=_ON_PAD,
    ),
    Row(
        "pad_silent", "HZ-13", ENERGISED, Quantity.PAD_AGE, Side.ABOVE, Basis.ABSOLUTE, 0, 0.3, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "s",
        "the state of the dispersive electrode has not been told for {measured} s, limit {limit} s",
        "limits: supervision", media=_ON_PAD,
    ),
    Row(
        "pad_rising", "HZ-13", ENERGISED, Quantity.PAD_RISE, Side.ABOVE, Basis.ABSOLUTE, 0, 20.0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "%",
        "the dispersive electrode measures {measured} % above its minimum of this procedure, limit {limit} %; look at "
        "the skin under it", "limits: supervision", stops_all=True, media=_ON_PAD,
    ),
    Row(
        "pad_heating", "HZ-51", ENERGISED, Quantity.PAD_HEATING, Side.ABOVE, Basis.ABSOLUTE, 0, PAD_HEATING_MAX_A2S,
        AT_ONCE, Action.TRIP, Origin.PROCESS, "A2.s",
        "{measured} A2s went into one dispersive electrode within 60 s, limit {limit} A2s: too many large electrodes "
        "at once", "limits: pad heating", stops_all=True, media=_ON_PAD,
    ),
    Row(
        "pad_heating_warning", "HZ-51", ENERGISED, Quantity.PAD_HEATING, Side.ABOVE, Basis.ABSOLUTE, 0,
        PAD_HEATING_WARNED_A2S, AT_ONCE, Action.WARN, Origin.PROCESS, "A2.s",
        "{measured} A2s went into one dispersive electrode within 60 s, warned from {limit} A2s", "limits: pad heating",
        media=_ON_PAD,
    ),
)  # fmt: skip
"""On the generator as a whole; judged on every event, also on one that brought no sample."""

CHANNEL: tuple[Row, ...] = (
    Row(
        "arm_expired", "HZ-42", frozenset({Phase.ARMED}), Quantity.ARMED, Side.ABOVE, Basis.ABSOLUTE, 0, ARM_TOKEN_S,
        AT_ONCE, Action.DISARM, Origin.PROCESS, "s",
        "channel {channel}: armed for {measured} s without the word to start, limit {limit} s; arm again",
        "limits: arm",
    ),
    Row(
        "current", "HZ-11", LESION, Quantity.CURRENT, Side.ABOVE, Basis.ENVELOPE_CURRENT, 1.2, 0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "A",
        "channel {channel}: {measured} A rms, limit {limit} A (1.2 x what the power limit drives); look for a short of "
        "cannula, cable or fluid", "limits: supervision",
    ),
    Row(
        "power_mismatch", "HZ-05", HEATING, Quantity.POWER_DIFFERENCE, Side.ABOVE, Basis.MEASURED_POWER, 0.2, 1.0,
        AT_ONCE, Action.TRIP, Origin.DEVICE, "W",
        "channel {channel}: V rms x I rms and the power differ by {measured} W in the mean of 0.5 s, limit {limit} W: "
        "a meter of the generator is wrong", "limits: V x I against P",
    ),
    Row(
        "mode_wrong", "HZ-25", HEATING, Quantity.MODE_WRONG, Side.ABOVE, Basis.ABSOLUTE, 0, 0,
        TWO_OF_THREE, Action.TRIP, Origin.DEVICE, "1",
        "channel {channel}: the generator is in another mode than it was set to, in {window}; somebody else "
        "controls it", "limits: supervision",
    ),
    Row(
        "idle_slope", "HZ-52", PLACED, Quantity.IDLE_SLOPE, Side.ABOVE, Basis.DISPLAY_STEP, 2.0, 1.0, sustained(200),
        Action.TRIP, Origin.PROCESS, "K/s",
        "channel {channel} has no power and warms by {measured} K/s, limit {limit} K/s, while another one heats: the "
        "cables may be swapped", "limits: cable swap", stops_all=True,
    ),
)  # fmt: skip
