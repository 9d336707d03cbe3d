"""A station on a serial line: what its file may say, lines that are too slow, and the whole demonstration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import ConfigError
from rfctl.profile import profile
from rfctl.record.replay import replay
from rfctl.station import answers, plan_file, session, station_file
from rfctl.station.connection import Connection
from rfctl_sim.simulator import start
from tests.station_bench import station_text

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock

ALL_OFF = bytes.fromhex("010600000001480a")


def loaded(folder: Path, link: str) -> station_file.Station:
    (folder / "station.toml").write_text(station_text(link), encoding="utf-8")
    return station_file.load(str(folder / "station.toml"))


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("rtu:ttyUSB0", "generator.link: .*its path must be absolute.*Write rtu:PATH"),
        ("rtu:/dev/ttyUSB0?baud=12", "generator.link: baud = '12'.*Valid: 1200"),
        (
            "serial:/dev/ttyUSB0",
            "a link is tcp:HOST:PORT, rtu:PATH, .*, line:PATH, or sim:NAME",
        ),
        ("sim:reference?link=usb", r"link=tcp or link=rtu .*, not 'link=usb'"),
        ("sim:reference?speed=2", r"stand link=tcp.* and generator=NAME, .*, joined by &, not 'speed=2'"),
        ("sim:reference?link=tcp&link=rtu", "joined by &, not 'link=tcp&link=rtu'"),
        ("sim:reference?usb", "not 'usb'"),
        ("sim:reference?generator=", "generator= names nothing"),
    ],
)
def test_a_link_that_cannot_be_is_refused_with_its_place_in_the_file(tmp_path: Path, link: str, says: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){says}"):
        loaded(tmp_path, link)


@pytest.mark.parametrize(
    ("link", "address", "generator"),
    [
        ("sim:reference", "tcp:127.0.0.1:0", None),
        ("sim:reference?link=tcp", "tcp:127.0.0.1:0", None),
        ("sim:reference?link=rtu", "pty:", None),
        ("sim:rfctl_sim?link=rtutcp", "rtutcp:127.0.0.1:0", None),
        ("sim:rfctl_sim?generator=kestrel-2", "tcp:127.0.0.1:0", "kestrel-2"),
        ("sim:rfctl_sim?link=rtu&generator=orrin-v", "pty:", "orrin-v"),
    ],
)
def test_the_simulator_in_process_is_served_as_the_link_says(
    tmp_path: Path, link: str, address: str, generator: str | None
) -> None:
    station = loaded(tmp_path, link)
    assert station.in_process
    assert station.simulator.simulator in link
    assert (station.simulator.address, station.simulator.generator) == (address, generator)


@pytest.mark.parametrize(("baud", "channels", "cycle_ms"), [(9600, 2, 212), (19200, 2, 116), (19200, 4, 172)])
async def test_a_line_too_slow_to_control_over_is_refused_after_off(
    clock: Clock, baud: int, channels: int, cycle_ms: int
) -> None:
    simulator = await start(clock, tissue="poles", address="pty:", channels=channels, baud=baud)
    connection = Connection(simulator.address, profile.load("rfctl-reference"), clock, simulated=True)
    says = rf"{channels} channels takes up to {cycle_ms} ms, .* no more than 100 ms\. Set .* a higher baud rate"
    with pytest.raises(ConfigError, match=says):
        await connection.open()
    assert connection.closed
    await simulator.close()


@pytest.mark.parametrize(("baud", "channels"), [(38400, 4), (115200, 4)])
async def test_a_line_that_is_fast_enough_is_read_without_an_error(clock: Clock, baud: int, channels: int) -> None:
    simulator = await start(clock, tissue="poles", address="pty:", channels=channels, baud=baud)
    connection = Connection(simulator.address, profile.load("rfctl-reference"), clock, simulated=True)
    await connection.open()
    for _ in range(200):
        assert len((await connection.generator.read()).channels) == channels
    assert [frame.data for frame in simulator.wire if frame.direction == "in" and frame.data[1] == 6] == [ALL_OFF] * 2
    connection.close()
    await simulator.close()


async def test_a_line_may_be_fast_enough_to_watch_and_too_slow_to_set_outputs_over(clock: Clock) -> None:
    simulator = await start(clock, tissue="poles", address="pty:", channels=4, baud=38400)
    connection = Connection(simulator.address, profile.load("rfctl-reference"), clock, simulated=True)
    await connection.open()
    with pytest.raises(ConfigError, match="4 channels takes up to 11"):
        connection.require_fast_enough_to_set(1)
    connection.close()
    await simulator.close()


async def test_the_whole_demonstration_runs_over_a_serial_line(tmp_path: Path, clock: Clock) -> None:
    station = replace(station_file.load("demo"), link="sim:reference?link=rtu", state_folder=tmp_path / "state")
    plan = plan_file.load("demo")
    result = await session.run(
        session.Order(
            station=station,
            profile=profile.load(station.profile),
            plan=plan,
            operator=answers.load("demo-answers", plan),
            out=tmp_path,
            seed=0,
            watch=lambda state, effects: None,
        ),
        clock,
    )
    assert (result.exit_code, result.document["outcome"], result.document["trips"]) == (0, "complete", [])
    assert [site["seconds_within_2c"] for site in result.document["sites"]] == [90.0, 90.0]
    assert replay(tmp_path / result.document["record"]).differences == 0
