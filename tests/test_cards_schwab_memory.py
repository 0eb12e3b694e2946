"""A Schwab service on a machine that forgets: what it sent is known in the store's database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quant_platform_kit.contracts import Outcome
from quant_platform_kit.simulators import WireFault
from tests.wires import FIRST, LATER, NEXT, Wire, close_of

pytest.importorskip("schwab")


def test_an_order_whose_answer_was_lost_is_found_from_another_machine(
    tmp_path: Path, postgresql: str
) -> None:
    made = Wire.to("schwab", tmp_path)
    first = replace(made, environ={**made.environ, "QPK_STORE_URL": postgresql})
    second = replace(first, environ={**first.environ, "QPK_STATE_DIR": str(tmp_path / "new")})
    try:
        runtime = first.open()
        made.simulator.control.fault(WireFault.REPLY_LOST_AFTER_BOOKING, operation="submit")
        close_of(runtime, FIRST)
        runtime.close()
        made.simulator.control.clear()
        runtime = second.open()
        done = close_of(runtime, FIRST)
        after = close_of(runtime, NEXT)
        runtime.close()
        rehearsal = replace(second, environ={**second.environ, "EXECUTION_MODE": "dry_run"})
        runtime = rehearsal.open()
        rehearsed = close_of(runtime, LATER)
        runtime.close()
        fills = made.simulator.control.book()["fills"]
    finally:
        made.simulator.close()
    assert done.outcome is Outcome.TRADED
    assert after.outcome is Outcome.NO_ACTION
    assert rehearsed.outcome is Outcome.TRADED
    assert len(fills) == 1
    assert fills[0]["client_id"] is None  # Schwab keeps none
    assert list(tmp_path.rglob("schwab-tags*")) == []
