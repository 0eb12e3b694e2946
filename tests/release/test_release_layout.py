"""What somebody mistypes in release.toml is told, with its key, before anything else happens."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release import Layout, Version, load_layout
from quant_platform_kit.release._tags import push

WHOLE = """
python = "3.11"
constraints = "constraints.txt"

[packages.kit]
name = "mini-kit"
repository = "."
folder = "."
tag = "kit-v{version}"
checks = ["make test"]

[packages.strategies]
name = "mini-strategies"
repository = "."
folder = "."
tag = "strategies-v{version}"

[platforms.ibkr]
repository = "."
folder = "."
environment = { EXECUTION_MODE = "dry_run" }
services = ["rebalancer-ibkr"]
region = "us-east4"
boot = "gunicorn --bind 127.0.0.1:{port} main:app"
reconciliation_output = "/tmp/reconciliation.json"

[platforms.longbridge]
repository = "."
folder = "."
services = ["rebalancer-hk", "rebalancer-sg"]
region = "asia-east1"
"""


def load(folder: Path, text: str) -> Layout:
    (folder / ".git").mkdir()
    (folder / "constraints.txt").touch()
    (folder / "release.toml").write_text(text, encoding="utf-8")
    return load_layout(folder)


def test_a_layout_without_a_mistake_is_read(tmp_path: Path) -> None:
    layout = load(tmp_path, WHOLE)
    assert layout.service("rebalancer-sg").name == "longbridge"
    assert layout.package("kit").checks == ("make test",)
    assert layout.records == tmp_path / "records"


@pytest.mark.parametrize(
    ("told", "right", "wrong"),
    [
        ("python = 3.11 is", '"3.11"', "3.11"),
        ("python: expected", '"3.11"', '"3"'),
        ("constraints = ", '"constraints.txt"', '["constraints.txt"]'),
        ("constraints.lock does not exist", "constraints.txt", "constraints.lock"),
        ("records = 5", "[packages.kit]", "records = 5\n[packages.kit]"),
        ("record is unknown", "python", "record = 'there'\npython"),
        ("packages.kit.check is unknown", "checks", "check"),
        ("packages.kit.checks = ", '["make test"]', "[1]"),
        ("No closing quotation", '"make test"', '"make \'test"'),
        ("packages.kit.tag = ", "kit-v{version}", "kit-v"),
        ("name: mini-kit stands there twice", "mini-strategies", "mini-kit"),
        ("tag: kit-v{version} of ", "strategies-v", "kit-v"),
        ("packages.strategies.folder is missing", 'folder = "."\ntag = "str', 'tag = "str'),
        ("packages.kit: expected a table", "[packages.kit]", "[[packages.kit]]"),
        ("platforms.ibkr.environment = ", '"dry_run"', "1"),
        ("platforms.ibkr.services = ", '["rebalancer-ibkr"]', '"rebalancer-ibkr"'),
        ("small letters", "rebalancer-ibkr", "../rebalancer"),
        ("rebalancer-hk stands there twice", "rebalancer-ibkr", "rebalancer-hk"),
        ("platforms.ibkr.region is missing", 'region = "us-east4"', ""),
        ("expected {port} in it", "{port}", "8080"),
        ("is no git repository", 'repository = "."', 'repository = "records"'),
        ("Expected", "[packages.kit]", "[packages.kit"),
    ],
)
def test_a_mistake_in_release_toml_is_told_with_its_key(
    tmp_path: Path, told: str, right: str, wrong: str
) -> None:
    (tmp_path / "records").mkdir()
    with pytest.raises(ReleaseRefused) as refusal:
        load(tmp_path, WHOLE.replace(right, wrong, 1))
    assert refusal.value.code is ReasonCode.RELEASE_LAYOUT
    assert told in refusal.value.message
    assert "Nothing was done" in refusal.value.message


def test_a_command_that_is_printed_can_be_typed_where_a_folder_has_a_space(tmp_path: Path) -> None:
    folder = tmp_path / "my desk"
    folder.mkdir()
    words = shlex.split(push(load(folder, WHOLE).package("kit"), Version(1, 2, 3)))
    assert words[:4] == ["git", "-C", str(folder), "push"]
