"""The thread's way onto a line: its pieces, its gaps, its patience, and who closes the descriptor."""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_MS
from rfctl.link.stop_line import StopLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE, TWO = b"off 1", b"off 2"
BEGUN = b"rest"
GAP_S = 0.0025


class Line:
    """A pair of descriptors whose writes are noted, and fail as told; time passes only while the thread waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ours, self.far = socket.socketpair()
        self.far.settimeout(0.0)
        self.now_ns = 0
        self.did: list[bytes | float] = []
        self.polled_ms: list[float] = []
        self.ready = True
        self.writes: list[OSError | int] = []  # what becomes of the next ones; then all is taken
        self.meanwhile: Callable[[], None] = lambda: None
        real = os.write

        def write(descriptor: int, data: bytes) -> int:
            self.meanwhile()
            outcome = self.writes.pop(0) if self.writes else len(data)
            if isinstance(outcome, OSError):
                raise outcome
            self.did.append(data[:outcome])
            return real(descriptor, data[:outcome])

        monkeypatch.setattr(os, "write", write)
        monkeypatch.setattr(select, "select", lambda *given: self.did.append(given[3]))
        monkeypatch.setattr(select, "poll", lambda: self)
        monkeypatch.setattr("rfctl.link.stop_line.RealClock", lambda: self)

    def monotonic_ns(self) -> int:
        return self.now_ns

    def register(self, descriptor: int, events: int) -> None:
        assert events == select.POLLOUT
        os.fstat(descriptor)

    def poll(self, wait_ms: float) -> list[tuple[int, int]]:
        self.polled_ms.append(wait_ms)
        return [(0, select.POLLOUT)] if self.ready else []

    @property
    def ended(self) -> bool:
        """No descriptor holds our end open any more."""
        try:
            while self.far.recv(100):
                pass
        except BlockingIOError:
            return False
        return True

    def stop(self, *frames: bytes, begun: bytes = b"", gap_s: float = 0.0) -> StopLine:
        return StopLine(self.ours.fileno(), frames, lambda: begun, gap_s)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    each = Line(monkeypatch)
    yield each
    each.ours.close()
    each.far.close()


def test_without_gaps_everything_leaves_in_one_piece(line: Line) -> None:
    stop = line.stop(ONE, TWO, begun=BEGUN)
    assert (stop.taken, stop.off(), stop.taken) == (False, True, True)
    assert line.did == [BEGUN + ONE + TWO]
    stop.retire()


def test_with_gaps_one_stands_before_each_piece(line: Line) -> None:
    stop = line.stop(ONE, TWO, begun=BEGUN, gap_s=GAP_S)
    assert stop.off() is True
    assert line.did == [GAP_S, BEGUN, GAP_S, ONE, GAP_S, TWO]
    stop.retire()


def test_what_was_begun_is_completed_once(line: Line) -> None:
    stop = line.stop(ONE, begun=BEGUN)
    assert [stop.off(), stop.off()] == [True, True]
    assert line.did == [BEGUN + ONE, ONE]
    stop.retire()


@pytest.mark.parametrize("at", [0, 1])
def test_every_piece_is_tried_and_every_one_has_to_be_taken(line: Line, at: int) -> None:
    stop = line.stop(ONE, TWO, gap_s=GAP_S)
    line.writes = [OSError(5, "Input/output error") if place == at else 5 for place in range(2)]
    assert stop.off() is False
    assert line.did == [GAP_S, GAP_S, TWO] if at == 0 else [GAP_S, ONE, GAP_S]
    stop.retire()


def test_what_is_taken_in_parts_leaves_once(line: Line) -> None:
    stop = line.stop(ONE)
    line.writes = [2, BlockingIOError(), 1, InterruptedError()]
    assert stop.off() is True
    assert line.did == [ONE[:2], ONE[2:3], ONE[3:]]
    stop.retire()


@pytest.mark.parametrize(
    ("passes_ns", "taken", "polled_ms"),
    [
        (0, True, [200, 200]),
        (199 * NS_PER_MS, True, [200, 1]),
        (200 * NS_PER_MS - 1, True, [200, 1e-6]),
        (200 * NS_PER_MS, False, [200]),
        (200 * NS_PER_MS + 1, False, [200]),
    ],
)
def test_a_piece_has_a_fifth_of_a_second(line: Line, passes_ns: int, taken: bool, polled_ms: list[float]) -> None:
    def pass_time() -> None:
        line.now_ns += passes_ns

    line.now_ns = 5
    stop = line.stop(ONE)
    line.writes, line.meanwhile = [2, 3], pass_time
    assert (stop.off(), line.polled_ms) == (taken, polled_ms)
    stop.retire()


def test_a_line_without_room_is_written_to_by_nobody(line: Line) -> None:
    stop = line.stop(ONE, TWO, gap_s=GAP_S)
    line.ready = False
    assert stop.off() is False
    assert (line.did, line.polled_ms) == ([GAP_S, GAP_S], [200, 200])
    stop.retire()


def test_each_descriptor_that_is_asked_for_is_the_askers_own(line: Line) -> None:
    stop = line.stop(ONE)
    first, second = stop.another(), stop.another()
    assert None not in {first, second}
    assert first != second
    for each in (first, second):
        os.close(each or 0)
    assert stop.off() is True
    assert line.far.recv(100) == ONE
    stop.retire()


def test_when_the_link_has_ended_the_line_is_closed(line: Line) -> None:
    stop = line.stop(ONE)
    line.ours.close()
    assert not line.ended
    stop.retire()
    assert line.ended
    assert (stop.off(), stop.another()) == (False, None)
    stop.retire()


def test_a_link_that_ends_while_the_thread_writes_leaves_the_closing_to_it(line: Line) -> None:
    stop = line.stop(ONE)
    line.ours.close()
    line.meanwhile = stop.retire
    assert stop.off() is True
    assert line.did == [ONE]
    assert line.ended
    assert (stop.off(), stop.another()) == (False, None)
