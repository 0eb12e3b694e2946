"""The operators' commands of risk: the gate, pauses, the bias, limits and the audit log.

They need no lease: a run that is in progress reads the gate before each of its orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from quant_platform_kit.cli._console import console, table
from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import (
    JsonOption,
    PlatformOption,
    WhoOption,
    WhyOption,
    answer,
    controls,
    end,
    instant,
    operator,
    runtime,
)
from quant_platform_kit.errors import ContractError

if TYPE_CHECKING:
    from quant_platform_kit.risk import AuditEntry, BiasReading, GateMode, GateState, Pause
    from quant_platform_kit.settings import Platform

_NO_BIAS = "off"
_LISTED_ENTRIES = 20
_MOST_ENTRIES = 1_000_000
_FINEST_BIAS = Decimal("0.000001")


UntilOption = Annotated[
    datetime | None,
    typer.Option(
        parser=instant,
        metavar="TIME",
        help="When limits decide again, such as 2020-03-31T16:00-04:00.",
    ),
]
StrategyArgument = Annotated[str, typer.Argument(metavar="STRATEGY", help="A profile.")]


@dataclass(frozen=True, slots=True)
class _Status:
    """Everything that steers trading, as it stands."""

    gate: GateState
    pauses: tuple[Pause, ...]
    bias: BiasReading


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (halt, resume, reduce, pause, unpause, limits, gate, audit):
        app.command()(command)
    app.command("set-bias")(set_bias)
    app.command("reset-peaks")(reset_peaks)


def halt(
    *, platform: PlatformOption, why: WhyOption, who: WhoOption = None, as_json: JsonOption = False
) -> None:
    """Halt: no strategy's order is sent until an operator resumes."""
    from quant_platform_kit.risk import GateMode

    _set_gate(platform, GateMode.HALTED, operator(who), why, as_json=as_json)


