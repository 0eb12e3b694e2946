"""Terms, depth and corporate actions of a simulated account, from the outside."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.brokers import (
    AccountKind,
    AccountTerms,
    Dividend,
    Impact,
    Liquidity,
    StockSplit,
    read_corporate_actions,
)
from quant_platform_kit.contracts import FeeModel, Side, canonical, decode
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import xnys
from quant_platform_kit.settings import reference
from quant_platform_kit.simulators import HostOptions, SimulatorControl, SimulatorProcess

Launch = Callable[[str], SimulatorProcess]
QPK = str(Path(sys.executable).with_name("qpk"))
CASH_ACCOUNT = AccountTerms(AccountKind.CASH)
NEXT_SESSION = datetime(2020, 4, 1, 15, tzinfo=UTC)


@pytest.fixture
def control(launch: Launch, fresh: HostOptions) -> SimulatorControl:
    control = launch("schwab").control
    control.open_account(fresh)
    return control


@pytest.fixture
def actions(tmp_path: Path) -> Path:
    """Write down a split of AAA and a dividend of BBB in the session after the account's first."""
    path = tmp_path / "actions.csv"
    path.write_text(
        "symbol,ex_date,kind,value\nAAA,2020-04-01,split,2\nBBB,2020-04-01,dividend,0.50\n"
    )
    return path


def test_every_option_survives_the_way_to_another_process(fresh: HostOptions) -> None:
    options = replace(
        fresh,
        fees=FeeModel(Decimal("0.005"), Decimal(1), Decimal(1), Decimal(100)),
        terms=CASH_ACCOUNT,
        liquidity=Liquidity(Decimal("0.1"), Decimal("0.001"), Decimal("0.02"), Impact.LINEAR),
        actions="actions.csv",
    )
    assert decode(HostOptions, json.loads(canonical(options))) == options


def test_a_cash_account_shows_what_has_not_settled(
    control: SimulatorControl, fresh: HostOptions
) -> None:
    control.open_account(replace(fresh, terms=CASH_ACCOUNT))
    control.trade("AAA", Side.BUY, Decimal(100))
    control.trade("AAA", Side.SELL, Decimal(30))
    book = control.book()
    assert book["account"]["cash_usd"] == book["unsettled_usd"] == "300.00"
    assert Decimal(book["account"]["usable_cash_usd"]) == 0
    control.advance_to(NEXT_SESSION)
    assert control.book()["account"]["usable_cash_usd"] == "300.00"


def test_slippage_reaches_an_account_behind_a_wire(
    control: SimulatorControl, fresh: HostOptions
) -> None:
    control.open_account(replace(fresh, liquidity=Liquidity(half_spread_ratio=Decimal("0.01"))))
    control.trade("AAA", Side.BUY, Decimal(10))
    assert control.book()["account"]["cash_usd"] == "899.00"


def test_what_happens_to_shares_reaches_an_account_behind_a_wire(
    control: SimulatorControl, fresh: HostOptions, actions: Path
) -> None:
    control.open_account(replace(fresh, actions=str(actions)))
    control.trade("AAA", Side.BUY, Decimal(10))
    control.trade("BBB", Side.BUY, Decimal(10))
    control.advance_to(NEXT_SESSION)
    book = control.book()
    assert [(p["symbol"], p["quantity"]) for p in book["positions"]] == [
        ("AAA", "20"),
        ("BBB", "10"),
    ]
    assert book["account"]["cash_usd"] == "705.00"


def test_another_market_may_have_its_own_actions(
    control: SimulatorControl, fresh: HostOptions, actions: Path
) -> None:
    control.trade("AAA", Side.BUY, Decimal(10))
    control.set_market(fresh.market, str(actions))
    control.advance_to(NEXT_SESSION)
    assert [p["quantity"] for p in control.book()["positions"]] == ["20"]


