#!/usr/bin/env bash
# Runs a command with no network but the loopback interface: what it does needs nothing outside.
set -euo pipefail

alone=(unshare --net)
((EUID == 0)) || alone+=(--map-root-user)

if "${alone[@]}" ip link set lo up; then
  exec "${alone[@]}" bash -c 'ip link set lo up && exec "$@"' loopback "$@"
fi
echo "NOT ISOLATED: this machine allows no network namespace; the network is there as usual." >&2
exec "$@"
