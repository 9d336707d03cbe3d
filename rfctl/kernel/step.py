"""The kernel's one function: step(state, event) -> (state, effects)."""

from __future__ import annotations

from rfctl.errors import EXIT_DEVICE, EXIT_STOPPED
from rfctl.kernel import supervision
from rfctl.kernel.actions import gather, off, pause, permit, set_outputs, site_result, with_channel
from rfctl.kernel.checks import make_void
from rfctl.kernel.effects import Ask, Claim, Effect, Finish, Level, Note, Off, Outcome, Release, Renew
from rfctl.kernel.enable_loop import Loop, must_wait
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
from rfctl.kernel.expected import drying_per_s
from rfctl.kernel.guards import lesion_of, site_of, under_work
from rfctl.kernel.interlocks import (
    WINDOW_MAX_NS,
    averaged,
    derive,
    has_output,
    judge_channel,
    judge_generator,
)
from rfctl.kernel.limits import REMOVE_BELOW_C
from rfctl.kernel.lowering import limit_again, lower_limits
from rfctl.kernel.phase import ARMING, LESION, OVER, PERMITTED, Phase
from rfctl.kernel.row import Action, Origin
from rfctl.kernel.signals_thermal import fluid_of, follow
from rfctl.kernel.state import ChannelState, Figures, KernelState, Mean, Sample, Stage, Trip
from rfctl.kernel.thermal import carried
from rfctl.kernel.transitions import DURABLE, SAMPLE, answer, done, find
from rfctl.model.plan import FaultPolicy, OrderOfWork
from rfctl.model.reading import Reading

WARM = frozenset({Phase.LESION_OFF, Phase.COOLING})
SAMPLE_S_AT_MOST = 0.075
"""A longer time between two samples means that one was missed."""
OFF_UNVERIFIED_NS = 250_000_000
OFF_AGAIN_NS = 200_000_000
CLAIM_PATIENCE_NS = 2_000_000_000
"""How long a claim is repeated: a station that was killed owns the generator until its lease, 1 s at most, runs out."""
GIVE_UP_NS = 5_000_000_000
"""How long off is commanded and looked for before a procedure ends with OFF NOT CONFIRMED."""
STOPPED_AT_THE_GUARD = "stop"
"""Its code for a person who stopped everything there."""
GROUPED = frozenset({Question.ARM, Question.START})
"""Questions that one word answers for all channels that heat together."""
CLOSED_STAGES = frozenset({Stage.ENDING, Stage.RELEASING, Stage.ENDED})

Step = tuple[KernelState, tuple[Effect, ...]]


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
            return _trip(state, [_event_trip("record_failed", "HZ-35", text, event.now_ns, Origin.DEVICE)])


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
    state, effects = _take_verdicts(state, verdicts)
    if state.stage in CLOSED_STAGES:
        state, more = _ending(state, now_ns)
        return state, (*effects, *more)
    if state.stage is Stage.STARTING:
        state, more = _starting(state, now_ns)
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
        figures = _add(figures, state, number, sample, measured.power_w)
    elif figures is not None and channel.phase in WARM:
        figures = _cooled(figures, sample, channel.history[-1].now_ns)
    return channel.observed((*history, sample), mean, figures, thermal)


def _add(figures: Figures, state: KernelState, number: int, sample: Sample, power_w: float) -> Figures:
    channel = state.channels[number - 1]
    dt_s = (sample.now_ns - figures.last_ns) / 1e9
    cap_w = site_of(state, number).electrode.power_cap_w
    temperature_c = sample.temperature_c
    half, least = sample.impedance_half_ohm, figures.impedance_min_ohm
    if least > 0.0 and (fluid := fluid_of(channel)) > 0.0:  # what the fluid gives back is no char
        least *= 1.0 + drying_per_s(fluid) * dt_s
    if half is not None and half > 0.0 and (least == 0.0 or half < least):
        least = half
    held_s, held_k_s, within_s = figures.held_s, figures.held_k_s, figures.within_2c_s
    if channel.phase is Phase.HOLD and temperature_c == temperature_c:
        held_s += dt_s
        held_k_s += temperature_c * dt_s
        if abs(temperature_c - lesion_of(state, number).set_temperature_c) <= 2.0:
            within_s += dt_s
    return figures._replace(
        peak_c=max(figures.peak_c, temperature_c),
        energy_j=figures.energy_j + _tissue_j(sample.power_tissue_w, cap_w, dt_s),
        generator_energy_j=figures.generator_energy_j + _known(power_w, channel.power_limit_w) * dt_s,
        held_s=held_s,
        held_k_s=held_k_s,
        within_2c_s=within_s,
        impedance_min_ohm=least,
        last_ns=sample.now_ns,
        above_45_k_s=figures.above_45_k_s + _above_45_k_s(temperature_c, dt_s),
    )


