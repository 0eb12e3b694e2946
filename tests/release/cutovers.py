"""Cutovers on which everything goes wrong at random: seeded schedules, and what has to hold.

``python -m tests.release.cutovers --seeds 200`` tries schedules, ``--seed 7`` shows one of them.

A schedule is a desk, a service in the stand-in for Google Cloud, and what operators do to it one
after the other. Each command is a process of its own, which a call of `gcloud` may kill. What the
cloud then is, is read from the cloud: the records have to say the same, or the commands have to
refuse until somebody has said what it is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from quant_platform_kit.errors import ReleaseRefused
from quant_platform_kit.release import (
    Ending,
    Kind,
    PlatformPlace,
    Record,
    Records,
    State,
    read_service,
)
from quant_platform_kit.release._standing import Standing, standing, state_of, way_back
from quant_platform_kit.release._variables import of_profile
from quant_platform_kit.testing.gcloud import Cloud, Strike
from tests.desk import PROFILE, Desk, git, make_wheelhouse, world
from tests.release.conftest import deploy_a_desk
from tests.release.operators import SERVICE, Broken, Outcome, Words, begin, require

PROFILES: Final = (PROFILE, "global_etf_rotation", "nasdaq_sp500_smart_dca")
BY_HAND: Final = (
    {"QPK_LANGUAGES": "zh"},
    {"EXECUTION_MODE": "paper"},
    {"STRATEGY_PROFILE": "nasdaq_sp500_smart_dca"},
)
SHORT, LONG = 6, 20

_HASTY, _PATIENT = 2, 6  # how often a service is looked at
_DEEPEST_CALL: Final = 9
_AGAIN: Final = 4
_CHOICES: Final = (*("switch", "rollback") * 3, *("deploy",) * 2, "verify", "adopt")
# Shares of the steps.
_BY_HAND, _ADOPTED, _NEW_CODE, _FAULT, _STRIKE = 0.15, 0.5, 0.8, 0.25, 0.6
_REFUSED: Final = ("Nothing was changed", "Nothing was done", "Nothing was deployed")
_HAS_DONE_IT: Final = "a rollback that was cut off, has done it"


@dataclass(frozen=True)
class Served:
    """What a revision is made of: its variables, and the folder of its image's content."""

    variables: Mapping[str, str]
    image: Path


@dataclass(frozen=True)
class Look:
    """A service as the cloud has it, and what its records say of that."""

    serves: Served
    generation: int
    state: State
    is_ready: bool
    raw: tuple[Record, ...]
    known: Standing

    @property
    def agrees(self) -> bool:
        """Whether the records say what is, and nothing is open or broken."""
        newest = self.known.newest
        return self.is_ready and newest is not None and not self.known.trouble


@dataclass
class Count:
    """What a number of schedules saw."""

    schedules: int = 0
    commands: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, other: Count) -> None:
        self.schedules += other.schedules
        self.commands += other.commands
        self.troubles += other.troubles
        self.broken += other.broken


# ── What is, and what has to hold ──────────────────────────────────────────────────────


def look(desk: Desk, cloud: Cloud) -> Look:
    """Return what is, from the cloud's own memory and from the disk; nobody is asked."""
    found = read_service(json.dumps(cloud.service(SERVICE)))
    place = desk.layout.platform("ibkr")
    raw = Records(desk.layout.records, SERVICE).all()
    return Look(
        serves=Served(cloud.environment(SERVICE), cloud.image(SERVICE)),
        generation=found.generation,
        state=state_of(place, found),
        is_ready=found.is_ready,
        raw=raw,
        known=standing(raw, place, found),
    )


def check_records(was: Look, now: Look) -> None:
    """At most the newest record is open, and none that is settled is ever another."""
    open_ones = [record.number for record in now.raw if record.ending is Ending.BEGUN]
    require(open_ones in ([], [len(now.raw)]), f"records {open_ones} of {len(now.raw)} are open")
    settled = [record for record in was.raw[:-1] if record.ending is not Ending.BEGUN]
    changed = [each.number for each in settled if each not in now.raw]
    require(not changed, f"records {changed} were written again")


