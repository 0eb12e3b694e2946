"""What a strategy is allowed to do, and the digest of its configuration."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit import strategy as room
from quant_platform_kit.contracts import (
    Decision,
    ExecutionMode,
    ProfileStatus,
    StrategyManifest,
)
from quant_platform_kit.errors import ReasonCode, RefuseRun
from quant_platform_kit.strategy import (
    Ratio,
    SleeveView,
    Strategy,
    StrategyConfig,
    read_config,
    require_allowed,
)

MakeManifest = Callable[..., StrategyManifest]
MakeStrategy = Callable[..., Strategy]


class Inner(StrategyConfig):
    slope: float = 0.1


class ShapedConfig(StrategyConfig):
    share: Ratio = Decimal("0.10")
    names: tuple[str, ...] = ("A", "B")
    inner: Inner = Inner()


@pytest.fixture
def sha_of(make_manifest: MakeManifest) -> Callable[..., str]:
    def sha(config: StrategyConfig, profile: str = "steady") -> str:
        manifest = make_manifest(profile)
        return Strategy("m", config, manifest, lambda _: Decision.hold("x")).config_sha256

    return sha


def test_the_digest_is_of_values_and_not_of_their_spelling(
    sha_of: Callable[..., str], tmp_path: Path
) -> None:
    spelled = {
        "a.json": '{"share": 0.1, "names": ["A", "B"], "inner": {"slope": 0.1}}',
        "b.json": '{"inner": {"slope": 1e-1}, "share": "0.100"}',
        "c.toml": "share = 0.10\n[inner]\nslope = 0.10\n",
    }
    for name, text in spelled.items():
        (tmp_path / name).write_text(text)

    digests = {sha_of(read_config(ShapedConfig, tmp_path / name)) for name in spelled}

    assert digests == {sha_of(ShapedConfig())}
    assert all(len(digest) == 64 for digest in digests)


def test_the_digest_tells_values_orders_and_profiles_apart(sha_of: Callable[..., str]) -> None:
    digests = [
        sha_of(ShapedConfig()),
        sha_of(ShapedConfig(share=Decimal("0.2"))),
        sha_of(ShapedConfig(names=("B", "A"))),
        sha_of(ShapedConfig(inner=Inner(slope=0.2))),
        sha_of(ShapedConfig(), profile="other"),
    ]

    assert len(set(digests)) == len(digests)


ALLOWED = {
    (ProfileStatus.RESEARCH, ExecutionMode.DRY_RUN),
    (ProfileStatus.SHADOW, ExecutionMode.DRY_RUN),
    (ProfileStatus.PAPER, ExecutionMode.DRY_RUN),
    (ProfileStatus.PAPER, ExecutionMode.PAPER),
    (ProfileStatus.RUNTIME_ENABLED, ExecutionMode.DRY_RUN),
    (ProfileStatus.RUNTIME_ENABLED, ExecutionMode.PAPER),
    (ProfileStatus.RUNTIME_ENABLED, ExecutionMode.LIVE),
}


@pytest.mark.parametrize("status", ProfileStatus)
@pytest.mark.parametrize("mode", ExecutionMode)
def test_a_profile_runs_only_in_the_modes_of_its_status(
    make_manifest: MakeManifest, status: ProfileStatus, mode: ExecutionMode
) -> None:
    manifest = make_manifest(status=status)

    if (status, mode) in ALLOWED:
        require_allowed(manifest, mode)
        return
    with pytest.raises(RefuseRun, match=f"steady has status {status.value}") as caught:
        require_allowed(manifest, mode)
    assert caught.value.code is ReasonCode.PROFILE_NOT_ENABLED


def test_a_sleeve_holds_a_symbol_when_it_has_any_share_of_it() -> None:
    sleeve = SleeveView(quantities={"SPY": Decimal("0.5"), "BIL": Decimal(0)})

    assert [sleeve.holds(symbol) for symbol in ("SPY", "BIL", "EFA")] == [True, False, False]


def test_the_door_lists_what_it_offers_sorted() -> None:
    assert room.__all__ == sorted(room.__all__)
    assert all(hasattr(room, name) for name in room.__all__)