def _cooled(figures: Figures, sample: Sample, before_ns: int) -> Figures:
    """With the heat after RF off."""
    dt_s = (sample.now_ns - before_ns) / 1e9
    warmth = figures.above_45_k_s + _above_45_k_s(sample.temperature_c, dt_s)
    return figures._replace(above_45_k_s=warmth)


def _above_45_k_s(temperature_c: float, dt_s: float) -> float:
    return (temperature_c - REMOVE_BELOW_C) * dt_s if temperature_c > REMOVE_BELOW_C else 0.0


def _tissue_j(power_w: float, cap_w: float, dt_s: float) -> float:
    """Energy since the sample before; what a missed sample did not show counts at the electrode's cap."""
    missed_s = dt_s - SAMPLE_S_AT_MOST if dt_s > SAMPLE_S_AT_MOST else 0.0
    return _known(power_w, cap_w) * (dt_s - missed_s) + cap_w * missed_s


def _known(power_w: float, most_w: float) -> float:
    """The power, or the most that it may have been where there is no number."""
    return power_w if power_w == power_w else most_w


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
    return _take_verdicts(state, judge_generator(state, (event.now_ns - state.received_ns) / 1e9, event.now_ns))


def _missed(state: KernelState, event: Missed) -> Step:
    now_ns = event.now_ns
    state = state._replace(supervision=supervision.cycled(state.supervision, now_ns))
    if event.cause is Cause.CLOSED and state.stage not in CLOSED_STAGES:
        text = f"connection to the generator lost ({event.text}); its own lease must stop it"
        return _trip(state, [_event_trip("link_lost", "HZ-17", text, now_ns, Origin.DEVICE)])
    if state.stage in CLOSED_STAGES:
        return _ending(state, now_ns)
    return _take_verdicts(state, judge_generator(state, (now_ns - state.received_ns) / 1e9, now_ns))


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
        verdict = _event_trip(f"guard_{event.code}", event.hazard, text, event.now_ns, Origin.DEVICE)
        return _trip(state, [verdict])
    state, effects = _take_verdicts(
        state, judge_generator(state, (event.now_ns - state.received_ns) / 1e9, event.now_ns)
    )
    if event.closed and not effects:
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
        return _end(state, Outcome.COMPLETE, 0, "delivered as planned", now_ns)
    count = len({trip.channel for trip in dropped})
    of = f"{count} of {len(state.results)} sites" if len(state.results) > 1 else "the site"
    return _end(state, Outcome.STOPPED, EXIT_STOPPED, f"{of} dropped: {dropped[0].text}", now_ns)


# start and people


def _starting(state: KernelState, now_ns: int) -> Step:
    if state.reading is None or any(has_output(channel) for channel in state.reading.channels):
        return state, ()
    channels = tuple(channel._replace(phase=Phase.IDLE, since_ns=now_ns) for channel in state.channels)
    if not state.setup.plan.sites:  # nothing to do but to watch: the generator stays everybody's
        return state._replace(stage=Stage.STANDING_BY, since_ns=now_ns, channels=channels), ()
    state = state._replace(stage=Stage.CLAIMING, since_ns=now_ns, channels=channels)
    return state, (*_faults_left(state.reading), Claim(clear_faults=True))


