"""No energy without a durable record: what a simulated generator's log says, beside the logs of its stations."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

from rfctl.record.body import FRAME, segment_name
from rfctl.record.disk import Disk
from rfctl.record.segments import bodies, entry_of, segment_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from rfctl.clock import Clock
    from rfctl_sim.events import Event

PERMITS = {"rf_on": "lesion", "stimulating": "stimulation"}
"""Phases in which the generator's firmware energises, and the kind of intent that each needs."""


class Intent(NamedTuple):
    """An intent of a log.

    Attributes:
        nonce: Number under which the generator is owned, in hex, and number of the intent.
        channel: Channel number.
        permits: The output that it is for.
        durable_ns: When the disk had said that it is stored; None if it never did.
    """

    nonce: str
    channel: int
    permits: str
    durable_ns: int | None


class Synced:
    """How much of each file of a log was on the disk when, by what ``Disk.sync`` returned."""

    def __init__(self) -> None:
        self._clocks: list[Clock] = []
        self._sizes: dict[Path, list[tuple[int, int]]] = defaultdict(list)

    @contextmanager
    def noting(self, clock: Clock) -> Iterator[None]:
        """Syncs count by this clock meanwhile."""
        self._clocks.append(clock)
        try:
            yield
        finally:
            self._clocks.pop()
            if not self._clocks:
                self._sizes.clear()

    def sync(self, disk: Disk, descriptor: int) -> None:
        """``Disk.sync``, noted."""
        size = os.fstat(descriptor).st_size  # before: what is written meanwhile need not be on the disk
        _real_sync(disk, descriptor)
        if self._clocks:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.suffix == ".new":  # begun, or recovered, beside the log
                path = path.parent.with_suffix("") / path.stem
            self._sizes[path].append((self._clocks[-1].monotonic_ns(), size))

    def since_ns(self, path: Path, size: int) -> int | None:
        """When the first ``size`` bytes of the file were on the disk."""
        return next((ns for ns, synced in self._sizes[path.resolve()] if synced >= size), None)


_real_sync = Disk.sync
SYNCED = Synced()


def noted_syncs() -> AbstractContextManager[object]:
    """So that each simulated run within can be asked what was on the disk when it energised."""
    return patch.object(Disk, "sync", lambda disk, descriptor: SYNCED.sync(disk, descriptor))


def intents(log: Path) -> Iterator[Intent]:
    """The intents of a log, in their order."""
    numbers = segment_numbers(log)
    for index in numbers:
        path, at = log / segment_name(index), 0
        for body in bodies(log, index, last=index == numbers[-1]):
            at += FRAME.size + len(body)
            entry = entry_of(body, index, path.name)
            if entry.kind == "intent":
                nonce, channel, permits = (entry.members[name] for name in ("nonce", "channel", "permits"))
                assert isinstance(channel, int)
                yield Intent(str(nonce), channel, str(permits), SYNCED.since_ns(path, at))


def without_intent(events: Iterable[Event], logs: Iterable[Path]) -> list[Event]:
    """The events by which an owned generator began to energise without an intent of its own: one of that owner, channel
    and output that was on the disk before and had not been used.
    """
    unused = [intent for log in logs for intent in intents(log)]
    owner, found = 0, []
    for event in events:
        if event.kind == "owner":
            owner = int(str(event.detail["session"]))
        elif event.kind == "phase" and owner and (permits := PERMITS.get(str(event.detail["now"]))) is not None:
            fitting = [
                intent
                for intent in unused
                if intent.nonce.startswith(f"{owner:04x}-")
                and (intent.channel, intent.permits) == (event.detail["channel"], permits)
                and intent.durable_ns is not None
                and intent.durable_ns <= event.monotonic_ns
            ]
            if fitting:
                unused.remove(fitting[0])
            else:
                found.append(event)
    return found
