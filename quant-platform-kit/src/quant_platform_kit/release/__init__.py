"""Releases: versions, tags, pins and bundles, moved in an order in which nothing can mismatch.

Every function looks before it acts, and what it refuses changes nothing. Nothing here pushes.
"""

from __future__ import annotations

from quant_platform_kit.release._deployed import Deployed, deployed
from quant_platform_kit.release._layout import Layout, Package, PlatformPlace, load_layout
from quant_platform_kit.release._pins import pin
from quant_platform_kit.release._plan import Step, plan
from quant_platform_kit.release._release import Released, release
from quant_platform_kit.release._status import (
    Finding,
    PackageStatus,
    PlatformStatus,
    Status,
    Weight,
    status,
)
from quant_platform_kit.release._verify import Verified, verify_pins
from quant_platform_kit.release._version import Version

__all__ = [
    "Deployed",
    "Finding",
    "Layout",
    "Package",
    "PackageStatus",
    "PlatformPlace",
    "PlatformStatus",
    "Released",
    "Status",
    "Step",
    "Verified",
    "Version",
    "Weight",
    "deployed",
    "load_layout",
    "pin",
    "plan",
    "release",
    "status",
    "verify_pins",
]
