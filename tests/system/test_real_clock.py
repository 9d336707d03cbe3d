"""Stops, kills and faults in mid-hold with real processes on the machine's clock, measured by the generator's own."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rfctl.record.replay import replay
from rfctl.record.verify import Outcome
from tests.log_tools import LEFT_BY_A_KILL, lines
from tests.system.run_rig import LEASE_S, POLL_S, SAMPLE_S, Ended, rig, verdict_on

if TYPE_CHECKING:
    from collections.abc import Awaitable

pytestmark = pytest.mark.real_time

AT_ONCE = 4
"""Cases side by side: a process that starts takes a whole processor from those that must answer within 40 ms."""
ALL_OFF = "0600000001"
SIGNAL_S = 0.25
"""HZ-49: from the signal to off."""


class Fault(NamedTuple):
    """A fault in mid-hold.

    Attributes:
        start: Body of the request that starts it.
        code: First trip.
        exit_code: Of the command.
        limit_s: From cause to off.
    """

    start: dict[str, object]
    code: str
    exit_code: int
    limit_s: float


FAULTS = {
    "thermocouple open": Fault({"start": "thermocouple_open"}, "thermocouple_open", 3, 0.2),  # HZ-02
    "impedance 5000 ohm": Fault({"start": "impedance", "ohm": 5000.0}, "impedance_high", 3, 0.3),  # HZ-10
    "power above the cap": Fault({"start": "power_over_limit", "power_w": 25.0}, "current", 3, 0.2),  # HZ-30
    "socket cut": Fault({"start": "socket_cut", "seconds": 1.0}, "link_lost", 4, 0.5),  # HZ-17
    # limits: frozen, 300 ms; then one poll and two transactions of 30 ms each
    "sample counter frozen": Fault({"start": "counter_frozen"}, "counter_frozen", 4, 0.41),
}
SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}


@dataclass
class Case:
    """What one case leaves for its tests to look at.

    Attributes:
        folder: Where the station's files and records are.
        off_s: From cause to RF off, by the generator's clock.
        truth: Of the channel at the end.
        ended: The command that was stopped.
        further: Commands that ran beside or after it.
        written: Requests but reads that the generator received, by connection.
    """

    folder: Path
    off_s: float
    truth: dict[str, Any]
    ended: Ended
    further: tuple[Ended, ...] = ()
    written: tuple[tuple[int, str], ...] = ()


async def stopped(folder: Path, number: signal.Signals) -> Case:
    """Stop by a signal in mid-hold; a second start was tried before."""
    async with rig(folder) as bench:
        running = await bench.run()
        await running.until("code=site")
        second = await (await bench.run()).end()
        await running.in_hold()
        before = await bench.channel()
        assert before["rf_on"]
        running.process.send_signal(number)
        ended = await running.end()
        truth = await bench.channel()
        return Case(folder, truth["last_off_s"] - before["now_s"], truth, ended, (second,))


async def killed(folder: Path) -> Case:
    """Kill in mid-hold, and start again: that one is refused."""
    async with rig(folder) as bench:
        running, before = await bench.heating()
        running.process.kill()
        ended = await running.end()
        await asyncio.sleep(2 * LEASE_S)
        truth = await bench.channel()
        next_one = await (await bench.run()).end()
        frames = [frame for frame in await bench.ask("GET", "/wire") if frame["direction"] == "in"]
        written = tuple((f["connection"], f["data"][14:]) for f in frames if f["data"][14:16] not in {"03", "04"})
        return Case(folder, truth["last_off_s"] - before["now_s"], truth, ended, (next_one,), written)


async def struck(folder: Path, fault: Fault) -> Case:
    """Start a fault in mid-hold."""
    async with rig(folder) as bench:
        running = await bench.run()
        await running.in_hold()
        await bench.ask("POST", "/faults", fault.start)
        ended = await running.end()
        truth = await bench.channel()
        (cause,) = [e for e in await bench.ask("GET", "/events") if e["kind"] == "fault_started"]
        return Case(folder, truth["last_off_s"] - cause["now_s"], truth, ended)


async def all_cases(folder: Path) -> dict[str, Case]:
    """Every case, each with a simulator of its own, a few at the same time."""
    names = ("killed", *SIGNALS, *FAULTS)
    folders = {name: folder / name.replace(" ", "-") for name in names}
    for place in folders.values():
        place.mkdir()
    work: dict[str, Awaitable[Case]] = {"killed": killed(folders["killed"])}
    work |= {name: stopped(folders[name], number) for name, number in SIGNALS.items()}
    work |= {name: struck(folders[name], fault) for name, fault in FAULTS.items()}
    room = asyncio.Semaphore(AT_ONCE)

    async def in_turn(case: Awaitable[Case]) -> Case:
        async with room:
            return await case

    return dict(zip(work, await asyncio.gather(*map(in_turn, work.values())), strict=True))


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return asyncio.run(all_cases(tmp_path_factory.mktemp("real")))


# signals


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_in_hold_turns_off_at_once(cases: dict[str, Case], name: str) -> None:
    case = cases[name]
    assert not case.truth["rf_on"]
    assert 0.0 < case.off_s <= SIGNAL_S
    assert case.ended.exit_code == 3
    document = case.ended.document
    assert (document["outcome"], document["ending"], document["trips"]) == ("stopped", f"stopped by {name}", [])
    assert document["off_verified"] is True
    assert 0.5 <= document["sites"][0]["seconds_within_2c"] <= 10.0
    assert verdict_on(document["record"]) is Outcome.VALID_UNANCHORED
    assert replay(Path(document["record"])).differences == 0


@pytest.mark.parametrize("name", SIGNALS)
def test_a_second_start_while_one_runs_names_its_process(cases: dict[str, Case], name: str) -> None:
    (second,) = cases[name].further
    assert (second.exit_code, second.out) == (2, "")
    assert f"process {cases[name].ended.pid} runs this station" in second.err


# kill


def test_a_killed_station_leaves_rf_on_no_longer_than_the_lease(cases: dict[str, Case]) -> None:
    case = cases["killed"]
    assert case.ended.exit_code == -signal.SIGKILL
    assert not case.truth["rf_on"]
    assert LEASE_S - 5 * POLL_S < case.off_s <= LEASE_S + POLL_S + SAMPLE_S


def test_a_killed_station_leaves_a_record_with_an_unclean_end(cases: dict[str, Case]) -> None:
    (next_one,) = cases["killed"].further
    left = next_one.document["unclean_end"]
    assert left["verdict"] in LEFT_BY_A_KILL
    assert left["pid"] == cases["killed"].ended.pid
    assert left["records"] > 20  # readings are many to a record
    assert verdict_on(left["record"]) in LEFT_BY_A_KILL
    assert Path(left["record"]).parent != Path(next_one.document["record"]).parent


def test_the_next_start_says_off_first_records_the_unclean_end_and_is_refused_until_it_is_reset(
    cases: dict[str, Case],
) -> None:
    case = cases["killed"]
    assert next(request for connection, request in case.written if connection == 2) == ALL_OFF
    (next_one,) = case.further
    assert (next_one.exit_code, next_one.document["outcome"]) == (3, "refused")
    assert "unclean_end on channel 1 (HZ-22, reset class R3b)" in next_one.err
    record = Path(next_one.document["record"])
    assert lines(record)[0]["previous_record_unclean"] == next_one.document["unclean_end"]
    assert verdict_on(record) is Outcome.VALID_UNANCHORED
    assert not (case.folder / "state-bench" / "open-record.json").exists()


# faults


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_hold_turns_off_in_time(cases: dict[str, Case], name: str) -> None:
    case, fault = cases[name], FAULTS[name]
    assert not case.truth["rf_on"]
    assert 0.0 < case.off_s <= fault.limit_s
    document = case.ended.document
    assert (case.ended.exit_code, document["trips"][0]["code"]) == (fault.exit_code, fault.code)
    assert document["trips"][0]["text"] in case.ended.err
    assert verdict_on(document["record"]) is Outcome.VALID_UNANCHORED
    assert replay(Path(document["record"])).differences == 0


# standard output and standard error


def test_standard_output_is_the_document_and_standard_error_the_log(cases: dict[str, Case]) -> None:
    for name in (*SIGNALS, *FAULTS):
        ended = cases[name].ended
        assert ended.out.count("\n") == 1
        assert ended.document["time_scale"] == "real"
        logged = [line for line in ended.err.splitlines() if line.startswith("[")]
        assert len(logged) > 5
        assert all("station=bench" in line and "backend=SIMULATED" in line for line in logged)
        assert any("code=phase" in line and line.endswith("channel=1") for line in logged)
