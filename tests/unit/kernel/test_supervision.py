"""Rows on the generator as a whole: the station's cycle, the link, the clocks, the record, the pads."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rfctl.kernel.effects import Level, Note, Off, Outcome, Renew
from rfctl.kernel.events import Choice, Command, Completed, Notice, Noticed, Question
from rfctl.kernel.interlocks import derive
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.kernel.row import Action
from rfctl.kernel.rows_supervision import GENERATOR
from rfctl.kernel.state import Stage
from rfctl.kernel.supervision import PadHeat
from rfctl.model.plan import FaultPolicy, Medium
from rfctl.model.reading import PadStatus
from tests.unit.kernel.bench import PERIOD_NS, Bench, at, batch, setup_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.proofs import Show

NAN = float("nan")
LIMITS = {row.code: row.offset for row in GENERATOR}
Drive = Callable[[Bench, float], None] if TYPE_CHECKING else object


def quiet(phase: Phase) -> Bench:
    bench = at(phase)
    bench.person = None
    bench.pending.clear()
    bench.sample()
    return bench


def notice(kind: Notice) -> Drive:
    def drive(bench: Bench, value: float) -> None:
        bench.feed(Noticed(bench.now_ns, kind, value))

    return drive


def gap(bench: Bench, seconds: float) -> None:
    """So long after the last cycle the next one comes."""
    bench.silence(seconds - PERIOD_NS / 1e9)
    bench.sample()


def refused(bench: Bench, count: float) -> None:
    """So many refused frames within a second, one after the other."""
    for _ in range(round(count)):
        bench.feed(Noticed(bench.now_ns, Notice.REFUSED_FRAMES, 1))
        bench.sample()


def clock(bench: Bench, pct: float) -> None:
    """The generator's clock runs so much too fast for 10 s."""
    began_ns, at_ms = bench.now_ns, bench.now_ns // 1_000_000
    bench.alter(0, uptime_ms=lambda _t, _: round(at_ms + (bench.now_ns - began_ns) * 1e-6 * (1.0 + pct / 100.0)))
    bench.state = bench.state._replace(supervision=bench.state.supervision._replace(marks=(), uptime_ms=None))
    bench.samples(201)


def pad_rise(bench: Bench, pct: float) -> None:
    bench.alter(0, pad_ohm=10.0 * (1.0 + pct / 100.0))
    bench.samples(2)


def pad_age(bench: Bench, seconds: float) -> None:
    bench.alter(0, pad_status=PadStatus.NOT_MONITORED)
    bench.samples(round(seconds / 0.05))


def pad_bad(bench: Bench, value: float) -> None:
    if value:
        bench.alter(0, pad_status=PadStatus.HIGH)
    bench.sample()


def pad_heating(bench: Bench, a2s: float) -> None:
    """So much is in the pad, and the current goes on."""
    more = (bench.reading().channels[0].current_ma_rms * 1e-3) ** 2 * 0.05
    heat = PadHeat(1, (a2s - more,), 0.0, bench.now_ns, a2s - more)
    bench.state = bench.state._replace(supervision=bench.state.supervision._replace(pads=(heat,)))
    bench.sample()


CASES: dict[str, tuple[Drive, float, float, Phase]] = {
    "suspended": (notice(Notice.SUSPENDED), 0.2, 0.201, Phase.ARM_READY),
    "cycle_overrun": (gap, 0.2, 0.201, Phase.HOLD),
    "cycle_overrun_warning": (gap, 0.1, 0.101, Phase.SENSORY),
    "refused_frames": (refused, 2, 3, Phase.IMPEDANCE),
    "record_backlog": (notice(Notice.RECORD_BACKLOG), 1.0, 1.001, Phase.IDLE),
    "lease_late_warning": (gap, 0.15, 0.151, Phase.HOLD),
    "clock_rate": (clock, 1.99, 2.01, Phase.ARM_READY),
    "pad_bad": (pad_bad, 0, 1, Phase.RAMP),
    "pad_silent": (pad_age, 0.3, 0.35, Phase.HOLD),
    "pad_rising": (pad_rise, 19.9, 20.1, Phase.SENSORY),
    "pad_heating": (pad_heating, 29.999, 30.001, Phase.HOLD),
    "pad_heating_warning": (pad_heating, 23.999, 24.001, Phase.HOLD),
}


