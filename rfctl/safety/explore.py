"""Breadth-first exploration of the real kernel: every world that short procedures lead to, every event in each of them.

What is checked on every edge are the invariants of ``invariants.py``; what must have happened somewhere are the goals
of ``explore_goals.py``, so that a search that never gets anywhere proves nothing by silence.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rfctl.clock import RealClock
from rfctl.safety.explore_goals import EXCLUDED, Goals
from rfctl.safety.explore_guard import explore_guard
from rfctl.safety.explore_key import CLOSED, key
from rfctl.safety.explore_moves import moves, play
from rfctl.safety.explore_world import SETUPS, begin
from rfctl.safety.invariants import broken

if TYPE_CHECKING:
    from collections.abc import Hashable

    from rfctl.kernel.events import Event
    from rfctl.kernel.state import Setup
    from rfctl.safety.explore_moves import Move
    from rfctl.safety.explore_world import World

EDGES = 800_000
PART_EDGES = 110_000
"""Of the part that every test run explores."""
SECONDS = 120.0
DEVIATIONS = 1
GUARD = "guard"
"""In the place of a procedure's name."""
VIOLATIONS = 5
"""So many are enough."""


@dataclass(frozen=True)
class Violation:
    """An invariant that did not hold.

    Attributes:
        what: The invariant's number, and what happened.
        procedure: Name of the set-up.
        events: From the first event to the one that broke it; of the kernel, or of the guard.
    """

    what: str
    procedure: str
    events: tuple[Any, ...]


@dataclass
class Explored:
    """What was found.

    Attributes:
        states: Worlds that were told apart.
        edges: Decisions that were checked.
        whole: Every world was looked at, and no bound was met.
        violations: Invariants that did not hold.
        goals: What was reached.
    """

    states: int = 0
    edges: int = 0
    whole: bool = True
    violations: list[Violation] = field(default_factory=list)
    goals: Goals = field(default_factory=Goals)

    def document(self) -> dict[str, object]:
        """For people's programs."""
        return {
            "states": self.states,
            "edges": self.edges,
            "whole": self.whole,
            "violations": [
                {"what": each.what, "procedure": each.procedure, "events": len(each.events)} for each in self.violations
            ],
            "sometimes": self.goals.reached,
            "excluded": EXCLUDED,
        }

    def text(self) -> str:
        """For people."""
        reached = sum(self.goals.reached.values())
        lines = [
            f"{self.states} states, {self.edges} decisions, {'all of them' if self.whole else 'a bound was met'}; "
            f"{len(self.violations)} violations; {reached} of {len(self.goals.reached)} goals reached"
        ]
        lines += [f"  {each.what} ({each.procedure}, {len(each.events)} events)" for each in self.violations]
        lines += [f"  never: {name}" for name in self.goals.missing]
        return "\n".join(lines)


@dataclass
class Search:
    """One set-up's search, and how each world was come to."""

    name: str
    setup: Setup
    found: Explored
    came: list[tuple[int, tuple[Event, ...]]] = field(default_factory=list)
    long: set[Hashable] = field(default_factory=set)

    def run(self, edges: int, until_ns: int, deviations: int) -> None:
        """Explore until nothing is new, or a bound is met."""
        first = begin(self.setup)
        known = {key(first)}
        self.came.append((-1, ()))
        to_do: list[deque[tuple[int, World]]] = [deque() for _ in range(deviations + 1)]
        to_do[0].append((0, first))
        last = self.found.edges + edges
        for so_far, waiting in enumerate(to_do):
            while waiting:
                if (
                    len(self.found.violations) >= VIOLATIONS
                    or self.found.edges >= last
                    or RealClock().monotonic_ns() > until_ns
                ):
                    self.found.whole = False
                    return
                at, world = waiting.popleft()
                for move in moves(world):
                    now = so_far + (not move.usual and world.kernel.stage not in CLOSED)
                    if now > deviations or (move.once and not self._first(move, world)):
                        continue
                    after, events = self._play(at, world, move)
                    is_key = key(after)
                    if is_key not in known:
                        known.add(is_key)
                        self.came.append((at, events))
                        self.found.states += 1
                        to_do[now].append((len(self.came) - 1, after))

    def _first(self, move: Move, world: World) -> bool:
        what = (move.name, tuple([channel.phase for channel in world.kernel.channels]))
        if what in self.long:
            return False
        self.long.add(what)
        return True

    def _play(self, at: int, world: World, move: Move) -> tuple[World, tuple[Event, ...]]:
        events: list[Event] = []
        for edge in play(world, move):
            events.append(edge.event)
            self.found.edges += 1
            self.found.goals.see(edge)
            for what in broken(edge):
                if len(self.found.violations) < VIOLATIONS:
                    self.found.violations.append(Violation(what, self.name, (*self.path(at), *events)))
            world = edge.after
        return world, tuple(events)

    def path(self, at: int) -> tuple[Event, ...]:
        """The events that led to a world."""
        parts: list[tuple[Event, ...]] = []
        while at >= 0:
            at, events = self.came[at]
            parts.append(events)
        return tuple([event for part in reversed(parts) for event in part])


def explore(
    setups: dict[str, Setup] = SETUPS,
    *,
    edges: int = EDGES,
    seconds: float = SECONDS,
    deviations: int = DEVIATIONS,
) -> Explored:
    """Explore each set-up: first all in which nothing goes wrong, then what one deviation leads to, then two.

    Args:
        deviations: So many things at most go wrong one after the other.
        setups: By name.
        edges: So many decisions at most, shared evenly.
        seconds: So long at most, s; what is found then depends on the machine.
    """
    found = Explored()
    end_ns = RealClock().monotonic_ns() + round(seconds * 1e9)
    of_guard = explore_guard(edges // 2)
    found.states, found.edges, found.whole = of_guard.states, of_guard.edges, of_guard.whole
    found.violations += [Violation(what, GUARD, events) for what, events in of_guard.violations]
    found.goals.reached.update(of_guard.reached)
    for to_come, (name, setup) in zip(range(len(setups), 0, -1), setups.items(), strict=True):
        Search(name, setup, found).run((edges - found.edges) // to_come, end_ns, deviations)
    return found
