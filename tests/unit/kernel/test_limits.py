"""Every row of the interlock table: just below, just above, its window, not-a-number, what follows, that it counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from rfctl.kernel.actions import with_channel
from rfctl.kernel.effects import Effect, Level, Note, Off, Outcome
from rfctl.kernel.events import Cause, Missed, Sampled
from rfctl.kernel.interlocks import limit_of
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import ALL, ENERGISED, Phase
from rfctl.kernel.row import AT_ONCE, GENERATOR_WIDE, TWO_OF_THREE, Action, Basis, Origin, Quantity, Row, Side
from rfctl.kernel.rows_supervision import GENERATOR
from rfctl.kernel.state import Stage
from rfctl.model.capability import SetPoint
from rfctl.model.electrode import find_electrode
from rfctl.model.reading import Mode
from tests.unit.kernel import supervision_cases, thermal_cases
from tests.unit.kernel.bench import BODY_C, PERIOD_NS, REACHABLE, SERIES_OHM, TISSUE_OHM, Bench, at
from tests.unit.kernel.row_case import Case, Signal

if TYPE_CHECKING:
    from tests.proofs import Show

NAN = float("nan")
HOT_TISSUE_OHM = TISSUE_OHM * 0.71
POWER_CAP_W = 1.15 * find_electrode(18, 10).power_cap_w + 0.5
TOTAL_OHM = SERIES_OHM + TISSUE_OHM


def field(name: str) -> Signal:
    """The quantity is a field of the channel's reading."""

    def drive(bench: Bench, value: float) -> None:
        bench.alter(bench.active, **{name: value})

    return drive


def flag(**fields: object) -> Signal:
    """The quantity is 1 while the channel's reading has these fields."""

    def drive(bench: Bench, value: float) -> None:
        if value:
            bench.alter(bench.active, **fields)

    return drive


def lease(bench: Bench, value: float) -> None:
    if value:
        bench.alter(0, lease_remaining_ms=0)


def temperature_step(bench: Bench, step_k: float) -> None:
    start_c = bench.newest(bench.active).temperature_c
    bench.alter(bench.active, temperature_c=start_c + step_k)


def power(bench: Bench, power_w: float) -> None:
    current_ma = math.sqrt(power_w / HOT_TISSUE_OHM) * 1e3
    bench.alter(bench.active, current_ma_rms=current_ma, impedance_ohm=SERIES_OHM + HOT_TISSUE_OHM)


def slope(bench: Bench, pct_per_s: float) -> None:
    """Impedance of the tissue runs off exponentially: its slope is the same share of its mean at every moment."""
    rate = pct_per_s / 100.0
    # over 21 samples of one second the regression of exp(rate t) is this much steeper than rate, in shares of the mean
    steeper = 1.0 - rate * rate / 60.0

    start_ohm = bench.newest(bench.active).impedance_tissue_ohm

    def run_off(t: float, _now: object) -> float:
        return SERIES_OHM + start_ohm * math.exp(rate * steeper * t)

    bench.alter(bench.active, impedance_ohm=NAN if math.isnan(pct_per_s) else run_off)


def rise(bench: Bench, pct: float) -> None:
    """After a second in which the minimum is found, and slowly enough not to be a slope."""

    def climb(t: float, _now: object) -> float:
        return SERIES_OHM + HOT_TISSUE_OHM * (1.0 + min(0.1 * max(t - 1.0, 0.0), pct / 100.0))

    bench.alter(bench.active, impedance_ohm=NAN if math.isnan(pct) else climb)


def whole_phase_impedance(bench: Bench, ohm: float) -> None:
    bench.alter(bench.active, impedance_ohm=ohm)


def set_point(bench: Bench, pct: float) -> None:
    """The generator holds so much more than it was told."""

    def hold(_t: float, told: object) -> float:
        assert isinstance(told, float)
        return told + pct / 100.0 * max(told, 2.0)

    bench.alter(bench.active, set_point=hold)


def neighbour(bench: Bench, rise_k: float) -> None:
    """The other electrode warms while this channel is probed."""
    bench.alter(2, temperature_c=BODY_C + rise_k)


def nothing(_bench: Bench, _value: float) -> None:
    """Time passes."""


def below_start(bench: Bench, fall_k: float) -> None:
    bench.alter(bench.active, temperature_c=BODY_C - fall_k)


