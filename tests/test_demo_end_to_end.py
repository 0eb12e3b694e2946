"""The demo as a stranger runs it: real services, real prices, one report, nothing left behind."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any

import pytest
from playwright.sync_api import Page, sync_playwright

_ROOT = Path(__file__).parent.parent
_CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_ACCOUNTS = ("ibkr", "schwab", "longbridge")
_MONTHS = 6


def _command(folder: Path, months: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "demo", "--months", str(months), "--output", str(folder), *more]


def _left_running(folder: Path) -> list[str]:
    """Return the command line of every process that was given `folder` by its environment."""
    needle = str(folder).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if needle in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended, or is not ours
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "output"


@pytest.fixture(scope="module")
def finished(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(folder, _MONTHS),
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def report(folder: Path, finished: subprocess.CompletedProcess[str]) -> Path:
    assert finished.returncode == 0, finished.stderr
    return folder / "report.html"


def test_it_succeeds_and_says_so(finished: subprocess.CompletedProcess[str]) -> None:
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "✗" not in finished.stdout
    assert finished.stdout.count("✓") == 4


def test_every_slot_of_every_account_is_shown_as_it_ends(
    finished: subprocess.CompletedProcess[str],
) -> None:
    lines = re.findall(
        r"^(\d{4}-\d{2}-\d{2})  (\w+) +(TRADED|NO_ACTION)\b", finished.stdout, re.MULTILINE
    )

    assert len(lines) == _MONTHS * len(_ACCOUNTS)
    assert [platform for _, platform, _ in lines] == list(_ACCOUNTS) * _MONTHS


def test_it_prints_where_the_report_lies(
    finished: subprocess.CompletedProcess[str], report: Path
) -> None:
    assert f"Report: {report}" in finished.stdout


def test_nothing_is_left_running(folder: Path, finished: subprocess.CompletedProcess[str]) -> None:
    assert finished.returncode == 0
    assert _left_running(folder) == []


class _References(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            f"{tag} {name}={value}"
            for name, value in attrs
            if name in {"src", "href", "srcset", "action"} and not (value or "").startswith("#")
        ]


def test_the_report_refers_to_nothing_outside_itself(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    references = _References()
    references.feed(page)

    assert references.found == ["link href=data:,"]
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []


def test_the_report_tells_what_the_figures_are_worth(report: Path) -> None:
    page = report.read_text(encoding="utf-8")

    for words in ("adjusted for splits and dividends", "Fills are simulated", "not advice"):
        assert words in page


def _chromium() -> str:
    if not _CHROMIUM.exists():
        pytest.skip(
            f"NOT RUN: {_CHROMIUM} is missing, so nobody looked at the report in a browser. "
            "apt-get install -y chromium"
        )
    return str(_CHROMIUM)


@pytest.fixture(scope="module")
def opened(report: Path) -> Iterator[tuple[Page, list[str]]]:
    """Open the report in a browser; collect what goes wrong or goes out while it is used."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=list(_FLAGS))
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        faults: list[str] = []
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("request", lambda request: faults.append(f"request: {request.url}"))
        page.goto(report.as_uri())
        yield page, faults
        browser.close()


@pytest.fixture
def page(opened: tuple[Page, list[str]], report: Path) -> Iterator[Page]:
    page, faults = opened
    yield page
    assert [fault for fault in faults if fault != f"request: {report.as_uri()}"] == []


@pytest.mark.parametrize("account", _ACCOUNTS)
def test_every_chart_draws_its_shapes(page: Page, account: str) -> None:
    curves = page.locator(f"#{account} .curve")
    bands = page.locator(f"#{account} .band")

    assert curves.count() == 4
    assert bands.count() >= 1
    for index in range(curves.count()):
        box = curves.nth(index).bounding_box()
        assert box is not None
        assert box["width"] > 300


def test_the_crosshair_reads_every_chart_at_once(page: Page) -> None:
    shown = page.locator("#ibkr [data-show='equity']")
    at_rest = shown.inner_text()

    page.locator("#ibkr .plot-drawdown .canvas").hover(position={"x": 40, "y": 20})

    assert shown.inner_text() != at_rest
    assert len(set(page.locator("#ibkr .when").all_inner_texts())) == 1
    page.mouse.move(0, 0)
    assert shown.inner_text() == at_rest


def test_the_crosshair_walks_by_key(page: Page) -> None:
    when = page.locator("#ibkr .when").first
    page.locator("#ibkr .plot-equity .canvas").focus()
    at_rest = when.inner_text()

    page.keyboard.press("ArrowLeft")

    assert when.inner_text() != at_rest
    page.locator("#ibkr .plot-equity .canvas").blur()


