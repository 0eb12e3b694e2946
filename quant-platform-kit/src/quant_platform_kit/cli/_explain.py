"""`qpk explain` and `qpk verify-evidence`: why an order exists, from a chain that shows tampering.

::

    fill <- broker's answers <- order <- checks <- leg, its rounding <- target <- decision <- inputs

Every branch is the reason for the one above it. All of it is read from the evidence, which was
written when it happened; the journal adds what is known of the order now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from string import hexdigits
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from rich.tree import Tree

from quant_platform_kit.cli._console import console
from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import (
    JsonOption,
    PlatformOption,
    answer,
    controls,
    end,
    runtime,
)
from quant_platform_kit.contracts import (
    ChainBreak,
    EvidenceEntry,
    EvidenceKind,
    Fill,
    Leg,
    OrderTerms,
    SleeveDecision,
    TargetMode,
    Verdict,
    VerdictKind,
    revive,
)
from quant_platform_kit.notify import Message, meaning, money, percent, price, shares

if TYPE_CHECKING:
    from quant_platform_kit.orders import JournalOrder
    from quant_platform_kit.runtime import Runtime

_HASH = 12  # enough to tell hashes apart
_ZERO = Decimal(0)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(explain)
    app.command("verify-evidence")(verify_evidence)


def explain(
    order: Annotated[
        str,
        typer.Argument(metavar="ORDER", help="The start of a client id, or a broker's order id."),
    ],
    *,
    platform: PlatformOption,
    as_json: JsonOption = False,
) -> None:
    """Explain an order, from its fills back to the inputs that led to it, and verify all of it."""
    with runtime(platform) as opened:
        found = find_one(opened, order)
        explanation = _explanation(opened, found)
    answer(explanation) if as_json else show(explanation)
    if explanation.broken is not None:
        end(ExitCode.FAILED, _broken(explanation.broken))


def verify_evidence(
    *,
    platform: PlatformOption,
    head: Annotated[
        str,
        typer.Option(
            metavar="HASH",
            help="What a report or heartbeat calls Evidence, or its beginning: must be there.",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Verify that no evidence of any run was changed or taken out; with --head, or cut off."""
    beginning = head.strip().lower()
    if not set(beginning) <= set(hexdigits):
        raise typer.BadParameter("expected a hash or its beginning", param_hint="--head")
    with controls(platform, to_change=False) as opened:
        last, broken = opened.verify_evidence(beginning)
    if as_json:
        answer({"broken": broken, "head": last})
    elif broken is None:
        console().print(f"evidence: whole, {last or 'empty'}")
    if broken is not None:
        end(ExitCode.FAILED, _broken(broken))


def find_one(opened: Runtime, text: str) -> JournalOrder:
    """Return the one order that `text` means, or end the command."""
    found = opened.find_orders(text) if text.strip() else ()  # nothing is the start of everything
    if not found:
        end(ExitCode.NOT_FOUND, f"no order {text!r}. `qpk show RUN` lists a run's orders.")
    if len(found) > 1:
        end(ExitCode.USAGE, f"{text!r} is the start of {len(found)} orders: add characters.")
    return found[0]


def _broken(broken: ChainBreak) -> str:
    return f"the evidence was changed: entry {broken.seq} {broken.problem}."


def _explanation(opened: Runtime, order: JournalOrder) -> Explanation:
    entries, broken = opened.evidence(order)
    parent = None
    if order.parent_client_id is not None:
        parent = _explanation(opened, find_one(opened, order.parent_client_id))
    return Explanation.of(order, entries, broken, parent)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is kept about why an order exists and has its size.

    Parameters
    ----------
    order : JournalOrder
        As the journal knows it now.
    chain : tuple of EvidenceEntry
        What is behind it, from its inputs to its fills.
    broken : ChainBreak or None
        Where the whole chain of hashes breaks, if it does.
    parent : Explanation or None
        Of the order whose purchase this one protects.
    """

    order: JournalOrder
    chain: tuple[EvidenceEntry, ...] = ()
    broken: ChainBreak | None = None
    parent: Explanation | None = None

    @classmethod
    def of(
        cls,
        order: JournalOrder,
        entries: Sequence[EvidenceEntry],
        broken: ChainBreak | None,
        parent: Explanation | None = None,
    ) -> Self:
        """Choose what is behind `order` among the evidence of its run and of itself."""
        return cls(order, tuple(_behind(order, entries)), broken, parent)

    def contents(self, kind: EvidenceKind) -> Iterator[Any]:
        """Yield the contents of one kind, oldest first."""
        return (json.loads(entry.payload) for entry in self.chain if entry.kind == kind)

    def hash(self, kind: EvidenceKind, key: str) -> str:
        """Return the beginning of an entry's hash."""
        hashes = [e.sha256 for e in self.chain if e.kind == kind and e.key == key]
        return hashes[-1][:_HASH] if hashes else "–"


