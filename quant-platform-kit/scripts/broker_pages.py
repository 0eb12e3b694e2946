"""The pages about brokers: what they can do, how to log in, and what their wires can do wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from quant_platform_kit.brokers import CAPABILITIES, SIMULATED_CAPABILITIES
from quant_platform_kit.contracts import Capabilities
from quant_platform_kit.settings import reference
from quant_platform_kit.simulators import WIRES, Wire, WireFault
from quant_platform_kit.testing import BROKER_CARDS, BrokerBench, BrokerCard
from quant_platform_kit.testing.broker_benches import described_bench, in_process_bench

FOLDER: Final = "docs/reference/brokers"
_FOREVER_DAYS: Final = 10_000

_ASSUMED: Final[Mapping[str, tuple[str, ...]]] = {
    "ibkr": (
        "The order in which TWS sends its messages, and the codes with which it refuses.",
        "Fields of orders that the kit does not send: combinations, options, advisers' groups.",
        "That a stop which was triggered overnight trades at the open.",
        "Pacing: the simulator turns requests away when it is told to, and not by itself.",
        "Dividends: TWS tells none. They come as cash, and no sleeve has them in its profit.",
    ),
    "schwab": (
        "There are no paper accounts at Schwab, so `qpk conform --paper` has nothing to run on.",
        "The words and codes of refusals; the adapter believes four status codes and no text.",
        "How soon an order shows up in the list after it was taken: fifteen seconds are waited.",
        "The first login in a browser; the kit begins with a token file.",
        "How transactions name a dividend's shares: by a leg, behind a tilde or by the company.",
        "A dividend whose company fits no holding and no recent trade is booked to the account.",
    ),
    "longbridge": (
        "The business codes of refusals; a code that proves nothing is left unresolved.",
        "That bars adjusted forward are adjusted for dividends as well as for splits.",
        "Orders “if touched” as the broker's stops, and that they trade in regular hours alone.",
        "The gateway's own rate limits, which the SDK meets by repeating itself.",
        "The names of rows in the cash flow; one that is not known is money that came or went.",
        "That accounts of its US entity have a cash flow: the SDK says that they have not.",
    ),
}


def pages() -> dict[str, str]:
    """Return the text of every page by its place in the repository."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        benches = {broker: described_bench(broker, folder) for broker in CAPABILITIES}
        here = in_process_bench(folder)
        own = {broker: _page(broker, bench) for broker, bench in benches.items()}
        return {
            f"{FOLDER}/index.md": _index(benches, here),
            f"{FOLDER}/cards.md": _cards(),
            **{f"{FOLDER}/{broker}.md": text for broker, text in own.items()},
        }


def _index(benches: Mapping[str, BrokerBench], here: BrokerBench) -> str:
    columns = {**CAPABILITIES, "simulated": SIMULATED_CAPABILITIES}
    claims = {name: _claims(each) for name, each in columns.items()}
    rows = [[claim, *(claims[name][claim] for name in columns)] for claim in claims["simulated"]]
    counts = [_applying(bench) for bench in (*benches.values(), here)]
    rows.append(["cards that apply", *(f"{count} of {len(BROKER_CARDS)}" for count in counts)])
    heads = [
        f"[{each.display_name}]({name}.md)" if name in benches else each.display_name
        for name, each in columns.items()
    ]
    return (
        "# Brokers\n\n"
        "What each adapter does, as it says itself; profiles are matched against it. Every claim\n"
        "is held against the adapter by one of the [numbered cards](cards.md), and one that is\n"
        "not true fails there.\n\n"
        + _table(["", *heads], rows)
        + "\nThe adapters run on the brokers' own SDKs, over real sockets, against simulators of\n"
        "the brokers' protocols. That proves that adapter and SDK handle what these send. It does\n"
        "not prove that the broker sends the same; each page says what is assumed.\n\n"
        "```\n"
        "qpk conform ibkr                      # every card that applies, at a simulator\n"
        "qpk conform ibkr --paper --json seen.json  # the safe ones, on your paper account\n"
        "```\n\n"
        "`--paper` logs in with the variables of the service. It refuses an account that does not\n"
        "say itself that it is a paper account, before anything is sent; what it sends is one\n"
        "purchase of one share at half the price at a time, which it cancels. The file holds what\n"
        "every card asked and was answered, without amounts or the account's number.\n"
    )


