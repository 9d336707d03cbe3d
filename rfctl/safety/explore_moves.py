"""What may happen next in the world that is explored: every event that the state can tell apart from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel.baseline import waits_for
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
    Notice,
    Noticed,
    Question,
    RecordFailed,
    Sampled,
    Stopped,
)
from rfctl.kernel.guards import PROBE_BASELINE_NS
from rfctl.kernel.interlocks import averaging_ends_ns
from rfctl.kernel.limits import ARM_TOKEN_NS
from rfctl.kernel.phase import BEFORE_RF, ENABLED, ENERGISED, HEATING, INTENDED, OFF_VERIFYING, PERMITTED, Phase
from rfctl.kernel.state import Stage
from rfctl.kernel.stimulation_guards import MOTOR_OBSERVE_NS
from rfctl.safety import explore_twists as twists
from rfctl.safety.explore_twists import Twist, Twists
from rfctl.safety.explore_world import reading, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.kernel.state import ChannelState, Setup
    from rfctl.safety.explore_world import Edge, World

MS = 1_000_000
FAST_NS = 100 * MS
"""From sample to sample while anything is on or about to be; the cycle may be so late without a word."""
SLOW_NS = 500 * MS
"""From sample to sample at rest."""
JUST_NS = 1
LONGEST_NS = 12_000 * MS
"""No wait is longer."""
STEP_NS = 200 * MS
CLOSED = frozenset({Stage.ENDING, Stage.RELEASING, Stage.ENDED})
REASON = "explored in full"
BY = "explorer"
AGES_NS = (150 * MS, 200 * MS, 300 * MS, 2000 * MS)
"""Ages of the last sample that rows tell apart."""
FAILURES = (Cause.TIMEOUT, Cause.REFUSED, Cause.GATE, Cause.CLOSED)
REPEATED = (Command.RENEW, Command.SET_OUTPUT, Command.LOWER_LIMIT)
"""Commands whose failure is borne until the next decision."""


class Move(NamedTuple):
    """One thing that may happen.

    Attributes:
        name: For people.
        event: The event; None for samples.
        twists: How each sample differs from the usual one.
        period_ns: From sample to sample.
        until_ns: Samples until then, the last one exactly then.
        once: It is long, and made only once from each phase.
        usual: It belongs to a procedure in which nothing goes wrong.
    """

    name: str
    event: Event | None = None
    twists: Twists = ()
    period_ns: int = FAST_NS
    until_ns: int = 0
    once: bool = False
    usual: bool = False


def play(world: World, move: Move) -> Iterator[Edge]:
    """The decisions of a move, one event; or samples, until something happens."""
    if move.event is not None:
        yield tell(world, move.event)
        return
    before = _place(world)
    while world.now_ns < move.until_ns:
        now_ns = min(world.now_ns + move.period_ns, move.until_ns)
        measured = twists.twisted(world.kernel, reading(world, now_ns), move.twists)
        edge = tell(world._replace(counter=measured.sample_counter), Sampled(now_ns, measured))
        yield edge
        world = edge.after
        if _place(world) != before:
            return


def _place(world: World) -> tuple[object, ...]:
    kernel = world.kernel
    return (kernel.stage, kernel.question, len(kernel.trips), world.pending, *[c.phase for c in kernel.channels])


def moves(world: World) -> Iterator[Move]:
    """Everything that may happen now."""
    kernel = world.kernel
    if kernel.stage is Stage.ENDED:
        return
    now_ns = world.now_ns
    yield Move("sample", until_ns=now_ns + FAST_NS, usual=True)
    yield from _waits(world)
    yield from _answers(world)
    yield from _commands(world)
    yield from _of_the_station(world)
    yield from _late(world)
    for number in range(1, kernel.setup.channels + 1):
        for each in _twists(world, number):
            yield Move("sample", twists=each, until_ns=now_ns + FAST_NS)
    for field, value in twists.WHOLE:
        yield Move("sample", twists=(Twist(0, field, value),), until_ns=now_ns + FAST_NS)
    yield from _bursts(world)


# time


def deadlines(world: World) -> set[int]:
    """Instants at which the kernel decides otherwise than before, as far as samples lead there."""
    kernel = world.kernel
    found: set[int] = set()
    for number, channel in enumerate(kernel.channels, start=1):
        found.update(_of_channel(kernel.setup, channel))
        if channel.phase is Phase.LESION_READY and waits_for(kernel, number, world.now_ns):
            found.add(channel.since_ns + 10_600 * MS)
        if channel.phase is Phase.ARM_READY and channel.probing:
            found.update(other.off_ns + PROBE_BASELINE_NS for other in kernel.channels if other is not channel)
        if channel.phase in INTENDED and kernel.setup.guarded and not world.closed:
            found.add(channel.since_ns + 1000 * MS)
    if kernel.stage is Stage.ENDING:
        found.update((kernel.since_ns + 250 * MS, kernel.since_ns + 5000 * MS))
    if kernel.stage is Stage.CLAIMING:
        found.add(kernel.started_ns + 2000 * MS)
    if kernel.loop.silent_ns:
        found.add(kernel.loop.silent_ns + 300 * MS)
    return found


def _of_channel(setup: Setup, channel: ChannelState) -> Iterator[int]:
    phase = channel.phase
    end_ns = averaging_ends_ns(setup, channel)
    if end_ns is not None:
        yield end_ns
    if phase in OFF_VERIFYING:
        yield channel.off_ns + 250 * MS
    elif phase is Phase.ARMED:
        yield channel.since_ns + ARM_TOKEN_NS
    elif phase in {Phase.SENSORY, Phase.MOTOR}:
        yield channel.stepped_ns + STEP_NS
        if phase is Phase.MOTOR:
            yield channel.stepped_ns + MOTOR_OBSERVE_NS
    elif channel.figures is not None and phase in HEATING:
        yield channel.figures.rf_on_ns + 1000 * MS
        if phase is Phase.HOLD:
            lesion = setup.plan.sites[channel.site].lesions[channel.lesion]
            yield channel.figures.hold_ns + round(lesion.hold_s * 1e9)
    if phase in BEFORE_RF and channel.stimulation.checked_ns:
        yield channel.stimulation.checked_ns + round(setup.plan.sites[channel.site].result_valid_s * 1e9)


def _waits(world: World) -> Iterator[Move]:
    """Samples until just before, at and just after each deadline to come."""
    phases = {channel.phase for channel in world.kernel.channels}
    period_ns = FAST_NS if phases & (ENERGISED | OFF_VERIFYING) or world.kernel.stage in CLOSED else SLOW_NS
    coming = sorted({at + by for at in deadlines(world) for by in (-JUST_NS, 0, JUST_NS)})
    for until_ns in coming:
        if world.now_ns < until_ns <= world.now_ns + LONGEST_NS:
            yield Move("wait", period_ns=period_ns, until_ns=until_ns, usual=True)


def _late(world: World) -> Iterator[Move]:
    """No sample, or a late one, at each age that rows tell apart, and just after it."""
    received_ns = world.kernel.received_ns
    yield Move("missed", Missed(world.now_ns + FAST_NS, Cause.TIMEOUT, "no answer"))
    yield Move("closed", Missed(world.now_ns + MS, Cause.CLOSED, "closed"))
    watched = any(channel.phase in PERMITTED for channel in world.kernel.channels) or world.kernel.stage in CLOSED
    for age_ns in AGES_NS if watched else AGES_NS[-1:]:
        for at_ns in (received_ns + age_ns, received_ns + age_ns + JUST_NS):
            if at_ns > world.now_ns:
                yield Move("missed", Missed(at_ns, Cause.TIMEOUT, "no answer"))
                yield Move("late sample", period_ns=at_ns - world.now_ns, until_ns=at_ns)


# signals


def _twists(world: World, number: int) -> list[Twists]:
    kernel = world.kernel
    channel = kernel.channels[number - 1]
    found = twists.of_phase(channel.phase, number)
    for ready in kernel.setup.channel_rows[channel.phase]:
        found += twists.of_row(kernel, number, ready.row)
    found += twists.in_pairs(kernel, number)
    return _distinct(found)


def _distinct(found: list[Twists]) -> list[Twists]:
    """Without repetitions; not-a-number is itself here."""
    known: dict[str, Twists] = {}
    for each in found:
        known.setdefault(repr([(c, f, v if not callable(v) else id(v)) for c, f, v in each]), each)
    return list(known.values())


def _bursts(world: World) -> Iterator[Move]:
    """Samples twisted alike for as long as a row in force looks back, or until the phase is over."""
    kernel, now_ns = world.kernel, world.now_ns
    for number, channel in enumerate(kernel.channels, start=1):
        end_ns = averaging_ends_ns(kernel.setup, channel)
        for ready in kernel.setup.channel_rows[channel.phase]:
            row = ready.row
            window = row.window
            until_ns = now_ns + window.ns + 2 * FAST_NS if window.ns else now_ns + window.needed * FAST_NS
            if row.quantity.value == "output_after_off_s":
                until_ns = channel.off_ns + 250 * MS
                if kernel.stage is Stage.ENDING and until_ns < now_ns:
                    until_ns = kernel.since_ns + 5000 * MS
            elif end_ns is not None and row.quantity.value in _MEANS:
                until_ns = end_ns
            if until_ns <= now_ns + FAST_NS:
                continue
            period_ns = SLOW_NS if until_ns == end_ns else FAST_NS
            for each in twists.of_row(kernel, number, row):
                yield Move("samples", twists=each, period_ns=period_ns, until_ns=until_ns)
                yield Move("samples", twists=each, period_ns=period_ns, until_ns=until_ns + JUST_NS)
    for field, value in twists.WHOLE:
        if field in {"sample_counter", "pad_status"}:
            for until_ns in (now_ns + 300 * MS, now_ns + 300 * MS + JUST_NS):
                yield Move("samples", twists=(Twist(0, field, value),), until_ns=until_ns)


_MEANS = frozenset({"impedance_mean_ohm", "temperature_at_rest_c", "from_cold_junction_k", "injection_change_pct"})


# people, the generator's answers, the station


def _answers(world: World) -> Iterator[Move]:
    asked, now_ns = world.kernel.question, world.now_ns
    if asked is not None:
        for choice in asked.choices:
            yield Move(f"{choice}", Answered(now_ns, asked.question, choice, BY), usual=True)
            if choice is Choice.OVERRIDE or (choice is Choice.CONFIRM and asked.question is Question.POSITION):
                yield Move(f"{choice}, why", Answered(now_ns, asked.question, choice, BY, REASON), usual=True)
                yield Move(
                    f"{choice}, why, who", Answered(now_ns, asked.question, choice, BY, REASON, "Dr. E"), usual=True
                )
    if asked is None or asked.question is not Question.START:
        yield Move("start, unasked", Answered(now_ns, Question.START, Choice.START, BY))


def _commands(world: World) -> Iterator[Move]:
    now_ns = world.now_ns
    if world.pending:
        command, channel, value = world.pending[0]
        yield Move(f"{command} done", Completed(now_ns, command, channel, value), usual=True)
        for cause in FAILURES:
            yield Move(f"{command} failed", Failed(now_ns, command, channel, cause, "it failed"))
    for intent in world.writing[:2]:
        yield Move("durable", Durable(now_ns, intent), usual=True)
    if world.kernel.intent > 1:
        yield Move("durable, of before", Durable(now_ns, world.kernel.intent - 1))
    for number, each in enumerate(world.kernel.channels, start=1):
        if each.phase in PERMITTED:
            for command in REPEATED if each.phase in HEATING else REPEATED[:1]:
                for cause in (Cause.TIMEOUT, Cause.REFUSED):
                    yield Move(f"{command} failed", Failed(now_ns, command, number, cause, "it failed"))


def _of_the_station(world: World) -> Iterator[Move]:
    kernel, now_ns = world.kernel, world.now_ns
    yield Move("stop", Stopped(now_ns, BY))
    yield Move("no record", RecordFailed(now_ns, "no room"))
    for notice, values in (
        (Notice.SUSPENDED, (0.2, 0.3)),
        (Notice.REFUSED_FRAMES, (2, 3)),
        (Notice.RECORD_BACKLOG, (1.0, 1.1)),
    ):
        for value in values:
            yield Move(f"{notice}", Noticed(now_ns, notice, value))
    if not kernel.setup.guarded:
        return
    if not world.closed and any(channel.phase in ENABLED for channel in kernel.channels):
        yield Move("loop closed", Guarded(now_ns, closed=True), usual=True)
    if world.closed:
        yield Move("loop open", Guarded(now_ns, closed=False))
        yield Move("guard silent", Guarded(now_ns, closed=True, silent_ns=now_ns))
    yield Move("guard lets go", Guarded(now_ns, closed=False, code="temperature_max", hazard="HZ-01", text="hot"))
    yield Move("stop at the guard", Guarded(now_ns, closed=False, code="stop", text="stop"))
