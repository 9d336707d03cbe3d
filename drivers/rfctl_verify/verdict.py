"""What verification can say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The one word. Only the first two are good."""

    VALID_ANCHORED = "VALID-ANCHORED"
    VALID_UNANCHORED = "VALID-UNANCHORED"
    CLOCK_ANOMALY = "CLOCK-ANOMALY"
    OPEN_TAIL = "OPEN-TAIL"
    UNCLEAN_END = "UNCLEAN-END"
    UNSEALED = "UNSEALED"
    TRUNCATED = "TRUNCATED"
    DIVERGED = "DIVERGED"
    FORKED = "FORKED"
    KEY_INVALID = "KEY-INVALID"
    MODIFIED = "MODIFIED"
    CORRUPT = "CORRUPT"

    @property
    def good(self) -> bool:
        """Whether every byte is as signed, and the record was closed."""
        return self in (Outcome.VALID_ANCHORED, Outcome.VALID_UNANCHORED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Attributes:
        verdict: The one word.
        records: Number of good records before the end or the first bad one.
        first_bad_seq: Where the record was found bad, else None.
        detail: The reason, for a person.
        anchored_by: Who else has seen the head. None where nobody has.
        evidence: Of a fork: a text that convinces anyone who holds the key, without the log.
    """

    verdict: Outcome
    records: int
    first_bad_seq: int | None
    detail: str
    anchored_by: str | None = None
    evidence: str | None = None

    def __str__(self) -> str:
        seen = "" if self.evidence is None else f"\nEvidence:\n{self.evidence.rstrip()}"
        return f"{self.verdict}: {self.records} records. {self.detail}{seen}"

    def as_json(self) -> dict[str, object]:
        """Members of the JSON document of ``rfctl record verify --json``."""
        return {
            "verdict": str(self.verdict),
            "records": self.records,
            "first_bad_seq": self.first_bad_seq,
            "anchored_by": self.anchored_by,
            "detail": self.detail,
            "evidence": self.evidence,
        }
