"""What stands in a log in place of its oldest segments once they were deleted on purpose: ``retired.json``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from rfctl.errors import ConfigError
from rfctl.record.segments import opened
from rfctl.record.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "retired.json"
MAX_BYTES: Final = 8192
_SEGMENT_FILE: Final = re.compile(r"([0-9]{8})\.(?:seg|chunk)(?:\.torn)?", re.ASCII)


class Stub(NamedTuple):
    """Where the log stood before the first segment that is left.

    Attributes:
        segments: Number of that segment.
        tree: Over the records before it.
        epoch: Of the last of them.
        last_leaf: Its leaf hash, hex.
        last_checkpoint: SHA-256 of the last checkpoint note among them, hex.
    """

    segments: int
    tree: Tree
    epoch: int
    last_leaf: str
    last_checkpoint: str

    def text(self) -> bytes:
        """As it stands in the file."""
        members = {
            "segments": self.segments,
            "size": self.tree.size,
            "epoch": self.epoch,
            "root": self.tree.root().hex(),
            "last_leaf": self.last_leaf,
            "last_checkpoint": self.last_checkpoint,
            "nodes": [node.hex() for node in self.tree.nodes],
        }
        return json.dumps(members, separators=(",", ":")).encode("ascii") + b"\n"


def read(log: Path) -> Stub | None:
    """The stub of a log; None where nothing was retired.

    Raises:
        ConfigError: It is none, or contradicts itself.
    """
    path = log / NAME
    if not path.exists():
        return None
    with opened(path) as file:
        text = file.read(MAX_BYTES)
    try:
        members = json.loads(text)
        tree = Tree(members["size"], map(bytes.fromhex, members["nodes"]))
        stub = Stub(members["segments"], tree, members["epoch"], members["last_leaf"], members["last_checkpoint"])
        if stub.text() != text:
            raise ValueError("it contradicts itself")
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ConfigError(
            f"does not say what was retired: {problem!r}", where=str(path), remedy="Keep the log, and verify it."
        ) from None
    return stub


def retired_files(log: Path, segments: int) -> list[Path]:
    """The files that are there of the segments before number ``segments``, oldest first."""
    return sorted(
        path
        for path in log.iterdir()
        if (match := _SEGMENT_FILE.fullmatch(path.name)) is not None and int(match[1]) < segments
    )
