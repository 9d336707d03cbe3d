"""The control side of telemetry: hands over what was read and decided, in microseconds.

Where time is virtual it also holds the clock while the broker catches up.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS
from rfctl.kernel.alarms import priority_of
from rfctl.kernel.effects import Ask, Finish, Fire, Grant, Level, Note, Off, Renew, SetOutput, StartStimulation
from rfctl.kernel.phase import ENERGISED
from rfctl.telemetry.classes import Class

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.phase import Phase
    from rfctl.kernel.state import KernelState
    from rfctl.telemetry.inbox import Inbox
    from rfctl.telemetry.publisher import Publisher

STALE_NS = 500 * NS_PER_MS
"""Without a reading for so long the station says that it knows nothing."""
ONLINE, STALE = "online", "stale"
ROUTINE = frozenset({Grant, Renew, SetOutput})
"""Effects of nearly every decision; none of them is an event."""


class Feed:
    """A watcher of decisions that fills an inbox."""

    def __init__(self, inbox: Inbox, publisher: Publisher, clock: Clock, procedure_id: str) -> None:
        self._inbox = inbox
        self._publisher = publisher
        self._clock = clock
        self._procedure_id = procedure_id
        self._received_ns = 0
        self._told: tuple[object, ...] = ()
        self._status = ONLINE
        self._hold: ExitStack | None = None
        self._loop = asyncio.get_running_loop()

    def watch(self, state: KernelState, effects: tuple[Effect, ...]) -> None:
        """Take over what is new in a decision."""
        phases = tuple([channel.phase for channel in state.channels])
        if state.received_ns != self._received_ns and state.reading is not None:
            self._received_ns = state.received_ns
            self._inbox.put_reading(state.received_ns, state.reading, phases)
            if self._status is not ONLINE:
                self._say_status(ONLINE, "", state.received_ns)
            if self._inbox.high and self._hold is None and self._publisher.moving:
                self._wait_for_broker()
        elif self._status is ONLINE:
            now_ns = self._clock.monotonic_ns()
            if now_ns - state.received_ns > STALE_NS:
                self._say_status(STALE, f"no reading for {STALE_NS / NS_PER_MS:g} ms", now_ns)
        told = (phases, state.stage, len(state.trips))
        if told != self._told:
            self._told = told
            self._say_state(state, phases)
        for effect in effects:
            if type(effect) in ROUTINE:
                continue
            event = _event(effect)
            if event is not None:
                self._inbox.put_news(self._clock.monotonic_ns(), Class.EVENT, event)

    def end(self) -> None:
        """Nothing more is held."""
        self._release()

    def _say_status(self, status: str, reason: str, now_ns: int) -> None:
        self._status = status
        self._inbox.put_news(now_ns, Class.STATUS, {"status": status, "reason": reason})

    def _say_state(self, state: KernelState, phases: tuple[Phase, ...]) -> None:
        members = {
            "procedure_id": self._procedure_id,
            "stage": str(state.stage),
            "phases": [str(phase) for phase in phases],
            "energised": not ENERGISED.isdisjoint(phases),
            "interlock": " ".join(trip.code for trip in state.trips) or "none",
        }
        self._inbox.put_news(self._clock.monotonic_ns(), Class.STATE, members)

    def _wait_for_broker(self) -> None:
        """Hold virtual time until the backlog is small. The loop itself ends a hold that lasts too long, and there is
        no other before the backlog has been small once. On the real clock this holds nothing.
        """
        self._hold = ExitStack()
        self._hold.enter_context(self._clock.hold())
        self._inbox.when_low = self._ask_for_release

    def _ask_for_release(self) -> None:
        """In the telemetry thread."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.close()


def _event(effect: Effect) -> dict[str, object] | None:
    """An alarm, a trip, a question or an act, as the payload of an event; None for what is routine."""
    match effect:
        case Note():
            return _members(effect.level, effect.channel, effect.code, effect.text)
        case Ask():
            return _members(Level.INFO, effect.channel, "question", effect.text)
        case Off():
            return _members(Level.INFO, 0, "off", effect.reason)
        case Fire():
            return _members(Level.INFO, effect.channel, "rf_on", "RF is switched on")
        case StartStimulation():
            return _members(Level.INFO, effect.channel, "stimulation_on", "the stimulator is switched on")
        case Finish():
            return _members(Level.INFO, 0, "finished", f"{effect.outcome}: {effect.text}")
        case _:
            return None


def _members(level: Level, channel: int, code: str, text: str) -> dict[str, object]:
    priority = priority_of(level, code)
    return {"level": str(level), "priority": priority or "none", "channel": channel, "code": code, "text": text}
