"""Replies on a serial line that come in pieces, broken, twice, or from somebody else; and what their shape tells."""

from __future__ import annotations

import sys

import pytest
from pymodbus.framer import FramerRTU

from rfctl.errors import BadReply
from rfctl.link.crc import crc16
from rfctl.link.framing import Frame
from rfctl.link.modbus import KEPT_REQUESTS, ModbusRefused, read, read_holding, read_input, write
from rfctl.link.registers import Space
from rfctl.link.rtu import RtuFraming
from rfctl.link.serial_line import SerialLine
from rfctl.link.shape import length_of_reply, start_of_reply, stated_length
from tests.serial_peer import framed

READ_TWO = read_input(66, 2)
REPLY = bytes.fromhex("0404aaaabbbb")
REFUSAL = b"\x84\x02"
WRITE = write(0, b"\0\1")
FOREIGN = bytes.fromhex("0302cccc")
TOO_LONG = bytes.fromhex("040000012c")  # 300 registers


def asked(request: bytes = READ_TWO, *, unit: int = 1, transaction: int = 7) -> RtuFraming:
    """A framing that has just wrapped a request."""
    framing = RtuFraming(SerialLine("/dev/ttyS0"))
    framing.wrap(unit, request, transaction)
    return framing


def broken(pdu: bytes) -> bytes:
    """A frame whose check sum is wrong in one bit."""
    frame = framed(1, pdu)
    return frame[:-1] + bytes((frame[-1] ^ 1,))


# the shape


@pytest.mark.parametrize(
    ("request_pdu", "length", "start"),
    [
        (b"", 5, b""),
        (b"\4", 5, None),
        (READ_TWO[:4], 5, None),
        (READ_TWO, 6, b"\4\4"),
        (read_holding(0, 125), 252, b"\3\xfa"),
        (read(Space.COIL, 0, 2000), 252, b"\1\xfa"),
        (read(Space.DISCRETE, 0, 9), 4, b"\2\2"),
        (TOO_LONG, 602, b"\4\x58"),
        (WRITE, 5, WRITE),
        (write(19, bytes(8)), 5, bytes.fromhex("1000130004")),
        (bytes.fromhex("1600000100020003"), 5, bytes.fromhex("1600000100")),
    ],
)
def test_how_a_reply_begins_and_how_long_it_is_follows_from_the_request(
    request_pdu: bytes, length: int, start: bytes | None
) -> None:
    assert length_of_reply(request_pdu) == length
    if start is not None:
        assert start_of_reply(request_pdu) == start


@pytest.mark.parametrize(
    ("reply", "length"),
    [
        (b"", 0),
        (b"\4", 0),
        (b"\x84", 0),
        (b"\4\4", 6),
        (b"\1\xff", 257),
        (b"\2\0", 2),
        (b"\x84\2", 2),
        (b"\xff\0", 2),
        (b"\6\0", 5),
        (b"\x10\0", 5),
        (b"\5\0", 5),
        (b"\x0f\0", 5),
        (b"\x16\0", 0),
        (b"\x7f\0", 0),
        (b"\0\0", 0),
    ],
)
def test_a_reply_states_its_own_length(reply: bytes, length: int) -> None:
    assert stated_length(reply) == length


# the check sum


def test_the_check_sum_of_the_catalogue() -> None:
    assert crc16(b"123456789") == 0x4B37


def test_the_check_sum_does_not_depend_on_the_byte_order_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "byteorder", {"little": "big", "big": "little"}[sys.byteorder])
    assert crc16(b"214365879") == 0x4B37  # each two bytes are read in the other order


# frames


@pytest.mark.parametrize("pdu", [b"", b"\4", TOO_LONG])
def test_what_the_gate_will_refuse_can_be_wrapped_all_the_same(pdu: bytes) -> None:
    assert RtuFraming().wrap(1, pdu, 1) == framed(1, pdu)


def test_requests_that_were_made_before_are_known_again_and_no_more_of_them_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: list[bytes] = []

    class Counting(FramerRTU):
        def encode(self, payload: bytes, device_id: int, tid: int) -> bytes:
            encoded.append(payload)
            return super().encode(payload, device_id, tid)

    monkeypatch.setattr("rfctl.link.rtu.FramerRTU", Counting)
    framing = RtuFraming()
    for number in range(2 * KEPT_REQUESTS):
        pdu = read_input(number % KEPT_REQUESTS, 1)
        assert framing.wrap(1, pdu, number) == framed(1, pdu)
    assert len(encoded) == KEPT_REQUESTS
    for address in (KEPT_REQUESTS, 0):  # one too many: the others are forgotten
        framing.wrap(1, read_input(address, 1), 1)
    assert len(encoded) == KEPT_REQUESTS + 2


