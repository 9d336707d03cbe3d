"""The same exploration of the guard's own step: a station, a generator and a relay board that do anything at any time.

Invariants, by the numbers of the kernel's: I1 an order to close goes out only while proved, held and well; I2 what lets
go sends no more orders in the same decision; I3 letting go is for good; I5 after it the contact is seen open, or said
not to be; I6 what is not a number lets go; I8 before the proof nothing is closed for the station.
"""

from __future__ import annotations

from collections import deque
from math import nan
from typing import TYPE_CHECKING, NamedTuple

from rfctl.clock import NS_PER_MS
from rfctl.errors import LinkError
from rfctl.guard import limits
from rfctl.guard.sample import Sample, Seen
from rfctl.guard.state import Begin, Decoded, Gone, Heartbeat, Notice, Send, Setup, Stage, State, Stop, Wanted
from rfctl.guard.step import initial, step
from rfctl.link import relay_hold
from rfctl.link.relay import Contact, check_sum, read_contact
from rfctl.link.relay_proof import SETTLED_NS, Answered, Due, Unanswered

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from rfctl.guard.state import Effect, Event

SETUP = Setup(Contact(), tenths=3, reply_ns=25 * NS_PER_MS, hold_up_ns=75 * NS_PER_MS, channels=1)
REPLY_NS = 4 * NS_PER_MS
REST = Seen(37.0, rf_on=False, band_ma=0.0, power_w=0.0, stimulating=False)
SEEN = (
    REST,
    Seen(60.0, rf_on=True, band_ma=200.0, power_w=4.0, stimulating=False),
    REST._replace(band_ma=nan, power_w=nan),
    REST._replace(stimulating=True),
    REST._replace(temperature_c=95.0),
    REST._replace(temperature_c=95.1),
    REST._replace(temperature_c=nan),
)
BOARDS = ("sound", "welded", "stuck open", "mute", "second order ignored")
BEGIN_NS = 1_000_000_000
READ = read_contact(SETUP.contact)
NOT_ANSWERED = LinkError("no answer", where="relay", remedy="Look at the cable.")


class GuardWorld(NamedTuple):
    """Guard and relay board at one moment.

    Attributes:
        state: The guard's.
        now_ns: Its clock.
        frame: The request on its way to the board, empty for none.
        closed_until_ns: Of the contact, by the last order that the board took.
        board: What the board is like.
    """

    state: State
    now_ns: int
    frame: bytes = b""
    closed_until_ns: int = 0
    board: str = "sound"


class GuardEdge(NamedTuple):
    """One decision of the guard."""

    before: GuardWorld
    event: Event
    effects: tuple[Effect, ...]
    after: GuardWorld


def tell(world: GuardWorld, event: Event) -> GuardEdge:
    """One decision; a frame that is sent is on its way."""
    state, effects = step(world.state, event)
    frame = b"" if isinstance(event, (Answered, Unanswered)) else world.frame
    for effect in effects:
        if isinstance(effect, Send):
            frame = effect.frame
    return GuardEdge(world, event, effects, world._replace(state=state, now_ns=event.at_ns, frame=frame))


def _reply(world: GuardWorld, at_ns: int) -> tuple[GuardWorld, Event]:
    """The board takes the request and answers as it is."""
    if world.board == "mute":
        return world, Unanswered(at_ns, NOT_ANSWERED)
    sent_ns = at_ns - REPLY_NS
    is_closed = sent_ns < world.closed_until_ns or world.board == "welded"
    if world.frame != READ:
        if not is_closed or world.board != "second order ignored":
            world = world._replace(closed_until_ns=sent_ns + SETUP.tenths * 100 * NS_PER_MS)
        return world, Answered(at_ns, world.frame)
    return world, _read(at_ns, closed=is_closed and world.board != "stuck open")


def _read(at_ns: int, *, closed: bool) -> Answered:
    body = bytes((SETUP.contact.unit, 2, 1, closed))
    return Answered(at_ns, body + check_sum(body).to_bytes(2, "little"))


def prove(board: str) -> Iterator[GuardEdge]:
    """The proof of the relay on this board, from the first event."""
    edge = tell(GuardWorld(initial(SETUP), BEGIN_NS, board=board), Begin(BEGIN_NS))
    yield edge
    while edge.after.state.proof is not None:
        world = edge.after
        if world.frame:
            world, event = _reply(world, world.now_ns + REPLY_NS)
        else:
            event = Due(max(world.now_ns, world.state.proof.wake_ns if world.state.proof else 0))
        edge = tell(world, event)
        yield edge


