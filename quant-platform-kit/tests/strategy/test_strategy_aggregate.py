"""Many signals become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from random import Random
from types import MappingProxyType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quant_platform_kit.contracts import Decision, Signal, SignalAction, canonical, decode, encode
from quant_platform_kit.errors import ContractError, ReasonCode
from quant_platform_kit.strategy import (
    AggregatedSignals,
    AggregationMode,
    AggregationPolicy,
    SignalExecution,
    aggregate,
    aggregate_all,
    shadow_sizing,
)

BUY, SELL, HOLD = SignalAction.BUY, SignalAction.SELL, SignalAction.HOLD
NOON = datetime(2020, 3, 31, 16, tzinfo=UTC)
LOG_ALL = AggregationPolicy(AggregationMode.LOG_ALL)
SILENT = Decision.hold("no opinion")
FAILED = Decision.blocked(ReasonCode.STRATEGY_FAILED, "ZeroDivisionError: by zero")


def says(action: SignalAction, confidence: str, *, symbol: str = "SPY") -> Decision:
    signal = Signal(symbol, action, Decimal(confidence), f"{action} for a reason")
    return replace(Decision.hold("a signal"), signals=(signal,))


def named(*decisions: Decision) -> dict[str, Decision]:
    return {f"s{number}": decision for number, decision in enumerate(decisions)}


WORKED = named(says(BUY, "0.9"), says(BUY, "0.8"), says(HOLD, "0.1"))


def winner(answer: AggregatedSignals) -> tuple[SignalAction, Decimal]:
    return answer.master_signal.action, answer.master_signal.confidence


def test_the_worked_example_buys_with_its_share_of_the_confidence() -> None:
    answer = aggregate("SPY", WORKED, at=NOON)

    assert winner(answer) == (BUY, Decimal("0.9444444444"))
    assert answer.master_signal.metadata.action_weights == {
        "BUY": Decimal("1.7"),
        "SELL": Decimal(0),
        "HOLD": Decimal("0.1"),
    }
    assert answer.master_signal.reasoning == "2 of 3 signals say BUY: 1.7 of 1.8"


def test_the_response_has_the_agreed_shape() -> None:
    decisions = {
        "momentum": replace(
            WORKED["s0"],
            signals=(
                Signal(
                    "SPY",
                    BUY,
                    Decimal("0.9"),
                    "trend",
                    quantity=Decimal(10),
                    stop_loss_pct=Decimal("0.05"),
                    trailing_stop_pct=Decimal("0.1"),
                ),
            ),
        ),
        "broken": FAILED,
    }
    answer = aggregate("SPY", decisions, at=NOON, sizing=shadow_sizing)

    assert encode(answer) == {
        "success": True,
        "id": answer.id,
        "master_signal": {
            "action": "BUY",
            "confidence": "1.0000000000",
            "reasoning": "1 of 1 signals say BUY: 0.9 of 0.9",
            "allocation": "1.0000000000",
            "ticker": "SPY",
            "metadata": {
                "aggregation_mode": "weighted_average",
                "strategies_count": 1,
                "action_weights": {"BUY": "0.9", "SELL": "0", "HOLD": "0"},
                "all_signals": {},
            },
        },
        "all_signals": {
            "broken": {
                "ticker": "SPY",
                "action": "HOLD",
                "confidence": "0",
                "reasoning": "ZeroDivisionError: by zero",
                "abstained": True,
                "error": "STRATEGY_FAILED: ZeroDivisionError: by zero",
                "quantity": None,
                "stop_loss_pct": None,
                "trailing_stop_pct": None,
            },
            "momentum": {
                "ticker": "SPY",
                "action": "BUY",
                "confidence": "0.9",
                "reasoning": "trend",
                "abstained": False,
                "error": None,
                "quantity": "10",
                "stop_loss_pct": "0.05",
                "trailing_stop_pct": "0.1",
            },
        },
        "strategies_evaluated": 2,
        "execution": None,
        "timestamp": "2020-03-31T16:00:00+00:00",
    }


@pytest.mark.parametrize("policy", [AggregationPolicy(), LOG_ALL])
def test_a_response_reads_back_as_it_was_written(policy: AggregationPolicy) -> None:
    answer = replace(
        aggregate("SPY", WORKED | {"broken": FAILED}, at=NOON, policy=policy),
        execution=SignalExecution(success=True, trade_id="t-1"),
    )

    assert decode(AggregatedSignals, encode(answer)) == answer


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([says(BUY, "0.5"), says(SELL, "0.5")], (HOLD, "0")),
        ([says(BUY, "0.5"), says(HOLD, "0.5")], (HOLD, "0.5")),
        ([says(BUY, "0.4"), says(SELL, "0.4"), says(HOLD, "0.2")], (HOLD, "0.2")),
        ([says(BUY, "0.3"), says(SELL, "0.3"), says(HOLD, "0.4")], (HOLD, "0.4")),
        ([says(BUY, "0"), says(SELL, "0")], (HOLD, "0")),
        ([says(SELL, "0.3"), says(SELL, "0.3"), says(BUY, "0.5")], (SELL, "0.5454545455")),
    ],
)
def test_a_tie_is_hold_with_its_own_share(
    decisions: list[Decision], expected: tuple[SignalAction, str]
) -> None:
    action, confidence = winner(aggregate("SPY", named(*decisions), at=NOON))

    assert (action, confidence) == (expected[0], Decimal(expected[1]))


def test_a_tie_is_recognised_where_rounded_numbers_would_miss_it() -> None:
    thirds = [says(BUY, "0.1"), says(BUY, "0.2"), says(SELL, "0.3")]

    answer = aggregate("SPY", named(*thirds), at=NOON)

    assert winner(answer) == (HOLD, Decimal(0))
    assert answer.master_signal.reasoning == "a tie of BUY and SELL"


def test_an_abstention_never_votes_and_shows_its_error() -> None:
    decisions = WORKED | {
        "failed": FAILED,
        "late": Decision.blocked(ReasonCode.STRATEGY_TIMEOUT, "no answer within 60 seconds"),
        "silent": SILENT,
        "elsewhere": says(SELL, "1", symbol="EFA"),
    }
    answer = aggregate("SPY", decisions, at=NOON)

    assert winner(answer) == winner(aggregate("SPY", WORKED, at=NOON))
    assert answer.strategies_evaluated == 7
    assert answer.master_signal.metadata.strategies_count == 3
    shown = {name: signal for name, signal in answer.all_signals.items() if signal.abstained}
    assert {(s.action, s.confidence) for s in shown.values()} == {(HOLD, Decimal(0))}
    assert {name: signal.error for name, signal in shown.items()} == {
        "elsewhere": None,
        "failed": "STRATEGY_FAILED: ZeroDivisionError: by zero",
        "late": "STRATEGY_TIMEOUT: no answer within 60 seconds",
        "silent": None,
    }


@pytest.mark.parametrize("policy", [AggregationPolicy(), LOG_ALL])
def test_when_all_abstain_the_master_is_hold_with_no_confidence(policy: AggregationPolicy) -> None:
    answer = aggregate("SPY", named(FAILED, SILENT), at=NOON, policy=policy)

    assert winner(answer) == (HOLD, Decimal(0))
    assert answer.master_signal.reasoning == "every strategy abstained"
    assert not answer.success


def test_two_signals_about_one_symbol_are_no_vote() -> None:
    both = (Signal("SPY", BUY, Decimal(1)), Signal("SPY", SELL, Decimal(1)))
    answer = aggregate("SPY", {"torn": replace(SILENT, signals=both)}, at=NOON)

    assert answer.all_signals["torn"].error == "gave 2 signals about SPY"
    assert not answer.success


def test_weights_of_strategies_change_the_vote() -> None:
    policy = AggregationPolicy(weights={"s1": Decimal(3)})
    decisions = named(says(BUY, "0.9"), says(SELL, "0.5"))

    answer = aggregate("SPY", decisions, at=NOON, policy=policy)

    assert winner(answer) == (SELL, Decimal("0.625"))
    assert answer.master_signal.metadata.action_weights["SELL"] == Decimal("1.5")


def test_fewer_votes_than_the_quorum_decide_nothing() -> None:
    enough = AggregationPolicy(quorum=3)
    too_few = AggregationPolicy(quorum=4)
    decisions = WORKED | {"failed": FAILED}

    assert winner(aggregate("SPY", decisions, at=NOON, policy=enough))[0] is BUY
    answer = aggregate("SPY", decisions, at=NOON, policy=too_few)
    assert winner(answer) == (HOLD, Decimal(0))
    assert answer.master_signal.reasoning == "3 of the 4 votes that a decision needs"


@pytest.mark.parametrize("mode", AggregationMode)
def test_enough_sells_override_every_buy(mode: AggregationMode) -> None:
    two = named(says(BUY, "1"), says(BUY, "1"), says(SELL, "0.3"), says(SELL, "0.2"))
    three = two | {"s9": says(SELL, "0.1")}
    policy = AggregationPolicy(mode, sells_override=3)

    assert aggregate("SPY", two, at=NOON, policy=policy).master_signal.action is BUY
    answer = aggregate("SPY", three, at=NOON, policy=policy)
    assert answer.master_signal.action is SELL
    assert answer.master_signal.metadata.action_weights["BUY"] == 0
    assert answer.master_signal.metadata.strategies_count == 5
    assert answer.master_signal.reasoning.endswith("; 2 BUY overridden by SELL signals")
    assert aggregate("SPY", three, at=NOON).master_signal.action is BUY


def test_log_all_takes_the_most_confident_signal_and_keeps_all() -> None:
    decisions = named(says(SELL, "0.95"), says(BUY, "0.9"), says(BUY, "0.9"), FAILED)

    answer = aggregate("SPY", decisions, at=NOON, policy=LOG_ALL)

    assert winner(answer) == (SELL, Decimal("0.95"))
    assert answer.master_signal.reasoning == "s0: SELL for a reason"
    assert answer.master_signal.metadata.all_signals == answer.all_signals
    assert list(answer.all_signals) == ["s0", "s1", "s2", "s3"]


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([says(BUY, "0.9"), says(BUY, "0.9")], (BUY, "0.9")),
        ([says(BUY, "0.9"), says(SELL, "0.9"), says(HOLD, "0.1")], (HOLD, "0")),
        ([says(BUY, "0.9"), says(HOLD, "0.9")], (HOLD, "0.9")),
    ],
)
def test_in_log_all_the_most_confident_ones_must_agree(
    decisions: list[Decision], expected: tuple[SignalAction, str]
) -> None:
    answer = aggregate("SPY", named(*decisions), at=NOON, policy=LOG_ALL)

    assert winner(answer) == (expected[0], Decimal(expected[1]))


def test_every_symbol_has_its_own_master() -> None:
    decisions = {
        "spy": says(BUY, "0.9"),
        "efa": says(SELL, "0.4", symbol="EFA"),
    }
    answers = aggregate_all(["EFA", "SPY", "TLT"], decisions, at=NOON)

    assert list(answers) == ["EFA", "SPY", "TLT"]
    assert [winner(answers[s])[0] for s in answers] == [SELL, BUY, HOLD]
    assert [answers[s].success for s in answers] == [True, True, False]
    assert len({answers[s].id for s in answers}) == 3


def test_the_allocation_is_open_until_somebody_sizes_it() -> None:
    capped = aggregate(
        "SPY", WORKED, at=NOON, sizing=lambda action, share: min(share, Decimal("0.2"))
    )

    assert aggregate("SPY", WORKED, at=NOON).master_signal.allocation is None
    assert capped.master_signal.allocation == Decimal("0.2")


def test_a_response_cannot_be_changed() -> None:
    answer = aggregate("SPY", WORKED, at=NOON, policy=LOG_ALL)
    metadata = answer.master_signal.metadata

    for mapping in (answer.all_signals, metadata.action_weights, metadata.all_signals):
        assert isinstance(mapping, MappingProxyType)


def test_the_id_is_of_what_was_said_and_when() -> None:
    ids = [
        aggregate("SPY", WORKED, at=NOON).id,
        aggregate("SPY", dict(reversed(WORKED.items())), at=NOON).id,
        aggregate("SPY", WORKED, at=NOON + timedelta(seconds=1)).id,
        aggregate("SPY", WORKED | {"s9": SILENT}, at=NOON).id,
    ]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"mode": "weighted_average"}, r"mode = 'weighted_average': .*weighted_average, log_all"),
        ({"weights": {"s0": Decimal(0)}}, r"weights\[s0\]"),
        ({"weights": {"s0": Decimal("NaN")}}, r"weights\[s0\]"),
        ({"weights": {"s0": 1.0}}, r"weights\[s0\] = 1\.0: expected a Decimal above zero"),
        ({"quorum": 0}, "quorum"),
        ({"sells_override": 0}, "sells_override"),
    ],
)
def test_a_policy_without_sense_is_refused(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ContractError, match=rf"AggregationPolicy\.{complaint}"):
        AggregationPolicy(**fields)  # type: ignore[arg-type]


def test_a_weight_of_nobody_who_was_asked_is_refused() -> None:
    policy = AggregationPolicy(weights={"s0": Decimal(1), "typo": Decimal(2)})

    with pytest.raises(ContractError, match=r"weights names typo: .*s0, s1, s2"):
        aggregate("SPY", WORKED, at=NOON, policy=policy)


def test_a_question_to_nobody_is_refused() -> None:
    with pytest.raises(ContractError, match="at least one"):
        aggregate("SPY", {}, at=NOON)


@pytest.mark.parametrize(
    "at", [NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=-4)))]
)
def test_a_time_that_is_not_utc_is_refused(at: datetime) -> None:
    with pytest.raises(ContractError, match=r"aggregate\.at"):
        aggregate("SPY", WORKED, at=at)


# ── Properties ─────────────────────────────────────────────────────────────────────────

confidences = st.decimals(0, 1, places=6)
opinions = st.builds(says, st.sampled_from(SignalAction), confidences.map(str))
answers = st.one_of(opinions, st.sampled_from([SILENT, FAILED]))
books = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), answers, min_size=1)
weights = st.decimals("0.000001", 1000, places=6)


@st.composite
def weighted(draw: st.DrawFn) -> tuple[dict[str, Decision], AggregationPolicy]:
    book = draw(books)
    chosen = draw(st.dictionaries(st.sampled_from(sorted(book)), weights))
    policy = AggregationPolicy(
        draw(st.sampled_from(AggregationMode)),
        weights=chosen,
        quorum=draw(st.integers(1, 3)),
        sells_override=draw(st.none() | st.integers(1, 3)),
    )
    return book, policy


@given(weighted(), st.randoms(use_true_random=False))
def test_the_order_of_strategies_changes_no_byte(
    drawn: tuple[dict[str, Decision], AggregationPolicy], random: Random
) -> None:
    book, policy = drawn
    names = list(book)
    random.shuffle(names)
    shuffled = {name: book[name] for name in names}

    assert canonical(aggregate("SPY", shuffled, at=NOON, policy=policy)) == canonical(
        aggregate("SPY", book, at=NOON, policy=policy)
    )


@given(weighted())
def test_a_confidence_is_between_zero_and_one(
    drawn: tuple[dict[str, Decision], AggregationPolicy],
) -> None:
    book, policy = drawn
    master = aggregate("SPY", book, at=NOON, policy=policy).master_signal

    assert 0 <= master.confidence <= 1
    assert all(weight >= 0 for weight in master.metadata.action_weights.values())


@given(weighted(), weights)
def test_only_the_proportions_of_weights_matter(
    drawn: tuple[dict[str, Decision], AggregationPolicy], factor: Decimal
) -> None:
    book, policy = drawn
    whole: Mapping[str, Decimal] = {name: Decimal(1) for name in book} | dict(policy.weights)
    scaled = {name: weight * factor for name, weight in whole.items()}
    answer = aggregate("SPY", book, at=NOON, policy=replace(policy, weights=whole))

    again = aggregate("SPY", book, at=NOON, policy=replace(policy, weights=scaled))

    assert winner(again) == winner(answer)


@given(books)
def test_who_abstains_could_as_well_not_have_been_asked(book: dict[str, Decision]) -> None:
    voters = {name: decision for name, decision in book.items() if decision.signals}
    assume(voters)

    assert winner(aggregate("SPY", book, at=NOON)) == winner(aggregate("SPY", voters, at=NOON))


@given(books)
def test_a_trade_has_more_weight_than_either_alternative(book: dict[str, Decision]) -> None:
    master = aggregate("SPY", book, at=NOON).master_signal
    ranked = master.metadata.action_weights

    if master.action is not HOLD:
        others = [weight for action, weight in ranked.items() if action != master.action]
        assert ranked[master.action] > max(others)


def test_the_arithmetic_does_not_depend_on_the_callers_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 3
        rough = aggregate("SPY", WORKED, at=NOON)

    assert rough == aggregate("SPY", WORKED, at=NOON)
