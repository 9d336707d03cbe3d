"""Modbus RTU: the framing on a serial line, where frames carry a check sum and no number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from rfctl.errors import BadReply
from rfctl.link.framing import Frame
from rfctl.link.modbus import check_reply
from rfctl.link.write_table import READ_FUNCTIONS, WRITE_FUNCTIONS, data_bytes

if TYPE_CHECKING:
    from rfctl.link.serial_line import SerialLine

CHECK_SUM = 2  # bytes after the PDU
AROUND = 1 + CHECK_SUM  # bytes around the PDU: unit before it, check sum after it
EXCEPTION_FRAME = 2 + AROUND
WRITE_FRAME = 5 + AROUND  # the reply to a write: function, address, value or count
READ_FRAME = 2 + AROUND  # the reply to a read, without its registers
SHOWN = 24  # bytes of a frame in a message


class RtuFraming:
    """Modbus RTU: unit, PDU, check sum. A reply is known by what was asked: its unit, function and length.

    One framing serves one link: it looks for the reply to the request that it wrapped last.
    """

    numbered = False

    def __init__(self, line: SerialLine) -> None:
        """Frame for a line, whose speed says how long everything takes."""
        self.gap_ns = line.gap_ns
        self.character_ns = line.character_ns
        self._framer = FramerRTU(DecodePDU(is_server=False))
        self._transaction = 0
        self._start = b""  # of the reply that is awaited
        self._length = 0
        self._refusal = b""  # start of the exception in its place

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        self._transaction = transaction
        self._start = bytes((unit,)) + _start_of_reply(pdu)
        self._length = _length_of_reply(pdu)
        self._refusal = bytes((unit, pdu[0] | 0x80))
        return self._framer.encode(pdu, unit, transaction)

    def exchange_ns(self, pdu: bytes) -> int:
        octets = len(pdu) + AROUND + _length_of_reply(pdu)
        return octets * self.character_ns + self.gap_ns

    def cut(self, received: bytes) -> tuple[int, Frame | None]:
        """The reply to the request that was wrapped last, wherever in ``received`` it begins: bytes before it are
        noise. Without one, a whole frame of somebody else, so that it can be told what is wrong with it.

        Raises:
            BadReply: The reply is there from its first byte to its last, and its check sum is wrong.
        """
        start, length = self._start, self._length
        if received.startswith(start[: len(received)]):  # as nearly always
            if len(received) < length:
                return 0, None
            if _sound(received[:length]):
                return length, Frame(self._transaction, received[0], received[1 : length - CHECK_SUM])
        return self._search(received)

    def check(self, request: bytes, reply: bytes) -> None:
        check_reply(request, reply)

    def _search(self, received: bytes) -> tuple[int, Frame | None]:
        may_become = False
        broken = b""
        for at in range(len(received)):
            rest = received[at:]
            for start, length in ((self._start, self._length), (self._refusal, EXCEPTION_FRAME)):
                if not rest.startswith(start[: len(rest)]):
                    continue
                if len(rest) < length:
                    may_become = True
                elif _sound(rest[:length]):
                    return at + length, Frame(self._transaction, rest[0], rest[1 : length - CHECK_SUM])
                else:
                    broken = broken or rest[:length]
        if may_become:
            return 0, None
        if broken:
            raise BadReply(
                f"check sum {broken[-CHECK_SUM:].hex()} of {broken[:SHOWN].hex()}{'...' * (len(broken) > SHOWN)} is "
                f"wrong: {FramerRTU.compute_CRC(broken[:-CHECK_SUM]):04x} expected",
                remedy="Check baud rate, parity, cable and the line's termination.",
            )
        return self._foreign(received)

    def _foreign(self, received: bytes) -> tuple[int, Frame | None]:
        """A sound frame that is not the reply."""
        for at in range(len(received)):
            length = _stated_length(received[at:])
            if 0 < length <= len(received) - at and _sound(received[at : at + length]):
                pdu = received[at + 1 : at + length - CHECK_SUM]
                return at + length, Frame(self._transaction, received[at], pdu)
        return 0, None


def _length_of_reply(pdu: bytes) -> int:
    """Bytes of the frame that answers a request, check sum included."""
    if pdu[0] in READ_FUNCTIONS:
        return READ_FRAME + data_bytes(pdu)
    return WRITE_FRAME


def _start_of_reply(pdu: bytes) -> bytes:
    """What is known of a reply's PDU beforehand."""
    if pdu[0] in READ_FUNCTIONS:
        return bytes((pdu[0], data_bytes(pdu) & 0xFF))
    return pdu[:5]


def _stated_length(frame: bytes) -> int:
    """Length of a reply by its own account; 0 while it does not say, or for a function that is never asked for."""
    if len(frame) < EXCEPTION_FRAME:
        return 0
    function = frame[1]
    if function & 0x80:
        return EXCEPTION_FRAME
    if function in READ_FUNCTIONS:
        return READ_FRAME + frame[2]
    return WRITE_FRAME if function in WRITE_FUNCTIONS else 0


def _sound(frame: bytes) -> bool:
    """The check sum at the end is that of the rest."""
    return FramerRTU.check_CRC(frame[:-CHECK_SUM], frame[-CHECK_SUM] << 8 | frame[-1])
