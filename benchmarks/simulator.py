"""The simulator as a server: transactions a second of one core beside pymodbus's, and a fleet polled at 20 Hz.

One core: a client that does no more than send and receive asks each server in turns for the same registers; what is
counted is the processor time of the server. The fleet: 64 generators of two channels in one process, half of them
heating, polled by another process that sends each request when it is due and never waits for one generator with
another. A poll is missed when its answer is not there by the time that the next one is due.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import statistics
import struct
import time
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.rounds import Responder, child, one_core, quantile
from benchmarks.row import Row
from rfctl.clock import RealClock
from rfctl_sim.fleet import start_fleet
from rfctl_sim.simulator import start

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from rfctl_sim.simulator import Simulator

ROUNDS, QUICK_ROUNDS, REQUESTS = 15, 3, 2_000
GOAL = 2.0
STATUS = (64, 70)
REGISTERS = {"one value": (64, 2), "status of two channels": STATUS}

GENERATORS, PERIOD_S = 64, 0.05
FLEET_S, QUICK_FLEET_S = 20.0, 3.0


def rows(*, quick: bool) -> list[Row]:
    found = []
    with one_core(), _serving(_ours) as (ours, _), _serving(_pymodbus) as (theirs, _):
        for what, (address, count) in REGISTERS.items():
            pairs = [
                (_per_core(ours, address, count), _per_core(theirs, address, count))
                for _ in range(QUICK_ROUNDS if quick else ROUNDS)
            ]
            found.append(
                Row(
                    f"simulator's Modbus TCP transactions per core, {what} ({count} registers)",
                    "1/s",
                    statistics.median(first for first, _ in pairs),
                    [first / second for first, second in pairs],
                    GOAL,
                    "higher",
                    peer=statistics.median(second for _, second in pairs),
                    peer_name=f"pymodbus {version('pymodbus')}, SimDevice",
                    note="Processor time of the server alone. Ours answers by codecs of its own, with every check, the "
                    "wire log and physics that keep time; pymodbus holds constants.",
                )
            )
    return found + _fleet(QUICK_FLEET_S if quick else FLEET_S)


def _per_core(server: Responder, address: int, count: int) -> float:
    """Transactions a second of processor time."""
    request = struct.pack(">HHHBBHH", 1, 0, 6, 1, 4, address, count)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(10.0)
        begun_ns = server.served_ns()
        for _ in range(REQUESTS):
            connection.sendall(request)
            assert len(connection.recv(300)) == 9 + 2 * count
        return REQUESTS / ((server.served_ns() - begun_ns) / 1e9)


@contextmanager
def _serving(serve: Callable[[Callable[[list[int]], None]], Coroutine[None, None, None]]) -> Iterator[_Served]:
    """Servers in a process of their own, which tell their ports by the function they are given."""
    told, telling = os.pipe()

    def tell(ports: list[int]) -> None:
        os.write(telling, " ".join(map(str, ports)).encode())

    with child(lambda: asyncio.run(serve(tell))) as process:
        ports = [int(port) for port in os.read(told, 4096).split()]
        yield _Served(Responder(ports[0], process), ports)
    os.close(told)
    os.close(telling)


class _Served(NamedTuple):
    """A process that serves, and all of its ports."""

    server: Responder
    ports: list[int]


def _port_of(simulator: Simulator) -> int:
    return int(simulator.address.rpartition(":")[2])


async def _ours(tell: Callable[[list[int]], None]) -> None:
    tell([_port_of(await start(RealClock(), tissue="poles"))])
    await asyncio.Event().wait()


async def _pymodbus(tell: Callable[[list[int]], None]) -> None:
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    device = SimDevice(1, [SimData(0, count=200, values=0, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(device, address=("127.0.0.1", 0))
    await server.listen()
    tell([server.transport.sockets[0].getsockname()[1]])
    await asyncio.Event().wait()


def _fleet(seconds: float) -> list[Row]:
    with _serving(_heating_fleet) as (server, ports):
        begun_ns = server.served_ns()
        time.sleep(1.0)
        unasked = (server.served_ns() - begun_ns) / 1e9
        begun_ns = server.served_ns()
        late_s, missed = _poll(ports, seconds)
        share = (server.served_ns() - begun_ns) / 1e9 / seconds
    note = f"{len(late_s):,} polls; one ratio of all. Half of the generators heat two channels each, on the poles."
    what = f"{GENERATORS} generators in one process, polled at {1 / PERIOD_S:.0f} Hz"
    return [
        Row(
            f"{what}: polls missed", "1", missed, [float(missed)], 0.0, "lower", limit=0.0, limit_name="none",
            beside={"polls made": float(len(late_s))}, note="The ratio is the count itself. " + note,
        ),
        Row(
            f"{what}: answer after the poll was due, p99",
            "ms",
            1e3 * quantile(late_s, 0.99),
            [quantile(late_s, 0.99) / PERIOD_S],
            1.0,
            "lower",
            limit=1e3 * PERIOD_S,
            limit_name="the period",
            beside={
                "p50": 1e3 * quantile(late_s, 0.5),
                "worst": 1e3 * max(late_s),
                "% of a core, server": 100.0 * share,
                "% of a core, server, nobody asking": 100.0 * unasked,
            },
            note=note,
        ),
    ]  # fmt: skip


async def _heating_fleet(tell: Callable[[list[int]], None]) -> None:
    fleet = await start_fleet(RealClock(), GENERATORS, address="tcp:127.0.0.1:0", tissue="poles")
    for simulator in fleet[::2]:
        for number in range(1, simulator.channels + 1):
            simulator.at_the_machine({"press": "start", "channel": number})
    tell([_port_of(simulator) for simulator in fleet])
    await asyncio.Event().wait()


def _poll(ports: list[int], seconds: float) -> tuple[list[float], int]:
    """Poll every port at its own phase. Returns the lateness of each answer, s, and how many were missed."""
    request = struct.pack(">HHHBBHH", 1, 0, 6, 1, 4, *STATUS)
    size = 9 + 2 * STATUS[1]
    selector = selectors.DefaultSelector()
    peers = []
    for port in ports:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(0.0)
        peers.append(_Peer(connection))
        selector.register(connection, selectors.EVENT_READ, peers[-1])
    begun = time.monotonic() + 0.1
    polls = round(seconds / PERIOD_S) * len(peers)
    late_s: list[float] = []
    missed = 0
    for poll in range(polls + len(peers)):
        due = begun + poll * PERIOD_S / len(peers)
        while (left_s := due - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                late_s += key.data.received(size)
        peer = peers[poll % len(peers)]
        if peer.due:
            missed += 1
        elif poll < polls:
            peer.due = due
            peer.connection.send(request)
    for peer in peers:
        peer.connection.close()
    selector.close()
    return late_s, missed


class _Peer:
    """One generator. ``due`` is when the request in flight was due; 0 for none."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.due = 0.0
        self._got = 0

    def received(self, size: int) -> list[float]:
        """The lateness of an answer, once it is whole."""
        self._got += len(self.connection.recv(4096))
        if self._got < size:
            return []
        self._got = 0
        due, self.due = self.due, 0.0
        return [time.monotonic() - due]
