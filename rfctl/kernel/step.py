"""The kernel's one function: step(state, event) -> (state, effects)."""

from __future__ import annotations

from rfctl.errors import EXIT_STOPPED
from rfctl.kernel import supervision
from rfctl.kernel.actions import permit, set_outputs, with_channel
from rfctl.kernel.dose import cooled, with_sample
from rfctl.kernel.effects import Ask, Claim, Effect, Level, Note, Off, Outcome, Renew
from rfctl.kernel.enable_loop import Loop, must_wait
from rfctl.kernel.ending import finish, verify_off
from rfctl.kernel.events import (
    Answered,
    Cause,
    Choice,
    Command,
    Completed,
    Durable,
    Event,
    Failed,
    Guarded,
    Missed,
    Noticed,
    Question,
    RecordFailed,
    Sampled,
    Stopped,
)
from rfctl.kernel.grouping import gather
from rfctl.kernel.guards import under_work
from rfctl.kernel.interlocks import (
    WINDOW_MAX_NS,
    averaged,
    derive,
    has_output,
    judge_channel,
    judge_generator,
)
from rfctl.kernel.lowering import limit_again, lower_limits
from rfctl.kernel.phase import LESION, OVER, PERMITTED, Phase
from rfctl.kernel.row import Origin
from rfctl.kernel.signals_thermal import follow
from rfctl.kernel.state import ChannelState, KernelState, Mean, Stage
from rfctl.kernel.thermal import carried
from rfctl.kernel.transitions import DURABLE, SAMPLE, answer, done, find
from rfctl.kernel.verdicts import CLOSED_STAGES, Step, end, event_trip, leave_out, take_verdicts, trip
from rfctl.model.plan import OrderOfWork
from rfctl.model.reading import Reading

WARM = frozenset({Phase.LESION_OFF, Phase.COOLING})
CLAIM_PATIENCE_NS = 2_000_000_000
"""How long a claim is repeated: a station that was killed owns the generator until its lease, 1 s at most, runs out."""
STOPPED_AT_THE_GUARD = "stop"
"""Its code for a person who stopped everything there."""
GROUPED = frozenset({Question.ARM, Question.START})
"""Questions that one word answers for all channels that heat together."""


def step(state: KernelState, event: Event) -> Step:
    """Decide. Pure: the same state and event give the same result for ever.

    Args:
        state: From ``initial``, or from the step before.
        event: What happened, with its time.

    Returns:
        The new state, and the effects in the order in which they are to be carried out.
    """
    if state.stage is Stage.ENDED:
        return state, ()
    if state.stage is Stage.UNKNOWN:
        return _begin(state, event)
    match event:
        case Sampled():
            return _sampled(state, event)
        case Missed():
            return _missed(state, event)
        case Answered():
            return _answered(state, event)
        case Completed():
            return _completed(state, event)
        case Failed():
            return _failed(state, event)
        case Durable():
            return _durable(state, event)
        case Noticed():
            return _noticed(state, event)
        case Stopped():
            return _stopped(state, event)
        case Guarded():
            return _guarded(state, event)
        case RecordFailed():
            text = f"the record cannot be written: {event.text}; no energy without a record"
            return trip(state, [event_trip("record_failed", "HZ-35", text, event.now_ns, Origin.DEVICE)])


def _begin(state: KernelState, event: Event) -> Step:
    """First act, whatever the event: everything is unknown, so off. Then the event counts, unless it is a sample: that
    was taken before off and proves nothing.
    """
    now_ns = event.now_ns
    state = state._replace(
        stage=Stage.STARTING,
        since_ns=now_ns,
        started_ns=now_ns,
        off_ns=now_ns,
        received_ns=now_ns,
        counter_ns=now_ns,
        channels=tuple(channel._replace(since_ns=now_ns, off_ns=now_ns) for channel in state.channels),
    )
    off = Off("start: everything is unknown")
    if isinstance(event, Sampled):
        return state, (off,)
    state, effects = step(state, event)
    return state, (off, *effects)


# samples


