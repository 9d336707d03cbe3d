"""Where a log stands before a session, and the note of it beside the log, so that less is read before the next one."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from rfctl.errors import RfctlError
from rfctl.record import stub
from rfctl.record.body import FORMAT, NO_LEAF, chunk_name, segment_name, state_folder
from rfctl.record.notes import VerifierKey, decode64, encode64, parse
from rfctl.record.segments import bodies, segment_numbers
from rfctl.record.tree import Tree, leaf_hash
from rfctl_verify import strict_json

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.record.disk import Disk

NOTE: Final = "standing"
"""Its name in the folder beside the log."""


@dataclass(slots=True)
class Standing:
    """Where a log stands before a session.

    Attributes:
        index: Number of the segment to begin.
        tree: Over all its records.
        prev: Leaf hash of the last record, hex.
        epoch: Number of the last epoch, 0 before the first.
        last_checkpoint: SHA-256 of the newest checkpoint note; empty before the first.
        first: Number of the first segment that was not retired.
        recovered: Members of the ``recovered`` record, where the session before left its segment open.
        about: What the first segment says of the log.
        certificates: Notes of its epochs that were not retired, by number.
        confirmed: Numbers of chained epochs that the log says the root countersigned.
        countersigned: Certificates of chained epochs, countersigned by the root, that the session has to record.
        turn: Number of the old segment that the next session reads once more, from the newest down.
        lock: Descriptor that keeps others out of the log.
    """

    index: int = 0
    tree: Tree = field(default_factory=Tree)
    prev: str = NO_LEAF
    epoch: int = 0
    last_checkpoint: bytes = b""
    first: int = 0
    recovered: dict[str, object] | None = None
    about: dict[str, object] = field(default_factory=dict)
    certificates: dict[int, bytes] = field(default_factory=dict)
    confirmed: set[int] = field(default_factory=set)
    countersigned: list[bytes] = field(default_factory=list)
    turn: int = -1
    lock: int = -1

    def only_chained(self, root: VerifierKey) -> list[int]:
        """Numbers of the epochs that the root has not signed for, neither at first nor later."""
        return [
            number
            for number, note in self.certificates.items()
            if number not in self.confirmed and not parse(note).signed_by(root)
        ]


def keep(log: Path, standing: Standing, root: VerifierKey, disk: Disk) -> None:
    """Note it. The note may be lost: then the whole log is read once more."""
    members = {
        "index": standing.index,
        "size": standing.tree.size,
        "nodes": [node.hex() for node in standing.tree.nodes],
        "prev": standing.prev,
        "epoch": standing.epoch,
        "last_checkpoint": standing.last_checkpoint.hex(),
        "chained": {number: encode64(standing.certificates[number]) for number in standing.only_chained(root)},
        "first": standing.first,
        "turn": standing.turn,
        "bytes": _bytes_of(log, range(standing.first, standing.index)),
    }
    with suppress(OSError):
        disk.keep(state_folder(log) / NOTE, json.dumps(members).encode("ascii"))


def load(log: Path, origin: str, *, before: int) -> Standing | None:
    """What was noted, if the log can be gone on with from there. Nothing in it is believed but what the log bears out.

    The segment that began then states the root over all records before it, and names the last of them; the hashes that
    are noted have to add up to that root. Its own records are still to be read, up to a head that this station has
    signed, which binds it. The files before it have to be there in their length. One of them, each time the next, is
    read as well: its records have to continue one another up to what follows it.

    Args:
        log: The folder.
        origin: That it has to be of.
        before: Size of that head.

    Returns:
        None where any of this is missing or different: the whole log has to be read.
    """
    try:
        note: Any = strict_json.parse((state_folder(log) / NOTE).read_bytes())
        retired = stub.read(log)
        first = retired.segments if retired is not None else 0
        found = Standing(
            index=note["index"],
            tree=Tree(note["size"], map(bytes.fromhex, note["nodes"])),
            prev=note["prev"],
            epoch=note["epoch"],
            last_checkpoint=bytes.fromhex(note["last_checkpoint"]),
            first=first,
            certificates={int(number): decode64(text) for number, text in note["chained"].items()},
        )
        for certificate in found.certificates.values():
            parse(certificate)
        there = note["bytes"][first - note["first"] :]
        if not note["first"] <= first < found.index or found.tree.size >= before:
            return None
        if there != _bytes_of(log, range(first, found.index)) or not _begins_there(log, origin, found):
            return None
        turn = note["turn"] if first <= note["turn"] < found.index else found.index - 1
        if not _is_chained(log, turn):
            return None
        found.turn = turn - 1
    except (OSError, RfctlError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found


def _begins_there(log: Path, origin: str, standing: Standing) -> bool:
    """The segment that began then says so."""
    body = _first_of(log, standing.index)
    size, root = standing.tree.size, standing.tree.root().hex()
    opening, _, payload = body.partition(b',"payload":')
    states = f'{{"format":"{FORMAT}","origin":"{origin}","index":{standing.index},"size":{size},"root":"{root}",'
    return (
        opening.startswith(b'{"seq":%d,' % size)
        and payload.startswith(states.encode("ascii"))
        and body[-66:-2] == standing.prev.encode("ascii")
    )


def _first_of(log: Path, index: int) -> bytes:
    """The first record of a segment; empty where it has none."""
    return next(bodies(log, index, last=index == max(segment_numbers(log))), b"")


def _is_chained(log: Path, index: int) -> bool:
    """From the first record of a segment to the first of the next, each holds the hash of the one before it."""
    prev = None
    for body in chain(bodies(log, index, last=False), (_first_of(log, index + 1),)):
        if prev is not None and body[-66:-2] != prev:
            return False
        prev = leaf_hash(body).hex().encode("ascii")
    return True


def _bytes_of(log: Path, numbers: range) -> list[list[int]]:
    """Of each segment how long its records are, and its readings."""
    return [[_length(log / segment_name(number)), _length(log / chunk_name(number))] for number in numbers]


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
