"""A release rehearsed on a scratch copy: released, switched, broken and taken back, with the time.

The copy goes through the commands of the runbooks. Git, pip and the services are real; the remotes
are folders, and Google Cloud is `testing.gcloud`. Nothing of the desk itself is changed.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.release import Layout, PlatformPlace, Version, environment, status
from quant_platform_kit.testing._drill_copy import Copy, git, make_copy
from quant_platform_kit.testing._drill_market import DrillMarket
from quant_platform_kit.testing.gcloud import Cloud

_SERVED: Final = ("kit", "strategies")
_REFUSED: Final = 9
_BROKEN_IMPORT: Final = '\nraise RuntimeError("a drill breaks this on purpose")\n'
_BROKEN_RUNS: Final = """

@app.before_request
def _break_runs() -> None:
    \"\"\"Fail whatever is asked but for the health: a drill breaks this on purpose.\"\"\"
    if flask.request.path != "/health":
        raise RuntimeError("a drill breaks this on purpose")
"""

Tell = Callable[[str, float], None]
"""Is told what was done, and how many seconds it took."""


class DrillFailed(Exception):
    """A step did not end as it has to; the message is what it said."""


@dataclass(slots=True)
class Drill:
    """One drill under way.

    Parameters
    ----------
    copy : Copy
    cloud : Cloud
    market : DrillMarket
    tell : callable
    platforms : tuple of str
        Those that take part.
    seconds : dict of str to float
        What each step took.
    """

    copy: Copy
    cloud: Cloud
    market: DrillMarket
    tell: Tell
    platforms: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def places(self) -> tuple[PlatformPlace, ...]:
        """The platforms that take part."""
        return tuple(self.copy.layout.platform(name) for name in self.platforms)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Time a block, and tell."""
        started = time.monotonic()
        yield
        self.seconds[what] = time.monotonic() - started
        self.tell(what, self.seconds[what])

    def release(self, *words: str, ends: int = 0) -> str:
        """Run `qpk release …` on the copy, and return what it printed.

        Raises
        ------
        DrillFailed
            It ended with another code than `ends`.
        """
        command = (sys.executable, "-m", "quant_platform_kit.cli", "release", *words)
        done = subprocess.run(  # noqa: S603 (our own)
            (*command, "--root", str(self.copy.root)), capture_output=True, text=True, check=False
        )
        if done.returncode != ends:
            said = f"{done.stdout}{done.stderr}"
            raise DrillFailed(f"`release {' '.join(words)}` ended {done.returncode}:\n{said}")
        return done.stdout

    def publish(self, role: str, version: Version) -> None:
        """Announce a version of a package, release it, and push its tag."""
        self.copy.announce(role, version)
        package = self.copy.layout.package(role)
        head = git(package.repository, "rev-parse", "HEAD")
        said = self.release(role, str(version), "--reviewed", head)
        (push,) = (line for line in said.splitlines() if line.startswith("next: "))
        subprocess.run(shlex.split(push.removeprefix("next: ")), check=True, capture_output=True)  # noqa: S603 (git)

    def pin(self, versions: dict[str, Version]) -> None:
        """Pin every platform, and publish the pins."""
        options = (word for role, v in versions.items() for word in (f"--{role}", str(v)))
        self.release("pins", *options)
        self.copy.commit("Pins of the platforms")

    def run(self, service: str) -> dict[str, Any]:
        """Let a service run its slot, as Cloud Scheduler does, and return its answer."""
        place = self.copy.layout.service(service)
        commit = self.cloud.environment(service)["QPK_COMMIT"]
        built = environment(self.copy.layout, place, commit)
        return self.cloud.run(service, built.python, {"slot": "close"})


def drill(layout: Layout, tell: Tell, platforms: tuple[str, ...] = ()) -> None:
    """Rehearse a release and its rollback.

    Parameters
    ----------
    layout : Layout
        What is copied, at the commits that are checked out.
    tell : callable
    platforms : tuple of str, optional
        Those that take part; every one when empty.

    Raises
    ------
    DrillFailed
        A step did not end as it has to.
    """
    with tempfile.TemporaryDirectory(prefix="drill-") as name, _world(Path(name)) as cloud:
        folder = Path(name)
        market = DrillMarket(folder / "market")
        told = {"QPK_SIMULATED_MARKET": str(market.closes), "QPK_STATE_DIR": str(folder / "state")}
        started = time.monotonic()
        copy = make_copy(layout, folder, told)
        tell("copy of the repositories, each with a remote", time.monotonic() - started)
        names = platforms or tuple(place.name for place in copy.layout.platforms)
        under_way = Drill(copy, cloud, market, tell, names)
        good = _release(under_way)
        _deploy(under_way)
        _switch(under_way)
        _fail(under_way, good)


def _release(drill: Drill) -> dict[str, Version]:
    found = {each.package.role: each.version for each in status(drill.copy.layout).packages}
    good = {role: Version(found[role].major, found[role].minor + 1, 0) for role in _SERVED}
    for role, version in good.items():
        with drill.step(f"{role} {version}: released and pushed"):
            drill.publish(role, version)
    with drill.step("every platform pinned"):
        drill.pin(good)
    for place in drill.places:
        with drill.step(f"{place.name}: built from its pins, started and asked"):
            drill.release("verify-pins", place.name)
    return good


