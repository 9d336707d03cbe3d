"""A link at its edges: what it still waits for and what not, what it believes after a gap, and when it wakes."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import BadReply, ConfigError, LinkClosed, LinkError, LinkPreempted, LinkTimeout
from rfctl.link.link import LONGEST_KEPT, OFF_TRANSACTIONS, REFUSED_OFFS, Link
from rfctl.link.modbus import ModbusRefused, TcpFraming, read_input, write
from rfctl.link.rtu import RtuFraming
from rfctl.link.serial_line import SerialLine
from rfctl.model.permit import Intent
from rfctl.profile.profile import load
from tests import serial_peer
from tests.modbus_peer import Request, frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.clock import Clock
    from rfctl.link.framing import Framing

TABLE = load("rfctl-reference").write_table()
ALL_OFF = write(0, b"\0\1")
CHANNEL_OFF = write(16, b"\0\0")
OWNER = write(1, b"\0\7")
ONE = read_input(66, 1)
TWO = read_input(66, 2)
ANSWER = b"\x04\x02\xaa\xaa"
REPLY_NS = 100 * NS_PER_MS
REPLY_S = REPLY_NS / NS_PER_S
SERIAL = SerialLine("/dev/x", 115200)


class Ends:
    """A link, and the far end of its line in the test's hands."""

    def __init__(self, clock: Clock, framing: Framing | None = None, **more: Any) -> None:
        self.ours, self.far = socket.socketpair()
        for end in (self.ours, self.far):
            end.settimeout(0.0)
        self.clock = clock
        self.tcp = framing is None
        self.descriptor = self.ours.detach()
        self.link = Link(self.descriptor, framing or TcpFraming(), clock, address="pair", **more)
        self.link.load(TABLE, (ALL_OFF,))

    async def asks(self, pdu: bytes = ONE, unit: int = 1, intent: Intent = Intent.READ, **more: Any) -> Asked:
        """A request that is on its way."""
        task = asyncio.create_task(self.link.transact(pdu, intent, unit=unit, **more))
        await steps()
        return Asked(self, task, unit)

    def arrived(self) -> bytes:
        """What has crossed the line."""
        try:
            return self.far.recv(1 << 16)
        except BlockingIOError:
            return b""

    def framed(self, pdu: bytes, number: int = 1, unit: int = 1) -> bytes:
        """A reply."""
        return frame(Request(number, unit, b""), pdu) if self.tcp else serial_peer.framed(unit, pdu)

    async def says(self, data: bytes) -> None:
        self.far.send(data)
        await steps()

    def close(self) -> None:
        self.link.close()
        self.far.close()


class Asked:
    """A request and what became of it."""

    def __init__(self, ends: Ends, task: asyncio.Task[bytes], unit: int) -> None:
        self.ends, self.task, self.unit = ends, task, unit

    async def answered(self, pdu: bytes = ANSWER, number: int = 1) -> bytes:
        await self.ends.says(self.ends.framed(pdu, number, self.unit))
        return await self.task

    async def times_out(self, match: str = "no reply within") -> None:
        with pytest.raises(LinkTimeout, match=match):
            await self.task


async def steps() -> None:
    """The loop sees what there is to see; no time passes."""
    for _ in range(8):
        await asyncio.sleep(0)


@pytest.fixture
async def tcp(clock: Clock) -> Iterator[Ends]:
    ends = Ends(clock)
    yield ends
    ends.close()


@pytest.fixture
async def serial(clock: Clock) -> Iterator[Ends]:
    """On a serial line, which was found silent."""
    ends = Ends(clock, RtuFraming(SERIAL))
    asked = await ends.asks()
    await asyncio.sleep(REPLY_S + 0.002)
    assert await asked.answered() == ANSWER
    ends.arrived()
    await asyncio.sleep(0.01)
    yield ends
    ends.close()


@pytest.fixture
async def rtutcp(clock: Clock) -> Iterator[Ends]:
    """Frames without numbers over TCP, on a line that was found silent."""
    ends = Ends(clock, RtuFraming())
    asked = await ends.asks()
    await asyncio.sleep(REPLY_S + 0.001)
    assert await asked.answered() == ANSWER
    ends.arrived()
    yield ends
    ends.close()


