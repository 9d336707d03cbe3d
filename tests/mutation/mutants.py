"""Every small change of a function's code that some test should notice.

A mutant is made by replacing the code object of a live function, so that whoever has taken the function from its module
already runs the mutant too. Tables and constants of a module are left alone: each row has its boundary pair and its
kill proof.
"""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {"any": "all", "all": "any", "min": "max", "max": "min"}


class Mutant(NamedTuple):
    """One change.

    Attributes:
        module: Dotted name.
        function: Qualified name in the module.
        number: Among those of this function that look the same.
        line: Of the change.
        before: The expression or statement as it is.
        after: As the mutant has it.
        tree: The changed module.
    """

    module: str
    function: str
    number: int
    line: int
    before: str
    after: str
    tree: ast.Module

    @property
    def key(self) -> str:
        """The same for ever, wherever the function stands in its file."""
        again = f" [{self.number}]" if self.number > 1 else ""
        return f"{self.module}:{self.function}: {self.before} -> {self.after}{again}"

    def apply(self) -> None:
        """Make it the code of the live function, in this process."""
        module = import_module(self.module)
        code = compile(self.tree, inspect.getfile(module), "exec", dont_inherit=True)
        live = live_function(module, self.function)
        live.__code__ = _inside(code, self.function)


def live_function(module: ModuleType, qualified: str) -> FunctionType:
    """The function of that name, behind property and cache."""
    found: object = module
    for name in qualified.split("."):
        found = inspect.getattr_static(found, name)
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    found = inspect.unwrap(found)  # type: ignore[arg-type]
    assert isinstance(found, FunctionType), qualified
    return found


def _inside(code: CodeType, qualified: str) -> CodeType:
    for name in qualified.split("."):
        (code,) = [each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name]
    return code


def mutants_of(module: str) -> Iterator[Mutant]:
    """All of a module, function by function."""
    tree = ast.parse(Path(inspect.getfile(import_module(module))).read_text(encoding="utf-8"))
    for qualified, path in _functions(tree):
        function = path(tree)
        again: Counter[tuple[str, str]] = Counter()
        for at, node in enumerate(_body(function)):
            for after in _changes(node):
                copy = deepcopy(tree)
                _put(path(copy), list(_body(path(copy)))[at], after)
                ast.fix_missing_locations(copy)
                shown = _shown(node, after)
                again[shown] += 1
                yield Mutant(module, qualified, again[shown], getattr(node, "lineno", function.lineno), *shown, copy)


def _body(function: Function) -> Iterator[ast.AST]:
    """Every node but those of the signature, which is none of its code."""
    return chain.from_iterable(ast.walk(statement) for statement in function.body)


def _functions(tree: ast.Module) -> Iterator[tuple[str, Callable[[ast.Module], Function]]]:
    for at, node in enumerate(tree.body):
        if isinstance(node, Function):
            yield node.name, lambda tree, at=at: tree.body[at]  # type: ignore[misc]
        elif isinstance(node, ast.ClassDef):
            for inner, method in enumerate(node.body):
                if isinstance(method, Function):
                    yield (
                        f"{node.name}.{method.name}",
                        lambda tree, at=at, inner=inner: tree.body[at].body[inner],  # type: ignore[misc]
                    )


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Every change of one node, each a new node in its place."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            for other in COMPARISONS.get(type(operator), ()):
                yield ast.Compare(left, [other()], [right])
        case ast.Compare(left=left, ops=operators, comparators=comparators):
            for at, operator in enumerate(operators):
                for other in COMPARISONS.get(type(operator), ()):
                    yield ast.Compare(left, [*operators[:at], other(), *operators[at + 1 :]], comparators)
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
            for at in range(len(values)):
                rest = values[:at] + values[at + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield ast.Call(ast.Name("bool", ast.Load()), [operand], [])
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in ARITHMETIC:
            if not any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (left, right)):
                yield ast.BinOp(left, ARITHMETIC[type(operator)](), right)
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=float(value)):
            yield ast.Constant(value * 1.1 + 0.1)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if name in NAMES:
            yield ast.Call(ast.Name(NAMES[name], ast.Load()), arguments, keywords)
        case ast.Call(func=ast.Attribute(attr="_replace") as called, args=[], keywords=keywords):
            for at, keyword in enumerate(keywords):
                if keyword.arg is not None:
                    yield ast.Call(called, [], keywords[:at] + keywords[at + 1 :])
        case ast.If(test=test, body=body, orelse=orelse) if not isinstance(test, (ast.Compare, ast.BoolOp)):
            yield ast.If(ast.Constant(value=True), body, orelse)
            yield ast.If(ast.Constant(value=False), body, orelse)
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.AugAssign() | ast.Break() | ast.Continue():
            yield ast.Pass()


def _put(root: ast.AST, old: ast.AST, new: ast.AST) -> None:
    """``new`` was built of nodes of another copy of the tree; that does no harm."""
    for parent in ast.walk(root):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
                return
            if isinstance(value, list):
                for at, each in enumerate(value):
                    if each is old:
                        value[at] = new
                        return
    raise AssertionError(_text(old))


def _shown(node: ast.AST, after: ast.AST) -> tuple[str, str]:
    match node, after:
        case ast.Call(keywords=keywords), ast.Call(keywords=fewer) if len(fewer) < len(keywords):
            (gone,) = [each for each in keywords if each not in fewer]
            return f"{_text(node.func)}({gone.arg}=...)", f"without {gone.arg}"  # type: ignore[attr-defined]
        case ast.If(test=test), ast.If(test=then):
            return f"if {_text(test)}", f"if {_text(then)}"
    return _text(node), _text(after)


def _text(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).splitlines()[0].strip()
