"""One question for every format: is this record as it was written, and by whose word?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl_verify import format0
from rfctl_verify.folder import look
from rfctl_verify.known import Known
from rfctl_verify.log import Walk
from rfctl_verify.problem import Problem
from rfctl_verify.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rfctl_verify.heads import Head, Witness
    from rfctl_verify.public_key import Key

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
        walk = Walk(look(path), key, known.look)
        try:
            walk.to_the_end()
        finally:
            records = walk.records
    except Problem as problem:
        return Verdict(problem.outcome, records if problem.seq is None else problem.seq, problem.seq, problem.detail)
    outcome, detail = known.contradiction(walk) or _of_the_end(walk)
    anchor = known.anchor()
    if outcome is Outcome.VALID_UNANCHORED and anchor is not None:
        return Verdict(
            Outcome.VALID_ANCHORED,
            walk.records,
            None,
            _told(f"{anchor[0]} has seen {anchor[1]} records", walk),
            anchor[0],
        )
    return Verdict(outcome, walk.records, None, _told(detail, walk))


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
