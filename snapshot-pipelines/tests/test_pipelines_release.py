"""What lies beside the table says the same as the table, to people."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from quant_platform_kit.contracts import FeatureRow
from quant_platform_kit.inputs import Publication, open_store
from quant_platform_kit.market import BarFrame, xnys
from quant_platform_kit.strategy import Strategy
from us_equity_snapshot_pipelines import (
    BuiltSnapshot,
    Choice,
    Release,
    build_snapshot,
    choose,
    publish_release,
    read_version,
    release,
)
from us_equity_snapshot_pipelines._page import render

AT = datetime(2020, 2, 28, 22, tzinfo=UTC)


def made(built: BuiltSnapshot, **more: Any) -> Release:  # noqa: ANN401 (any argument)
    return release(built, generated_at=AT, code_version="0.1.0", **more)


def summary_of(version: Release) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(version.files["summary.json"])
    return found


@pytest.fixture(scope="module")
def choice(strategy: Strategy, built: BuiltSnapshot) -> Choice:
    return choose(strategy, built, xnys())


def test_parquet_holds_the_rows_of_the_table(built: BuiltSnapshot) -> None:
    young = replace(built.rows[0], features={**built.rows[0].features, "mom_12_1": math.nan})
    version = made(replace(built, rows=(young, *built.rows[1:])))

    table = pq.read_table(io.BytesIO(version.files["snapshot.parquet"])).to_pylist()

    assert [tuple(row) for row in table] == [built.columns] * len(built.rows)
    assert table[0]["mom_12_1"] is None
    for row, kept in zip(table[1:], built.rows[1:], strict=True):
        keys = {"symbol": kept.symbol, "sector": kept.sector, "price_date": kept.price_date}
        assert row == {**keys, **kept.features}


def test_the_ranking_is_what_the_profile_would_choose(built: BuiltSnapshot, choice: Choice) -> None:
    version = made(built, choice=choice)

    lines = list(csv.DictReader(io.StringIO(version.files["ranking.csv"].decode())))

    assert [line["rank"] for line in lines] == [str(n) for n in range(1, len(lines) + 1)]
    scores = [float(line["score"]) for line in lines]
    assert scores == sorted(scores, reverse=True)
    assert any(line["weight"] == "0" for line in lines)  # ranked, and not chosen
    # The index had fallen below its average, so half of the capital stays in cash.
    assert sum(Decimal(line["weight"]) for line in lines) == Decimal("0.5")
    assert {line["symbol"] for line in lines} <= {row.symbol for row in built.rows}


def test_of_a_profile_that_tells_no_scores_what_it_chose_is_listed(
    strategy: Strategy, built: BuiltSnapshot, choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys.modules[strategy.module_name], "scores")

    places = choose(strategy, built, xnys()).places

    assert {place.score for place in places} == {None}
    assert [place.symbol for place in places] == [p.symbol for p in choice.places if p.weight]


def test_a_profile_that_would_not_decide_is_a_warning(
    strategy: Strategy, built: BuiltSnapshot
) -> None:
    nobody = tuple(replace(r, features={**r.features, "eligible": 0.0}) for r in built.rows)
    spoiled = replace(built, rows=nobody)

    summary = summary_of(made(spoiled, choice=choose(strategy, spoiled, xnys())))

    assert summary["status"] == "warnings"
    assert "no stock is eligible" in summary["warnings"]
    assert any("the profile would not decide on it" in line for line in summary["warnings"])


def test_the_summary_counts_rows_coverage_and_what_is_missing(
    strategy: Strategy, prices: Mapping[str, BarFrame], sectors: Mapping[str, str]
) -> None:
    some = {symbol: frame for symbol, frame in prices.items() if symbol not in {"KO", "GE", "PG"}}
    version = made(build_snapshot(strategy, some, sectors, date(2020, 2, 28)))

    summary = summary_of(version)

    assert (summary["row_count"], summary["eligible"]) == (18, 16)
    assert summary["coverage"] == "0.8500"
    assert [each["symbol"] for each in summary["excluded"]] == ["GE", "KO", "PG"]
    assert summary["warnings"][-1] == "only 17 of 20 stocks have a row"


def test_what_the_prices_look_like_is_told(built: BuiltSnapshot) -> None:
    assert summary_of(made(built))["status"] == "ok"
    odd = made(built, findings=["FB ends on 2022-06-08: delisted, or its data stopped"])

    assert summary_of(odd)["warnings"] == ["FB ends on 2022-06-08: delisted, or its data stopped"]
    assert "FB ends on 2022-06-08" in odd.files["index.html"].decode()


def test_what_is_told_about_a_version_does_not_name_it(
    built: BuiltSnapshot, choice: Choice
) -> None:
    plain = made(built).manifest.version

    assert made(built, choice=choice, findings=["odd"]).manifest.version == plain
    assert made(replace(built, config_name="other")).manifest.version == plain
    assert made(replace(built, config_sha256="e" * 64)).manifest.version != plain


def test_the_page_is_one_file_that_loads_nothing(built: BuiltSnapshot, choice: Choice) -> None:
    page = made(built, choice=choice).files["index.html"].decode()

    assert re.findall(r"(?:src|href|url\()", page) == []
    for name in built.columns[4:]:
        assert f"Histogram of {name}" in page
    assert "Nothing to compare with" in page


def test_the_page_escapes_what_it_shows(built: BuiltSnapshot) -> None:
    page = made(built, findings=["<script>alert(1)</script>"]).files["index.html"].decode()

    assert "<script>" not in page


def test_the_page_shows_what_changed_since_the_version_before(
    built: BuiltSnapshot,
    strategy: Strategy,
    prices: Mapping[str, BarFrame],
    sectors: Mapping[str, str],
    tmp_path: Path,
) -> None:
    some = {symbol: frame for symbol, frame in prices.items() if symbol != "KO"}
    store = open_store(tmp_path)
    publish_release(store, made(build_snapshot(strategy, some, sectors, date(2020, 1, 31))))
    before = read_version(store)

    page = made(built, before=before).files["index.html"].decode()

    assert before.manifest.version in page
    assert re.search(r"1 added:\s+KO", page)
    assert "0 gone" in page


def test_what_changed_is_found_in_one_look_at_each_cell(built: BuiltSnapshot) -> None:
    looked = {count: reads_of_a_page(built, count) for count in (100, 200)}

    assert looked[200] < 2.1 * looked[100]  # a market of 3,000 stocks would take half a minute


def reads_of_a_page(built: BuiltSnapshot, count: int) -> int:
    """Render the changes of so many rows, every cell changed; return how often a cell was read."""
    reads = 0

    class Watched(dict[str, float]):
        def __getitem__(self, name: str) -> float:
            nonlocal reads
            reads += 1
            return super().__getitem__(name)

    model = built.rows[0].features
    now, then = (
        [
            FeatureRow(
                f"S{place}", "Energy", Watched({n: v + shift + place for n, v in model.items()})
            )
            for place in range(count)
        ]
        for shift in (0.0, 0.5)
    )
    manifest = made(built).manifest
    before = Publication(manifest, "", "", None, "", built.columns, tuple(then), {})
    reads = 0
    render(manifest, now, summary_of(made(built)), None, before)
    return reads
