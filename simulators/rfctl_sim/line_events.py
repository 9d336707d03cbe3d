"""What the generator tells unasked: its log as the events of the line protocol, numbered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl_sim.line_codec import said

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl_sim.events import Event, EventLog

LAST_NUMBER = 0xFFFF


class LineEvents:
    """Numbers the events of one generator and hands each, as a line, to whoever listens.

    Attributes:
        listeners: By what they are known by.
    """

    def __init__(self, log: EventLog) -> None:
        self.listeners: dict[object, Callable[[bytes], None]] = {}
        self._number = 0
        log.listener = self._on_event

    def _on_event(self, event: Event) -> None:
        text = _text(event)
        if text is None:
            return
        self._number = self._number % LAST_NUMBER + 1
        for listener in tuple(self.listeners.values()):
            listener(said("!", self._number, text))


def _text(event: Event) -> str | None:
    """The words of an event; None for what only a simulator knows."""
    detail = event.detail
    match event.kind:
        case "phase":
            return f"OUTPUT {detail['channel']} {detail['now']}"
        case "trip":
            return f"TRIP {detail['channel']} {detail['fault']}"
        case "owner":
            return f"OWNER {detail['session']}"
        case "lease_none" | "lease_running" | "lease_expired":
            return f"LEASE {event.kind.removeprefix('lease_')}"
    return None
