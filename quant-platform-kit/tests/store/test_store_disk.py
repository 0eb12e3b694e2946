"""Whether a folder outlives the machine: what /proc/mounts says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quant_platform_kit.store import passing_disk

MOUNTS = """\
/dev/vda1 / ext4 rw,relatime 0 0
tmpfs /srv/memory tmpfs rw 0 0
overlay /srv/container overlay rw,lowerdir=/x 0 0
/dev/vdb /srv/container/kept xfs rw 0 0
server:/export /srv/network nfs4 rw 0 0
bucket /srv/bucket fuse.gcsfuse rw 0 0
tmpfs /srv/two\\040words tmpfs rw 0 0
/dev/vdc /srv/covered ext4 rw 0 0
tmpfs /srv/covered tmpfs rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("/srv/state", None),
        ("/srv/memory", "memory"),
        ("/srv/memory/deep/down", "memory"),
        ("/srv/memory-not", None),
        ("/srv/container/state", "container"),
        ("/srv/container/kept/state", None),
        ("/srv/network/state", "network"),
        ("/srv/bucket", "mounted service"),
        ("/srv/two words/state", "memory"),
        ("/srv/covered/state", "memory"),
        ("/tmp/state", "temporary"),  # noqa: S108 (refused)
        ("/srv/../tmp/state", "temporary"),
        ("/var/tmp/state", "temporary"),  # noqa: S108 (refused)
    ],
)
def test_a_folder_is_trusted_by_the_disk_under_it(folder: str, said: str | None) -> None:
    found = passing_disk(Path(folder), MOUNTS)
    assert found is None if said is None else found is not None and said in found


def test_a_folder_on_a_disk_of_unknown_kind_is_not_trusted() -> None:
    assert passing_disk(Path("/srv/state"), "") == "a disk of unknown kind"


def test_a_container_whose_root_is_an_overlay_has_no_lasting_folder() -> None:
    assert passing_disk(Path("/app/state"), "overlay / overlay rw 0 0\n") is not None


def test_this_machine_says_what_it_mounts() -> None:
    assert (
        passing_disk(Path("/proc/self")) is None
    )  # mounted as proc, which is not of a kind that passes
