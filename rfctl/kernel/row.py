"""What a row of the interlock table is: what is compared with what, in which phases, how long, what follows."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from rfctl.kernel.phase import Phase
from rfctl.model.plan import Medium


class Quantity(StrEnum):
    """What a row compares: a field of the channel's sample, or of the generator's."""

    TEMPERATURE = "temperature_c"
    TEMPERATURE_STEP = "temperature_step_k"
    THERMOCOUPLE_OPEN = "thermocouple_open"
    IMPEDANCE = "impedance_ohm"
    IMPEDANCE_MEAN = "impedance_mean_ohm"
    IMPEDANCE_SLOPE = "impedance_slope_pct_per_s"
    IMPEDANCE_RISE = "impedance_rise_pct"
    POWER_TISSUE = "power_tissue_w"
    RF_ON = "rf_on_s"
    RF_MISSING = "rf_missing"
    STIMULATION_MISSING = "stimulation_missing"
    UNCOMMANDED_RF = "uncommanded_rf"
    OUTPUT_AFTER_OFF = "output_after_off_s"
    FAULT_BITS = "fault_bits"
    SAMPLE_AGE = "sample_age_s"
    COUNTER_AGE = "counter_age_s"
    LEASE_LOST = "lease_lost"
    SET_POINT_ERROR = "set_point_error_pct"
    NEIGHBOUR_RISE = "neighbour_rise_k"
    RISE_AFTER_ENERGY = "rise_after_energy_k"
    FALLEN = "fallen_k"
    ENERGY = "energy_j"
    RISE_SHARE = "rise_share_pct"
    HOLD_POWER = "hold_power_w"
    HOLD_POWER_SHARE = "hold_power_share_pct"
    HOLD_RATIO_MOST = "hold_ratio_most_pct"
    HOLD_RATIO_LEAST = "hold_ratio_least_pct"
    SAME_CODE_RAMP = "same_code_ramp_s"
    SAME_CODE_HOLD = "same_code_hold_s"
    PICK_UP = "pick_up_k"
    BIASED = "biased"
    POWER_LIMIT_TISSUE = "power_limit_tissue_w"
    TEMPERATURE_AT_REST = "temperature_at_rest_c"
    FROM_COLD_JUNCTION = "from_cold_junction_k"
    FALLEN_SINCE_OFF = "fallen_since_off_k"
    STANDS_WARM = "stands_warm_s"
    STIMULATION_WITH_RF = "stimulation_with_rf"
    UNCOMMANDED_STIMULATION = "uncommanded_stimulation"
    STIMULATION_MODE = "stimulation_mode_wrong"
    STIMULATION_RATE = "stimulation_rate_error_hz"
    STIMULATION_WIDTH = "stimulation_width_error_us"
    STIMULATION_EXCESS = "stimulation_excess_pct"
    ELECTRODE_CHANGED = "electrode_changed"
    ELECTRODE_OPEN = "electrode_open"
    INJECTION_CHANGE = "injection_change_pct"
    IMPEDANCE_HIGH = "impedance_high_pct"
    IMPEDANCE_LOW = "impedance_low_pct"
    TISSUE_HIGH = "tissue_high_pct"
    RESULT_AGE = "result_age_s"
    GUARD_AGE = "guard_age_s"
    LOOP_OPEN = "loop_open"
    LOOP_WAIT = "loop_wait_s"
    CYCLE_GAP = "cycle_gap_s"
    SUSPENDED = "suspended_s"
    REFUSED_FRAMES = "refused_frames"
    RECORD_BACKLOG = "record_backlog_s"
    CLOCK_ERROR = "clock_error_pct"
    PAD_BAD = "pad_bad"
    PAD_AGE = "pad_age_s"
    PAD_RISE = "pad_rise_pct"
    PAD_HEATING = "pad_heating_a2s"
    CURRENT = "current_a"
    POWER_DIFFERENCE = "power_difference_w"
    MODE_WRONG = "mode_wrong"
    IDLE_SLOPE = "idle_slope_k_per_s"
    ARMED = "armed_s"


class Basis(StrEnum):
    """What a limit is relative to."""

    ABSOLUTE = "absolute"
    SET_TEMPERATURE = "set temperature"
    POWER_CAP = "power cap of the electrode"
    DURATION = "planned duration"
    RAMP = "planned ramp"
    """Its time: from T_start to the set temperature at the planned rate."""
    ENERGY = "energy of the planned lesion, by the model"
    """For ramp and hold from T_start, with injected fluid."""
    DISPLAY_STEP = "display step"
    """Of the temperature: the offset, or so many steps where that is more."""
    EXPECTED_POWER = "expected hold power"
    """P_exp, by the electrode table, the planned rise over T0 and injected fluid."""
    DRY_SHARE = "share without fluid"
    """1 - 0.6 f: what injected fluid leaves of the rise."""
    TAKEN_UP = "rise once the fluid is taken up"
    """1 / (1 - 0.6 f): injected fluid counts in the expected power, and is gone within minutes."""
    STANDING_STILL = "standing still"
    """2 s, or four steps of the display at the mean rate of the ramp where that is longer."""
    RESULT_VALID = "validity of the stimulation result"
    ENVELOPE_CURRENT = "current of the envelope"
    """What its power limit drives through the impedance at its least."""
    MEASURED_POWER = "measured power"
    """Its mean over the same window: the offset, or this share of it where that is more."""


class Side(StrEnum):
    """On which side of the limit the row acts. The comparison is written so that not-a-number acts."""

    ABOVE = "above"
    BELOW = "below"


class Action(StrEnum):
    """What follows."""

    WARN = "warn"
    PAUSE = "pause"
    """RF of the channel off, and the word to arm asked for again; once at a lesion, and not a trip."""
    VOID = "void"
    """What the checks found no longer permits a lesion; the channel goes back to where a check is required."""
    REFUSE = "refuse"
    TRIP = "trip"
    DISARM = "disarm"
    """Off, and it is armed anew."""


class Origin(StrEnum):
    """Where the cause of a trip lies; decides the exit code of the command."""

    PROCESS = "process"
    DEVICE = "device"


class Window(NamedTuple):
    """How long a value must be beyond its limit.

    Attributes:
        ns: Every sample of so long a stretch, 0 for no such condition.
        of_last: With ``ns`` 0: beyond the limit in ``needed`` of the last ``of_last`` samples.
        needed: See ``of_last``.
    """

    ns: int
    of_last: int = 1
    needed: int = 1


AT_ONCE = Window(0)
TWO_OF_THREE = Window(0, of_last=3, needed=2)


def sustained(milliseconds: int) -> Window:
    """Beyond the limit in every sample for so long."""
    return Window(milliseconds * 1_000_000)


class Row(NamedTuple):
    """One interlock.

    Attributes:
        code: Its name, for ever: records and scripts refer to it.
        hazard: The hazard it controls.
        phases: Phases of the channel in which it is in force.
        quantity: What it compares.
        side: Beyond which side of the limit it acts.
        basis: What the limit is relative to.
        factor: Multiplies the basis.
        offset: Is added.
        window: How long the value must be beyond the limit.
        action: What follows.
        origin: Where the cause lies.
        unit: Unit of value and limit, UCUM.
        text: What a person reads; ``{measured}``, ``{limit}``, ``{window}`` and ``{channel}`` are filled in.
        setting: What governs the limit.
        stops_all: It ends the procedure even where a plan lets the other channels go on. A cause in the device always
            does.
        media: Where it is in force.
        watching: What follows where nothing is planned, if it is not ``action``: who only watches delivers no energy.
    """

    code: str
    hazard: str
    phases: frozenset[Phase]
    quantity: Quantity
    side: Side
    basis: Basis
    factor: float
    offset: float
    window: Window
    action: Action
    origin: Origin
    unit: str
    text: str
    setting: str
    stops_all: bool = False
    media: frozenset[Medium] = frozenset(Medium)
    watching: Action | None = None

    def holds_in(self, medium: Medium) -> bool:
        """It is in force in this medium."""
        return medium in self.media and not (medium is Medium.LOAD and self.quantity in OF_THE_TIP)


OF_THE_TIP = frozenset(
    {
        Quantity.TEMPERATURE,
        Quantity.TEMPERATURE_STEP,
        Quantity.THERMOCOUPLE_OPEN,
        Quantity.FALLEN,
        Quantity.RISE_AFTER_ENERGY,
        Quantity.RISE_SHARE,
        Quantity.HOLD_POWER,
        Quantity.HOLD_POWER_SHARE,
        Quantity.HOLD_RATIO_MOST,
        Quantity.HOLD_RATIO_LEAST,
        Quantity.SAME_CODE_RAMP,
        Quantity.SAME_CODE_HOLD,
        Quantity.PICK_UP,
        Quantity.BIASED,
        Quantity.POWER_LIMIT_TISSUE,
        Quantity.TEMPERATURE_AT_REST,
        Quantity.FROM_COLD_JUNCTION,
        Quantity.FALLEN_SINCE_OFF,
        Quantity.STANDS_WARM,
        Quantity.NEIGHBOUR_RISE,
        Quantity.IDLE_SLOPE,
    }
)
"""Quantities of a thermocouple in an electrode: a load has none, and no row on them is in force there."""
OF_THE_GUARD = frozenset({Quantity.GUARD_AGE, Quantity.LOOP_OPEN, Quantity.LOOP_WAIT})
"""Quantities of guard and enable loop; there are none without a guard."""
GENERATOR_WIDE = OF_THE_GUARD | {
    Quantity.SAMPLE_AGE,
    Quantity.COUNTER_AGE,
    Quantity.CYCLE_GAP,
    Quantity.SUSPENDED,
    Quantity.REFUSED_FRAMES,
    Quantity.RECORD_BACKLOG,
    Quantity.CLOCK_ERROR,
    Quantity.PAD_BAD,
    Quantity.PAD_AGE,
    Quantity.PAD_RISE,
    Quantity.PAD_HEATING,
}
"""Quantities of the generator as a whole; judged on every event, also on one that brought no sample."""
