"""The guard's one function: step(state, event) -> (state, effects). Pure, and it shares no code with the kernel.

It proves the relay, holds it closed while the station wants energy and everything that the guard sees for itself is
well, and lets go for good at the first thing that is not: only a new guard, with a new proof, closes the contact again.
"""

from __future__ import annotations

from dataclasses import replace

from rfctl.clock import NS_PER_MS
from rfctl.errors import ConfigError
from rfctl.guard import limits
from rfctl.guard.limits import Limit
from rfctl.guard.sample import Seen
from rfctl.guard.state import (
    QUIET,
    Begin,
    Decoded,
    Effect,
    Event,
    Gone,
    Heartbeat,
    Notice,
    Output,
    Send,
    Setup,
    Stage,
    State,
    Stop,
    Wanted,
)
from rfctl.link import relay_hold, relay_proof
from rfctl.link.relay_hold import GoodCycle, Hold, LetGo
from rfctl.link.relay_proof import Answered, Due, Proved, RelayFault, Unanswered

RELAY = "HZ-44"
LAST_THREE = 0b111


Step = tuple[State, tuple[Effect, ...]]


def initial(setup: Setup) -> State:
    """Before the first event."""
    return State(setup, wanted=(Wanted.NOTHING,) * setup.channels, outputs=(QUIET,) * setup.channels)


def step(state: State, event: Event) -> Step:
    """Decide. Pure: the same state and event give the same result for ever.

    Args:
        state: From ``initial``, or from the step before.
        event: What happened, with its time on the guard's own clock.

    Returns:
        The new state, and the effects in their order. One frame at the most is on its way to the board at a time.
    """
    match event:
        case Heartbeat():
            return _heard(state, event)
        case Decoded():
            return _decoded(state, event)
        case Due() | Answered() | Unanswered():
            state, effects = _overdue(state, event.at_ns)
            state, more = _of_relay(state, event)
            return state, (*effects, *more)
        case Begin():
            return _begin(state, event)
        case Stop():
            return _let_go(state, event.at_ns, _notice(limits.STOPPED, measured=event.by))
        case Gone():
            if state.stage is Stage.HOLDING:
                return _let_go(state, event.at_ns, _notice(limits.STATION_GONE))
            return state, ()


# the station


def _heard(state: State, event: Heartbeat) -> Step:
    at_ns = event.at_ns
    if len(event.wanted) != state.setup.channels or not 0 <= at_ns - event.sent_ns <= limits.UNDERWAY_NS:
        return _overdue(state, at_ns)
    outputs = state.outputs
    if event.wanted != state.wanted:
        outputs = tuple([_wanting(o, wanted, at_ns) for o, wanted in zip(outputs, event.wanted, strict=True)])
    news = event.cycle != state.cycle and event.digest != state.digest
    state = state._replace(
        heard_ns=at_ns,
        decided_ns=at_ns if news else state.decided_ns,
        cycle=event.cycle if news else state.cycle,
        digest=event.digest if news else state.digest,
        wanted=event.wanted,
        outputs=outputs,
    )
    state, effects = _overdue(state, at_ns)
    if effects or not news:
        return state, effects
    if not event.enable:
        return _opened_by_wish(state, at_ns)
    if state.stage is Stage.READY and state.plan is not None and _well(state, at_ns):
        state = state._replace(stage=Stage.HOLDING, hold=Hold(state.plan))
    hold = state.hold
    if state.stage is not Stage.HOLDING or hold is None or not _well(state, at_ns):
        return state, ()
    if at_ns - hold.flashed_ns < state.setup.spacing_ns:
        return state, ()
    return _hold(state, GoodCycle(at_ns))


def _wanting(output: Output, wanted: Wanted, at_ns: int) -> Output:
    """What is not wanted any more may go on for as long as off takes."""
    if wanted is output.wanted:
        return output
    until_ns = at_ns + limits.OFF_NS
    return output._replace(
        wanted=wanted,
        rf_ns=until_ns if output.wanted is Wanted.RF else output.rf_ns,
        stimulation_ns=until_ns if output.wanted is Wanted.STIMULATION else output.stimulation_ns,
    )


