"""Where TWS or IB Gateway is, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IbkrLogin:
    """Where TWS or IB Gateway listens, and whose account is meant.

    Parameters
    ----------
    host : str
    port : int
        7497 and 4002 are the usual ports of paper accounts, 7496 and 4001 of live ones.
    client_id : int
        Number of this program at TWS; no two programs may use the same. An order can only be
        cancelled under the number that it was placed with.
    account : str
        May be blank when the login has one account; with several it says which.
    tws_time_zone : str
        Of times that come without one.
    messages_per_sec : int
        Sent at most; TWS hangs up on who sends more than it allows, which is 50 for an account
        with the usual number of market data lines. 0 for no limit.
    connect_secs, query_secs, order_secs, bars_secs : float
        How long a connection, a query, the answer to an order, and daily bars may take.
    cancel_secs : float
        How long a cancel waits for the order's end.
    commission_secs : float
        How long executions wait for their commissions.
    settle_secs : float
        How long an order of unknown fate is looked for before its absence counts.
    """

    host: str = "127.0.0.1"
    port: int = 7497
    client_id: int = 1
    account: str = field(default="", repr=False)
    tws_time_zone: str = "America/New_York"
    messages_per_sec: int = 45
    connect_secs: float = 10.0
    query_secs: float = 20.0
    order_secs: float = 10.0
    bars_secs: float = 120.0
    cancel_secs: float = 3.0
    commission_secs: float = 5.0
    settle_secs: float = 2.0
