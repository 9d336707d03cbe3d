"""What crossed the wire: the last frames of every connection, with time and direction."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal, NamedTuple

from rfctl.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

# A procedure of several minutes at 20 polls a second, both directions; some 5 MB.
KEPT_FRAMES = 20_000

Direction = Literal["in", "out"]


class Frame(NamedTuple):
    """One frame.

    Attributes:
        now_s: Seconds since power-up.
        monotonic_ns: The same instant on the clock of the system.
        connection: Number of the connection, from 1.
        direction: ``"in"`` from a client, ``"out"`` to it.
        data: As it was on the wire.
    """

    now_s: float
    monotonic_ns: int
    connection: int
    direction: Direction
    data: bytes

    def as_json(self) -> dict[str, object]:
        """The frame as the back door gives it."""
        return {**self._asdict(), "data": self.data.hex()}


class WireLog:
    """The last frames, oldest first."""

    def __init__(self, power_up_ns: int) -> None:
        self._power_up_ns = power_up_ns
        # Plain tuples: appending is in the path of every request, and the garbage collector stops to look at them.
        self._frames: deque[tuple[int, int, Direction, bytes]] = deque(maxlen=KEPT_FRAMES)

    def add(self, at_ns: int, connection: int, direction: Direction, data: bytes) -> None:
        """Log one frame."""
        self._frames.append((at_ns, connection, direction, data))

    def __iter__(self) -> Iterator[Frame]:
        for at_ns, connection, direction, data in tuple(self._frames):
            yield Frame((at_ns - self._power_up_ns) / NS_PER_S, at_ns, connection, direction, data)

    def __len__(self) -> int:
        return len(self._frames)
