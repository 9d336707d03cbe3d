"""How late a 50 Hz poll loop is woken: by the station's timer, by asyncio.sleep, in real time beside busy neighbours.

Late is the time from an absolute deadline to the code that waited for it. Rounds of both kinds take turns.
"""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import replace
from math import nan
from typing import TYPE_CHECKING

from benchmarks.rounds import busy_neighbours, quantile
from benchmarks.row import Row
from rfctl.clock import NS_PER_MS, NS_PER_S, RealClock
from rfctl.errors import ConfigError
from rfctl.station.poll_timer import LoopTimer, next_due, open_timer
from rfctl.station.real_time import real_time

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rfctl.station.poll_timer import PollTimer

PERIOD_NS = 20 * NS_PER_MS
ROUNDS, QUICK_ROUNDS = 9, 3
POLLS, QUICK_POLLS = 250, 40  # in a round of each kind
P50_GOAL, P99_GOAL = 5.0, 3.0
NEIGHBOURS = 2
REAL_TIME_LIMIT_US = 1000.0


def rows(*, quick: bool) -> list[Row]:
    polls = QUICK_POLLS if quick else POLLS
    rounds = [
        (_late_us(polls, plain=False), _late_us(polls, plain=True)) for _ in range(QUICK_ROUNDS if quick else ROUNDS)
    ]
    found = [
        _against_sleep(f"poll lateness at 50 Hz, p{part * 100:g}", part, goal, rounds)
        for part, goal in ((0.5, P50_GOAL), (0.99, P99_GOAL))
    ]
    with busy_neighbours(NEIGHBOURS):
        found.append(_beside_neighbours(polls, QUICK_ROUNDS if quick else ROUNDS))
    return found


def _against_sleep(metric: str, part: float, goal: float, rounds: list[tuple[list[float], list[float]]]) -> Row:
    ours, sleeps = ([late for each in rounds for late in each[side]] for side in (0, 1))
    return Row(
        metric,
        "us",
        quantile(ours, part),
        [quantile(sleep, part) / quantile(own, part) for own, sleep in rounds],
        goal,
        "higher",
        peer=quantile(sleeps, part),
        peer_name="asyncio.sleep",
        note="The ratio says how many times less late.",
    )


def _beside_neighbours(polls: int, rounds: int) -> Row:
    late: list[list[float]] = []
    plain: list[float] = []
    metric = f"poll lateness at 50 Hz in real time, {NEIGHBOURS} busy neighbours, p99.9"
    row = Row(metric, "us", nan, [], 1.0, "lower", limit=REAL_TIME_LIMIT_US, limit_name="allowed")
    for _ in range(rounds):
        plain += _late_us(polls // 2, plain=True)
        try:
            with real_time(wanted=True, station="benchmark"):
                late.append(_late_us(polls * 2, plain=False))
        except ConfigError as refused:
            return replace(row, note=str(refused))
    together = [each for part in late for each in part]
    return replace(
        row,
        ours=quantile(together, 0.999),
        runs=[quantile(together, 0.999) / REAL_TIME_LIMIT_US],
        beside={
            "asyncio.sleep beside the same neighbours": quantile(plain, 0.999),
            "real time, p50": statistics.median(together),
        },
        note=f"One ratio of all {len(together):,} polls.",
    )


def _late_us(polls: int, *, plain: bool) -> list[float]:
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(_polled(polls, plain=plain))


async def _polled(polls: int, *, plain: bool) -> list[float]:
    clock = RealClock()
    late = []
    opened: AbstractContextManager[PollTimer] = open_timer(clock)
    with opened as best:
        timer = LoopTimer(clock) if plain else best
        due_ns = clock.monotonic_ns()
        for _ in range(polls):
            due_ns, _ = next_due(due_ns, PERIOD_NS, clock.monotonic_ns())
            await timer.until(due_ns)
            late.append((clock.monotonic_ns() - due_ns) * 1_000_000 / NS_PER_S)
    return late
