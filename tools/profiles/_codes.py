"""The reason codes that a profile's `decide` can answer with, read from its source."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from quant_platform_kit.errors import ReasonCode

_START = "decide"


@dataclass(slots=True)
class _Source:
    """The functions and classes of one module, and where its imported names come from."""

    bodies: dict[str, ast.AST] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


def blocking_codes(module_name: str) -> tuple[ReasonCode, ...]:
    """Return the codes in everything that `decide` can reach inside its own package.

    Calls are followed by name through the module and the modules of its package that it imports
    from, so a helper that several profiles share counts for each of them.
    """
    package = module_name.partition(".")[0]
    waiting, seen, codes = [(module_name, _START)], set(), set()
    while waiting:
        place = waiting.pop()
        if place in seen or place[0].partition(".")[0] != package:
            continue
        seen.add(place)
        module, name = place
        source = _source(module)
        if name in source.imported:
            waiting.append(source.imported[name])
        body = source.bodies.get(name)
        if body is None:
            continue
        for node in ast.walk(body):
            codes |= _codes_in(node)
            if isinstance(node, ast.Name):
                waiting.append((module, node.id))
            elif isinstance(node, ast.Attribute):
                waiting.append((module, node.attr))
    return tuple(code for code in ReasonCode if code.name in codes)


def _codes_in(node: ast.AST) -> set[str]:
    match node:
        case ast.Attribute(value=ast.Name(id="ReasonCode"), attr=name):
            return {name}
        case _:
            return set()


@cache
def _source(module: str) -> _Source:
    found = _Source()
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return found
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.bodies[name] = node
            case ast.ClassDef(name=name, body=members):
                found.bodies[name] = node
                for member in members:  # a method is found by its name
                    if isinstance(member, ast.FunctionDef):
                        found.bodies.setdefault(member.name, member)
            case ast.ImportFrom(module=str(origin), names=names):
                for each in names:
                    found.imported[each.asname or each.name] = (origin, each.name)
    return found
