"""The reference pages say what the profiles declare, and the charts are pictures of a replay."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace

import pytest

from quant_platform_kit.contracts import Role, Rollout
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import xnys
from quant_platform_kit.strategy import Profile, load_catalog
from tools.profiles._chart import chart
from tools.profiles._codes import blocking_codes
from tools.profiles._market import FIRST, LAST, SECTORS, bars
from tools.profiles._page import index, page, parameters
from tools.profiles._replay import OPENING_USD, Track, replay, symbols_of
from tools.profiles._stand_ins import on_stand_ins


@pytest.fixture(scope="module")
def macd() -> Profile:
    return load_catalog().find("spy_macd_vixy")


@pytest.fixture(scope="module")
def track(macd: Profile) -> Track:
    return replay(on_stand_ins(macd))


def test_a_path_is_the_same_every_time_and_covers_every_session() -> None:
    frame = bars("SIM_QQQ")
    assert frame == bars("SIM_QQQ")
    assert frame.sessions == xnys().sessions(FIRST, LAST)
    assert frame != bars("SIM_SPY")


def test_a_leveraged_fund_follows_its_index() -> None:
    index_fund, leveraged = bars("SIM_QQQ").close, bars("SIM_TQQQ").close
    daily, tripled = index_fund[1:] / index_fund[:-1] - 1, leveraged[1:] / leveraged[:-1] - 1
    assert abs(tripled - 3 * daily).max() < 0.001


def test_every_symbol_of_a_profile_becomes_a_stand_in_and_its_numbers_stay() -> None:
    profile = load_catalog().find("global_etf_rotation")
    strategy = on_stand_ins(profile)
    assert profile.manifest.history is not None
    assert strategy.manifest.history == replace(
        profile.manifest.history,
        symbols=tuple(f"SIM_{symbol}" for symbol in profile.manifest.history.symbols),
    )
    assert strategy.manifest.safe_haven == "SIM_BIL"
    assert strategy.config.top_n == 2  # type: ignore[attr-defined] # the rotation's own


def test_a_universe_that_the_operator_names_is_the_made_up_market() -> None:
    strategy = on_stand_ins(load_catalog().find("russell_1000_multi_factor_defensive"))
    assert {f"SIM_{symbol}" for symbol in SECTORS} <= set(strategy.manifest.managed)


def test_a_track_accounts_for_every_session_and_every_dollar(track: Track) -> None:
    assert track.equity_usd[0] == pytest.approx(float(OPENING_USD), rel=0.01)
    assert track.benchmark_usd[0] == pytest.approx(float(OPENING_USD))
    assert len(track.sessions) == len(track.equity_usd) == sum(track.answers.values())
    assert not [answer for answer in track.answers if answer.startswith("blocked")]
    assert all(0.0 <= sum(each.values()) <= 1.0 + 1e-9 for each in track.weights)


def test_the_chart_is_the_same_picture_every_time_and_loads_nothing(track: Track) -> None:
    picture = chart(track, "A & B", "SIM_SPY", None)
    assert picture == chart(track, "A & B", "SIM_SPY", None)
    root = ET.fromstring(picture)  # noqa: S314 (made above)
    texts = {element.text for element in root.iter() if element.tag.endswith("text")}
    assert {"A & B on made-up prices", "sleeve", "SIM_SPY", "year 1", "year 8", "VIXY"} <= texts
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_the_largest_holdings_have_their_own_colour_and_the_rest_one() -> None:
    held = {f"SIM_{letter}": 0.01 * (20 - place) for place, letter in enumerate("ABCDEFGHIJ")}
    days = xnys().sessions(FIRST, LAST)[:60]
    track = Track(days, (1.0,) * 60, (1.0,) * 60, (20, 40, 59), (held,) * 3, Counter(), 0)
    assert symbols_of(track.weights)[:2] == ["SIM_A", "SIM_B"]
    picture = chart(track, "Ten", "SIM_SPY", "SIM_J")
    assert all(f">{letter}<" in picture for letter in "JABCDEFG")
    assert ">2 others<" in picture


def test_the_page_lists_every_number_with_its_meaning(macd: Profile) -> None:
    listed = {p.name: p for p in parameters(macd.module.Config)}
    assert list(listed) == list(macd.module.Config.model_fields)
    assert listed["hedge_weight"].default == "0.25"
    assert listed["hedge_weight"].allowed == "≥ 0, ≤ 1"
    assert listed["slow"].meaning == "Periods of the averages, in sessions."


@pytest.mark.parametrize(
    "name",
    [n for n, p in load_catalog().profiles.items() if p.manifest.role is not Role.EXAMPLE],
)
def test_no_number_of_any_profile_lacks_a_meaning_or_stands_alone(name: str) -> None:
    for parameter in parameters(load_catalog().find(name).module.Config):
        assert parameter.default
        assert parameter.meaning, parameter.name


def test_codes_are_found_through_the_helpers_that_a_profile_calls() -> None:
    found = blocking_codes("us_equity_strategies.global_etf_rotation")
    assert found == (
        ReasonCode.HISTORY_MISSING,
        ReasonCode.HISTORY_SHORT,
        ReasonCode.HISTORY_STALE,
        ReasonCode.INDICATOR_UNDEFINED,
    )
    assert ReasonCode.SNAPSHOT_ROW_MISSING in blocking_codes(
        "us_equity_strategies.russell_1000_multi_factor_defensive"
    )


def test_the_standing_on_each_platform_is_on_the_page(macd: Profile, track: Track) -> None:
    lists = {"schwab": Rollout("schwab", ("spy_macd_vixy",), "spy_macd_vixy")}
    text = page(macd, track, lists)
    assert "| Charles Schwab | **default** |" in text
    assert "| Interactive Brokers | eligible |" in text
    assert "| direct | daily | eligible | **default** | eligible |" in index([macd], lists)
