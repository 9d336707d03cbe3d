"""The line protocol: the framing by marker, number and check sum, and replies checked against their requests.

Written from docs/protocols/line.md.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from rfctl.errors import BadReply, DeviceRefused
from rfctl.link.framing import Frame

if TYPE_CHECKING:
    from rfctl.link.serial_line import SerialLine

REQUEST, REPLY, EVENT = b">", b"<", b"!"
END = b"\r\n"
LONGEST_LINE = 1024  # from the marker to the end
BEFORE_BODY = 6  # marker, number, space
AFTER_BODY = 7  # asterisk, check sum, end
START = 0xFFFF  # of the check sum
IN_BODY = bytes(byte for byte in range(0x20, 0x7F) if byte not in b"<>!*")

KEPT_EVENTS = 256
SHOWN = 80  # characters of a line in a message

CODES = {
    101: "not a line",
    102: "no such request",
    103: "wrong number or form of words",
    201: "no such channel",
    202: "no such setting",
    203: "value out of range",
    204: "above the rating",
    301: "lease expired and not cleared",
    302: "not armed",
    303: "wrong or used token",
    304: "output is on",
    305: "mode not set",
    306: "set points incomplete",
    307: "no lease",
    308: "not in this mode",
    309: "electrode absent",
    310: "emergency stop or enable loop",
    401: "owned by somebody else, or by nobody",
    402: "the panel has control",
    501: "a fault is present",
    601: "the generator could not do it",
}
CLASSES = ("syntax", "range", "state", "owner", "fault", "internal")
"""The class of a code is the one at code / 100, counted from 1."""

# Longest replies, bytes on the wire, as the page states them.
LONGEST_REPLY = {b"IDENT": 512, b"FIELDS": 768, b"GET": 384, b"TRAITS": 128}
LONGEST_STATUS_HEAD, LONGEST_STATUS_CHANNEL = 96, 160
LONGEST_PLAIN_REPLY = 48
MOST_CHANNELS = 4

WITH_VALUES = frozenset({b"IDENT", b"TRAITS", b"FIELDS", b"STATUS", b"GET", b"ARM"})
"""Requests whose OK has values after it; after every other one nothing stands."""


class LineRefused(DeviceRefused):
    """The generator answered ERR.

    Attributes:
        error_class: Class of the refusal, ``state``.
        code: Its code, 302.
    """

    def __init__(self, error_class: str, code: int) -> None:
        self.error_class = error_class
        self.code = code
        super().__init__(f"refused with {error_class} {code} ({CODES.get(code, 'unknown')})")


class Event(NamedTuple):
    """Something that the generator said unasked.

    Attributes:
        number: As it counts them, 1 to 65535.
        text: The words.
    """

    number: int
    text: str


class LineFraming:
    """ASCII lines. What is not a line is dropped and counted; events are put aside.

    Attributes:
        events: The last events, oldest first; when there are too many the oldest go.
        events_missed: Events that the generator counted and that did not arrive.
        dropped: Bytes that belong to no line.
    """

    numbered = True
    gap_ns = 0

    def __init__(self, line: SerialLine | None = None) -> None:
        """Frame for a serial line, whose speed says how long everything takes, or for TCP."""
        self.character_ns = line.character_ns if line is not None else 0
        self.events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self.events_missed = 0
        self.dropped = 0
        self._unit = 0
        self._last_event = 0

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        self._unit = unit
        return framed(REQUEST, transaction, pdu)

    def exchange_ns(self, pdu: bytes) -> int:
        return (BEFORE_BODY + len(pdu) + AFTER_BODY + longest_reply(pdu)) * self.character_ns

    def cut(self, received: bytes) -> tuple[int, Frame | None]:
        """The first reply, wherever in ``received`` it begins, with everything before it used up: events, lines that
        were none, noise.
        """
        at = 0
        while (end := received.find(b"\n", at) + 1) > 0:
            frame = self._understood(received[at:end])
            at = end
            if frame is not None:
                return at, frame
        if len(received) - at > LONGEST_LINE:  # the end of no line can follow any more
            self.dropped += len(received) - at
            at = len(received)
        return at, None

    def check(self, request: bytes, reply: bytes) -> None:
        """Accept a reply as the answer to its request.

        Raises:
            BadReply: It answers another request, or has values where none belong, or none where they do.
            LineRefused: It refuses.
        """
        verb = request.partition(b" ")[0]
        said, _, rest = reply.partition(b" ")
        answered, _, values = rest.partition(b" ")
        if said == b"ERR" and answered in {verb, b"-"}:
            raise _refusal(values, reply)
        if said != b"OK" or answered != verb:
            raise BadReply(f"{_shown(reply)} is no reply to {_shown(request)}")
        if not values if verb in WITH_VALUES else reply != b"OK " + verb:
            raise BadReply(f"{_shown(reply)} has {'no values' if verb in WITH_VALUES else 'more than the word'}")

    def _understood(self, line: bytes) -> Frame | None:
        """The reply in a line; None for everything else."""
        start = max(line.rfind(REPLY), line.rfind(EVENT))
        text = line[start:]
        body = text[BEFORE_BODY:-AFTER_BODY]
        number = text[1:5]
        if (
            not body  # as without a marker
            or len(text) > LONGEST_LINE
            or not text.endswith(END)
            or text[-AFTER_BODY : -len(END)] != b"*%04X" % crc_hqx(text[:-AFTER_BODY], START)
            or text[5:BEFORE_BODY] != b" "
            or number.translate(None, b"0123456789ABCDEF")
            or body.translate(None, IN_BODY)
        ):
            self.dropped += len(line)
            return None
        self.dropped += start
        if text[:1] == REPLY:
            return Frame(int(number, 16), self._unit, body)
        self._on_event(Event(int(number, 16), body.decode("ascii")))
        return None

    def _on_event(self, event: Event) -> None:
        if self._last_event:
            self.events_missed += (event.number - self._last_event - 1) % 0xFFFF
        self._last_event = event.number
        self.events.append(event)


def framed(marker: bytes, number: int, body: bytes) -> bytes:
    """A line, from its marker to its end."""
    text = b"%b%04X %b" % (marker, number, body)
    return b"%b*%04X\r\n" % (text, crc_hqx(text, START))


def longest_reply(pdu: bytes) -> int:
    """Bytes of the longest line that may answer a request."""
    verb, _, rest = pdu.partition(b" ")
    if verb == b"STATUS":
        channels = int(rest) if rest.isdigit() else MOST_CHANNELS
        return LONGEST_STATUS_HEAD + channels * LONGEST_STATUS_CHANNEL
    return LONGEST_REPLY.get(verb, LONGEST_PLAIN_REPLY)


def _refusal(values: bytes, reply: bytes) -> BadReply | LineRefused:
    name, _, number = values.decode("ascii").partition(" ")
    code = int(number) if number.isdigit() and len(number) == 3 else 0
    if not 1 <= code // 100 <= len(CLASSES) or CLASSES[code // 100 - 1] != name:
        return BadReply(f"{_shown(reply)} is no refusal: class and code do not agree")
    return LineRefused(name, code)


def _shown(text: bytes) -> str:
    return repr(text[:SHOWN].decode("ascii", errors="replace"))
