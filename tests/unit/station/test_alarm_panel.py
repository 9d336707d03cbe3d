"""Alarms stand while their cause does; an acknowledgement silences them for a time and resets nothing."""

from __future__ import annotations

import pytest

from rfctl.kernel.alarms import PRESENTATIONS, Priority
from rfctl.kernel.phase import Phase
from rfctl.station.onlooker import Onlooker
from tests.unit.kernel.bench import Bench, at


def seen(bench: Bench, onlooker: Onlooker, since: int = 0) -> None:
    for decision in bench.decisions[since:]:
        onlooker(decision.after, decision.effects)


def tripped() -> tuple[Bench, Onlooker]:
    bench, onlooker = at(Phase.HOLD), Onlooker("bench", "bench", "virtual", "tester")
    seen(bench, onlooker)
    begun = len(bench.decisions)
    bench.alter(1, thermocouple_open=True)
    bench.sample()
    seen(bench, onlooker, begun)
    return bench, onlooker


def test_nothing_stands_in_an_ordinary_hold() -> None:
    bench, onlooker = at(Phase.HOLD), Onlooker("bench", "bench", "virtual", "tester")
    seen(bench, onlooker)
    assert onlooker.snapshot(bench.now_ns).alarms == ()


def test_a_trip_stands_with_priority_colour_and_its_text_with_the_numbers() -> None:
    bench, onlooker = tripped()
    (alarm,) = onlooker.snapshot(bench.now_ns).alarms
    assert (alarm.priority, alarm.colour, alarm.channel, alarm.code) == ("high", "red", 1, "thermocouple_open")
    assert alarm.text == bench.state.trips[0].text
    assert alarm.silenced_s == 0.0


@pytest.mark.requirement("alarm.silence")
def test_acknowledging_silences_for_the_time_of_the_priority_and_resets_nothing() -> None:
    bench, onlooker = tripped()
    before = bench.state
    assert onlooker.acknowledge(bench.now_ns) == ("thermocouple_open",)
    assert bench.state is before
    silenced_s = PRESENTATIONS[Priority.HIGH].silenced_s
    (alarm,) = onlooker.snapshot(bench.now_ns).alarms
    assert alarm.silenced_s == silenced_s
    later_ns = bench.now_ns + round(silenced_s * 1e9)
    (alarm,) = onlooker.snapshot(later_ns).alarms
    assert alarm.silenced_s == 0.0, "it sounds again"
    assert bench.codes == ["thermocouple_open"]


def test_a_void_result_is_an_alarm_until_it_is_taken_over() -> None:
    bench, onlooker = at(Phase.STIM_REQUIRED), Onlooker("bench", "bench", "virtual", "tester")
    seen(bench, onlooker)
    (alarm,) = onlooker.snapshot(bench.now_ns).alarms
    assert (alarm.priority, alarm.code) == ("medium", "electrode_changed")
    assert "unplugged or swapped" in alarm.text
