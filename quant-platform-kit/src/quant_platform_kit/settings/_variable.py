"""What one variable is: its spellings, how its text is read, and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from quant_platform_kit.contracts import ExecutionMode
from quant_platform_kit.secret_manager import is_loopback

SIMULATED: Final = "simulated"

_HOUR_SECS: Final = 3600.0
_LEAST_SECS: Final = 0.1
_POSTGRESQL: Final = "postgresql+psycopg://"


class Platform(StrEnum):
    """The services; the upper-case name prefixes a platform's own variables."""

    IBKR = "ibkr"
    SCHWAB = "schwab"
    LONGBRIDGE = "longbridge"


class Source(StrEnum):
    """What the text of a variable is: the value, or where the value is kept."""

    VALUE = ""
    FILE = "_FILE"
    SECRET = "_SECRET"  # noqa: S105 (the end of a name)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable.

    Parameters
    ----------
    name : str
    field : str
        Of the settings, or of the login, that it fills.
    read : callable
        Makes the value of its text, or raises ValueError or ArithmeticError.
    default : str or None
        Its text when it is not set; None when it must be.
    meaning : str
        For an operator.
    of_platform : bool
        Whether it may be written with the platform's prefix.
    is_secret : bool
        Whether it is never shown. It may also come from a file, or from Google Secret Manager:
        the variables with ``_FILE`` or ``_SECRET`` added say which.
    also : str
        Another spelling of the variable that names its secret.
    """

    name: str
    field: str
    read: Callable[[str], Any]
    default: str | None
    meaning: str
    of_platform: bool = False
    is_secret: bool = False
    also: str = ""

    def spellings(self, platform: Platform) -> dict[str, Source]:
        """Return every name under which it may be set on a platform, the usual one first."""
        if self.of_platform:
            own = f"{platform.upper()}_{self.name}"
            return {own: Source.VALUE, self.name: Source.VALUE}
        if not self.is_secret:
            return {self.name: Source.VALUE}
        spellings = {f"{self.name}{source}": source for source in Source}
        return spellings | ({self.also: Source.SECRET} if self.also else {})


# ── Readers ────────────────────────────────────────────────────────────────────────────


def text(value: str) -> str:
    """Return it as it is."""
    return value


def optional_text(value: str) -> str | None:
    """Return it as it is; None when it is blank."""
    return value or None


def optional_path(value: str) -> Path | None:
    """Return a path."""
    return Path(value) if value else None


def optional_location(value: str) -> Path | str | None:
    """Return a path, or the address of a bucket as it is written."""
    return value if value.startswith("gs://") else optional_path(value)


def dollars(value: str) -> Decimal:
    """Return an amount, zero or more."""
    amount = Decimal(value)
    if not amount.is_finite() or amount < 0:
        raise ValueError
    return amount


def optional_dollars(value: str) -> Decimal | None:
    """Return an amount, zero or more."""
    return dollars(value) if value else None


def ratio(value: str) -> Decimal:
    """Return a number from 0 to 1."""
    number = Decimal(value)
    if not 0 <= number <= 1:
        raise ValueError
    return number


def optional_participation(value: str) -> Decimal | None:
    """Return a number above 0, up to 1."""
    if not value:
        return None
    number = ratio(value)
    if not number:
        raise ValueError
    return number


def cost(value: str) -> Decimal:
    """Return a number from 0, below 1."""
    number = ratio(value)
    if number == 1:
        raise ValueError
    return number


def seconds(value: str) -> float:
    """Return a number of seconds, up to an hour: longer than any window is milliseconds meant."""
    secs = float(value)
    if not 0 <= secs <= _HOUR_SECS:
        raise ValueError
    return secs


def time_limit(value: str) -> float:
    """Return a number of seconds in which something can be done."""
    secs = seconds(value)
    if secs < _LEAST_SECS:
        raise ValueError
    return secs


def optional_date(value: str) -> date | None:
    """Return a date."""
    return date.fromisoformat(value) if value else None


def languages(value: str) -> tuple[str, ...]:
    """Return the languages of the message catalog that are wanted."""
    wanted = tuple(part.strip() for part in value.split(","))
    if not set(wanted) <= {"en", "zh"}:
        raise ValueError
    return wanted


def channels(value: str) -> tuple[str, ...]:
    """Return the addresses that spaces separate."""
    addresses = tuple(value.split())
    if not all("://" in address for address in addresses):
        raise ValueError
    return addresses


def store_url(value: str) -> str:
    """Return the address of a database; blank for none."""
    if value and not value.startswith(_POSTGRESQL):
        raise ValueError
    return value


def broker(value: str) -> str:
    """Return the name of a broker."""
    if value not in {SIMULATED, *Platform}:
        raise ValueError
    return value


def account_type(value: str) -> str:
    """Return the kind of a simulated account."""
    return _one_of(value, "margin", "cash")


def impact(value: str) -> str:
    """Return how a simulated order's cost grows with its size."""
    return _one_of(value, "square_root", "linear")


