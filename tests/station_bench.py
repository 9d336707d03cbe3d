"""A whole station in virtual time against a simulated generator over a real socket or pty, looked at from outside."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rfctl.clock import NS_PER_S
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.profile import any_profile
from rfctl.record.replay import replay
from rfctl.record.segments import entries
from rfctl.record.setup import rows_sha256
from rfctl.station import answers, plan_file, session, station_file
from rfctl_sim.simulator import start
from tests.intents import SYNCED, without_intent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.station.session import Result
    from rfctl_sim.simulator import Simulator

STATION = """
[station]
id = "{station}"
backend = "{backend}"
medium = "{medium}"

[generator]
link = "{link}"
profile = "{profile}"
temperature_control = "{control}"

[record]
state_folder = "state-{station}"
"""
PLAN = """
[plan]
title = "One lesion without checks"
checklist = ["electrode stands in the simulator"]

[[site]]
name = "bench"
channel = {channel}
electrode = {{ gauge = {gauge}, tip_mm = {tip_mm} }}
sensory = {{ use = "{sensory}", reason = "bench" }}
motor = {{ use = "not used", reason = "bench" }}
anaesthetic = {{ use = "not used", reason = "bench" }}
lesion = {{ set_temperature_c = {set_temperature_c}, hold_s = {hold_s}, ramp_c_per_s = {ramp_c_per_s} }}
"""
GUARD = """
[relay]
link = "{relay}"
hold_up_ms = 0
reply_ms = 50

[guard]
"""
ANSWERS = """
[answers]
operator = "bench script"
checklist = "{checklist}"

[[site]]
name = "bench"
felt_at_v = 0.4
"""


def station_text(
    link: str,
    *,
    station: str = "bench",
    backend: str = "simulated",
    medium: str = "tissue",
    control: str = "auto",
) -> str:
    """A station file; its state folder lies beside it."""
    profile = "rfctl-line" if link.startswith(("line:", "linetcp:")) else "rfctl-reference"
    return STATION.format(link=link, profile=profile, station=station, backend=backend, medium=medium, control=control)


def plan_text(
    *,
    channel: int = 1,
    sensory: str = "not used",
    set_temperature_c: float = 80,
    hold_s: float = 20,
    ramp_c_per_s: float = 4.3,
    gauge: int = 18,
    tip_mm: float = 10,
) -> str:
    """A plan of one site."""
    return PLAN.format(
        channel=channel,
        sensory=sensory,
        set_temperature_c=set_temperature_c,
        hold_s=hold_s,
        ramp_c_per_s=ramp_c_per_s,
        gauge=gauge,
        tip_mm=tip_mm,
    )


def answers_text(*, checklist: str = "confirm") -> str:
    """Answers for that plan."""
    return ANSWERS.format(checklist=checklist)


@dataclass
class Bench:
    """One simulated generator and the station on it.

    Attributes:
        folder: Station files, state folders and records.
        clock: Virtual, the same for station and generator.
        simulator: The generator.
        state: The kernel's newest state that the station told its watcher.
        started: Every session that was begun here.
        watch: Told of every decision, too.
    """

    folder: Path
    clock: Clock
    simulator: Simulator
    state: KernelState | None = None
    started: list[asyncio.Task[Result]] = field(default_factory=list)
    watch: Callable[[KernelState, tuple[Effect, ...]], None] | None = None
    _awaited: list[tuple[Callable[[KernelState], bool], asyncio.Future[None]]] = field(default_factory=list)

    @property
    def guard_text(self) -> str:
        """Of a station file: relay and guard, where the generator's enable loop has such a board."""
        relay = self.simulator.relay_address
        return "" if relay is None else GUARD.format(relay=relay)

    def order(self, *, station: str | None = None, plan: str | None = None, script: str | None = None) -> session.Order:
        """What ``rfctl run`` would make of these files."""
        texts = {
            "station.toml": station_text(self.simulator.address) if station is None else station,
            "plan.toml": plan_text() if plan is None else plan,
            "answers.toml": answers_text() if script is None else script,
        }
        for name, text in texts.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        loaded = station_file.load(str(self.folder / "station.toml"))
        procedure = plan_file.load(str(self.folder / "plan.toml"))
        return session.Order(
            station=loaded,
            profile=any_profile.load(loaded.profile),
            plan=procedure,
            operator=answers.load(str(self.folder / "answers.toml"), procedure),
            out=self.folder / "out",
            seed=0,
            watch=self._watch,
        )

    def begin(self, order: session.Order | None = None) -> asyncio.Task[Result]:
        """Start a session."""
        task = asyncio.get_running_loop().create_task(session.run(order or self.order(), self.clock))
        self.started.append(task)
        return task

    async def until(self, condition: Callable[[KernelState], bool]) -> None:
        """Wait for the first decision after which the condition holds; fails when the session ends before."""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.append((condition, reached))
        either: set[asyncio.Future[Any]] = {reached, self.started[-1]}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        assert reached.done(), f"the session ended first: {self.started[-1].result()}"

    async def in_hold(self, *, for_s: float = 5.0) -> None:
        """Wait until some channel has been in hold for so long."""
        await self.until(
            lambda state: any(
                channel.phase is Phase.HOLD and state.received_ns - channel.since_ns >= for_s * NS_PER_S
                for channel in state.channels
            )
        )

    def event_ns(self, kind: str, *, after_ns: int = -1, **detail: object) -> int:
        """When the generator first logged this after an instant.

        Raises:
            AssertionError: It never did.
        """
        for event in self.simulator.events:
            if event.kind == kind and event.monotonic_ns >= after_ns and detail.items() <= event.detail.items():
                return event.monotonic_ns
        raise AssertionError(
            f"no {kind} {detail} after {after_ns} among {[e.as_json() for e in self.simulator.events]}"
        )

    def written(self, *, after_ns: int = 0) -> list[bytes]:
        """Requests other than reads that reached the generator from an instant on, from their function code."""
        return [pdu for pdu in self.asked(after_ns=after_ns) if pdu[0] not in {3, 4}]

    def asked(self, *, after_ns: int = 0) -> list[bytes]:
        """Every request that reached the generator from an instant on, from its function code."""
        pdu = slice(1, -2) if self.simulator.address.startswith("rtu:") else slice(7, None)
        return [f.data[pdu] for f in self.simulator.wire if f.direction == "in" and f.monotonic_ns >= after_ns]

    def _watch(self, state: KernelState, effects: tuple[Effect, ...]) -> None:
        self.state = state
        if self.watch is not None:
            self.watch(state, effects)
        for condition, reached in self._awaited:
            if not reached.done() and condition(state):
                reached.set_result(None)