def _faults_left(reading: Reading | None) -> tuple[Effect, ...]:
    """Faults of an earlier session are said before they are cleared; a fault whose cause is still there stays."""
    if reading is None:
        return ()
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
            return _end(state, Outcome.REFUSED, EXIT_STOPPED, "the checklist was not confirmed", event.now_ns)
        notes: tuple[Effect, ...] = (Note(Level.INFO, 0, "checklist", f"checklist confirmed by {event.by}"),)
        if not state.setup.pad_monitored:
            text = f"dispersive electrode not monitored by this generator; acknowledged by {event.by}"
            notes = (*notes, Note(Level.WARNING, 0, "pad_not_monitored", text))
        return state._replace(stage=Stage.TREATING, since_ns=event.now_ns), notes
    state = state._replace(answered=event)
    if event.choice is Choice.LEAVE_OUT and event.question is Question.POSITION:
        return _leave_out(state, asked.channel, event)
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
    return given._replace(question=None) if effects else given, effects


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
        return _finish(state) if state.stage is Stage.RELEASING else (state, ())
    return _transit(state, event.channel, done(event.command), event.now_ns, event.value)


def _failed(state: KernelState, event: Failed) -> Step:
    state = state._replace(supervision=supervision.cycled(state.supervision, event.now_ns))
    if state.stage in CLOSED_STAGES:
        released = event.command is Command.RELEASE and state.stage is Stage.RELEASING
        return _finish(state) if released else (state, ())
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
    return _trip(state, [_event_trip("command_failed", "HZ-32", text, event.now_ns, origin)])


def _stopped(state: KernelState, event: Stopped) -> Step:
    if state.stage in CLOSED_STAGES:
        return state, (Off(f"stop by {event.by}"),)
    return _end(state, Outcome.STOPPED, EXIT_STOPPED, f"stopped by {event.by}", event.now_ns)


# verdicts and the end


def _event_trip(code: str, hazard: str, text: str, now_ns: int, origin: Origin) -> Trip:
    """A verdict on something that happened, rather than on a measured value."""
    nan = float("nan")
    return Trip(code, hazard, 0, nan, nan, "1", now_ns, text, Action.TRIP, origin)


def _take_verdicts(state: KernelState, verdicts: list[Trip]) -> Step:
    if not verdicts:
        return state, ()
    effects: list[Effect] = []
    ending: list[Trip] = []
    for verdict in verdicts:
        if verdict.action is Action.VOID:
            state, more = _void(state, verdict)
            effects += more
        elif verdict.action is Action.PAUSE:
            state, off_effects = pause(state, verdict.channel, verdict.t_ns, 0)
            effects = [*off_effects, Note(Level.WARNING, verdict.channel, verdict.code, verdict.text), *effects]
        elif verdict.action is Action.WARN:
            effects.append(Note(Level.WARNING, verdict.channel, verdict.code, verdict.text))
            if not verdict.channel:
                state = state._replace(supervision=supervision.warned(state.supervision, verdict.code, verdict.t_ns))
                continue
            channel = state.channels[verdict.channel - 1]
            state = with_channel(state, verdict.channel, channel._replace(warned=channel.warned | {verdict.code}))
        elif verdict.action is Action.DISARM:
            state, more = _expire(state, verdict)
            effects += more
        else:
            ending.append(verdict)
    for verdict in ending:
        if not _may_drop(state, verdict):
            state, more = _trip(state, ending)
            return state, (*more, *effects)
    for verdict in ending:
        state, more = _drop(state, verdict)
        effects = [*more, *effects]
    return state, tuple(effects)


def _may_drop(state: KernelState, verdict: Trip) -> bool:
    """The plan lets the others go on, there are others, and the cause lies at this channel and not in the generator."""
    dropped = {n for n, channel in enumerate(state.channels, start=1) if channel.phase is Phase.DROP_OFF}
    others = set(under_work(state)) - dropped - {verdict.channel}
    return (
        state.setup.plan.on_fault is FaultPolicy.DROP
        and state.stage is Stage.TREATING
        and verdict.channel > 0
        and verdict.origin is Origin.PROCESS
        and not verdict.stops_all
        and state.channels[verdict.channel - 1].site >= 0
        and (bool(others) or len(state.results) + 1 < len(state.setup.plan.sites))
    )


