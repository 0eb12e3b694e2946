from __future__ import annotations

import math
import pickle
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from quant_platform_kit.contracts import (
    Adjustment,
    FeatureRow,
    FeatureSnapshot,
    SnapshotManifest,
)

ROWS = (
    FeatureRow("BBB", "Energy", {"mom_6_1": 0.2, "vol_63": math.nan}),
    FeatureRow("AAA", "Energy", {"mom_6_1": -0.1}),
)


@pytest.fixture
def snapshot() -> FeatureSnapshot:
    manifest = SnapshotManifest(
        contract="some.v1",
        profile="some",
        version="2020-03-30-0123456789ab",
        as_of=date(2020, 3, 30),
        snapshot_file="snapshot.csv",
        snapshot_sha256="0" * 64,
        row_count=2,
        columns=("symbol", "sector", "mom_6_1", "vol_63"),
        config_sha256="1" * 64,
        adjustment=Adjustment.TOTAL_RETURN,
        generated_at=datetime(2020, 3, 30, 22, tzinfo=UTC),
        code_version="0.1.0",
        sources={},
    )
    return FeatureSnapshot(manifest, ROWS)


def test_a_column_has_one_value_a_row_in_the_rows_order(snapshot: FeatureSnapshot) -> None:
    assert snapshot.column("mom_6_1").tolist() == [0.2, -0.1]


def test_a_row_without_the_feature_has_the_value_asked_for(snapshot: FeatureSnapshot) -> None:
    np.testing.assert_array_equal(snapshot.column("vol_63"), [math.nan, math.nan])
    np.testing.assert_array_equal(snapshot.column("vol_63", 1.0), [math.nan, 1.0])
    np.testing.assert_array_equal(snapshot.column("none"), [math.nan, math.nan])


def test_numpy_reads_a_column_where_it_lies_and_cannot_change_it(
    snapshot: FeatureSnapshot,
) -> None:
    array = np.asarray(snapshot.column("mom_6_1"))

    assert array.dtype == np.float64
    assert np.shares_memory(array, np.asarray(snapshot.column("mom_6_1")))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 9.0


def test_having_read_a_column_makes_no_difference(snapshot: FeatureSnapshot) -> None:
    untouched = FeatureSnapshot(snapshot.manifest, snapshot.rows)
    snapshot.column("mom_6_1")

    assert snapshot == untouched
    assert repr(snapshot) == repr(untouched)
    copied = pickle.loads(pickle.dumps(snapshot))  # noqa: S301 (its own)
    assert repr(copied) == repr(untouched)
    assert copied.column("mom_6_1") == snapshot.column("mom_6_1")


def test_a_changed_copy_has_its_own_columns(snapshot: FeatureSnapshot) -> None:
    snapshot.column("mom_6_1")

    turned = replace(snapshot, rows=ROWS[::-1])

    assert turned.column("mom_6_1").tolist() == [-0.1, 0.2]
