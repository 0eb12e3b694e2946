"""`gcloud builds submit`: an image is a copy of the folder that it is built of."""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.testing._gcloud._flags import Call, Command, Commands
from quant_platform_kit.testing._gcloud._state import Refused

IMAGES: Final = "images"
_LEFT: Final = shutil.ignore_patterns(".git", "__pycache__", "state")


def submit(call: Call) -> dict[str, Any]:
    """Keep a copy of a folder under an image's name."""
    source, tag = Path(call.asked.source), call.asked.tag
    if not source.is_dir():
        raise Refused(f"could not find source [{source}]")
    if not (source / "Dockerfile").is_file():
        raise Refused("Invalid value for [source]: Dockerfile required when specifying --tag")
    digest = _digest(source)
    build = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
    call.tell(f"Creating temporary archive of [{source}].")
    if call.state["faults"]["builds"]:
        call.state["faults"]["builds"] -= 1
        raise Refused(f'build {build} completed with status "FAILURE"')
    copy = call.folder / IMAGES / digest
    if not copy.exists():
        shutil.copytree(source, copy, ignore=_LEFT)
    call.state[IMAGES][tag] = digest
    image = {"name": tag, "digest": f"sha256:{digest}"}
    return {"id": build, "status": "SUCCESS", "images": [tag], "results": {"images": [image]}}


def _digest(folder: Path) -> str:
    """Return what tells one folder's content from another's."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            whole.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()


def _flags(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("source")
    flags.add_argument("--tag", "-t", required=True)
    flags.add_argument("--region", default="")


COMMANDS: Final[Commands] = {("builds", "submit"): Command(_flags, submit)}
