"""A client of the control socket, in the loop of its test."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

from rfctl.station import local_socket
from rfctl.station.control import CONTROL_SOCKET

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse"


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, do: str, **members: object) -> dict[str, Any]:
        """The reply to a request; what everybody is told meanwhile is passed over."""
        self._writer.write(json.dumps({"do": do, **members}).encode() + b"\n")
        reply: dict[str, Any] = {}
        while "reply" not in reply:
            reply = json.loads(await self._reader.readline())
        assert reply["reply"] == do
        return reply

    async def log_in(self, name: str, password: str = PASSWORD) -> dict[str, Any]:
        """Prove a name."""
        return await self.ask("login", name=name, password=password)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def connect(state_folder: Path) -> Client:
    """A new connection."""
    connection = local_socket.connect(state_folder, CONTROL_SOCKET, timeout_s=1)
    os.set_blocking(connection.fileno(), False)
    return Client(*await asyncio.open_unix_connection(sock=connection))
