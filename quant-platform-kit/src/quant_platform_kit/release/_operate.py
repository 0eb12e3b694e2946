"""A command of `qpk` for a deployed service, under that service's own variables and its own code.

An operator's commands work on what a service remembers. Typed with other variables they would halt
another account than the one that trades; run by a newer kit they would bring the store to a version
that the service cannot read. So both are asked for first, and without an answer nothing is run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from typing import Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._deployed import existing
from quant_platform_kit.release._environments import environment
from quant_platform_kit.release._gcloud import Service
from quant_platform_kit.release._layout import Layout
from quant_platform_kit.release._pins import BUNDLE
from quant_platform_kit.release._trial import Setting

_STORE: Final = "QPK_STORE_URL"
_STATE: Final = "QPK_STATE_DIR"

# Of the terminal; all else is the service's own. Google's client finds the operator's login there.
_KEPT: Final = (
    *("HOME", "LANG", "PATH", "TMPDIR", "TERM", "COLUMNS"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"),
)


def operate(layout: Layout, name: str, words: tuple[str, ...], tell: Callable[[str], None]) -> int:
    """Run ``qpk WORD...`` for a service and return its exit code; it talks to the terminal itself.

    Parameters
    ----------
    layout : Layout
    name : str
        Of the service.
    words : tuple of str
        The command and its options, without ``--platform``.
    tell : callable
        Is told when what was deployed last is not what serves.

    Raises
    ------
    ReleaseRefused
        ``DEPLOY_MISMATCH`` when there is no such service, or nobody but itself can reach what it
        remembers; ``PIN_MISSING`` when what it runs is not known; ``RELEASE_TOOL`` when gcloud does
        not answer.
    """
    place = layout.service(name)
    service = existing(place, name)
    told = Setting(name, service.environment, service.secrets).told(place.cloud.project)
    _require_reach(service, told)
    if not service.is_ready:
        tell(
            f"{name}: what was deployed last does not serve, and this is for what was deployed "
            "last. If that changed the mode or the account, roll it back, and ask again."
        )
    built = environment(layout, place, service.commit)
    kept = {each: os.environ[each] for each in _KEPT if each in os.environ}
    also = {"QPK_BUNDLE_PATH": BUNDLE, "QPK_COMMIT": service.commit, "K_SERVICE": name}
    command = (str(built.python), "-m", "quant_platform_kit.cli", *words, "--platform", place.name)
    done = subprocess.run(command, cwd=built.files, env=kept | also | told, check=False)  # noqa: S603 (the service's own code)
    return done.returncode


def _require_reach(service: Service, told: Mapping[str, str]) -> None:
    if any(name.startswith(_STORE) for name in told) or _STATE in told:
        return
    raise ReleaseRefused(
        f"{service.name} keeps what it remembers on its own machine, which nobody else can reach: "
        f"it has no {_STORE}. Nothing was run; where trading has to stop, pause its jobs.",
        code=ReasonCode.DEPLOY_MISMATCH,
    )
