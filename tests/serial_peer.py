"""The generator's end of a real pty, played by a test: it records what arrives and answers as told."""

from __future__ import annotations

import asyncio
import os
import struct
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pymodbus.framer import FramerRTU

from rfctl.link.serial_line import SerialLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CRC_BYTES = 2


def framed(unit: int, pdu: bytes) -> bytes:
    """A frame with its check sum."""
    frame = bytes([unit]) + pdu
    return frame + FramerRTU.compute_CRC(frame).to_bytes(CRC_BYTES, "big")


class SerialPeer:
    """A unit with registers. ``answer`` may be replaced; it gets a request and returns the pieces that go back."""

    def __init__(self, ours: int, theirs: int, clock_ns: Callable[[], int]) -> None:
        self.line = SerialLine(os.ttyname(theirs))
        self.requests: list[bytes] = []
        self.arrived_ns: list[int] = []
        self.input: dict[int, int] = {}
        self.answer: Callable[[bytes], list[bytes]] = lambda request: [framed(1, self.reply(request))]
        self._ours = ours
        self._clock_ns = clock_ns
        self._received = b""

    @property
    def address(self) -> str:
        return self.line.address

    def reply(self, pdu: bytes) -> bytes:
        """The answer of a faithful unit."""
        function, address, count = struct.unpack_from(">BHH", pdu)
        if function == 4:
            return struct.pack(f">BB{count}H", 4, 2 * count, *(self.input.get(address + at, 0) for at in range(count)))
        return pdu[:5]

    def send(self, data: bytes) -> None:
        """Send bytes that nobody asked for."""
        os.write(self._ours, data)

    def on_readable(self) -> None:
        self._received += os.read(self._ours, 4096)
        while len(self._received) >= 8:
            length = 9 + self._received[6] if self._received[1] == 16 else 8
            frame, self._received = self._received[:length], self._received[length:]
            pdu = frame[1:-CRC_BYTES]
            assert frame == framed(frame[0], pdu)
            self.requests.append(pdu)
            self.arrived_ns.append(self._clock_ns())
            for at, piece in enumerate(self.answer(pdu)):
                asyncio.get_running_loop().call_later(0.001 * (at + 1), self.send, piece)


class Unpluggable(SerialPeer):
    """A unit whose port can be taken away."""

    def unplug(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        self._ours = -1


@contextmanager
def serial_peer(clock_ns: Callable[[], int]) -> Iterator[Unpluggable]:
    """Both ends of a pty, the near one to be opened by its address."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    peer = Unpluggable(ours, theirs, clock_ns)
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, peer.on_readable)
    try:
        yield peer
    finally:
        if peer._ours >= 0:
            loop.remove_reader(ours)
            os.close(ours)
        os.close(theirs)
