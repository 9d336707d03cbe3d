"""Transactions over a real socket: one in flight, a reply only for its own request, dirty until drained."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import BadReply, ConfigError, LinkClosed, LinkTimeout, RefusedError
from rfctl.link.link import Link
from rfctl.link.modbus import ModbusRefused, TcpFraming, read_input, registers_in, write
from rfctl.link.port import open_port
from rfctl.model.permit import Intent
from rfctl.profile.profile import load
from tests.modbus_peer import ModbusPeer, Request, frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rfctl.clock import Clock

TABLE = load("rfctl-reference").write_table()
ALL_OFF = write(0, b"\0\1")
ONE = read_input(66, 1)
TWO = read_input(66, 2)
REPLY_NS = 100 * NS_PER_MS


@asynccontextmanager
async def connected(clock: Clock) -> AsyncIterator[tuple[Link, ModbusPeer]]:
    async with ModbusPeer() as peer:
        peer.input = {66: 0xAAAA, 67: 0xBBBB}
        link = await Link.open(peer.address, TcpFraming(), clock, reply_ns=REPLY_NS)
        try:
            link.load(TABLE, (ALL_OFF,))
            yield link, peer
        finally:
            link.close()


async def read(link: Link, request: bytes = ONE) -> bytes:
    return registers_in(await link.transact(request, Intent.READ, unit=1))


async def test_a_read_returns_the_registers_and_says_when_they_arrived(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        await asyncio.sleep(0.5)
        assert await read(link, TWO) == b"\xaa\xaa\xbb\xbb"
        assert link.received_ns == clock.monotonic_ns()
        assert [request.pdu for request in peer.requests] == [TWO]
        assert [(traced.direction, traced.data[7:]) for traced in link.trace] == [
            ("tx", TWO),
            ("rx", b"\x04\x04\xaa\xaa\xbb\xbb"),
        ]


async def test_two_thousand_transactions_have_no_time_out_and_no_stale_reply(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        peer.answer = lambda request: [frame(request, b"\x04\x02" + request.transaction.to_bytes(2, "big"))]
        for number in range(1, 2001):
            assert await read(link) == number.to_bytes(2, "big")
        assert link.stale_replies == 0


async def test_a_reply_may_come_byte_by_byte(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        peer.answer = lambda request: [bytes([byte]) for byte in frame(request, peer.reply(request.pdu))]
        for _ in range(3):
            assert await read(link, TWO) == b"\xaa\xaa\xbb\xbb"


async def test_two_frames_in_one_segment_are_told_apart(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        peer.answer = lambda request: [
            frame(request, b"\x04\x02\xde\xad", transaction=request.transaction + 7)
            + frame(request, peer.reply(request.pdu))
            + frame(request, b"\x04\x02\xbe\xef")
        ]
        for _ in range(3):
            assert await read(link) == b"\xaa\xaa"
        assert link.stale_replies == 6


@pytest.mark.requirement("link.own-reply")
async def test_a_late_reply_is_never_the_answer_to_a_newer_request(clock: Clock) -> None:
    late: list[Request] = []

    def hold_back(request: Request) -> list[bytes]:
        late.append(request)
        return []

    async with connected(clock) as (link, peer):
        peer.answer = hold_back
        started_ns = clock.monotonic_ns()
        with pytest.raises(LinkTimeout, match="no reply within 100 ms to 0400420001"):
            await read(link)
        assert clock.monotonic_ns() - started_ns == REPLY_NS
        assert link.dirty
        peer.answer = lambda request: [frame(late[0], b"\x04\x02\xde\xad"), frame(request, peer.reply(request.pdu))]
        assert await read(link) == b"\xaa\xaa"
        assert link.stale_replies == 1


async def test_a_late_reply_ends_the_drain_at_once(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        peer.answer = lambda request: []
        with pytest.raises(LinkTimeout):
            await read(link)
        late = peer.requests[0]
        peer.answer = lambda request: [frame(request, peer.reply(request.pdu))]
        after = asyncio.create_task(read(link))
        await asyncio.sleep(0.01)
        assert len(peer.requests) == 1  # still draining: nothing new has been sent
        sent_ns = clock.monotonic_ns()
        await peer.send(frame(late, b"\x04\x02\xde\xad"))
        assert await after == b"\xaa\xaa"
        assert clock.monotonic_ns() - sent_ns < 10 * NS_PER_MS


async def test_without_a_late_reply_the_drain_lasts_one_reply_deadline(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        faithful, peer.answer = peer.answer, lambda request: []
        with pytest.raises(LinkTimeout):
            await read(link)
        peer.answer = faithful
        started_ns = clock.monotonic_ns()
        assert await read(link) == b"\xaa\xaa"
        assert REPLY_NS <= clock.monotonic_ns() - started_ns < REPLY_NS + 10 * NS_PER_MS
        assert not link.dirty


async def test_a_link_at_rest_leaves_nothing_behind_that_would_wake_the_loop(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []
    call_at = loop.call_at

    def watched(*args: Any, **more: Any) -> asyncio.TimerHandle:
        timers.append(call_at(*args, **more))
        return timers[-1]

    async with connected(clock) as (link, _):
        monkeypatch.setattr(loop, "call_at", watched)
        await read(link)
        alarms = [timer for timer in timers if timer.when() == loop.time() + REPLY_NS / NS_PER_S]
        assert [alarm.cancelled() for alarm in alarms] == [False]
        link.rest()
        assert [alarm.cancelled() for alarm in alarms] == [True]


async def test_after_a_rest_a_deadline_holds_as_before(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        await read(link)
        link.rest()
        peer.answer = lambda _: []
        began_ns = clock.monotonic_ns()
        with pytest.raises(LinkTimeout):
            await read(link)
        assert clock.monotonic_ns() - began_ns == REPLY_NS


async def test_there_are_no_hidden_retries(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        peer.answer = lambda request: []
        with pytest.raises(LinkTimeout):
            await read(link)
        await asyncio.sleep(10)
        assert len(peer.requests) == 1


async def test_after_a_cancelled_request_its_reply_is_not_believed(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        peer.answer = lambda request: []
        pending = asyncio.create_task(read(link))
        await peer.arrived(1)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
        assert link.dirty
        first = peer.requests[0]
        peer.answer = lambda request: [frame(first, b"\x04\x02\xde\xad") + frame(request, peer.reply(request.pdu))]
        assert await read(link) == b"\xaa\xaa"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda request, good: frame(request, good, unit=2), "unit 2"),
        (lambda request, good: frame(request, b"\x03" + good[1:]), "function 3"),
        (lambda request, good: frame(request, b"\x04\x04\xaa\xaa\xbb\xbb"), "1 registers asked for"),
        (lambda request, good: frame(request, good[:-1]), "1 registers asked for"),
        (lambda request, good: b"\xff" * 12, "protocol 65535"),
        (lambda request, good: b"HTTP/1.1 400 Bad Request\r\n", "protocol 21584"),
    ],
)
@pytest.mark.requirement("link.faulted-replies")
async def test_a_reply_that_does_not_fit_is_refused_and_the_link_recovers(
    clock: Clock, wrong: object, says: str
) -> None:
    assert callable(wrong)
    async with connected(clock) as (link, peer):
        faithful = peer.answer
        peer.answer = lambda request: [wrong(request, peer.reply(request.pdu))]
        with pytest.raises(BadReply, match=says):
            await read(link)
        assert link.dirty
        peer.answer = faithful
        assert await read(link) == b"\xaa\xaa"


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00",
        b"\xff" * 12,
        b"HTTP/1.1 400 Bad Request\r\n",
        bytes.fromhex("0001000000fe01"),  # looks like the start of a long frame
        bytes.fromhex("00070000000501"),  # and this like that of one which would end inside the reply
    ],
)
@pytest.mark.parametrize("apart", [False, True])
async def test_noise_before_a_reply_costs_no_second_request(clock: Clock, noise: bytes, *, apart: bool) -> None:
    async with connected(clock) as (link, peer):
        peer.answer = lambda request: (
            [noise, frame(request, peer.reply(request.pdu))]
            if apart
            else [noise + frame(request, peer.reply(request.pdu)) + noise]
        )
        for number in range(3):
            started_ns = clock.monotonic_ns()
            assert await read(link) == b"\xaa\xaa"
            assert clock.monotonic_ns() - started_ns <= NS_PER_MS  # the pieces themselves are a millisecond apart
            assert len(peer.requests) == number + 1
            await asyncio.sleep(0.01)
        assert link.stray_bytes or link.stale_replies


async def test_a_frame_that_is_cut_short_is_a_time_out_and_its_rest_is_not_believed(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        faithful = peer.answer
        peer.answer = lambda request: [frame(request, peer.reply(request.pdu))[:-1]]
        with pytest.raises(LinkTimeout):
            await read(link)
        peer.answer = faithful
        assert await read(link) == b"\xaa\xaa"
        await peer.send(b"\xaa")
        await asyncio.sleep(0.01)
        assert await read(link, TWO) == b"\xaa\xaa\xbb\xbb"


async def test_a_line_that_babbles_on_is_given_up(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        peer.answer = lambda request: [b"\xff" * 12] * 2000
        with pytest.raises(BadReply):
            await read(link)
        started_ns = clock.monotonic_ns()
        with pytest.raises(LinkTimeout, match="not fallen silent for 4 reply deadlines"):
            await read(link)
        assert clock.monotonic_ns() - started_ns < 5 * REPLY_NS


async def test_unasked_bytes_while_idle_are_not_believed_later(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        await read(link)
        await peer.send(frame(Request(2, 1, ONE), b"\x04\x02\xde\xad"))  # the number of the next request
        await asyncio.sleep(0.01)
        assert await read(link) == b"\xaa\xaa"
        assert link.stale_replies == 1


async def test_a_refused_write_is_typed_and_leaves_the_link_clean(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        peer.answer = lambda request: [frame(request, bytes([request.pdu[0] | 0x80, 6]))]
        with pytest.raises(ModbusRefused, match="exception 06") as caught:
            await link.transact(write(1, b"\0\7"), Intent.CONFIG, unit=1)
        assert (caught.value.code, caught.value.where) == (6, peer.address)
        assert not link.dirty


async def test_a_closed_socket_ends_the_request_and_the_link_for_ever(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        peer.answer = lambda request: []
        pending = asyncio.create_task(read(link))
        await peer.arrived(1)
        peer.hang_up()
        with pytest.raises(LinkClosed, match="closed by the generator"):
            await pending
        assert link.closed
        with pytest.raises(LinkClosed, match="closed by the generator"):
            await read(link)
        assert link.off() is False


async def test_a_connection_reset_ends_the_request(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        link = await Link.open(f"tcp:127.0.0.1:{listening.getsockname()[1]}", TcpFraming(), clock)
        theirs, _ = listening.accept()
        pending = asyncio.create_task(read(link))
        await asyncio.sleep(0)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with pytest.raises(LinkClosed, match="reading failed: Connection reset by peer"):
            await pending


async def test_nothing_is_sent_over_a_link_that_was_closed_while_idle(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        await read(link)
        link.close()
        started_ns = clock.monotonic_ns()
        with pytest.raises(LinkClosed, match="closed by this side"):
            await read(link)
        assert clock.monotonic_ns() == started_ns
        assert len(peer.requests) == 1


async def test_a_second_request_at_the_same_time_is_an_error_and_is_not_sent(clock: Clock) -> None:
    async with connected(clock) as (link, peer):
        first = asyncio.create_task(read(link))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one caller"):
            await read(link)
        assert await first == b"\xaa\xaa"
        assert len(peer.requests) == 1


async def test_without_a_table_a_link_only_reads(clock: Clock) -> None:
    async with ModbusPeer() as peer:
        link = await Link.open(peer.address, TcpFraming(), clock)
        with pytest.raises(RefusedError):
            await link.transact(ALL_OFF, Intent.OFF, unit=1)
        assert link.off() is False
        assert await read(link) == b"\0\0"
        assert peer.writes == []
        link.close()
        link.close()


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ((), "0 off frames"),
        ((write(18, b"\0\0"),), "does config, not off"),
        ((write(36, b"\0\0"),), "off frame 1: register 36"),
        ((ALL_OFF, write(16, b"\0\1")), "off frame 2 .* does energise"),
        ((write(16, b"\0\0"), ALL_OFF), "turns only command of channel 1 off"),
    ],
)
async def test_off_frames_that_are_none_are_refused_at_load(clock: Clock, frames: tuple[bytes, ...], says: str) -> None:
    async with ModbusPeer() as peer:
        link = await Link.open(peer.address, TcpFraming(), clock)
        with pytest.raises(ConfigError, match=says):
            link.load(TABLE, frames)
        assert link.off() is False
        link.close()


async def test_the_table_is_set_once(clock: Clock) -> None:
    async with connected(clock) as (link, _):
        with pytest.raises(ConfigError, match="set once"):
            link.load(TABLE, (ALL_OFF,))


async def test_an_absent_port_names_address_and_remedy(clock: Clock) -> None:
    async with ModbusPeer() as peer:
        address = peer.address
    with pytest.raises(LinkClosed, match=r"cannot connect: Connection refused.*sim serve") as caught:
        await Link.open(address, TcpFraming(), clock)
    assert caught.value.where == address


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("serial:/dev/ttyUSB0", r"unknown kind of link 'serial'\. Valid: .*rtu, rtutcp, tcp\."),
        ("127.0.0.1:502", "unknown kind of link '127.0.0.1'"),
        ("tcp:127.0.0.1", "Write tcp:HOST:PORT"),
        ("tcp::502", "Write tcp:HOST:PORT"),
        ("tcp:127.0.0.1:0", "Write tcp:HOST:PORT"),
        ("tcp:127.0.0.1:65536", "Write tcp:HOST:PORT"),
        ("tcp:127.0.0.1:http", "Write tcp:HOST:PORT"),
    ],
)
async def test_what_is_no_address_is_a_configuration_error(clock: Clock, address: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        await open_port(address, clock)


async def test_a_host_may_be_a_name(clock: Clock) -> None:
    async with ModbusPeer() as peer:
        port = peer.address.rpartition(":")[2]
        link = await Link.open(f"tcp:localhost:{port}", TcpFraming(), clock)
        assert await read(link) == b"\0\0"
        link.close()
