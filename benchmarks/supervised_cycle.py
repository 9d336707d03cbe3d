"""A supervised cycle (read, decode, all interlocks, record, publish) beside the bare read of the same registers.

A lesion is first run in virtual time, and what the generator answered in its hold is kept. Then the station's own
procedure goes through that hold again as fast as it can, on an ordinary event loop whose time jumps to the next poll
after each cycle: a server in another process gives the kept answers, the kernel starts from the kept state, the record
goes to memory, readings go to an MQTT broker in a third process. Lease renewals are left out, the bare read has none.
What is counted is the processor time of the loop's thread and of the server, pinned to one core. As in a poll loop
there is a pause after each cycle and after each bare read, in which the threads of record and telemetry do their work;
it is not counted, nor are they, save in the figure beside.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

from benchmarks.report import median_of
from benchmarks.rounds import Responder, folder_in_memory, one_core, responder
from benchmarks.row import Row
from rfctl.clock import NS_PER_S, RealClock
from rfctl.kernel.events import Sampled
from rfctl.kernel.state import KernelState
from rfctl.kernel.step import step
from rfctl.link.link import Link
from rfctl.model.permit import Intent
from rfctl.profile.any_profile import load as load_profile
from rfctl.record.opening import ThrowAway
from rfctl.record.writer import RecordWriter
from rfctl.station import procedure
from rfctl.station.connection import Connection
from rfctl.station.garbage import collected_by_hand
from rfctl.station.publishing import Publishing
from rfctl.station.session import Order
from rfctl.telemetry.embedded_broker import EmbeddedBroker
from rfctl.virtual import VirtualClock, run_virtual
from tests.intents import noted_syncs
from tests.station_bench import plan_text, station_bench

if TYPE_CHECKING:
    from benchmarks.rounds import Answer

ROUNDS, QUICK_ROUNDS = 9, 3
PAUSE_S = 0.001
CYCLES = 800
WARM = 100  # cycles before the count begins
GOAL = 0.5
HEADER = {"station": "bench", "backend": "simulated", "medium": "tissue"}


class Hold(NamedTuple):
    """A stretch of hold that was kept.

    Attributes:
        order: Of the session.
        state: The kernel's, before the first sample.
        answers: To every other read, by its request.
        request: The status read.
        statuses: Its answers, one after the other.
        due_ns: When each came.
    """

    order: Order
    state: KernelState
    answers: dict[bytes, bytes]
    request: bytes
    statuses: list[bytes]
    due_ns: list[int]


class _Enough(Exception):
    pass


def rows(*, quick: bool) -> list[Row]:
    with folder_in_memory() as place:
        with noted_syncs():
            hold = run_virtual(_keep(place))
        with one_core(), responder(lambda: _answer(hold)) as server, EmbeddedBroker() as embedded:
            hold = hold._replace(order=replace(hold.order, broker=embedded.broker))
            measured = [_round(hold, server, place / f"{n}") for n in range(QUICK_ROUNDS if quick else ROUNDS)]
    pairs = [(each["cycle"], each["bare"]) for each in measured]
    ours, bare, runs = median_of(pairs)
    parts = {name: statistics.median(each[name] for each in measured) for name in measured[0]}
    costs = _costs_us(parts)
    return [
        Row(
            "supervised cycle: read, decode, interlocks, record, publish",
            "1/s",
            ours,
            runs,
            GOAL,
            "higher",
            limit=bare,
            limit_name="bare read of the same registers by our link",
            beside={"with the threads of record and telemetry": parts["whole"]},
            note=f"us a cycle: {', '.join(f'{name} {cost:.0f}' for name, cost in costs.items())}.",
        )
    ]


def _costs_us(parts: dict[str, float]) -> dict[str, float]:
    cycle, decoded, bare = (1e6 / parts[name] for name in ("cycle", "decoded", "bare"))
    kernel, record, publish = (parts[name] for name in ("kernel_us", "record_us", "publish_us"))
    return {
        "read": bare,
        "decode": decoded - bare,
        "kernel with all interlocks": kernel,
        "record": record,
        "publish": publish,
        "poll loop, and what the parts cost more in company": cycle - decoded - kernel - record - publish,
    }


async def _keep(folder: Path) -> Hold:
    reads: list[tuple[int, bytes, bytes]] = []
    async with station_bench(folder, VirtualClock.running()) as bench:
        with _kept_reads(reads):
            order = bench.order(plan=plan_text(hold_s=60))
            bench.begin(order)
            await bench.in_hold(for_s=1.0)
            state, before = bench.state, len(reads)
            assert state is not None
            await asyncio.sleep(0.05 * (CYCLES + 2))
            request = reads[-1][1]
            later = [(at_ns, reply) for at_ns, pdu, reply in reads[before:] if pdu == request][:CYCLES]
            answers = {pdu: reply for _, pdu, reply in reads}
            return Hold(order, state, answers, request, [reply for _, reply in later], [at_ns for at_ns, _ in later])


@contextmanager
def _kept_reads(kept: list[tuple[int, bytes, bytes]]) -> Iterator[None]:
    transact = Link.transact

    async def keeping(link: Link, pdu: bytes, intent: Intent, *, unit: int) -> bytes:
        reply = await transact(link, pdu, intent, unit=unit)
        if intent is Intent.READ:
            kept.append((round(asyncio.get_running_loop().time() * NS_PER_S), pdu, reply))
        return reply

    with patch.object(Link, "transact", keeping):
        yield


def _answer(hold: Hold) -> Answer:
    """The kept answers; a write is echoed. Several requests may come in one piece."""
    statuses = iter(hold.statuses * 3)

    def one(request: bytes) -> bytes:
        pdu = request[7:]
        reply = next(statuses) if pdu == hold.request else hold.answers.get(pdu, pdu[:5])
        return request[:4] + (len(reply) + 1).to_bytes(2, "big") + request[6:7] + reply

    def answer(requests: bytes) -> bytes:
        replies = b""
        while requests:
            size = 6 + (requests[4] << 8 | requests[5])
            replies += one(requests[:size])
            requests = requests[size:]
        return replies

    return answer


class _Jumping(RealClock):
    """The machine's clock, moved on to the next poll when a cycle is over."""

    def __init__(self, at_ns: int) -> None:
        self.jump_to(at_ns)

    def monotonic_ns(self) -> int:
        return time.monotonic_ns() + self._ahead_ns

    def jump_to(self, at_ns: int) -> None:
        self._ahead_ns = at_ns - time.monotonic_ns()


