"""A profile's configuration: common field types, and the file an operator writes."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from quant_platform_kit.contracts import Instrument
from quant_platform_kit.errors import ContractError, ReasonCode, SettingsError

C = TypeVar("C", bound=BaseModel)


def _symbol(text: str) -> str:
    return Instrument(text).symbol


def _unique(symbols: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if repeated:
        raise ContractError(f"{', '.join(repeated)} stands more than once")
    return symbols


Symbol = Annotated[str, AfterValidator(_symbol)]
"""An upper-case symbol such as ``SPY`` or ``BRK.B``."""

Symbols = Annotated[tuple[Symbol, ...], AfterValidator(_unique)]
"""Symbols in the order they are given, each once."""

Ratio = Annotated[Decimal, Field(ge=0, le=1)]
"""A share of a whole, in [0, 1]; exact, since weights are made of it."""


def read_config(kind: type[C], path: Path, setting: str = "STRATEGY_CONFIG_PATH") -> C:
    """Read a profile's configuration, or another file like it, from ``.json`` or ``.toml``.

    Types are strict: ``"2"`` or ``true`` is not a number. A key that is left out keeps its
    default; an unknown one is an error.

    Parameters
    ----------
    kind : type
        The profile's own ``Config``.
    path : Path
    setting : str
        The setting that leads to the file; messages name it.

    Raises
    ------
    SettingsError
        ``CONFIG_INVALID`` when the file is missing, does not parse or does not fit `kind`; the
        message names the file, each key at fault, what is wrong with it and the allowed keys.
    """
    try:
        table = _table(path)
        # Through JSON, which is where strict pydantic takes an array for a tuple.
        return kind.model_validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as error:
        faults = "; ".join(
            _fault(entry["loc"], entry["msg"], entry["input"]) for entry in error.errors()
        )
        allowed = ", ".join(sorted(kind.model_fields))
        raise _invalid(path, setting, f"{faults}. Allowed keys: {allowed}") from error
    except _UnreadableError as error:
        raise _invalid(path, setting, str(error)) from error


def _table(path: Path) -> dict[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _UnreadableError("there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _UnreadableError(f"it cannot be read: {error}") from error
    try:
        table = _parse(path, text)
    except ValueError as error:
        raise _UnreadableError(f"it does not parse: {error}") from error
    if not isinstance(table, dict):
        raise _UnreadableError("its outermost value is not an object of keys and values")
    return table


def _parse(path: Path, text: str) -> object:
    match path.suffix.lower():
        case ".json":
            return json.loads(text, object_pairs_hook=_once, parse_constant=_not_a_number)
        case ".toml":
            return tomllib.loads(text)
        case _:
            raise _UnreadableError("its name ends neither in .json nor in .toml")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(k for k in keys if keys.count(k) > 1)} stands more than once")
    return table


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a finite number")


def _fault(location: tuple[int | str, ...], message: str, value: object) -> str:
    said = message.removeprefix("Value error, ")
    if not location:  # a rule over several keys; its text names them
        return said
    return f"{'.'.join(map(str, location))} = {json.dumps(value, default=str)}: {said}"


class _UnreadableError(Exception):
    """The text of a file is no table; the message says why."""


def _invalid(path: Path, setting: str, what: str) -> SettingsError:
    return SettingsError(
        f"The configuration file {path} cannot be used: {what}. Nothing was decided or traded; "
        f"correct the file named by {setting}.",
        code=ReasonCode.CONFIG_INVALID,
    )
