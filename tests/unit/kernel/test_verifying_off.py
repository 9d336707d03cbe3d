"""The end by itself: when off counts as done, when it is said again, and when nobody waits for it any longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfctl.kernel.effects import Finish, Level, Note, Off, Outcome, Release
from rfctl.kernel.ending import finish, verify_off
from rfctl.kernel.state import KernelState, Stage, initial
from rfctl.model.reading import Reading
from tests.unit.kernel.acts import READING, measuring
from tests.unit.kernel.bench import setup_of

MS = 1_000_000
ON = measuring(rf_on=True)
SILENT = "OFF NOT CONFIRMED: no answer from the generator since off was sent; treat its outputs as on"
WAS_ON = "OFF NOT CONFIRMED: an output was on after off was sent, and the generator has not answered since"


def ending(
    received_ms: int = 0, reading: Reading | None = READING, stage: Stage = Stage.ENDING, off_ms: int = 1000
) -> KernelState:
    """It ends since 1000 ms; the newest sample is of ``received_ms``."""
    return initial(setup_of())._replace(
        stage=stage, since_ns=1000 * MS, off_ns=off_ms * MS, received_ns=received_ms * MS, reading=reading,
        outcome=Outcome.STOPPED, exit_code=3, ending="stopped by tester",
    )  # fmt: skip


def words(code_text: str) -> Note:
    return Note(Level.TRIP, 0, "off_uncertain", code_text)


# done


def test_a_sample_after_off_without_an_output_verifies_it() -> None:
    state = ending(1001)
    after, effects = verify_off(state, 1002 * MS)
    assert effects == (Release(),)
    assert after == state._replace(stage=Stage.RELEASING, since_ns=1002 * MS, off_verified=True)


def test_who_only_watched_has_nothing_to_give_back() -> None:
    setup = setup_of()
    state = ending(1001)._replace(setup=replace(setup, plan=replace(setup.plan, sites=())))
    after, effects = verify_off(state, 1002 * MS)
    assert effects == (Finish(Outcome.STOPPED, 3, off_verified=True, text="stopped by tester"),)
    assert after == state._replace(stage=Stage.ENDED, since_ns=1002 * MS, off_verified=True)


@pytest.mark.parametrize(
    ("received_ms", "reading"), [(1000, READING), (999, READING), (1001, ON), (1001, None), (1000, ON)]
)
def test_no_other_sample_verifies_it(received_ms: int, reading: Reading | None) -> None:
    state = ending(received_ms, reading)
    assert verify_off(state, 1050 * MS) == (state, ())


def test_an_output_of_any_channel_is_one() -> None:
    first, second = READING.channels
    reading = READING._replace(channels=(first, second._replace(stimulating=True)))
    assert verify_off(ending(1001, reading), 1050 * MS)[1] == ()


# not done


@pytest.mark.parametrize(
    ("received_ms", "reading", "now_ns", "text"),
    [
        (500, READING, 1250 * MS, None),
        (500, READING, 1250 * MS + 1, SILENT),
        (1000, READING, 1250 * MS + 1, SILENT),
        (0, None, 1250 * MS + 1, SILENT),
        (1100, ON, 1350 * MS, None),
        (1100, ON, 1350 * MS + 1, WAS_ON),
    ],
)
def test_an_output_that_nobody_has_seen_off_for_250_ms_counts_as_on(
    received_ms: int, reading: Reading | None, now_ns: int, text: str | None
) -> None:
    after, effects = verify_off(ending(received_ms, reading, off_ms=1200), now_ns)
    assert [trip.code for trip in after.trips] == ([] if text is None else ["off_uncertain"])
    assert effects == (() if text is None else (Off(text), words(text)))


@pytest.mark.parametrize(("now_ns", "again"), [(1400 * MS - 1, False), (1400 * MS, True)])
def test_off_is_said_again_after_200_ms(now_ns: int, *, again: bool) -> None:
    state = ending(1390, ON, off_ms=1200)
    after, effects = verify_off(state, now_ns)
    assert effects == ((Off("off not verified yet"),) if again else ())
    assert after == (state._replace(off_ns=now_ns) if again else state)


@pytest.mark.parametrize(("now_ns", "over"), [(6000 * MS, False), (6000 * MS + 1, True)])
def test_after_5_s_it_ends_with_off_not_confirmed(now_ns: int, *, over: bool) -> None:
    after, effects = verify_off(ending(5990, ON, off_ms=5900), now_ns)
    assert (after.stage is Stage.ENDED) is over
    text = "stopped by tester. OFF NOT CONFIRMED: switch the generator off at its mains and check it"
    assert effects == ((Finish(Outcome.FAILED, 4, off_verified=False, text=text),) if over else ())


def test_the_last_word_comes_after_the_one_that_nothing_is_known() -> None:
    after, effects = verify_off(ending(), 6000 * MS + 1)
    assert [type(effect) for effect in effects] == [Off, Note, Finish]
    assert after.stage is Stage.ENDED


# while ownership is given back


@pytest.mark.parametrize("reading", [READING, None])
def test_nothing_more_is_asked_for_while_ownership_is_given_back(reading: Reading | None) -> None:
    state = ending(1001, reading, Stage.RELEASING)
    assert verify_off(state, 9000 * MS) == (state, ())


def test_an_output_that_comes_on_again_is_turned_off_and_verified_anew() -> None:
    state = ending(1001, ON, Stage.RELEASING)._replace(off_verified=True)
    after, effects = verify_off(state, 1500 * MS)
    assert effects == (Off("an output came on again after off had been verified"),)
    assert after == state._replace(stage=Stage.ENDING, since_ns=1500 * MS, off_ns=1500 * MS, off_verified=False)


# the last word


@pytest.mark.parametrize("verified", [True, False])
def test_the_last_word_says_whether_off_was_measured(*, verified: bool) -> None:
    state = ending(1001)._replace(off_verified=verified)
    after, effects = finish(state)
    text = "stopped by tester"
    outcome, exit_code = Outcome.STOPPED, 3
    if not verified:
        text = f"{text}. OFF NOT CONFIRMED: switch the generator off at its mains and check it"
        outcome, exit_code = Outcome.FAILED, 4
    assert effects == (Finish(outcome, exit_code, verified, text),)
    assert after == state._replace(stage=Stage.ENDED, outcome=outcome, exit_code=exit_code, ending=text)