def _opened_by_wish(state: State, at_ns: int) -> Step:
    if state.stage is not Stage.HOLDING:
        return state, ()
    return _hold(state._replace(stage=Stage.OPENING), LetGo(at_ns))


def _well(state: State, at_ns: int) -> bool:
    """What the guard sees is new enough to hold the contact by."""
    return (
        at_ns - state.decoded_ns <= limits.FRESH_NS
        and at_ns - state.counted_ns <= limits.COUNTER_AGE_NS
        and state.decoded_ns > 0
    )


def _overdue(state: State, at_ns: int) -> Step:
    """Whatever has not come in time ends the hold."""
    if state.stage is not Stage.HOLDING:
        return state, ()
    oldest_ns = min(state.heard_ns, state.decided_ns, state.decoded_ns, state.counted_ns)
    if at_ns - oldest_ns <= limits.STATION_AGE_NS:  # the shortest of them
        return state, ()
    for limit, since_ns, most_ns in _ages(state):
        if at_ns - since_ns > most_ns:
            return _let_go(state, at_ns, _missed(limit, at_ns - since_ns, most_ns))
    return state, ()


def _ages(state: State) -> tuple[tuple[Limit, int, int], ...]:
    return (
        (limits.STATION_SILENT, state.heard_ns, limits.STATION_AGE_NS),
        (limits.STATION_STANDS, state.decided_ns, limits.STATION_AGE_NS),
        (limits.SAMPLE_STALE, state.decoded_ns, limits.SAMPLE_AGE_NS),
        (limits.COUNTER_FROZEN, state.counted_ns, limits.COUNTER_AGE_NS),
    )


def _missed(limit: Limit, age_ns: int, most_ns: int) -> Notice:
    return _notice(limit, measured=_ms(age_ns), limit=_ms(most_ns))


# the generator, by the guard's own eyes


def _decoded(state: State, event: Decoded) -> Step:
    at_ns, sample = event
    if len(sample.channels) != state.setup.channels:
        return state, ()
    judged: list[Output] = []
    notice: Notice | None = None
    for output, seen in zip(state.outputs, sample.channels, strict=True):
        if output is not QUIET or seen.rf_on or seen.rf or seen.stimulating:
            output = _judged(output, seen, at_ns)
            judged.append(output)
            notice = notice or _beyond(state.setup, len(judged), output, seen)
        else:
            judged.append(output)
    state = state._replace(
        decoded_ns=at_ns,
        counter=sample.counter,
        counted_ns=at_ns if sample.counter != state.counter else state.counted_ns,
        outputs=tuple(judged),
    )
    if notice is not None:
        return _let_go(state, at_ns, notice)
    return _overdue(state, at_ns)


def _judged(output: Output, seen: Seen, at_ns: int) -> Output:
    rf = seen.rf and output.wanted is not Wanted.RF and at_ns > output.rf_ns
    stimulation = seen.stimulating and output.wanted is not Wanted.STIMULATION and at_ns > output.stimulation_ns
    if not (rf or stimulation or output.rf_seen or output.stimulation_seen):
        return QUIET if output.wanted is Wanted.NOTHING and at_ns > max(output[1:3]) else output
    return output._replace(
        rf_seen=(output.rf_seen << 1 | rf) & LAST_THREE,
        stimulation_seen=(output.stimulation_seen << 1 | stimulation) & LAST_THREE,
    )


def _beyond(setup: Setup, number: int, output: Output, seen: Seen) -> Notice | None:
    """The first of the guard's limits that a channel's sample is beyond."""
    if output.wanted is not Wanted.NOTHING or seen.rf:
        temperature_c = seen.temperature_c
        there = setup.thermocouple or temperature_c == temperature_c
        if there and not temperature_c <= setup.temperature_max_c:
            limit = f"{setup.temperature_max_c:g}"
            return _notice(limits.TEMPERATURE_MAX, channel=number, measured=f"{temperature_c:.4g}", limit=limit)
    for beyond, marks in (
        (limits.RF_WITHOUT_COMMAND, output.rf_seen),
        (limits.STIMULATION_WITHOUT_COMMAND, output.stimulation_seen),
    ):
        if marks and marks.bit_count() >= 2:
            return _notice(beyond, channel=number, limit=_ms(limits.OFF_NS))
    return None


