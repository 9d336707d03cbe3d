"""A face that listens on a TCP port: its address, its connections, and what a cut cable does to both."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError
from rfctl_sim.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl_sim.fault_effects import Said, WireEffects

BACKLOG = 16


class Listener:
    """Accepts connections.

    Attributes:
        connections: Those that are open.
    """

    def __init__(self, scheme: str, connection: Callable[[], asyncio.BaseProtocol]) -> None:
        """Nothing happens before ``open``.

        Args:
            scheme: What stands before ``:HOST:PORT`` in its address.
            connection: Makes the protocol of a new connection, which tells ``connections`` of its beginning and end.
        """
        self.connections = Connections()
        self._scheme = scheme
        self._connection = connection
        self._numbers = 0
        self._host, self._port = "", 0
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._reopen: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        """Where clients connect."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}:{host}:{self._port}"

    def next_number(self) -> int:
        """A number for a connection; it is what a generator knows its owner by, so none is used twice."""
        self._numbers += 1
        return self._numbers

    async def open(self, address: str) -> None:
        """Listen.

        Args:
            address: ``SCHEME:HOST:PORT``; port 0 takes any that is free.

        Raises:
            ConfigError: Not an address, or taken, or not this machine's.
        """
        self._host, self._port = host_and_port(address.removeprefix(f"{self._scheme}:"), where=address)
        await self._listen()

    async def _listen(self) -> None:
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connection, self._host, self._port, backlog=BACKLOG, reuse_address=True
            )
        except OSError as problem:
            raise ConfigError(
                f"cannot listen there: {problem.strerror or problem}",
                where=self.address,
                remedy="Free the port or choose another one; port 0 takes any that is free.",
            ) from None
        self._port = self._server.sockets[0].getsockname()[1]

    def cut(self, for_s: float | None) -> None:
        """Close every connection and refuse new ones, for so many seconds or until ``restore``."""
        self._stop_reopening()
        if self._server is not None:
            self._server.close()
            self._server = None
        self.connections.abort()
        if for_s is not None:
            self._reopen = asyncio.get_running_loop().call_later(for_s, self.restore)

    def restore(self) -> None:
        """Listen again after a cut, on the same port."""
        self._stop_reopening()
        if self._server is None:
            self._opening = asyncio.get_running_loop().create_task(self._listen())

    def _stop_reopening(self) -> None:
        if self._reopen is not None:
            self._reopen.cancel()
            self._reopen = None
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None

    async def close(self) -> None:
        """End everything."""
        opening = self._opening
        self.cut(None)
        if opening is not None:
            await asyncio.wait([opening])
        await self.connections.lost()


class Client(asyncio.BaseProtocol):
    """One client of a listener, from when its connection was made until it is lost."""

    def __init__(self, server: Listener, lost: Callable[[int], None]) -> None:
        """Nothing is known of it yet.

        Args:
            server: Who listens.
            lost: Told its number when it is gone.
        """
        self._listener = server
        self._lost = lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._number = self._listener.next_number()
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.connections.discard(self)
        self._lost(self._number)

    def abort(self) -> None:
        """Drop the connection with whatever is unsent."""
        self._transport.abort()

    def say_faulty(self, effects: WireEffects, pieces: Said, log: Callable[[bytes], None]) -> None:
        """Send what faults have made of a reply, each piece when it is due."""

        def say(data: bytes) -> None:
            if not self._transport.is_closing():
                log(data)
                self._transport.write(data)

        for late_ns, data in pieces:
            if late_ns:
                asyncio.get_running_loop().call_later(late_ns / NS_PER_S, say, data)
            else:
                say(data)
        if effects.take_hang_up():
            self._transport.close()

    def pause_writing(self) -> None:
        # A client that does not read its answers is not read either.
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()


def host_and_port(text: str, *, where: str) -> tuple[str, int]:
    """``HOST:PORT``, with an IPv6 address in brackets.

    Raises:
        ConfigError: Something else.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError("not an address", where=where, remedy="Write HOST:PORT, for instance 127.0.0.1:5020.")
    return host, int(port)
