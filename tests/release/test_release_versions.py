"""Versions are ordered as numbers, and a range holds what its release may bring."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.release import Version
from quant_platform_kit.release._version import Range

numbers = st.integers(0, 200)
versions = st.builds(Version, numbers, numbers, numbers)


@given(versions)
def test_a_version_is_read_back_from_its_text(version: Version) -> None:
    assert Version.parse(str(version)) == version


@given(versions, versions)
def test_the_order_is_that_of_numbers(one: Version, other: Version) -> None:
    as_numbers = [(v.major, v.minor, v.patch) for v in (one, other)]
    assert (one < other) == (as_numbers[0] < as_numbers[1])


@given(versions)
def test_a_range_takes_its_version_and_fixes_of_it_and_no_next_minor(version: Version) -> None:
    taken = Range.around(version)
    assert version in taken
    assert Version(version.major, version.minor, version.patch + 1) in taken
    assert Version(version.major, version.minor + 1, 0) not in taken
    assert Range.parse(str(taken)) == taken


def test_a_range_of_two_numbers_is_read_as_people_write_it() -> None:
    taken = Range.parse(">=0.1,<0.2")
    assert taken is not None
    assert Version(0, 1, 0) in taken
    assert Version(0, 2, 0) not in taken
    assert Range.parse("==0.1.0") is None
