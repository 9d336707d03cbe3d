"""A station over the line protocol, through a socket and on a pty: whole procedures, faults in mid-hold, refusals."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError
from rfctl.profile import any_profile
from rfctl.record.keys import load_public_key
from rfctl.record.replay import replay
from rfctl.record.verify import Outcome, verify
from rfctl.station import answers, plan_file, session, station_file
from rfctl.station.connection import Connection
from rfctl_line.table import TABLE
from rfctl_sim.simulator import start
from tests.log_tools import of_kind
from tests.station_bench import station_bench, station_text

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.station.session import Result

LINKS = ("linetcp:127.0.0.1:0", "line:")
POLL_S = 0.05


def lines_of(folder: Path, result: Result, kind: str) -> list[dict[str, Any]]:
    """The record's lines of one kind."""
    return of_kind(folder / result.document["record"], kind)


def assert_sealed(folder: Path, result: Result) -> None:
    path = folder / result.document["record"]
    assert verify(path, load_public_key(folder / result.document["public_key"])).verdict is Outcome.VALID_UNANCHORED
    assert replay(path).differences == 0


@pytest.mark.parametrize(("link", "name", "holds_s"), [("linetcp", "demo", [90.0, 90.0]), ("line", "short", [20.0])])
async def test_a_whole_procedure_runs_over_lines(
    tmp_path: Path, clock: Clock, link: str, name: str, holds_s: list[float]
) -> None:
    plan = plan_file.load(name)
    station = replace(
        station_file.load("demo"),
        link=f"sim:reference?link={link}",
        profile="rfctl-line",
        state_folder=tmp_path / "state",
        relay=None,
        guard=None,
    )
    result = await session.run(
        session.Order(
            station=station,
            profile=any_profile.load(station.profile),
            plan=plan,
            operator=answers.load(f"{name}-answers", plan),
            out=tmp_path,
            seed=0,
            watch=lambda state, effects: None,
        ),
        clock,
    )
    assert (result.exit_code, result.document["outcome"], result.document["trips"]) == (0, "complete", [])
    assert [site["seconds_within_2c"] for site in result.document["sites"]] == holds_s
    assert_sealed(tmp_path, result)
    (identity,) = lines_of(tmp_path, result, "identity")
    assert identity["write_table_sha256"] == TABLE.sha256
    told = [line["text"] for line in lines_of(tmp_path, result, "unasked")]
    assert [text for text in told if "rf_on" in text] == [
        f"OUTPUT {channel} rf_on" for channel in range(1, len(holds_s) + 1)
    ]


async def test_the_station_controls_the_temperature_over_lines(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock, address=LINKS[1]) as bench:
        result = await bench.begin(bench.order(station=station_text(bench.simulator.address, control="host")))
    (site,) = result.document["sites"]
    assert (result.exit_code, result.document["temperature_control"]) == (0, "host")
    assert (site["seconds_within_2c"], site["overshoot_c"] <= 3.0) == (20.0, True)
    assert_sealed(tmp_path, result)


@pytest.mark.parametrize(
    ("address", "fault", "parameters", "code", "limit_s"),
    [
        (LINKS[0], "thermocouple_open", {"channel": 1}, "thermocouple_open", 2 * POLL_S),
        (LINKS[1], "thermocouple_open", {"channel": 1}, "thermocouple_open", 2 * POLL_S),
        (LINKS[0], "socket_cut", {"seconds": 2.0}, "link_lost", 0.5),
        (LINKS[1], "socket_cut", {"seconds": 2.0}, "link_lost", 0.5),
        (LINKS[0], "no_reply", {"seconds": 2.0}, "sample_age", 0.5),
        (LINKS[0], "counter_frozen", {}, "counter_frozen", 0.4 + POLL_S),
        (LINKS[0], "refuse_write", {"register": "lease_renew"}, "command_failed", 2 * POLL_S),
    ],
)
async def test_a_fault_in_mid_hold_turns_the_output_off_in_time(
    tmp_path: Path, clock: Clock, address: str, fault: str, parameters: dict[str, Any], code: str, limit_s: float
) -> None:
    async with station_bench(tmp_path, clock, address=address) as bench:
        running = bench.begin()
        await bench.in_hold()
        await asyncio.sleep(0.02)
        began_ns = clock.monotonic_ns()
        bench.simulator.faults.start(fault, **parameters)
        result = await running
        off_s = (bench.event_ns("rf_off", channel=1, after_ns=began_ns) - began_ns) / NS_PER_S
        assert off_s <= limit_s
    assert result.document["trips"][0]["code"] == code
    assert_sealed(tmp_path, result)


