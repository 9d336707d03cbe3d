"""A bench for the pure kernel: a generator, an operator and a patient, just believable enough, in samples of 50 ms.

Nothing here is the simulator: the generator obeys at once and its signals are straight lines, so that a test can say
to the sample when a row of the interlock table acts, and can alter any field of a reading from any moment on.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple

from rfctl.kernel.effects import (
    Arm,
    ChannelOff,
    Claim,
    Configure,
    ConfigureSetPoint,
    ConfigureStimulation,
    Effect,
    Finish,
    Fire,
    MakeDurable,
    Note,
    Off,
    Release,
    Renew,
    SetAmplitude,
    SetOutput,
    StartStimulation,
)
from rfctl.kernel.events import Answered, Choice, Command, Completed, Durable, Event, Question, Sampled, Stopped
from rfctl.kernel.guards import lesion_of
from rfctl.kernel.phase import Phase
from rfctl.kernel.row import Row
from rfctl.kernel.state import ChannelState, KernelState, Sample, Setup, Stage, initial
from rfctl.kernel.step import step
from rfctl.kernel.stimulation_guards import (
    envelope_ends_before_the_check,
    last_envelope,
    may_step,
    motor_target_delivered,
)
from rfctl.kernel.thermal import Thermal, predicted_rise_k, warmed
from rfctl.model.capability import SetPoint
from rfctl.model.electrode import find_electrode
from rfctl.model.plan import (
    Anaesthetic,
    FaultPolicy,
    Lesion,
    Medium,
    Move,
    OrderOfWork,
    Plan,
    Site,
    StimulationCheck,
    TimerDefinition,
    Use,
)
from rfctl.model.reading import ChannelReading, Mode, PadStatus, Reading
from rfctl.model.settings import StimulationSettings

PERIOD_NS = 50_000_000
SESSION = 4711
TOKEN = 77
BODY_C = 37.0
SERIES_OHM = 100.0
ELECTRODE = find_electrode(18, 10)
COOLING_C_PER_S = 10.0
TISSUE_OHM = ELECTRODE.impedance_ohm
RAMP_POWER_W = 4.0
HOLD_POWER_W = 2.0

OFF_SETTINGS = StimulationSettings("V", 50.0, 1000, 0.0)
Alteration = object | Callable[[float, object], object]
"""A value, or a function of (seconds since it was altered, value as it would be)."""

SENSORY = StimulationCheck(Use.REQUIRED, "", 50.0, 1000, 0.5, 1.0)
MOTOR = StimulationCheck(Use.REQUIRED, "", 2.0, 1000, 2.0, 10.0)
ANAESTHETIC = Anaesthetic(Use.REQUIRED, "", "lidocaine 2 %", 0.5, 6.0)
LESION = Lesion(80.0, 5.0, 4.3, TimerDefinition.SET_TEMPERATURE)


def site(
    name: str,
    channel: int,
    *,
    sensory: StimulationCheck = SENSORY,
    motor: StimulationCheck = MOTOR,
    anaesthetic: Anaesthetic = ANAESTHETIC,
    lesion: Lesion = LESION,
    further: tuple[Lesion, ...] = (),
) -> Site:
    """A site with an 18 G electrode of 10 mm; shorter waits than a person would plan."""
    return Site(name, channel, find_electrode(18, 10), sensory, motor, anaesthetic, (lesion, *further))


TWO_SITES = (site("L4, left", 1), site("L5, left", 2))


def setup_of(
    *sites: Site,
    set_point: SetPoint | None = None,
    order: OrderOfWork = OrderOfWork.SITE_BY_SITE,
    on_fault: FaultPolicy = FaultPolicy.STOP_ALL,
) -> Setup:
    """A simulated generator of 50 W, in tissue, of as many channels as the sites need and at least two; with a set
    point the station controls the temperature.
    """
    sites = sites or TWO_SITES
    plan = Plan("bench", ("implanted device: none", "two-person time-out"), sites, "0" * 64, order, on_fault)
    channels = max(2, *(site.channel for site in sites))
    return Setup(
        plan, Medium.TISSUE, SESSION, channels, 50.0, simulated=True, set_point=set_point, channel_off=True,
        resolution_k=(0.1,) * channels,
    )  # fmt: skip


AGAIN = replace(LESION, after=Move.ROTATION)
TWO_LESIONS = (site("L4, left", 1, further=(AGAIN,)), site("L5, left", 2))


def batch(*sites: Site, set_point: SetPoint | None = None, on_fault: FaultPolicy = FaultPolicy.STOP_ALL) -> Setup:
    """The same, with all sites checked, then all anaesthetised, then all heated together."""
    return setup_of(*(sites or TWO_LESIONS), set_point=set_point, order=OrderOfWork.BATCH, on_fault=on_fault)


@dataclass
class Person:
    """The operator, and what the patient feels.

    Attributes:
        felt_at_v: Sensory threshold, None: never felt.
        response_at_v: Amplitude of a motor response, None: none.
        silent: Questions that are not answered.
    """

    felt_at_v: float | None = 0.4
    response_at_v: float | None = None
    silent: frozenset[Question] = frozenset()

    def answer(self, state: KernelState, now_ns: int) -> Choice | None:
        """The answer to the open question, as soon as there is one."""
        asked = state.question
        if asked is None or asked.question in self.silent:
            return None
        simple = {
            Question.CHECKLIST: Choice.CONFIRM,
            Question.SENSORY_HIGH: Choice.ACCEPT,
            Question.REPOSITION: Choice.DONE,
            Question.PERFORM: Choice.PERFORM,
            Question.PAUSED: Choice.AGAIN,
            Question.HIGHER: Choice.CONFIRM,
            Question.POSITION: Choice.DONE,
            Question.ANAESTHETIC: Choice.GIVEN,
            Question.ARM: Choice.ARM,
            Question.START: Choice.START,
            Question.MOVE: Choice.DONE,
        }
        if asked.question in simple:
            return simple[asked.question]
        return self._feel(state, asked.channel, now_ns, sensory=asked.question is Question.SENSORY)

    def _feel(self, state: KernelState, number: int, now_ns: int, *, sensory: bool) -> Choice | None:
        amplitude = state.channels[number - 1].amplitude
        felt_at_v = self.felt_at_v if sensory else self.response_at_v
        measured = state.reading.channels[number - 1] if state.reading else None
        delivered = measured is not None and abs(measured.stimulation_amplitude - amplitude) < 0.01
        if amplitude and delivered and felt_at_v is not None and amplitude >= felt_at_v - 1e-9:
            return Choice.FELT if sensory else Choice.RESPONSE
        if may_step(state, number, now_ns) or envelope_ends_before_the_check(state, number, now_ns):
            return Choice.STEP
        if sensory and delivered and amplitude >= last_envelope(state, number) - 1e-9:
            return Choice.NOT_FELT
        return Choice.NONE if not sensory and motor_target_delivered(state, number, now_ns) else None


@dataclass
class Output:
    """One channel of the generator."""

    temperature_c: float = BODY_C
    set_temperature_c: float = BODY_C
    ramp_c_per_s: float = 0.0
    rf_on: bool = False
    stimulating: bool = False
    amplitude: float = 0.0
    stimulation: StimulationSettings = OFF_SETTINGS
    set_point: float = 0.0
    power_limit_w: float = math.inf
    warmth: Thermal = field(default_factory=Thermal)
    lesion_mode: Mode = Mode.LESION_TEMPERATURE

    @property
    def tissue_ohm(self) -> float:
        """Impedance of the tissue: 29 % less at 80 degC than at 37 degC."""
        return TISSUE_OHM * (1.0 - 0.29 * (self.temperature_c - BODY_C) / 43.0)

    @property
    def power_tissue_w(self) -> float:
        """Power in the tissue, W."""
        if not self.rf_on:
            return 0.0
        wanted_w = HOLD_POWER_W if self.temperature_c >= self.set_temperature_c else RAMP_POWER_W
        return min(wanted_w, self.power_limit_w * self.tissue_ohm / (self.tissue_ohm + SERIES_OHM))

    def pass_time(self, seconds: float) -> None:
        """Heat towards the set temperature, or cool to what the tissue has kept."""
        now_ns = self.warmth.followed_ns + round(seconds * 1e9)
        rises_k = warmed(self.warmth, ELECTRODE, self.power_tissue_w, now_ns)
        self.warmth = self.warmth._replace(followed_ns=now_ns, rises_k=rises_k)
        if self.rf_on:
            self.temperature_c = min(self.temperature_c + self.ramp_c_per_s * seconds, self.set_temperature_c)
        else:
            warm_c = BODY_C + max(predicted_rise_k(self.warmth), 0.0)
            self.temperature_c = max(self.temperature_c - COOLING_C_PER_S * seconds, min(self.temperature_c, warm_c))

    @property
    def _mode(self) -> Mode:
        if self.stimulating:
            return Mode.STIMULATION_VOLTAGE if self.stimulation.unit == "V" else Mode.STIMULATION_CURRENT
        return self.lesion_mode if self.rf_on else Mode.NONE

    def measure(self) -> ChannelReading:
        """What the channel reports."""
        current_ma = math.sqrt(self.power_tissue_w / self.tissue_ohm) * 1e3
        impedance_ohm = self.tissue_ohm + SERIES_OHM
        return ChannelReading(
            temperature_c=self.temperature_c,
            cold_junction_c=22.0,
            voltage_v_rms=current_ma * 1e-3 * impedance_ohm,
            current_ma_rms=current_ma,
            rf_band_current_ma_rms=current_ma,
            power_w=(current_ma * 1e-3) ** 2 * impedance_ohm,
            impedance_ohm=impedance_ohm,
            impedance_fresh=True,
            thermocouple_open=False,
            rf_on=self.rf_on,
            stimulating=self.stimulating,
            electrode_present=True,
            mode=self._mode,
            stimulation_width_us=self.stimulation.width_us,
            stimulation_rate_hz=self.stimulation.rate_hz,
            stimulation_amplitude=self.amplitude,
            electrode_id=0x1810,
            fault_bits=0,
            rf_on_ms=0,
            arm_token=0,
            set_point=self.set_point,
        )


class Decision(NamedTuple):
    """One step of the kernel."""

    event: Event
    before: KernelState
    effects: tuple[Effect, ...]
    after: KernelState


@dataclass
class Bench:
    """The kernel between a generator and a person.

    Attributes:
        setup: Of the procedure.
        person: Answers; None: nobody is there.
        now_ns: The station's clock.
        state: The kernel's.
        outputs: The generator's channels, channel 1 first.
        pending: Events that effects have brought about and that have not been delivered.
        decisions: Every step so far.
    """

    setup: Setup
    person: Person | None = field(default_factory=Person)
    now_ns: int = 1_000_000_000
    state: KernelState = field(init=False)
    outputs: list[Output] = field(init=False)
    pending: deque[Event] = field(default_factory=deque)
    decisions: list[Decision] = field(default_factory=list)
    counter: int = 0
    owner: int = 0
    lease_ms: int = 0
    frozen: bool = False
    _altered: dict[int, dict[str, tuple[int, Alteration]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = initial(self.setup)
        self.outputs = [Output() for _ in range(self.setup.channels)]

    def copy(self) -> Bench:
        """This moment, to go on from in another way."""
        other = copy.copy(self)
        other.person = copy.copy(self.person)
        other.outputs = [copy.copy(output) for output in self.outputs]
        other.pending = deque(self.pending)
        other.decisions = list(self.decisions)
        other._altered = {number: dict(fields) for number, fields in self._altered.items()}
        return other

    # what a test looks at

    @property
    def active(self) -> int:
        """Number of the channel whose site is under work; 1 when there is none."""
        return next((n for n, channel in enumerate(self.state.channels, start=1) if channel.site >= 0), 1)

    @property
    def channel(self) -> ChannelState:
        """The channel whose site is under work."""
        return self.state.channels[self.active - 1]

    @property
    def phases(self) -> tuple[Phase, ...]:
        return tuple(channel.phase for channel in self.state.channels)

    @property
    def effects(self) -> list[Effect]:
        """Every effect so far."""
        return [effect for decision in self.decisions for effect in decision.effects]

    @property
    def codes(self) -> list[str]:
        """Codes of the verdicts so far, the cause first."""
        return [trip.code for trip in self.state.trips]

    @property
    def finish(self) -> Finish:
        """How it ended."""
        return next(effect for effect in self.effects if isinstance(effect, Finish))

    def notes(self, code: str) -> list[Note]:
        """Notes of one code."""
        return [effect for effect in self.effects if isinstance(effect, Note) and effect.code == code]

    def newest(self, number: int) -> Sample:
        """The newest sample of a channel, as the rows compare it."""
        return self.state.channels[number - 1].history[-1]

    # what a test does

    def alter(self, number: int, **fields: Alteration) -> None:
        """From the next sample on, these fields of the channel's reading are so. ``number`` 0: of the whole reading."""
        self._altered.setdefault(number, {}).update({name: (self.now_ns, value) for name, value in fields.items()})

    def feed(self, event: Event) -> tuple[Effect, ...]:
        """One step; the generator carries the effects out, what follows is pending."""
        before = self.state
        self.state, effects = step(before, event)
        self.decisions.append(Decision(event, before, effects, self.state))
        for effect in effects:
            self._carry_out(effect)
        return effects

    def sample(self) -> tuple[Effect, ...]:
        """The next sample, 50 ms later, whatever is pending."""
        self._pass_time()
        return self.feed(Sampled(self.now_ns, self.reading()))

    def samples(self, count: int) -> None:
        """So many samples, whatever is pending."""
        for _ in range(count):
            self.sample()

    def restore_signals_of(self, earlier: Bench) -> None:
        """From the next sample on, what is altered is what was altered then."""
        self._altered = {number: dict(fields) for number, fields in earlier._altered.items()}

    def silence(self, seconds: float) -> None:
        """Time passes without a sample."""
        self.now_ns += round(seconds * 1e9)

    def stop(self, by: str = "operator") -> tuple[Effect, ...]:
        return self.feed(Stopped(self.now_ns, by))

    def answer(self, question: Question, choice: Choice, reason: str = "", physician: str = "") -> tuple[Effect, ...]:
        """A person answers, asked or not."""
        return self.feed(Answered(self.now_ns, question, choice, "tester", reason, physician))

    def advance(self) -> None:
        """Whatever comes next: a pending event, an answer, else a sample."""
        if self.pending:
            self.feed(self.pending.popleft())
            return
        choice = self.person.answer(self.state, self.now_ns) if self.person else None
        if choice is not None and self.state.question is not None:
            self.answer(self.state.question.question, choice)
        else:
            self.sample()

    def until(self, condition: Callable[[Bench], bool], limit_s: float = 300.0) -> Bench:
        """Go on until the condition holds."""
        end_ns = self.now_ns + round(limit_s * 1e9)
        while not condition(self):
            if self.now_ns > end_ns:
                raise AssertionError(f"not within {limit_s:g} s; now {self.state.stage}, {self.phases}, {self.codes}")
            self.advance()
        return self

    def reach(self, phase: Phase) -> Bench:
        """Go on until a channel is in this phase."""
        return self.until(lambda bench: phase in bench.phases)

    def reach_stage(self, stage: Stage) -> Bench:
        """Go on until the procedure is in this stage."""
        return self.until(lambda bench: bench.state.stage is stage)

    def finished(self) -> Bench:
        """Go on to the end."""
        return self.reach_stage(Stage.ENDED)

    def with_rows(self, rows: tuple[Row, ...]) -> Bench:
        """The same moment, decided from now on by this table."""
        other = self.copy()
        other.state = other.state._replace(setup=replace(self.state.setup, rows=rows))
        return other

    def reading(self) -> Reading:
        """What the generator would answer now."""
        whole = Reading(
            received_ns=self.now_ns,
            uptime_ms=self.now_ns // 1_000_000,
            sample_counter=self.counter,
            owner=self.owner,
            lease_remaining_ms=self.lease_ms,
            fault_bits=0,
            pad_status=PadStatus.OK,
            pad_ohm=10.0,
            channels=tuple(
                ChannelReading(**self._as_altered(number, output.measure()._asdict()))
                for number, output in enumerate(self.outputs, start=1)
            ),
        )
        return Reading(**self._as_altered(0, whole._asdict()))

    def _as_altered(self, number: int, values: dict[str, Any]) -> dict[str, Any]:
        for name, (since_ns, value) in self._altered.get(number, {}).items():
            values[name] = value((self.now_ns - since_ns) / 1e9, values[name]) if callable(value) else value
        return values

    def _pass_time(self) -> None:
        self.now_ns += PERIOD_NS
        self.counter += not self.frozen
        for output in self.outputs:
            output.pass_time(PERIOD_NS / 1e9)

    def _carry_out(self, effect: Effect) -> None:
        output = self.outputs[(getattr(effect, "channel", 0) or 1) - 1]
        match effect:
            case ChannelOff():
                output.rf_on, output.stimulating, output.amplitude = False, False, 0.0
                self._done(Command.CHANNEL_OFF, effect.channel)
            case Off():
                for each in self.outputs:
                    each.rf_on, each.stimulating, each.amplitude = False, False, 0.0
            case Claim():
                self.owner, self.lease_ms = SESSION, 500
                self._done(Command.CLAIM, 0)
            case Release():
                self.owner = self.lease_ms = 0
                self._done(Command.RELEASE, 0)
            case Renew():
                self.lease_ms = 500
            case MakeDurable():
                self.pending.append(Durable(self.now_ns, effect.intent))
            case Configure():
                output.lesion_mode = Mode.LESION_TEMPERATURE
                output.set_temperature_c = effect.settings.set_temperature_c
                output.ramp_c_per_s = effect.settings.ramp_c_per_s
                output.power_limit_w = effect.settings.power_limit_w
                self._done(Command.CONFIGURE, effect.channel)
            case ConfigureSetPoint():
                lesion = lesion_of(self.state, effect.channel)
                output.set_temperature_c, output.ramp_c_per_s = lesion.set_temperature_c, lesion.ramp_c_per_s
                output.set_point = 0.0
                by_voltage = effect.settings.set_point is SetPoint.VOLTAGE
                output.lesion_mode = Mode.LESION_VOLTAGE if by_voltage else Mode.LESION_POWER
                output.power_limit_w = effect.settings.power_limit_w
                self._done(Command.CONFIGURE, effect.channel)
            case SetOutput():
                output.set_point = effect.value
            case Arm():
                self._done(Command.ARM, effect.channel, TOKEN)
            case Fire():
                output.rf_on = True
                self._done(Command.FIRE, effect.channel)
            case ConfigureStimulation():
                output.stimulation = effect.settings
                self._done(Command.CONFIGURE, effect.channel)
            case StartStimulation():
                output.stimulating = True
                self._done(Command.START_STIMULATION, effect.channel)
            case SetAmplitude():
                output.amplitude = effect.amplitude
            case _:
                pass

    def _done(self, command: Command, channel: int, value: int = 0) -> None:
        self.pending.append(Completed(self.now_ns, command, channel, value))


