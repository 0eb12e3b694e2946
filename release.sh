#!/usr/bin/env bash
# Front door of releases: `./release.sh status`, `plan`, `kit VERSION`, … The work is `qpk release`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

[[ -x .venv/bin/qpk ]] || make install >&2
exec .venv/bin/qpk release "$@"
