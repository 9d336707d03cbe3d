"""The bell keeps the rhythm of the most urgent alarm that is not silenced."""

from __future__ import annotations

from rfctl.cli.view.sound import Bell
from rfctl.kernel.alarms import PRESENTATIONS, Priority
from rfctl.station.alarm_panel import ShownAlarm


def alarm(priority: str, silenced_s: float = 0.0) -> ShownAlarm:
    return ShownAlarm(priority, "red", 1, "over_set", "too hot", 0.0, silenced_s)


def rung(bell: Bell, alarms: tuple[ShownAlarm, ...], seconds: float) -> list[int]:
    return [ms for ms in range(0, round(seconds * 1000), 10) if bell.rings(alarms, 5000.0 + ms)]


def test_a_high_alarm_rings_ten_pulses_and_again_after_its_time() -> None:
    presentation = PRESENTATIONS[Priority.HIGH]
    first = list(presentation.pulses)
    assert rung(Bell(), (alarm("high"),), presentation.repeated_s) == first
    again = rung(Bell(), (alarm("high"),), 2 * presentation.repeated_s)
    assert again == first + [round(presentation.repeated_s * 1000) + pulse for pulse in first]


def test_a_low_alarm_rings_one_burst() -> None:
    assert rung(Bell(), (alarm("low"),), 60.0) == list(PRESENTATIONS[Priority.LOW].pulses)


def test_what_is_silenced_does_not_ring_and_what_is_not_does() -> None:
    assert rung(Bell(), (alarm("high", 30.0),), 20.0) == []
    both = (alarm("high", 30.0), alarm("medium"))
    assert rung(Bell(), both, 10.0) == list(PRESENTATIONS[Priority.MEDIUM].pulses)
    assert rung(Bell(), (), 10.0) == []