def test_before_anything_was_asked_a_sound_frame_is_somebody_elses() -> None:
    frame = framed(1, REPLY)
    assert RtuFraming().cut(frame) == (len(frame), Frame(0, 1, REPLY))
    assert RtuFraming().cut(frame[:-1]) == (0, None)


def test_what_looks_like_a_refusal_within_a_reply_is_part_of_it() -> None:
    inside = framed(1, REFUSAL) + b"\0"
    frame = framed(1, b"\4\6" + inside)
    framing = asked(read_input(0, 3))
    for end in range(len(frame)):
        assert framing.cut(frame[:end]) == (0, None)
    assert framing.cut(frame) == (len(frame), Frame(7, 1, b"\4\6" + inside))


@pytest.mark.parametrize(("unit", "request_pdu", "pdu"), [(4, READ_TWO, REPLY), (0x84, READ_TWO, REFUSAL)])
def test_a_reply_is_found_behind_a_byte_that_is_like_its_first_ones(unit: int, request_pdu: bytes, pdu: bytes) -> None:
    frame = framed(unit, pdu)
    noise = bytes((unit,))
    assert asked(request_pdu, unit=unit).cut(noise + frame) == (1 + len(frame), Frame(7, unit, pdu))


@pytest.mark.parametrize(("request_pdu", "pdu"), [(READ_TWO, REPLY), (WRITE, WRITE), (WRITE, b"\x86\4")])
def test_a_reply_behind_noise_waits_for_its_last_byte(request_pdu: bytes, pdu: bytes) -> None:
    noise, frame = b"\x55\1", framed(1, pdu)
    for end in range(len(frame)):
        assert asked(request_pdu).cut(noise + frame[:end]) == (0, None)
    assert asked(request_pdu).cut(noise + frame) == (len(noise) + len(frame), Frame(7, 1, pdu))


@pytest.mark.parametrize("pdu", [REPLY, REFUSAL])
@pytest.mark.parametrize("noise", [b"", b"\x55"])
def test_behind_a_broken_reply_the_beginning_of_another_is_waited_for(pdu: bytes, noise: bytes) -> None:
    received = noise + broken(pdu)
    with pytest.raises(BadReply):
        asked().cut(received)
    for begun in (b"\1", b"\1\4", b"\1\4\4", b"\1\x84", framed(1, REPLY)[:-1], framed(1, REFUSAL)[:-1]):
        assert asked().cut(received + begun) == (0, None)
    for sound in (REPLY, REFUSAL):
        frame = framed(1, sound)
        assert asked().cut(received + frame) == (len(received) + len(frame), Frame(7, 1, sound))


def test_of_two_broken_replies_the_first_is_shown() -> None:
    first, second = broken(REPLY), broken(b"\4\4\0\0\0\0")
    with pytest.raises(BadReply) as bad:
        asked().cut(first + second)
    right = crc16(first[:-2]).to_bytes(2, "little").hex()
    assert f"check sum {first[-2:].hex()} of {first.hex()} is wrong: {right} expected" in str(bad.value)
    assert second.hex() not in str(bad.value)


@pytest.mark.parametrize(("octets", "shown"), [(19, "{} is wrong"), (20, "{}... is wrong")])
def test_a_long_broken_reply_is_shown_in_part(octets: int, shown: str) -> None:
    frame = broken(bytes((1, octets)) + bytes(octets))
    with pytest.raises(BadReply) as bad:
        asked(read(Space.COIL, 0, 8 * octets)).cut(frame)
    assert f" of {shown.format(frame[:24].hex())}" in str(bad.value)


@pytest.mark.parametrize("noise", [b"", b"\x55", b"\x55\0\xff"])
@pytest.mark.parametrize(("unit", "pdu"), [(2, REPLY), (1, FOREIGN), (2, REFUSAL), (1, b"\x83\2"), (1, WRITE)])
def test_a_sound_frame_of_somebody_else_is_found_behind_noise(noise: bytes, unit: int, pdu: bytes) -> None:
    frame = noise + framed(unit, pdu)
    assert asked().cut(frame) == (len(frame), Frame(7, unit, pdu))
    assert asked().cut(frame + b"\0") == (len(frame), Frame(7, unit, pdu))
    assert asked().cut(frame[:-1]) == (0, None)


@pytest.mark.parametrize("noise", [b"", b"\x55", b"\x55" * 9])
@pytest.mark.parametrize("pdu", [b"", b"\x16\0\0", b"\3\4\xcc\xcc", b"\3\1\xcc\xcc"])
def test_a_sound_check_sum_alone_makes_no_frame(noise: bytes, pdu: bytes) -> None:
    assert asked().cut(noise + framed(2, pdu)) == (0, None)


def test_a_refusal_of_a_write_is_typed() -> None:
    with pytest.raises(ModbusRefused, match="exception 04"):
        RtuFraming().check(WRITE, b"\x86\4")