class EnergisedWithoutIntent(AssertionError):
    """The generator was energised by its owner before an intent of that owner was on the disk."""


@asynccontextmanager
async def station_bench(
    folder: Path,
    clock: Clock,
    *,
    channels: int = 2,
    address: str = "tcp:127.0.0.1:0",
    units: int = 1,
    setup: str = "tissue-37",
    tissue: str = "poles",
    guarded: bool = False,
) -> AsyncIterator[Bench]:
    """Switch a generator on, in tissue that is quick to compute, and off again at the end. It never energised without
    an intent that was on the disk before, and replay decides the same.
    """
    relay = "rtutcp:127.0.0.1:0" if guarded else None
    simulator = await start(
        clock, address=address, channels=channels, seed=1, units=units, setup=setup, tissue=tissue, relay=relay
    )
    bench = Bench(folder, clock, simulator)
    with SYNCED.noting(clock):
        try:
            yield bench
        finally:
            for task in bench.started:
                task.cancel()
            ended = await asyncio.gather(*bench.started, return_exceptions=True)
            await simulator.close()
        if energised := without_intent(simulator.events, (folder / "out").glob("*/record")):
            raise EnergisedWithoutIntent(f"no durable intent stands behind {energised}")
    for result in ended:
        if isinstance(result, session.Result):
            decided_again(folder / result.document["record"])


def decided_again(record: Path) -> None:
    """Every session on a bench is replayed at its end: what was decided is decided again, bit for bit. But for a kill
    proof: the record says that another table decided.
    """
    tables = {entry.members["rows_sha256"] for entry in entries(record) if entry.kind == "setup"}
    if tables - {rows_sha256(ROWS)}:
        return
    again = replay(record)
    assert again.differences == 0, again.first_difference