# what a link begins with


async def test_a_fresh_link_has_heard_and_counted_nothing(tcp: Ends) -> None:
    link = tcp.link
    counts = (link.received_ns, link.stale_replies, link.refused_frames, link.stray_bytes, len(link.refused_offs))
    assert counts == (0, 0, 0, 0, 0)
    assert (link.closed, link.dirty, link.settled(1)) == (False, False, True)


@pytest.mark.parametrize(("framing", "used", "dirty"), [(TcpFraming(), False, False), (TcpFraming(), True, True)])
async def test_a_used_line_is_not_believed_at_first(clock: Clock, framing: Framing, *, used: bool, dirty: bool) -> None:
    ends = Ends(clock, framing, used=used)
    assert (ends.link.dirty, ends.link.settled(1)) == (dirty, not dirty)
    ends.close()


@pytest.mark.parametrize("used", [False, True])
async def test_a_line_without_numbers_is_never_believed_at_first(clock: Clock, *, used: bool) -> None:
    ends = Ends(clock, RtuFraming(), used=used)
    assert (ends.link.dirty, ends.link.settled(1)) == (True, False)
    ends.close()


async def test_requests_are_numbered_from_one_and_the_numbers_of_offs_are_left_out(tcp: Ends) -> None:
    last = OFF_TRANSACTIONS.start - 1
    for number, then in ((None, [1, 2]), (7, [7, 8]), (last - 1, [last - 1, last, 1])):
        if number is not None:
            tcp.link.number_from(number)
        for expected in then:
            asked = await tcp.asks()
            assert int.from_bytes(tcp.arrived()[:2], "big") == expected
            assert await asked.answered(number=expected) == ANSWER


async def test_an_exchange_takes_the_silence_before_the_request_too(serial: Ends, tcp: Ends) -> None:
    framing = RtuFraming(SERIAL)
    assert serial.link.exchange_ns(ONE) == framing.exchange_ns(ONE) + framing.gap_ns
    assert tcp.link.exchange_ns(ONE) == 0


# the table


@pytest.mark.parametrize(("count", "fits"), [(1, True), (128, True), (129, False)])
async def test_each_off_needs_two_of_the_reserved_numbers(clock: Clock, count: int, *, fits: bool) -> None:
    ours, far = socket.socketpair()
    ours.settimeout(0.0)
    link = Link(ours.detach(), TcpFraming(), clock, address="pair")
    if fits:
        link.load(TABLE, (ALL_OFF,) * count)
        assert link.off() is True
    else:
        with pytest.raises(ConfigError, match="129 off frames"):
            link.load(TABLE, (ALL_OFF,) * count)
    link.close()
    far.close()


async def test_an_off_that_is_refused_is_kept_until_somebody_asks(tcp: Ends) -> None:
    tcp.link.off()
    first, second = OFF_TRANSACTIONS[:2]
    await tcp.says(tcp.framed(b"\x86\x04", first) + tcp.framed(b"\x06\0\0\0\2", second))
    refused, wrong = tcp.link.refused_offs
    assert refused.startswith("off refused with exception 04")
    assert wrong.startswith("off: the echo 0600000002 is not of the write 0600000001")
    assert (tcp.link.dirty, tcp.link.stale_replies) == (False, 0)
    tcp.link.off()
    await tcp.says(tcp.framed(ALL_OFF, first) + tcp.framed(ALL_OFF, second))
    assert len(tcp.link.refused_offs) == 2
    for _ in range(REFUSED_OFFS):
        await tcp.says(tcp.framed(b"\x86\x01", first))
    assert (len(tcp.link.refused_offs), tcp.link.refused_offs[0][-30:]) == (
        REFUSED_OFFS,
        tcp.link.refused_offs[-1][-30:],
    )