def _behind(order: JournalOrder, entries: Sequence[EvidenceEntry]) -> Iterator[EvidenceEntry]:
    own = [entry for entry in entries if entry.key == order.client_id]
    first = own[0].seq if own else 0
    before = [entry for entry in entries if entry.seq < first and entry.run_key == order.run_key]
    sleeves = {part.sleeve for part in order.leg.contributors}
    # What a plan said of the symbol is no reason for the stop that followed.
    planned = set() if order.purpose.protects else {order.symbol}
    for kind, keys in (
        (EvidenceKind.COMMAND, None),
        (EvidenceKind.INPUTS, sleeves),
        (EvidenceKind.DECISION, sleeves),
        (EvidenceKind.TARGET, None),
        (EvidenceKind.LEG, planned),
        (EvidenceKind.VERDICT, planned),
    ):
        # A later attempt of the run planned anew: the last word before the order counts.
        last = {e.key: e for e in before if e.kind == kind and (keys is None or e.key in keys)}
        yield from sorted(last.values(), key=lambda entry: entry.seq)
    yield from own


# ── Printing ───────────────────────────────────────────────────────────────────────────


def show(explanation: Explanation) -> None:
    """Print the chain as a tree: every branch is the reason for the one above it."""
    out = console()
    out.print(_tree(explanation))
    if explanation.broken is None:
        out.print("evidence: the whole chain verifies")
    else:
        out.print(_broken(explanation.broken))


def _tree(explanation: Explanation) -> Tree:
    order = explanation.order
    fills = [revive(Fill, content["fill"]) for content in explanation.contents(EvidenceKind.FILL)]
    tree = Tree(_headline(order, fills))
    for content, fill in zip(explanation.contents(EvidenceKind.FILL), fills, strict=True):
        tree.add(_fill(fill, content["parts"]))
    sent = tree.add(_broker_order(order))
    for content in explanation.contents(EvidenceKind.ANSWER):
        sent.add(_answer(content))
    leg = sent.add(_leg_line(explanation))
    for sentence in _leg(order.leg):
        leg.add(sentence)
    checks = _checks(explanation)
    if checks:
        risk = leg.add("risk: " + checks[0])
        for sentence in checks[1:]:
            risk.add(sentence)
    _add_reasons(leg, explanation)
    return tree


def _headline(order: JournalOrder, fills: Sequence[Fill]) -> str:
    wish = f"{Message.of(order.side).en} {shares(order.quantity)} {order.symbol}"
    filled = sum((fill.quantity for fill in fills), _ZERO)
    if not filled:
        return f"{wish}: nothing is booked as filled"
    average = sum((fill.quantity * fill.price_usd for fill in fills), _ZERO) / filled
    fees = sum((fill.fee_usd for fill in fills), _ZERO)
    return f"{wish}: {shares(filled)} filled at {price(average)} on average, fee {money(fees)} USD"


def _fill(fill: Fill, parts: Iterable[Mapping[str, str]]) -> str:
    whose = ", ".join(f"{part['sleeve']} {Decimal(part['quantity']):+,f}" for part in parts)
    return (
        f"fill {fill.fill_id}: {shares(fill.quantity)} at {price(fill.price_usd)}, "
        f"{fill.at:%Y-%m-%d %H:%M:%S} UTC: {whose}"
    )


def _broker_order(order: JournalOrder) -> str:
    parts = [
        f"order {order.client_id}",
        f"the broker's {order.broker_order_id}" if order.broker_order_id else "no broker id",
        _terms(order.terms),
        Message.of(order.status).en,
        f"written {order.created_at:%Y-%m-%d %H:%M:%S} UTC",
        f"{order.code.value}: {order.detail}" if order.code else "",
    ]
    return ", ".join(part for part in parts if part)


def _terms(terms: OrderTerms) -> str:
    """Say at which price an order trades, and how long it works; nothing of the usual order."""
    if terms == OrderTerms():
        return ""
    prices = {
        "limit": terms.limit_price_usd,
        "trigger": terms.stop_price_usd,
        "distance": terms.trailing_ratio,
    }
    named = " ".join(f"{name} {value:f}" for name, value in prices.items() if value is not None)
    return f"{terms.order_type.value} {named} {terms.time_in_force.value}"


def _answer(content: Mapping[str, Any]) -> str:
    parts = (
        f"the broker: {content['status']}",
        content.get("broker_order_id") or "",
        content.get("code") or "",
        content.get("detail") or "",
    )
    return ", ".join(part for part in parts if part)