class Schedule:
    """One service, and what befalls it."""

    def __init__(self, desk: Desk, cloud: Cloud, seed: int) -> None:
        self.desk, self.cloud = desk, cloud
        self.random = Random(seed)  # noqa: S311 (chance that repeats is what is wanted)
        self.place: PlatformPlace = desk.layout.platform("ibkr")
        self.trace: list[str] = []
        self.count = Count(schedules=1)
        self.now = look(desk, cloud)
        self.served: dict[int, Served | None] = {}
        """What served before each record; None where somebody else came between."""
        self.agreed: Served | None = self.now.serves
        self.is_foreign = False
        """Whether somebody else has changed the service since records and cloud agreed."""

    def run(self, steps: int) -> None:
        """Take steps at random."""
        for _ in range(steps):
            if self.random.random() < _BY_HAND:
                self.change_by_hand()
            self.step(self.draw_command())

    def draw_command(self) -> Words:
        """Return a command, more often one that has a chance."""
        if self.now.known.differences and self.random.random() < _ADOPTED:
            return "adopt", ""
        name = self.random.choice(_CHOICES)
        back = way_back(self.now.known.records)
        if name == "rollback" and (back is None or not back[1].image):
            name = "switch"  # there is nothing to take back
        if name == "deploy" and self.random.random() < _NEW_CODE:
            self.desk.write("ibkr", "README.md", f"{self.random.random()}\n")
            git(self.desk.root, "push", "--quiet")
        return name, self.random.choice(PROFILES) if name == "switch" else ""

    def draw_trouble(self) -> None:
        """Let something befall the next command."""
        draw = self.random.random()
        if draw < _FAULT:
            fault = self.random.choice(("fail", "slow"))
            self.tell(f"next revision: {fault}")
            self.count.troubles[fault] += 1
            getattr(self.cloud, fault)(SERVICE)
            if fault == "slow":
                self.cloud.lose(SERVICE)
        elif draw < _FAULT + _STRIKE:
            how = self.random.choice(tuple(Strike))
            call = self.random.randint(1, _DEEPEST_CALL)
            self.tell(f"call {call}: {how}")
            self.count.troubles[how.value] += 1
            self.cloud.strike(call, how, SERVICE, self.random.choice(BY_HAND))

    def change_by_hand(self) -> None:
        """Let somebody change the service past the records."""
        sets = self.random.choice(BY_HAND)
        self.tell(f"by hand: {sets}")
        self.count.troubles["by hand"] += 1
        self.cloud.change(SERVICE, sets)
        self.is_foreign = True
        self.now = look(self.desk, self.cloud)

    def step(self, words: Words) -> None:
        """Let a command run into trouble; then ask for it again without any."""
        was = self.now
        wanted = self.wanted(words) if was.agrees else None
        self.draw_trouble()
        outcome, crossed = self.command(words, self.random.choice((_HASTY, _PATIENT)))
        newest = self.now.known.newest
        has_failed = newest is not None and newest.ending is Ending.PARTIAL
        if outcome.is_done or wanted is None or crossed or has_failed:
            return
        before = None
        for _ in range(_AGAIN):
            if outcome.is_done or outcome == before or _HAS_DONE_IT in outcome.said:
                break
            before, (outcome, _) = outcome, self.command(words, _PATIENT)
        require(
            self.parts(self.now.serves)[: len(wanted)] == wanted,
            "asked for again, it did not end as it would have at once",
        )

    def command(self, words: Words, looks: int) -> tuple[Outcome, bool]:
        """Run a command to the end of its last call; check what is, and return what became of it.

        Also whether somebody else has changed the service meanwhile.
        """
        was = self.now
        outcome = begin(self.desk, words, looks)()
        self.cloud.wait()
        struck = self.cloud.spare()
        crossed = Strike.CROSSED.value in struck
        self.tell(f"{' '.join(words).strip()}: {outcome}")
        self.count.commands[f"{words[0]} {str(outcome).partition(':')[0]}"] += 1
        self.now = look(self.desk, self.cloud)
        self.is_foreign |= crossed
        check_records(was, self.now)
        self.check_changes(was, words, outcome, crossed=crossed)
        self.check_agreement()
        self.check_rollback(was, words, outcome)
        if self.now.agrees:
            self.agreed, self.is_foreign = self.now.serves, False
        return outcome, crossed

    def check_changes(self, was: Look, words: Words, outcome: Outcome, *, crossed: bool) -> None:
        """See that nothing is changed without a record of it, or by what was refused."""
        now = self.now
        new = [record for record in now.raw[len(was.raw) :] if record.kind is not Kind.ADOPT]
        made = now.generation - was.generation - crossed
        require(made <= len(new) <= 1, f"{made} changes, and {len(new)} records of them")
        require(not made or words[0] in ("switch", "deploy", "rollback"), "it changed the service")
        if made and crossed:
            self.agreed = None  # what served between the two, nobody saw
        for record in now.raw[len(was.raw) :]:
            self.served[record.number] = self.agreed if record.kind is Kind.ADOPT else was.serves
        if not crossed and (outcome.said.startswith(_REFUSED) or was.known.differences):
            require(not made, "it was refused, and changed the service")
        if not self.is_foreign:
            require(not now.known.differences, f"nobody else did this: {now.known.differences}")
        if words[0] == "switch" and outcome.is_done:
            require(now.serves.variables["STRATEGY_PROFILE"] == words[1], "it serves another")

    def check_agreement(self) -> None:
        """See that what the records are taken for is what is."""
        newest, now = self.now.known.newest, self.now
        if newest is None or now.known.differences:
            return
        require(newest.after == now.state, f"record {newest.number} is not what is")
        if newest.ending is Ending.PARTIAL:
            require(not now.is_ready, f"record {newest.number} serves")
        if newest.ending is Ending.LANDED and not self.is_foreign:
            require(now.is_ready, f"record {newest.number} does not serve")

    def check_rollback(self, was: Look, words: Words, outcome: Outcome) -> None:
        """See that what served before serves again, and that nothing else is touched."""
        if words[0] != "rollback" or not outcome.is_done:
            return
        record = self.now.known.records[-1]
        require(record.kind is Kind.ROLLBACK and record.ending is Ending.LANDED, "not recorded")
        require(record.takes_back in self.served, f"record {record.takes_back} was never made")
        before = self.served[record.takes_back or 0]
        if before is not None:
            require(self.parts(self.now.serves) == self.parts(before), "it serves another one")
        if was.is_ready:
            require(self.others(self.now.serves) == self.others(was.serves), "it changed others")

    def wanted(self, words: Words) -> tuple[object, ...] | None:
        """Return what has to serve in the end, whatever happens on the way; None if not known."""
        profile, commit, image = self.parts(self.now.serves)
        if words[0] == "switch":
            gone = ("STRATEGY_PROFILE", "IBKR_STRATEGY_CONFIG_PATH")
            same = words[1] == profile["STRATEGY_PROFILE"]
            kept = {k: v for k, v in profile.items() if same or k not in gone}
            return kept | {"STRATEGY_PROFILE": words[1]}, commit, image
        if words[0] == "deploy":
            return profile, self.desk.head("ibkr")
        back = way_back(self.now.known.records) if words[0] == "rollback" else None
        if back is not None and back[1].image:
            before = self.served[back[0].number]
            return None if before is None else self.parts(before)
        return profile, commit, image

    def parts(self, served: Served) -> tuple[Mapping[str, str], str, Path]:
        """Return what changes are about."""
        variables = served.variables
        return of_profile(self.place, variables), variables.get("QPK_COMMIT", ""), served.image

    def others(self, served: Served) -> Mapping[str, str]:
        """Return the variables that no change is about."""
        about = {*of_profile(self.place, served.variables), "QPK_COMMIT"}
        return {name: value for name, value in served.variables.items() if name not in about}

    def tell(self, line: str) -> None:
        """Add a line to the trace."""
        self.trace.append(line)


