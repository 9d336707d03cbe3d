"""The Modbus TCP face: a server of real sockets."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, cast

from rfctl_sim.listening import Listener

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
        return None if reply is None else HEADER.pack(transaction, PROTOCOL, len(reply) + 1, unit) + reply


class _Connection(asyncio.BufferedProtocol):
    """One client. Asyncio itself sets TCP_NODELAY, so no answer waits for another."""

    def __init__(self, server: ModbusServer) -> None:
        self._server = server
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._number = self._server.next_number()
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._server.requests.connection_lost(self._number)

    def abort(self) -> None:
        """Drop the connection with whatever is unsent."""
        self._transport.abort()

    def pause_writing(self) -> None:
        # A client that does not read its answers is not read either.
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

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
            if reply is not None:
                server.wire.add(server.clock.monotonic_ns(), self._number, "out", reply)
                self._transport.write(reply)
        self._received = received
