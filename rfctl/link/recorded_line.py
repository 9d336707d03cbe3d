"""The far end of a link that meets the recorded answers again."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfctl.link.trace import Traced


class Exchange(NamedTuple):
    """A request as it was sent, and what came until the next one.

    Attributes:
        at_ns: The station's monotonic clock, then.
        request: The whole frame.
        replies: In the pieces in which they came.
    """

    at_ns: int
    request: bytes
    replies: tuple[Traced, ...]


class RecordedLine:
    """Answers a request with what was recorded for it, when it is the next one in the trace.

    Requests of the trace that are not asked again are passed over before the first one and where nothing was answered.

    Attributes:
        near: The end for a link, which closes it.
        exchanges: Of the trace, in order.
        at: The next one.
        matched: How many were asked again.
        received_ns: When the answer given last had come, then.
        other: A request that is not the next one; empty while there is none.
    """

    def __init__(self, entries: Sequence[Traced]) -> None:
        """Lay a line, on the running loop."""
        near, self._far = socket.socketpair()
        for end in (near, self._far):
            end.settimeout(0.0)
        self.near = near.detach()
        self.exchanges = _exchanges(entries)
        self.at = 0
        self.matched = 0
        self.received_ns = 0
        self.other = b""
        asyncio.get_running_loop().add_reader(self._far, self._on_readable)

    def close(self) -> None:
        """Take this end away."""
        asyncio.get_running_loop().remove_reader(self._far)
        self._far.close()

    def _on_readable(self) -> None:
        request = self._far.recv(65536)
        while self.at < len(self.exchanges) and self.exchanges[self.at].request != request:
            if self.exchanges[self.at].replies and self.matched:
                break
            self.at += 1
        if self.at == len(self.exchanges) or self.exchanges[self.at].request != request:
            self.other = request
            return
        exchange = self.exchanges[self.at]
        self.at += 1
        self.matched += 1
        for reply in exchange.replies:
            self.received_ns = reply.at_ns
            os.write(self._far.fileno(), reply.data)


def _exchanges(entries: Sequence[Traced]) -> list[Exchange]:
    found: list[tuple[Traced, list[Traced]]] = []
    for entry in entries:
        if entry.direction == "tx":
            found.append((entry, []))
        elif found:
            found[-1][1].append(entry)
    return [Exchange(request.at_ns, request.data, tuple(replies)) for request, replies in found]
