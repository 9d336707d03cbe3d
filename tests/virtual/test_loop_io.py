"""Requests over real sockets and ptys never time out in virtual time while the peer answers."""

from __future__ import annotations

import asyncio
import os
import pty
import socket
import subprocess
import sys
import tty
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.virtual import VirtualClock
from rfctl_sim.at_work import do_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

TIMEOUT_S = 0.05
# What the peer takes to answer, request by request; the longest leaves one nanosecond.
ANSWER_NS = (0, 1, 0, 20 * NS_PER_MS, 0, 50 * NS_PER_MS - 1)

Line = tuple[int, int]


@contextmanager
def tcp_line() -> Iterator[Line]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as near:
        far, _ = listener.accept()
        with far:
            for end in (near, far):
                os.set_blocking(end.fileno(), False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield near.fileno(), far.fileno()


@contextmanager
def socketpair_line() -> Iterator[Line]:
    near, far = socket.socketpair()
    with near, far:
        os.set_blocking(near.fileno(), False)
        os.set_blocking(far.fileno(), False)
        yield near.fileno(), far.fileno()


@contextmanager
def pty_line() -> Iterator[Line]:
    near, far = pty.openpty()
    with ExitStack() as stack:
        for end in (near, far):
            stack.callback(os.close, end)
            tty.setraw(end)
            os.set_blocking(end, False)
        yield near, far


LINES = {"tcp": tcp_line, "socketpair": socketpair_line, "pty": pty_line}


@pytest.fixture
def busy_processes() -> Iterator[None]:
    """One for every processor, so that the kernel's own threads have to wait their turn."""
    with ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


def answer_on(descriptor: int) -> None:
    """A peer that sends every request back after the time that its first byte names."""
    loop = asyncio.get_running_loop()

    def serve() -> None:
        request = os.read(descriptor, 256)
        loop.call_later(ANSWER_NS[request[0]] / NS_PER_S, os.write, descriptor, request)

    loop.add_reader(descriptor, serve)


async def ask(descriptor: int, request: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    reply: asyncio.Future[bytes] = loop.create_future()
    loop.add_reader(descriptor, lambda: reply.set_result(os.read(descriptor, 256)))
    os.write(descriptor, request)
    with VirtualClock.running().expect():
        async with asyncio.timeout(TIMEOUT_S):
            return await reply


async def transact(open_line: Callable[[], AbstractContextManager[Line]], clock: VirtualClock, count: int) -> None:
    """Every request is answered, at the very nanosecond at which the peer answers."""
    loop = asyncio.get_running_loop()
    with open_line() as (near, far):
        answer_on(far)
        for number in range(count):
            kind = number % len(ANSWER_NS)
            request = bytes([kind]) + number.to_bytes(7, "big")
            asked_ns = clock.monotonic_ns()
            assert await ask(near, request) == request
            assert clock.monotonic_ns() - asked_ns == ANSWER_NS[kind], f"transaction {number}"
        loop.remove_reader(near)
        loop.remove_reader(far)


@pytest.mark.parametrize(("line", "count"), [("tcp", 10_000), ("socketpair", 10_000), ("pty", 2_000)])
async def test_no_request_times_out_while_the_peer_answers(line: str, count: int, clock: VirtualClock) -> None:
    await transact(LINES[line], clock, count)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.usefixtures("busy_processes")
async def test_no_request_times_out_beside_busy_processes(line: str, clock: VirtualClock) -> None:
    await transact(LINES[line], clock, 2_000)


async def test_bytes_that_the_kernel_delivers_late_are_seen_before_time_moves(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop lets the kernel's threads run; here they deliver the reply just then."""
    with socketpair_line() as (near, far):
        monkeypatch.setattr(os, "sched_yield", lambda: os.write(far, b"late"))
        assert await ask(near, b"request") == b"late"
        asyncio.get_running_loop().remove_reader(near)
    assert clock.monotonic_ns() == 0


async def test_the_kernel_is_given_no_moment_while_the_peer_works_on_its_answer(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the answer is on its way yet, and on a busy machine each moment lasts a millisecond."""
    moments = []
    with socketpair_line() as (near, far):

        def obey() -> None:
            request = os.read(far, 4096)
            do_at(clock, clock.monotonic_ns() + 20 * NS_PER_MS, lambda: os.write(far, request))

        asyncio.get_running_loop().add_reader(far, obey)
        monkeypatch.setattr(os, "sched_yield", lambda: moments.append(clock.monotonic_ns()))
        for _ in range(3):
            assert await ask(near, b"request") == b"request"
        assert not moments
        asyncio.get_running_loop().remove_reader(far)
        with pytest.raises(TimeoutError):
            await ask(near, b"request")
        assert moments == [60 * NS_PER_MS]
        asyncio.get_running_loop().remove_reader(near)
    assert clock.monotonic_ns() == 110 * NS_PER_MS


@pytest.mark.parametrize("line", LINES)
async def test_a_silent_peer_costs_exactly_the_time_out(line: str, clock: VirtualClock) -> None:
    with LINES[line]() as (near, _):
        with pytest.raises(TimeoutError):
            await ask(near, b"\x00 anybody there?")
        asyncio.get_running_loop().remove_reader(near)
    assert clock.monotonic_ns() == 50 * NS_PER_MS


async def test_streams_of_asyncio_work(clock: VirtualClock) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            await asyncio.sleep(0.01)
            writer.write(line)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for number in range(100):
            line = b"%d\n" % number
            writer.write(line)
            async with asyncio.timeout(TIMEOUT_S):
                assert await reader.readline() == line
        writer.close()
        await writer.wait_closed()
    assert clock.monotonic_ns() == 100 * 10 * NS_PER_MS


async def test_more_is_sent_than_the_socket_holds(clock: VirtualClock) -> None:
    """A full socket buffer is I/O that is not ready; draining it takes no virtual time."""
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    with near, far:
        os.set_blocking(near.fileno(), False)
        os.set_blocking(far.fileno(), False)
        sending = asyncio.create_task(loop.sock_sendall(near, bytes(4_000_000)))
        received = 0
        async with asyncio.timeout(TIMEOUT_S):
            while received < 4_000_000:
                received += len(await loop.sock_recv(far, 65536))
            await sending
    assert clock.monotonic_ns() == 0