# ── Many of them ───────────────────────────────────────────────────────────────────────


def try_schedule(running: Path, seed: int, steps: int) -> Schedule:
    """Try one schedule on a copy of a desk and a cloud that run; tell what broke in its trace."""
    with tempfile.TemporaryDirectory(prefix="cutovers-") as name:
        folder = Path(name)
        for each in ("configs", "desk", "remotes"):
            shutil.copytree(running / each, folder / each, symlinks=True)
        cloud = Cloud(running / "cloud").copy(folder / "cloud")
        outer = os.environ["PATH"]
        os.environ["PATH"] = f"{cloud.path}{os.pathsep}{outer}"
        schedule = Schedule(Desk(folder / "desk", siblings=False), cloud, seed)
        try:
            schedule.run(steps)
        except (Broken, ReleaseRefused) as broken:
            trace = "\n  ".join(schedule.trace)
            schedule.count.broken.append(f"seed {seed}: {broken}\n  {trace}")
        finally:
            os.environ["PATH"] = outer
    return schedule


def main(arguments: list[str]) -> int:
    """Try many schedules, or show one; return 1 when something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.release.cutovers", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=LONG)
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args(arguments)
    seeds = range(asked.first, asked.first + asked.seeds)
    count = Count()
    with tempfile.TemporaryDirectory(prefix="cutovers-") as name:
        running = run_a_desk(Path(name))
        for seed in seeds if asked.seed is None else (asked.seed,):
            schedule = try_schedule(running, seed, asked.steps)
            count.add(schedule.count)
            told = schedule.count.broken if asked.seed is None else schedule.trace
            sys.stdout.writelines(f"{line}\n" for line in told)
            sys.stdout.flush()
    sys.stdout.writelines(f"{line}\n" for line in lines(count))
    return int(bool(count.broken))


def lines(count: Count) -> list[str]:
    """Return what a number of schedules saw, for people."""
    told = [f"{count.schedules:,} schedules, {sum(count.commands.values()):,} commands"]
    told += (
        ", ".join(f"{what} {number:,}" for what, number in sorted(counted.items()))
        for counted in (count.commands, count.troubles)
    )
    return told


def run_a_desk(folder: Path) -> Path:
    """Make a desk, and a cloud that runs what is pinned there, in a folder."""
    wheelhouse = folder / "wheels"
    wheelhouse.mkdir()
    make_wheelhouse(wheelhouse)
    os.environ |= world(wheelhouse)
    deploy_a_desk(folder)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
