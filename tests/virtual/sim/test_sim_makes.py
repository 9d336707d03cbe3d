"""The machines of other makes behind real faces: a socket, a socket with RTU frames, a pty."""

import asyncio
import os
import struct
import tty

import pytest
from pymodbus.framer import FramerRTU

from rfctl.errors import ConfigError
from rfctl_sim.simulator import start

IDENTITY = {
    "rfctl-reference": ("0400000002", "040452464354"),
    "kestrel-2": ("0400000004", "04084b32030103040102"),
    "orrin-v": ("0300000003", "03064f5252560200"),
}
ALL_OFF = {"rfctl-reference": "0600000001", "kestrel-2": "050000ff00", "orrin-v": "0602000000"}
CHANNELS = {"rfctl-reference": 2, "kestrel-2": 2, "orrin-v": 1}


class Wire:
    """A client of any face; no more than the frames of the manuals."""

    def __init__(self, simulator):
        self.scheme, _, self.place = simulator.address.partition(":")
        self.received = bytearray()

    async def open(self):
        if self.scheme == "rtu":
            self.descriptor = os.open(self.place.partition("?")[0], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self.descriptor)
        else:
            host, port = self.place.split(":")
            self.reader, self.writer = await asyncio.open_connection(host, int(port))
        return self

    async def ask(self, pdu: bytes) -> bytes:
        body = b"\x01" + pdu
        if self.scheme == "tcp":
            self.writer.write(struct.pack(">HHH", 1, 0, len(body)) + body)
            head = await self.reader.readexactly(6)
            return (await self.reader.readexactly(int.from_bytes(head[4:], "big")))[1:]
        frame = body + FramerRTU.compute_CRC(body).to_bytes(2, "big")
        if self.scheme == "rtutcp":
            self.writer.write(frame)
            answer = await self.reader.read(300)
        else:
            os.write(self.descriptor, frame)
            await asyncio.sleep(0.05)
            answer = os.read(self.descriptor, 300)
        assert FramerRTU.check_CRC(answer[:-2], int.from_bytes(answer[-2:], "big"))
        return answer[1:-2]

    async def coil_on(self, address: int) -> bytes:
        return await self.ask(struct.pack(">BHH", 5, address, 0xFF00))

    async def write(self, address: int, word: int) -> bytes:
        return await self.ask(struct.pack(">BHH", 6, address, word))

    def close(self):
        if self.scheme == "rtu":
            os.close(self.descriptor)
        else:
            self.writer.transport.abort()


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:0", "rtutcp:127.0.0.1:0", "pty:"])
@pytest.mark.parametrize("make", IDENTITY)
async def test_every_machine_answers_behind_every_face(clock, make, address):
    simulator = await start(clock, tissue="poles", address=address, generator=make)
    wire = await Wire(simulator).open()
    request, answer = (bytes.fromhex(text) for text in IDENTITY[make])
    assert await wire.ask(request) == answer
    assert await wire.ask(bytes.fromhex(ALL_OFF[make])) == bytes.fromhex(ALL_OFF[make])
    assert len(simulator.truth()["channels"]) == CHANNELS[make]
    wire.close()
    await simulator.close()


@pytest.mark.parametrize(("make", "channels"), [("kestrel-2", 1), ("kestrel-2", 4), ("orrin-v", 2)])
async def test_a_machine_comes_with_the_channels_it_is_built_with(clock, make, channels):
    with pytest.raises(ConfigError, match=f"{channels} channels.*{make} has {CHANNELS[make]}"):
        await start(clock, tissue="poles", generator=make, channels=channels)


async def kestrel_rf_on(wire):
    """REMOTE, watchdog, a lesion of channel 1 by the numbers of the manual."""
    await wire.coil_on(1)
    await asyncio.sleep(0.25)
    await wire.write(0, 0)
    for address, word in ((100, 1), (101, 800), (102, 43), (103, 2000), (104, 2600), (105, 1)):
        await wire.write(address, word)
    challenge = int.from_bytes((await wire.ask(bytes.fromhex("0400d60001")))[2:], "big")
    await wire.write(106, challenge ^ 0xA5A5)
    await wire.coil_on(2)


@pytest.fixture
async def kestrel(clock):
    running = await start(clock, tissue="poles", generator="kestrel-2")
    yield running
    await running.close()


async def test_a_kestrel_whose_connection_closes_is_off_at_once_and_local(kestrel):
    wire, other = await Wire(kestrel).open(), await Wire(kestrel).open()
    await kestrel_rf_on(wire)
    await asyncio.sleep(0.1)
    assert kestrel.truth()["channels"][0]["rf_on"]
    wire.close()
    await asyncio.sleep(0.01)
    assert not kestrel.truth()["channels"][0]["rf_on"]
    assert kestrel.state()["remote"] == "local"
    other.close()


async def test_a_cut_network_is_a_closed_connection(kestrel):
    wire = await Wire(kestrel).open()
    await kestrel_rf_on(wire)
    kestrel.faults.start("socket_cut", seconds=1.0)
    await asyncio.sleep(0.01)
    assert not kestrel.truth()["channels"][0]["rf_on"]
    wire.close()


async def test_a_serial_line_is_one_connection_for_ever(clock):
    kestrel = await start(clock, tissue="poles", generator="kestrel-2", address="pty:")
    wire = await Wire(kestrel).open()
    await kestrel_rf_on(wire)
    wire.close()
    again = await Wire(kestrel).open()
    await again.write(0, 1)
    assert kestrel.truth()["channels"][0]["rf_on"]
    await asyncio.sleep(1.1)
    assert not kestrel.truth()["channels"][0]["rf_on"]
    again.close()
    await kestrel.close()


async def test_the_panel_is_locked_and_freed_by_the_back_door(clock, ask, simulator):
    assert (await ask("GET", "/panel"))[0] == 405
    for wrong in ({"remote": "open"}, {"footswitch": "down"}, ["locked"], b"locked"):
        status, answer = await ask("POST", "/panel", wrong)
        assert status == 400
        assert "POST " in answer["error"]
    assert '{"remote": "locked"}' in (await ask("POST", "/panel", {}))[1]["error"]
    status, state = await ask("POST", "/panel", {"remote": "locked"})
    assert (status, state["panel_locked"]) == (200, True)
    wire = await Wire(simulator).open()
    await wire.coil_on(1)
    await asyncio.sleep(0.9)
    assert (await ask("GET", "/state"))[1]["remote"] == "requested"
    await ask("POST", "/panel", {"remote": "free"})
    assert (await ask("GET", "/state"))[1]["remote"] == "granted"
    wire.close()


async def test_the_emergency_stop_is_pressed_and_released_by_the_back_door(ask, simulator):
    status, state = await ask("POST", "/panel", {"press": "emergency_stop"})
    assert (status, state["interrupted"]) == (200, True)
    status, state = await ask("POST", "/panel", {"release": "emergency_stop"})
    assert (status, state["interrupted"]) == (200, False)
    assert [event["kind"] for event in (await ask("GET", "/events"))[1]] == ["panel", "panel"]


@pytest.fixture
async def simulator(clock):
    running = await start(clock, tissue="poles", generator="kestrel-2", backdoor="127.0.0.1:0")
    yield running
    await running.close()
