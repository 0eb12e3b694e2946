"""Which strategies share one account: the file that an operator writes.

.. code-block:: toml

    [[sleeve]]
    profile = "global_etf_rotation"
    weight = "0.6"

    [[sleeve]]
    profile = "spy_macd_vixy"
    weight = "0.3"
    config = "macd.toml"  # paths are relative to this file

What the weights leave of the whole stays cash.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

from quant_platform_kit.strategy._config import read_config

_STRICT = ConfigDict(frozen=True, extra="forbid")


def _location(value: object) -> Path | str:
    """Keep the address of a bucket as it is written; everything else is a path."""
    if not isinstance(value, str | Path):
        raise ValueError("expected a path, or gs://bucket/folder")  # noqa: TRY004 (Pydantic's)
    return value if str(value).startswith("gs://") else Path(value)


Location = Annotated[Path | str, PlainValidator(_location)]
"""A path, or ``gs://bucket/folder``."""


class SleeveSpec(BaseModel):
    """One strategy of the account.

    Parameters
    ----------
    profile : str
        Canonical name or alias.
    weight : Decimal
        Share of the capital base, above 0 and at most 1.
    config : Path, optional
        The profile's configuration file.
    snapshot, snapshot_manifest : Path or str, optional
        As FEATURE_SNAPSHOT_PATH and FEATURE_SNAPSHOT_MANIFEST_PATH.
    """

    model_config = _STRICT

    profile: str
    weight: Annotated[Decimal, Field(gt=0, le=1)] = Decimal(1)
    config: Path | None = None
    snapshot: Location | None = None
    snapshot_manifest: Location | None = None

    def beside(self, folder: Path) -> Self:
        """Return the same with its paths taken from `folder`."""
        names = ("config", "snapshot", "snapshot_manifest")
        paths = {name: getattr(self, name) for name in names}
        local = {n: folder / p for n, p in paths.items() if isinstance(p, Path)}
        return self.model_copy(update=local)


class _SleevesFile(BaseModel):
    model_config = _STRICT

    sleeve: Annotated[tuple[SleeveSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = sum((each.weight for each in self.sleeve), Decimal(0))
        if total > 1:
            raise ValueError(f"the weights of the sleeves sum to {total}, more than the whole")
        return self


def read_sleeves(path: Path) -> tuple[SleeveSpec, ...]:
    """Read the sleeves of an account from a ``.toml`` or ``.json`` file, in its order.

    Raises
    ------
    SettingsError
        ``CONFIG_INVALID`` when the file cannot be used; the message says what is wrong with it.
    """
    keys = ("sleeve", *(f"sleeve.{name}" for name in SleeveSpec.model_fields))
    sleeves = read_config(_SleevesFile, path, "QPK_SLEEVES_PATH", keys=keys).sleeve
    return tuple(each.beside(path.parent) for each in sleeves)