PERSON_FOR = {
    Phase.SENSORY_HIGH: Person(felt_at_v=0.7, silent=frozenset({Question.SENSORY_HIGH})),
    Phase.REPOSITION_OFF: Person(response_at_v=1.0, silent=frozenset({Question.REPOSITION})),
    Phase.REPOSITION: Person(response_at_v=1.0, silent=frozenset({Question.REPOSITION})),
    Phase.DISARM_OFF: Person(silent=frozenset({Question.START})),
    Phase.SENSORY_CHOICE: Person(silent=frozenset({Question.PERFORM})),
    Phase.MOTOR_CHOICE: Person(silent=frozenset({Question.PERFORM})),
    Phase.PAUSED: Person(silent=frozenset({Question.PAUSED})),
    Phase.HIGHER: Person(felt_at_v=None, silent=frozenset({Question.HIGHER})),
    Phase.HIGHER_OFF: Person(felt_at_v=None, silent=frozenset({Question.HIGHER})),
    Phase.VOID_OFF: Person(silent=frozenset({Question.ARM, Question.POSITION})),
    Phase.STIM_REQUIRED: Person(silent=frozenset({Question.ARM, Question.POSITION})),
}
"""Who leads to a phase that an ordinary procedure does not pass."""

TO_THREE = replace(SENSORY, maximum=3.0)
OTHER_PLANS = {
    Phase.SENSORY_CHOICE: (site("L4, left", 1, sensory=replace(SENSORY, use=Use.OPTIONAL)), TWO_SITES[1]),
    Phase.MOTOR_CHOICE: (site("L4, left", 1, motor=replace(MOTOR, use=Use.OPTIONAL)), TWO_SITES[1]),
    Phase.HIGHER: (site("L4, left", 1, sensory=TO_THREE), TWO_SITES[1]),
    Phase.HIGHER_OFF: (site("L4, left", 1, sensory=TO_THREE), TWO_SITES[1]),
}
"""Plans that lead to a phase that an ordinary one does not pass."""

