"""A profile's reference page: everything in it comes from the manifest, the code or the track."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from annotated_types import BaseMetadata, Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic.fields import FieldInfo

from quant_platform_kit.brokers import CAPABILITIES
from quant_platform_kit.contracts import (
    ExecutionHints,
    Rollout,
    SnapshotInput,
    Standing,
    StrategyManifest,
    standing,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.strategy import Profile, StrategyConfig
from tools.profiles._codes import blocking_codes
from tools.profiles._replay import FIRST_SESSION, LAST_SESSION, OPENING_USD, Track

NOTICE = "<!-- Written by `make docs`; edit the code, not this page. -->\n"
_NUMBERS = (
    "Set them in the file that `STRATEGY_CONFIG_PATH` names; what is left out keeps its default. "
    'With `profile = "{profile}"` in it, a service of any other profile refuses the file.'
)
_BLOCKED = (
    "`decide` answers BLOCKED with one of these; no order is sent then and the sleeve keeps what "
    "it has. Where an input is missing or broken, the platform blocks before it asks the profile: "
    "see [reason codes](../reason-codes.md)."
)
_SAID = {"benchmark": "What the profile is measured against."}  # by what every manifest declares
_PARAMETER = re.compile(r"^(?P<names>[a-z_0-9]+(, [a-z_0-9]+)*) : (?P<kind>.+)$")
_LISTED_SYMBOLS = 60


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a configuration, as its page shows it."""

    name: str
    default: str
    allowed: str
    meaning: str


def page(profile: Profile, track: Track, rollouts: Mapping[str, Rollout]) -> str:
    """Return the page as Markdown; its chart lies beside it."""
    manifest = profile.manifest
    return "\n".join(
        [
            f"{NOTICE}# {manifest.icon} {manifest.display_name['en']}",
            "",
            f"**{manifest.display_name['zh']}** · `{manifest.profile}`",
            "",
            manifest.description["en"],
            "",
            manifest.description["zh"],
            "",
            *_facts(manifest),
            "## The rule",
            "",
            _prose(inspect.getdoc(profile.module) or ""),
            "",
            "## What it does with a sleeve",
            "",
            f"![{manifest.display_name['en']} on made-up prices]({manifest.profile}.svg)",
            "",
            _story(track, manifest),
            "",
            "## Numbers",
            "",
            _NUMBERS.format(profile=manifest.profile),
            "",
            _table(
                ["key", "default", "allowed", "meaning"],
                [
                    [f"`{p.name}`", p.default, p.allowed, p.meaning]
                    for p in parameters(profile.module.Config)
                ],
            ),
            "## Inputs",
            "",
            *_inputs(manifest),
            "",
            "## Managed symbols",
            "",
            _managed(manifest),
            "",
            "## Execution",
            "",
            *_hints(manifest.hints),
            "",
            "## Platforms",
            "",
            _table(["platform", "standing"], list(_platforms(manifest, rollouts))),
            "## When it does not decide",
            "",
            _BLOCKED,
            "",
            _table(["code", "meaning"], list(_codes(profile.module_name))),
        ]
    )


def index(profiles: Sequence[Profile], rollouts: Mapping[str, Rollout]) -> str:
    """Return the page that lists all profiles and where they may run."""
    rows = [
        [
            m.icon,
            f"[{m.display_name['en']}]({m.profile}.md)",
            m.role.value,
            m.status.value,
            m.input_mode.value,
            m.cadence.value,
            *(_word(each) for _, each in _standings(m, rollouts)),
        ]
        for m in (profile.manifest for profile in profiles)
    ]
    head = ["", "profile", "role", "status", "inputs", "cadence"]
    return (
        f"{NOTICE}# Profiles\n\n"
        "Every profile of the catalog, and what it is on each platform. Eligible is derived: the "
        "platform has what the profile's manifest asks for. Enabled is eligible and on the rollout "
        "list of the platform (`platforms/*/platform.toml`). `qpk profiles` prints the same, and "
        "the examples, which are for study and have no page.\n\n"
        + _table([*head, *CAPABILITIES], rows)
    )


def parameters(kind: type[StrategyConfig], prefix: str = "") -> Iterator[Parameter]:
    """Return the fields of a configuration; those of a part stand under its name."""
    meanings = _meanings(kind)
    of_all = _prose((kind.__doc__ or "").partition("\n")[0]) if prefix else ""
    for name, info in kind.model_fields.items():
        default = info.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, StrategyConfig):
            yield from parameters(type(default), f"{prefix}{name}.")
            continue
        yield Parameter(
            f"{prefix}{name}",
            _shown(default),
            _allowed(info),
            meanings.get(name) or _SAID.get(name, of_all),
        )


# ── Parts of the page ──────────────────────────────────────────────────────────────────


def _facts(manifest: StrategyManifest) -> list[str]:
    aliases = ", ".join(f"`{alias}`" for alias in manifest.aliases)
    rows = [
        ["role", manifest.role.value],
        ["status", manifest.status.value],
        ["decides", manifest.cadence.value],
        ["targets in", "dollars" if manifest.target_mode.value == "value" else "weights"],
        ["inputs", manifest.input_mode.value],
        ["reads the portfolio", "yes" if manifest.reads_portfolio else "no"],
        ["domain", f"`{manifest.domain}`"],
        ["benchmark", manifest.benchmark],
        ["safe haven", manifest.safe_haven or "cash"],
        ["also known as", aliases or "–"],
    ]
    return [_table(["", ""], rows)]


