"""The frame of the live view says everything in words, within the terminal it has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfctl.cli.view.frame import draw
from rfctl.station.snapshot import ChannelSnapshot, OpenQuestion, Snapshot

SIZES = [(80, 24), (120, 40), (200, 60)]
SMALL = [(40, 10), (20, 5), (1, 1)]
CHECKLIST = OpenQuestion(0, "checklist", ("confirm", "decline"), "Confirm the checklist: " + "item noted; " * 25)
MOTOR = OpenQuestion(1, "motor", ("step", "none", "response", "reposition"), "Motor check: raise to 2.0 V")


def text(snapshot: Snapshot, size: tuple[int, int] = (80, 24), *, silent_ms: float = 0.0, answers: bool = True) -> str:
    width, height = size
    lines = draw(snapshot, width=width, height=height, silent_ms=silent_ms, ours=True, answers=answers)
    return "\n".join(line.plain for line in lines)


@pytest.mark.parametrize("question", [None, CHECKLIST, MOTOR])
@pytest.mark.parametrize(("width", "height"), SIZES + SMALL)
def test_every_line_fits(mid_hold: Snapshot, width: int, height: int, question: OpenQuestion | None) -> None:
    snapshot = replace(mid_hold, question=question)
    lines = draw(snapshot, width=width, height=height, silent_ms=0.0, ours=True, answers=True)
    assert len(lines) == height
    assert {line.cell_len for line in lines} == {width}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "words",
    [
        "SIMULATED", "no device, no patient", "time paced:7.3", "mqtt connected",
        "channel 1: hold", "● RF ON", "80.2 degC", "set 80, trips at 85, max 95", "157 ohm", "6.8 W of 26.3 W",
        "felt at 0.4 V; no response to 2.0 V", "peak 81.2 degC, 166 J", "hold 40/90 s, 50 s left",
        "Channel 2  L5 medial branch, left", "○ output off", "-- degC", "-- ohm",
        "! WARNING channel 1: 83.4 degC", "data 0.1 s old", "[space] STOP, everything off",
    ],
)  # fmt: skip
def test_what_matters_in_hold_is_there_in_words(mid_hold: Snapshot, size: tuple[int, int], words: str) -> None:
    assert words in text(mid_hold, size)


@pytest.mark.requirement("view.age")
def test_the_data_turn_stale_by_the_clock_of_the_view_alone(mid_hold: Snapshot) -> None:
    assert "STALE" not in text(mid_hold, silent_ms=900.0)
    assert "STALE: no data for 3.1 s" in text(mid_hold, silent_ms=3050.0)


def test_a_device_is_never_called_simulated(mid_hold: Snapshot) -> None:
    drawn = text(replace(mid_hold, simulated=False))
    assert " DEVICE " in drawn
    assert "SIMULATED" not in drawn
    assert "no patient" not in drawn


def test_an_output_of_which_nothing_is_known_is_not_called_off(mid_hold: Snapshot, idle: ChannelSnapshot) -> None:
    unknown = replace(idle, rf_on=None, stimulating=None)
    assert "? output unknown" in text(replace(mid_hold, channels=(unknown,)))


def test_each_choice_is_shown_with_its_letter(mid_hold: Snapshot) -> None:
    drawn = text(replace(mid_hold, question=MOTOR))
    assert "waiting for A. Physician" in drawn
    assert "[u] up 0.1   [n] no response   [r] response   [p] reposition" in drawn


def test_an_onlooker_is_shown_the_question_and_no_letters(mid_hold: Snapshot) -> None:
    drawn = text(replace(mid_hold, question=MOTOR), answers=False)
    assert "Motor check: raise to 2.0 V" in drawn
    assert "answered by A. Physician" in drawn
    assert "[n]" not in drawn


def test_the_whole_checklist_can_be_read_on_a_small_terminal(mid_hold: Snapshot) -> None:
    drawn = text(replace(mid_hold, question=CHECKLIST))
    assert drawn.replace("\n", " ").count("noted;") == 25
    assert "[c] confirm   [d] decline" in drawn


def test_the_end_says_how_and_whether_off_was_measured(mid_hold: Snapshot) -> None:
    ended = replace(mid_hold, outcome="stopped", ending="stopped by the space bar")
    assert "STOPPED: off NOT verified yet. stopped by the space bar" in text(ended)
    assert "STOPPED: output measured off. stopped by" in text(replace(ended, off_verified=True))


def test_a_name_from_a_file_cannot_move_the_cursor(mid_hold: Snapshot) -> None:
    drawn = text(replace(mid_hold, plan="plan\x1b[2J\r\u202eevil", operator="o\x07"))
    assert "plan?[2J??evil" in drawn
    assert drawn.replace("\n", "").isprintable()


def test_four_channels_are_all_there_and_the_ones_at_work_in_full(
    mid_hold: Snapshot, heated: ChannelSnapshot, idle: ChannelSnapshot
) -> None:
    channels = (idle, replace(idle, number=1), replace(heated, number=3), replace(idle, number=4, site=""))
    drawn = text(replace(mid_hold, channels=tuple(sorted(channels, key=lambda channel: channel.number))))
    assert "Channel 3  L4 medial branch, left" in drawn
    assert "channel 4: idle, ○ output off" in drawn
