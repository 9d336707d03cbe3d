"""Modbus transactions a second of one core: this link beside pymodbus's asynchronous client.

Both ask the same little server for the same registers, in turns, in the same kind of event loop, with a time-out for
each request. Client and server are pinned to one core, and what is counted is the processor time of both, so that busy
neighbours do not move the figure. ``measure`` returns the rounds; the median of their ratios is the result.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import statistics
import struct
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerRTU

from rfctl.clock import RealClock
from rfctl.link.link import Link
from rfctl.link.modbus import TcpFraming, read_input
from rfctl.link.rtu import RtuFraming
from rfctl.model.permit import Intent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

Wire = Literal["rtu", "tcp"]
ROUNDS = 9
REQUESTS = 1_500
REGISTERS = {"one value": 2, "status of one channel": 43, "status of two channels": 70}
TIMEOUT_S = 1.0


class Round(NamedTuple):
    """Transactions a second of processor time, client and server together."""

    ours: float
    peer: float

    @property
    def ratio(self) -> float:
        return self.ours / self.peer


def measure(wire: Wire, registers: int, *, rounds: int = ROUNDS, requests: int = REQUESTS) -> list[Round]:
    """Interleaved rounds over Modbus TCP, or of RTU frames over TCP, where no gap stands between frames."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        with _server(wire, registers) as (process, port):
            found = []
            for _ in range(rounds):
                pair = [_rate(each(wire, port, registers, requests), process, requests) for each in (_ours, _peer)]
                found.append(Round(*pair))
            return found
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _server(wire: Wire, registers: int) -> Iterator[tuple[int, int]]:
    """A process that answers every request with the same registers, as cheaply as Python can. Its id and its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    process = os.fork()
    if not process:
        try:
            _serve(listening, wire, registers)
        finally:
            os._exit(0)
    port = listening.getsockname()[1]
    listening.close()
    try:
        yield process, port
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _serve(listening: socket.socket, wire: Wire, registers: int) -> None:
    pdu = bytes((4, 2 * registers)) + bytes(range(2 * registers))
    frame = b"\1" + pdu
    frame += FramerRTU.compute_CRC(frame).to_bytes(2, "big")
    rest = struct.pack(">HB", len(pdu) + 1, 1) + pdu
    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while request := connection.recv(4096):
            connection.sendall(frame if wire == "rtu" else request[:4] + rest)


def _rate(requests_done: Callable[[Callable[[], int]], Awaitable[int]], process: int, requests: int) -> float:
    def spent_ns() -> int:
        return time.process_time_ns() + time.clock_gettime_ns(~process << 3 | 2)  # the processor clock of a process

    return requests / (asyncio.run(_run(requests_done, spent_ns)) / 1e9)


async def _run(requests_done: Callable[[Callable[[], int]], Awaitable[int]], spent_ns: Callable[[], int]) -> int:
    return await requests_done(spent_ns)


def _ours(wire: Wire, port: int, registers: int, requests: int) -> Callable[[Callable[[], int]], Awaitable[int]]:
    async def run(spent_ns: Callable[[], int]) -> int:
        framing = RtuFraming() if wire == "rtu" else TcpFraming()
        link = await Link.open(f"tcp:127.0.0.1:{port}", framing, RealClock(), reply_ns=int(TIMEOUT_S * 1e9 / 10))
        request = read_input(0, registers)
        await link.transact(request, Intent.READ, unit=1)
        begun_ns = spent_ns()
        for _ in range(requests):
            reply = await link.transact(request, Intent.READ, unit=1)
        spent = spent_ns() - begun_ns
        link.close()
        assert len(reply) == 2 + 2 * registers
        return spent

    return run


def _peer(wire: Wire, port: int, registers: int, requests: int) -> Callable[[Callable[[], int]], Awaitable[int]]:
    async def run(spent_ns: Callable[[], int]) -> int:
        framer = FramerType.RTU if wire == "rtu" else FramerType.SOCKET
        client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=framer, retries=0, timeout=TIMEOUT_S)
        await client.connect()
        await client.read_input_registers(0, count=registers)
        begun_ns = spent_ns()
        for _ in range(requests):
            reply = await client.read_input_registers(0, count=registers)
        spent = spent_ns() - begun_ns
        client.close()
        assert len(reply.registers) == registers
        return spent

    return run


def main() -> None:
    for wire in ("rtu", "tcp"):
        for what, registers in REGISTERS.items():
            rounds = measure(wire, registers)
            ours, peer = (statistics.median(each) for each in zip(*rounds, strict=True))
            ratios = sorted(each.ratio for each in rounds)
            print(
                f"{wire} {what} ({registers} registers): {ours:.0f} transactions a second of one core, pymodbus "
                f"{peer:.0f}, ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            )


if __name__ == "__main__":
    main()