async def test_a_reply_to_an_off_that_was_never_sent_says_nothing(tcp: Ends) -> None:
    await tcp.says(tcp.framed(b"\x86\x04", OFF_TRANSACTIONS[2]))
    assert (len(tcp.link.refused_offs), tcp.link.stale_replies) == (0, 0)


# deadlines


@pytest.mark.parametrize(
    ("reply_ms", "until_ms", "ends_ms"),
    [(None, None, 100), (30, None, 30), (250, None, 250), (None, 40, 40), (None, 100, 100), (None, 200, 100)],
)
async def test_the_earlier_of_deadline_and_end_holds(
    tcp: Ends, clock: Clock, reply_ms: int | None, until_ms: int | None, ends_ms: int
) -> None:
    await asyncio.sleep(1.0)
    began_ns = clock.monotonic_ns()
    asked = await tcp.asks(
        reply_ns=None if reply_ms is None else reply_ms * NS_PER_MS,
        until_ns=None if until_ms is None else began_ns + until_ms * NS_PER_MS,
    )
    await asked.times_out(f"no reply within {ends_ms} ms to 0400420001")
    assert clock.monotonic_ns() - began_ns == ends_ms * NS_PER_MS


async def test_the_time_on_the_wire_is_no_time_of_the_generators(serial: Ends, clock: Clock) -> None:
    began_ns = clock.monotonic_ns()
    asked = await serial.asks(TWO)
    await asked.times_out()
    assert clock.monotonic_ns() - began_ns == REPLY_NS + RtuFraming(SERIAL).exchange_ns(TWO)


async def test_a_deadline_after_an_earlier_one_was_answered_is_its_own(tcp: Ends, clock: Clock) -> None:
    for number in (1, 2, 3):
        asked = await tcp.asks()
        await asyncio.sleep(0.06)
        assert await asked.answered(number=number) == ANSWER
    began_ns = clock.monotonic_ns()
    await (await tcp.asks()).times_out()
    assert clock.monotonic_ns() - began_ns == REPLY_NS


async def test_a_rest_leaves_what_is_awaited_its_deadline(tcp: Ends, clock: Clock) -> None:
    tcp.link.rest()  # nothing was asked yet
    asked = await tcp.asks()
    tcp.link.rest()
    await asked.times_out()
    assert clock.monotonic_ns() == REPLY_NS
    tcp.link.rest()
    tcp.link.rest()


@pytest.fixture
async def alarms(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.TimerHandle]:
    """Every timer that is set."""
    loop = asyncio.get_running_loop()
    found: list[asyncio.TimerHandle] = []
    call_at = loop.call_at

    def watched(*given: Any, **more: Any) -> asyncio.TimerHandle:
        found.append(call_at(*given, **more))
        return found[-1]

    monkeypatch.setattr(loop, "call_at", watched)
    return found


async def test_one_timer_serves_many_requests(tcp: Ends, alarms: list[asyncio.TimerHandle]) -> None:
    for number in range(1, 5):
        assert await (await tcp.asks()).answered(number=number) == ANSWER
    assert await (await tcp.asks(reply_ns=2 * REPLY_NS)).answered(number=5) == ANSWER
    assert [alarm.cancelled() for alarm in alarms] == [False]


async def test_after_a_rest_no_timer_is_left(tcp: Ends, alarms: list[asyncio.TimerHandle]) -> None:
    asked = await tcp.asks()
    await asked.answered()
    assert [alarm.cancelled() for alarm in alarms] == [False]
    earlier = await tcp.asks(reply_ns=NS_PER_MS)  # its own is set in place of the later one
    await earlier.answered(number=2)
    assert [alarm.cancelled() for alarm in alarms] == [True, False]
    tcp.link.rest()
    assert [alarm.cancelled() for alarm in alarms] == [True, True]
    third = await tcp.asks()
    tcp.link.close()
    assert [alarm.cancelled() for alarm in alarms] == [True] * 3
    with pytest.raises(LinkClosed, match="closed by this side"):
        await third.task


# what may still come


