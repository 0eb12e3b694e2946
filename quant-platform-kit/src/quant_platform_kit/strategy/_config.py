"""A profile's configuration: common field types, and the file an operator writes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from quant_platform_kit.contracts import Instrument
from quant_platform_kit.errors import ContractError, ReasonCode, SettingsError

C = TypeVar("C", bound=BaseModel)

_OWNER: Final = "profile"


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


def read_config(
    kind: type[C],
    path: Path,
    setting: str = "STRATEGY_CONFIG_PATH",
    names: tuple[str, ...] = (),
    keys: Iterable[str] = (),
) -> C:
    """Read a profile's configuration, or another file like it, from ``.json`` or ``.toml``.

    Types are strict: ``"2"`` or ``true`` is not a number. A key that is left out keeps its
    default; an unknown one is an error. A file may say whose it is with the key ``profile``: the
    keys of one profile often fit another, and a switch that left the file behind is told then.

    Parameters
    ----------
    kind : type
        The profile's own ``Config``.
    path : Path
    setting : str
        The setting that leads to the file; messages name it.
    names : tuple of str
        What the profile is called, the canonical name first; none where the file is not a
        profile's.
    keys : iterable of str
        What a message lists as allowed; the names of `kind` when left out.

    Raises
    ------
    SettingsError
        ``CONFIG_INVALID`` when the file is missing, does not parse, does not fit `kind` or is
        another profile's; the message names the file, each key at fault, what is wrong with it
        and the allowed keys.
    """
    try:
        table = _table(path)
        if names and _OWNER not in kind.model_fields:
            _require_own(table.pop(_OWNER, names[0]), names)
        # Through JSON, which is where strict pydantic takes an array for a tuple.
        return kind.model_validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as error:
        faults = "; ".join(_faults(error))
        allowed = ", ".join(sorted(keys or kind.model_fields))
        raise _invalid(path, setting, f"{faults}. Allowed keys: {allowed}") from error
    except _UnusableError as error:
        raise _invalid(path, setting, str(error)) from error


def _table(path: Path) -> dict[str, object]:
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors write the mark, and show none
    except FileNotFoundError as error:
        raise _UnusableError("there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _UnusableError(f"it cannot be read: {error}") from error
    try:
        table = _parse(path, text)
    except (ValueError, RecursionError) as error:
        raise _UnusableError(f"it does not parse: {error}") from error
    if not isinstance(table, dict):
        raise _UnusableError("its outermost value is not an object of keys and values")
    return table


def _require_own(owner: object, names: tuple[str, ...]) -> None:
    if owner not in names:
        raise _UnusableError(
            f"its key {_OWNER} is {json.dumps(owner, default=str)}, and {names[0]} runs here"
        )


def _parse(path: Path, text: str) -> object:
    match path.suffix.lower():
        case ".json":
            return json.loads(text, object_pairs_hook=_once, parse_constant=_not_a_number)
        case ".toml":
            return tomllib.loads(text)
        case _:
            raise _UnusableError("its name ends neither in .json nor in .toml")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(k for k in keys if keys.count(k) > 1)} stands more than once")
    return table


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a finite number")


def _faults(error: ValidationError) -> Iterator[str]:
    entries = error.errors()
    places = [entry["loc"] for entry in entries]
    for entry in entries:
        place = entry["loc"]
        if any(len(other) > len(place) and other[: len(place)] == place for other in places):
            continue  # a fault within it says more
        key = ".".join(map(str, place))
        if entry["type"] == "missing":
            yield f"{key} is missing"
            continue
        said = entry["msg"].removeprefix("Value error, ")
        # A rule over several keys has no place; its text names them.
        yield f"{key} = {json.dumps(entry['input'], default=str)}: {said}" if place else said


class _UnusableError(Exception):
    """The text of a file is no table, or another profile's; the message says why."""


def _invalid(path: Path, setting: str, what: str) -> SettingsError:
    return SettingsError(
        f"The configuration file {path} cannot be used: {what}. Nothing was decided or traded; "
        f"correct the file named by {setting}.",
        code=ReasonCode.CONFIG_INVALID,
    )
