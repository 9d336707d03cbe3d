"""The kernel's state: immutable tuples, one ChannelState a channel, and the set-up that a procedure never changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from rfctl.kernel.effects import Ask, Outcome
from rfctl.kernel.enable_loop import Loop
from rfctl.kernel.events import Answered
from rfctl.kernel.expected import USUAL, Budget
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.kernel.regulator import Regulator
from rfctl.kernel.row import GENERATOR_WIDE, OF_THE_GUARD, Action, Basis, Origin, Quantity, Row, Side
from rfctl.kernel.stimulation import Override, Stimulation
from rfctl.kernel.supervision import Supervision, Whole
from rfctl.kernel.thermal import Thermal
from rfctl.model.capability import SetPoint
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.plan import Medium, Plan
from rfctl.model.reading import Reading


@dataclass(frozen=True, slots=True)
class Setup:
    """What a procedure is decided by, beside its events. It is in the record's first line, so that replay has it.

    Attributes:
        plan: The plan.
        medium: What the electrodes stand in.
        session: Number under which the station owns the generator.
        channels: Number of channels of the generator.
        rated_power_w: Rated power of a channel, W.
        simulated: The generator is a simulator.
        set_point: What the station sets to control the temperature itself; None where the generator controls it.
        channel_off: The generator can turn one channel off and let the others go on.
        resolution_k: Smallest step of the temperature, K, a channel each; empty: not stated.
        noise_k: Its noise at rest, K, a channel each; empty, or not-a-number: not stated.
        budget: What passes between a rise at the tip and RF off.
        guarded: A guard holds the enable loop; without it nothing is energised.
        rows: The interlock table.
        pad_monitored: The generator watches the dispersive electrode.
        voltage_measured: It measures the RF voltage.
        multiplexed: Its outputs take turns, so that currents never add in a dispersive electrode.
        channel_rows: For each phase the rows in force on a channel, made ready to be judged.
        generator_rows: The rows on the generator as a whole.
    """

    plan: Plan
    medium: Medium
    session: int
    channels: int
    rated_power_w: float
    simulated: bool
    set_point: SetPoint | None = None
    channel_off: bool = False
    resolution_k: tuple[float, ...] = ()
    noise_k: tuple[float, ...] = ()
    budget: Budget = USUAL
    guarded: bool = False
    rows: tuple[Row, ...] = ROWS
    pad_monitored: bool = True
    voltage_measured: bool = True
    multiplexed: bool = False
    channel_rows: dict[Phase, tuple[ReadyRow, ...]] = field(init=False, repr=False, compare=False)
    generator_rows: tuple[ReadyRow, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        watching = not self.plan.sites
        rows = tuple(row._replace(action=row.watching) if watching and row.watching else row for row in self.rows)
        by_phase = {
            phase: tuple(
                _ready(row, Sample._fields)
                for row in rows
                if phase in row.phases
                and row.holds_in(self.medium)
                and row.quantity not in GENERATOR_WIDE
                and (self.set_point is not None or row.quantity is not Quantity.SET_POINT_ERROR)
            )
            for phase in Phase
        }
        object.__setattr__(self, "channel_rows", by_phase)
        of_generator = GENERATOR_WIDE if self.guarded else GENERATOR_WIDE - OF_THE_GUARD
        whole = tuple(
            _ready(row, Whole._fields) for row in rows if row.quantity in of_generator and row.holds_in(self.medium)
        )
        object.__setattr__(self, "generator_rows", whole)

    @property
    def display_step_k(self) -> float:
        """The coarsest step in which a channel's temperature is shown, K; 0 where none is stated."""
        return max(self.resolution_k, default=0.0)

    def noise_tells(self, number: int) -> bool:
        """The channel's reading moves by its own noise, so that one which does not is stuck."""
        stated = len(self.noise_k) >= number and len(self.resolution_k) >= number
        return stated and 0.0 < self.resolution_k[number - 1] <= self.noise_k[number - 1]


class ReadyRow(NamedTuple):
    """A row with what can be known of it before a sample comes.

    Attributes:
        row: The row.
        field: Place of its quantity in Sample, or in Whole.
        limit: Its limit; None where that depends on the site.
        above: It acts above its limit, else below.
    """

    row: Row
    field: int
    limit: float | None
    above: bool


