"""Writes a record: a chain of lines made on the loop, stored by one thread, durable when asked.

Appending never waits and never raises, because decisions to switch off are recorded on the way to switching off. The
first error of the disk ends the record for good: after a failed fsync the kernel may have dropped the very pages that
failed, and a second fsync would report success without them.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Self

from rfctl import __version__
from rfctl.errors import ConfigError, RecordError
from rfctl.record import layout
from rfctl.record.boot import boot_id
from rfctl.record.values import members_text, numbers_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from rfctl.clock import Clock

REQUIRED_HEADER = ("station", "backend", "medium")
VIRTUAL = "virtual"
"""The scale of a clock that stands still while this thread of control works; a paced one does not."""
MAX_PENDING_BYTES = 16 << 20
"""Lines kept while the disk does not answer: some ten minutes of four channels at 20 Hz. Beyond it the record has
failed; the interlock on the backlog ended the procedure long before."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OWN_KINDS = frozenset({"open", "seal"})


@dataclass(slots=True)
class _Job:
    """What the thread does now.

    Attributes:
        future: Done on the loop when the thread is done.
        through: Number of lines in the file when it has succeeded.
        synced: It ends in fdatasync.
        oldest_ns: When the oldest line that it writes was appended; None when it only syncs.
    """

    future: asyncio.Future[None]
    through: int
    synced: bool
    oldest_ns: int | None


