"""Pipelines that publish the feature snapshots which snapshot-backed strategies read.

What needs NumPy is loaded when it is first asked for: `qpk --help` shows the commands of this
package, and does not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant_platform_kit.lazy import lazy

if TYPE_CHECKING:
    from us_equity_snapshot_pipelines._build import BuiltSnapshot, Exclusion, build_snapshot
    from us_equity_snapshot_pipelines._dividends import Dividend
    from us_equity_snapshot_pipelines._prices import PriceHistory, fetch_prices, read_prices
    from us_equity_snapshot_pipelines._publish import (
        publish,
        publish_release,
        read_release,
        read_version,
        use_version,
        versions,
    )
    from us_equity_snapshot_pipelines._ranking import Choice, Place, choose
    from us_equity_snapshot_pipelines._release import Release, release
    from us_equity_snapshot_pipelines._universe import Membership, Universe, read_universe

__all__ = [
    "BuiltSnapshot",
    "Choice",
    "Dividend",
    "Exclusion",
    "Membership",
    "Place",
    "PriceHistory",
    "Release",
    "Universe",
    "__version__",
    "build_snapshot",
    "choose",
    "fetch_prices",
    "publish",
    "publish_release",
    "read_prices",
    "read_release",
    "read_universe",
    "read_version",
    "release",
    "use_version",
    "versions",
]

__version__ = "0.1.0"

_HOMES = {
    "_build": ("BuiltSnapshot", "Exclusion", "build_snapshot"),
    "_dividends": ("Dividend",),
    "_prices": ("PriceHistory", "fetch_prices", "read_prices"),
    "_publish": (
        "publish",
        "publish_release",
        "read_release",
        "read_version",
        "use_version",
        "versions",
    ),
    "_ranking": ("Choice", "Place", "choose"),
    "_release": ("Release", "release"),
    "_universe": ("Membership", "Universe", "read_universe"),
}

if not TYPE_CHECKING:  # a type checker reads the imports above, and so still finds misspelt names
    __getattr__ = lazy(__name__, {name: home for home, names in _HOMES.items() for name in names})
