"""The wire trace: the bytes that crossed a link, with their times; bounded, always on, kept as a text file.

One line an entry: nanoseconds of the station's monotonic clock, ``tx`` or ``rx``, hexadecimal bytes. Lines that begin
with ``#`` say what the trace belongs to. Of a long session the beginning is kept, from which a driver is replayed, and
the end, in which something went wrong.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

Direction = Literal["tx", "rx"]

BEGINNING = 256  # entries: who answers, claim and the first dozens of readings
END = 4096  # entries: nearly a minute of two requests every 50 ms
FORMAT = "# rfctl wire trace 1"
_DROPPED = "# dropped:"


class Traced(NamedTuple):
    """Bytes that crossed the wire.

    Attributes:
        at_ns: The station's monotonic clock.
        direction: ``tx`` or ``rx``.
        data: The bytes.
    """

    at_ns: int
    direction: Direction
    data: bytes


class Trace:
    """What crossed one link: its first and its last entries.

    Attributes:
        tap: Told of every entry's direction and bytes as it comes; None for nobody. Must not wait.
    """

    def __init__(self) -> None:
        self.tap: Callable[[Direction, bytes], None] | None = None
        self._count = 0
        self._beginning: list[tuple[int, Direction, bytes]] = []
        # Plain tuples, which a garbage collection soon stops to visit; the end holds the beginning while it is short.
        self._end: deque[tuple[int, Direction, bytes]] = deque(maxlen=END)

    def note(self, at_ns: int, direction: Direction, data: bytes) -> None:
        """Add an entry."""
        self._count += 1
        if self._count <= BEGINNING:
            self._beginning.append((at_ns, direction, data))
        else:
            self._end.append((at_ns, direction, data))
        if self.tap is not None:
            self.tap(direction, data)

    @property
    def dropped(self) -> int:
        """Entries between the beginning and the end that were not kept."""
        return self._count - len(self)

    def __len__(self) -> int:
        return len(self._beginning) + len(self._end)

    def __iter__(self) -> Iterator[Traced]:
        for kept in (self._beginning, self._end):
            for entry in kept:
                yield Traced(*entry)

    def __getitem__(self, at: int) -> Traced:
        return list(self)[at]

    def lines(self) -> Iterator[str]:
        """The trace as its file has it, without the heading."""
        for entries, dropped in ((self._beginning, self.dropped), (self._end, 0)):
            for at_ns, direction, data in entries:
                yield f"{at_ns} {direction} {data.hex()}"
            if dropped:
                yield f"{_DROPPED} {dropped} entries"


class TraceFile(NamedTuple):
    """A trace that was kept.

    Attributes:
        about: What its heading says: profile, address, unit.
        links: The entries of each link, one after the other; after the first the connection had been lost.
        dropped: Whether entries are missing in between.
    """

    about: dict[str, str]
    links: tuple[tuple[Traced, ...], ...]
    dropped: bool


def text_of(about: dict[str, str], traces: Iterable[Trace]) -> str:
    """A whole file."""
    lines = [FORMAT, *(f"# {name}: {value}" for name, value in about.items())]
    for trace in traces:
        lines.append("# link")
        lines.extend(trace.lines())
    return "\n".join(lines) + "\n"


def read(path: Path) -> TraceFile:
    """Read a trace that was kept.

    Raises:
        ConfigError: No such file, or not a trace; names the line.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "not a text file"
        raise ConfigError(
            f"cannot be read as a wire trace: {why}", where=str(path), remedy="Give the wire.trace of a session."
        ) from None
    if not lines or lines[0] != FORMAT:
        raise ConfigError(
            f"not a wire trace: it does not begin with {FORMAT!r}",
            where=str(path),
            remedy="Give the wire.trace of a session.",
        )
    about: dict[str, str] = {}
    links: list[list[Traced]] = []
    dropped = False
    for number, line in enumerate(lines[1:], 2):
        if line == "# link":
            links.append([])
        elif line.startswith(_DROPPED):
            dropped = True
        elif line.startswith("# "):
            name, _, value = line[2:].partition(": ")
            about[name] = value
        else:
            if not links:
                links.append([])
            links[-1].append(_entry(line, f"{path}:{number}"))
    return TraceFile(about, tuple(tuple(link) for link in links), dropped)


def _entry(line: str, where: str) -> Traced:
    parts = line.split(" ")
    try:
        at_ns, direction, data = int(parts[0]), parts[1], bytes.fromhex(parts[2])
    except (ValueError, IndexError):
        direction = ""
        at_ns, data = 0, b""
    if direction not in {"tx", "rx"} or len(parts) != 3:
        raise ConfigError(
            f"not an entry of a wire trace: {line[:60]!r}", where=where, remedy="NANOSECONDS, tx or rx, and hex bytes."
        )
    return Traced(at_ns, cast("Direction", direction), data)
