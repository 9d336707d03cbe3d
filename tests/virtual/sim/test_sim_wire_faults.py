"""Every fault of the wire, by the bytes that a client gets over each face, and every fault of a relay board."""

import asyncio
import os
from binascii import crc_hqx
from collections.abc import AsyncIterator, Callable

import pytest
from pymodbus.framer import FramerRTU

from rfctl.errors import ConfigError
from rfctl_sim.catalogue.kinds import Scope
from rfctl_sim.catalogue.table import CATALOGUE
from rfctl_sim.fault_effects import WireEffects
from rfctl_sim.faults import Faults
from rfctl_sim.relay_board import RelayBoard
from rfctl_sim.simulator import Simulator, start

PATIENT_S = 0.3
IDENTITY = bytes.fromhex("0400000008")
REQUESTS = {
    "tcp": bytes.fromhex("000100000006 01") + IDENTITY,
    "rtu": bytes.fromhex("01") + IDENTITY + bytes.fromhex("F1CC"),
    "rtutcp": bytes.fromhex("01") + IDENTITY + bytes.fromhex("F1CC"),
    "linetcp": b"IDENT\r\n",
    "line": b"IDENT\r\n",
}
FACES = {"tcp": "tcp:127.0.0.1:0", "rtu": "pty:", "rtutcp": "rtutcp:127.0.0.1:0", "linetcp": "linetcp:127.0.0.1:0"}
FACES["line"] = "line:"


