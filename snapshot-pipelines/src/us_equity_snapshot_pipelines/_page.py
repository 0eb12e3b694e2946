"""The page of a version: how each feature is distributed, and what changed since the one before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from quant_platform_kit.contracts import FeatureRow, SnapshotManifest

if TYPE_CHECKING:
    from quant_platform_kit.inputs import Publication
    from us_equity_snapshot_pipelines._ranking import Choice

_BARS: Final = 24
_BIGGEST: Final = 10
_NEWEST: Final = 100


def render(
    manifest: SnapshotManifest,
    rows: Sequence[FeatureRow],
    summary: Mapping[str, object],
    choice: Choice | None,
    before: Publication | None,
) -> bytes:
    """Return the page: one file that loads nothing from anywhere."""
    names = [name for name in manifest.columns if rows and name in rows[0].features]
    text = _template().render(
        manifest=manifest,
        summary=summary,
        choice=choice,
        newest=_NEWEST,
        features=[
            (name, _histogram([row.features[name] for row in rows]))
            for name in names
            if name != "eligible"
        ],
        changes=None if before is None else _changes(names, rows, before),
    )
    return text.encode()


@cache
def _template() -> Template:
    return Environment(
        loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined
    ).get_template("version.html.j2")


def _histogram(values: Sequence[float]) -> Mapping[str, object]:
    """Return bar heights from 0 to 1, and the figures below them."""
    known = sorted(value for value in values if math.isfinite(value))
    if not known:
        return {"count": 0, "missing": len(values), "bars": []}
    low, high = known[0], known[-1]
    counts = [0] * _BARS
    for value in known:
        share = (value - low) / (high - low) if high > low else 0.5
        counts[min(_BARS - 1, int(share * _BARS))] += 1
    return {
        "count": len(known),
        "missing": len(values) - len(known),
        "bars": [count / max(counts) for count in counts],
        "low": f"{low:.4g}",
        "median": f"{known[len(known) // 2]:.4g}",
        "high": f"{high:.4g}",
    }


def _changes(
    names: Sequence[str], rows: Sequence[FeatureRow], before: Publication
) -> Mapping[str, object]:
    now = {row.symbol: row for row in rows}
    then = {row.symbol: row for row in before.rows}
    spreads = {name: _spread(rows, name) for name in names}
    moves = []
    for symbol in sorted(now.keys() & then.keys()):
        for name in names:
            old, new = then[symbol].features.get(name, math.nan), now[symbol].features[name]
            if math.isfinite(old) and math.isfinite(new) and old != new:
                moves.append((abs(new - old) / spreads[name], symbol, name, old, new))
    moves.sort(key=lambda move: (-move[0], move[1], move[2]))
    return {
        "version": before.manifest.version,
        "added": sorted(now.keys() - then.keys()),
        "gone": sorted(then.keys() - now.keys()),
        "moves": [
            {"symbol": symbol, "feature": name, "old": f"{old:.4g}", "new": f"{new:.4g}"}
            for _, symbol, name, old, new in moves[:_BIGGEST]
        ],
    }


def _spread(rows: Sequence[FeatureRow], name: str) -> float:
    """Return the range of a feature, so that moves of different features compare."""
    known = [v for row in rows if math.isfinite(v := row.features[name])]
    return (max(known) - min(known) if known else 0.0) or 1.0
