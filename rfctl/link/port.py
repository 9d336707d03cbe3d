"""From an address to an open, non-blocking descriptor: the only place that opens a way to a generator."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError, LinkClosed
from rfctl.link.serial_line import SerialLine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rfctl.clock import Clock

CONNECT_NS = 2 * NS_PER_S  # a generator on the same bench answers within milliseconds


async def open_port(address: str, clock: Clock, *, connect_ns: int = CONNECT_NS) -> int:
    """Open a connection.

    Args:
        address: ``tcp:HOST:PORT`` or ``rtutcp:HOST:PORT``, an IPv6 host in brackets, or
            ``rtu:PORT?baud=115200&parity=N&stopbits=1``.
        clock: Held while a name is looked up.
        connect_ns: Longest time to wait for the connection.

    Returns:
        A connected, non-blocking descriptor that the caller owns.

    Raises:
        ConfigError: No such scheme, not an address of that scheme, or no such alias of a port.
        LinkClosed: Nobody answers there, or somebody else uses it.
    """
    scheme, _, rest = address.partition(":")
    opener = OPENERS.get(scheme)
    if opener is None:
        raise ConfigError(
            f"unknown kind of link {scheme!r}", where=address, remedy=f"Valid: {', '.join(sorted(OPENERS))}."
        )
    return await opener(rest, address, clock, connect_ns)


async def _open_tcp(rest: str, address: str, clock: Clock, connect_ns: int) -> int:
    host, port = _host_and_port(rest, address)
    failure = "no address found"
    try:
        async with asyncio.timeout(connect_ns / NS_PER_S):
            for family, place in await _resolved(host, port, clock):
                try:
                    return await _connected(family, place)
                except OSError as problem:
                    failure = os.strerror(problem.errno) if problem.errno else str(problem)
    except TimeoutError:
        failure = f"no answer within {connect_ns / NS_PER_S:g} s"
    except socket.gaierror as problem:
        failure = str(problem.strerror)
    raise LinkClosed(
        f"cannot connect: {failure}",
        where=address,
        remedy="Check that the generator (or 'rfctl sim serve') is on and listens at this host and port.",
    )


def _host_and_port(rest: str, address: str) -> tuple[str, int]:
    host, _, port = rest.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ConfigError(
            "not a TCP address",
            where=address,
            remedy="Write {0}:HOST:PORT, for example {0}:127.0.0.1:502.".format(address.partition(":")[0]),
        )
    return host, int(port)


async def _resolved(host: str, port: int, clock: Clock) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:  # a name: ask the resolver, in a thread
        with clock.hold():
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, place) for family, _, _, _, place in found]


async def _connected(family: socket.AddressFamily, place: tuple[object, ...]) -> int:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(0.0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)  # liveness is the lease's and the poll's
        await asyncio.get_running_loop().sock_connect(connection, place)
        return connection.detach()


async def _open_rtu(rest: str, address: str, clock: Clock, connect_ns: int) -> int:
    del rest, clock, connect_ns  # a port opens at once or not at all
    from rfctl.link.serial_port import open_descriptor

    return open_descriptor(SerialLine.parse(address), where=address)


OPENERS: dict[str, Callable[[str, str, Clock, int], Awaitable[int]]] = {
    "tcp": _open_tcp,
    "rtutcp": _open_tcp,
    "rtu": _open_rtu,
    "linetcp": _open_tcp,
    "line": _open_rtu,
}
