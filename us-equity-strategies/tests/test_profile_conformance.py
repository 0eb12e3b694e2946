"""Every profile and example of this package, against the strategy cards of the kit."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

import pytest

import us_equity_strategies
from quant_platform_kit.contracts import StrategyManifest
from quant_platform_kit.strategy import StrategyConfig, StrategyModule, load_catalog
from quant_platform_kit.testing import ConformanceReport, check_strategy

UNIVERSE = tuple(f"SIM_{number:02}" for number in range(24))

# Strikes are whole dollars.
NOT_SCALE_FREE = {"covered_call"}

OF_HISTORY = {
    "a_missing_column_blocks",
    "a_missing_history_blocks",
    "a_short_history_decides_nothing_else",
    "a_stale_history_blocks",
    "history_beyond_the_declared_changes_nothing",
    "prices_of_the_session_and_later_change_nothing",
    "the_scale_of_prices_changes_nothing",
}
OF_SNAPSHOTS = {
    "a_missing_row_decides_nothing_else",
    "a_missing_snapshot_blocks",
    "a_snapshot_of_the_session_itself_blocks",
    "a_snapshot_outside_its_window_holds",
    "a_stale_snapshot_blocks",
    "an_undefined_feature_decides_nothing_else",
}


def modules() -> Iterator[str]:
    """Yield every public module: registered already or not, each is a profile."""
    for package in (us_equity_strategies.__name__, f"{us_equity_strategies.__name__}.examples"):
        spec = find_spec(package)
        assert spec is not None
        for found in pkgutil.iter_modules(spec.submodule_search_locations, f"{package}."):
            if not found.ispkg and not found.name.rpartition(".")[2].startswith("_"):
                yield found.name


def configured(module: StrategyModule) -> StrategyConfig:
    """Return the defaults, with stocks to choose from where the profile leaves them open."""
    is_open = "universe" in module.Config.model_fields
    return module.Config.model_validate({"universe": UNIVERSE} if is_open else {})


@pytest.fixture(scope="module", params=tuple(modules()), ids=lambda name: name.rpartition(".")[2])
def module(request: pytest.FixtureRequest) -> StrategyModule:
    found: StrategyModule = import_module(request.param)
    return found


@pytest.fixture(scope="module")
def report(module: StrategyModule) -> ConformanceReport:
    config = configured(module)
    is_scale_free = module.manifest(config).profile not in NOT_SCALE_FREE
    return check_strategy(module, config, scale_free=is_scale_free)


def test_the_profile_conforms(report: ConformanceReport) -> None:
    report.raise_for_failures()


def test_only_cards_without_a_question_are_left_out(
    module: StrategyModule, report: ConformanceReport
) -> None:
    manifest = module.manifest(configured(module))

    assert {result.card for result in report.not_applicable} == left_out(manifest)


def test_the_profile_does_more_than_refuse(report: ConformanceReport) -> None:
    assert report.outcomes["REBALANCE"] > 0


def left_out(manifest: StrategyManifest) -> set[str]:
    """Return the cards that have nothing to ask of what the profile declares."""
    cards = set()
    if manifest.history is None:
        cards |= OF_HISTORY
    else:
        if manifest.history.columns == ("close",):
            cards.add("a_missing_column_blocks")
        if manifest.history.sessions == 1:
            cards.add("a_short_history_decides_nothing_else")
        if manifest.profile in NOT_SCALE_FREE:
            cards.add("the_scale_of_prices_changes_nothing")
    if manifest.snapshot is None:
        cards |= OF_SNAPSHOTS
    elif manifest.snapshot.execution_window_sessions is None:
        cards.add("a_snapshot_outside_its_window_holds")
    if manifest.reads_portfolio:
        cards.add("dollars_matter_only_where_they_are_declared")
    else:
        cards.add("an_unknown_portfolio_decides_nothing")
    if manifest.profile not in load_catalog().names():
        cards.add("the_profile_bears_the_name_of_its_entry_point")
    return cards
