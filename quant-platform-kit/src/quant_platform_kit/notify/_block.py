"""The part of a heartbeat that programs read: its last lines, the same in every language.

::

    [qpk/1]
    service=rebalancer-ibkr platform=ibkr environment=paper mode=paper
    session=2020-03-31 slot=close outcome=TRADED
    profile=mega_cap_leader_rotation name=Mega+Cap+Leader+Rotation input=snapshot
    as_of=2020-03-30 sha256=9f8e7d6c5b4a version=2020-03-30-1
    exposure=0.9834 gate=active
    commit=0123456789ab bundle=ab12cd34ef56
    versions=quant-platform-kit:0.1.0,us-equity-strategies:0.1.0
    run=ibkr-0a1b2c:2020-03-31:close finished=2020-03-31T19:45:00Z
    [/qpk/1 0f1e2d3c]

Channels do things to a text: they cut it, put titles between its parts, and turn it into HTML. So a
line is short, holds nothing that HTML writes otherwise, and is of this block alone by its form; the
last line has check digits over all of them. A key that a reader does not know is left out, and a
value that is not there has no key: what version 1 says today it always will.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from urllib.parse import quote_plus, unquote_plus

from quant_platform_kit.contracts import (
    CycleReport,
    Environment,
    ExecutionMode,
    InputMode,
    Outcome,
    SnapshotRef,
    StrategyIdentity,
)

OPENING: Final = "[qpk/1]"
_CLOSING: Final = re.compile(r"\[/qpk/1 ([0-9a-f]{8})\]")
_LINE: Final = re.compile(r"[a-z_0-9]+=[^\s=]+(?: [a-z_0-9]+=[^\s=]+)*")
_TAG: Final = re.compile(r"<[^<>\n]*>")
_OPEN_GATE: Final = "active"
# Hashes are recognised by their beginning.
_SHORT: Final = 12
_ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True)
class BlockSnapshot:
    """The feature snapshot that a strategy decided on; `sha256` is the beginning of its hash."""

    as_of: date
    sha256: str
    version: str


@dataclass(frozen=True, slots=True)
class BlockStrategy:
    """One strategy of the account; `display_name` is the English one."""

    profile: str
    display_name: str
    input_mode: InputMode
    snapshot: BlockSnapshot | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """What a heartbeat says to programs.

    Parameters
    ----------
    service : str
        As it was deployed; empty on a desk.
    platform : str
    environment : Environment or None
        What the connected broker says it is; None when it was not asked.
    mode : ExecutionMode
    session : date or None
    slot : str
    outcome : Outcome
    code : str
        Of the reason; empty when there is none.
    run_key : str
    finished_at : datetime
    strategies : tuple of BlockStrategy
    gate : str
        How the trading gate stood: ``active``, ``reducing`` or ``halted``; empty when not known.
    exposure_ratio : Decimal or None
        Share of the capital base in managed symbols other than safe havens; None when not known.
    commit, bundle : str
        Empty when not known. Of a commit the first twelve digits.
    versions : mapping of str to str
    stale_variables : tuple of str
        Names of variables that are set and have no effect; normally none.
    """

    service: str
    platform: str
    environment: Environment | None
    mode: ExecutionMode
    session: date | None
    slot: str
    outcome: Outcome
    code: str
    run_key: str
    finished_at: datetime
    strategies: tuple[BlockStrategy, ...] = ()
    gate: str = ""
    exposure_ratio: Decimal | None = None
    commit: str = ""
    bundle: str = ""
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stale_variables: tuple[str, ...] = ()

    @classmethod
    def of(cls, report: CycleReport) -> Block:
        """Return the block of a report."""
        snapshots = {ref.profile: ref for ref in report.snapshots}
        return cls(
            service=report.service,
            platform=report.platform,
            environment=report.environment,
            mode=report.mode,
            session=report.session,
            slot=report.slot,
            outcome=report.outcome,
            code="" if report.code is None else report.code.value,
            run_key=report.run_key,
            finished_at=report.finished_at,
            strategies=tuple(_strategy(s, snapshots.get(s.profile)) for s in report.strategies),
            gate=report.gate,
            exposure_ratio=report.exposure_ratio,
            commit=report.commit[:_SHORT],
            bundle=report.bundle,
            versions=report.versions,
            stale_variables=report.stale_variables,
        )

    @property
    def gate_is_open(self) -> bool:
        """Whether strategies may buy and sell."""
        return self.gate == _OPEN_GATE

    def text(self) -> str:
        """Return the lines of the block."""
        lines = [line for line in map(_written, self._lines()) if line]
        return "\n".join((OPENING, *lines, f"[/qpk/1 {_check_digits(lines)}]"))

    def _lines(self) -> Iterable[Mapping[str, object]]:
        yield {
            "service": self.service,
            "platform": self.platform,
            "environment": self.environment,
            "mode": self.mode,
        }
        yield {
            "session": self.session,
            "slot": self.slot,
            "outcome": self.outcome,
            "code": self.code,
        }
        for strategy in self.strategies:
            yield {
                "profile": strategy.profile,
                "name": strategy.display_name,
                "input": strategy.input_mode,
            }
            if strategy.snapshot is not None:
                yield {
                    "as_of": strategy.snapshot.as_of,
                    "sha256": strategy.snapshot.sha256,
                    "version": strategy.snapshot.version,
                }
        yield {"exposure": self.exposure_ratio, "gate": self.gate, "stale": self.stale_variables}
        yield {"commit": self.commit, "bundle": self.bundle}
        yield {"versions": self.versions}
        yield {"run": self.run_key, "finished": self.finished_at}


def _strategy(identity: StrategyIdentity, read: SnapshotRef | None) -> BlockStrategy:
    snapshot = (
        None if read is None else BlockSnapshot(read.as_of, read.sha256[:_SHORT], read.version)
    )
    name = identity.display_name.get(_ENGLISH, identity.profile)
    return BlockStrategy(identity.profile, name, identity.input_mode, snapshot)


def part(body: str) -> tuple[str, str]:
    """Return the body of a heartbeat without its block, and the block; blank when it has none."""
    prose, mark, rest = body.rpartition(f"{OPENING}\n")
    return (prose.rstrip("\n"), mark + rest) if mark else (body, "")


def read_block(text: str) -> Block | None:
    """Return the block that `text` ends with; None when it has none, or not the whole of it.

    Parameters
    ----------
    text : str
        A message, also one that a channel split or turned into HTML, its parts one after the other;
        or lines of our log.
    """
    lines = [line.strip() for line in _plain(text).split("\n")]
    # The last one: what comes before it may quote anything, another block included.
    start = max((at for at, line in enumerate(lines) if line == OPENING), default=None)
    if start is None:
        return None
    found: list[str] = []
    for line in lines[start + 1 :]:
        closing = _CLOSING.fullmatch(line)
        if closing is not None:
            return _read(found) if closing[1] == _check_digits(found) else None
        if _LINE.fullmatch(line):  # the others are titles of parts
            found.append(line)
    return None


# ── Writing ────────────────────────────────────────────────────────────────────────────


def _written(pairs: Mapping[str, object]) -> str:
    texts = {key: _value(value) for key, value in pairs.items()}
    return " ".join(f"{key}={text}" for key, text in texts.items() if text)


def _value(value: object) -> str:
    """Return a value as text; nothing for what is not there."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ",".join(f"{_quoted(key)}:{_quoted(value[key])}" for key in sorted(value))
    if isinstance(value, tuple):
        return ",".join(map(_quoted, value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):  # a datetime is a date as well
        return _quoted(value.isoformat().replace("+00:00", "Z"), safe=":")
    return _quoted(str(value), safe=":")


def _quoted(text: str, safe: str = "") -> str:
    return quote_plus(text, safe=safe + "/*")


def _check_digits(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]


# ── Reading ────────────────────────────────────────────────────────────────────────────


def _plain(text: str) -> str:
    """Return what was sent: without the log's JSON and without HTML."""
    plain = "\n".join(_message(line) for line in text.split("\n"))
    return html.unescape(_TAG.sub("\n", plain)).replace("\xa0", " ")


def _message(line: str) -> str:
    if not line.lstrip().startswith("{"):
        return line
    try:
        record = json.loads(line)
    except ValueError:
        return line
    message = record.get("message")
    return message if isinstance(message, str) else line


def _read(lines: Iterable[str]) -> Block | None:
    told: dict[str, str] = {}
    strategies: list[dict[str, str]] = []
    for line in lines:
        pairs = dict(pair.split("=", 1) for pair in line.split(" "))
        if "profile" in pairs:
            strategies.append(pairs)
        elif "as_of" in pairs and strategies:
            strategies[-1] |= pairs
        else:
            told |= pairs
    try:
        return _block(told, strategies)
    except (KeyError, ValueError, ArithmeticError):  # check digits by chance, or by somebody
        return None


def _block(told: Mapping[str, str], strategies: Iterable[Mapping[str, str]]) -> Block:
    environment, session, exposure = (told.get(k) for k in ("environment", "session", "exposure"))
    return Block(
        service=_text(told, "service"),
        platform=_text(told, "platform"),
        environment=None if environment is None else Environment(environment),
        mode=ExecutionMode(told["mode"]),
        session=None if session is None else date.fromisoformat(session),
        slot=_text(told, "slot"),
        outcome=Outcome(told["outcome"]),
        code=_text(told, "code"),
        run_key=_text(told, "run"),
        finished_at=datetime.fromisoformat(unquote_plus(told["finished"])),
        strategies=tuple(map(_read_strategy, strategies)),
        gate=_text(told, "gate"),
        exposure_ratio=None if exposure is None else Decimal(exposure),
        commit=_text(told, "commit"),
        bundle=_text(told, "bundle"),
        versions=MappingProxyType(dict(_pair(item) for item in _items(told, "versions"))),
        stale_variables=tuple(map(unquote_plus, _items(told, "stale"))),
    )


def _read_strategy(pairs: Mapping[str, str]) -> BlockStrategy:
    snapshot = None
    if "as_of" in pairs:
        as_of = date.fromisoformat(pairs["as_of"])
        snapshot = BlockSnapshot(as_of, _text(pairs, "sha256"), _text(pairs, "version"))
    mode = InputMode(pairs["input"])
    return BlockStrategy(_text(pairs, "profile"), _text(pairs, "name"), mode, snapshot)


def _text(pairs: Mapping[str, str], key: str) -> str:
    return unquote_plus(pairs.get(key, ""))


def _items(pairs: Mapping[str, str], key: str) -> list[str]:
    return pairs[key].split(",") if key in pairs else []


def _pair(item: str) -> tuple[str, str]:
    name, _, version = item.partition(":")
    return unquote_plus(name), unquote_plus(version)
