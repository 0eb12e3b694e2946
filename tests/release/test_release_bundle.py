"""What a bundle says beside the pins: what was tested with them, and what profiles declare."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from quant_platform_kit.bundle import Bundle, Declared, Pin, parse_bundle, read_bundle
from quant_platform_kit.contracts import InputMode, encode
from quant_platform_kit.errors import ReasonCode, ReleaseRefused, SettingsError
from quant_platform_kit.release import load_layout, pin
from quant_platform_kit.release._pins import stored_bundle
from quant_platform_kit.strategy import load_catalog
from tests.desk import PLATFORM_FILES, PLATFORMS, PROFILE, RANKED, Desk, git

ROOT = Path(__file__).parents[2]
DECLARED = {PROFILE: Declared("1" * 64), RANKED: Declared("2" * 64, "ranked.v1", "3" * 64)}


def declarations(**more: Declared) -> str:
    entries = [
        {"profile": name, "config": {}, "declared": encode(each)}
        for name, each in (DECLARED | more).items()
    ]
    return json.dumps([*entries, {"profile": PROFILE, "config": {"fast": 3}}])


@pytest.fixture
def declaring(house: Desk) -> Desk:
    """Return a desk whose strategies say what their profiles declare."""
    house.write("mini-strategies", "declarations.json", declarations(other=Declared("4" * 64)))
    house.release_both()
    return house


def publish_pipelines(desk: Desk, version: str) -> str:
    """Release what publishes snapshots, by hand; return the commit."""
    folder = desk.root / "mini-pipelines"
    if not folder.exists():
        shutil.copytree(desk.folder("mini-strategies"), folder)
        told = (
            '\n[packages.pipelines]\nname = "mini-pipelines"\nrepository = "."\n'
            'folder = "mini-pipelines"\ntag = "mini-pipelines-v{version}"\n'
        )
        release_toml = desk.root / "release.toml"
        release_toml.write_text(release_toml.read_text() + told)
    (source,) = folder.glob("src/*/__init__.py")
    source.write_text(f'"""Small."""\n\n__version__ = "{version}"\n')
    git(desk.root, "add", "--all")
    git(desk.root, "commit", "--quiet", "--allow-empty", "--message", "Pipelines")
    git(desk.root, "tag", f"mini-pipelines-v{version}")
    git(desk.root, "push", "--quiet", "origin", "main", f"mini-pipelines-v{version}")
    return desk.head("mini-kit")


# ── What profiles declare ──────────────────────────────────────────────────────────────


def test_a_bundle_says_what_each_enabled_profile_declares(declaring: Desk) -> None:
    for bundle in pin(declaring.layout, {}):
        assert bundle.profiles == DECLARED
    place = declaring.layout.platform(PLATFORMS[0])
    assert stored_bundle(place) == pin(declaring.layout, {})[0]


def test_what_counts_is_what_lies_at_the_tag(declaring: Desk) -> None:
    later = declarations(**{PROFILE: Declared("9" * 64)})
    declaring.write("mini-strategies", "declarations.json", later)
    assert pin(declaring.layout, {})[0].profiles == DECLARED


def test_strategies_that_declare_nothing_can_be_pinned(house: Desk) -> None:
    house.release_both()
    assert pin(house.layout, {})[0].profiles == {}


@pytest.mark.parametrize(
    "text",
    ["[", "{}x", "[7]", '[{"declared": {}}]', '[{"profile": "a", "declared": {"config": 1}}]'],
)
def test_declarations_that_cannot_be_read_are_refused_with_the_tag(house: Desk, text: str) -> None:
    house.write("mini-strategies", "declarations.json", text)
    house.release_both()
    before = house.refs()
    with pytest.raises(ReleaseRefused, match=r"mini-strategies-v0\.1\.0") as refusal:
        pin(house.layout, {})
    assert refusal.value.code is ReasonCode.RELEASE_LAYOUT
    assert house.refs() == before


def test_the_strategies_of_this_house_declare_every_profile_that_its_platforms_enable() -> None:
    entries = json.loads((ROOT / "us-equity-strategies" / "declarations.json").read_text())
    declared = {each["profile"]: each["declared"] for each in entries if "declared" in each}
    catalog = load_catalog()
    for path in PLATFORM_FILES.glob("*/platform.toml"):
        for name in enabled(path):
            mode = catalog.find(name).manifest.input_mode
            assert bool(declared[name]["snapshot_contract"]) is (mode is InputMode.SNAPSHOT)


def enabled(path: Path) -> Iterator[str]:
    import tomllib

    yield from tomllib.loads(path.read_text())["rollout"]["enabled"]


# ── What was tested with it ────────────────────────────────────────────────────────────


def test_what_no_platform_installs_is_named_by_its_newest_tag(declaring: Desk) -> None:
    assert pin(declaring.layout, {})[0].beside == ()
    publish_pipelines(declaring, "0.1.0")
    commit = publish_pipelines(declaring, "0.2.0")
    for bundle in pin(declaring.layout, {}):
        assert bundle.beside == (Pin("mini-pipelines", "0.2.0", "mini-pipelines-v0.2.0", commit),)
        assert "mini-pipelines" not in {each.package for each in bundle.pins}
    for name in PLATFORMS:
        pins = (declaring.folder(name) / "requirements.txt").read_text()
        assert "pipelines" not in pins


def test_what_no_platform_installs_can_be_named_by_its_version(declaring: Desk) -> None:
    publish_pipelines(declaring, "0.1.0")
    publish_pipelines(declaring, "0.2.0")
    (bundle, *_) = pin(load_layout(declaring.root), {"pipelines": "0.1.0"})
    assert [each.version for each in bundle.beside] == ["0.1.0"]


def test_a_tag_of_it_that_was_moved_is_refused(declaring: Desk) -> None:
    publish_pipelines(declaring, "0.1.0")
    pin(declaring.layout, {})
    tag = "mini-pipelines-v0.1.0"
    git(declaring.root, "commit", "--quiet", "--allow-empty", "--message", "Later")
    git(declaring.root, "tag", "--force", tag)
    git(declaring.root, "push", "--quiet", "--force", "origin", "main", tag)
    with pytest.raises(ReleaseRefused, match=tag) as refusal:
        pin(declaring.layout, {})
    assert refusal.value.code is ReasonCode.TAG_MOVED


# ── Its id ─────────────────────────────────────────────────────────────────────────────

BUNDLE = Bundle("ibkr", "3.11", (), {"flask": "3.1"}, "0" * 64, "1" * 64, "2" * 64)


def test_the_id_stands_for_what_profiles_declare_and_what_it_was_tested_with() -> None:
    others = (
        replace(BUNDLE, profiles=DECLARED),
        replace(BUNDLE, beside=(Pin("mini-pipelines", "0.1.0", "v0.1.0", "a" * 40),)),
    )
    assert len({each.id for each in (BUNDLE, *others)}) == 3


def test_a_bundle_that_was_written_before_it_could_say_more_keeps_its_id() -> None:
    plain = BUNDLE.document()
    del plain["beside"], plain["profiles"]
    assert parse_bundle(json.dumps(plain), "here").id == BUNDLE.id


def test_a_kit_that_is_gone_back_to_starts_from_what_a_later_one_wrote(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps({**BUNDLE.document(), "moon": {"phase": "full"}, "tide": []}))
    read = read_bundle(path)
    assert read.document() == json.loads(path.read_text())
    assert read.id != BUNDLE.id
    assert parse_bundle(json.dumps(read.document()), "here").id == read.id


@pytest.mark.parametrize("text", ["", "[]", "7", "{}", '{"platform": 3}'])
def test_what_is_no_bundle_is_told_with_its_place(text: str) -> None:
    with pytest.raises(SettingsError, match="The bundle here cannot be read") as refusal:
        parse_bundle(text, "here")
    assert refusal.value.code is ReasonCode.BUNDLE_UNREADABLE
