"""The way to a relay board: an open descriptor that never blocks, for whoever waits by himself. No asyncio here."""

from __future__ import annotations

import os
import socket

from rfctl.clock import NS_PER_MS
from rfctl.errors import ConfigError, LinkClosed
from rfctl.link.serial_line import SCHEME, SerialLine

TCP_SCHEME = "rtutcp:"
CONNECT_S = 2.0
GAP_NS = 2 * NS_PER_MS
"""Silence before a request where the line states none: a converter's own."""
FAST_BAUD = 38_400
REPLY_NS = 25 * NS_PER_MS
SLOW_REPLY_NS = 50 * NS_PER_MS
"""Of one request, its reply and the silence around them, from FAST_BAUD up and below (docs/relay.md)."""
CHUNK = 256


class RelayPort:
    """An open port; ``open_relay`` makes one.

    Attributes:
        address: As the station file has it.
        gap_ns: Silence that stands before a request.
        reply_ns: Longest time of one request, its reply and the silence around them.
    """

    def __init__(self, descriptor: int, address: str, gap_ns: int, reply_ns: int) -> None:
        self.address = address
        self.gap_ns = gap_ns
        self.reply_ns = reply_ns
        self._descriptor = descriptor

    def fileno(self) -> int:
        """For select."""
        return self._descriptor

    def write(self, frame: bytes) -> None:
        """Hand a request over. A board whose line takes no more has no reply to it."""
        try:
            os.write(self._descriptor, frame)
        except BlockingIOError:
            return
        except OSError as problem:
            raise self._gone(problem) from None

    def read(self) -> bytes:
        """What has come; empty where nothing has.

        Raises:
            LinkClosed: It is unplugged, or the other side has hung up.
        """
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return b""
        except OSError as problem:
            raise self._gone(problem) from None
        if not data:
            raise LinkClosed("the relay board's line is closed", where=self.address)
        return data

    def close(self) -> None:
        """Close it; a contact that is held opens by itself."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _gone(self, problem: OSError) -> LinkClosed:
        return LinkClosed(f"the relay board's line is gone: {problem.strerror}", where=self.address)


def open_relay(address: str) -> RelayPort:
    """Open the way to a relay board.

    Args:
        address: ``rtu:PORT?baud=38400`` or ``rtutcp:HOST:PORT``.

    Raises:
        ConfigError: Neither.
        LinkClosed: Nobody is there, or somebody else uses it.
    """
    if address.startswith(TCP_SCHEME):
        return RelayPort(_connected(address), address, GAP_NS, REPLY_NS)
    if not address.startswith(SCHEME):
        raise ConfigError(
            "not the way to a relay board", where=address, remedy=f"Write {SCHEME}PORT or {TCP_SCHEME}HOST:PORT."
        )
    from rfctl.link.serial_port import open_descriptor

    line = SerialLine.parse(address)
    reply_ns = REPLY_NS if line.baud >= FAST_BAUD else SLOW_REPLY_NS
    return RelayPort(open_descriptor(line, where=address), address, line.gap_ns, reply_ns)


def _connected(address: str) -> int:
    host, _, port = address.removeprefix(TCP_SCHEME).rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError("not a TCP address", where=address, remedy=f"Write {TCP_SCHEME}HOST:PORT.")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(0.0)
            return connection.detach()
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise LinkClosed(
            f"cannot reach the relay board: {why}", where=address, remedy="Check its supply and its address."
        ) from None
