from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Self

import pytest
from pydantic import Field, model_validator

from quant_platform_kit.errors import ReasonCode, SettingsError
from quant_platform_kit.strategy import Ratio, StrategyConfig, Symbol, Symbols, read_config


class SampleConfig(StrategyConfig):
    pool: Symbols = ("SPY", "EFA")
    haven: Symbol | None = "BIL"
    share: Ratio = Decimal("0.25")
    bonus: float = 0.02
    size: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _size_fits(self) -> Self:
        if self.size > len(self.pool):
            raise ValueError(f"size = {self.size} is more than the {len(self.pool)} of pool")
        return self


@pytest.fixture
def json_file(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.json", '{"pool": ["GLD", "TLT"], "haven": null, "share": 0.1, "size": 1}'),
        ("c.toml", 'pool = ["GLD", "TLT"]\nshare = 0.1\nsize = 1\n'),
    ],
)
def test_a_file_is_read_and_what_it_leaves_out_keeps_its_default(
    tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / name
    file.write_text(text)

    config = read_config(SampleConfig, file)

    assert config.pool == ("GLD", "TLT")
    assert config.share == Decimal("0.1")
    assert config.haven == (None if "null" in text else "BIL")
    assert config.bonus == 0.02


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"sise": 3}', r"sise = 3: .* Allowed keys: bonus, haven, pool, share, size"),
        ('{"size": 0}', r"size = 0: .*greater than or equal to 1"),
        ('{"size": "2"}', r'size = "2": .*integer'),
        ('{"size": true}', r"size = true: .*integer"),
        ('{"share": 1.5}', r"share = 1\.5: .*less than or equal to 1"),
        ('{"size": 3}', r"cannot be used: size = 3 is more than the 2 of pool\. Allowed"),
        ('{"pool": ["SPY", "spy"]}', r'pool\.1 = "spy": .*upper-case'),
        ('{"pool": ["SPY", "EFA", "SPY"]}', r"pool = .*: SPY stands more than once"),
        ('{"haven": ""}', r"haven = .*upper-case"),
        ('{"bonus": NaN}', r"NaN is not a finite number"),
        ('{"bonus": 1e999}', r"bonus = Infinity: .*finite"),
        ('{"size": 1, "size": 2}', r"key size stands more than once"),
        ('{"size": 1', r"does not parse: .*line 1"),
        ("[1, 2]", r"not an object"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_file_the_key_and_the_fault(
    json_file: Path, text: str, complaint: str
) -> None:
    json_file.write_text(text)

    with pytest.raises(SettingsError, match=complaint) as caught:
        read_config(SampleConfig, json_file)

    assert caught.value.code is ReasonCode.CONFIG_INVALID
    assert str(json_file) in caught.value.message


def test_every_fault_of_a_file_is_told_at_once(json_file: Path) -> None:
    json_file.write_text('{"size": 0, "share": 2, "other": 1}')

    with pytest.raises(SettingsError, match=r"(?=.*size = 0)(?=.*share = 2)(?=.*other = 1)"):
        read_config(SampleConfig, json_file)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("absent.json", None, "no such file"),
        ("config.yaml", "size: 1", r"neither in \.json nor in \.toml"),
        ("config.toml", "size = ", "does not parse: .*end of document"),
        ("config.toml", "bonus = nan", "finite"),
        ("config.toml", "size = 1979-05-27", r'size = "1979-05-27": .*integer'),
        ("config.json", b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_settings_error(
    tmp_path: Path, name: str, text: str | bytes | None, complaint: str
) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(SettingsError, match=complaint) as caught:
        read_config(SampleConfig, file)

    assert caught.value.code is ReasonCode.CONFIG_INVALID
