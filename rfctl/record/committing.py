"""Brings the records of a session to the disk, by one thread. What comes while a sync runs shares the next one.

After the first error of the disk nothing is written to its descriptors or synced again: after a failed fsync the kernel
may have dropped the very pages that failed, and a second fsync would report success without them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from rfctl.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rfctl.clock import Clock
    from rfctl.record.chain import Chain
    from rfctl.record.disk_thread import DiskThread
    from rfctl.record.store import Store

VIRTUAL: Final = "virtual"
"""The scale of a clock that stands still while this thread of control works; a paced one does not."""


@dataclass(slots=True)
class _Job:
    """What the thread does now.

    Attributes:
        hold: Of the clock, while the thread works.
        through: Number of appended records and readings that are in the files when it has succeeded.
        synced: It ends in a sync.
        oldest_ns: When the oldest thing that it writes was appended; None when it only syncs.
        head: The newest checkpoint in the files when it has succeeded.
    """

    hold: AbstractContextManager[None]
    through: int
    synced: bool
    oldest_ns: int | None
    head: bytes


class Committing:
    """The way to the disk. Every method belongs to the thread of the loop that created it.

    Attributes:
        written: How many appended records and readings are in the files.
        durable: How many are on the disk.
        refused: The disk refused: nothing is asked of it again.
    """

    def __init__(
        self,
        chain: Chain,
        store: Store,
        clock: Clock,
        thread: DiskThread,
        *,
        fail: Callable[[str], RecordError],
        heard: Callable[[bytes], None],
    ) -> None:
        """What ``chain`` begins with is on the disk already.

        Args:
            chain: Makes the records.
            store: Takes them.
            clock: Of the loop.
            thread: In which the store works.
            fail: Told why the record has failed; gives the failure.
            heard: Told of each checkpoint that has become durable.
        """
        self.written = self.durable = chain.appended
        self.refused = False
        self._chain = chain
        self._store = store
        self._clock = clock
        self._thread = thread
        self._loop = asyncio.get_running_loop()
        self._fail = fail
        self._heard = heard
        self._told_head = b""
        self._write_wanted = False
        self._sync_wanted = False
        self._job: _Job | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._idle: asyncio.Future[None] | None = None

    @property
    def oldest_ns(self) -> int | None:
        """When the oldest thing was appended that is not in the files; None when there is none."""
        oldest_ns = self._job.oldest_ns if self._job is not None else None
        return self._chain.oldest_ns if oldest_ns is None else oldest_ns

    async def synced(self) -> None:
        """Return when everything appended so far is on the disk.

        Raises:
            RecordError: The disk refused.
        """
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((self._chain.appended, waiter))
        self.want_sync()
        await waiter

    async def idle(self) -> None:
        """Return when the thread does nothing."""
        while self._job is not None:
            if self._idle is None:
                self._idle = self._loop.create_future()
            await asyncio.shield(self._idle)

    def flush(self) -> None:
        """Have what waits written, soon, without a sync."""
        if not self._chain.waits:
            return
        if self._job is None and self._clock.scale == VIRTUAL:
            self._write_here()
        else:
            self._write_wanted = True
            self._start()

    def want_sync(self) -> None:
        """Have everything appended so far written and synced, without waiting for that."""
        job = self._job
        if job is not None and job.synced and job.through >= self._chain.appended:
            return
        self._sync_wanted = True
        self._start()

    def _start(self) -> None:
        # The last place before the descriptor: whatever asks, a disk that refused is not asked again.
        if self._job is not None or self.refused:
            return
        hold = self._clock.hold()
        hold.__enter__()
        oldest_ns, through = self._chain.oldest_ns, self._chain.covered
        steps, head = self._chain.taken(), self._chain.checkpoint_note
        carry_out = partial(self._store.carry_out, steps, sync=self._sync_wanted, head=head)
        self._job = _Job(hold, through=through, synced=self._sync_wanted, oldest_ns=oldest_ns, head=head)
        self._write_wanted = self._sync_wanted = False
        self._thread.do(carry_out, self._finished)

    def _write_here(self) -> None:
        """A write without a sync where time is virtual: it stands still meanwhile, and the thread would cost more than
        all else between two writes.
        """
        oldest_ns, through = self._chain.oldest_ns, self._chain.covered
        try:
            self._store.carry_out(self._chain.taken(), sync=False)
        except OSError as problem:
            self._give_up(oldest_ns, problem)
        else:
            self.written = through

    def _finished(self, _: object, problem: BaseException | None) -> None:
        job, self._job = self._job, None
        assert job is not None  # noqa: S101 - only a job is finished
        job.hold.__exit__(None, None, None)
        if self._idle is not None:
            self._idle.set_result(None)
            self._idle = None
        if problem is not None:
            self._give_up(job.oldest_ns, problem)
            return
        self.written = job.through
        if job.synced:
            self.durable = job.through
            if job.head != self._told_head:
                self._told_head = job.head
                self._heard(job.head)
            waiting, self._waiting = self._waiting, []
            for through, waiter in waiting:
                if through > job.through:
                    self._waiting.append((through, waiter))
                elif not waiter.done():
                    waiter.set_result(None)
        if self._write_wanted or self._sync_wanted:
            self._start()

    def _give_up(self, oldest_ns: int | None, problem: BaseException) -> None:
        """The disk refused: nothing is written to its descriptors again, and the backlog stays as old as it is."""
        self.refused = True
        failed = self._fail(f"the disk refused: {problem}")
        if oldest_ns is not None:
            self._chain.oldest_ns = oldest_ns
        self._chain.drop()
        waiting, self._waiting = self._waiting, []
        for _, waiter in waiting:
            if not waiter.done():
                waiter.set_exception(again(failed))


def again(failed: RecordError) -> RecordError:
    """The failure as an exception of its own: one object raised twice would gather both tracebacks."""
    return RecordError(failed.what, where=failed.where, remedy=failed.remedy)
