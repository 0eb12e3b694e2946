"""What every strategy declares and decides, as cards.

The cards on inputs that are missing or broken stand in `strategy_faults`; the two that need a
process of their own in `strategy_process`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from pydantic import ValidationError

from quant_platform_kit.contracts import (
    Decision,
    DecisionOutcome,
    Target,
    TargetMode,
    canonical,
    decode,
)
from quant_platform_kit.errors import ContractError, ReasonCode
from quant_platform_kit.strategy import SleeveView, StrategyConfig, StrategyContext, load_catalog
from quant_platform_kit.testing._expect import NotApplicable, expect, expect_same
from quant_platform_kit.testing._strategy_bench import (
    FAILURES,
    StrategyBench,
    StrategyCard,
    expect_answer,
    tell,
)
from quant_platform_kit.testing._strategy_variants import (
    OLDER_SESSIONS,
    reordered,
    rescaled,
    with_future,
    with_past,
)

_CENT: Final = Decimal("0.01")
_PROFILE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_DECLARED_ENOUGH: Final = frozenset(
    {
        ReasonCode.BAR_INVALID,
        ReasonCode.HISTORY_MISSING,
        ReasonCode.HISTORY_SHORT,
        ReasonCode.HISTORY_STALE,
        ReasonCode.SNAPSHOT_CONTRACT,
        ReasonCode.SNAPSHOT_FUTURE,
        ReasonCode.SNAPSHOT_MISSING,
        ReasonCode.SNAPSHOT_ROW_MISSING,
        ReasonCode.SNAPSHOT_STALE,
        ReasonCode.SNAPSHOT_UNREADABLE,
    }
)

# ── What it declares ───────────────────────────────────────────────────────────────────


def the_manifest_introduces_it_in_both_languages(bench: StrategyBench) -> None:
    """Require names and descriptions that speak English and Chinese, and one character of icon."""
    manifest = bench.manifest
    expect(
        _PROFILE.fullmatch(manifest.profile) is not None,
        f"profile {manifest.profile!r} is written in lower_snake_case",
    )
    for field in ("display_name", "description"):
        texts: Mapping[str, str] = getattr(manifest, field)
        expect(not _CHINESE.search(texts["en"]), f"{field}[en] is English: {texts['en']}")
        expect(bool(_CHINESE.search(texts["zh"])), f"{field}[zh] is Chinese: {texts['zh']}")
    expect_same(len(manifest.icon), 1, "characters of the icon")


def the_manifest_is_the_same_every_time(bench: StrategyBench) -> None:
    """Require that the manifest follows from the configuration alone."""
    again = bench.module.manifest(bench.strategy.config)
    expect_same(again, bench.manifest, "the manifest, made a second time")


def the_profile_bears_the_name_of_its_entry_point(bench: StrategyBench) -> None:
    """Require that nobody else has its name, and that its own entry point spells it."""
    catalog, name = load_catalog(), bench.strategy.module_name
    for fault in catalog.broken:
        expect(fault.module_name != name, f"entry point {fault.name} cannot be used: {fault.why}")
    for claim in (bench.manifest.profile, *bench.manifest.aliases):
        owner = catalog.profiles.get(catalog.aliases.get(claim, claim))
        expect(
            owner is None or owner.module_name == name,
            f"{claim!r} is already the name of {owner and owner.module_name}",
        )
    if bench.manifest.profile not in catalog.profiles:
        raise NotApplicable(f"no installed package offers {name} with an entry point")


def the_configuration_is_frozen_and_closed(bench: StrategyBench) -> None:
    """Require that no field can be set, and that an unknown key is an error."""
    kind, config = type(bench.strategy.config), bench.strategy.config
    expect(issubclass(kind, StrategyConfig), "Config is a StrategyConfig")
    for option, wanted in (("frozen", True), ("extra", "forbid"), ("allow_inf_nan", False)):
        expect_same(kind.model_config.get(option), wanted, f"Config.model_config[{option!r}]")
    for field, value in config:
        expect(
            not isinstance(value, list | dict | set),
            f"Config.{field} cannot change: a tuple, not a {type(value).__name__}",
        )


def the_configuration_survives_its_file(bench: StrategyBench) -> None:
    """Require that a configuration file can say everything that the configuration says."""
    config = bench.strategy.config
    text = config.model_dump_json()
    try:
        again = type(config).model_validate_json(text, strict=True)
    except ValidationError as error:
        raise AssertionError(f"the configuration does not read back: {error}") from error
    expect_same(again, config, "the configuration, read back")


# ── What it decides ────────────────────────────────────────────────────────────────────


def what_it_declares_is_enough_to_decide(bench: StrategyBench) -> None:
    """Require an answer on exactly the declared inputs, and more than BLOCKED to everything."""
    for case, answer in bench.answered():
        expect(answer.code not in FAILURES, f"{case.name}: {tell(answer)}")
        expect(
            answer.code not in _DECLARED_ENOUGH,
            f"{case.name}: it has everything that the manifest declares, and answers "
            f"{tell(answer)}; declare what it needs",
        )
    first = bench.answers[0]
    expect(
        any(answer.outcome is not DecisionOutcome.BLOCKED for answer in bench.answers),
        f"it is blocked in every case: {tell(first)}; hand check_strategy a configuration, or "
        "cases, that it can decide on",
    )


def targets_stay_inside_the_sleeve(bench: StrategyBench) -> None:
    """Require managed symbols, one mode, and no more than there is; nothing sold if buy only."""
    manifest, asked = bench.manifest, False
    for case, answer in bench.answered():
        if answer.outcome is not DecisionOutcome.REBALANCE:
            continue
        asked = True
        expect_same(answer.mode, manifest.target_mode, f"{case.name}: the mode of the targets")
        strangers = {target.symbol for target in answer.targets} - set(manifest.managed)
        named = ", ".join(sorted(strangers))
        expect(not strangers, f"{case.name}: targets outside the managed universe: {named}")
        _expect_within(case.name, answer, case.context.sleeve)
        if manifest.hints.buy_only:
            _expect_nothing_sold(case.name, answer.targets, case.context.sleeve)
    if not asked:
        raise NotApplicable("it answers no REBALANCE in any case")


def the_same_inputs_give_the_same_decision(bench: StrategyBench) -> None:
    """Require the first answers again, in another order: nothing is remembered in between."""
    again = [bench.ask(case.context) for case in reversed(bench.cases)]
    for (case, answer), second in zip(bench.answered(), reversed(again), strict=True):
        expect(
            second == answer,
            f"{case.name}: asked again it answers {tell(second)}, and not {tell(answer)}",
        )


def the_inputs_are_left_as_they_were(bench: StrategyBench) -> None:
    """Require that no mapping and no price that was handed over has changed."""
    for case in bench.cases:
        before = _photograph(case.context)
        bench.ask(case.context)
        expect_same(_photograph(case.context), before, f"{case.name}: the inputs afterwards")


def prices_of_the_session_and_later_change_nothing(bench: StrategyBench) -> None:
    """Require the answer of history that is cut at the decision: no look ahead."""
    _require_history(bench)
    for case, answer in bench.answered():
        seen = bench.ask(with_future(case.context))
        expect_answer(seen, answer, f"{case.name}, with prices of later sessions")


def history_beyond_the_declared_changes_nothing(bench: StrategyBench) -> None:
    """Require the answer on the declared sessions alone: the start of the data decides nothing."""
    _require_history(bench)
    for case, answer in bench.answered():
        seen = bench.ask(with_past(case.context))
        expect_answer(seen, answer, f"{case.name}, with {OLDER_SESSIONS} older sessions")


def the_order_of_the_inputs_changes_nothing(bench: StrategyBench) -> None:
    """Require the same decision from histories, rows, features and holdings in other orders."""
    for case, answer in bench.answered():
        for name, context in reordered(case.context).items():
            seen = bench.ask(context)
            expect(
                seen == answer,
                f"{case.name}, {name}: expected {tell(answer)}, got {tell(seen)} "
                f"({seen.diagnostics})",
            )


def the_scale_of_prices_changes_nothing(bench: StrategyBench) -> None:
    """Require the same targets when each symbol's prices are multiplied by a power of two."""
    _require_history(bench)
    if not bench.scale_free:
        raise NotApplicable("nobody says that its rule is scale-free: scale_free=True asks")
    for case, answer in bench.answered():
        seen = bench.ask(rescaled(case.context))
        expect_answer(seen, answer, f"{case.name}, with prices on other scales")