# what may happen


def moves(world: GuardWorld) -> Iterator[tuple[GuardWorld, Event]]:
    """Every event that the state can tell apart, at each instant that its deadlines do."""
    state = world.state
    for at_ns in _instants(world):
        for seen in SEEN:
            for counter in (state.counter + 1, state.counter):
                yield world, Decoded(at_ns, Sample(counter, (seen,)))
        for wanted in Wanted:
            for enable in (True, False):
                yield world, Heartbeat(at_ns, at_ns, state.cycle + 1, state.digest + 1, (wanted,), enable)
        yield world, Heartbeat(at_ns, at_ns, state.cycle, state.digest + 1, state.wanted, enable=True)
        yield world, Heartbeat(at_ns, at_ns, state.cycle + 1, state.digest, state.wanted, enable=True)
        for sent_ns in (at_ns - limits.UNDERWAY_NS, at_ns - limits.UNDERWAY_NS - 1, at_ns + 1):
            yield world, Heartbeat(at_ns, sent_ns, state.cycle + 1, state.digest + 1, state.wanted, enable=True)
        if world.frame:
            yield _reply(world, max(at_ns, world.now_ns + REPLY_NS))
            yield world, Unanswered(at_ns, NOT_ANSWERED)
            if world.frame == READ:
                yield world, _read(at_ns, closed=True)
                yield world, _read(at_ns, closed=False)
        else:
            yield world, Due(at_ns)
    yield world, Stop(world.now_ns, "explorer")
    yield world, Gone(world.now_ns)
    yield world, Begin(world.now_ns)
    yield world, Decoded(world.now_ns, Sample(state.counter + 1, ()))


def _deadlines(state: State) -> list[int]:
    found = [
        state.heard_ns + limits.STATION_AGE_NS,
        state.decided_ns + limits.STATION_AGE_NS,
        state.decoded_ns + limits.FRESH_NS,
        state.decoded_ns + limits.SAMPLE_AGE_NS,
        state.counted_ns + limits.COUNTER_AGE_NS,
        *[output.rf_ns for output in state.outputs],
        *[output.stimulation_ns for output in state.outputs],
    ]
    hold = state.hold
    if hold is not None:
        found += [
            hold.kept_ns + hold.plan.keeps_ns,
            hold.looked_ns + relay_hold.LOOK_EVERY_NS,
            max(hold.flashed_ns + hold.plan.opens_ns, hold.let_go_ns) + SETTLED_NS,
            state.wake_ns,
        ]
    return found


def _instants(world: GuardWorld) -> list[int]:
    now_ns = world.now_ns
    coming = {now_ns + 50 * NS_PER_MS}
    for deadline_ns in _deadlines(world.state):
        if now_ns <= deadline_ns <= now_ns + 600 * NS_PER_MS:
            coming.update((deadline_ns, deadline_ns + 1))
    return sorted(coming)


def key(world: GuardWorld) -> Hashable:
    """Equal for worlds that are explored as one: times only as they stand between deadlines."""
    state, now_ns, hold = world.state, world.now_ns, world.state.hold
    held: Hashable = None
    if hold is not None:
        held = (
            hold.stage,
            hold.fault.code if hold.fault else None,
            hold.beat_ns is not None and now_ns - hold.beat_ns <= hold.plan.reply_ns,
            hold.seen_ns > 0,
            min(hold.unanswered, 2),
            hold.contradictions,
            hold.flashed_ns == hold.sent_ns,
        )
    ages = tuple([now_ns > deadline_ns for deadline_ns in _deadlines(state)])
    seen = tuple([(output.rf_seen, output.stimulation_seen) for output in state.outputs])
    cause = state.cause.code if state.cause else None
    asked = (bool(world.frame), world.frame == READ)
    return state.stage, cause is None, state.wanted, seen, held, ages, asked, now_ns < world.closed_until_ns


# what must hold


