"""Where anyone local stops a station: a socket served by a thread, so that a hung event loop cannot keep off away.

A connection is a stop, whoever makes it and whatever it says. The thread asks the loop first: a live loop turns off
within a moment, ends the procedure, records why, and says whether off was measured. A loop that does not answer within
100 ms is hung; then the thread sends off itself (rfctl.link.stop_line), and measures the output on a loop of its own,
by a driver of its own on the same line, or by a new connection where that line is dead. One thing can keep the thread
away: a call into C that never gives the interpreter back. The generator's lease ends that within 500 ms.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol, Self

from rfctl.clock import NS_PER_MS, RealClock
from rfctl.errors import LinkError, RfctlError
from rfctl.station import local_socket
from rfctl.station.measured_off import turn_off

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from rfctl.station.connection import Connection
    from rfctl.station.local_socket import Socket

STOP_SOCKET = "stop.sock"
HEARD_NS = 100 * NS_PER_MS
"""Two polls: a loop that has not answered by then does not decide any more either."""
VERDICT_NS = 6500 * NS_PER_MS
"""The kernel looks for off for 5 s before it says that it is not confirmed."""
LISTENING_MS = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a stop came to.

    Attributes:
        off_measured: A sample taken after off showed no output.
        sent_by: Who sent off: the event loop, the STOP thread, or the command itself.
        text: What a person reads.
        relay_open: What the guard says of its contact; None where there is no guard.
    """

    off_measured: bool
    sent_by: str
    text: str
    relay_open: bool | None = None


class Stoppable(Protocol):
    """A procedure, as far as the desk knows it."""

    def stop(self, by: str) -> None:
        """Everything off at once."""
        ...


@dataclass(slots=True)
class _Caller:
    """Somebody who waits for a verdict. Loop and thread write to fields of their own."""

    connection: Socket
    by: str
    since_ns: int
    heard: bool = False  # the loop's
    verdict: Verdict | None = None  # the loop's


class StopDesk:
    """The desk of one state folder, which this process owns. Its methods belong to the thread of the loop."""

    def __init__(self, state_folder: Path) -> None:
        """Open the desk; it listens at once.

        Raises:
            OSError: The folder cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        self._clock = RealClock()
        self._procedure: Stoppable | None = None
        self._connection: Connection | None = None
        self._owed = ""
        self._heard: list[_Caller] = []
        self._closing = False
        self._file = state_folder / STOP_SOCKET
        self._listener = local_socket.listen(state_folder, STOP_SOCKET, mode=local_socket.ANYONE)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="rfctl-stop", daemon=True)
        self._thread.start()

    def attend(self, procedure: Stoppable, connection: Connection) -> None:
        """From now on a stop goes to this procedure; one that came when there was none goes there at once."""
        self._procedure, self._connection = procedure, connection
        if self._owed:
            by, self._owed = self._owed, ""
            procedure.stop(by)

    def leave(self, *, off_measured: bool, text: str) -> None:
        """The procedure is over: everybody who was heard gets the verdict."""
        self._procedure = None
        self._owed = ""
        heard, self._heard = self._heard, []
        words = f"measured off; {text}" if off_measured else text
        for caller in heard:
            caller.verdict = Verdict(off_measured, "the event loop", words)
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Answer who has a verdict, hang up on the others, and end the thread."""
        self._closing = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _hear(self, caller: _Caller) -> None:
        """In the loop."""
        caller.heard = True
        self._heard.append(caller)
        if self._procedure is None:
            self._owed = caller.by
        else:
            self._procedure.stop(caller.by)
        os.eventfd_write(self._wake, 1)

    # the thread

    def _serve(self) -> None:
        waiting = select.poll()
        waiting.register(self._listener, select.POLLIN)
        waiting.register(self._wake, select.POLLIN)
        callers: list[_Caller] = []
        while not self._closing:
            waiting.poll(LISTENING_MS if callers else None)
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            while (caller := self._accept()) is not None:
                callers.append(caller)
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(self._hear, caller)
            callers = [caller for caller in callers if not self._answered(caller)]
        with suppress(OSError):
            self._file.unlink()
        self._listener.close()
        for caller in callers:
            if not self._answered(caller):
                caller.connection.close()

    def _accept(self) -> _Caller | None:
        connection = local_socket.accept(self._listener)
        if connection is None:
            return None
        peer = local_socket.peer_of(connection)
        return _Caller(connection, f"rfctl stop (user {peer.uid}, process {peer.pid})", self._clock.monotonic_ns())

    def _answered(self, caller: _Caller) -> bool:
        verdict = caller.verdict
        if verdict is None and not self._closing:
            waited_ns = self._clock.monotonic_ns() - caller.since_ns
            if waited_ns >= (VERDICT_NS if caller.heard else HEARD_NS):
                verdict = self._stop_without_loop()
        if verdict is None:
            return False
        with suppress(OSError):
            caller.connection.send(json.dumps(asdict(verdict)).encode("ascii") + b"\n")
        caller.connection.close()
        return True

    def _stop_without_loop(self) -> Verdict:
        connection, sender = self._connection, "the STOP thread"
        if connection is None:
            return Verdict(off_measured=False, sent_by=sender, text="the station has not reached its generator yet")
        line = connection.stop_line
        descriptor = None
        if line is not None:
            line.off()
            descriptor = line.another()
        try:
            self._measure(connection, descriptor)
        except RfctlError as problem:
            return Verdict(off_measured=False, sent_by=sender, text=str(problem))
        return Verdict(
            off_measured=True, sent_by=sender, text="measured off; the event loop did not answer: end the process"
        )

    def _measure(self, connection: Connection, descriptor: int | None) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            if descriptor is not None:
                with suppress(LinkError):  # the line is dead: a new one may do
                    runner.run(turn_off(connection.twin(self._clock), self._clock, descriptor=descriptor))
                    return
            runner.run(turn_off(connection.twin(self._clock), self._clock))
