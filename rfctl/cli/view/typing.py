"""An answer that takes typed words: a reason, and for the electrode's position who confirmed it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rfctl.kernel.stimulation import SHORTEST_REASON

if TYPE_CHECKING:
    from rfctl.cli.view.keys import Answer

SPACE = "_"
"""The space bar stops, always; so a space is typed as this."""
ESCAPE, ENTER, RUBOUT = "\x1b", "\r\n", "\x7f\x08"
LONGEST = 200
REASON = f"reason, at least {SHORTEST_REASON} characters"
PHYSICIAN = "physician who confirmed the position by imaging"


def wanted(answer: Answer) -> tuple[str, ...]:
    """What is to be typed with this answer; nothing with most."""
    if answer.choice == "override":
        return (REASON,)
    return (REASON, PHYSICIAN) if (answer.question, answer.choice) == ("position", "confirm") else ()


class Typing:
    """The words of one answer, as they are typed.

    Attributes:
        over: Nothing more is taken: sent, or left.
    """

    def __init__(self, answer: Answer) -> None:
        self.over = False
        self._answer = answer
        self._wanted = wanted(answer)
        self._typed: list[str] = [""]

    @property
    def question(self) -> str:
        """The question that is answered."""
        return self._answer.question

    @property
    def prompt(self) -> str:
        """What is shown meanwhile."""
        what = self._wanted[len(self._typed) - 1]
        return f"{what} ({SPACE} is a space, Enter ends, Esc leaves): {self._typed[-1]}"

    def take(self, typed: str) -> Answer | None:
        """What one read of the keyboard gave; the answer when the last words are ended."""
        if typed.startswith(ESCAPE):
            self.over = True
            return None
        for key in typed:
            if key in ENTER:
                if len(self._typed) == len(self._wanted):
                    self.over = True
                    reason, physician = (*self._typed, "")[:2]
                    return replace(self._answer, reason=reason, physician=physician)
                self._typed.append("")
            elif key in RUBOUT:
                self._typed[-1] = self._typed[-1][:-1]
            elif key.isprintable() and len(self._typed[-1]) < LONGEST:
                self._typed[-1] += " " if key == SPACE else key
        return None
