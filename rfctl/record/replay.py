"""Replay: feeds the recorded events to the kernel again and compares each decision, bit for bit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rfctl.errors import RecordError
from rfctl.kernel import journal
from rfctl.kernel.events import Event, Sampled
from rfctl.kernel.state import KernelState, initial
from rfctl.kernel.step import step
from rfctl.record.reader import Entry, read_entries
from rfctl.record.setup import setup_from
from rfctl.record.values import encode_value

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.kernel.effects import Effect


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


def replay(path: Path, witness: Witness | None = None) -> Replayed:
    """Re-decide a whole record.

    Args:
        path: The record.
        witness: Is told of every line in order.

    Raises:
        ConfigError: The file cannot be read.
        RecordError: A line cannot be understood, or another interlock table decided.
    """
    state: KernelState | None = None
    decisions = differences = 0
    first = ""
    for entry in read_entries(path):
        if entry.kind == "setup":
            state = initial(setup_from(entry.members))
        elif entry.kind in {"sample", "decision"}:
            if state is None:
                raise RecordError("a decision stands before the set-up", where=f"{path}, line {entry.seq}")
            event, recorded = _decision(entry)
            state, effects = step(state, event)
            decisions += 1
            decided = _values(entry.kind, effects)
            # What is equal as it stands is equal as JSON too; only not-a-number and the like need the round trip.
            if decided != recorded and (decided := json.loads(json.dumps(encode_value(decided)))) != recorded:
                differences += 1
                first = first or f"line {entry.seq}: recorded {_text(recorded)}, decided now {_text(decided)}"
            if witness is not None:
                witness.decision(event, effects, state)
            continue
        if witness is not None:
            witness.line(entry)
    return Replayed(decisions, differences, first, state)


def _decision(entry: Entry) -> tuple[Event, object]:
    members: dict[str, Any] = entry.members
    try:
        if entry.kind == "sample":
            values, recorded = members["v"]
            return Sampled(entry.t_ns, journal.reading_from(values)), recorded
        return journal.event_from(entry.t_ns, members["event"]), members["effects"]
    except (KeyError, TypeError, ValueError) as problem:
        raise RecordError(f"a decision cannot be read: {problem!r}", where=f"line {entry.seq}") from None


def _values(kind: str, effects: tuple[Effect, ...]) -> object:
    """The effects in the form in which a line of this kind holds them."""
    values = journal.routine_values(effects) if kind == "sample" else None
    return [journal.effect_values(effect) for effect in effects] if values is None else values


def _text(values: object) -> str:
    text = json.dumps(values)
    return text if len(text) <= 400 else f"{text[:400]}..."