class RecordWriter:
    """The writer of one record. Every method belongs to the thread of the loop that created it.

    Attributes:
        path: The file.
        failed: The first error, for ever; None while all is well.
    """

    path: Path
    failed: RecordError | None

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        signing_key: Ed25519PrivateKey,
        origin: str,
        descriptor: int,
        thread: ThreadPoolExecutor,
        first_line: bytes,
    ) -> None:
        """Go on after ``first_line``, which is durable in ``descriptor``. Use ``create``."""
        self.path = path
        self.failed = None
        self._clock = clock
        self._signing_key = signing_key
        self._origin = origin
        self._descriptor = descriptor
        self._thread = thread
        self._loop = asyncio.get_running_loop()
        self._head = hashlib.sha256(first_line).hexdigest()
        self._lines = self._written = self._durable = 1
        self._lost = 0
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._oldest_ns: int | None = None
        self._kinds: set[str] = set()
        self._write_wanted = False
        self._sync_wanted = False
        self._job: _Job | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._disk_refused = False
        self._ended = False
        self._released = False

    @classmethod
    async def create(
        cls, path: Path, *, clock: Clock, signing_key: Ed25519PrivateKey, header: Mapping[str, object]
    ) -> Self:
        """Start a record: when this returns, the file, its first line and its name in the folder are on disk.

        Args:
            path: A file that does not exist yet, in a folder that does.
            clock: Gives the time scale, the wall time and the times of the writer's own lines.
            signing_key: Signs the seal; its public half goes into the first line.
            header: Members of the first line: ``station``, ``backend`` and ``medium``, then whatever describes the
                run, hashes of plan and configuration above all. The writer adds format, origin, public key, time
                scale, boot identity, wall time and software version.

        Raises:
            ConfigError: The file exists, or the station's name cannot be an origin.
            RecordError: The header lacks a member or cannot be written as JSON, or the disk refused.
        """
        missing = [name for name in REQUIRED_HEADER if name not in header]
        if missing:
            raise RecordError(f"the header lacks {', '.join(missing)}", where=str(path), remedy="State them.")
        origin = layout.origin_of(str(header["station"]))
        now_ns, utc = clock.monotonic_ns(), clock.utc()
        members = {
            "format": layout.FORMAT,
            "origin": origin,
            "public_key": signing_key.public_key().public_bytes_raw().hex(),
            "software": f"rfctl {__version__}",
            "time_scale": clock.scale,
            "boot_id": boot_id(),
            "utc": utc.isoformat(),
            "wall_offset_ns": (utc - _EPOCH) // timedelta(microseconds=1) * 1000 - now_ns,
        }
        taken = sorted(header.keys() & (members.keys() | layout.RESERVED_MEMBERS))
        if taken:
            raise RecordError(f"the header cannot set {', '.join(taken)}", where=str(path), remedy="Rename them.")
        try:
            text = members_text({**members, **header})
        except (TypeError, ValueError, RecursionError) as problem:
            raise RecordError(f"the header has no JSON form: {problem}", where=str(path)) from None
        line = layout.line_bytes(0, layout.GENESIS, "open", now_ns, text)
        if len(line) > layout.MAX_LINE_BYTES:
            raise RecordError(f"the header has {len(line)} bytes, the most is {layout.MAX_LINE_BYTES}", where=str(path))
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rfctl-record")
        try:
            with clock.hold():
                descriptor = await asyncio.get_running_loop().run_in_executor(thread, _create_file, path, line)
        except FileExistsError:
            thread.shutdown()
            raise ConfigError("exists already", where=str(path), remedy="A record is never overwritten.") from None
        except OSError as problem:
            thread.shutdown()
            raise RecordError(
                f"cannot be created: {problem.strerror}", where=str(path), remedy="Check folder, permissions and space."
            ) from None
        return cls(
            path,
            clock=clock,
            signing_key=signing_key,
            origin=origin,
            descriptor=descriptor,
            thread=thread,
            first_line=line,
        )

    def append(self, kind: str, t_ns: int, payload: Mapping[str, object], *, significant: bool = False) -> int:
        """Add a line. Never waits, never raises; what cannot be recorded fails the record.

        Args:
            kind: A word of lower-case letters, digits and underscores, not ``open`` or ``seal``.
            t_ns: Monotonic time of what it says, ns.
            payload: Members with a JSON form, none of them named as in ``layout.RESERVED_MEMBERS``.
            significant: Write and sync it at once, without waiting for that.

        Returns:
            The line's number, also when the record has failed and the line is lost.
        """
        if self.failed is not None or self._ended:
            return self._lose()
        try:
            if not layout.RESERVED_MEMBERS.isdisjoint(payload):
                raise ValueError("seq, prev, kind, t and signature are names of the line itself")
            return self._chain(kind, t_ns, members_text(payload), significant)
        except (TypeError, ValueError, RecursionError) as problem:
            return self._refuse(kind, problem)

    def append_values(self, kind: str, t_ns: int, values: Sequence[object], *, significant: bool = False) -> int:
        """Add a line whose payload is one list ``v`` of numbers, booleans and None, nested or not (a reading).

        As ``append``, in half its time: nothing walks over the values but the encoder.
        """
        if self.failed is not None or self._ended:
            return self._lose()
        try:
            return self._chain(kind, t_ns, f',"v":{numbers_text(values)}', significant)
        except (TypeError, ValueError, RecursionError) as problem:
            return self._refuse(kind, problem)

    def flush(self) -> None:
        """Have what is pending written, soon, without a sync: it then survives this process, not a power cut."""
        if not self._pending:
            return
        if self._job is None and self._clock.scale == VIRTUAL:
            self._write_here()
        else:
            self._write_wanted = True
            self._start()

    async def durable(self) -> None:
        """Return when everything appended so far is on disk: written, and fdatasync has returned.

        Callers that wait while a sync runs share the next one.

        Raises:
            RecordError: The record has failed; nothing more will be stored.
        """
        if self.failed is not None:
            raise _again(self.failed)
        await self._synced()

    def backlog_ns(self, now_ns: int) -> int:
        """Age of the oldest line that is not in the file yet, ns; 0 when there is none.

        Lines wait for ``flush``, so it grows to the time between two flushes even on a perfect disk.
        """
        oldest_ns = self._job.oldest_ns if self._job is not None else None
        if oldest_ns is None:
            oldest_ns = self._oldest_ns
        return 0 if oldest_ns is None else now_ns - oldest_ns

    @property
    def unrecorded(self) -> int:
        """Lines that were appended and will not be in the file, because the record had failed or ended."""
        return self._lost + (self._lines - self._written if self._disk_refused else 0)

    async def seal(self) -> None:
        """Sign and end the record. Lines appended from here on are lost and counted.

        Raises:
            RecordError: The record has failed or has ended; it has no seal then.
        """
        if self._ended:
            raise RecordError("has ended already", where=str(self.path))
        try:
            if self.failed is not None:
                raise _again(self.failed)
            t_ns = self._clock.monotonic_ns()
            signature = self._signing_key.sign(layout.seal_message(self._origin, self._lines, t_ns, self._head))
            self._queue(layout.seal_line(self._lines, t_ns, self._head, signature))
            self._ended = True
            await self._synced()
        finally:
            await self.close()

    async def close(self) -> None:
        """End the record where it stands, without a seal: it will verify as UNCLEAN-END. Idempotent."""
        self._ended = True
        self.flush()
        while self._job is not None:
            await asyncio.wait([self._job.future])
        if not self._released:
            self._released = True
            self._thread.submit(os.close, self._descriptor)
            self._thread.shutdown()

    def _chain(self, kind: str, t_ns: int, members: str, significant: bool) -> int:
        if kind not in self._kinds:
            if layout.KIND.fullmatch(kind) is None or kind in _OWN_KINDS:
                raise ValueError("a kind is a word of a to z, 0 to 9 and _, and not open or seal")
            self._kinds.add(kind)
        seq = self._lines
        line = layout.line_bytes(seq, self._head, kind, t_ns, members)
        if len(line) > layout.MAX_LINE_BYTES:
            raise ValueError(f"it has {len(line)} bytes, the most is {layout.MAX_LINE_BYTES}")
        if self._pending_bytes + len(line) > MAX_PENDING_BYTES:
            raise ValueError(f"{self._pending_bytes} bytes wait for a disk that does not answer")
        self._queue(line)
        if significant:
            self._want_sync()
        return seq

    def _queue(self, line: bytes) -> None:
        self._head = hashlib.sha256(line).hexdigest()
        if not self._pending:
            self._oldest_ns = self._clock.monotonic_ns()
        self._pending.append(line)
        self._pending_bytes += len(line)
        self._lines += 1

    def _lose(self) -> int:
        self._lost += 1
        return self._lines + self._lost - 1

    def _refuse(self, kind: str, problem: Exception) -> int:
        """A line that has no form: the record ends before it. What was appended earlier is good and is stored."""
        self._set_failed(f"a line of kind {kind!r} cannot be recorded: {problem}")
        self._want_sync()
        return self._lose()

    async def _synced(self) -> None:
        if self._durable >= self._lines:
            return
        if self._released:
            raise RecordError("has ended, its last lines without a sync", where=str(self.path))
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((self._lines, waiter))
        self._want_sync()
        await waiter

    def _want_sync(self) -> None:
        job = self._job
        if job is not None and job.synced and job.through >= self._lines:
            return
        self._sync_wanted = True
        self._start()

    def _start(self) -> None:
        # The last place before the descriptor: whatever asks, a disk that refused is not asked again.
        if self._job is not None or self._disk_refused:
            return
        hold = ExitStack()
        hold.enter_context(self._clock.hold())
        future = self._loop.run_in_executor(
            self._thread, _store, self._descriptor, b"".join(self._pending), self._sync_wanted
        )
        self._job = _Job(future, through=self._lines, synced=self._sync_wanted, oldest_ns=self._oldest_ns)
        self._pending = []
        self._pending_bytes = 0
        self._oldest_ns = None
        self._write_wanted = self._sync_wanted = False
        future.add_done_callback(partial(self._finished, self._job, hold))

    def _write_here(self) -> None:
        """A write without a sync where time is virtual: it stands still meanwhile, and the thread would cost more than
        all else between two writes.
        """
        data, through, oldest_ns = b"".join(self._pending), self._lines, self._oldest_ns
        self._pending = []
        self._pending_bytes = 0
        self._oldest_ns = None
        try:
            _store(self._descriptor, data, sync=False)
        except OSError as problem:
            self._give_up(oldest_ns, problem)
        else:
            self._written = through

    def _finished(self, job: _Job, hold: ExitStack, future: asyncio.Future[None]) -> None:
        hold.close()
        self._job = None
        problem = future.exception()
        if problem is not None:
            self._give_up(job.oldest_ns, problem)
            return
        self._written = job.through
        if job.synced:
            self._durable = job.through
            waiting, self._waiting = self._waiting, []
            for through, waiter in waiting:
                if through > job.through:
                    self._waiting.append((through, waiter))
                elif not waiter.done():
                    waiter.set_result(None)
        if self._write_wanted or self._sync_wanted:
            self._start()

    def _give_up(self, oldest_ns: int | None, problem: BaseException) -> None:
        """The disk refused: nothing is written to this descriptor again, and the backlog stays as old as it is."""
        self._disk_refused = True
        failed = self._set_failed(f"the disk refused: {problem}")
        if oldest_ns is not None:
            self._oldest_ns = oldest_ns
        self._pending = []
        self._pending_bytes = 0
        waiting, self._waiting = self._waiting, []
        for _, waiter in waiting:
            if not waiter.done():
                waiter.set_exception(_again(failed))

    def _set_failed(self, what: str) -> RecordError:
        if self.failed is None:
            self.failed = RecordError(
                what, where=str(self.path), remedy="The output goes off. Start a new record once the cause is gone."
            )
        return self.failed


def _again(failed: RecordError) -> RecordError:
    """The failure as an exception of its own: one object raised twice would gather both tracebacks."""
    return RecordError(failed.what, where=failed.where, remedy=failed.remedy)


def _create_file(path: Path, first_line: bytes) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write(descriptor, first_line)
        os.fsync(descriptor)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _store(descriptor: int, data: bytes, sync: bool) -> None:
    if data:
        _write(descriptor, data)
    if sync:
        os.fdatasync(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    if written != len(data):
        raise OSError(errno.ENOSPC, f"wrote {written} of {len(data)} bytes, the disk is likely full")
