"""What a check found: a verdict, what was seen, what was expected, and the lines of the profile that say so."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from rfctl.model.toml_lines import line_of, lines_of

if TYPE_CHECKING:
    from pathlib import Path


class Verdict(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check.

    Attributes:
        check: Its name.
        verdict: How it ended.
        seen: What the generator showed, with the numbers.
        expected: What it should have been, and by what.
        places: ``FILE:LINE`` of the keys of the profile that may be wrong, the likeliest first; empty unless it failed.
        lines: Those lines as they stand in the file.
    """

    check: str
    verdict: Verdict
    seen: str
    expected: str = ""
    places: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass
class Findings:
    """All that was found, in the order of the checks.

    Attributes:
        profile: The file whose lines are named.
        all: The findings.
    """

    profile: Path
    all: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._text = self.profile.read_text(encoding="utf-8")
        self._keys = lines_of(self._text)

    @property
    def failed(self) -> bool:
        """Some check failed."""
        return any(finding.verdict is Verdict.FAIL for finding in self.all)

    def good(self, check: str, seen: str, expected: str = "") -> None:
        """A check that passed."""
        self.all.append(Finding(check, Verdict.PASS, seen, expected))

    def bad(self, check: str, seen: str, expected: str, *keys: str) -> None:
        """A check that failed, with the keys of the profile to look at, the likeliest first."""
        numbers = list(dict.fromkeys(line_of(self._text, key) for key in keys))
        rows = self._text.split("\n")
        places = tuple(f"{self.profile}:{number}" for number in numbers)
        lines = tuple(rows[number - 1].strip() for number in numbers)
        self.all.append(Finding(check, Verdict.FAIL, seen, expected, places, lines))

    def judge(self, check: str, seen: str, expected: str, *keys: str, good: bool) -> None:
        """A check that passed or failed."""
        if good:
            self.good(check, seen, expected)
        else:
            self.bad(check, seen, expected, *keys)

    def not_run(self, check: str, why: str) -> None:
        """A check that could not be made."""
        self.all.append(Finding(check, Verdict.NOT_RUN, why))

    def lacks(self, quantity: str, *, channel: bool) -> bool:
        """The profile has a status table, and this quantity of it has no line of its own."""
        return "status" in self._keys and "." not in self.status_key(quantity, channel=channel).removeprefix(
            "status.channel"
        ).removeprefix("status")

    def status_key(self, quantity: str, *, channel: bool) -> str:
        """The key of a quantity of the status, of a channel or of the whole generator."""
        found = [key for key in self._keys if key.startswith("status") and key.endswith(f".{quantity}")]
        fitting = [key for key in found if (".channel" in key) == channel]
        return (fitting or found or ["status.channel" if channel else "status"])[0]
