"""``rfctl sim serve`` as a process of its own, on the machine's clock."""

import asyncio
import json
import signal
import socket
import sys

import pytest
from click.testing import CliRunner

from rfctl.clock import RealClock
from rfctl.errors import ConfigError, WrongDevice
from rfctl.profile import profile
from rfctl.station.connection import Connection
from rfctl_sim.commands import sim

pytestmark = pytest.mark.real_time

COMMAND = (sys.executable, "-c", "from rfctl_sim.commands import sim; sim()", "serve")


async def serve(*arguments):
    return await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=asyncio.subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_in_one_json_line_where_it_listens_and_ends_well_on_a_signal(number):
    process = await serve("--link", "tcp:127.0.0.1:0", "--backdoor", "127.0.0.1:0", "--channels", "4", "--json")
    said = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    assert set(said) == {"link", "backdoor", "relay", "generator", "channels", "units", "setup", "speed", "pid"}
    assert (said["channels"], said["pid"]) == (4, process.pid)
    assert said["backdoor"].startswith("http://127.0.0.1:")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(said["link"].rpartition(":")[2]))
    writer.write(bytes.fromhex("0001 0000 0006 01 04 0000 0002"))
    assert (await reader.readexactly(13))[9:] == b"RFCT"
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert await process.stdout.read() == b""
    writer.transport.abort()


async def test_a_link_to_a_pty_is_made_served_and_removed(tmp_path):
    process = await serve("--link", f"pty:{tmp_path}/line", "--baud", "38400", "--json")
    said = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    assert said["link"] == f"rtu:{tmp_path}/line?baud=38400"
    connection = Connection(said["link"], profile.load("rfctl-reference"), RealClock(), simulated=True)
    await connection.open()
    assert (await connection.generator.read()).channels[0].temperature_c == pytest.approx(37.0, abs=0.5)
    connection.close()
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert list(tmp_path.iterdir()) == []


async def test_without_json_it_tells_people_that_it_is_no_device():
    process = await serve("--link", "tcp:127.0.0.1:0")
    assert b"(no device)" in await asyncio.wait_for(process.stdout.readline(), 20)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert await process.stdout.read() == b""


def test_an_unknown_generator_is_refused_with_the_valid_ones():
    result = CliRunner().invoke(sim, ["serve", "--generator", "cosman", "--link", "tcp:127.0.0.1:0"])
    assert isinstance(result.exception, ConfigError)
    assert "'cosman'. Valid: rfctl-reference, kestrel-2, orrin-v" in str(result.exception)


async def _http(address: str, request: str) -> dict:
    reader, writer = await asyncio.open_connection(*address.removeprefix("http://").split(":"))
    writer.write(request.encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b" 200 " in head
    writer.transport.abort()
    return json.loads(body)


async def test_time_runs_at_the_speed_it_is_told_and_rfctl_refuses_it_until_it_is_1():
    process = await serve("--link", "tcp:127.0.0.1:0", "--backdoor", "127.0.0.1:0", "--speed", "50", "--json")
    said = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    assert said["speed"] == 50.0
    door, clock = said["backdoor"], RealClock()
    look = "GET /truth HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    begun_ns, begun = clock.monotonic_ns(), await _http(door, look)
    await asyncio.sleep(0.4)
    passed_s = (await _http(door, look))["now_s"] - begun["now_s"]
    wall_s = (clock.monotonic_ns() - begun_ns) / 1e9
    assert 0.4 * 50 <= passed_s <= wall_s * 50
    connection = Connection(said["link"], profile.load("rfctl-reference"), clock, simulated=True)
    with pytest.raises(WrongDevice, match="runs 50 times as fast"):
        await connection.open()
    body = '{"speed": 1}'
    slow_down = f"POST /speed HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    assert (await _http(door, slow_down))["time_scale"] == 1.0
    await connection.open()
    assert connection.identity.time_scale == 1.0
    connection.close()
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_a_fleet_listens_on_ports_that_follow_each_other_and_each_has_a_serial_number():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = await serve("--link", f"tcp:127.0.0.1:{port}", "--fleet", "3", "--json")
    said = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    assert [each["link"] for each in said["fleet"]] == [f"tcp:127.0.0.1:{port + index}" for index in range(3)]
    serials = []
    for each in said["fleet"]:
        connection = Connection(each["link"], profile.load("rfctl-reference"), RealClock(), simulated=True)
        await connection.open()
        serials.append(connection.identity.serial)
        connection.close()
    assert serials == ["SIM-00000000", "SIM-00000001", "SIM-00000002"]
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 20) == 0