def _drop(state: KernelState, verdict: Trip) -> Step:
    """The channel off at once and out of the procedure; the others go on.

    What had been armed together with it and has no RF yet is armed anew.
    """
    number, now_ns = verdict.channel, verdict.t_ns
    channel = state.channels[number - 1]
    if channel.phase in {Phase.DROP_OFF, *OVER}:
        return state, ()
    state, effects = _disarm_group(state, number, now_ns)
    result = site_result(channel, verdict.text)
    state = with_channel(state, number, channel._replace(phase=Phase.DROP_OFF, since_ns=now_ns, mean=Mean()))
    state, (turned_off,) = off(state, number, now_ns, 0)
    state = state._replace(
        trips=(*state.trips, verdict),
        results=(*state.results, result),
        group=tuple(n for n in state.group if n != number),
    )
    return state, (turned_off, Note(Level.TRIP, number, verdict.code, verdict.text), *effects)


def _disarm_group(state: KernelState, number: int, now_ns: int) -> Step:
    """The channel leaves its group: what waits with it for RF is armed anew, what it was asked is no question now."""
    effects: tuple[Effect, ...] = ()
    if number in state.group and state.channels[number - 1].phase in ARMING | {Phase.ARM_READY}:
        for other in state.group:
            if other != number and state.channels[other - 1].phase in ARMING | {Phase.ARM_READY}:
                state, more = _disarm(state, other, now_ns)
                effects = (*effects, *more)
        state = state._replace(question=None)
    if state.question is not None and state.question.channel == number:
        state = state._replace(question=None)
    return state, effects


def _void(state: KernelState, verdict: Trip) -> Step:
    """What the checks found no longer permits a lesion: off, and back to where a check is required."""
    number, now_ns = verdict.channel, verdict.t_ns
    state, effects = _disarm_group(state, number, now_ns)
    channel = state.channels[number - 1]
    channel = channel._replace(phase=Phase.VOID_OFF, since_ns=now_ns, mean=Mean(), warned=frozenset())
    state = state._replace(group=tuple(n for n in state.group if n != number))
    state, turned_off = make_void(
        with_channel(state, number, channel), number, now_ns, 0, code=verdict.code, text=verdict.text
    )
    notes = (
        Note(Level.WARNING, number, verdict.code, verdict.text),
        Note(Level.INFO, number, "phase", str(Phase.VOID_OFF)),
    )
    return state, (*turned_off, *effects, *notes)


def _leave_out(state: KernelState, number: int, event: Answered) -> Step:
    """The site is given up, as a fault of its channel would have it: dropped, or the end of all, by the plan."""
    void = state.channels[number - 1].stimulation
    text = f"{void.void_text}; left out by {event.by}"
    nan = float("nan")
    trip = Trip(void.void_code, "HZ-08", number, nan, nan, "1", event.now_ns, text, Action.REFUSE, Origin.PROCESS)
    return _take_verdicts(state, [trip])


def _expire(state: KernelState, verdict: Trip) -> Step:
    """The word to start did not come in time: off, and it is armed anew."""
    number = verdict.channel
    if state.question is not None and state.question.channel == number:
        state = state._replace(question=None)
    state, effects = _disarm(state, number, verdict.t_ns)
    state = with_channel(state, number, state.channels[number - 1]._replace(warned=frozenset(), mean=Mean()))
    expired = Note(Level.WARNING, number, verdict.code, verdict.text)
    return state, (Note(Level.INFO, number, "phase", str(Phase.DISARM_OFF)), *effects, expired)


def _disarm(state: KernelState, number: int, now_ns: int) -> Step:
    channel = state.channels[number - 1]
    state = with_channel(state, number, channel._replace(phase=Phase.DISARM_OFF, since_ns=now_ns))
    return off(state, number, now_ns, 0)


