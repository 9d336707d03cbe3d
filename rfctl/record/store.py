"""Stores what the writer made: the segment that is open and its chunk file. Belongs to the writer's one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.record.body import HEAD, chunk_name, segment_name, state_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rfctl.record.disk import Disk


class Append(NamedTuple):
    """More bytes for the open segment and its chunk file."""

    records: bytes
    chunk: bytes


class Begin(NamedTuple):
    """A new segment, with its first records. The one before it is finished."""

    number: int
    records: bytes


class Store:
    """The files of the open segment."""

    def __init__(self, folder: Path, disk: Disk, *, sync_chunks: bool) -> None:
        """Nothing is open yet.

        Args:
            folder: The log.
            disk: Where it lies.
            sync_chunks: Sync a chunk before the record about it is written; not where time is virtual, for a sync a
                second would take longer than everything else.
        """
        self._folder = folder
        self._state = state_folder(folder)
        self._disk = disk
        self._sync_chunks = sync_chunks
        self._index = -1
        self._segment: int | None = None
        self._chunk: int | None = None
        self._chunk_unsynced = False
        self._kept = b""

    def carry_out(self, steps: Sequence[Append | Begin], *, sync: bool, head: bytes = b"") -> None:
        """Do all of it in order. After an error nothing more may be asked of these files.

        Args:
            steps: What to write.
            sync: Return when it is on the disk.
            head: The newest checkpoint among it, kept beside the log once it is on the disk; empty for none.

        Raises:
            OSError: The disk refused.
        """
        for step in steps:
            if isinstance(step, Begin):
                self._finish()
                self._begin(step)
            else:
                self._append(step)
        if sync:
            self._sync()
            if head != self._kept:
                self._disk.keep(self._state / HEAD, head)
                self._kept = head

    def close(self, *, finished: bool) -> None:
        """Give the descriptors up; a finished segment becomes read-only.

        Raises:
            OSError: The disk refused; the descriptors are given up all the same.
        """
        descriptors, self._segment, self._chunk = (self._segment, self._chunk), None, None
        for descriptor in descriptors:
            if descriptor is not None:
                self._disk.close(descriptor)
        if finished:
            self._freeze(with_chunk=descriptors[1] is not None)

    def _begin(self, step: Begin) -> None:
        unfinished = self._state / f"{segment_name(step.number)}.new"
        self._disk.remove(unfinished)
        segment = self._disk.create(unfinished)
        try:
            self._disk.write(segment, step.records)
            self._disk.sync(segment)
            self._disk.rename(unfinished, self._folder / segment_name(step.number))
        except OSError:
            self._disk.close(segment)
            raise
        self._segment, self._index = segment, step.number

    def _append(self, step: Append) -> None:
        assert self._segment is not None  # noqa: S101 - a segment is begun before anything else
        if step.chunk:
            if self._chunk is None:
                self._chunk = self._disk.create(self._folder / chunk_name(self._index))
                self._disk.sync_folder(self._folder)
            self._disk.write(self._chunk, step.chunk)
            self._chunk_unsynced = True
            if self._sync_chunks:
                self._sync_chunk()
        if step.records:
            self._disk.write(self._segment, step.records)

    def _sync_chunk(self) -> None:
        if self._chunk_unsynced and self._chunk is not None:
            self._disk.sync(self._chunk)
            self._chunk_unsynced = False

    def _sync(self) -> None:
        assert self._segment is not None  # noqa: S101 - a segment is begun before anything else
        self._sync_chunk()
        self._disk.sync(self._segment)

    def _finish(self) -> None:
        if self._segment is not None:
            self._sync()
            self.close(finished=True)

    def _freeze(self, *, with_chunk: bool) -> None:
        self._disk.freeze(self._folder / segment_name(self._index))
        if with_chunk:
            self._disk.freeze(self._folder / chunk_name(self._index))
