"""Functions made to say what they run through, in place of the code that they have."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from typing import TYPE_CHECKING

from tests.mutation.mutants import Function, functions_of, inside, live_function, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FunctionType


class Instead:
    """Another code for every function of a module, until the end.

    Args:
        module: Its name.
        tree: Of the module, changed.
        named: What the changed code knows beside the module's own names.
    """

    def __init__(self, module: str, tree: ast.Module, **named: object) -> None:
        live_module = import_module(module)
        vars(live_module).update(named)
        code = compile(ast.fix_missing_locations(tree), inspect.getfile(live_module), "exec", dont_inherit=True)
        self._codes: list[tuple[FunctionType, CodeType]] = []
        for qualified, _ in functions_of(tree):
            live = live_function(live_module, qualified)
            self._codes.append((live, live.__code__))
            live.__code__ = inside(code, qualified)

    def end(self) -> None:
        """Put back what was there."""
        for live, code in self._codes:
            live.__code__ = code


class Watched:
    """The functions of modules, made to say which of their statements they run through, until the end.

    Attributes:
        seen: Name of the function and line of the statement.
    """

    def __init__(self, modules: Iterable[str]) -> None:
        self.seen: set[tuple[str, int]] = set()
        self._instead: list[Instead] = []
        for module in modules:
            tree = tree_of(module)
            for qualified, function in functions_of(tree):
                _report(function, f"{module}:{qualified}")
            self._instead.append(Instead(module, tree, _run_through_=self.seen))

    def end(self) -> None:
        """Put back what was there."""
        for each in self._instead:
            each.end()


def _report(function: Function, name: str) -> None:
    for node in list(ast.walk(function)):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):
                setattr(node, field, [each for one in statements for each in (_said(name, one), one)])


def _said(name: str, statement: ast.stmt) -> ast.stmt:
    (said,) = ast.parse(f"_run_through_.add({name, statement.lineno!r})").body
    return said
