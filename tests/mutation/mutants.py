"""Every small change of a function's code that some test should notice.

A mutant is made by replacing the code object of a live function, so that whoever has taken the function from its module
already runs the mutant too. Tables and constants of a module are left alone: each row has its boundary pair and its
kill proof. So are decorators, signatures and functions inside functions.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import NamedTuple, get_args

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
        line: Of the statement that is changed.
        before: The expression or statement as it is.
        after: As the mutant has it.
        source: Of the function: what was found out holds as long as this is so.
        change: Makes it, in the tree of the module, for good.
    """

    module: str
    function: str
    number: int
    line: int
    before: str
    after: str
    source: str
    change: Callable[[], ast.Module]

    @property
    def key(self) -> str:
        """The same for ever, wherever the function stands in its file."""
        again = f" [{self.number}]" if self.number > 1 else ""
        return f"{self.module}:{self.function}: {self.before} -> {self.after}{again}"

    def apply(self) -> None:
        """Make it the code of the live function, in this process, which can make no other one after it."""
        module = import_module(self.module)
        code = compile(self.change(), inspect.getfile(module), "exec", dont_inherit=True)
        live = live_function(module, self.function)
        live.__code__ = inside(code, self.function)


def live_function(module: ModuleType, qualified: str) -> FunctionType:
    """The function of that name, behind property and cache."""
    found: object = module
    for name in qualified.split("."):
        found = inspect.getattr_static(found, name)
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, cached_property):
        found = found.func
    elif isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    found = inspect.unwrap(found)  # type: ignore[arg-type]
    assert isinstance(found, FunctionType), qualified
    return found


def inside(code: CodeType, qualified: str) -> CodeType:
    """The code of a function in that of its module."""
    for name in qualified.split("."):
        (code,) = [each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name]
    return code


def mutants_of(module: str) -> Iterator[Mutant]:
    """All of a module, function by function."""
    tree = tree_of(module)
    for qualified, function in functions_of(tree):
        again: Counter[tuple[str, str]] = Counter()
        source = digest_of(function)
        for node, line in _body(function):
            for after in _changes(node):
                shown = _shown(node, after)
                again[shown] += 1
                change = _change(tree, function, node, after)
                yield Mutant(module, qualified, again[shown], line, *shown, source, change)


def digest(module: str) -> str:
    """Of the code that a result is about: comments and docstrings are none of it."""
    return digest_of(tree_of(module))


def tree_of(module: str) -> ast.Module:
    """Of its source, without docstrings."""
    tree = ast.parse(Path(inspect.getfile(import_module(module))).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *get_args(Function))) and ast.get_docstring(node):
            node.body[:1] = [ast.copy_location(ast.Pass(), node.body[0])] if len(node.body) == 1 else []
    return tree


def digest_of(node: ast.AST) -> str:
    """Of code, wherever it stands."""
    return hashlib.sha256(ast.dump(node).encode()).hexdigest()[:12]


def _change(tree: ast.Module, function: Function, node: ast.AST, after: ast.AST) -> Callable[[], ast.Module]:
    def change() -> ast.Module:
        _put(function, node, ast.copy_location(after, node))
        return ast.fix_missing_locations(tree)

    return change


def _body(function: Function) -> Iterator[tuple[ast.AST, int]]:
    """Every node but those of the signature, which is none of its code, and the line of its statement."""
    for statement in function.body:
        yield statement, statement.lineno
        yield from _inner(statement, statement.lineno)


def _inner(node: ast.AST, line: int) -> Iterator[tuple[ast.AST, int]]:
    annotation = node.annotation if isinstance(node, ast.AnnAssign) else None  # which is never evaluated
    for child in ast.iter_child_nodes(node):
        if child is annotation:
            continue
        at = child.lineno if isinstance(child, ast.stmt) else line
        yield child, at
        yield from _inner(child, at)


def functions_of(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """The functions and methods of a module by their qualified names."""
    for node in tree.body:
        if isinstance(node, Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, Function):
                    yield f"{node.name}.{inner.name}", inner


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
        case ast.comprehension(target=target, iter=source, ifs=conditions, is_async=is_async):
            for at in range(len(conditions)):
                yield ast.comprehension(target, source, conditions[:at] + conditions[at + 1 :], is_async)
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super"))))):
            return  # without it the function has another closure, and cannot be put in the place of the live one
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.AugAssign() | ast.Break() | ast.Continue():
            yield ast.Pass()


def _put(root: ast.AST, old: ast.AST, new: ast.AST) -> None:
    """The one in place of the other, whose parts it may have."""
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
        case ast.comprehension(ifs=conditions), ast.comprehension(ifs=fewer):
            (left_out,) = [each for each in conditions if each not in fewer]
            return f"for {_text(node.target)} in {_text(node.iter)} if {_text(left_out)}", "without the condition"
    return _text(node), _text(after)


def _text(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).splitlines()[0].strip()
