"""Transactions over a real pty: a reply only for its own request, resynchronised among noise, dirty until silent."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import termios
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import BadReply, ConfigError, LinkClosed, LinkPreempted, LinkTimeout
from rfctl.link.link import Link
from rfctl.link.modbus import ModbusRefused, read_input, registers_in, write
from rfctl.link.port import open_port
from rfctl.link.rtu import RtuFraming
from rfctl.model.permit import Intent
from rfctl.profile.profile import load
from rfctl.station.connection import framing_of
from tests.serial_peer import SerialPeer, Unpluggable, framed, serial_peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rfctl.clock import Clock

TABLE = load("rfctl-reference").write_table()
ALL_OFF = write(0, b"\0\1")
OWNER = write(1, b"\0\7")
ONE = read_input(66, 1)
TWO = read_input(66, 2)
STATUS = read_input(64, 70)
REPLY_NS = 30 * NS_PER_MS


@pytest.fixture
async def peer(clock: Clock) -> AsyncIterator[Unpluggable]:
    with serial_peer(clock.monotonic_ns) as unit:
        unit.input = {66: 0xAAAA, 67: 0xBBBB}
        yield unit


@contextmanager
def linked(descriptor: int, peer: SerialPeer, clock: Clock) -> Iterator[Link]:
    link = Link(descriptor, RtuFraming(peer.line), clock, address=peer.address, reply_ns=REPLY_NS)
    link.load(TABLE, (ALL_OFF,))
    try:
        yield link
    finally:
        link.close()


@pytest.fixture
async def link(peer: Unpluggable, clock: Clock) -> AsyncIterator[Link]:
    """On a line that has been used already, so that it is not dirty any more."""
    with linked(await open_port(peer.address, clock), peer, clock) as opened:
        await read(opened)
        peer.requests.clear()
        peer.arrived_ns.clear()
        yield opened


async def read(link: Link, request: bytes = ONE) -> bytes:
    return registers_in(await link.transact(request, Intent.READ, unit=1))


async def test_ten_thousand_transactions_have_no_time_out(link: Link, peer: Unpluggable) -> None:
    for number in range(10_000):
        peer.input[66] = number
        assert await read(link, STATUS if number % 10 == 0 else ONE) != b""
    assert len(peer.requests) == 10_000
    assert (link.stale_replies, link.stray_bytes) == (0, 0)


async def test_a_reply_may_come_byte_by_byte(link: Link, peer: Unpluggable) -> None:
    peer.answer = lambda request: [bytes([byte]) for byte in framed(1, peer.reply(request))]
    assert await read(link, TWO) == b"\xaa\xaa\xbb\xbb"


@pytest.mark.parametrize("noise", [b"\x00", b"\xff", b"\x01", b"\x01\x04"])
async def test_a_stray_byte_before_a_reply_costs_no_second_request(link: Link, peer: Unpluggable, noise: bytes) -> None:
    peer.answer = lambda request: [noise + framed(1, peer.reply(request))]
    assert await read(link) == b"\xaa\xaa"
    peer.answer = lambda request: [noise, framed(1, peer.reply(request))]
    assert await read(link, TWO) == b"\xaa\xaa\xbb\xbb"
    assert peer.requests == [ONE, TWO]


@pytest.mark.parametrize("noise", [b"\x00", b"\x01\x04\x02\xaa"])
async def test_noise_behind_a_reply_does_not_hold_up_the_next_request(
    link: Link, peer: Unpluggable, clock: Clock, noise: bytes
) -> None:
    peer.answer = lambda request: [framed(1, peer.reply(request)) + noise]
    await read(link)
    started_ns = clock.monotonic_ns()
    await read(link)
    assert clock.monotonic_ns() - started_ns < 4 * NS_PER_MS  # the gap, and the millisecond that the reply takes here
    assert link.stray_bytes == 2 * len(noise)


async def test_a_late_frame_of_a_neighbour_is_passed_over(link: Link, peer: Unpluggable) -> None:
    late = framed(2, b"\x04\x02\xde\xad")
    peer.answer = lambda request: [late, framed(1, peer.reply(request))]
    assert await read(link) == b"\xaa\xaa"
    peer.answer = lambda request: [late + framed(1, peer.reply(request))]
    assert await read(link) == b"\xaa\xaa"
    assert peer.requests == [ONE, ONE]


async def test_a_stray_byte_while_idle_costs_nothing(link: Link, peer: Unpluggable, clock: Clock) -> None:
    peer.send(b"\x01")
    await asyncio.sleep(0.01)
    started_ns = clock.monotonic_ns()
    assert await read(link) == b"\xaa\xaa"
    assert clock.monotonic_ns() - started_ns < 2 * NS_PER_MS
    assert (peer.requests, link.stray_bytes) == ([ONE], 1)


async def test_a_silent_gap_stands_before_each_request(link: Link, peer: Unpluggable, clock: Clock) -> None:
    for _ in range(3):
        await read(link)
        replied_ns = clock.monotonic_ns()
        await read(link)
        assert peer.arrived_ns[-1] - replied_ns == peer.line.gap_ns
        await asyncio.sleep(0.05)


async def test_the_deadline_is_the_wire_time_on_top_of_the_generators(
    link: Link, peer: Unpluggable, clock: Clock
) -> None:
    peer.answer = lambda request: []
    await asyncio.sleep(0.01)
    started_ns = clock.monotonic_ns()
    with pytest.raises(LinkTimeout, match=r"no reply within 45\.03 ms to 0400400046"):
        await read(link, STATUS)
    wire_ns = (8 + 145) * peer.line.character_ns + peer.line.gap_ns
    assert clock.monotonic_ns() - started_ns == pytest.approx(REPLY_NS + wire_ns, abs=1)


async def test_a_late_reply_is_never_the_answer_to_a_newer_request(link: Link, peer: Unpluggable, clock: Clock) -> None:
    faithful, peer.answer = peer.answer, lambda request: []
    with pytest.raises(LinkTimeout):
        await read(link)
    assert link.dirty
    peer.answer = faithful
    after = asyncio.create_task(read(link))
    await asyncio.sleep(0.02)
    peer.send(framed(1, b"\x04\x02\xde\xad"))  # it would fit the new request bit for bit
    late_ns = clock.monotonic_ns()
    assert await after == b"\xaa\xaa"
    assert peer.arrived_ns[-1] - late_ns >= REPLY_NS
    assert link.stray_bytes == 7


async def test_after_a_cancelled_request_its_reply_is_not_believed(link: Link, peer: Unpluggable) -> None:
    faithful, peer.answer = peer.answer, lambda request: []
    pending = asyncio.create_task(read(link))
    await asyncio.sleep(0.005)
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending
    peer.answer = faithful
    peer.send(framed(1, b"\x04\x02\xde\xad"))
    assert await read(link) == b"\xaa\xaa"
    assert len(peer.requests) == 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (framed(2, b"\x04\x02\xaa\xaa"), "unit 2 to a request to unit 1"),
        (framed(1, b"\x03\x02\xaa\xaa"), "function 3 to a request of function 4"),
        (framed(1, b"\x04\x04\xaa\xaa\xbb\xbb"), "1 registers asked for, count 04"),
        (b"\x01\x04\x02\xaa\xaa\x00\x00", "check sum 0000 of 010402aaaa0000 is wrong"),
    ],
)
async def test_a_reply_that_does_not_fit_is_refused_and_the_link_recovers(
    link: Link, peer: Unpluggable, wrong: bytes, says: str
) -> None:
    faithful, peer.answer = peer.answer, lambda request: [wrong]
    with pytest.raises(BadReply, match=says):
        await read(link)
    assert link.dirty
    peer.answer = faithful
    assert await read(link) == b"\xaa\xaa"


async def test_noise_instead_of_a_reply_is_shown_in_the_time_out(link: Link, peer: Unpluggable) -> None:
    peer.answer = lambda request: [b"\x55\x66"]
    with pytest.raises(LinkTimeout, match="what came instead: 5566"):
        await read(link)
    assert link.dirty


async def test_an_exception_is_typed_and_leaves_the_link_clean(link: Link, peer: Unpluggable) -> None:
    peer.answer = lambda request: [framed(1, bytes([request[0] | 0x80, 6]))]
    with pytest.raises(ModbusRefused, match="exception 06"):
        await link.transact(OWNER, Intent.CONFIG, unit=1)
    assert not link.dirty


async def test_a_new_link_believes_nothing_before_the_line_was_silent(peer: Unpluggable, clock: Clock) -> None:
    with linked(await open_port(peer.address, clock), peer, clock) as link:
        assert link.dirty
        pending = asyncio.create_task(read(link))
        await asyncio.sleep(0.001)
        peer.send(framed(1, b"\x04\x02\xde\xad"))
        assert await pending == b"\xaa\xaa"


# off


async def test_off_overtakes_a_request_and_is_sent_twice(link: Link, peer: Unpluggable) -> None:
    faithful, peer.answer = peer.answer, lambda request: []
    pending = asyncio.create_task(read(link))
    await asyncio.sleep(0.005)
    peer.answer = faithful
    assert link.off() is True
    with pytest.raises(LinkPreempted):
        await pending
    assert link.dirty
    assert await read(link) == b"\xaa\xaa"
    assert peer.requests == [ONE, ALL_OFF, ALL_OFF, ONE]
    assert link.stray_bytes == 16  # the two echoes


async def test_off_overtakes_the_wait_for_the_gap(link: Link, peer: Unpluggable) -> None:
    await read(link)
    pending = asyncio.create_task(link.transact(OWNER, Intent.CONFIG, unit=1))
    await asyncio.sleep(0.0005)
    assert link.off() is True
    with pytest.raises(LinkPreempted):
        await pending
    await asyncio.sleep(0.05)
    assert peer.requests == [ONE, ALL_OFF, ALL_OFF]


class WatchedClock:
    """The test's clock, on which waits that hold up the thread are noted and take their time."""

    scale = "virtual"

    def __init__(self, clock: Clock) -> None:
        self.hold, self.expect = clock.hold, clock.expect
        self.boottime_ns, self.utc = clock.boottime_ns, clock.utc
        self.blocked_ns: list[int] = []
        self._monotonic_ns = clock.monotonic_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns() + sum(self.blocked_ns)

    def block(self, for_ns: int) -> None:
        self.blocked_ns.append(max(0, for_ns))


