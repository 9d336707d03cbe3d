"""What must have happened somewhere in an exploration: phases, questions, rows that act, and how a procedure ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rfctl.kernel.effects import Ask, Finish, Grant, Note, Outcome, Renew, SetOutput
from rfctl.kernel.events import Answered, Question
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import Stage

if TYPE_CHECKING:
    from rfctl.safety.explore_world import Edge

_HOLD = "takes the half-second means of more than 15 s of hold; the tests of the thermal rows have it"
_RAMP = (
    "takes seconds of ramp; the tip is at its set temperature after 0.2 s here; the tests of the thermal rows have it"
)
_COOLING = "takes seconds, or minutes, of a tip that stays hot after RF off; the tests of the thermal rows have it"
EXCLUDED: dict[str, str] = {
    "row: reversed": _RAMP,
    "row: rise_missing": _RAMP,
    "row: target_not_reached": "takes 42 s of ramp; tests/unit/kernel/test_limits.py has it",
    "row: model_check": _RAMP,
    "row: model_check_pause": _RAMP,
    "row: temperature_frozen": _RAMP,
    "row: temperature_frozen_hold": _HOLD,
    "row: cooling_stands_still": _COOLING,
    "row: not_cooling": _COOLING,
    "row: hold_power": _HOLD,
    "row: hold_power_growing": _HOLD,
    "row: hold_rise_low": _HOLD,
    "row: hold_rise_high": _HOLD,
    "row: time_budget": "is a matter of the plan alone, and the plans explored are within it",
    "row: probe_duration": "takes a probe of 10 s; tests/unit/kernel/test_limits.py has it",
    "row: duration": "takes 45 s with RF on, after the rows that end a lesion that long have acted",
    "row: idle_slope": "takes seconds of one channel's heat beside a channel at rest; tests of supervision have it",
}
"""Goals that no exploration of short procedures reaches, each with the reason; other tests have them."""

ROUTINE = (Grant, Renew, SetOutput)
_PHASES = {str(phase): f"phase: {phase}" for phase in Phase}
_ROWS = {row.code: f"row: {row.code}" for row in ROWS}
_STAGES: dict[Stage, str] = {stage: f"stage: {stage}" for stage in Stage if stage is not Stage.UNKNOWN}
_QUESTIONS = {question: f"question: {question}" for question in Question}
_ENDS = {outcome: f"end: {outcome}" for outcome in Outcome}
LESION = "a whole lesion"
NOT_CONFIRMED = "end: off not confirmed"
DROPPED = "one channel dropped, the procedure at its end"
POSITION = "a latch is left by its reset"
PLAIN = (LESION, NOT_CONFIRMED, DROPPED, POSITION)


def _all() -> dict[str, bool]:
    names = [*_STAGES.values(), *_PHASES.values(), *_QUESTIONS.values(), *_ROWS.values(), *_ENDS.values(), *PLAIN]
    return dict.fromkeys([name for name in names if name not in EXCLUDED], False)


@dataclass
class Goals:
    """Which goals were reached.

    Attributes:
        reached: By name.
    """

    reached: dict[str, bool] = field(default_factory=_all)

    @property
    def missing(self) -> list[str]:
        """Those that were not."""
        return [name for name, reached in self.reached.items() if not reached]

    def see(self, edge: Edge) -> None:
        """Note what this decision reaches."""
        if edge.after.kernel.stage is not edge.before.kernel.stage:
            self._reach(_STAGES[edge.after.kernel.stage])
            if edge.after.kernel.stage is Stage.ENDING:
                self._reach(_ENDS[edge.after.kernel.outcome])
            if edge.before.kernel.stage is Stage.TREATING and " dropped: " in edge.after.kernel.ending:
                self._reach(DROPPED)
        for effect in edge.effects:
            if type(effect) in ROUTINE:
                continue
            for channel in edge.after.kernel.channels:
                self._reach(_PHASES[channel.phase])
            if isinstance(effect, Note):
                self._noted(effect)
            elif isinstance(effect, Ask):
                self._reach(_QUESTIONS[effect.question])
            elif isinstance(effect, Finish):
                self._finished(effect)
        event = edge.event
        if isinstance(event, Answered) and event.physician:
            confirmed = any(isinstance(effect, Note) and effect.code == "override" for effect in edge.effects)
            if confirmed and event.question is Question.POSITION:
                self._reach(POSITION)

    def _noted(self, note: Note) -> None:
        if note.code == "phase":
            self._reach(_PHASES[note.text])
        elif note.code in _ROWS:
            self._reach(_ROWS[note.code])
        elif note.code == "site_done":
            self._reach(LESION)

    def _finished(self, finish: Finish) -> None:
        if not finish.off_verified:
            self._reach(NOT_CONFIRMED)

    def _reach(self, name: str) -> None:
        if name in self.reached:
            self.reached[name] = True
