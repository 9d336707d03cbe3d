"""How rows judge: windows, sides, the order of verdicts, what is said once, and what a limit is relative to."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rfctl.kernel.expected import hold_power_w
from rfctl.kernel.interlocks import judge_channel, judge_generator, limit_of, verdict
from rfctl.kernel.phase import Phase
from rfctl.kernel.row import AT_ONCE, TWO_OF_THREE, Action, Basis, Origin, Quantity, Row, Side, Window, sustained
from rfctl.kernel.state import Reference, Trip
from rfctl.kernel.supervision import Supervision, envelope_current_a
from rfctl.kernel.thermal import Thermal
from tests.unit.kernel.bench import BODY_C, ELECTRODE
from tests.unit.kernel.derived import before, made
from tests.unit.kernel.turned import FIGURES, NOW, Change, S, one, two, whole

NAN = math.nan
HALF_SECOND = sustained(500)
WARM = Row(
    *("warm", "HZ-01", frozenset({Phase.IMPEDANCE}), Quantity.TEMPERATURE, Side.ABOVE, Basis.ABSOLUTE, 0, 50.0),
    *(AT_ONCE, Action.TRIP, Origin.PROCESS, "Cel", "channel {channel}: {measured} over {limit} in {window}", "-"),
)
COLD = WARM._replace(code="cold", side=Side.BELOW, offset=20.0)
STEPPED = WARM._replace(code="stepped", quantity=Quantity.TEMPERATURE_STEP, offset=5.0)


def rows(*table: Row) -> Change:
    return lambda state: state._replace(setup=replace(state.setup, rows=table))


def codes(*changes: Change) -> list[str]:
    return [trip.code for trip in judge_channel(made(*changes), 1)]


def temperatures(*samples: tuple[int, float]) -> Change:
    return before(*((ms, {"temperature_c": celsius}) for ms, celsius in samples))


# windows


def test_a_sustained_window_is_said_in_milliseconds() -> None:
    assert sustained(200) == Window(200_000_000)


@pytest.mark.parametrize(
    ("window", "samples", "acts"),
    [
        (AT_ONCE, [(50, 9.0), (0, 51.0)], True),
        (AT_ONCE, [(50, 51.0), (0, 50.0)], False),
        (TWO_OF_THREE, [(50, 51.0), (0, 51.0)], True),
        (TWO_OF_THREE, [(100, 51.0), (50, 9.0), (0, 51.0)], True),
        (TWO_OF_THREE, [(150, 51.0), (100, 9.0), (50, 9.0), (0, 51.0)], False),
        (TWO_OF_THREE, [(100, 9.0), (50, 50.0), (0, 51.0)], False),
        (TWO_OF_THREE, [(0, 51.0)], False),
        (TWO_OF_THREE, [(100, 51.0), (50, 51.0), (0, 50.0)], False),
        (TWO_OF_THREE, [(50, NAN), (0, NAN)], True),
        (HALF_SECOND, [(500, 51.0), (250, 51.0), (0, 51.0)], True),
        (HALF_SECOND, [(700, 51.0), (0, 51.0)], True),
        (HALF_SECOND, [(600, 9.0), (500, 51.0), (0, 51.0)], True),
        (HALF_SECOND, [(499, 51.0), (250, 51.0), (0, 51.0)], False),
        (HALF_SECOND, [(500, 51.0), (250, 50.0), (0, 51.0)], False),
        (HALF_SECOND, [(700, 51.0), (500, 50.0), (0, 51.0)], False),
        (HALF_SECOND, [(500, NAN), (250, NAN), (0, NAN)], True),
        (HALF_SECOND, [(0, 51.0)], False),
    ],
)
def test_a_row_acts_when_its_window_is_full(window: Window, samples: list[tuple[int, float]], acts: bool) -> None:
    above, below = rows(WARM._replace(window=window)), rows(COLD._replace(window=window))
    assert codes(above, temperatures(*samples)) == ["warm"] * acts
    mirrored = [(ms, 70.0 - celsius) for ms, celsius in samples]
    assert codes(below, temperatures(*mirrored)) == ["cold"] * acts


@pytest.mark.parametrize("window", [TWO_OF_THREE, HALF_SECOND])
@pytest.mark.parametrize(
    ("steps", "acts"), [((9.0, 9.0, 9.0), True), ((9.0, None, None, 9.0), False), ((9.0, 9.0, None), False)]
)
def test_what_was_not_applicable_was_not_beyond(window: Window, steps: tuple[float | None, ...], acts: bool) -> None:
    samples = [(250 * (len(steps) - 1 - at), {"temperature_step_k": step}) for at, step in enumerate(steps)]
    assert codes(rows(STEPPED._replace(window=window)), before(*samples)) == ["stepped"] * acts


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (AT_ONCE, "one sample"),
        (TWO_OF_THREE, "2 of 3 samples"),
        (Window(0, 2, 2), "2 of 2 samples"),
        (HALF_SECOND, "0.5 s"),
    ],
)
def test_a_verdict_says_value_limit_and_window(window: Window, words: str) -> None:
    row = WARM._replace(window=window, stops_all=True)
    assert verdict(row, 3, 51.23456, 50.0, NOW) == Trip(
        *("warm", "HZ-01", 3, 51.23456, 50.0, "Cel", NOW, f"channel 3: 51.23 over 50 in {words}"),
        *(Action.TRIP, Origin.PROCESS, True),
    )


# verdicts


HOT = temperatures((100, 9.0), (50, 9.0), (0, 60.0))
FIRST, SECOND, THIRD = (WARM._replace(code=code) for code in ("first", "second", "third"))


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ((Action.WARN, Action.WARN, Action.TRIP), ["first", "second", "third"]),
        ((Action.WARN, Action.PAUSE, Action.WARN), ["first", "second", "third"]),
        ((Action.WARN, Action.TRIP, Action.WARN), ["first", "second"]),
        ((Action.TRIP, Action.WARN, Action.TRIP), ["first"]),
        ((Action.VOID, Action.TRIP, Action.TRIP), ["first"]),
        ((Action.REFUSE, Action.TRIP, Action.TRIP), ["first"]),
        ((Action.DISARM, Action.TRIP, Action.TRIP), ["first"]),
    ],
)
def test_verdicts_go_up_to_the_first_that_ends_it(actions: tuple[Action, ...], said: list[str]) -> None:
    table = [row._replace(action=action) for row, action in zip((FIRST, SECOND, THIRD), actions, strict=True)]
    assert codes(rows(*table), HOT) == said


@pytest.mark.parametrize(
    ("action", "change", "said"),
    [
        (Action.WARN, one(warned=frozenset({"first"})), ["second"]),
        (Action.WARN, one(warned=frozenset({"third"})), ["first", "second"]),
        (Action.WARN, one(thermal=Thermal(pauses=1)), ["first", "second"]),
        (Action.TRIP, one(warned=frozenset({"first"}), thermal=Thermal(pauses=1)), ["first"]),
        (Action.PAUSE, one(warned=frozenset({"first"})), ["first", "second"]),
        (Action.PAUSE, one(thermal=Thermal(pauses=1)), ["second"]),
    ],
)
def test_a_warning_is_said_once_in_a_phase_and_a_ramp_paused_once(
    action: Action, change: Change, said: list[str]
) -> None:
    assert codes(rows(FIRST._replace(action=action), SECOND), HOT, change) == said


def test_a_row_that_says_nothing_now_is_passed_over_and_the_next_is_asked() -> None:
    assert codes(rows(STEPPED, COLD, WARM), HOT) == ["warm"]


def test_a_limit_of_the_site_is_compared_as_an_absolute_one() -> None:
    near = WARM._replace(basis=Basis.SET_TEMPERATURE, factor=1.0, offset=-20.0)
    (trip,) = judge_channel(made(rows(near), temperatures((0, 60.01))), 1)
    assert (trip.measured, trip.limit, trip.t_ns) == (60.01, 60.0, NOW)
    assert codes(rows(near), temperatures((0, 60.0))) == []
    assert codes(rows(near), temperatures((0, 60.01)), one(site=-1)) == ["warm"], "no limit is known"


def test_a_channel_is_judged_by_its_own_samples_in_its_own_phase() -> None:
    state = made(rows(WARM), HOT, two(phase=Phase.IMPEDANCE))
    assert [len(judge_channel(state, number)) for number in (1, 2)] == [1, 0]
    assert codes(rows(WARM), HOT, one(phase=Phase.SENSORY)) == []


# the generator as a whole


LATE = WARM._replace(code="late", quantity=Quantity.SAMPLE_AGE, offset=2.0, phases=frozenset({Phase.QUEUED}))
UNSURE = LATE._replace(code="unsure", action=Action.WARN)


@pytest.mark.parametrize(
    ("table", "change", "age_s", "said"),
    [
        ((LATE,), one(), 2.0, []),
        ((LATE,), one(), 2.001, ["late"]),
        ((LATE,), one(), NAN, ["late"]),
        ((LATE._replace(side=Side.BELOW),), one(), 2.0, []),
        ((LATE._replace(side=Side.BELOW),), one(), 1.999, ["late"]),
        ((LATE,), two(phase=Phase.MOTOR), 3.0, []),
        ((LATE, UNSURE), one(), 3.0, ["late"]),
        ((UNSURE, LATE, UNSURE), one(), 3.0, ["unsure", "late"]),
        ((UNSURE, LATE), two(phase=Phase.MOTOR), 3.0, []),
        ((UNSURE, LATE), whole(supervision=Supervision(warned=(("unsure", NOW - S),))), 3.0, ["late"]),
        ((LATE,), whole(supervision=Supervision(warned=(("late", NOW - S),))), 3.0, ["late"]),
        ((UNSURE._replace(quantity=Quantity.CLOCK_ERROR), LATE), one(), 3.0, ["late"]),
        ((LATE._replace(basis=Basis.DURATION), UNSURE), one(), 3.0, ["unsure"]),
    ],
)
def test_the_generator_is_judged_by_rows_of_any_channel_s_phase_and_warned_of_now_and_then(
    table: tuple[Row, ...], change: Change, age_s: float, said: list[str]
) -> None:
    trips = judge_generator(made(rows(*table), change), age_s, NOW)
    assert [trip.code for trip in trips] == said
    for trip in trips:
        assert (trip.channel, trip.limit, trip.t_ns) == (0, 2.0, NOW)
        assert trip.measured is age_s


# limits


REFERENCE = Reference(250.0, BODY_C, 80.0, 200.0, BODY_C, fluid=0.5)
HEATED = FIGURES._replace(start_c=40.0, predicted_energy_j=200.0, before_j=30.0)
NEWEST = before((100, {}), (50, {}), (0, {"temperature_c": 44.0, "rf_on_s": 20.0, "power_mean_w": 8.0}))
HEATING = one(phase=Phase.RAMP, reference=REFERENCE, figures=HEATED, duration_s=100.0)
COARSE: Change = lambda state: state._replace(setup=replace(state.setup, resolution_k=(0.5, 0.1)))  # noqa: E731


@pytest.mark.parametrize(
    ("basis", "change", "limit"),
    [
        (Basis.ABSOLUTE, one(), 3.0),
        (Basis.ABSOLUTE, one(site=-1), 3.0),
        *((basis, one(site=-1), NAN) for basis in Basis if basis is not Basis.ABSOLUTE),
        (Basis.DISPLAY_STEP, one(), 3.0),
        (Basis.RESULT_VALID, one(), 2.0 * 1200.0 + 3.0),
        (Basis.MEASURED_POWER, one(), 16.0),
        (Basis.MEASURED_POWER, before((50, {"power_mean_w": 9.0}), (0, {"power_mean_w": 1.0})), 3.0),
        (Basis.MEASURED_POWER, before((0, {"power_mean_w": None})), 3.0),
        (Basis.RAMP, one(), 2.0 * 40.0 / 4.3 + 3.0),
        (Basis.RAMP, one(figures=None), NAN),
        (Basis.ENERGY, one(), 430.0),
        (Basis.ENERGY, one(figures=HEATED._replace(before_j=3599.0)), 3999.0),
        (Basis.ENERGY, one(figures=HEATED._replace(before_j=3601.0)), 4000.0),
        (Basis.ENERGY, one(figures=None), NAN),
        (Basis.SET_TEMPERATURE, one(), 163.0),
        (Basis.POWER_CAP, one(), 2.0 * ELECTRODE.power_cap_w + 3.0),
        (Basis.EXPECTED_POWER, one(), 2.0 * hold_power_w(ELECTRODE, 80.0 - BODY_C, 0.5) + 3.0),
        (Basis.EXPECTED_POWER, one(reference=None), NAN),
        (Basis.DRY_SHARE, one(), 2.0 * 0.7 + 3.0),
        (Basis.DRY_SHARE, one(reference=None), 5.0),
        (Basis.TAKEN_UP, one(), 2.0 / 0.7 + 3.0),
        (Basis.TAKEN_UP, one(reference=None), 5.0),
        (Basis.STANDING_STILL, one(), 2.0 * 2.0 + 3.0),
        (Basis.STANDING_STILL, COARSE, 2.0 * 10.0 + 3.0),
        (Basis.STANDING_STILL, one(figures=HEATED._replace(start_c=44.0)), math.inf),
        (Basis.STANDING_STILL, one(figures=HEATED._replace(start_c=45.0)), math.inf),
        (Basis.STANDING_STILL, one(figures=HEATED._replace(start_c=43.98)), 2.0 * 400.0 + 3.0),
        (Basis.STANDING_STILL, one(figures=HEATED._replace(start_c=NAN)), 7.0),
        (Basis.STANDING_STILL, one(figures=None), 7.0),
        (Basis.DURATION, one(), 203.0),
        (Basis.DURATION, one(duration_s=719.0), 1441.0),
        (Basis.DURATION, one(duration_s=721.0), 1443.0),
    ],
)
def test_a_limit_is_what_its_basis_makes_it(basis: Basis, change: Change, limit: float) -> None:
    state = made(HEATING, NEWEST, change)
    row = WARM._replace(basis=basis, factor=2.0, offset=3.0)
    assert limit_of(row, state.setup, state.channels[0]) == pytest.approx(limit, nan_ok=True)


def test_a_coarse_display_widens_what_is_a_step_of_it() -> None:
    state = made(HEATING, COARSE)
    row = WARM._replace(basis=Basis.DISPLAY_STEP, factor=4.0, offset=1.5)
    assert limit_of(row, state.setup, state.channels[0]) == 2.0


def test_a_power_that_is_not_known_widens_nothing() -> None:
    state = made(HEATING, before((0, {"power_mean_w": None})))
    row = WARM._replace(basis=Basis.MEASURED_POWER, factor=2.0, offset=0.0)
    assert limit_of(row, state.setup, state.channels[0]) == 0.0


def test_the_current_is_limited_to_a_multiple_of_the_envelope_s() -> None:
    state = made(HEATING)
    row = WARM._replace(basis=Basis.ENVELOPE_CURRENT, factor=1.2)
    envelope_a = envelope_current_a(state.setup, state.channels[0])
    assert limit_of(row, state.setup, state.channels[0]) == pytest.approx(1.2 * envelope_a)