async def test_a_late_reply_of_one_unit_does_not_hold_up_another(tcp: Ends, clock: Clock) -> None:
    await (await tcp.asks(unit=2)).times_out()
    assert (tcp.link.dirty, tcp.link.settled(2), tcp.link.settled(1)) == (True, False, True)
    began_ns = clock.monotonic_ns()
    assert await (await tcp.asks()).answered(number=2) == ANSWER
    assert clock.monotonic_ns() == began_ns


@pytest.mark.parametrize("reply_ms", [30, 100, 250])
async def test_a_unit_that_was_given_up_is_settled_after_its_own_time(tcp: Ends, clock: Clock, reply_ms: int) -> None:
    await (await tcp.asks(reply_ns=reply_ms * NS_PER_MS)).times_out()
    given_up_ns = clock.monotonic_ns()
    assert given_up_ns == reply_ms * NS_PER_MS
    await asyncio.sleep(reply_ms / 1000 - 1e-9)
    assert tcp.link.settled(1) is False
    await asyncio.sleep(1e-9)
    assert clock.monotonic_ns() == 2 * given_up_ns
    assert tcp.link.settled(1) is True
    assert tcp.link.dirty is False


async def test_an_off_at_the_start_of_time_is_settled_after_a_reply_deadline(tcp: Ends) -> None:
    tcp.link.off()
    assert tcp.link.settled(1) is False
    assert tcp.link.settled(2) is True
    await asyncio.sleep(REPLY_S)
    assert tcp.link.settled(1) is True


async def test_after_an_off_a_line_without_numbers_is_settled_for_nobody(rtutcp: Ends, clock: Clock) -> None:
    assert rtutcp.link.dirty is False
    rtutcp.link.off()
    rtutcp.arrived()
    assert (rtutcp.link.settled(1), rtutcp.link.settled(2)) == (False, False)
    off_ns = clock.monotonic_ns()
    asked = await rtutcp.asks(unit=2)
    await asyncio.sleep(REPLY_S - 1e-6)
    assert rtutcp.arrived() == b""
    await asyncio.sleep(2e-6)
    assert rtutcp.arrived() != b""
    assert clock.monotonic_ns() - off_ns < REPLY_NS + 2_000
    assert await asked.answered() == ANSWER


async def test_what_has_come_before_a_request_without_a_number_is_not_its_reply(rtutcp: Ends) -> None:
    rtutcp.far.send(rtutcp.framed(b"\x04\x02\xde\xad"))  # the loop has not seen it yet
    asked = await rtutcp.asks()
    assert (rtutcp.link.stray_bytes, asked.task.done()) == (7, False)
    assert await asked.answered() == ANSWER


