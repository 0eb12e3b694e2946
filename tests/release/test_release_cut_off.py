"""A change that breaks off, or meets another one: what is left, and how one goes on from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release import (
    Ending,
    Kind,
    Patience,
    Record,
    Records,
    State,
    adopt,
    plan_deployment,
    plan_rollback,
    plan_switch,
    verify_live,
)
from quant_platform_kit.release._standing import way_back
from quant_platform_kit.testing.gcloud import Cloud, Strike
from tests.desk import PROFILE, Desk, git
from tests.release.conftest import NOW, PATIENCE
from tests.release.cutovers import SHORT, try_schedule
from tests.release.operators import SERVICE, Outcome, begin

OTHER, THIRD = "global_etf_rotation", "nasdaq_sp500_smart_dca"

Running = tuple[Desk, Cloud]

LONG = pytest.mark.long  # commands of seconds each: CI has the gravest, `make fuzz` all


def switch(desk: Desk, profile: str = OTHER, patience: Patience = PATIENCE) -> Record:
    change = plan_switch(desk.layout, SERVICE, profile).change
    return change.make(why="", now=NOW, patience=patience)


def rollback(desk: Desk) -> Record:
    place = desk.layout.platform("ibkr")
    return plan_rollback(desk.layout, place, SERVICE).make(why="", now=NOW, patience=PATIENCE)


def deploy(desk: Desk) -> tuple[Record, ...]:
    found = plan_deployment(desk.layout, desk.layout.platform("ibkr"))
    return found.make(why="", now=NOW, patience=PATIENCE)


def records(desk: Desk) -> tuple[Record, ...]:
    return Records(desk.layout.records, SERVICE).all()


def endings(desk: Desk) -> list[str]:
    return [record.ending.value for record in records(desk)]


def profile_of(cloud: Cloud) -> str:
    return cloud.environment(SERVICE)["STRATEGY_PROFILE"]


def command(desk: Desk, cloud: Cloud, words: tuple[str, str]) -> Outcome:
    """Run a command in a process of its own, to the end of its last call."""
    outcome = begin(desk, words)()
    cloud.wait()
    return outcome


def refusal(act: Callable[[], object]) -> ReleaseRefused:
    with pytest.raises(ReleaseRefused) as caught:
        act()
    return caught.value


# ── Broken off ─────────────────────────────────────────────────────────────────────────


def test_a_change_that_never_began_is_in_nobodys_way(running: Running) -> None:
    desk, cloud = running
    switch(desk)
    cloud.strike(3, Strike.KILLED)
    assert command(desk, cloud, ("switch", THIRD)).died
    assert endings(desk) == ["landed", "landed", "begun"]
    assert rollback(desk).takes_back == 2
    assert profile_of(cloud) == PROFILE
    assert endings(desk) == ["landed", "landed", "nothing", "landed"]


def test_a_rollback_that_was_cut_off_is_not_made_twice(running: Running) -> None:
    desk, cloud = running
    switch(desk)
    switch(desk, THIRD)
    cloud.strike(3, Strike.UNHEARD)
    assert command(desk, cloud, ("rollback", "")).died
    again = refusal(lambda: rollback(desk))
    assert "record 4, a rollback that was cut off, has done it" in again.message
    assert profile_of(cloud) == OTHER
    assert rollback(desk).takes_back == 2  # asked for once more, it goes one further back


def test_nobody_changes_a_service_while_a_call_of_a_dead_program_goes_on(running: Running) -> None:
    desk, cloud = running
    cloud.strike(3, Strike.ORPHANED)
    with cloud.barrier():
        assert begin(desk, ("switch", OTHER))().died
        meanwhile = refusal(lambda: switch(desk, THIRD))
    assert "a call that was cut off has not ended yet" in meanwhile.message
    cloud.wait()
    assert verify_live(desk.layout, SERVICE, heartbeat="").expected.profile == OTHER
    assert endings(desk) == ["landed", "landed"]


@LONG
def test_a_new_revision_that_takes_long_lands_though_the_answer_was_lost(running: Running) -> None:
    desk, cloud = running
    cloud.lose(SERVICE)
    cloud.slow(SERVICE)
    assert switch(desk, patience=Patience(pause_secs=0, attempts=5)).ending is Ending.LANDED


@LONG
def test_a_change_that_takes_longer_than_anybody_waits_stays_open_until_it_is_known(
    running: Running,
) -> None:
    desk, cloud = running
    cloud.lose(SERVICE)
    cloud.slow(SERVICE)
    assert "not yet" in refusal(lambda: switch(desk)).message
    assert "is under way" in refusal(lambda: switch(desk, THIRD)).message
    assert endings(desk) == ["landed", "begun"]
    verify_live(desk.layout, SERVICE, heartbeat="")
    assert endings(desk) == ["landed", "landed"]


@LONG
def test_nobody_says_that_nothing_was_done_when_that_is_not_known(running: Running) -> None:
    desk, cloud = running
    cloud.strike(4, Strike.DENIED)
    cloud.strike(5, Strike.DENIED)
    said = refusal(lambda: switch(desk)).message
    assert f"{SERVICE} may be changed: the call was made" in said
    assert "nothing was" not in said.lower()
    assert (profile_of(cloud), endings(desk)) == (OTHER, ["landed", "begun"])


@LONG
def test_jobs_that_could_not_be_made_are_made_by_the_same_command(running: Running) -> None:
    desk, cloud = running
    desk.write("ibkr", "README.md", "Changed.\n")
    git(desk.root, "push", "--quiet")
    cloud.deny(f"{SERVICE}-close")
    assert "has the new code, and not all of its jobs" in refusal(lambda: deploy(desk)).message
    cloud.allow(f"{SERVICE}-close")
    assert deploy(desk) == ()
    assert endings(desk) == ["landed", "landed"]


# ── Revisions that do not start ────────────────────────────────────────────────────────


@LONG
def test_a_first_deployment_that_does_not_start_is_corrected_by_another(running: Running) -> None:
    desk, cloud = running
    cloud.remove(SERVICE)
    for path in desk.layout.records.glob(f"{SERVICE}/*"):
        path.unlink()
    cloud.fail(SERVICE)
    assert "did not become what was meant" in refusal(lambda: deploy(desk)).message
    assert endings(desk) == ["partial"]
    assert [record.ending for record in deploy(desk)] == [Ending.LANDED]
    assert refusal(lambda: rollback(desk)).code is ReasonCode.RECORD_MISSING


@LONG
def test_a_rollback_that_does_not_start_is_tried_again_and_goes_no_further(
    running: Running,
) -> None:
    desk, cloud = running
    switch(desk)
    switch(desk, THIRD)
    cloud.fail(SERVICE)
    assert refusal(lambda: rollback(desk)).code is ReasonCode.SERVICE_CHANGED
    assert profile_of(cloud) == THIRD
    assert rollback(desk).takes_back == 3
    assert profile_of(cloud) == OTHER


@LONG
def test_what_was_made_over_a_failure_goes_back_to_what_served_before_both(
    running: Running,
) -> None:
    desk, cloud = running
    before = cloud.environment(SERVICE)
    for text in ("Broken.\n", "Mended.\n"):
        desk.write("ibkr", "README.md", text)
        git(desk.root, "push", "--quiet")
        if text == "Broken.\n":
            cloud.fail(SERVICE)
            refusal(lambda: deploy(desk))
        else:
            deploy(desk)
    rollback(desk)
    assert cloud.environment(SERVICE) == before


# ── Somebody else ──────────────────────────────────────────────────────────────────────


def test_two_operators_at_once_make_one_change_after_the_other_or_only_one(
    running: Running,
) -> None:
    desk, cloud = running
    ends = [begin(desk, ("switch", profile)) for profile in (OTHER, THIRD)]
    outcomes = [end() for end in ends]
    done = [profile for profile, o in zip((OTHER, THIRD), outcomes, strict=True) if o.is_done]
    landed = [r.after.variables["STRATEGY_PROFILE"] for r in records(desk)[1:]]
    assert done
    assert sorted(landed) == sorted(done)
    assert profile_of(cloud) == landed[-1]


def test_what_somebody_made_by_hand_is_recorded_before_anything_else_and_can_be_taken_back(
    running: Running,
) -> None:
    desk, cloud = running
    switch(desk)
    cloud.change(SERVICE, {"STRATEGY_PROFILE": THIRD})
    for act in (lambda: switch(desk, PROFILE), lambda: rollback(desk), lambda: deploy(desk)):
        said = refusal(act)
        assert said.code is ReasonCode.SERVICE_CHANGED
        assert f"STRATEGY_PROFILE is {THIRD} and not {OTHER}" in said.message
    found = verify_live(desk.layout, SERVICE, heartbeat="").findings
    assert any("qpk release adopt ibkr" in finding.text for finding in found)
    adopted = adopt(desk.layout, SERVICE, why="colleague", now=NOW)
    assert (adopted.kind, adopted.ending) == (Kind.ADOPT, Ending.LANDED)
    with pytest.raises(ReleaseRefused, match="nothing to adopt"):
        adopt(desk.layout, SERVICE, why="", now=NOW)
    assert rollback(desk).takes_back == adopted.number
    assert profile_of(cloud) == OTHER


@LONG
def test_a_change_that_crosses_another_one_says_so(running: Running) -> None:
    desk, cloud = running
    cloud.strike(3, Strike.CROSSED, SERVICE, {"QPK_LANGUAGES": "zh"})
    assert "somebody else changed it in the same moment" in refusal(lambda: switch(desk)).message
    assert (profile_of(cloud), endings(desk)) == (OTHER, ["landed", "landed"])


@LONG
def test_records_of_a_colleague_are_fetched_before_anything_goes_by_ours(
    running: Running, tmp_path: Path
) -> None:
    desk, cloud = running
    theirs = tmp_path / "theirs"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "remotes" / "desk.git"), str(theirs))
    git(desk.root, "add", "records")
    git(desk.root, "commit", "--quiet", "--message", "Deployed")
    git(desk.root, "push", "--quiet")
    git(theirs, "pull", "--quiet")
    switch(Desk(theirs, siblings=False))
    git(theirs, "add", "records")
    git(theirs, "commit", "--quiet", "--message", "Switched")
    git(theirs, "push", "--quiet")
    behind = refusal(lambda: rollback(desk))
    assert (behind.code, "git pull" in behind.message) == (ReasonCode.RECORD_MISSING, True)
    git(desk.root, "pull", "--quiet")
    assert rollback(desk).takes_back == 2
    assert profile_of(cloud) == PROFILE


@LONG
@pytest.mark.parametrize("numbers", [(1, 3), (1, 2, 2)])
def test_records_of_which_one_is_missing_or_twice_there_are_not_gone_by(
    tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    kept = Records(tmp_path, SERVICE)
    for number, kind in zip(numbers, Kind, strict=False):
        kept.write(replace(RECORD, number=number, kind=kind))
    said = refusal(kept.all)
    assert said.code is ReasonCode.RECORD_MISSING
    assert ", ".join(map(str, numbers)) in said.message


RECORD = Record(
    number=1,
    kind=Kind.DEPLOY,
    platform="ibkr",
    service=SERVICE,
    at=NOW,
    who="desk@desk.invalid",
    why="",
    before=State(),
    after=State(),
)


@given(st.data())
def test_the_way_back_is_what_served_before_however_often_a_change_failed(
    data: st.DataObject,
) -> None:
    serves = told = State("0", "0")
    history: list[Record] = []
    kept = [(0, State())]
    for number in range(1, data.draw(st.integers(1, 12)) + 1):
        back = way_back(tuple(history))
        goes_back = back is not None and data.draw(st.booleans())
        after = back[1] if back is not None and goes_back else State(f"{number}", f"{number}")
        ending = data.draw(st.sampled_from([Ending.LANDED, Ending.PARTIAL, Ending.NOTHING]))
        taken = back[0].number if back is not None and goes_back else None
        kind = Kind.ROLLBACK if goes_back else Kind.DEPLOY
        record = replace(RECORD, number=number, kind=kind, before=told, after=after)
        history.append(replace(record, ending=ending, takes_back=taken))
        told = told if ending is Ending.NOTHING else after
        if ending is Ending.LANDED:
            kept = kept[:-1] if goes_back and kept[-1][0] == taken else kept
            kept = kept if goes_back else [*kept, (number, serves)]
            serves = after
    found = way_back(tuple(history))
    last = next((r for r in reversed(history) if r.ending is not Ending.NOTHING), None)
    if last is None or last.ending is Ending.LANDED:
        expected = kept[-1] if kept[1:] else None
        assert (None if found is None else (found[0].number, found[1])) == expected


def test_whatever_befalls_cutovers_records_and_cloud_agree_or_nothing_goes_on(
    running_folder: Path,
) -> None:
    assert not try_schedule(running_folder, seed=1, steps=SHORT).count.broken
