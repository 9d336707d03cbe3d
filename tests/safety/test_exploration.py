"""The exploration: a part of it in every run, what it finds in a kernel that was broken, and what it once found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import RealClock
from rfctl.errors import ConfigError
from rfctl.guard import step as guard_step
from rfctl.kernel import actions, checks, ending, guards, step, verdicts
from rfctl.kernel.events import Choice
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.kernel.transitions import BY_PHASE_AND_TRIGGER, SAMPLE, Transition, answer
from rfctl.safety import counterexample, explore_guard
from rfctl.safety.explore import PART_EDGES, Explored, Search, explore
from rfctl.safety.explore_goals import EXCLUDED, Goals
from rfctl.safety.explore_world import SETUPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.kernel.actions import Act

NOTHING, UNCHECKED, CHECKED, OPTIONAL, BATCH = SETUPS
FOUND = sorted((Path(__file__).parent / "counterexamples").glob("*.json"))
COUNTS = json.loads((Path(__file__).parents[2] / "docs" / "exploration.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def part() -> Explored:
    """A fixed part: the breadth of the first deviations."""
    return explore(edges=PART_EDGES, seconds=600.0)


def test_no_invariant_is_broken_in_the_part_that_every_run_explores(part: Explored) -> None:
    assert [violation.what for violation in part.violations] == []
    assert part.states >= COUNTS["part"]["states"], "fewer states are told apart: docs/exploration.json says why not"
    assert part.edges >= COUNTS["part"]["edges"]


def test_part_gets_to_a_whole_lesion_and_everywhere_that_the_pages_say(part: Explored) -> None:
    reached = {name for name, reached in part.goals.reached.items() if reached}
    assert {"a whole lesion", "phase: hold", "question: start"} <= reached
    assert set(COUNTS["part"]["sometimes"]) <= reached


def test_full_exploration_had_no_violation_and_missed_no_goal() -> None:
    full = COUNTS["full"]
    assert full["violations"] == []
    assert [name for name, reached in full["sometimes"].items() if not reached] == []
    assert set(full["sometimes"]) == {*Goals().reached, *explore_guard.GOALS}, "run it again: rfctl safety explore"
    assert full["excluded"] == EXCLUDED


def test_what_is_excluded_is_a_goal_and_has_a_reason() -> None:
    known = {f"row: {row.code}" for row in ROWS}
    assert set(EXCLUDED) <= known
    assert all(len(reason) > 20 for reason in EXCLUDED.values())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_once_found_is_found_no_more(path: Path) -> None:
    assert counterexample.replay(counterexample.load(path)) == []


def test_counter_example_is_written_read_and_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "OFF_AGAIN_NS", 10_000_000_000)
    violation = _broken(NOTHING, deviations=1).violations[0]
    path = tmp_path / "found.json"
    path.write_text(counterexample.as_text(violation), encoding="utf-8")
    read = counterexample.load(path)
    assert read.events == violation.events or repr(read.events) == repr(violation.events)
    assert violation.what in counterexample.replay(read)
    monkeypatch.undo()
    assert counterexample.replay(read) == []


def test_file_that_is_no_counter_example_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"what": "I1", "procedure": "another", "events": []}', encoding="utf-8")
    with pytest.raises(ConfigError, match="no procedure is called 'another'"):
        counterexample.load(path)


def _broken(name: str, *, edges: int = 60_000, deviations: int = 0) -> Explored:
    found = Explored()
    search = Search(name, SETUPS[name], found)
    search.run(edges, RealClock().monotonic_ns() + 600_000_000_000, deviations)
    return found


def _row(monkeypatch: pytest.MonkeyPatch, phase: Phase, trigger: str, to: Phase, act: Act) -> None:
    """The table has this transition, on no condition."""
    monkeypatch.setitem(BY_PHASE_AND_TRIGGER, (phase, trigger), (Transition(phase, trigger, guards.always, to, act),))


def _leaves_rf_on(monkeypatch: pytest.MonkeyPatch) -> None:
    _row(monkeypatch, Phase.HOLD, SAMPLE, Phase.COOLING, actions.nothing)


def _trips_without_off(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = verdicts.end
    for module in (step, verdicts):
        monkeypatch.setattr(module, "end", lambda *args: (ends(*args)[0], ()))


def _leaves_a_latch(monkeypatch: pytest.MonkeyPatch) -> None:
    _row(monkeypatch, Phase.STIM_REQUIRED, answer(Choice.DONE), Phase.LESION_READY, actions.nothing)


def _stimulates_in_a_lesion(monkeypatch: pytest.MonkeyPatch) -> None:
    _row(monkeypatch, Phase.RAMP, SAMPLE, Phase.RAMP, checks.start_stimulation)


def _says_off_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "OFF_AGAIN_NS", 10_000_000_000)


def _goes_on_without_a_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(row for row in ROWS if row.code != "thermocouple_open" and not row.code.startswith("temperature_"))
    monkeypatch.setitem(SETUPS, UNCHECKED, replace(SETUPS[UNCHECKED], rows=rows))


def _steps_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "STIMULATION_STEP", 0.5)


def _begins_without_off(monkeypatch: pytest.MonkeyPatch) -> None:
    begins = step._begin
    monkeypatch.setattr(step, "_begin", lambda *args: (begins(*args)[0], begins(*args)[1][1:]))


@pytest.mark.parametrize(
    ("invariant", "broken", "name", "deviations"),
    [
        ("I1", _leaves_rf_on, UNCHECKED, 0),
        ("I2", _trips_without_off, UNCHECKED, 1),
        ("I3", _leaves_a_latch, UNCHECKED, 0),
        ("I4", _stimulates_in_a_lesion, UNCHECKED, 0),
        ("I5", _says_off_once, NOTHING, 1),
        ("I6", _goes_on_without_a_temperature, UNCHECKED, 1),
        ("I7", _steps_beyond, CHECKED, 0),
        ("I8", _begins_without_off, NOTHING, 0),
    ],
)
def test_kernel_that_breaks_an_invariant_is_found(
    invariant: str,
    broken: Callable[[pytest.MonkeyPatch], None],
    name: str,
    deviations: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken(monkeypatch)
    found = _broken(name, deviations=deviations)
    assert invariant in {violation.what[:2] for violation in found.violations}


def test_guard_that_closes_after_it_let_go_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lets_go = guard_step._let_go
    monkeypatch.setattr(guard_step, "_let_go", lambda state, at_ns, notice: (state, lets_go(state, at_ns, notice)[1]))
    assert explore_guard.explore_guard(20_000).violations
