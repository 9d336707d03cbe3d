"""The off: synchronous, total, idempotent; it overtakes everything and withdraws every permit."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_MS
from rfctl.errors import LinkClosed, LinkError, LinkPreempted, LinkTimeout, RefusedError
from rfctl.link.link import OFF_TRANSACTIONS, Link
from rfctl.link.modbus import TcpFraming, read_input, registers_in, write
from rfctl.model.permit import Envelope, Intent, Permit, PermitKind
from rfctl.profile.profile import load
from tests.modbus_peer import ModbusPeer, frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.clock import Clock

TABLE = load("rfctl-reference").write_table()
ALL_OFF = write(0, b"\0\1")
CHANNEL_OFF = write(16, b"\0\0")
ONE = read_input(66, 1)
TWO = read_input(66, 2)
MODE = write(18, b"\0\3")
PERMIT = Permit(1, PermitKind.LESION, Envelope(temperature_c=80.0), 10**12)


async def opened(peer: ModbusPeer, clock: Clock, *off_frames: bytes) -> Link:
    link = await Link.open(peer.address, TcpFraming(), clock)
    link.load(TABLE, off_frames or (ALL_OFF,))
    return link


def paired(clock: Clock) -> tuple[Link, socket.socket]:
    """A link, and the far end of its connection in the test's own hands."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0.0)
    link = Link(ours.detach(), TcpFraming(), clock, address="pair")
    link.load(TABLE, (ALL_OFF,))
    return link, theirs


@pytest.mark.requirement("off.total")
async def test_each_off_frame_crosses_the_wire_twice_under_a_reserved_number(clock: Clock) -> None:
    async with ModbusPeer() as peer:
        link = await opened(peer, clock, ALL_OFF, CHANNEL_OFF)
        assert link.off() is True
        await peer.arrived(4)
        assert [request.pdu for request in peer.requests] == [ALL_OFF, ALL_OFF, CHANNEL_OFF, CHANNEL_OFF]
        assert {request.unit for request in peer.requests} == {1}
        assert all(request.transaction in OFF_TRANSACTIONS for request in peer.requests)
        link.close()


async def test_the_bytes_have_left_when_off_returns(clock: Clock) -> None:
    link, theirs = paired(clock)
    assert link.off() is True
    theirs.settimeout(0.0)
    sent = bytes.fromhex("ff00000000060106000000 01 ff01000000060106000000 01")
    assert theirs.recv(100) == sent
    assert [(traced.direction, traced.data) for traced in link.trace] == [("tx", sent)]
    link.close()
    theirs.close()


async def test_it_overtakes_a_request_in_flight_whose_reply_is_not_believed(clock: Clock) -> None:
    async with ModbusPeer() as peer:
        link = await opened(peer, clock)
        peer.answer = lambda request: []
        pending = asyncio.create_task(link.transact(ONE, Intent.READ, unit=1))
        await peer.arrived(1)
        assert link.off() is True
        with pytest.raises(LinkPreempted, match="off overtook"):
            await pending
        assert link.dirty
        await peer.arrived(3)
        late, *offs = peer.requests
        peer.input[66] = 0xAAAA
        peer.answer = lambda request: [frame(request, peer.reply(request.pdu))]
        for request in (late, *offs):
            await peer.send(frame(request, b"\x04\x02\xde\xad"))
        assert registers_in(await link.transact(ONE, Intent.READ, unit=1)) == b"\xaa\xaa"
        link.close()


async def test_the_next_request_waits_only_for_the_replies_to_the_off(clock: Clock) -> None:
    async with ModbusPeer() as peer:
        link = await opened(peer, clock)
        started_ns = clock.monotonic_ns()
        link.off()
        assert link.dirty
        await link.transact(ONE, Intent.READ, unit=1)
        assert clock.monotonic_ns() - started_ns < 10 * NS_PER_MS
        assert not link.dirty
        assert link.stale_replies == 0
        link.close()