def warmer(bench: Bench, rise_k: float) -> None:
    bench.alter(bench.active, temperature_c=BODY_C + rise_k)


def long_ramp(bench: Bench, _value: float) -> None:
    """RF has been on for nearly as long as the set temperature may take, and the tip stays where it is."""
    channel = bench.channel
    if channel.figures is not None:
        bench.alter(bench.active, temperature_c=bench.newest(bench.active).temperature_c)
        on_ns = round(((80.0 - BODY_C) / 4.3 + 40.0 - 0.5) * 1e9)
        figures = channel.figures._replace(rf_on_ns=bench.now_ns - on_ns)
        bench.state = with_channel(bench.state, bench.active, channel._replace(figures=figures))


def energy(bench: Bench, _value: float) -> None:
    """A joule less than the limit has been delivered."""
    channel = bench.channel
    if channel.figures is not None:
        limit_j = limit_of(CHANNEL_ROWS["energy"], bench.setup, channel)
        figures = channel.figures._replace(energy_j=limit_j - 1.0)
        bench.state = with_channel(bench.state, bench.active, channel._replace(figures=figures))


def duration(bench: Bench, _value: float) -> None:
    """The planned duration is over in half a second; RF stays on."""
    channel = bench.channel
    if channel.figures is not None:
        duration_s = (bench.now_ns - channel.figures.rf_on_ns) / 1e9 + 0.5
        bench.state = with_channel(bench.state, bench.active, channel._replace(duration_s=duration_s))


def rate(bench: Bench, more_hz: float) -> None:
    bench.alter(bench.active, stimulation_rate_hz=bench.outputs[bench.active - 1].stimulation.rate_hz + more_hz)


def width(bench: Bench, more_us: float) -> None:
    bench.alter(bench.active, stimulation_width_us=1000 + more_us)


def excess(bench: Bench, pct: float) -> None:
    """Of at least 1 V, before anything was asked for."""
    bench.alter(bench.active, stimulation_amplitude=pct / 100.0)


def tissue_changes(bench: Bench, pct: float) -> None:
    bench.alter(bench.active, impedance_ohm=SERIES_OHM + TISSUE_OHM * (1.0 + pct / 100.0))


def share_of_reference(bench: Bench, pct: float) -> None:
    bench.alter(bench.active, impedance_ohm=TOTAL_OHM * pct / 100.0)


def share_of_tissue(bench: Bench, pct: float) -> None:
    bench.alter(bench.active, impedance_ohm=SERIES_OHM + TISSUE_OHM * pct / 100.0)


def old_result(bench: Bench, _value: float) -> None:
    """In half a second the result of the checks is 20 min old."""
    channel = bench.channel
    if channel.stimulation.checked_ns:
        checked_ns = bench.now_ns - round(1199.5 * 1e9)
        channel = channel._replace(stimulation=channel.stimulation._replace(checked_ns=checked_ns))
        bench.state = with_channel(bench.state, bench.active, channel)


CHECK = 130
"""Samples until an impedance check or the anaesthetic wait is certainly over."""

