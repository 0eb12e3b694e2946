"""One picture of a track: the sleeve beside its benchmark, and below it what it held.

An SVG of its own: no script, no font, nothing from elsewhere. Same track, same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

from demo import _charts as charts
from tools.profiles._market import PREFIX
from tools.profiles._replay import OPENING_USD, Track, symbols_of

_WIDTH, _HEIGHT = 860, 470
_LEFT, _PLOT = 52, 660
_TOP, _UPPER, _GAP, _LOWER = 56, 210, 34, 110
_EVERY: Final = 5  # sessions between two points of a line
# Okabe and Ito's palette: told apart by the colour-blind as well.
_COLORS: Final = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#b8a800")
_HAVEN_COLOR, _OTHERS_COLOR = "#c4cbd3", "#8a8f98"
_NOTICE: Final = (
    "Shows what the rule does, not what it earns: no price here was ever quoted. "
    "Opening capital = 100."
)
_STYLE: Final = """\
text{font:12px system-ui,sans-serif;fill:#57606a}
.title{font-size:15px;font-weight:600;fill:#1f2328}
.grid{stroke:#d8dee4;stroke-width:1}
.sleeve{fill:none;stroke:#0072b2;stroke-width:2;vector-effect:non-scaling-stroke}
.benchmark{fill:none;stroke:#8a8f98;stroke-width:1.5;vector-effect:non-scaling-stroke}
.paper{fill:#ffffff}
@media (prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#f0f6fc}.grid{stroke:#30363d}
.paper{fill:#0d1117}.sleeve{stroke:#58a6ff}}
"""


@dataclass(frozen=True, slots=True)
class _Panel:
    """A plot of the height `height` whose top is at `top`."""

    top: int
    height: int

    def draw(self, *shapes: str) -> str:
        """Return shapes of the charts' canvas, stretched over the panel."""
        box = f'x="{_LEFT}" y="{self.top}" width="{_PLOT}" height="{self.height}"'
        view = f'viewBox="0 0 {charts.WIDTH:g} {charts.HEIGHT:g}" preserveAspectRatio="none"'
        return f"<svg {box} {view}>{''.join(shapes)}</svg>"

    def y(self, percent: float) -> float:
        return round(self.top + self.height * percent / 100, 1)


@dataclass(frozen=True, slots=True)
class _Layer:
    """One band of the holdings: its key, its colour and its share at each month's end."""

    label: str
    color: str
    weights: list[float]


def chart(track: Track, title: str, benchmark: str, safe_haven: str | None) -> str:
    """Return the picture as the text of an SVG file.

    Parameters
    ----------
    track : Track
    title : str
        Name of the profile.
    benchmark, safe_haven : str
        Symbols of their stand-ins.
    """
    upper = _Panel(_TOP, _UPPER)
    lower = _Panel(_TOP + _UPPER + _GAP, _LOWER)
    parts = [
        f'<rect class="paper" width="{_WIDTH}" height="{_HEIGHT}"/>',
        f'<text class="title" x="{_LEFT}" y="22">{escape(title)} on made-up prices</text>',
        f'<text x="{_LEFT}" y="41">{_NOTICE}</text>',
        *_growth(upper, track, benchmark),
        *_holdings(lower, track, safe_haven),
        *_years(lower, track),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" role="img">'
        f"<title>{escape(title)} on made-up prices</title><style>{_STYLE}</style>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _growth(panel: _Panel, track: Track, benchmark: str) -> list[str]:
    picked = _thinned(len(track.sessions))
    xs = charts.abscissae([track.sessions[index] for index in picked])
    lines = {
        name: [100 * values[index] / float(OPENING_USD) for index in picked]
        for name, values in (("benchmark", track.benchmark_usd), ("sleeve", track.equity_usd))
    }
    scale, ticks = charts.nice_scale([v for line in lines.values() for v in line], count=4)
    shapes = [
        f'<path class="{name}" d="{charts.line_path(xs, line, scale)}"/>'
        for name, line in lines.items()
    ]
    keys = [("sleeve", "#0072b2", "sleeve"), ("benchmark", "#8a8f98", benchmark)]
    return [
        *(_rule(panel.y(scale.percent(tick)), f"{tick:g}") for tick in ticks),
        panel.draw(*shapes),
        *(_key(panel.top + 6 + 19 * i, color, text) for i, (_, color, text) in enumerate(keys)),
    ]


def _holdings(panel: _Panel, track: Track, safe_haven: str | None) -> list[str]:
    layers = _layers(track, safe_haven)
    # What was held at a month's end is drawn until the next one.
    xs = charts.abscissae([track.sessions[index] for index in track.month_ends])
    steps = [x for before, after in pairwise(xs) for x in (before, after)]
    bands = charts.stacked_bands(
        steps,
        [[w for weight in layer.weights[:-1] for w in (weight, weight)] for layer in layers],
        charts.Scale(0.0, 1.0),
    )
    shapes = [
        f'<path fill="{layer.color}" fill-opacity=".85" d="{path}"/>'
        for layer, path in zip(layers, bands, strict=True)
    ]
    return [
        *(_rule(panel.y(100 - share), f"{share} %") for share in (0, 50, 100)),
        panel.draw(*shapes),
        *(
            _key(panel.top + 6 + 17 * place, layer.color, layer.label)
            for place, layer in enumerate(layers)
        ),
        f'<text x="{_LEFT}" y="{panel.top - 8}">Held at each month\'s end; the rest is cash</text>',
    ]


def _layers(track: Track, safe_haven: str | None) -> list[_Layer]:
    """Return the safe haven, then the largest holdings, then all others together."""
    symbols = symbols_of(track.weights)
    risky = [symbol for symbol in symbols if symbol != safe_haven]
    named = dict(zip(risky, _COLORS, strict=False))
    if safe_haven in symbols:
        named = {safe_haven: _HAVEN_COLOR, **named}
    layers = [
        _Layer(symbol.removeprefix(PREFIX), color, [w.get(symbol, 0.0) for w in track.weights])
        for symbol, color in named.items()
    ]
    others = [symbol for symbol in symbols if symbol not in named]
    if others:
        together = [sum(w.get(symbol, 0.0) for symbol in others) for w in track.weights]
        layers.append(_Layer(f"{len(others)} others", _OTHERS_COLOR, together))
    return layers


def _years(panel: _Panel, track: Track) -> list[str]:
    """Label years by their number: the sessions are real ones, the prices of no real year."""
    days = track.sessions
    span = (days[-1] - days[0]).days
    firsts = [day for before, day in pairwise(days) if before.year != day.year]
    bottom = panel.top + panel.height
    marks = [(days[0], 1), *((day, day.year - days[0].year + 1) for day in firsts)]
    return [
        f'<text x="{_LEFT + _PLOT * (day - days[0]).days / span:.1f}" y="{bottom + 18}">'
        f"year {number}</text>"
        for day, number in marks
    ]


def _thinned(count: int) -> list[int]:
    picked = list(range(0, count, _EVERY))
    return picked if picked[-1] == count - 1 else [*picked, count - 1]


def _rule(y: float, label: str) -> str:
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _PLOT}" y1="{y}" y2="{y}"/>'
        f'<text x="{_LEFT - 7}" y="{y + 4}" text-anchor="end">{escape(label)}</text>'
    )


def _key(y: float, color: str, text: str) -> str:
    x = _LEFT + _PLOT + 16
    return (
        f'<rect x="{x}" y="{y - 5}" width="12" height="10" fill="{color}"/>'
        f'<text x="{x + 18}" y="{y + 4}">{escape(text)}</text>'
    )
