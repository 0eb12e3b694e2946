"""Numbers read as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from demo import _format as fmt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (fmt.usd(Decimal("1234.5")), "$1,234.50"),
        (fmt.usd(-0.5), "−$0.50"),
        (fmt.usd_short(950), "$950"),
        (fmt.usd_short(Decimal(8000)), "$8,000"),
        (fmt.usd_short(12_340), "$12.3k"),
        (fmt.usd_short(50_000), "$50k"),
        (fmt.usd_short(5_570_077.7), "$5.57M"),
        (fmt.usd_axis(500), "$500"),
        (fmt.usd_axis(8_000), "$8k"),
        (fmt.usd_axis(1_250_000), "$1,250k"),
        (fmt.percent(0.1234), "12.3%"),
        (fmt.percent(-0.1234), "−12.3%"),
        (fmt.percent(-0.0001), "0.0%"),
        (fmt.signed_percent(0.1), "+10.0%"),
        (fmt.signed_percent(-0.1), "−10.0%"),
        (fmt.signed_percent(0.0), "0.0%"),
        (fmt.points(-0.032), "−3.2 pts"),
        (fmt.quantity(Decimal("1204.00")), "1,204"),
        (fmt.quantity(Decimal("12.50")), "12.5"),
        (fmt.quantity(Decimal(100)), "100"),
        (fmt.count(1, "order"), "1 order"),
        (fmt.count(1_200, "order"), "1,200 orders"),
    ],
)
def test_a_number_reads_well(text: str, expected: str) -> None:
    assert text == expected
