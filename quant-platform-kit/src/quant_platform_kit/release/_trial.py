"""One run of a platform's service on this machine, in dry run: what it decided, and on what.

The service is the real one, in an environment of its pins, with the variables of the deployed one.
Its orders go to a virtual book, its messages nowhere, and what it remembers is thrown away. Where
the variables name a database, it reads there what the traded account remembers, and writes nothing.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from quant_platform_kit.contracts import canonical, digest
from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._environments import Environment
from quant_platform_kit.release._serving import Served
from quant_platform_kit.release._variables import COMMIT, CONFIG, MODE, SLEEVES

SLOT: Final = "shadow"
NOT_STARTED: Final = "NOT_STARTED"

_FAILED: Final = "FAILED"
_MESSAGES: Final = "QPK_NOTIFY_URLS"
_SERVICE: Final = "K_SERVICE"
_STATE: Final = "QPK_STATE_DIR"
_SECRET: Final = "_SECRET"  # noqa: S105 (the end of a variable's name)
_CONFIGURATIONS: Final = (CONFIG, SLEEVES)
_REBALANCE: Final = "rebalance"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

# What a trial sets itself, and what a deployment does: no part of what is compared.
_NEUTRAL: Final = frozenset({MODE, COMMIT, _SERVICE, _STATE})


@dataclass(frozen=True, slots=True)
class Setting:
    """What a service is told: its variables, and which secrets those of the rest name.

    Parameters
    ----------
    service : str
    plain : mapping of str to str
    secrets : mapping of str to str
        Name and version of a secret by variable, as in ``token:3``.
    """

    service: str
    plain: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @property
    def id(self) -> str:
        """Stands for all of it; a slow hash, because an account's number is soon guessed."""
        told = [
            {name: value for name, value in each.items() if _is_compared(name)}
            for each in (self.plain, self.secrets, self._contents)
        ]
        salt = self.service.encode()
        return hashlib.scrypt(
            canonical(told).encode(), salt=salt, n=2**14, r=8, p=1, dklen=16
        ).hex()

    @property
    def _contents(self) -> dict[str, str]:
        """What is in configurations outside of the image; those inside belong to its bundle."""
        paths = {name: Path(v) for name, v in self.plain.items() if name.endswith(_CONFIGURATIONS)}
        return {name: _sha256(path) for name, path in paths.items() if path.is_absolute()}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all variables that count."""
        return tuple(sorted(filter(_is_compared, (*self.plain, *self.secrets))))

    def told(self, project: str) -> dict[str, str]:
        """Return the variables of a process here; secrets are named, and it asks for them."""
        named = {
            f"{name}{_SECRET}": f"projects/{project}/secrets/{secret}/versions/{version}"
            for name, (secret, _, version) in (
                (name, kept.partition(":")) for name, kept in self.secrets.items()
            )
        }
        return {**self.plain, **named}

    def for_trial(self, project: str, state: str) -> dict[str, str]:
        """Return the variables of a dry run that tells nobody and keeps nothing."""
        told = self.told(project)
        told = {name: value for name, value in told.items() if not name.startswith(_MESSAGES)}
        return told | {MODE: "dry_run", _STATE: state, _SERVICE: self.service}


@dataclass(frozen=True, slots=True)
class Side:
    """What one of two services did.

    Parameters
    ----------
    commit, bundle : str
        What it is made of.
    setting : str
        Id of what it was told.
    variables : tuple of str
        The names in it.
    profiles : tuple of str
    session, outcome, code, reason : str
        Of its report; `outcome` is ``NOT_STARTED`` when there is none.
    inputs : mapping of str to str
        What its decisions read, by what it is.
    targets : mapping of str to str
        Share of the capital base by symbol.
    orders : mapping of str to str
        Side and quantity by symbol.
    prices_usd : mapping of str to str
        What it saw of each symbol.
    """

    commit: str
    bundle: str
    setting: str
    variables: tuple[str, ...]
    profiles: tuple[str, ...] = ()
    session: str = ""
    outcome: str = NOT_STARTED
    code: str = ""
    reason: str = ""
    inputs: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    targets: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    orders: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    prices_usd: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @property
    def plan_sha256(self) -> str:
        """Stands for targets and orders: two sides with one digest would do the same."""
        return digest([self.targets, self.orders])


def try_out(environment: Environment, setting: Setting) -> Side:
    """Start the service, let it run one slot of its own in dry run, and end it.

    One that does not start, or gives no report, is told as such.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_TOOL`` when this machine cannot start anything.
    """
    common = environment.commit, environment.bundle.id, setting.id, setting.names
    project = environment.place.cloud.project
    with tempfile.TemporaryDirectory(prefix="shadow-") as state:
        try:
            with environment.serving(setting.for_trial(project, state)) as served:
                answer = _asked(served)
        except ReleaseRefused as refusal:
            if refusal.code is not ReasonCode.PIN_UNBOOTABLE:
                raise
            return Side(*common, code=str(refusal.code), reason=refusal.message)
    if "report" not in answer:
        error = answer.get("error", {})
        told = str(error.get("code", "")), str(error.get("message", "it gave no report"))
        return Side(*common, outcome=_FAILED, code=told[0], reason=told[1])
    return Side(*common, **_read(answer["report"]))


def _asked(served: Served) -> Mapping[str, Any]:
    try:
        return served.run({"slot": SLOT})
    except (HTTPException, OSError, ValueError) as error:
        return {"error": {"message": f"its answer broke off: {error}"}}


def _read(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report says, also one of an older kit, which may lack a key."""
    positions = report.get("positions", ())
    return {
        "profiles": tuple(str(each["profile"]) for each in report.get("strategies", ())),
        "session": str(report["session"] or ""),
        "outcome": str(report["outcome"]),
        "code": str(report["code"] or ""),
        "reason": str(report["reason"]),
        "inputs": dict(_inputs(report.get("decisions", ()))),
        "targets": _numbers(positions, "target_weight"),
        "orders": _orders(report.get("orders", ())),
        "prices_usd": _numbers(positions, "price_usd"),
    }


def _inputs(decisions: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for each in decisions:
        if bars := each.get("history"):
            span = f"{bars['first_session']} to {bars['last_session']}"
            yield "daily bars", f"{bars['symbols']} symbols, {span}, {bars['adjustment']}"
        if snapshot := each.get("snapshot"):
            which = f"{snapshot['as_of']}, version {snapshot['version']}"
            yield f"snapshot of {snapshot['profile']}", f"{which}, {snapshot['sha256'][:12]}"


def _numbers(positions: Iterable[Mapping[str, Any]], key: str) -> dict[str, str]:
    return {
        str(each["symbol"]): _plain(each[key]) for each in positions if each.get(key) is not None
    }


def _orders(lines: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return what is bought, sold and protected of each symbol; an order sent again counts once."""
    sums: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for line in lines:
        purpose = str(line.get("purpose", _REBALANCE))
        sums[str(line["symbol"]), str(line["side"]), purpose] += Decimal(line["quantity"])
    told: defaultdict[str, list[str]] = defaultdict(list)
    for (symbol, side, purpose), quantity in sorted(sums.items()):
        of = "" if purpose == _REBALANCE else f" ({purpose})"
        told[symbol].append(f"{side.upper()} {_plain(quantity)}{of}")
    return {symbol: ", ".join(each) for symbol, each in told.items()}


def _plain(number: object) -> str:
    return f"{Decimal(str(number)).normalize():f}"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _is_compared(name: str) -> bool:
    return name not in _NEUTRAL and not name.startswith(_MESSAGES)
