"""Dividends are told with what the closes make of each, and nothing about them is passed over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_platform_kit.brokers import Dividend as Payout
from quant_platform_kit.brokers import FrameMarket, StockSplit
from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import open_store
from quant_platform_kit.market import BarFrame, SimulatedClock, xnys
from quant_platform_kit.strategy import load_catalog
from us_equity_snapshot_pipelines import PriceHistory, Universe, fetch_prices, read_prices
from us_equity_snapshot_pipelines._dividends import Dividend, Payment, between
from us_equity_snapshot_pipelines._history import build_history
from us_equity_snapshot_pipelines._odd_dividends import assess
from us_equity_snapshot_pipelines._recipe import Recipe
from us_equity_snapshot_pipelines._workers import open_workers
from us_equity_snapshot_pipelines._workshop import Workshop

RAW, SPLIT, TOTAL = Adjustment.RAW, Adjustment.SPLIT, Adjustment.TOTAL_RETURN
SESSIONS = xnys().sessions(date(2010, 1, 4), date(2019, 12, 31))
PRICES = "symbol,date,close\nKO,2020-03-12,50\nKO,2020-03-13,49.5\nKO,2020-03-16,49\n"
PAID = "symbol,ex_date,amount_usd\n"

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path

    return put


def walk(
    symbol: str = "KO", *, seed: int = 1, days: Sequence[date] = SESSIONS, sigma: float = 0.012
) -> BarFrame:
    """Return raw closes that wander."""
    moves = np.random.default_rng(seed).normal(0, sigma, len(days))
    close = 100 * np.exp(np.cumsum(moves))
    return BarFrame(symbol=symbol, sessions=days, close=close, adjustment=RAW)


@dataclass(frozen=True)
class Payer:
    """A stock that pays a share of its price every 63 sessions; `raw` closes fall by it."""

    raw: BarFrame
    total: BarFrame
    payments: tuple[Payment, ...]

    @classmethod
    def of(cls, frame: BarFrame, share: float) -> Payer:
        kept, payments = np.ones(len(frame)), []
        for at in range(40, len(frame), 63):
            amount = share * frame.close[at - 1] * kept[at - 1]
            payments.append(Payment(frame.symbol, frame.sessions[at], Decimal(f"{amount:.4f}")))
            kept[at:] *= 1 - share
        raw = relabelled(frame, RAW, frame.close * kept)
        return cls(raw, relabelled(frame, TOTAL, frame.close * kept[-1]), tuple(payments))


def relabelled(
    frame: BarFrame, adjustment: Adjustment, close: np.ndarray | None = None
) -> BarFrame:
    return BarFrame(
        symbol=frame.symbol,
        sessions=frame.days,
        close=frame.close if close is None else close,
        adjustment=adjustment,
    )


# ── What bars tell ─────────────────────────────────────────────────────────────────────


def test_the_sample_tells_its_dividends_and_none_of_its_splits() -> None:
    found = read_prices("sample", RAW).dividends

    assert Counter(each.symbol for each in found) == {"AAPL": 3, "IBM": 52, "MSFT": 37}
    special = next(each for each in found if each.ex_date == date(2004, 11, 15))
    assert (special.symbol, special.amount_usd, special.is_accounted) == (
        "MSFT",
        Decimal("3.08"),
        False,
    )
    assert special.share == pytest.approx(0.1011, abs=1e-4)


def test_adjusted_closes_of_the_sample_account_for_every_dividend() -> None:
    raw, total = read_prices("sample", RAW).dividends, read_prices("sample", TOTAL).dividends

    assert all(each.is_accounted for each in total)
    assert [(each.symbol, each.ex_date, each.amount_usd) for each in total] == [
        (each.symbol, each.ex_date, each.amount_usd) for each in raw
    ]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    paid=st.dictionaries(
        st.integers(1, 99), st.integers(5, 900).map(lambda cents: Decimal(cents) / 100), max_size=8
    ),
    split=st.none() | st.tuples(st.integers(1, 99), st.sampled_from([2, 3, 4, 7])),
)
def test_dividends_survive_being_adjusted_for(
    seed: int, paid: Mapping[int, Decimal], split: tuple[int, int] | None
) -> None:
    raw = walk(seed=seed, days=SESSIONS[:100], sigma=0.02)
    payouts = [Payout("KO", SESSIONS[at], amount) for at, amount in paid.items()]
    splits = [] if split is None else [StockSplit("KO", SESSIONS[split[0]], Decimal(split[1]))]
    market = FrameMarket({"KO": raw}, [*payouts, *(s for s in splits if split[0] not in paid)])
    total = market.frame("KO", TOTAL)
    assert total is not None

    found = {each.ex_date: each.amount_usd for each in between(raw, total, RAW)}

    assert found == {each.ex_date: each.amount_usd for each in payouts}


@pytest.mark.parametrize(("asked", "accounted"), [(SPLIT, False), (TOTAL, True), (RAW, False)])
def test_a_brokers_bars_are_asked_for_twice_because_the_difference_tells(
    asked: Adjustment, accounted: bool
) -> None:
    market = FrameMarket({"KO": walk()}, [Payout("KO", date(2019, 6, 13), Decimal("0.4"))])

    found = fetch_prices(Bars(market), ["KO"], 300, SESSIONS[-1], asked)

    (dividend,) = found.dividends
    assert (dividend.ex_date, dividend.amount_usd) == (date(2019, 6, 13), Decimal("0.4"))
    assert dividend.is_accounted is accounted
    assert found.frames["KO"].adjustment is asked


def test_a_source_with_one_adjustment_says_that_it_tells_none() -> None:
    found = fetch_prices(Bars(FrameMarket({"KO": walk()})), ["KO"], 300, SESSIONS[-1], RAW)

    assert found.dividends == ()
    assert found.findings == (
        "the source gives no total_return bars to compare with, so it tells no dividends",
    )


def test_whole_cents_hide_what_is_smaller_and_invent_nothing() -> None:
    raw = relabelled(walk(), SPLIT, np.round(walk().close, 2))
    market = FrameMarket(
        {"KO": relabelled(raw, RAW)},
        [
            Payout("KO", date(2018, 6, 14), Decimal("0.9")),
            Payout("KO", date(2019, 6, 13), Decimal("0.004")),
        ],
    )
    total = market.frame("KO", TOTAL)
    assert total is not None

    found = list(between(raw, relabelled(total, TOTAL, np.round(total.close, 2)), SPLIT))

    assert [each.ex_date for each in found] == [date(2018, 6, 14)]
    assert found[0].amount_usd == pytest.approx(Decimal("0.9"), abs=Decimal("0.03"))


class Bars:
    """A broker's bars, as a market has them."""

    def __init__(self, market: FrameMarket) -> None:
        self._market = market

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        found = {s: self._market.frame(s, adjustment, last_session) for s in symbols}
        return {symbol: frame.tail(sessions) for symbol, frame in found.items() if frame}