async def test_each_off_frame_stands_alone_and_the_first_leaves_an_idle_line_at_once(
    peer: Unpluggable, clock: Clock
) -> None:
    watched = WatchedClock(clock)
    with linked(await open_port(peer.address, clock), peer, watched) as link:
        await asyncio.sleep(0.01)
        link.off()
        frame_ns = 8 * peer.line.character_ns
        assert watched.blocked_ns == [0, frame_ns + peer.line.gap_ns]
        link.off()  # right behind the others
        assert watched.blocked_ns[2:] == [frame_ns + peer.line.gap_ns] * 2


async def test_off_never_waits_longer_than_a_gap_and_a_frame(peer: Unpluggable, clock: Clock) -> None:
    watched = WatchedClock(clock)
    with linked(await open_port(peer.address, clock), peer, watched) as link:
        link.off()
        await read(link)
        watched.blocked_ns.clear()
        long_write = asyncio.create_task(link.transact(write(19, bytes(16)), Intent.CONFIG, unit=1))
        await asyncio.sleep(0.002)
        link.off()
        with pytest.raises(LinkPreempted):
            await long_write
        most_ns = 8 * peer.line.character_ns + peer.line.gap_ns
        assert watched.blocked_ns[0] == most_ns < 2.5 * NS_PER_MS  # 25 bytes of the request still leave


