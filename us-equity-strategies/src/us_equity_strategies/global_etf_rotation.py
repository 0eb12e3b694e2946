"""Global ETF rotation: the strongest ETFs of a pool each quarter, guarded by canaries every day.

- Momentum of an ETF is the weighted 1, 3, 6 and 12 month return (13612W) of Keller and Keuning,
  "Breadth Momentum and Vigilant Asset Allocation" (2017); so is the idea of canaries, assets whose
  momentum turns before the others' does.
- On every session: when at least `canary_bad_threshold` canaries have negative momentum,
  everything goes to the safe haven (risk flag ``emergency``).
- Otherwise, on the last session of a rebalance month: the `top_n` ETFs by momentum among those
  above their `sma_period` average, equally weighted; an ETF that is held ranks `hold_bonus`
  higher. Slots that stay empty go to the safe haven. On other sessions: HOLD.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    HistoryInput,
    ProfileStatus,
    Role,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame, indicators
from quant_platform_kit.strategy import StrategyConfig, StrategyContext, Symbol, Symbols
from us_equity_strategies._inputs import read_history
from us_equity_strategies._weights import with_safe_haven

__all__ = ["Config", "decide", "manifest"]

# Thirteen month ends and the 253 closes that momentum needs span at most 276 sessions.
_MOMENTUM_SESSIONS: Final = 300
_MONTHS_PER_YEAR: Final = 12

_POOL: Final = (
    *("EWY", "EWT", "INDA", "FXI", "EWJ", "VGK"),  # countries and regions
    *("VOO", "XLK", "SMH"),  # United States, technology
    *("GLD", "SLV", "USO", "DBA"),  # metals, oil, crops
    *("XLE", "XLF", "ITA", "XLP", "XLU", "XLV", "IHI", "VNQ", "KRE"),  # sectors
)
_CANARY: Final = ("SPY", "EFA", "EEM", "AGG")

Month = Annotated[int, Field(ge=1, le=12)]
"""A calendar month, January being 1."""


class Config(StrategyConfig):
    """Configuration of the rotation.

    Parameters
    ----------
    pool : Symbols
        What it may hold; the order decides between equal scores.
    canary : Symbols
        What warns it.
    safe_haven : Symbol or None
        Holds what is not invested; None keeps cash.
    top_n : int
        Number of slots, each worth ``1 / top_n``.
    hold_bonus : float
        Added to the momentum of an ETF that is held.
    canary_bad_threshold : int
        So many canaries with negative momentum are an emergency.
    rebalance_months : tuple of int
        Months at whose last session the pool is ranked.
    sma_period : int
        Sessions of the average that an ETF must be above.
    benchmark : Symbol
    """

    pool: Symbols = Field(default=_POOL, min_length=1)
    canary: Symbols = Field(default=_CANARY, min_length=1)
    safe_haven: Symbol | None = "BIL"
    top_n: int = Field(default=2, ge=1)
    hold_bonus: float = Field(default=0.02, ge=0)
    canary_bad_threshold: int = Field(default=4, ge=1)
    rebalance_months: tuple[Month, ...] = Field(default=(3, 6, 9, 12), min_length=1)
    sma_period: int = Field(default=200, ge=1)
    benchmark: Symbol = "VOO"

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        if self.top_n > len(self.pool):
            raise ValueError(f"top_n = {self.top_n} is more than the {len(self.pool)} of pool")
        if self.canary_bad_threshold > len(self.canary):
            raise ValueError(
                f"canary_bad_threshold = {self.canary_bad_threshold} can never be reached by the "
                f"{len(self.canary)} of canary"
            )
        return self


def manifest(config: Config) -> StrategyManifest:
    """Return what the rotation declares under `config`."""
    months = set(config.rebalance_months)
    haven = () if config.safe_haven is None else (config.safe_haven,)
    haven_en = config.safe_haven or "cash"
    haven_zh = f" {config.safe_haven}" if config.safe_haven else "现金"
    return StrategyManifest(
        profile="global_etf_rotation",
        aliases=("global_macro_etf_rotation",),
        display_name={"en": "Global ETF Rotation", "zh": "全球 ETF 轮动"},
        description={
            "en": (
                f"Holds the {config.top_n} ETFs with the strongest momentum out of "
                f"{len(config.pool)}, if they are in an uptrend, and moves everything to "
                f"{haven_en} once {config.canary_bad_threshold} canary assets turn negative."
            ),
            "zh": (
                f"从 {len(config.pool)} 只 ETF 中持有处于上升趋势且动量最强的 {config.top_n} 只；"
                f"当 {config.canary_bad_threshold} 个预警资产的动量转负时，全部转入{haven_zh}。"
            ),
        },
        cadence=Cadence.MONTHLY if len(months) == _MONTHS_PER_YEAR else Cadence.QUARTERLY,
        benchmark=config.benchmark,
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RUNTIME_ENABLED,
        managed=tuple(dict.fromkeys((*config.pool, *haven))),
        safe_haven=config.safe_haven,
        history=HistoryInput(
            symbols=tuple(dict.fromkeys((*config.pool, *config.canary))),
            sessions=max(_MOMENTUM_SESSIONS, config.sma_period),
        ),
        role=Role.GROWTH,
        icon="🌍",
    )


def decide(context: StrategyContext) -> Decision:
    """Return the emergency, the quarter's choice, or HOLD.

    BLOCKED with ``HISTORY_MISSING``, ``HISTORY_STALE`` or ``INDICATOR_UNDEFINED`` when a canary
    cannot be read; on a rebalance session also when an ETF of the pool is missing or stale, or
    when the momentum of one that is held is undefined.
    """
    config: Config = context.config
    canaries = read_history(context, config.canary)
    if isinstance(canaries, Decision):
        return canaries
    momenta: dict[str, float] = {}
    for symbol, frame in canaries.items():
        momentum = indicators.momentum_13612w(frame.days, frame.close)
        if momentum is None:
            return _undefined(frame, "canary")
        momenta[symbol] = momentum
    bad = sum(momentum < 0 for momentum in momenta.values())
    notes = {"canary": _listed(momenta), "canary_bad": f"{bad} of {len(momenta)}"}
    if bad >= config.canary_bad_threshold:
        return Decision.weights(
            with_safe_haven({}, config.safe_haven), risk_flags=("emergency",), diagnostics=notes
        )
    if not _is_rebalance_session(context, config):
        return Decision.hold("not_a_rebalance_session", diagnostics=notes)
    return _rotation(context, config, notes)


def _is_rebalance_session(context: StrategyContext, config: Config) -> bool:
    session = context.session
    return session.month in config.rebalance_months and context.calendar.is_last_session_of_month(
        session
    )


def _rotation(context: StrategyContext, config: Config, notes: dict[str, str]) -> Decision:
    pool = read_history(context, config.pool)
    if isinstance(pool, Decision):
        return pool
    scores: dict[str, float] = {}
    for symbol, frame in pool.items():
        held = context.sleeve.holds(symbol)
        momentum = indicators.momentum_13612w(frame.days, frame.close)
        if momentum is None:
            if held:  # not ranking it would sell it for want of data
                return _undefined(frame, "holding")
            continue
        if frame.close[-1] > indicators.sma(frame.close, config.sma_period):
            scores[symbol] = momentum + (config.hold_bonus if held else 0.0)
    # Stable: equal scores keep the order of the pool.
    chosen = sorted(scores, key=lambda symbol: -scores[symbol])[: config.top_n]
    slot = Decimal(1) / config.top_n
    return Decision.weights(
        with_safe_haven(dict.fromkeys(chosen, slot), config.safe_haven),
        diagnostics={
            **notes,
            "chosen": _listed({symbol: scores[symbol] for symbol in chosen}),
            "uptrend": f"{len(scores)} of {len(pool)}",
        },
    )


def _undefined(frame: BarFrame, role: str) -> Decision:
    return Decision.blocked(
        ReasonCode.INDICATOR_UNDEFINED,
        f"the momentum of {role} {frame.symbol} is undefined on {len(frame)} closes: it needs 253 "
        "and thirteen month ends in a row",
    )


def _listed(figures: dict[str, float]) -> str:
    return ", ".join(f"{symbol} {figure:+.4f}" for symbol, figure in figures.items()) or "none"
