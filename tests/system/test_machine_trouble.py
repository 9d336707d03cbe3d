"""Trouble of the machine in mid-hold, with real processes: its disk, its clock, its processors, a port, a broker. What
the output does is the generator's own word.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from rfctl.clock import NS_PER_S, RealClock
from rfctl.record.replay import replay
from rfctl.record.segments import entries
from rfctl.record.verify import Outcome
from rfctl.telemetry.embedded_broker import EmbeddedBroker
from tests.mqtt_peers import wait_for_port
from tests.station_bench import plan_text
from tests.system.run_rig import LEASE_S, POLL_S, SAMPLE_S, Ended, Rig, rig, verdict_on
from tests.system.small_disk import SmallDisk, small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.telemetry.broker import Broker

pytestmark = [pytest.mark.real_time, pytest.mark.alone]

RECORD_S = 1.0
"""HZ-35: from the failure to off."""
WRITTEN_S = 0.5
"""Until the recorder writes again, and so hears of it."""
LEASE_END_S = LEASE_S + POLL_S + SAMPLE_S
AN_HOUR_S = 3600
SHORT = plan_text(set_temperature_c=45, hold_s=4, ramp_c_per_s=5)
ALL_OFF = "0600000001"
RELEASE = "0600010000"
RENEW = "060003"
AT_ONCE = 200
"""Commands that the flood sends at once."""
FLOOD_S = 0.02
HOGS = 2
BUSY_S = 2.0
BUSY_OFF_S = 0.5
DEADLINES = {"cycle_overrun", "sample_age", "lease_lost", "link_lost", "command_failed"}


class Case(NamedTuple):
    """What is left of a case.

    Attributes:
        off_s: From the cause to RF off, by the generator's clock.
        ended: The command.
        rf_on: At the end.
        written: Requests but reads that reached the generator after the cause, from their function code.
        unrenewed_s: From the last renewal of the lease to RF off.
        rf_after: RF came on again after the cause.
    """

    off_s: float
    ended: Ended
    rf_on: bool
    written: tuple[str, ...]
    unrenewed_s: float
    rf_after: bool

    @property
    def record(self) -> Path:
        return Path(self.ended.document["record"])


async def seen(bench: Rig, ended: Ended, cause_ns: int) -> Case:
    """Look at the generator when a command is over."""
    truth, events, wire = [await bench.ask("GET", path) for path in ("/truth", "/events", "/wire")]
    body = slice(2, -4) if bench.serial else slice(14, None)
    asked = [(frame["monotonic_ns"], frame["data"][body]) for frame in wire if frame["direction"] == "in"]
    off_ns = max(event["monotonic_ns"] for event in events if event["kind"] == "rf_off")
    return Case(
        (off_ns - cause_ns) / NS_PER_S,
        ended,
        any(channel["rf_on"] for channel in truth["channels"]),
        tuple(frame for at_ns, frame in asked if at_ns > cause_ns and frame[:2] not in {"03", "04"}),
        (off_ns - max(at_ns for at_ns, frame in asked if frame.startswith(RENEW))) / NS_PER_S,
        any(event["kind"] == "rf_on" and event["monotonic_ns"] > cause_ns for event in events),
    )


class FullDisk(NamedTuple):
    """What is left where there was no room.

    Attributes:
        case: The lesion that the disk filled in.
        kept: Everything that was in its record when it filled is there still.
        verified: ``rfctl record verify``.
        refused: The next start, while it was full.
        energies_j: Of the channel: when the lesion was over, after that start, and after one with room again.
        reset: ``rfctl reset`` when there was room again.
        again: The start after it, stopped in the ramp.
    """

    case: Case
    kept: bool
    verified: Ended
    refused: Ended
    energies_j: tuple[float, float, float]
    reset: Ended
    again: Ended


def written(folder: Path) -> dict[Path, bytes]:
    """Every segment of every record of a station so far."""
    return {path: path.read_bytes() for path in folder.glob("out/*/record/*.seg")}


async def full_disk(folder: Path, disk: SmallDisk) -> FullDisk:
    """Nothing more fits; then there is room again."""

    async def energy_j() -> float:
        return float((await bench.channel())["energy_j"])

    async with rig(folder) as bench:
        bench.limit = disk.limit
        running, _ = await bench.heating()
        before = written(folder)
        full_ns = RealClock().monotonic_ns()
        disk.fill(running.process.pid)
        case = await seen(bench, await running.end(), full_ns)
        kept = bool(before) and all(path.read_bytes().startswith(content) for path, content in before.items())
        energies_j = [await energy_j()]
        verify = ("record", "verify", str(case.record), "--key", case.ended.document["public_key"], "--json")
        verified = await (await bench.start(*verify)).end()
        refused = await (await bench.run()).end()
        energies_j.append(await energy_j())
        disk.make_room()
        reset = await (await bench.start("reset", "--station", "station.toml", "--reason", "room was made")).end()
        again = await bench.run()
        await again.until("] ramp ", "code=phase")
        await asyncio.sleep(POLL_S * 4)
        again.process.send_signal(signal.SIGINT)
        ended = await again.end()
        energies_j.append(await energy_j())
        return FullDisk(case, kept, verified, refused, tuple(energies_j), reset, ended)


def faketime(offset: Path) -> tuple[str, ...]:
    """Runs a command on a wall clock that is off by what stands in a file. libfaketime breaks timer descriptors with an
    absolute deadline, so that the command is told that there are none.
    """
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    no_descriptors = ("-e", "trace=timerfd_create", "-e", "inject=timerfd_create:error=ENOSYS", "-o", os.devnull)
    settings = (f"FAKETIME_TIMESTAMP_FILE={offset}", "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1")
    return ("strace", "-f", "--seccomp-bpf", "-qq", *no_descriptors, "env", f"LD_PRELOAD={library}", *settings)


async def clock_set_back(folder: Path) -> Case:
    """The wall clock of the station's process is set back by an hour, its other clocks go on."""
    offset = folder / "offset"
    offset.write_text("+0\n", encoding="ascii")
    async with rig(folder, plan=SHORT) as bench:
        bench.runner = faketime(offset)
        running, _ = await bench.heating()
        set_ns = RealClock().monotonic_ns()
        offset.write_text(f"-{AN_HOUR_S}\n", encoding="ascii")
        return await seen(bench, await running.end(), set_ns)


