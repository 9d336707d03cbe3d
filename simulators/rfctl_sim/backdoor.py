"""The back door: HTTP with JSON on loopback, to see what is true and to inject what goes wrong."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from http import HTTPStatus
from math import isfinite
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

import h11

from rfctl.errors import ConfigError
from rfctl_sim.connections import Connections

if TYPE_CHECKING:
    from rfctl_sim.simulator import Simulator

BODY_LIMIT_BYTES = 65_536

READS = ("/events", "/state", "/truth", "/wire")
WRITES = ("/faults", "/panel", "/speed")
SETUP = "/setup/"


class BackDoor:
    """Listens on loopback."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._server: asyncio.Server | None = None
        self.connections = Connections()
        self.address = ""

    async def open(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            ConfigError: The address is not a loopback one, or it is taken.
        """
        where = f"back door {host}:{port}"
        if not _is_loopback(host):
            raise ConfigError(
                f"{host} is not this machine's loopback", where=where, remedy="Use 127.0.0.1: it has no access control."
            )
        try:
            self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), host, port)
        except OSError as problem:
            raise ConfigError(
                f"cannot listen there: {problem.strerror or problem}",
                where=where,
                remedy="Free the port or choose another one; port 0 takes any that is free.",
            ) from None
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.close()
        self.connections.abort()
        await self.connections.lost()

    def answer(self, method: str, target: str, body: bytes) -> tuple[HTTPStatus, object]:
        """Status and JSON value for one request."""
        path, _, query = target.partition("?")
        if path not in (*READS, *WRITES) and not path.startswith(SETUP):
            return HTTPStatus.NOT_FOUND, _error(
                f"no {path} here; GET {', '.join(READS)}; POST {', '.join(WRITES)}, {SETUP}NAME"
            )
        allowed, how = ("GET", "read with GET") if path in READS else ("POST", "written with POST")
        if method != allowed:
            return HTTPStatus.METHOD_NOT_ALLOWED, _error(f"{path} is {how}")
        try:
            unit = _unit_of(query)
            if path == "/faults":
                self._change_fault(unit, body)
            elif path == "/panel":
                self._simulator.at_the_machine(_object(body, 'POST {"press": "emergency_stop"}.'), unit)
            elif path == "/speed":
                self._simulator.set_speed(_object(body, 'POST {"speed": 10}.').get("speed"))
            elif path.startswith(SETUP):
                self._simulator.place(path.removeprefix(SETUP), unit=unit)
            return HTTPStatus.OK, self._read(path if path in READS else "/state", unit)
        except ConfigError as problem:
            return HTTPStatus.BAD_REQUEST, _error(str(problem))

    def _read(self, path: str, unit: int) -> object:
        simulator = self._simulator
        if path == "/truth":
            return simulator.truth(unit)
        if path == "/state":
            return simulator.state(unit)
        if path == "/wire":
            return [frame.as_json() for frame in simulator.wire]
        return [event.as_json() for event in simulator.events_of(unit)]

    def _change_fault(self, unit: int, body: bytes) -> None:
        example = 'POST {"start": "thermocouple_open", "channel": 1, "after_s": 2} or {"clear": "thermocouple_open"}.'
        wanted = _object(body, example)
        if ("start" in wanted) == ("clear" in wanted):
            raise ConfigError("neither one start nor one clear", remedy=example)
        faults = self._simulator.faults_of(unit)
        if "start" in wanted:
            name, channel = wanted.pop("start"), wanted.pop("channel", None)
            faults.start(name, channel, **wanted)
        else:
            name, channel = wanted.pop("clear"), wanted.pop("channel", None)
            if wanted:
                raise ConfigError(f"clear takes no {', '.join(wanted)}", remedy=example)
            if name == "all" and channel is None:
                faults.clear_all()
            else:
                faults.clear(name, channel)


def _unit_of(query: str) -> int:
    """The unit that a query names: ``unit=2``; 1 when it names none."""
    match parse_qsl(query, keep_blank_values=True):
        case []:
            return 1
        case [("unit", number)] if number.isascii() and number.isdigit():
            return int(number)
    raise ConfigError(f"the query {query!r}", remedy="Ask for ?unit=2, or leave it out for unit 1.")


def _object(body: bytes, example: str) -> dict[str, Any]:
    """The members of a JSON object; of anything else there are none."""
    try:
        wanted = json.loads(body)
    except ValueError as problem:
        raise ConfigError(f"not JSON: {problem}", remedy=example) from None
    return wanted if isinstance(wanted, dict) else {}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _error(text: str) -> dict[str, str]:
    return {"error": text}


def without_nan(value: object) -> object:
    """JSON has no not-a-number: null says that there is no such number."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value


class _Connection(asyncio.Protocol):
    """One HTTP client; requests are answered in turn."""

    def __init__(self, door: BackDoor) -> None:
        self._door = door
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._door.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.connections.discard(self)

    def abort(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        try:
            while self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError as problem:
            if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                self._send(HTTPStatus(problem.error_status_hint), _error(str(problem)))
            self._transport.close()

    def _take(self, event: object) -> bool:
        """Handle one event of the parser; False when it waits for more or the connection ends."""
        if isinstance(event, h11.Request):
            self._request, self._body = event, b""
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > BODY_LIMIT_BYTES:
                self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _error(f"more than {BODY_LIMIT_BYTES} bytes"))
                self._transport.close()
                return False
        elif isinstance(event, h11.EndOfMessage) and self._request is not None:
            target = self._request.target.decode("ascii")
            self._send(*self._door.answer(self._request.method.decode("ascii"), target, self._body))
            if self._http.our_state is h11.MUST_CLOSE:
                self._transport.close()
                return False
            self._http.start_next_cycle()
        else:
            if isinstance(event, h11.ConnectionClosed):
                self._transport.close()
            return False
        return True

    def _send(self, status: HTTPStatus, value: object) -> None:
        body = json.dumps(without_nan(value), allow_nan=False).encode()
        head = h11.Response(
            status_code=status,
            headers=[("Content-Type", "application/json"), ("Content-Length", str(len(body)))],
            reason=status.phrase.encode("ascii"),
        )
        self._transport.write(self._http.send(head) or b"")
        if self._request is None or self._request.method != b"HEAD":
            self._transport.write(self._http.send(h11.Data(data=body)) or b"")
        self._transport.write(self._http.send(h11.EndOfMessage()) or b"")
