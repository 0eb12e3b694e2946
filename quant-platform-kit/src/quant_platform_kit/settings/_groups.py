"""Accounts of Interactive Brokers under one login: which belong together, and who trades which."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from quant_platform_kit.errors import SettingsError
from quant_platform_kit.settings import _variable as read

_KEYS: Final = {"client_ids", "host", "port"}
_WHERE: Final = "The account groups (IBKR_ACCOUNT_GROUPS)"


@dataclass(frozen=True, slots=True)
class AccountGroup:
    """Accounts that one TWS or IB Gateway serves.

    Parameters
    ----------
    client_ids : mapping of str to int
        By account: the number of the service that trades it. No two have the same.
    host : str or None
    port : int or None
        Where TWS runs; None for what the service's own variables say.
    """

    client_ids: Mapping[str, int] = field(repr=False)
    host: str | None = None
    port: int | None = None


def read_groups(text: str) -> dict[str, AccountGroup]:
    """Read groups from TOML or JSON, by name.

    Raises
    ------
    SettingsError
        When something in it is unknown, missing or cannot be read; no account is shown.
    """
    import tomllib  # for those who have groups

    try:
        is_json = text.lstrip().startswith("{")
        document = json.loads(text, object_pairs_hook=_once) if is_json else tomllib.loads(text)
    except ValueError as error:  # the texts of both parsers tell places, not contents
        raise SettingsError(f"{_WHERE} cannot be read: {error}.") from None
    return {name: _group(name, entry) for name, entry in document.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs; of two with one name JSON would take the last, and TOML neither."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _group(name: str, entry: Any) -> AccountGroup:  # noqa: ANN401 (whatever was written)
    if not isinstance(entry, dict) or not isinstance(entry.get("client_ids"), dict):
        raise _fault(name, "has no table client_ids, from account to the number of its service")
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise _fault(name, f"has an unknown entry {unknown[0]!r}; expected {sorted(_KEYS)}")
    numbers = list(entry["client_ids"].values())
    if not numbers or not all(type(number) is int and number >= 0 for number in numbers):
        raise _fault(name, "has an account without a whole number, zero or more, for its service")
    if len(set(numbers)) < len(numbers):
        raise _fault(
            name, "gives two accounts the same client id: TWS lets in one program under each"
        )
    try:
        port = None if entry.get("port") is None else read.port(str(entry["port"]))
    except ValueError:
        raise _fault(name, "has a port that is none; expected one such as 4002") from None
    host = entry.get("host")
    if host is not None and not (isinstance(host, str) and host):
        raise _fault(name, "has a host that is no name")
    return AccountGroup(dict(entry["client_ids"]), host, port)


def _fault(name: str, what: str) -> SettingsError:
    return SettingsError(f"{_WHERE}: the group {name!r} {what}.")
