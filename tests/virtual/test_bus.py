"""Other units on the generator's line: read in the time that the generator leaves, and never at its cost."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import ConfigError
from rfctl.kernel.phase import ENERGISED
from rfctl.link.bus import Bus, Heard, Neighbour
from rfctl.link.link import Link
from rfctl.link.modbus import read_holding, read_input, registers_in
from rfctl.link.port import open_port
from rfctl.link.rtu import RtuFraming
from rfctl.model.permit import Intent
from rfctl.record.segments import entries as entries_of
from rfctl.station import station_file
from rfctl.station.procedure import POLL_NS
from tests.serial_peer import framed, serial_peer
from tests.station_bench import Bench, plan_text, station_bench, station_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.kernel.state import KernelState
    from tests.serial_peer import Unpluggable

RELAY = Neighbour("relay board", 2, read_holding(0, 2), 10 * NS_PER_MS, NS_PER_S)
STATUS = read_input(66, 1)
CYCLE_NS = 50 * NS_PER_MS
NEIGHBOUR = """
[[generator.neighbours]]
name = "{name}"
unit = {unit}
space = "input"
address = 66
count = 2
reply_ms = 10
every_s = 0.5
"""


@pytest.fixture
async def peer(clock: Clock) -> AsyncIterator[Unpluggable]:
    with serial_peer(clock.monotonic_ns) as unit:
        unit.input = {66: 0xAAAA}
        yield unit


class Rig:
    """A generator, polled every 50 ms, with one more unit on its line."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self.heard: list[Heard] = []
        self.late_ns = 0
        self._link = link
        self._clock = clock
        self._bus = Bus([RELAY], clock, self.heard.append)

    async def cycles(self, count: int) -> None:
        due_ns = self._clock.monotonic_ns()
        for _ in range(count):
            self.late_ns = max(self.late_ns, self._clock.monotonic_ns() - due_ns)
            reply = await self._link.transact(STATUS, Intent.READ, unit=1)
            assert registers_in(reply) == b"\xaa\xaa"
            due_ns += CYCLE_NS
            await self._bus.spend(self._link, due_ns)
            await asyncio.sleep((due_ns - self._clock.monotonic_ns()) / NS_PER_S)


@pytest.fixture
async def rig(peer: Unpluggable, clock: Clock) -> AsyncIterator[Rig]:
    framing = RtuFraming(peer.line)
    link = Link(await open_port(peer.address, clock), framing, clock, address="line", reply_ns=30 * NS_PER_MS)
    await link.transact(STATUS, Intent.READ, unit=1)
    yield Rig(link, clock)
    link.close()


def requests_to_2(peer: Unpluggable) -> list[float]:
    return [at / NS_PER_S for at, pdu in zip(peer.arrived_ns, peer.requests, strict=True) if pdu == RELAY.request]


async def test_a_neighbour_that_answers_is_read_as_often_as_it_says(peer: Unpluggable, rig: Rig) -> None:
    peer.answer = lambda pdu: [framed(2, b"\x03\x04\1\2\3\4") if pdu == RELAY.request else framed(1, peer.reply(pdu))]
    await rig.cycles(100)
    assert len(rig.heard) == 5
    assert {(registers_in(heard.reply), heard.problem, heard.failures) for heard in rig.heard} == {(b"\1\2\3\4", "", 0)}
    assert rig.late_ns == 0


async def test_a_dead_neighbour_delays_no_poll_and_is_asked_less_and_less_often(peer: Unpluggable, rig: Rig) -> None:
    peer.answer = lambda pdu: [] if pdu == RELAY.request else [framed(1, peer.reply(pdu))]
    await rig.cycles(800)
    assert rig.late_ns == 0
    asked_s = requests_to_2(peer)
    pauses_s = [round(later - earlier) for earlier, later in itertools.pairwise(asked_s)]
    assert pauses_s == [1, 2, 4, 8, 8, 8, 8]
    assert [heard.failures for heard in rig.heard] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all("no reply within" in heard.problem for heard in rig.heard)


