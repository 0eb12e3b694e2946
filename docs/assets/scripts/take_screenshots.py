"""Take the README's pictures of the demo's report.

Usage: python docs/assets/scripts/take_screenshots.py [demo-output/report.html]
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import FloatRect, sync_playwright

_ASSETS = Path(__file__).parent.parent
_CHROMIUM = "/usr/bin/chromium"
_WIDTH, _HEIGHT = 1200, 1010
_BELOW_THE_MENU = 62
_MARGIN = 40
_TRANSITION_MS = 400
_MARCH_2020 = 0.31  # share of the chart's width, with the default months


def main(report: Path) -> None:
    """Write the page's head by day and by night, and one account's charts, beside this folder."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(
            viewport={"width": _WIDTH, "height": _HEIGHT}, device_scale_factor=1.5
        )
        page.goto(report.resolve().as_uri())
        end = page.locator(".anatomy").bounding_box()
        head = FloatRect(x=0, y=0, width=_WIDTH, height=_bottom(end) + _MARGIN)
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(_TRANSITION_MS)
            page.screenshot(path=_ASSETS / f"report-{scheme}.png", full_page=True, clip=head)

        charts = page.locator("#ibkr .charts").bounding_box()
        page.evaluate("top => window.scrollTo({top, behavior: 'instant'})", _top(charts))
        canvas = page.locator("#ibkr .plot-equity .canvas").bounding_box()
        if canvas is not None:
            page.mouse.move(canvas["x"] + canvas["width"] * _MARCH_2020, canvas["y"] + 90)
        page.screenshot(path=_ASSETS / "report-charts.png")
        browser.close()


def _top(box: FloatRect | None) -> float:
    return 0 if box is None else box["y"] - _BELOW_THE_MENU


def _bottom(box: FloatRect | None) -> float:
    return _HEIGHT if box is None else box["y"] + box["height"]


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output/report.html"))
