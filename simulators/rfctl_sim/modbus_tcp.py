"""The Modbus TCP face: a server of real sockets."""

from __future__ import annotations

import asyncio
import struct
from functools import partial
from typing import TYPE_CHECKING

from rfctl_sim.grammar import MODBUS
from rfctl_sim.listening import Client, Listener

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl_sim.requests import Requests
    from rfctl_sim.wire import WireLog

HEADER = struct.Struct(">HHHB")  # MBAP: transaction, protocol, length of what follows it, unit
PROTOCOL = 0
HEADER_BYTES = 6  # of it, up to its length field
SHORTEST_LENGTH, LONGEST_LENGTH = 2, 254  # what that field may say: unit and PDU

READ_BYTES = 4096  # a dozen of the longest requests


class ModbusServer(Listener):
    """Listens, and answers every connection in the name of the units."""

    def __init__(self, requests: Requests, wire: WireLog, clock: Clock) -> None:
        super().__init__("tcp", lambda: _Connection(self))
        self.requests = requests
        self.wire = wire
        self.clock = clock

    def answer(self, number: int, unit: int, transaction: int, pdu: bytes) -> bytes | None:
        """The frame that answers a request; None where silence does."""
        reply = self.requests.answer(number, unit, pdu)
        return None if reply is None else framed(transaction, unit, reply)


def framed(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A PDU with its header."""
    return HEADER.pack(transaction, PROTOCOL, len(pdu) + 1, unit) + pdu


class _Connection(Client, asyncio.BufferedProtocol):
    """One client. Asyncio itself sets TCP_NODELAY, so no answer waits for another."""

    def __init__(self, server: ModbusServer) -> None:
        super().__init__(server, server.requests.connection_lost)
        self._server = server
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._received = b""

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        server = self._server
        received = self._received + self._buffer[:nbytes]
        while len(received) >= HEADER_BYTES:
            length = int.from_bytes(received[4:6], "big")
            if received[2:4] != b"\0\0" or not SHORTEST_LENGTH <= length <= LONGEST_LENGTH:
                # Not Modbus, and there is no telling where the next frame would begin.
                self.abort()
                return
            frame = received[: HEADER_BYTES + length]
            if len(frame) < HEADER_BYTES + length:
                break
            received = received[len(frame) :]
            server.wire.add(server.clock.monotonic_ns(), self._number, "in", frame)
            transaction, _, _, unit = HEADER.unpack_from(frame)
            reply = server.answer(self._number, unit, transaction, frame[HEADER.size :])
            if reply is None:
                continue
            effects = server.requests.faulty(unit)
            if effects is None:
                server.wire.add(server.clock.monotonic_ns(), self._number, "out", reply)
                self._transport.write(reply)
            else:
                wrap = partial(framed, transaction)
                self.say_faulty(effects, effects.pieces(MODBUS, (unit, reply[HEADER.size :]), wrap), self._log_said)
        self._received = received

    def _log_said(self, data: bytes) -> None:
        self._server.wire.add(self._server.clock.monotonic_ns(), self._number, "out", data)
