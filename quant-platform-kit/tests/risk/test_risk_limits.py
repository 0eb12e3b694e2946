"""The limits file: every key typed, every mistake named, nothing guessed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.errors import ReasonCode, SettingsError
from quant_platform_kit.risk import Limits, load_limits
from quant_platform_kit.risk._keys import LossLimit
from quant_platform_kit.risk._limits import LossRules

WHOLE = """
risk:
  position:
    max_shares_per_symbol: 1000
    max_notional_per_symbol: 50000.50
  portfolio:
    max_exposure_pct: 80
    max_net_exposure_pct: 75.5
    max_positions: 20
    max_sector_pct: 30
    sectors: {energy: [XOM, CVX], technology: [AAPL]}
  loss:
    daily_loss_limit: 2000
    max_drawdown_pct: 10
    strategies:
      "*": {daily_loss_limit: 1.5%}
      income: {max_drawdown_pct: 9}
  greeks:
    max_portfolio_delta: 500
    max_portfolio_theta: -200
    max_portfolio_vega: 40
  kill_switch:
    auto_trigger_on_daily_loss: true
    auto_trigger_on_failed_runs: 3
  bias:
    required: true
    max_age_mins: 45
  data:
    max_price_age_mins: 5
"""


def load(folder: Path, text: str | bytes) -> Limits:
    path = folder / "limits.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_limits(path, ["income", "growth"])


def refused(folder: Path, text: str | bytes) -> str:
    with pytest.raises(SettingsError) as error:
        load(folder, text)
    assert error.value.code is ReasonCode.SETTING_INVALID
    assert error.value.message.startswith("QPK_RISK_LIMITS_PATH, limits.yaml: ")
    assert "docs/reference/risk-limits.md" in error.value.message
    return error.value.message


def test_without_a_file_the_defaults_count() -> None:
    assert load_limits(None, ["income"]) == Limits()


def test_the_defaults_limit_nothing_but_borrowing() -> None:
    limits = {key: value for key, value, _ in Limits().entries() if value not in (None, {}, False)}
    assert limits == {
        "risk.portfolio.max_exposure_pct": 100,
        "risk.bias.max_age_mins": 30,
        "risk.data.max_price_age_mins": 15,
    }


def test_every_key_arrives_as_what_it_is(tmp_path: Path) -> None:
    limits = load(tmp_path, WHOLE)
    assert limits.position.max_shares_per_symbol == Decimal(1000)
    assert limits.position.max_notional_per_symbol == Decimal("50000.50")
    assert limits.portfolio.max_exposure_pct == Decimal(80)
    assert limits.portfolio.max_net_exposure_pct == Decimal("75.5")
    assert limits.portfolio.max_positions == 20
    assert limits.portfolio.max_sector_pct == Decimal(30)
    sectors = {"XOM": "energy", "CVX": "energy", "AAPL": "technology"}
    assert limits.portfolio.sectors == sectors
    assert limits.loss.daily_loss_limit == LossLimit(Decimal(2000))
    assert limits.loss.max_drawdown_pct == Decimal(10)
    assert limits.loss.of("growth") == LossRules(LossLimit(Decimal("1.5"), is_pct=True))
    assert limits.loss.of("income") == LossRules(None, Decimal(9))
    assert limits.greeks.max_portfolio_delta == Decimal(500)
    assert limits.greeks.max_portfolio_theta == Decimal(-200)
    assert limits.greeks.max_portfolio_vega == Decimal(40)
    assert limits.kill_switch.auto_trigger_on_daily_loss is True
    assert limits.kill_switch.auto_trigger_on_failed_runs == 3
    assert limits.bias.required is True
    assert limits.bias.max_age_mins == 45
    assert limits.data.max_price_age_mins == 5


def test_every_key_of_the_schema_is_in_the_example_above(tmp_path: Path) -> None:
    ours = {key: value for key, value, _ in load(tmp_path, WHOLE).entries()}
    theirs = {key: value for key, value, _ in Limits().entries()}
    assert ours.keys() == theirs.keys()
    assert all(ours[key] != theirs[key] for key in ours)


def test_a_decimal_never_passes_through_a_float(tmp_path: Path) -> None:
    text = "risk: {position: {max_notional_per_symbol: 0.10000000000000000001}}"
    limit = load(tmp_path, text).position.max_notional_per_symbol
    assert str(limit) == "0.10000000000000000001"


def test_zero_is_a_limit(tmp_path: Path) -> None:
    limits = load(
        tmp_path,
        "risk: {position: {max_shares_per_symbol: 0}, portfolio: {max_positions: 0},"
        " data: {max_price_age_mins: 1}}",
    )
    assert limits.position.max_shares_per_symbol == 0
    assert limits.portfolio.max_positions == 0
    assert limits.data.max_price_age_mins == 1


def test_rules_of_any_strategy_are_read_where_nobody_knows_which_one_runs(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("risk: {loss: {strategies: {other: {max_drawdown_pct: 1}}}}", encoding="utf-8")
    assert load_limits(path).loss.of("other").max_drawdown_pct == 1


def test_none_means_no_limit(tmp_path: Path) -> None:
    limits = load(tmp_path, "risk: {portfolio: {max_exposure_pct: none, max_positions: none}}")
    assert limits.portfolio == replace(Limits().portfolio, max_exposure_pct=None)


def test_a_strategy_without_rules_has_none(tmp_path: Path) -> None:
    limits = load(tmp_path, "risk: {loss: {strategies: {income: {max_drawdown_pct: 9}}}}")
    assert limits.loss.of("growth") == LossRules()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("risk: {positions: {}}", "risk.positions is no limit. Did you mean position?"),
        (
            "risk: {position: {max_share_per_symbol: 5}}",
            "risk.position.max_share_per_symbol is no limit. Did you mean max_shares_per_symbol?",
        ),
        ("risk: {position: {qqq: 5}}", "risk.position.qqq is no limit. No limit was applied"),
        ("risk: {position: 5}", "risk.position = '5': expected keys with their values"),
        ("risk:", "risk = '': expected keys with their values"),
        ("limits: {}", "expected one key at the top, `risk`"),
        ("risk: {}\nother: {}", "expected one key at the top, `risk`"),
        ("", "expected one key at the top, `risk`"),
        ("- risk", "expected one key at the top, `risk`"),
        ("risk: {", "is no YAML in line 1"),
        (b"risk: \xff", "is no YAML: not readable as text."),
        ("risk:\n  position: {}\n  position: {}", "is no YAML in line 3: 'position' stands twice"),
        ("risk: {? [a] : b}", "is no YAML in line 1"),
        (
            "risk: {loss: {strategies: {incme: {}}}}",
            "risk.loss.strategies.incme is no strategy of this service. Did you mean income?",
        ),
        (
            "risk: {loss: {strategies: {income: {max_drawdown: 9}}}}",
            "risk.loss.strategies.income.max_drawdown is no limit. Did you mean max_drawdown_pct?",
        ),
        (
            "risk: {loss: {strategies: {income: {daily_loss_limit: x}}}}",
            "risk.loss.strategies.income.daily_loss_limit = 'x': expected an amount in USD",
        ),
        ("risk: {loss: {strategies: 5}}", "risk.loss.strategies = '5': expected profiles"),
        ("risk: {loss: {strategies: {income: 5}}}", "risk.loss.strategies.income = '5'"),
        ("[" * 5000, "is nested too deeply to be read. No limit was applied"),
        (
            "risk: {kill_switch: {auto_trigger_on_daily_loss: true}}",
            "there is no loss to trigger it: set risk.loss.daily_loss_limit, too.",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert said in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("key", "wanted", "values"),
    [
        (
            "position.max_shares_per_symbol",
            "a number of at least 0, or none",
            ["", "-1", "NaN", "inf", "1_000", "1,000", "many", "null", "[5]", "{a: b}"],
        ),
        ("portfolio.max_positions", "a whole number of at least 0, or none", ["2.5", "-1"]),
        (
            "portfolio.sectors",
            "sectors with lists of their symbols",
            [
                "energy",
                "{energy: XOM}",
                "{a: [XOM], b: CVX}",
                "{energy: [[XOM]]}",
                "{a: [XOM], b: [XOM]}",
            ],
        ),
        (
            "loss.daily_loss_limit",
            "an amount in USD such as 2000, a share such as 2% of at most 100%, or none",
            ["", "-5", "2%%", "5 USD", "[2]", "200%"],
        ),
        (
            "kill_switch.auto_trigger_on_failed_runs",
            "a whole number of at least 1, or none",
            ["0", "-1", "1.5"],
        ),
        ("greeks.max_portfolio_theta", "a number, or none", ["x", "NaN", ""]),
        (
            "kill_switch.auto_trigger_on_daily_loss",
            "true or false",
            ["yes", "1", "True", "on", "", "none"],
        ),
        (
            "bias.max_age_mins",
            "a whole number of minutes above 0",
            ["0", "-5", "1.5", "none", "soon"],
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_would(
    tmp_path: Path, key: str, wanted: str, values: list[str]
) -> None:
    section, name = key.split(".")
    for value in values:
        message = refused(tmp_path, f"risk:\n  {section}:\n    {name}: {value}\n")
        assert f"risk.{key} = " in message
        assert f": expected {wanted}" in message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"limits.yaml: cannot be read \(No such file"):
        load_limits(tmp_path / "limits.yaml", [])


def test_the_bias_scales_every_limit_and_no_rule(tmp_path: Path) -> None:
    limits = load(tmp_path, WHOLE).scaled(Decimal("0.5"))
    assert limits.position.max_shares_per_symbol == Decimal(500)
    assert limits.position.max_notional_per_symbol == Decimal("25000.25")
    assert limits.portfolio.max_exposure_pct == Decimal(40)
    assert limits.portfolio.max_net_exposure_pct == Decimal("37.75")
    assert limits.portfolio.max_positions == 10
    assert limits.portfolio.max_sector_pct == Decimal(15)
    assert limits.portfolio.sectors["XOM"] == "energy"
    assert limits.loss.daily_loss_limit == LossLimit(Decimal(1000))
    assert limits.loss.max_drawdown_pct == Decimal(5)
    assert limits.loss.of("growth") == LossRules(LossLimit(Decimal("0.75"), is_pct=True))
    assert limits.loss.of("income") == LossRules(None, Decimal("4.5"))
    assert limits.greeks.max_portfolio_theta == Decimal(-100)
    assert limits.kill_switch == load(tmp_path, WHOLE).kill_switch
    assert limits.bias.max_age_mins == 45


def test_what_is_counted_is_rounded_down_by_the_bias(tmp_path: Path) -> None:
    limits = load(tmp_path, "risk: {portfolio: {max_positions: 3}}")
    assert limits.scaled(Decimal("0.5")).portfolio.max_positions == 1
    assert limits.scaled(Decimal(1)) is limits
    assert Limits().scaled(Decimal("0.5")).portfolio.max_positions is None


def test_a_loss_limit_is_written_as_the_file_does() -> None:
    assert str(LossLimit(Decimal(2000))) == "2000"
    assert str(LossLimit(Decimal("1.5"), is_pct=True)) == "1.5%"
