"""What the measurements share: one core, a server that answers in another process, neighbours, quantiles."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Answer = Callable[[bytes], bytes]


@contextmanager
def one_core() -> Iterator[None]:
    """This process, and what it starts, on one and the same core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A folder that no disk holds up, where there is one: a disk may take seconds now and then, and is not meant."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@dataclass(frozen=True, slots=True)
class Responder:
    """A server in a process of its own.

    Attributes:
        port: On the loopback address.
        process: Its id.
    """

    port: int
    process: int

    def spent_ns(self) -> int:
        """Processor time of this process and of the server: the difference of two does not see busy neighbours."""
        return time.process_time_ns() + self.served_ns()

    def served_ns(self) -> int:
        """Of the server alone."""
        return time.clock_gettime_ns(~self.process << 3 | 2)  # how Linux names the clock of another process


@contextmanager
def child(work: Callable[[], None]) -> Iterator[int]:
    """Something that another process does meanwhile. Its id."""
    process = os.fork()
    if not process:
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield process
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


@contextmanager
def responder(new_answer: Callable[[], Answer]) -> Iterator[Responder]:
    """Answers whatever comes in one piece, one connection after the other, as cheaply as Python can.

    Args:
        new_answer: Called at each connection; what it returns makes a reply of a request.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening, child(lambda: _serve(listening, new_answer)) as process:
        yield Responder(listening.getsockname()[1], process)


def _serve(listening: socket.socket, new_answer: Callable[[], Answer]) -> None:
    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = new_answer()
        with connection:
            while request := connection.recv(4096):
                connection.sendall(answer(request))


@contextmanager
def busy_neighbours(count: int) -> Iterator[None]:
    """So many processes that never wait."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(child(_spin))
        yield


def _spin() -> None:
    while True:
        pass


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least this part of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * round(part * 10_000) // 10_000) - 1))]
