"""The real `yfinance`, through a proxy that is Yahoo Finance itself; nothing leaves the machine."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import yfinance
from curl_cffi.requests import Session

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode, SettingsError, TransientError
from quant_platform_kit.market import SimulatedClock, xnys
from us_equity_snapshot_pipelines._prices import fetch_prices
from us_equity_snapshot_pipelines._yahoo import YahooBars

# The library is a step behind pandas.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")

LAST = date(2020, 1, 7)
EVENING = datetime(2020, 1, 7, 23, tzinfo=UTC)
NOON = datetime(2020, 1, 7, 17, tzinfo=UTC)
DAYS = xnys().sessions(date(2019, 12, 30), LAST)
CLOSES = {"KO": 50.0, "BRK-B": 200.0}


@dataclass
class Yahoo:
    """What Yahoo answers, and what it was asked."""

    status: int = 200
    without_close: date | None = None
    paid: Mapping[date, float] = field(default_factory=dict)
    leaves_out: bool = False
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, bytes]:
        if "/getcrumb" in path:
            return 200, b"crumb"
        if "/chart/" not in path:
            return 404, b"{}"
        symbol = path.partition("/chart/")[2].partition("?")[0]
        self.asked.append(symbol)
        if self.status != 200:
            return self.status, b"busy"
        if symbol not in CLOSES:
            gone = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return 404, json.dumps({"chart": {"result": None, "error": gone}}).encode()
        return 200, json.dumps({"chart": {"result": [self._chart(symbol)], "error": None}}).encode()

    def _chart(self, symbol: str) -> Mapping[str, Any]:
        closes = [
            None if day == self.without_close else CLOSES[symbol] + n for n, day in enumerate(DAYS)
        ]
        opens = [datetime.combine(day, xnys().session_open(day).time(), UTC) for day in DAYS]
        return {
            "meta": {
                "currency": "USD",
                "symbol": symbol,
                "instrumentType": "EQUITY",
                "exchangeTimezoneName": "America/New_York",
                "validRanges": ["1d", "max"],
            },
            "timestamp": [int(instant.timestamp()) for instant in opens],
            "events": {"dividends": self._events()} if self.paid else {},
            "indicators": {
                "quote": [
                    {
                        **dict.fromkeys(("open", "high", "low", "close"), closes),
                        "volume": [1000] * len(DAYS),
                    }
                ],
                "adjclose": [{"adjclose": self._adjusted(closes)}],
            },
        }

    def _events(self) -> Mapping[str, Any]:
        opens = {
            day: int(datetime.combine(day, xnys().session_open(day).time(), UTC).timestamp())
            for day in self.paid
        }
        return {
            str(opens[day]): {"amount": amount, "date": opens[day]}
            for day, amount in self.paid.items()
        }

    def _adjusted(self, closes: Sequence[float | None]) -> list[float | None]:
        """Return half of each close, and less before a dividend."""
        factor, adjusted = 0.5, list[float | None]()
        for day, close, before in zip(
            reversed(DAYS), reversed(closes), [*reversed(closes[:-1]), None], strict=True
        ):
            adjusted.append(None if close is None else close * factor)
            if day in self.paid and before is not None and not self.leaves_out:
                factor *= 1 - self.paid[day] / before
        return adjusted[::-1]


class _Door(BaseHTTPRequestHandler):
    """A proxy that opens no connection, and answers for the far side."""

    protocol_version = "HTTP/1.1"
    timeout = 5
    yahoo: ClassVar[Yahoo]
    tls: ClassVar[ssl.SSLContext]

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        status, body = self.yahoo.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # the base class knows of the one without TLS alone

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def a_certificate(folder: Path) -> Path:
    """Write a key and a certificate that nobody else trusts into one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Yahoo on loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def yahoo(tmp_path: Path) -> Iterator[tuple[Yahoo, Session[Any]]]:
    """Serve as Yahoo; yield it, and a session whose proxy leads there."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(a_certificate(tmp_path))
    far_side = Yahoo()
    door = type("Door", (_Door,), {"yahoo": far_side, "tls": tls})
    # The library remembers answers and time zones; here every test has answers of its own.
    yfinance.set_tz_cache_location(str(tmp_path / "cache"))
    yfinance.data.YfData.cache_get.cache_clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), door) as server:
        server.daemon_threads = False
        Thread(target=server.serve_forever, daemon=True).start()
        proxy = f"http://127.0.0.1:{server.server_port}"
        with Session(verify=False, proxies={"https": proxy}) as session:
            yield far_side, session
        server.shutdown()


@pytest.fixture
def bars(yahoo: tuple[Yahoo, Session[Any]]) -> Callable[..., YahooBars]:
    def make(now: datetime = EVENING) -> YahooBars:
        return YahooBars(xnys(), SimulatedClock(now), yahoo[1])

    return make


def test_closes_are_adjusted_for_what_was_asked(bars: Callable[..., YahooBars]) -> None:
    split = bars().daily_bars(["KO"], 3, LAST, Adjustment.SPLIT)["KO"]
    total = bars().daily_bars(["KO"], 3, LAST, Adjustment.TOTAL_RETURN)["KO"]

    assert (split.adjustment, total.adjustment) == (Adjustment.SPLIT, Adjustment.TOTAL_RETURN)
    assert split.close.tolist() == [53.0, 54.0, 55.0]
    assert total.close.tolist() == [26.5, 27.0, 27.5]
    assert split.days.astype(str).tolist() == ["2020-01-03", "2020-01-06", "2020-01-07"]
    assert split.volume is not None
    assert total.volume is not None
    assert (total.close * total.volume).tolist() == (split.close * split.volume).tolist()


def test_prices_as_traded_are_refused(bars: Callable[..., YahooBars]) -> None:
    with pytest.raises(InputError, match="no unadjusted prices") as refusal:
        bars().daily_bars(["KO"], 3, LAST, Adjustment.RAW)
    assert refusal.value.code is ReasonCode.BAR_INVALID


def test_a_session_that_has_not_closed_has_no_bar(bars: Callable[..., YahooBars]) -> None:
    frame = bars(NOON).daily_bars(["KO"], 3, LAST, Adjustment.SPLIT)["KO"]

    assert frame.last_session == date(2020, 1, 6)


def test_a_session_without_a_close_is_a_gap(
    yahoo: tuple[Yahoo, Session[Any]], bars: Callable[..., YahooBars]
) -> None:
    yahoo[0].without_close = date(2020, 1, 6)

    frame = bars().daily_bars(["KO"], 3, LAST, Adjustment.SPLIT)["KO"]

    assert frame.days.astype(str).tolist() == ["2020-01-03", "2020-01-07"]


def test_a_symbol_that_yahoo_does_not_know_is_told(bars: Callable[..., YahooBars]) -> None:
    found = fetch_prices(bars(), ["KO", "NOPE"], 3, LAST, Adjustment.SPLIT)

    assert list(found.frames) == ["KO"]
    assert found.findings[0] == "the source has no bar of NOPE"


def test_classes_of_shares_have_their_name_at_yahoo(
    yahoo: tuple[Yahoo, Session[Any]], bars: Callable[..., YahooBars]
) -> None:
    found = bars().daily_bars(["BRK.B"], 2, LAST, Adjustment.SPLIT)

    assert found["BRK.B"].symbol == "BRK.B"
    assert set(yahoo[0].asked) == {"BRK-B"}


@pytest.mark.parametrize("status", [429, 503])
def test_a_yahoo_that_does_not_answer_is_no_symbol_without_prices(
    yahoo: tuple[Yahoo, Session[Any]], bars: Callable[..., YahooBars], status: int
) -> None:
    yahoo[0].status = status

    with pytest.raises(TransientError, match="gave no prices of KO"):
        bars().daily_bars(["KO"], 3, LAST, Adjustment.SPLIT)


@pytest.mark.parametrize(
    ("adjustment", "accounted"), [(Adjustment.SPLIT, False), (Adjustment.TOTAL_RETURN, True)]
)
def test_dividends_come_with_the_prices(
    yahoo: tuple[Yahoo, Session[Any]],
    bars: Callable[..., YahooBars],
    adjustment: Adjustment,
    accounted: bool,
) -> None:
    yahoo[0].paid = {date(2020, 1, 3): 0.41}

    found = fetch_prices(bars(), ["KO"], len(DAYS), LAST, adjustment)

    (dividend,) = found.dividends
    assert (dividend.symbol, dividend.ex_date) == ("KO", date(2020, 1, 3))
    assert dividend.amount_usd == Decimal("0.41")
    assert dividend.share == pytest.approx(0.41 / 52)
    assert dividend.is_accounted is accounted
    assert found.findings == ()
    assert yahoo[0].asked.count("KO") == len(set(yahoo[0].asked))  # once, for both


def test_adjusted_closes_that_leave_a_dividend_out_are_told(
    yahoo: tuple[Yahoo, Session[Any]], bars: Callable[..., YahooBars]
) -> None:
    yahoo[0].paid = {date(2020, 1, 3): 0.41}
    yahoo[0].leaves_out = True

    found = fetch_prices(bars(), ["KO"], len(DAYS), LAST, Adjustment.TOTAL_RETURN)

    assert found.findings == (
        (
            "Yahoo's adjusted closes of KO leave out the dividend of 0.41 USD on 2020-01-03, 0.79% "
            "of the close before"
        ),
    )
    assert [each.is_accounted for each in found.dividends] == [False]


@pytest.mark.parametrize(
    ("amount", "words"),
    [(-0.41, "Yahoo says that KO paid -0.41 USD on 2020-01-03"), (60.0, "is not less than")],
)
def test_a_dividend_that_cannot_be_is_told(
    yahoo: tuple[Yahoo, Session[Any]], bars: Callable[..., YahooBars], amount: float, words: str
) -> None:
    yahoo[0].paid = {date(2020, 1, 3): amount}

    found = fetch_prices(bars(), ["KO"], len(DAYS), LAST, Adjustment.SPLIT)

    assert found.dividends == ()
    assert words in found.findings[0]


def test_without_the_library_it_is_named(
    bars: Callable[..., YahooBars], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)

    with pytest.raises(SettingsError, match=r"us-equity-snapshot-pipelines\[yfinance\]"):
        bars()
