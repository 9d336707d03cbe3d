"""How long a decision of the kernel takes with every row, on 4 channels that heat together."""

from __future__ import annotations

import gc
import time

from benchmarks.row import Row
from rfctl.kernel.events import Sampled
from rfctl.kernel.phase import Phase
from rfctl.kernel.step import step
from tests.unit.kernel.bench import Bench, batch, site

LIMIT_MS = 1.0


def rows(*, quick: bool) -> list[Row]:
    """The 99th percentile of one decision in the hold, ms."""
    bench = Bench(batch(*(site(f"S{n}", n) for n in range(1, 5)))).reach(Phase.HOLD)
    bench.samples(30)
    taken: list[float] = []
    gc.collect()
    gc.disable()  # as the station does between outputs
    for _ in range(200 if quick else 4000):
        moment = bench.copy()
        moment.decisions.clear()
        moment.now_ns += 50_000_000
        moment.counter += 1
        event = Sampled(moment.now_ns, moment.reading())
        begun = time.thread_time()
        step(moment.state, event)
        taken.append((time.thread_time() - begun) * 1e3)
    gc.enable()
    thirds = [sorted(taken[start::3]) for start in range(3)]
    worst = [each[len(each) * 99 // 100] for each in thirds]
    return [
        Row(
            "a decision with every row, 4 channels heating, 99th percentile",
            "ms",
            sorted(worst)[1],
            [each / LIMIT_MS for each in worst],
            1.0,
            "lower",
            limit=LIMIT_MS,
            limit_name="a fiftieth of a cycle",
            beside={"median": sorted(taken)[len(taken) // 2]},
            note="The kernel alone, without record and link, in processor time.",
        )
    ]
