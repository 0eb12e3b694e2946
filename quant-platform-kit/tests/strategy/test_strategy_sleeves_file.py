"""The file that says which strategies share an account."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.errors import ReasonCode, SettingsError
from quant_platform_kit.strategy import SleeveSpec, read_sleeves


def written(folder: Path, text: str) -> Path:
    path = folder / "sleeves.toml"
    path.write_text(text)
    return path


def test_sleeves_are_read_in_order_with_paths_beside_the_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        [[sleeve]]
        profile = "global_etf_rotation"
        weight = "0.6"

        [[sleeve]]
        profile = "spy_macd_vixy"
        weight = 0.3
        config = "macd.toml"
        snapshot = "/published"
        """,
    )
    assert read_sleeves(path) == (
        SleeveSpec(profile="global_etf_rotation", weight=Decimal("0.6")),
        SleeveSpec(
            profile="spy_macd_vixy",
            weight=Decimal("0.3"),
            config=tmp_path / "macd.toml",
            snapshot=Path("/published"),
        ),
    )


def test_the_address_of_a_bucket_is_kept_as_it_is_written(tmp_path: Path) -> None:
    text = '[[sleeve]]\nprofile = "a"\nsnapshot = "gs://bucket/folder"\n'

    (sleeve,) = read_sleeves(written(tmp_path, text))

    assert sleeve.snapshot == "gs://bucket/folder"


def test_one_sleeve_may_leave_its_weight_out(tmp_path: Path) -> None:
    (sleeve,) = read_sleeves(written(tmp_path, '[[sleeve]]\nprofile = "spy_macd_vixy"\n'))
    assert sleeve.weight == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "sleeve is missing"),
        ("sleeve = []", "sleeve"),
        ('[[sleeve]]\nweight = "1"\n', "sleeve.0.profile is missing. Allowed keys: sleeve, "),
        ('[[sleeve]]\nprofile = "a"\nweight = "0"\n', 'sleeve.0.weight = "0"'),
        ('[[sleeve]]\nprofile = "a"\nweight = "1.1"\n', "sleeve.0.weight"),
        ('[[sleeve]]\nprofile = "a"\nshare = "1"\n', "sleeve.0.share"),
        (
            '[[sleeve]]\nprofile = "a"\nweight = "0.6"\n[[sleeve]]\nprofile = "b"\nweight = "0.5"',
            "sum to 1.1, more than the whole",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_fault(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        read_sleeves(written(tmp_path, text))
    assert caught.value.code is ReasonCode.CONFIG_INVALID
    assert "QPK_SLEEVES_PATH" in caught.value.message
    assert "sleeve.snapshot_manifest, sleeve.weight" in caught.value.message
    assert caught.value.message.count("sleeve.0") <= 1  # said once, where the fault is


def test_a_missing_file_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml .*no such file.*QPK_SLEEVES_PATH"):
        read_sleeves(tmp_path / "nowhere.toml")
