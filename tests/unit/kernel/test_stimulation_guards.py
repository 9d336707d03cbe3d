"""Every condition of the stimulation checks, turned by each thing that it looks at alone (MC/DC).

A row has a guard, a state, the guard's answer there, and changes of that state each of which by itself turns the
answer. Where a limit is compared, the state lies at the last value that is still so and the change at the first that
is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from rfctl.kernel import stimulation_guards
from rfctl.kernel.events import Answered, Choice, Question
from rfctl.kernel.phase import Phase
from rfctl.kernel.stimulation import SHORTEST_REASON, Check, Stimulation
from rfctl.model.plan import Medium, Use
from rfctl.model.reading import Mode
from tests.unit.kernel.turned import (
    ASKED,
    FIGURES,
    NO_READING,
    NOW,
    OFF_NOT_SEEN,
    OFF_SEEN,
    REFERENCE,
    Change,
    Row,
    S,
    answer,
    felt,
    measured,
    medium,
    one,
    planned,
    tip,
    treating,
    whole,
)

SETTINGS = (
    one(phase=Phase.SENSORY, since_ns=NOW - 1, stepped_ns=NOW - S // 5),
    planned(sensory={"rate_hz": 0.0}),
    measured(mode=Mode.STIMULATION_VOLTAGE, stimulation_rate_hz=0.1, stimulation_width_us=1005),
)
SETTINGS_OTHERWISE = (
    NO_READING,
    one(since_ns=NOW),
    measured(mode=Mode.STIMULATION_CURRENT),
    measured(mode=Mode.NONE),
    measured(stimulation_rate_hz=0.1000001),
    measured(stimulation_width_us=1006),
    planned(sensory={"width_us": 1011}),
)
DELIVERED = (one(amplitude=0.02), measured(stimulation_amplitude=0.04))
NOT_DELIVERED = (NO_READING, measured(stimulation_amplitude=0.0400001), measured(stimulation_amplitude=math.nan))
SPOKEN = Answered(NOW, Question.POSITION, Choice.CONFIRM, "anna", "x" * SHORTEST_REASON, "Dr. Test")
GIVEN = whole(answered=SPOKEN)
NOT_GIVEN = (
    whole(answered=None),
    whole(answered=SPOKEN._replace(reason="x" * (SHORTEST_REASON - 1))),
    whole(answered=SPOKEN._replace(reason=f"  {'x' * (SHORTEST_REASON - 1)}  ")),
)


ROWS: list[Row] = [
    (stimulation_guards.sensory_not_used, (), False, (planned(sensory={"use": Use.NOT_USED}),)),
    (stimulation_guards.motor_not_used, (), False, (planned(motor={"use": Use.NOT_USED}),)),
    (
        stimulation_guards.sensory_optional_and_nobody_asked,
        (planned(sensory={"use": Use.OPTIONAL}),),
        True,
        (planned(sensory={"use": Use.REQUIRED}), ASKED),
    ),
    (
        stimulation_guards.motor_optional_and_nobody_asked,
        (planned(motor={"use": Use.OPTIONAL}),),
        True,
        (planned(motor={"use": Use.REQUIRED}), ASKED),
    ),
    *(
        (guard, (), True, (planned(**{name: {"use": Use.OPTIONAL}}), NO_READING, measured(2, rf_on=True)))
        for guard, name in (
            (stimulation_guards.sensory_required_and_every_output_off, "sensory"),
            (stimulation_guards.motor_required_and_every_output_off, "motor"),
        )
    ),
    (
        stimulation_guards.every_output_off,
        (),
        True,
        (NO_READING, measured(1, stimulating=True), measured(2, rf_on=True)),
    ),
    (
        stimulation_guards.sensory_under_work,
        (one(stimulation=Stimulation(Check.SENSORY)),),
        True,
        (one(stimulation=Stimulation(Check.MOTOR)),),
    ),
    (
        stimulation_guards.motor_under_work,
        (one(stimulation=Stimulation(Check.MOTOR)),),
        True,
        (one(stimulation=Stimulation(Check.SENSORY)),),
    ),
    (
        stimulation_guards.amplitude_delivered,
        DELIVERED,
        True,
        (*NOT_DELIVERED, one(amplitude=0.0), one(amplitude=-0.02)),
    ),
    (
        stimulation_guards.amplitude_delivered,
        (one(amplitude=0.0), measured(stimulation_amplitude=0.01)),
        False,
        (one(amplitude=0.01),),
    ),
    (
        stimulation_guards.something_is_delivered,
        (measured(stimulation_amplitude=0.0200001),),
        True,
        (NO_READING, measured(stimulation_amplitude=0.02)),
    ),
    (stimulation_guards.may_step, (*SETTINGS, one(stepped_ns=NOW - S // 5)), True, (
        *SETTINGS_OTHERWISE,
        one(stepped_ns=NOW - S // 5 + 1),
        planned(sensory={"target": 0.04}),
    )),
    (
        stimulation_guards.may_step,
        (*SETTINGS, measured(mode=None, stimulation_width_us=None)),
        True,
        (one(since_ns=NOW),),
    ),
    (
        stimulation_guards.may_step,
        (*SETTINGS, one(amplitude=0.9), measured(stimulation_amplitude=0.9), planned(sensory={"rate_hz": 50.0})),
        True,
        (
            one(amplitude=0.95),
            measured(stimulation_amplitude=0.87),
            one(stepped_ns=NOW - S // 5 + 1),
            planned(sensory={"target": 0.49}),
            planned(sensory={"maximum": 0.95}),
        ),
    ),
    (stimulation_guards.may_step_down, (one(amplitude=0.1),), True, (one(amplitude=0.09), one(amplitude=0.0))),
    (
        stimulation_guards.envelope_ends_before_the_check,
        (
            one(phase=Phase.SENSORY, amplitude=0.4),
            measured(stimulation_amplitude=0.4),
            planned(sensory={"target": 0.2, "maximum": 0.5}),
        ),
        True,
        (
            NO_READING,
            measured(stimulation_amplitude=0.3),
            planned(sensory={"target": 0.25, "maximum": 0.5}),
            planned(sensory={"target": 0.2, "maximum": 0.45}),
            one(stimulation=Stimulation(confirmed=True)),
        ),
    ),
    (
        stimulation_guards.motor_target_delivered,
        (one(phase=Phase.MOTOR, amplitude=2.0, stepped_ns=NOW - S), measured(stimulation_amplitude=2.0)),
        True,
        (
            NO_READING,
            measured(stimulation_amplitude=1.9),
            one(stepped_ns=NOW - S + 1),
            felt(1.01),
            planned(motor={"target": 2.06}),
        ),
    ),
    (
        stimulation_guards.motor_target_delivered,
        (one(phase=Phase.MOTOR, amplitude=1.95, stepped_ns=NOW - S), measured(stimulation_amplitude=1.95)),
        True,
        (one(amplitude=1.949),),
    ),
    (
        stimulation_guards.off_and_threshold_met,
        (OFF_SEEN, felt(0.5)),
        True,
        (*OFF_NOT_SEEN, one(sensory=None), felt(None), felt(0.6)),
    ),
    (
        stimulation_guards.threshold_may_be_accepted,
        (felt(1.0),),
        True,
        (one(sensory=None), felt(None), felt(1.1), planned(motor={"maximum": 1.95})),
    ),
    (stimulation_guards.reason_given, (GIVEN,), True, NOT_GIVEN),
    (
        stimulation_guards.reason_given_and_motor_reaches,
        (GIVEN, felt(5.0)),
        True,
        (*NOT_GIVEN, felt(5.01)),
    ),
    (
        stimulation_guards.reason_given_and_motor_reaches,
        (GIVEN, felt(5.01), planned(motor={"use": Use.NOT_USED})),
        True,
        (planned(motor={"use": Use.OPTIONAL}),),
    ),
    (
        stimulation_guards.reason_given_for_sensory,
        (GIVEN, one(stimulation=Stimulation(Check.SENSORY))),
        True,
        (*NOT_GIVEN, one(stimulation=Stimulation(Check.MOTOR))),
    ),
    (
        stimulation_guards.reason_given_for_motor,
        (GIVEN, one(stimulation=Stimulation(Check.MOTOR))),
        True,
        (*NOT_GIVEN, one(stimulation=Stimulation(Check.SENSORY))),
    ),
    (
        stimulation_guards.check_can_be_repeated,
        (),
        True,
        (
            one(stimulation=Stimulation(anaesthetic=True)),
            one(probed=True),
            one(lesions=(FIGURES,)),
            one(figures=FIGURES),
        ),
    ),
    (
        stimulation_guards.position_confirmed,
        (GIVEN, one(reference=REFERENCE), tip(37.0, impedance_ohm=230.0)),
        True,
        (
            *NOT_GIVEN,
            one(reference=None),
            tip(37.0, impedance_ohm=230.1),
            tip(37.0, impedance_ohm=169.9),
            tip(),
            whole(answered=SPOKEN._replace(physician="  ")),
        ),
    ),
    (
        stimulation_guards.position_confirmed,
        (whole(answered=SPOKEN._replace(physician="")), one(reference=REFERENCE), tip(37.0), medium(Medium.PHANTOM)),
        True,
        (medium(Medium.TISSUE),),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("guard", "state", "holds", "turns"),
    [pytest.param(*row, id=f"{row[0].__name__}-{at}") for at, row in enumerate(ROWS)],
)
def test_each_thing_that_a_guard_looks_at_turns_its_answer_by_itself(
    guard: Callable[..., bool], state: tuple[Change, ...], holds: bool, turns: tuple[Change, ...]
) -> None:
    assert answer(guard, state) is holds
    for number, change in enumerate(turns):
        assert answer(guard, (*state, change)) is not holds, f"change {number}"


@pytest.mark.parametrize(
    ("threshold", "planned_v", "target"),
    [(None, 2.0, 2.0), (None, 0.05, 0.05), (1.002, 2.0, 2.1), (1.0, 2.0, 2.0), (1.01, 2.0, 2.1), (1.05, 2.0, 2.1)],
)
def test_the_motor_check_goes_to_twice_the_threshold_on_the_next_step(
    threshold: float | None, planned_v: float, target: float
) -> None:
    state = planned(motor={"target": planned_v})(felt(threshold)(treating()))
    assert stimulation_guards.motor_target(state, 1) == target
    assert stimulation_guards.motor_target(one(sensory=None)(state), 1) == planned_v


@pytest.mark.parametrize(
    ("phase", "changes", "first", "last"),
    [
        (Phase.SENSORY, (), 1.0, 1.0),
        (Phase.SENSORY, (planned(sensory={"target": 0.3}),), 0.6, 1.0),
        (Phase.SENSORY, (planned(sensory={"target": 0.6}),), 1.0, 1.0),
        (Phase.MOTOR, (), 2.0, 2.0),
        (Phase.MOTOR, (planned(motor={"target": 4.0}),), 3.0, 4.0),
    ],
)
def test_an_intent_ends_where_a_second_word_is_needed(
    phase: Phase, changes: tuple[Change, ...], first: float, last: float
) -> None:
    state = one(phase=phase)(treating())
    for change in changes:
        state = change(state)
    assert stimulation_guards.first_envelope(state, 1) == stimulation_guards.ceiling(state, 1) == first
    state = one(stimulation=Stimulation(confirmed=True))(state)
    assert stimulation_guards.last_envelope(state, 1) == stimulation_guards.ceiling(state, 1) == last


def test_the_last_second_is_a_second_long() -> None:
    state = tip(10.0, 30.0, 40.0, 50.0, impedance_ohm=150.0)(treating())  # 1.5 s, 1 s, 0.5 s and no time ago
    assert stimulation_guards.last_second(state.channels[0]) == (150.0, 40.0)
    assert all(map(math.isnan, stimulation_guards.last_second(tip()(state).channels[0])))
