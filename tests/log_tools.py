"""A record as a test looks at it: what it tells, line by line, and copies that were cut, changed or signed anew."""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rfctl.kernel import journal
from rfctl.record.body import FRAME, framed
from rfctl.record.epochs import Epoch, Signer, generate, write_public_key
from rfctl.record.notes import encode64
from rfctl.record.segments import Entry
from rfctl.record.story import story
from rfctl.record.tree import Tree, leaf_hash
from rfctl.record.verify import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


LEFT_BY_A_KILL = frozenset({Outcome.OPEN_TAIL, Outcome.UNCLEAN_END})
"""What a record is whose writer was killed: its last record is whole, or torn."""
OWN_KINDS = frozenset({"segment", "epoch", "recovered", "chunk", "checkpoint", "segment_close", "clock"})


def lines(record: Path) -> list[dict[str, Any]]:
    """What the sessions of a log tell, beginning with ``session``: each payload with ``kind`` and ``t``. Readings are
    ``sample`` with ``v``, the values and the routine decision; decisions have their event in any case.
    """
    found: list[dict[str, Any]] = []
    for told in story(record):
        if isinstance(told, Entry):
            if told.kind not in OWN_KINDS:
                found.append({"kind": told.kind, "t": told.t_ns, **told.members})
        elif told.routine:
            values = journal.event_values(told.event)[1]
            found.append({"kind": "sample", "t": told.event.now_ns, "v": [values, told.decided]})
        else:
            event = journal.event_values(told.event)
            found.append({"kind": "decision", "t": told.event.now_ns, "event": event, "effects": told.decided})
    return found


def of_kind(record: Path, kind: str) -> list[dict[str, Any]]:
    """Those of one kind."""
    return [line for line in lines(record) if line["kind"] == kind]


def is_closed(record: Path) -> bool:
    """Whether the newest segment was closed."""
    tail = max(record.glob("*.seg")).read_bytes()[-4000:]
    return b'"kind":"segment_close"' in tail


def copied(record: Path, folder: Path) -> Path:
    """The log and its public key in another folder, writable."""
    copy = folder / record.name
    shutil.copytree(record, copy)
    for path in copy.iterdir():
        path.chmod(0o640)
    shutil.copy(record.with_suffix(".pub"), folder)
    return copy


def segment(record: Path) -> Path:
    """The file of the only segment."""
    (path,) = record.glob("*.seg")
    return path


def bodies(data: bytes) -> Iterator[bytes]:
    """The records in the bytes of a segment."""
    at = 0
    while at < len(data):
        length, crc = FRAME.unpack_from(data, at)
        body = data[at + FRAME.size : at + FRAME.size + length]
        assert zlib.crc32(body) == crc
        yield body
        at += FRAME.size + length


def signed_anew(record: Path, change: Callable[[bytes], bytes]) -> None:
    """Change bodies, and chain and sign the log of one session anew with keys of our own, the public one beside it."""
    path, tree, prev, epoch = segment(record), Tree(), "0" * 64, None
    root = Signer(json.loads(next(bodies(path.read_bytes())))["payload"]["origin"], generate())
    made = []
    for old in bodies(path.read_bytes()):
        body = change(old)[:-66].decode("ascii")
        kind = json.loads(old)["kind"]
        if kind == "epoch":
            epoch = Epoch.begin(root, 1, start=0, prev=None, not_before=datetime(2020, 1, 1, tzinfo=UTC))
            body = f'{body[: body.index("certificate") + 14]}{encode64(epoch.note)}"}},"prev":"'
        elif kind == "checkpoint":
            assert epoch is not None
            begun = body[: body.index('"note":"') + 8]
            covered = encode64(hashlib.sha256(begun.encode("ascii")).digest())
            text = f"{root.origin}\n{tree.size}\n{encode64(tree.root())}\n{covered}\n"
            body = f'{begun}{encode64(epoch.sign(text.encode("ascii")))}"}},"prev":"'
        elif kind == "segment_close":
            body = f'{body[: body.index("root") + 7]}{tree.root().hex()}"}},"prev":"'
        whole = f'{body}{prev}"}}'.encode("ascii")
        made.append(framed(whole))
        leaf = leaf_hash(whole)
        tree.append(leaf)
        prev = leaf.hex()
    path.write_bytes(b"".join(made))
    record.with_suffix(".pub").unlink()
    write_public_key(record.with_suffix(".pub"), root.public)
