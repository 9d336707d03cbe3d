"""A subscriber that counts: in a process and on a connection of its own it keeps every number and lists the gaps.

As a child it says ``ready`` on standard output once it is subscribed, takes the number of samples to wait for on
standard input, and answers with one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from select import select
from typing import TYPE_CHECKING, Any, Self

from rfctl.clock import NS_PER_S, wall_ns
from rfctl.telemetry.classes import ROOT, Class
from rfctl.telemetry.embedded_broker import end

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rfctl.telemetry.broker import Broker

READY_S = 10.0
QUIET_S = 2.0
"""Samples that have not come for so long are missing."""
RETRY_S = 0.02


@dataclass
class Tally:
    """What has arrived.

    Attributes:
        samples: (boot_id, sample_seq) of each sample of a batch.
        messages: For each class (boot_id, seq) of each message.
        retained: Topics that came retained.
    """

    samples: set[tuple[str, int]] = field(default_factory=set)
    messages: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    retained: set[str] = field(default_factory=set)

    def add(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Count one message."""
        members: dict[str, Any] = json.loads(payload)
        kind = members["schema"].partition("/1/")[2]
        boot_id: str = members["boot_id"]
        if members["seq"]:  # a last will is outside the count
            self.messages.setdefault(kind, set()).add((boot_id, members["seq"]))
        if kind == Class.BATCH:
            self.samples.update((boot_id, number) for number in members["sample_seq"])
        if retained:
            self.retained.add(topic)

    def as_json(self) -> dict[str, Any]:
        """Counts and gaps."""
        return {
            "samples": len(self.samples),
            "sample_gaps": gaps(self.samples),
            "messages": {kind: len(numbers) for kind, numbers in self.messages.items()},
            "message_gaps": {kind: gaps(numbers) for kind, numbers in self.messages.items()},
            "retained": sorted(self.retained),
        }


def gaps(numbers: Iterable[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """Missing stretches of each boot_id: (boot_id, first, last), counted from 1."""
    missing = []
    expected: dict[str, int] = {}
    for boot_id, number in sorted(numbers):
        first = expected.get(boot_id, 1)
        if number > first:
            missing.append((boot_id, first, number - 1))
        expected[boot_id] = number + 1
    return missing


class CountingSubscriber:
    """The child, seen from its parent.

    Attributes:
        pid: Its process.
    """

    def __init__(self, broker: Broker) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rfctl.telemetry.subscriber", broker.host, str(broker.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ready(self) -> bool:
        """Wait until it is subscribed; False when that does not come about."""
        return self._line(READY_S) == b"ready\n"

    def count(self, expected: int) -> dict[str, Any] | None:
        """What it has received, once it has ``expected`` samples or nothing more comes; None when it is gone."""
        assert self._process.stdin is not None  # noqa: S101 - it was opened with a pipe
        try:
            self._process.stdin.write(f"{expected}\n".encode())
            self._process.stdin.flush()
        except OSError:
            return None
        line = self._line(READY_S)
        counted: dict[str, Any] | None = json.loads(line) if line else None
        return counted

    def close(self) -> None:
        """Stop it. Idempotent."""
        end(self._process)

    def _line(self, seconds: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - it was opened with a pipe
        readable, _, _ = select([self._process.stdout], [], [], seconds)
        return self._process.stdout.readline() if readable else b""


async def _subscribe(host: str, port: int) -> None:
    import aiomqtt

    deadline_ns = wall_ns() + int(READY_S * NS_PER_S)
    while True:
        client = aiomqtt.Client(
            host, port, timeout=READY_S, socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
        )
        try:
            async with client:
                await client.subscribe(f"{ROOT}/#", qos=1)
                sys.stdout.write("ready\n")
                sys.stdout.flush()
                await _serve(client)
                return
        except aiomqtt.MqttError:
            if wall_ns() > deadline_ns:
                raise
            await asyncio.sleep(RETRY_S)


async def _serve(client: Any) -> None:
    tally = Tally()
    arrived = asyncio.Event()

    async def collect() -> None:
        async for message in client.messages:
            tally.add(str(message.topic), message.payload, retained=message.retain)
            arrived.set()

    collecting = asyncio.create_task(collect())
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    expected = int(line or 0)
    while len(tally.samples) < expected and not collecting.done():
        arrived.clear()
        try:
            await asyncio.wait_for(arrived.wait(), QUIET_S)
        except TimeoutError:
            break
    collecting.cancel()
    await asyncio.gather(collecting, return_exceptions=True)
    sys.stdout.write(json.dumps(tally.as_json()) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_subscribe(sys.argv[1], int(sys.argv[2])))
