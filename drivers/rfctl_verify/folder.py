"""The files of a log: which there are, and what stands in place of those that were deleted on purpose."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rfctl_verify.files import Unreadable, opened
from rfctl_verify.forms import RETIRED_FILE
from rfctl_verify.merkle import node_hash
from rfctl_verify.problem import corrupt, modified

if TYPE_CHECKING:
    from pathlib import Path

MAX_SEGMENTS = 1_000_000
_NAME = re.compile(r"([0-9]{8})\.(seg|chunk|seg\.torn|chunk\.torn)")
_RETIRED = "retired.json"
_RETIRED_BYTES = 8192
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Retired:
    """What is known of the records that are no longer there.

    Attributes:
        segments: How many segments.
        size: How many records.
        epoch: The epoch of the last of them.
        root: Root of these records.
        last_leaf: Leaf hash of the last of them, hex.
        last_checkpoint: Hash of the last checkpoint note among them.
        peaks: Roots of the perfect subtrees, largest first.
    """

    segments: int
    size: int
    epoch: int
    root: bytes
    last_leaf: bytes
    last_checkpoint: bytes
    peaks: tuple[bytes, ...]


@dataclass(slots=True)
class Folder:
    """A log's files.

    Attributes:
        path: The folder.
        retired: What stands in place of the first segments.
        first: Number of the first segment.
        end: One more than the number of the last.
        chunks: Segments that have a chunk file.
        torn: Names of files that recovery cut off.
    """

    path: Path
    retired: Retired | None = None
    first: int = 0
    end: int = 0
    chunks: set[int] = field(default_factory=set)
    torn: set[str] = field(default_factory=set)

    def segment(self, index: int) -> Path:
        """Path of a segment."""
        return self.path / f"{index:08}.seg"

    def chunk(self, index: int) -> Path:
        """Path of a segment's chunk file."""
        return self.path / f"{index:08}.chunk"


def look(path: Path) -> Folder:
    """List the folder and make sure that it holds the files of a log and nothing else.

    Raises:
        Problem: A foreign name, a link, no segments, or one is missing.
        Unreadable: The folder cannot be read.
    """
    folder = Folder(path)
    segments: set[int] = set()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                _sort(folder, segments, entry)
    except OSError as problem:
        raise Unreadable(path, f"cannot be read: {problem.strerror}") from None
    if folder.retired is not None:
        folder.first = folder.retired.segments
    others = segments | folder.chunks | {int(name[:8]) for name in folder.torn}
    if others and min(others) < folder.first:
        raise modified(None, f"{min(others):08} is there and was retired")
    if not segments:
        raise corrupt(None, "there is no segment in the folder")
    folder.end = max(segments) + 1
    if len(segments) != folder.end - folder.first:
        missing = next(index for index in range(folder.first, folder.end) if index not in segments)
        raise corrupt(None, f"segment {missing:08} is missing")
    if max(others) >= folder.end:
        raise modified(None, f"{max(others):08} has no segment")
    return folder


def _sort(folder: Folder, segments: set[int], entry: os.DirEntry[str]) -> None:
    if not entry.is_file(follow_symlinks=False):
        raise modified(None, f"{entry.name[:80]!r} is no regular file")
    if entry.name == _RETIRED:
        folder.retired = _read_retired(folder.path / _RETIRED)
        return
    name = _NAME.fullmatch(entry.name)
    if name is None:
        raise modified(None, f"{entry.name[:80]!r} is no file of a log")
    if name[2] == "seg":
        segments.add(int(name[1]))
    elif name[2] == "chunk":
        folder.chunks.add(int(name[1]))
    else:
        folder.torn.add(entry.name)
    if len(segments) + len(folder.chunks) + len(folder.torn) > 4 * MAX_SEGMENTS or len(segments) > MAX_SEGMENTS:
        raise corrupt(None, f"there are more than {MAX_SEGMENTS} segments")


def _read_retired(path: Path) -> Retired:
    with opened(path, through_links=False) as file:
        fields = RETIRED_FILE.fullmatch(file.read(_RETIRED_BYTES))
    if fields is None:
        raise modified(None, f"{_RETIRED} has another form")
    segments, size, epoch = (int(fields[place]) for place in (1, 2, 3))
    root, checkpoint = bytes.fromhex(fields[4].decode()), bytes.fromhex(fields[6].decode())
    peaks = tuple(bytes.fromhex(each.strip('"')) for each in fields[7].decode().split(","))
    folded = peaks[-1]
    for peak in reversed(peaks[:-1]):
        folded = node_hash(peak, folded)
    if not (segments and epoch and size.bit_count() == len(peaks) and folded == root):
        raise modified(None, f"{_RETIRED} contradicts itself")
    return Retired(segments, size, epoch, root, fields[5], checkpoint, peaks)


def length_and_hash(path: Path) -> tuple[int, bytes]:
    """Of a file that recovery cut off, its hash in hex.

    Raises:
        Unreadable: It cannot be read.
    """
    sha256, length = hashlib.sha256(), 0
    with opened(path, through_links=False) as file:
        while block := file.read(_BLOCK_BYTES):
            sha256.update(block)
            length += len(block)
    return length, sha256.hexdigest().encode()