# ── Files beside the prices ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("adjustment", "accounted"), [(RAW, False), (SPLIT, False), (TOTAL, True)])
def test_a_file_of_dividends_is_known_by_its_columns(
    write: Write, adjustment: Adjustment, accounted: bool
) -> None:
    write("prices.csv", PRICES)
    folder = write("paid.csv", PAID + "KO,2020-03-13,0.41\n")

    found = read_prices(str(folder), adjustment)

    (dividend,) = found.dividends
    assert (dividend.symbol, dividend.ex_date) == ("KO", date(2020, 3, 13))
    assert dividend.amount_usd == Decimal("0.41")
    assert dividend.share == pytest.approx(0.41 / 50 if not accounted else 0.41 / 50.41)
    assert dividend.is_accounted is accounted
    assert list(found.frames) == ["KO"]
    assert sorted(found.files) == ["paid.csv", "prices.csv"]


def test_a_file_of_dividends_may_be_parquet(write: Write, tmp_path: Path) -> None:
    table = pd.DataFrame({"symbol": ["KO"], "ex_date": ["2020-03-13"], "amount_usd": [0.41]})
    table.to_parquet(tmp_path / "paid.parquet")

    found = read_prices(str(write("prices.csv", PRICES)), RAW)

    assert [each.amount_usd for each in found.dividends] == [Decimal("0.41")]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("KO,2020-03-16,0", "amount_usd is a number above 0"),
        ("KO,2020-03-16,-0.41", "amount_usd is a number above 0"),
        ("KO,2020-03-16,", "amount_usd is a number above 0"),
        ("KO,2020-03-16,inf", "amount_usd is a number above 0"),
        ("KO,2020-03-14,0.41", "ex_date is a session, YYYY-MM-DD"),
        ("KO,13/03/2020,0.41", "ex_date is a session, YYYY-MM-DD"),
        ("ko,2020-03-16,0.41", "symbol is an upper-case ticker"),
        ("KO,2020-03-13,0.41", "a symbol has one row per ex_date"),
    ],
)
def test_a_bad_row_is_refused_by_file_row_and_rule(write: Write, row: str, rule: str) -> None:
    write("prices.csv", PRICES)
    folder = write("paid.csv", f"{PAID}KO,2020-03-13,0.41\n{row}\n")

    with pytest.raises(InputError) as refusal:
        read_prices(str(folder), RAW)

    assert refusal.value.code is ReasonCode.BAR_INVALID
    assert "paid.csv, row 3 (" in refusal.value.message
    assert f"breaks the rule: {rule}" in refusal.value.message


