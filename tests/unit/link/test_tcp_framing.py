"""Replies over TCP found where something stands before them, was cut short, or begins twice."""

from __future__ import annotations

import pytest
from pymodbus.framer import FramerSocket

from rfctl.errors import BadReply
from rfctl.link.framing import Frame
from rfctl.link.modbus import KEPT_REQUESTS, ModbusRefused, TcpFraming, bits_in, check_reply, read, read_input, write
from rfctl.link.registers import Space

READ_TWO = read_input(64, 2)
WRITE = write(0, b"\0\7")
NUMBER, UNIT = 0x0102, 3
OTHERS = bytes.fromhex("0009000000050304020001")  # a whole frame that was not asked for


def framed(pdu: bytes, *, number: int = NUMBER, unit: int = UNIT) -> bytes:
    """The frame of a PDU, as the specification of Modbus TCP has it."""
    return number.to_bytes(2, "big") + bytes((0, 0, 0, 1 + len(pdu), unit)) + pdu


def asked(request: bytes) -> TcpFraming:
    """A framing that has just wrapped a request."""
    framing = TcpFraming()
    framing.wrap(UNIT, request, NUMBER)
    return framing


REPLIES = [
    (READ_TWO, bytes.fromhex("040400010002")),
    (read_input(0, 1), bytes.fromhex("04020000")),
    (read_input(0, 125), b"\x04\xfa" + bytes(250)),
    (read(Space.COIL, 0, 9), bytes.fromhex("0102ff01")),
    (WRITE, WRITE),
    (write(19, bytes(8)), bytes.fromhex("1000130004")),
    (READ_TWO, b"\x84\x02"),
    (WRITE, b"\x86\x04"),
]


@pytest.mark.parametrize(("request_pdu", "pdu"), REPLIES)
def test_the_awaited_reply_is_found_behind_noise(request_pdu: bytes, pdu: bytes) -> None:
    frame = framed(pdu)
    for noise in (b"\0", b"\xff", b"\1", b"\1\2", b"\xff" * 40):
        framing = asked(request_pdu)
        assert framing.cut(noise + frame) == (len(noise), None)
        assert framing.cut(frame + b"\xff") == (len(frame), Frame(NUMBER, UNIT, pdu))


@pytest.mark.parametrize(("request_pdu", "pdu"), REPLIES)
def test_a_reply_that_was_cut_short_and_begins_again_is_taken_whole(request_pdu: bytes, pdu: bytes) -> None:
    frame = framed(pdu)
    for lead in (b"", b"\xff"):
        for end in range(8, len(frame)):
            framing, received = asked(request_pdu), lead + frame[:end] + frame
            frames = []
            while received:
                used, found = framing.cut(received)
                assert used
                received = received[used:]
                frames += [found] if found is not None else []
            assert frames == [Frame(NUMBER, UNIT, pdu)]


@pytest.mark.parametrize(("request_pdu", "pdu"), REPLIES)
def test_of_a_reply_that_came_twice_the_first_is_cut(request_pdu: bytes, pdu: bytes) -> None:
    frame = framed(pdu)
    assert asked(request_pdu).cut(frame + frame) == (len(frame), Frame(NUMBER, UNIT, pdu))


@pytest.mark.parametrize(("request_pdu", "pdu"), REPLIES)
def test_a_whole_frame_before_the_reply_is_told_apart(request_pdu: bytes, pdu: bytes) -> None:
    frame = framed(pdu)
    used, found = asked(request_pdu).cut(OTHERS + frame)
    assert (used, found) == (len(OTHERS), Frame(9, 3, OTHERS[7:]))
    assert asked(request_pdu).cut(OTHERS[:-1] + frame) == (len(OTHERS) - 1, None)


@pytest.mark.parametrize(("request_pdu", "pdu"), REPLIES)
def test_a_reply_waits_for_its_last_byte(request_pdu: bytes, pdu: bytes) -> None:
    frame = framed(pdu)
    for end in range(len(frame)):
        assert asked(request_pdu).cut(frame[:end]) == (0, None)


@pytest.mark.parametrize(
    "other",
    [
        framed(REPLIES[0][1], number=NUMBER + 1),
        framed(REPLIES[0][1], number=NUMBER + 0x100),
        framed(REPLIES[0][1], unit=UNIT + 1),
        framed(b"\x03" + REPLIES[0][1][1:]),
        framed(b"\x83\x02"),
    ],
)
def test_a_frame_that_answers_something_else_is_cut_as_it_is(other: bytes) -> None:
    number, unit = int.from_bytes(other[:2], "big"), other[6]
    assert asked(READ_TWO).cut(other) == (len(other), Frame(number, unit, other[7:]))


def test_what_was_wrapped_last_is_awaited() -> None:
    framing = asked(READ_TWO)
    second = framing.wrap(UNIT, WRITE, NUMBER + 1)
    assert second == framed(WRITE, number=NUMBER + 1)
    assert framing.cut(b"\xff" + second) == (1, None)
    for stale in (framed(REPLIES[0][1]), framed(b"\x84\x02")):
        with pytest.raises(BadReply):
            framing.cut(b"\xff" + stale)


