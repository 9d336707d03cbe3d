"""One question for every format: is this record as it was written, and by whose word?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rfctl_verify import format0
from rfctl_verify.evidence import of_log_and_head, of_two_heads
from rfctl_verify.files import Unreadable, read_whole
from rfctl_verify.folder import Folder, look
from rfctl_verify.heads import MAX_HEADS, Head, Witness, read_heads, read_witness
from rfctl_verify.known import Contradiction, Known
from rfctl_verify.log import Walk
from rfctl_verify.note import BadNote
from rfctl_verify.problem import Problem
from rfctl_verify.public_key import Key, read_public_key
from rfctl_verify.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_KEY = 4096
_REMARKS = 20
"""How many remarks are told."""


def verify(path: Path, key: Key, *, heads: Sequence[Head] = (), witnesses: Sequence[Witness] = ()) -> Verdict:
    """Verify a record as signed by the holder of ``key`` for the key's origin: a folder, or a file in format 0.

    Args:
        path: The folder of a log, or the file of one procedure in format 0.
        key: The root's public key; in format 0 the key that signed the seal.
        heads: What is known of the log from elsewhere, all of the key's origin. Format 0 knows none.
        witnesses: Whose cosignatures on heads count.

    Raises:
        Unreadable: The path cannot be read. Nothing that a record holds raises.
    """
    if not path.is_dir():
        return format0.verify(path, key)
    known = Known(heads, witnesses)
    records = 0
    try:
        folder = look(path)
        walk = Walk(folder, key, known.look)
        try:
            walk.to_the_end()
        finally:
            records = walk.records
    except Problem as problem:
        return Verdict(problem.outcome, records if problem.seq is None else problem.seq, problem.seq, problem.detail)
    against = known.contradiction(walk)
    if against is not None:
        proof = _evidence(folder, key, against)
        return Verdict(against.outcome, walk.records, None, _told(against.detail, walk), evidence=proof)
    outcome, detail = _of_the_end(walk)
    anchor = known.anchor()
    if outcome is Outcome.VALID_UNANCHORED and anchor is not None:
        by, size = anchor
        detail = f"{by} has seen {size} records, {walk.records - size} came after"
        return Verdict(Outcome.VALID_ANCHORED, walk.records, None, _told(detail, walk), by)
    return Verdict(outcome, walk.records, None, _told(detail, walk))


def verify_files(record: Path, key: Path, *, heads: Sequence[Path] = (), witnesses: Sequence[str] = ()) -> Verdict:
    """As ``verify``, with everything in files but the witnesses, which are verifier keys or files that hold one.

    Raises:
        Unreadable: One of them cannot be read, or is not what it has to be.
    """
    public_key = read_public_key(key)
    found = [head for path in heads for head in read_heads(path, public_key.origin)]
    if len(found) > MAX_HEADS:
        raise Unreadable(heads[-1], f"makes more than {MAX_HEADS} heads")
    return verify(record, public_key, heads=found, witnesses=[_witness(text) for text in witnesses])


def _witness(text: str) -> Witness:
    try:
        return read_witness(text)
    except BadNote:
        path = Path(text)
        try:
            return read_witness(read_whole(path, _LONGEST_KEY).decode("ascii"))
        except (BadNote, UnicodeDecodeError):
            raise Unreadable(path, "holds no verifier key of a witness, NAME+KEYID+KEY") from None


def _evidence(folder: Folder, key: Key, against: Contradiction) -> str | None:
    if against.head is None:
        return None
    if against.other is not None:
        return of_two_heads(folder, key, against.head.raw, against.other.raw)
    return of_log_and_head(folder, key, against.head.raw, against.root)


def _told(detail: str, walk: Walk) -> str:
    return "; ".join([detail, *walk.remarks[:_REMARKS]])


def _of_the_end(walk: Walk) -> tuple[Outcome, str]:
    behind = walk.records - walk.covered
    if not walk.sealed:
        return Outcome.UNSEALED, "the last segment has no checkpoint: no signature covers it"
    if walk.torn or walk.closing:
        return Outcome.UNCLEAN_END, f"the end is torn; {behind} records behind the last checkpoint have no signature"
    if not walk.closed:
        return Outcome.OPEN_TAIL, f"{behind} records behind the last checkpoint have no signature"
    if walk.clocks.count:
        return Outcome.CLOCK_ANOMALY, f"{walk.clocks.count} times: {'; '.join(walk.clocks.anomalies)}"
    return Outcome.VALID_UNANCHORED, "every record is as signed, and nobody else has seen the head"
