"""The STOP thread's way onto a line: whole frames, in the place of a hung loop, and never beside a living one."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import LinkClosed
from rfctl.link.link import Link
from rfctl.link.modbus import TcpFraming, read_input, registers_in, write
from rfctl.link.stop_line import StopLine
from rfctl.model.permit import Intent
from rfctl.profile.profile import load
from tests.modbus_peer import HEADER, Request, frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.clock import Clock

TABLE = load("rfctl-reference").write_table()
ALL_OFF = write(0, b"\0\1")
OWNER = write(1, b"\0\7")
STATUS = read_input(66, 1)


class Line:
    """A link that was never closed, and the far end of its line in the test's hands."""

    def __init__(self, clock: Clock, *, used: bool = False) -> None:
        ours, self.far = socket.socketpair()
        for end in (ours, self.far):
            end.settimeout(0.0)
        self.link = Link(ours.detach(), TcpFraming(), clock, address="line", used=used)
        self.link.load(TABLE, (ALL_OFF,))
        self.stop = self.link.stop_line()

    def arrived(self) -> list[bytes]:
        """The requests that have crossed the line, from their function code."""
        try:
            received = self.far.recv(1 << 16)
        except BlockingIOError:
            return []
        found = []
        while received:
            *_, length, _ = HEADER.unpack_from(received)
            found.append(received[HEADER.size : 6 + length])
            received = received[6 + length :]
        return found


@pytest.fixture
async def line(clock: Clock) -> Iterator[Line]:
    each = Line(clock)
    yield each
    each.link.close()
    each.far.close()


def off_by_a_thread(stop: StopLine) -> bool:
    """While it runs, the loop does not: as if it hung."""
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(stop.off()))
    thread.start()
    thread.join()
    return done[0]


@pytest.mark.requirement("stop.while-hung")
async def test_each_off_frame_crosses_the_line_twice_while_the_loop_hangs(line: Line) -> None:
    assert off_by_a_thread(line.stop)
    assert line.arrived() == [ALL_OFF, ALL_OFF]
    assert off_by_a_thread(line.stop)  # somebody else stops, too
    assert line.arrived() == [ALL_OFF, ALL_OFF]


async def test_a_frame_that_the_loop_has_half_sent_is_completed_first_and_once(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]))
        pending = asyncio.create_task(line.link.transact(OWNER, Intent.CONFIG, unit=1))
        await asyncio.sleep(0)
    assert off_by_a_thread(line.stop)
    assert line.arrived() == [OWNER, ALL_OFF, ALL_OFF]
    assert off_by_a_thread(line.stop)
    assert line.arrived() == [ALL_OFF, ALL_OFF]
    with pytest.raises(LinkClosed, match="STOP thread"):
        await pending
    assert line.arrived() == []


async def test_a_loop_that_comes_back_to_life_sends_nothing_more_on_that_line(line: Line) -> None:
    pending = asyncio.create_task(line.link.transact(STATUS, Intent.READ, unit=1))
    await asyncio.sleep(0)
    assert line.arrived() == [STATUS]
    off_by_a_thread(line.stop)
    assert line.arrived() == [ALL_OFF, ALL_OFF]
    assert line.link.off() is False
    with pytest.raises(LinkClosed, match="STOP thread"):
        await pending
    with pytest.raises(LinkClosed, match="STOP thread"):
        await line.link.transact(STATUS, Intent.READ, unit=1)
    assert line.link.closed
    assert line.arrived() == []


async def test_a_reply_is_not_taken_away_from_the_thread_that_measures(line: Line) -> None:
    pending = asyncio.create_task(line.link.transact(STATUS, Intent.READ, unit=1))
    await asyncio.sleep(0)
    off_by_a_thread(line.stop)
    descriptor = line.stop.another()
    assert descriptor is not None
    line.far.send(b"for the thread")
    with pytest.raises(LinkClosed):
        await pending
    assert os.read(descriptor, 100) == b"for the thread"
    os.close(descriptor)


async def test_when_the_link_has_ended_nothing_is_written_and_the_line_is_closed(line: Line) -> None:
    line.link.close()
    assert off_by_a_thread(line.stop) is False
    assert line.stop.another() is None
    assert line.far.recv(10) == b""  # no second descriptor holds it open


async def test_a_line_that_takes_nothing_is_given_up(clock: Clock) -> None:
    ours, far = socket.socketpair()
    ours.settimeout(0.0)
    for size in (4096, 1):
        try:
            while True:
                ours.send(bytes(size))
        except BlockingIOError:
            pass
    stop = StopLine(ours.fileno(), (b"off",), bytes)
    assert off_by_a_thread(stop) is False
    stop.retire()
    ours.close()
    far.close()


async def test_a_link_on_a_used_line_does_not_believe_what_was_on_its_way(clock: Clock) -> None:
    line = Line(clock, used=True)
    stale, true = (Request(1, 1, STATUS), b"\4\2\0\x09"), (Request(1, 1, STATUS), b"\4\2\0\x01")
    line.far.send(frame(*stale)[3:] + frame(*stale))  # the end of one, and a whole one that would fit
    pending = asyncio.create_task(line.link.transact(STATUS, Intent.READ, unit=1))
    await asyncio.sleep(0.15)  # the line has been silent for a reply deadline
    assert line.arrived() == [STATUS]
    line.far.send(frame(*true))
    assert registers_in(await pending) == b"\0\1"
    line.link.close()
    line.far.close()
