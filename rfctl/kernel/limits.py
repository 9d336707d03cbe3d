"""The one table of interlock limits. A row says what is compared with what, in which phases, how long, what follows.

Every number is this project's own choice, computed where its source says so. A procedure, a station or a plan may only
tighten what is here.
"""

from __future__ import annotations

from rfctl.kernel import rows_stimulation, rows_supervision
from rfctl.kernel.phase import (
    ALL,
    ENABLED,
    ENERGISED,
    HEATING,
    INTENDED,
    LESION,
    OFF_VERIFYING,
    ON_SITE,
    PERMITTED,
    STIMULATION,
    WITHOUT_RF,
    Phase,
)
from rfctl.kernel.row import AT_ONCE, TWO_OF_THREE, Action, Basis, Origin, Quantity, Row, Side, sustained
from rfctl.kernel.rows_thermal import THERMAL_ROWS
from rfctl.model.plan import Medium

SET_TEMPERATURE_MIN_C = 42.0
SET_TEMPERATURE_MAX_C = 90.0
TEMPERATURE_MAX_C = 95.0
HOLD_MAX_S = 600.0
DURATION_MAX_S = 720.0
RAMP_MIN_C_PER_S = 0.5
RAMP_MAX_C_PER_S = 5.0
SERIES_RESISTANCE_MAX_OHM = 200.0
PERMIT_NS = 300_000_000
"""A permit outlives the decision that gave it by as long as a sample may age."""
ARM_TOKEN_NS = round(rows_supervision.ARM_TOKEN_S * 1e9)
REMOVE_BELOW_C = 45.0
RISE_CHECKED_BELOW_SET_K = 5.0
REVERSED_AFTER_J = 2.0
REVERSED_WITHIN_S = 3.0
ENERGY_MAX_J = 4000.0
PROBE_POWER_W = 1.0
"""In the tissue, of each channel alone, before several heat together."""
PROBE_RISE_K = 2.0
PROBE_S = 10.0
NEIGHBOUR_RISE_K = 0.7
NEIGHBOUR_STEPS = 1.2
"""A channel that only looks on while another is probed warms by less than so many K, or display steps."""


MEASURING = frozenset({Phase.IMPEDANCE, Phase.ANAESTHETIC_WAIT, Phase.RECHECK})
"""Phases whose last 5 s give a mean of the impedance."""


