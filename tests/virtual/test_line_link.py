"""The link over lines that a test answers: late, cut, doubled and corrupted replies, and events in between."""

from __future__ import annotations

import asyncio
import random
import re
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import BadReply, LinkError, LinkPreempted, LinkTimeout, RefusedError
from rfctl.link.line import EVENT, REPLY, Event, LineFraming, LineRefused, framed
from rfctl.link.link import Link
from rfctl.model.permit import Intent
from rfctl_line.table import TABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rfctl.clock import Clock

REPLY_NS = 30 * NS_PER_MS
REQUEST = re.compile(rb">([0-9A-F]{4}) ([^*]*)\*[0-9A-F]{4}\r\n")
FAULTS_AT_ONCE = 3000

Pieces = list[tuple[float, bytes]]


class LinePeer:
    """The generator's end of a line. ``answer`` may be replaced: it makes pieces, each with its delay in s.

    Each request is answered with a value of its own, so that a reply believed for another request shows.
    """

    def __init__(self, ours: socket.socket) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self.asked = 0
        self.answer: Callable[[int, bytes], Pieces] = lambda number, body: [(0.001, self.reply(number, body))]
        self._ours = ours
        self._received = b""

    def reply(self, number: int, body: bytes) -> bytes:
        """The answer of a faithful generator: what was asked for is the count of requests."""
        verb = body.partition(b" ")[0]
        return framed(REPLY, number, b"OK GET owner=%d" % self.asked if verb == b"GET" else b"OK " + verb)

    def send(self, data: bytes) -> None:
        self._ours.send(data)

    def on_readable(self) -> None:
        self._received += self._ours.recv(4096)
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            found = REQUEST.fullmatch(line + b"\n")
            assert found is not None, line
            number, body = int(found[1], 16), found[2]
            self.heard.append((number, body))
            self.asked += 1
            for delay_s, piece in self.answer(number, body):
                asyncio.get_running_loop().call_later(delay_s, self.send, piece)


@asynccontextmanager
async def connected(clock: Clock) -> AsyncIterator[tuple[Link, LinePeer, LineFraming]]:
    theirs, ours = socket.socketpair()
    theirs.settimeout(0.0)
    ours.settimeout(0.0)
    peer, framing = LinePeer(ours), LineFraming()
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, peer.on_readable)
    link = Link(theirs.detach(), framing, clock, address="linetcp:test:1", reply_ns=REPLY_NS)
    try:
        link.load(TABLE, (b"OFF",))
        yield link, peer, framing
    finally:
        loop.remove_reader(ours)
        link.close()
        await asyncio.sleep(0.1)
        ours.close()


async def read(link: Link) -> int:
    reply = await link.transact(b"GET 0", Intent.READ, unit=TABLE.unit)
    return int(reply.partition(b"owner=")[2])


async def test_a_request_and_its_reply_are_one_line_each(clock: Clock) -> None:
    async with connected(clock) as (link, peer, _):
        assert await read(link) == 1
        assert peer.heard == [(1, b"GET 0")]
        assert next(traced.data for traced in link.trace) == framed(b">", 1, b"GET 0")


async def test_events_between_request_and_reply_are_put_aside_and_cost_no_time(clock: Clock) -> None:
    async with connected(clock) as (link, peer, framing):
        event = framed(EVENT, 1, b"LEASE expired")
        peer.answer = lambda number, body: [(0.001, event + peer.reply(number, body) + framed(EVENT, 2, b"OWNER 0"))]
        began_ns = clock.monotonic_ns()
        assert await read(link) == 1
        assert clock.monotonic_ns() - began_ns == NS_PER_MS
        assert list(framing.events) == [Event(1, "LEASE expired"), Event(2, "OWNER 0")]
        assert not link.dirty


async def test_an_event_with_the_number_of_a_request_is_not_its_reply(clock: Clock) -> None:
    async with connected(clock) as (link, peer, framing):
        peer.answer = lambda number, body: [(0.001, framed(EVENT, number, b"OK GET owner=99"))]
        with pytest.raises(LinkTimeout):
            await read(link)
        assert list(framing.events) == [Event(1, "OK GET owner=99")]


async def test_half_an_event_delays_a_reply_by_nothing(clock: Clock) -> None:
    async with connected(clock) as (link, peer, framing):
        event = framed(EVENT, 1, b"LEASE expired")
        peer.answer = lambda number, body: [(0.001, event[:9]), (0.002, event[9:] + peer.reply(number, body))]
        assert await read(link) == 1
        assert len(framing.events) == 1


async def test_noise_before_a_reply_costs_no_second_request(clock: Clock) -> None:
    async with connected(clock) as (link, peer, framing):
        peer.answer = lambda number, body: [(0.001, b"\x00\xff<00" + peer.reply(number, body))]
        assert await read(link) == 1
        assert (len(peer.heard), framing.dropped) == (1, 5)


async def test_a_late_reply_is_dropped_and_counted(clock: Clock) -> None:
    async with connected(clock) as (link, peer, _):
        peer.answer = lambda number, body: [(0.031, peer.reply(number, body))]
        with pytest.raises(LinkTimeout, match="no reply within 30 ms"):
            await read(link)
        assert link.dirty
        peer.answer = lambda number, body: [(0.001, peer.reply(number, body))]
        assert await read(link) == 2
        assert link.stale_replies == 1


