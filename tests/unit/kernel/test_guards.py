"""Every condition of the transition table, turned by each thing that it looks at alone (MC/DC).

A row has a guard, a state, the guard's answer there, and changes of that state each of which by itself turns the
answer. Where a limit is compared, the state lies at the last value that is still so and the change at the first that
is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rfctl.kernel import guards
from rfctl.kernel.enable_loop import Loop, must_wait, of_the_loop
from rfctl.kernel.guards import PROBE_BASELINE_NS
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import Mean
from rfctl.kernel.thermal import Thermal
from rfctl.model.plan import Medium, TimerDefinition, Use
from tests.unit.kernel.bench import AGAIN
from tests.unit.kernel.turned import (
    ASKED,
    FIGURES,
    NO_READING,
    NOW,
    OFF_NOT_SEEN,
    OFF_SEEN,
    TOKEN,
    TOKEN_GONE,
    Change,
    Row,
    S,
    answer,
    measured,
    medium,
    one,
    planned,
    third,
    tip,
    treating,
    two,
    whole,
)

ROWS: list[Row] = [
    (
        guards.turn_has_come,
        (one(phase=Phase.QUEUED), third(phase=Phase.QUEUED, site=2), two(phase=Phase.SENSORY)),
        False,
        (two(phase=Phase.DONE),),
    ),
    (
        guards.arming_turn_has_come,
        (
            whole(group=(1, 2, 3), armed_by="anna"),
            one(probing=True),
            third(off_ns=0, phase=Phase.LESION_READY),
            two(off_ns=NOW, phase=Phase.LESION_READY),
        ),
        False,
        (two(off_ns=0),),
    ),
    (
        guards.impedance_measured,
        (one(since_ns=NOW - 5 * S, mean=Mean(1, 200.0, 37.0)),),
        True,
        (one(phase=Phase.QUEUED), one(since_ns=NOW - 5 * S + 1), one(mean=Mean())),
    ),
    (
        guards.turn_has_come,
        (one(phase=Phase.QUEUED, site=1), two(site=2, phase=Phase.QUEUED)),
        True,
        (two(phase=Phase.SENSORY), two(site=0)),
    ),
    (
        guards.turn_has_come,
        (one(phase=Phase.QUEUED, site=1), two(site=0, phase=Phase.DONE)),
        True,
        (two(phase=Phase.QUEUED, site=0),),
    ),
    (
        guards.turn_has_come_and_tip_is_hot,
        (one(phase=Phase.QUEUED), tip(40.1)),
        True,
        (two(phase=Phase.SENSORY), tip(40.0), tip(), medium(Medium.LOAD)),
    ),
    (
        guards.turn_has_come_and_tip_is_hot,
        (one(phase=Phase.QUEUED), tip(45.0), two(thermal=Thermal(heated_ns=0))),
        False,
        (tip(45.1), two(thermal=Thermal(heated_ns=-1))),
    ),
    (
        guards.all_checked_and_no_anaesthetic_used,
        (planned(anaesthetic={"use": Use.NOT_USED}), two(phase=Phase.LESION_READY)),
        True,
        (planned(anaesthetic={"use": Use.REQUIRED}), two(phase=Phase.QUEUED), two(phase=Phase.MOTOR)),
    ),
    (
        guards.all_checked_and_nobody_asked,
        (two(phase=Phase.LESION_READY),),
        True,
        (two(phase=Phase.QUEUED), two(phase=Phase.MOTOR), ASKED),
    ),
    (guards.nobody_asked, (), True, (ASKED,)),
    (guards.output_is_off, (OFF_SEEN,), True, OFF_NOT_SEEN),
    (guards.output_is_off_and_nobody_asked, (OFF_SEEN,), True, (*OFF_NOT_SEEN, ASKED)),
    (guards.token_valid, TOKEN, True, TOKEN_GONE[:2]),
    (guards.may_fire, TOKEN, True, TOKEN_GONE),
    (guards.started, (*TOKEN, whole(started=True)), True, (*TOKEN_GONE, whole(started=False))),
    (
        guards.group_may_fire,
        (*TOKEN, whole(group=(1, 2)), two(phase=Phase.ARMED, token=2, since_ns=NOW)),
        True,
        (*TOKEN_GONE, two(token=0)),
    ),
    (
        guards.group_may_fire,
        (*TOKEN, whole(group=(1, 2)), two(phase=Phase.RAMP, token=0)),
        True,
        (two(phase=Phase.ARMED),),
    ),
    (
        guards.arming_turn_has_come,
        (whole(group=(1,), armed_by="anna"), two(off_ns=NOW)),
        True,
        (whole(group=(2,)), whole(armed_by=""), one(probing=True)),
    ),
    (
        guards.arming_turn_has_come,
        (
            whole(group=(1, 2), armed_by="anna"),
            one(probing=True, off_ns=NOW, phase=Phase.ARMED),
            two(off_ns=NOW - PROBE_BASELINE_NS, phase=Phase.LESION_READY),
        ),
        True,
        (
            two(off_ns=NOW - PROBE_BASELINE_NS + 1),
            two(phase=Phase.ARMED),
            two(phase=Phase.PROBE),
            two(phase=Phase.PROBE_OFF),
        ),
    ),
    (guards.probing, (one(probing=True),), True, (one(probing=False),)),
    (
        guards.own_tip_warms,
        (one(figures=FIGURES), tip(50.0, 50.0, 39.0)),
        True,
        (tip(50.0, 50.0, 38.99), tip(), one(figures=None), one(figures=FIGURES._replace(start_c=37.01))),
    ),
    (guards.set_temperature_reached, (tip(20.0, 79.0),), True, (tip(78.99), tip())),
    (
        guards.planned_power_reached,
        (planned(lesion={"power_w": 10.0}), measured(power_w=9.0)),
        True,
        (planned(lesion={"power_w": None}), measured(power_w=8.99), NO_READING),
    ),
    (
        guards.hold_is_over,
        (one(figures=FIGURES), planned(lesion={"hold_s": 80.0})),
        True,
        (one(figures=None), one(figures=FIGURES._replace(hold_ns=FIGURES.hold_ns + 1))),
    ),
    (
        guards.hold_is_over,
        (one(figures=FIGURES), planned(lesion={"hold_s": 90.0, "timer": TimerDefinition.RF_ON})),
        True,
        (
            one(figures=FIGURES._replace(rf_on_ns=FIGURES.rf_on_ns + 1)),
            planned(lesion={"timer": TimerDefinition.SET_TEMPERATURE}),
        ),
    ),
    (
        guards.cool_enough_and_last_lesion,
        (tip(80.0, 44.9),),
        True,
        (tip(45.0), tip(), planned(lesions=(AGAIN, AGAIN))),
    ),
    (guards.cool_enough_and_last_lesion, (tip(80.0), medium(Medium.LOAD)), True, (medium(Medium.PHANTOM), tip())),
    (
        guards.cool_enough_and_last_lesion,
        (tip(37.0), planned(lesions=(AGAIN, AGAIN)), one(lesion=1)),
        True,
        (one(lesion=0),),
    ),
    (
        guards.cool_enough_and_another_lesion_planned,
        (tip(80.0, 44.9), planned(lesions=(AGAIN, AGAIN))),
        True,
        (tip(45.0), one(lesion=1), ASKED),
    ),
]


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
    ("guarded", "closed", "waits"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_an_intent_waits_for_the_loop_only_where_a_guard_holds_it(guarded: bool, closed: bool, waits: bool) -> None:
    state = treating()._replace(loop=Loop(closed=closed))
    assert must_wait(state._replace(setup=replace(state.setup, guarded=guarded))) is waits


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [
        ((), [1, 2]),
        ((one(site=-1),), [2]),
        ((one(phase=Phase.DONE), two(phase=Phase.DROPPED)), []),
        ((two(site=0),), [1, 2]),
    ],
)
def test_a_channel_is_under_work_from_its_site_on_until_that_is_over(
    changes: tuple[Change, ...], numbers: list[int]
) -> None:
    state = treating()
    for change in changes:
        state = change(state)
    assert guards.under_work(state) == numbers


def test_each_channel_has_its_own_site_and_lesion() -> None:
    state = two(lesion=1)(planned(lesions=(AGAIN, replace(AGAIN, hold_s=7.0)))(treating()))
    sites = state.setup.plan.sites
    assert [guards.site_of(state, number) for number in (1, 2)] == [*sites]
    state = two(site=0)(state)
    assert [guards.lesion_of(state, number).hold_s for number in (1, 2)] == [AGAIN.hold_s, 7.0]


def test_what_the_rows_see_of_the_loop_is_its_age_and_how_long_it_is_waited_for() -> None:
    state = two(phase=Phase.MOTOR_INTENT, since_ns=NOW - 2 * S)(
        one(phase=Phase.LESION_INTENT, since_ns=NOW)(treating())
    )
    assert of_the_loop(state, NOW) == (0.0, 1.0, 2.0)
    assert of_the_loop(state._replace(loop=Loop(closed=True, silent_ns=NOW - 3 * S)), NOW) == (3.0, 0.0, 0.0)
    assert of_the_loop(state._replace(loop=Loop(closed=True)), NOW) == (0.0, 0.0, 0.0)
    assert of_the_loop(treating(), NOW) == (0.0, 1.0, 0.0)
