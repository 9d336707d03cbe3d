"""Replies that are wrong and still well formed, in each protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl_sim.requests import READS

if TYPE_CHECKING:
    from random import Random

    from rfctl_sim.fault_effects import Frame, Grammar

HIGHEST_UNIT, HIGHEST_NUMBER = 247, 0xFFFF
HEAD_BYTES = 2  # of a PDU: function, and count or the first byte of an address
# Exchanges functions 3 and 4, and makes 1 of 6: the answer to a request that might have been.
FUNCTION_BITS = 7


class _Modbus:
    """PDUs of units."""

    def other_unit(self, frame: Frame) -> Frame:
        unit, pdu = frame
        return unit % HIGHEST_UNIT + 1, pdu

    def other_function(self, frame: Frame) -> Frame:
        unit, pdu = frame
        return unit, bytes((pdu[0] ^ FUNCTION_BITS,)) + pdu[1:]

    def other_count(self, frame: Frame) -> Frame:
        unit, pdu = frame
        if pdu[0] in READS and pdu[1] > HEAD_BYTES:
            return unit, bytes((pdu[0], pdu[1] - 2)) + pdu[HEAD_BYTES:-2]
        return unit, pdu[:-1] + bytes((pdu[-1] ^ 1,))

    def other_value(self, frame: Frame, random: Random) -> Frame:
        unit, pdu = frame
        spoiled = bytearray(pdu)
        spoiled[random.randrange(min(HEAD_BYTES, len(pdu) - 1), len(pdu))] ^= 1 << random.randrange(8)
        return unit, bytes(spoiled)


class _Line:
    """Bodies of replies with the number of their request."""

    def other_unit(self, frame: Frame) -> Frame:
        number, body = frame
        return number % HIGHEST_NUMBER + 1, body

    def other_function(self, frame: Frame) -> Frame:
        number, body = frame
        outcome, verb, *rest = body.split(b" ")
        return number, b" ".join((outcome, b"IDENT" if verb != b"IDENT" else b"STATUS", *rest))

    def other_count(self, frame: Frame) -> Frame:
        number, body = frame
        return number, body.rpartition(b"," if b"," in body else b" ")[0]

    def other_value(self, frame: Frame, random: Random) -> Frame:
        number, body = frame
        digits = [at for at, octet in enumerate(body) if chr(octet).isdigit()]
        if not digits:
            return number, body
        at = random.choice(digits)
        other = (int(body[at : at + 1]) + random.randrange(1, 10)) % 10
        return number, body[:at] + b"%d" % other + body[at + 1 :]


MODBUS: Grammar = _Modbus()
LINE: Grammar = _Line()
