"""What the kernel watches of the generator as a whole: the cycle, the link, the clocks, the record, the pads.

Signals of ``Quantity`` that are GENERATOR_WIDE are the fields of ``Whole``, by their names.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel.enable_loop import of_the_loop
from rfctl.kernel.events import Notice
from rfctl.kernel.expected import TISSUE_OHM_MIN
from rfctl.kernel.signals_thermal import start_limit_w
from rfctl.model.reading import PadStatus, Reading

if TYPE_CHECKING:
    from rfctl.kernel.events import Noticed
    from rfctl.kernel.state import ChannelState, KernelState, Setup

ONE_SECOND_NS = 1_000_000_000
PAD_WINDOW_S = 60
CLOCK_WINDOW_NS = 10 * ONE_SECOND_NS
CLOCK_RESOLUTIONS = 100
"""The clocks are compared over so many steps of the coarser one, at least."""
CLOCK_MARKS = 10
"""Instants of a window that are kept, so that a clock that becomes wrong is seen a tenth of a window late."""
UPTIME_WRAPS_MS = 1 << 32
HOT_TISSUE = 0.7
"""Of its impedance at 37 degC the tissue has this much left at the end of a lesion."""
FIT = (PadStatus.OK, PadStatus.NOT_MONITORED)
NO_GUARD = (None, None, None)
WARN_AGAIN_NS = 10 * ONE_SECOND_NS


class PadHeat(NamedTuple):
    """The heating of one dispersive electrode.

    Attributes:
        pad: Its number.
        seconds: A2s of each of the last 60 whole seconds.
        running: A2s since then.
        since_ns: Since when.
        total_a2s: Of both: over 60 s, and up to a second more.
    """

    pad: int
    seconds: tuple[float, ...] = ()
    running: float = 0.0
    since_ns: int = 0
    total_a2s: float = 0.0

    def warmed(self, square_a2: float, period_s: float, now_ns: int) -> PadHeat:
        """With so much squared current over the period that ends now."""
        more = square_a2 * period_s
        if now_ns - self.since_ns < ONE_SECOND_NS:
            if more == 0.0:
                return self
            return PadHeat(self.pad, self.seconds, self.running + more, self.since_ns, self.total_a2s + more)
        seconds = (*self.seconds[-PAD_WINDOW_S + 1 :], self.running + more)
        return PadHeat(self.pad, seconds, 0.0, now_ns, sum(seconds))


class Supervision(NamedTuple):
    """What is remembered from event to event.

    Attributes:
        cycle_ns: When the poll loop last showed that it goes on.
        cycle_gap_s: How long before that it had.
        suspended_s: How long the machine slept, where this event says so.
        record_backlog_s: How far the record was behind, where this event says so.
        refused_ns: When frames were refused in the last second.
        pad_seen_ns: When the generator last told the state of the dispersive electrode.
        pad_last_ohm: Its last value, ohm.
        pad_ohm: The lesser of the last two, ohm: one noisy value is no rise.
        pad_min_ohm: Least value of this procedure, ohm; not-a-number before the first.
        pads: Those that are being warmed.
        uptime_ms: The generator's clock at the last sample; None without one.
        uptime_step_ms: Least step of it that was seen: it resolves that much or less; 0 before the first.
        marks: (station's clock, generator's clock) by time, for a comparison.
        clock_error_pct: How much faster or slower the generator's clock runs, in the sample that compares them.
        warned: Codes that have been warned of, with the time.
    """

    cycle_ns: int = 0
    cycle_gap_s: float = 0.0
    suspended_s: float = 0.0
    record_backlog_s: float = 0.0
    refused_ns: tuple[int, ...] = ()
    pad_seen_ns: int = 0
    pad_last_ohm: float = math.nan
    pad_ohm: float = math.nan
    pad_min_ohm: float = math.nan
    pads: tuple[PadHeat, ...] = ()
    uptime_ms: int | None = None
    uptime_step_ms: int = 0
    marks: tuple[tuple[int, int], ...] = ()
    clock_error_pct: float | None = None
    warned: tuple[tuple[str, int], ...] = ()


class Whole(NamedTuple):
    """The signals of the generator as a whole, as the rows compare them. None: not applicable now."""

    sample_age_s: float
    counter_age_s: float
    cycle_gap_s: float
    suspended_s: float
    refused_frames: float
    record_backlog_s: float
    clock_error_pct: float | None
    pad_bad: float | None
    pad_age_s: float | None
    pad_rise_pct: float | None
    pad_heating_a2s: float
    guard_age_s: float | None
    loop_open: float | None
    loop_wait_s: float | None


def whole(state: KernelState, sample_age_s: float, now_ns: int) -> Whole:
    """The signals after the event of ``now_ns``."""
    s = state.supervision
    bad = age_s = rise_pct = None
    reading = state.reading
    if state.setup.pad_monitored and reading is not None:
        bad = 0.0 if reading.pad_status in FIT else 1.0
        age_s = (now_ns - s.pad_seen_ns) / 1e9
        if s.pad_min_ohm == s.pad_min_ohm:
            rise_pct = (s.pad_ohm / s.pad_min_ohm - 1.0) * 100.0
    return Whole(
        sample_age_s,
        (now_ns - state.counter_ns) / 1e9,
        s.cycle_gap_s,
        s.suspended_s,
        len(s.refused_ns),
        s.record_backlog_s,
        s.clock_error_pct,
        bad,
        age_s,
        rise_pct,
        max([pad.total_a2s for pad in s.pads]) if s.pads else 0.0,
        *(of_the_loop(state, now_ns) if state.setup.guarded else NO_GUARD),
    )


def cycled(s: Supervision, now_ns: int) -> Supervision:
    """The poll loop goes on: without a sample, with a command carried out or not."""
    gap_s, refused_ns = _cycle(s, now_ns)
    return s._replace(cycle_ns=now_ns, cycle_gap_s=gap_s, suspended_s=0.0, record_backlog_s=0.0, refused_ns=refused_ns)


def _cycle(s: Supervision, now_ns: int) -> tuple[float, tuple[int, ...]]:
    """How long it is since the loop last showed that it goes on, s, and when frames were refused in the last second."""
    gap_s = (now_ns - s.cycle_ns) / 1e9 if s.cycle_ns else 0.0
    return gap_s, _refused_lately(s, now_ns)


def _refused_lately(s: Supervision, now_ns: int) -> tuple[int, ...]:
    return tuple([at_ns for at_ns in s.refused_ns if now_ns - at_ns <= ONE_SECOND_NS])


def noticed(s: Supervision, event: Noticed) -> Supervision:
    """What the station has noticed outside the generator's answers."""
    s = s._replace(suspended_s=0.0, record_backlog_s=0.0)
    match event.notice:
        case Notice.SUSPENDED:
            return s._replace(suspended_s=event.value)
        case Notice.RECORD_BACKLOG:
            return s._replace(record_backlog_s=event.value)
        case Notice.REFUSED_FRAMES:
            now_ns = event.now_ns
            return s._replace(refused_ns=(*_refused_lately(s, now_ns), *(now_ns,) * round(event.value)))