def settlement(value: str) -> int:
    """Return the sessions from a sale to its settlement."""
    return int(_one_of(value, "0", "1"))


def _one_of(value: str, *choices: str) -> str:
    if value not in choices:
        raise ValueError
    return value


def region(value: str) -> str:
    """Return a region of LongBridge; blank for none."""
    if value not in {"", "HK", "SG"}:
        raise ValueError
    return value


def whole(value: str) -> int:
    """Return a whole number, zero or more, that a broker's protocol can carry."""
    number = int(value)
    if not 0 <= number < 2**31:
        raise ValueError
    return number


def port(value: str) -> int:
    """Return a TCP port."""
    number = int(value)
    if not 0 < number < 2**16:
        raise ValueError
    return number


def optional_port(value: str) -> int | None:
    """Return a TCP port."""
    return port(value) if value else None


def optional_simulator(value: str) -> str | None:
    """Return the address of a simulator; elsewhere a broker could pass for one."""
    if value and not is_loopback(value):
        raise ValueError
    return value or None


def secret_service(value: str) -> str:
    """Return an address that a secret may travel to: encrypted, or on this machine."""
    there = urlsplit(value)
    if there.path.strip("/") or not there.netloc:
        raise ValueError
    if there.scheme != "https" and not (there.scheme == "http" and is_loopback(value)):
        raise ValueError
    return value


WANTED: Final[dict[Callable[[str], Any], str]] = {
    ExecutionMode: "dry_run, paper or live",
    dollars: "an amount in USD such as 250 or 250.50",
    optional_dollars: "an amount in USD such as 250 or 250.50",
    ratio: "a ratio from 0 to 1 such as 0.001",
    optional_participation: "a ratio above 0, up to 1, such as 0.1",
    cost: "a ratio from 0, below 1, such as 0.0005",
    account_type: "margin or cash",
    impact: "square_root or linear",
    settlement: "0 or 1",
    seconds: "a number of seconds from 0 to 3600",
    time_limit: "a number of seconds from 0.1 to 3600",
    channels: "Apprise addresses such as slack://... or mailto://..., separated by spaces",
    optional_date: "a date such as 2020-03-31",
    languages: "en, zh, or both separated by a comma",
    store_url: f"{_POSTGRESQL}user:password@host/database",
    broker: "simulated, or the platform's own broker: ibkr, schwab or longbridge",
    port: "a port such as 4002",
    optional_port: "a port such as 4002",
    region: "HK or SG",
    whole: "a whole number, zero or more, below 2147483648",
    optional_simulator: "the address of a simulator on this machine, or nothing: without it the "
    "broker's own address is used",
    secret_service: "an https:// address, or http:// on loopback",
}
"""What a reader expects, for the message of a text that it cannot read."""
