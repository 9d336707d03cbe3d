"""What of a world tells it apart from another one: the kernel's state made canonical.

Times become ages, and ages where they stand between deadlines: before, just before, at, after. Counters saturate.
Signals become the places of their values between the limits of rows. History becomes, for each row in force, in which
of the last samples its signal was beyond its limit. What only words are made of is left out: names, texts, what has
been warned of.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from rfctl.kernel.effects import Outcome
from rfctl.kernel.grouping import BASELINE
from rfctl.kernel.interlocks import has_output, limit_of
from rfctl.kernel.phase import CHECKING, ENERGISED, HEATING, INTENDED, LESION, OFF_VERIFYING, PERMITTED
from rfctl.kernel.row import Action, Side
from rfctl.kernel.state import Stage
from rfctl.safety.explore_moves import FAST_NS, MS, deadlines
from rfctl.safety.explore_world import BODY_C, SET_C

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from rfctl.kernel.row import Row
    from rfctl.kernel.state import ChannelState, CheckResult, KernelState, Reference, Sample, Setup
    from rfctl.safety.explore_world import World

CLOSED = frozenset({Stage.ENDING, Stage.RELEASING})
TEMPERATURES_C = (30.0, BODY_C - 1.0, BODY_C + 2.0, 40.0, 45.0, SET_C - 5.0, SET_C - 1.0, SET_C + 3.0)
IMPEDANCES_OHM = (50.0, 100.0, 700.0, 1000.0)
AT_REST_C = (30.0, 40.0, 45.0)
SHARES = (0.9, 1.1)
TARGETS = (0.1, 0.2)
AT_THE_END = ("off_not_verified", "off_uncertain", "link_silent", "stimulation_with_rf")
"""Codes of verdicts that are said once more after the end, unless they were."""


def place(value: float, limits: Sequence[float]) -> int:
    """Where a value is: between two limits, or on one; -1 for not-a-number."""
    if value != value:
        return -1
    at = bisect_left(limits, value)
    return 2 * at + (at < len(limits) and limits[at] == value)


def key(world: World) -> Hashable:
    """Equal for worlds that are explored as one."""
    kernel, now_ns = world.kernel, world.now_ns
    if kernel.stage is Stage.ENDED:
        return (kernel.stage, kernel.outcome, kernel.off_verified)
    reading = kernel.reading
    outputs = None if reading is None else tuple([has_output(channel) for channel in reading.channels])
    if kernel.stage in CLOSED:
        said = tuple([any(trip.code == code for trip in kernel.trips) for code in AT_THE_END])
        silent_ns = now_ns - max(kernel.received_ns, kernel.since_ns)
        again = now_ns - kernel.off_ns >= 2 * FAST_NS
        since = place(silent_ns, (250 * MS,)), kernel.received_ns > kernel.since_ns
        return (
            kernel.stage,
            kernel.outcome is Outcome.COMPLETE,
            any(said[:2]),
            said[2:],
            since,
            again,
            outputs,
            world.pending,
            _timed(world),
        )
    asked = kernel.question
    return (
        kernel.stage,
        _whole(world),
        None if asked is None else (asked.question, asked.channel, asked.choices),
        kernel.group,
        bool(kernel.armed_by),
        kernel.started,
        len(kernel.results),
        bool(kernel.trips),
        outputs,
        _timed(world),
        tuple([_channel(kernel, number, channel) for number, channel in enumerate(kernel.channels, start=1)]),
    )


def _whole(world: World) -> Hashable:
    """Of the generator as a whole: what rows compare that are in force now."""
    kernel, now_ns = world.kernel, world.now_ns
    phases = {channel.phase for channel in kernel.channels}
    heard = place(now_ns - kernel.received_ns, (200 * MS, 300 * MS, 2000 * MS) if phases & PERMITTED else (2000 * MS,))
    watched: Hashable = None
    if phases & ENERGISED:
        supervision = kernel.supervision
        ohm, least = supervision.pad_ohm, supervision.pad_min_ohm
        watched = (
            place(now_ns - kernel.counter_ns, (200 * MS, 300 * MS)),
            place(now_ns - supervision.pad_seen_ns, (200 * MS, 300 * MS)),
            len([at for at in supervision.refused_ns if now_ns - at <= 1000 * MS]) > 0,
            least == least and (place(ohm / least, (1.0, 1.2)), place(supervision.pad_last_ohm / least, (1.2,))),
        )
    loop = (kernel.loop.closed, kernel.loop.silent_ns > 0, bool(kernel.loop.waiting), world.closed)
    ports = tuple([(port.rf, port.stimulating, port.amplitude, port.durable) for port in world.ports])
    writing = tuple([any(port.intent == intent for port in world.ports) for intent in world.writing[:2]])
    return heard, watched, loop, world.owner, world.pending, ports, writing


def _timed(world: World) -> tuple[int, ...]:
    """Where now is between the deadlines that the state has, past ones counted."""
    now_ns = world.now_ns
    passed = just = at = 0
    for deadline_ns in deadlines(world):
        if deadline_ns < now_ns:
            passed += 1
        elif deadline_ns == now_ns:
            at += 1
        elif deadline_ns - now_ns < FAST_NS:
            just += 1
    return passed, just, at


def _channel(kernel: KernelState, number: int, channel: ChannelState) -> Hashable:
    phase = channel.phase
    newest = channel.history[-1] if channel.history else None
    lately = _beyond_lately(kernel.setup, channel, newest)
    if channel.site < 0:
        return phase, lately
    stimulation, thermal, figures = channel.stimulation, channel.thermal, channel.figures
    return (
        phase,
        channel.site,
        phase in INTENDED and channel.intent == kernel.intent,
        channel.token,
        channel.lesion,
        channel.probing,
        channel.probed,
        BASELINE in channel.warned,
        phase in OFF_VERIFYING and kernel.received_ns > channel.off_ns,
        channel.amplitude,
        (_result(channel.sensory), _result(channel.motor)) if phase in CHECKING else None,
        _reference(channel.reference),
        (stimulation.open_check, stimulation.confirmed, stimulation.present, stimulation.electrode_id),
        (stimulation.checked_ns > 0, stimulation.anaesthetic, bool(stimulation.void_code)),
        (thermal.biased, min(thermal.pauses, 2), thermal.lowered, thermal.limit_due, thermal.heated_ns >= 0),
        figures is not None and (figures.hold_ns > 0, figures.ended_early),
        min(channel.mean.samples, 2) and _mean(channel),
        None if newest is None else place(newest.temperature_c, TEMPERATURES_C if phase in HEATING else AT_REST_C),
        lately,
        _impedance_lately(channel) if phase in HEATING else None,
    )


def _result(result: CheckResult | None) -> Hashable:
    return result and (result.performed, result.amplitude and place(result.amplitude, TARGETS))


def _reference(reference: Reference | None) -> Hashable:
    if reference is None:
        return None
    share = reference.after_ohm / reference.impedance_ohm if reference.impedance_ohm else 0.0
    return place(share, SHARES) // 2


def _mean(channel: ChannelState) -> Hashable:
    mean = channel.mean
    ohm, celsius = mean.impedance_sum / mean.samples, mean.temperature_sum / mean.samples
    return place(ohm, IMPEDANCES_OHM), place(celsius, (15.0,))


def _beyond_lately(setup: Setup, channel: ChannelState, newest: Sample | None) -> Hashable:
    """For each row in force that looks back: the last two samples, or the newest one where it takes all of a time."""
    if newest is None:
        return None
    found: list[object] = []
    history = channel.history[-2:]
    for ready in setup.channel_rows[channel.phase]:
        row = ready.row
        window = row.window
        if not window.ns and window.of_last == 1:
            continue
        if row.action is Action.WARN or newest[ready.field] is None:
            found.append(None)
            continue
        limit = limit_of(row, setup, channel) if ready.limit is None else ready.limit
        looked_at = history if window.of_last > 1 else history[-1:]
        found.append(tuple([_beyond(sample[ready.field], limit, row) for sample in looked_at]))
    return tuple(found)


def _beyond(value: float | None, limit: float, row: Row) -> bool:
    if value is None:
        return False
    return not value <= limit if row.side is Side.ABOVE else not value >= limit


def _impedance_lately(channel: ChannelState) -> Hashable:
    """Whether the tissue's impedance was far from the newest one within the last second, on either side."""
    newest = channel.history[-1]
    now_ohm = newest.impedance_tissue_ohm
    lately = [s.impedance_tissue_ohm for s in channel.history if newest.now_ns - s.now_ns <= 1000 * MS and s.rf_on_s]
    return (
        any(ohm != ohm for ohm in lately),
        any(ohm > 1.25 * now_ohm for ohm in lately),
        any(ohm < 0.8 * now_ohm for ohm in lately),
        channel.phase in LESION and place(newest.rf_on_s, (0.5, 1.0)) // 2,
    )
