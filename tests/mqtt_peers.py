"""Real brokers, brokers that misbehave, and a listener on a connection of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiomqtt

from rfctl.telemetry.broker import Broker
from rfctl.telemetry.embedded_broker import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPBACK = "127.0.0.1"
PATIENCE_S = 10.0
CONNACK = b"\x20\x02\x00\x00"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def listening_addresses(port: int) -> set[str]:
    """Local addresses, as the kernel writes them, on which anybody listens at a TCP port, IPv6 too."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            address, number = line.split()[1].split(":")
            if line.split()[3] == "0A" and int(number, 16) == port:
                found.add(address)
    return found


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = threading.Event()
    for _ in range(int(PATIENCE_S / 0.02)):
        with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1.0):
            return
        assert process.poll() is None, f"the broker ended with {process.returncode}"
        deadline.wait(0.02)
    raise AssertionError(f"no broker at port {port} after {PATIENCE_S:g} s")


class Mosquitto:
    """The Debian package's broker, on loopback."""

    def __init__(self, folder: Path, *, port: int | None = None, password: tuple[str, str] | None = None) -> None:
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        assert program, "mosquitto is not installed: apt-get install mosquitto"
        self.port = free_port() if port is None else port
        lines = [f"listener {self.port} {LOOPBACK}", "persistence false"]
        if os.getuid() == 0:
            lines.append("user root")  # else it becomes a user who cannot read the test's folder
        if password is None:
            lines.append("allow_anonymous true")
        else:
            passwords = folder / "passwords"
            subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, *password], check=True, capture_output=True)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        configuration = folder / f"mosquitto-{self.port}.conf"
        configuration.write_text("\n".join(lines) + "\n", encoding="ascii")
        self.process = subprocess.Popen(
            [program, "-c", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for_port(self.port, self.process)

    @property
    def broker(self) -> Broker:
        return Broker(LOOPBACK, self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def embedded(folder: Path) -> Iterator[Broker]:
    del folder
    with EmbeddedBroker() as child:
        wait_for_port(child.broker.port, child._process)
        yield child.broker


@contextmanager
def mosquitto(folder: Path) -> Iterator[Broker]:
    with Mosquitto(folder) as child:
        yield child.broker


class BadBroker:
    """Accepts connections and answers as little as it is told to.

    Args:
        greets: It accepts the MQTT connection, too.
        acknowledges_after_s: So long after each message, one after the other; never when not given.
    """

    def __init__(self, *, greets: bool, acknowledges_after_s: float | None = None) -> None:
        self._greets = greets
        self._acknowledges_after_s = acknowledges_after_s
        self._closed = threading.Event()
        self._server = socket.create_server((LOOPBACK, 0))
        self._clients: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def broker(self) -> Broker:
        return Broker(LOOPBACK, self._server.getsockname()[1])

    @property
    def connections(self) -> int:
        return len(self._clients)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._clients.append(client)
                if self._greets:
                    client.recv(4096)
                    client.sendall(CONNACK)
                if self._acknowledges_after_s is not None:
                    self._acknowledge(client, self._acknowledges_after_s)

    def _acknowledge(self, client: socket.socket, after_s: float) -> None:
        with client.makefile("rb") as stream:
            while header := stream.read(1):
                length = shift = 0
                while (byte := stream.read(1)[0]) & 0x80:
                    length, shift = length | (byte & 0x7F) << shift, shift + 7
                body = stream.read(length | byte << shift)
                if header[0] & 0xF6 == 0x32:  # PUBLISH at QoS 1
                    number = 2 + int.from_bytes(body[:2])
                    self._closed.wait(after_s)
                    client.sendall(b"\x40\x02" + body[number : number + 2])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for client in self._clients:
            client.close()
        self._thread.join()


@dataclass(frozen=True)
class Heard:
    """One message as it arrived."""

    topic: str
    qos: int
    retained: bool
    payload: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.payload["schema"]).rpartition("/")[2]


class Listener:
    """Hears everything below rfctl/, in a thread and on a connection of its own."""

    def __init__(self, broker: Broker) -> None:
        self.heard: list[Heard] = []
        self._broker = broker
        self._changed = threading.Condition()
        self._subscribed = False
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(lambda: self._subscribed, "no subscription")
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def until(self, condition: Callable[[list[Heard]], bool]) -> list[Heard]:
        """All that was heard, once it is enough."""
        self._wait(lambda: condition(self.heard), "not heard")
        return list(self.heard)

    def until_goodbye(self) -> list[Heard]:
        """All that was heard, once the station has said that it goes offline."""
        return self.until(lambda heard: any(h.payload.get("status") == "offline" for h in heard))

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE_S), f"{what} after {PATIENCE_S:g} s"

    def _run(self) -> None:
        asyncio.set_event_loop(None)
        self._task = self._loop.create_task(self._listen())
        with suppress(asyncio.CancelledError, aiomqtt.MqttError):
            self._loop.run_until_complete(self._task)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _listen(self) -> None:
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            await client.subscribe("rfctl/#", qos=1)
            self._tell(subscribed=True)
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                payload = json.loads(message.payload)
                self._tell(Heard(str(message.topic), message.qos, message.retain, payload))

    def _tell(self, heard: Heard | None = None, *, subscribed: bool = False) -> None:
        with self._changed:
            if heard is not None:
                self.heard.append(heard)
            self._subscribed |= subscribed
            self._changed.notify_all()