def test_an_order_opens_its_explanation(page: Page) -> None:
    month = page.locator("#ibkr .month:has(.order)").first
    month.locator("> summary").click()
    order = month.locator(".order").first
    assert not order.locator(".steps").is_visible()

    order.locator("> summary").click()

    assert order.locator(".steps").is_visible()
    assert order.locator(".steps li > span").all_inner_texts() == [
        "Wish",
        "Exact shares",
        "Whole shares",
        "Held before",
        "Order",
        "Fill",
    ]
    assert "client id qpk-" in order.locator(".ids").inner_text()


def test_a_slot_tells_its_reason_and_leads_to_its_orders(page: Page) -> None:
    cell = page.locator("#schwab .cell").last
    cell.hover()
    assert "30 Nov 2022" in page.locator("#schwab .tip").inner_text()

    cell.click()

    assert page.locator("#schwab-2022-11").get_attribute("open") is not None


def test_the_filter_leaves_the_orders_asked_for(page: Page) -> None:
    filters = page.locator("#ibkr .filters")
    filters.locator("[name=side]").select_option("sell")

    sides = page.locator("#ibkr .order:visible .side").all_inner_texts()
    assert set(sides) == {"sell"}
    assert filters.locator("output").inner_text() == f"{len(sides)} orders"

    filters.locator("[name=side]").select_option("")
    assert page.locator("#ibkr .order[hidden]").count() == 0


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_report_fits_its_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_and_light_differ(page: Page) -> None:
    def background() -> object:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.emulate_media(color_scheme="light")
    light = background()
    page.emulate_media(color_scheme="dark")

    assert background() != light


@contextmanager
def _started(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    with subprocess.Popen(
        _command(folder, 2, *more),
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()


def _read_until(output: IO[str], pattern: str) -> str:
    text = ""
    for line in output:
        text += line
        if re.search(pattern, line):
            return text
    pytest.fail(f"no line matched {pattern!r} in:\n{text}")


def _get(url: str, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", path)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


def _readme_block(words: str) -> str:
    """Return the block of the README in which `words` stand."""
    blocks = re.findall(r"```\n(.*?)```", (_ROOT / "README.md").read_text(), flags=re.DOTALL)
    return next(str(block) for block in blocks if words in block)


def _shell(commands: str, folder: Path) -> str:
    qpk = Path(sys.executable).parent / "qpk"
    script = commands.replace("demo-output", str(folder)).replace(".venv/bin/qpk", str(qpk))
    done = subprocess.run(
        ["bash", "-ec", script],  # noqa: S607 (whichever bash the reader has)
        cwd=_ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_services_stay_until_they_are_told_to_go(tmp_path: Path) -> None:
    folder = tmp_path / "output"
    with _started(folder, "--serve") as (process, output):
        text = _read_until(output, "curl -X POST")
        urls = re.findall(r"^  \S.* (http://127\.0\.0\.1:\d+)$", text, re.MULTILINE)
        assert [_get(url, "/health")["platform"] for url in urls] == list(_ACCOUNTS)
        assert all(_get(url, "/status")["report"] for url in urls)
        assert len(_left_running(folder)) >= len(_ACCOUNTS)
        assert ":by-hand:dry_run" in _shell(_readme_block("qpk run"), folder)

        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=20) == 0
        assert _left_running(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_takes_its_services_along(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "output"
    with _started(folder) as (process, output):
        _read_until(output, r"^\d{4}-\d{2}-\d{2}  ibkr")

        process.send_signal(number)

        assert process.wait(timeout=20) == 130
        assert _left_running(folder) == []


def test_a_service_that_dies_ends_the_serving_with_a_clear_text(tmp_path: Path) -> None:
    folder = tmp_path / "output"
    with _started(folder, "--serve") as (process, output):
        _read_until(output, "curl -X POST")
        victim = next(
            int(entry.name)
            for entry in Path("/proc").glob("[0-9]*")
            if _is_service(entry, folder, "schwab")
        )
        os.kill(victim, signal.SIGKILL)

        assert process.wait(timeout=20) == 1
        assert process.stderr is not None
        assert "The schwab service ended by itself with code -9" in process.stderr.read()
        assert _left_running(folder) == []


def _is_service(process: Path, folder: Path, platform: str) -> bool:
    try:
        environment = (process / "environ").read_bytes()
        parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        is_ours = f"{folder}/{platform}/state".encode() in environment
        return is_ours and "demo" in (Path("/proc") / str(parent) / "cmdline").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--months", "0"], "the data holds 1 to"), (["--months", "5000"], "the data holds 1 to")],
)
def test_a_wrong_wish_is_refused_in_one_line(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "demo", "--output", str(tmp_path / "output"), *arguments],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