def _story(track: Track, manifest: StrategyManifest) -> str:
    counts = ", ".join(f"{count} × {answer}" for answer, count in track.answers.most_common())
    years = LAST_SESSION.year - FIRST_SESSION.year + 1
    return (
        f"{years} made-up years of {OPENING_USD:,.0f} USD under the default numbers, asked on "
        f"every session: {counts}; {track.orders} orders in whole shares at "
        f"five basis points of costs. Every symbol is a stand-in for its namesake: the path of "
        f"{manifest.benchmark} here is not the fund's."
    )


def _inputs(manifest: StrategyManifest) -> Iterator[str]:
    if manifest.history is not None:
        need = manifest.history
        yield (
            f"- Daily bars ({', '.join(need.columns)}; adjustment `{need.adjustment.value}`) of "
            f"the last {need.sessions} complete sessions: {', '.join(need.symbols)}."
        )
    if manifest.snapshot is not None:
        published = manifest.snapshot
        columns = ", ".join(f"`{column}`" for column in published.columns)
        yield (
            f"- A feature snapshot of contract `{published.contract}`, at most "
            f"{published.max_age_sessions} sessions old{_window(published)}, with the columns "
            f"{columns}."
        )
    if manifest.reads_portfolio:
        yield "- What the sleeve holds and is worth, at the quotes of the run."


def _window(published: SnapshotInput) -> str:
    sessions = published.execution_window_sessions
    return "" if sessions is None else f" and acted on within {sessions} of its date"


def _managed(manifest: StrategyManifest) -> str:
    symbols = manifest.managed
    shown = ", ".join(symbols[:_LISTED_SYMBOLS])
    more = f" and {len(symbols) - _LISTED_SYMBOLS} more" if len(symbols) > _LISTED_SYMBOLS else ""
    filled = (
        " The operator's configuration adds the universe." if manifest.snapshot is not None else ""
    )
    return (
        f"{shown}{more}. A managed symbol that a decision leaves out is sold; nothing else in the "
        f"account is touched.{filled}"
    )


def _hints(hints: ExecutionHints) -> Iterator[str]:
    yield (
        f"- No-trade band around each target: {_percent(hints.rebalance_threshold_ratio)} of the "
        "sleeve's capital."
    )
    yield f"- Cash that never buys: {_percent(hints.cash_reserve_ratio)} of the sleeve's capital."
    yield f"- Smallest trade: {hints.min_trade_usd:,.2f} USD."
    if hints.buy_only:
        yield "- Buy only: no share is ever sold."


def _platforms(manifest: StrategyManifest, rollouts: Mapping[str, Rollout]) -> Iterator[list[str]]:
    for name, each in _standings(manifest, rollouts):
        lacking = "; ".join(each.eligibility.reasons)
        yield [CAPABILITIES[name].display_name, _word(each) + (f": {lacking}" if lacking else "")]


def _standings(
    manifest: StrategyManifest, rollouts: Mapping[str, Rollout]
) -> Iterator[tuple[str, Standing]]:
    for name, capabilities in CAPABILITIES.items():
        yield name, standing(manifest, capabilities, rollouts.get(name))


def _word(each: Standing) -> str:
    if not each.eligibility.ok:
        return "not eligible"
    if each.is_default:
        return "**default**"
    return "enabled" if each.enabled else "eligible"


def _codes(module_name: str) -> Iterator[list[str]]:
    for code in blocking_codes(module_name):
        yield [f"`{code.value}`", ReasonCode(code).meaning]


# ── Words and numbers ──────────────────────────────────────────────────────────────────


def _meanings(kind: type[StrategyConfig]) -> dict[str, str]:
    """Return what the docstrings of a configuration and of its bases say about each field."""
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        if issubclass(owner, StrategyConfig):
            found |= _documented(owner)
    return found


def _documented(owner: type) -> dict[str, str]:
    names: list[str] = []
    texts: dict[str, list[str]] = {}
    for line in inspect.cleandoc(owner.__dict__.get("__doc__") or "").splitlines():
        header = _PARAMETER.match(line)
        if header is not None:
            names = header["names"].split(", ")
            texts |= {name: [] for name in names}
        elif line.startswith(" "):
            for name in names:
                texts[name].append(line.strip())
        elif line:
            names = []
    return {name: _prose(" ".join(lines)) for name, lines in texts.items()}


def _allowed(info: FieldInfo) -> str:
    return ", ".join(dict.fromkeys(_bounds((*info.metadata, *_nested(info.annotation)))))


def _nested(annotation: object) -> Iterator[object]:
    yield from getattr(annotation, "__metadata__", ())


def _bounds(metadata: Iterable[Any]) -> Iterator[str]:
    for each in metadata:
        match each:
            case Ge(ge=value):
                yield f"≥ {value}"
            case Gt(gt=value):
                yield f"> {value}"
            case Le(le=value):
                yield f"≤ {value}"
            case Lt(lt=value):
                yield f"< {value}"
            case MinLen(min_length=value):
                yield f"at least {value}"
            case MaxLen(max_length=value):
                yield f"at most {value}"
            case FieldInfo():
                yield from _bounds(each.metadata)
            case BaseMetadata():
                yield str(each)


def _shown(value: object) -> str:
    match value:
        case None:
            return "none"
        case ():
            return "empty"
        case tuple():
            return ", ".join(_shown_item(item) for item in value)
        case _:
            return _shown_item(value)


def _shown_item(value: object) -> str:
    match value:
        case Enum():
            return str(value.value)
        case tuple():
            return f"({', '.join(_shown_item(item) for item in value)})"
        case Decimal() | float():
            return f"{Decimal(str(value)).normalize():,f}"
        case _:
            return str(value)


def _percent(ratio: Decimal) -> str:
    return f"{(100 * ratio).normalize():f} %"


def _prose(text: str) -> str:
    return text.replace("``", "`")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )
