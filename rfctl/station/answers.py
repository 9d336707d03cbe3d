"""Answers from a file: the operator and the patient of a simulated or bench procedure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rfctl.errors import ConfigError
from rfctl.kernel import guards, stimulation_guards
from rfctl.kernel.events import Answered, Choice, Question, Stopped
from rfctl.kernel.stimulation import STIMULATION_STEP
from rfctl.model import shipped, strict_toml
from rfctl.model.plan import Medium

if TYPE_CHECKING:
    from rfctl.accounts.roles import Person
    from rfctl.kernel.effects import Ask
    from rfctl.kernel.state import KernelState
    from rfctl.model.plan import Plan
    from rfctl.station.station_file import Station

THINK_NS = 400_000_000
"""A scripted operator takes so long over each answer: long enough for every step to be delivered and felt."""

NO_ANSWER = Choice.DECLINE
"""No question but the checklist takes it."""


class SiteAnswers(strict_toml.Strict):
    """``[[site]]``: what is felt at this site.

    Attributes:
        name: Name of the site in the plan.
        felt_at_v: Sensory threshold, V; with ``felt_at_ma`` None, too: never felt.
        felt_at_ma: The same where the plan stimulates with mA.
        response_at_v: Motor response, V; with ``response_at_ma`` None, too: none.
        response_at_ma: The same where the plan stimulates with mA.
        accept_high: Accept a threshold above the target instead of repositioning.
        perform_optional: Make a check that the plan calls optional.
        override_reason: Take over a check that was not met, for this reason; empty: the procedure is stopped.
        confirmed_by: Physician who confirms the position where the result of the checks has become void; with
            ``override_reason``. Empty: the procedure is stopped.
    """

    name: str
    felt_at_v: float | None = Field(default=None, gt=0.0)
    felt_at_ma: float | None = Field(default=None, gt=0.0)
    response_at_v: float | None = Field(default=None, gt=0.0)
    response_at_ma: float | None = Field(default=None, gt=0.0)
    accept_high: bool = False
    perform_optional: bool = True
    override_reason: str = ""
    confirmed_by: str = ""


class AnswersSection(strict_toml.Strict):
    """``[answers]``."""

    operator: str = Field(min_length=1)
    checklist: Literal["confirm", "decline"] = "confirm"


class AnswersFile(strict_toml.Strict):
    """The whole file."""

    answers: AnswersSection
    site: list[SiteAnswers] = Field(default_factory=list)


@dataclass(slots=True)
class ScriptedOperator:
    """Answers what it is asked, one answer at a time, at a person's pace.

    Attributes:
        name: Who it says it is.
    """

    name: str
    checklist: Choice
    sites: dict[str, SiteAnswers]
    _asked: Ask | None = None
    _ready_ns: int = 0

    def decide(self, state: KernelState, now_ns: int) -> Answered | Stopped | None:
        """The next answer, or None while it is thinking or has not been asked.

        A file answers for one position of each electrode: where another one is needed, it stops the procedure.
        """
        asked = state.question
        if asked is None:
            self._asked = None
            return None
        if asked is not self._asked:
            self._asked, self._ready_ns = asked, now_ns + THINK_NS
        if now_ns < self._ready_ns:
            return None
        choice = self._choose(state, asked, now_ns)
        if choice is None:
            return None
        self._ready_ns = now_ns + THINK_NS
        if choice not in asked.choices:
            name, what = guards.site_of(state, asked.channel).name, asked.question
            return Stopped(now_ns, f"{self.name}: the answers know no way on at {name!r} ({what}): {asked.text}")
        typed = choice is Choice.OVERRIDE or asked.question is Question.POSITION
        reason, physician = "", ""
        if typed:
            answers = self._site(state, asked)
            reason, physician = answers.override_reason, answers.confirmed_by
        return Answered(now_ns, asked.question, choice, self.name, reason, physician)

    def _choose(self, state: KernelState, asked: Ask, now_ns: int) -> Choice | None:
        match asked.question:
            case Question.CHECKLIST:
                return self.checklist
            case Question.SENSORY | Question.MOTOR:
                return self._feel(state, asked, now_ns)
            case Question.START:
                return Choice.START
            case Question.ARM:
                return Choice.ARM
            case Question.MOVE:
                return Choice.DONE
            case Question.ANAESTHETIC:
                return Choice.GIVEN
            case Question.HIGHER:
                return Choice.CONFIRM
            case Question.PAUSED:
                return Choice.AGAIN
            case _:
                return self._decide_on(asked.question, self._site(state, asked))

    def _decide_on(self, question: Question, answers: SiteAnswers) -> Choice:
        """What depends on the site's answers. A file knows one position: where another is needed, it has no answer."""
        if question is Question.PERFORM:
            return Choice.PERFORM if answers.perform_optional else Choice.LEAVE_OUT
        if question is Question.SENSORY_HIGH and answers.accept_high:
            return Choice.ACCEPT
        if question is Question.POSITION and answers.confirmed_by:
            return Choice.CONFIRM
        return Choice.OVERRIDE if answers.override_reason else NO_ANSWER

    def _feel(self, state: KernelState, asked: Ask, now_ns: int) -> Choice | None:
        number, channel = asked.channel, state.channels[asked.channel - 1]
        answers = self._site(state, asked)
        sensory = asked.question is Question.SENSORY
        in_ma = stimulation_guards.check_of(state, number).unit == "mA"
        if sensory:
            felt_at = answers.felt_at_ma if in_ma else answers.felt_at_v
        else:
            felt_at = answers.response_at_ma if in_ma else answers.response_at_v
        if not stimulation_guards.amplitude_delivered(state, number, now_ns):
            return Choice.STEP if channel.amplitude == 0.0 else None
        if felt_at is not None and channel.amplitude >= felt_at - 1e-9:
            return Choice.FELT if sensory else Choice.RESPONSE
        if channel.amplitude + STIMULATION_STEP <= stimulation_guards.last_envelope(state, number) + 1e-9:
            return Choice.STEP
        if sensory:
            return Choice.NOT_FELT
        return Choice.NONE if stimulation_guards.motor_target_delivered(state, number, now_ns) else None

    def _site(self, state: KernelState, asked: Ask) -> SiteAnswers:
        return self.sites[guards.site_of(state, asked.channel).name]