def broken(edge: GuardEdge) -> Iterator[str]:
    """What this decision breaks, in words that begin with the invariant's number."""
    before, after, event = edge.before.state, edge.after.state, edge.event
    orders = [e for e in edge.effects if isinstance(e, Send) and e.frame != READ]
    at_ns = edge.after.now_ns
    if orders and before.stage is not Stage.PROVING:
        if after.stage is not Stage.HOLDING:
            yield f"I1: an order to close in stage {after.stage}"
        if at_ns - min(after.heard_ns, after.decided_ns) > limits.STATION_AGE_NS:
            yield "I1: an order to close while the station is silent"
        if at_ns - after.decoded_ns > limits.SAMPLE_AGE_NS or at_ns - after.counted_ns > limits.COUNTER_AGE_NS:
            yield "I1: an order to close on an old sample"
    if after.cause is not None and before.cause is None and orders:
        yield "I2: it lets go, and orders to close"
    if before.stage is Stage.LATCHED and after.stage is not Stage.LATCHED:
        yield f"I3: out of {before.stage} into {after.stage}"
    if before.cause is not None and (after.cause != before.cause or orders):
        yield "I3: it closes, or forgets its cause, after it let go for good"
    hold = after.hold
    if hold is not None and after.stage is Stage.LATCHED and hold.stage is relay_hold.Stage.LETTING_GO:
        late_ns = max(hold.flashed_ns + hold.plan.opens_ns, hold.let_go_ns) + SETTLED_NS
        if isinstance(event, (Due, Answered, Unanswered)) and not hold.frame and at_ns > late_ns:
            yield "I5: it let go, the contact was not seen open, and nothing is said"
    if isinstance(event, Decoded) and event.sample.channels:
        seen, wanted = event.sample.channels[0], before.wanted[0]
        if seen.temperature_c != seen.temperature_c and wanted is not Wanted.NOTHING and after.cause is None:
            yield "I6: it holds on by a temperature that is not a number"
    if before.stage is Stage.NEW and orders:
        yield "I8: an order to close before the proof began"


GOALS = (
    *[f"guard stage: {stage}" for stage in Stage if stage is not Stage.NEW],
    *[f"guard limit: {limit.code}" for limit in limits.LIMITS],
    *[f"guard relay: {code}" for code in ("welded", "stuck_open", "no_answer", "opened", "lapsed")],
    "guard: the contact held, let go and held again",
)
_NAMES = {
    **{limit.code: f"guard limit: {limit.code}" for limit in limits.LIMITS},
    **{code: f"guard relay: {code}" for code in ("welded", "stuck_open", "no_answer", "opened", "lapsed")},
}


class GuardExplored(NamedTuple):
    """What was found of the guard."""

    states: int
    edges: int
    whole: bool
    violations: list[tuple[str, tuple[Event, ...]]]
    reached: dict[str, bool]


def explore_guard(edges: int) -> GuardExplored:
    """Breadth-first from the proof on each kind of board."""
    reached = dict.fromkeys(GOALS, False)
    violations: list[tuple[str, tuple[Event, ...]]] = []
    came: list[tuple[int, tuple[Event, ...]]] = []
    to_do: deque[tuple[int, GuardWorld]] = deque()
    known: set[Hashable] = set()
    count = 0

    def check(at: int, edge: GuardEdge, before: tuple[Event, ...]) -> None:
        nonlocal count
        count += 1
        _see(edge, reached)
        for what in broken(edge):
            path: list[Event] = [*before, edge.event]
            while at >= 0:
                at, events = came[at]
                path = [*events, *path]
            violations.append((what, tuple(path)))

    for board in BOARDS:
        told: list[Event] = []
        world = None
        for edge in prove(board):
            check(-1, edge, tuple(told))
            told.append(edge.event)
            world = edge.after
        if world is not None:
            came.append((-1, tuple(told)))
            known.add(key(world))
            to_do.append((len(came) - 1, world))
    while to_do and count < edges:
        at, world = to_do.popleft()
        for told_to, event in moves(world):
            edge = tell(told_to, event)
            check(at, edge, ())
            is_key = key(edge.after)
            if is_key not in known:
                known.add(is_key)
                came.append((at, (event,)))
                to_do.append((len(came) - 1, edge.after))
    return GuardExplored(len(known), count, not to_do, violations[:5], reached)


def _see(edge: GuardEdge, reached: dict[str, bool]) -> None:
    before, after = edge.before.state, edge.after.state
    if after.stage is not before.stage:
        reached[f"guard stage: {after.stage}"] = True
        if before.stage is Stage.OPENING and after.stage is Stage.READY:
            reached["guard: the contact held, let go and held again"] = True
    for effect in edge.effects:
        if isinstance(effect, Notice) and effect.code in _NAMES:
            reached[_NAMES[effect.code]] = True
