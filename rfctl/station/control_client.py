"""The other end of the control socket: what run and attach need of a service."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from rfctl.errors import EXIT_DEVICE, EXIT_USAGE, ConfigError, LinkClosed, RefusedError
from rfctl.station import local_socket
from rfctl.station.control import CONTROL_SOCKET
from rfctl.station.session import Result
from rfctl.station.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CONNECT_S = 2.0
LONGEST_LINE = 8 << 20


def service_runs(state_folder: Path) -> bool:
    """A service owns this station, and this user may reach it."""
    try:
        local_socket.connect(state_folder, CONTROL_SOCKET, timeout_s=CONNECT_S).close()
    except OSError:
        return False
    return True


class ControlClient:
    """One connection to a service. Losing it while holding the control right stops a procedure.

    Attributes:
        lost: The service has hung up.
        holder: Who holds the control right, by the newest snapshot.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use ``connect``."""
        self._reader = reader
        self._writer = writer
        self._replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._newest: Snapshot | None = None
        self._changed = asyncio.Event()
        self._result: Result | None = None
        self.lost = False
        self.holder: str | None = None
        self._reading = asyncio.get_running_loop().create_task(self._read(), name="control client")

    @classmethod
    async def connect(cls, state_folder: Path, name: str) -> ControlClient:
        """Connect to the service that owns this station, and say who one is.

        Raises:
            ConfigError: None runs, or the name is not accepted.
        """
        try:
            connection = local_socket.connect(state_folder, CONTROL_SOCKET, timeout_s=CONNECT_S)
        except OSError as problem:
            raise ConfigError(
                f"no service runs this station ({problem.strerror})",
                where=str(state_folder),
                remedy="Start one with rfctl serve --station FILE.",
            ) from None
        connection.setblocking(False)  # noqa: FBT003 - the socket's own method
        client = cls(*await asyncio.open_unix_connection(sock=connection, limit=LONGEST_LINE))
        await client.ask("hello", name=name)
        return client

    async def ask(self, do: str, **members: object) -> dict[str, Any]:
        """One request and its reply.

        Raises:
            ConfigError: The service could not accept it.
            RefusedError: It refused.
            LinkClosed: It is gone.
        """
        self._writer.write(json.dumps({"do": do, **members}).encode("ascii") + b"\n")
        reply = await self._replies.get()
        if not reply:
            raise LinkClosed("the service is gone", remedy="Its STOP and the generator's lease have turned off.")
        if not reply["ok"]:
            kind = ConfigError if reply["exit_code"] == EXIT_USAGE else RefusedError
            raise kind(reply["error"])
        return reply

    async def log_in(self, name: str, password: str) -> None:
        """Prove a name, where the station has accounts.

        Raises:
            RefusedError: Name or password is wrong, or it is too soon to try again.
            LinkClosed: The service is gone.
        """
        await self.ask("login", name=name, password=password)

    def say_stop(self) -> None:
        """STOP; the reply is not awaited. In any callback of the loop."""
        self._writer.write(b'{"do": "stop"}\n')

    def say_acknowledge(self) -> None:
        """The alarms were seen; in any callback of the loop."""
        self._writer.write(b'{"do": "acknowledge"}\n')

    def say_answer(self, channel: int, question: str, choice: str, reason: str = "", physician: str = "") -> None:
        """Answer a question; a refusal shows in the next snapshot, where the question is still open."""
        members = {"do": "answer", "channel": channel, "question": question, "choice": choice}
        members |= {"reason": reason, "physician": physician}
        self._writer.write(json.dumps(members).encode("ascii") + b"\n")

    async def snapshots(self, *, until_ended: bool) -> AsyncIterator[Snapshot]:
        """The newest one, each time there is a newer one, until the service ends, or the procedure if that is asked."""
        while not (self.lost or (until_ended and self._result is not None)):
            await self._changed.wait()
            self._changed.clear()
            newest, self._newest = self._newest, None
            if newest is not None:
                yield newest

    def result(self) -> Result:
        """How the procedure ended; after ``snapshots`` have ended."""
        if self._result is not None:
            return self._result
        return Result(EXIT_DEVICE, {}, "the service is gone; whether it measured off is not known here")

    async def close(self) -> None:
        """Leave."""
        self._writer.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line))
        except (OSError, ValueError):
            pass
        finally:
            self.lost = True
            self._replies.put_nowait({})
            self._changed.set()

    def _take(self, members: dict[str, Any]) -> None:
        if "snapshot" in members:
            self.holder = members["holder"]
            self._newest = Snapshot.from_json(members["snapshot"])
            self._changed.set()
        elif "ended" in members:
            self._result = Result(**members["ended"])
            self._changed.set()
        elif "reply" in members and members["reply"] not in {"stop", "answer"}:
            self._replies.put_nowait(members)
