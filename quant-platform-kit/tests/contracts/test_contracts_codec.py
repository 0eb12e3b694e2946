"""The canonical JSON form: nothing is lost, nothing is guessed; same digits, same text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_platform_kit.contracts import (
    Contribution,
    CycleReport,
    CycleRequest,
    Decision,
    DecisionOutcome,
    Environment,
    ExecutionMode,
    Fill,
    FrozenSleeve,
    InputMode,
    Leg,
    OrderLine,
    OrderStatus,
    Outcome,
    PositionLine,
    Side,
    Signal,
    SignalAction,
    Skipped,
    SleeveDecision,
    StrategyIdentity,
    Target,
    TargetMode,
    canonical,
    decode,
    digest,
    encode,
    revive,
)
from quant_platform_kit.errors import ContractError, ReasonCode

texts = st.text(max_size=8)
words = texts.filter(str.strip)
symbols = st.from_regex(r"[A-Z][A-Z0-9.]{0,4}", fullmatch=True)
instants = st.datetimes(timezones=st.just(UTC))
amounts = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=0, max_value=10**9)
sizes = amounts.filter(bool)
digits = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15)
parts = st.decimals(min_value=0, max_value=1, places=4)
codes = st.sampled_from(ReasonCode)
tables = st.dictionaries(texts, texts, max_size=3)


def several(item: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(item, max_size=3).map(tuple)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    outcome = draw(st.sampled_from(DecisionOutcome))
    about: dict[str, Any] = {
        "signals": draw(several(st.builds(Signal, symbols, st.sampled_from(SignalAction), parts))),
        "risk_flags": draw(several(texts)),
        "diagnostics": draw(tables),
    }
    if outcome is DecisionOutcome.REBALANCE:
        wishes = draw(st.dictionaries(symbols, amounts, max_size=4))
        targets = tuple(Target(symbol, amount) for symbol, amount in wishes.items())
        return Decision(outcome, TargetMode.VALUE, targets, **about)
    code = draw(codes) if outcome is DecisionOutcome.BLOCKED else None
    return Decision(outcome, reason=draw(words), code=code, **about)


contributions = several(st.builds(Contribution, words, digits))
legs = st.builds(
    Leg,
    symbol=symbols,
    side=st.just(Side.BUY),
    quantity=sizes,
    price_usd=sizes,
    price_at=instants,
    target_usd=digits,
    current_usd=digits,
    target_quantity=digits,
    current_quantity=digits,
    exact_quantity=digits,
    limited_by=st.none() | codes,
    contributors=contributions,
)
order_lines = st.builds(
    OrderLine,
    client_id=words,
    broker_order_id=st.none() | words,
    symbol=symbols,
    side=st.sampled_from(Side),
    quantity=sizes,
    filled_quantity=amounts,
    average_price_usd=st.none() | sizes,
    fee_usd=amounts,
    status=st.sampled_from(OrderStatus),
    code=st.none() | codes,
    detail=texts,
    leg=legs,
)
position_lines = st.builds(
    PositionLine,
    symbol=symbols,
    quantity=amounts,
    price_usd=st.none() | sizes,
    value_usd=st.none() | amounts,
    weight=st.none() | digits,
    target_weight=st.none() | parts,
    managed=st.booleans(),
)
reports = st.builds(
    CycleReport,
    run_key=words,
    platform=words,
    account=words,
    session=st.none() | st.dates(),
    slot=words,
    mode=st.sampled_from(ExecutionMode),
    environment=st.none() | st.sampled_from(Environment),
    outcome=st.sampled_from(Outcome),
    code=st.none() | codes,
    reason=texts,
    started_at=instants,
    finished_at=instants,
    attempt=st.integers(1, 9),
    strategies=several(st.builds(StrategyIdentity, words, tables, st.sampled_from(InputMode))),
    decisions=several(st.builds(SleeveDecision, words, decisions(), texts)),
    frozen=several(st.builds(FrozenSleeve, words, codes, texts, several(symbols))),
    capital_base_usd=st.none() | digits,
    equity_usd=st.none() | digits,
    cash_usd=st.none() | digits,
    positions=several(position_lines),
    orders=several(order_lines),
    skipped=several(st.builds(Skipped, symbols, codes, texts)),
    notes=several(texts),
    versions=tables,
    commit=texts,
)


@given(st.one_of(decisions(), legs, reports))
def test_a_contract_comes_back_from_its_text_digit_for_digit(value: object) -> None:
    text = canonical(value)
    back = decode(type(value), json.loads(text))
    assert back == value
    assert canonical(back) == text
    assert digest(back) == digest(value)


@given(tables)
def test_the_order_of_keys_does_not_matter(table: dict[str, str]) -> None:
    turned = dict(reversed(table.items()))
    assert canonical(Decision.hold("why", diagnostics=table)) == canonical(
        Decision.hold("why", diagnostics=turned)
    )


@given(digits)
def test_a_decimal_is_written_without_an_exponent(value: Decimal) -> None:
    text = encode(value)
    assert Decimal(text) == value
    assert "E" not in text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
FIELDS = [*Decision.__slots__, *Leg.__slots__, *CycleRequest.__slots__, *Target.__slots__]


@given(
    st.sampled_from([Decision, Leg, CycleReport, CycleRequest, Fill, Target]),
    json_values | st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6),
)
def test_rubbish_is_a_contract_error_or_a_value_and_never_anything_else(
    kind: type[object], rubbish: object
) -> None:
    try:
        value = decode(kind, rubbish)
    except ContractError:
        return
    assert isinstance(value, kind)


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (CycleRequest, {"slot": 5}, r"CycleRequest\.slot: expected str, got 5"),
        (CycleRequest, {"slot": None}, r"CycleRequest\.slot: expected str"),
        (CycleRequest, {"session": "tomorrow"}, r"CycleRequest\.session: .*'tomorrow'"),
        (CycleRequest, {"session": 20200331}, r"CycleRequest\.session: expected str"),
        (CycleRequest, {"strategies": "one"}, r"CycleRequest\.strategies: expected list"),
        (CycleRequest, {"strategies": {"one": 1}}, r"CycleRequest\.strategies: expected list"),
        (CycleRequest, {"strategy": "one"}, r"CycleRequest\.strategy: there is no such field"),
        (CycleRequest, [], "expected dict"),
        (Target, {"symbol": "SPY", "amount": 0.1}, r"Target\.amount: expected str, got 0\.1"),
        (Target, {"symbol": "SPY", "amount": True}, r"Target\.amount: expected str"),
        (Target, {"symbol": "SPY", "amount": "much"}, r"Target\.amount: .*'much'"),
        (Target, {"symbol": "SPY", "amount": "-1"}, r"Target\.amount = "),
        (Target, {"symbol": "SPY"}, "'amount'"),
        (Skipped, {"symbol": "SPY", "code": "SOMETHING"}, r"Skipped\.code: .*SOMETHING"),
        (Decision, {"outcome": "hold", "diagnostics": []}, r"Decision\.diagnostics: expected dict"),
        (Decision, {"outcome": "hold", "targets": [{"symbol": 1}]}, r"Target\.symbol: expected"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_by_the_name_of_its_field(
    kind: type, data: object, said: str
) -> None:
    with pytest.raises(ContractError, match=said):
        decode(kind, data)


def test_a_bool_is_no_number() -> None:
    stored = encode(
        CycleReport(
            *("key", "ibkr", "alias", None, "close", ExecutionMode.PAPER, None),
            *(Outcome.NO_ACTION, None, ""),
            *(datetime(2020, 3, 31, tzinfo=UTC),) * 2,
        )
    )
    with pytest.raises(ContractError, match=r"CycleReport\.attempt: expected int"):
        decode(CycleReport, stored | {"attempt": True})


@dataclass(frozen=True)
class _Score:
    value: float


@pytest.mark.parametrize(
    "value", [0.1, _Score(0.1), {1, 2}, object()], ids=["float", "field", "set", "object"]
)
def test_what_has_no_exact_text_is_refused(value: object) -> None:
    with pytest.raises(ContractError, match="has no canonical JSON form"):
        canonical(value)


@settings(max_examples=20)
@given(reports)
def test_what_a_later_version_stored_can_be_read_after_it_was_taken_back(
    report: CycleReport,
) -> None:
    stored, more = encode(report), {"of_a_later_version": {"more": [1]}}
    stored["orders"] = [order | more for order in stored["orders"]]
    stored |= more
    assert revive(CycleReport, stored) == report
    with pytest.raises(ContractError, match="of_a_later_version: there is no such field"):
        decode(CycleReport, stored)
