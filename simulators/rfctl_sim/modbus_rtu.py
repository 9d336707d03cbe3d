"""The Modbus RTU face: a serial line on a pty, as fast as its baud rate, on pymodbus's check sum and PDU codecs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import tty
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError
from rfctl_sim.rtu_frames import CHECK_SUM, at_silence, first_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import Clock
    from rfctl_sim.requests import Requests
    from rfctl_sim.wire import WireLog

BAUD = 115200
BITS = 10  # of a character: start, eight data bits, stop; a pty has no parity
GAP_NS = 1_750_000  # the silence that ends a frame, above 19,200 baud
GAP_BITS = 3.5 * 11  # at and below that

# A line has two ends and no connections: whoever writes is the same client.
CLIENT = 1


class _Pty(NamedTuple):
    """Both ends of an open pty. The client's end is held open, too: without it the pty hangs up between two clients."""

    ours: int
    theirs: int


class ModbusLine:
    """One end of a serial line, with the units on it.

    A request is obeyed when its last byte would have come over the line, and answered when the last byte of the answer
    would have. What is no frame is dropped after a silence.
    """

    def __init__(self, requests: Requests, wire: WireLog, clock: Clock, baud: int = BAUD) -> None:
        self._requests = requests
        self._wire = wire
        self._clock = clock
        self._baud = baud
        self._character_ns = BITS * NS_PER_S // baud
        self._gap_ns = max(GAP_NS, round(GAP_BITS * NS_PER_S / baud))
        self._framer = FramerRTU(DecodePDU(is_server=True))
        self._path = Path()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._pty: _Pty | None = None
        self._received = b""
        self._heard_ns = 0  # when the last byte of the last request has come
        self._said_ns = 0  # when the last byte of the last answer has gone
        self._silence: asyncio.TimerHandle | None = None
        self._reopen: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        """Where a client finds it."""
        return f"rtu:{self._path}?baud={self._baud}"

    async def open(self, address: str) -> None:
        """Lay the line.

        Args:
            address: ``pty:PATH``; PATH becomes a link to the pty. ``pty:`` takes a path of its own.

        Raises:
            ConfigError: The link cannot be made.
        """
        self._path = self._place(address.removeprefix("pty:"))
        self._plug_in()

    def cut(self, for_s: float | None) -> None:
        """Take the port away under the client, for so many seconds or until ``restore``."""
        self._stop_reopening()
        if self._pty is None:
            return
        asyncio.get_running_loop().remove_reader(self._pty.ours)
        self._path.unlink(missing_ok=True)
        for descriptor in self._pty:
            os.close(descriptor)
        self._pty = None
        self._received = b""
        if for_s is not None:
            self._reopen = asyncio.get_running_loop().call_later(for_s, self.restore)

    def restore(self) -> None:
        """Put the port back after a cut, under the same path."""
        self._stop_reopening()
        if self._pty is None:
            self._plug_in()

    async def close(self) -> None:
        """End everything."""
        self.cut(None)
        if self._silence is not None:
            self._silence.cancel()
        if self._folder is not None:
            self._folder.cleanup()

    def _place(self, path: str) -> Path:
        if path:
            return Path(path).absolute()
        self._folder = tempfile.TemporaryDirectory(prefix="rfctl-sim-")
        return Path(self._folder.name) / "line"

    def _plug_in(self) -> None:
        if self._path.is_symlink() and not self._path.exists():
            self._path.unlink()  # left by a simulator that was killed
        ours, theirs = os.openpty()
        try:
            tty.setraw(theirs)
            self._path.symlink_to(os.ttyname(theirs))
        except OSError as problem:
            os.close(ours)
            os.close(theirs)
            raise ConfigError(
                f"cannot make the link to the pty: {problem.strerror}",
                where=f"pty:{self._path}",
                remedy="Remove what is there, or choose another path.",
            ) from None
        os.set_blocking(ours, False)
        self._pty = _Pty(ours, theirs)
        asyncio.get_running_loop().add_reader(ours, self._on_readable)

    def _stop_reopening(self) -> None:
        if self._reopen is not None:
            self._reopen.cancel()
            self._reopen = None

    def _on_readable(self) -> None:
        if self._pty is None:
            return
        self._received += os.read(self._pty.ours, 4096)
        while (place := first_request(self._received)) is not None:
            frame = self._received[place]
            self._received = self._received[place.stop :]
            self._heard_ns = self._over(self._heard_ns, len(frame))
            self._at(self._heard_ns, self._obey, frame)
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        if self._received:
            ends_ns = self._over(self._heard_ns, len(self._received)) + self._gap_ns
            self._silence = self._at(ends_ns, self._on_silence, b"")

    def _on_silence(self, _: bytes) -> None:
        """What has come is a frame with a function that is not obeyed, or none."""
        frame, self._received = at_silence(self._received), b""
        if frame is not None:
            self._obey(frame)

    def _obey(self, frame: bytes) -> None:
        self._wire.add(self._clock.monotonic_ns(), CLIENT, "in", frame)
        reply = self._requests.answer(CLIENT, frame[0], frame[1:-CHECK_SUM])
        if reply is None:
            return
        answer = self._framer.buildFrame(reply)
        self._said_ns = self._over(max(self._said_ns, self._clock.monotonic_ns() + self._gap_ns), len(answer))
        self._at(self._said_ns, self._say, answer)

    def _say(self, answer: bytes) -> None:
        self._wire.add(self._clock.monotonic_ns(), CLIENT, "out", answer)
        assert self._pty is not None  # noqa: S101  _at looked
        with contextlib.suppress(BlockingIOError):  # nobody reads at the other end
            os.write(self._pty.ours, answer)

    def _over(self, free_ns: int, octets: int) -> int:
        """When bytes that come now are over a line that is free from an instant on."""
        return max(free_ns, self._clock.monotonic_ns()) + octets * self._character_ns

    def _at(self, at_ns: int, do: Callable[[bytes], None], frame: bytes) -> asyncio.TimerHandle:
        """Do it then, unless the port was taken away in between."""
        pty = self._pty
        return asyncio.get_running_loop().call_at(at_ns / NS_PER_S, lambda: do(frame) if self._pty is pty else None)