CASES: dict[str, Case] = {
    "lease_lost": Case(Phase.HOLD, Phase.ARM_READY, lease, 1, 0, 1),
    "uncommanded_rf": Case(Phase.IMPEDANCE, Phase.HOLD, flag(rf_on=True), 2, 0, 1),
    "off_not_verified": Case(Phase.LESION_OFF, Phase.HOLD, flag(rf_on=True), 1, None, 1),
    "thermocouple_open": Case(Phase.SENSORY, Phase.IDLE, flag(thermocouple_open=True), 1, 0, 1),
    "temperature_max": Case(Phase.RAMP, Phase.IDLE, field("temperature_c"), 1, 95.0, 95.01, nan=True),
    "temperature_implausible_low": Case(Phase.IMPEDANCE, Phase.IDLE, field("temperature_c"), 1, 0.0, -0.01, nan=True),
    "temperature_step": Case(Phase.IMPEDANCE, Phase.IDLE, temperature_step, 1, 15.0, 15.01),
    "over_set_fast": Case(Phase.HOLD, Phase.COOLING, field("temperature_c"), 2, 88.0, 88.01, nan=True),
    "over_set": Case(Phase.HOLD, Phase.COOLING, field("temperature_c"), 11, 85.0, 85.01, nan=True),
    "over_set_warning": Case(Phase.HOLD, Phase.COOLING, field("temperature_c"), 21, 83.0, 83.01, nan=True),
    "under_set": Case(Phase.HOLD, Phase.RAMP, field("temperature_c"), 11, 76.0, 75.99, nan=True),
    "impedance_high": Case(Phase.MOTOR, Phase.ARM_READY, field("impedance_ohm"), 2, 1200.0, 1200.1, nan=True),
    "impedance_low": Case(Phase.HOLD, Phase.ARM_READY, field("impedance_ohm"), 2, 30.0, 29.9, nan=True),
    "power_cap": Case(Phase.HOLD, Phase.IMPEDANCE, power, 2, POWER_CAP_W - 0.005, POWER_CAP_W + 0.005, nan=True),
    "impedance_start_high": Case(
        Phase.IMPEDANCE, Phase.ARM_READY, whole_phase_impedance, 1, 1000.0, 1000.1, CHECK, nan=True
    ),
    "impedance_start_low": Case(
        Phase.IMPEDANCE, Phase.ARM_READY, whole_phase_impedance, 1, 50.0, 49.9, CHECK, nan=True
    ),
    "impedance_start_low_warning": Case(
        Phase.IMPEDANCE, Phase.ANAESTHETIC_WAIT, whole_phase_impedance, 1, 100.0, 99.9, CHECK, nan=True
    ),
    "impedance_start_high_warning": Case(
        Phase.IMPEDANCE, Phase.ANAESTHETIC_WAIT, whole_phase_impedance, 1, 700.0, 700.1, CHECK, nan=True
    ),
    "impedance_rising": Case(Phase.HOLD, Phase.ARM_READY, slope, 5, 14.9, 15.1, 30, nan=True),
    "impedance_falling": Case(Phase.HOLD, Phase.ARM_READY, slope, 5, -14.9, -15.1, 30, nan=True),
    "impedance_over_minimum": Case(Phase.HOLD, Phase.COOLING, rise, 5, 19.9, 20.1, 90, nan=True),
    "impedance_over_minimum_warning": Case(Phase.HOLD, Phase.COOLING, rise, 5, 11.9, 12.1, 90, nan=True),
    "duration": Case(Phase.FIRING, Phase.ARMED, duration, 1, None, 1),
    "reversed": Case(Phase.RAMP, Phase.HOLD, below_start, 1, 0.999, 1.01, 60, nan=True),
    "rise_missing": Case(Phase.RAMP, Phase.HOLD, warmer, 1, 2.0, 1.99, 260, nan=True),
    "target_not_reached": Case(Phase.RAMP, Phase.HOLD, long_ramp, 1, None, 1),
    "energy": Case(Phase.HOLD, Phase.IMPEDANCE, energy, 1, None, 1),
    "probe_duration": Case(Phase.PROBE, Phase.RAMP, nothing, 1, None, 1, 230),
    "cable_swap": Case(Phase.PROBE, Phase.RAMP, neighbour, 1, 0.699, 0.701, nan=True),
    "generator_fault": Case(Phase.SENSORY_START, Phase.ARM_READY, field("fault_bits"), 1, 0, 1),
    "set_point_mismatch": Case(Phase.HOLD, Phase.COOLING, set_point, 2, 4.98, 5.02),
    "rf_stopped": Case(Phase.RAMP, Phase.COOLING, flag(rf_on=False), 2, 0, 1),
    "stimulation_with_rf": Case(Phase.IMPEDANCE, None, flag(stimulating=True, rf_on=True), 1, 0, 1),
    "uncommanded_stimulation": Case(Phase.IMPEDANCE, Phase.SENSORY, flag(stimulating=True), 2, 0, 1),
    "stimulation_mode": Case(Phase.SENSORY, Phase.ARM_READY, flag(mode=Mode.STIMULATION_CURRENT), 2, 0, 1),
    "stimulation_rate": Case(Phase.SENSORY, Phase.ARM_READY, rate, 2, 0.0999, 0.101),
    "stimulation_width": Case(Phase.MOTOR, Phase.ARM_READY, width, 2, 5.0, 5.01),
    "stimulation_amplitude": Case(Phase.SENSORY, Phase.ARM_READY, excess, 2, 14.99, 15.01, nan=True),
    "electrode_changed": Case(Phase.ARM_READY, Phase.COOLING, flag(electrode_id=7), 2, 0, 1),
    "electrode_changed_in_lesion": Case(Phase.HOLD, Phase.COOLING, flag(electrode_present=False), 2, 0, 1),
    "electrode_open": Case(Phase.ANAESTHETIC_WAIT, Phase.ANAESTHETIC, flag(impedance_ohm=NAN), 2, 0, 1),
    "impedance_rose_at_injection": Case(
        Phase.ANAESTHETIC_WAIT, Phase.ARM_READY, tissue_changes, 1, 19.99, 20.01, CHECK, nan=True
    ),
    "impedance_fell_at_injection": Case(
        Phase.ANAESTHETIC_WAIT, Phase.ARM_READY, tissue_changes, 1, -59.99, -60.01, CHECK, nan=True
    ),
    "impedance_above_reference": Case(
        Phase.ARM_READY, Phase.ANAESTHETIC_WAIT, share_of_reference, 2, 114.99, 115.01, nan=True
    ),
    "tissue_above_reference": Case(
        Phase.ARM_READY, Phase.ANAESTHETIC_WAIT, share_of_tissue, 2, 119.99, 120.01, nan=True
    ),
    "impedance_below_reference": Case(
        Phase.ARM_READY, Phase.ANAESTHETIC_WAIT, share_of_reference, 2, 85.01, 84.99, nan=True
    ),
    "stimulation_result_expired": Case(Phase.ARM_READY, Phase.COOLING, old_result, 1, None, 1),
    "stimulation_stopped": Case(Phase.MOTOR, Phase.ARM_READY, flag(stimulating=False), 2, 0, 1),
    **thermal_cases.CASES,
    **supervision_cases.CASES,
}
"""One case a row; the rows on the generator as a whole have tests of their own below."""

