"""The firmware's log: what happened to outputs, lease and faults, with the time of each."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from rfctl.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Many procedures' worth; the oldest go first.
KEPT_EVENTS = 10_000

Detail = bool | int | float | str | None


class Event(NamedTuple):
    """One event.

    Attributes:
        now_s: Seconds since power-up.
        monotonic_ns: The same instant on the clock of the system.
        kind: What happened: ``rf_on``, ``lease_expired``, ``fault_started``...
        detail: The numbers that belong to it.
    """

    now_s: float
    monotonic_ns: int
    kind: str
    detail: dict[str, Detail]

    def as_json(self) -> dict[str, object]:
        """The event as the back door gives it."""
        return {"now_s": self.now_s, "monotonic_ns": self.monotonic_ns, "kind": self.kind, **self.detail}


class EventLog:
    """The last events, oldest first.

    Attributes:
        listener: Told of each as it happens.
    """

    def __init__(self, power_up_ns: int) -> None:
        self.listener: Callable[[Event], None] | None = None
        self._power_up_ns = power_up_ns
        self._events: deque[Event] = deque(maxlen=KEPT_EVENTS)

    def add(self, at_ns: int, kind: str, **detail: Detail) -> None:
        """Log something that happened at ``at_ns``."""
        event = Event((at_ns - self._power_up_ns) / NS_PER_S, at_ns, kind, detail)
        self._events.append(event)
        if self.listener is not None:
            self.listener(event)

    def __iter__(self) -> Iterator[Event]:
        return iter(tuple(self._events))

    def __len__(self) -> int:
        return len(self._events)

    def of(self, kind: str) -> list[Event]:
        """The events of one kind, oldest first."""
        return [event for event in self._events if event.kind == kind]