def test_a_file_of_other_columns_is_refused(write: Write) -> None:
    write("prices.csv", PRICES)
    folder = write("paid.csv", "symbol,ex_date,dividend\nKO,2020-03-13,0.41\n")

    with pytest.raises(InputError, match="the rule is 'symbol, ex_date, amount_usd'"):
        read_prices(str(folder), RAW)


def test_dividends_alone_are_no_prices(write: Write) -> None:
    folder = write("paid.csv", PAID + "KO,2020-03-13,0.41\n")

    with pytest.raises(InputError, match=r"no price file at .*paid.csv") as refusal:
        read_prices(str(folder), RAW)
    assert refusal.value.code is ReasonCode.HISTORY_MISSING


def test_increments_that_agree_are_put_together(write: Write) -> None:
    write("prices.csv", PRICES)
    write("a.csv", PAID + "KO,2020-03-13,0.41\n")
    folder = write("b.csv", PAID + "KO,2020-03-13,0.410\nKO,2020-03-16,0.1\n")

    found = read_prices(str(folder), RAW)

    assert [each.amount_usd for each in found.dividends] == [Decimal("0.41"), Decimal("0.1")]
    assert found.findings == ()


def test_increments_that_contradict_each_other_are_refused(write: Write) -> None:
    write("prices.csv", PRICES)
    write("a.csv", PAID + "KO,2020-03-13,0.41\n")
    folder = write("b.csv", PAID + "KO,2020-03-13,0.205\n")

    with pytest.raises(InputError) as refusal:
        read_prices(str(folder), RAW)

    assert "b.csv, row 2: KO pays 0.205 USD on 2020-03-13 and in a.csv, row 2, 0.41." in str(
        refusal.value
    )


def test_a_dividend_that_one_of_two_increments_lacks_is_told(write: Write) -> None:
    write("prices.csv", PRICES)
    write("a.csv", PAID + "KO,2020-03-12,0.1\nKO,2020-03-13,0.41\nKO,2020-03-16,0.1\n")
    folder = write("b.csv", PAID + "KO,2020-03-12,0.1\nKO,2020-03-16,0.1\n")

    found = read_prices(str(folder), RAW)

    assert found.findings == (
        (
            "a.csv has a dividend of KO on 2020-03-13, and b.csv has earlier and later ones and "
            "not that one"
        ),
    )
    assert date(2020, 3, 13) in {each.ex_date for each in found.dividends}


@settings(max_examples=40, deadline=None)
@given(
    amounts=st.dictionaries(
        st.tuples(st.sampled_from(["KO", "PEP"]), st.integers(1, 99)),
        st.decimals("0.0001", "19", places=4),
        min_size=1,
        max_size=12,
    ),
    cut=st.tuples(st.integers(0, 99), st.integers(0, 99)).map(sorted),
)
def test_however_dividends_are_cut_into_increments_they_read_the_same(
    amounts: Mapping[tuple[str, int], Decimal], cut: Sequence[int]
) -> None:
    def written(folder: Path, *spans: range) -> tuple[Dividend, ...]:
        folder.mkdir()
        for number, span in enumerate(spans):
            lines = [f"{s},{SESSIONS[at]},{a}\n" for (s, at), a in amounts.items() if at in span]
            if lines:
                (folder / f"{number}.csv").write_text(PAID + "".join(lines))
        closes = "".join(f"{day},100,100\n" for day in SESSIONS[:100])
        (folder / "prices.csv").write_text(f"Date,KO,PEP\n{closes}")
        return read_prices(str(folder), TOTAL).dividends

    with TemporaryDirectory() as place:
        whole = written(Path(place, "whole"), range(100))
        increments = written(Path(place, "cut"), range(cut[1]), range(cut[0], 100))

    assert increments == whole
    assert {(each.symbol, each.ex_date): each.amount_usd for each in whole} == {
        (symbol, SESSIONS[at]): amount for (symbol, at), amount in amounts.items()
    }


