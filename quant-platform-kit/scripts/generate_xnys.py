"""Write the XNYS session table that ships with the kit, or check that it is up to date.

    python scripts/generate_xnys.py            # write the table
    python scripts/generate_xnys.py --check    # exit code 1 when the file differs

The table holds exceptions only: weekdays without a session and early closes. To extend it, move
`LAST_DAY`. The same version of `exchange_calendars` always gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, timedelta
from pathlib import Path

import exchange_calendars  # type: ignore[import-untyped]

FIRST_DAY = date(1990, 1, 1)
LAST_DAY = date(2030, 12, 31)
TABLE = Path(__file__).parents[1] / "src" / "quant_platform_kit" / "market" / "xnys.csv"

_ZONE = "America/New_York"
_USUAL_HOURS = ("09:30", "16:00")
_SATURDAY = 5


def render(first_day: date, last_day: date) -> str:
    """Return the table's text for the days from `first_day` to `last_day`.

    Raises
    ------
    ValueError
        When a session falls on a weekend or opens at an unusual hour: the table has no word for
        either.
    """
    calendar = exchange_calendars.get_calendar("XNYS", start=str(first_day), end=str(last_day))
    usual_open, usual_close = _USUAL_HOURS
    hours: dict[date, str] = {}
    for session in calendar.sessions:
        opens = calendar.session_open(session).tz_convert(_ZONE)
        if session.weekday() >= _SATURDAY or f"{opens:%H:%M}" != usual_open:
            message = f"the table cannot express the session of {session:%Y-%m-%d}, open {opens}"
            raise ValueError(message)
        hours[session.date()] = f"{calendar.session_close(session).tz_convert(_ZONE):%H:%M}"

    lines = ["date,event", f"{first_day},table begins"]
    for offset in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=offset)
        event = hours.get(day, "closed")
        if day.weekday() < _SATURDAY and event != usual_close:
            lines.append(f"{day},{event}")
    lines.append(f"{last_day},table ends")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write or check the table; return the process's exit code."""
    parser = argparse.ArgumentParser(description="Write the XNYS session table.")
    parser.add_argument("--check", action="store_true", help="compare only; write nothing")
    parser.add_argument("--table", type=Path, default=TABLE, metavar="FILE")
    options = parser.parse_args(arguments)
    table: Path = options.table

    content = render(FIRST_DAY, LAST_DAY).encode()
    if options.check:
        if table.is_file() and table.read_bytes() == content:
            return 0
        sys.stderr.write(f"{table} is not what this script would write; run it again\n")
        return 1
    table.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
