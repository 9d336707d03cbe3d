"""The control socket: a slow watcher misses snapshots and never the newest one; nobody waits for it."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.errors import ConfigError
from rfctl.station import local_socket
from rfctl.station.control import CONTROL_SOCKET, MOST_UNREAD, SNAPSHOT_S, ControlServer

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.accounts.deeds import Done
    from rfctl.accounts.door import Login
    from rfctl.clock import Clock

WATCHED_S = 20.0
MUCH = "x" * 200_000


class Look:
    """A numbered snapshot that no socket's buffer holds several of."""

    begun = True

    def __init__(self) -> None:
        self.taken = 0

    def snapshot(self, _now_ns: int) -> Look:
        self.taken += 1
        return self

    def to_json(self) -> dict[str, Any]:
        return {"number": self.taken, "much": MUCH}


class Station:
    """A service that does nothing."""

    def __init__(self) -> None:
        self.onlooker: Any = Look()
        self.busy = False
        self.stopped_by: list[str] = []
        self.begun_by: list[str] = []
        self.done: list[Done] = []

    def begin(
        self, plan_text: str, answers_text: str | None, by: str, login: Login | None, *, alarm_heard: bool
    ) -> None:
        self.busy = True
        self.begun_by.append(by)

    def acknowledge(self, login: object) -> None:
        """Nothing stands."""

    def answer(self, channel: int, question: str, choice: str, reason: str = "", physician: str = "") -> None:
        raise ConfigError("nothing is asked")

    def record(self, done: Done) -> None:
        self.done.append(done)

    def stop(self, by: str) -> None:
        self.stopped_by.append(by)

    def status(self) -> dict[str, Any]:
        return {"much": MUCH}


async def connected(folder: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    connection = local_socket.connect(folder, CONTROL_SOCKET, timeout_s=1)
    os.set_blocking(connection.fileno(), False)
    return await asyncio.open_unix_connection(sock=connection, limit=1 << 16)


async def test_a_watcher_that_does_not_read_costs_nothing_and_then_gets_the_newest(
    clock: Clock, tmp_path: Path
) -> None:
    server, station = ControlServer(clock), Station()
    await server.open(tmp_path, station)
    connection = local_socket.connect(tmp_path, CONTROL_SOCKET, timeout_s=1)
    connection.sendall(b'{"do": "watch"}\n')
    await asyncio.sleep(WATCHED_S)
    assert station.onlooker.taken < 5  # while nobody takes them, none is made
    os.set_blocking(connection.fileno(), False)
    reader, writer = await asyncio.open_unix_connection(sock=connection, limit=1 << 20)
    numbers = []
    for _ in range(8):
        line = json.loads(await reader.readline())
        if "snapshot" in line:
            numbers.append(line["snapshot"]["number"])
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == station.onlooker.taken
    writer.close()
    await server.close()


async def test_a_client_that_lets_its_replies_pile_up_is_hung_up_on(clock: Clock, tmp_path: Path) -> None:
    server, station = ControlServer(clock), Station()
    await server.open(tmp_path, station)
    connection = local_socket.connect(tmp_path, CONTROL_SOCKET, timeout_s=1)
    connection.sendall(b'{"do": "status"}\n' * (2 * MOST_UNREAD // len(MUCH)))
    await asyncio.sleep(1)
    os.set_blocking(connection.fileno(), False)
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    with pytest.raises(ConnectionResetError):
        while await reader.read(1 << 20):
            pass
        raise ConnectionResetError
    writer.close()
    await server.close()


async def test_what_is_no_request_is_answered_in_words(clock: Clock, tmp_path: Path) -> None:
    server = ControlServer(clock)
    await server.open(tmp_path, Station())
    reader, writer = await connected(tmp_path)
    for nonsense in (b"hello\n", b"[]\n", b'{"do": "energise"}\n', b'{"do": ["take"]}\n', b'{"do": "hello"}\n'):
        writer.write(nonsense)
        reply = json.loads(await reader.readline())
        assert (reply["ok"], reply["exit_code"]) == (False, 2), nonsense
    writer.close()
    await server.close()


async def test_a_holder_that_hangs_up_between_procedures_stops_nothing(clock: Clock, tmp_path: Path) -> None:
    server, station = ControlServer(clock), Station()
    await server.open(tmp_path, station)
    for busy, stops in ((False, 0), (True, 1)):
        station.busy = busy
        reader, writer = await connected(tmp_path)
        writer.write(b'{"do": "take"}\n')
        assert json.loads(await reader.readline())["ok"]
        writer.close()
        await asyncio.sleep(2 * SNAPSHOT_S)
        assert len(station.stopped_by) == stops
    await server.close()
