"""Publishes what is in the inbox: a thread with an event loop of its own, always on the machine's clock.

Whatever the broker does, nothing here waits for it but this thread. What was not acknowledged is sent again on the next
connection, under the same number.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import suppress
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import aiomqtt
from aiomqtt.exceptions import MqttConnectError

from rfctl.clock import NS_PER_S, wall_ns
from rfctl.telemetry.classes import Class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfctl.telemetry.broker import Broker
    from rfctl.telemetry.encoder import Encoder, Message
    from rfctl.telemetry.inbox import Inbox

POLL_S = 0.05
"""How often the inbox is looked at: waking this thread would cost the control loop more than all the rest."""
VIRTUAL_POLL_S = 0.5
"""The same when time is virtual and nobody watches: fewer, larger portions take the interpreter from the loop less."""
WINDOW = 80
"""Messages on their way at once."""
CONNECT_S = 3.0
ACKNOWLEDGE_S = 10.0
"""A broker that has not acknowledged a window for so long is given up for this connection."""
KEEP_ALIVE_S = 10
FIRST_RETRY_S = 0.25
LAST_RETRY_S = 30.0
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""Without it a message waits for the acknowledgement of the one before, 40 ms."""

_SILENT = logging.getLogger("rfctl.telemetry.client")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False  # what matters of it is in Health


