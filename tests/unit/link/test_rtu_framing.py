"""Frames on a serial line: the addresses of ports, the time that bytes take, and replies found among noise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from rfctl.errors import BadReply, ConfigError
from rfctl.link.crc import crc16
from rfctl.link.framing import Frame
from rfctl.link.modbus import ModbusRefused, read_holding, read_input, write
from rfctl.link.rtu import RtuFraming
from rfctl.link.serial_line import SerialLine
from tests.serial_peer import framed

READ_TWO = read_input(66, 2)
REPLY = bytes.fromhex("0404aaaabbbb")
WRITE = write(0, b"\0\1")


def asked(request: bytes = READ_TWO, *, unit: int = 1, transaction: int = 7) -> RtuFraming:
    """A framing that has just wrapped a request."""
    framing = RtuFraming(SerialLine("/dev/ttyS0"))
    framing.wrap(unit, request, transaction)
    return framing


# the line


def test_an_address_without_settings_means_115200_baud_no_parity_one_stop_bit() -> None:
    assert SerialLine.parse("rtu:/dev/ttyUSB0") == SerialLine("/dev/ttyUSB0", 115200, "N", 1)


def test_settings_are_read_and_written_back() -> None:
    line = SerialLine.parse("rtu:/dev/serial/by-id/usb-x?baud=38400&parity=E&stopbits=2")
    assert line == SerialLine("/dev/serial/by-id/usb-x", 38400, "E", 2)
    assert SerialLine.parse(line.address) == line


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("rtu:ttyUSB0", "its path must be absolute"),
        ("rtu:", "its path must be absolute"),
        ("rtu:/dev/ttyUSB0?baud=115201", "baud = '115201'.* Valid: 1200, .*, 921600"),
        ("rtu:/dev/ttyUSB0?baud=", "baud = ''"),
        ("rtu:/dev/ttyUSB0?parity=M", r"parity = 'M'\. Valid: N \(none\), E \(even\), O \(odd\)"),
        ("rtu:/dev/ttyUSB0?stopbits=1.5", r"stopbits = '1\.5'.* Valid: 1, 2"),
        ("rtu:/dev/ttyUSB0?speed=9600", "no setting 'speed'. Valid: baud, parity, stopbits"),
        ("rtu:/dev/ttyUSB0?baud=9600&baud=9600", "each once"),
        ("rtu:/dev/ttyUSB0?baud=9600&&parity=N", "NAME=VALUE"),
    ],
)
def test_what_is_no_serial_address_is_a_configuration_error(address: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        SerialLine.parse(address)
    assert caught.value.where == address


@pytest.mark.parametrize(
    ("line", "character_us", "gap_us"),
    [
        (SerialLine("/x", 9600, "E", 1), 1145.8, 4010.4),
        (SerialLine("/x", 19200, "N", 1), 520.8, 2005.2),
        (SerialLine("/x", 38400, "N", 1), 260.4, 1750.0),
        (SerialLine("/x", 115200, "N", 2), 95.5, 1750.0),
    ],
)
def test_the_gap_is_three_and_a_half_characters_and_never_below_1_75_ms(
    line: SerialLine, character_us: float, gap_us: float
) -> None:
    assert line.character_ns / 1000 == pytest.approx(character_us, abs=0.1)
    assert line.gap_ns / 1000 == pytest.approx(gap_us, abs=0.1)


def test_an_exchange_takes_the_time_of_every_byte_and_of_the_gap() -> None:
    line = SerialLine("/x", 9600)
    assert RtuFraming(line).exchange_ns(READ_TWO) == (8 + 9) * line.character_ns + line.gap_ns
    assert RtuFraming(line).exchange_ns(write(19, bytes(8))) == (17 + 8) * line.character_ns + line.gap_ns


def test_over_tcp_a_byte_takes_no_time_and_frames_need_no_gap() -> None:
    framing = RtuFraming()
    assert (framing.gap_ns, framing.character_ns, framing.exchange_ns(READ_TWO)) == (0, 0, 0)


@given(st.binary(max_size=300))
def test_the_check_sum_is_that_of_another_implementation(data: bytes) -> None:
    check_sum = crc16(data).to_bytes(2, "little")
    assert int.from_bytes(check_sum, "big") == FramerRTU.compute_CRC(data)
    assert crc16(data + check_sum) == 0


# frames


def test_the_frames_of_the_map_page_are_wrapped_byte_for_byte() -> None:
    framing = RtuFraming(SerialLine("/dev/ttyS0"))
    assert framing.wrap(1, read_input(0, 8), 1).hex() == "010400000008f1cc"
    assert framing.wrap(1, WRITE, 2).hex() == "010600000001480a"


@pytest.mark.parametrize(
    ("request_pdu", "reply"),
    [
        (READ_TWO, REPLY),
        (read_holding(0, 1), bytes.fromhex("03020000")),
        (WRITE, WRITE),
        (write(19, bytes(8)), bytes.fromhex("1000130004")),
        (read_input(0, 125), b"\x04\xfa" + bytes(250)),
    ],
)
def test_a_reply_is_cut_at_the_length_that_its_request_asks_for(request_pdu: bytes, reply: bytes) -> None:
    framing = asked(request_pdu)
    frame = framed(1, reply)
    for end in range(len(frame)):
        assert framing.cut(frame[:end]) == (0, None)
    assert framing.cut(frame) == (len(frame), Frame(7, 1, reply))
    assert framing.cut(frame + frame[:3]) == (len(frame), Frame(7, 1, reply))
    framing.check(request_pdu, reply)


@pytest.mark.parametrize("noise", ["00", "ff", "01", "0104", "010404", "018402", "010404aaaabbbb", "550104"])
def test_noise_before_a_reply_is_passed_over(noise: str) -> None:
    stray, frame = bytes.fromhex(noise), framed(1, REPLY)
    framing = asked()
    for end in range(len(frame)):
        assert framing.cut(stray + frame[:end]) == (0, None)
    assert framing.cut(stray + frame) == (len(stray) + len(frame), Frame(7, 1, REPLY))


@pytest.mark.parametrize("noise", [b"", b"\x55"])
def test_an_exception_is_known_by_its_own_length(noise: bytes) -> None:
    framing = asked()
    used, frame = framing.cut(noise + framed(1, b"\x84\x02"))
    assert (used, frame) == (len(noise) + 5, Frame(7, 1, b"\x84\x02"))
    with pytest.raises(ModbusRefused, match="exception 02"):
        framing.check(READ_TWO, b"\x84\x02")


def test_a_reply_with_a_wrong_check_sum_is_a_bad_reply_that_shows_both() -> None:
    frame = bytearray(framed(1, REPLY))
    frame[3] ^= 0x10
    with pytest.raises(BadReply, match=r"check sum [0-9a-f]{4} of 010404baaabbbb[0-9a-f]{4} is wrong"):
        asked().cut(bytes(frame))


@pytest.mark.parametrize(
    ("unit", "reply"),
    [(2, REPLY), (1, bytes.fromhex("0304aaaabbbb")), (1, bytes.fromhex("0402aaaa")), (1, WRITE)],
)
def test_a_sound_frame_that_answers_something_else_is_cut_for_the_link_to_refuse(unit: int, reply: bytes) -> None:
    assert asked().cut(framed(unit, reply)) == (len(reply) + 3, Frame(7, unit, reply))


@given(st.binary(max_size=40))
def test_no_noise_is_taken_for_a_reply_unless_its_check_sum_says_so(received: bytes) -> None:
    try:
        used, frame = asked().cut(received)
    except BadReply:
        return
    assert (used == 0) == (frame is None)
    if frame is not None:
        assert framed(frame.unit, frame.pdu) == received[used - len(frame.pdu) - 3 : used]


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_a_whole_reply_among_noise_is_found(before: bytes, after: bytes) -> None:
    frame = framed(1, REPLY)
    assert asked().cut(before + frame + after) == (len(before) + len(frame), Frame(7, 1, REPLY))
