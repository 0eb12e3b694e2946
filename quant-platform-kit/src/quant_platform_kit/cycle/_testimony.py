"""What a run knows, as facts for the evidence: why each of its orders exists, or why none does."""

from __future__ import annotations

from quant_platform_kit.contracts import (
    CycleReport,
    EvidenceKind,
    Fact,
    LegVerdict,
    OrderPlan,
    SleeveDecision,
)
from quant_platform_kit.cycle._parts import Parts, Progress


def reasons(parts: Parts, progress: Progress) -> tuple[Fact, ...]:
    """Return what the run decided, wished and planned, from the inputs to the checks of its legs.

    Of a run that was cut off, a later attempt has the same inputs and decisions and a plan of its
    own.
    """
    facts = list(_asked(parts, progress))
    if progress.target is not None:
        facts.append(Fact(EvidenceKind.TARGET, "account", progress.target))
    if progress.plan is not None:
        facts += _legs(progress.plan)
    return (*facts, *_verdicts(progress.verdicts))


def ending(parts: Parts, progress: Progress, report: CycleReport) -> tuple[Fact, ...]:
    """Return how the run ended, and the last word on every leg that did not become an order."""
    refused = [v for v in progress.verdicts if not v.verdict.approved]
    last = {
        "outcome": report.outcome,
        "code": report.code,
        "reason": report.reason,
        "finished_at": report.finished_at,
    }
    return (
        *_asked(parts, progress),
        *_verdicts(refused),
        Fact(EvidenceKind.OUTCOME, str(report.attempt), last),
    )


def _asked(parts: Parts, progress: Progress) -> tuple[Fact, ...]:
    facts = []
    if progress.frame is None:  # what an earlier attempt decided on, it has told itself
        facts = [_inputs(parts, progress, answer) for answer in progress.decisions]
    return (
        *facts,
        *(Fact(EvidenceKind.DECISION, answer.profile, answer) for answer in progress.decisions),
    )


def _inputs(parts: Parts, progress: Progress, answer: SleeveDecision) -> Fact:
    strategies = {sleeve.profile: sleeve.strategy for sleeve in parts.sleeves}
    content = {
        "session": progress.session,
        "inputs_sha256": answer.inputs_sha256,
        "snapshot": answer.snapshot,
        "config_sha256": strategies[answer.profile].config_sha256,
        "versions": parts.versions,
        "commit": parts.commit,
    }
    return Fact(EvidenceKind.INPUTS, answer.profile, content)


def _legs(plan: OrderPlan) -> list[Fact]:
    sized = {
        "capital_base_usd": plan.capital_base_usd,
        "sized_on_usd": plan.sized_on_usd,
        "reserve_usd": plan.reserve_usd,
        "rounding": plan.rounding,
    }
    return [Fact(EvidenceKind.LEG, leg.symbol, {"leg": leg, **sized}) for leg in plan.legs]


def _verdicts(verdicts: tuple[LegVerdict, ...] | list[LegVerdict]) -> list[Fact]:
    return [Fact(EvidenceKind.VERDICT, each.symbol, each) for each in verdicts]
