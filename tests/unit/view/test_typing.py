"""Typed words of an answer: no space bar among them, which stops."""

from __future__ import annotations

import pytest

from rfctl.cli.view.keys import ACKNOWLEDGE_KEY, CHOICES, Acknowledge, Answer, letter, meaning
from rfctl.cli.view.typing import Typing, wanted

OVERRIDE = Answer(1, "reposition", "override")
CONFIRM = Answer(1, "position", "confirm")


def test_most_answers_take_no_words() -> None:
    assert wanted(Answer(1, "motor", "none")) == ()
    assert wanted(Answer(0, "checklist", "confirm")) == ()
    assert len(wanted(OVERRIDE)) == 1
    assert len(wanted(CONFIRM)) == 2


def test_a_reason_is_typed_with_low_lines_for_spaces() -> None:
    typing = Typing(OVERRIDE)
    for key in "not_awakx\x7fe_enough":
        assert typing.take(key) is None
    assert "not awake enough" in typing.prompt
    assert typing.take("\r") == Answer(1, "reposition", "override", "not awake enough")
    assert typing.over


def test_the_position_takes_a_reason_and_a_physician() -> None:
    typing = Typing(CONFIRM)
    assert typing.take("seen_again\n") is None
    assert "physician" in typing.prompt
    assert typing.take("Dr._Example\n") == Answer(1, "position", "confirm", "seen again", "Dr. Example")


@pytest.mark.parametrize("typed", ["\x1b", "\x1b[A"])
def test_escape_leaves_without_an_answer(typed: str) -> None:
    typing = Typing(OVERRIDE)
    typing.take("why")
    assert typing.take(typed) is None
    assert typing.over


def test_k_acknowledges_and_is_no_letter_of_a_choice() -> None:
    assert meaning(ACKNOWLEDGE_KEY.encode(), None, ours=True) == Acknowledge()
    assert ACKNOWLEDGE_KEY not in {letter(choice) for choice in CHOICES}