def test_a_malformed_list_of_actions_opens_no_account(
    control: SimulatorControl, fresh: HostOptions, actions: Path
) -> None:
    actions.write_text(actions.read_text() + "AAA,2020-04-02,gift,1\n")
    with pytest.raises(ContractError, match=r"actions\.csv cannot be used: line 4: 'gift'"):
        control.open_account(replace(fresh, account_id="other", actions=str(actions)))
    assert control.health()["account_id"] == fresh.account_id


def test_qpk_simulates_an_account_on_other_terms(fresh: HostOptions, actions: Path) -> None:
    command = [QPK, "simulate", "schwab", "--market", fresh.market, "--actions", str(actions)]
    command += ["--start", "2020-03-31T19:30:00+00:00", "--cash", "1000"]
    command += ["--account-type", "cash", "--half-spread", "0.01", "--participation", "0.1"]
    command += ["--fee-per-share", "0.005", "--fee-minimum", "1", "--fee-maximum-bps", "50"]
    command += ["--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        control = SimulatorControl(json.loads(process.stdout.readline())["control_port"])
        control.trade("AAA", Side.BUY, Decimal(10))
        control.trade("AAA", Side.SELL, Decimal(5))
        book = control.book()
        assert [(f["price_usd"], f["fee_usd"]) for f in book["fills"]] == [
            ("10.10", "0.51"),
            ("9.90", "0.25"),
        ]
        assert book["unsettled_usd"] == "49.25"
        control.advance_to(NEXT_SESSION)
        assert [p["quantity"] for p in control.book()["positions"]] == ["10"]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--half-spread", "wide", "expected a number"),
        ("--half-spread", "2", "Liquidity.half_spread_ratio = 2"),
        ("--participation", "0", "Liquidity.participation_ratio = 0"),
        ("--settlement", "2", "settlement"),
        ("--fee-minimum", "-1", "--fee-minimum"),
    ],
)
def test_qpk_refuses_an_option_out_of_range(option: str, value: str, words: str) -> None:
    command = [QPK, "simulate", "schwab", option, value]
    wide = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=wide)
    assert done.returncode == 2
    assert words in done.stderr


def test_qpk_names_the_line_of_a_list_of_actions_that_it_cannot_use(actions: Path) -> None:
    actions.write_text("symbol,ex_date,kind,value\nAAA,2020-04-04,split,2\n")
    command = [QPK, "simulate", "schwab", "--actions", str(actions)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode not in {0, 1}
    assert "line 2: 2020-04-04 is not a session" in done.stderr


PAGE = Path(__file__).parents[3] / "docs" / "simulate-an-account.md"


def test_the_page_names_every_option_of_an_account() -> None:
    listed = subprocess.run(
        [QPK, "simulate", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    ).stdout
    terms = listed[listed.index("Terms of the account") :]
    options = set(re.findall(r"--[a-z][a-z-]+", terms)) | {"--actions"}
    named = set(re.findall(r"--[a-z][a-z-]+", PAGE.read_text(encoding="utf-8")))
    assert len(options) > 10
    assert options <= named <= options | {"--market"}


def test_the_page_names_every_setting_of_a_service_s_own_simulated_account() -> None:
    of_another_page = {"MARKET", "CASH_USD", "START", "LATENCY_SECS"}
    known = {name for name, *_ in reference() if name.startswith("QPK_SIMULATED_")}
    named = set(re.findall(r"QPK_SIMULATED_[A-Z_]+", PAGE.read_text(encoding="utf-8")))
    assert named == known - {f"QPK_SIMULATED_{name}" for name in of_another_page}


def test_the_page_s_list_of_actions_can_be_used(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    path = tmp_path / "actions.csv"
    path.write_text(page.partition("```csv\n")[2].partition("```")[0])
    split, dividend = read_corporate_actions(path, xnys())
    assert split == StockSplit("AAPL", date(2005, 2, 28), Decimal(2), Decimal(1))
    assert dividend == Dividend("IBM", date(2012, 11, 7), Decimal("0.85"))