def _trip(state: KernelState, verdicts: list[Trip]) -> Step:
    """Off first; then the words. The first verdict of the procedure decides how it ends."""
    known = {(trip.code, trip.channel) for trip in state.trips}
    verdicts = [verdict for verdict in verdicts if (verdict.code, verdict.channel) not in known]
    if not verdicts:
        return state, ()
    cause = verdicts[0]
    notes = tuple(Note(Level.TRIP, verdict.channel, verdict.code, verdict.text) for verdict in verdicts)
    state = state._replace(trips=(*state.trips, *verdicts))
    if state.stage in CLOSED_STAGES:
        if state.outcome is Outcome.COMPLETE:
            state = state._replace(outcome=Outcome.FAILED, exit_code=EXIT_DEVICE, ending=cause.text)
        return state._replace(off_ns=cause.t_ns), (Off(cause.text), *notes)
    if cause.action is Action.REFUSE:
        outcome, exit_code = Outcome.REFUSED, EXIT_STOPPED
    elif cause.origin is Origin.PROCESS:
        outcome, exit_code = Outcome.STOPPED, EXIT_STOPPED
    else:
        outcome, exit_code = Outcome.FAILED, EXIT_DEVICE
    state, effects = _end(state, outcome, exit_code, cause.text, cause.t_ns)
    return state, (*effects, *notes)


def _end(state: KernelState, outcome: Outcome, exit_code: int, ending: str, now_ns: int) -> Step:
    """Everything off, whatever the reason; sites under way keep what they delivered."""
    unfinished = tuple(
        site_result(channel, ending)
        for channel in state.channels
        if channel.site >= 0 and channel.phase not in {Phase.DONE, Phase.DROPPED, Phase.DROP_OFF}
    )
    channels = tuple(
        channel._replace(phase=Phase.ENDED, since_ns=now_ns, site=-1, off_ns=now_ns, amplitude=0.0, token=0)
        for channel in state.channels
    )
    state = state._replace(
        stage=Stage.ENDING,
        since_ns=now_ns,
        off_ns=now_ns,
        channels=channels,
        results=(*state.results, *unfinished),
        question=None,
        loop=state.loop._replace(waiting=()),
        outcome=outcome,
        exit_code=exit_code,
        ending=ending,
    )
    return state, (Off(ending),)


def _ending(state: KernelState, now_ns: int) -> Step:
    """Off is done when the measured output says so; until then it is commanded again, and said."""
    reading = state.reading
    output = reading is not None and any(has_output(channel) for channel in reading.channels)
    if state.stage is Stage.RELEASING:
        if not output:
            return state, ()
        state = state._replace(stage=Stage.ENDING, since_ns=now_ns, off_ns=now_ns, off_verified=False)
        return state, (Off("an output came on again after off had been verified"),)
    if reading is not None and state.received_ns > state.since_ns and not output:
        if not state.setup.plan.sites:  # never owned
            return _finish(state._replace(since_ns=now_ns, off_verified=True))
        return state._replace(stage=Stage.RELEASING, since_ns=now_ns, off_verified=True), (Release(),)
    effects: tuple[Effect, ...] = ()
    if now_ns - max(state.since_ns, state.received_ns) > OFF_UNVERIFIED_NS:
        text = "OFF NOT CONFIRMED: no answer from the generator since off was sent; treat its outputs as on"
        if state.received_ns > state.since_ns:
            text = "OFF NOT CONFIRMED: an output was on after off was sent, and the generator has not answered since"
        state, effects = _trip(state, [_event_trip("off_uncertain", "HZ-16", text, now_ns, Origin.DEVICE)])
    if now_ns - state.since_ns > GIVE_UP_NS:
        state, more = _finish(state)
        return state, (*effects, *more)
    if now_ns - state.off_ns >= OFF_AGAIN_NS:
        state = state._replace(off_ns=now_ns)
        effects = (Off("off not verified yet"), *effects)
    return state, effects


def _finish(state: KernelState) -> Step:
    if not state.off_verified:
        text = f"{state.ending}. OFF NOT CONFIRMED: switch the generator off at its mains and check it"
        state = state._replace(outcome=Outcome.FAILED, exit_code=EXIT_DEVICE, ending=text)
    finish = Finish(state.outcome, state.exit_code, state.off_verified, state.ending)
    return state._replace(stage=Stage.ENDED), (finish,)