def require_nobody(station: Station) -> None:
    """Scripted answers are for a simulator or a test load: nobody may depend on what a file feels.

    Raises:
        ConfigError: The station has a real device in anything but a load.
    """
    if not station.simulated and station.medium is not Medium.LOAD:
        raise ConfigError(
            f"answers from a file (--answers) on a real device in medium {station.medium}: scripted answers are for a "
            "simulator or a test load",
            where=station.id,
            remedy="Use medium = 'load' with a resistor, or a simulated station.",
        )


def load(path_text: str, plan: Plan, *, begun_by: Person | None = None) -> ScriptedOperator:
    """Read an answers file for a plan.

    Args:
        path_text: The file.
        plan: The plan.
        begun_by: Who had it answer, and stands for what it says; None where nobody proved a name.

    Raises:
        ConfigError: As rfctl.model.strict_toml.read; a site that the plan lacks, or a site of the plan without answers.
    """
    path = shipped.find("plans", path_text)
    file = strict_toml.read(path, AnswersFile)
    sites = {site.name: site for site in file.site}
    names = [site.name for site in plan.sites]
    unknown = [name for name in sites if name not in names]
    if unknown:
        raise ConfigError(
            f"site {unknown[0]!r} is not in the plan", where=str(path), remedy=f"The plan has: {', '.join(names)}."
        )
    missing = [name for name in names if name not in sites]
    if missing:
        raise ConfigError(
            f"no answers for site {missing[0]!r}", where=str(path), remedy=f"Add [[site]] with name = {missing[0]!r}."
        )
    name = file.answers.operator if begun_by is None else f"{file.answers.operator}, for {begun_by}"
    return ScriptedOperator(name, Choice(file.answers.checklist), sites)
