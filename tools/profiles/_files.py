"""The files of the folder: a page and a chart for each profile, and the list of all."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from quant_platform_kit.brokers import CAPABILITIES
from quant_platform_kit.contracts import Role, Rollout
from quant_platform_kit.strategy import Profile, load_catalog
from tools.profiles._chart import chart
from tools.profiles._page import index, page
from tools.profiles._replay import replay
from tools.profiles._stand_ins import on_stand_ins

ROOT = Path(__file__).parents[2]
_WORKERS = 2


def files() -> dict[str, str]:
    """Return the text of every file by name."""
    profiles = _profiles()
    # The slowest first, so that no process is left waiting at the end.
    names = [each.manifest.profile for each in sorted(profiles, key=_is_direct)]
    context = get_context("spawn")
    with ProcessPoolExecutor(_WORKERS, mp_context=context) as pool:
        made = [pair for pairs in pool.map(profile_files, names) for pair in pairs]
    return {**dict(sorted(made)), "README.md": index(profiles, _rollouts())}


def profile_files(name: str) -> list[tuple[str, str]]:
    """Return the page and the chart of one profile, with their file names."""
    profile = load_catalog().find(name)
    strategy = on_stand_ins(profile)
    track = replay(strategy)
    title, declared = profile.manifest.display_name["en"], strategy.manifest
    picture = chart(track, title, declared.benchmark, declared.safe_haven)
    return [(f"{name}.md", page(profile, track, _rollouts())), (f"{name}.svg", picture)]


def _profiles() -> list[Profile]:
    catalog = load_catalog().profiles.values()
    return [each for each in catalog if each.manifest.role is not Role.EXAMPLE]


def _is_direct(profile: Profile) -> bool:
    return profile.manifest.snapshot is None


def _rollouts() -> dict[str, Rollout]:
    lists = {name: ROOT / "platforms" / name / "platform.toml" for name in CAPABILITIES}
    return {
        name: Rollout.parse(name, path.read_text(encoding="utf-8")) for name, path in lists.items()
    }
