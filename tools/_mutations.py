"""Small faults to put into a module: each mutant differs from the source in one place.

What is changed: comparisons, conditions, operands of ``and`` and ``or`` (left out one by one),
negations, arithmetic, numbers, and guards (an ``if`` whose whole body returns, raises or
continues, which is taken out). What is not: annotations, decorators, messages and other texts,
for a test that holds a sentence fast is no better a test.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import count

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_UNTOUCHED_FIELDS = frozenset({"annotation", "returns", "decorator_list"})
_UNTOUCHED_KEYWORDS = frozenset({"strict"})  # of zip: nothing changes where lengths agree
_UNTOUCHED_NODES = (ast.JoinedStr, ast.Import, ast.ImportFrom)
_SHOWN = 70
_NUDGE = Decimal("1.1")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module.

    Parameters
    ----------
    module : str
        Dotted name.
    place : str
        Function or class the change is in, or ``module``.
    line : int
    operator : str
        Kind of the change.
    before, after : str
        The expression that changes, shortened.
    number : int
        Its place among the module's mutants; the same source has the same numbers.
    at_import : bool
        Whether it is executed when the module is imported, and not by a call.
    """

    module: str
    place: str
    line: int
    operator: str
    before: str
    after: str
    number: int
    at_import: bool = False

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.place}: {self.before}  ->  {self.after}"


@dataclass(frozen=True, slots=True)
class _Change:
    """Put `node` where `field` of `owner` is; `index` counts inside a list."""

    owner: ast.AST
    field: str
    index: int | None
    node: ast.AST
    operator: str
    place: str
    at_import: bool

    @property
    def original(self) -> ast.AST:
        value = getattr(self.owner, self.field)
        found: ast.AST = value if self.index is None else value[self.index]
        return found

    def apply(self) -> None:
        ast.copy_location(self.node, self.original)
        if self.index is None:
            setattr(self.owner, self.field, self.node)
        else:
            getattr(self.owner, self.field)[self.index] = self.node


def find(module: str, source: str) -> tuple[Mutant, ...]:
    """Return every mutant of `source`, in the order of the text."""
    numbers = count()
    return tuple(
        Mutant(
            module,
            change.place,
            change.original.lineno,  # type: ignore[attr-defined] # expressions and statements
            change.operator,
            _shown(change.original),
            _shown(change.node),
            next(numbers),
            change.at_import,
        )
        for change in _changes(ast.parse(source))
    )


def mutated(source: str, number: int) -> ast.Module:
    """Return the tree of `source` with its mutant `number` applied."""
    tree = ast.parse(source)
    changes = list(_changes(tree))
    changes[number].apply()
    return ast.fix_missing_locations(tree)


def _changes(tree: ast.Module) -> Iterator[_Change]:
    yield from _walk(tree, "module", at_import=True)


def _walk(owner: ast.AST, place: str, *, at_import: bool) -> Iterator[_Change]:
    for field, value in ast.iter_fields(owner):
        if field in _UNTOUCHED_FIELDS:
            continue
        entries: Sequence[tuple[int | None, object]]
        entries = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, node in entries:
            if not isinstance(node, ast.AST) or _is_untouched(node):
                continue
            for replacement, operator in _replacements(node):
                yield _Change(owner, field, index, replacement, operator, place, at_import)
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            named = is_function or isinstance(node, ast.ClassDef)
            yield from _walk(
                node,
                node.name if named else place,  # type: ignore[attr-defined] # these have one
                at_import=at_import and not is_function,
            )


def _is_untouched(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg in _UNTOUCHED_KEYWORDS
    if isinstance(node, ast.Assign):
        return any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
    return isinstance(node, _UNTOUCHED_NODES)


def _replacements(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    match node:
        case ast.Compare():
            yield from _comparisons(node)
        case ast.BoolOp(op=op, values=values):
            for index in range(len(values)):
                kept = [*values[:index], *values[index + 1 :]]
                yield kept[0] if len(kept) == 1 else ast.BoolOp(op, kept), "operand"
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand, "negation"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            yield ast.BinOp(left, _ARITHMETIC[type(op)](), right), "arithmetic"
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in _ARITHMETIC:
            yield ast.AugAssign(target, _ARITHMETIC[type(op)](), value), "arithmetic"
        case ast.If() | ast.IfExp() | ast.While():
            yield _other_condition(node), "guard" if _is_guard(node) else "condition"
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in _CALLS:
            swapped = ast.Name(_CALLS[name], ast.Load())
            yield ast.Call(swapped, args, keywords), "call"
        case _:
            yield from _numbers(node)


def _comparisons(node: ast.Compare) -> Iterator[tuple[ast.AST, str]]:
    for index, op in enumerate(node.ops):
        ops = [*node.ops[:index], _COMPARISONS[type(op)](), *node.ops[index + 1 :]]
        yield ast.Compare(node.left, ops, node.comparators), "comparison"


def _is_guard(node: ast.If | ast.IfExp | ast.While) -> bool:
    if not isinstance(node, ast.If) or node.orelse:
        return False
    return len(node.body) == 1 and isinstance(node.body[0], _LEAVES)


def _other_condition(node: ast.If | ast.IfExp | ast.While) -> ast.AST:
    if _is_guard(node):
        test: ast.expr = ast.Constant(value=False)
    else:
        test = ast.UnaryOp(ast.Not(), node.test)
    ast.copy_location(test, node.test)
    fields = {name: value for name, value in ast.iter_fields(node) if name != "test"}
    return type(node)(test=test, **fields)


def _numbers(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value), "boolean"
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1), "number"
        case ast.Constant(value=float(value)):
            yield ast.Constant(value * float(_NUDGE) if value else 1.0), "number"
        case ast.Call(func=ast.Name(id="Decimal") as name, args=[ast.Constant(value=str(text))]):
            nudged = _nudged(text)
            if nudged is not None:
                yield ast.Call(name, [ast.Constant(nudged)], []), "number"


def _nudged(text: str) -> str | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite():
        return None
    return str(value * _NUDGE) if value else "1"


def _shown(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        node = node.test
    elif isinstance(node, ast.IfExp):
        node = ast.IfExp(node.test, ast.Constant(...), ast.Constant(...))
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
