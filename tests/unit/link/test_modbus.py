"""Requests as the Modbus specification writes them, and replies that belong to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfctl.errors import BadReply
from rfctl.link.framing import Frame
from rfctl.link.modbus import (
    ModbusRefused,
    TcpFraming,
    bits_in,
    check_reply,
    read,
    read_holding,
    read_input,
    registers_in,
    write,
    write_coils,
)
from rfctl.link.registers import Space

READ_TWO = read_input(64, 2)
REPLY = bytes.fromhex("040400010002")


def test_requests_are_those_of_the_specification() -> None:
    assert read_input(0, 8).hex() == "0400000008"
    assert read_holding(19, 8).hex() == "0300130008"
    assert write(0, b"\0\1").hex() == "0600000001"
    assert write(19, bytes.fromhex("42a00000")).hex() == "10001300020442a00000"
    assert write(5, b"\0\1", several=True).hex() == "1000050001020001"
    assert [read(space, 3, 9).hex() for space in (Space.COIL, Space.DISCRETE)] == ["0100030009", "0200030009"]
    assert read(Space.HOLDING, 3, 9) == read_holding(3, 9)
    assert (write_coils(3, b"\0\1").hex(), write_coils(3, b"\0\0").hex()) == ("050003ff00", "0500030000")
    assert write_coils(3, b"\0\1", several=True).hex() == "0f000300010101"
    assert write_coils(3, b"\0\1" * 9).hex() == "0f0003000902ff01"


def test_bits_come_lowest_first_and_the_padding_is_left_out() -> None:
    request, reply = read(Space.COIL, 3, 10), bytes.fromhex("01020502")
    check_reply(request, reply)
    assert bits_in(reply, 10) == b"".join(bytes((0, bit)) for bit in (1, 0, 1, 0, 0, 0, 0, 0, 0, 1))


def test_the_frame_of_the_map_page_is_wrapped_byte_for_byte() -> None:
    assert TcpFraming().wrap(1, read_input(0, 8), 1).hex() == "000100000006010400000008"


def test_a_reply_is_cut_at_its_length_and_the_rest_is_left() -> None:
    framing = TcpFraming()
    frame = framing.wrap(1, REPLY, 7)
    for end in range(len(frame)):
        assert framing.cut(frame[:end]) == (0, None)
    assert framing.cut(frame + frame[:9]) == (len(frame), Frame(7, 1, REPLY))


def test_the_longest_frame_of_the_specification_is_cut_too() -> None:
    longest = TcpFraming().wrap(1, b"\x04" + bytes(252), 7)
    assert longest[4:6] == b"\x00\xfe"
    assert TcpFraming().cut(longest) == (len(longest), Frame(7, 1, longest[7:]))


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("0001000100060104", "protocol 1"),
        ("0001000000000104", "length 0"),
        ("0001000000020104", "length 2"),
        ("0001000000ff0104", "length 255"),
        ("000100005555ffff", "length 21845"),
    ],
)
def test_bytes_that_start_no_frame_are_a_bad_reply(header: str, says: str) -> None:
    with pytest.raises(BadReply, match=says):
        TcpFraming().cut(bytes.fromhex(header))


@pytest.mark.parametrize(
    ("request_pdu", "reply"),
    [
        (READ_TWO, REPLY),
        (read_holding(0, 1), bytes.fromhex("03020000")),
        (write(0, b"\0\1"), bytes.fromhex("0600000001")),
        (write(19, bytes(8)), bytes.fromhex("1000130004")),
    ],
)
def test_a_reply_that_fits_is_accepted(request_pdu: bytes, reply: bytes) -> None:
    check_reply(request_pdu, reply)


@pytest.mark.parametrize(
    ("request_pdu", "reply"),
    [
        (READ_TWO, bytes.fromhex("030400010002")),
        (READ_TWO, bytes.fromhex("04020001")),
        (READ_TWO, bytes.fromhex("0406000100020003")),
        (READ_TWO, bytes.fromhex("04040001")),
        (READ_TWO, bytes.fromhex("04040001000200")),
        (READ_TWO, bytes.fromhex("8302")),
        (READ_TWO, bytes.fromhex("8400")),
        (READ_TWO, bytes.fromhex("840202")),
        (READ_TWO, bytes.fromhex("84")),
        (write(0, b"\0\1"), bytes.fromhex("0600000000")),
        (write(0, b"\0\1"), bytes.fromhex("0600010001")),
        (write(0, b"\0\1"), bytes.fromhex("060000000100")),
        (write(19, bytes(8)), bytes.fromhex("1000130003")),
        (write(19, bytes(8)), bytes.fromhex("1000140004")),
        (bytes.fromhex("1600000100"), bytes.fromhex("1600000100")),
        (write_coils(3, b"\0\1"), bytes.fromhex("0500030000")),
        (write_coils(3, b"\0\1" * 9), bytes.fromhex("0f00030008")),
        (read(Space.COIL, 3, 9), bytes.fromhex("0101ff")),
        (read(Space.DISCRETE, 3, 8), bytes.fromhex("0202ff00")),
    ],
)
def test_a_reply_that_does_not_fit_is_a_bad_reply(request_pdu: bytes, reply: bytes) -> None:
    with pytest.raises(BadReply):
        check_reply(request_pdu, reply)


def test_an_exception_is_typed() -> None:
    with pytest.raises(ModbusRefused, match="exception 06") as caught:
        check_reply(write(1, b"\0\7"), bytes.fromhex("8606"))
    assert caught.value.code == 6


@given(st.binary(min_size=1, max_size=253))
def test_no_random_reply_is_accepted_with_another_length(reply: bytes) -> None:
    try:
        check_reply(READ_TWO, reply)
    except (BadReply, ModbusRefused):
        return
    assert reply[0] == 4
    assert len(registers_in(reply)) == 4


@given(st.binary(max_size=300))
def test_cutting_random_bytes_takes_a_whole_frame_or_nothing(received: bytes) -> None:
    try:
        used, frame = TcpFraming().cut(received)
    except BadReply:
        return
    assert (used == 0) == (frame is None)
    if frame is not None:
        assert received[7:used] == frame.pdu
        assert used == 6 + int.from_bytes(received[4:6], "big")
