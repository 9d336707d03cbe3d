"""Replay: feeds the recorded events to the kernel again and compares each decision, bit for bit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rfctl.errors import RecordError
from rfctl.kernel import journal
from rfctl.kernel.state import KernelState, initial
from rfctl.kernel.step import step
from rfctl.record.segments import Entry
from rfctl.record.setup import setup_from
from rfctl.record.story import story
from rfctl.record.values import encode_value

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.kernel.effects import Effect
    from rfctl.kernel.events import Event
    from rfctl.record.sessions import Session


@dataclass(frozen=True, slots=True)
class Replayed:
    """What replay found.

    Attributes:
        decisions: Number of decisions compared.
        differences: Number of decisions that came out otherwise.
        first_difference: The first of them, as a person reads it; empty when there is none.
        final: The kernel's state after the last event; None when the record ends before the first decision.
    """

    decisions: int
    differences: int
    first_difference: str
    final: KernelState | None


class Witness(Protocol):
    """Somebody who looks on while a record is decided again, so that one pass over the file is enough."""

    def line(self, entry: Entry) -> None:
        """A line that is no decision."""
        ...

    def decision(self, event: Event, effects: tuple[Effect, ...], state: KernelState) -> None:
        """A decision as it comes out now: what was heard, what is to be done, and the state after it."""
        ...


def replay(path: Path, witness: Witness | None = None, only: Session | None = None) -> Replayed:
    """Re-decide a record.

    Args:
        path: The folder of a log, or a file of format 0.
        witness: Is told of everything in order.
        only: This session of a log; None for all.

    Raises:
        ConfigError: Something cannot be read.
        RecordError: Something cannot be understood, or another interlock table decided.
    """
    state: KernelState | None = None
    decisions = differences = 0
    first = ""
    for told in story(path, only):
        if isinstance(told, Entry):
            if told.kind == "session" and not told.members.get("after_failure"):
                state = None
            elif told.kind == "setup":
                state = initial(setup_from(told.members))
            if witness is not None:
                witness.line(told)
            continue
        if state is None:
            raise RecordError("a decision stands before the set-up", where=f"{path}, {told.place}")
        state, effects = step(state, told.event)
        decisions += 1
        decided, recorded = _values(effects, routine=told.routine), told.decided
        # What is equal as it stands is equal as JSON too; only not-a-number and the like need the round trip.
        if decided != recorded and (decided := _as_json(decided)) != (recorded := _as_json(recorded)):
            differences += 1
            first = first or f"{told.place}: {difference(recorded, decided)}"
        if witness is not None:
            witness.decision(told.event, effects, state)
    return Replayed(decisions, differences, first, state)


def difference(recorded: Any, decided: Any) -> str:
    """What differs between two decisions, as a person reads it: the first effect that does."""
    if isinstance(recorded, list) and isinstance(decided, list):
        for number, (before, now) in enumerate(zip(recorded, decided, strict=False), start=1):
            if before != now:
                name = f"{before[0]}" if isinstance(before, list) and before and isinstance(before[0], str) else "item"
                return f"{name} {number} of {len(recorded)}: recorded {_text(before)}, decided now {_text(now)}"
        if len(recorded) != len(decided):
            longer, word = (recorded, "recorded") if len(recorded) > len(decided) else (decided, "decided now")
            return f"{len(recorded)} recorded, {len(decided)} decided now: only {word} is {_text(longer[-1])}"
    return f"recorded {_text(recorded)}, decided now {_text(decided)}"


def _as_json(values: object) -> object:
    return json.loads(json.dumps(encode_value(values)))


def _values(effects: tuple[Effect, ...], *, routine: bool) -> object:
    """The effects in the form in which they were recorded."""
    values = journal.routine_values(effects) if routine else None
    return [journal.effect_values(effect) for effect in effects] if values is None else values


def _text(values: object) -> str:
    text = json.dumps(values)
    return text if len(text) <= 400 else f"{text[:400]}..."
