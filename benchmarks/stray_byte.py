"""One stray byte before a good RTU frame: what it costs this link, and pymodbus's asynchronous client.

The answers to address 0 come clean, those to address 1 behind a stray byte; each says how many requests the unit has
heard. One is asked after the other, on the machine's clock.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import struct
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient

from benchmarks.faulty_unit import with_check_sum
from benchmarks.rounds import one_core, responder
from benchmarks.row import Row
from rfctl.clock import RealClock
from rfctl.link.link import Link
from rfctl.link.modbus import read_input
from rfctl.link.rtu import RtuFraming
from rfctl.model.permit import Intent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.rounds import Answer

    Ask = Callable[[int], Awaitable[int]]

ROUNDS, QUICK_ROUNDS = 9, 3
OURS, PEERS = 200, 3  # pairs in a round; a peer's costs a time-out
TIMEOUT_S = 0.2
STRAY = b"\x00"
WRONG_ALLOWED_MS = 1.0


class Cost(NamedTuple):
    """Of one stray byte: requests beyond the first, and the time that it adds, ms."""

    resends: float
    added_ms: float


def rows(*, quick: bool) -> list[Row]:
    ours, peers = [], []
    logging.getLogger("pymodbus.logging").disabled = True  # it reports what is counted here
    with one_core(), responder(_new_answer) as server:
        for _ in range(QUICK_ROUNDS if quick else ROUNDS):
            ours.append(asyncio.run(_ours(server.port)))
            peers.append(asyncio.run(_pymodbus(server.port)))
    resends, added = (statistics.median(each) for each in zip(*ours, strict=True))
    peer_resends, peer_added = (statistics.median(each) for each in zip(*peers, strict=True))
    name = f"pymodbus {version('pymodbus')}, time-out {TIMEOUT_S * 1000:g} ms, one retry"
    return [
        Row(
            "stray byte before a good RTU frame: requests sent again",
            "1",
            resends,
            [each.resends for each in ours],
            0.0,
            "lower",
            limit=0.0,
            limit_name="none",
            beside={name: peer_resends},
            note="The ratio is the count itself.",
        ),
        Row(
            "stray byte before a good RTU frame: time added",
            "ms",
            added,
            [each.added_ms / WRONG_ALLOWED_MS for each in ours],
            1.0,
            "lower",
            limit=WRONG_ALLOWED_MS,
            limit_name="allowed",
            beside={name: peer_added},
        ),
    ]


def _new_answer() -> Answer:
    heard = 0

    def answer(request: bytes) -> bytes:
        nonlocal heard
        heard += 1
        frame = with_check_sum(struct.pack(">BBBI", 1, 4, 4, heard))
        return (STRAY if request[3] else b"") + frame

    return answer


async def _ours(port: int) -> Cost:
    link = await Link.open(f"tcp:127.0.0.1:{port}", RtuFraming(), RealClock(), reply_ns=int(TIMEOUT_S * 1e9))

    async def ask(address: int) -> int:
        return int.from_bytes((await link.transact(read_input(address, 2), Intent.READ, unit=1))[2:], "big")

    try:
        cost = await _cost(ask, OURS)
        assert link.trace[-3].data.startswith(STRAY + b"\1")  # it was there
        return cost
    finally:
        link.close()


async def _pymodbus(port: int) -> Cost:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=FramerType.RTU, retries=1, timeout=TIMEOUT_S)
    await client.connect()

    async def ask(address: int) -> int:
        try:
            high, low = (await client.read_input_registers(address, count=2)).registers
        except ModbusException:  # not found behind the stray byte at all
            if not client.connected:
                await client.connect()
            return 0
        return int(high << 16 | low)

    try:
        return await _cost(ask, PEERS)
    finally:
        client.close()


async def _cost(ask: Ask, pairs: int) -> Cost:
    await ask(0)
    resent, added = 0, []
    for _ in range(pairs):
        before, clean_s = await _timed(ask, 0)
        _, stray_s = await _timed(ask, 1)
        after, _ = await _timed(ask, 0)
        resent += after - before - 2  # the one with the stray byte, and this one
        added.append((stray_s - clean_s) * 1000)
    return Cost(resent / pairs, statistics.median(added))


async def _timed(ask: Ask, address: int) -> tuple[int, float]:
    begun = time.perf_counter()
    heard = await ask(address)
    return heard, time.perf_counter() - begun