def acted(bench: Bench, code: str) -> bool:
    return code in bench.codes or bool(bench.notes(code))


def only(bench: Bench, code: str) -> Bench:
    return bench.with_rows(tuple(row for row in ROWS if row.code == code))


def test_every_row_has_a_case() -> None:
    assert set(CASES) == set(LIMITS)


@pytest.mark.parametrize("code", CASES)
def test_a_value_at_the_limit_does_not_act_and_one_beyond_does(code: str, shows: Show) -> None:
    drive, below, above, phase = CASES[code]
    bench = only(quiet(phase), code)
    drive(bench, below)
    assert not acted(bench, code)
    bench = only(quiet(phase), code)
    drive(bench, above)
    assert acted(bench, code)
    shows(f"row.{code}", below=below, above=above)


@pytest.mark.parametrize("code", [row.code for row in GENERATOR if row.action is Action.TRIP])
def test_a_trip_is_off_in_the_same_step_with_the_numbers(code: str) -> None:
    drive, _, above, phase = CASES[code]
    bench = quiet(phase)
    drive(bench, above)
    trip = bench.state.trips[0]
    row = next(row for row in GENERATOR if row.code == code)
    assert (trip.code, trip.hazard, trip.channel, trip.limit) == (code, row.hazard, 0, row.offset)
    assert any(
        isinstance(d.effects[0], Off) for d in bench.decisions if d.effects and d.after.trips and not d.before.trips
    )
    if row.unit != "1":
        assert f"{trip.measured:.4g}" in trip.text
        assert f"{trip.limit:.4g}" in trip.text
    bench.finished()
    process = bench.finish[:2] == (Outcome.STOPPED, 3)
    assert process or bench.finish[:2] == (Outcome.FAILED, 4)


@pytest.mark.parametrize("code", CASES)
def test_without_the_row_it_does_not_act(code: str, shows: Show, request: pytest.FixtureRequest) -> None:
    drive, _, above, phase = CASES[code]
    bench = quiet(phase).with_rows(tuple(row for row in ROWS if row.code != code))
    drive(bench, above)
    assert not acted(bench, code)
    shows(f"row.{code}", kills=request.node.nodeid)


def test_a_warning_of_the_cycle_is_not_said_in_each_cycle_and_ends_nothing() -> None:
    bench = quiet(Phase.SENSORY)
    for _ in range(5):
        gap(bench, 0.12)
    (note,) = bench.notes("cycle_overrun_warning")
    assert (note.level, note.channel) == (Level.WARNING, 0)
    assert "0.12 s" in note.text
    assert isinstance(bench.decisions[-1].effects[-1], Renew)


def test_a_command_that_takes_long_is_no_overrun() -> None:
    bench = quiet(Phase.HOLD)
    bench.silence(0.15)
    bench.feed(Completed(bench.now_ns, Command.SET_AMPLITUDE, 2, 0))
    gap(bench, 0.1)
    assert not bench.notes("cycle_overrun_warning")
    assert bench.codes == []


def test_a_slow_cycle_is_borne_with_every_output_off() -> None:
    bench = quiet(Phase.ARM_READY)
    gap(bench, 0.5)
    assert bench.codes == []


def test_sleep_is_judged_before_any_other_event() -> None:
    bench = quiet(Phase.HOLD)
    effects = bench.feed(Noticed(bench.now_ns, Notice.SUSPENDED, 3600.0))
    assert isinstance(effects[0], Off)
    assert bench.codes == ["suspended"]


