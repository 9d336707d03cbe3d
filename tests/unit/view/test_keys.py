"""Keys: the space bar stops whatever else is typed, and only one small letter answers."""

from __future__ import annotations

import pytest

from rfctl.cli.view.keys import CHOICES, Answer, Leave, Stop, letter, meaning, words
from rfctl.kernel.events import Choice
from rfctl.kernel.transitions import TRANSITIONS
from rfctl.station.snapshot import OpenQuestion

ARM = OpenQuestion(2, "arm", ("arm",), "Arm channel 2")


@pytest.mark.parametrize("typed", [b" ", b"    ", b"a ", b"\x1b ", b"\x1b[A\xff q "])
@pytest.mark.parametrize("question", [None, ARM])
def test_the_space_bar_stops_whatever_came_with_it(typed: bytes, question: OpenQuestion | None) -> None:
    assert isinstance(meaning(typed, question, ours=False), Stop)


def test_the_letter_of_a_choice_answers_the_question_that_is_shown() -> None:
    assert meaning(b"a", ARM, ours=True) == Answer(2, "arm", "arm")
    assert meaning(b"aaa", ARM, ours=True) == Answer(2, "arm", "arm")
    assert meaning(b"a", None, ours=True) is None


@pytest.mark.parametrize("typed", [b"\x1b[A", b"A", b"arm", b"\xc3\xa4", b"\r", b"s", b"\x00"])
def test_arrows_pasted_texts_and_other_keys_arm_nothing(typed: bytes) -> None:
    assert meaning(typed, ARM, ours=True) is None


def test_q_stops_a_session_of_ones_own_and_leaves_another() -> None:
    assert isinstance(meaning(b"q", None, ours=True), Stop)
    assert isinstance(meaning(b"q", ARM, ours=False), Leave)


def test_every_choice_has_a_letter_and_words() -> None:
    assert set(CHOICES) == set(Choice)
    assert all(words(choice) for choice in Choice)
    assert all(letter(choice) not in {" ", "q"} and letter(choice).islower() for choice in Choice)


def test_the_letters_of_one_phase_differ() -> None:
    answered: dict[str, set[str]] = {}
    for row in TRANSITIONS:
        if row.trigger.startswith("answer "):
            answered.setdefault(row.phase, set()).add(row.trigger.removeprefix("answer "))
    for choices in answered.values():
        assert len({letter(choice) for choice in choices}) == len(choices)


@pytest.mark.parametrize("choice", ["arm", "start"])
def test_the_letters_that_give_energy_mean_nothing_else(choice: str) -> None:
    assert [other for other in CHOICES if letter(other) == letter(choice)] == [choice]
