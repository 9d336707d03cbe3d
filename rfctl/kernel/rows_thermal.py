"""Rows about heat: what reads the tip's temperature must agree with the power that goes into the tissue."""

from __future__ import annotations

from rfctl.kernel.expected import POWER_OVER_EXPECTED
from rfctl.kernel.phase import Phase
from rfctl.kernel.row import AT_ONCE, Action, Basis, Origin, Quantity, Row, Side, sustained

_RAMP = frozenset({Phase.RAMP})
_HOLD = frozenset({Phase.HOLD})
_COOLING = frozenset({Phase.COOLING})
_ARM = frozenset({Phase.ARM_READY})
_EDGES = frozenset({Phase.PROBE, Phase.RAMP, Phase.LESION_OFF, Phase.COOLING})
"""Where the first samples after RF on or off are."""
_CHECK = frozenset({Phase.IMPEDANCE})

THERMAL_ROWS: tuple[Row, ...] = (
    Row(
        "model_check", "HZ-06", _RAMP, Quantity.RISE_SHARE, Side.BELOW, Basis.DRY_SHARE, 45.0, 0, sustained(1000),
        Action.TRIP, Origin.PROCESS, "%",
        "channel {channel}: the tip is {measured} % as much warmer as this power makes the planned electrode, limit "
        "{limit} % for {window}; is the electrode seated in its cannula, and is it the planned one?",
        "limits: model check",
    ),
    Row(
        "model_check_pause", "HZ-06", _RAMP, Quantity.RISE_SHARE, Side.BELOW, Basis.DRY_SHARE, 60.0, 0,
        sustained(1000), Action.PAUSE, Origin.PROCESS, "%",
        "channel {channel}: the tip is {measured} % as much warmer as this power makes the planned electrode, below "
        "{limit} % for {window}: the ramp is paused; see whether the electrode is seated in its cannula",
        "limits: model check",
    ),
    Row(
        "temperature_frozen", "HZ-05", _RAMP, Quantity.SAME_CODE_RAMP, Side.ABOVE, Basis.STANDING_STILL, 1, 0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "s",
        "channel {channel}: the temperature has stood still for {measured} s in the ramp, limit {limit} s",
        "limits: frozen",
    ),
    Row(
        "temperature_frozen_hold", "HZ-05", _HOLD, Quantity.SAME_CODE_HOLD, Side.ABOVE, Basis.ABSOLUTE, 0, 10.0,
        AT_ONCE, Action.TRIP, Origin.PROCESS, "s",
        "channel {channel}: the temperature has not moved by its own noise for {measured} s, limit {limit} s",
        "limits: frozen",
    ),
    Row(
        "cooling_stands_still", "HZ-05", _COOLING, Quantity.STANDS_WARM, Side.ABOVE, Basis.ABSOLUTE, 0, 300.0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "s",
        "channel {channel}: the tip reads 45 degC or more and has not cooled by another 1 K, or step of the display, "
        "for {measured} s, limit {limit} s: its reading stands still, or something heats it; do not remove the "
        "electrode by this reading", "limits: frozen",
    ),
    Row(
        "not_cooling", "HZ-15", _COOLING, Quantity.FALLEN_SINCE_OFF, Side.BELOW, Basis.DISPLAY_STEP, 1.0, 1.0, AT_ONCE,
        Action.WARN, Origin.DEVICE, "K",
        "channel {channel}: 5 s after RF off the tip has cooled by {measured} K, and at least {limit} K are certain, "
        "though status, current and power are those of off: its reading stands still, or something heats it",
        "limits: off verified",
    ),
    Row(
        "hold_power", "HZ-06", _HOLD, Quantity.HOLD_POWER, Side.ABOVE, Basis.EXPECTED_POWER, 3.5, 0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "W",
        "channel {channel}: {measured} W in the tissue over 5 s of hold, limit 3.5 x the expected power ({limit} W)",
        "limits: hold check",
    ),
    Row(
        "hold_power_growing", "HZ-06", _HOLD, Quantity.HOLD_POWER_SHARE, Side.ABOVE, Basis.ABSOLUTE, 0, 150.0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "%",
        "channel {channel}: the power over 5 s is {measured} % of what this hold took from 10 to 15 s, limit {limit} %",
        "limits: hold check",
    ),
    Row(
        "hold_rise_low", "HZ-03", _HOLD, Quantity.HOLD_RATIO_MOST, Side.BELOW, Basis.ABSOLUTE, 0, 28.0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "%",
        "channel {channel}: the rise for each watt has been at most {measured} % of the expected one for 3 s, limit "
        "{limit} %", "limits: hold check",
    ),
    Row(
        "hold_rise_high", "HZ-03", _HOLD, Quantity.HOLD_RATIO_LEAST, Side.ABOVE, Basis.TAKEN_UP, 250.0, 0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "%",
        "channel {channel}: the rise for each watt has been at least {measured} % of the expected one for 3 s, limit "
        "{limit} %; something else may heat this tip", "limits: hold check",
    ),
    Row(
        "rf_pickup", "HZ-07", _EDGES, Quantity.PICK_UP, Side.ABOVE, Basis.DISPLAY_STEP, 2.0, 1.5, AT_ONCE,
        Action.WARN, Origin.PROCESS, "K",
        "channel {channel}: the reading jumped by {measured} K as RF changed, limit {limit} K: it is biased by RF, and "
        "the next start is blocked", "limits: RF pick-up",
    ),
    Row(
        "rf_pickup_before", "HZ-07", _ARM, Quantity.BIASED, Side.ABOVE, Basis.ABSOLUTE, 0, 0, AT_ONCE, Action.REFUSE,
        Origin.PROCESS, "1",
        "channel {channel}: RF biased the reading of this channel before; find the cause before it is armed again",
        "limits: RF pick-up",
    ),
    Row(
        "time_budget", "HZ-01", _ARM, Quantity.POWER_LIMIT_TISSUE, Side.BELOW, Basis.EXPECTED_POWER,
        POWER_OVER_EXPECTED, 0, AT_ONCE, Action.REFUSE, Origin.PROCESS, "W",
        "channel {channel}: near the set temperature the time from a fault to RF off and the generator's rating leave "
        "{measured} W in the tissue, and the control needs 1.8 x the expected power ({limit} W); plan a lower set "
        "temperature, a thicker cannula or a longer tip", "limits: time budget",
    ),
    Row(
        "too_cold_for_tissue", "HZ-04", _CHECK, Quantity.TEMPERATURE_AT_REST, Side.BELOW, Basis.ABSOLUTE, 0, 15.0,
        AT_ONCE, Action.REFUSE, Origin.PROCESS, "Cel",
        "channel {channel}: {measured} degC in tissue before RF, limit {limit} degC; the thermocouple may be reversed",
        "limits: reversed",
    ),
    Row(
        "thermocouple_shorted", "HZ-03", _CHECK, Quantity.FROM_COLD_JUNCTION, Side.BELOW, Basis.ABSOLUTE, 0, 1.0,
        AT_ONCE, Action.REFUSE, Origin.PROCESS, "K",
        "channel {channel}: in tissue the tip reads its own connector's temperature within {measured} K, limit {limit} "
        "K; the thermocouple may be shorted, or the needle is not in the tissue yet", "limits: baseline",
    ),
)  # fmt: skip
