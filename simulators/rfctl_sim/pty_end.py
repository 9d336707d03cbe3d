"""The simulator's end of a serial line on a pty, which faults can take away and put back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import tty
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError
from rfctl_sim.at_work import do_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import Clock

BAUD = 115200
# A line has two ends and no connections: whoever writes is the same client.
CLIENT = 1
BITS = 10  # of a character: start, eight data bits, stop; a pty has no parity


class _Pty(NamedTuple):
    """Both ends of an open pty. The client's end is held open, too: without it the pty hangs up between two clients."""

    ours: int
    theirs: int


class PtyEnd(ABC):
    """One end of a serial line as fast as its baud rate.

    Attributes:
        scheme: What stands before ``:PATH`` in its address, for clients.
        baud: Bits a second.
    """

    def __init__(self, scheme: str, clock: Clock, baud: int = BAUD) -> None:
        self.scheme = scheme
        self.baud = baud
        self._clock = clock
        self._character_ns = BITS * NS_PER_S // baud
        self._path = Path()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._pty: _Pty | None = None
        self._reopen: asyncio.TimerHandle | None = None

    @abstractmethod
    def arrived(self, data: bytes) -> None:
        """Bytes were written at the other end."""

    @abstractmethod
    def forget(self) -> None:
        """The port was taken away: what had half arrived is gone."""

    @property
    def address(self) -> str:
        """Where a client finds it."""
        return f"{self.scheme}:{self._path}?baud={self.baud}"

    async def open(self, address: str) -> None:
        """Lay the line.

        Args:
            address: A scheme and a path that becomes a link to the pty; without a path it takes one of its own.

        Raises:
            ConfigError: The link cannot be made.
        """
        self._path = self._place(address.partition(":")[2])
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
        self.forget()
        if for_s is not None:
            self._reopen = asyncio.get_running_loop().call_later(for_s, self.restore)

    def unplug(self, _: bytes) -> None:
        """Take the port away and put it back at once."""
        self.cut(None)
        self.restore()

    def restore(self) -> None:
        """Put the port back after a cut, under the same path."""
        self._stop_reopening()
        if self._pty is None:
            self._plug_in()

    async def close(self) -> None:
        """End everything."""
        self.cut(None)
        if self._folder is not None:
            self._folder.cleanup()

    def say(self, data: bytes) -> None:
        """Hand bytes to the other end at once, if anybody reads there."""
        if self._pty is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._pty.ours, data)

    def over(self, free_ns: int, octets: int) -> int:
        """When bytes that come now are over a line that is free from an instant on."""
        return max(free_ns, self._clock.monotonic_ns()) + octets * self._character_ns

    def at(self, at_ns: int, do: Callable[[bytes], None], frame: bytes) -> None:
        """Do it then, unless the port was taken away in between."""
        pty = self._pty
        do_at(self._clock, at_ns, lambda: do(frame) if self._pty is pty else None)

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
                where=str(self._path),
                remedy="Remove what is there, or choose another path.",
            ) from None
        os.set_blocking(ours, False)
        self._pty = _Pty(ours, theirs)
        asyncio.get_running_loop().add_reader(ours, self._on_readable)

    def _on_readable(self) -> None:
        if self._pty is not None:
            self.arrived(os.read(self._pty.ours, 4096))

    def _stop_reopening(self) -> None:
        if self._reopen is not None:
            self._reopen.cancel()
            self._reopen = None