class Status(StrEnum):
    """How it stands with the broker."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    NOT_REACHABLE = "not reachable"
    NOT_ANSWERING = "not answering"
    REFUSED = "refused"
    ENDED = "ended"


class Health(NamedTuple):
    """Status, and the reason where it is not good."""

    status: Status
    reason: str = ""


class _PasswordUnreadable(Exception):
    """The password file cannot be read."""


class Publisher:
    """The thread. ``start``, ``finish`` and ``ended_within`` are for the control side; only the last one waits.

    Attributes:
        health: Replaced as a whole, so that any thread may look.
        published_samples: Samples of one channel in the batches that the broker has acknowledged.
        published_messages: Messages that the broker has acknowledged, or that needed none.
    """

    def __init__(self, broker: Broker, inbox: Inbox, encoder: Encoder) -> None:
        self.health = Health(Status.CONNECTING, "no answer yet")
        self.published_samples = 0
        self.published_messages = 0
        self._broker = broker
        self._inbox = inbox
        self._encoder = encoder
        self._window: list[Message] = []
        self._poll_s = VIRTUAL_POLL_S if encoder.origin.time_scale == "virtual" else POLL_S
        self._finish_wanted = threading.Event()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None
        self._last_mono_ns = encoder.origin.mono_ns
        self._thread = threading.Thread(target=self._main, name="rfctl-telemetry", daemon=True)

    @property
    def moving(self) -> bool:
        """It is worth waiting for: the broker takes what it is sent, or has not had the time to say."""
        return self.health.status in (Status.CONNECTING, Status.CONNECTED)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def finish(self) -> None:
        """Publish what is left and say goodbye."""
        self._finish_wanted.set()

    def abandon(self) -> None:
        """Leave what is left: the broker takes nothing."""
        running = self._running
        if running is not None:
            loop, task = running
            with suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(task.cancel)

    def ended_within(self, seconds: float) -> bool:
        """Wait on the wall until the thread has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _main(self) -> None:
        with suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._run())
        self._inbox.tell_low(moving=False)

    async def _run(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        self._running = asyncio.get_running_loop(), task
        retry_s = FIRST_RETRY_S
        while True:
            acknowledged = self.published_messages
            try:
                await self._connection()
                self.health = Health(Status.ENDED)
                return
            except (aiomqtt.MqttError, OSError, _PasswordUnreadable) as problem:  # TimeoutError is an OSError
                self.health = self._diagnosis(problem)
            for message in self._window:
                message.resent = True
            self._inbox.tell_low(moving=False)
            if self.published_messages > acknowledged:
                retry_s = FIRST_RETRY_S
            if await self._finishing_within(retry_s):
                return
            retry_s = min(2 * retry_s, LAST_RETRY_S)

    async def _connection(self) -> None:
        """One connection, until it is lost (raises) or everything has been said."""
        origin = self._encoder.origin
        will = self._encoder.will(self._last_mono_ns)
        client = aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            username=self._broker.username,
            password=self._password(),
            identifier=f"rfctl-{origin.boot_id}",
            will=aiomqtt.Will(will.topic, will.payload(will.wall_ns), will.qos, will.retained),
            logger=_SILENT,
            timeout=CONNECT_S,
            keepalive=KEEP_ALIVE_S,
            max_inflight_messages=WINDOW,
            socket_options=(NO_DELAY,),
        )
        client.pending_calls_threshold = 2 * WINDOW  # no warning of what is meant to be
        client._client.connect_timeout = CONNECT_S  # paho's own property; aiomqtt does not pass it on
        async with client:
            publishing = asyncio.create_task(self._publish_all(client), name="publish")
            lost = asyncio.create_task(_until_lost(client), name="connection")
            try:
                await asyncio.wait({publishing, lost}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (publishing, lost):
                    task.cancel()
                await asyncio.gather(publishing, lost, return_exceptions=True)
            for task in (lost, publishing):
                if not task.cancelled() and (problem := task.exception()) is not None:
                    raise problem

    async def _publish_all(self, client: aiomqtt.Client) -> None:
        async with asyncio.timeout(ACKNOWLEDGE_S):
            for message in self._encoder.birth():
                await self._publish(client, message)
                self.health = Health(Status.CONNECTED)
        while True:
            if not self._window:
                self._window = self._encoder.take(self._inbox, WINDOW)
                self._inbox.tell_low()
            if self._window:
                await self._send_window(client)
            elif self._finish_wanted.is_set():
                self._window = self._encoder.flush()
                await self._send_window(client)
                await self._say_goodbye(client)
                return
            else:
                await self._finishing_within(self._poll_s)

    async def _send_window(self, client: aiomqtt.Client) -> None:
        on_their_way = [asyncio.create_task(self._publish(client, message)) for message in self._window]
        try:
            async with asyncio.timeout(ACKNOWLEDGE_S):
                await asyncio.gather(*on_their_way)
        finally:
            for task in on_their_way:
                task.cancel()
            await asyncio.gather(*on_their_way, return_exceptions=True)
            left = zip(self._window, on_their_way, strict=True)
            self._window = [message for message, task in left if task.cancelled() or task.exception() is not None]

    async def _publish(self, client: aiomqtt.Client, message: Message) -> None:
        payload = message.payload(wall_ns())
        await client.publish(message.topic, payload, message.qos, message.retained, timeout=inf)
        self.published_messages += 1
        self.published_samples += message.samples
        mono_ns = message.members["mono_ns"]
        if isinstance(mono_ns, int):
            self._last_mono_ns = max(self._last_mono_ns, mono_ns)

    async def _say_goodbye(self, client: aiomqtt.Client) -> None:
        members: Mapping[str, object] = {"status": "offline", "reason": "the session has ended"}
        goodbye = self._encoder.message(Class.STATUS, self._last_mono_ns, dict(members), wall_ns())
        async with asyncio.timeout(ACKNOWLEDGE_S):
            await self._publish(client, goodbye)

    async def _finishing_within(self, seconds: float) -> bool:
        """Wait so long, or less when the end is wanted or the clock waits for the backlog."""
        end_ns = wall_ns() + int(seconds * NS_PER_S)
        wanted = self._finish_wanted
        while not wanted.is_set() and self._inbox.when_low is None and (left_ns := end_ns - wall_ns()) > 0:  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(min(POLL_S, left_ns / NS_PER_S))
        return wanted.is_set()

    def _password(self) -> str | None:
        path = self._broker.password_file
        if path is None:
            return None
        try:
            return path.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as problem:
            raise _PasswordUnreadable(f"mqtt.password_file {path} cannot be read: {problem}") from None

    def _diagnosis(self, problem: Exception) -> Health:
        """What a person reads of a failed connection."""
        url = self._broker.url
        if isinstance(problem, MqttConnectError):
            name = repr(self._broker.username) if self._broker.username is not None else "a station without a name"
            said = str(problem).partition("] ")[2] or str(problem)
            return Health(Status.REFUSED, f"{url} refuses {name}: {said}. Check mqtt.username and mqtt.password_file.")
        if isinstance(problem, _PasswordUnreadable):
            return Health(Status.REFUSED, str(problem))
        if isinstance(problem, TimeoutError) or "timed out" in str(problem):
            return Health(
                Status.NOT_ANSWERING, f"{url} does not answer in time. Check that it is an MQTT broker, and its load."
            )
        return Health(Status.NOT_REACHABLE, f"{url}: {problem}. Check mqtt.broker and that the broker runs.")


async def _until_lost(client: aiomqtt.Client) -> None:
    """Raises when the connection is lost: the iterator over messages, of which none is subscribed to, notices it."""
    async for _ in client.messages:
        pass
