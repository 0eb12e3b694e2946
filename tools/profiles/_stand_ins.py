"""A profile under its own defaults, with every symbol replaced by its stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from quant_platform_kit.strategy import Profile, Strategy, StrategyConfig, Symbol
from tools.profiles._market import PREFIX, SECTORS

_MARK = get_args(Symbol)[1]  # what makes a text a symbol


def on_stand_ins(profile: Profile) -> Strategy:
    """Return the profile with its default numbers on the made-up market.

    A list of symbols that is empty by default is the operator's to fill: it gets the made-up
    market's companies.
    """
    kind = profile.module.Config
    defaults = kind()
    changes = {name: _stand_in(getattr(defaults, name)) for name in _symbol_fields(kind)}
    return profile.configured(kind(**{**_given(defaults), **changes}))


def _given(config: StrategyConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in type(config).model_fields}


def _symbol_fields(kind: type[StrategyConfig]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        if _MARK in field.metadata or _mentions(field.annotation):
            yield name


def _mentions(annotation: object) -> bool:
    parts = get_args(annotation)
    return any(part is _MARK or _mentions(part) for part in parts)


def _stand_in(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(PREFIX + symbol for symbol in value or SECTORS)
    return PREFIX + value if isinstance(value, str) else value