# over TCP


async def test_frames_of_a_serial_line_travel_over_tcp(clock: Clock) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while request := await reader.readexactly(8):
                assert request == framed(1, ONE)
                writer.write(b"\xff" + framed(1, b"\x04\x02\xaa\xaa"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"rtutcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        link = await Link.open(address, framing_of(address), clock, reply_ns=REPLY_NS)
        assert await read(link) == b"\xaa\xaa"
        started_ns = clock.monotonic_ns()
        for _ in range(100):
            assert await read(link) == b"\xaa\xaa"
        assert clock.monotonic_ns() == started_ns  # no gap between frames
        link.close()
        await asyncio.sleep(0.001)


async def test_a_doubled_reply_over_tcp_is_not_the_answer_to_the_next_request(clock: Clock) -> None:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.settimeout(0.0)
    link = Link(ours.detach(), RtuFraming(), clock, address="pair", reply_ns=REPLY_NS)
    for value, silent_s in ((b"\xaa\xaa", REPLY_NS / NS_PER_S), (b"\xbb\xbb", 0.0)):
        pending = asyncio.create_task(read(link))
        await asyncio.sleep(silent_s + 0.001)
        assert theirs.recv(100) == framed(1, ONE)
        theirs.send(framed(1, b"\x04\x02" + value))
        assert await pending == value
        theirs.send(framed(1, b"\x04\x02" + value))  # the loop has no chance to see it before the next request
    assert link.stray_bytes == 7
    link.close()
    theirs.close()


async def test_an_address_over_tcp_that_is_none_says_how_to_write_it(clock: Clock) -> None:
    with pytest.raises(ConfigError, match="Write rtutcp:HOST:PORT"):
        await open_port("rtutcp:/dev/ttyS0", clock)


# the port


async def test_an_unplugged_port_ends_the_request_and_the_link_for_ever(link: Link, peer: Unpluggable) -> None:
    peer.answer = lambda request: []
    pending = asyncio.create_task(read(link))
    await asyncio.sleep(0.005)
    peer.unplug()
    with pytest.raises(LinkClosed, match="closed by the generator, or unplugged"):
        await pending
    assert link.closed
    assert link.off() is False


async def test_an_absent_port_is_named_with_its_remedy(clock: Clock) -> None:
    with pytest.raises(
        LinkClosed, match=r"there is no such port\. Check that it is plugged in; 'rfctl ports'"
    ) as caught:
        await open_port("rtu:/dev/no-such-port", clock)
    assert caught.value.where == "rtu:/dev/no-such-port"


async def test_what_is_no_port_is_refused(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LinkClosed, match="Check that it is a serial port"):
        await open_port(f"rtu:{tmp_path}/file", clock)


async def test_an_occupied_port_names_its_holder(link: Link, peer: Unpluggable, clock: Clock) -> None:
    del link  # has it open
    with pytest.raises(LinkClosed, match=rf"the port is in use by process {os.getpid()} \(this one\)\. End that"):
        await open_port(peer.address, clock)


HOLDER = """
import sys, serial
port = serial.Serial(sys.argv[1], exclusive=True)
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: str) -> Iterator[int]:
    """Another process has the port open. Its id."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield process.pid
        process.communicate()


async def test_an_occupied_port_names_the_program_of_another_process(peer: Unpluggable, clock: Clock) -> None:
    with held(peer.line.path) as pid:
        named = re.escape(f"in use by process {pid} ({sys.executable}")
        with pytest.raises(LinkClosed, match=named):
            await open_port(peer.address, clock)
    os.close(await open_port(peer.address, clock))


async def test_the_port_is_raw_exclusive_and_set_as_its_address_says(peer: Unpluggable, clock: Clock) -> None:
    descriptor = await open_port(f"rtu:{peer.line.path}?baud=38400&stopbits=2", clock)
    try:
        _, output, control, local, speed, _, characters = termios.tcgetattr(descriptor)
        assert speed == termios.B38400
        assert control & termios.CSTOPB
        assert not local & (termios.ICANON | termios.ECHO)
        assert not output & termios.OPOST
        assert characters[termios.VMIN] == 1  # so that a read of nothing is told from the end of the port
        with pytest.raises(BlockingIOError):
            os.read(descriptor, 1)
    finally:
        os.close(descriptor)