def _ready(row: Row, fields: tuple[str, ...]) -> ReadyRow:
    limit = row.offset if row.basis is Basis.ABSOLUTE else None
    return ReadyRow(row, fields.index(row.quantity), limit, row.side is Side.ABOVE)


class Sample(NamedTuple):
    """One channel's signals as the rows compare them. None: not applicable now, so the row says nothing.

    The fields that rows compare are named as the values of row.Quantity; ``impedance_half_ohm`` is the mean of the
    tissue's impedance over the last half second with RF on.
    """

    now_ns: int
    temperature_c: float
    temperature_step_k: float | None
    thermocouple_open: float
    impedance_ohm: float
    impedance_mean_ohm: float | None
    impedance_slope_pct_per_s: float | None
    impedance_rise_pct: float | None
    impedance_tissue_ohm: float
    impedance_half_ohm: float | None
    power_tissue_w: float
    rf_on_s: float
    rf_missing: float
    stimulation_missing: float
    uncommanded_rf: float
    output_after_off_s: float
    fault_bits: float
    lease_lost: float
    set_point_error_pct: float | None
    neighbour_rise_k: float | None
    power_w: float
    apparent_power_w: float
    rise_after_energy_k: float | None
    fallen_k: float | None
    energy_j: float | None
    rise_share_pct: float | None
    hold_power_w: float | None
    hold_power_share_pct: float | None
    hold_ratio_most_pct: float | None
    hold_ratio_least_pct: float | None
    same_code_ramp_s: float | None
    same_code_hold_s: float | None
    pick_up_k: float | None
    biased: float | None
    power_limit_tissue_w: float | None
    temperature_at_rest_c: float | None
    from_cold_junction_k: float | None
    fallen_since_off_k: float | None
    stands_warm_s: float | None
    stimulation_with_rf: float | None
    uncommanded_stimulation: float | None
    stimulation_mode_wrong: float | None
    stimulation_rate_error_hz: float | None
    stimulation_width_error_us: float | None
    stimulation_excess_pct: float | None
    electrode_changed: float | None
    electrode_open: float | None
    injection_change_pct: float | None
    impedance_high_pct: float | None
    impedance_low_pct: float | None
    tissue_high_pct: float | None
    result_age_s: float | None
    power_mean_w: float | None
    power_difference_w: float | None
    current_a: float | None
    mode_wrong: float | None
    idle_slope_k_per_s: float | None
    armed_s: float | None


class Mean(NamedTuple):
    """A running mean of impedance and temperature."""

    samples: int = 0
    impedance_sum: float = 0.0
    temperature_sum: float = 0.0


class Reference(NamedTuple):
    """What the impedance check found.

    Attributes:
        impedance_ohm: Z_pre, mean of 5 s.
        temperature_c: T0, mean of the same 5 s.
        series_ohm: R_series = Z_pre - Z0(T0), clipped to 0-200 ohm.
        after_ohm: Z_ref: mean of the last 5 s of the anaesthetic wait, or Z_pre without one.
        after_c: T_ref: mean of the temperature over the same 5 s.
        after_ns: When those were over.
        fluid: f: the part of the tissue's impedance that the anaesthetic took, 0 to 0.6. It stays what it was when a
            later lesion takes its reference in tissue that is still warm, and has less impedance for that.
    """

    impedance_ohm: float
    temperature_c: float
    series_ohm: float
    after_ohm: float
    after_c: float
    after_ns: int = 0
    fluid: float = 0.0


class CheckResult(NamedTuple):
    """Result of one stimulation check.

    Attributes:
        performed: False when the plan does not use it, or a person left it out.
        amplitude: Sensory: the threshold. Motor: no response up to here. In ``unit``; None when not performed.
        width_us: Pulse width, us; None when not performed.
        unit: ``"V"`` or ``"mA"``, peak.
        reason: Why it was not performed.
    """

    performed: bool
    amplitude: float | None = None
    width_us: int | None = None
    unit: str = "V"
    reason: str = ""


