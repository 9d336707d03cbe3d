"""Modbus transactions a second of one core: this link beside the clients of pymodbus, umodbus and others.

All ask the same little server for the same registers, in turns, with a time-out for each request; the asynchronous ones
in the same kind of event loop. Client and server are pinned to one core, and what is counted is the processor time of
both, so that busy neighbours do not move the figure. The limit is an asyncio protocol that sends bytes and believes
whatever comes back, with a time-out all the same.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import struct
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, NamedTuple

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from benchmarks.faulty_unit import with_check_sum
from benchmarks.rounds import Responder, one_core, responder
from benchmarks.row import Row
from rfctl.clock import RealClock
from rfctl.link.link import Link
from rfctl.link.modbus import TcpFraming, read_input
from rfctl.link.rtu import RtuFraming
from rfctl.model.permit import Intent

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.rounds import Answer

Wire = Literal["rtu", "tcp"]
NAMES = {"rtu": "Modbus RTU", "tcp": "Modbus TCP"}
GOALS = {"rtu": 2.0, "tcp": 1.3}
ROUNDS, QUICK_ROUNDS = 15, 3
REQUESTS = 1_500
OTHERS_SHARE = 5  # fewer for those that no goal is about
REGISTERS = {"one value": 2, "status of two channels": 70}
TIMEOUT_S = 1.0
BARE = "a bare descriptor in the same loop, no time-out, nothing checked"


class Task(NamedTuple):
    """What each client does: read so many registers so many times."""

    wire: Wire
    server: Responder
    registers: int
    requests: int


def rtu(*, quick: bool) -> list[Row]:
    """RTU frames through a socket, where no gap stands between frames and no baud rate limits."""
    return _rows("rtu", quick=quick)


def tcp(*, quick: bool) -> list[Row]:
    return _rows("tcp", quick=quick)


def _rows(wire: Wire, *, quick: bool) -> list[Row]:
    rows = []
    for what, registers in REGISTERS.items():
        rounds = measure(wire, registers, rounds=QUICK_ROUNDS if quick else ROUNDS)
        medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
        rows.append(
            Row(
                f"{NAMES[wire]} transactions per core, {what} ({registers} registers)",
                "1/s",
                medians.pop("rfctl"),
                [each["rfctl"] / each["pymodbus"] for each in rounds],
                GOALS[wire],
                "higher",
                peer=medians.pop("pymodbus"),
                peer_name=f"pymodbus {version('pymodbus')}, asynchronous",
                limit=medians.pop("raw"),
                limit_name="bare asyncio with a time-out",
                beside=medians,
                note=_note(medians[BARE], [each["rfctl"] for each in rounds]),
            )
        )
    return rows


def _note(bare: float, ours: list[float]) -> str:
    bare_us, ours_us = 1e6 / bare, 1e6 / statistics.median(ours)
    return (
        f"of {ours_us:.1f} us a transaction {bare_us:.1f} us are both ends of the socket and the loop between, "
        f"{ours_us - bare_us:.1f} us what this link does."
    )


def measure(wire: Wire, registers: int, *, rounds: int, requests: int = REQUESTS) -> list[dict[str, float]]:
    """In each round every client's transactions a second of processor time, client and server together."""
    clients = {"rfctl": _ours, "pymodbus": _pymodbus, "raw": _raw, BARE: _bare}
    others = _others(wire)
    with one_core(), responder(lambda: _answer(wire, registers)) as server:
        task, part = (Task(wire, server, registers, count) for count in (requests, requests // OTHERS_SHARE))
        return [
            {name: task.requests / (client(task) / 1e9) for name, client in clients.items()}
            | {name: part.requests / (client(part) / 1e9) for name, client in others.items()}
            for _ in range(rounds)
        ]


def _answer(wire: Wire, registers: int) -> Answer:
    pdu = bytes((4, 2 * registers)) + bytes(range(2 * registers))
    if wire == "rtu":
        frame = with_check_sum(b"\1" + pdu)
        return lambda _: frame
    rest = struct.pack(">HB", len(pdu) + 1, 1) + pdu
    return lambda request: request[:4] + rest


def _ours(task: Task) -> int:
    async def run() -> int:
        framing = RtuFraming() if task.wire == "rtu" else TcpFraming()
        address = f"tcp:127.0.0.1:{task.server.port}"
        link = await Link.open(address, framing, RealClock(), reply_ns=int(TIMEOUT_S * 1e9 / 10))
        request = read_input(0, task.registers)
        await link.transact(request, Intent.READ, unit=1)
        begun_ns = task.server.spent_ns()
        for _ in range(task.requests):
            reply = await link.transact(request, Intent.READ, unit=1)
            assert len(reply) == 2 + 2 * task.registers
        spent_ns = task.server.spent_ns() - begun_ns
        link.close()
        return spent_ns

    return asyncio.run(run())


def _pymodbus(task: Task) -> int:
    async def run() -> int:
        framer = FramerType.RTU if task.wire == "rtu" else FramerType.SOCKET
        client = AsyncModbusTcpClient(
            "127.0.0.1", port=task.server.port, framer=framer, retries=0, timeout=TIMEOUT_S, reconnect_delay=0
        )
        await client.connect()
        await client.read_input_registers(0, count=task.registers)
        begun_ns = task.server.spent_ns()
        for _ in range(task.requests):
            reply = await client.read_input_registers(0, count=task.registers)
            assert len(reply.registers) == task.registers
        spent_ns = task.server.spent_ns() - begun_ns
        client.close()
        return spent_ns

    return asyncio.run(run())


class _Raw(asyncio.Protocol):
    """Sends, and takes whatever comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self.waiting: asyncio.Future[bytes] | None = None

    def data_received(self, data: bytes) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(data)

    def on_timeout(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(TimeoutError())


def _frame(task: Task) -> bytes:
    pdu = struct.pack(">BHH", 4, 0, task.registers)
    return with_check_sum(b"\1" + pdu) if task.wire == "rtu" else struct.pack(">HHHB", 1, 0, 6, 1) + pdu


def _bare(task: Task) -> int:
    """The least that a transaction in an event loop can be: what our own link costs beyond it is its own."""
    frame = _frame(task)

    async def run() -> int:
        loop = asyncio.get_running_loop()
        with _connection(task) as connection:
            connection.settimeout(0.0)
            descriptor = connection.fileno()
            waiting = loop.create_future()
            loop.add_reader(descriptor, lambda: waiting.set_result(os.read(descriptor, 4096)))
            begun_ns = task.server.spent_ns()
            for _ in range(task.requests):
                waiting = loop.create_future()
                os.write(descriptor, frame)
                await waiting
            spent_ns = task.server.spent_ns() - begun_ns
            loop.remove_reader(descriptor)
            return spent_ns

    return asyncio.run(run())


def _raw(task: Task) -> int:
    frame = _frame(task)

    async def run() -> int:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(_Raw, "127.0.0.1", task.server.port)
        begun_ns = task.server.spent_ns()
        for _ in range(task.requests):
            protocol.waiting = loop.create_future()
            timer = loop.call_later(TIMEOUT_S, protocol.on_timeout)
            transport.write(frame)
            await protocol.waiting
            timer.cancel()
        spent_ns = task.server.spent_ns() - begun_ns
        transport.close()
        return spent_ns

    return asyncio.run(run())


def _others(wire: Wire) -> dict[str, Callable[[Task], int]]:
    """Clients that only the benchmarks' own environment has."""
    umodbus: dict[str, Callable[[Task], int]] = {f"umodbus {version('umodbus')}, blocking": _umodbus}
    if wire == "tcp":
        return umodbus | {f"async-modbus {version('async-modbus')}": _async_modbus}
    return umodbus | {f"minimalmodbus {version('minimalmodbus')}, blocking": _minimalmodbus}


class _Serial:
    """As much of a pyserial port as the blocking clients use, on a socket: cheaper for them than a real one."""

    port, is_open, baudrate, timeout = None, True, 115_200, TIMEOUT_S

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(TIMEOUT_S)
        self.write = connection.sendall
        self.read = lambda size: connection.recv(size, socket.MSG_WAITALL)

    def flush(self) -> None:
        pass

    open = close = reset_input_buffer = reset_output_buffer = flush


def _connection(task: Task) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", task.server.port), TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _umodbus(task: Task) -> int:
    from umodbus.client import tcp as over_tcp
    from umodbus.client.serial import rtu as over_rtu

    module = over_rtu if task.wire == "rtu" else over_tcp
    with _connection(task) as connection:
        port = _Serial(connection) if task.wire == "rtu" else connection
        begun_ns = task.server.spent_ns()
        for _ in range(task.requests):
            request = module.read_input_registers(1, 0, task.registers)
            assert len(module.send_message(request, port)) == task.registers
        return task.server.spent_ns() - begun_ns


def _minimalmodbus(task: Task) -> int:
    import minimalmodbus

    with _connection(task) as connection:
        instrument = minimalmodbus.Instrument(_Serial(connection), 1)
        begun_ns = task.server.spent_ns()
        for _ in range(task.requests):
            assert len(instrument.read_registers(0, task.registers, functioncode=4)) == task.registers
        return task.server.spent_ns() - begun_ns


def _async_modbus(task: Task) -> int:
    from async_modbus import AsyncTCPClient

    async def run() -> int:
        streams = await asyncio.open_connection("127.0.0.1", task.server.port)
        client = AsyncTCPClient(streams)
        begun_ns = task.server.spent_ns()
        for _ in range(task.requests):
            async with asyncio.timeout(TIMEOUT_S):
                reply = await client.read_input_registers(slave_id=1, starting_address=0, quantity=task.registers)
            assert len(reply) == task.registers
        spent_ns = task.server.spent_ns() - begun_ns
        streams[1].close()
        return spent_ns

    return asyncio.run(run())