async def test_a_refused_renewal_is_told_with_class_and_code(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock, address=LINKS[0]) as bench:
        running = bench.begin()
        await bench.in_hold()
        bench.simulator.faults.start("refuse_write", register="lease_renew")
        result = await running
    assert "refused with fault 501 (a fault is present)" in result.error
    assert result.exit_code == 4


async def test_a_refused_off_cannot_pass_silently(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock, address=LINKS[0]) as bench:
        running = bench.begin()
        await bench.in_hold()
        bench.simulator.faults.start("refuse_write", register="all_off")
        bench.simulator.faults.start("ignore_off", 1)  # and the end of the lease does not end it either
        began_ns = clock.monotonic_ns()
        bench.simulator.faults.start("thermocouple_open", 1)
        result = await running
        off_lines = [f for f in bench.simulator.wire if f.direction == "in" and f.monotonic_ns >= began_ns]
        assert sum(b" OFF*" in frame.data for frame in off_lines) >= 20
    assert [trip["code"] for trip in result.document["trips"]] == ["thermocouple_open", "off_not_verified"]
    assert "OFF NOT CONFIRMED" in result.document["ending"]
    assert result.document["off_verified"] is False
    refused = [line["refused"] for line in lines_of(tmp_path, result, "unasked") if "refused" in line]
    assert refused
    assert all("fault 501 (a fault is present)" in text for text in refused)


@pytest.mark.parametrize(
    ("address", "profile"),
    [("linetcp:127.0.0.1:0", "rfctl-reference"), ("tcp:127.0.0.1:0", "rfctl-line"), ("line:", "rfctl-reference")],
)
async def test_a_profile_on_a_link_of_another_protocol_is_refused_before_anything_is_sent(
    clock: Clock, address: str, profile: str
) -> None:
    simulator = await start(clock, tissue="poles", address=address)
    connection = Connection(simulator.address, any_profile.load(profile), clock, simulated=True)
    with pytest.raises(ConfigError, match="speaks another protocol than this link carries"):
        await connection.open()
    assert not [frame for frame in simulator.wire if frame.direction == "in"]
    await simulator.close()


@pytest.mark.parametrize(("baud", "channels", "cycle_ms"), [(38400, 2, 153), (38400, 4, 236), (57600, 4, 164)])
async def test_a_line_too_slow_to_control_over_is_refused_after_off(
    clock: Clock, baud: int, channels: int, cycle_ms: int
) -> None:
    simulator = await start(clock, tissue="poles", address="line:", channels=channels, baud=baud)
    connection = Connection(simulator.address, any_profile.load("rfctl-line"), clock, simulated=True)
    with pytest.raises(ConfigError, match=rf"{channels} channels takes up to {cycle_ms} ms"):
        await connection.open()
    await asyncio.sleep(0.1)
    written = [frame.data for frame in simulator.wire if frame.direction == "in" and b" OFF*" in frame.data]
    assert written == [b">FF00 OFF*3F0D\r\n", written[1]]
    await simulator.close()


async def test_another_protocol_is_not_taken_for_this_one(clock: Clock) -> None:
    simulator = await start(clock, tissue="poles", address=LINKS[0])
    simulator.faults.start("wrong_map_id")
    connection = Connection(simulator.address, any_profile.load("rfctl-line"), clock, simulated=True)
    with pytest.raises(Exception, match="protocol is another, expected rfctl-line"):
        await connection.open()
    assert [f.data[6:11] for f in simulator.wire if f.direction == "in"] == [b"IDENT"]
    await simulator.close()