def test_refused_frames_further_apart_than_a_second_are_borne() -> None:
    bench = quiet(Phase.HOLD)
    for _ in range(10):
        bench.feed(Noticed(bench.now_ns, Notice.REFUSED_FRAMES, 1))
        bench.samples(11)
    assert bench.codes == []


def test_a_clock_that_counts_seconds_is_compared_over_a_hundred_of_them() -> None:
    bench = only(quiet(Phase.ARM_READY), "clock_rate")
    bench.state = bench.state._replace(supervision=bench.state.supervision._replace(marks=(), uptime_step_ms=0))
    bench.alter(0, uptime_ms=lambda t, _: 1000 * int(1.03 * t))
    bench.samples(20 * 95)
    assert bench.codes == []
    bench.samples(20 * 15)
    assert bench.codes == ["clock_rate"]


def test_a_clock_that_becomes_wrong_is_seen_within_a_window() -> None:
    bench = only(quiet(Phase.ARM_READY), "clock_rate")
    bench.samples(20 * 30)
    began_ns, at_ms = bench.now_ns, bench.now_ns // 1_000_000
    bench.alter(0, uptime_ms=lambda _t, _: round(at_ms + (bench.now_ns - began_ns) * 1.05e-6))
    bench.samples(20 * 6)
    assert bench.codes == ["clock_rate"], "at 5 % two fifths of the window are enough"


@pytest.mark.parametrize("uptime", [None, lambda _t, now: (int(str(now)) + (1 << 32) - 5000) % (1 << 32)])
def test_no_clock_and_one_that_wraps_are_not_wrong(uptime: object) -> None:
    bench = only(quiet(Phase.ARM_READY), "clock_rate")
    bench.alter(0, uptime_ms=uptime)
    bench.samples(20 * 25)
    assert bench.codes == []


# pads


def test_one_noisy_value_of_the_pad_is_no_rise() -> None:
    bench = quiet(Phase.HOLD)
    bench.samples(5)
    bench.alter(0, pad_ohm=15.0)
    bench.sample()
    bench.alter(0, pad_ohm=10.0)
    bench.samples(5)
    assert bench.codes == []


def test_a_pad_of_which_the_generator_knows_nothing_is_acknowledged_and_never_judged() -> None:
    bench = Bench(replace(setup_of(), pad_monitored=False))
    bench.alter(0, pad_status=PadStatus.NOT_MONITORED, pad_ohm=NAN)
    bench.reach_stage(Stage.CHECKLIST)
    assert bench.state.question is not None
    assert "does not monitor" in bench.state.question.text
    bench.answer(Question.CHECKLIST, Choice.CONFIRM)
    (note,) = bench.notes("pad_not_monitored")
    assert "acknowledged by tester" in note.text
    bench.finished()
    assert bench.finish[:2] == (Outcome.COMPLETE, 0)


def test_a_monitored_pad_is_not_asked_about() -> None:
    bench = Bench(setup_of()).reach_stage(Stage.CHECKLIST)
    assert bench.state.question is not None
    assert "does not monitor" not in bench.state.question.text


@pytest.mark.parametrize("medium", [Medium.TISSUE, Medium.LOAD])
def test_a_resistor_has_no_pad(medium: Medium) -> None:
    codes = {row.row.code for row in replace(setup_of(), medium=medium).generator_rows}
    assert ("pad_bad" in codes) == (medium is Medium.TISSUE)
    assert {"cycle_overrun", "suspended", "refused_frames", "record_backlog", "clock_rate"} <= codes


def test_currents_add_before_they_are_squared_and_a_minute_is_remembered() -> None:
    bench = Bench(batch())
    bench.reach(Phase.HOLD)
    bench.samples(20)
    two = sum(reading.current_ma_rms for reading in bench.reading().channels) * 1e-3
    before = bench.state.supervision.pads[0].total_a2s
    bench.sample()
    assert bench.state.supervision.pads[0].total_a2s - before == pytest.approx(two * two * 0.05)
    bench.stop()
    heat = bench.state.supervision.pads[0]
    for second in range(1, 63):
        heat = heat.warmed(0.0, 1.0, heat.since_ns + 1_000_000_000)
        assert (heat.total_a2s == 0.0) == (second > 60), second


