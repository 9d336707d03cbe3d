"""The operator who is there: answers come from a person at a view, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl.kernel.events import Answered, Choice, Question, Stopped

if TYPE_CHECKING:
    from rfctl.accounts.door import Login
    from rfctl.kernel.state import KernelState


@dataclass(slots=True)
class AttendedOperator:
    """Passes on what a person decides. Lives in the thread of the control loop.

    Attributes:
        name: Who decides.
        login: How they proved it; None at a simulated station without accounts.
    """

    name: str
    login: Login | None = None
    _answer: tuple[int, Question, Choice, str, str] | None = None

    def answer(self, channel: int, question: str, choice: str, reason: str = "", physician: str = "") -> None:
        """The person has decided on the question that was shown; the next cycle hears of it.

        Raises:
            ValueError: No such question or choice.
        """
        self._answer = (channel, Question(question), Choice(choice), reason, physician)

    def decide(self, state: KernelState, now_ns: int) -> Answered | Stopped | None:
        """The answer, if it is to the question that is open now; an answer to another question is dropped.

        With nobody there any more, by the time since the last answer, the procedure ends.
        """
        login = self.login
        if login is not None and login.expired(now_ns):
            return Stopped(now_ns, f"the station: the login of {self.name} has expired")
        given, self._answer = self._answer, None
        asked = state.question
        if given is None or asked is None or given[:2] != (asked.channel, asked.question):
            return None
        if login is not None:
            login.used(now_ns)
        return Answered(now_ns, asked.question, given[2], self.name, *given[3:])