async def test_what_a_neighbour_answers_late_is_not_taken_for_the_generators(peer: Unpluggable, rig: Rig) -> None:
    def answer(pdu: bytes) -> list[bytes]:
        if pdu != RELAY.request:
            return [framed(1, peer.reply(pdu))]
        asyncio.get_running_loop().call_later(0.0485, peer.send, framed(2, b"\x04\x02\xde\xad"))  # into the next poll
        return []

    peer.answer = answer
    await rig.cycles(100)
    assert len(rig.heard) == 3


async def test_a_neighbour_is_asked_again_soon_once_it_answers(peer: Unpluggable, rig: Rig) -> None:
    dead = True
    peer.answer = lambda pdu: (
        ([] if dead else [framed(2, b"\x03\x04\1\2\3\4")]) if pdu == RELAY.request else [framed(1, peer.reply(pdu))]
    )
    await rig.cycles(200)
    assert rig.heard[-1].failures == 4
    dead = False
    await rig.cycles(200)
    assert [heard.failures for heard in rig.heard[4:]] == [0, 0, 0, 0, 0]


async def test_an_off_overtakes_a_neighbour(peer: Unpluggable, rig: Rig, clock: Clock) -> None:
    peer.answer = lambda pdu: [] if pdu == RELAY.request else [framed(1, peer.reply(pdu))]
    spending = asyncio.create_task(rig._bus.spend(rig._link, clock.monotonic_ns() + CYCLE_NS))
    await asyncio.sleep(0.01)
    begun_ns = clock.monotonic_ns()
    rig._link.off()
    await spending
    assert clock.monotonic_ns() == begun_ns
    assert rig.heard == []


# a whole station


def longest_gap_ns(bench: Bench) -> Callable[[], int]:
    """How far apart the readings are, at most, that the kernel decides on while an output is on."""
    longest_ns, last_ns = 0, 0

    def watch(state: KernelState, effects: object) -> None:
        nonlocal longest_ns, last_ns
        del effects
        on = any(channel.phase in ENERGISED for channel in state.channels)
        if on and last_ns:
            longest_ns = max(longest_ns, state.received_ns - last_ns)
        last_ns = state.received_ns if on else 0

    bench.watch = watch
    return lambda: longest_ns


async def test_a_dead_unit_on_the_line_costs_an_energised_channel_nothing(tmp_path: Path, clock: Clock) -> None:
    """Hazard 18: the age of a sample stays below 300 ms; here one poll is as far from the next as it is alone."""
    neighbours = NEIGHBOUR.format(name="there", unit=2) + NEIGHBOUR.format(name="dead", unit=9)
    async with station_bench(tmp_path, clock, address="pty:", units=2) as bench:
        longest_ns = longest_gap_ns(bench)
        order = bench.order(station=station_text(bench.simulator.address) + neighbours, plan=plan_text(hold_s=5))
        result = await bench.begin(order)
        assert result.document["outcome"] == "complete", result.error
        entries = [entry for entry in entries_of(tmp_path / result.document["record"]) if entry.kind == "neighbour"]
    assert longest_ns() == POLL_NS
    there, dead = ([entry.members for entry in entries if entry.members["name"] == name] for name in ("there", "dead"))
    assert len(there) > 50
    assert all("values" in members for members in there)
    assert [members["failures"] for members in dead] == list(range(1, len(dead) + 1))
    assert len(dead) > 4


@pytest.mark.parametrize(
    ("link", "units", "says"),
    [
        ("tcp:127.0.0.1:502", (2, 2), "two neighbours with the same unit or name"),
        ("tcp:127.0.0.1:502", (0,), "unit"),
    ],
)
def test_neighbours_that_cannot_be_are_refused(tmp_path: Path, link: str, units: tuple[int, ...], says: str) -> None:
    text = station_text(link) + "".join(NEIGHBOUR.format(name=f"n{at}", unit=unit) for at, unit in enumerate(units))
    path = tmp_path / "station.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        station_file.load(str(path))


async def test_a_neighbour_with_the_generators_own_unit_is_refused(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        order = bench.order(station=station_text(bench.simulator.address) + NEIGHBOUR.format(name="x", unit=1))
        result = await bench.begin(order)
        assert result.exit_code == 2
        assert "which is the generator's" in result.error