OVERTAKEN_BY = {"probe_duration": {"rise_missing"}, **thermal_cases.OVERTAKEN_BY, **supervision_cases.OVERTAKEN_BY}
"""Rows that with this electrode speak a little later than another one on the same signal."""

CHANNEL_ROWS = {row.code: row for row in ROWS if row.quantity not in GENERATOR_WIDE}
GENERATOR_ROWS = {row.code: row for row in ROWS if row.quantity in GENERATOR_WIDE}
OF_SAMPLES = {"sample_age", "link_silent", "counter_frozen"}


def acted(bench: Bench, code: str) -> bool:
    return code in bench.codes or bool(bench.notes(code))


def brought(code: str, phase: Phase) -> Bench:
    """A bench in this phase, of a station that sets outputs where the row is about them."""
    return at(phase, SetPoint.VOLTAGE if CHANNEL_ROWS[code].quantity is Quantity.SET_POINT_ERROR else None)


def alone(code: str, phase: Phase) -> Bench:
    """A bench in this phase where only this row judges, and nothing moves on by itself."""
    bench = left_alone(brought(code, phase).with_rows((CHANNEL_ROWS[code],)))
    channel = bench.channel
    if channel.phase is Phase.PROBE and channel.figures is not None:  # whatever the signal is, the tip is never warm
        channel = channel._replace(figures=channel.figures._replace(start_c=500.0))
        bench.state = with_channel(bench.state, bench.active, channel)
    return bench


def left_alone(bench: Bench) -> Bench:
    """Nobody answers, nothing is carried out, and a probe does not find its tip warm."""
    bench.person = None
    bench.pending.clear()
    if bench.channel.phase is Phase.PROBE:
        bench.alter(bench.active, temperature_c=BODY_C)
    return bench


def drive(bench: Bench, row: Row, case: Case, value: float) -> list[float]:
    """Apply the signal until the row acts or its samples are over; the values that the row saw, the newest last."""
    case.signal(bench, value)
    seen: list[float] = []
    for _ in range(case.run):
        bench.sample()
        measured = getattr(bench.newest(bench.active), row.quantity)
        if measured is not None:
            seen.append(measured)
        if acted(bench, row.code):
            break
    return seen


def beyond(value: float, limit: float, row: Row) -> bool:
    return math.isnan(value) or (value > limit if row.side is Side.ABOVE else value < limit)