def warned_lately(s: Supervision, code: str, now_ns: int) -> bool:
    """It was warned of this less than 10 s ago."""
    return any(code == warned and now_ns - at_ns < WARN_AGAIN_NS for warned, at_ns in s.warned)


def warned(s: Supervision, code: str, now_ns: int) -> Supervision:
    """It is warned of now."""
    return s._replace(warned=(*[each for each in s.warned if each[0] != code], (code, now_ns)))


def sampled(state: KernelState, reading: Reading, now_ns: int, period_s: float) -> Supervision:
    """After a reading: the cycle, the dispersive electrode, the clocks.

    Args:
        state: Before it.
        reading: What arrived.
        now_ns: When.
        period_s: Since the reading before, s.
    """
    s, before = state.supervision, state.reading
    gap_s, refused_ns = _cycle(s, now_ns)
    seen_ns, last_ohm, ohm, least = s.pad_seen_ns or now_ns, s.pad_last_ohm, s.pad_ohm, s.pad_min_ohm
    if reading.pad_status != PadStatus.NOT_MONITORED:
        seen_ns, last_ohm = now_ns, reading.pad_ohm
        ohm = min(last_ohm, s.pad_last_ohm) if s.pad_last_ohm == s.pad_last_ohm else last_ohm
        least = min(least, ohm) if least == least else ohm
    pads = _pads(state, reading, now_ns, period_s)
    if before is not None and reading.sample_counter == before.sample_counter:  # said again, its clock too
        clocks: Clocks = (s.uptime_ms, s.uptime_step_ms, s.marks, None)
    else:
        clocks = _clocks(s, reading.received_ns, reading.uptime_ms)
    # Made at once: in every sample _replace after _replace would take three times as long.
    return Supervision(now_ns, gap_s, 0.0, 0.0, refused_ns, seen_ns, last_ohm, ohm, least, pads, *clocks, s.warned)


