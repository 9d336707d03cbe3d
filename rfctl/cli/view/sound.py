"""When the terminal's bell rings: the bursts of the most urgent alarm that is not silenced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.kernel.alarms import PRESENTATIONS, Priority

if TYPE_CHECKING:
    from rfctl.station.alarm_panel import ShownAlarm

BELL = "\a"


class Bell:
    """Asked at every frame; a bell has no pitch and no length, so what is left of a burst is its rhythm."""

    def __init__(self) -> None:
        self._alarm: tuple[str, int, str] | None = None
        self._since_ms = 0.0
        self._rung_ms = -1.0

    def rings(self, alarms: tuple[ShownAlarm, ...], now_ms: float) -> bool:
        """A pulse of the burst has begun since it was last asked.

        Args:
            alarms: That stand, the most urgent first.
            now_ms: By the view's own clock.
        """
        sounding = next((alarm for alarm in alarms if alarm.silenced_s <= 0.0), None)
        if sounding is None:
            self._alarm = None
            return False
        alarm = (sounding.priority, sounding.channel, sounding.code)
        if alarm != self._alarm:
            self._alarm, self._since_ms, self._rung_ms = alarm, now_ms, -1.0
        presentation = PRESENTATIONS[Priority(sounding.priority)]
        at_ms = now_ms - self._since_ms
        period_ms = presentation.repeated_s * 1000.0
        burst_ms = at_ms // period_ms * period_ms if period_ms else 0.0
        begun = [burst_ms + pulse for pulse in presentation.pulses if burst_ms + pulse <= at_ms]
        if not begun or begun[-1] <= self._rung_ms:
            return False
        self._rung_ms = begun[-1]
        return True
