"""What ends a walk through a log."""

from __future__ import annotations

from rfctl_verify.verdict import Outcome


class Problem(Exception):
    """Something in the log is not as the format wants it.

    Attributes:
        outcome: The verdict that follows.
        seq: Position of the bad record; None where no record is to blame.
        detail: Why, for a person.
    """

    def __init__(self, outcome: Outcome, seq: int | None, detail: str) -> None:
        self.outcome = outcome
        self.seq = seq
        self.detail = detail
        super().__init__(detail)


def modified(seq: int | None, detail: str) -> Problem:
    """Some rule of the format is broken."""
    return Problem(Outcome.MODIFIED, seq, detail)


def corrupt(seq: int | None, detail: str) -> Problem:
    """There are no frames, or no files, to judge."""
    return Problem(Outcome.CORRUPT, seq, detail)


def key_invalid(seq: int | None, detail: str) -> Problem:
    """Somebody signed who may not, or for another log."""
    return Problem(Outcome.KEY_INVALID, seq, detail)
