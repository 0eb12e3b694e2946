"""Numbers as people read them; a minus is a minus sign, and figures line up."""

from __future__ import annotations

from decimal import Decimal

Number = Decimal | float
_MINUS = "−"
_THOUSAND = 1_000
_MILLION = 1_000_000


def usd(amount: Number) -> str:
    """Return dollars and cents: ``$1,234.50``."""
    return _with_sign(f"${_size(amount):,.2f}", amount)


def usd_axis(amount: Number) -> str:
    """Return dollars of one axis alike: ``$500``, ``$8k``, ``$1,200k``."""
    size = _size(amount)
    text = f"${size / _THOUSAND:,g}k" if size >= _THOUSAND else f"${size:g}"
    return _with_sign(text, amount)


def usd_short(amount: Number) -> str:
    """Return dollars in few figures: ``$950``, ``$12.3k``, ``$1.5M``."""
    size = _size(amount)
    if size >= _MILLION:
        text = f"${float(size) / _MILLION:.2f}".rstrip("0").rstrip(".") + "M"
    elif size >= 10 * _THOUSAND:
        text = f"${float(size) / _THOUSAND:.1f}".removesuffix(".0") + "k"
    else:
        text = f"${size:,.0f}"
    return _with_sign(text, amount)


def percent(share: Number, places: int = 1) -> str:
    """Return a share in percent: ``12.3%`` for 0.123."""
    text = f"{_size(share) * 100:.{places}f}%"
    return _with_sign(text, share) if float(text[:-1]) else text


def signed_percent(share: Number, places: int = 1) -> str:
    """Return a share in percent with its sign: ``+12.3%``."""
    text = percent(share, places)
    return text if text.startswith(_MINUS) or not float(text[:-1]) else f"+{text}"


def points(share: Number) -> str:
    """Return a difference of two percentages, in points: ``−3.2 pts``."""
    return signed_percent(share).removesuffix("%") + " pts"


def quantity(shares: Decimal) -> str:
    """Return shares without idle zeros: ``1,204`` or ``12.5``."""
    text = f"{shares:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it must be: ``1 order``, ``2 orders``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _size(amount: Number) -> Number:
    return -amount if amount < 0 else amount


def _with_sign(text: str, amount: Number) -> str:
    return _MINUS + text if amount < 0 else text
