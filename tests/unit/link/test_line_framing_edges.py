"""Lines byte by byte: what may stand where, what was dropped, which events were missed, what a reply must say."""

from __future__ import annotations

from binascii import crc_hqx

import pytest

from rfctl.errors import BadReply
from rfctl.link.framing import Frame
from rfctl.link.line import CLASSES, CODES, EVENT, REPLY, Event, LineFraming, LineRefused, framed, longest_reply
from rfctl.link.serial_line import SerialLine

OFF = framed(REPLY, 1, b"OK OFF")
TRIP = framed(EVENT, 7, b"TRIP 1 hot")


def sealed(text: bytes) -> bytes:
    """A text of any form with its right check sum."""
    return b"%b*%04X\r\n" % (text, crc_hqx(text, 0xFFFF))


def test_a_reply_is_of_the_unit_that_was_asked_last() -> None:
    framing = LineFraming()
    for unit in (1, 9):
        framing.wrap(unit, b"OFF", 1)
        assert framing.cut(OFF) == (len(OFF), Frame(1, unit, b"OK OFF"))


@pytest.mark.parametrize("number", [0x0000, 0x0123, 0xABCD, 0xFFFF])
def test_a_number_has_four_hexadecimal_digits(number: int) -> None:
    framing = LineFraming()
    frame = framed(REPLY, number, b"OK OFF")
    assert framing.cut(frame) == (len(frame), Frame(number, 0, b"OK OFF"))
    framing.cut(framed(EVENT, number, b"LEASE none"))
    assert list(framing.events) == [Event(number, "LEASE none")]


@pytest.mark.parametrize(
    "text",
    [
        b"<0001 ",
        b"<0001",
        b"<0001_OK OFF",
        b"<0001\tOK OFF",
        b"<00g1 OK OFF",
        b"<00a1 OK OFF",
        b"<+001 OK OFF",
        b"<0x01 OK OFF",
        b"<0_01 OK OFF",
        b"<001 OK OFF",
        b"<00001 OK OFF",
        b">0001 OK OFF",
        b"0001 OK OFF",
    ],
)
def test_a_line_of_another_form_is_dropped_whatever_its_check_sum(text: bytes) -> None:
    framing, line = LineFraming(), sealed(text)
    assert framing.cut(line) == (len(line), None)
    assert (framing.dropped, len(framing.events)) == (len(line), 0)


def test_a_body_is_of_printable_characters_that_mark_nothing() -> None:
    allowed = set(range(0x20, 0x7F)) - set(b"<>!*")
    for byte in range(256):
        line = framed(REPLY, 1, b"OK %cX" % byte)
        taken = LineFraming().cut(line)[1]
        assert (taken is not None) == (byte in allowed), bytes((byte,))


def test_a_body_of_one_character_is_enough() -> None:
    assert LineFraming().cut(framed(REPLY, 1, b"X"))[1] == Frame(1, 0, b"X")
    assert LineFraming().cut(framed(REPLY, 1, b""))[1] is None


@pytest.mark.parametrize("marker", [REPLY, EVENT])
@pytest.mark.parametrize("noise", [b"", b"x", b"noise", b"<0001 OK O", b"!00"])
def test_what_stands_before_a_marker_is_dropped(marker: bytes, noise: bytes) -> None:
    framing = LineFraming()
    line = noise + framed(marker, 7, b"OK OFF")
    used, frame = framing.cut(line)
    assert (used, frame is not None, len(framing.events)) == (len(line), marker == REPLY, marker == EVENT)
    assert framing.dropped == len(noise)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"x\n", b"\n\n\r\n"])
def test_an_end_alone_is_passed_over(end: bytes) -> None:
    framing = LineFraming()
    assert framing.cut(end) == (len(end), None)
    assert framing.dropped == len(end)
    assert framing.cut(end + OFF) == (len(end) + len(OFF), Frame(1, 0, b"OK OFF"))


def test_only_what_no_line_has_taken_counts_towards_the_longest() -> None:
    framing = LineFraming()
    assert framing.cut(TRIP + b"x" * 1024) == (len(TRIP), None)
    assert framing.dropped == 0
    assert framing.cut(TRIP + b"x" * 1025) == (len(TRIP) + 1025, None)
    assert framing.dropped == 1025