async def pulled_port(folder: Path) -> Case:
    """The port goes away, and comes back a second later."""
    async with rig(folder, link=f"pty:{folder / 'port'}") as bench:
        running, _ = await bench.heating()
        await bench.ask("POST", "/faults", {"start": "socket_cut", "seconds": 1.0})
        ended = await running.end()
        events = await bench.ask("GET", "/events")
        (pulled_ns,) = [event["monotonic_ns"] for event in events if event["kind"] == "fault_started"]
        return await seen(bench, ended, pulled_ns)


def confined(pid: int, processor: int) -> None:
    """Every thread of a process has this processor only."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {processor})


async def busy_processors(folder: Path) -> Case:
    """Every processor that station and generator may have is taken by others for a while; then the station is stopped.
    It is one of the machine's: what else is measured on it meanwhile has the rest.
    """
    async with rig(folder, plan=plan_text(set_temperature_c=45, hold_s=120, ramp_c_per_s=5)) as bench:
        running, _ = await bench.heating()
        processor = max(os.sched_getaffinity(0))
        loop = (sys.executable, "-c", "while True: pass")
        busy = [await asyncio.create_subprocess_exec(*loop) for _ in range(HOGS)]
        for pid in (bench.server.pid, running.process.pid, *(each.pid for each in busy)):
            confined(pid, processor)
        try:
            await asyncio.sleep(BUSY_S)
            ended_ns = RealClock().monotonic_ns()
            if running.process.returncode is None:
                running.process.send_signal(signal.SIGTERM)
            return await seen(bench, await running.end(), ended_ns)
        finally:
            for each in busy:
                each.kill()
                await each.wait()


class Flood:
    """Somebody who sends a broker commands without an end, and asks for everything and reads nothing of it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.sent = 0

    async def run(self) -> None:
        """Until it is cancelled; hung up on, it comes again."""
        packets = COMMANDS * AT_ONCE
        while True:
            _, writer = await asyncio.open_connection(self._broker.host, self._broker.port)
            try:
                writer.write(CONNECT + SUBSCRIBE)
                while True:
                    writer.write(packets)
                    await writer.drain()
                    self.sent += AT_ONCE
                    await asyncio.sleep(FLOOD_S)
            except ConnectionError:
                pass
            finally:
                writer.transport.abort()
                with suppress(ConnectionError):
                    await writer.wait_closed()


def packet(head: int, body: bytes) -> bytes:
    """MQTT 3.1.1, up to 16383 octets of body."""
    length = len(body)
    of_length = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    return bytes([head]) + of_length + body


def text(words: str) -> bytes:
    return len(words).to_bytes(2) + words.encode()


CONNECT = packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text("flood"))
SUBSCRIBE = packet(0x82, b"\x00\x01" + text("#") + b"\x00")
ORDER = json.dumps({"do": "stop", "stop": True, "start": True, "set_temperature_c": 95}).encode()
COMMANDS = b"".join(
    packet(head, text(f"rfctl/v1/site/bench/{place}") + ORDER)
    for place in ("cmd/stop", "SIM-0001/cmd/stop", "SIM-0001/cmd/start", "SIM-0001/state")
    for head in (0x30, 0x31)  # and retained
)


async def flooded_broker(folder: Path) -> tuple[Case, int]:
    """Its broker is flooded from mid-hold to the end of the procedure. Returns: also how many commands it took."""
    with EmbeddedBroker() as child:
        wait_for_port(child.broker.port, child._process)
        mqtt = f'[mqtt]\nbroker = "mqtt://{child.broker.host}:{child.broker.port}"\n'
        async with rig(folder, station=mqtt, plan=SHORT) as bench:
            running, _ = await bench.heating()
            flooded_ns = RealClock().monotonic_ns()
            flood = Flood(child.broker)
            task = asyncio.create_task(flood.run())
            ended = await running.end()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            return await seen(bench, ended, flooded_ns), flood.sent


