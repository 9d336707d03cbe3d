"""The Modbus TCP face on real sockets, in virtual time."""

import asyncio
import struct

import pytest

from rfctl.errors import ConfigError
from rfctl_sim.simulator import start

STATUS = bytes.fromhex("0001 0000 0006 01 04 0040 0046")


async def test_the_address_says_where_it_listens(simulator):
    kind, host, port = simulator.address.split(":")
    assert (kind, host) == ("tcp", "127.0.0.1")
    assert int(port) > 0


async def test_a_client_that_knows_only_the_page_can_identify_it(client):
    assert await client.read(0, "IHHIf") == (0x52464354, 0x0102, 2, 0x12345678, 1234.5)


async def test_a_client_that_knows_only_the_page_can_make_a_lesion(client, output):
    await client.start_lesion()
    await client.keep(12.0)
    assert await client.temperature_c() == pytest.approx(80.0, abs=2.0)
    await client.write(0, 1)
    assert not output()["rf_on"]


async def test_time_goes_on_when_nobody_polls(simulator, client):
    await client.start_lesion()
    log = simulator.events
    fired_s = simulator.truth()["now_s"]
    await asyncio.sleep(0.6)
    (off,) = log.of("rf_off")  # asking the log, unlike the simulator, brings nothing up to date
    assert off.now_s == pytest.approx(fired_s + 0.5, abs=1e-6)


async def test_frames_arrive_whatever_the_segments_are(client):
    for byte in STATUS[:-1]:
        client.writer.write(bytes((byte,)))
        await asyncio.sleep(0.01)
    client.writer.write(STATUS[-1:] + STATUS + STATUS[:5])
    two = await client.reader.readexactly(2 * (9 + 140))
    assert two[:9] == two[149:158] == bytes.fromhex("0001 0000 008f 01 04 8c")
    client.writer.write(STATUS[5:])
    assert len(await client.reader.readexactly(149)) == 149


@pytest.mark.parametrize("junk", ["GET / HTTP/1.1\r\n\r\n", "\0\1\0\0\0\1\1", "\0\1\0\0\0\xff\1\4\0"])
async def test_what_is_not_modbus_is_hung_up_on(client, junk):
    client.writer.write(junk.encode("latin-1"))
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await client.reader.readexactly(1)


async def test_when_the_owner_s_connection_closes_outputs_go_on_until_the_lease_is_out(
    simulator, client, second_client, output
):
    await client.start_lesion()
    await client.keep(1.0)
    client.close()
    await asyncio.sleep(0.4)
    assert output()["rf_on"]
    await asyncio.sleep(0.2)
    assert not output()["rf_on"]
    await second_client.write(1, 8)
    assert await second_client.read(68, "H") == 8


async def test_several_connections_are_served_side_by_side(client, second_client):
    await client.write(1, 7)
    assert await second_client.request(struct.pack(">BHH", 6, 18, 3)) == bytes((0x86, 6))
    assert await second_client.read(38, "H") == 20
    await second_client.write(0, 1)


async def test_every_frame_is_in_the_log_with_time_and_direction(simulator, client, clock):
    await asyncio.sleep(1.5)
    await client.read(0, "I")
    await client.write(0, 1)
    frames = list(simulator.wire)
    assert [frame.direction for frame in frames] == ["in", "out", "in", "out"]
    assert frames[0].data == bytes.fromhex("0001 0000 0006 01 04 0000 0002")
    assert frames[3].data == bytes.fromhex("0002 0000 0006 01 06 0000 0001")
    assert frames[0].now_s == pytest.approx(1.5)
    assert frames[0].monotonic_ns <= clock.monotonic_ns()
    assert {frame.connection for frame in frames} == {1}


async def test_a_taken_port_is_refused_with_the_address_and_a_remedy(clock, simulator):
    with pytest.raises(
        ConfigError, match=rf"{simulator.address}: cannot listen there: .*in use.*choose another"
    ) as error:
        await start(clock, tissue="poles", address=simulator.address)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"address": "127.0.0.1:0"}, "no such kind of link"),
        ({"address": "tcp:127.0.0.1"}, "not an address"),
        ({"address": "tcp:127.0.0.1:70000"}, "not an address"),
        ({"channels": 0}, "0 channels.*1 to 4"),
        ({"channels": 5}, "5 channels"),
        ({"backdoor": "0.0.0.0:0"}, "not this machine's loopback"),
        ({"backdoor": "5021"}, "not an address"),
    ],
)
async def test_what_cannot_be_served_is_refused_and_leaves_nothing_open(clock, arguments, message):
    with pytest.raises(ConfigError, match=message):
        await start(clock, tissue="poles", **arguments)


async def test_closing_ends_every_connection(clock, connect_to):
    simulator = await start(clock, tissue="poles")
    client = await connect_to(simulator)
    await client.read(0, "I")
    await simulator.close()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await client.reader.readexactly(1)
    client.close()
    with pytest.raises(ConnectionRefusedError):
        await connect_to(simulator)