# ── What does not fit the closes ───────────────────────────────────────────────────────


def paid(symbol: str, ex_date: date, amount: str = "0.4") -> Payment:
    return Payment(symbol, ex_date, Decimal(amount))


def test_a_dividend_outside_of_the_listing_is_told() -> None:
    frames = {
        "KO": walk(),
        "NEW": walk("NEW", days=SESSIONS[500:]),
        "OLD": walk("OLD", days=SESSIONS[:500]),
    }

    found, findings = assess(
        [paid("NEW", SESSIONS[400]), paid("NEW", SESSIONS[450]), paid("OLD", SESSIONS[600])],
        frames,
        RAW,
    )

    assert found == ()
    assert findings == (
        (
            f"NEW paid 0.4 USD on {SESSIONS[400]} (and 1 more), not after its first close on "
            f"{SESSIONS[500]}: its prices begin too late, or another share had its name"
        ),
        (
            f"OLD paid 0.4 USD on {SESSIONS[600]}, after its last close on {SESSIONS[499]}: its "
            "prices end too early, or another share has its name"
        ),
    )


def test_what_was_paid_before_any_price_or_will_be_is_no_matter() -> None:
    frames = {"KO": walk()}

    assert assess([paid("KO", date(2009, 6, 11)), paid("KO", date(2020, 3, 13))], frames, RAW) == (
        (),
        (),
    )


def test_dividends_of_symbols_without_prices_are_told_at_once() -> None:
    _, findings = assess([paid(f"S{n}", SESSIONS[9]) for n in range(7)], {"KO": walk()}, RAW)

    assert findings == ("S0, S1, S2, S3, S4 and 2 more paid dividends and no price is given",)


@pytest.mark.parametrize("adjustment", Adjustment)
def test_a_dividend_as_large_as_the_close_is_told_and_explains_nothing(
    adjustment: Adjustment,
) -> None:
    frame = relabelled(walk(), adjustment)

    found, findings = assess([paid("KO", SESSIONS[90], "5000")], {"KO": frame}, adjustment)

    assert found == ()
    assert "which is not less than the close before" in findings[0]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.002, 0.01, 0.05]))
def test_sound_histories_are_not_doubted(seed: int, share: float) -> None:
    payer = Payer.of(walk(seed=seed), share)

    for frame in (payer.raw, payer.total):
        found, findings = assess(payer.payments, {"KO": frame}, frame.adjustment)
        assert findings == ()
        assert {each.is_accounted for each in found} == {frame is payer.total}
        assert [each.share for each in found] == pytest.approx([share] * len(found), rel=0.01)


def test_one_large_drop_in_adjusted_closes_is_seen_for_what_it_is() -> None:
    payer = Payer.of(walk(), 0.002)
    close = payer.total.close.copy()
    special = Payment("KO", SESSIONS[900], Decimal(f"{close[899] * 0.1:.2f}"))
    close[900:] *= 0.9
    mixed = relabelled(payer.total, TOTAL, close)

    found, findings = assess([special, *payer.payments], {"KO": mixed}, TOTAL)

    (finding,) = findings
    assert finding.startswith(f"KO moves by {close[900] / close[899] - 1:+.1%} on {SESSIONS[900]}")
    assert "total_return closes should not fall by it, so two adjustments are mixed" in finding
    assert [each.ex_date for each in found if not each.is_accounted] == [special.ex_date]


def test_many_small_drops_of_one_symbol_are_seen_together() -> None:
    mixed, sound = Payer.of(walk(), 0.015), Payer.of(walk("PEP", seed=2), 0.015)
    frames = {"KO": relabelled(mixed.raw, TOTAL), "PEP": sound.total}

    found, findings = assess([*mixed.payments, *sound.payments], frames, TOTAL)

    (finding,) = findings
    assert "the closes of KO on 40 ex-dates" in finding
    assert "fall by the dividends, and total_return closes should not" in finding
    assert {each.symbol for each in found if not each.is_accounted} == {"KO"}


