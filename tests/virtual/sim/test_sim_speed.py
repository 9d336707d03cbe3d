"""Speed and fleet inside one process: what is refused, and who tells a client what."""

from __future__ import annotations

import asyncio

import pytest

from rfctl.clock import NS_PER_S, RealClock, ScaledClock
from rfctl.errors import ConfigError, WrongDevice
from rfctl.profile import any_profile
from rfctl.station.connection import Connection
from rfctl_sim.fleet import consecutive, start_fleet
from rfctl_sim.scaled_loop import run_scaled
from rfctl_sim.simulator import start


@pytest.mark.parametrize("speed", [0, 0.09, 101, -1, True, "10", None, float("nan")])
async def test_a_speed_that_nobody_can_want_is_refused(simulator, ask, speed):
    status, answer = await ask("POST", "/speed", {"speed": speed})
    assert status == 400
    assert "0.1 to 100" in answer["error"]


async def test_a_simulator_in_the_time_of_its_station_has_no_speed_of_its_own(ask):
    status, answer = await ask("POST", "/speed", {"speed": 2})
    assert (status, "the process it runs in" in answer["error"]) == (400, True)


async def test_a_port_and_a_way_to_count_on_from_are_needed(clock):
    with pytest.raises(ConfigError, match="fleet of 2 behind pty:/tmp/x"):
        await start_fleet(clock, 2, address="pty:/tmp/x")
    with pytest.raises(ConfigError, match="no port to count on from"):
        await start_fleet(clock, 2, address="tcp:127.0.0.1")
    with pytest.raises(ConfigError, match="2 ports from 65535 on"):
        consecutive("tcp:127.0.0.1:65535", 2)


async def test_a_fleet_that_cannot_be_whole_is_not_there_at_all(clock):
    taken = await start(clock, tissue="poles")
    port = int(taken.address.rpartition(":")[2])
    with pytest.raises(ConfigError, match="cannot listen"):
        await start_fleet(clock, 2, address=f"tcp:127.0.0.1:{port - 1}", tissue="poles")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port - 1)
    await taken.close()


def test_a_clock_that_changes_its_speed_does_not_jump():
    clock, wall = ScaledClock(), RealClock()
    assert abs(clock.monotonic_ns() - wall.monotonic_ns()) < NS_PER_S
    before_ns = clock.monotonic_ns()
    clock.set_speed(100.0)
    assert clock.scale == "scaled:100"
    fast_ns = clock.monotonic_ns()
    clock.set_speed(1.0)
    assert clock.scale == "real"
    assert before_ns <= fast_ns <= clock.monotonic_ns() < fast_ns + NS_PER_S


@pytest.mark.parametrize(
    ("make", "profile", "address"),
    [
        ("rfctl-reference", "rfctl-reference", "tcp:127.0.0.1:0"),
        ("rfctl-reference", "rfctl-line", "linetcp:127.0.0.1:0"),
        ("kestrel-2", "kestrel-2", "tcp:127.0.0.1:0"),
        ("orrin-v", "orrin-v", "tcp:127.0.0.1:0"),
    ],
)
def test_every_make_says_in_its_own_way_that_its_time_is_not_the_clock_s(make, profile, address):
    """On the real clock, in one loop: nothing here takes longer than its sockets do."""

    async def refused(clock: ScaledClock) -> None:
        simulator = await start(clock, generator=make, address=address, tissue="poles")
        for speed in (8.0, 1.0):
            simulator.set_speed(speed)
            connection = Connection(simulator.address, any_profile.load(profile), clock, simulated=True)
            if speed == 1.0:
                await connection.open()
            else:
                with pytest.raises(WrongDevice):
                    await connection.open()
            connection.close()
        await simulator.close()

    clock = ScaledClock()
    run_scaled(refused(clock), clock)


def test_a_timer_runs_at_the_speed_of_the_clock():
    clock, wall = ScaledClock(100.0), RealClock()
    begun_ns, begun_wall_ns = clock.monotonic_ns(), wall.monotonic_ns()
    run_scaled(asyncio.sleep(20.0), clock)
    assert (clock.monotonic_ns() - begun_ns) / NS_PER_S >= 20.0
    assert (wall.monotonic_ns() - begun_wall_ns) / NS_PER_S < 10.0