def _sampled(state: KernelState, event: Sampled) -> Step:
    now_ns, reading = event
    age_s = (now_ns - state.received_ns) / 1e9
    before = state.reading
    advanced = before is None or reading.sample_counter != before.sample_counter
    channels = tuple([_observe(state, number, event) for number in range(1, state.setup.channels + 1)])
    state = state._replace(
        reading=reading,
        received_ns=now_ns,
        counter_ns=now_ns if advanced else state.counter_ns,
        channels=channels,
        supervision=supervision.sampled(state, reading, now_ns, age_s),
    )
    verdicts = judge_generator(state, age_s, now_ns)
    for number in range(1, state.setup.channels + 1):
        verdicts += judge_channel(state, number)
    state, effects = take_verdicts(state, verdicts)
    if state.stage in CLOSED_STAGES:
        state, more = verify_off(state, now_ns)
        return state, (*effects, *more)
    if state.stage is Stage.STARTING:
        state, more = _starting(state, reading, now_ns)
        return state, (*effects, *more)
    state, more = _transit_all(state, now_ns)
    effects = (*effects, *more)
    if state.stage is Stage.TREATING:
        state, more = _schedule(state, now_ns)
        effects = (*effects, *more)
    state, outputs = lower_limits(state)
    if state.setup.set_point is not None:
        state, more = set_outputs(state, now_ns)
        outputs = (*outputs, *more)
    return state, (*effects, *_permits(state, now_ns, outputs))


def _observe(state: KernelState, number: int, event: Sampled) -> ChannelState:
    """The channel with the new sample in its history, its means and its figures."""
    now_ns, reading = event
    channel = state.channels[number - 1]
    measured = reading.channels[number - 1]
    mean = averaged(state.setup, channel, measured, now_ns)
    thermal = follow(state.setup, number, channel, measured, now_ns)
    sample = derive(state, number, mean, thermal, reading, now_ns)
    history = channel.history
    if len(history) > 1 and now_ns - history[1].now_ns >= WINDOW_MAX_NS:
        history = history[1:]
    figures = channel.figures
    if figures is not None and channel.phase in LESION:
        figures = with_sample(figures, state, number, sample, measured.power_w)
    elif figures is not None and channel.phase in WARM:
        figures = cooled(figures, sample, channel.history[-1].now_ns)
    return channel.observed((*history, sample), mean, figures, thermal)


def _permits(state: KernelState, now_ns: int, outputs: tuple[Effect, ...]) -> tuple[Effect, ...]:
    """This decision is complete and found nothing: permits live on, outputs are set under them, the lease too."""
    grants = [
        permit(state, number, now_ns)
        for number, channel in enumerate(state.channels, start=1)
        if channel.phase in PERMITTED
    ]
    return (*grants, *outputs, Renew()) if grants else ()


def _noticed(state: KernelState, event: Noticed) -> Step:
    """The station noticed something by itself; only the rows judge it."""
    state = state._replace(supervision=supervision.noticed(state.supervision, event))
    return take_verdicts(state, judge_generator(state, (event.now_ns - state.received_ns) / 1e9, event.now_ns))


def _missed(state: KernelState, event: Missed) -> Step:
    now_ns = event.now_ns
    state = state._replace(supervision=supervision.cycled(state.supervision, now_ns))
    if event.cause is Cause.CLOSED and state.stage not in CLOSED_STAGES:
        text = f"connection to the generator lost ({event.text}); its own lease must stop it"
        return trip(state, [event_trip("link_lost", "HZ-17", text, now_ns, Origin.DEVICE)])
    if state.stage in CLOSED_STAGES:
        return verify_off(state, now_ns)
    return take_verdicts(state, judge_generator(state, (now_ns - state.received_ns) / 1e9, now_ns))


# transitions of the channels


def _durable(state: KernelState, event: Durable) -> Step:
    """Only the channel that asked for this intent goes on, and not before the enable loop is closed; a late or foreign
    one energises nothing.
    """
    if must_wait(state):
        loop = state.loop
        return state._replace(loop=loop._replace(waiting=(*loop.waiting, event.intent))), ()
    for number, channel in enumerate(state.channels, start=1):
        if channel.intent == event.intent:
            return _transit(state, number, DURABLE, event.now_ns, 0)
    return state, ()


def _guarded(state: KernelState, event: Guarded) -> Step:
    """The enable loop has changed. What waited for it goes on; a guard that has let go for good ends the procedure."""
    waiting = state.loop.waiting
    state = state._replace(loop=Loop(event.closed, event.silent_ns, () if event.closed else waiting))
    if state.stage in CLOSED_STAGES:
        return state, ()
    if event.code == STOPPED_AT_THE_GUARD:
        return _stopped(state, Stopped(event.now_ns, event.text))
    if event.code:
        text = f"the guard has let go of the enable loop: {event.text}"
        verdict = event_trip(f"guard_{event.code}", event.hazard, text, event.now_ns, Origin.DEVICE)
        return trip(state, [verdict])
    state, effects = take_verdicts(
        state, judge_generator(state, (event.now_ns - state.received_ns) / 1e9, event.now_ns)
    )
    if event.closed:
        for intent in waiting:
            state, more = _durable(state, Durable(event.now_ns, intent))
            effects = (*effects, *more)
    return state, effects


