"""The bounded queue between control and the telemetry thread. Control puts in and never waits; what is too much drops.

Readings and news have a queue each, so that no flood of readings can push news out. Both are numbered where they are
put in: the thread sees from the numbers what was dropped in between.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from rfctl.clock import wall_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rfctl.kernel.phase import Phase
    from rfctl.model.reading import Reading
    from rfctl.telemetry.classes import Class

MAX_READINGS = 4800
"""Four minutes at 20 Hz; the oldest drop first."""
MAX_NEWS = 2000
MAX_HEADS = 200
HIGH_WATER = 3600
"""From here on a virtual clock waits, while the broker takes what it is sent."""
LOW_WATER = 600


class Measured(NamedTuple):
    """One reading, handed over as it is. ``number`` counts from 1; ``wall_ns`` is when it was put in."""

    number: int
    wall_ns: int
    mono_ns: int
    reading: Reading
    phases: tuple[Phase, ...]


class News(NamedTuple):
    """Anything else: class, time and members of the payload. ``number`` counts from 1."""

    number: int
    wall_ns: int
    mono_ns: int
    kind: Class
    members: Mapping[str, object]


class Head(NamedTuple):
    """A head of the record that is on disk: a signed note."""

    mono_ns: int
    origin: str
    note: bytes


class Inbox:
    """Bounded queues. The ``put_*`` methods belong to the control loop, all else to the thread.

    Attributes:
        when_low: Called once by the thread when the backlog is small again, or will not get smaller; set by control.
        readings_put: Readings put in so far.
        news_put: News put in so far.
    """

    def __init__(self) -> None:
        self.when_low: Callable[[], None] | None = None
        self.readings_put = 0
        self.news_put = 0
        self._readings: deque[Measured] = deque(maxlen=MAX_READINGS)
        self._news: deque[News] = deque(maxlen=MAX_NEWS)
        self._heads: deque[Head] = deque(maxlen=MAX_HEADS)

    @property
    def high(self) -> bool:
        """The backlog of readings is above HIGH_WATER."""
        return len(self._readings) > HIGH_WATER

    def put_reading(self, mono_ns: int, reading: Reading, phases: tuple[Phase, ...]) -> None:
        """Add a reading; the oldest drops when there are too many."""
        self.readings_put += 1
        self._readings.append(Measured(self.readings_put, wall_ns(), mono_ns, reading, phases))

    def put_news(self, mono_ns: int, kind: Class, members: Mapping[str, object]) -> None:
        """Add news; the oldest drops when there are too many."""
        self.news_put += 1
        self._news.append(News(self.news_put, wall_ns(), mono_ns, kind, members))

    def put_head(self, mono_ns: int, origin: str, note: bytes) -> None:
        """Add a head of the record; the oldest drops when there are too many, for a newer one covers all before it."""
        self._heads.append(Head(mono_ns, origin, note))

    def take_head(self) -> Head | None:
        """The oldest head, None when there is none."""
        return self._heads.popleft() if self._heads else None

    def take_reading(self) -> Measured | None:
        """The oldest reading, None when there is none."""
        return self._readings.popleft() if self._readings else None

    def take_news(self) -> News | None:
        """The oldest news, None when there is none."""
        return self._news.popleft() if self._news else None

    @property
    def news_left(self) -> int:
        """News that wait."""
        return len(self._news)

    def tell_low(self, *, moving: bool = True) -> None:
        """Call ``when_low`` if the backlog is small again.

        Args:
            moving: The broker takes what it is sent; if not, there is nothing to wait for and it is called anyway.
        """
        waiting = self.when_low
        if waiting is not None and (not moving or len(self._readings) <= LOW_WATER):
            self.when_low = None
            waiting()