async def test_a_refusal_is_a_refusal_and_leaves_the_link_clean(clock: Clock) -> None:
    async with connected(clock) as (link, peer, _):
        peer.answer = lambda number, body: [(0.001, framed(REPLY, number, b"ERR GET range 201"))]
        with pytest.raises(LineRefused, match=r"range 201 \(no such channel\)"):
            await read(link)
        assert not link.dirty


async def test_a_line_that_was_not_understood_is_no_reply(clock: Clock) -> None:
    """The generator answers noise under the number 0000, which no request has."""
    async with connected(clock) as (link, peer, _):
        peer.answer = lambda number, body: [(0.001, framed(REPLY, 0, b"ERR - syntax 101"))]
        with pytest.raises(LinkTimeout):
            await read(link)


async def test_off_overtakes_a_request_and_its_late_reply_is_not_believed(clock: Clock) -> None:
    async with connected(clock) as (link, peer, _):
        peer.answer = lambda number, body: [(0.01, peer.reply(number, body))]
        reading = asyncio.get_running_loop().create_task(read(link))
        await asyncio.sleep(0.001)
        assert link.off() is True
        with pytest.raises(LinkPreempted):
            await reading
        assert await read(link) == 4
        assert peer.heard[1:3] == [(0xFF00, b"OFF"), (0xFF01, b"OFF")]


async def test_a_refused_off_is_kept_for_whoever_asks(clock: Clock) -> None:
    async with connected(clock) as (link, peer, _):
        peer.answer = lambda number, body: [(0.001, framed(REPLY, number, b"ERR OFF internal 601"))]
        link.off()
        await asyncio.sleep(0.01)
        assert len(link.refused_offs) == 2
        assert "internal 601 (the generator could not do it)" in link.refused_offs[0]


async def test_what_the_table_does_not_know_is_not_sent(clock: Clock) -> None:
    async with connected(clock) as (link, peer, _):
        for pdu in (b"HELLO", b"OFF\r\n>0001 ARM 1*0000", b"\x06\x00\x00\x00\x01"):
            with pytest.raises(RefusedError):
                await link.transact(pdu, Intent.OFF, unit=TABLE.unit)
        await asyncio.sleep(0.01)
        assert peer.heard == []


def _bit_error(line: bytes, chance: random.Random) -> bytes:
    data = bytearray(line)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _faulted(peer: LinePeer, chance: random.Random) -> Callable[[int, bytes], Pieces]:
    """One way in which a reply may go wrong."""

    def answer(number: int, body: bytes) -> Pieces:
        right = peer.reply(number, body)
        wrong_value = b"OK GET owner=999999"
        event = framed(EVENT, chance.randint(1, 0xFFFF), b"OUTPUT 1 off")
        faults: list[Pieces] = [
            [(chance.uniform(0.0, 0.2), right)],
            [(0.001, right[: chance.randrange(len(right))])],
            [(0.001, right), (chance.uniform(0.0, 0.1), right)],
            [(0.001, _bit_error(right, chance))],
            [(0.001, framed(REPLY, number % 0xFF00 + 1, wrong_value))],
            [(0.001, framed(REPLY, (number - 2) % 0xFF00, wrong_value) + right)],
            [(0.001, framed(REPLY, number, b"OK STATUS 999999"))],
            [(0.001, framed(REPLY, number, b"OK GET"))],
            [(0.001, framed(b">", number, wrong_value))],
            [(0.001, framed(EVENT, number, wrong_value))],
            [(0.001, chance.randbytes(chance.randint(1, 60)) + right)],
            [(0.001, right + chance.randbytes(chance.randint(1, 60)))],
            [(0.001, right.replace(b"\r\n", b"\n"))],
            [(0.001, framed(REPLY, number, wrong_value).replace(b"\r\n", b"") + right)],
            [(0.001, event[: chance.randrange(len(event))] + right)],
            [(0.001, event), (0.002, right), (0.003, event)],
            [(0.001, right.lower())],
            [],
        ]
        pieces = chance.choice(faults)
        if pieces and chance.random() < 0.3:  # and whatever comes, in two parts
            (at_s, data), *others = pieces
            cut = chance.randrange(len(data) + 1)
            pieces = [(at_s, data[:cut]), (at_s + 0.0005, data[cut:]), *others]
        return [(at_s, data) for at_s, data in pieces if data]

    return answer


async def test_no_faulted_reply_is_believed_and_the_next_one_is(clock: Clock) -> None:
    chance = random.Random(20260725)
    believed = 0
    async with connected(clock) as (link, peer, _):
        for _ in range(FAULTS_AT_ONCE):
            peer.answer = _faulted(peer, chance)
            try:
                value = await read(link)
            except (LinkTimeout, BadReply):
                pass
            else:
                assert value == peer.asked  # the value of this very request
                believed += 1
            if chance.random() < 0.5:
                peer.answer = lambda number, body: [(0.001, peer.reply(number, body))]
                began_ns, asked = clock.monotonic_ns(), peer.asked
                assert await read(link) == asked + 1
                assert clock.monotonic_ns() - began_ns < NS_PER_S // 2
        assert FAULTS_AT_ONCE * 0.3 < believed < FAULTS_AT_ONCE * 0.8


async def test_a_line_that_never_falls_silent_is_an_error_and_no_hang(clock: Clock) -> None:
    async with connected(clock) as (link, peer, _):
        peer.answer = lambda number, body: [(at / 200, b"babble ") for at in range(200)]
        with pytest.raises(LinkTimeout):
            await read(link)
        with pytest.raises(LinkError, match="not fallen silent"):
            await read(link)
