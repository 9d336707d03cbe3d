"""Faulted replies against this link and against pymodbus's clients: what each believes, and whether it finds its way.

``make fuzz`` runs 100,000 faults under each framing, in virtual time, and prints docs/fuzz.md.

**Believed wrongly** means: a request came back with something else than the one answer that the unit meant for it, or
before that answer had been sent at all; a refusal that the unit never gave counts, too. The faults are all of a kind
that the protocol can tell: over RTU bit errors of which CRC-16 finds every one (three bits, or sixteen in a row), over
Modbus TCP only in what the header and the request fix (nothing there guards a measured value), and not such that a
header becomes, bit for bit, that of a refusal (length 3: two flipped bits can do that); and an answer over RTU is at
most so late that the silence after a time-out covers it, for it bears no number. **Found again** means that the
next request, sent once, has its answer.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient

from benchmarks.faulty_unit import APART_S, FAULTS, IN_STREAM, REPLY_S, FaultyUnit, Wire
from rfctl.errors import DeviceRefused, LinkError
from rfctl.link.link import Link
from rfctl.link.modbus import TcpFraming, read_holding, read_input, write
from rfctl.link.rtu import RtuFraming
from rfctl.link.serial_line import SerialLine
from rfctl.model.permit import Intent
from rfctl.profile.profile import load
from rfctl.virtual import VirtualClock, run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable

WIRES: tuple[Wire, ...] = ("rtu", "rtutcp", "tcp")
FULL = 100_000
PEER = 20_000  # faults for pymodbus: enough to see each kind a thousand times
LONGEST_S = 10 * REPLY_S
"""A request that takes longer than this hangs: its deadline, and a drain before it, are the most it may take."""
LATE = frozenset({"late", "late, after a cancel", "cut, the rest late"})
"""After these the next answer is slow, so that it is still awaited when the late one comes."""
READS = (read_input(64, 70), read_input(66, 2), read_holding(3, 2), read_input(0, 8))


@dataclass
class Tally:
    """What happened under one framing."""

    faults: Counter[str] = field(default_factory=Counter)
    believed_wrongly: Counter[str] = field(default_factory=Counter)
    not_found_again: Counter[str] = field(default_factory=Counter)
    hung: Counter[str] = field(default_factory=Counter)
    lost_in_stream: Counter[str] = field(default_factory=Counter)  # the answer was there, in time, and was not found
    asked_twice: Counter[str] = field(default_factory=Counter)
    slowest_in_stream_s: float = 0.0
    wall_s: float = 0.0


def fuzz(wire: Wire, faults: int, seed: int = 1) -> Tally:
    """Our link."""
    begun = time.perf_counter()
    tally = run_virtual(_fuzz_link(wire, faults, seed))
    tally.wall_s = time.perf_counter() - begun
    return tally


def fuzz_pymodbus(wire: Wire, faults: int, seed: int = 1) -> Tally:
    """pymodbus's asynchronous client, with the same faults, the same time-out and no retries."""
    begun = time.perf_counter()
    quiet = [logging.getLogger(name) for name in ("pymodbus.logging", "asyncio")]  # they report what is counted here
    for logger in quiet:
        logger.disabled = True
    try:
        tally = run_virtual(_fuzz_pymodbus(wire, faults, seed))
    finally:
        for logger in quiet:
            logger.disabled = False
    tally.wall_s = time.perf_counter() - begun
    return tally


def _request(number: int) -> tuple[bytes, Intent]:
    kind = number % 6
    if kind < len(READS):
        return READS[kind], Intent.READ
    return write(1, struct.pack(">H", number % 65535 + 1), several=kind == 5), Intent.CONFIG


