"""What each condition does by itself: pairs of evaluations that differ in it alone, and in the result (MC/DC).

A decision is an expression with ``and`` or ``or``; its conditions are what those join, behind every ``not``. A value
with another in its place, ``name or "none"``, is no decision. The tests are run once with every decision made to say
what its conditions were. Python stops at the first condition that settles a decision: one that was not asked differs
from nothing.

``python -m tests.mutation.conditions`` runs the tests below and says, in JSON, which conditions have no pair.
"""

from __future__ import annotations

import ast
import json
import sys
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.mutation.mutants import functions_of, tree_of
from tests.mutation.watched import Instead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Vector = list[bool | None]
ROOT = Path(__file__).parents[2]
MODULES = (
    *("rfctl.kernel.guards", "rfctl.kernel.stimulation_guards", "rfctl.kernel.enable_loop"),
    *("rfctl.guard.step", "rfctl.guard.state", "rfctl.guard.decoder"),
    *("rfctl.guard.items", "rfctl.guard.wire", "rfctl.guard.sample"),
    *("rfctl.link.gate", "rfctl.link.write_table"),
    *("rfctl.link.relay", "rfctl.link.relay_hold", "rfctl.link.relay_proof"),
)
"""The guards of the transition table, the guard with the relay that it holds, and the gate."""
TESTS = (
    *("tests/unit/kernel/test_guards.py", "tests/unit/kernel/test_stimulation_guards.py", "tests/unit/guard"),
    *("tests/safety/test_gate.py", "tests/unit/link/test_gate_edges.py", "tests/unit/link/test_write_table.py"),
    *(f"tests/unit/link/test_relay_{name}.py" for name in ("frames", "hold", "proof")),
)


class Decision(NamedTuple):
    """One compound expression of a module.

    Attributes:
        node: In the module's tree.
        conditions: The nodes that it joins.
        names: Of each condition, the same for ever, wherever the function stands in its file.
    """

    node: ast.BoolOp
    conditions: list[ast.expr]
    names: list[str]


class Seen(NamedTuple):
    """An evaluation: what the conditions were, None for one that was not asked, and what came of it."""

    vector: tuple[bool | None, ...]
    result: bool


def decisions_of(module: str, tree: ast.Module) -> list[Decision]:
    """All of a module's functions."""
    found = []
    for name, function in functions_of(tree):
        again: Counter[str] = Counter()
        parts: set[ast.AST] = set()
        tests = set(_tests(function))
        for node in ast.walk(function):
            if isinstance(node, ast.BoolOp) and node not in parts and (node in tests or _decides(node)):
                conditions: list[ast.expr] = []
                parts |= set(_parts(node, conditions))
                text = f"{module}:{name}: {ast.unparse(node)}"
                again[text] += 1
                shown = f"{text} [{again[text]}]" if again[text] > 1 else text
                names = [f"{shown}: {at}. {ast.unparse(each)}" for at, each in enumerate(conditions, 1)]
                found.append(Decision(node, conditions, names))
    return found


def _tests(function: ast.AST) -> Iterator[ast.expr]:
    """Expressions by which the code goes one way or the other."""
    for node in ast.walk(function):
        if isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert)):
            yield node.test
        elif isinstance(node, ast.comprehension):
            yield from node.ifs


def _decides(node: ast.BoolOp) -> bool:
    looks = (ast.Compare, ast.UnaryOp, ast.BoolOp)
    return isinstance(node.op, ast.And) or any(isinstance(value, looks) for value in node.values)


def _parts(node: ast.expr, conditions: list[ast.expr]) -> Iterator[ast.expr]:
    """What a decision is made of beside its conditions, which are added to the list."""
    match node:
        case ast.BoolOp(values=values):
            yield node
            for value in values:
                yield from _parts(value, conditions)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _parts(operand, conditions)
        case _:
            conditions.append(node)


class _Marked(ast.NodeTransformer):
    def __init__(self, decisions: list[Decision]) -> None:
        self._at = {decision.node: number for number, decision in enumerate(decisions)}
        self._conditions = {
            condition: (number, at)
            for number, decision in enumerate(decisions)
            for at, condition in enumerate(decision.conditions)
        }

    def visit(self, node: ast.AST) -> ast.AST:
        new = self.generic_visit(node)
        if node in self._conditions:
            number, at = self._conditions[node]  # type: ignore[index]
            asked = ast.Name(f"_asked_{number}_", ast.Load())
            new = ast.Call(ast.Name("_condition_", ast.Load()), [asked, ast.Constant(at), new], [])  # type: ignore[list-item]
        if node in self._at:
            number = self._at[node]  # type: ignore[index]
            begun = ast.Call(ast.Name("_begun_", ast.Load()), [ast.Constant(number)], [])
            asked = ast.Name(f"_asked_{number}_", ast.Store())
            new = ast.Call(ast.Name("_decided_", ast.Load()), [ast.NamedExpr(asked, begun), new], [])  # type: ignore[list-item]
        return new


class Asked:
    """Plugin of pytest: the decisions of these modules say what they were asked, from the first test on.

    Attributes:
        red: Tests that failed; then nothing that was seen counts.
        decisions: By module.
    """

    def __init__(self, modules: Iterable[str]) -> None:
        self.red: list[str] = []
        self.decisions: dict[str, list[Decision]] = {module: [] for module in modules}
        self._seen: dict[str, dict[int, set[Seen]]] = {}

    def pytest_collection_finish(self) -> None:
        for module in self.decisions:
            tree = tree_of(module)
            self.decisions[module] = decisions = decisions_of(module, tree)
            seen = self._seen[module] = defaultdict(set)
            marked = _Marked(decisions).visit(tree)
            sizes = [len(decision.conditions) for decision in decisions]

            def begun(number: int, sizes: list[int] = sizes) -> tuple[int, Vector]:
                return number, [None] * sizes[number]

            def decided(asked: tuple[int, Vector], result: object, seen: dict[int, set[Seen]] = seen) -> object:
                seen[asked[0]].add(Seen(tuple(asked[1]), bool(result)))
                return result

            Instead(module, marked, _begun_=begun, _decided_=decided, _condition_=_condition)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.red.append(report.nodeid)

    def pairs(self) -> Iterator[tuple[str, str, tuple[Seen, Seen] | None]]:
        """Module, condition and its pair, if there is one."""
        for module, decisions in self.decisions.items():
            for number, decision in enumerate(decisions):
                seen = self._seen[module][number]
                for at in range(len(decision.conditions)):
                    pair = next((pair for pair in combinations(seen, 2) if _is_pair(at, *pair)), None)
                    yield module, decision.names[at], pair


def _condition(asked: tuple[int, Vector], at: int, value: object) -> object:
    asked[1][at] = bool(value)
    return value


def _is_pair(at: int, one: Seen, other: Seen) -> bool:
    """They differ in this condition, in no other that both asked, and in the result."""
    differ = [
        number
        for number, (this, that) in enumerate(zip(one.vector, other.vector, strict=True))
        if this is not None and that is not None and this is not that
    ]
    return differ == [at] and one.result is not other.result


def main() -> int:
    """Run the tests. Returns: 1 where one of them failed."""
    asked = Asked(MODULES)
    options = ("-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:xdist")
    status = pytest.main([*options, *(str(ROOT / test) for test in TESTS)], plugins=[asked])
    pairs = list(asked.pairs())
    without = [condition for _, condition, pair in pairs if pair is None]
    print(json.dumps({"conditions": len(pairs), "without": without, "red": asked.red}))
    return int(bool(status))


if __name__ == "__main__":
    sys.exit(main())
