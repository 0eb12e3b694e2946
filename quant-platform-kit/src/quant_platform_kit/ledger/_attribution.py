"""Who gets which part of a fill: pure arithmetic that loses neither a share nor a cent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Final

_ZERO = Decimal(0)
CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one order is for.

    Parameters
    ----------
    shares : mapping of str to Fraction
        Holding that each sleeve wishes for; a sleeve that is absent wishes for none.
    open_shares : Decimal
        What the order had left to fill before this fill.
    """

    shares: Mapping[str, Fraction]
    open_shares: Decimal


def attribute(
    change: Decimal, held: Mapping[str, Decimal], wish: Wish | None, nobody: str
) -> dict[str, Decimal]:
    """Divide one fill between the sleeves.

    Each sleeve moves towards its wish by the part of the order that this fill is. Where one wants
    more of the symbol and another one less, the difference passes between them inside the account,
    at the fill's price: that is what their common order has netted. Rounding goes to the largest
    remainders; when the order is complete, so is everyone's move, within a lot.

    Parameters
    ----------
    change : Decimal
        Shares bought, or sold when negative; a sale is at most what is held.
    held : mapping of str to Decimal
        Shares of each sleeve before the fill.
    wish : Wish, optional
        Without one a sale takes from every holder, and a purchase gives, in proportion.
    nobody : str
        The sleeve of what is bought when nobody holds or wants it.

    Returns
    -------
    dict of str to Decimal
        Change of each sleeve's holding, without zeros; adds up to `change`, and leaves no holding
        below zero.
    """
    lot = _lot(change, *held.values())
    wanted, spare = _needs(held, wish)
    lacking, sparing = _sum(wanted), _sum(spare)
    done = _part_done(abs(change), wish)
    if change > _ZERO:
        crossed = _down(done * sparing, lot) if wanted else _ZERO
        taken, given = change + crossed, crossed
    else:
        # What buyers inside the account take, as far as the sellers have it to spare.
        crossed = max(_down(min(done * lacking, sparing + Fraction(change)), lot), _ZERO)
        taken, given = crossed, crossed - change
    if given > sparing:
        spare = {sleeve: Fraction(shares) for sleeve, shares in held.items()}
    if not wanted:
        wanted = _receivers(held, wish, nobody)
    moves = apportion(taken, wanted, lot)
    for sleeve, shares in apportion(given, spare, lot).items():
        moves[sleeve] = moves.get(sleeve, _ZERO) - shares
    return {sleeve: move for sleeve, move in sorted(moves.items()) if move}


def _needs(
    held: Mapping[str, Decimal], wish: Wish | None
) -> tuple[dict[str, Fraction], dict[str, Fraction]]:
    """Return what each sleeve lacks, and what each has beyond its wish."""
    wishes = {} if wish is None else wish.shares
    lack = {
        sleeve: wishes.get(sleeve, Fraction(0)) - Fraction(held.get(sleeve, _ZERO))
        for sleeve in wishes.keys() | held.keys()
    }
    return (
        {sleeve: need for sleeve, need in lack.items() if need > 0},
        {sleeve: -need for sleeve, need in lack.items() if need < 0} if wish else {},
    )


def _part_done(shares: Decimal, wish: Wish | None) -> Fraction:
    if wish is None or wish.open_shares <= shares:
        return Fraction(1)
    return Fraction(shares) / Fraction(wish.open_shares)


def _receivers(held: Mapping[str, Decimal], wish: Wish | None, nobody: str) -> dict[str, Fraction]:
    """Return who shares in a purchase beyond every wish."""
    wishes = {} if wish is None else {s: n for s, n in wish.shares.items() if n}
    return wishes or {s: Fraction(n) for s, n in held.items() if n} or {nobody: Fraction(1)}


def apportion(
    total: Decimal, weights: Mapping[str, Fraction | Decimal], step: Decimal
) -> dict[str, Decimal]:
    """Divide `total` in proportion to `weights`, in whole steps that add up to it.

    Hamilton's method: everyone gets the exact part rounded down to a step; the steps left over
    go one by one to the largest remainders, and among equals to the first name. What is smaller
    than a step goes with the first of them. Exact: no digit is rounded on the way.

    Parameters
    ----------
    total : Decimal
        Zero or more.
    weights : mapping of str to Fraction or Decimal
        Zero or more each, above zero in sum unless `total` is zero.
    step : Decimal
        Smallest part: a lot of shares, a cent.
    """
    if not total:
        return {}
    whole = _sum(weights)
    steps = Fraction(total) / Fraction(step)
    exact = {name: steps * Fraction(weight) / whole for name, weight in weights.items()}
    floors = {name: share.__floor__() for name, share in exact.items()}
    order = sorted(weights, key=lambda name: (floors[name] - exact[name], name))
    left = steps - sum(floors.values())
    for name in order[: left.__floor__()]:
        floors[name] += 1
    parts = {name: floor * step for name, floor in floors.items()}
    rest = total - sum(parts.values(), _ZERO)
    if rest:
        parts[order[min(left.__floor__(), len(order) - 1)]] += rest
    return parts


def round_to_sum(
    exact: Mapping[str, Decimal], total: Decimal, step: Decimal = CENT
) -> dict[str, Decimal]:
    """Round signed amounts to steps so that they add up to `total`, itself a whole step.

    Requires that the exact amounts add up to `total` within a step.
    """
    parts = {name: _down(Fraction(amount), step) for name, amount in exact.items()}
    order = sorted(exact, key=lambda name: (parts[name] - exact[name], name))
    missing = int((total - sum(parts.values(), _ZERO)) / step)
    for name in order[:missing]:
        parts[name] += step
    return parts


def cents(amount: Decimal) -> Decimal:
    """Return `amount` to the cent; halves to the even one."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def _sum(parts: Mapping[str, Fraction | Decimal]) -> Fraction:
    return sum((Fraction(part) for part in parts.values()), Fraction(0))


def _lot(*quantities: Decimal) -> Decimal:
    """Return the step in which shares are divided: whole ones while all of them are whole."""
    exponents = [_exponent(quantity) for quantity in quantities]
    return Decimal(1).scaleb(min(0, *exponents))


def _exponent(quantity: Decimal) -> int:
    exponent = quantity.normalize().as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _down(amount: Fraction, step: Decimal) -> Decimal:
    return (amount / Fraction(step)).__floor__() * step
