"""One world, run: a whole station against a simulated generator in virtual time, looked at from the output stage."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import tempfile
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from rfctl.clock import NS_PER_S
from rfctl.errors import RfctlError
from rfctl.kernel.state import Stage
from rfctl.record.disk import Disk
from rfctl.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.assurance.oracle import Output, Seen, violations
from tests.assurance.worlds import Kind, Trouble, World
from tests.intents import SYNCED
from tests.station_bench import EnergisedWithoutIntent, station_bench, station_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from tests.station_bench import Bench

LOOK_S = 0.02
LONGEST_S = 400.0
"""Longer than any session of a world takes, in virtual time, unless it waits for something that does not come."""
STOPPED_S = 10.0
"""In which a session that is stopped has to be over."""


class Around:
    """The machine that the station runs on: its disk."""

    def __init__(self) -> None:
        self.full_until_ns = 0
        self.slow_until_ns = 0

    @contextmanager
    def watched(self, clock: VirtualClock) -> Iterator[None]:
        """While the world runs the disk does as the world says."""
        write = Disk.write

        def refuse() -> None:
            if clock.monotonic_ns() < self.full_until_ns:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def writing(disk: Disk, descriptor: int, data: bytes) -> None:
            refuse()
            write(disk, descriptor, data)

        def syncing(disk: Disk, descriptor: int) -> None:
            refuse()
            if clock.monotonic_ns() < self.slow_until_ns:
                threading.Event().wait(0.01)
            SYNCED.sync(disk, descriptor)

        with mock.patch.object(Disk, "write", writing), mock.patch.object(Disk, "sync", syncing):
            yield


def run(world: World) -> list[str]:
    """Run a world. Returns: what did not hold, in words."""
    with tempfile.TemporaryDirectory(prefix="rfctl-world-") as folder:
        seen = Seen(folder=Path(folder))
        try:
            run_virtual(_live(world, seen))
        except EnergisedWithoutIntent as problem:
            if not world.started_by_hand:
                seen.unhandled.append(str(problem))
        return violations(world, seen)


async def _live(world: World, seen: Seen) -> None:
    clock = VirtualClock.running()
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: seen.unhandled.append(f"{context['message']}: {context.get('exception')!r}")
    )
    around = Around()
    with around.watched(clock):
        async with station_bench(seen.folder, clock, address=world.address) as bench:

            def watch(state: KernelState, _effects: tuple[Effect, ...]) -> None:
                if state.stage is Stage.ENDING and not seen.ending_ns:
                    seen.ending_ns = clock.monotonic_ns()
                if state.stage is Stage.ENDED:
                    seen.on_when_said = _is_on(bench)

            bench.watch = watch
            station = station_text(bench.simulator.address, control=world.control)
            order = bench.order(station=station, plan=world.plan)
            session = bench.begin(order)
            helpers = [
                asyncio.create_task(_look(bench, seen), name="look"),
                asyncio.create_task(_trouble(world, bench, around, session), name="trouble"),
            ]
            done, _ = await asyncio.wait({session}, timeout=LONGEST_S)
            if not done:  # it says what it waits for, and whoever reads that stops it
                signal.raise_signal(signal.SIGINT)
                done, _ = await asyncio.wait({session}, timeout=STOPPED_S)
            seen.ended_ns = clock.monotonic_ns()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            seen.on_at_the_end = _is_on(bench)
            if not done:
                stage = bench.state.stage if bench.state else "no state"
                seen.error = f"still running {STOPPED_S:g} s after it was stopped, {stage}"
                return
            problem = session.exception()
            if problem is None:
                seen.result = session.result()
            elif not isinstance(problem, RfctlError):
                seen.error = f"{type(problem).__name__}: {problem}"
            else:
                seen.error = str(problem)


def _is_on(bench: Bench) -> bool:
    """An output stage is on."""
    channels: Any = bench.simulator.truth()["channels"]
    return any(channel["rf_on"] or channel["stimulating"] for channel in channels)


async def _look(bench: Bench, seen: Seen) -> None:
    """Watch the output stages."""
    while True:
        truth = bench.simulator.truth()
        now_ns = truth["monotonic_ns"]
        assert isinstance(now_ns, int)
        channels: Any = truth["channels"]
        for channel in channels:
            output = seen.outputs.setdefault(channel["channel"], Output())
            was_on = bool(output.rf) and output.rf[-1][1] is None
            if channel["rf_on"] and not was_on:
                output.rf.append([now_ns, None])
            elif not channel["rf_on"] and was_on:
                output.rf[-1][1] = now_ns
            output.both |= channel["rf_on"] and channel["stimulating"]
            output.hottest_c = max(output.hottest_c, channel["tissue_max_c"])
        await asyncio.sleep(LOOK_S)


async def _trouble(world: World, bench: Bench, around: Around, session: asyncio.Task[Any]) -> None:
    began_ns = bench.clock.monotonic_ns()
    for trouble in world.troubles:
        passed_s = (bench.clock.monotonic_ns() - began_ns) / NS_PER_S
        await asyncio.sleep(max(trouble.at_s - passed_s, 0.0))
        if session.done():
            return
        _make(trouble, bench, around)


def _make(trouble: Trouble, bench: Bench, around: Around) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    seconds = float(trouble.parameters.get("seconds", 0.0))
    match trouble.kind:
        case Kind.FAULT:
            try:
                bench.simulator.faults.start(trouble.name, **trouble.parameters)
            except RfctlError as refused:  # the catalogue says that these parameters do not go together
                bench.simulator.events.add(bench.clock.monotonic_ns(), "no_trouble", reason=str(refused))
        case Kind.PANEL:
            bench.simulator.at_the_machine(trouble.parameters)
        case Kind.SIGNAL:
            signal.raise_signal(signal.Signals[trouble.name])
        case Kind.DISK_FULL:
            around.full_until_ns = bench.clock.monotonic_ns() + round(seconds * NS_PER_S)
        case Kind.DISK_SLOW:
            around.slow_until_ns = bench.clock.monotonic_ns() + round(seconds * NS_PER_S)
        case Kind.WALL_CLOCK:
            loop.utc_start += timedelta(seconds=seconds)
