"""Replay: feeds the recorded events to the kernel again and compares each decision, bit for bit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


def replay(path: Path) -> Replayed:
    """Re-decide a whole record.

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
            decided = _as_recorded(entry.kind, effects)
            decisions += 1
            if decided != recorded:
                differences += 1
                first = first or f"line {entry.seq}: recorded {_text(recorded)}, decided now {_text(decided)}"
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


def _as_recorded(kind: str, effects: tuple[Effect, ...]) -> object:
    """The effects in the form in which a line of this kind holds them, after a round trip through JSON."""
    if kind == "sample":
        values: object = journal.routine_values(effects)
        if values is None:
            values = [journal.effect_values(effect) for effect in effects]
    else:
        values = [journal.effect_values(effect) for effect in effects]
    return json.loads(json.dumps(encode_value(values)))


def _text(values: object) -> str:
    text = json.dumps(values)
    return text if len(text) <= 400 else f"{text[:400]}..."