def _deploy(drill: Drill) -> None:
    profiles: dict[str, Mapping[str, Any]] = {}
    for place in drill.places:
        with drill.step(f"{place.name}: deployed, with its jobs"):
            drill.release("deploy", place.name, "--apply", "--why", "drill")
        commit = drill.cloud.environment(place.services[0])["QPK_COMMIT"]
        profiles |= environment(drill.copy.layout, place, commit).profiles()
    drill.market.write(tuple(p for p in profiles.values() if p["role"] != "example"))
    for place in drill.places:
        for service in place.services:
            with drill.step(f"{service}: its slot run, its heartbeat verified"):
                drill.run(service)
                drill.release("verify", place.name, "--service", service)


def _switch(drill: Drill) -> None:
    """Switch one service to a profile that reads snapshots, and back."""
    place = drill.places[0]
    service = place.services[0]
    ranked = _ranked(drill, place)
    given = None if ranked is None else drill.market.publish(ranked)
    if ranked is None or given is None:
        drill.tell("no profile that reads snapshots could be tried", 0.0)
        return
    sets = (f"{place.name.upper()}_{name}={value}" for name, value in given.items())
    to = ("--profile", ranked, *(word for each in sets for word in ("--set", each)))
    back = ("--profile", drill.cloud.environment(service)["STRATEGY_PROFILE"])
    for words, what in ((to, f"{service}: switched to {ranked}"), (back, f"{service}: back")):
        with drill.step(f"{what}, after a comparison; run and verified"):
            drill.release("shadow", place.name, "--service", service, *words)
            where = (place.name, "--service", service)
            drill.release("switch", *where, *words, "--apply", "--why", "drill")
            drill.run(service)
            drill.release("verify", *where)


def _ranked(drill: Drill, place: PlatformPlace) -> str | None:
    commit = drill.cloud.environment(place.services[0])["QPK_COMMIT"]
    profiles = environment(drill.copy.layout, place, commit).profiles()
    ready = (
        name
        for name, profile in profiles.items()
        if profile["input_mode"] == "snapshot" and profile["platforms"][place.name]["enabled"]
    )
    return max(
        ready, key=lambda name: profiles[name]["platforms"][place.name]["default"], default=None
    )


def _fail(drill: Drill, good: dict[str, Version]) -> None:
    """Release a kit that does not start, then one whose runs fail; the first never gets far."""
    place = drill.places[0]
    service = place.services[0]
    where = (place.name, "--service", service)
    kit = drill.copy.layout.package("kit")
    dead = Version(good["kit"].major, good["kit"].minor, 1)
    with drill.step(f"kit {dead}, which does not start: released, pinned, refused by its trial"):
        source = next((kit.repository / kit.folder / "src").glob("*/__init__.py"))
        whole = source.read_text(encoding="utf-8")
        source.write_text(whole + _BROKEN_IMPORT, encoding="utf-8")
        drill.publish("kit", dead)
        drill.pin(good | {"kit": dead})
        drill.release("verify-pins", place.name, ends=_REFUSED)
        drill.release("deploy", place.name, ends=_REFUSED)
        source.write_text(source.read_text(encoding="utf-8").replace(_BROKEN_IMPORT, ""), "utf-8")
    ill = Version(dead.major, dead.minor, dead.patch + 1)
    main = place.path / "main.py"
    healthy = main.read_text(encoding="utf-8")
    with drill.step(f"kit {ill}, whose runs fail: released, deployed"):
        main.write_text(
            healthy.replace("\nfrom quant", "\nimport flask\nfrom quant", 1) + _BROKEN_RUNS, "utf-8"
        )
        drill.publish("kit", ill)
        drill.pin(good | {"kit": ill})
        drill.release("verify-pins", place.name)
        drill.release("deploy", place.name, "--apply", "--why", "drill")
    with drill.step(f"{service}: run, and found wrong"):
        drill.run(service)
        drill.release("verify", *where, ends=_REFUSED)
    with drill.step(f"{service}: taken back, run"):
        drill.release("rollback", *where, "--apply", "--why", "drill")
        if "report" not in drill.run(service):
            raise DrillFailed(f"{service} does not run after it was taken back")
    with drill.step("every platform pinned back, and the service verified"):
        main.write_text(healthy, encoding="utf-8")
        drill.pin(good)
        drill.release("verify", *where)
    *_, found, back, _ = drill.seconds.values()
    drill.tell("from the run that failed to one that did not", found + back)


@contextmanager
def _world(folder: Path) -> Iterator[Cloud]:
    """Put a cloud of its own before PATH for the block; environments go to a scratch cache."""
    cloud = Cloud.make(folder / "cloud", project="drill")
    kept = dict(os.environ)  # noqa: TID251 (put back after the block)
    os.environ["PATH"] = f"{cloud.path}{os.pathsep}{kept.get('PATH', os.defpath)}"  # noqa: TID251
    os.environ["RELEASE_CACHE"] = str(folder / "cache")  # noqa: TID251
    try:
        yield cloud
    finally:
        os.environ.clear()  # noqa: TID251
        os.environ.update(kept)  # noqa: TID251
