"""The composition root: settings become a running account, and nothing else does that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit import __version__
from quant_platform_kit.contracts import (
    CycleRequest,
    Environment,
    ExecutionMode,
    OrderRequest,
    Outcome,
    Side,
)
from quant_platform_kit.errors import PlatformError, ReasonCode, SettingsError, SlotBusy
from quant_platform_kit.market import SLOTS, SystemClock, window
from quant_platform_kit.risk import GateMode, TradingGate
from quant_platform_kit.runtime import Runtime, open_runtime
from quant_platform_kit.settings import load_settings
from quant_platform_kit.store import AccountLease, RunBook, Store

ACCOUNT = "U" + "7654321"
FIRST, NEXT = date(2012, 2, 3), date(2012, 2, 6)

OpenRuntime = Callable[..., Runtime]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def start(tmp_path: Path, state: Path) -> Iterator[OpenRuntime]:
    """Return a function that starts the account anew; the first session buys one stock."""
    config = tmp_path / "macd.json"
    symbols = {"signal_symbol": "AAPL", "risk_symbol": "AAPL", "hedge_symbol": "IBM"}
    config.write_text(json.dumps(symbols))
    usual = {
        "STRATEGY_PROFILE": "spy_macd_vixy",
        "STRATEGY_CONFIG_PATH": str(config),
        "EXECUTION_MODE": "paper",
        "QPK_ACCOUNT_ID": ACCOUNT,
        "QPK_STATE_DIR": str(state),
        "QPK_SIMULATED_START": FIRST.isoformat(),
    }
    opened: list[Runtime] = []

    def build(platform: str = "ibkr", **variables: str) -> Runtime:
        opened.append(open_runtime(load_settings(platform, usual | variables)))
        return opened[-1]

    yield build
    for runtime in opened:
        runtime.close()


def lease_on(store: Store) -> AccountLease:
    return AccountLease(store, "another run", SystemClock().now)


def close_of(session: date) -> CycleRequest:
    return CycleRequest("close", session)


def test_an_account_goes_by_an_alias_that_does_not_hold_its_number(start: OpenRuntime) -> None:
    alias = start().parts.account
    assert alias.startswith("ibkr-")
    assert ACCOUNT not in alias
    assert start().parts.account == alias


def test_every_account_has_its_own_alias(start: OpenRuntime, tmp_path: Path) -> None:
    runtimes = [
        start(platform, QPK_ACCOUNT_ID=number, QPK_STATE_DIR=str(tmp_path / f"{platform}{number}"))
        for platform in ("ibkr", "schwab")
        for number in ("1", "2")
    ]
    assert len({runtime.parts.account for runtime in runtimes}) == 4


def test_a_restarted_service_remembers_its_account_its_time_and_its_runs(
    start: OpenRuntime,
) -> None:
    first = start().run(close_of(FIRST)).report
    assert first.outcome is Outcome.TRADED

    later = start()
    again = later.run(close_of(FIRST))
    assert (again.repeated, again.report) == (True, first)
    assert later.parts.clock.now() >= first.finished_at
    assert {p.symbol for p in later.parts.broker.positions()} == {"AAPL"}
    assert later.run(close_of(NEXT)).report.outcome is Outcome.NO_ACTION


def test_time_does_not_run_backwards(start: OpenRuntime) -> None:
    runtime = start()
    runtime.run(close_of(NEXT))
    report = runtime.run(close_of(FIRST)).report
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.SESSION_MISMATCH)


def test_a_report_carries_the_versions_of_the_kit_and_of_the_strategy(start: OpenRuntime) -> None:
    report = start(QPK_COMMIT="0123abc").run(close_of(FIRST)).report
    assert report.versions["quant-platform-kit"] == __version__
    assert set(report.versions) == {"quant-platform-kit", "us-equity-strategies"}
    assert report.commit == "0123abc"
    assert report.environment is Environment.SIMULATED


def test_a_report_says_how_much_of_the_capital_is_at_risk(start: OpenRuntime) -> None:
    runtime = start(K_SERVICE="rebalancer-ibkr")
    report = runtime.run(close_of(FIRST)).report
    assert report.exposure_ratio == sum(p.weight or 0 for p in report.positions)
    assert Decimal("0.99") < report.exposure_ratio <= 1
    assert (report.service, report.gate, report.stale_variables) == (
        "rebalancer-ibkr",
        "active",
        (),
    )


def test_a_safe_haven_is_no_risk(start: OpenRuntime, tmp_path: Path) -> None:
    config = tmp_path / "rotation.json"
    pool = {"pool": ["AAPL", "MSFT"], "canary": ["AAPL"], "canary_bad_threshold": 1}
    config.write_text(json.dumps({**pool, "safe_haven": "IBM", "benchmark": "IBM"}))
    report = (
        start(
            STRATEGY_PROFILE="global_etf_rotation",
            STRATEGY_CONFIG_PATH=str(config),
            QPK_SIMULATED_START="2008-11-20",
        )
        .run(close_of(date(2008, 11, 20)))
        .report
    )
    assert [p.symbol for p in report.positions] == ["IBM"]
    assert report.exposure_ratio == 0


def test_what_is_at_risk_is_known_on_a_day_without_a_plan(
    start: OpenRuntime, tmp_path: Path
) -> None:
    start().run(close_of(FIRST))
    savings = tmp_path / "savings.json"
    savings.write_text(json.dumps({"signal_symbols": ["IBM"], "buy_symbols": ["AAPL"]}))
    halted = start(STRATEGY_PROFILE="nasdaq_sp500_smart_dca", STRATEGY_CONFIG_PATH=str(savings))
    report = halted.run(close_of(NEXT)).report
    assert report.capital_base_usd is None
    assert (report.exposure_ratio or 0) > Decimal("0.9")


def test_nothing_is_known_to_be_at_risk_where_the_account_was_not_seen(
    start: OpenRuntime,
) -> None:
    report = start().run(close_of(date(2012, 2, 4))).report
    assert (report.code, report.exposure_ratio) == (ReasonCode.MARKET_CLOSED, None)


def test_a_report_says_that_the_gate_was_closed(start: OpenRuntime) -> None:
    runtime = start()
    gate = TradingGate(runtime.parts.store, runtime.parts.clock)
    gate.set(GateMode.HALTED, who="desk", why="a look")
    report = runtime.run(close_of(FIRST)).report
    assert (report.code, report.gate) == (ReasonCode.GATE_CLOSED, "halted")


def test_runs_and_orders_can_be_looked_up(start: OpenRuntime) -> None:
    runtime = start(QPK_LANGUAGES="zh,en")
    first = runtime.run(close_of(FIRST)).report
    second = runtime.run(close_of(NEXT)).report
    assert runtime.report(first.run_key) == first
    assert runtime.report("unknown") is None
    assert runtime.reports(5) == (second, first)
    (order,) = first.orders
    (found,) = runtime.find_orders(order.client_id[:10])
    assert (found.client_id, found.leg) == (order.client_id, order.leg)
    assert [beat.language for beat in runtime.heartbeats(first)] == ["zh", "en"]


def test_live_mode_refuses_the_simulated_broker_and_sends_nothing(
    start: OpenRuntime, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quant_platform_kit.runtime._stores.passing_disk", lambda _: None)
    report = start(EXECUTION_MODE="live").run(close_of(FIRST)).report
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.LIVE_NEEDS_BROKER)
    assert not (state / "simulated-broker.jsonl").exists()


def test_live_mode_refuses_a_store_on_a_disk_that_does_not_last(
    start: OpenRuntime, state: Path
) -> None:
    with pytest.raises(SettingsError, match=r"temporary files, .* Set QPK_STORE_URL to"):
        start(EXECUTION_MODE="live")
    assert not state.exists()


def test_the_capital_limits_of_the_settings_hold(start: OpenRuntime) -> None:
    runtime = start(QPK_CASH_FLOOR_USD="90000", QPK_SIMULATED_CASH_USD="100000")
    assert runtime.run(close_of(FIRST)).report.capital_base_usd == Decimal(10_000)


def test_the_simulated_market_is_as_thin_as_the_settings_say(start: OpenRuntime) -> None:
    broker = start(
        QPK_SIMULATED_HALF_SPREAD_RATIO="0.01", QPK_SIMULATED_PARTICIPATION_RATIO="0.000001"
    ).parts.broker
    price = broker.quotes(["AAPL"])["AAPL"].price_usd
    broker.submit(OrderRequest("in", "AAPL", Side.BUY, Decimal(1_000)))
    (bought,) = broker.positions()
    assert 0 < bought.quantity < 1_000
    assert bought.average_cost_usd is not None
    assert price * Decimal("1.01") <= bought.average_cost_usd < price * Decimal("1.011")


@pytest.mark.parametrize(
    ("kind", "sessions", "pays_at_once"),
    [("margin", "1", True), ("cash", "0", True), ("cash", "1", False)],
)
def test_sales_of_the_simulated_account_pay_when_the_settings_say(
    start: OpenRuntime, kind: str, sessions: str, pays_at_once: bool
) -> None:
    broker = start(
        QPK_SIMULATED_ACCOUNT_TYPE=kind, QPK_SIMULATED_SETTLEMENT_SESSIONS=sessions
    ).parts.broker
    broker.submit(OrderRequest("in", "AAPL", Side.BUY, Decimal(1)))
    broker.submit(OrderRequest("out", "AAPL", Side.SELL, Decimal(1)))
    account = broker.account()
    assert (account.usable_cash_usd == account.cash_usd) is pays_at_once


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(("kind", "bought"), [("margin", {"IBM"}), ("cash", set())])
def test_a_dry_run_switches_holdings_just_as_far_as_the_account_s_terms_allow(
    start: OpenRuntime, tmp_path: Path, kind: str, bought: set[str], dry_run: bool
) -> None:
    start(QPK_SIMULATED_ACCOUNT_TYPE=kind).run(close_of(FIRST))
    switched = {"signal_symbol": "AAPL", "risk_symbol": "IBM", "hedge_symbol": "AAPL"}
    (tmp_path / "macd.json").write_text(json.dumps(switched))
    runtime = start(QPK_SIMULATED_ACCOUNT_TYPE=kind)
    report = runtime.run(close_of(NEXT), dry_run=dry_run).report
    filled = {(each.side, each.symbol) for each in report.orders if each.filled_quantity}
    assert filled == {(Side.SELL, "AAPL")} | {(Side.BUY, symbol) for symbol in bought}
    assert not [note for note in report.notes if ReasonCode.BROKER_NOTICE in note]


def test_large_orders_of_a_simulated_account_cost_what_the_settings_say(
    start: OpenRuntime, tmp_path: Path
) -> None:
    def paid(growth: str) -> Decimal:
        broker = start(
            QPK_STATE_DIR=str(tmp_path / growth),
            QPK_SIMULATED_IMPACT_RATIO="0.5",
            QPK_SIMULATED_IMPACT_GROWS=growth,
        ).parts.broker
        broker.submit(OrderRequest("in", "AAPL", Side.BUY, Decimal(1_000)))
        (bought,) = broker.positions()
        return bought.average_cost_usd or Decimal(0)

    assert paid("linear") < paid("square_root")


def test_the_simulated_market_splits_as_the_settings_file_says(
    start: OpenRuntime, tmp_path: Path
) -> None:
    actions = tmp_path / "actions.csv"
    actions.write_text(f"symbol,ex_date,kind,value\nAAPL,{NEXT},split,7:1\n")
    runtime = start(QPK_SIMULATED_ACTIONS_PATH=str(actions))
    runtime.parts.broker.submit(OrderRequest("in", "AAPL", Side.BUY, Decimal(3)))
    assert runtime.parts.replay is not None
    runtime.parts.replay(window(runtime.parts.calendar, SLOTS["close"], NEXT))
    assert [p.quantity for p in runtime.parts.broker.positions()] == [Decimal(21)]


@pytest.fixture
def share(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Return a function that writes sleeves of (profile, weight, configuration)."""

    def write(*sleeves: tuple[str, str, dict[str, object]]) -> dict[str, str]:
        entries = []
        for number, (profile, weight, config) in enumerate(sleeves):
            (tmp_path / f"{number}.json").write_text(json.dumps(config))
            entries.append({"profile": profile, "weight": weight, "config": f"{number}.json"})
        path = tmp_path / "sleeves.json"
        path.write_text(json.dumps({"sleeve": entries}))
        return {"QPK_SLEEVES_PATH": str(path), "STRATEGY_PROFILE": "", "STRATEGY_CONFIG_PATH": ""}

    return write


