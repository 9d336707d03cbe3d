"""Writes the log of a station: records made and chained on the loop, stored by one thread, durable when asked.

Appending never waits and never raises, because decisions to switch off are recorded on the way to switching off. The
first error of the disk ends the session's part of the log for good.
"""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError, RecordError
from rfctl.kernel import journal
from rfctl.kernel.events import Sampled
from rfctl.record import body
from rfctl.record.chain import STATION, Chain
from rfctl.record.committing import VIRTUAL, Committing, again
from rfctl.record.disk import Disk
from rfctl.record.disk_thread import DiskThread
from rfctl.record.opening import open_log
from rfctl.record.stamps import Stamps
from rfctl.record.store import Store
from rfctl.record.tree import Tree
from rfctl.record.values import members_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.events import Event
    from rfctl.record.epochs import Epoch
    from rfctl.record.opening import Keys

REQUIRED_HEADER: Final = ("station", "backend", "medium")
SEGMENT_BYTES: Final = 64 << 20
"""A segment that has grown to this, chunks counted, is closed and another begun."""
RESERVE_BYTES: Final = 8 << 20
"""Space kept for the records that close a session on a full disk."""
FLUSH_NS: Final = NS_PER_S // 2
CHECKPOINT_RF_NS: Final = 5 * NS_PER_S
CHECKPOINT_NS: Final = 60 * NS_PER_S

_OWN_KINDS: Final = frozenset(
    {"segment", "epoch", "recovered", "chunk", "checkpoint", "segment_close", "countersigned", "retired", "clock"}
)