def _pads(state: KernelState, reading: Reading, now_ns: int, period_s: float) -> tuple[PadHeat, ...]:
    """What each dispersive electrode was warmed by since the sample before, by the currents of now."""
    heated = state.supervision.pads
    setup = state.setup
    sums: dict[int, float] = {}
    for measured, channel in zip(reading.channels, state.channels, strict=False):
        if not measured.rf_on or channel.site < 0:
            continue
        current_a = measured.current_ma_rms * 1e-3
        if current_a != current_a:  # unknown: the most that it may have been
            current_a = envelope_current_a(setup, channel)
        pad = setup.plan.sites[channel.site].pad
        sums[pad] = sums.get(pad, 0.0) + (current_a * current_a if setup.multiplexed else current_a)
    if not sums and not heated:
        return heated
    known = {pad.pad: pad for pad in heated}
    for pad in sums:
        known.setdefault(pad, PadHeat(pad, since_ns=now_ns))
    return tuple(
        [
            heat.warmed(sums.get(pad, 0.0) if setup.multiplexed else sums.get(pad, 0.0) ** 2, period_s, now_ns)
            for pad, heat in known.items()
        ]
    )


Clocks = tuple[int | None, int, tuple[tuple[int, int], ...], float | None]
"""uptime_ms, uptime_step_ms, marks, clock_error_pct, as they stand one after the other in Supervision."""


def _clocks(s: Supervision, received_ns: int, uptime_ms: int | None) -> Clocks:
    """Compare the clocks about ten times a window, over a window."""
    if uptime_ms is None:
        return s.uptime_ms, s.uptime_step_ms, s.marks, s.clock_error_pct
    step_ms = s.uptime_step_ms
    if s.uptime_ms is not None:
        passed_ms = (uptime_ms - s.uptime_ms) % UPTIME_WRAPS_MS
        if passed_ms > UPTIME_WRAPS_MS // 2:  # it began anew, which other rows see
            return uptime_ms, step_ms, (), None
        if passed_ms:
            step_ms = min(step_ms or passed_ms, passed_ms)
    window_ns = max(CLOCK_WINDOW_NS, CLOCK_RESOLUTIONS * step_ms * 1_000_000)
    marks, error_pct = s.marks, None
    if not marks or received_ns - marks[-1][0] >= window_ns // CLOCK_MARKS:
        marks = (*marks, (received_ns, uptime_ms))
        first_ns, first_ms = marks[0]
        if received_ns - first_ns >= window_ns:
            theirs_ms = (uptime_ms - first_ms) % UPTIME_WRAPS_MS
            error_pct = abs(theirs_ms * 1e6 / (received_ns - first_ns) - 1.0) * 100.0
            marks = marks[1:]
    return uptime_ms, step_ms, marks, error_pct


def envelope_current_a(setup: Setup, channel: ChannelState) -> float:
    """What the power limit of the intent drives through the impedance at its least, A rms.

    A limit that was lowered near the set temperature does not count: the sample that lowers it was measured before, and
    the generator says itself, in the next, whether it has taken it.
    """
    reference = channel.reference
    if reference is None:
        return math.nan
    limit_w = channel.intended.envelope.power_w
    if not channel.probing:
        limit_w = start_limit_w(setup, setup.plan.sites[channel.site], channel)
    hot_ohm = reference.series_ohm + HOT_TISSUE * max(reference.after_ohm - reference.series_ohm, TISSUE_OHM_MIN)
    return math.sqrt(limit_w / hot_ohm)