# the relay


def _begin(state: State, event: Begin) -> Step:
    if state.stage is not Stage.NEW:
        return state, ()
    proof, frame = relay_proof.begin(state.setup.contact, state.setup.tenths, event.at_ns)
    return state._replace(stage=Stage.PROVING, proof=proof), (Send(frame),)


def _of_relay(state: State, event: Due | Answered | Unanswered) -> Step:
    if state.proof is not None:
        proof, frame = relay_proof.step(state.proof, event)
        if proof.verdict is None:
            return state._replace(proof=proof), _sent(frame)
        return _proved(state._replace(proof=None), proof.verdict, event.at_ns)
    if state.hold is None:
        return state, ()
    return _hold(state, event)


def _proved(state: State, verdict: Proved | RelayFault, at_ns: int) -> Step:
    if isinstance(verdict, RelayFault):
        return _let_go(state, at_ns, Notice(verdict.code, RELAY, str(verdict)))
    setup = state.setup
    try:
        plan = relay_hold.plan(
            setup.contact, verdict, reply_ns=setup.reply_ns, hold_up_ns=setup.hold_up_ns, beat_ns=limits.BEAT_NS
        )
        plan = replace(plan, look_ns=setup.look_ns)
    except ConfigError as problem:
        return _let_go(state, at_ns, Notice("unfit", RELAY, str(problem)))
    text = (
        f"relay proved: closed within {_ms(verdict.closes_ns)} ms, open again {_ms(verdict.opens_from_ns)} to "
        f"{_ms(verdict.opens_until_ns)} ms after {setup.tenths * 100} ms were asked for, and a second order starts anew"
    )
    stage = Stage.READY if state.stage is Stage.PROVING else state.stage  # stopped meanwhile: it stays let go
    return state._replace(stage=stage, plan=plan), (Notice("proved", "", text),)


def _hold(state: State, event: Due | Answered | Unanswered | GoodCycle | LetGo) -> Step:
    assert state.hold is not None  # noqa: S101  begun before
    before = state.hold.fault
    hold, frame = relay_hold.step(state.hold, event)
    state = state._replace(hold=hold)
    sent = _sent(frame)
    if hold.fault is not None and hold.fault is not before:
        notice = _why_lapsed(state, event.at_ns) if hold.fault.code == "lapsed" else None
        notice = notice or Notice(hold.fault.code, RELAY, str(hold.fault))
        return state._replace(stage=Stage.LATCHED, cause=state.cause or notice), (*sent, notice)
    if state.stage is Stage.OPENING and hold.stage is relay_hold.Stage.OPEN:
        # Seen open in time by itself: that is what the proof had shown, shown again.
        return state._replace(stage=Stage.READY, hold=None), sent
    return state, sent


def _why_lapsed(state: State, at_ns: int) -> Notice | None:
    """No flash-on went out because something had stayed away, or came too late for it to go out in time."""
    for limit, since_ns, _ in _ages(state):
        if at_ns - since_ns > limits.FRESH_NS:
            return _missed(limit, at_ns - since_ns, limits.FRESH_NS)
    return None


def _let_go(state: State, at_ns: int, notice: Notice) -> Step:
    """For good. The first cause stays the cause."""
    if state.cause is not None:
        return state, ()
    holding = state.hold is not None and state.stage is Stage.HOLDING
    state = state._replace(stage=Stage.LATCHED, cause=notice, proof=None)
    if not holding:
        return state, (notice,)
    state, effects = _hold(state, LetGo(at_ns))
    return state, (*effects, notice)


def _sent(frame: bytes) -> tuple[Effect, ...]:
    return (Send(frame),) if frame else ()


def _notice(limit: Limit, /, **numbers: object) -> Notice:
    return Notice(limit.code, limit.hazard, limit.text.format(**numbers))


def _ms(time_ns: int) -> str:
    return f"{time_ns / NS_PER_MS:.0f}"
