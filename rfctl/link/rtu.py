"""Modbus RTU: the framing on a serial line, and over TCP to one, where frames carry a check sum and no number."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from rfctl.errors import BadReply
from rfctl.link.crc import crc16
from rfctl.link.framing import Frame
from rfctl.link.modbus import KEPT_REQUESTS, check_reply
from rfctl.link.shape import EXCEPTION_REPLY, length_of_reply, start_of_reply, stated_length

if TYPE_CHECKING:
    from rfctl.link.serial_line import SerialLine

CHECK_SUM = 2  # bytes after the PDU
AROUND = 1 + CHECK_SUM  # bytes around the PDU: unit before it, check sum after it
SHOWN = 24  # bytes of a frame in a message


class _Asked(NamedTuple):
    """A request on the wire, and the two replies that it may have: how each starts, and its length."""

    frame: bytes
    reply: bytes
    reply_length: int
    refusal: bytes


_NOTHING = _Asked(b"", b"", 0, b"")


class RtuFraming:
    """Modbus RTU: unit, PDU, check sum. A reply is known by what was asked: its unit, function and length.

    One framing serves one link: it looks for the reply to the request that it wrapped last.
    """

    numbered = False

    def __init__(self, line: SerialLine | None = None) -> None:
        """Frame for a line, whose speed says how long everything takes.

        Args:
            line: None for a TCP connection that carries such frames: there a gap has no meaning, because what is
                behind the far end keeps its own, and bytes take no time.
        """
        self.gap_ns = line.gap_ns if line else 0
        self.character_ns = line.character_ns if line else 0
        self._framer = FramerRTU(DecodePDU(is_server=False))
        self._wrapped: dict[tuple[int, bytes], _Asked] = {}
        self._asked = _NOTHING
        self._transaction = 0

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        self._transaction = transaction
        asked = self._wrapped.get((unit, pdu))
        if asked is None:
            if len(self._wrapped) >= KEPT_REQUESTS:
                self._wrapped.clear()
            asked = self._wrapped[unit, pdu] = _Asked(
                self._framer.encode(pdu, unit, transaction),
                bytes((unit,)) + start_of_reply(pdu),
                length_of_reply(pdu) + AROUND,
                bytes((unit, pdu[0] | 0x80)) if pdu else b"",
            )
        self._asked = asked
        return asked.frame

    def exchange_ns(self, pdu: bytes) -> int:
        octets = len(pdu) + AROUND + length_of_reply(pdu) + AROUND
        return octets * self.character_ns + self.gap_ns

    def cut(self, received: bytes) -> tuple[int, Frame | None]:
        """The reply to the request that was wrapped last, wherever in ``received`` it begins: bytes before it are
        noise. Without one, a whole frame of somebody else, so that it can be told what is wrong with it.

        Raises:
            BadReply: The reply is there from its first byte to its last, and its check sum is wrong.
        """
        _, start, length, _ = self._asked
        if received.startswith(start):  # as nearly always
            if len(received) < length:
                return 0, None
            if not crc16(received[:length]):
                return length, Frame(self._transaction, received[0], received[1 : length - CHECK_SUM])
        return self._search(received)

    def check(self, request: bytes, reply: bytes) -> None:
        check_reply(request, reply)

    def _search(self, received: bytes) -> tuple[int, Frame | None]:
        may_become = False
        broken = b""
        _, start, length, refusal = self._asked
        for beginning, size in ((start, length), (refusal, EXCEPTION_REPLY + AROUND)):
            at = received.find(beginning) if beginning else -1
            while at >= 0:
                candidate = received[at : at + size]
                if len(candidate) < size:
                    may_become = True
                elif not crc16(candidate):
                    return at + size, Frame(self._transaction, candidate[0], candidate[1:-CHECK_SUM])
                else:
                    broken = broken or candidate
                at = received.find(beginning, at + 1)
            may_become = may_become or any(received.endswith(beginning[:some]) for some in range(1, len(beginning)))
        if may_become:
            return 0, None
        if broken:
            raise BadReply(
                f"check sum {broken[-CHECK_SUM:].hex()} of {broken[:SHOWN].hex()}{'...' * (len(broken) > SHOWN)} is "
                f"wrong: {crc16(broken[:-CHECK_SUM]).to_bytes(2, 'little').hex()} expected",
                remedy="Check baud rate, parity, cable and the line's termination.",
            )
        return self._foreign(received)

    def _foreign(self, received: bytes) -> tuple[int, Frame | None]:
        """A sound frame that is not the reply."""
        for at in range(len(received)):
            length = stated_length(received[at + 1 : at + 1 + EXCEPTION_REPLY]) + AROUND
            if AROUND < length <= len(received) - at and not crc16(received[at : at + length]):
                pdu = received[at + 1 : at + length - CHECK_SUM]
                return at + length, Frame(self._transaction, received[at], pdu)
        return 0, None