@pytest.mark.parametrize(("length", "whole"), [(2, False), (3, True), (254, True), (255, False)])
def test_a_frame_is_from_three_to_254_bytes_behind_its_length(length: int, whole: bool) -> None:
    frame = bytes((0, 9, 0, 0, 0, length, 1)) + bytes(length - 1)
    if whole:
        assert TcpFraming().cut(frame) == (len(frame), Frame(9, 1, frame[7:]))
    else:
        with pytest.raises(BadReply, match=rf"length {length} \(3 to 254 expected\), in 000900000"):
            TcpFraming().cut(frame)


def test_a_length_of_more_than_a_byte_says_is_too_long() -> None:
    for length in (0x103, 0x10A, 0x8003):
        with pytest.raises(BadReply, match=f"length {length} "):
            TcpFraming().cut(bytes((0, 9, 0, 0, length >> 8, length & 0xFF, 1)) + bytes(300))


def test_what_is_no_frame_is_shown_with_what_its_header_says() -> None:
    noise = bytes(range(1, 33))
    with pytest.raises(BadReply) as bad:
        TcpFraming().cut(noise)
    assert f"protocol {0x0304} (0 expected), length {0x0506} (" in str(bad.value)
    assert str(bad.value).count(noise[:16].hex()) == 1
    assert noise[:17].hex() not in str(bad.value)


def test_seven_bytes_are_not_judged_yet() -> None:
    assert TcpFraming().cut(b"\xff" * 7) == (0, None)
    with pytest.raises(BadReply):
        TcpFraming().cut(b"\xff" * 8)


@pytest.mark.parametrize("pdu", [b"", b"\4", bytes.fromhex("040000ffff"), bytes.fromhex("0400000080")])
def test_what_the_gate_will_refuse_can_be_wrapped_all_the_same(pdu: bytes) -> None:
    assert TcpFraming().wrap(UNIT, pdu, NUMBER) == framed(pdu)


def test_requests_that_were_made_before_are_known_again_and_no_more_of_them_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: list[bytes] = []

    class Counting(FramerSocket):
        def encode(self, pdu: bytes, device_id: int, tid: int) -> bytes:
            encoded.append(pdu)
            return super().encode(pdu, device_id, tid)

    monkeypatch.setattr("rfctl.link.modbus.FramerSocket", Counting)
    framing = TcpFraming()
    for number in range(2 * KEPT_REQUESTS):
        pdu = read_input(number % KEPT_REQUESTS, 1)
        assert framing.wrap(UNIT, pdu, number) == framed(pdu, number=number)
    assert len(encoded) == KEPT_REQUESTS
    for address in (KEPT_REQUESTS, 0):  # one too many: the others are forgotten
        framing.wrap(UNIT, read_input(address, 1), 1)
    assert len(encoded) == KEPT_REQUESTS + 2


def test_over_tcp_nothing_takes_time_on_the_wire() -> None:
    assert TcpFraming().exchange_ns(READ_TWO) == 0


def test_each_bit_of_a_long_reply_lies_in_its_own_byte() -> None:
    for on in range(24):
        reply = b"\1\3" + (1 << on).to_bytes(3, "little")
        assert bits_in(reply, 24) == b"".join(bytes((0, at == on)) for at in range(24))


@pytest.mark.parametrize(
    ("code", "says"), [(1, "01 (function not supported)"), (11, "11 (gateway got no answer)"), (12, "12 (unknown)")]
)
def test_an_exception_is_told_by_its_number_and_words(code: int, says: str) -> None:
    with pytest.raises(ModbusRefused) as refused:
        check_reply(READ_TWO, bytes((0x84, code)))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("request_pdu", "reply", "says"),
    [
        (READ_TWO, b"\x03" + bytes(30), f"function 3 to a request of function 4: 03{'00' * 15}$"),
        (bytes.fromhex("0400000102"), b"\x04\1\0", "258 registers asked for, count 01 and 1 bytes answered"),
        (bytes.fromhex("0300000001"), b"\x03\1\0", "1 registers asked for"),
        (bytes.fromhex("0100000102"), b"\x01\1\0", "258 bits asked for"),
        (bytes.fromhex("0200000001"), b"\x02\2\0\0", "1 bits asked for, count 02 and 2 bytes"),
        (READ_TWO, b"\x04\4" + bytes(5), "count 04 and 5 bytes"),
        (READ_TWO, b"\x04\3" + bytes(4), "count 03 and 4 bytes"),
        (write(19, bytes(8)), b"\x10" + bytes(30), f"the echo 10{'00' * 15} is not of the write 1000130004$"),
        (b"\x16\0\1", b"\x16\0\1", "function 22 has no reply that can be checked"),
        (READ_TWO, b"\x84\0", "function 132 to a request of function 4: 8400"),
    ],
)
def test_a_wrong_reply_is_told_beside_what_was_asked(request_pdu: bytes, reply: bytes, says: str) -> None:
    with pytest.raises(BadReply, match=says):
        TcpFraming().check(request_pdu, reply)
