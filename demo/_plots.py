"""The three charts of an account: equity, drawdown and holdings, ready to draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from demo import _charts as charts
from demo import _format as fmt
from demo import _metrics as metrics
from demo._accounts import FUNDS, SECTORS
from demo._data import DemoMarket
from demo._history import AccountHistory, Book

CASH = "Cash"

_SECTOR_ORDER = tuple(dict.fromkeys(SECTORS.values()))


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a chart; `css` names its style, `area` is what it fills, if anything."""

    css: str
    path: str
    area: str = ""


@dataclass(frozen=True, slots=True)
class Band:
    """One symbol's share of the account over time; `color` and `shade` choose its paint."""

    symbol: str
    group: str
    color: int
    shade: int
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves or bands with their axes."""

    y_ticks: tuple[charts.Tick, ...]
    x_ticks: tuple[charts.Tick, ...]
    lines: tuple[Line, ...] = ()
    bands: tuple[Band, ...] = ()


def equity_chart(history: AccountHistory) -> Chart:
    """Draw the account and the same opening dollars in the index."""
    xs = charts.abscissae(history.days)
    scale, ticks = charts.nice_scale((*history.equity_usd, *history.index_usd))
    floor = [scale.low] * len(xs)
    return Chart(
        y_ticks=tuple(charts.Tick(fmt.usd_axis(t), scale.percent(t)) for t in ticks),
        x_ticks=charts.month_ticks(history.days[0], history.days[-1]),
        lines=(
            Line("index", charts.line_path(xs, history.index_usd, scale)),
            Line(
                "account",
                charts.line_path(xs, history.equity_usd, scale),
                charts.band_path(xs, floor, history.equity_usd, scale),
            ),
        ),
    )


def spark_chart(history: AccountHistory) -> tuple[Line, ...]:
    """Draw the same two curves without axes."""
    return tuple(Line(line.css, line.path) for line in equity_chart(history).lines)


def drawdown_chart(history: AccountHistory) -> Chart:
    """Draw how far the account and the index were below their highest value so far."""
    xs = charts.abscissae(history.days)
    account, index = metrics.drawdowns(history.equity_usd), metrics.drawdowns(history.index_usd)
    scale, ticks = charts.nice_scale((*account, *index), count=4, include=0.0)
    zero = [0.0] * len(xs)
    return Chart(
        y_ticks=tuple(charts.Tick(fmt.percent(t, 0), scale.percent(t)) for t in ticks),
        x_ticks=charts.month_ticks(history.days[0], history.days[-1]),
        lines=(
            Line("index", charts.line_path(xs, index, scale)),
            Line(
                "down",
                charts.line_path(xs, account, scale),
                charts.band_path(xs, account, zero, scale),
            ),
        ),
    )


def holdings_chart(history: AccountHistory, market: DemoMarket) -> Chart:
    """Draw each symbol's share of the account, stacked by sector, with cash on top."""
    scale = charts.Scale(0.0, 1.0)
    # Between two slots shares stand still and prices move: each book is drawn where it was
    # made and where the next one replaces it, so that a trade is a vertical step.
    ends = [*(book.session for book in history.books[1:]), history.days[-1]]
    moments = [
        (day, weights(book, market, day))
        for book, end in zip(history.books, ends, strict=True)
        for day in (book.session, end)
    ]
    place = dict(zip(history.days, charts.abscissae(history.days), strict=True))
    symbols = (*sorted({s for _, held in moments for s in held} - {CASH}, key=_rank), CASH)
    paths = charts.stacked_bands(
        [place[day] for day, _ in moments],
        [[held.get(symbol, 0.0) for _, held in moments] for symbol in symbols],
        scale,
    )
    quarters = (0.0, 0.25, 0.5, 0.75, 1.0)
    return Chart(
        y_ticks=tuple(charts.Tick(fmt.percent(t, 0), scale.percent(t)) for t in quarters),
        x_ticks=charts.month_ticks(history.days[0], history.days[-1]),
        bands=_painted(dict(zip(symbols, paths, strict=True))),
    )


def weights(book: Book, market: DemoMarket, day: date) -> dict[str, float]:
    """Return the share of each holding, and of cash, at the close of `day`."""
    values = {
        symbol: float(quantity) * market.frames[symbol].close_on(day)
        for symbol, quantity in book.quantities.items()
    }
    values[CASH] = float(book.cash_usd)
    total = sum(values.values())
    return {symbol: value / total for symbol, value in values.items()}


def _painted(paths: Mapping[str, str]) -> tuple[Band, ...]:
    """Give each group a colour, each symbol of it a shade; cash is colour 0."""
    groups = [CASH, *dict.fromkeys(_group(symbol) for symbol in paths if symbol != CASH)]
    shades = dict.fromkeys(groups, -1)
    bands = []
    for symbol, path in paths.items():
        group = _group(symbol)
        shades[group] += 1
        bands.append(Band(symbol, group, groups.index(group), shades[group], path))
    return tuple(bands)


def _group(symbol: str) -> str:
    return SECTORS.get(symbol) or FUNDS.get(symbol) or symbol


def _rank(symbol: str) -> tuple[int, str]:
    group = _group(symbol)
    order = _SECTOR_ORDER.index(group) if group in _SECTOR_ORDER else len(_SECTOR_ORDER)
    return (order, symbol)