class _Run:
    """One client and one unit, one fault after the other."""

    def __init__(self, unit: FaultyUnit, ask: Callable[[int], object]) -> None:
        self.tally = Tally()
        self.unit = unit
        self._ask = ask

    async def all(self, faults: int) -> Tally:
        await self._one("", 0)
        for number in range(faults):
            fault = FAULTS[number % len(FAULTS)]
            self.tally.faults[fault] += 1
            await self._one(fault, number // len(FAULTS))
            self.unit.slow = fault in LATE
            if not await self._one("", number):
                self.tally.not_found_again[fault] += 1
            self.unit.slow = False
        return self.tally

    async def _one(self, fault: str, number: int) -> bool:
        """Whether the answer came."""
        unit, tally, loop = self.unit, self.tally, asyncio.get_running_loop()
        unit.fault = fault
        requests = unit.requests
        begun = loop.time()
        cancel = fault == "late, after a cancel"
        pending = asyncio.ensure_future(self._ask(number))  # type: ignore[arg-type]
        if cancel:
            loop.call_later(REPLY_S * 0.25, pending.cancel)
        try:
            reply: bytes | None = await pending
        except DeviceRefused as refused:
            reply = bytes((0x80, getattr(refused, "code", 0)))
        except (LinkError, ModbusException):
            reply = None
        except asyncio.CancelledError:
            reply = None
        took_s = loop.time() - begun
        if reply is not None:
            genuine = unit.genuine if reply[0] != 0x80 else bytes((0x80, unit.genuine[-1]))
            refused_both = (reply[0] == 0x80) == bool(unit.genuine[0] & 0x80)
            if reply != genuine or not refused_both or not unit.sent:
                tally.believed_wrongly[fault or "none"] += 1
        if took_s > LONGEST_S:
            tally.hung[fault or "none"] += 1
        if unit.requests > requests + 1:
            tally.asked_twice[fault or "none"] += 1
        if fault in IN_STREAM:
            tally.lost_in_stream[fault] += reply is None
            if fault != "byte by byte":
                tally.slowest_in_stream_s = max(tally.slowest_in_stream_s, took_s)
        await asyncio.sleep(0.003)  # the gap is over, as nearly always when the next request comes
        return reply is not None


async def _fuzz_link(wire: Wire, faults: int, seed: int) -> Tally:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.settimeout(0.0)
    theirs.settimeout(0.0)

    def put(data: bytes, whole: bool, number: int) -> None:
        theirs.send(data)
        unit.sent = unit.sent or (whole and number == unit.number)

    def send(delay_s: float, data: bytes, whole: bool) -> None:
        if delay_s:
            loop.call_later(delay_s, put, data, whole, unit.number)
        else:
            put(data, whole, unit.number)

    unit = FaultyUnit(wire, seed, send)
    framing = TcpFraming() if wire == "tcp" else RtuFraming(SerialLine("/x") if wire == "rtu" else None)
    link = Link(ours.detach(), framing, VirtualClock.running(), address=wire, reply_ns=int(REPLY_S * 1e9))
    link.load(load("rfctl-reference").write_table(), (write(0, b"\0\1"),))
    loop.add_reader(theirs.fileno(), lambda: unit.on_bytes(theirs.recv(4096)))

    def ask(number: int) -> object:
        pdu, intent = _request(number)
        return link.transact(pdu, intent, unit=1)

    try:
        return await _Run(unit, ask).all(faults)
    finally:
        loop.remove_reader(theirs.fileno())
        theirs.close()
        link.close()


async def _fuzz_pymodbus(wire: Wire, faults: int, seed: int) -> Tally:
    loop = asyncio.get_running_loop()
    writers: list[asyncio.StreamWriter] = []

    def put(data: bytes, whole: bool, number: int) -> None:
        if not writers[-1].is_closing():
            writers[-1].write(data)
        unit.sent = unit.sent or (whole and number == unit.number)

    def send(delay_s: float, data: bytes, whole: bool) -> None:
        if delay_s:
            loop.call_later(delay_s, put, data, whole, unit.number)
        else:
            put(data, whole, unit.number)

    unit = FaultyUnit(wire, seed, send)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers[:] = [writer]
        unit.forget()
        while data := await reader.read(4096):
            unit.on_bytes(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    framer = FramerType.SOCKET if wire == "tcp" else FramerType.RTU
    client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=framer, retries=0, timeout=REPLY_S, reconnect_delay=0)
    await client.connect()

    async def ask(number: int) -> bytes:
        if not client.connected:
            await client.connect()
        pdu, intent = _request(number)
        function, address, count = struct.unpack_from(">BHH", pdu)
        if intent is Intent.READ:
            read = client.read_input_registers if function == 4 else client.read_holding_registers
            reply = await read(address, count=count, device_id=1)
        elif function == 6:
            reply = await client.write_register(address, count, device_id=1)
        else:
            reply = await client.write_registers(address, [pdu[6] << 8 | pdu[7]], device_id=1)
        if reply.isError():
            return bytes((0x80, reply.exception_code))
        return bytes((reply.function_code,)) + reply.encode()

    async with server:
        try:
            return await _Run(unit, ask).all(faults)
        finally:
            client.close()
            for writer in writers:
                writer.close()
            await asyncio.sleep(0.01)


NAMES = {"rtu": "Modbus RTU", "rtutcp": "RTU over TCP", "tcp": "Modbus TCP"}
COLUMNS = {
    "believed_wrongly": "believed wrongly",
    "hung": "hung",
    "lost_in_stream": "answer there, not found",
    "not_found_again": "next request lost",
    "asked_twice": "asked twice",
}
HEAD = """# Faulted replies

`make fuzz` wrote this page: every kind of fault in turn against this link and against pymodbus {version}'s asynchronous
client (no retries, the same time-out), a request without a fault after each one, in virtual time.

"""


def _table(runs: dict[tuple[Wire, str], Tally]) -> str:
    lines = [
        f"| framing | client | faults | {' | '.join(COLUMNS.values())} |",
        "|---|---|" + "---:|" * (1 + len(COLUMNS)),
    ]
    for (wire, client), tally in runs.items():
        counts = [sum(tally.faults.values()), *(sum(getattr(tally, name).values()) for name in COLUMNS)]
        lines.append(f"| {NAMES[wire]} | {client} | {' | '.join(f'{count:,}' for count in counts)} |")
    return "\n".join(lines)


def _by_fault(runs: dict[tuple[Wire, str], Tally]) -> str:
    heads = [f"{NAMES[wire]}, {client}" for wire, client in runs]
    lines = [f"| fault | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for fault in (*FAULTS, "none"):
        cells = []
        for tally in runs.values():
            wrong, lost = tally.believed_wrongly[fault], tally.lost_in_stream[fault] + tally.not_found_again[fault]
            cells.append(f"{wrong:,} / {lost:,}")
        lines.append(f"| {fault} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    faults = int(sys.argv[1]) if len(sys.argv) > 1 else FULL
    runs: dict[tuple[Wire, str], Tally] = {}
    for wire in WIRES:
        runs[wire, "rfctl"] = fuzz(wire, faults)
        runs[wire, "pymodbus"] = fuzz_pymodbus(wire, min(faults, PEER))
        print(wire, *(f"{runs[wire, each].wall_s:.0f} s" for each in ("rfctl", "pymodbus")), file=sys.stderr)
    assert __doc__ is not None
    print(HEAD.format(version=version("pymodbus")) + __doc__.split("\n\n", 2)[2])
    print(_table(runs))
    slowest_ms = max(tally.slowest_in_stream_s for (_, client), tally in runs.items() if client == "rfctl") * 1e3
    print(
        f"\nWhere the answer is there among noise, it is found after {slowest_ms:.2f} ms at the latest, of which",
        end=" ",
    )
    print(f"{APART_S * 1e3:g} ms lie between noise and answer.\n")
    print("By fault, believed wrongly / lost; *none* is the request after a fault:\n")
    print(_by_fault(runs))


if __name__ == "__main__":
    main()
