"""The generator's end of a Modbus TCP connection, played by a test: it records what arrives and answers as told."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

HEADER = struct.Struct(">HHHB")


class Request(NamedTuple):
    """One request as it crossed the wire."""

    transaction: int
    unit: int
    pdu: bytes


def frame(request: Request, pdu: bytes, *, transaction: int | None = None, unit: int | None = None) -> bytes:
    """A reply to ``request``, with a header that may be wrong on purpose."""
    number = request.transaction if transaction is None else transaction
    return HEADER.pack(number, 0, len(pdu) + 1, request.unit if unit is None else unit) + pdu


class ModbusPeer:
    """A server with registers. ``answer`` may be replaced; it returns the pieces of bytes that go back."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.input: dict[int, int] = {}
        self.holding: dict[int, int] = {}
        self.answer: Callable[[Request], list[bytes]] = lambda request: [frame(request, self.reply(request.pdu))]
        self.listening: asyncio.Server | None = None
        self.address = ""
        self._arrived = asyncio.Event()
        self._connections: list[asyncio.StreamWriter] = []

    @property
    def writes(self) -> list[bytes]:
        """The requests that were no reads."""
        return [request.pdu for request in self.requests if request.pdu[0] not in {3, 4}]

    def reply(self, pdu: bytes) -> bytes:
        """The answer of a faithful generator without a will of its own."""
        function, address, count = struct.unpack_from(">BHH", pdu)
        if function in {3, 4}:
            table = self.holding if function == 3 else self.input
            values = [table.get(address + at, 0) for at in range(count)]
            return struct.pack(f">BB{count}H", function, 2 * count, *values)
        values = [count] if function == 6 else list(struct.unpack_from(f">{count}H", pdu, 6))
        self.holding.update((address + at, value) for at, value in enumerate(values))
        return pdu[:5]

    async def arrived(self, count: int) -> None:
        """Wait until so many requests are here."""
        while len(self.requests) < count:
            self._arrived.clear()
            await self._arrived.wait()

    async def send(self, data: bytes) -> None:
        """Send bytes that nobody asked for."""
        self._connections[-1].write(data)
        await self._connections[-1].drain()

    def hang_up(self) -> None:
        """Close the connection."""
        self._connections[-1].close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.append(writer)
        try:
            while True:
                transaction, _, length, unit = HEADER.unpack(await reader.readexactly(HEADER.size))
                request = Request(transaction, unit, await reader.readexactly(length - 1))
                self.requests.append(request)
                self._arrived.set()
                for piece in self.answer(request):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def __aenter__(self) -> ModbusPeer:
        self.listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self.listening.sockets[0].getsockname()
        self.address = f"tcp:{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.listening is not None
        self.listening.close()
        for writer in self._connections:
            writer.close()
        await asyncio.sleep(0.001)