async def test_it_withdraws_every_permit(clock: Clock) -> None:
    async with ModbusPeer() as peer:
        link = await opened(peer, clock)
        link.grant(PERMIT)
        await link.transact(write(3, b"\0\1"), Intent.RENEW, unit=1)
        link.off()
        with pytest.raises(RefusedError, match="none is"):
            await link.transact(write(3, b"\0\2"), Intent.RENEW, unit=1)
        link.close()


async def test_it_overtakes_a_request_that_still_drains(clock: Clock) -> None:
    async with ModbusPeer() as peer:
        link = await opened(peer, clock)
        peer.answer = lambda request: []
        with pytest.raises(LinkTimeout):
            await link.transact(ONE, Intent.READ, unit=1)
        draining = asyncio.create_task(link.transact(MODE, Intent.CONFIG, unit=1))
        await asyncio.sleep(0.01)
        link.off()
        with pytest.raises(LinkPreempted):
            await draining
        await peer.arrived(3)
        assert peer.writes == [ALL_OFF, ALL_OFF]
        link.close()


async def test_a_set_point_answered_just_before_the_off_does_not_outlive_it(clock: Clock) -> None:
    link, theirs = paired(clock)
    link.grant(PERMIT)
    pending = asyncio.create_task(link.transact(MODE, Intent.CONFIG, unit=1))
    await asyncio.sleep(0)
    theirs.send(theirs.recv(100))  # the echo that accepts the write
    while link.trace[-1].direction != "rx":  # noqa: ASYNC110 one step of the loop at a time
        await asyncio.sleep(0)
    assert not pending.done()  # the answer has arrived, the caller has not run yet
    link.off()
    await pending
    theirs.send(theirs.recv(100))
    await asyncio.sleep(0.01)
    link.grant(PERMIT)
    with pytest.raises(RefusedError, match="mode has not been written and accepted since the last off"):
        await link.transact(write(16, b"\0\1"), Intent.ENERGISE, unit=1)
    link.close()
    theirs.close()


async def test_a_dead_socket_does_not_make_it_raise(clock: Clock) -> None:
    link, theirs = paired(clock)
    theirs.close()
    assert link.off() is False
    assert link.closed
    assert link.off() is False
    with pytest.raises(LinkClosed):
        await link.transact(ONE, Intent.READ, unit=1)


async def test_a_request_into_a_dead_socket_says_so_at_once(clock: Clock) -> None:
    link, theirs = paired(clock)
    theirs.close()
    with pytest.raises(LinkClosed, match="writing failed: Broken pipe"):
        await link.transact(ONE, Intent.READ, unit=1)
    assert clock.monotonic_ns() == 0


