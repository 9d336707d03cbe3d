"""A Modbus unit that answers every request once as it should be, and then spoils the answer as it is told.

Every answer to a read carries the number of its request, so that an answer to another request can be told.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Literal

from pymodbus.framer import FramerRTU

Wire = Literal["rtu", "rtutcp", "tcp"]
Pieces = list[tuple[float, bytes]]
"""Bytes that go back, each with the time since the request, s."""

REPLY_S = 0.025
"""The longest time that a client of this unit waits for an answer, its time on the wire not counted."""
APART_S = 0.0002
READS = frozenset({1, 2, 3, 4})
CHARACTER_S, GAP_S = 10 / 115200, 0.00175  # of the line under "rtu"
IN_STREAM = (
    "noise before",
    "noise before, apart",
    "noise behind",
    "noise around",
    "start of itself before",
    "end of another before",
    "neighbour's frame before",
    "doubled",
    "byte by byte",
)
"""The answer is there, whole and in time: it must be found without a second request."""
SPOILT = (
    "late",
    "late, after a cancel",
    "cut",
    "cut, the rest late",
    "wrong unit",
    "wrong function",
    "wrong count",
    "wrong address",
    "bit errors",
    "burst",
    "noise only",
    "silent",
)
FAULTS = IN_STREAM + SPOILT


def with_check_sum(frame: bytes) -> bytes:
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


class FaultyUnit:
    """Unit 1 behind one connection.

    Attributes:
        fault: What happens to the next answer; empty for nothing.
        number: Of the last request.
        genuine: The answer to the last request as it should be, from its function code.
        sent: It has gone out whole.
        slow: It takes nearly all the time that a client waits.
        requests: How many came.
    """

    def __init__(self, wire: Wire, seed: int, send: Callable[[float, bytes, bool], None]) -> None:
        """``send`` puts bytes on the wire after so many seconds; True with the last of a genuine answer."""
        self.wire = wire
        self.chance = random.Random(seed)
        self.fault = ""
        self.number = 0
        self.requests = 0
        self.genuine = b""
        self.sent = False
        self.slow = False
        self._send = send
        self._header = b""
        self._unit = 1
        self._received = b""
        self._earlier = b"\0" * 8

    def on_bytes(self, data: bytes) -> None:
        """Requests, whole or in parts."""
        self._received += data
        while (size := self._size()) and len(self._received) >= size:
            request, self._received = self._received[:size], self._received[size:]
            self._answer(request)

    def forget(self) -> None:
        """A new connection."""
        self._received = b""

    def _size(self) -> int:
        received = self._received
        if self.wire == "tcp":
            return 6 + (received[4] << 8 | received[5]) if len(received) >= 6 else 0
        if len(received) < 8:
            return 0
        return 9 + received[6] if received[1] in {15, 16} else 8

    def _answer(self, request: bytes) -> None:
        self.requests += 1
        self.number += 1
        self.sent = False
        pdu = request[7:] if self.wire == "tcp" else request[1:-2]
        self._header = request[:4]
        self._unit = request[6] if self.wire == "tcp" else request[0]
        function, address, count = struct.unpack_from(">BHH", pdu)
        if self.chance.random() < 0.05:
            self.genuine = bytes((function | 0x80, self.chance.choice((1, 2, 3, 4, 6))))
        elif function in READS:
            size = (count + 7) // 8 if function in {1, 2} else 2 * count
            data = (struct.pack(">I", self.number * 2654435761 & 0xFFFFFFFF) * (size // 4 + 1))[:size]
            self.genuine = bytes((function, size)) + data
        else:
            self.genuine = struct.pack(">BHH", function, address, count)
        frame = self.framed(self.genuine)
        for delay_s, piece, whole in self._pieces(frame):
            self._send(delay_s, piece, whole)
        self._earlier = frame

    def framed(self, pdu: bytes, *, unit: int | None = None) -> bytes:
        unit = self._unit if unit is None else unit
        if self.wire == "tcp":
            return self._header + struct.pack(">HB", len(pdu) + 1, unit) + pdu
        return with_check_sum(bytes((unit,)) + pdu)

    def _pieces(self, frame: bytes) -> list[tuple[float, bytes, bool]]:
        chance, fault = self.chance, self.fault
        noise = chance.randbytes(chance.randint(1, 24))
        # After the client has given up, and before the silence that it then waits for would be over.
        late_s = REPLY_S * (1.02 + 0.9 * chance.random())
        if self.wire == "rtu":
            late_s += (8 + len(frame)) * CHARACTER_S + GAP_S
        now: list[tuple[float, bytes, bool]] = [(0.0, frame, True)]
        match fault:
            case "":
                return [(REPLY_S * 0.9, frame, True)] if self.slow else now
            case "noise before":
                return [(0.0, noise + frame, True)]
            case "noise before, apart":
                return [(0.0, noise, False), (APART_S, frame, True)]
            case "noise behind":
                return [(0.0, frame + noise, True)]
            case "noise around":
                return [(0.0, noise + frame + noise, True)]
            case "start of itself before":
                start = frame[: chance.randint(1, len(frame) - 1)]
                if chance.random() < 0.5:
                    return [(0.0, start + frame, True)]
                return [(0.0, start, False), (APART_S, frame, True)]
            case "end of another before":
                return [(0.0, self._earlier[chance.randint(1, len(self._earlier) - 1) :] + frame, True)]
            case "neighbour's frame before":
                return [(0.0, self._neighbours(), False), (APART_S, frame, True)]
            case "doubled":
                return [(0.0, frame + frame, True)]
            case "byte by byte":
                return [(at * APART_S / 4, frame[at : at + 1], at == len(frame) - 1) for at in range(len(frame))]
            case "late":
                return [(late_s, frame, True)]
            case "late, after a cancel":
                return [(REPLY_S * (0.3 + 0.6 * chance.random()), frame, True)]
            case "cut":
                return [(0.0, frame[: chance.randint(1, len(frame) - 1)], False)]
            case "cut, the rest late":
                at = chance.randint(1, len(frame) - 1)
                return [(0.0, frame[:at], False), (late_s, frame[at:], True)]
            case "noise only":
                return [(0.0, noise, False)]
            case "silent":
                return []
            case _:
                return [(0.0, self._spoilt(frame), False)]

    def _neighbours(self) -> bytes:
        """A whole frame that somebody else was asked for: another unit, or on TCP another number."""
        pdu = self.genuine[:-1] + bytes((self.genuine[-1] ^ 0x55,))
        if self.wire != "tcp":
            return self.framed(pdu, unit=self._unit + 1)
        header, self._header = self._header, struct.pack(">HH", (self._header[0] << 8 | self._header[1]) ^ 0x4000, 0)
        frame = self.framed(pdu)
        self._header = header
        return frame

    def _spoilt(self, frame: bytes) -> bytes:
        """A frame in one piece in which something is wrong that the protocol can tell."""
        chance, genuine = self.chance, self.genuine
        refusal = bool(genuine[0] & 0x80)
        match self.fault:
            case "wrong unit":
                return self.framed(genuine, unit=chance.choice([unit for unit in range(256) if unit != self._unit]))
            case "wrong function":
                wrong = chance.choice(
                    [each for each in (1, 2, 3, 4, 5, 6, 15, 16, 22, 43) if each != genuine[0] & 0x7F]
                )
                return self.framed(bytes((wrong | genuine[0] & 0x80,)) + genuine[1:])
            case "wrong count" if genuine[0] in READS:
                count = chance.choice([each for each in range(2, 250, 2) if each != genuine[1]])
                return self.framed(bytes((genuine[0], count)) + chance.randbytes(count))
            case "wrong address" if not refusal and genuine[0] not in READS:
                at = chance.randint(1, 4)
                return self.framed(genuine[:at] + bytes((genuine[at] ^ chance.randint(1, 255),)) + genuine[at + 1 :])
            case "burst" if self.wire != "tcp":  # up to 16 bits in a row: the check sum finds each
                at = chance.randrange(8 * len(frame) - 16)
                return _flipped(frame, at, chance.randint(1, 0xFFFF))
            case _:  # 1 to 3 bits: the check sum finds each; on TCP only where the protocol states a value
                bits = 8 * (len(frame) if self.wire != "tcp" else 8 if refusal else 9 if genuine[0] in READS else 12)
                while True:
                    spoilt = frame
                    for at in chance.sample(range(bits), chance.randint(1, 3)):
                        spoilt = _flipped(spoilt, at, 1)
                    if self.wire != "tcp" or refusal or spoilt[4:6] != b"\0\3":  # else it may be a legal refusal
                        return spoilt


def _flipped(frame: bytes, at: int, pattern: int) -> bytes:
    number = int.from_bytes(frame, "little") ^ pattern << at
    return number.to_bytes(len(frame) + 3, "little")[: len(frame)]