async def test_offs_that_are_not_taken_have_a_reply_deadline_to_leave(
    rtutcp: Ends, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise BlockingIOError

    await asyncio.sleep(1.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        patch.setattr(asyncio.get_running_loop(), "add_writer", lambda *_: None)
        assert rtutcp.link.off() is False
        off_ns = clock.monotonic_ns()
        await (await rtutcp.asks()).times_out("16 bytes not taken for 100 ms")
    assert clock.monotonic_ns() - off_ns == REPLY_NS


async def test_what_babbles_on_is_given_up_after_four_deadlines(clock: Clock) -> None:
    ends = Ends(clock, used=True)
    loop = asyncio.get_running_loop()
    for place in range(1, 20):
        loop.call_at(place * REPLY_S / 2, ends.far.send, b"\x55")
    await (await ends.asks()).times_out("has not fallen silent for 4 reply deadlines of 100 ms")
    assert clock.monotonic_ns() == 4 * REPLY_NS
    ends.close()


async def test_a_stray_byte_delays_when_a_unit_is_settled(rtutcp: Ends) -> None:
    await (await rtutcp.asks()).times_out()
    await asyncio.sleep(REPLY_S / 2)
    await rtutcp.says(b"\x55")
    await asyncio.sleep(REPLY_S - 1e-6)
    assert rtutcp.link.settled(1) is False
    await asyncio.sleep(1e-6)
    assert rtutcp.link.settled(1) is True
    assert rtutcp.link.stray_bytes == 1


async def test_what_was_left_of_a_reply_is_not_shown_with_the_next(rtutcp: Ends) -> None:
    asked = await rtutcp.asks()
    await rtutcp.says(rtutcp.framed(ANSWER)[:3])
    await asked.times_out("what came instead: 010402")
    assert rtutcp.link.refused_frames == 1
    await asyncio.sleep(REPLY_S)
    with pytest.raises(LinkTimeout) as late:
        await (await rtutcp.asks()).task
    assert "instead" not in str(late.value)
    assert rtutcp.link.refused_frames == 1


async def test_the_rest_of_a_late_reply_with_a_number_is_known_as_its_rest(tcp: Ends) -> None:
    asked = await tcp.asks()
    late = tcp.framed(ANSWER)
    await tcp.says(late[:9])
    await asked.times_out("what came instead: 000100000005010402")
    await tcp.says(late[9:])
    assert (tcp.link.stale_replies, tcp.link.stray_bytes, tcp.link.dirty) == (1, 0, False)


async def test_of_what_came_instead_sixteen_bytes_are_shown(tcp: Ends) -> None:
    asked = await tcp.asks()
    noise = tcp.framed(b"\x04\xfa" + bytes(range(100)))[:-1].replace(b"\0\x67", b"\0\xfa", 1)
    await tcp.says(noise[:60])
    await asked.times_out(f"what came instead: {noise[:16].hex()}\\.")


async def test_a_line_is_drained_for_the_longest_deadline_of_those_given_up(tcp: Ends, clock: Clock) -> None:
    await (await tcp.asks(unit=2, reply_ns=3 * REPLY_NS)).times_out()
    asked = await tcp.asks()
    with pytest.raises(BadReply):
        await asked.answered(b"\x03\x02\xaa\xaa", number=2)  # now nothing is believed
    given_up_ns = clock.monotonic_ns()
    tcp.arrived()
    asked = await tcp.asks()
    await asyncio.sleep(3 * REPLY_S - 1e-6)
    assert tcp.arrived() == b""
    await asyncio.sleep(2e-6)
    assert tcp.arrived() != b""
    assert clock.monotonic_ns() - given_up_ns < 3 * REPLY_NS + 2_000
    assert await asked.answered(number=3) == ANSWER


async def test_a_request_that_is_not_whole_yet_keeps_the_link_dirty_though_it_was_answered(
    tcp: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, room = os.write, [5]

    def cut(descriptor: int, data: bytes) -> int:
        if not room:
            raise BlockingIOError
        return real(descriptor, data[: room.pop()])

    monkeypatch.setattr(os, "write", cut)
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "add_writer", lambda *_: None)
    asked = await tcp.asks()
    assert await asked.answered() == ANSWER
    assert (tcp.link.dirty, tcp.link.settled(2)) == (True, False)


# off, and the end


async def test_a_closed_link_turns_nothing_off_on_a_descriptor_that_is_somebody_elses_now(clock: Clock) -> None:
    ends = Ends(clock)
    ends.link.close()
    one, other = socket.socketpair()
    other.settimeout(0.0)
    if one.fileno() != ends.descriptor:
        os.dup2(one.fileno(), ends.descriptor)
    assert ends.link.off() is False
    with pytest.raises(BlockingIOError):
        other.recv(100)
    if one.fileno() != ends.descriptor:
        os.close(ends.descriptor)
    one.close()
    other.close()
    ends.far.close()


async def test_the_end_of_a_cut_request_leaves_a_descriptor_alone_that_is_somebody_elses_now(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = Ends(clock)
    real = os.write
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]))
    monkeypatch.setattr(loop, "add_writer", lambda *_: None)
    asked = await ends.asks(OWNER, intent=Intent.CONFIG)
    ends.link.close()
    touched: list[int] = []
    monkeypatch.setattr(loop, "remove_writer", touched.append)
    with pytest.raises(LinkClosed):
        await asked.task
    assert touched == []
    ends.far.close()