class _Loop(asyncio.SelectorEventLoop):
    """On that clock."""

    def __init__(self, clock: _Jumping) -> None:
        self._jumping = clock
        super().__init__()

    def time(self) -> float:
        return self._jumping.monotonic_ns() / NS_PER_S


class _Now:
    """A timer whose deadlines are all now."""

    async def until(self, due_ns: int) -> None:
        pass


@contextmanager
def _without_waiting() -> Iterator[None]:
    """The procedure's cycles follow one another."""
    with patch.object(procedure, "open_timer", lambda _: nullcontext(_Now())):
        yield


class _Unrenewed:
    """The driver, without the renewal of the lease."""

    def __init__(self, generator: object) -> None:
        self.read = generator.read

    async def renew(self) -> None:
        pass


class _Looking(Connection):
    @property
    def generator(self) -> _Unrenewed:
        return self._unrenewed

    async def open(self, *, descriptor: int | None = None) -> None:
        await super().open(descriptor=descriptor)
        self._unrenewed = _Unrenewed(super().generator)


def _round(hold: Hold, server: Responder, folder: Path) -> dict[str, float]:
    """Rates of the bare read, the read with decoding, and the whole cycle, 1/s; the kernel's share, us."""
    folder.mkdir()
    clock = _Jumping(hold.due_ns[0])
    with asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner, collected_by_hand():
        return runner.run(_measure(hold, server, folder, clock))