class Cases(NamedTuple):
    """Every trouble, once."""

    full_disk: FullDisk
    clock_set_back: Case
    pulled_port: Case
    flooded_broker: tuple[Case, int]
    busy_processors: Case


async def all_cases(folder: Path, disk: SmallDisk) -> Cases:
    """Side by side, but for the one that takes a processor from all: it begins when they have ended."""
    places = [folder / name for name in Cases._fields[1:]]
    for place in places:
        place.mkdir()
    back, port, broker, busy = places
    others = await asyncio.gather(
        full_disk(disk.folder, disk), clock_set_back(back), pulled_port(port), flooded_broker(broker)
    )
    return Cases(*others, await busy_processors(busy))


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    folder = tmp_path_factory.mktemp("trouble")
    (folder / "disk").mkdir()
    with small_disk(folder / "disk") as disk:
        yield asyncio.run(all_cases(folder, disk))


# the disk


@pytest.mark.requirement("record.failure")
def test_a_disk_that_fills_in_hold_ends_the_lesion_in_order(cases: Cases) -> None:
    case = cases.full_disk.case
    assert not case.rf_on
    assert 0.0 < case.off_s <= RECORD_S + WRITTEN_S
    document = case.ended.document
    assert (case.ended.exit_code, document["outcome"], document["off_verified"]) == (4, "failed", True)
    assert [trip["code"] for trip in document["trips"]] == ["record_failed"]


@pytest.mark.requirement("record.failure")
def test_what_the_full_disk_had_taken_is_all_there_verified_and_decided_again(cases: Cases) -> None:
    left = cases.full_disk
    assert left.kept
    assert (left.verified.exit_code, left.verified.document["verdict"]) == (0, "VALID-UNANCHORED")
    again = replay(left.case.record)
    assert again.decisions > 100
    assert again.differences == 0


@pytest.mark.requirement("record.failure")
def test_nothing_is_energised_until_there_is_room_and_then_it_is(cases: Cases) -> None:
    left = cases.full_disk
    ended_j, refused_j, again_j = left.energies_j
    assert left.refused.exit_code == 4
    assert "cannot be written" in left.refused.err
    assert refused_j == ended_j
    assert left.reset.exit_code == 0
    assert (left.again.exit_code, left.again.document["outcome"]) == (3, "stopped")
    assert again_j > ended_j


# the wall clock


@pytest.mark.requirement("clock.monotonic")
def test_a_wall_clock_that_is_set_back_in_hold_changes_nothing_and_is_in_the_record(cases: Cases) -> None:
    case = cases.clock_set_back
    document = case.ended.document
    assert (case.ended.exit_code, document["outcome"], document["trips"]) == (0, "complete", []), case.ended.err
    assert verdict_on(case.record) is Outcome.VALID_UNANCHORED
    (told,) = [entry for entry in entries(case.record) if "wall_step_ns" in entry.members]
    assert float(str(told.members["wall_step_ns"])) / NS_PER_S == pytest.approx(-AN_HOUR_S, abs=1.0)
    times_ns = [entry.mono_ns for entry in entries(case.record)]
    assert times_ns == sorted(times_ns)


# a port


def test_a_port_that_is_pulled_in_hold_ends_the_lesion_within_the_lease(cases: Cases) -> None:
    case = cases.pulled_port
    assert 0.0 < case.off_s <= LEASE_END_S
    document = case.ended.document
    assert (case.ended.exit_code, document["trips"][0]["code"]) == (4, "link_lost")


def test_a_port_that_comes_back_is_off_first_and_nothing_resumes(cases: Cases) -> None:
    case = cases.pulled_port
    assert case.written[0] == ALL_OFF
    assert set(case.written) <= {ALL_OFF, RELEASE}
    assert not case.rf_after
    assert case.ended.document["off_verified"] is True
    assert verdict_on(case.record) is Outcome.VALID_UNANCHORED


# the broker


@pytest.mark.requirement("telemetry.bounded", "telemetry.no-commands")
def test_a_flooded_broker_delays_no_decision_and_commands_nothing(cases: Cases) -> None:
    case, commands = cases.flooded_broker
    assert commands > 1000
    document = case.ended.document
    assert (case.ended.exit_code, document["outcome"], document["trips"]) == (0, "complete", []), case.ended.err
    assert document["telemetry_published"] > 0
    assert {frame[:6] for frame in case.written} <= {RENEW, ALL_OFF[:6], RELEASE[:6]}


# the processors


def test_when_others_take_every_processor_it_goes_on_or_ends_by_its_deadlines(cases: Cases) -> None:
    case = cases.busy_processors
    assert not case.rf_on
    assert case.unrenewed_s <= LEASE_END_S
    document = case.ended.document
    assert document["off_verified"] is True
    assert verdict_on(case.record) is Outcome.VALID_UNANCHORED
    if document["ending"] == "stopped by SIGTERM":
        assert (case.ended.exit_code, document["trips"]) == (3, [])
        assert 0.0 < case.off_s <= BUSY_OFF_S
    else:
        assert document["trips"][0]["code"] in DEADLINES, case.ended.err
