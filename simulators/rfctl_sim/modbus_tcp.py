"""The Modbus TCP face: a server of real sockets on pymodbus's framer and PDU codecs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.exceptionresponse import ExceptionResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersResponse,
    ReadInputRegistersResponse,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterResponse,
)

from rfctl.errors import ConfigError
from rfctl_sim.connections import Connections
from rfctl_sim.writes import ExceptionCode, Reason, Refusal

if TYPE_CHECKING:
    from pymodbus.pdu import ModbusPDU

    from rfctl.clock import Clock
    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.unit import Unit
    from rfctl_sim.wire import WireLog

UNIT = 1

READ_HOLDING, READ_INPUT, WRITE_SINGLE, WRITE_MULTIPLE = 3, 4, 6, 16
FIXED_PDU_BYTES = 5  # of a request of the first three functions: function, address, count or value
WRITE_MULTIPLE_HEAD_BYTES = 6
MOST_READ, MOST_WRITTEN = 125, 123

HEADER_BYTES = 6  # of the MBAP header, up to its length field
SHORTEST_LENGTH, LONGEST_LENGTH = 2, 254  # what that field may say: unit and PDU

BACKLOG = 16


class _RegisterBytes:
    """Registers of a read that are big-endian bytes already: pymodbus's own encoder packs them one by one."""

    data = b""

    def encode(self) -> bytes:
        return bytes((len(self.data),)) + self.data


class InputRegisters(_RegisterBytes, ReadInputRegistersResponse):
    """Answer to function 04."""


class HoldingRegisters(_RegisterBytes, ReadHoldingRegistersResponse):
    """Answer to function 03."""


class ModbusServer:
    """Listens, and answers every connection from one unit."""

    def __init__(self, unit: Unit, effects: WireEffects, wire: WireLog, clock: Clock) -> None:
        self.unit = unit
        self.effects = effects
        self.wire = wire
        self.clock = clock
        self.framer = FramerSocket(DecodePDU(is_server=True))
        self.connections = Connections()
        self._numbers = 0
        self._host, self._port = "", 0
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._reopen: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """The TCP port it got."""
        return self._port

    async def open(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            ConfigError: The address is taken or not this machine's.
        """
        self._host, self._port = host, port
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
        now_ns = self.clock.monotonic_ns()
        if unit != UNIT or now_ns < self.effects.silent_until_ns:
            return None
        function = pdu[0]
        try:
            reply = self._obey(now_ns, number, function, pdu)
        except Refusal as refusal:
            reply = ExceptionResponse(function, refusal.code)
        reply.dev_id, reply.transaction_id = unit, transaction
        return self.framer.buildFrame(reply)

    def _obey(self, now_ns: int, number: int, function: int, pdu: bytes) -> ModbusPDU:
        if function not in {READ_HOLDING, READ_INPUT, WRITE_SINGLE, WRITE_MULTIPLE}:
            return ExceptionResponse(function & 0x7F, ExceptionCode.ILLEGAL_FUNCTION)
        request = self.framer.decoder.decode(pdu) if _well_formed(function, pdu) else None
        if request is None:
            self.unit.refuse(Reason.OUT_OF_RANGE)
        address = request.address
        if function == READ_INPUT:
            inputs = InputRegisters()
            inputs.data = self.unit.read_input(now_ns, address, request.count)
            return inputs
        if function == READ_HOLDING:
            holdings = HoldingRegisters()
            holdings.data = self.unit.read_holding(now_ns, address, request.count)
            return holdings
        words = cast("list[int]", request.registers)
        self.unit.write(now_ns, address, words, number)
        if function == WRITE_SINGLE:
            return WriteSingleRegisterResponse(address=address, registers=words)
        return WriteMultipleRegistersResponse(address=address, count=len(words))


def _well_formed(function: int, pdu: bytes) -> bool:
    """Length and count agree, which pymodbus's decoder does not look at."""
    if function != WRITE_MULTIPLE:
        count = int.from_bytes(pdu[3:5], "big")
        return len(pdu) == FIXED_PDU_BYTES and (function == WRITE_SINGLE or 1 <= count <= MOST_READ)
    if len(pdu) < WRITE_MULTIPLE_HEAD_BYTES:
        return False
    count = int.from_bytes(pdu[3:5], "big")
    return 1 <= count <= MOST_WRITTEN and pdu[5] == count * 2 and len(pdu) == WRITE_MULTIPLE_HEAD_BYTES + pdu[5]


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