def limit_before(bench: Bench, row: Row) -> float:
    """The row's limit in the state on which the last event was decided."""
    before = bench.decisions[-1].before
    return limit_of(row, before.setup, before.channels[0])


def test_every_row_has_a_case() -> None:
    assert set(CASES) == set(CHANNEL_ROWS)
    of_the_guard = {"guard_silent", "enable_loop_open", "enable_loop_late"}  # tried in test_enable_loop
    assert set(GENERATOR_ROWS) == OF_SAMPLES | {row.code for row in GENERATOR} | of_the_guard


def test_codes_are_unique_and_texts_give_the_numbers() -> None:
    assert len({row.code for row in ROWS}) == len(ROWS)
    for row in ROWS:
        if row.unit != "1":
            assert "{measured}" in row.text, row.code
            assert "{limit}" in row.text, row.code
        assert ("{channel}" in row.text) == (row.quantity not in GENERATOR_WIDE), row.code


@pytest.mark.parametrize("code", [code for code, case in CASES.items() if case.below is not None])
def test_a_value_just_on_the_quiet_side_does_not_act(code: str) -> None:
    row, case = CHANNEL_ROWS[code], CASES[code]
    assert case.below is not None
    bench = alone(code, case.phase)
    seen = drive(bench, row, case, case.below)
    limit = limit_before(bench, row) if bench.channel.site >= 0 else row.offset
    assert not acted(bench, code)
    assert not any(beyond(value, limit, row) for value in seen)
    nearest = max(seen) if row.side is Side.ABOVE else min(seen)
    assert nearest == pytest.approx(limit, rel=0.01, abs=0.01), "the case is not near its limit"


@pytest.mark.parametrize("code", CASES)
def test_a_value_just_beyond_acts_when_its_window_is_full_and_no_sample_earlier(code: str, shows: Show) -> None:
    row, case = CHANNEL_ROWS[code], CASES[code]
    bench = alone(code, case.phase)
    seen = drive(bench, row, case, case.above)
    assert acted(bench, code)
    limit = limit_before(bench, row)
    assert sum(beyond(value, limit, row) for value in seen) == case.beyond
    just_beyond = next(value for value in seen if beyond(value, limit, row))
    below, above = (limit, just_beyond) if case.below is None else (case.below, case.above)
    shows(f"row.{code}", below=below, above=above)
    if row.unit != "1":
        assert just_beyond == pytest.approx(limit, rel=0.03, abs=0.051), "the case is not near its limit"


@pytest.mark.parametrize("code", [code for code, case in CASES.items() if case.nan])
@pytest.mark.requirement("values.not-a-number")
def test_not_a_number_acts_like_a_value_beyond(code: str) -> None:
    row, case = CHANNEL_ROWS[code], CASES[code]
    bench = alone(code, case.phase)
    seen = drive(bench, row, case, NAN)
    assert acted(bench, code)
    assert sum(math.isnan(value) for value in seen) == case.beyond


IN_FORCE = [(code, phase) for code in CASES for phase in REACHABLE if phase in CHANNEL_ROWS[code].phases]


@pytest.mark.parametrize(("code", "phase"), IN_FORCE, ids=lambda part: getattr(part, "name", part))
def test_the_row_acts_in_each_of_its_phases(code: str, phase: Phase) -> None:
    bench = alone(code, phase)
    drive(bench, CHANNEL_ROWS[code], CASES[code], CASES[code].above)
    assert acted(bench, code)


@pytest.mark.parametrize("code", [code for code, case in CASES.items() if CHANNEL_ROWS[code].phases != ALL])
def test_the_row_is_not_in_force_in_another_phase(code: str) -> None:
    row, case = CHANNEL_ROWS[code], CASES[code]
    assert case.other is not None
    assert case.other not in row.phases
    bench = alone(code, case.other)
    case.signal(bench, case.above)
    for _ in range(case.run):
        if bench.channel.phase is not case.other:
            break
        bench.sample()
    assert not acted(bench, code)


SPARED = {Action.WARN, Action.VOID, Action.DISARM, Action.PAUSE}
ENDING = [code for code, row in CHANNEL_ROWS.items() if row.action not in SPARED]


