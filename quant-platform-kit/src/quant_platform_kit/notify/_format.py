"""Numbers as people read them, and texts cut to what a channel carries."""

from __future__ import annotations

from decimal import Decimal

from quant_platform_kit.errors import ContractError

_BLANK = "–"
_TENTH_OF_A_PERCENT = Decimal("0.1")
_PRICE_STEP = Decimal("0.0001")
_CENT_DECIMALS = 2


def money(value_usd: Decimal) -> str:
    """Return dollars and cents with thousands separators: ``50,123.45``."""
    return f"{value_usd:,.2f}"


def price(value_usd: Decimal | None) -> str:
    """Return a price with two to four decimals: ``83.12``, ``0.4875``."""
    if value_usd is None:
        return _BLANK
    whole, _, decimals = f"{value_usd.quantize(_PRICE_STEP):,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(_CENT_DECIMALS, '0')}"


def shares(quantity: Decimal) -> str:
    """Return a quantity with thousands separators and no idle zeros: ``1,200``, ``0.5``."""
    return f"{quantity.normalize():,f}"


def percent(ratio: Decimal | None) -> str:
    """Return a ratio as a percentage with one decimal: ``33.3%``; a dash where there is none."""
    if ratio is None:
        return _BLANK
    return f"{(ratio * 100).quantize(_TENTH_OF_A_PERCENT):,f}%"


def split(body: str, limit: int) -> tuple[str, ...]:
    """Cut `body` into pieces of at most `limit` characters, at line ends where there are any.

    A line that is longer than the limit is cut where it must be. No text is lost; blank lines at
    a cut are, since channels refuse blank messages.

    Raises
    ------
    ContractError
        When `limit` is not above zero.
    """
    if limit < 1:
        raise ContractError(f"limit = {limit!r}: expected at least one character")
    pieces: list[str] = []
    piece: str | None = None
    for line in body.split("\n"):
        joined = line if piece is None else f"{piece}\n{line}"
        if len(joined) <= limit:
            piece = joined
            continue
        if piece is not None:
            pieces.append(piece)
        cuts = [line[start : start + limit] for start in range(0, len(line), limit)]
        pieces.extend(cuts[:-1])
        piece = cuts[-1] if cuts else ""
    if piece is not None:
        pieces.append(piece)
    return tuple(piece.strip("\n") for piece in pieces if piece.strip())
