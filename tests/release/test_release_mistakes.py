"""Every row of the table in docs/release.md: a mistake that somebody makes, and what it meets.

Each is made on a desk that could release otherwise; none of them may change anything.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from quant_platform_kit.bundle import running_python
from quant_platform_kit.errors import PlatformError, ReasonCode, ReleaseRefused
from quant_platform_kit.release import load_layout, pin, release, verify_pins
from tests.desk import Desk, make_desk, make_wheelhouse, world

PAGE: Final = Path(__file__).parents[2] / "docs" / "release.md"

# Of a service that is not told where its bundle lies.
BARE: Final = {"STRATEGY_PROFILE": "global_etf_rotation", "EXECUTION_MODE": "dry_run"}

Act = Callable[[], object]
Mistake = Callable[[Desk], Act]
"""Prepares a desk, and returns what the mistaken person does next."""
MISTAKES: Final[dict[str, tuple[ReasonCode, Mistake]]] = {}


def mistake(told: str, code: ReasonCode) -> Callable[[Mistake], Mistake]:
    """Enter a mistake into the table."""

    def enter(made: Mistake) -> Mistake:
        MISTAKES[told] = code, made
        return made

    return enter


def _kit(desk: Desk, version: str = "0.2.0", reviewed: str = "") -> object:
    return release(desk.layout, "kit", version, reviewed=reviewed or desk.head("mini-kit"))


def _strategies(desk: Desk, version: str = "0.2.0", **needs: str) -> object:
    reviewed = desk.head("mini-strategies")
    return release(desk.layout, "strategies", version, reviewed=reviewed, needs=needs)


def _verify(desk: Desk) -> object:
    return verify_pins(desk.layout, desk.layout.platforms[0])


# ── Releasing ──────────────────────────────────────────────────────────────────────────


@mistake("A version of two numbers", ReasonCode.RELEASE_VERSION)
def _(desk: Desk) -> Act:
    return lambda: _kit(desk, "0.2")


@mistake("A version with a `v` before it", ReasonCode.RELEASE_VERSION)
def _(desk: Desk) -> Act:
    return lambda: _kit(desk, "v0.2.0")


@mistake("A version below the last one", ReasonCode.RELEASE_VERSION)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.0.9")
    return lambda: _kit(desk, "0.0.9")


@mistake("A version that has its tag already", ReasonCode.TAG_EXISTS)
def _(desk: Desk) -> Act:
    return lambda: _kit(desk, "0.1.0")


@mistake("A version that a colleague has released meanwhile", ReasonCode.TAG_EXISTS)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    tag = desk.tag("kit", "0.2.0")
    desk.git("mini-kit", "tag", tag)
    desk.git("mini-kit", "push", "--quiet", "origin", tag)
    desk.git("mini-kit", "tag", "--delete", tag)
    return lambda: _kit(desk)


@mistake("A release with an edited file that is not committed", ReasonCode.RELEASE_TREE)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    desk.write("mini-kit", "check.sh", "exit 0 # quicker\n", commit=False)
    return lambda: _kit(desk)


@mistake("A release with a new file that is not committed", ReasonCode.RELEASE_TREE)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    desk.write("mini-kit", "notes.txt", "to do\n", commit=False)
    return lambda: _kit(desk)


@mistake("A release on no branch", ReasonCode.RELEASE_TREE)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    desk.git("mini-kit", "checkout", "--quiet", "--detach")
    return lambda: _kit(desk)


@mistake("A release of which the changelog says nothing", ReasonCode.RELEASE_CHANGELOG)
def _(desk: Desk) -> Act:
    return lambda: _kit(desk)


@mistake("A changelog with a heading and nothing under it", ReasonCode.RELEASE_CHANGELOG)
def _(desk: Desk) -> Act:
    desk.write("mini-kit", "CHANGELOG.md", "# Changelog\n\n## 0.2.0\n\n## 0.1.0\n\n- Begin.\n")
    return lambda: _kit(desk)


@mistake("Stray whitespace at the end of a line", ReasonCode.RELEASE_WHITESPACE)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    desk.write("mini-kit", "README.md", "Small. \n")
    return lambda: _kit(desk)


@mistake("A conflict of git that was committed as it is", ReasonCode.RELEASE_WHITESPACE)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    desk.write("mini-kit", "README.md", "<<<<<<< ours\nSmall.\n=======\nTiny.\n>>>>>>> theirs\n")
    return lambda: _kit(desk)


@mistake("A release that nobody has read", ReasonCode.RELEASE_REVIEW)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    return lambda: release(desk.layout, "kit", "0.2.0")


@mistake("A release of which an earlier commit was read", ReasonCode.RELEASE_REVIEW)
def _(desk: Desk) -> Act:
    reviewed = desk.head("mini-kit")
    desk.announce("kit", "0.2.0")
    return lambda: _kit(desk, reviewed=reviewed)


@mistake("A test that fails on the commit to be tagged", ReasonCode.RELEASE_CHECKS)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    desk.write("mini-kit", "check.sh", "! grep -q 0.2.0 mini-kit/src/mini_kit/__init__.py\n")
    return lambda: _kit(desk)


@mistake("A test that needs a file which git ignores", ReasonCode.RELEASE_CHECKS)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    desk.write("mini-kit", ".gitignore", "local.txt\n")
    desk.write("mini-kit", "local.txt", "mine\n", commit=False)
    desk.write("mini-kit", "check.sh", "cat */local.txt local.txt | grep -q mine\n")
    return lambda: _kit(desk)


@mistake("A test that rewrites a file of the repository", ReasonCode.RELEASE_CHECKS)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    script = (
        'for file in CHANGELOG.md */CHANGELOG.md; do [ ! -f "$file" ] || echo >> "$file"; done\n'
    )
    desk.write("mini-kit", "check.sh", script)
    return lambda: _kit(desk)


@mistake("Strategies on a kit that does not exist", ReasonCode.TAG_MISSING)
def _(desk: Desk) -> Act:
    desk.announce("strategies", "0.2.0")
    return lambda: _strategies(desk, kit="0.9.0")


@mistake("Strategies on a kit that was never pushed", ReasonCode.TAG_MISSING)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    desk.release("kit", "0.2.0", push=False)
    desk.announce("strategies", "0.2.0")
    return lambda: _strategies(desk)


@mistake("A kit that is asked for strategies to stand on", ReasonCode.RELEASE_LAYOUT)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    return lambda: release(desk.layout, "kit", "0.2.0", needs={"strategies": "0.1.0"})


# ── Pinning ────────────────────────────────────────────────────────────────────────────


@mistake("A pin to a tag that does not exist", ReasonCode.TAG_MISSING)
def _(desk: Desk) -> Act:
    return lambda: pin(desk.layout, {"kit": "0.9.0"})


@mistake("A pin to a tag that was never pushed", ReasonCode.TAG_MISSING)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.1.1")
    desk.release("kit", "0.1.1", push=False)
    return lambda: pin(desk.layout, {})


@mistake("A pin to a tag that is only at the remote", ReasonCode.TAG_MISSING)
def _(desk: Desk) -> Act:
    desk.git("mini-kit", "tag", "--delete", desk.tag("kit", "0.1.0"))
    return lambda: pin(desk.layout, {})


@mistake("A tag that was moved here", ReasonCode.TAG_MOVED)
def _(desk: Desk) -> Act:
    desk.write("mini-kit", "README.md", "Other.\n")
    desk.git("mini-kit", "tag", "--force", desk.tag("kit", "0.1.0"))
    return lambda: pin(desk.layout, {})


@mistake("A tag that was moved everywhere, after it was pinned", ReasonCode.TAG_MOVED)
def _(desk: Desk) -> Act:
    pin(desk.layout, {})
    _move_tag(desk)
    return lambda: pin(desk.layout, {})


@mistake("A tag that was made by hand, on a commit of another version", ReasonCode.RELEASE_VERSION)
def _(desk: Desk) -> Act:
    tag = desk.tag("kit", "0.1.5")
    desk.git("mini-kit", "tag", tag)
    desk.git("mini-kit", "push", "--quiet", "origin", tag)
    return lambda: pin(desk.layout, {})


@mistake("A new kit pinned beside strategies of the old one", ReasonCode.PIN_RANGE)
def _(desk: Desk) -> Act:
    desk.announce("kit", "0.2.0")
    desk.release("kit", "0.2.0")
    return lambda: pin(desk.layout, {})


@mistake("An extra that the pinned version does not have", ReasonCode.PIN_RANGE)
def _(desk: Desk) -> Act:
    desk.write("ibkr", "requirements.in", "mini-kit[schwab]\nmini-strategies\n")
    return lambda: pin(desk.layout, {})


@mistake("A platform that installs strategies and forgets the kit", ReasonCode.RELEASE_LAYOUT)
def _(desk: Desk) -> Act:
    desk.write("ibkr", "requirements.in", "mini-strategies\n")
    return lambda: pin(desk.layout, {})


@mistake("A library pinned in a platform, past the packages' metadata", ReasonCode.RELEASE_LAYOUT)
def _(desk: Desk) -> Act:
    desk.write("ibkr", "requirements.in", "mini-kit\nmini-strategies\ntinylib==1.1\n")
    return lambda: pin(desk.layout, {})


@mistake("A version written into requirements.in", ReasonCode.RELEASE_LAYOUT)
def _(desk: Desk) -> Act:
    desk.write("ibkr", "requirements.in", "mini-kit==0.1.0\nmini-strategies\n")
    return lambda: pin(desk.layout, {})


@mistake("A library that no version of an index satisfies", ReasonCode.RELEASE_TOOL)
def _(desk: Desk) -> Act:
    path = desk.folder("mini-kit") / "pyproject.toml"
    desk.write("mini-kit", "pyproject.toml", path.read_text().replace("tinylib>=1", "tinylib>=2"))
    desk.announce("kit", "0.1.1")
    desk.release("kit", "0.1.1")
    return lambda: pin(desk.layout, {})


# ── Trying the pins ────────────────────────────────────────────────────────────────────


@mistake("A trial before there are pins", ReasonCode.PIN_MISSING)
def _(desk: Desk) -> Act:
    return lambda: _verify(desk)


@mistake("A pin changed by hand", ReasonCode.PIN_EDITED)
def _(desk: Desk) -> Act:
    pin(desk.layout, {})
    _replace(desk.folder("ibkr") / "requirements.txt", "0.1.0", "0.2.0")
    return lambda: _verify(desk)


@mistake("A pin changed to a branch", ReasonCode.PIN_EDITED)
def _(desk: Desk) -> Act:
    pin(desk.layout, {})
    _replace(desk.folder("ibkr") / "requirements.txt", desk.tag("kit", "0.1.0"), "main")
    return lambda: _verify(desk)


@mistake("A library changed in the lock by hand", ReasonCode.PIN_EDITED)
def _(desk: Desk) -> Act:
    pin(desk.layout, {})
    _replace(desk.folder("ibkr") / "requirements.lock", "tinylib==1.0", "tinylib==1.1")
    return lambda: _verify(desk)


@mistake("A rollout list changed after it was bundled", ReasonCode.PIN_EDITED)
def _(desk: Desk) -> Act:
    pin(desk.layout, {})
    (desk.folder("ibkr") / "platform.toml").write_text('[rollout]\nenabled = ["other"]\n')
    return lambda: _verify(desk)


@mistake("A bundle cut short", ReasonCode.BUNDLE_UNREADABLE)
def _(desk: Desk) -> Act:
    pin(desk.layout, {})
    path = desk.folder("ibkr") / "bundle.json"
    path.write_text(path.read_text()[:80])
    return lambda: _verify(desk)


@mistake("A tag that was moved after the pins were made", ReasonCode.TAG_MOVED)
def _(desk: Desk) -> Act:
    pin(desk.layout, {})
    _move_tag(desk)
    return lambda: _verify(desk)


@mistake("What builds a package changed in its lock by hand", ReasonCode.PIN_EDITED)
def _(desk: Desk) -> Act:
    pin(desk.layout, {})
    lock = desk.folder("ibkr") / "build.lock"
    lock.write_text(re.sub(r"sha256:\w{64}", f"sha256:{'0' * 64}", lock.read_text()))
    return lambda: _verify(desk)


@mistake("A trial with another Python than the services'", ReasonCode.PIN_UNBOOTABLE)
def _(desk: Desk) -> Act:
    path = desk.root / "release.toml"
    _replace(path, f'python = "{running_python()}"', 'python = "3.14"')
    pin(desk.layout, {})
    return lambda: _verify(desk)


@mistake("A service that does not start", ReasonCode.PIN_UNBOOTABLE)
def _(desk: Desk) -> Act:
    pin(desk.layout, {})
    (desk.folder("ibkr") / "main.py").write_text("import nothing_of_this_name\n")
    return lambda: _verify(desk)


@mistake("A service that answers, and does not say what it is made of", ReasonCode.PIN_UNBOOTABLE)
def _(desk: Desk) -> Act:
    pin(desk.layout, {})
    path = desk.folder("ibkr") / "main.py"
    path.write_text(path.read_text().replace('("ibkr")', f'("ibkr", {BARE})'))
    return lambda: _verify(desk)


# ── release.toml ───────────────────────────────────────────────────────────────────────


@mistake("A command in a folder without release.toml", ReasonCode.RELEASE_LAYOUT)
def _(desk: Desk) -> Act:
    return lambda: load_layout(desk.folder("ibkr"))


@mistake("A misspelt key in release.toml", ReasonCode.RELEASE_LAYOUT)
def _(desk: Desk) -> Act:
    _replace(desk.root / "release.toml", "checks =", "check =")
    return lambda: desk.layout


@mistake("A repository in release.toml that is not there", ReasonCode.RELEASE_LAYOUT)
def _(desk: Desk) -> Act:
    _replace(desk.root / "release.toml", 'repository = "', 'repository = "../elsewhere/')
    return lambda: desk.layout


@mistake("Pins whose address only this machine could follow", ReasonCode.RELEASE_LAYOUT)
def _(desk: Desk) -> Act:
    path = desk.root / "release.toml"
    path.write_text(re.sub(r"(?m)^url = .*\n", "", path.read_text()))
    return lambda: pin(desk.layout, {})


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _move_tag(desk: Desk) -> None:
    tag = desk.tag("kit", "0.1.0")
    desk.write("mini-kit", "README.md", "Other.\n")
    desk.git("mini-kit", "tag", "--force", tag)
    desk.git("mini-kit", "push", "--quiet", "--force", "origin", tag)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Path:
    """Return a folder with a desk after its first release, to be copied for each mistake."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world(wheelhouse).items():
            patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("released")
        make_desk(folder / "desk", siblings=False).release_both()
    return folder


