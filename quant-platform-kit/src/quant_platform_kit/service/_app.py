"""The Flask application that every platform serves.

Starting reads and checks the settings and nothing more. The strategy, the store and the broker
are built at the first request that needs them, so that a cold service answers at once.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import InternalServerError

from quant_platform_kit import __version__
from quant_platform_kit.contracts import canonical
from quant_platform_kit.errors import (
    ContractError,
    PlatformError,
    ReasonCode,
    SlotBusy,
    StopAndTell,
)
from quant_platform_kit.service._logging import configure_logging
from quant_platform_kit.settings import Settings, load_settings

if TYPE_CHECKING:
    from quant_platform_kit.contracts import CycleReport, CycleRequest
    from quant_platform_kit.runtime import Runtime

_log = logging.getLogger(__name__)
_EXTENSION = "quant_platform_kit"
_MAY_BE_STALE = frozenset(
    {"feature_snapshot_path", "feature_snapshot_manifest_path", "reconciliation_output_path"}
)
"""Settings that belong to some profiles alone: a switch away from one must take them out."""
_routes = Blueprint("service", __name__)


def create_app(platform: str, environ: Mapping[str, str] | None = None) -> Flask:
    """Return the service of `platform`.

    Parameters
    ----------
    platform : str
        ``ibkr``, ``schwab`` or ``longbridge``.
    environ : mapping, optional
        Settings; the process's environment when absent.

    Raises
    ------
    SettingsError
        When a setting is unknown, unreadable, missing or stale, something else is installed than
        the bundle names, or the profile is not enabled here: the process must not start.
    TransientError
        When a secret cannot be had now: nor must it then.
    RefuseRun
        When a deployed service's profile is unknown, or not allowed in its mode.
    """
    settings = load_settings(platform, environ)
    bundle = _checked(settings)
    configure_logging()
    app = Flask(__name__)
    app.extensions[_EXTENSION] = _LazyRuntime(settings, bundle)
    app.register_blueprint(_routes)
    app.register_error_handler(PlatformError, _refusal)
    app.register_error_handler(InternalServerError, _defect)
    return app


def _checked(settings: Settings) -> str:
    """Return the id of what the service is made of, once that and its profile may run here.

    A desk's service looks at its profile when it first runs. One that was deployed, or may have
    been left with another profile's snapshot, must not start and seem well.
    """
    if settings.rollout_path is not None or settings.spellings.keys() & _MAY_BE_STALE:
        from quant_platform_kit.runtime import admitted_sleeves

        bundle, _ = admitted_sleeves(settings)
        return bundle
    if settings.bundle_path is None:
        return ""
    from quant_platform_kit.bundle import installed_bundle  # not paid for without one

    return installed_bundle(settings.bundle_path)


class _LazyRuntime:
    """The runtime, built once, by the first request that needs it."""

    def __init__(self, settings: Settings, bundle: str) -> None:
        self.settings = settings
        self.bundle = bundle
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None

    def get(self) -> Runtime:
        with self._lock:
            if self._runtime is None:
                from quant_platform_kit.runtime import open_runtime

                self._runtime = open_runtime(self.settings)
            return self._runtime


@_routes.post("/run")
def run() -> Response:
    """Run one slot; a slot that has run answers with its first report."""
    wanted = _cycle_request()
    runtime = _lazy().get()
    result = runtime.run(wanted)
    body = {
        "repeated": result.repeated,
        "report": result.report,
        "heartbeats": runtime.heartbeats(result.report),
    }
    return _answer(body, _status(result.report))


@_routes.get("/health")
def health() -> Response:
    """Tell that the process serves; touches nothing."""
    lazy = _lazy()
    settings = lazy.settings
    return _answer(
        {
            "status": "ok",
            "platform": settings.platform,
            "profile": settings.strategy_profile or f"sleeves of {settings.sleeves_path}",
            "mode": settings.execution_mode,
            "version": __version__,
            "commit": settings.commit,
            "bundle": lazy.bundle,
        },
        HTTPStatus.OK,
    )


@_routes.get("/ready")
def ready() -> Response:
    """Tell whether a slot could run: strategy, store and broker can be built."""
    environment = _lazy().get().environment()
    return _answer({"status": "ready", "environment": environment}, HTTPStatus.OK)


@_routes.get("/status")
def status() -> Response:
    """Return the latest report, or null before the first run."""
    latest = _lazy().get().reports(1)
    return _answer({"report": latest[0] if latest else None}, HTTPStatus.OK)


@_routes.get("/profile")
def profile() -> Response:
    """Tell what each profile of the service is on its platform; touches no broker and no store."""
    from quant_platform_kit.runtime import profile_standings

    settings = _lazy().settings
    body = {
        "platform": settings.platform,
        "service": settings.service,
        "profiles": profile_standings(settings),
    }
    return _answer(body, HTTPStatus.OK)


def _cycle_request() -> CycleRequest:
    from quant_platform_kit.contracts import CycleRequest, decode

    text = request.get_data(as_text=True)  # whatever content type a client names
    if not text.strip():
        return CycleRequest()
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"The body is not JSON: {error}. Nothing was run.") from error
    if not isinstance(body, dict):
        raise ContractError('The body must be a JSON object such as {"slot": "close"}.')
    return decode(CycleRequest, body)


def _status(report: CycleReport) -> HTTPStatus:
    """503 invites the scheduler to try again, so it is given only when no order was sent."""
    from quant_platform_kit.contracts import Outcome

    if report.outcome in (Outcome.TRADED, Outcome.NO_ACTION):
        return HTTPStatus.OK
    return HTTPStatus.INTERNAL_SERVER_ERROR if report.orders else HTTPStatus.SERVICE_UNAVAILABLE


def _refusal(error: PlatformError) -> Response:
    if isinstance(error, SlotBusy):
        status = HTTPStatus.CONFLICT
    elif isinstance(error, ContractError):
        status = HTTPStatus.BAD_REQUEST
    elif isinstance(error, StopAndTell):  # the store failed: nobody knows here what was sent
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    else:
        status = HTTPStatus.SERVICE_UNAVAILABLE
    # A scheduler shows its callers a number; without a report this line is all there is to read.
    level = logging.WARNING if status < HTTPStatus.INTERNAL_SERVER_ERROR else logging.ERROR
    _log.log(level, "refused with %d %s: %s", status, error.code, error.message)
    return _answer({"error": {"code": error.code, "message": error.message}}, status)


def _defect(_error: InternalServerError) -> Response:
    message = (
        "The service met a defect; its log says where. Whether orders were sent is on record: "
        "ask for the slot again, and it resolves them before anything else."
    )
    body = {"error": {"code": ReasonCode.UNEXPECTED, "message": message}}
    return _answer(body, HTTPStatus.INTERNAL_SERVER_ERROR)


def _answer(body: Any, status: HTTPStatus) -> Response:  # noqa: ANN401 (any contract)
    return Response(canonical(body), status=status, mimetype="application/json")


def _lazy() -> _LazyRuntime:
    lazy: _LazyRuntime = current_app.extensions[_EXTENSION]
    return lazy
