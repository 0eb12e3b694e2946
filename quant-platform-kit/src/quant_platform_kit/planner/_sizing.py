"""The one place that sizes orders: what a symbol asks for, before cash has its say."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.planner._line import Line

_ZERO = Decimal(0)
_CENT = Decimal("0.01")  # a fee is rounded up by less


@dataclass(frozen=True, slots=True)
class Terms:
    """What every symbol of one plan is sized with; money in USD.

    Parameters
    ----------
    unit_usd : Decimal
        What a target amount of one is worth: the capital base for weights, a dollar for values.
    lot_shares : Decimal
    band_usd : Decimal
        A holding this close to its target is left alone.
    to_edge : bool
        Whether a holding outside its band is brought to the band's edge only.
    least_trade_usd : Decimal
        The smallest trade of the strategy or the broker, whichever is larger.
    least_exit_usd : Decimal
        The smallest trade of the broker, which alone can keep an unwanted holding.
    reserve_usd : Decimal
        Cash that no purchase may use.
    buy_only : bool
        Whether a holding above its target is kept.
    nearest : bool
        Whether lots are rounded to the nearer one; otherwise down.
    """

    unit_usd: Decimal
    lot_shares: Decimal
    band_usd: Decimal
    to_edge: bool
    least_trade_usd: Decimal
    least_exit_usd: Decimal
    reserve_usd: Decimal
    buy_only: bool
    nearest: bool


class Wish(NamedTuple):
    """What a symbol asks for.

    Parameters
    ----------
    shares : Decimal
        To buy; negative to sell. Rounded down, so that it ends at the target or below.
    rest_usd : Decimal or None
        What then lacks to the target, where a lot more may be held for it: about half a lot or
        more.
    code : ReasonCode
        Why it asks for no more.
    short_shares : Decimal
        What it asked for and cash did not pay.
    detail : str
        The figures behind a short payment.
    """

    shares: Decimal
    rest_usd: Decimal | None
    code: ReasonCode
    short_shares: Decimal = _ZERO
    detail: str = ""


# Made once: most symbols ask for nothing, and a member of an enum costs two multiplications.
_AT_TARGET = Wish(_ZERO, None, ReasonCode.AT_TARGET)
_BELOW_LOT = Wish(_ZERO, None, ReasonCode.BELOW_LOT)
_BELOW_MINIMUM = Wish(_ZERO, None, ReasonCode.BELOW_MINIMUM)
_BUY_ONLY = Wish(_ZERO, None, ReasonCode.BUY_ONLY)
_ORDER_WORKING = Wish(_ZERO, None, ReasonCode.ORDER_WORKING)
_WITHIN_BAND = Wish(_ZERO, None, ReasonCode.WITHIN_BAND)


def size(line: Line, held: Decimal, terms: Terms) -> Wish:
    """Return what the symbol asks for when it holds `held` shares.

    Every order is a whole number of lots. An unwanted holding is sold but for a fraction of a lot,
    and no band keeps it. Whether a lot is held for the rest of the target is
    decided later, for all symbols together; a lot that is held already stays where that is
    closer to the target, or not further by more than its fee; see `spare_lot`.
    """
    if not line.amount:
        return _exit(line, held, terms)
    gap, lot = line.gap_usd(held, terms.unit_usd), line.lot_usd
    if held:
        if terms.nearest and abs(gap + gap) <= lot:
            return _AT_TARGET
        if abs(gap) <= terms.band_usd:
            return _WITHIN_BAND if gap else _AT_TARGET
        if terms.to_edge:
            lots = _lots_to_edge(line, gap, terms)
            if lots:
                return _order(line, lots, None, terms)
    # Towards zero, as Decimal divides; the rest then has the sign of the gap.
    lots, rest = divmod(gap, lot)
    if gap < _ZERO:
        return _reduction(line, held, lots, rest, terms)
    missing = rest if terms.nearest and rest + rest > lot else None
    if lots:
        return _order(line, lots, missing, terms)
    if lot < terms.least_trade_usd or line.working_shares < _ZERO:
        missing = None
    return _BELOW_LOT if missing is None else Wish(_ZERO, missing, _BELOW_LOT.code)


def spare_lot(line: Line, held: Decimal, terms: Terms) -> Wish | None:
    """Return the sale of the last lot of a holding that lies above its target by less than one.

    Such a lot stays as long as cash does not run short. When it does, the lot is one of those
    that compete for it, whether held or not; None where there is none, or it must stay.
    """
    if not (line.amount and terms.nearest and held >= terms.lot_shares) or terms.buy_only:
        return None
    excess = -line.gap_usd(held, terms.unit_usd)
    if not _ZERO < excess < line.lot_usd or excess <= terms.band_usd:
        return None
    if line.lot_usd < terms.least_trade_usd or line.working_shares > _ZERO:
        return None
    return Wish(-terms.lot_shares, line.lot_usd - excess, _AT_TARGET.code)


def explain(line: Line, held: Decimal, terms: Terms, code: ReasonCode) -> str:
    """Return the figures behind `code`, for the symbol that is left with `held` shares."""
    gap_usd = abs(line.gap_usd(held, terms.unit_usd))
    if code is ReasonCode.WITHIN_BAND:
        return f"a difference of {gap_usd:.2f} USD, a band of {terms.band_usd:.2f} USD"
    if code is ReasonCode.BELOW_MINIMUM:
        least_usd = terms.least_trade_usd if line.amount else terms.least_exit_usd
        return f"a difference of {gap_usd:.2f} USD, at least {least_usd:.2f} USD"
    exact = line.amount * terms.unit_usd / line.price_usd
    facts = [f"holds {held - line.working_shares:f}", f"exact target {exact:.4f}"]
    if line.working_shares:
        facts.insert(1, f"{line.working_shares:+f} on order")
    if code is ReasonCode.BELOW_LOT:
        facts.append(f"lots of {terms.lot_shares:f}")
    return ", ".join(facts)


def _exit(line: Line, held: Decimal, terms: Terms) -> Wish:
    if not held:
        return _AT_TARGET
    if terms.buy_only:
        return _BUY_ONLY
    # A broker of whole lots refuses the order with a fraction in it, and nothing would be sold.
    sold = held // terms.lot_shares * terms.lot_shares
    if not sold:
        return _BELOW_LOT
    if sold * line.price_usd < terms.least_exit_usd:
        return _BELOW_MINIMUM
    if line.working_shares > _ZERO:
        return _ORDER_WORKING
    return Wish(-sold, None, _AT_TARGET.code if sold == held else _BELOW_LOT.code)


def _reduction(line: Line, held: Decimal, lots: Decimal, rest: Decimal, terms: Terms) -> Wish:
    """Size a sale that leaves a wanted holding; `lots` and `rest` are zero or below."""
    if terms.buy_only:
        return _BUY_ONLY
    if terms.nearest and not lots and not _worth_selling(line, -rest, terms):
        return _BELOW_LOT
    sold = -lots
    missing = None
    if rest:  # one lot more than the excess, and what then lacks
        sold += 1
        missing = line.lot_usd + rest
    most = held // terms.lot_shares
    if sold > most:  # a fraction of a lot stays
        return _order(line, -most, None, terms) if most else _BELOW_LOT
    saved = terms.lot_shares * line.fee_rate + _CENT  # at most, when a lot less is sold
    may_keep = terms.nearest and sold > 1 and (sold - 1) * line.lot_usd >= terms.least_trade_usd
    if missing is None or not may_keep or missing + missing + saved <= line.lot_usd:
        return _order(line, -sold, None, terms)
    return _order(line, -sold, missing, terms)


def _worth_selling(line: Line, excess_usd: Decimal, terms: Terms) -> bool:
    """Tell whether selling a lot for less than one brings the holding closer by more than fees."""
    closer_by = excess_usd - (line.lot_usd - excess_usd)
    return closer_by > line.fee_usd(terms.lot_shares)


def _lots_to_edge(line: Line, gap: Decimal, terms: Terms) -> Decimal:
    """Return the fewest lots that bring the holding into its band short of the target.

    Zero where none do, because the band is narrower than a lot: then the target decides.
    """
    lots, rest = divmod(abs(gap) - terms.band_usd, line.lot_usd)
    if rest:
        lots += 1
    if lots * line.lot_usd > abs(gap):
        return _ZERO
    return lots if gap > _ZERO else -lots


def _order(line: Line, lots: Decimal, rest: Decimal | None, terms: Terms) -> Wish:
    """Ask for `lots`, unless that is not allowed, too small, or meets an order of ours."""
    if line.working_shares and lots * line.working_shares < _ZERO:
        return _ORDER_WORKING
    if lots < _ZERO and terms.buy_only:
        return _BUY_ONLY
    if terms.least_trade_usd and abs(lots) * line.lot_usd < terms.least_trade_usd:
        return _BELOW_MINIMUM
    return Wish(lots * terms.lot_shares, rest, _AT_TARGET.code)
