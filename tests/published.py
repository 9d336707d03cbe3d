"""What was tried on records, counted, as docs/record.md publishes it: a count that is not there is out of date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter

    from rfctl_verify.verdict import Outcome

PAGE = Path(__file__).parents[1] / "docs" / "record.md"


def tried(what: str, counts: Counter[Outcome]) -> None:
    """Print the row of the page's table for this, and hold that it stands there."""
    verdicts = ", ".join(f"{outcome} {number:,}" for outcome, number in sorted(counts.items()))
    row = f"| {what} | {counts.total():,} | {verdicts} |"
    print(row)
    assert row in PAGE.read_text(encoding="utf-8"), f"{PAGE.name} does not have this row:\n{row}"