@pytest.mark.parametrize(
    ("numbers", "missed"),
    [
        ((7,), 0),
        ((1,), 0),
        ((2,), 0),
        ((65535,), 0),
        ((1, 2), 0),
        ((1, 3), 1),
        ((65534, 65535), 0),
        ((65535, 1), 0),
        ((65535, 2), 1),
        ((65534, 1), 1),
        ((2, 1), 65533),
        ((1, 3, 4, 6), 2),
    ],
)
def test_events_are_numbered_from_1_to_65535_and_from_1_again(numbers: tuple[int, ...], missed: int) -> None:
    framing = LineFraming()
    for number in numbers:
        framing.cut(framed(EVENT, number, b"LEASE none"))
    assert framing.events_missed == missed


@pytest.mark.parametrize(
    ("request_pdu", "reply"),
    [
        (b"OFF", b"OK OFF"),
        (b"OFF 2", b"OK OFF"),
        (b"RENEW 7", b"OK RENEW"),
        (b"STATUS 2", b"OK STATUS 1,2;3"),
        (b"IDENT", b"OK IDENT protocol=rfctl-line"),
        (b"TRAITS 1", b"OK TRAITS electrode_id=0"),
        (b"FIELDS", b"OK FIELDS generator=a"),
        (b"GET 0", b"OK GET owner=1"),
        (b"ARM 1", b"OK ARM 4711"),
    ],
)
def test_a_reply_that_fits_is_accepted(request_pdu: bytes, reply: bytes) -> None:
    LineFraming().check(request_pdu, reply)


@pytest.mark.parametrize(
    ("request_pdu", "reply", "says"),
    [
        (b"OFF", b"OK STATUS", "'OK STATUS' is no reply to 'OFF'"),
        (b"OFF", b"ok OFF", "'ok OFF' is no reply to 'OFF'"),
        (b"OFF", b"NO OFF", "'NO OFF' is no reply to 'OFF'"),
        (b"OFF", b"OK -", "'OK -' is no reply to 'OFF'"),
        (b"OFF", b"OK - state 301", "'OK - state 301' is no reply"),
        (b"STATUS 1", b"NO STATUS 1,2", "is no reply to 'STATUS 1'"),
        (b"STATUS 1", b"OK GET 1,2", "is no reply to 'STATUS 1'"),
        (b"OFF", b"ERR ARM state 301", "'ERR ARM state 301' is no reply to 'OFF'"),
        (b"OFF", b"OK OFF 1", "'OK OFF 1' has more than the word"),
        (b"OFF", b"OK OFF ", "'OK OFF ' has more than the word"),
        (b"IDENT", b"OK IDENT", "'OK IDENT' has no values"),
        (b"ARM 1", b"OK ARM ", "'OK ARM ' has no values"),
        (b"OFF", b"OK " + b"X" * 90, f"'OK {'X' * 77}' is no reply"),
    ],
)
def test_a_reply_that_does_not_fit_is_told_beside_its_request(request_pdu: bytes, reply: bytes, says: str) -> None:
    with pytest.raises(BadReply, match=says):
        LineFraming().check(request_pdu, reply)


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_refusal_is_told_by_its_class_number_and_words(code: int) -> None:
    name = CLASSES[code // 100 - 1]
    with pytest.raises(LineRefused) as refused:
        LineFraming().check(b"ARM 1", f"ERR ARM {name} {code}".encode())
    assert (refused.value.error_class, refused.value.code) == (name, code)
    assert f"{name} {code} ({CODES[code]})" in str(refused.value)


@pytest.mark.parametrize(
    "values", ["syntax 001", "syntax 000", "internal 000", "syntax 100x", "state 0301", "state 31", "x 699", "x 700"]
)
def test_a_code_that_is_not_of_its_class_is_no_refusal(values: str) -> None:
    with pytest.raises(BadReply, match="class and code do not agree"):
        LineFraming().check(b"ARM 1", f"ERR ARM {values}".encode())


@pytest.mark.parametrize(("values", "code"), [("syntax 100", 100), ("syntax 199", 199), ("internal 699", 699)])
def test_a_class_has_a_hundred_codes(values: str, code: int) -> None:
    with pytest.raises(LineRefused) as refused:
        LineFraming().check(b"ARM 1", f"ERR ARM {values}".encode())
    assert refused.value.code == code


@pytest.mark.parametrize("request_pdu", [b"OFF", b"STATUS 4", b"RENEW 65535", b"IDENT"])
def test_an_exchange_takes_the_time_of_the_request_and_of_the_longest_reply(request_pdu: bytes) -> None:
    line = SerialLine("/dev/x", 9600, scheme="line:")
    octets = len(framed(b">", 1, request_pdu)) + longest_reply(request_pdu)
    assert LineFraming(line).exchange_ns(request_pdu) == octets * line.character_ns
    assert LineFraming().exchange_ns(request_pdu) == 0