async def _measure(hold: Hold, server: Responder, folder: Path, clock: _Jumping) -> dict[str, float]:
    profile = load_profile("rfctl-reference")
    cycles = len(hold.statuses)

    async def connect() -> _Looking:
        connection = _Looking(f"tcp:127.0.0.1:{server.port}", profile, clock, simulated=True)
        clock.jump_to(hold.due_ns[0])
        await connection.open()
        return connection

    async def bare() -> None:
        for _ in range(cycles):
            await connection.link.transact(hold.request, Intent.READ, unit=1)
            count.pause()

    connection = await connect()
    count = _Count(server)
    await bare()
    found = {"bare": count.rate()}
    connection.close()

    connection, readings = await connect(), []
    count = _Count(server)
    for _ in range(cycles):
        readings.append(await connection.generator.read())
        count.pause()
    found["decoded"] = count.rate()
    connection.close()

    events = [
        Sampled(at_ns, each._replace(received_ns=at_ns)) for each, at_ns in zip(readings, hold.due_ns, strict=True)
    ]
    decisions = []

    def kernel() -> None:
        state = hold.state
        for event in events:
            state, effects = step(state, event)
            decisions.append((event, state, effects))

    found["kernel_us"] = _thread_us(kernel) / cycles
    connection = await connect()
    record = await RecordWriter.open(folder / "record", clock=clock, keys=ThrowAway("bench"), header=HEADER)
    publishing = Publishing(hold.order, clock, "bench")
    publishing.load()
    publishing.begin(connection.identity)
    run = procedure.Procedure(
        hold.state.setup, connection, record, clock, hold.order.operator, publishing.watch, lambda: jump()
    )
    run.state = hold.state
    due = iter(hold.due_ns[1:])

    count = _Count(server)

    def jump() -> None:
        count.pause()
        at_ns = next(due, None)
        if at_ns is None:
            raise _Enough
        clock.jump_to(at_ns)

    with _without_waiting(), suppress(_Enough):
        await run.run()
    found["cycle"], found["whole"] = count.rate(), count.whole_rate()
    assert run.cycles == cycles, (run.cycles, run.state.stage)
    assert not run.state.trips, run.state.trips

    def recorded() -> None:
        for event, _, effects in decisions:
            record.decided(event, effects, significant=False)
            record.tend(event.now_ns, energised=True)

    def published() -> None:
        for _, state, effects in decisions:
            publishing.watch(state, effects)

    found["record_us"], found["publish_us"] = _thread_us(recorded) / cycles, _thread_us(published) / cycles
    await publishing.end(record, {"outcome": "stopped"}, sealed=False)
    await record.close()
    connection.close()
    return found


class _Count:
    """Processor time of this thread and of the server for one cycle after the other, without what is between them."""

    def __init__(self, server: Responder) -> None:
        self._server = server
        self._cycles = -WARM
        self._spent_ns = 0
        self._served_ns = self._whole_ns = 0
        self._begun_ns = time.thread_time_ns()

    def pause(self) -> None:
        """A cycle is over; the next begins in a moment."""
        self._spent_ns += time.thread_time_ns() - self._begun_ns
        self._cycles += 1
        if not self._cycles:
            self._spent_ns, self._served_ns, self._whole_ns = 0, self._server.served_ns(), self._server.spent_ns()
        time.sleep(PAUSE_S)
        self._begun_ns = time.thread_time_ns()

    def rate(self) -> float:
        """Cycles a second."""
        return self._cycles * 1e9 / (self._spent_ns + self._server.served_ns() - self._served_ns)

    def whole_rate(self) -> float:
        """The same with all threads of this process."""
        return self._cycles * 1e9 / (self._server.spent_ns() - self._whole_ns)


def _thread_us(work: Callable[[], None]) -> float:
    begun_ns = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - begun_ns) / 1000
