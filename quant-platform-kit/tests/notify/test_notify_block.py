"""Programs read the end of a heartbeat back, whatever a channel or a log has done to it."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from apprise import NotifyFormat
from apprise.conversion import convert_between
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import (
    CycleReport,
    Environment,
    ExecutionMode,
    InputMode,
    Outcome,
    SnapshotRef,
)
from quant_platform_kit.notify import (
    LANGUAGES,
    Block,
    BlockSnapshot,
    BlockStrategy,
    heartbeat,
    read_block,
)
from quant_platform_kit.notify._channels import Parcel, _parts
from quant_platform_kit.service._logging import JsonLines

if TYPE_CHECKING:
    from quant_platform_kit.contracts import Heartbeat

WORDS = st.text(min_size=1, max_size=30)
HASHES = st.text("0123456789abcdef", min_size=12, max_size=12)
BLOCKS = st.builds(
    Block,
    service=st.text(max_size=30),
    platform=WORDS,
    environment=st.none() | st.sampled_from(Environment),
    mode=st.sampled_from(ExecutionMode),
    session=st.none() | st.dates(),
    slot=WORDS,
    outcome=st.sampled_from(Outcome),
    code=st.text(max_size=20),
    run_key=WORDS,
    finished_at=st.datetimes(timezones=st.just(UTC)),
    strategies=st.lists(
        st.builds(
            BlockStrategy,
            WORDS,
            WORDS,
            st.sampled_from(InputMode),
            st.none() | st.builds(BlockSnapshot, st.dates(), HASHES, WORDS),
        ),
        max_size=3,
    ).map(tuple),
    gate=st.sampled_from(["", "active", "reducing", "halted"]),
    exposure_ratio=st.none() | st.decimals(allow_nan=False, allow_infinity=False),
    commit=HASHES,
    bundle=HASHES,
    versions=st.dictionaries(WORDS, WORDS, max_size=4),
    stale_variables=st.lists(WORDS, max_size=3).map(tuple),
)


@pytest.fixture
def beat(traded: CycleReport) -> Heartbeat:
    """Return a heartbeat of a deployed service that reads a snapshot."""
    profile = traded.strategies[0].profile
    ref = SnapshotRef(profile, date(2020, 3, 30), "2020-03-30-1", "ab" * 32)
    report = replace(
        traded,
        service="rebalancer-schwab",
        gate="active",
        exposure_ratio=Decimal("0.9834"),
        bundle="0011aabbccdd",
        decisions=(replace(traded.decisions[0], snapshot=ref),),
    )
    return heartbeat(report, "en")


def read(text: str) -> Block:
    block = read_block(text)
    assert block is not None
    return block


@given(BLOCKS)
def test_what_is_written_is_read_back(block: Block) -> None:
    assert read_block(block.text()) == block


@given(BLOCKS)
def test_every_line_is_plain_ascii_without_what_html_writes_otherwise(block: Block) -> None:
    text = block.text()
    assert text.isascii()
    assert not set(text) & set("<>&\"'\t\r")


@given(BLOCKS, st.text())
def test_text_before_it_does_not_matter(block: Block, prose: str) -> None:
    assert read_block(f"{prose}\n{block.text()}") == block


@given(BLOCKS, BLOCKS)
def test_of_two_the_last_counts(first: Block, last: Block) -> None:
    assert read_block(f"{first.text()}\n\n{last.text()}") == last


@given(BLOCKS, st.data())
def test_a_block_with_a_changed_character_is_none(block: Block, data: st.DataObject) -> None:
    text = block.text()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0a=%Z").filter(lambda character: character != text[at]))
    assert read_block(text[:at] + other + text[at + 1 :]) is None


@given(BLOCKS, st.data())
def test_a_block_that_was_cut_off_is_none(block: Block, data: st.DataObject) -> None:
    text = block.text()
    assert read_block(text[: data.draw(st.integers(0, len(text) - 1))]) is None


def test_it_says_what_the_heartbeat_says(beat: Heartbeat) -> None:
    assert read(beat.body) == Block(
        service="rebalancer-schwab",
        platform="schwab",
        environment=Environment.SIMULATED,
        mode=ExecutionMode.PAPER,
        session=date(2020, 3, 31),
        slot="close",
        outcome=Outcome.TRADED,
        code="",
        run_key="***4321/2020-03-31/close",
        finished_at=datetime(2020, 3, 31, 19, 45, tzinfo=UTC),
        strategies=(
            BlockStrategy(
                "global_etf_rotation",
                "Global ETF Rotation",
                InputMode.DIRECT,
                BlockSnapshot(date(2020, 3, 30), "abababababab", "2020-03-30-1"),
            ),
        ),
        gate="active",
        exposure_ratio=Decimal("0.9834"),
        commit="0123456789ab",
        bundle="0011aabbccdd",
        versions={"quant-platform-kit": "0.1.0", "us-equity-strategies": "0.1.0"},
    )


def test_it_is_the_end_of_the_message_and_the_same_in_every_language(
    traded: CycleReport, blocked: CycleReport
) -> None:
    for report in (traded, blocked):
        text = Block.of(report).text()
        assert all(heartbeat(report, each).body.endswith(f"\n\n{text}") for each in LANGUAGES)


def test_it_fits_on_a_phone(beat: Heartbeat) -> None:
    lines = beat.body.partition("[qpk/1]")[2].split("\n")
    assert len(lines) <= 11
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("limit", [160, 300, 700, 1024, 2000, 4096])
def test_a_channel_that_cuts_the_message_keeps_the_block(beat: Heartbeat, limit: int) -> None:
    parts = _parts(Parcel(1, "en", beat.title, beat.body), limit)
    assert read("\n".join(f"{title}\n{body}" for title, body in parts)) == read(beat.body)


@pytest.mark.parametrize("limit", [700, 1024])
def test_a_part_holds_the_whole_block_where_it_fits(beat: Heartbeat, limit: int) -> None:
    parts = _parts(Parcel(1, "en", beat.title, beat.body), limit)
    assert len(parts) > 1
    assert read(parts[-1][1]) == read(beat.body)
    assert all(read_block(body) is None for _, body in parts[:-1])


@pytest.mark.parametrize("form", [NotifyFormat.HTML, NotifyFormat.MARKDOWN])
def test_a_channel_that_turns_the_message_into_another_form_keeps_the_block(
    beat: Heartbeat, form: NotifyFormat
) -> None:
    sent = convert_between(NotifyFormat.TEXT, form, beat.body)  # type: ignore[no-untyped-call]
    assert read(str(sent)) == read(beat.body)


def test_it_is_read_from_a_line_of_the_log_among_others(beat: Heartbeat) -> None:
    lines = [
        JsonLines().format(logging.LogRecord("n", logging.INFO, "", 0, text, (), None))
        for text in ("before", f"{beat.title}\n{beat.body}", "after")
    ]
    assert read("\n".join(lines)) == read(beat.body)


@pytest.mark.parametrize("line", ["{", "{}", '{"message": 7}', "[1]", json.dumps(["message"])])
def test_a_line_that_only_looks_like_a_log_is_text(beat: Heartbeat, line: str) -> None:
    assert read(f"{line}\n{beat.body}") == read(beat.body)


@pytest.mark.parametrize("text", ["", "Equity: 1", "[qpk/1]", "[qpk/1]\n[/qpk/1 00000000]"])
def test_a_text_without_a_block_has_none(text: str) -> None:
    assert read_block(text) is None


def test_a_block_that_lacks_what_every_run_has_is_none() -> None:
    digits = "e3b0c442"  # of nothing
    assert read_block(f"[qpk/1]\n[/qpk/1 {digits}]") is None


def test_a_key_of_a_later_kit_does_not_stop_a_reader(beat: Heartbeat) -> None:
    lines = beat.body.rpartition("[qpk/1]\n")[2].split("\n")[:-1]
    lines.append("mood=good")
    digits = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]
    later = "\n".join(("[qpk/1]", *lines, f"[/qpk/1 {digits}]"))
    assert read(later) == read(beat.body)


def test_a_gate_is_open_only_when_it_is_active(beat: Heartbeat) -> None:
    block = read(beat.body)
    assert block.gate_is_open
    for gate in ("reducing", "halted", ""):
        assert not replace(block, gate=gate).gate_is_open


def test_no_number_of_an_account_is_in_it(traded: CycleReport) -> None:
    text = Block.of(replace(traded, account="U1234567", run_key="ibkr-0a1b2c:close")).text()
    assert "U1234567" not in text


def test_the_block_on_the_page_for_operators_is_one() -> None:
    page = Path(__file__).parents[3] / "docs" / "run-a-service.md"
    block = read(page.read_text(encoding="utf-8"))
    assert block.service == "rebalancer-ibkr"
    assert block.text() in page.read_text(encoding="utf-8")