class FullPipe:
    """A connection whose buffer is full: nothing more is taken until the far end has read."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.filler = 0
        for end in (self.ours, self.theirs):
            end.settimeout(0.0)
        self.descriptor = os.dup(self.ours.fileno())
        for size in (4096, 1):
            try:
                while True:
                    self.filler += self.ours.send(bytes(size))
            except BlockingIOError:
                pass

    async def read_all(self) -> bytes:
        """Empty the pipe, and let the loop write what waited; without the filler."""
        received = b""
        for _ in range(50):
            try:
                received += self.theirs.recv(1 << 20)
            except BlockingIOError:
                await asyncio.sleep(0)
        return received[self.filler :]

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def pipe() -> Iterator[FullPipe]:
    full = FullPipe()
    yield full
    full.close()


def pdus(received: bytes) -> list[bytes]:
    """The requests in a run of bytes."""
    found = []
    while received:
        length = int.from_bytes(received[4:6], "big")
        found.append(received[7 : 6 + length])
        received = received[6 + length :]
    return found


async def test_with_a_full_buffer_it_waits_in_the_tail_once_however_often_it_is_called(
    clock: Clock, pipe: FullPipe
) -> None:
    link = Link(pipe.descriptor, TcpFraming(), clock, address="pipe")
    link.load(TABLE, (ALL_OFF,))
    assert [link.off() for _ in range(3)] == [False, False, False]
    assert pdus(await pipe.read_all()) == [ALL_OFF, ALL_OFF]
    assert link.off() is True
    link.close()


async def test_a_request_that_has_not_begun_to_leave_never_leaves_after_an_off(clock: Clock, pipe: FullPipe) -> None:
    link = Link(pipe.descriptor, TcpFraming(), clock, address="pipe")
    link.load(TABLE, (ALL_OFF,))
    pending = asyncio.create_task(link.transact(write(1, b"\0\7"), Intent.CONFIG, unit=1))
    await asyncio.sleep(0)
    assert link.off() is False
    with pytest.raises(LinkPreempted):
        await pending
    sent = await pipe.read_all()
    assert pdus(sent) == [ALL_OFF, ALL_OFF]
    pipe.theirs.send(sent)  # the echoes that answer them; of the request none is expected
    await asyncio.sleep(0.001)
    assert not link.dirty
    link.close()


async def test_a_request_that_timed_out_before_it_began_to_leave_never_leaves(clock: Clock, pipe: FullPipe) -> None:
    link = Link(pipe.descriptor, TcpFraming(), clock, address="pipe")
    link.load(TABLE, (ALL_OFF,))
    with pytest.raises(LinkTimeout):
        await link.transact(write(1, b"\0\7"), Intent.CONFIG, unit=1)
    assert not link.dirty
    assert asyncio.get_running_loop().remove_writer(pipe.descriptor) is False
    assert await pipe.read_all() == b""
    link.close()


async def test_after_the_end_the_loop_watches_the_descriptor_no_more(clock: Clock, pipe: FullPipe) -> None:
    link = Link(pipe.descriptor, TcpFraming(), clock, address="pipe")
    link.load(TABLE, (ALL_OFF,))
    assert link.off() is False
    link.close()
    loop = asyncio.get_running_loop()
    assert (loop.remove_reader(pipe.descriptor), loop.remove_writer(pipe.descriptor)) == (False, False)


class Trickle:
    """An operating system that takes a few bytes, and then none until told otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes: int) -> None:
        self.takes = takes
        self.taken = b""
        monkeypatch.setattr(os, "write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        if not self.takes:
            raise BlockingIOError
        part = data[: self.takes]
        self.takes -= len(part)
        self.taken += part
        return len(part)


async def test_a_write_cut_in_the_middle_is_completed_only_by_an_off(
    clock: Clock, pipe: FullPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Link(pipe.descriptor, TcpFraming(), clock, address="pipe")
    link.load(TABLE, (ALL_OFF,))
    system = Trickle(monkeypatch, 5)
    with pytest.raises(LinkTimeout):
        await link.transact(write(1, b"\0\7"), Intent.CONFIG, unit=1)
    system.takes = 1000
    await pipe.read_all()
    with pytest.raises(LinkError, match="a write was cut 7 bytes before its end"):
        await link.transact(ONE, Intent.READ, unit=1)
    assert len(system.taken) == 5
    assert link.off() is True
    assert pdus(system.taken) == [write(1, b"\0\7"), ALL_OFF, ALL_OFF]
    link.close()


async def test_a_read_cut_in_the_middle_is_completed_before_anything_else(
    clock: Clock, pipe: FullPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Link(pipe.descriptor, TcpFraming(), clock, address="pipe")
    link.load(TABLE, (ALL_OFF,))
    system = Trickle(monkeypatch, 5)
    with pytest.raises(LinkTimeout, match="no reply"):
        await link.transact(ONE, Intent.READ, unit=1)
    with pytest.raises(LinkTimeout, match="7 bytes not taken"):
        await link.transact(ONE, Intent.READ, unit=1)
    system.takes = 1000
    await pipe.read_all()
    with pytest.raises(LinkTimeout, match="no reply"):
        await link.transact(TWO, Intent.READ, unit=1)
    assert pdus(system.taken) == [ONE, TWO]
    link.close()