def dollars_matter_only_where_they_are_declared(bench: StrategyBench) -> None:
    """Require that a strategy that does not read the portfolio does not depend on its dollars."""
    if bench.manifest.reads_portfolio:
        raise NotApplicable("it declares that it reads the portfolio")
    for case, answer in bench.answered():
        poorer = replace(case.context.sleeve, values_usd={}, cash_usd=_CENT, equity_usd=_CENT)
        seen = bench.ask(replace(case.context, sleeve=poorer))
        expect_answer(seen, answer, f"{case.name}, with other dollars in the sleeve")


def decisions_survive_storage(bench: StrategyBench) -> None:
    """Require that every decision reads back equal from the form it is stored in."""
    for case, answer in bench.answered():
        try:
            text = canonical(answer)
            again = decode(Decision, json.loads(text))
        except (ContractError, TypeError) as error:
            raise AssertionError(f"{case.name}: the decision cannot be stored: {error}") from error
        expect_same(again, answer, f"{case.name}: the decision, read back")


DECISION_CARDS: Final[tuple[StrategyCard, ...]] = (
    the_manifest_introduces_it_in_both_languages,
    the_manifest_is_the_same_every_time,
    the_profile_bears_the_name_of_its_entry_point,
    the_configuration_is_frozen_and_closed,
    the_configuration_survives_its_file,
    what_it_declares_is_enough_to_decide,
    targets_stay_inside_the_sleeve,
    the_same_inputs_give_the_same_decision,
    the_inputs_are_left_as_they_were,
    prices_of_the_session_and_later_change_nothing,
    history_beyond_the_declared_changes_nothing,
    the_order_of_the_inputs_changes_nothing,
    the_scale_of_prices_changes_nothing,
    dollars_matter_only_where_they_are_declared,
    decisions_survive_storage,
)
"""Cards on a strategy whose inputs are whole."""


