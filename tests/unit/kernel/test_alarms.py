"""Every verdict has an alarm, by the priority of its hazard; what only warns is one step lower."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

import rfctl.kernel
from rfctl.kernel.alarms import ALARMS, OF_EVENT, OF_HAZARD, PRESENTATIONS, Priority, priority_of
from rfctl.kernel.limits import ROWS
from rfctl.kernel.row import Action

SOURCES = sorted(Path(rfctl.kernel.__file__).parent.glob("*.py"))


def test_every_row_has_an_alarm() -> None:
    assert {row.code for row in ROWS} <= set(ALARMS)


def test_every_verdict_on_an_event_has_an_alarm_of_its_hazard() -> None:
    text = "\n".join(source.read_text("utf-8") for source in SOURCES)
    raised = dict(re.findall(r'event_trip\(\s*"(\w+)",\s*"(HZ-\d+)"', text))
    assert raised
    assert {code: OF_EVENT.get(code) for code in raised} == raised


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_a_row_has_the_priority_of_its_hazard_or_one_below_where_it_only_warns(row: object) -> None:
    assert isinstance(row, type(ROWS[0]))
    order = [Priority.HIGH, Priority.MEDIUM, Priority.LOW]
    lower = min(order.index(OF_HAZARD[row.hazard]) + (row.action is Action.WARN), 2)
    assert ALARMS[row.code] is order[lower]


def test_priorities_differ_in_colour_burst_and_tone_and_each_can_be_silenced_for_a_time_only() -> None:
    shown = list(PRESENTATIONS.values())
    assert set(PRESENTATIONS) == set(Priority)
    assert len({each.colour for each in shown}) == len({each.pulses for each in shown}) == len(shown)
    assert sorted(each.rank for each in shown) == [0, 1, 2]
    for each in shown:
        assert 0.0 < each.silenced_s <= 120.0
        assert all(later - earlier > each.pulse_ms for earlier, later in pairwise(each.pulses))
        assert each.repeated_s == 0.0 or each.repeated_s * 1000 > each.pulses[-1] + each.pulse_ms


def test_a_note_that_informs_is_no_alarm_and_a_warning_of_nothing_listed_is_a_low_one() -> None:
    assert priority_of("info", "over_set") is None
    assert priority_of("warning", "claim_refused") is Priority.LOW
    assert priority_of("trip", "over_set") is Priority.HIGH