async def test_an_off_that_goes_wrong_says_that_nothing_was_handed_over(
    tcp: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(tcp.link.trace, "note", broken)
    assert tcp.link.off() is False


@pytest.mark.parametrize("intent", [Intent.READ, Intent.OFF, Intent.CONFIG])
async def test_only_a_write_that_may_do_harm_is_held_back_when_it_was_cut(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, intent: Intent
) -> None:
    ends = Ends(clock)
    real, room = os.write, [5]

    def cut(descriptor: int, data: bytes) -> int:
        if not room:
            raise BlockingIOError
        return real(descriptor, data[: room.pop()])

    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", cut)
        patch.setattr(loop, "add_writer", lambda *_: None)
        pdu = {Intent.READ: ONE, Intent.OFF: ALL_OFF, Intent.CONFIG: OWNER}[intent]
        await (await ends.asks(pdu, intent=intent)).times_out()
    held = intent is Intent.CONFIG
    with pytest.raises(LinkError, match="a write was cut 7 bytes" if held else "7 bytes not taken for 100 ms"):
        await (await ends.asks()).task
    ends.close()


async def test_an_off_that_waits_is_not_held_back_by_the_request_that_it_overtook(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = Ends(clock)
    loop = asyncio.get_running_loop()

    def full(*_: object) -> int:
        raise BlockingIOError

    watched: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        patch.setattr(loop, "add_writer", lambda descriptor, *_: watched.append(descriptor))
        asked = await ends.asks(OWNER, intent=Intent.CONFIG)
        assert ends.link.off() is False
        with pytest.raises(LinkPreempted):
            await asked.task
    assert ends.link.off() is True
    assert ends.arrived() == b"".join(frame(Request(number, 1, b""), ALL_OFF) for number in OFF_TRANSACTIONS[:2])
    ends.close()


# what comes in place of the reply


async def test_noise_without_end_is_kept_only_as_far_as_a_reply_is_looked_for(rtutcp: Ends) -> None:
    asked = await rtutcp.asks()
    await rtutcp.says(b"\x55" * LONGEST_KEPT)
    assert rtutcp.link.stray_bytes == 0
    await rtutcp.says(b"\x55")
    assert rtutcp.link.stray_bytes == 1
    await rtutcp.says(b"\x55" * 3)
    assert rtutcp.link.stray_bytes == 4
    assert await asked.answered() == ANSWER
    await rtutcp.says(b"\x55" * 7)
    assert rtutcp.link.stray_bytes == 11


async def test_a_damaged_reply_that_is_followed_by_nothing_is_told_by_its_damage(tcp: Ends) -> None:
    asked = await tcp.asks()
    for _ in range(3):
        await tcp.says(b"\xff" * 12)
    with pytest.raises(BadReply, match="no reply within 100 ms to 0400420001, but not a Modbus TCP frame") as bad:
        await asked.task
    assert "Check that a Modbus TCP generator listens" in bad.value.remedy
    assert (bad.value.where, tcp.link.refused_frames) == ("pair", 1)


async def test_a_damaged_reply_without_a_number_is_refused_at_once(rtutcp: Ends, clock: Clock) -> None:
    began_ns = clock.monotonic_ns()
    asked = await rtutcp.asks()
    await rtutcp.says(rtutcp.framed(ANSWER)[:-1] + b"\x55")
    with pytest.raises(BadReply, match="check sum"):
        await asked.task
    assert clock.monotonic_ns() == began_ns
    assert (rtutcp.link.refused_frames, rtutcp.link.dirty, rtutcp.link.settled(2)) == (1, True, False)


async def test_a_refused_reply_is_not_waited_for_again(tcp: Ends, clock: Clock) -> None:
    asked = await tcp.asks(reply_ns=3 * REPLY_NS)
    with pytest.raises(BadReply):
        await asked.answered(b"\x03\x02\xaa\xaa")
    tcp.arrived()
    asked = await tcp.asks()
    await asyncio.sleep(REPLY_S + 1e-6)
    assert tcp.arrived() != b""
    assert await asked.answered(number=2) == ANSWER


async def test_a_request_ends_once(tcp: Ends) -> None:
    asked = await tcp.asks()
    tcp.link.off()
    tcp.link.close()
    with pytest.raises(LinkPreempted):
        await asked.task


async def test_noise_while_nobody_asked_is_counted(tcp: Ends) -> None:
    await tcp.says(b"\xff" * 12)
    assert (tcp.link.stray_bytes, tcp.link.refused_frames, tcp.link.dirty) == (12, 0, False)
    assert await (await tcp.asks()).answered() == ANSWER


async def test_a_neighbours_late_reply_does_not_end_the_wait_for_ones_own(rtutcp: Ends) -> None:
    await (await rtutcp.asks(unit=2)).times_out()
    assert rtutcp.link.settled(2) is False
    asked = await rtutcp.asks()
    await rtutcp.says(rtutcp.framed(ANSWER, unit=2))
    assert (rtutcp.link.stale_replies, asked.task.done()) == (1, False)
    assert rtutcp.link.settled(2) is True
    assert await asked.answered() == ANSWER
    assert rtutcp.link.refused_frames == 0


async def test_a_neighbours_reply_in_place_of_ones_own_is_told(rtutcp: Ends) -> None:
    asked = await rtutcp.asks()
    await rtutcp.says(rtutcp.framed(ANSWER, unit=2))
    with pytest.raises(BadReply, match="but a reply of unit 2 to a request to unit 1"):
        await asked.task


async def test_a_reply_of_another_unit_under_the_number_is_refused(tcp: Ends) -> None:
    asked = await tcp.asks()
    await tcp.says(frame(Request(1, 2, b""), ANSWER))
    with pytest.raises(BadReply, match="a reply of unit 2 to a request to unit 1") as bad:
        await asked.task
    assert bad.value.where == "pair"
    assert (tcp.link.refused_frames, tcp.link.dirty, tcp.link.settled(2)) == (1, True, False)


async def test_a_refusal_and_an_answer_leave_nothing_to_wait_for(tcp: Ends) -> None:
    asked = await tcp.asks(OWNER, intent=Intent.CONFIG)
    with pytest.raises(ModbusRefused):
        await asked.answered(b"\x86\x04")
    assert (tcp.link.dirty, tcp.link.refused_frames) == (False, 0)
    assert await (await tcp.asks()).answered(number=2) == ANSWER
    assert (tcp.link.dirty, tcp.link.stale_replies) == (False, 0)


async def test_of_a_reply_that_came_twice_the_second_is_stale(tcp: Ends) -> None:
    asked = await tcp.asks()
    await tcp.says(tcp.framed(ANSWER) * 2)
    assert await asked.task == ANSWER
    assert (tcp.link.stale_replies, tcp.link.stray_bytes) == (1, 0)


async def test_what_follows_a_reply_without_a_number_is_stray(rtutcp: Ends) -> None:
    asked = await rtutcp.asks()
    await rtutcp.says(rtutcp.framed(ANSWER) + b"\1\4\2")
    assert await asked.task == ANSWER
    assert rtutcp.link.stray_bytes == 3
    assert await (await rtutcp.asks()).answered() == ANSWER


async def test_half_a_frame_behind_a_reply_with_a_number_may_become_whole(tcp: Ends) -> None:
    asked = await tcp.asks()
    stale = tcp.framed(ANSWER, 9)
    await tcp.says(tcp.framed(ANSWER) + stale[:9])
    assert await asked.task == ANSWER
    await tcp.says(stale[9:])
    assert (tcp.link.stale_replies, tcp.link.stray_bytes) == (1, 0)


async def test_half_a_frame_is_forgotten_when_the_line_has_been_silent(tcp: Ends) -> None:
    asked = await tcp.asks()
    await tcp.says(tcp.framed(ANSWER)[:9])
    await asked.times_out()
    asked = await tcp.asks()
    await asyncio.sleep(REPLY_S + 0.001)
    assert await asked.answered(number=2) == ANSWER
    assert tcp.link.stray_bytes == 0


async def test_whole_frames_on_a_used_line_are_not_even_stale(clock: Clock) -> None:
    ends = Ends(clock, used=True)
    await ends.says(ends.framed(ANSWER))
    assert (ends.link.stale_replies, ends.link.stray_bytes, ends.link.dirty) == (0, 0, True)
    ends.close()


# the silence before a request


@pytest.mark.parametrize(("late_ns", "asked_for"), [(0, True), (1, False)])
async def test_a_line_may_take_four_deadlines_to_fall_silent(
    serial: Ends, clock: Clock, late_ns: int, *, asked_for: bool
) -> None:
    loop = asyncio.get_running_loop()
    began_ns = clock.monotonic_ns()
    end_ns = began_ns + 4 * REPLY_NS
    last_ns = end_ns - SERIAL.gap_ns + late_ns
    await serial.says(b"\x55")
    for at_ns in (*range(began_ns + NS_PER_MS, last_ns, NS_PER_MS), last_ns):
        loop.call_at(at_ns / NS_PER_S, serial.far.send, b"\x55")
    asked = await serial.asks()
    if asked_for:
        await asyncio.sleep((end_ns - clock.monotonic_ns()) / NS_PER_S + 1e-6)
        assert serial.arrived() != b""
        assert await asked.answered() == ANSWER
    else:
        with pytest.raises(LinkTimeout, match="has not fallen silent for 4 reply deadlines of 100 ms"):
            await asked.task


async def test_a_link_that_was_closed_within_the_gap_says_so_at_once(serial: Ends, clock: Clock) -> None:
    asked = await serial.asks()
    assert await asked.answered() == ANSWER
    serial.link.close()
    closed_ns = clock.monotonic_ns()
    with pytest.raises(LinkClosed, match="closed by this side"):
        await (await serial.asks()).task
    assert clock.monotonic_ns() == closed_ns


async def test_after_a_wait_that_failed_a_rest_leaves_no_timer(
    serial: Ends, clock: Clock, alarms: list[asyncio.TimerHandle]
) -> None:
    loop = asyncio.get_running_loop()
    for ms in range(600):
        loop.call_later(ms / 1000, serial.far.send, b"\x55")
    del alarms[:]
    await asyncio.sleep(0.0005)
    with pytest.raises(LinkTimeout, match="has not fallen silent"):
        await (await serial.asks()).task
    serial.link.rest()
    due = [alarm for alarm in alarms if alarm.when() > loop.time() and not alarm.cancelled()]
    assert due == []


@pytest.fixture
async def problems() -> Iterator[list[object]]:
    """What a callback raised."""
    found: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: found.append(context))
    yield found
    loop.set_exception_handler(None)


async def test_a_timer_that_comes_when_nothing_is_awaited_does_nothing(tcp: Ends, problems: list[object]) -> None:
    assert await (await tcp.asks()).answered() == ANSWER
    await asyncio.sleep(1.0)
    assert problems == []
    assert await (await tcp.asks()).answered(number=2) == ANSWER


async def test_an_off_at_the_instant_at_which_a_wait_ends_comes_first(
    tcp: Ends, clock: Clock, problems: list[object]
) -> None:
    await (await tcp.asks()).times_out()
    asked = await tcp.asks()  # which first waits for the late reply
    loop = asyncio.get_running_loop()
    loop.call_at((clock.monotonic_ns() + REPLY_NS - 0.2) / NS_PER_S, tcp.link.off)
    with pytest.raises(LinkPreempted):
        await asked.task
    assert problems == []


async def test_an_off_in_the_round_in_which_bytes_come_comes_first(clock: Clock, problems: list[object]) -> None:
    loop = asyncio.get_running_loop()
    ringing, bell = socket.socketpair()
    loop.add_reader(ringing, lambda: (ringing.recv(1), ends.link.off()))  # seen before the link's own
    ends = Ends(clock, used=True)
    asked = await ends.asks()
    bell.send(b"!")
    ends.far.send(b"\x55")
    with pytest.raises(LinkPreempted):
        await asked.task
    assert problems == []
    loop.remove_reader(ringing)
    for each in (ringing, bell):
        each.close()
    ends.close()
