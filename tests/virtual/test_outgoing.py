"""What leaves over a line: how much the system takes of it, when the line is free again, what a thread completes."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.link.line import LineFraming
from rfctl.link.modbus import TcpFraming
from rfctl.link.outgoing import Outgoing
from rfctl.link.rtu import RtuFraming
from rfctl.link.serial_line import SerialLine
from rfctl.link.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.clock import Clock
    from rfctl.link.framing import Framing

SERIAL = SerialLine("/dev/x", 9600)
CHARACTER_NS, GAP_NS = SERIAL.character_ns, SERIAL.gap_ns
OFF, LONGER_OFF = b"off.", b"every off"
REQUEST = b"request"


class BlockedClock:
    """The test's clock, on which a wait that holds up the thread is noted and takes its time."""

    def __init__(self, clock: Clock) -> None:
        self.blocked_ns: list[int] = []
        self._clock = clock

    def monotonic_ns(self) -> int:
        return self._clock.monotonic_ns() + sum(self.blocked_ns)

    def block(self, for_ns: int) -> None:
        self.blocked_ns.append(max(0, for_ns))

    def __getattr__(self, name: str) -> object:
        return getattr(self._clock, name)


class System:
    """The operating system in the test's hands: how many bytes it takes of each write, and what it took."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 1 << 20
        self.fails: OSError | None = None
        self.taken: list[bytes] = []
        self.waits_s: list[float] = []
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(select, "select", lambda _read, _write, _fault, wait_s: self.waits_s.append(wait_s))

    @property
    def everything(self) -> bytes:
        return b"".join(self.taken)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.fails is not None:
            raise self.fails
        part = bytes(data[: self.room])
        if not part:
            raise BlockingIOError
        self.room -= len(part)
        self.taken.append(part)
        return len(part)


class Bench:
    """The writing half of a link alone."""

    def __init__(self, clock: Clock, framing: Framing, *offs: bytes) -> None:
        self.ours, self.theirs = socket.socketpair()
        for end in (self.ours, self.theirs):
            end.settimeout(0.0)
        self._fill()
        self.clock = BlockedClock(clock)
        self.trace = Trace()
        self.ended: list[str] = []
        self.outgoing = Outgoing(self.ours.fileno(), framing, self.clock, self.trace, self.ended.append)
        if offs:
            self.outgoing.load(offs)

    def _fill(self) -> None:
        """The loop finds room only when the far end has read."""
        for size in (4096, 1):
            with suppress(BlockingIOError):
                while True:
                    self.ours.send(bytes(size))

    def _empty(self) -> None:
        with suppress(BlockingIOError):
            while True:
                self.theirs.recv(1 << 20)

    def off_by_a_thread(self) -> bool:
        """As the thread does it, while the loop hangs."""
        self._empty()
        return self.outgoing.stop_line().off()

    async def room(self) -> None:
        """The far end reads, and the loop has a few rounds to see it."""
        self._empty()
        for _ in range(8):
            await asyncio.sleep(0)
        self._fill()

    @property
    def watched(self) -> bool:
        """The loop waits until the descriptor takes more. Asked once: it does not any more."""
        return asyncio.get_running_loop().remove_writer(self.ours.fileno())

    def now_ns(self) -> int:
        return self.clock.monotonic_ns()

    def send(self, frame: bytes) -> None:
        self.outgoing.send(frame, self.now_ns())

    def close(self) -> None:
        self.outgoing.retire()
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


@pytest.fixture
async def tcp(clock: Clock) -> Iterator[Bench]:
    bench = Bench(clock, TcpFraming(), OFF, LONGER_OFF)
    yield bench
    bench.close()


@pytest.fixture
async def serial(clock: Clock) -> Iterator[Bench]:
    bench = Bench(clock, RtuFraming(SERIAL), OFF, LONGER_OFF)
    yield bench
    bench.close()


# a request


async def test_a_fresh_line_is_free_one_gap_after_the_start_of_time(serial: Bench, tcp: Bench) -> None:
    assert serial.outgoing.quiet_ns(0) == GAP_NS
    assert tcp.outgoing.quiet_ns(0) == 0
    assert (serial.outgoing.tail, serial.outgoing.held_back, serial.outgoing.ends_with_offs) == (b"", False, False)


async def test_a_line_is_busy_until_the_last_byte_and_the_gap_are_over(serial: Bench, system: System) -> None:
    await asyncio.sleep(0.5)
    began_ns = serial.now_ns()
    serial.send(REQUEST)
    end_ns = began_ns + len(REQUEST) * CHARACTER_NS
    assert serial.outgoing.sent_ns == end_ns
    assert serial.outgoing.quiet_ns(0) == end_ns + GAP_NS
    assert serial.outgoing.quiet_ns(end_ns + 5) == end_ns + 5 + GAP_NS
    assert serial.outgoing.quiet_ns(end_ns - 5) == end_ns + GAP_NS


async def test_a_request_that_was_taken_whole_leaves_nothing_behind(tcp: Bench, system: System) -> None:
    tcp.send(REQUEST)
    assert (system.taken, tcp.outgoing.tail, tcp.watched) == ([REQUEST], b"", False)
    assert tcp.outgoing.drop_unbegun() is False
    assert [(noted.direction, noted.data) for noted in tcp.trace] == [("tx", REQUEST)]


@pytest.mark.parametrize("room", [0, 1, 3, len(REQUEST) - 1])
async def test_what_is_not_taken_waits_and_follows_when_there_is_room(tcp: Bench, system: System, room: int) -> None:
    system.room = room
    tcp.send(REQUEST)
    assert (system.everything, tcp.outgoing.tail) == (REQUEST[:room], REQUEST[room:])
    system.room = 100
    await tcp.room()
    assert (system.everything, tcp.outgoing.tail, tcp.watched) == (REQUEST, b"", False)


@pytest.mark.parametrize("room", [0, 1, 6])
async def test_only_a_request_of_which_nothing_has_left_is_dropped(tcp: Bench, system: System, room: int) -> None:
    system.room = room
    tcp.send(REQUEST)
    assert tcp.outgoing.drop_unbegun() is (room == 0)
    assert tcp.outgoing.tail == (REQUEST[room:] if room else b"")
    assert tcp.watched is (room > 0)


async def test_what_has_begun_to_leave_later_is_not_dropped(tcp: Bench, system: System) -> None:
    system.room = 0
    tcp.send(REQUEST)
    system.room = 3
    await tcp.room()
    assert (tcp.outgoing.drop_unbegun(), tcp.outgoing.tail) == (False, REQUEST[3:])
    system.room = 100
    assert tcp.off_by_a_thread() is True
    assert system.everything == REQUEST + OFF + LONGER_OFF


async def test_a_part_that_leaves_later_counts_from_the_time_when_it_leaves(serial: Bench, system: System) -> None:
    system.room = 2
    serial.send(REQUEST)
    assert serial.outgoing.sent_ns == 2 * CHARACTER_NS
    await asyncio.sleep(0.5)
    system.room = 3
    await serial.room()
    assert system.everything == REQUEST[:5]
    assert serial.outgoing.sent_ns == 500_000_000 + 3 * CHARACTER_NS


async def test_a_part_that_leaves_at_once_follows_the_one_before_it_on_the_wire(serial: Bench, system: System) -> None:
    system.room = 2
    serial.send(REQUEST)
    system.room = 100
    await serial.room()
    assert (serial.now_ns(), system.everything) == (0, REQUEST)
    assert serial.outgoing.sent_ns == len(REQUEST) * CHARACTER_NS


async def test_a_request_that_is_held_back_waits_for_an_off(tcp: Bench, system: System) -> None:
    system.room = 2
    tcp.send(REQUEST)
    tcp.outgoing.hold_back()
    system.room = 100
    await tcp.room()
    assert (system.everything, tcp.outgoing.held_back, tcp.watched) == (REQUEST[:2], True, False)
    assert tcp.outgoing.send_offs(0) is True
    assert system.everything == REQUEST + OFF + LONGER_OFF
    assert (tcp.outgoing.held_back, tcp.outgoing.ends_with_offs, tcp.outgoing.tail) == (False, False, b"")


@pytest.mark.parametrize("waits", [False, True])
async def test_a_line_that_cannot_be_written_to_is_given_up(tcp: Bench, system: System, *, waits: bool) -> None:
    if waits:
        system.room = 2
        tcp.send(REQUEST)
    system.fails = OSError(32, "Broken pipe")
    if waits:
        assert tcp.outgoing.send_offs(0) is False
    else:
        tcp.send(REQUEST)
        assert tcp.outgoing.tail == b""
    assert tcp.ended == ["writing failed: Broken pipe"]


# every off


async def test_over_tcp_every_off_leaves_in_one_piece(tcp: Bench, system: System) -> None:
    assert tcp.outgoing.send_offs(0) is True
    assert (system.taken, tcp.clock.blocked_ns) == ([OFF + LONGER_OFF], [])
    assert tcp.outgoing.send_offs(0) is True
    assert system.taken == [OFF + LONGER_OFF] * 2
    assert [noted.data for noted in tcp.trace] == [OFF + LONGER_OFF] * 2


async def test_offs_that_wait_are_not_added_again(tcp: Bench, system: System) -> None:
    system.room = 5
    assert [tcp.outgoing.send_offs(0) for _ in range(3)] == [False] * 3
    assert tcp.outgoing.ends_with_offs
    assert tcp.outgoing.tail == (OFF + LONGER_OFF)[5:]
    system.room = 100
    await tcp.room()
    assert (system.everything, tcp.outgoing.ends_with_offs, tcp.watched) == (OFF + LONGER_OFF, False, False)


async def test_between_two_offs_lies_the_frame_before_and_a_gap(serial: Bench, system: System) -> None:
    await asyncio.sleep(0.5)
    assert serial.outgoing.send_offs(0) is True
    assert system.taken == [OFF, LONGER_OFF]
    assert serial.clock.blocked_ns == [0, len(OFF) * CHARACTER_NS + GAP_NS]
    assert serial.outgoing.ends_with_offs is False


async def test_an_off_waits_for_what_is_left_of_the_gap(serial: Bench, system: System) -> None:
    await asyncio.sleep(0.5)
    assert serial.outgoing.send_offs(serial.now_ns() - 7) is True
    assert serial.clock.blocked_ns[0] == GAP_NS - 7


@pytest.mark.parametrize("late_ns", [0, 7, NS_PER_S])
async def test_an_off_never_waits_longer_than_for_a_gap_and_its_own_frame(
    serial: Bench, system: System, late_ns: int
) -> None:
    most_ns = GAP_NS + len(OFF) * CHARACTER_NS
    await asyncio.sleep(0.5)
    assert serial.outgoing.send_offs(serial.now_ns() + len(OFF) * CHARACTER_NS + late_ns) is True
    assert serial.clock.blocked_ns[0] == most_ns


@pytest.mark.parametrize("room", [0, 2, len(OFF), len(OFF) + 3])
async def test_offs_with_gaps_of_which_the_rest_waits_are_not_added_again(
    serial: Bench, system: System, room: int
) -> None:
    await asyncio.sleep(0.5)
    system.room = room
    assert [serial.outgoing.send_offs(0) for _ in range(2)] == [False] * 2
    assert serial.outgoing.ends_with_offs
    assert system.everything + serial.outgoing.tail == OFF + LONGER_OFF
    system.room = 100
    await serial.room()
    assert (system.everything, serial.outgoing.ends_with_offs) == (OFF + LONGER_OFF, False)


async def test_a_frame_that_was_cut_is_completed_before_the_gap(serial: Bench, system: System) -> None:
    await asyncio.sleep(0.5)
    system.room = 2
    serial.send(REQUEST)
    system.room = 100
    assert serial.outgoing.send_offs(0) is True
    assert system.taken == [REQUEST[:2], REQUEST[2:], OFF, LONGER_OFF]


# the thread that stops in place of the loop


async def test_there_is_one_way_onto_a_line(tcp: Bench) -> None:
    assert tcp.outgoing.lost() is False
    stop = tcp.outgoing.stop_line()
    assert tcp.outgoing.stop_line() is stop
    assert tcp.outgoing.lost() is False


async def test_the_thread_waits_before_each_frame_for_a_gap_and_the_longest(serial: Bench, system: System) -> None:
    assert serial.off_by_a_thread() is True
    assert system.taken == [OFF, LONGER_OFF]
    assert system.waits_s == [(GAP_NS + len(LONGER_OFF) * CHARACTER_NS) / NS_PER_S] * 2


@pytest.mark.parametrize("framing", [TcpFraming(), LineFraming(SerialLine("/dev/x", 9600, scheme="line:"))])
async def test_where_frames_need_no_gap_the_thread_sends_them_in_one_piece(
    clock: Clock, system: System, framing: Framing
) -> None:
    bench = Bench(clock, framing, OFF, LONGER_OFF)
    assert bench.off_by_a_thread() is True
    assert (system.taken, system.waits_s) == ([OFF + LONGER_OFF], [])
    bench.close()


async def test_without_an_off_the_thread_only_completes_what_was_begun(clock: Clock, system: System) -> None:
    bench = Bench(clock, RtuFraming(SERIAL))
    system.room = 2
    bench.send(REQUEST)
    system.room = 100
    assert bench.off_by_a_thread() is True
    assert (system.taken, system.waits_s) == ([REQUEST[:2], REQUEST[2:]], [GAP_NS / NS_PER_S])
    bench.close()


@pytest.mark.parametrize("room", [0, 1, 6, 7])
async def test_the_thread_completes_a_frame_only_if_a_part_of_it_has_left(
    tcp: Bench, system: System, room: int
) -> None:
    system.room = room
    tcp.send(REQUEST)
    system.room = 100
    assert tcp.off_by_a_thread() is True
    assert system.everything == (REQUEST if room else b"") + OFF + LONGER_OFF


async def test_offs_of_which_nothing_has_left_leave_once_by_the_thread(tcp: Bench, system: System) -> None:
    system.room = 0
    assert tcp.outgoing.send_offs(0) is False
    system.room = 100
    assert tcp.off_by_a_thread() is True
    assert system.everything == OFF + LONGER_OFF


async def test_after_a_frame_was_completed_the_next_one_has_not_begun(tcp: Bench, system: System) -> None:
    system.room = 2
    tcp.send(REQUEST)
    system.room = 100
    await tcp.room()
    system.room = 0
    tcp.send(REQUEST)
    assert tcp.outgoing.drop_unbegun() is True


async def test_after_the_thread_nothing_more_is_written(tcp: Bench, system: System) -> None:
    assert tcp.off_by_a_thread() is True
    taken = list(system.taken)
    tcp.send(REQUEST)
    assert tcp.outgoing.send_offs(0) is False
    assert system.taken == taken
    assert set(tcp.ended) == {"stopped by the STOP thread, because the event loop did not answer"}
    assert [noted.data for noted in tcp.trace] == [OFF + LONGER_OFF]  # of the off that was asked for


async def test_a_line_that_ended_is_watched_no_more_and_has_no_second_way(tcp: Bench, system: System) -> None:
    system.room = 2
    tcp.send(REQUEST)
    stop = tcp.outgoing.stop_line()
    tcp.outgoing.retire()
    assert (tcp.watched, stop.off(), stop.another()) == (False, False, None)
