"""Rows of the interlock table: the stimulator, and what the checks found until RF is on."""

from __future__ import annotations

from rfctl.kernel.phase import ALL, BEFORE_RF, LESION, STIMULATION, Phase
from rfctl.kernel.row import AT_ONCE, TWO_OF_THREE, Action, Basis, Origin, Quantity, Row, Side
from rfctl.kernel.signals_stimulation import SAME_ELECTRODE_BEFORE_RF, WITHOUT_STIMULATION
from rfctl.kernel.stimulation import OPEN_OHM

EXCLUSION: tuple[Row, ...] = (
    Row(
        "stimulation_with_rf", "HZ-28", ALL, Quantity.STIMULATION_WITH_RF, Side.ABOVE, Basis.ABSOLUTE, 0, 0, AT_ONCE,
        Action.TRIP, Origin.DEVICE, "1",
        "channel {channel}: the stimulator and RF are on at the same time", "limits: stimulation",
    ),
    Row(
        "uncommanded_stimulation", "HZ-28", WITHOUT_STIMULATION, Quantity.UNCOMMANDED_STIMULATION, Side.ABOVE,
        Basis.ABSOLUTE, 0, 0, TWO_OF_THREE, Action.TRIP, Origin.DEVICE, "1",
        "channel {channel}: the stimulator is on without command, in {window}", "limits: stimulation",
    ),
)  # fmt: skip
"""Before the rows that see only one of the two outputs."""

STIMULATOR: tuple[Row, ...] = (
    Row(
        "stimulation_mode", "HZ-27", STIMULATION, Quantity.STIMULATION_MODE, Side.ABOVE, Basis.ABSOLUTE, 0, 0,
        TWO_OF_THREE, Action.TRIP, Origin.DEVICE, "1",
        "channel {channel}: the mode in force is not the one that was set, V for mA or RF for stimulation, in {window}",
        "limits: stimulation",
    ),
    Row(
        "stimulation_rate", "HZ-27", STIMULATION, Quantity.STIMULATION_RATE, Side.ABOVE, Basis.ABSOLUTE, 0, 0.1,
        TWO_OF_THREE, Action.TRIP, Origin.DEVICE, "Hz",
        "channel {channel}: the pulse rate in force differs by {measured} Hz from the one that was set, limit {limit} "
        "Hz in {window}", "limits: stimulation",
    ),
    Row(
        "stimulation_width", "HZ-55", STIMULATION, Quantity.STIMULATION_WIDTH, Side.ABOVE, Basis.ABSOLUTE, 0, 5.0,
        TWO_OF_THREE, Action.TRIP, Origin.DEVICE, "us",
        "channel {channel}: the pulse width in force differs by {measured} us from the one that was set, limit {limit} "
        "us in {window}", "limits: stimulation",
    ),
    Row(
        "stimulation_amplitude", "HZ-26", STIMULATION, Quantity.STIMULATION_EXCESS, Side.ABOVE, Basis.ABSOLUTE, 0, 15.0,
        TWO_OF_THREE, Action.TRIP, Origin.DEVICE, "%",
        "channel {channel}: the stimulator delivers {measured} % more than it was told (of at least 1 V or 1 mA), "
        "limit {limit} % in {window}", "limits: stimulation",
    ),
)  # fmt: skip

RESULT: tuple[Row, ...] = (
    Row(
        "electrode_changed", "HZ-08", SAME_ELECTRODE_BEFORE_RF, Quantity.ELECTRODE_CHANGED, Side.ABOVE, Basis.ABSOLUTE,
        0, 0, TWO_OF_THREE, Action.VOID, Origin.PROCESS, "1",
        "channel {channel}: the electrode was unplugged or swapped since its check, in {window}",
        "limits: stimulation result",
    ),
    Row(
        "electrode_changed_in_lesion", "HZ-08", LESION, Quantity.ELECTRODE_CHANGED, Side.ABOVE, Basis.ABSOLUTE, 0, 0,
        TWO_OF_THREE, Action.TRIP, Origin.PROCESS, "1",
        "channel {channel}: the electrode was unplugged or swapped while RF is on, in {window}",
        "limits: stimulation result",
    ),
    Row(
        "electrode_open", "HZ-08", frozenset({Phase.ANAESTHETIC_WAIT}), Quantity.ELECTRODE_OPEN, Side.ABOVE,
        Basis.ABSOLUTE, 0, 0, TWO_OF_THREE, Action.VOID, Origin.PROCESS, "1",
        f"channel {{channel}}: the electrode was out, or its lead open (above {OPEN_OHM:g} ohm in {{window}}), after "
        "the anaesthetic", "limits: stimulation result",
    ),
    Row(
        "impedance_rose_at_injection", "HZ-08", frozenset({Phase.ANAESTHETIC_WAIT}), Quantity.INJECTION_CHANGE,
        Side.ABOVE, Basis.ABSOLUTE, 0, 20.0, AT_ONCE, Action.VOID, Origin.PROCESS, "%",
        "channel {channel}: across the injection the tissue's impedance changed by {measured} %, at most {limit} % "
        "more is accepted", "limits: impedance since the check",
    ),
    Row(
        "impedance_fell_at_injection", "HZ-08", frozenset({Phase.ANAESTHETIC_WAIT}), Quantity.INJECTION_CHANGE,
        Side.BELOW, Basis.ABSOLUTE, 0, -60.0, AT_ONCE, Action.VOID, Origin.PROCESS, "%",
        "channel {channel}: across the injection the tissue's impedance changed by {measured} %, a fall to {limit} % "
        "is accepted", "limits: impedance since the check",
    ),
    Row(
        "impedance_above_reference", "HZ-08", BEFORE_RF, Quantity.IMPEDANCE_HIGH, Side.ABOVE, Basis.ABSOLUTE, 0, 115.0,
        TWO_OF_THREE, Action.VOID, Origin.PROCESS, "%",
        "channel {channel}: impedance is {measured} % of its reference, the least effect of warmth allowed for, limit "
        "{limit} % in {window}; was the electrode moved?", "limits: impedance since the check",
    ),
    Row(
        "tissue_above_reference", "HZ-08", BEFORE_RF, Quantity.TISSUE_HIGH, Side.ABOVE, Basis.ABSOLUTE, 0, 120.0,
        TWO_OF_THREE, Action.VOID, Origin.PROCESS, "%",
        "channel {channel}: the tissue's share of the impedance is {measured} % of its reference, the least effect of "
        "warmth and all that fluid gives back allowed for, limit {limit} % in {window}; was the electrode moved?",
        "limits: impedance since the check",
    ),
    Row(
        "impedance_below_reference", "HZ-08", BEFORE_RF, Quantity.IMPEDANCE_LOW, Side.BELOW, Basis.ABSOLUTE, 0, 85.0,
        TWO_OF_THREE, Action.VOID, Origin.PROCESS, "%",
        "channel {channel}: impedance is {measured} % of its reference, the greatest effect of warmth allowed for, "
        "limit {limit} % in {window}; was the electrode moved?", "limits: impedance since the check",
    ),
    Row(
        "stimulation_result_expired", "HZ-08", BEFORE_RF, Quantity.RESULT_AGE, Side.ABOVE, Basis.RESULT_VALID, 1, 0,
        AT_ONCE, Action.VOID, Origin.PROCESS, "s",
        "channel {channel}: the last check was {measured} s ago, its result permits a lesion for {limit} s",
        "plan: result_valid_min",
    ),
)  # fmt: skip
"""Rows whose verdict is that what the checks found no longer permits a lesion."""