class Client:
    """Sends the same request over and over, and gives back the bytes that come."""

    def __init__(self, simulator: Simulator) -> None:
        self.scheme, _, self.place = simulator.address.partition(":")
        self.simulator = simulator
        self.received = b""
        self.ended = False
        self.transport: asyncio.Transport | None = None
        self.descriptor = -1

    async def connect(self) -> None:
        self.ended = False
        if self.scheme in {"rtu", "line"}:
            self.descriptor = os.open(self.place.partition("?")[0], os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
            asyncio.get_running_loop().add_reader(self.descriptor, self.on_readable)
            return
        host, port = self.place.split(":")
        client = self

        class Ears(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                client.received += data

            def connection_lost(self, exc: Exception | None) -> None:
                client.ended = True

        self.transport, _ = await asyncio.get_running_loop().create_connection(Ears, host, int(port))

    def on_readable(self) -> None:
        try:
            data = os.read(self.descriptor, 4096)
        except OSError:
            data = b""
        self.received += data
        if not data:
            self.hang_up()

    def hang_up(self) -> None:
        self.ended = True
        if self.descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self.descriptor)
            os.close(self.descriptor)
            self.descriptor = -1
        if self.transport is not None:
            self.transport.abort()

    async def ask(self, wait_s: float = PATIENT_S) -> bytes:
        """What comes within a time of a request."""
        request = REQUESTS[self.scheme]
        if self.descriptor >= 0:
            os.write(self.descriptor, request)
        elif self.transport is not None:
            self.transport.write(request)
        return await self.listen(wait_s)

    async def listen(self, wait_s: float) -> bytes:
        await asyncio.sleep(wait_s)
        received, self.received = self.received, b""
        return received

    def well_formed(self, reply: bytes) -> bool:
        """Length and check sum are right."""
        if self.scheme == "tcp":
            return int.from_bytes(reply[4:6], "big") == len(reply) - 6
        if self.scheme.startswith("rtu"):
            return FramerRTU.check_CRC(reply[:-2], int.from_bytes(reply[-2:], "big"))
        body, _, check_sum = reply.rpartition(b"*")
        return check_sum == f"{crc_hqx(body, 0xFFFF):04X}\r\n".encode()


@pytest.fixture(params=list(FACES))
async def simulated(clock, request) -> AsyncIterator[Simulator]:
    running = await start(clock, address=FACES[request.param], tissue="poles", seed=5)
    yield running
    await running.close()


@pytest.fixture
async def client(simulated) -> AsyncIterator[Client]:
    connected = Client(simulated)
    await connected.connect()
    yield connected
    connected.hang_up()


CHECKS: dict[str, Callable] = {}


def shows(name):
    def register(check):
        assert name not in CHECKS
        CHECKS[name] = check
        return check

    return register


@pytest.mark.parametrize("name", [name for name, kind in CATALOGUE.items() if kind.scope is Scope.WIRE])
async def test_a_fault_of_the_wire_is_seen_by_a_client_and_over_when_it_is_cleared(client, name):
    good = await client.ask()
    assert client.well_formed(good)
    faults = client.simulator.faults
    await CHECKS[name](client, faults, good)
    faults.clear(name)
    if client.ended:
        await asyncio.sleep(0.01)
        await client.connect()
    await client.ask(1.0)  # what was held back goes first
    assert await client.ask() == good


def test_no_check_of_the_wire_is_left_over():
    assert {name for name, kind in CATALOGUE.items() if kind.scope is Scope.WIRE} == set(CHECKS)


async def silence(client, faults, name):
    faults.start(name)
    assert await client.ask() == b""


@shows("no_reply")
async def _(client, faults, good):
    await silence(client, faults, "no_reply")
    await asyncio.sleep(2.0 - PATIENT_S)
    assert await client.ask() == good


@shows("unit_dead")
async def _(client, faults, good):
    await silence(client, faults, "unit_dead")
    assert await client.listen(10.0) == b""


@shows("request_lost")
async def _(client, faults, good):
    await silence(client, faults, "request_lost")
    faults.start("request_lost", probability=0.5)
    heard = [await client.ask() for _ in range(20)]
    assert 4 <= heard.count(b"") <= 16
    assert set(heard) == {b"", good}


@shows("reply_dropped")
async def _(client, faults, good):
    await silence(client, faults, "reply_dropped")


@shows("socket_cut")
async def _(client, faults, good):
    faults.start("socket_cut", seconds=5.0)
    await asyncio.sleep(0.01)
    client.on_readable() if client.descriptor >= 0 else None
    assert client.ended
    with pytest.raises(OSError):
        await client.connect()
    await asyncio.sleep(5.1)
    await client.connect()
    assert await client.ask() == good


@shows("disconnect")
async def _(client, faults, good):
    faults.start("disconnect", octets=3, for_requests=1)
    assert await client.ask() in {good[:3], b""}  # a port that is gone takes what was unread with it
    assert client.ended
    await client.connect()
    assert await client.ask() == good


@shows("reply_delayed")
async def _(client, faults, good):
    faults.start("reply_delayed", delay_s=1.0)
    assert await client.ask() == b""
    assert await client.listen(1.0) == good


@shows("reply_late")
async def _(client, faults, good):
    faults.start("reply_late")
    assert await client.ask() == b""
    assert await client.ask() == good
    assert await client.ask() == good


@shows("reply_duplicated")
async def _(client, faults, good):
    faults.start("reply_duplicated")
    assert await client.ask() == good + good


@shows("reply_cut")
async def _(client, faults, good):
    faults.start("reply_cut", octets=5)
    assert await client.ask() == good[:5]


@shows("garbage_before")
async def _(client, faults, good):
    faults.start("garbage_before", octets=8)
    seen = await client.ask()
    assert seen[8:] == good


@shows("garbage_after")
async def _(client, faults, good):
    faults.start("garbage_after", octets=8)
    seen = await client.ask()
    assert (seen[:-8], len(seen)) == (good, len(good) + 8)


@shows("stray_byte")
async def _(client, faults, good):
    faults.start("stray_byte")
    seen = await client.ask()
    assert any(seen[:at] + seen[at + 1 :] == good for at in range(len(seen)))


@shows("bit_errors")
async def _(client, faults, good):
    faults.start("bit_errors", rate=0.05)
    seen = await client.ask()
    flipped = sum((ours ^ theirs).bit_count() for ours, theirs in zip(seen, good, strict=True))
    assert 1 <= flipped <= 0.15 * 8 * len(good)


async def well_formed_and_wrong(client, faults, good, name):
    faults.start(name)
    seen = await client.ask()
    assert seen != good
    assert client.well_formed(seen)
    return seen


@shows("wrong_unit")
async def _(client, faults, good):
    seen = await well_formed_and_wrong(client, faults, good, "wrong_unit")
    assert len(seen) == len(good)


@shows("wrong_function")
async def _(client, faults, good):
    seen = await well_formed_and_wrong(client, faults, good, "wrong_function")
    assert client.scheme in {"line", "linetcp"} or len(seen) == len(good)


@shows("wrong_count")
async def _(client, faults, good):
    assert len(await well_formed_and_wrong(client, faults, good, "wrong_count")) < len(good)


@shows("value_corrupted")
async def _(client, faults, good):
    assert len(await well_formed_and_wrong(client, faults, good, "value_corrupted")) == len(good)


async def test_faults_of_the_wire_go_through_one_another(client):
    good = await client.ask()
    client.simulator.faults.start("reply_duplicated")
    client.simulator.faults.start("reply_cut", octets=4)
    assert await client.ask() == good[:4] * 2


async def test_a_fault_that_waits_begins_on_time_though_nobody_asks(client, clock):
    good = await client.ask()
    client.simulator.faults.start("socket_cut", after_s=1.03, seconds=5.0)
    await asyncio.sleep(1.02)
    assert not client.ended
    await asyncio.sleep(0.03)
    client.on_readable() if client.descriptor >= 0 else None
    assert client.ended
    assert len(good) > 10


async def test_a_simulator_starts_with_the_faults_of_a_file(clock, tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('title = "x"\n[[fault]]\nstart = "unit_dead"\nunit = 2\n[[fault]]\nstart = "reply_duplicated"\n')
    simulator = await start(clock, tissue="poles", units=2, faults=str(file))
    assert [fault.name for fault in simulator.faults_of(1).active()] == ["reply_duplicated"]
    assert [fault.name for fault in simulator.faults_of(2).active()] == ["unit_dead"]
    await simulator.close()
    file.write_text('title = "x"\n[[fault]]\nstart = "unit_dead"\nunit = 2\n')
    with pytest.raises(ConfigError, match=r"own\.toml: fault\[0\]: no unit 2"):
        await start(clock, tissue="poles", faults=str(file))


async def test_the_same_seed_spoils_the_same_bytes(clock):
    courses = []
    for seed in (1, 1, 2):
        simulator = await start(clock, tissue="poles", seed=seed)
        client = Client(simulator)
        await client.connect()
        simulator.faults.start("bit_errors", rate=0.02)
        courses.append([(await client.ask())[:9] for _ in range(6)])
        client.hang_up()
        await simulator.close()
    assert courses[0] == courses[1] != courses[2]


# The relay board

FLASH, READ_INPUT, OFF = "0105020000050000", "0102000000010000", "0105000000000000"


class Board:
    """A relay board that is told frames without a check sum, and its faults by the catalogue."""

    def __init__(self, board: RelayBoard, faults: Faults) -> None:
        self.board = board
        self.faults = faults

    async def order(self, frame: str) -> bytes:
        body = bytes.fromhex(frame)[:6]
        replies: list[bytes] = []
        self.board.receive(body + FramerRTU.compute_CRC(body).to_bytes(2, "big"), replies.append, 1000)
        await asyncio.sleep(0.1)
        return b"".join(replies)

    async def contact(self) -> bool:
        """As the second contact shows it."""
        return bool((await self.order(READ_INPUT))[3])


@pytest.fixture
async def board(clock, simulator) -> AsyncIterator[Board]:
    made = RelayBoard(clock)
    machine = simulator._machines[1]
    faults = Faults(machine.generator, WireEffects(), simulator._face, clock, machine.writable, relay=made)
    yield Board(made, faults)
    await made.close()


RELAY_CHECKS: dict[str, Callable] = {}


def relay(name):
    def register(check):
        RELAY_CHECKS[name] = check
        return check

    return register


@pytest.mark.parametrize("name", [name for name, kind in CATALOGUE.items() if kind.scope is Scope.RELAY])
async def test_a_fault_of_the_relay_is_seen_at_its_contact(board, name):
    await RELAY_CHECKS[name](board)
    board.faults.clear(name)
    await board.order(OFF)
    await board.order(FLASH)
    assert (board.board.closed(0), await board.contact()) == (True, True)
    await asyncio.sleep(0.6)
    assert not board.board.closed(0)


@relay("welded")
async def _(board):
    await board.order(FLASH)
    board.faults.start("welded")
    await asyncio.sleep(1.0)
    assert (board.board.closed(0), await board.contact()) == (True, True)


@relay("stuck_open")
async def _(board):
    board.faults.start("stuck_open")
    await board.order(FLASH)
    assert (board.board.closed(0), await board.contact()) == (False, False)


@relay("mute")
async def _(board):
    board.faults.start("mute")
    assert await board.order(FLASH) == b""
    assert board.board.closed(0)


@relay("readback_lies")
async def _(board):
    await board.order(FLASH)
    board.faults.start("welded")
    board.faults.start("readback_lies")
    await asyncio.sleep(1.0)
    assert (board.board.closed(0), await board.contact()) == (True, False)
    board.faults.clear("welded")
