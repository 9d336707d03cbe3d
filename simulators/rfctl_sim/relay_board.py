"""A relay board with timed contacts on Modbus RTU, on a pty or a TCP socket; second flash-ons as boards differ in them.

Each relay has a second contact that is wired to the input of the same number. The latching and toggling writes are here
as they are on such boards, so that a client that uses them is found out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import tty
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pymodbus.framer import FramerRTU

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import ConfigError
from rfctl_sim.at_work import do_at
from rfctl_sim.listening import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import Clock
    from rfctl_sim.connections import Connections

RELAYS = 8
BAUD = 9600
BITS = 10

FRAME_BYTES = 8  # of every request that is obeyed
READ_COILS, READ_INPUTS, WRITE_COIL = 1, 2, 5
ON, OFF, TOGGLE = 0xFF00, 0x0000, 0x5500
FLASH = 0x0200
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3

TICK_NS = 100 * NS_PER_MS
OPERATE_NS = 8 * NS_PER_MS  # from coil to contact
RELEASE_NS = 4 * NS_PER_MS
WORK_NS = 3 * NS_PER_MS  # from the last byte of a request to the first of its reply


class Variant(StrEnum):
    """What a second flash-on does while the first goes on."""

    RETRIGGERS = "retriggers"
    IGNORED = "ignored"
    ADDS_UP = "adds_up"


class Fault(StrEnum):
    """What may be broken."""

    WELDED = "welded"
    """The contact does not open any more."""
    STUCK_OPEN = "stuck_open"
    """The contact does not close."""
    MUTE = "mute"
    """Orders are obeyed, and not answered."""
    READBACK_LIES = "readback_lies"
    """The second contact shows the coil, whatever the first one does."""


class Change(NamedTuple):
    """A contact moved."""

    at_ns: int
    relay: int
    closed: bool


class _Relay:
    """Coil, timer and contact."""

    def __init__(self) -> None:
        self.coil = False
        self.closed = False
        self.off_ns = 0
        self.timer: asyncio.TimerHandle | None = None
        self.move: asyncio.TimerHandle | None = None


class RelayBoard:
    """A board with RELAYS relays.

    Attributes:
        faults: In force, of every relay.
        tick_ns: What one unit of a flash-on is.
        changes: Every movement of a contact.
        writes: Every write that was understood, as it came.
        moved: Told of every movement of a contact.
    """

    def __init__(self, clock: Clock, *, variant: Variant = Variant.RETRIGGERS, unit: int = 1, baud: int = BAUD) -> None:
        self.variant = variant
        self.faults: set[Fault] = set()
        self.tick_ns = TICK_NS
        self.changes: list[Change] = []
        self.writes: list[bytes] = []
        self.moved: Callable[[Change], None] = lambda _: None
        self._clock = clock
        self._unit = unit
        self._baud = baud
        self._relays = [_Relay() for _ in range(RELAYS)]
        self._face: _PtyFace | _TcpFace | None = None

    @property
    def address(self) -> str:
        """Where a client finds it."""
        assert self._face is not None  # noqa: S101  opened
        return self._face.address

    def closed(self, relay: int) -> bool:
        """The contact itself."""
        return self._relays[relay].closed

    async def open(self, address: str) -> None:
        """Listen.

        Args:
            address: ``pty:PATH``, where PATH becomes a link to the pty and none takes one of its own, or
                ``rtutcp:HOST:PORT`` for the same frames over TCP.

        Raises:
            ConfigError: Neither, or it cannot be opened.
        """
        if address.startswith("pty:"):
            self._face = _PtyFace(self, self._baud)
        elif address.startswith("rtutcp:"):
            self._face = _TcpFace(self)
        else:
            raise ConfigError("no such kind of link", where=address, remedy="Write pty:PATH or rtutcp:HOST:PORT.")
        await self._face.open(address)

    async def close(self) -> None:
        """Switch it off: every contact opens."""
        if self._face is not None:
            await self._face.close()
        for relay in self._relays:
            for timer in (relay.timer, relay.move):
                if timer is not None:
                    timer.cancel()

    def receive(self, received: bytes, reply: Callable[[bytes], None], character_ns: int) -> bytes:
        """Obey every request in what was received; what is left may be the start of one."""
        at = 0
        while at + FRAME_BYTES <= len(received):
            frame = received[at : at + FRAME_BYTES]
            if frame[0] != self._unit or not FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big")):
                at += 1
                continue
            at += FRAME_BYTES
            if character_ns:
                self._answer_after(FRAME_BYTES * character_ns, partial(self._take, frame, reply, character_ns))
            else:
                self._take(frame, reply, character_ns)
        return received[at:]

    def _take(self, frame: bytes, reply: Callable[[bytes], None], character_ns: int) -> None:
        body = self._obey(frame)
        if Fault.MUTE in self.faults:
            return
        answer = body + FramerRTU.compute_CRC(body).to_bytes(2, "big")
        self._answer_after(WORK_NS + len(answer) * character_ns, partial(reply, answer))

    def _obey(self, frame: bytes) -> bytes:
        function, address, value = frame[1], int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")
        if function in {READ_COILS, READ_INPUTS}:
            if not 1 <= value <= RELAYS - address:
                return self._refusal(function, ILLEGAL_ADDRESS)
            by_coil = function == READ_COILS or Fault.READBACK_LIES in self.faults
            states = [relay.coil if by_coil else relay.closed for relay in self._relays]
            bits = sum(state << at for at, state in enumerate(states[address : address + value]))
            return bytes((self._unit, function, 1, bits))
        if function != WRITE_COIL:
            return self._refusal(function, ILLEGAL_FUNCTION)
        number, flash = (address - FLASH, True) if address >= FLASH else (address, False)
        if not 0 <= number < RELAYS:
            return self._refusal(function, ILLEGAL_ADDRESS)
        if value not in (range(1, 0x8000) if flash else (ON, OFF, TOGGLE)):
            return self._refusal(function, ILLEGAL_VALUE)
        self.writes.append(frame[1:-2])
        if flash:
            self._flash(number, value * self.tick_ns)
        else:
            self._latch(number, on=value == ON or (value == TOGGLE and not self._relays[number].coil))
        return frame[:-2]

    def _refusal(self, function: int, code: int) -> bytes:
        return bytes((self._unit, function | 0x80, code))

    def _flash(self, number: int, time_ns: int) -> None:
        relay = self._relays[number]
        now_ns = self._clock.monotonic_ns()
        if not relay.coil:
            relay.off_ns = now_ns + time_ns
            self._energise(number, on=True)
        elif self.variant is Variant.RETRIGGERS:
            relay.off_ns = now_ns + time_ns
        elif self.variant is Variant.ADDS_UP:
            relay.off_ns += time_ns
        if relay.timer is not None:
            relay.timer.cancel()
        relay.timer = self._after(relay.off_ns - now_ns, lambda: self._energise(number, on=False))

    def _latch(self, number: int, *, on: bool) -> None:
        relay = self._relays[number]
        if relay.timer is not None:
            relay.timer.cancel()
            relay.timer = None
        self._energise(number, on=on)

    def _energise(self, number: int, *, on: bool) -> None:
        relay = self._relays[number]
        relay.coil = on
        if relay.move is not None:
            relay.move.cancel()
        relay.move = self._after(OPERATE_NS if on else RELEASE_NS, lambda: self._move(number, closed=on))

    def _move(self, number: int, *, closed: bool) -> None:
        relay = self._relays[number]
        if relay.closed is closed or (Fault.STUCK_OPEN if closed else Fault.WELDED) in self.faults:
            return
        relay.closed = closed
        change = Change(self._clock.monotonic_ns(), number, closed)
        self.changes.append(change)
        self.moved(change)

    def _answer_after(self, delay_ns: int, do: Callable[[], None]) -> None:
        do_at(self._clock, self._clock.monotonic_ns() + delay_ns, do)

    def _after(self, delay_ns: int, do: Callable[[], None]) -> asyncio.TimerHandle:
        at_ns = self._clock.monotonic_ns() + delay_ns
        return asyncio.get_running_loop().call_at(at_ns / NS_PER_S, do)


class _PtyFace:
    """A serial line, as slow as its baud rate. The near end is held open: without it a pty hangs up between clients."""

    def __init__(self, board: RelayBoard, baud: int) -> None:
        self._board = board
        self._baud = baud
        self._path = Path()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._ends: tuple[int, int] | None = None
        self._received = b""

    @property
    def address(self) -> str:
        return f"rtu:{self._path}?baud={self._baud}"

    def _place(self, path: str) -> Path:
        if path:
            return Path(path).absolute()
        self._folder = tempfile.TemporaryDirectory(prefix="rfctl-sim-")
        return Path(self._folder.name) / "relay"

    async def open(self, address: str) -> None:
        self._path = self._place(address.removeprefix("pty:"))
        ours, theirs = os.openpty()
        try:
            tty.setraw(theirs)
            self._path.symlink_to(os.ttyname(theirs))
        except OSError as problem:
            os.close(ours)
            os.close(theirs)
            raise ConfigError(
                f"cannot make the link to the pty: {problem.strerror}",
                where=address,
                remedy="Remove what is there, or choose another path.",
            ) from None
        os.set_blocking(ours, False)
        self._ends = ours, theirs
        asyncio.get_running_loop().add_reader(ours, self._on_readable)

    async def close(self) -> None:
        if self._ends is not None:
            asyncio.get_running_loop().remove_reader(self._ends[0])
            self._path.unlink(missing_ok=True)
            for descriptor in self._ends:
                os.close(descriptor)
            self._ends = None
        if self._folder is not None:
            self._folder.cleanup()

    def _on_readable(self) -> None:
        if self._ends is not None:
            received = self._received + os.read(self._ends[0], 4096)
            self._received = self._board.receive(received, self._reply, BITS * NS_PER_S // self._baud)

    def _reply(self, answer: bytes) -> None:
        if self._ends is not None:
            with contextlib.suppress(BlockingIOError):  # nobody reads at the other end
                os.write(self._ends[0], answer)


class _TcpFace(Listener):
    """The same frames over TCP, as adapters from Ethernet to RS-485 pass them on."""

    def __init__(self, board: RelayBoard) -> None:
        super().__init__("rtutcp", lambda: _TcpClient(board, self.connections))


class _TcpClient(asyncio.Protocol):
    """One connection."""

    def __init__(self, board: RelayBoard, connections: Connections) -> None:
        self._board = board
        self._connections = connections
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  asyncio's promise
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._received = self._board.receive(self._received + data, self._reply, 0)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _reply(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)
