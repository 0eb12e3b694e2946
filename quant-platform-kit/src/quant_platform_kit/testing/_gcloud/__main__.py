"""The program: `python -m quant_platform_kit.testing._gcloud FOLDER WORD...`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.testing._gcloud import (
    _builds,
    _logging,
    _scheduler,
    _secrets,
    _services,
    _strikes,
)
from quant_platform_kit.testing._gcloud._flags import WRONG, Call, Command, Commands, parser
from quant_platform_kit.testing._gcloud._state import AnswerLost, Refused, opened

COMMANDS: Final[Commands] = {
    **_builds.COMMANDS,
    **_logging.COMMANDS,
    **_scheduler.COMMANDS,
    **_secrets.COMMANDS,
    **_services.COMMANDS,
}
_LOST: Final = (
    "ERROR: gcloud crashed (ConnectionError): ('Connection aborted.', "
    "RemoteDisconnected('Remote end closed connection without response'))"
)


def main(folder: Path, words: list[str]) -> int:
    """Do what a command says; return the exit code."""
    said = tuple(words)
    named = next((each for each in COMMANDS if said[: len(each)] == each), None)
    if named is None:
        _tell(f"ERROR: (gcloud) Invalid choice: '{' '.join(words[:3])}'.")
        return WRONG
    strike = _strikes.due(folder)
    try:
        _strikes.before(folder, strike)
        _answer(folder, COMMANDS[named], words[len(named) :], strike)
    except AnswerLost:
        _tell(_LOST)
        return 1
    except Refused as refusal:
        _tell(f"ERROR: (gcloud.{'.'.join(named)}) {refusal}")
        return refusal.status
    return 0


def _answer(
    folder: Path, command: Command, words: list[str], strike: _strikes.Strike | None
) -> None:
    asked = parser(command).parse_args(words)
    with opened(folder) as state:
        call = Call(state, folder, asked.project or state["project"], asked, _tell)
        found = command.act(call)
    if command.then is not None:
        command.then(call, found)
    _strikes.after(strike)
    if asked.format == "json":
        sys.stdout.write(f"{json.dumps(found, indent=2)}\n")
    elif asked.format.startswith("value("):
        paths = asked.format[len("value(") : -1].split(",")
        for row in found if isinstance(found, list) else [found]:
            sys.stdout.write("\t".join(_value(row, path) for path in paths) + "\n")
    elif asked.format:
        raise Refused(f"Format [{asked.format}] is none that this stand-in prints", WRONG)


def _value(found: Any, path: str) -> str:  # noqa: ANN401 (any answer)
    for part in path.split("."):
        found = found.get(part, "") if isinstance(found, dict) else ""
    return str(found)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    with _strikes.under_way(Path(sys.argv[1])):
        code = main(Path(sys.argv[1]), sys.argv[2:])
    sys.exit(code)
