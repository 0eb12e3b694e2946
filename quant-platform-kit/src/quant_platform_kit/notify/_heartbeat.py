"""One run's report as a message that reads well on a phone and in a log."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from quant_platform_kit.contracts import (
    CycleReport,
    Decision,
    ExecutionMode,
    Heartbeat,
    OrderLine,
    OrderStatus,
    Outcome,
    PositionLine,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.notify._block import Block
from quant_platform_kit.notify._format import money, percent, price, shares
from quant_platform_kit.notify._messages import Message, check_language
from quant_platform_kit.notify._reasons import meaning
from quant_platform_kit.notify._urgency import Urgency, urgency

_ICONS = {
    Outcome.TRADED: "✅",
    Outcome.NO_ACTION: "⚪",
    Outcome.BLOCKED: "🟠",
    Outcome.FAILED: "🔴",
}
# A slot that traded may have left something to look at: no sign of success then.
_LOOK = {Urgency.TODAY: "🟠", Urgency.NOW: "🔴"}
_CALLS = {Urgency.TODAY: Message.LOOK_TODAY, Urgency.NOW: Message.ACT_NOW}
# A snapshot's hash and a commit are recognised by their beginning.
_SHORT = 12
# A universe has a thousand symbols, a phone has one screen.
_NAMED_SYMBOLS = 6
# What every quiet day says of most symbols: the count tells enough.
_UNREMARKABLE = frozenset({ReasonCode.AT_TARGET, ReasonCode.SLEEVE_FROZEN})

# The broker is asked again about every order of a slot that ended like this.
_BROKER_ASKED_AGAIN = frozenset({ReasonCode.BROKER_UNAVAILABLE})
_FATES = (
    Message.FATE_FILLED,
    Message.FATE_PARTLY,
    Message.FATE_UNFILLED,
    Message.FATE_UNSENT,
    Message.FATE_OPEN,
)

_ZERO = Decimal(0)

_log = logging.getLogger("quant_platform_kit.heartbeat")


def heartbeat(report: CycleReport, language: str) -> Heartbeat:
    """Return the message about one run: what happened, what is held, and what it ran on.

    It ends with the `Block` that programs read.

    Parameters
    ----------
    report : CycleReport
        Its account is masked already; nothing else in it identifies the account.
    language : str
        ``en`` or ``zh``.

    Raises
    ------
    ContractError
        For another language.
    """
    check_language(language)
    return Heartbeat(
        run_key=report.run_key,
        language=language,
        title=_title(report, language),
        body=_Page(report, language).body(),
    )


def log_heartbeat(message: Heartbeat) -> None:
    """Write the message to the log ``quant_platform_kit.heartbeat``, as one record."""
    _log.info("%s\n%s", message.title, message.body)


def _title(report: CycleReport, language: str) -> str:
    names = [s.display_name.get(language, s.profile) for s in report.strategies]
    outcome = Message.of(report.outcome).text(language)
    if report.code is not None:
        outcome = f"{outcome} {report.code.value}"
    parts = (report.platform.upper(), " + ".join(names), outcome)
    return f"{_icon(report)} {' · '.join(part for part in parts if part)}"


def _icon(report: CycleReport) -> str:
    if report.outcome in (Outcome.BLOCKED, Outcome.FAILED):
        return _ICONS[report.outcome]
    return _LOOK.get(urgency(report)[0], _ICONS[report.outcome])


class _Page:
    """The body's sections; each is a list of lines, and an empty one is left out."""

    def __init__(self, report: CycleReport, language: str) -> None:
        self._report = report
        self._language = language

    def body(self) -> str:
        """Return the sections with a blank line between them."""
        sections = (
            self._summary(),
            self._run(),
            self._money(),
            self._section(Message.POSITIONS, self._positions()),
            self._section(Message.ORDERS, [self._order(line) for line in self._report.orders]),
            self._section(Message.SKIPPED, self._skipped()),
            self._section(Message.FROZEN, self._frozen()),
            self._section(Message.NOTES, self._report.notes),
            self._provenance(),
            [Block.of(self._report).text()],
        )
        return "\n\n".join("\n".join(lines) for lines in sections if lines)

    def _say(self, message: Message, **values: object) -> str:
        return message.text(self._language, **values)

    def _field(self, label: Message, value: str) -> str:
        return self._say(Message.FIELD, label=self._say(label), value=value)

    def _section(self, heading: Message, lines: Iterable[str]) -> list[str]:
        indented = [f"  {line}" for line in lines]
        return [self._say(heading), *indented] if indented else []

    def _summary(self) -> list[str]:
        report = self._report
        lines = [self._call()]
        if report.code is not None:
            lines.append(meaning(report.code, self._language))
        elif report.orders:
            turnover = self._say(Message.USD, amount=money(report.turnover_usd))
            count = len(report.orders)
            lines.append(self._say(Message.TRADED_SUMMARY, count=count, turnover=turnover))
        unfinished = report.code in _BROKER_ASKED_AGAIN and not report.consumes_slot
        if unfinished:
            lines.append(self._so_far())
        if report.reason.strip():
            lines.append(self._field(Message.WHY, report.reason.strip()))
        if unfinished:
            lines.append(self._field(Message.TO_DO, self._say(Message.ASK_AGAIN)))
        if report.outdated:
            lines.append(self._say(Message.OUTDATED))
        return lines

    def _call(self) -> str:
        """Say whether somebody has to act: more than this line nobody may read tonight."""
        soon, codes = urgency(self._report)
        if soon is Urgency.NONE:
            return self._say(Message.NOTHING_FOR_YOU)
        return " · ".join((self._say(_CALLS[soon]), *(code.value for code in codes)))

    def _so_far(self) -> str:
        """Say what became of the orders: the reason speaks of one call to the broker alone."""
        fates = Counter(_fate(order) for order in self._report.orders if not _waits(order))
        if fates.keys() <= {Message.FATE_UNSENT}:
            return self._say(Message.NO_ORDER)
        counts = [self._say(fate, count=fates[fate]) for fate in _FATES if fates[fate]]
        return self._field(Message.ORDERS_SO_FAR, " · ".join(counts))

    def _run(self) -> list[str]:
        lines = [self._field(Message.MODE, self._mode())]
        decisions = {answer.profile: answer.decision for answer in self._report.decisions}
        for strategy in self._report.strategies:
            lines += [
                self._field(Message.PROFILE, strategy.profile),
                self._field(Message.INPUTS, self._say(Message.of(strategy.input_mode))),
                *self._decision(decisions.get(strategy.profile)),
            ]
        return [
            *lines,
            self._field(Message.SESSION, self._session()),
            self._field(Message.ACCOUNT, self._report.account),
        ]

    def _mode(self) -> str:
        environment = self._report.environment
        connected = Message.BROKER_NOT_ASKED if environment is None else Message.of(environment)
        mode = self._say(connected)
        if self._report.mode is ExecutionMode.DRY_RUN:
            mode = f"{mode} · {self._say(Message.DRY_RUN)}"
        return mode

    def _decision(self, decision: Decision | None) -> list[str]:
        if decision is None:
            return []
        answer = self._say(Message.of(decision.outcome))
        if decision.code is not None:
            answer = f"{answer} {decision.code.value}"
        if decision.reason and decision.reason != self._report.reason:
            answer = f"{answer} – {decision.reason}"
        lines = [self._field(Message.DECISION, answer)]
        if decision.risk_flags:
            lines.append(self._field(Message.RISK_FLAGS, ", ".join(decision.risk_flags)))
        return lines

    def _session(self) -> str:
        report = self._report
        day = self._say(Message.UNKNOWN) if report.session is None else report.session.isoformat()
        parts = [day, self._say(Message.SLOT, slot=report.slot)]
        if report.attempt > 1:
            parts.append(self._say(Message.ATTEMPT, number=report.attempt))
        return " · ".join(parts)

    def _money(self) -> list[str]:
        amounts = (
            (Message.EQUITY, self._report.equity_usd),
            (Message.CASH, self._report.cash_usd),
            (Message.CAPITAL, self._report.capital_base_usd),
        )
        lines = [
            self._field(label, self._say(Message.USD, amount=money(amount)))
            for label, amount in amounts
            if amount is not None
        ]
        return lines + self._dividends()

    def _dividends(self) -> list[str]:
        paid = self._report.dividends_usd
        if not paid:
            return []
        total = self._say(Message.USD, amount=money(sum(paid.values(), _ZERO)))
        symbols = ", ".join(symbol or self._say(Message.UNKNOWN) for symbol in sorted(paid))
        return [self._field(Message.DIVIDENDS, f"{total} · {symbols}")]

    def _positions(self) -> list[str]:
        lines = sorted(self._report.positions, key=_by_importance)
        symbol_width = max((len(line.symbol) for line in lines), default=0)
        shares_width = max((len(shares(line.quantity)) for line in lines), default=0)
        return [
            f"{line.symbol:<{symbol_width}}  {shares(line.quantity):>{shares_width}}"
            f"  {percent(line.weight):>6} {self._wish(line)}"
            for line in lines
        ]

    def _wish(self, line: PositionLine) -> str:
        if not line.managed:
            return f"· {self._say(Message.NOT_MANAGED)}"
        return f"→ {percent(line.target_weight)}"

    def _order(self, order: OrderLine) -> str:
        size = shares(order.quantity)
        if _ZERO < order.filled_quantity < order.quantity:
            size = f"{shares(order.filled_quantity)}/{size}"
        at = "" if order.average_price_usd is None else f" @ {price(order.average_price_usd)}"
        parts = [
            f"{self._say(Message.of(order.side))} {size} {order.symbol}{at}",
            self._stop(order),
            self._say(_status(order)),
            order.code.value if order.code is not None else "",
            order.detail,
        ]
        return " · ".join(part for part in parts if part)

    def _stop(self, order: OrderLine) -> str:
        """Say that an order waits for a price: it sells nothing yet."""
        if not order.purpose.protects:
            return ""
        level, distance = order.terms.stop_price_usd, order.terms.trailing_ratio
        words = [self._say(Message.STOP if distance is None else Message.TRAILING_STOP)]
        if distance is not None:
            words.append(percent(distance))
        if level is not None:
            words.append(price(level))
        return " ".join(words)

    def _skipped(self) -> list[str]:
        by_code: dict[ReasonCode, list[str]] = {}
        for skipped in self._report.skipped:
            by_code.setdefault(skipped.code, []).append(skipped.symbol)
        return [
            self._skipped_line(code, sorted(by_code[code]))
            for code in ReasonCode
            if code in by_code
        ]

    def _skipped_line(self, code: ReasonCode, symbols: list[str]) -> str:
        line = self._say(Message.CODE_COUNT, code=code.value, count=len(symbols))
        if code in _UNREMARKABLE:
            return line
        named = symbols[:_NAMED_SYMBOLS]
        if len(symbols) > _NAMED_SYMBOLS:
            named.append(self._say(Message.MORE, count=len(symbols) - _NAMED_SYMBOLS))
        return f"{line} · {', '.join(named)}"

    def _frozen(self) -> list[str]:
        # A sleeve that answered HOLD or BLOCKED is frozen by its own decision, shown above.
        answered = {(d.profile, d.decision.reason) for d in self._report.decisions}
        return [
            f"{frozen.sleeve} · {frozen.code.value} · "
            f"{frozen.detail or meaning(frozen.code, self._language)}"
            for frozen in self._report.frozen
            if (frozen.sleeve, frozen.detail) not in answered
        ]

    def _provenance(self) -> list[str]:
        report = self._report
        versions = [f"{name} {version}" for name, version in sorted(report.versions.items())]
        read = [f"{ref.as_of.isoformat()} · {ref.sha256[:_SHORT]}" for ref in report.snapshots]
        unknown = self._say(Message.UNKNOWN)
        return [
            self._field(Message.SNAPSHOT, ", ".join(read) or self._say(Message.NONE)),
            self._field(Message.VERSIONS, ", ".join(versions) or unknown),
            self._field(Message.COMMIT, report.commit[:_SHORT] or unknown),
            *self._bundle(),
            self._field(Message.RUN, report.run_key),
            *self._evidence(),
        ]

    def _bundle(self) -> list[str]:
        # A service on a desk has none.
        return [self._field(Message.BUNDLE, self._report.bundle)] if self._report.bundle else []

    def _evidence(self) -> list[str]:
        # Whole: it is what a reader of this message can later hold the store to.
        head = self._report.evidence_sha256
        return [self._field(Message.EVIDENCE, head)] if head else []


def _status(order: OrderLine) -> Message:
    # "Rejected" would be read as the broker's word.
    return Message.NOT_SENT if order.code is ReasonCode.NEVER_SENT else Message.of(order.status)


def _fate(order: OrderLine) -> Message:
    if order.code is ReasonCode.NEVER_SENT or order.status is OrderStatus.PENDING:
        return Message.FATE_UNSENT
    if not order.status.is_final:
        return Message.FATE_OPEN
    if order.filled_quantity == order.quantity:
        return Message.FATE_FILLED
    return Message.FATE_PARTLY if order.filled_quantity else Message.FATE_UNFILLED


def _waits(order: OrderLine) -> bool:
    """Tell whether an order is a stop that waits for its price: nobody has to look at it."""
    return order.purpose.protects and order.status is OrderStatus.SUBMITTED


def _by_importance(line: PositionLine) -> tuple[bool, Decimal, str]:
    return (not line.managed, -(line.value_usd or _ZERO), line.symbol)