@pytest.mark.parametrize("code", ENDING)
def test_a_verdict_gives_off_in_the_same_step_the_numbers_and_the_exit_code(code: str) -> None:
    row, case = CHANNEL_ROWS[code], CASES[code]
    earlier = OVERTAKEN_BY.get(code, set())
    bench = left_alone(brought(code, case.phase).with_rows(tuple(each for each in ROWS if each.code not in earlier)))
    seen = drive(bench, row, case, case.above)
    trip = bench.state.trips[0]
    effects = bench.decisions[-1].effects
    assert isinstance(effects[0], Off)
    assert (trip.code, trip.hazard, trip.channel, trip.unit) == (code, row.hazard, 1, row.unit)
    assert (trip.measured, trip.limit, trip.t_ns) == (seen[-1], limit_before(bench, row), bench.now_ns)
    if row.unit != "1":
        assert f"{trip.measured:.4g}" in trip.text
        assert f"{trip.limit:.4g}" in trip.text
    assert effects[0].reason == trip.text
    assert Note(Level.TRIP, 1, code, trip.text) in effects
    bench.finished()
    if row.action is Action.REFUSE:
        assert bench.finish[:2] == (Outcome.REFUSED, 3)
    elif row.origin is Origin.PROCESS:
        assert bench.finish[:2] == (Outcome.STOPPED, 3)
    else:
        assert bench.finish[:2] == (Outcome.FAILED, 4)


@pytest.mark.parametrize("code", CASES)
def test_without_the_row_the_same_signal_does_not_end_by_its_code(
    code: str, shows: Show, request: pytest.FixtureRequest
) -> None:
    row, case = CHANNEL_ROWS[code], CASES[code]
    bench = left_alone(brought(code, case.phase).with_rows(tuple(other for other in ROWS if other.code != code)))
    drive(bench, row, case, case.above)
    assert not acted(bench, code)
    shows(f"row.{code}", kills=request.node.nodeid)


@pytest.mark.parametrize("code", CASES)
def test_without_any_row_the_same_signal_ends_nothing(code: str) -> None:
    case = CASES[code]
    bench = left_alone(brought(code, case.phase).with_rows(()))
    drive(bench, CHANNEL_ROWS[code], case, case.above)
    assert bench.codes == []
    assert bench.state.stage is not Stage.ENDING


# warnings


@pytest.mark.parametrize("code", [code for code, row in CHANNEL_ROWS.items() if row.action is Action.WARN])
def test_a_warning_is_given_once_a_phase_and_ends_nothing(code: str) -> None:
    row, case = CHANNEL_ROWS[code], CASES[code]
    bench = alone(code, case.phase)
    seen = drive(bench, row, case, case.above)
    bench.samples(10)
    (note,) = bench.notes(code)
    assert (note.level, note.channel) == (Level.WARNING, 1)
    assert f"{seen[-1]:.4g}" in note.text
    assert not any(isinstance(effect, Off) for decision in bench.decisions[-11:] for effect in decision.effects)
    assert bench.channel.phase is not Phase.ENDED


def test_a_warning_is_given_again_in_the_next_phase() -> None:
    code = "impedance_over_minimum_warning"
    bench = alone(code, Phase.RAMP)
    bench.samples(20)
    bench.alter(1, impedance_ohm=lambda t, _: TOTAL_OHM + 60.0 * min(t, 1.0))
    bench.samples(60)
    assert len(bench.notes(code)) == 1
    bench.reach(Phase.HOLD)
    bench.samples(10)
    assert len(bench.notes(code)) == 2


# windows


TWO_OF_THREE_CODES = [code for code, row in CHANNEL_ROWS.items() if row.window == TWO_OF_THREE]


@pytest.mark.parametrize("code", TWO_OF_THREE_CODES)
@pytest.mark.parametrize(("pattern", "acts"), [("X-X", True), ("XX", True), ("X--X--X", False), ("X", False)])
def test_two_of_three_samples_act_and_one_of_three_does_not(code: str, pattern: str, *, acts: bool) -> None:
    case = CASES[code]
    quiet = alone(code, case.phase)
    driven = quiet.copy()
    case.signal(driven, case.above)
    for mark in pattern:
        reading = (driven if mark == "X" else quiet).reading()
        quiet.now_ns += PERIOD_NS
        quiet.feed(Sampled(quiet.now_ns, reading))
    assert acted(quiet, code) == acts


