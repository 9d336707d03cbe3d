"""The control socket: who holds the control right, who watches, and what each of them may ask for.

Lines of JSON, see docs/protocols/control.md. Nothing here waits for a client: a watcher gets the newest snapshot when
it has taken the one before, and one that lets its replies pile up is hung up on.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Protocol

from rfctl.accounts.deeds import Deed, Done
from rfctl.accounts.door import Door
from rfctl.accounts.roles import Act, require
from rfctl.errors import ConfigError, RefusedError, RfctlError
from rfctl.kernel.events import Choice, Question
from rfctl.station import local_socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from rfctl.accounts.door import Login
    from rfctl.clock import Clock
    from rfctl.station.onlooker import Onlooker
    from rfctl.station.session import Result

CONTROL_SOCKET = "control.sock"
HEALTH_SOCKET = "health.sock"
SNAPSHOT_S = 0.1
LONGEST_REQUEST = 1 << 20
MOST_UNREAD = 4 << 20
NAME_LENGTH = 64
WORDS_LENGTH = 200
LAST_NOTICES_S = 0.2
"""At the end, the last words get so long to be taken."""


class Controlled(Protocol):
    """The service, as far as its clients reach it."""

    onlooker: Onlooker

    @property
    def busy(self) -> bool:
        """A procedure is under way or about to begin."""
        ...

    def begin(
        self, plan_text: str, answers_text: str | None, by: str, login: Login | None, *, alarm_heard: bool
    ) -> None:
        """Begin a procedure."""
        ...

    def record(self, done: Done) -> None:
        """Put what somebody did into the record."""
        ...

    def answer(self, channel: int, question: str, choice: str, reason: str, physician: str) -> None:
        """Answer the open question, with typed words where the choice takes some."""
        ...

    def acknowledge(self, login: Login | None) -> None:
        """Silence the alarms that stand, for a time."""
        ...

    def stop(self, by: str) -> None:
        """Everything off."""
        ...

    def status(self) -> dict[str, Any]:
        """In a few words."""
        ...


class _Client:
    """One connection."""

    def __init__(self, writer: asyncio.StreamWriter, peer: local_socket.Peer) -> None:
        self.name = f"process {peer.pid}"
        self.pid = peer.pid
        self.watches = False
        self.login: Login | None = None
        self._writer = writer

    def __str__(self) -> str:
        name = self.login.person if self.login is not None else self.name
        return f"{name} (process {self.pid})"

    @property
    def signature(self) -> str:
        """How it stands under what it decides: with the roles, where a name was proved."""
        return str(self.login.person) if self.login is not None else self.name

    @property
    def took_the_last(self) -> bool:
        """Nothing is on its way."""
        return self._unread == 0

    def send(self, line: bytes) -> None:
        """Never waits; who does not read is hung up on in the end."""
        if self._unread > MOST_UNREAD:
            self._writer.transport.abort()
        else:
            self._writer.write(line)

    @property
    def _unread(self) -> int:
        return self._writer.transport.get_write_buffer_size()


class ControlServer:
    """Serves the control and the health socket of one service. Its methods belong to the thread of the loop."""

    def __init__(self, clock: Clock, accounts: Path | None = None, *, patient: bool = False) -> None:
        """Nothing happens before ``open``.

        Args:
            clock: Of the station.
            accounts: Who may do what; None: nobody has to prove a name (a simulator only).
            patient: A device in tissue, as in rfctl.accounts.roles.require.
        """
        self._clock = clock
        self._door = Door(accounts, clock) if accounts is not None else None
        self._patient = patient
        self._looking: ThreadPoolExecutor | None = None
        self._a_password_is_looked_at = False
        self._service: Controlled | None = None
        self._clients: set[_Client] = set()
        self._holder: _Client | None = None
        self._servers: list[tuple[asyncio.Server, Path]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, state_folder: Path, service: Controlled) -> None:
        """Listen.

        Raises:
            OSError: The folder cannot be used.
        """
        self._service = service
        for name, serve in ((CONTROL_SOCKET, self._serve_control), (HEALTH_SOCKET, self._serve_health)):
            listener = local_socket.listen(state_folder, name, mode=local_socket.OWNER_ONLY)
            server = await asyncio.start_unix_server(serve, sock=listener, limit=LONGEST_REQUEST)
            self._servers.append((server, state_folder / name))
        self._keep(asyncio.get_running_loop().create_task(self._show(), name="snapshots"))

    async def close(self) -> None:
        """Hang up on everybody."""
        for server, file in self._servers:
            server.close()
            file.unlink(missing_ok=True)
        if self._clients:
            await asyncio.sleep(LAST_NOTICES_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._looking is not None:
            self._looking.shutdown()

    def notice(self, text: str) -> None:
        """Tell every client in words."""
        self._tell({"notice": text})

    def finished(self, result: Result) -> None:
        """Tell every client how a procedure ended; the snapshot of the end comes first."""
        self._show_now(self._clients)
        self._tell({"ended": {"exit_code": result.exit_code, "document": result.document, "error": result.error}})

    # snapshots

    async def _show(self) -> None:
        while True:
            self._show_now({client for client in self._clients if client.took_the_last})
            await asyncio.sleep(SNAPSHOT_S)

    def _show_now(self, clients: set[_Client]) -> None:
        watchers = [client for client in clients if client.watches]
        service = self._service
        if not watchers or service is None or not service.onlooker.begun:
            return
        snapshot = service.onlooker.snapshot(self._clock.monotonic_ns()).to_json()
        line = _line({"snapshot": snapshot, "holder": str(self._holder) if self._holder is not None else None})
        for client in watchers:
            client.send(line)

    def _tell(self, members: dict[str, Any]) -> None:
        line = _line(members)
        for client in self._clients:
            client.send(line)

    # clients

    async def _serve_health(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._service is not None and local_socket.may_control(_peer(writer)):
            writer.write(_line(self._status(self._service)))
        writer.close()

    async def _serve_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _peer(writer)
        if not local_socket.may_control(peer):
            writer.close()
            return
        client = _Client(writer, peer)
        self._clients.add(client)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        self._keep(task)
        try:
            while line := await reader.readline():
                client.send(_line(await self._reply(client, line)))
        except (ValueError, OSError):  # a line without end, a connection without end
            pass
        finally:
            self._lose(client)
            writer.close()

    def _lose(self, client: _Client) -> None:
        self._clients.discard(client)
        self._end_login(client, "the connection was lost")
        if self._holder is client:
            self._holder = None
            if self._service is not None and self._service.busy:
                self._service.stop(f"the loss of the connection of {client}, who held the control right")

    async def _reply(self, client: _Client, line: bytes) -> dict[str, Any]:
        do: Any = None
        try:
            try:
                request = json.loads(line)
                do = request["do"]
                act = ACTS[do]
            except (ValueError, TypeError, KeyError):
                raise ConfigError(
                    f"not a request: {line[:80]!r}", remedy=f'A line of JSON with "do": {", ".join(ACTS)}.'
                ) from None
            found = act(self, client, request)
            return {"reply": do, "ok": True, **(await found if isawaitable(found) else found)}
        except RfctlError as problem:
            return {"reply": do, "ok": False, "error": str(problem), "exit_code": problem.exit_code}

    # what a client may ask for

    def _hello(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        name = _text(request, "name").strip()
        if not name or len(name) > NAME_LENGTH or not name.isprintable():
            raise ConfigError(f"a name has 1 to {NAME_LENGTH} printable characters")
        if client is self._holder or client.login is not None:
            raise RefusedError("who holds the control right, or has logged in, keeps the name")
        client.name = name
        return {"name": name}

    def _status(self, service: Controlled) -> dict[str, Any]:
        holder = self._holder
        return service.status() | {
            "holder": str(holder) if holder is not None else None,
            "watchers": sum(client.watches for client in self._clients),
        }

    def _ask_status(self, _client: _Client, _request: dict[str, Any]) -> dict[str, Any]:
        return self._status(self._required)

    def _watch(self, client: _Client, _request: dict[str, Any]) -> dict[str, Any]:
        client.watches = True
        return {}

    def _take(self, client: _Client, _request: dict[str, Any]) -> dict[str, Any]:
        if self._holder not in {None, client}:
            raise RefusedError(
                f"{self._holder} holds the control right", remedy="Watch, or wait until it is released; STOP is open."
            )
        self._require_role(client, Act.CONTROL)
        self._holder = client
        return {"holder": str(client)}

    def _release(self, client: _Client, _request: dict[str, Any]) -> dict[str, Any]:
        self._require_holder(client)
        if self._required.busy:
            raise RefusedError("a procedure is under way", remedy="End it first; stop ends it at once.")
        self._holder = None
        return {}

    def _start(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        self._require_holder(client)
        answers = None if request.get("answers") is None else _text(request, "answers")
        self._require_role(client, Act.START)
        alarm_heard = request.get("alarm_heard", False)
        if type(alarm_heard) is not bool:
            raise ConfigError('"alarm_heard" is true or false')
        if self._patient and not alarm_heard:
            raise RefusedError(
                "nobody says that the alarm's test tone was heard",
                remedy='Sound it where the person decides, ask, and send "alarm_heard": true.',
            )
        plan = _text(request, "plan")
        self._required.begin(plan, answers, client.signature, client.login, alarm_heard=alarm_heard)
        return {}

    def _answer(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        self._require_holder(client)
        channel = request.get("channel")
        if type(channel) is not int:
            raise ConfigError('"channel" is a number, 0 for the whole procedure')
        if client.login is not None:
            client.login.require_valid(self._clock.monotonic_ns())
        question, choice = _text(request, "question"), _text(request, "choice")
        if choice == Choice.OVERRIDE or (question, choice) == (Question.POSITION, Choice.CONFIRM):
            try:
                self._require_role(client, Act.OVERRIDE)
            except RefusedError as refused:
                person = client.login.person if client.login is not None else None
                self._required.record(Done.by(person, Deed.OVERRIDE_REFUSED, refused.what))
                raise
        reason, physician = (_text({key: ""} | request, key)[:WORDS_LENGTH] for key in ("reason", "physician"))
        self._required.answer(channel, question, choice, reason, physician)
        return {}

    def _acknowledge(self, client: _Client, _request: dict[str, Any]) -> dict[str, Any]:
        self._require_holder(client)
        self._required.acknowledge(client.login)
        return {}

    def _stop(self, client: _Client, _request: dict[str, Any]) -> dict[str, Any]:
        self._required.stop(str(client))
        return {}

    async def _login(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        name, password = _text(request, "name"), _text(request, "password")
        service, door = self._required, self._door
        if door is None:
            raise ConfigError("this station has no accounts", remedy="Set station.accounts, see docs/accounts.md.")
        if client.login is not None:
            raise RefusedError(f"{client.login.person} is logged in here", remedy="Log out first.")
        if self._a_password_is_looked_at:
            raise RefusedError("somebody else is just logging in", remedy="Try again.")
        if self._looking is None:
            self._looking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rfctl-login")
        self._a_password_is_looked_at = True
        try:
            login = await asyncio.get_running_loop().run_in_executor(self._looking, door.log_in, name, password)
        except RfctlError as problem:
            claimed = name[:NAME_LENGTH] if name.isprintable() else "?"
            service.record(Done(Deed.LOGIN_REFUSED, claimed, reason=problem.what))
            raise
        finally:
            self._a_password_is_looked_at = False
        client.login, client.name = login, login.person.name
        service.record(Done.by(login.person, Deed.LOGIN))
        return {"name": client.name, "roles": sorted(login.person.roles)}

    def _logout(self, client: _Client, _request: dict[str, Any]) -> dict[str, Any]:
        if client.login is None:
            raise RefusedError("nobody is logged in here")
        if self._holder is client:
            self._release(client, {})
        self._end_login(client, "")
        return {}

    def _end_login(self, client: _Client, reason: str) -> None:
        login, client.login = client.login, None
        if login is not None and self._service is not None:
            self._service.record(Done.by(login.person, Deed.LOGOUT, reason))

    def _require_role(self, client: _Client, act: Act) -> None:
        """Where the station has accounts, the client has proved a name whose roles allow the act."""
        if self._door is None:
            return
        if client.login is None:
            raise RefusedError(f"{act} takes a login at this station", remedy="Log in first; STOP is open.")
        self._door.require_unchanged(client.login)
        client.login.used(self._clock.monotonic_ns())
        require(client.login.person, act, patient=self._patient)

    @property
    def _required(self) -> Controlled:
        if self._service is None:
            raise ConfigError("the service has not begun")
        return self._service

    def _require_holder(self, client: _Client) -> None:
        if self._holder is not client:
            held = f"{self._holder} holds it" if self._holder is not None else "nobody holds it"
            raise RefusedError(f"this takes the control right, and {held}", remedy="Take it first; STOP is open.")

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_Found = dict[str, Any]
ACTS: dict[str, Callable[[ControlServer, _Client, dict[str, Any]], _Found | Awaitable[_Found]]] = {
    "hello": ControlServer._hello,
    "login": ControlServer._login,
    "logout": ControlServer._logout,
    "status": ControlServer._ask_status,
    "watch": ControlServer._watch,
    "take": ControlServer._take,
    "release": ControlServer._release,
    "start": ControlServer._start,
    "answer": ControlServer._answer,
    "acknowledge": ControlServer._acknowledge,
    "stop": ControlServer._stop,
}


def _peer(writer: asyncio.StreamWriter) -> local_socket.Peer:
    return local_socket.peer_of(writer.get_extra_info("socket"))


def _text(request: dict[str, Any], key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise ConfigError(f'"{key}" is a text')
    return value


def _line(members: dict[str, Any]) -> bytes:
    return json.dumps(members, allow_nan=False).encode("ascii") + b"\n"