def _expect_within(case: str, answer: Decision, sleeve: SleeveView) -> None:
    total = sum((target.amount for target in answer.targets), Decimal(0))
    limit = Decimal(1) if answer.mode is TargetMode.WEIGHT else sleeve.equity_usd
    expect(total <= limit, f"{case}: the targets sum to {total}, and the sleeve has {limit}")


def _expect_nothing_sold(case: str, targets: tuple[Target, ...], sleeve: SleeveView) -> None:
    wanted = {target.symbol: target.amount for target in targets}
    for symbol, value in sleeve.values_usd.items():
        target, least = wanted.get(symbol, Decimal(0)), value.quantize(_CENT, ROUND_FLOOR)
        expect(target >= least, f"{case}: buy only, and {symbol} goes from {value} to {target}")


def _require_history(bench: StrategyBench) -> None:
    if bench.manifest.history is None:
        raise NotApplicable("it declares no price history")


def _photograph(context: StrategyContext) -> tuple[object, ...]:
    sleeve, snapshot = context.sleeve, context.snapshot
    rows = () if snapshot is None else snapshot.rows
    return (
        {symbol: frame.content_hash() for symbol, frame in context.history.items()},
        tuple((row.symbol, row.sector, repr(sorted(row.features.items()))) for row in rows),
        dict(sleeve.quantities),
        dict(sleeve.values_usd),
    )