@pytest.mark.parametrize("code", ["over_set", "over_set_warning"])
def test_one_quiet_sample_starts_the_window_again(code: str) -> None:
    case = CASES[code]
    bench = alone(code, case.phase)
    bench.alter(1, temperature_c=case.above)
    bench.samples(case.beyond - 1)
    bench.alter(1, temperature_c=80.0)
    bench.sample()
    bench.alter(1, temperature_c=case.above)
    bench.samples(case.beyond - 1)
    assert not acted(bench, code)
    bench.sample()
    assert acted(bench, code)


def test_slow_samples_fill_the_longest_window_too() -> None:
    bench = alone("over_set_warning", Phase.HOLD)
    bench.alter(1, temperature_c=83.5)
    for _ in range(5):
        bench.silence(0.23)
        bench.sample()
    assert bench.notes("over_set_warning")


@pytest.mark.parametrize("whole", [{"owner": 0}, {"owner": 4712}, {"lease_remaining_ms": 0}], ids=str)
def test_a_lost_owner_and_an_expired_lease_are_each_a_lost_lease(whole: dict[str, int]) -> None:
    bench = at(Phase.SENSORY)
    bench.alter(0, **whole)
    bench.sample()
    assert bench.codes == ["lease_lost"]


@pytest.mark.parametrize(
    ("current_ma", "power_w", "acts"),
    [
        (20.1, 0.6, True),
        (20.0, 50.0, False),
        (500.0, 0.5, False),
        (NAN, 0.6, True),
        (20.1, NAN, True),
        (NAN, NAN, True),
    ],
)
def test_rf_is_seen_by_its_band_current_with_power_when_the_bit_is_silent(
    current_ma: float, power_w: float, *, acts: bool
) -> None:
    bench = at(Phase.ARM_READY)
    bench.person = None
    bench.alter(1, rf_band_current_ma_rms=current_ma, power_w=power_w)
    bench.samples(3)
    assert bench.codes == ["uncommanded_rf"] * acts


# unknown impedance


def test_an_open_electrode_in_hold_is_named_as_open_not_as_a_short_or_as_power() -> None:
    bench = at(Phase.HOLD)
    bench.alter(1, impedance_ohm=NAN)
    bench.samples(2)
    assert bench.codes == ["impedance_high"]


def test_an_open_electrode_at_the_end_of_the_anaesthetic_wait_is_refused() -> None:
    bench = at(Phase.ANAESTHETIC_WAIT).with_rows(tuple(row for row in ROWS if row.code != "electrode_open"))
    bench.alter(1, impedance_ohm=NAN)
    bench.samples(121)
    assert bench.codes == ["impedance_start_high"]
    assert bench.finished().finish[:2] == (Outcome.REFUSED, 3)


def test_an_impedance_that_is_first_fresh_at_the_end_of_the_check_is_judged() -> None:
    bench = at(Phase.IMPEDANCE)
    bench.alter(1, impedance_fresh=lambda t, _: t > 4.99, impedance_ohm=5000.0)
    bench.samples(101)
    assert bench.codes == ["impedance_start_high"]


@pytest.mark.parametrize("moment", range(1, 10))
def test_one_unknown_impedance_early_in_the_ramp_does_not_disable_the_rows_that_follow(moment: int) -> None:
    code = "impedance_over_minimum"
    bench = alone(code, Phase.RAMP)
    bench.samples(moment)
    bench.alter(1, impedance_ohm=NAN)
    bench.sample()
    bench.alter(1, impedance_ohm=TOTAL_OHM)
    bench.samples(30)
    assert not acted(bench, code)
    bench.alter(1, impedance_ohm=TOTAL_OHM + 0.25 * TISSUE_OHM)
    bench.samples(30)
    assert acted(bench, code)


def test_a_mean_of_zero_ohm_has_no_slope_and_acts() -> None:
    bench = alone("impedance_falling", Phase.RAMP)
    bench.alter(1, impedance_ohm=100.0)  # all of it in series: nothing is left for the tissue
    bench.samples(40)
    assert acted(bench, "impedance_falling")


WITHOUT_ENERGY = tuple(row for row in ROWS if row.code != "energy")
"""A short hold takes little, so that a ramp that lasts ends by its energy first."""