def test_drops_too_small_for_any_symbol_are_seen_in_all_of_them() -> None:
    payers = [Payer.of(walk(f"S{seed:02}", seed=seed), 0.003) for seed in range(40)]
    frames = {payer.raw.symbol: relabelled(payer.raw, TOTAL) for payer in payers}

    found, findings = assess([each for p in payers for each in p.payments], frames, TOTAL)

    (finding,) = findings
    assert "the closes of S00, S01, S02, S03, S04 and 35 more on 1600 ex-dates" in finding
    assert not any(each.is_accounted for each in found)


def test_unadjusted_closes_that_do_not_fall_are_told_too() -> None:
    payer = Payer.of(walk(), 0.02)

    found, findings = assess(payer.payments, {"KO": relabelled(payer.total, SPLIT)}, SPLIT)

    assert "do not fall by the dividends, and split closes should" in findings[-1]
    assert all(each.is_accounted for each in found)


def test_a_crash_on_the_day_of_a_small_dividend_is_not_its_doing() -> None:
    close = walk().close.copy()
    close[900:] *= 0.7
    frame = relabelled(walk(), TOTAL, close)

    _, findings = assess([paid("KO", SESSIONS[900])], {"KO": frame}, TOTAL)

    assert findings == ()


# ── Where it is told ───────────────────────────────────────────────────────────────────

AS_OF = date(2013, 2, 28)


def workshop(adjustment: Adjustment) -> Workshop:
    profile = load_catalog().find("mega_cap_leader_rotation")
    given_ = {"universe": ["AAPL", "GOOG"], "benchmark": "IBM", "broad_benchmark": "MSFT"}
    strategy = profile.configured(profile.module.Config.model_validate(given_))
    recipe = Recipe.of(strategy)
    return Workshop(
        strategy=strategy,
        recipe=recipe,
        prices=read_prices("sample", adjustment),
        universe=Universe.of_sectors(dict.fromkeys(recipe.stocks, "")),
        calendar=xnys(),
        clock=SimulatedClock(datetime(2013, 2, 28, 23, tzinfo=UTC)),
    )


def summary_of(files: Mapping[str, bytes]) -> SimpleNamespace:
    return SimpleNamespace(**json.loads(files["summary.json"]))


def test_the_summary_lists_what_went_ex_while_the_features_looked(tmp_path: Path) -> None:
    made = workshop(TOTAL).make(AS_OF, open_store(tmp_path))

    summary = summary_of(made.files)

    first = next(each for each in summary.dividends if each["symbol"] == "AAPL")
    assert first == {
        "symbol": "AAPL",
        "ex_date": "2012-08-09",
        "amount_usd": "2.65",
        "share_of_close": "0.0043",
        "is_accounted": True,
    }
    assert Counter(each["symbol"] for each in summary.dividends) == {"AAPL": 3, "IBM": 5, "MSFT": 5}
    assert summary.status == "ok"
    assert "are adjusted for it: no drop to explain" in made.files["index.html"].decode()


def test_unadjusted_closes_are_a_warning_that_says_so(tmp_path: Path) -> None:
    made = workshop(RAW).make(AS_OF, open_store(tmp_path))

    assert (
        "raw closes fall by dividends, which features take for losses: 13 are listed, of 3 symbols"
    ) in summary_of(made.files).warnings
    assert "fall by it: features take it for a loss" in made.files["index.html"].decode()


def test_a_past_version_lists_the_dividends_of_its_own_time(tmp_path: Path) -> None:
    shop = workshop(TOTAL)
    with open_workers(1) as workers:
        history = build_history(shop, (date(2012, 12, 31), AS_OF), str(tmp_path), workers)

    for past, count in zip(history.versions, (10, 13), strict=True):
        stored = (tmp_path / past.version / "summary.json").read_bytes()
        assert stored == shop.make(past.as_of, open_store(tmp_path / "empty")).files["summary.json"]
        assert len(json.loads(stored)["dividends"]) == count


def test_dividends_do_not_name_a_version(tmp_path: Path) -> None:
    shop = workshop(TOTAL)
    silent = Workshop(
        strategy=shop.strategy,
        recipe=shop.recipe,
        prices=PriceHistory(shop.prices.frames),
        universe=shop.universe,
        calendar=shop.calendar,
        clock=shop.clock,
    )
    versions = {each.make(AS_OF, open_store(tmp_path)).manifest.version for each in (shop, silent)}

    assert len(versions) == 1
