"""What a witness is told of a log: the hashes of its records, its newest checkpoint, the certificates of its epochs.

Nothing is verified here; the witness does, and whoever verifies the log.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from rfctl.errors import ConfigError
from rfctl.record.tree import Leaves, Tree
from rfctl_verify.files import Unreadable, opened
from rfctl_verify.folder import look
from rfctl_verify.frames import Frames
from rfctl_verify.merkle import leaf_hash
from rfctl_verify.note import BadNote, canonical_base64
from rfctl_verify.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path

_KIND = re.compile(rb'"kind":"([a-z0-9_]+)"')
_CERTIFYING = {b"epoch", b"countersigned"}


class LogTree(NamedTuple):
    """One log.

    Attributes:
        leaves: Hash of every record; of those that were retired only the roots in their stub.
        checkpoint: The newest checkpoint, a signed note.
        certificates: Of its epochs, in order; where the root countersigned one, that one too.
    """

    leaves: Leaves
    checkpoint: bytes
    certificates: list[bytes]


def read(log: Path) -> LogTree:
    """Read a log. A torn end is left out.

    Raises:
        ConfigError: The folder is no log, has no checkpoint.
    """
    leaves: list[bytes] = []
    checkpoint, certificates = b"", []
    try:
        folder = look(log)
        retired = folder.retired
        before = Tree(retired.size, retired.peaks) if retired is not None else None
        for index in range(folder.first, folder.end):
            with opened(folder.segment(index), through_links=False) as file:
                for body in Frames(file).bodies():
                    leaves.append(leaf_hash(body))
                    found = _KIND.search(body)  # the first: no member before it can hold these quotes unescaped
                    kind = found[1] if found is not None else b""
                    if kind == b"checkpoint":
                        checkpoint = canonical_base64(json.loads(body)["payload"]["note"])
                    elif kind in _CERTIFYING:
                        certificates.append(canonical_base64(json.loads(body)["payload"]["certificate"]))
    except Unreadable as problem:
        raise ConfigError(problem.reason, where=str(problem.path), remedy="Give the folder of a log.") from None
    except (Problem, BadNote, ValueError, KeyError, TypeError) as problem:
        what = problem.detail if isinstance(problem, Problem) else "a record is not as the format has it"
        raise ConfigError(what, where=str(log), remedy="Verify the log.") from None
    if not checkpoint:
        raise ConfigError("has no checkpoint", where=str(log), remedy="Wait for the first.")
    return LogTree(Leaves(leaves, before), checkpoint, certificates)
