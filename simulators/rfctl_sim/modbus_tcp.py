"""The Modbus TCP face: a server of real sockets on pymodbus's framer and PDU codecs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU

from rfctl.errors import ConfigError
from rfctl_sim.connections import Connections
from rfctl_sim.requests import Requests

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.unit import Unit
    from rfctl_sim.wire import WireLog

HEADER_BYTES = 6  # of the MBAP header, up to its length field
SHORTEST_LENGTH, LONGEST_LENGTH = 2, 254  # what that field may say: unit and PDU

BACKLOG = 16


class ModbusServer:
    """Listens, and answers every connection from one unit."""

    def __init__(self, unit: Unit, effects: WireEffects, wire: WireLog, clock: Clock) -> None:
        self.wire = wire
        self.clock = clock
        self.framer = FramerSocket(DecodePDU(is_server=True))
        self.connections = Connections()
        self._requests = Requests(unit, effects, clock)
        self._numbers = 0
        self._host, self._port = "", 0
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._reopen: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"tcp:[{self._host}]:{self._port}" if ":" in self._host else f"tcp:{self._host}:{self._port}"

    async def open(self, address: str) -> None:
        """Listen.

        Args:
            address: ``tcp:HOST:PORT``; port 0 takes any that is free.

        Raises:
            ConfigError: Not an address, or taken, or not this machine's.
        """
        self._host, self._port = host_and_port(address.removeprefix("tcp:"), where=address)
        await self._listen()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        where = f"tcp:{self._host}:{self._port}"
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self), self._host, self._port, backlog=BACKLOG, reuse_address=True
            )
        except OSError as problem:
            raise ConfigError(
                f"cannot listen there: {problem.strerror or problem}",
                where=where,
                remedy="Free the port or choose another one; port 0 takes any that is free.",
            ) from None
        self._port = self._server.sockets[0].getsockname()[1]

    def cut(self, for_s: float | None) -> None:
        """Close every connection and refuse new ones, for so many seconds or until ``restore``."""
        self._stop_reopening()
        if self._server is not None:
            self._server.close()
            self._server = None
        self.connections.abort()
        if for_s is not None:
            self._reopen = asyncio.get_running_loop().call_later(for_s, self.restore)

    def restore(self) -> None:
        """Listen again after a cut, on the same port."""
        self._stop_reopening()
        if self._server is None:
            self._opening = asyncio.get_running_loop().create_task(self._listen())

    def _stop_reopening(self) -> None:
        if self._reopen is not None:
            self._reopen.cancel()
            self._reopen = None
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None

    async def close(self) -> None:
        """End everything."""
        opening = self._opening
        self.cut(None)
        if opening is not None:
            await asyncio.wait([opening])
        await self.connections.lost()

    def next_number(self) -> int:
        """A number for a connection; it is what the generator knows its owner by, so none is used twice."""
        self._numbers += 1
        return self._numbers

    def answer(self, number: int, unit: int, transaction: int, pdu: bytes) -> bytes | None:
        """The frame that answers a request; None where silence does."""
        reply = self._requests.answer(number, unit, pdu)
        if reply is None:
            return None
        reply.transaction_id = transaction
        return self.framer.buildFrame(reply)


def host_and_port(text: str, *, where: str) -> tuple[str, int]:
    """``HOST:PORT``, with an IPv6 address in brackets.

    Raises:
        ConfigError: Something else.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError("not an address", where=where, remedy="Write HOST:PORT, for instance 127.0.0.1:5020.")
    return host, int(port)


class _Connection(asyncio.Protocol):
    """One client. Asyncio itself sets TCP_NODELAY, so no answer waits for another."""

    def __init__(self, server: ModbusServer) -> None:
        self._server = server
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._number = self._server.next_number()
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)

    def abort(self) -> None:
        """Drop the connection with whatever is unsent."""
        self._transport.abort()

    def pause_writing(self) -> None:
        # A client that does not read its answers is not read either.
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        server = self._server
        received = self._received + data if self._received else data
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
            _, unit, transaction, pdu = server.framer.decode(frame)
            reply = server.answer(self._number, unit, transaction, pdu)
            if reply is not None:
                server.wire.add(server.clock.monotonic_ns(), self._number, "out", reply)
                self._transport.write(reply)
        self._received = received