def _transit_all(state: KernelState, now_ns: int) -> Step:
    effects: tuple[Effect, ...] = ()
    for number, channel in enumerate(state.channels, start=1):
        if channel.site >= 0:
            state, more = _transit(state, number, SAMPLE, now_ns, 0)
            effects = (*effects, *more)
    return state, effects


def _transit(state: KernelState, number: int, trigger: str, now_ns: int, value: int) -> Step:
    channel = state.channels[number - 1]
    row = find(channel.phase, trigger, state, number, now_ns)
    if row is None:
        return state, ()
    notes: tuple[Effect, ...] = ()
    question = state.question
    if row.to is not channel.phase:
        channel = channel._replace(phase=row.to, since_ns=now_ns, warned=frozenset())
        notes = (Note(Level.INFO, number, "phase", str(row.to)),)
        if question is not None and question.channel == number:
            state = state._replace(question=None)
    state, effects = row.act(with_channel(state, number, channel), number, now_ns, value)
    if notes:
        state = with_channel(state, number, state.channels[number - 1]._replace(mean=Mean()))
    return state, (*notes, *effects)


def _schedule(state: KernelState, now_ns: int) -> Step:
    """Which sites are under work: one after the other, or in batch all of them. After the last the procedure ends."""
    if under_work(state):
        return gather(state, now_ns)
    channels = tuple(
        channel._replace(phase=Phase.IDLE, since_ns=now_ns, site=-1) if channel.phase in OVER else channel
        for channel in state.channels
    )
    state = state._replace(channels=channels, group=(), armed_by="", started=False)
    index, plan = len(state.results), state.setup.plan
    if index == len(plan.sites):
        return _all_over(state, now_ns)
    last = index + 1 if plan.order is OrderOfWork.SITE_BY_SITE else len(plan.sites)
    for coming in range(index, last):
        number = plan.sites[coming].channel
        before = state.channels[number - 1]
        fresh = ChannelState(
            phase=Phase.QUEUED, since_ns=now_ns, site=coming, history=before.history, thermal=carried(before.thermal)
        )
        state = with_channel(state, number, fresh)
    return _transit_all(state, now_ns)


def _all_over(state: KernelState, now_ns: int) -> Step:
    dropped = [trip for trip in state.trips if trip.channel]
    if not dropped:
        return end(state, Outcome.COMPLETE, 0, "delivered as planned", now_ns)
    count = len({trip.channel for trip in dropped})
    of = f"{count} of {len(state.results)} sites" if len(state.results) > 1 else "the site"
    return end(state, Outcome.STOPPED, EXIT_STOPPED, f"{of} dropped: {dropped[0].text}", now_ns)


# start and people


def _starting(state: KernelState, reading: Reading, now_ns: int) -> Step:
    if any(has_output(channel) for channel in reading.channels):
        return state, ()
    channels = tuple(channel._replace(phase=Phase.IDLE, since_ns=now_ns) for channel in state.channels)
    if not state.setup.plan.sites:  # nothing to do but to watch: the generator stays everybody's
        return state._replace(stage=Stage.STANDING_BY, since_ns=now_ns, channels=channels), ()
    state = state._replace(stage=Stage.CLAIMING, since_ns=now_ns, channels=channels)
    return state, (*_faults_left(reading), Claim(clear_faults=True))


def _faults_left(reading: Reading) -> tuple[Effect, ...]:
    """Faults of an earlier session are said before they are cleared; a fault whose cause is still there stays."""
    left = [(0, reading.fault_bits), *enumerate((channel.fault_bits for channel in reading.channels), start=1)]
    return tuple(
        Note(Level.WARNING, number, "faults_left", f"the generator still shows faults from before: bits {bits:#06x}")
        for number, bits in left
        if bits
    )


