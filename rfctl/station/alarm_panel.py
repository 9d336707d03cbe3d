"""Which alarms stand, and which of them somebody has silenced for a time. Silencing resets nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rfctl.clock import NS_PER_S
from rfctl.kernel.alarms import ALARMS, OTHER_WARNINGS, PRESENTATIONS, Priority

if TYPE_CHECKING:
    from rfctl.kernel.state import KernelState


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """One alarm that stands.

    Attributes:
        priority: high, medium or low.
        colour: Of light and text.
        channel: Its channel, 0 for the whole generator.
        code: Of its verdict.
        text: With the numbers.
        since_s: For how long it has stood, s.
        silenced_s: For how long it is silent yet, s; 0: it sounds.
    """

    priority: str
    colour: str
    channel: int
    code: str
    text: str
    since_s: float
    silenced_s: float


class _Standing(NamedTuple):
    text: str
    since_ns: int
    silent_until_ns: int


@dataclass(slots=True)
class AlarmPanel:
    """Follows the decisions. An alarm stands while its cause does; that of a trip to the end of the procedure."""

    _standing: dict[tuple[int, str], _Standing] = field(default_factory=dict)
    _texts: dict[tuple[int, str], str] = field(default_factory=dict)

    def heard(self, channel: int, code: str, text: str) -> None:
        """A note that warned of this, or said that it tripped."""
        self._texts[channel, code] = text

    def follow(self, state: KernelState, now_ns: int) -> None:
        """Take over what stands after a decision."""
        causes = {(trip.channel, trip.code) for trip in state.trips}
        for number, channel in enumerate(state.channels, start=1):
            causes |= {(number, code) for code in channel.warned}
            if channel.stimulation.void_code:
                causes.add((number, channel.stimulation.void_code))
        if causes == self._standing.keys():
            return
        before = self._standing
        self._standing = {
            cause: before.get(cause) or _Standing(self._texts.get(cause, cause[1]), now_ns, now_ns) for cause in causes
        }

    def acknowledge(self, now_ns: int) -> tuple[str, ...]:
        """Silence all that stand now, each for the time of its priority; codes of those that sounded."""
        silenced = []
        for cause, alarm in self._standing.items():
            until_ns = now_ns + round(PRESENTATIONS[_priority(cause[1])].silenced_s * NS_PER_S)
            if alarm.silent_until_ns <= now_ns:
                silenced.append(cause[1])
            self._standing[cause] = alarm._replace(silent_until_ns=until_ns)
        return tuple(silenced)

    def shown(self, now_ns: int) -> tuple[ShownAlarm, ...]:
        """The alarms that stand, the most urgent first, of those the newest."""
        ranked = sorted(
            self._standing.items(), key=lambda item: (PRESENTATIONS[_priority(item[0][1])].rank, -item[1].since_ns)
        )
        return tuple(
            ShownAlarm(
                str(_priority(code)),
                PRESENTATIONS[_priority(code)].colour,
                channel,
                code,
                alarm.text,
                (now_ns - alarm.since_ns) / NS_PER_S,
                max(alarm.silent_until_ns - now_ns, 0) / NS_PER_S,
            )
            for (channel, code), alarm in ranked
        )


def _priority(code: str) -> Priority:
    return ALARMS.get(code, OTHER_WARNINGS)
