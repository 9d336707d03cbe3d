"""Several generators on one wire, and RTU frames through a socket."""

import asyncio

import pytest
from pymodbus.framer import FramerRTU

from rfctl.errors import ConfigError
from rfctl_sim.simulator import start

SERIAL = bytes.fromhex("0400100008")
ALL_OFF = bytes.fromhex("0600000001")


def framed(pdu: bytes, unit: int = 1) -> bytes:
    body = bytes([unit]) + pdu
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


class Socket:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def ask(self, data: bytes, within_s: float = 0.3) -> bytes:
        """What comes back until then."""
        self.writer.write(data)
        try:
            async with asyncio.timeout(within_s):
                return await self.reader.read(4096)
        except TimeoutError:
            return b""


async def connected(simulator):
    _, host, port = simulator.address.split(":")
    return Socket(*await asyncio.open_connection(host, int(port)))


@pytest.fixture
async def simulator(clock):
    running = await start(clock, tissue="poles", address="rtutcp:127.0.0.1:0", units=3, backdoor="127.0.0.1:0")
    yield running
    await running.close()


@pytest.fixture
async def line(simulator):
    opened = await connected(simulator)
    yield opened
    opened.writer.transport.abort()


async def test_each_unit_is_a_generator_of_its_own(simulator, line):
    serials = [(await line.ask(framed(SERIAL, unit)))[3:15] for unit in (1, 2, 3)]
    assert serials == [b"SIM-00000000", b"SIM-00000001", b"SIM-00000002"]
    await line.ask(framed(bytes.fromhex("0600010007"), 2))
    assert [simulator.state(unit)["owner"] for unit in (1, 2, 3)] == [0, 7, 0]


async def test_nobody_answers_for_a_unit_that_is_not_there(line):
    assert await line.ask(framed(SERIAL, 4)) == b""
    assert await line.ask(framed(SERIAL, 3)) != b""


async def test_a_dead_unit_is_silent_and_deaf_until_it_is_cleared_and_the_others_live(simulator, line):
    simulator.faults_of(2).start("unit_dead")
    assert await line.ask(framed(bytes.fromhex("0600010007"), 2)) == b""
    assert simulator.state(2)["owner"] == 0
    assert await line.ask(framed(SERIAL, 1)) != b""
    simulator.faults_of(2).clear("unit_dead")
    assert await line.ask(framed(SERIAL, 2)) != b""


async def test_the_back_door_opens_for_each_unit(ask):
    status, state = await ask("POST", "/faults?unit=2", {"start": "unit_dead"})
    assert (status, [fault["name"] for fault in state["faults"]]) == (200, ["unit_dead"])
    assert (await ask("GET", "/state"))[1]["faults"] == []
    assert [event["kind"] for event in (await ask("GET", "/events?unit=2"))[1]] == ["fault_started"]
    assert (await ask("GET", "/truth?unit=3"))[0] == 200
    for wrong, says in (("unit=4", "units 1 to 3"), ("unit=x", "Ask for"), ("channel=1", "Ask for"), ("unit=", "Ask")):
        status, answer = await ask("GET", f"/truth?{wrong}")
        assert (status, says in answer["error"]) == (400, True)


@pytest.mark.parametrize("noise", [b"", b"\x00", b"\xff\xff\x01\x06"])
async def test_noise_before_a_request_is_passed_over(line, noise):
    assert await line.ask(noise + framed(ALL_OFF)) == framed(ALL_OFF)


async def test_a_request_in_pieces_is_heard_and_half_a_one_forgotten(line):
    line.writer.write(framed(ALL_OFF)[:3])
    await asyncio.sleep(0.03)
    assert await line.ask(framed(ALL_OFF)[3:]) == framed(ALL_OFF)
    assert await line.ask(framed(ALL_OFF)[:5]) == b""
    assert await line.ask(framed(ALL_OFF)[5:]) == b""
    assert await line.ask(framed(b"\x2b\x0e\x01\x00")) == framed(b"\xab\x01")


async def test_a_cut_network_takes_the_connection_and_comes_back(simulator, line):
    simulator.faults.start("socket_cut", seconds=1.0)
    with pytest.raises(ConnectionError):
        await line.ask(framed(ALL_OFF), 0.5)
        await connected(simulator)
    await asyncio.sleep(1.1)
    again = await connected(simulator)
    assert await again.ask(framed(ALL_OFF)) == framed(ALL_OFF)
    again.writer.transport.abort()


@pytest.mark.parametrize("units", [0, 248])
async def test_a_number_of_units_that_no_line_has_is_refused(clock, units):
    with pytest.raises(ConfigError, match=f"{units} units.*1 to 247"):
        await start(clock, tissue="poles", units=units)
