"""The one trading gate: persisted, and read again before every order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import Connection, delete, insert, select

from quant_platform_kit.contracts import Side
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import Clock
from quant_platform_kit.risk._audit import PLATFORM, check_operator, record
from quant_platform_kit.store import Store, gate

_NAME = "trading"


class GateMode(StrEnum):
    """How much may be done; `PERMITTED` says what."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class Action(StrEnum):
    """What somebody wants to do with the account.

    REDUCE is a strategy's sale; CLOSE is an operator's own, of one position or of all. Holdings
    are long, so a purchase opens and a sale reduces.
    """

    OPEN = "open"
    REDUCE = "reduce"
    CLOSE = "close"
    CANCEL = "cancel"
    RECONCILE = "reconcile"
    QUERY = "query"

    @classmethod
    def of(cls, side: Side) -> Action:
        """Return what a strategy's order of this side does."""
        return cls.OPEN if side is Side.BUY else cls.REDUCE


PERMITTED: Mapping[GateMode, frozenset[Action]] = MappingProxyType(
    {
        GateMode.ACTIVE: frozenset(Action),
        GateMode.REDUCING: frozenset(Action) - {Action.OPEN},
        # No strategy trades; a person may still get out, and the platform may still find out.
        GateMode.HALTED: frozenset(
            {Action.CLOSE, Action.CANCEL, Action.RECONCILE, Action.QUERY},
        ),
    }
)
"""What each mode permits."""

_VERBS = {GateMode.ACTIVE: "resume", GateMode.REDUCING: "reduce", GateMode.HALTED: "halt"}


@dataclass(frozen=True, slots=True)
class GateState:
    """The gate as it stands: who set it, why, when, and until when."""

    mode: GateMode
    who: str = ""
    why: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def permits(self, action: Action) -> bool:
        """Tell whether `action` may be done now."""
        return action in PERMITTED[self.mode]


class TradingGate:
    """The gate of one store. Never set means ACTIVE; anything unreadable means HALTED.

    A state with an end lapses into ACTIVE, where limits decide again. A halt has no end: a person
    who resumes leaves it, and nothing else does.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def state(self) -> GateState:
        """Return the gate as it stands now."""
        with self._store.begin() as connection:
            row = connection.execute(select(gate).where(gate.c.name == _NAME)).mappings().first()
        if row is None:
            return GateState(GateMode.ACTIVE)
        if row["mode"] not in {mode.value for mode in GateMode}:
            return GateState(GateMode.HALTED, why=f"unreadable gate mode {row['mode']!r}")
        state = GateState(GateMode(row["mode"]), row["who"], row["why"], row["since"], row["until"])
        return self._lapsed(state)

    def _lapsed(self, state: GateState) -> GateState:
        if state.mode is GateMode.HALTED or state.until is None:
            return state
        if self._clock.now() < state.until:
            return state
        why = f"what {state.who} set ({state.mode.value}: {state.why}) has ended"
        return GateState(GateMode.ACTIVE, PLATFORM, why, since=state.until)

    def set(self, mode: GateMode, *, who: str, why: str, until: datetime | None = None) -> None:
        """Put the gate into `mode` on an operator's word; the audit log tells of it.

        Parameters
        ----------
        mode : GateMode
        who, why : str
        until : datetime, optional
            When limits decide again. ACTIVE with an end also keeps the platform from halting
            until then; the limits still apply to every order.

        Raises
        ------
        ContractError
            When nobody or nothing is named, the end is past, or a halt is given one.
        """
        check_operator(who, why)
        if until is not None and mode is GateMode.HALTED:
            raise ContractError("until: a halt has no end; only an operator who resumes leaves it")
        if until is not None and until <= self._clock.now():
            raise ContractError(f"until = {until.isoformat()}: expected an instant to come")
        self._put(GateState(mode, who, why, self._clock.now(), until))

    def halt(self, why: str) -> None:
        """Halt on the platform's own account: a limit that the operators gave it is reached."""
        self._put(GateState(GateMode.HALTED, PLATFORM, why, self._clock.now()))

    def _put(self, state: GateState) -> None:
        row = {
            "name": _NAME,
            "mode": state.mode.value,
            "who": state.who,
            "why": state.why,
            "since": state.since,
            "until": state.until,
        }

        def change(connection: Connection) -> None:
            connection.execute(delete(gate).where(gate.c.name == _NAME))
            connection.execute(insert(gate).values(row))

        detail = {"why": state.why, "until": state.until}
        record(self._store, state.who, _VERBS[state.mode], detail, self._clock, change=change)