def _page(broker: str, bench: BrokerBench) -> str:
    can, wire = CAPABILITIES[broker], WIRES[broker]
    claims = [[claim, value] for claim, value in _claims(can).items()]
    variables = [
        [f"`{name}`", f"`{default}`" if default else "", text]
        for name, default, text in reference(broker)
    ]
    idle = [
        [card.number, card.title, reason]
        for card in BROKER_CARDS
        if (reason := card.lacking(bench))
    ]
    assumed = "".join(f"- {each}\n" for each in _ASSUMED[broker])
    return (
        f"# {can.display_name}\n\n"
        f"{_applying(bench)} of the {len(BROKER_CARDS)} [cards](cards.md) apply. Try them with\n"
        f"`qpk conform {broker}`.\n\n"
        "## What it can do\n\n"
        + _table(["", ""], claims)
        + "\n## Its login\n\nRead where `QPK_BROKER` names this broker.\n\n"
        + _table(["variable", "default", "meaning"], variables)
        + "\n## What can go wrong on its wire\n\n"
        "Each fault is a switch of its simulator (`qpk simulate`), and what the adapter makes of\n"
        "it is a card.\n\n"
        + _table(["fault", "what the adapter makes of it"], _faults(wire, bench))
        + "\nIts wire does not have the others:\n\n"
        + _table(["fault", "because"], [[f"`{fault}`", why] for fault, why in wire.without.items()])
        + "\n## Cards that do not apply\n\n"
        + _table(["card", "", "because"], idle)
        + "\n## What its simulator does not prove\n\n"
        + assumed
    )


def _faults(wire: Wire, bench: BrokerBench) -> list[list[str]]:
    return [[f"`{fault}`", _made_of(fault, bench)] for fault in wire.faults]


def _made_of(fault: WireFault, bench: BrokerBench) -> str:
    cards = (card for card in BROKER_CARDS if fault in card.faults and not card.lacking(bench))
    return "<br>".join(f"{card.number} {card.title}" for card in cards)


def _claims(can: Capabilities) -> dict[str, str]:
    limit = can.rate_limit
    return {
        "order types": _words(kind.value.replace("_", " ") for kind in can.order_types),
        "smallest quantity": f"{can.lot_shares} share{'s' if can.lot_shares != 1 else ''}",
        "extended hours": "yes" if can.extended_hours else "no",
        "client id travels as": f"`{can.client_tag}`"
        if can.client_tag
        else "nothing: by its facts",
        "ended orders are found for": _days(can.order_days),
        "a trailing stop's trigger is shown": "yes" if can.shows_trailing_trigger else "no",
        "bars adjusted for": _words(each.value.replace("_", " ") for each in can.adjustments),
        "total-return bars need": f"`{can.dividends_setting}`" if can.dividends_setting else "–",
        "columns of bars": _words(can.bar_columns),
        "dividends, taxes, interest, transfers": "told one by one"
        if can.tells_cash_movements
        else "not told: all are booked as money that came or went",
        "sales settle after": f"{can.settlement_sessions} session",
        "requests that it takes": "no limit" if limit is None else str(limit),
    }


def _days(days: int) -> str:
    if days > _FOREVER_DAYS:
        return "ever"
    return f"{days} days" if days > 1 else "the day"


def _words(words: Iterable[str]) -> str:
    return ", ".join(words)


def _applying(bench: BrokerBench) -> int:
    return sum(not card.lacking(bench) for card in BROKER_CARDS)


def _cards() -> str:
    text = (
        "# Cards of brokers\n\n"
        f"{len(BROKER_CARDS)} demands on every adapter. A number is never given to another card.\n"
        "Cards marked *safe* are those of `qpk conform --paper`.\n"
    )
    for group, cards in groupby(BROKER_CARDS, key=lambda card: card.group):
        rows = [_row(card) for card in cards]
        head = ["card", "given", "do", "expect", "passes with"]
        text += f"\n## {group}\n\n{_table(head, rows)}"
    return text


def _row(card: BrokerCard) -> list[str]:
    mark = " *safe*" if card.is_safe else ""
    name = f"**{card.number}**{mark}<br>{card.title}"
    return [name, card.prerequisites, card.steps, card.events, card.criteria]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
