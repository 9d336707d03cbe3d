"""From a fault of the output to RF off, and from a STOP to RF off, both at the simulator's output stage.

Whole procedures in virtual time on a serial line of 115,200 baud, where every byte takes its time: the station's poll
loop, kernel and link, a real pty, and a simulator that samples every 20 ms. In each the fault comes at any phase of the
poll in mid-hold, of a kind that one sample trips on; in every sixth procedure a STOP comes instead. The time that a
processor takes is not in it: benchmarks/supervised_cycle.py and lateness.py have that.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

from benchmarks.rounds import folder_in_memory, quantile
from benchmarks.row import Row
from rfctl.clock import NS_PER_MS
from rfctl.link.link import Link
from rfctl.model.permit import Intent
from rfctl.station.procedure import POLL_NS
from rfctl.virtual import VirtualClock, run_virtual
from tests.intents import noted_syncs
from tests.station_bench import plan_text, station_bench

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.station.session import Begun

FAULTS, QUICK_FAULTS = 1_000, 30
FAULTS_A_STOP = 5
PART = 0.999
KINDS: tuple[tuple[str, dict[str, float]], ...] = (("thermocouple_open", {}), ("over_temperature", {"kelvin": 60.0}))
CODES = {"thermocouple_open", "temperature_max", "temperature_step"}
STATUS_BYTES = 100  # the reply to a status of two channels has more
PLAN = plan_text(set_temperature_c=42, ramp_c_per_s=5.0, hold_s=20)


class Struck(NamedTuple):
    """What some procedures measured, ms each."""

    faults: list[float]
    stops: list[float]
    transactions: list[float]


def rows(*, quick: bool) -> list[Row]:
    # Virtual time does not mind company: one worker for each core.
    workers = os.cpu_count() or 1
    each = (QUICK_FAULTS if quick else FAULTS) // workers
    with ProcessPoolExecutor(workers) as pool:
        found = list(pool.map(_strike, range(workers), [each] * workers))
    faults, stops, transactions = ([ms for part in found for ms in part[kind]] for kind in range(3))
    two_ms, poll_ms = 2 * statistics.median(transactions), POLL_NS / NS_PER_MS
    return [
        _row("a fault of the output to RF off", faults, poll_ms + two_ms, "poll period and two transactions"),
        _row("a STOP to RF off", stops, two_ms, "two transactions"),
    ]


def _strike(seed: int, faults: int) -> Struck:
    chance = random.Random(seed)
    struck = Struck([], [], [])
    with folder_in_memory() as folder, _timed_reads(struck.transactions), noted_syncs():
        for number in range(faults + faults // FAULTS_A_STOP):
            stop = number % (FAULTS_A_STOP + 1) == FAULTS_A_STOP
            place = folder / str(number)
            place.mkdir()
            after_s = 0.2 + chance.random() * POLL_NS / 1e9
            off_ms = run_virtual(_procedure(place, after_s, None if stop else KINDS[number % len(KINDS)]))
            (struck.stops if stop else struck.faults).append(off_ms)
    return struck


def _row(metric: str, off_ms: list[float], limit_ms: float, limit_name: str) -> Row:
    worst = quantile(off_ms, PART)
    return Row(
        f"{metric}, at the simulator, p99.9",
        "ms",
        worst,
        [worst / limit_ms],
        1.0,
        "lower",
        limit=limit_ms,
        limit_name=limit_name,
        beside={"median": statistics.median(off_ms), "worst": max(off_ms)},
        note=f"{len(off_ms):,} procedures in virtual time, serial line at 115,200 baud; one ratio of all.",
    )


@contextmanager
def _timed_reads(taken_ms: list[float]) -> Iterator[None]:
    """How long each status read takes the station."""
    transact = Link.transact

    async def timed(link: Link, pdu: bytes, intent: Intent, *, unit: int) -> bytes:
        begun_s = asyncio.get_running_loop().time()
        reply = await transact(link, pdu, intent, unit=unit)
        if len(reply) > STATUS_BYTES:
            taken_ms.append((asyncio.get_running_loop().time() - begun_s) * 1000)
        return reply

    with patch.object(Link, "transact", timed):
        yield


async def _procedure(folder: Path, after_s: float, fault: tuple[str, dict[str, float]] | None) -> float:
    """One procedure, struck by a fault, or by a STOP, so long after the hold began. Milliseconds from there to off."""
    begun: list[Begun] = []
    async with station_bench(folder, VirtualClock.running(), address="pty:") as bench:
        running = bench.begin(replace(bench.order(plan=PLAN), begun=begun.append))
        await bench.in_hold(for_s=0.0)
        await asyncio.sleep(after_s)
        struck_ns = bench.clock.monotonic_ns()
        if fault is None:
            begun[0].stop("the benchmark")
        else:
            bench.simulator.faults.start(fault[0], channel=1, **fault[1])
        result = await running
        assert result.document["off_verified"]
        assert fault is None or result.document["trips"][0]["code"] in CODES, result.document["trips"]
        return (bench.event_ns("rf_off", channel=1, after_ns=struck_ns) - struck_ns) / NS_PER_MS
