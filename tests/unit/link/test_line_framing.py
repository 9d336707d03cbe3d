"""Lines by the page: its own vectors, and what a client makes of everything that is none."""

import re
from pathlib import Path

import pytest

from rfctl.errors import BadReply
from rfctl.link.line import CODES, EVENT, REPLY, Event, LineFraming, LineRefused, framed, longest_reply
from rfctl.link.serial_line import SerialLine

PAGE = (Path(__file__).parents[3] / "docs" / "protocols" / "line.md").read_text(encoding="utf-8")
VECTOR = re.compile(r"^\| `(.*\\n)` \| (.*) \| (.*) \|$", re.MULTILINE)
VECTORS = [(data, client) for data, _, client in VECTOR.findall(PAGE)]
REPLY_OFF = framed(REPLY, 1, b"OK OFF")


def unescaped(text: str) -> bytes:
    return text.replace("\\r", "\r").replace("\\n", "\n").encode("ascii")


def told(framing: LineFraming, data: bytes) -> str:
    """What a client makes of bytes, in the words of the page."""
    found = []
    while data:
        used, frame = framing.cut(data)
        data = data[used:]
        found += [f"event {event.number}, `{event.text}`" for event in framing.events]
        framing.events.clear()
        if frame is None:
            break
        found.append(f"reply {frame.transaction:04X}, `{frame.pdu.decode()}`")
    return "; ".join(found) or "nothing"


def test_the_page_has_its_vectors() -> None:
    assert len(VECTORS) == 15


@pytest.mark.parametrize(("data", "client"), VECTORS)
def test_a_client_makes_of_the_bytes_what_the_page_says(data: str, client: str) -> None:
    assert told(LineFraming(), unescaped(data)) == client


@pytest.mark.parametrize(("data", "client"), VECTORS)
def test_it_does_not_matter_where_the_bytes_are_cut(data: str, client: str) -> None:
    framing = LineFraming()
    found, received = [], b""
    for byte in unescaped(data):
        received += bytes((byte,))
        used, frame = framing.cut(received)
        received = received[used:]
        found += [f"event {event.number}, `{event.text}`" for event in framing.events]
        framing.events.clear()
        found += [f"reply {frame.transaction:04X}, `{frame.pdu.decode()}`"] if frame is not None else []
    assert "; ".join(found) == client.replace("nothing", "")


def bitwise(data: bytes) -> int:
    """The check sum by its definition."""
    register = 0xFFFF
    for byte in data:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1) ^ (0x1021 if register & 0x8000 else 0)
            register &= 0xFFFF
    return register


def test_every_line_of_the_page_has_the_check_sum_of_its_definition() -> None:
    lines = re.findall(r"[<>!][0-9A-F]{4} [^<>!*`\n]*\*[0-9A-F]{4}", PAGE)
    right = [line for line in lines if f"{bitwise(line[:-5].encode()):04X}" == line[-4:]]
    wrong = [line for line in lines if line not in right]
    assert len(right) >= 40
    assert all(line.endswith("*0000") for line in wrong), wrong
    assert bitwise(b"123456789") == 0x29B1


def test_the_off_of_the_page_is_byte_for_byte_what_is_sent() -> None:
    assert LineFraming().wrap(1, b"OFF", 0xFF00) == bytes.fromhex(
        "3E464630 30204F46 462A3346 30440D0A".replace(" ", "")
    )


def test_every_single_bit_error_in_a_reply_is_noticed() -> None:
    for at in range(len(REPLY_OFF)):
        for bit in range(8):
            data = bytearray(REPLY_OFF)
            data[at] ^= 1 << bit
            used, frame = LineFraming().cut(bytes(data) + b"\r\n")
            assert frame is None, bytes(data)
            assert used


def test_bytes_without_an_end_are_not_kept_for_ever() -> None:
    framing = LineFraming()
    assert framing.cut(b"x" * 1024) == (0, None)
    assert framing.cut(b"x" * 1025) == (1025, None)
    assert framing.dropped == 1025
    assert framing.cut(REPLY_OFF)[1] is not None


def test_a_line_longer_than_the_longest_is_none() -> None:
    assert LineFraming().cut(framed(REPLY, 1, b"A" * (1024 - 13)))[1] is not None
    assert LineFraming().cut(framed(REPLY, 1, b"A" * (1025 - 13)))[1] is None