TREND = {"signal_symbol": "AAPL", "risk_symbol": "AAPL", "hedge_symbol": "IBM"}
SAVINGS = {"signal_symbols": ["IBM"], "buy_symbols": ["MSFT"], "benchmark": "IBM"}


def test_several_strategies_share_an_account_by_their_weights(
    start: OpenRuntime, share: Callable[..., dict[str, str]]
) -> None:
    sleeves = share(("spy_macd_vixy", "0.25", TREND), ("nasdaq_sp500_smart_dca", "0.5", SAVINGS))
    runtime = start(**sleeves)
    report = runtime.run(close_of(FIRST)).report
    assert [each.profile for each in report.decisions] == [
        "spy_macd_vixy",
        "nasdaq_sp500_smart_dca",
    ]
    (bought,) = (order for order in report.orders if order.symbol == "AAPL")
    spent = bought.filled_quantity * bought.average_price_usd
    assert Decimal(24_900) < spent <= Decimal(25_000)
    assert start(**sleeves).run(close_of(FIRST)).repeated


def test_a_strategy_has_one_sleeve(
    start: OpenRuntime, share: Callable[..., dict[str, str]], state: Path
) -> None:
    with pytest.raises(SettingsError, match="has spy_macd_vixy more than once"):
        start(**share(("spy_macd_vixy", "0.5", TREND), ("spy_macd_vixy", "0.5", TREND)))
    assert not state.exists()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"STRATEGY_PROFILE": "spy_macd_vixi"}, "spy_macd_vixi"),
        ({"STRATEGY_CONFIG_PATH": "/nowhere.json"}, "/nowhere.json"),
        ({"QPK_SIMULATED_MARKET": "/nowhere.csv"}, "nowhere.csv"),
        ({"QPK_SIMULATED_ACTIONS_PATH": "/nowhere.csv"}, "nowhere.csv"),
        ({"QPK_SIMULATED_START": "2012-02-04"}, "QPK_SIMULATED_START.*2012-02-06"),
    ],
    ids=lambda part: next(iter(part)) if isinstance(part, dict) else None,
)
def test_what_cannot_be_built_says_which_setting_is_wrong_and_leaves_nothing_behind(
    start: OpenRuntime, state: Path, variables: dict[str, str], said: str
) -> None:
    with pytest.raises(PlatformError, match=said):
        start(**variables)
    assert not state.exists()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("QPK_ACCOUNT_ID", ACCOUNT + "9"), ("QPK_SIMULATED_CASH_USD", "5")],
)
def test_the_state_of_one_account_does_not_serve_another(
    start: OpenRuntime, variable: str, value: str
) -> None:
    start().run(close_of(FIRST))
    with pytest.raises(SettingsError, match=variable) as refused:
        start(**{variable: value})
    assert ACCOUNT not in refused.value.message


