"""Charles Schwab through its Trader API, by `schwab-py`.

Schwab keeps no client id with an order. What was sent is therefore remembered on our side before
it is sent (`TagMemory`), and an order whose answer was lost is found again by its own facts among
the orders that were not there before; when two could be it, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quant_platform_kit.brokers._access import AccountAccess
from quant_platform_kit.brokers.schwab._bars import Dividends, Span
from quant_platform_kit.brokers.schwab._cash import TYPES, lacks_a_symbol, movements, names_of
from quant_platform_kit.brokers.schwab._desk import OrderDesk
from quant_platform_kit.brokers.schwab._dividends import DividendFile
from quant_platform_kit.brokers.schwab._finder import Finder
from quant_platform_kit.brokers.schwab._orders import theirs
from quant_platform_kit.brokers.schwab._rows import money, positions, quote, reading
from quant_platform_kit.brokers.schwab._session import REAL_URL, SchwabLogin, SchwabSession
from quant_platform_kit.brokers.schwab._tags import InMemoryTags, NotedTags, TagFile, TagMemory
from quant_platform_kit.brokers.schwab._token_secret import TokenSecret
from quant_platform_kit.brokers.schwab._tokens import TokenFile, TokenStore
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    BrokerOrder,
    CashMovement,
    Environment,
    Fill,
    OrderRequest,
    Position,
    Quote,
    Submission,
    TradingRules,
)
from quant_platform_kit.errors import (
    BrokerAnswerError,
    ContractError,
    PlatformError,
    SettingsError,
)
from quant_platform_kit.market import Clock, ExchangeCalendar, xnys
from quant_platform_kit.secret_manager import SecretManager

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

_SECRET_SECS: Final = 4.0  # a token may be renewed in the middle of a call, which has a deadline
_MOST_TRANSACTIONS: Final = 3000
_CASH_DAYS: Final = timedelta(days=60)
_AHEAD: Final = timedelta(days=1)
_RULES: Final = TradingRules()  # whole shares, no commission on US stocks


def connect(
    login: SchwabLogin,
    *,
    token_path: str,
    tags_path: str,
    dividends: Dividends | None = None,
    clock: Clock | None = None,
) -> SchwabBroker:
    """Connect with a token file and a file of tags; for a process of its own."""
    tokens, tags = TokenFile(Path(token_path)), TagFile(Path(tags_path))
    return SchwabBroker(login, tokens, tags, dividends=dividends, clock=clock)


def open_account(access: AccountAccess) -> SchwabBroker:
    """Open the account that the settings name.

    What was sent is remembered where the platform keeps its own memory, or in `state_dir`.
    """
    told = access.login
    base_url: str | None = told["base_url"]
    login = SchwabLogin(
        told["app_key"], told["app_secret"], access.account_id, base_url or REAL_URL
    )
    tokens: TokenStore
    if told["token_secret"] is None:
        tokens = TokenFile(told["token_path"])
    else:
        secrets = SecretManager(told["secret_manager_url"], deadline_secs=_SECRET_SECS)
        tokens = TokenSecret(told["token_secret"], secrets)
    tags: TagMemory
    if access.notebook is None:
        tags = TagFile(access.state_dir / "schwab-tags.jsonl")
    else:
        tags = NotedTags(access.notebook)
    paid = told["dividends_path"]
    return SchwabBroker(
        login,
        tokens,
        tags,
        dividends=None if paid is None else DividendFile(paid),
        # Schwab's answers tell the time by which it judges; a simulator's leaps between them.
        clock=access.clock if base_url else None,
    )


class SchwabBroker:
    """One account at Schwab; implements `Broker`. Use it from one thread at a time.

    Parameters
    ----------
    login : SchwabLogin
    tokens : TokenStore
    tags : TagMemory, optional
        What was sent; one that ends with the process when absent.
    dividends : Dividends, optional
        Needed for total-return bars: Schwab's own are adjusted for splits alone.
    clock : Clock, optional
        Schwab's own, as its answers tell it, when absent.
    calendar : ExchangeCalendar, optional

    Raises
    ------
    SettingsError
        When the token opens another account than the one that was named.
    TransientError
        When Schwab does not answer.
    """

    def __init__(
        self,
        login: SchwabLogin,
        tokens: TokenStore,
        tags: TagMemory | None = None,
        *,
        dividends: Dividends | None = None,
        clock: Clock | None = None,
        calendar: ExchangeCalendar | None = None,
    ) -> None:
        self._login = login
        self._session = SchwabSession(login, tokens)
        self._dividends = dividends
        self._clock = self._session.server_clock if clock is None else clock
        self._calendar = xnys() if calendar is None else calendar
        try:
            self._hash = self._find_account()
        except PlatformError:
            self.close()
            raise
        memory = InMemoryTags() if tags is None else tags
        finder = Finder(memory, self._clock, login.settle_secs)
        self._desk = OrderDesk(self._session, self._hash, finder, self._clock)

    @property
    def environment(self) -> Environment:
        """LIVE at Schwab, SIMULATED elsewhere."""
        return self._login.environment

    @property
    def rules(self) -> TradingRules:
        """Whole shares, without commission."""
        return _RULES

    def health(self) -> tuple[str, ...]:
        """Return what a human has to do soon; nothing when all is well."""
        return self._session.alerts()

    def release(self) -> None:
        """Do nothing: any number of programs may speak to it at once."""

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    # ── The account ────────────────────────────────────────────────────────────────────

    def account(self) -> Account:
        """Return the account's money, without what the broker would lend."""
        shown = self._account_json()
        with reading("the account's money"):
            return money(shown, self._login.account_id, self.environment)

    def positions(self) -> tuple[Position, ...]:
        """Return the holdings; the account's own market value proves that none is missing.

        Only shares and funds: other kinds of holding are never ours.
        """
        shown = self._account_json()
        with reading("the positions"):
            return positions(shown)

    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        """Return dividends, interest, fees and transfers of the last 60 days at most, by time."""
        now = self._clock.now().astimezone(UTC)
        first = max(since.astimezone(UTC), now - _CASH_DAYS).replace(microsecond=0)
        answer = self._session.listed(
            "what moved the cash",
            lambda client: client.get_transactions(
                self._hash, start_date=first, end_date=now + _AHEAD, transaction_types=TYPES
            ),
        )
        with reading("what moved the cash"):
            if len(answer) >= _MOST_TRANSACTIONS:
                raise BrokerAnswerError(
                    f"Schwab lists {len(answer)} movements of cash and no more than that; the rest "
                    "is unknown. Look at the account at Schwab."
                )
            names = self._names(first) if lacks_a_symbol(answer) else {}
            return tuple(moved for moved in movements(answer, names) if moved.at >= first)

    # ── Orders ─────────────────────────────────────────────────────────────────────────

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Return the working orders of the last 60 days, in order of submission."""
        return self._desk.open_orders()

    def find_order(self, client_id: str) -> BrokerOrder | None:
        """Return the order that was sent under this client id.

        One whose answer was lost is looked for until `SchwabLogin.settle_secs` after it was sent;
        from then on it is known that Schwab does not have it.

        Raises
        ------
        BrokerAnswerError
            When several orders could be it.
        """
        return self._desk.find(client_id)

    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        """Return the executions at or after `instant`; Schwab tells seconds."""
        return self._desk.fills_since(instant)

    def submit(self, order: OrderRequest) -> Submission:
        """Hand in one order; at most one of a type works in a symbol, so that it can be found."""
        return self._desk.submit(order)

    def replace(self, broker_order_id: str, order: OrderRequest) -> Submission:
        """Put another order in the place of a working one; it has an id of its own."""
        return self._desk.replace(broker_order_id, order)

    def cancel(self, broker_order_id: str) -> None:
        """Ask for a cancel; a refusal is no error, the order's state tells.

        Raises
        ------
        BrokerAnswerError
            When the account has no such order.
        """
        self._desk.cancel(broker_order_id)

    # ── Prices ─────────────────────────────────────────────────────────────────────────

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Return the last trade of each symbol, at the time it was made."""
        if not symbols:
            return {}
        asked = [theirs(symbol) for symbol in symbols]
        answer = self._session.query("quotes", lambda client: client.get_quotes(asked))
        with reading("quotes"):
            found = {symbol: answer.get(theirs(symbol)) for symbol in symbols}
            return {
                symbol: quote(symbol, shown["quote"])
                for symbol, shown in found.items()
                if shown is not None and shown["quote"].get("lastPrice")
            }

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """Return complete daily bars; a bar missing between two others raises `InputError`."""
        if sessions < 1:
            raise ContractError(f"daily_bars.sessions = {sessions!r}: expected at least 1")
        end = min(last_session, self._calendar.last_complete_session(self._clock.now()))
        span = Span.ending(end, sessions, self._calendar)
        bars: dict[str, BarFrame] = {}
        for symbol in symbols:
            answer = self._session.query(f"bars of {symbol}", span.request(theirs(symbol)))
            frame = span.frame(symbol, answer, adjustment, self._dividends)
            if frame is not None:
                bars[symbol] = frame
        return bars

    # ── Private ────────────────────────────────────────────────────────────────────────

    def _find_account(self) -> str:
        rows = self._session.listed("accounts", lambda client: client.get_account_numbers())
        with reading("accounts"):
            hashes = {str(row["accountNumber"]): str(row["hashValue"]) for row in rows}
        if self._login.account_id not in hashes:
            raise SettingsError(
                f"The Schwab login opens {len(hashes)} account(s), and not the one that is "
                "configured; nothing was sent. Correct QPK_ACCOUNT_ID, or log in to Schwab again "
                "and tick that account."
            )
        return hashes[self._login.account_id]

    def _names(self, since: datetime) -> Mapping[str, str]:
        """Return the symbols of what is held or was traded, by their companies' names."""
        symbols = {held.symbol for held in self.positions()}
        symbols |= {fill.symbol for fill in self.fills_since(since)}
        if not symbols:
            return {}
        asked = [theirs(symbol) for symbol in sorted(symbols)]
        answer = self._session.query("names", lambda client: client.get_quotes(asked))
        return names_of({name: answer[name] for name in asked if name in answer})

    def _account_json(self) -> Mapping[str, Any]:
        answer = self._session.query(
            "the account", lambda client: client.get_account(self._hash, fields=["positions"])
        )
        with reading("the account"):
            shown: Mapping[str, Any] = answer["securitiesAccount"]
            if str(shown["accountNumber"]) != self._login.account_id:
                raise BrokerAnswerError(
                    "Schwab answered for another account than the one that was asked for; nothing "
                    "is assumed about either and nothing more was sent. Run again."
                )
            return shown