@pytest.mark.parametrize(
    "body", [b"OK OFF ", b"OK  OFF", b"OK\tOFF", b"OK OFF\x7f", b"OK O\xc3F", b"O*K OFF", b"OK >OFF"]
)
def test_a_body_of_another_form_is_no_reply_to_an_off(body: bytes) -> None:
    framing = LineFraming()
    _, frame = framing.cut(framed(REPLY, 1, body))
    if frame is not None:
        with pytest.raises(BadReply):
            framing.check(b"OFF", frame.pdu)


def test_events_are_bounded_and_a_gap_in_their_numbers_is_counted() -> None:
    framing = LineFraming()
    for number in [*range(0xFFF0, 0x10000), *range(1, 300), 303]:
        assert framing.cut(framed(EVENT, number, b"LEASE none")) == (23, None)
    assert (framing.events_missed, len(framing.events)) == (3, 256)
    assert framing.events[-1] == Event(303, "LEASE none")


def test_every_code_of_the_page_has_its_words() -> None:
    of_page = dict(re.findall(r"(\d{3}) ([^;|]+)", PAGE[PAGE.index("| class | codes |") : PAGE.index("The class is")]))
    assert {int(code): text.strip() for code, text in of_page.items()} == CODES


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (b"OFF", b"OK STATUS"),
        (b"OFF", b"OK OFF 1"),
        (b"OFF", b"OK"),
        (b"OFF", b"ok OFF"),
        (b"OFF", b""),
        (b"IDENT", b"OK IDENT"),
        (b"RENEW 1", b"OK RENEW 1"),
        (b"OFF", b"ERR"),
        (b"OFF", b"ERR OFF"),
        (b"OFF", b"ERR OFF state"),
        (b"OFF", b"ERR OFF state 201"),
        (b"OFF", b"ERR OFF state 3o1"),
        (b"OFF", b"ERR OFF mood 301"),
        (b"OFF", b"ERR OFF state 301 "),
        (b"OFF", b"ERR OFF state 001"),
        (b"OFF", b"ERR OFF internal 701"),
        (b"OFF", b"ERR FIRE state 301"),
    ],
)
def test_what_answers_something_else_is_not_believed(request_: bytes, reply: bytes) -> None:
    with pytest.raises(BadReply):
        LineFraming().check(request_, reply)


@pytest.mark.parametrize("answered", [b"ARM", b"-"])
def test_a_refusal_has_class_and_code(answered: bytes) -> None:
    with pytest.raises(LineRefused, match=r"state 307 \(no lease\)") as caught:
        LineFraming().check(b"ARM 1", b"ERR " + answered + b" state 307")
    assert (caught.value.error_class, caught.value.code) == ("state", 307)


def test_a_code_that_is_not_known_is_told_by_its_class() -> None:
    with pytest.raises(LineRefused, match=r"fault 599 \(unknown\)"):
        LineFraming().check(b"ARM 1", b"ERR ARM fault 599")


@pytest.mark.parametrize(
    ("request_", "octets"), [(b"STATUS 2", 416), (b"STATUS", 736), (b"IDENT", 512), (b"GET 1", 384), (b"OFF", 48)]
)
def test_the_longest_reply_is_that_of_the_page(request_: bytes, octets: int) -> None:
    assert longest_reply(request_) == octets


@pytest.mark.parametrize(("baud", "channels"), [(38400, 2), (38400, 4), (115200, 2), (115200, 4), (230400, 2)])
def test_the_full_cycle_is_that_of_the_page(baud: int, channels: int) -> None:
    framing = LineFraming(SerialLine("/dev/x", baud, scheme="line:"))
    requests = (b"STATUS %d" % channels, b"RENEW 65535")
    cycle_ms = round(sum(framing.exchange_ns(request) for request in requests) / 1e6) + 20
    row = re.search(rf"^\| {baud:,} \|.*$", PAGE, re.MULTILINE)
    assert row is not None
    assert row[0].split("|")[2 + channels // 2].split()[0] == str(cycle_ms)
    assert ("refused" in row[0].split("|")[2 + channels // 2]) == (cycle_ms > 100)


def test_over_tcp_nothing_takes_time_on_the_wire() -> None:
    assert LineFraming().exchange_ns(b"STATUS 4") == 0
