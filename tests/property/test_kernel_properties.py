"""The kernel under any sequence of events: what must never happen does not, from whatever phase it starts."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rfctl.kernel import limits, stimulation
from rfctl.kernel.effects import (
    Arm,
    Claim,
    Configure,
    ConfigureSetPoint,
    ConfigureStimulation,
    Effect,
    Finish,
    Fire,
    Grant,
    Level,
    MakeDurable,
    Note,
    Off,
    Outcome,
    Renew,
    SetAmplitude,
    SetOutput,
    StartStimulation,
)
from rfctl.kernel.events import (
    Answered,
    Cause,
    Choice,
    Command,
    Completed,
    Durable,
    Event,
    Failed,
    Missed,
    Question,
    RecordFailed,
    Sampled,
    Stopped,
)
from rfctl.kernel.phase import HEATING, LESION, PERMITTED, STIMULATION, STIMULATION_SETTING, STIMULATION_STARTING, Phase
from rfctl.kernel.state import Stage
from rfctl.kernel.step import step
from rfctl.model.capability import SetPoint
from rfctl.model.permit import PermitKind
from tests.unit.kernel.bench import REACHABLE, Bench, Decision, at, setup_of

CLOSED = {Stage.ENDING, Stage.RELEASING, Stage.ENDED}
ENERGISING = (
    Grant, Renew, Claim, Configure, ConfigureSetPoint, ConfigureStimulation, Arm, Fire, SetOutput, StartStimulation,
    SetAmplitude,
)  # fmt: skip
ALLOWED: dict[type[Effect], frozenset[Phase]] = {
    Grant: PERMITTED,
    ConfigureStimulation: STIMULATION_SETTING,
    StartStimulation: STIMULATION_STARTING,
    SetAmplitude: STIMULATION,
    Configure: frozenset({Phase.CONFIGURING}),
    ConfigureSetPoint: frozenset({Phase.CONFIGURING}),
    SetOutput: HEATING,
    Arm: frozenset({Phase.ARMING}),
    Fire: frozenset({Phase.FIRING}),
}
"""Phases, after the decision, in which an effect on a channel may be asked for."""
KIND_OF = {
    **dict.fromkeys(PERMITTED, PermitKind.LESION),
    **dict.fromkeys(STIMULATION_SETTING | STIMULATION_STARTING | STIMULATION, PermitKind.STIMULATION),
}

NOT_FINITE = (math.nan, math.inf, -math.inf)
ALTERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "temperature_c": st.sampled_from(
            [*NOT_FINITE, -0.01, 0.0, 30.0, 37.0, 44.9, 51.9, 52.1, 79.0, 83.1, 85.1, 88.1, 95.0, 95.1, 1e38]
        ),
        "impedance_ohm": st.sampled_from(
            [*NOT_FINITE, -100.0, 0.0, 29.9, 30.1, 49.9, 99.9, 100.0, 185.0, 700.1, 1000.1, 1200.1, 5000.0, 1e38]
        ),
        "current_ma_rms": st.sampled_from([*NOT_FINITE, 0.0, 100.0, 480.0, 490.0, 1e38]),
        "rf_band_current_ma_rms": st.sampled_from([*NOT_FINITE, 0.0, 20.0, 20.1, 500.0]),
        "power_w": st.sampled_from([*NOT_FINITE, 0.0, 0.5, 0.6, 50.0]),
        "stimulation_amplitude": st.sampled_from([math.nan, 0.0, 0.4, 1.0, 2.0]),
        "impedance_fresh": st.booleans(),
        "thermocouple_open": st.booleans(),
        "rf_on": st.booleans(),
        "stimulating": st.booleans(),
        "fault_bits": st.sampled_from([0, 1, 65535]),
    },
)
WHOLE = st.fixed_dictionaries(
    {},
    optional={
        "sample_counter": st.sampled_from([0, 7]),
        "owner": st.sampled_from([0, 1]),
        "lease_remaining_ms": st.sampled_from([0, 1]),
    },
)
GAPS_NS = st.sampled_from([0, 1, 50_000_000, 299_999_999, 300_000_001, 2_000_000_001, 4_600_000_000])
CHANNELS = st.integers(1, 2)
ENDINGS: st.SearchStrategy[Event] = st.one_of(
    st.just(Stopped(0, "operator")),
    st.just(RecordFailed(0, "disk full")),
    st.builds(Failed, st.just(0), st.sampled_from(Command), CHANNELS, st.sampled_from(Cause), st.just("no")),
)
"""What ends most procedures; one rule, so that most sequences get further."""


class KernelMachine(RuleBasedStateMachine):
    """A bench that anything happens to."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(setup_of())
        self.checked = 0
        self.durable: set[int] = set()
        self.intended: dict[int, MakeDurable] = {}
        self.closed = False

    @initialize(phase=st.sampled_from((None, *REACHABLE)), set_point=st.sampled_from((None, SetPoint.VOLTAGE)))
    def begin(self, phase: Phase | None, set_point: SetPoint | None) -> None:
        """Before the first event, or in any phase of an ordinary procedure."""
        if phase is not None:
            self.bench = at(phase, set_point)

    # what happens

    @rule(count=st.integers(1, 30))
    def go_on(self, count: int) -> None:
        for _ in range(count):
            self.bench.advance()

    @rule(channel=CHANNELS, fields=ALTERATIONS, whole=WHOLE, count=st.integers(1, 12), back=st.booleans())
    def measure(self, channel: int, fields: dict[str, Any], whole: dict[str, Any], count: int, *, back: bool) -> None:
        before = self.bench.copy()
        self.bench.alter(channel, **fields)
        self.bench.alter(0, **whole)
        self.bench.samples(count)
        if back:
            self.bench.restore_signals_of(before)

    @rule(gap_ns=GAPS_NS)
    def pass_time(self, gap_ns: int) -> None:
        self.bench.now_ns += gap_ns

    @rule(cause=st.sampled_from(Cause))
    def miss(self, cause: Cause) -> None:
        self.bench.feed(Missed(self.bench.now_ns, cause, "no reply"))

    @rule(question=st.sampled_from(Question), choice=st.sampled_from(Choice))
    def answer_anything(self, question: Question, choice: Choice) -> None:
        self.bench.answer(question, choice)

    @rule(choice=st.sampled_from(Choice))
    def answer_what_is_asked(self, choice: Choice) -> None:
        if self.bench.state.question is not None:
            self.bench.answer(self.bench.state.question.question, choice)

    @rule(back=st.integers(-1, 2))
    def say_durable(self, back: int) -> None:
        self.bench.feed(Durable(self.bench.now_ns, self.bench.state.intent - back))

    @rule(command=st.sampled_from(Command), channel=CHANNELS, token=st.sampled_from([0, 1, 65535]))
    def complete(self, command: Command, channel: int, token: int) -> None:
        self.bench.feed(Completed(self.bench.now_ns, command, channel, token))

    @rule(ending=ENDINGS)
    def end(self, ending: Event) -> None:
        self.bench.feed(ending._replace(now_ns=self.bench.now_ns))

    # what must hold in every decision

    @invariant()
    def every_decision_holds(self) -> None:
        for decision in self.bench.decisions[self.checked :]:
            self.check(decision)
        self.checked = len(self.bench.decisions)

    def check(self, decision: Decision) -> None:
        if isinstance(decision.event, Durable):
            self.durable.add(decision.event.intent)
        self.intended |= {effect.channel: effect for effect in decision.effects if isinstance(effect, MakeDurable)}
        self.off_comes_with_its_cause(decision)
        self.nothing_energises_after_the_end(decision)
        for effect in decision.effects:
            self.energy_only_where_allowed(decision, effect)
        self.outputs_exclude_each_other(decision)
        self.only_a_person_gives_the_word_to_start(decision)
        self.the_end_is_honest(decision)

    def off_comes_with_its_cause(self, decision: Decision) -> None:
        tripped = len(decision.after.trips) > len(decision.before.trips)
        told = any(isinstance(effect, Note) and effect.level is Level.TRIP for effect in decision.effects)
        assert tripped == told
        stopped = isinstance(decision.event, Stopped) and decision.before.stage is not Stage.ENDED
        off = any(isinstance(effect, Off) for effect in decision.effects)
        assert off or not (tripped or stopped or decision.before.stage is Stage.UNKNOWN)
        if off:
            assert not any(isinstance(effect, ENERGISING) for effect in decision.effects)

    def nothing_energises_after_the_end(self, decision: Decision) -> None:
        self.closed = self.closed or isinstance(decision.event, Stopped) or bool(decision.after.trips)
        if self.closed:
            assert decision.after.stage in CLOSED
            assert {channel.phase for channel in decision.after.channels} == {Phase.ENDED}
            assert not any(isinstance(effect, (*ENERGISING, MakeDurable)) for effect in decision.effects)

    def energy_only_where_allowed(self, decision: Decision, effect: Effect) -> None:
        match effect:
            case Grant(permit):
                number = permit.channel
            case StartStimulation(number) | SetAmplitude(number) | Configure(number) | Arm(number) | Fire(number):
                pass
            case ConfigureSetPoint(number) | ConfigureStimulation(number) | SetOutput(number):
                pass
            case _:
                return
        channel = decision.after.channels[number - 1]
        intended = self.intended[number]
        assert channel.phase in ALLOWED[type(effect)]
        assert intended.intent in self.durable
        assert intended.kind == KIND_OF[channel.phase]
        match effect:
            case Grant(permit):
                assert (permit.kind, permit.envelope) == (intended.kind, intended.envelope)
                assert permit.expires_ns == decision.event.now_ns + limits.PERMIT_NS
                envelope = permit.envelope
                assert envelope.temperature_c <= limits.SET_TEMPERATURE_MAX_C
                assert envelope.power_w <= decision.after.setup.rated_power_w
                assert envelope.duration_s <= limits.DURATION_MAX_S
                assert envelope.stimulation_v <= stimulation.MOTOR_MAX
            case ConfigureStimulation():
                assert isinstance(decision.event, Durable)
            case StartStimulation():
                assert isinstance(decision.event, Sampled)
            case SetAmplitude():
                assert isinstance(decision.event, Answered)
                assert effect.amplitude <= intended.envelope.stimulation_v + 1e-6
            case SetOutput():
                assert isinstance(decision.event, Sampled)
                assert 0.0 <= effect.value <= intended.envelope.voltage_v_rms
            case Fire():
                by_hand = isinstance(decision.event, Answered) and decision.event.choice is Choice.START
                assert by_hand or (decision.before.started and channel.probing), "one word starts all probes"
                assert effect.token != 0
                assert decision.event.now_ns - decision.before.received_ns <= limits.PERMIT_NS
            case _:
                pass

    def only_a_person_gives_the_word_to_start(self, decision: Decision) -> None:
        if decision.after.started and not decision.before.started:
            assert isinstance(decision.event, Answered)
            assert decision.event.choice is Choice.START

    def outputs_exclude_each_other(self, decision: Decision) -> None:
        phases = [channel.phase for channel in decision.after.channels]
        assert not (any(p in LESION for p in phases) and any(p in STIMULATION | STIMULATION_STARTING for p in phases))
        renewed = any(isinstance(effect, Renew) for effect in decision.effects)
        assert not renewed or any(phase in PERMITTED for phase in phases)

    def the_end_is_honest(self, decision: Decision) -> None:
        state = decision.after
        if decision.before.stage is Stage.ENDED:
            assert state is decision.before
            assert decision.effects == ()
        ends = [effect for effect in decision.effects if isinstance(effect, Finish)]
        assert len(ends) == (state.stage is Stage.ENDED and decision.before.stage is not Stage.ENDED)
        for end in ends:
            assert (end.outcome is Outcome.COMPLETE) == (end.exit_code == 0)
            assert end.outcome is not Outcome.COMPLETE or (state.trips == () and end.off_verified)
            assert end.off_verified or "OFF NOT CONFIRMED" in end.text
            if end.off_verified:
                assert state.reading is not None
                assert not any(channel.rf_on or channel.stimulating for channel in state.reading.channels)
        if state.stage is Stage.ENDING and isinstance(decision.event, Sampled | Missed):
            assert decision.event.now_ns - state.off_ns < 200_000_000, "off is repeated until it is verified"

    @invariant()
    def the_same_event_decides_the_same_again(self) -> None:
        if self.bench.decisions:
            last = self.bench.decisions[-1]
            assert repr(step(last.before, last.event)) == repr((last.after, last.effects))


TestKernel = KernelMachine.TestCase
TestKernel.settings = settings(
    max_examples=120,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