def resume(
    *,
    platform: PlatformOption,
    why: WhyOption,
    who: WhoOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trade again. A limit that halts by itself may halt again, but not before --until."""
    from quant_platform_kit.risk import GateMode

    _set_gate(platform, GateMode.ACTIVE, operator(who), why, until, as_json=as_json)


def reduce(
    *,
    platform: PlatformOption,
    why: WhyOption,
    who: WhoOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
) -> None:
    """Only reduce: sales are sent, purchases are not."""
    from quant_platform_kit.risk import GateMode

    _set_gate(platform, GateMode.REDUCING, operator(who), why, until, as_json=as_json)


def _set_gate(
    platform: Platform,
    mode: GateMode,
    who: str,
    why: str,
    until: datetime | None = None,
    *,
    as_json: bool,
) -> None:
    from quant_platform_kit.risk import TradingGate

    with controls(platform, to_change=True) as opened:
        trading = TradingGate(opened.store, opened.clock)
        trading.set(mode, who=who, why=why, until=until)
        state = trading.state()
    answer({"gate": state}) if as_json else console().print(_gate_line(state))


def pause(
    strategy: StrategyArgument,
    *,
    platform: PlatformOption,
    why: WhyOption,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause a strategy: its sleeve keeps what it holds."""
    from quant_platform_kit.risk import Pauses

    with controls(platform, to_change=True) as opened:
        _require_running(platform, strategy)
        pauses = Pauses(opened.store, opened.clock)
        pauses.pause(strategy, who=operator(who), why=why)
        _show_pauses(tuple(pauses.all().values()), as_json=as_json)


def unpause(
    strategy: StrategyArgument,
    *,
    platform: PlatformOption,
    why: WhyOption,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a paused strategy trade again."""
    from quant_platform_kit.risk import Pauses

    with controls(platform, to_change=True) as opened:
        pauses = Pauses(opened.store, opened.clock)
        pauses.unpause(strategy, who=operator(who), why=why)
        _show_pauses(tuple(pauses.all().values()), as_json=as_json)


def _require_running(platform: Platform, strategy: str) -> None:
    """Refuse a name that no sleeve has: the pause would stop nothing."""
    with runtime(platform) as opened:
        running = [sleeve.profile for sleeve in opened.parts.sleeves]
    if strategy not in running:
        raise ContractError(f"strategy = {strategy!r}: expected one of {', '.join(running)}")


def set_bias(
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help=f"From 0 to 1, or `{_NO_BIAS}` for none.")
    ],
    *,
    platform: PlatformOption,
    why: WhyOption,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Multiply every limit by VALUE, until it is stale: then by a half."""
    from quant_platform_kit.risk import Bias

    factor = None if value.lower() == _NO_BIAS else _factor(value)
    with controls(platform, to_change=True) as opened:
        bias = Bias(opened.store, opened.clock)
        if factor is None:
            bias.clear(who=operator(who), why=why)
        else:
            bias.set(factor, who=operator(who), why=why)
    stands = {"bias": factor}
    answer(stands) if as_json else console().print(f"bias: {value}")


def _factor(text: str) -> Decimal:
    try:
        factor = Decimal(text)
        if factor == factor.quantize(_FINEST_BIAS):
            return factor
    except InvalidOperation:
        pass
    raise typer.BadParameter(
        f"expected a number from 0 to 1 with at most six decimals, or {_NO_BIAS}",
        param_hint="VALUE",
    )


def reset_peaks(*, platform: PlatformOption, why: WhyOption, who: WhoOption = None) -> None:
    """Let drawdowns count from the next run on, not from the best result so far."""
    from quant_platform_kit.risk import Peaks

    with controls(platform, to_change=True) as opened:
        Peaks(opened.store, opened.clock).reset(who=operator(who), why=why)
    console().print("peaks: forgotten; the next run's results are the new ones")


def gate(*, platform: PlatformOption, as_json: JsonOption = False) -> None:
    """Show the gate, the pauses and the bias."""
    from quant_platform_kit.risk import Bias, Pauses, TradingGate

    with controls(platform, to_change=False) as opened:
        status = _Status(
            TradingGate(opened.store, opened.clock).state(),
            tuple(Pauses(opened.store, opened.clock).all().values()),
            Bias(opened.store, opened.clock).reading(opened.limits().bias),
        )
    if as_json:
        answer(status)
        return
    out = console()
    out.print(_gate_line(status.gate))
    for paused in status.pauses:
        out.print(_pause_line(paused))
    out.print(f"bias: {status.bias.factor:f}")
    if status.bias.alarm:
        out.print(status.bias.alarm)


def limits(*, platform: PlatformOption, as_json: JsonOption = False) -> None:
    """Show every limit: as the file says, and after the bias."""
    from quant_platform_kit.risk import Bias

    with controls(platform, to_change=False) as opened:
        written = opened.limits()
        reading = Bias(opened.store, opened.clock).reading(written.bias)
    scaled = written.scaled(reading.factor)
    if as_json:
        answer({"bias": reading, "limits": written, "scaled": scaled})
        return
    listed = table("Limits", "limit", "value", "after the bias", "meaning")
    for (name, value, meaning), (_, after, _) in zip(
        written.entries(), scaled.entries(), strict=True
    ):
        listed.add_row(name, _shown(value), _shown(after), meaning)
    console().print(listed)


def audit(
    *,
    platform: PlatformOption,
    count: Annotated[
        int, typer.Option(min=1, max=_MOST_ENTRIES, help="How many entries.")
    ] = _LISTED_ENTRIES,
    as_json: JsonOption = False,
) -> None:
    """List what operators did, newest first, and verify that nobody changed the list."""
    from quant_platform_kit.risk import entries, verify

    with controls(platform, to_change=False) as opened:
        found, broken = entries(opened.store, count), verify(opened.store)
    if as_json:
        answer({"entries": found, "broken": broken})
    else:
        _show_entries(found)
    if broken is not None:
        end(ExitCode.FAILED, f"the audit log was changed: entry {broken.seq} {broken.problem}.")


def _show_entries(found: Sequence[AuditEntry]) -> None:
    listed = table(f"{len(found)} latest entries", "number", "time", "who", "action", "detail")
    for entry in found:
        detail = ", ".join(f"{k}: {v}" for k, v in entry.detail.items() if v is not None)
        listed.add_row(str(entry.seq), _time(entry.at), entry.who, entry.action, detail)
    console().print(listed)


def _show_pauses(pauses: Sequence[Pause], *, as_json: bool) -> None:
    if as_json:
        answer({"pauses": pauses})
        return
    lines = [_pause_line(paused) for paused in pauses] or ["no strategy is paused"]
    console().print("\n".join(lines))


def _gate_line(state: GateState) -> str:
    parts = [
        f"gate: {state.mode.value}",
        f"since {_time(state.since)}" if state.since else "",
        f"until {_time(state.until)}" if state.until else "",
        f"by {state.who}: {state.why}" if state.who else state.why,
    ]
    return ", ".join(part for part in parts if part)


def _pause_line(paused: Pause) -> str:
    return f"{paused.strategy}: {paused}, since {_time(paused.since)}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, Mapping) else str(value)