def test_outputs_that_take_turns_add_their_squares() -> None:
    bench = Bench(replace(batch(), multiplexed=True))
    bench.reach(Phase.HOLD)
    bench.samples(20)
    squares = sum((reading.current_ma_rms * 1e-3) ** 2 for reading in bench.reading().channels)
    before = bench.state.supervision.pads[0].total_a2s
    bench.sample()
    assert bench.state.supervision.pads[0].total_a2s - before == pytest.approx(squares * 0.05)


def test_two_pads_are_warmed_each_by_its_own_channels() -> None:
    setup = batch()
    first, second = setup.plan.sites
    plan = replace(setup.plan, sites=(first, replace(second, pad=2)))
    bench = Bench(replace(setup, plan=plan)).reach(Phase.HOLD)
    pads = {heat.pad: heat.total_a2s for heat in bench.state.supervision.pads}
    assert set(pads) == {1, 2}
    assert pads[1] == pytest.approx(pads[2], rel=0.05)


def test_a_current_that_is_not_known_counts_as_what_the_envelope_allows() -> None:
    bench = only(quiet(Phase.HOLD), "pad_heating")
    bench.alter(1, current_ma_rms=NAN)
    before = bench.state.supervision.pads[0].total_a2s
    bench.sample()
    added = bench.state.supervision.pads[0].total_a2s - before
    assert math.isfinite(added)
    assert added > (bench.outputs[0].measure().current_ma_rms * 1e-3) ** 2 * 0.05


@pytest.mark.parametrize("code", ["pad_bad", "pad_rising", "pad_heating"])
def test_a_fault_of_the_pad_stops_all_whatever_the_plan_says(code: str) -> None:
    drive, _, above, _ = CASES[code]
    bench = Bench(batch(on_fault=FaultPolicy.DROP)).reach(Phase.HOLD)
    bench.person = None
    bench.pending.clear()
    drive(bench, above)
    assert bench.codes == [code]
    assert bench.state.stage is Stage.ENDING


def test_notes_of_the_generator_name_no_channel() -> None:
    bench = quiet(Phase.HOLD)
    pad_heating(bench, 25.0)
    assert [
        note.channel for note in bench.effects if isinstance(note, Note) and note.code == "pad_heating_warning"
    ] == [0]


def test_a_clock_that_is_only_said_again_with_its_sample_is_not_compared() -> None:
    bench = only(quiet(Phase.ARM_READY), "clock_rate")
    bench.samples(20 * 12)
    bench.frozen = True
    bench.alter(0, uptime_ms=bench.now_ns // 1_000_000)
    bench.samples(20 * 2)
    assert bench.codes == []


def test_what_an_idle_channel_is_spared_is_asked_for_by_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(setup_of())
    bench.reach(Phase.HOLD)
    idle = next(number for number, channel in enumerate(bench.state.channels, start=1) if channel.phase is Phase.IDLE)
    bench.sample()
    short = bench.state.channels[idle - 1].history[-1]
    monkeypatch.setattr("rfctl.kernel.interlocks._at_idle", lambda *_: pytest.fail("not spared"))
    monkeypatch.setattr("rfctl.kernel.interlocks.has_output", lambda _: True)
    state = bench.state
    assert state.reading is not None
    channel = state.channels[idle - 1]
    before = channel._replace(history=channel.history[:-1])
    state = state._replace(channels=tuple(before if each is channel else each for each in state.channels))
    full = derive(state, idle, before.mean, before.thermal, state.reading, short.now_ns)
    differing = {name for name, a, b in zip(full._fields, short, full, strict=True) if repr(a) != repr(b)}
    asked = {full._fields[row.field] for row in bench.setup.channel_rows[Phase.IDLE]}
    assert differing <= {"temperature_step_k"}
    assert asked
    assert not asked & differing