class Figures(NamedTuple):
    """What one lesion delivered, summed sample by sample.

    Attributes:
        rf_on_ns: When RF was commanded on.
        start_c: T_start, mean of the last second before RF on.
        hold_ns: When set temperature was reached, 0 before.
        peak_c: Highest reading.
        ramp_s: Time from RF on to set temperature, s.
        energy_j: Energy in the tissue, J.
        generator_energy_j: Energy at the generator's terminals, J.
        held_s: Time in hold, s.
        held_k_s: Integral of temperature over it, K s.
        within_2c_s: Time in hold within 2 degC of set, s.
        impedance_min_ohm: Least half-second mean of the tissue's impedance since RF on, 0 before the first.
        last_ns: The sample before.
        above_45_k_s: Integral of the temperature above 45 degC, K s, until the tip is cool.
        ended_early: RF went off, or has not yet been on, until the hold was over.
        pauses: How often the ramp was paused before.
        before_j: Part of the energy in the tissue that flowed before the last pause, J.
        predicted_energy_j: What the model predicted in the tissue for the whole lesion, J.
        predicted_hold_w: Power at the end of its hold, W.
        predicted_ramp_s: Its ramp, s.
    """

    rf_on_ns: int
    start_c: float
    hold_ns: int
    peak_c: float
    ramp_s: float
    energy_j: float
    generator_energy_j: float
    held_s: float
    held_k_s: float
    within_2c_s: float
    impedance_min_ohm: float
    last_ns: int
    above_45_k_s: float = 0.0
    ended_early: bool = True
    pauses: int = 0
    before_j: float = 0.0
    predicted_energy_j: float = math.nan
    predicted_hold_w: float = math.nan
    predicted_ramp_s: float = math.nan


class SiteResult(NamedTuple):
    """What was done at one site.

    Attributes:
        site: Its index in the plan.
        sensory: Sensory check; None where it was not come to.
        motor: Motor check, likewise.
        reference: Impedance check, likewise.
        lesions: What each lesion delivered, in order, those that were begun.
        end_reason: Why nothing more was done.
        overrides: What people took over.
    """

    site: int
    sensory: CheckResult | None
    motor: CheckResult | None
    reference: Reference | None
    lesions: tuple[Figures, ...]
    end_reason: str
    overrides: tuple[Override, ...] = ()

    @property
    def figures(self) -> Figures | None:
        """Of its first lesion."""
        return self.lesions[0] if self.lesions else None


class ChannelState(NamedTuple):
    """One channel.

    Attributes:
        phase: Where it is.
        since_ns: Since when.
        site: Index of its site in the plan, -1 when it has none.
        history: Samples of the last second and the one before them, oldest first.
        mean: Running mean of the phase.
        off_ns: When off was last sent.
        intent: Number of the last intent of the channel, 0 before the first.
        intended: What that intent covers, as the permit that it stands behind; nothing before the first.
        amplitude: Stimulation amplitude commanded, V or mA.
        stepped_ns: When it was last set.
        token: Arm token, 0 for none.
        power_limit_w: Power limit at the generator's terminals, W.
        duration_s: Longest RF-on time, s.
        reference: Result of the impedance check.
        sensory: Result of the sensory check.
        motor: Result of the motor check.
        lesion: Index of its lesion at the site.
        lesions: What earlier lesions at the site delivered.
        probing: The next RF is the probe that comes before joint heating.
        probed: The probe has shown that this channel heats its own electrode.
        probe_c: Before the probe, the mean of every channel's last second, degC.
        probe_s: RF-on time of the probe, which counts as the lesion's, s.
        paused_s: RF-on time before the lesion's ramp was paused, s. The ramp begins anew, so that it counts for the
            hard maximum only.
        figures: The running lesion.
        thermal: What heat has left behind.
        regulator: The station's own temperature control of it; None where the generator controls the temperature.
        warned: Codes that have been warned of in this phase.
        stimulation: What else is known of its stimulation check.
    """

    phase: Phase = Phase.START_OFF
    since_ns: int = 0
    site: int = -1
    history: tuple[Sample, ...] = ()
    mean: Mean = Mean()
    off_ns: int = 0
    intent: int = 0
    intended: Permit = Permit(0, PermitKind.LESION, Envelope(), 0)
    amplitude: float = 0.0
    stepped_ns: int = 0
    token: int = 0
    power_limit_w: float = 0.0
    duration_s: float = 0.0
    reference: Reference | None = None
    sensory: CheckResult | None = None
    motor: CheckResult | None = None
    lesion: int = 0
    lesions: tuple[Figures, ...] = ()
    probing: bool = False
    probed: bool = False
    probe_c: tuple[float, ...] = ()
    probe_s: float = 0.0
    paused_s: float = 0.0
    figures: Figures | None = None
    thermal: Thermal = Thermal()
    regulator: Regulator | None = None
    warned: frozenset[str] = frozenset()
    stimulation: Stimulation = Stimulation()

    def observed(
        self, history: tuple[Sample, ...], mean: Mean, figures: Figures | None, thermal: Thermal
    ) -> ChannelState:
        """The channel with what a sample changes, in a third of the time of ``_replace``."""
        return ChannelState._make(
            (*self[:_HISTORY], history, mean, *self[_AFTER_MEAN:_FIGURES], figures, thermal, *self[_FIGURES + 2 :])
        )


