"""Tables on a desk's screen, and on a phone's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quant_platform_kit.cli._console import show, table

Told = Callable[[int], list[str]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Return a function that shows a table on a screen of some width."""

    def show_at(width: int) -> list[str]:
        for name, value in (("COLUMNS", str(width)), ("FORCE_COLOR", "1"), ("TERM", "dumb")):
            monkeypatch.setenv(name, value)
        rows = table("rebalancer-ibkr", "", "variable", "value")
        rows.add_row("set", "IBKR_RECONCILIATION_OUTPUT_PATH", "gs://desk/reconciliation.json")
        rows.add_row("keep", "EXECUTION_MODE", "")
        show(rows)
        return [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]

    return show_at


def test_a_table_has_columns_where_they_fit(told: Told) -> None:
    lines = told(90)
    assert any("variable" in line and "value" in line for line in lines)


def test_a_screen_that_is_far_too_narrow_gets_whole_words_row_by_row(told: Told) -> None:
    lines = told(40)
    assert lines[1:] == [
        "set",
        "variable: IBKR_RECONCILIATION_OUTPUT_PATH",
        "value: gs://desk/reconciliation.json",
        "keep",
        "variable: EXECUTION_MODE",
    ]
