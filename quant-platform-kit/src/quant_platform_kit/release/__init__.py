"""Releases: versions, tags, pins and bundles, moved in an order in which nothing can mismatch.

Every function looks before it acts, and what it refuses changes nothing. Nothing here pushes.
"""

from __future__ import annotations

from quant_platform_kit.release._change import Change, Patience
from quant_platform_kit.release._definitions import copy_image, image_variables
from quant_platform_kit.release._deploy import Deployment, plan_deployment
from quant_platform_kit.release._deployed import Deployed, deployed
from quant_platform_kit.release._environments import Environment, environment
from quant_platform_kit.release._gcloud import Service, describe, newest_heartbeat, read_service
from quant_platform_kit.release._layout import (
    FILE,
    Cloud,
    Layout,
    Package,
    PlatformPlace,
    load_layout,
)
from quant_platform_kit.release._live import Verification, verify_live
from quant_platform_kit.release._operate import operate
from quant_platform_kit.release._pins import pin
from quant_platform_kit.release._plan import Step, plan
from quant_platform_kit.release._records import Ending, Kind, Record, Records, State
from quant_platform_kit.release._release import Released, release
from quant_platform_kit.release._rollback import pins_back, plan_rollback
from quant_platform_kit.release._serving import Served, ServiceDown, log_of, served
from quant_platform_kit.release._shadow import Comparison, shadow
from quant_platform_kit.release._standing import adopt
from quant_platform_kit.release._status import (
    Finding,
    PackageStatus,
    PlatformStatus,
    Status,
    Weight,
    status,
)
from quant_platform_kit.release._switch import Switch, plan_switch
from quant_platform_kit.release._trial import Side
from quant_platform_kit.release._variables import Fate, Line, Wish
from quant_platform_kit.release._verify import Verified, verify_pins
from quant_platform_kit.release._version import Version

__all__ = [
    "FILE",
    "Change",
    "Cloud",
    "Comparison",
    "Deployed",
    "Deployment",
    "Ending",
    "Environment",
    "Fate",
    "Finding",
    "Kind",
    "Layout",
    "Line",
    "Package",
    "PackageStatus",
    "Patience",
    "PlatformPlace",
    "PlatformStatus",
    "Record",
    "Records",
    "Released",
    "Served",
    "Service",
    "ServiceDown",
    "Side",
    "State",
    "Status",
    "Step",
    "Switch",
    "Verification",
    "Verified",
    "Version",
    "Weight",
    "Wish",
    "adopt",
    "copy_image",
    "deployed",
    "describe",
    "environment",
    "image_variables",
    "load_layout",
    "log_of",
    "newest_heartbeat",
    "operate",
    "pin",
    "pins_back",
    "plan",
    "plan_deployment",
    "plan_rollback",
    "plan_switch",
    "read_service",
    "release",
    "served",
    "shadow",
    "status",
    "verify_live",
    "verify_pins",
]
