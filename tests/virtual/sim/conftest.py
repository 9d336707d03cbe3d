"""A simulator behind its real socket, and a client that knows nothing but the page's addresses."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator

import pytest

from rfctl_sim.simulator import Simulator, start


class ModbusClient:
    """One connection; requests by address."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.transaction = 0
        self.renewals = 0

    async def request(self, pdu: bytes) -> bytes:
        """The PDU of the answer; an exception answer is given back as it is."""
        self.transaction += 1
        self.writer.write(struct.pack(">HHHB", self.transaction, 0, len(pdu) + 1, 1) + pdu)
        transaction, protocol, length, unit = struct.unpack(">HHHB", await self.reader.readexactly(7))
        assert (transaction, protocol, unit) == (self.transaction, 0, 1)
        return await self.reader.readexactly(length - 1)

    async def read(self, address: int, format_: str, function: int = 4):
        """The value at an address, in a struct format."""
        count = struct.calcsize(">" + format_) // 2
        body = await self.request(struct.pack(">BHH", function, address, count))
        assert body[:2] == bytes((function, count * 2)), body.hex()
        values = struct.unpack(">" + format_, body[2:])
        return values[0] if len(values) == 1 else values

    async def write(self, address: int, value: int) -> None:
        pdu = struct.pack(">BHH", 6, address, value)
        assert await self.request(pdu) == pdu

    async def write_f32(self, address: int, value: float) -> None:
        pdu = struct.pack(">BHHBf", 16, address, 2, 4, value)
        assert await self.request(pdu) == pdu[:5]

    async def renew(self) -> None:
        self.renewals += 1
        await self.write(3, self.renewals)

    async def keep(self, seconds: float) -> None:
        """Let time pass with the lease renewed every 0.1 s."""
        for _ in range(round(seconds / 0.1)):
            await asyncio.sleep(0.1)
            await self.renew()

    async def start_lesion(self, channel: int = 1) -> None:
        """Claim, set 80 degC, arm and fire."""
        base = 16 + 24 * (channel - 1)
        await self.write(1, 7)
        await self.renew()
        await self.write(base + 2, 3)
        for offset, value in ((3, 80.0), (5, 4.3), (7, 200.0), (9, 26.0)):
            await self.write_f32(base + offset, value)
        await self.write(base, 1)
        await self.write(base + 1, await self.read(80 + 27 * (channel - 1) + 23, "H"))

    async def temperature_c(self, channel: int = 1) -> float:
        return await self.read(80 + 27 * (channel - 1), "f")

    def close(self) -> None:
        self.writer.transport.abort()


async def connect(simulator: Simulator) -> ModbusClient:
    _, host, port = simulator.address.split(":")
    return ModbusClient(*await asyncio.open_connection(host, int(port)))


async def http(address: str, method: str, path: str, body: bytes = b"") -> tuple[int, object]:
    """One HTTP request on a connection of its own: status and JSON."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.transport.abort()
    head_bytes, _, content = answer.partition(b"\r\n\r\n")
    return int(head_bytes.split()[1]), json.loads(content) if content else None


@pytest.fixture
async def simulator(clock) -> AsyncIterator[Simulator]:
    running = await start(clock, tissue="poles", backdoor="127.0.0.1:0")
    yield running
    await running.close()


@pytest.fixture
async def client(simulator) -> AsyncIterator[ModbusClient]:
    connected = await connect(simulator)
    yield connected
    connected.close()


@pytest.fixture
async def second_client(simulator) -> AsyncIterator[ModbusClient]:
    connected = await connect(simulator)
    yield connected
    connected.close()


@pytest.fixture
def connect_to():
    return connect


@pytest.fixture
def ask(simulator):
    """HTTP to the back door of the running simulator."""

    async def asked(method: str, path: str, body: object = None) -> tuple[int, object]:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return await http(simulator.backdoor_address, method, path, content)

    return asked


@pytest.fixture
def output(simulator):
    """What really leaves a channel, now."""

    def truth(channel: int = 1) -> dict:
        return simulator.truth()["channels"][channel - 1]

    return truth