def test_a_set_temperature_that_is_not_reached_ends_40_s_after_the_ideal_ramp() -> None:
    bench = at(Phase.RAMP).with_rows(WITHOUT_ENERGY)
    bench.alter(1, temperature_c=lambda _t, now: min(float(str(now)), 70.0))
    bench.finished()
    assert bench.codes == ["target_not_reached"]
    assert bench.state.trips[0].measured == pytest.approx((80.0 - BODY_C) / 4.3 + 40.0, abs=0.051)


def test_without_that_row_it_ends_by_the_planned_duration() -> None:
    bench = at(Phase.RAMP).with_rows(tuple(row for row in WITHOUT_ENERGY if row.code != "target_not_reached"))
    bench.alter(1, temperature_c=lambda _t, now: min(float(str(now)), 70.0))
    planned_s = bench.channel.duration_s
    bench.finished()
    assert bench.codes == ["duration"]
    assert bench.state.trips[0].measured == pytest.approx(planned_s, abs=0.051)


# the rows on the generator as a whole


def test_rows_on_the_generator_are_what_their_judge_takes_them_for() -> None:
    for row in GENERATOR_ROWS.values():
        assert (row.basis, row.window) == (Basis.ABSOLUTE, AT_ONCE)
        assert row.action in {Action.TRIP, Action.WARN, Action.REFUSE}


def missed(bench: Bench) -> tuple[Effect, ...]:
    return bench.feed(Missed(bench.now_ns, Cause.TIMEOUT, "no reply"))


def just_sampled(phase: Phase) -> Bench:
    bench = at(phase)
    bench.person = None
    bench.pending.clear()
    bench.sample()
    return bench


OPEN_PHASES = tuple(phase for phase in REACHABLE if phase is not Phase.ENDED)


@pytest.mark.parametrize("phase", OPEN_PHASES, ids=lambda phase: phase.name)
def test_silence_is_borne_up_to_the_limit_and_not_a_nanosecond_longer(phase: Phase) -> None:
    bench = just_sampled(phase)
    bench = bench.with_rows(tuple(row for row in ROWS if row.code in OF_SAMPLES))
    code, limit_s = ("sample_age", 0.3) if bench.channel.phase in ENERGISED else ("link_silent", 2.0)
    bench.silence(limit_s)
    assert missed(bench) == ()
    bench.silence(1e-9)
    effects = missed(bench)
    assert isinstance(effects[0], Off)
    assert bench.codes[0] == code
    trip = bench.state.trips[0]
    assert (trip.limit, trip.unit, trip.channel, trip.hazard) == (limit_s, "s", 0, "HZ-17")
    assert trip.measured == pytest.approx(limit_s)
    assert f"limit {limit_s:g} s" in trip.text
    assert bench.finished().finish[:2] == (Outcome.FAILED, 4)


def test_a_sample_that_arrives_too_late_does_not_make_the_gap_good() -> None:
    bench = just_sampled(Phase.HOLD)
    bench.silence(0.3)
    assert isinstance(bench.sample()[0], Off)
    assert bench.codes == ["sample_age"]


def test_off_and_idle_outputs_bear_a_longer_silence() -> None:
    bench = just_sampled(Phase.ARM_READY)
    bench.silence(0.5)
    assert missed(bench) == ()


def test_a_frozen_counter_is_stale_data_however_fresh_the_reply() -> None:
    bench = just_sampled(Phase.HOLD)
    bench.frozen = True
    bench.samples(6)
    assert bench.codes == []
    assert isinstance(bench.sample()[0], Off)
    assert bench.codes == ["counter_frozen"]
    assert bench.state.trips[0].measured == pytest.approx(0.35)
    assert bench.finished().finish[:2] == (Outcome.FAILED, 4)


def test_a_frozen_counter_is_borne_with_every_output_off() -> None:
    bench = just_sampled(Phase.ARM_READY)
    bench.frozen = True
    bench.samples(20)
    assert bench.codes == []


@pytest.mark.parametrize("code", sorted(OF_SAMPLES))
def test_without_the_generators_row_nothing_ends_by_its_code(code: str) -> None:
    bench = just_sampled(Phase.HOLD).with_rows(tuple(row for row in ROWS if row.code != code))
    bench.frozen = True
    bench.samples(10)
    bench.silence(2.5)
    missed(bench)
    assert code not in bench.codes
