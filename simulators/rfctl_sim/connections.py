"""The open connections of a server, and the wait for their end."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Connection(Protocol):
    """What a server needs of one of its connections to end it."""

    def abort(self) -> None:
        """Drop it with whatever is unsent."""
        ...


class Connections:
    """Every connection between its ``connection_made`` and its ``connection_lost``."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._none = asyncio.Event()
        self._none.set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """It was made."""
        self._open.add(connection)
        self._none.clear()

    def discard(self, connection: Connection) -> None:
        """It was lost."""
        self._open.discard(connection)
        if not self._open:
            self._none.set()

    def abort(self) -> None:
        """Drop all of them; they are lost soon."""
        for connection in tuple(self._open):
            connection.abort()

    async def lost(self) -> None:
        """Wait until none is left."""
        await self._none.wait()
