"""A small HTTP/1.1 server with strict limits, for programs that answer short requests from anybody."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11

from rfctl.anchors.witness import TEXT, Reply
from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_HEADER_BYTES = 8 << 10
MOST_BODY_BYTES = 32 << 10
"""A note of 16 KiB and 63 hashes."""
MOST_CONNECTIONS = 64
REQUEST_S = 10.0
"""Longest time from the first wait for a request to the end of its reply."""
MOST_REQUESTS = 1000
"""On one connection."""
_READ_BYTES = 16 << 10


class HttpServer:
    """Listens, and answers one request after the other on each connection."""

    def __init__(self, answer: Callable[[str, str, bytes], Reply], fail: Callable[[BaseException], None]) -> None:
        """Nothing happens before ``open``.

        Args:
            answer: Method, target and body of a request to its reply; must not wait.
            fail: Told of what ``answer`` raised; that client is hung up on.
        """
        self._answer = answer
        self._fail = fail
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = ""

    async def open(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            ConfigError: The address cannot be used.
        """
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=_READ_BYTES)
        except OSError as problem:
            raise ConfigError(
                f"cannot listen there: {problem.strerror or problem}",
                where=f"{host}:{port}",
                remedy="Free the port or choose another one; port 0 takes any that is free.",
            ) from None
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        self._tasks.add(task)
        try:
            http = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEADER_BYTES)
            if len(self._tasks) > MOST_CONNECTIONS:
                return
            for _ in range(MOST_REQUESTS):
                async with asyncio.timeout(REQUEST_S):
                    if not await self._one(http, reader, writer):
                        return
                http.start_next_cycle()
        except (OSError, TimeoutError):
            pass
        except asyncio.CancelledError:
            pass  # the server is closed
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; False when the connection is to end."""
        method = target = ""
        body = b""
        try:
            while True:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    if http.they_are_waiting_for_100_continue:
                        writer.write(http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                    http.receive_data(await reader.read(_READ_BYTES))
                elif isinstance(event, h11.Request):
                    method, target = event.method.decode("ascii"), event.target.decode("ascii")
                elif isinstance(event, h11.Data):
                    body += event.data
                    if len(body) > MOST_BODY_BYTES:
                        too_large = f"more than {MOST_BODY_BYTES} bytes\n".encode("ascii")
                        await _send(http, writer, Reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large), method)
                        return False
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return False
        except h11.RemoteProtocolError as problem:
            if http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                status = HTTPStatus(problem.error_status_hint)
                await _send(http, writer, Reply(status, f"{problem}\n".encode()), method)
            return False
        try:
            reply = self._answer(method, target, body)
        except Exception as problem:
            self._fail(problem)
            return False
        await _send(http, writer, reply, method)
        return http.our_state is h11.DONE and http.their_state is h11.DONE


async def _send(http: h11.Connection, writer: asyncio.StreamWriter, reply: Reply, method: str) -> None:
    head = h11.Response(
        status_code=reply.status,
        reason=reply.status.phrase.encode("ascii"),
        headers=[("Content-Type", reply.content_type or TEXT), ("Content-Length", str(len(reply.body)))],
    )
    with suppress(h11.LocalProtocolError):
        writer.write(http.send(head) or b"")
        if method != "HEAD":
            writer.write(http.send(h11.Data(data=reply.body)) or b"")
            writer.write(http.send(h11.EndOfMessage()) or b"")
    await writer.drain()
