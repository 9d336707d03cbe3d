"""What is remembered and compared of the generator as a whole: pads, clocks, cycles, what was noticed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rfctl.kernel.events import Notice, Noticed
from rfctl.kernel.state import ChannelState, KernelState, Reference, Setup, initial
from rfctl.kernel.supervision import (
    PadHeat,
    Supervision,
    Whole,
    cycled,
    envelope_current_a,
    noticed,
    sampled,
    warned,
    warned_lately,
    whole,
)
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.reading import PadStatus, Reading
from tests.unit.kernel.bench import ELECTRODE, Bench, setup_of

S = 1_000_000_000
NAN = math.nan
SETUP = setup_of()
READING = Bench(SETUP).reading()


def state_of(
    s: Supervision | None = None, reading: Reading | None = READING, setup: Setup | None = None
) -> KernelState:
    return initial(setup or SETUP)._replace(supervision=s or Supervision(), reading=reading)


# pads


def test_a_pad_is_warmed_sample_by_sample_within_a_second() -> None:
    heat = PadHeat(1, (2.0,), 0.5, 10 * S, 2.5)
    assert heat.warmed(0.0, 0.05, 11 * S - 1) == heat
    for square_a2, running in ((3.0, 0.65), (2.0, 0.6), (0.08, 0.504)):
        after = heat.warmed(square_a2, 0.05, 11 * S - 1)
        assert after == PadHeat(1, (2.0,), pytest.approx(running), 10 * S, pytest.approx(2.0 + running))


def test_a_whole_second_is_put_with_those_before_and_the_next_one_begins() -> None:
    heat = PadHeat(1, (2.0,), 0.5, 10 * S, 2.5).warmed(3.0, 0.05, 11 * S)
    assert heat[:2] == (1, (2.0, pytest.approx(0.65)))
    assert heat[2:4] == (0.0, 11 * S)
    assert heat.total_a2s == pytest.approx(2.65)


def test_sixty_seconds_of_heating_are_remembered() -> None:
    heat = PadHeat(1, since_ns=5 * S)
    for second in range(1, 131):
        heat = heat.warmed(float(second), 1.0, (5 + second) * S)
        assert heat.seconds == tuple(range(max(second - 59, 1), second + 1))
        assert heat.total_a2s == sum(heat.seconds)


def heating(*currents_ma: float | None, multiplexed: bool = False, pads: tuple[int, ...] = (1, 1)) -> KernelState:
    """Channels that give these currents, None: no RF; each has its site, with its pad."""
    setup = setup_of()
    sites = tuple(replace(site, pad=pad) for site, pad in zip(setup.plan.sites, pads, strict=True))
    setup = replace(setup, plan=replace(setup.plan, sites=sites), multiplexed=multiplexed)
    measured = tuple(
        channel._replace(rf_on=ma is not None, current_ma_rms=777.0 if ma is None else ma)
        for channel, ma in zip(READING.channels, currents_ma, strict=True)
    )
    channels = tuple(ChannelState(site=index) for index in range(2))
    return initial(setup)._replace(channels=channels, reading=READING._replace(channels=measured))


def pads_of(state: KernelState, now_ns: int = 20 * S, period_s: float = 0.05) -> tuple[PadHeat, ...]:
    assert state.reading is not None
    return sampled(state, state.reading, now_ns, period_s).pads


@pytest.mark.parametrize(
    ("state", "a2s"),
    [
        (heating(300.0, 400.0), {1: 0.49}),
        (heating(300.0, 400.0, multiplexed=True), {1: 0.25}),
        (heating(300.0, 400.0, pads=(1, 2)), {1: 0.09, 2: 0.16}),
        (heating(300.0, 400.0, pads=(1, 2), multiplexed=True), {1: 0.09, 2: 0.16}),
        (heating(None, 400.0), {1: 0.16}),
        (heating(300.0, None, pads=(1, 2)), {1: 0.09}),
        (heating(None, None), {}),
    ],
)
def test_a_pad_is_warmed_by_the_currents_of_its_channels_that_have_rf(
    state: KernelState, a2s: dict[int, float]
) -> None:
    pads = pads_of(state)
    assert {heat.pad: heat.total_a2s for heat in pads} == {pad: pytest.approx(0.05 * a2) for pad, a2 in a2s.items()}
    assert {heat.since_ns for heat in pads} <= {20 * S}


def test_a_channel_without_a_site_warms_no_pad_and_the_last_site_s_is_not_taken_for_it() -> None:
    state = heating(300.0, 400.0, pads=(1, 2))
    idle = state._replace(channels=(state.channels[0], ChannelState(site=-1)))
    assert [heat.pad for heat in pads_of(idle)] == [1]
    idle = state._replace(channels=(ChannelState(site=-1), state.channels[1]))
    assert [heat.pad for heat in pads_of(idle)] == [2]


@pytest.mark.parametrize("multiplexed", [False, True])
@pytest.mark.parametrize("currents_ma", [(None, None), (300.0, None)])
def test_a_pad_that_gets_no_more_current_cools_beside_those_that_do(
    currents_ma: tuple[float | None, float | None], *, multiplexed: bool
) -> None:
    state = heating(*currents_ma, multiplexed=multiplexed)
    before = PadHeat(7, tuple(range(1, 61)), 0.25, 19 * S, 1830.25)
    state = state._replace(supervision=Supervision(pads=(before,)))
    after = pads_of(state)[0]
    assert after == PadHeat(7, (*range(2, 61), 0.25), 0.0, 20 * S, sum(range(2, 61)) + 0.25)


def test_an_unknown_current_is_the_most_that_the_envelope_drives() -> None:
    state = heating(NAN, None)
    channel = state.channels[0]._replace(reference=Reference(185.0, 37.0, 100.0, 185.0, 37.0))
    state = state._replace(channels=(channel, state.channels[1]))
    (heat,) = pads_of(state, period_s=1.0)
    assert heat.total_a2s == pytest.approx(envelope_current_a(state.setup, channel) ** 2)


def test_what_flows_beyond_the_channels_that_the_station_knows_warms_no_pad() -> None:
    state = heating(300.0, None)
    assert state.reading is not None
    more = state.reading._replace(channels=(*state.reading.channels, state.reading.channels[0]))
    assert pads_of(state._replace(reading=more))[0].total_a2s == pytest.approx(0.05 * 0.09)


@pytest.mark.parametrize(
    ("after_ohm", "series_ohm", "hot_ohm"), [(185.0, 100.0, 159.5), (110.0, 100.0, 110.5), (115.0, 100.0, 110.5)]
)
def test_the_envelope_s_current_is_what_its_power_drives_through_the_tissue_at_its_hottest(
    after_ohm: float, series_ohm: float, hot_ohm: float
) -> None:
    """Of the tissue 70 % are left, and at least 15 ohm are taken for it."""
    setup = setup_of()
    tissue_ohm = max(after_ohm - series_ohm, 15.0)
    limit_w = min(ELECTRODE.power_cap_w * after_ohm / tissue_ohm, 50.0)
    channel = ChannelState(
        site=0,
        reference=Reference(999.0, 37.0, series_ohm, after_ohm, 37.0),
        intended=Permit(1, PermitKind.LESION, Envelope(power_w=2.0), 0),
    )
    assert envelope_current_a(setup, channel) == pytest.approx(math.sqrt(limit_w / hot_ohm))
    probing = channel._replace(probing=True)
    assert envelope_current_a(setup, probing) == pytest.approx(math.sqrt(2.0 / hot_ohm))
    assert math.isnan(envelope_current_a(setup, channel._replace(reference=None)))


# the pad's monitor


def after(s: Supervision, now_ns: int = 20 * S, **fields: object) -> Supervision:
    return sampled(state_of(s), READING._replace(**fields), now_ns, 0.05)


def test_the_pad_s_resistance_is_the_lesser_of_the_last_two_and_its_least_is_kept() -> None:
    s, seen = Supervision(), []
    for ohm in (12.0, 15.0, 11.0, 10.0, 14.0, 13.0):
        s = after(s, pad_ohm=ohm)
        seen.append((s.pad_last_ohm, s.pad_ohm, s.pad_min_ohm))
    assert seen == [
        (12.0, 12.0, 12.0), (15.0, 12.0, 12.0), (11.0, 11.0, 11.0), (10.0, 10.0, 10.0), (14.0, 10.0, 10.0),
        (13.0, 13.0, 10.0),
    ]  # fmt: skip


@pytest.mark.parametrize("status", PadStatus)
def test_a_pad_is_seen_in_every_sample_that_says_something_of_it(status: PadStatus) -> None:
    before = Supervision(pad_seen_ns=3, pad_last_ohm=10.0, pad_ohm=10.0, pad_min_ohm=10.0)
    s = after(before, pad_status=status, pad_ohm=11.0)
    said = status is not PadStatus.NOT_MONITORED
    assert (s.pad_seen_ns, s.pad_last_ohm) == ((20 * S, 11.0) if said else (3, 10.0))
    first = after(Supervision(), pad_status=status, pad_ohm=11.0)
    assert first.pad_seen_ns == 20 * S, "its age counts from the first sample, whether it says something or not"
    assert math.isnan(first.pad_ohm) is not said


# the signals


def test_the_signals_are_what_is_remembered_with_ages_in_seconds() -> None:
    pads = tuple(PadHeat(number, total_a2s=a2s) for number, a2s in ((1, 1.0), (2, 3.0), (3, 2.0)))
    s = Supervision(
        0, 0.1, 0.2, 0.3, (1, 2, 3), 4 * S, 99.0, 12.0, 10.0, pads=pads, clock_error_pct=0.5,
    )  # fmt: skip
    state = state_of(s)._replace(counter_ns=5 * S)
    expected = Whole(0.05, 0.5, 0.1, 0.2, 3.0, 0.3, 0.5, 0.0, 1.5, 20.0, 3.0, None, None, None)
    assert whole(state, 0.05, 5_500_000_000) == pytest.approx(expected)
    guarded = state._replace(setup=replace(setup_of(), guarded=True))
    assert whole(guarded, 0.05, 5_500_000_000)[-3:] == (0.0, 1.0, 0.0)
    assert whole(state_of(Supervision()), 0.05, 5 * S).pad_heating_a2s == 0.0


@pytest.mark.parametrize(
    ("status", "bad"),
    [(PadStatus.OK, 0.0), (PadStatus.NOT_MONITORED, 0.0), (PadStatus.HIGH, 1.0), (PadStatus.OPEN, 1.0)],
)
def test_a_pad_that_is_high_or_open_is_bad(status: PadStatus, bad: float) -> None:
    assert whole(state_of(reading=READING._replace(pad_status=status)), 0.0, S).pad_bad == bad


@pytest.mark.parametrize(("monitored", "reading"), [(False, READING), (True, None), (False, None)])
def test_nothing_is_said_of_a_pad_that_nobody_monitors_or_before_the_first_reading(
    *, monitored: bool, reading: Reading | None
) -> None:
    state = state_of(Supervision(pad_ohm=12.0, pad_min_ohm=10.0), reading, replace(setup_of(), pad_monitored=monitored))
    signals = whole(state, 0.0, S)
    assert (signals.pad_bad, signals.pad_age_s, signals.pad_rise_pct) == (None, None, None)


def test_before_its_first_resistance_a_pad_has_not_risen() -> None:
    signals = whole(state_of(Supervision(pad_seen_ns=S)), 0.0, 2 * S)
    assert (signals.pad_bad, signals.pad_age_s, signals.pad_rise_pct) == (0.0, 1.0, None)


# cycles, and what was noticed


@pytest.mark.parametrize(("before_ns", "gap_s"), [(0, 0.0), (1, 9.999999999), (9 * S, 1.0)])
def test_a_cycle_is_as_long_as_the_time_since_the_one_before(before_ns: int, gap_s: float) -> None:
    before = Supervision(cycle_ns=before_ns, suspended_s=1.0, record_backlog_s=2.0)
    for s in (cycled(before, 10 * S), after(before, 10 * S)):
        assert (s.cycle_ns, s.cycle_gap_s) == (10 * S, pytest.approx(gap_s))
        assert (s.suspended_s, s.record_backlog_s) == (0.0, 0.0)


def test_refused_frames_of_the_last_second_count() -> None:
    before = Supervision(refused_ns=(9 * S - 1, 9 * S, 9 * S + 1))
    late = (9 * S, 9 * S + 1)
    assert cycled(before, 10 * S).refused_ns == late
    assert after(before, 10 * S).refused_ns == late
    assert noticed(before, Noticed(10 * S, Notice.REFUSED_FRAMES, 2.0)).refused_ns == (*late, 10 * S, 10 * S)


@pytest.mark.parametrize(
    ("notice", "suspended_s", "backlog_s"),
    [(Notice.SUSPENDED, 0.7, 0.0), (Notice.RECORD_BACKLOG, 0.0, 0.7), (Notice.REFUSED_FRAMES, 0.0, 0.0)],
)
def test_sleep_and_backlog_are_of_the_event_that_tells_of_them(
    notice: Notice, suspended_s: float, backlog_s: float
) -> None:
    s = noticed(Supervision(suspended_s=5.0, record_backlog_s=6.0), Noticed(S, notice, 0.7))
    assert (s.suspended_s, s.record_backlog_s) == (suspended_s, backlog_s)


def test_a_warning_is_repeated_after_10_s_each_code_by_itself() -> None:
    s = warned(warned(warned(Supervision(), "one", S), "other", 2 * S), "one", 3 * S)
    assert s.warned == (("other", 2 * S), ("one", 3 * S))
    assert warned_lately(s, "other", 12 * S - 1)
    assert not warned_lately(s, "other", 12 * S)
    assert warned_lately(s, "one", 13 * S - 1)
    assert not warned_lately(s, "one", 13 * S)
    assert not warned_lately(s, "third", 4 * S)


# clocks


def followed(times: list[tuple[int, int]], s: Supervision | None = None) -> list[Supervision]:
    """After each sample: (station's clock, ns; generator's clock, ms)."""
    every, s = [], s or Supervision()
    for received_ns, uptime_ms in times:
        s = sampled(
            state_of(s, None), READING._replace(received_ns=received_ns, uptime_ms=uptime_ms), received_ns, 0.05
        )
        every.append(s)
    return every


@pytest.mark.parametrize("start_ms", [0, 5, (1 << 32) - 4000])
@pytest.mark.parametrize("pct", [-3.0, 0.0, 3.0])
def test_the_clocks_are_compared_over_10_s_ten_times_a_window(pct: float, start_ms: int) -> None:
    per_s = round(1000 * (1 + pct / 100))
    times = [(S + n * S // 20, (start_ms + n * per_s // 20) % (1 << 32)) for n in range(20 * 13)]
    every = followed(times)
    compared = {n: s.clock_error_pct for n, s in enumerate(every) if s.clock_error_pct is not None}
    assert compared == {n: pytest.approx(abs(pct), abs=1e-9) for n in (200, 220, 240)}
    assert every[199].marks == tuple(times[n] for n in range(0, 200, 20))
    assert every[200].marks == tuple(times[n] for n in range(20, 201, 20))


def test_a_clock_of_whole_seconds_is_compared_over_a_hundred() -> None:
    times = [(7 * S + n * S // 2, n // 2 * 1000) for n in range(2 * 112)]
    every = followed(times)
    assert {s.uptime_step_ms for s in every[2:]} == {1000}
    assert [n for n, s in enumerate(every) if s.clock_error_pct is not None] == [200, 220]
    assert every[190].marks == (times[0], *(times[n] for n in range(20, 200, 20)))


def test_the_least_step_of_a_clock_is_how_it_resolves() -> None:
    every = followed([(S, 100), (2 * S, 100), (3 * S, 150), (4 * S, 190), (5 * S, 250), (6 * S, 290)])
    assert [s.uptime_step_ms for s in every] == [0, 0, 50, 40, 40, 40]


@pytest.mark.parametrize(("passed_ms", "anew"), [(1 << 31, False), ((1 << 31) + 1, True), ((1 << 32) - 1, True)])
def test_a_clock_that_goes_back_began_anew(passed_ms: int, *, anew: bool) -> None:
    before = Supervision(uptime_ms=5000, uptime_step_ms=50, marks=((S, 4900),), clock_error_pct=1.0)
    (s,) = followed([(2 * S, (5000 + passed_ms) % (1 << 32))], before)
    assert s.uptime_ms == (5000 + passed_ms) % (1 << 32)
    assert s.uptime_step_ms == 50
    assert s.clock_error_pct is None
    assert (s.marks == ()) is anew


def test_a_sample_that_is_said_again_or_has_no_clock_compares_nothing() -> None:
    before = followed([(S + n * S // 20, n * 51) for n in range(201)])[-1]
    assert before.clock_error_pct == pytest.approx(2.0)
    again = sampled(state_of(before), READING._replace(received_ns=12 * S, uptime_ms=1), 12 * S, 0.05)
    assert again[-5:-1] == (before.uptime_ms, before.uptime_step_ms, before.marks, None)
    next_one = READING._replace(received_ns=12 * S, uptime_ms=12 * 1020, sample_counter=READING.sample_counter + 1)
    assert sampled(state_of(before), next_one, 12 * S, 0.05).uptime_ms == 12 * 1020
    none = sampled(state_of(before, None), READING._replace(received_ns=12 * S, uptime_ms=None), 12 * S, 0.05)
    assert none[-5:-2] == before[-5:-2]