class RecordWriter:
    """The writer of one session. Every method belongs to the thread of the loop that created it.

    Attributes:
        path: The folder of the log.
        failed: The first error, for ever; None while all is well.
        on_head: Told of each checkpoint that has become durable, a signed note, in the loop; must not wait.
    """

    path: Path
    failed: RecordError | None
    on_head: Callable[[bytes], None]

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        keys: Keys,
        epoch: Epoch,
        chain: Chain,
        lock: int,
        store: Store,
        disk: Disk,
        thread: DiskThread,
    ) -> None:
        """Use ``open``."""
        self.path = path
        self.failed = None
        self._clock = clock
        self._keys = keys
        self._epoch = epoch
        self._chain = chain
        self._store = store
        self._disk = disk
        self._lock = lock
        self._thread = thread
        self._inputs = 0
        self._lost = 0
        self._tend_due_ns = 0
        self.on_head = _unheard
        self._kinds: set[str] = set()
        self._committing = Committing(
            chain, store, clock, thread, fail=self._set_failed, heard=lambda head: self.on_head(head)
        )
        self._ended = False
        self._released = self._sealed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        keys: Keys,
        header: Mapping[str, object],
        disk: Disk | None = None,
        error: str = "",
        continues: Mapping[str, object] | None = None,
    ) -> Self:
        """Begin a session: when this returns, its segment with its first records and a checkpoint is on disk.

        A log that an earlier session left open is recovered first. There must be room for a reserve, so that a session
        which fills the disk can still be closed.

        Args:
            path: The folder of the log; made when it is not there.
            clock: Gives the time scale and the times of the records.
            keys: Whose log it is, and the key of the next epoch.
            header: What runs: ``station``, ``backend`` and ``medium``, then whatever describes it, hashes of plan and
                configuration above all. The writer adds time scale and software version.
            disk: Where it lies.
            error: What ended the session before, when that was the disk.
            continues: What the log says of a record that it begins behind; only before its first session.

        Raises:
            ConfigError: The log cannot be continued: it is in use, of another origin, or damaged; or it has begun.
            RecordError: The header lacks a member or cannot be written as JSON, or the disk refused.
        """
        missing = [name for name in REQUIRED_HEADER if name not in header]
        if missing:
            raise RecordError(f"the header lacks {', '.join(missing)}", where=str(path), remedy="State them.")
        disk = disk if disk is not None else Disk()
        stamps = Stamps(clock, str(header["backend"]))
        thread = DiskThread()
        with ExitStack() as undo:
            undo.callback(thread.end)
            try:
                with clock.hold():
                    standing = await thread.run(partial(open_log, path, keys, disk))
                    undo.callback(os.close, standing.lock)
                    if continues is not None:
                        if standing.tree.size:
                            raise ConfigError("has begun", where=str(path), remedy="Give the folder of a new log.")
                        standing.about["continues"] = dict(continues)
                    epoch = keys.begin(standing, clock.utc())
                    store = Store(path, disk, sync_chunks=clock.scale != VIRTUAL)
                    chain = Chain(str(path), clock, epoch, standing, stamps)
                    chain.begin_session(header, standing, error)
                    await thread.run(partial(store.carry_out, chain.taken(), sync=False))
                    undo.callback(store.close, finished=False)
                    writer = cls(
                        path,
                        clock=clock,
                        keys=keys,
                        epoch=epoch,
                        chain=chain,
                        lock=standing.lock,
                        store=store,
                        disk=disk,
                        thread=thread,
                    )
                    if not error:  # a session that only says why the one before ended lives on that one's reserve
                        await thread.run(partial(disk.reserve, body.state_folder(path) / body.RESERVE, RESERVE_BYTES))
            except OSError as problem:
                raise RecordError(
                    f"cannot be written: {problem.strerror or problem}",
                    where=str(path),
                    remedy="Check folder, permissions and space; nothing is energised meanwhile.",
                ) from None
            undo.pop_all()
        return writer

    @property
    def head(self) -> bytes:
        """The newest checkpoint, a signed note."""
        return self._chain.checkpoint_note

    @property
    def origin(self) -> str:
        """Of the log."""
        return self._chain.origin

    @property
    def epoch(self) -> int:
        """Number of the session's epoch, by which the session is found in the log."""
        return self._epoch.certificate.epoch

    @property
    def root(self) -> bytes:
        """Over all records appended so far."""
        return self._chain.tree.root()

    @property
    def size(self) -> int:
        """Records appended to the log so far, those of earlier sessions counted."""
        return self._chain.tree.size

    def append(
        self, kind: str, t_ns: int, payload: Mapping[str, object], *, significant: bool = False, actor: str = STATION
    ) -> None:
        """Add a record. Never waits, never raises; what cannot be recorded fails the record.

        Args:
            kind: A word of lower-case letters, digits and underscores, none of the log's own.
            t_ns: Monotonic time of what it says, ns: ``t_ns`` of the payload.
            payload: Its other members, with a JSON form.
            significant: Write and sync it at once, without waiting for that.
            actor: Who did it.
        """
        if self.failed is not None or self._ended:
            self._lost += 1
            return
        try:
            if "t_ns" in payload:
                raise ValueError("t_ns is a name of the record itself")
            if kind not in self._kinds:
                if body.KIND.fullmatch(kind) is None or kind in _OWN_KINDS:
                    raise ValueError("a kind is a word of a to z, 0 to 9 and _, and none of the log's own")
                self._kinds.add(kind)
            self._chain.cut_chunk()  # so that the log tells everything in its order
            self._chain.record(kind, f'{{"t_ns":"{t_ns:d}"{members_text(payload)}}}', actor)
        except (TypeError, ValueError, RecursionError) as problem:
            self._refuse(kind, problem)
            return
        if significant:
            self._committing.want_sync()

    def decided(self, event: Event, effects: tuple[Effect, ...], *, significant: bool, actor: str = STATION) -> None:
        """Add a decision: what the kernel heard and what came of it. As ``append``.

        A reading goes into the chunk, together with its decision where that is routine.
        """
        if self.failed is not None or self._ended:
            self._lost += 1
            return
        number = self._inputs
        self._inputs = number + 1
        heard: list[object] | None = None
        if isinstance(event, Sampled):
            try:
                if self._chain.reading(number, event, effects):
                    return
            except (TypeError, ValueError, struct.error) as problem:
                self._refuse("chunk", problem)
                return
        else:
            heard = journal.event_values(event)
        payload = {"input": number, "event": heard, "effects": [journal.effect_values(effect) for effect in effects]}
        self.append("decision", event.now_ns, payload, significant=significant, actor=actor)

    def checkpoint(self, why: str) -> None:
        """Sign what has been appended so far, and have it written. ``why`` is a word."""
        if self.failed is not None or self._ended:
            return
        self._make(self._chain.cut_chunk, partial(self._chain.sign, why))
        if self._clock.scale == VIRTUAL:  # a sync takes longer than the seconds between two
            self.flush()
        else:
            self._committing.want_sync()

    def retired(self, segments: int, before: Tree) -> None:
        """Say that the segments before number ``segments``, with the records of that tree, are deleted; sign it."""
        if self.failed is not None or self._ended:
            return
        self._chain.record("retired", f'{{"segments":{segments},"size":{before.size},"root":"{before.root().hex()}"}}')
        self.checkpoint("retired")

    def tend(self, now_ns: int, *, energised: bool) -> None:
        """Once a cycle: the chunk of the last second, and the checkpoint that is due."""
        if now_ns - self._chain.checkpoint_ns >= (CHECKPOINT_RF_NS if energised else CHECKPOINT_NS):
            self.checkpoint("rf" if energised else "idle")
        elif now_ns >= self._tend_due_ns:
            self._tend_due_ns = now_ns + FLUSH_NS
            if now_ns >= self._chain.chunk_due_ns:
                self._make(self._chain.cut_chunk)
            if self._chain.segment_bytes >= SEGMENT_BYTES:
                self._make(self._chain.rotate)
            self.flush()

    def flush(self) -> None:
        """Have what is pending written, soon, without a sync: it then survives this process, not a power cut."""
        self._committing.flush()

    async def durable(self) -> None:
        """Return when everything appended so far is on disk: written, and fdatasync has returned.

        Callers that wait while a sync runs share the next one.

        Raises:
            RecordError: The record has failed; nothing more will be stored.
        """
        if self.failed is not None:
            raise again(self.failed)
        self._make(self._chain.cut_chunk)
        await self._synced()

    def backlog_ns(self, now_ns: int) -> int:
        """Age of the oldest record that is not in the files yet, ns; 0 when there is none. Readings count from when a
        record covers them, a second after they arrived at the latest.
        """
        oldest_ns = self._committing.oldest_ns
        return 0 if oldest_ns is None else now_ns - oldest_ns

    @property
    def unrecorded(self) -> int:
        """Records and readings that were appended and will not be in the log, because it had failed or ended."""
        return self._lost + (self._chain.appended - self._committing.written if self._committing.refused else 0)

    async def seal(self) -> None:
        """Close session and segment, sign them, and forget the key. What is appended from here on is lost and counted.

        Raises:
            RecordError: The record has failed or has ended; the segment stays open then.
        """
        if self._ended:
            raise RecordError("has ended already", where=str(self.path))
        try:
            if self.failed is not None:
                raise again(self.failed)
            self.append("session_close", self._clock.monotonic_ns(), {"inputs": self._inputs})
            self._make(partial(self._chain.close_segment, "session_close"))
            self._ended = True
            await self._synced()
            self._sealed = True
            with suppress(OSError, ConfigError):  # the log is on disk, whatever becomes of what lies beside it
                self._keys.end(self._epoch, size=self.size, checkpoint=self._chain.checkpoint_note)
            with suppress(OSError):
                self._disk.remove(body.state_folder(self.path) / body.RESERVE)
        finally:
            await self.close()

    async def close(self) -> None:
        """End where it stands: a segment that was not sealed stays open, and is recovered by the next. Idempotent."""
        if not self._ended and self.failed is None:
            self._make(self._chain.cut_chunk)
        self._ended = True
        self.flush()
        await self._committing.idle()
        if not self._released:
            self._released = True
            sealed = self._sealed and self.failed is None
            with self._clock.hold(), suppress(OSError):
                await self._thread.run(partial(self._store.close, finished=sealed))
            self._thread.end()
            with suppress(OSError):  # it is given up all the same
                os.close(self._lock)

    async def _synced(self) -> None:
        if self._committing.durable >= self._chain.appended:
            return
        if self._released:
            raise RecordError("has ended, its last records without a sync", where=str(self.path))
        await self._committing.synced()

    def _make(self, *makes: Callable[[], None]) -> None:
        """Records of the log's own; they fail it when the disk has not answered for too long."""
        try:
            for make in makes:
                make()
        except ValueError as problem:
            self._refuse("chunk", problem)

    def _refuse(self, kind: str, problem: Exception) -> None:
        """A record that has no form: the log ends before it. What was appended earlier is good and is stored."""
        self._lost += 1
        self._set_failed(f"a record of kind {kind!r} cannot be written: {problem}")
        self._committing.want_sync()

    def _set_failed(self, what: str) -> RecordError:
        if self.failed is None:
            self.failed = RecordError(
                what, where=str(self.path), remedy="The output goes off. Start again once the cause is gone."
            )
        return self.failed


def _unheard(_head: bytes) -> None:
    """Nobody wants to know."""