@pytest.mark.parametrize("told", MISTAKES)
def test_a_mistake_is_refused_and_changes_nothing(
    told: str, released: Path, tmp_path: Path
) -> None:
    shutil.copytree(released, tmp_path / "copy", symlinks=True)
    desk = Desk(tmp_path / "copy" / "desk", siblings=False)
    code, made = MISTAKES[told]
    act = made(desk)
    before = desk.refs()
    with pytest.raises(PlatformError) as refusal:
        act()
    assert refusal.value.code is code, refusal.value.message
    assert re.search(r"[Nn]othing|not start|No commit", refusal.value.message)
    assert desk.refs() == before


def test_a_library_that_is_not_the_one_whose_hash_was_locked_is_refused(
    house: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.release_both()
    pin(house.layout, {})
    (tmp_path / "wheels").mkdir()
    make_wheelhouse(tmp_path / "wheels", library="print('something else')\n")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    with pytest.raises(ReleaseRefused, match="DO NOT MATCH THE HASHES") as refusal:
        _verify(house)
    assert refusal.value.code is ReasonCode.RELEASE_TOOL


def test_the_runbook_lists_every_mistake() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Mistakes in a cutover")[0]
    rows = re.findall(r"^\| ([^|]+?) \| `([A-Z_]+)` \|$", text, flags=re.MULTILINE)
    assert rows == [(told, code.value) for told, (code, _) in MISTAKES.items()]
