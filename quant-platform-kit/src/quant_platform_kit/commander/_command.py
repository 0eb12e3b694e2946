"""From the sleeves' decisions to the account's one wish. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal

from quant_platform_kit.commander._sleeve import Sleeve
from quant_platform_kit.contracts import (
    BandGoal,
    Contribution,
    Decision,
    DecisionOutcome,
    ExecutionHints,
    FrozenSleeve,
    PortfolioTarget,
    TargetMode,
    TargetPortfolio,
)
from quant_platform_kit.errors import ContractError, ReasonCode, RefuseRun

_ZERO = Decimal(0)
_WEIGHT_STEP = Decimal("1e-10")
_Active = tuple[Sleeve, Decision]


def command(sleeves: Sequence[Sleeve], decisions: Mapping[str, Decision]) -> TargetPortfolio:
    """Combine the decisions of an account's sleeves into its target portfolio.

    Only a REBALANCE moves anything. Every other sleeve is frozen: one that holds, is blocked, was
    not selected or gave no answer keeps its symbols out of `managed`, so that no order can touch
    them. A symbol that an active sleeve shares with a frozen one stays out as well, because
    nothing here tells whose shares are whose.

    Parameters
    ----------
    sleeves : sequence of Sleeve
        Every sleeve of the account, also those without a decision in this run.
    decisions : mapping of str to Decision
        By profile. A sleeve's profile that is absent is frozen, never zeroed.

    Returns
    -------
    TargetPortfolio
        In weights of the account (rounded down to ten decimals) or in dollars; symbols sorted.
        Complete: every managed symbol has a target, zero where nobody wants it, and names every
        sleeve that manages it. Weights that would eat into their sleeve's cash reserve are
        reduced in proportion. The account's hints keep no active sleeve from a trade it would
        make alone, so the narrowest band, the smallest minimum and the farther goal count; cash
        reserves add up.

    Raises
    ------
    RefuseRun
        WHITELIST_EMPTY without any sleeve.
    ContractError
        When sleeves repeat or exceed the account, or a decision does not fit its sleeve.
    """
    _check_sleeves(sleeves, decisions)
    active, frozen = _divide(sleeves, decisions)
    mode = _common_mode(active) if active else sleeves[0].target_mode
    untouchable = frozenset(symbol for sleeve in frozen for symbol in sleeve.symbols)
    notes = tuple(_share_notes(active, frozen))
    managed = sorted({symbol for sleeve, _ in active for symbol in sleeve.managed} - untouchable)
    return TargetPortfolio(
        mode=mode,
        managed=tuple(managed),
        targets=_combine(active, untouchable),
        frozen=(*frozen, *notes),
        hints=_combine_hints([sleeve for sleeve, _ in active]),
    )


def _check_sleeves(sleeves: Sequence[Sleeve], decisions: Mapping[str, Decision]) -> None:
    if not sleeves:
        raise RefuseRun(
            "No strategy is selected for this account, so nothing was traded. An empty list is "
            "never read as 'sell everything': name at least one profile.",
            code=ReasonCode.WHITELIST_EMPTY,
        )
    profiles = [sleeve.profile for sleeve in sleeves]
    if len(set(profiles)) != len(profiles):
        raise ContractError(f"sleeves = {profiles}: expected each profile once")
    total = sum((sleeve.weight for sleeve in sleeves), _ZERO)
    if total > 1:
        raise ContractError(f"sleeves: the weights sum to {total}, expected at most 1")
    strangers = sorted(decisions.keys() - set(profiles))
    if strangers:
        raise ContractError(f"decisions of {strangers}: expected decisions of {profiles} only")


def _divide(
    sleeves: Sequence[Sleeve], decisions: Mapping[str, Decision]
) -> tuple[list[_Active], list[FrozenSleeve]]:
    active: list[_Active] = []
    frozen: list[FrozenSleeve] = []
    for sleeve in sorted(sleeves, key=lambda each: each.profile):
        decision = decisions.get(sleeve.profile)
        if decision is not None and decision.outcome is DecisionOutcome.REBALANCE:
            _check_fit(sleeve, decision)
            active.append((sleeve, decision))
        else:
            frozen.append(_freeze(sleeve, decision))
    return active, frozen


def _check_fit(sleeve: Sleeve, decision: Decision) -> None:
    if decision.mode is not sleeve.target_mode:
        raise ContractError(
            f"decision of {sleeve.profile}: targets in {decision.mode}, "
            f"expected {sleeve.target_mode} as its manifest declares"
        )
    managed = frozenset(sleeve.managed)
    for target in decision.targets:
        if target.symbol not in managed:
            raise ContractError(
                f"decision of {sleeve.profile}: target {target.symbol} lies outside the managed "
                "universe that its manifest declares",
                code=ReasonCode.UNMANAGED_TARGET,
                symbol=target.symbol,
            )


def _freeze(sleeve: Sleeve, decision: Decision | None) -> FrozenSleeve:
    if decision is None:
        code, detail = ReasonCode.SLEEVE_FROZEN, "no decision in this run: its holdings are kept"
    else:
        code, detail = decision.code or ReasonCode.HOLD, decision.reason
    return FrozenSleeve(sleeve.profile, code, detail, tuple(sorted(sleeve.managed)))


def _share_notes(
    active: Iterable[_Active], frozen: Sequence[FrozenSleeve]
) -> Iterable[FrozenSleeve]:
    for sleeve, _ in active:
        for other in frozen:
            shared = tuple(sorted(set(sleeve.managed).intersection(other.symbols)))
            if shared:
                yield FrozenSleeve(
                    sleeve.profile,
                    ReasonCode.SLEEVE_FROZEN,
                    f"shared with {other.sleeve}, which is frozen: kept as they are",
                    shared,
                )


def _common_mode(active: Sequence[_Active]) -> TargetMode:
    modes = {sleeve.target_mode: sleeve.profile for sleeve, _ in active}
    if len(modes) > 1:
        each = ", ".join(f"{profile} in {mode}" for mode, profile in modes.items())
        raise ContractError(f"sleeves with targets of different modes: {each}; expected one mode")
    return next(iter(modes))


def _combine(active: Iterable[_Active], untouchable: frozenset[str]) -> tuple[PortfolioTarget, ...]:
    contributions: defaultdict[str, list[Contribution]] = defaultdict(list)
    for sleeve, decision in active:
        wishes = _of_account(sleeve, decision)
        for symbol in sleeve.managed:
            if symbol not in untouchable:
                wish = Contribution(sleeve.profile, wishes.get(symbol, _ZERO))
                contributions[symbol].append(wish)
    return tuple(
        PortfolioTarget(symbol, sum((each.amount for each in parts), _ZERO), tuple(parts))
        for symbol, parts in sorted(contributions.items())
    )


def _of_account(sleeve: Sleeve, decision: Decision) -> dict[str, Decimal]:
    """Return the sleeve's wishes in dollars, or in weights of the account.

    Weights that leave less cash than the sleeve's reserve are reduced alike: all its symbols
    give something, not just those that happen to be bought last.
    """
    wishes = {target.symbol: target.amount for target in decision.targets}
    if sleeve.target_mode is TargetMode.VALUE:
        return wishes
    total = sum(wishes.values(), _ZERO)
    room = 1 - sleeve.hints.cash_reserve_ratio
    share = sleeve.weight * room / total if total > room else sleeve.weight
    if share == 1:
        return wishes
    # Down, so that the sleeves' sum never exceeds the whole through rounding.
    return {
        symbol: (amount * share).quantize(_WEIGHT_STEP, ROUND_FLOOR)
        for symbol, amount in wishes.items()
    }


def _combine_hints(sleeves: Sequence[Sleeve]) -> ExecutionHints:
    if not sleeves:
        return ExecutionHints()
    return ExecutionHints(
        rebalance_threshold_ratio=min(
            sleeve.weight * sleeve.hints.rebalance_threshold_ratio for sleeve in sleeves
        ),
        cash_reserve_ratio=sum(
            (sleeve.weight * sleeve.hints.cash_reserve_ratio for sleeve in sleeves), _ZERO
        ),
        min_trade_usd=min(sleeve.hints.min_trade_usd for sleeve in sleeves),
        # Nothing here tells whose shares a sale would be, so one that never sells keeps all.
        buy_only=any(sleeve.hints.buy_only for sleeve in sleeves),
        band_trades_to=_common_goal(sleeves),
    )


def _common_goal(sleeves: Iterable[Sleeve]) -> BandGoal:
    goals = {sleeve.hints.band_trades_to for sleeve in sleeves}
    return BandGoal.EDGE if goals == {BandGoal.EDGE} else BandGoal.TARGET