_HISTORY = ChannelState._fields.index("history")
_AFTER_MEAN = ChannelState._fields.index("mean", _HISTORY + 1, _HISTORY + 2) + 1
_FIGURES = ChannelState._fields.index("figures")


class Trip(NamedTuple):
    """An interlock's verdict.

    Attributes:
        code: Name of the row, or of the event that ended the procedure.
        hazard: The hazard it controls.
        channel: Channel number, 0 for the whole generator.
        measured: The value, not-a-number where there is none.
        limit: The limit it was compared with, not-a-number where there is none.
        unit: UCUM unit of both.
        t_ns: When.
        text: What a person reads.
        action: What followed.
        origin: Where the cause lies.
        stops_all: It ends the procedure, whatever the plan says of a fault of one channel.
    """

    code: str
    hazard: str
    channel: int
    measured: float
    limit: float
    unit: str
    t_ns: int
    text: str
    action: Action
    origin: Origin
    stops_all: bool = False


class Stage(StrEnum):
    """Where the procedure is."""

    UNKNOWN = "before the first event: everything is unknown"
    STARTING = "verifying that everything is off"
    CLAIMING = "taking ownership"
    STANDING_BY = "standing by: watching, nothing planned"
    CHECKLIST = "checklist"
    TREATING = "treating"
    ENDING = "ending: verifying off"
    RELEASING = "giving ownership back"
    ENDED = "ended"


class KernelState(NamedTuple):
    """The whole state.

    Attributes:
        setup: What never changes.
        stage: Where the procedure is.
        since_ns: Since when.
        started_ns: Time of the first event.
        channels: One ChannelState a channel, channel 1 first.
        reading: The last good reading.
        received_ns: When it arrived, 0 before the first.
        counter_ns: When its sample counter last advanced.
        loop: The enable loop, where a guard holds it.
        question: What the operator has been asked and not answered.
        intent: Number of the last intent.
        group: Channels that are armed and started together; empty while none are.
        armed_by: Who gave the word to arm them, empty before.
        started: The word to start them has been given.
        trips: Verdicts so far, the cause first.
        results: Sites that are over.
        outcome: How it will end, once that is known.
        ending: Why it ends, in words.
        off_verified: Off has been verified at the end.
        off_ns: When off was last asked for at the end.
        exit_code: What the command will exit with, once that is known.
        answered: The last answer that was asked for.
        supervision: What is watched of the generator as a whole.
    """

    setup: Setup
    stage: Stage = Stage.UNKNOWN
    since_ns: int = 0
    started_ns: int = 0
    channels: tuple[ChannelState, ...] = ()
    reading: Reading | None = None
    received_ns: int = 0
    counter_ns: int = 0
    loop: Loop = Loop()
    question: Ask | None = None
    intent: int = 0
    group: tuple[int, ...] = ()
    armed_by: str = ""
    started: bool = False
    trips: tuple[Trip, ...] = ()
    results: tuple[SiteResult, ...] = ()
    outcome: Outcome = Outcome.COMPLETE
    ending: str = ""
    off_verified: bool = False
    off_ns: int = 0
    exit_code: int = 0
    answered: Answered | None = None
    supervision: Supervision = Supervision()


def initial(setup: Setup) -> KernelState:
    """The state before the first event: everything is unknown, so the first act will be off."""
    return KernelState(setup=setup, channels=(ChannelState(),) * setup.channels)