@pytest.mark.parametrize("mode", ["paper", "dry_run"])
def test_two_accounts_cannot_keep_their_books_in_one_folder(start: OpenRuntime, mode: str) -> None:
    # A real broker's account has no book in the folder that would tell them apart.
    mine = start().run(close_of(FIRST)).report.account
    with pytest.raises(SettingsError, match=f"the book of another account .{mine}; .*schwab-"):
        start("schwab", EXECUTION_MODE=mode)
    assert start().run(close_of(NEXT)).report.outcome is not Outcome.FAILED


@pytest.mark.parametrize("mode", [ExecutionMode.PAPER, ExecutionMode.DRY_RUN], ids=str)
def test_a_dry_run_does_not_pull_the_ground_from_under_another_one(
    start: OpenRuntime, state: Path, mode: ExecutionMode
) -> None:
    runtime = start(EXECUTION_MODE=mode.value)
    first = runtime.run(close_of(FIRST), dry_run=True).report
    scratch = Store.open(state / "dry_run.sqlite3")
    with lease_on(scratch).held(), pytest.raises(SlotBusy):
        runtime.run(close_of(NEXT), dry_run=True)
    assert RunBook(scratch).report(first.run_key) == first
    scratch.close()
    assert runtime.run(close_of(NEXT), dry_run=True).report.session == NEXT


def test_a_dry_run_does_not_wait_for_the_run_that_trades(start: OpenRuntime, state: Path) -> None:
    runtime = start()
    with lease_on(runtime.parts.store).held():
        assert runtime.run(close_of(FIRST), dry_run=True).report.outcome is Outcome.TRADED
        with pytest.raises(SlotBusy):
            runtime.run(close_of(FIRST))