ROWS: tuple[Row, ...] = (
    Row(
        "off_not_verified", "HZ-15", OFF_VERIFYING | {Phase.ENDED}, Quantity.OUTPUT_AFTER_OFF, Side.ABOVE,
        Basis.ABSOLUTE, 0, 0.25, AT_ONCE, Action.TRIP, Origin.DEVICE, "s",
        "channel {channel}: OFF NOT CONFIRMED, output still measured {measured} s after off, limit {limit} s",
        "limits: off verified",
    ),
    *rows_stimulation.EXCLUSION,
    Row(
        "sample_age", "HZ-17", ENERGISED, Quantity.SAMPLE_AGE, Side.ABOVE, Basis.ABSOLUTE, 0, 0.3, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "s",
        "no valid sample for {measured} s while an output is on, limit {limit} s", "limits: sample age",
    ),
    Row(
        "link_silent", "HZ-17", ALL, Quantity.SAMPLE_AGE, Side.ABOVE, Basis.ABSOLUTE, 0, 2.0, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "s",
        "no valid sample for {measured} s, limit {limit} s with every output off", "limits: sample age",
    ),
    Row(
        "counter_frozen", "HZ-05", ENERGISED, Quantity.COUNTER_AGE, Side.ABOVE, Basis.ABSOLUTE, 0, 0.3, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "s",
        "the generator's sample counter has not advanced for {measured} s, limit {limit} s", "limits: frozen",
    ),
    *rows_supervision.GENERATOR,
    Row(
        "guard_silent", "HZ-45", ENABLED, Quantity.GUARD_AGE, Side.ABOVE, Basis.ABSOLUTE, 0, 0.3, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "s",
        "the guard has said nothing for {measured} s, limit {limit} s", "limits: guard and relay",
    ),
    Row(
        "enable_loop_open", "HZ-44", PERMITTED, Quantity.LOOP_OPEN, Side.ABOVE, Basis.ABSOLUTE, 0, 0, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "1",
        "the relay's contact is open although it is to be held; without the enable loop there is no energy",
        "limits: guard and relay",
    ),
    Row(
        "enable_loop_late", "HZ-44", INTENDED, Quantity.LOOP_WAIT, Side.ABOVE, Basis.ABSOLUTE, 0, 1.0, AT_ONCE,
        Action.REFUSE, Origin.DEVICE, "s",
        "the guard has not closed the enable loop {measured} s after it was asked to, limit {limit} s",
        "limits: guard and relay",
    ),
    Row(
        "lease_lost", "HZ-20", STIMULATION | HEATING, Quantity.LEASE_LOST, Side.ABOVE, Basis.ABSOLUTE, 0, 0, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "1",
        "channel {channel}: the generator no longer holds this station's lease or ownership", "limits: lease",
    ),
    Row(
        "uncommanded_rf", "HZ-14", WITHOUT_RF, Quantity.UNCOMMANDED_RF, Side.ABOVE, Basis.ABSOLUTE, 0, 0, TWO_OF_THREE,
        Action.TRIP, Origin.DEVICE, "1",
        "channel {channel}: RF is on without command (RF bit, or above 20 mA in the RF band with more than 0.5 W, in "
        "{window})", "limits: RF on without command",
    ),
    Row(
        "thermocouple_open", "HZ-02", ON_SITE, Quantity.THERMOCOUPLE_OPEN, Side.ABOVE, Basis.ABSOLUTE, 0, 0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "1",
        "channel {channel}: the thermocouple is open; check electrode and cable", "limits: implausible",
    ),
    Row(
        "temperature_max", "HZ-01", ON_SITE, Quantity.TEMPERATURE, Side.ABOVE, Basis.ABSOLUTE, 0, TEMPERATURE_MAX_C,
        AT_ONCE, Action.TRIP, Origin.PROCESS, "Cel",
        "channel {channel}: {measured} degC is above the hard maximum of {limit} degC", "limits: set temperature",
    ),
    Row(
        "temperature_implausible_low", "HZ-02", ON_SITE, Quantity.TEMPERATURE, Side.BELOW, Basis.ABSOLUTE, 0, 0.0,
        AT_ONCE, Action.TRIP, Origin.PROCESS, "Cel",
        "channel {channel}: {measured} degC is below {limit} degC and cannot be true", "limits: implausible",
    ),
    Row(
        "temperature_step", "HZ-02", ON_SITE, Quantity.TEMPERATURE_STEP, Side.ABOVE, Basis.ABSOLUTE, 0, 15.0, AT_ONCE,
        Action.TRIP, Origin.PROCESS, "K",
        "channel {channel}: the temperature stepped by {measured} K within 100 ms, limit {limit} K",
        "limits: implausible",
    ),
    Row(
        "over_set_fast", "HZ-01", LESION, Quantity.TEMPERATURE, Side.ABOVE, Basis.SET_TEMPERATURE, 1, 8.0, TWO_OF_THREE,
        Action.TRIP, Origin.PROCESS, "Cel",
        "channel {channel}: {measured} degC is above set temperature + 8 K ({limit} degC) in {window}",
        "limits: over set",
    ),
    Row(
        "over_set", "HZ-01", LESION, Quantity.TEMPERATURE, Side.ABOVE, Basis.SET_TEMPERATURE, 1, 5.0, sustained(500),
        Action.TRIP, Origin.PROCESS, "Cel",
        "channel {channel}: {measured} degC is above set temperature + 5 K ({limit} degC) for {window}",
        "limits: over set",
    ),
    Row(
        "over_set_warning", "HZ-01", LESION, Quantity.TEMPERATURE, Side.ABOVE, Basis.SET_TEMPERATURE, 1, 3.0,
        sustained(1000), Action.WARN, Origin.PROCESS, "Cel",
        "channel {channel}: {measured} degC is above set temperature + 3 K ({limit} degC) for {window}",
        "limits: over set",
    ),
    Row(
        "under_set", "HZ-06", frozenset({Phase.HOLD}), Quantity.TEMPERATURE, Side.BELOW, Basis.SET_TEMPERATURE, 1, -4.0,
        sustained(500), Action.TRIP, Origin.PROCESS, "Cel",
        "channel {channel}: {measured} degC is below set temperature - 4 K ({limit} degC) for {window} of the hold, "
        "with RF on: has the electrode slipped out of its seat in the cannula, or been moved?", "limits: under set",
    ),
    Row(
        "impedance_high", "HZ-10", HEATING | STIMULATION, Quantity.IMPEDANCE, Side.ABOVE, Basis.ABSOLUTE, 0, 1200.0,
        TWO_OF_THREE, Action.TRIP, Origin.PROCESS, "Ohm",
        "channel {channel}: impedance {measured} ohm is above {limit} ohm in {window}", "limits: impedance, running",
    ),
    Row(
        "impedance_low", "HZ-11", HEATING | STIMULATION, Quantity.IMPEDANCE, Side.BELOW, Basis.ABSOLUTE, 0, 30.0,
        TWO_OF_THREE, Action.TRIP, Origin.PROCESS, "Ohm",
        "channel {channel}: impedance {measured} ohm is below {limit} ohm in {window}", "limits: impedance, running",
    ),
    Row(
        "power_cap", "HZ-30", LESION, Quantity.POWER_TISSUE, Side.ABOVE, Basis.POWER_CAP, 1.15, 0.5, TWO_OF_THREE,
        Action.TRIP, Origin.PROCESS, "W",
        "channel {channel}: {measured} W in the tissue is above 1.15 x the electrode's cap + 0.5 W ({limit} W) in "
        "{window}", "limits: power cap",
    ),
    Row(
        "impedance_start_high", "HZ-10", MEASURING, Quantity.IMPEDANCE_MEAN, Side.ABOVE,
        Basis.ABSOLUTE, 0, 1000.0, AT_ONCE, Action.REFUSE, Origin.PROCESS, "Ohm",
        "channel {channel}: impedance {measured} ohm is above {limit} ohm; check electrode, cable and dispersive "
        "electrode", "limits: impedance, start",
    ),
    Row(
        "impedance_start_low", "HZ-11", frozenset({Phase.IMPEDANCE, Phase.RECHECK}), Quantity.IMPEDANCE_MEAN,
        Side.BELOW, Basis.ABSOLUTE, 0, 50.0, AT_ONCE, Action.REFUSE, Origin.PROCESS, "Ohm",
        "channel {channel}: impedance {measured} ohm is below {limit} ohm; look for contact of cannula and cable",
        "limits: impedance, start",
    ),
    Row(
        "impedance_start_low_warning", "HZ-11", frozenset({Phase.IMPEDANCE}), Quantity.IMPEDANCE_MEAN, Side.BELOW,
        Basis.ABSOLUTE, 0, 100.0, AT_ONCE, Action.WARN, Origin.PROCESS, "Ohm",
        "channel {channel}: impedance {measured} ohm is below the usual {limit} ohm", "limits: impedance, start",
    ),
    Row(
        "impedance_start_high_warning", "HZ-10", frozenset({Phase.IMPEDANCE}), Quantity.IMPEDANCE_MEAN, Side.ABOVE,
        Basis.ABSOLUTE, 0, 700.0, AT_ONCE, Action.WARN, Origin.PROCESS, "Ohm",
        "channel {channel}: impedance {measured} ohm is above the usual {limit} ohm", "limits: impedance, start",
    ),
    Row(
        "impedance_rising", "HZ-12", HEATING, Quantity.IMPEDANCE_SLOPE, Side.ABOVE, Basis.ABSOLUTE, 0, 15.0,
        sustained(200), Action.TRIP, Origin.PROCESS, "%/s",
        "channel {channel}: tissue impedance rises by {measured} %/s, limit {limit} %/s for {window}",
        "limits: impedance, running",
    ),
    Row(
        "impedance_falling", "HZ-11", HEATING, Quantity.IMPEDANCE_SLOPE, Side.BELOW, Basis.ABSOLUTE, 0, -15.0,
        sustained(200), Action.TRIP, Origin.PROCESS, "%/s",
        "channel {channel}: tissue impedance changes by {measured} %/s, limit {limit} %/s for {window}",
        "limits: impedance, running",
    ),
    Row(
        "impedance_over_minimum", "HZ-12", HEATING, Quantity.IMPEDANCE_RISE, Side.ABOVE, Basis.ABSOLUTE, 0, 20.0,
        sustained(200), Action.TRIP, Origin.PROCESS, "%",
        "channel {channel}: tissue impedance is {measured} % over its minimum, limit {limit} % for {window}",
        "limits: impedance, running",
    ),
    Row(
        "impedance_over_minimum_warning", "HZ-12", HEATING, Quantity.IMPEDANCE_RISE, Side.ABOVE, Basis.ABSOLUTE, 0,
        12.0, sustained(200), Action.WARN, Origin.PROCESS, "%",
        "channel {channel}: tissue impedance is {measured} % over its minimum, warned from {limit} %",
        "limits: impedance, running",
    ),
    Row(
        "reversed", "HZ-04", frozenset({Phase.PROBE, Phase.RAMP}), Quantity.FALLEN, Side.ABOVE, Basis.ABSOLUTE, 0, 1.0,
        AT_ONCE, Action.TRIP, Origin.PROCESS, "K",
        "channel {channel}: the tip reads {measured} K colder since RF is on, limit {limit} K; the thermocouple may be "
        "reversed", "limits: reversed",
    ),
    Row(
        "rise_missing", "HZ-03", frozenset({Phase.PROBE, Phase.RAMP}), Quantity.RISE_AFTER_ENERGY, Side.BELOW,
        Basis.ABSOLUTE, 0, PROBE_RISE_K, AT_ONCE, Action.TRIP, Origin.PROCESS, "K",
        "channel {channel}: the tip is only {measured} K warmer with the energy that must have shown by {limit} K; is "
        "the thermocouple shorted, or the electrode not seated in its cannula?", "limits: rise check",
    ),
    Row(
        "target_not_reached", "HZ-29", frozenset({Phase.RAMP}), Quantity.RF_ON, Side.ABOVE, Basis.RAMP, 1, 40.0,
        AT_ONCE, Action.TRIP, Origin.PROCESS, "s",
        "channel {channel}: set temperature not reached after {measured} s, limit {limit} s",
        "limits: target not reached", media=frozenset({Medium.TISSUE, Medium.PHANTOM}),
    ),
    *THERMAL_ROWS,
    Row(
        "energy", "HZ-30", LESION, Quantity.ENERGY, Side.ABOVE, Basis.ENERGY, 2.4, 0, AT_ONCE, Action.TRIP,
        Origin.PROCESS, "J",
        "channel {channel}: {measured} J in the tissue, limit {limit} J", "limits: energy",
    ),
    Row(
        "probe_duration", "HZ-52", frozenset({Phase.PROBE}), Quantity.RF_ON, Side.ABOVE, Basis.ABSOLUTE, 0, PROBE_S,
        AT_ONCE, Action.TRIP, Origin.PROCESS, "s",
        "channel {channel}: probed for {measured} s, limit {limit} s, and its own tip is not 2 K warmer; check the "
        "cables and whether the electrode sits in its cannula", "limits: cable swap",
    ),
    Row(
        "cable_swap", "HZ-52", frozenset({Phase.PROBE}), Quantity.NEIGHBOUR_RISE, Side.ABOVE, Basis.DISPLAY_STEP,
        NEIGHBOUR_STEPS, NEIGHBOUR_RISE_K, AT_ONCE, Action.TRIP, Origin.PROCESS, "K",
        "channel {channel} is probed alone and another electrode warms by {measured} K, limit {limit} K: the cables "
        "may be swapped", "limits: cable swap", stops_all=True,
    ),
    Row(
        "duration", "HZ-29", LESION, Quantity.RF_ON, Side.ABOVE, Basis.DURATION, 1, 0, AT_ONCE, Action.TRIP,
        Origin.PROCESS, "s",
        "channel {channel}: RF has been on for {measured} s, limit {limit} s", "limits: duration",
    ),
    Row(
        "generator_fault", "HZ-15", ENERGISED, Quantity.FAULT_BITS, Side.ABOVE, Basis.ABSOLUTE, 0, 0, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "1",
        "channel {channel}: the generator reports a fault of its own (bits {measured})", "the generator",
    ),
    Row(
        "set_point_mismatch", "HZ-31", HEATING, Quantity.SET_POINT_ERROR, Side.ABOVE, Basis.ABSOLUTE, 0, 5.0,
        TWO_OF_THREE, Action.TRIP, Origin.DEVICE, "%",
        "channel {channel}: the set point that the generator holds differs by {measured} % from the one it was told, "
        "limit {limit} % in {window}", "limits: supervision",
    ),
    Row(
        "rf_stopped", "HZ-16", HEATING, Quantity.RF_MISSING, Side.ABOVE, Basis.ABSOLUTE, 0, 0, TWO_OF_THREE,
        Action.TRIP, Origin.DEVICE, "1",
        "channel {channel}: the generator stopped RF by itself", "the generator",
    ),
    Row(
        "stimulation_stopped", "HZ-16", STIMULATION, Quantity.STIMULATION_MISSING, Side.ABOVE, Basis.ABSOLUTE, 0, 0,
        TWO_OF_THREE, Action.TRIP, Origin.DEVICE, "1",
        "channel {channel}: the generator stopped the stimulation by itself", "the generator",
    ),
    *rows_stimulation.STIMULATOR,
    *rows_stimulation.RESULT,
    *rows_supervision.CHANNEL,
)  # fmt: skip
"""In the order of evaluation: the first row that acts names the cause. That an output stays on after off comes before
what it is that is on, so that OFF NOT CONFIRMED is said in time whatever was said before. Not-a-number is beyond every
limit, so the row that names its cause comes first: open (impedance high) before impedance low and before the power that
follows from it.
"""