def _leg_line(explanation: Explanation) -> str:
    order = explanation.order
    if order.purpose.protects:
        found = explanation.hash(EvidenceKind.ORDER, order.client_id)
    else:
        found = explanation.hash(EvidenceKind.LEG, order.symbol)
    return f"leg of run {order.run_key}, {order.purpose.value}, evidence {found}"


def _leg(leg: Leg) -> tuple[str, ...]:
    held = shares(leg.current_quantity)
    return (
        f"target: {money(leg.target_usd)} USD; held: {money(leg.current_usd)} USD, {held} shares",
        f"price: {price(leg.price_usd)} of {leg.price_at:%Y-%m-%d %H:%M:%S} UTC",
        f"size: {_rounding(leg)}",
        f"order: {_difference(leg)}",
        f"why not larger: {_limit(leg)}",
    )


def _difference(leg: Leg) -> str:
    wanted, held = shares(leg.target_quantity), shares(leg.current_quantity)
    return f"{wanted} wanted, {held} held: {leg.side.value} {shares(leg.quantity)}"


def _rounding(leg: Leg) -> str:
    exact = f"{leg.exact_quantity:,.4f} shares exactly"
    if leg.exact_quantity == leg.target_quantity:
        return exact
    lost_usd = (leg.exact_quantity - leg.target_quantity) * leg.price_usd
    return f"{exact}, {shares(leg.target_quantity)} in whole lots: {money(lost_usd)} USD stay out"


def _limit(leg: Leg) -> str:
    if leg.limited_by is None:
        return "nothing limited it, this is the whole wish"
    return f"{leg.limited_by.value}, {meaning(leg.limited_by, 'en')}"


def _checks(explanation: Explanation) -> list[str]:
    """Say what the last checks before the order found, the verdict first."""
    given = [c["verdict"] for c in explanation.contents(EvidenceKind.ANSWER) if c.get("verdict")]
    given = given or [c["verdict"] for c in explanation.contents(EvidenceKind.VERDICT)]
    if not given:
        return []
    verdict = revive(Verdict, given[-1])
    lines = [verdict.kind.value]
    if verdict.kind is not VerdictKind.APPROVED and verdict.code is not None:
        lines = [f"{verdict.kind.value}, {verdict.code.value}: {verdict.detail}"]
    for check in verdict.checks:
        figures = ""
        if check.figure is not None and check.limit is not None:
            figures = f", {check.figure:f} of {check.limit:f}"
        lines.append(f"{check.name}: {check.status.value}{figures}")
    return lines


def _add_reasons(leg: Tree, explanation: Explanation) -> None:
    order = explanation.order
    if explanation.parent is not None:
        stop = leg.add(f"protects what {order.parent_client_id} bought")
        stop.add(_tree(explanation.parent))
        return
    commands = list(explanation.contents(EvidenceKind.COMMAND))
    for content in commands:
        leg.add(f"command: {content['action']} by {content['who']}: {content['why']}")
    decisions = list(explanation.contents(EvidenceKind.DECISION))
    if not decisions and not commands:
        leg.add("no decision is kept of its run")
    inputs = {e.key: json.loads(e.payload) for e in explanation.chain if _is_inputs(e)}
    for content in decisions:
        answered = revive(SleeveDecision, content)
        found = explanation.hash(EvidenceKind.DECISION, answered.profile)
        decision = leg.add(f"{_decision(answered, order.leg)}, evidence {found}")
        for sentence in _told(answered, inputs.get(answered.profile, {})):
            decision.add(sentence)


def _is_inputs(entry: EvidenceEntry) -> bool:
    return entry.kind == EvidenceKind.INPUTS


def _decision(sleeve: SleeveDecision, leg: Leg) -> str:
    parts = [
        f"{percent(part.amount)} of the capital"
        if sleeve.decision.mode is TargetMode.WEIGHT
        else f"{money(part.amount)} USD"
        for part in leg.contributors
        if part.sleeve == sleeve.profile
    ]
    wish = ", ".join(parts) or "no share"
    return f"decision of {sleeve.profile}: {sleeve.decision.outcome.value}, {wish} in {leg.symbol}"


def _told(sleeve: SleeveDecision, inputs: Mapping[str, Any]) -> Iterator[str]:
    yield f"inputs: SHA-256 {sleeve.inputs_sha256 or '–'}"
    if sleeve.snapshot is not None:
        yield f"snapshot: {sleeve.snapshot.as_of}, SHA-256 {sleeve.snapshot.sha256}"
    if inputs:
        yield f"configuration: SHA-256 {inputs['config_sha256']}"
        versions = ", ".join(f"{name} {v}" for name, v in sorted(inputs["versions"].items()))
        commit = f", commit {inputs['commit'][:_HASH]}" if inputs["commit"] else ""
        yield f"versions: {versions or '–'}{commit}"
