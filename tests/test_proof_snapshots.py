"""Snapshots spoiled and fought over, in small numbers, and that the proof would notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proof._damage import exchange_files, spoil_bytes, spoil_pointer
from proof._publishing import play, publish_in_any_order
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.inputs import _snapshot_checks
from us_equity_snapshot_pipelines import _publish

if TYPE_CHECKING:
    import pytest

SCATTERED = slice(7, None, 1201)  # make prove-long spoils every byte


def test_a_spoiled_file_blocks_with_the_code_of_its_cause() -> None:
    count = spoil_bytes(SCATTERED)

    assert count.broken == []
    assert count.told.keys() == {ReasonCode.SNAPSHOT_HASH}
    assert count.harmless == 0


def test_a_spoiled_pointer_blocks_unless_it_says_the_same() -> None:
    count = spoil_pointer(every_value=False)

    assert count.broken == []
    assert count.told.keys() == {
        ReasonCode.SNAPSHOT_HASH,
        ReasonCode.SNAPSHOT_MISSING,
        ReasonCode.SNAPSHOT_UNREADABLE,
    }
    assert count.harmless == 1  # without the newline at its end


def test_no_file_passes_for_another_one() -> None:
    assert exchange_files().broken == []


def test_publishers_and_readers_in_any_order_break_no_promise() -> None:
    count = publish_in_any_order(range(30))

    assert count.broken == []
    assert min(count.deaths, count.reads, count.told[ReasonCode.SNAPSHOT_CONFLICT]) > 10


def test_a_seed_is_one_order_of_all_calls() -> None:
    assert play(17) == play(17)
    assert play(17) != play(18)


def test_a_loader_that_does_not_compare_hashes_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_snapshot_checks, "check_hashes", lambda _: None)

    assert spoil_bytes(SCATTERED).broken


def test_a_publisher_that_goes_back_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_publish, "_require_not_older", lambda *_: None)

    assert any("back to" in line for line in publish_in_any_order(range(5)).broken)
