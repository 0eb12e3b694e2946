"""The doors of the brokers room and of the conformance kits."""

from __future__ import annotations

import subprocess
import sys

import pytest

from quant_platform_kit import brokers, testing


@pytest.mark.parametrize("door", [brokers, testing], ids=["brokers", "testing"])
def test_the_door_is_sorted_and_holds_what_it_names(door: object) -> None:
    names = door.__all__  # type: ignore[attr-defined] # every room's door has one
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(door, name) for name in names)


def test_opening_the_room_does_not_load_numpy() -> None:
    program = "import sys, quant_platform_kit.brokers; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
