"""What is kept of every run so that each order can be explained: facts, in a chain of hashes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EvidenceKind(StrEnum):
    """What a fact is about; each is the reason for the ones below it.

    ======== ============================= ==========================================
    kind     key                           content
    ======== ============================= ==========================================
    command  the operator's verb           who, why, what was asked for
    inputs   the sleeve                    digests of what its strategy was told
    decision the sleeve                    what the strategy answered
    target   `account`                     the account's wish
    leg      the symbol                    one order of the plan, with its arithmetic
    verdict  the symbol                    the risk checks of a leg
    order    the client id                 what was sent, why, and its last checks
    answer   the client id                 what the broker said of it
    fill     the client id                 one execution, and who got which part
    movement the broker's id               a dividend, tax, fee or transfer, and whose it is
    outcome  the number of the attempt     how the run ended
    ======== ============================= ==========================================
    """

    COMMAND = "command"
    INPUTS = "inputs"
    DECISION = "decision"
    TARGET = "target"
    LEG = "leg"
    VERDICT = "verdict"
    ORDER = "order"
    ANSWER = "answer"
    FILL = "fill"
    MOVEMENT = "movement"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to keep; `content` is anything that has a canonical form."""

    kind: EvidenceKind
    key: str
    content: object


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
    """A fact as it is kept: `payload` is its content's canonical text."""

    seq: int
    run_key: str
    kind: str
    key: str
    payload: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first entry at which a chain of hashes does not hold, and what is wrong with it."""

    seq: int
    problem: str