def _answered(state: KernelState, event: Answered) -> Step:
    asked = state.question
    if asked is None or asked.question is not event.question or event.choice not in asked.choices:
        text = f"answer {event.choice!s} to {event.question!s} was not asked for and is ignored"
        return state, (Note(Level.WARNING, 0, "answer_ignored", text),)
    if event.question is Question.CHECKLIST:
        state = state._replace(question=None)
        if event.choice is Choice.DECLINE:
            return end(state, Outcome.REFUSED, EXIT_STOPPED, "the checklist was not confirmed", event.now_ns)
        notes: tuple[Effect, ...] = (Note(Level.INFO, 0, "checklist", f"checklist confirmed by {event.by}"),)
        if not state.setup.pad_monitored:
            text = f"dispersive electrode not monitored by this generator; acknowledged by {event.by}"
            notes = (*notes, Note(Level.WARNING, 0, "pad_not_monitored", text))
        return state._replace(stage=Stage.TREATING, since_ns=event.now_ns), notes
    state = state._replace(answered=event)
    if event.choice is Choice.LEAVE_OUT and event.question is Question.POSITION:
        return leave_out(state, asked.channel, event)
    after, effects = _to_group(state, event) if event.question in GROUPED else _to_channel(state, asked.channel, event)
    if not effects:
        text = f"answer {event.choice!s} to {event.question!s} is not possible now and is ignored"
        return state, (Note(Level.WARNING, asked.channel, "answer_ignored", text),)
    return after, effects


def _to_channel(state: KernelState, number: int, event: Answered) -> Step:
    return _transit(state, number, answer(event.choice), event.now_ns, 0)


def _to_group(state: KernelState, event: Answered) -> Step:
    """One word arms, and one word starts, all channels that were gathered.

    They are armed by the next sample: the rows that refuse an arm are judged on it first, however quick the word was.
    """
    if event.choice is Choice.ARM:
        note = Note(Level.INFO, state.group[0], "arm", f"the word to arm was given by {event.by}")
        return state._replace(armed_by=event.by, question=None), (note,)
    given = state._replace(started=True) if event.choice is Choice.START else state
    effects: tuple[Effect, ...] = ()
    for number in state.group:
        given, more = _to_channel(given, number, event)
        effects = (*effects, *more)
    return given._replace(question=None), effects


def _completed(state: KernelState, event: Completed) -> Step:
    state = state._replace(supervision=supervision.cycled(state.supervision, event.now_ns))
    if event.command is Command.CLAIM:
        if state.stage is not Stage.CLAIMING:
            return state, ()
        items = state.setup.plan.checklist
        if not state.setup.pad_monitored:
            items = (*items, "dispersive electrode looked at: this generator does not monitor it")
        text = "Confirm the checklist: " + "; ".join(items)
        ask = Ask(0, Question.CHECKLIST, (Choice.CONFIRM, Choice.DECLINE), text)
        return state._replace(stage=Stage.CHECKLIST, since_ns=event.now_ns, question=ask), (ask,)
    if event.command is Command.RELEASE:
        return finish(state) if state.stage is Stage.RELEASING else (state, ())
    return _transit(state, event.channel, done(event.command), event.now_ns, event.value)


def _failed(state: KernelState, event: Failed) -> Step:
    state = state._replace(supervision=supervision.cycled(state.supervision, event.now_ns))
    if state.stage in CLOSED_STAGES:
        released = event.command is Command.RELEASE and state.stage is Stage.RELEASING
        return finish(state) if released else (state, ())
    repeated = event.command in {Command.RENEW, Command.SET_OUTPUT, Command.LOWER_LIMIT}  # by the next decision
    if repeated and event.cause in {Cause.TIMEOUT, Cause.BAD_REPLY, Cause.PREEMPTED}:
        if event.command is Command.LOWER_LIMIT:
            state = limit_again(state, event.channel)
        return state, (Note(Level.WARNING, event.channel, f"{event.command}_failed", event.text),)
    if event.cause is Cause.CLOSED:
        return _missed(state, Missed(event.now_ns, event.cause, event.text))
    patient = state.stage is Stage.CLAIMING and event.now_ns - state.started_ns < CLAIM_PATIENCE_NS
    if event.command is Command.CLAIM and event.cause is Cause.REFUSED and patient:
        note = Note(Level.WARNING, 0, "claim_refused", f"{event.text}; it is asked again")
        return state._replace(stage=Stage.STARTING, since_ns=event.now_ns), (note,)
    origin = Origin.PROCESS if event.cause is Cause.GATE else Origin.DEVICE
    text = f"{event.command!s} failed ({event.cause!s}): {event.text}"
    return trip(state, [event_trip("command_failed", "HZ-32", text, event.now_ns, origin)])


def _stopped(state: KernelState, event: Stopped) -> Step:
    if state.stage in CLOSED_STAGES:
        return state, (Off(f"stop by {event.by}"),)
    return end(state, Outcome.STOPPED, EXIT_STOPPED, f"stopped by {event.by}", event.now_ns)