TOGETHER = frozenset({Phase.QUEUED, Phase.LESION_READY, Phase.PROBE, Phase.PROBE_OFF, Phase.MOVE, Phase.RECHECK})
"""Phases that a channel passes only where several heat together, or with several lesions at a site."""

PASSED_THROUGH = frozenset({Phase.DONE})
"""Phases that begin and end within one step, so that no event meets them."""
REACHABLE = tuple(phase for phase in Phase if phase not in PASSED_THROUGH | {Phase.DROP_OFF, Phase.DROPPED})
"""Phases of a channel that goes on; test_order.py has those of one that was dropped."""


@cache
def _reached(phase: Phase, set_point: SetPoint | None) -> Bench:
    person = copy.copy(PERSON_FOR.get(phase, Person()))
    if phase in {Phase.DROP_OFF, Phase.DROPPED}:
        bench = Bench(batch(set_point=set_point, on_fault=FaultPolicy.DROP), person).reach(Phase.HOLD)
        bench.alter(1, thermocouple_open=True)
        return bench.reach(phase)
    if phase in TOGETHER:
        return Bench(batch(set_point=set_point), person).reach(phase)
    bench = Bench(setup_of(*OTHER_PLANS.get(phase, ()), set_point=set_point), person)
    bench.sample()
    if phase in {Phase.PAUSE_OFF, Phase.PAUSED}:
        bench.reach(Phase.SENSORY).answer(Question.SENSORY, Choice.OFF)
    if phase in {Phase.VOID_OFF, Phase.STIM_REQUIRED}:
        bench.reach(Phase.ARM_READY)
        bench.alter(1, electrode_id=0x2210)
    if phase is Phase.ENDED:
        bench.reach(Phase.HOLD).stop()
        return bench
    if phase is Phase.IDLE:
        return bench.reach_stage(Stage.CHECKLIST)
    return bench.reach(phase)


@cache
def _at_stage(stage: Stage) -> Bench:
    return Bench(setup_of()).reach_stage(stage)


def at(phase: Phase, set_point: SetPoint | None = None) -> Bench:
    """A bench whose first site has just come to this phase; what it asked for is pending."""
    return _reached(phase, set_point).copy()


def at_stage(stage: Stage) -> Bench:
    """A bench whose procedure has just come to this stage."""
    return _at_stage(stage).copy()
