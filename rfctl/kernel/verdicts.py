"""What follows from verdicts: warnings, a channel dropped, disarmed or void, or the end of the procedure, off first."""

from __future__ import annotations

from rfctl.errors import EXIT_DEVICE, EXIT_STOPPED
from rfctl.kernel import supervision
from rfctl.kernel.actions import off, pause, site_result, with_channel
from rfctl.kernel.checks import make_void
from rfctl.kernel.effects import Effect, Level, Note, Off, Outcome
from rfctl.kernel.events import Answered
from rfctl.kernel.guards import under_work
from rfctl.kernel.phase import ARMING, OVER, Phase
from rfctl.kernel.row import Action, Origin
from rfctl.kernel.state import KernelState, Mean, Stage, Trip
from rfctl.model.plan import FaultPolicy

CLOSED_STAGES = frozenset({Stage.ENDING, Stage.RELEASING, Stage.ENDED})

Step = tuple[KernelState, tuple[Effect, ...]]


def event_trip(code: str, hazard: str, text: str, now_ns: int, origin: Origin) -> Trip:
    """A verdict on something that happened, rather than on a measured value."""
    nan = float("nan")
    return Trip(code, hazard, 0, nan, nan, "1", now_ns, text, Action.TRIP, origin)


def take_verdicts(state: KernelState, verdicts: list[Trip]) -> Step:
    """Carry verdicts out, in their order; one that ends all ends it before the others are looked at."""
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
            state, more = trip(state, ending)
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


def leave_out(state: KernelState, number: int, event: Answered) -> Step:
    """The site is given up, as a fault of its channel would have it: dropped, or the end of all, by the plan."""
    void = state.channels[number - 1].stimulation
    text = f"{void.void_text}; left out by {event.by}"
    nan = float("nan")
    trip = Trip(void.void_code, "HZ-08", number, nan, nan, "1", event.now_ns, text, Action.REFUSE, Origin.PROCESS)
    return take_verdicts(state, [trip])


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


def trip(state: KernelState, verdicts: list[Trip]) -> Step:
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
    state, effects = end(state, outcome, exit_code, cause.text, cause.t_ns)
    return state, (*effects, *notes)


def end(state: KernelState, outcome: Outcome, exit_code: int, ending: str, now_ns: int) -> Step:
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
