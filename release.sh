#!/usr/bin/env bash
# Front door of releases. It only looks: nothing is tagged, pushed or deployed yet.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly PACKAGES=(quant-platform-kit us-equity-strategies snapshot-pipelines)
readonly USAGE='usage: ./release.sh status

  status   for each package: version, changelog entry, tag, uncommitted changes'

version_of() {
  local found
  found=$(sed -n 's/^__version__ = "\([^"]*\)"$/\1/p' "$1"/src/*/__init__.py)
  [[ -n $found ]] || { echo "$1: no __version__ in src/*/__init__.py" >&2; return 1; }
  echo "$found"
}

has_changelog_entry() { grep -qxF "## $2" "$1/CHANGELOG.md"; }

has_tag() { git rev-parse --quiet --verify "refs/tags/$1" >/dev/null; }

changes_in() {
  local count
  count=$(git status --porcelain -- "$1" | wc -l)
  if ((count == 0)); then echo clean; else echo "$((count)) changed"; fi
}

status() {
  local row='%-22s %-9s %-10s %-30s %s\n' package version changelog tag
  # shellcheck disable=SC2059  # one format for every row
  printf "$row" PACKAGE VERSION CHANGELOG TAG TREE
  for package in "${PACKAGES[@]}"; do
    version=$(version_of "$package")
    changelog=missing
    if has_changelog_entry "$package" "$version"; then changelog=yes; fi
    tag="$package-v$version"
    has_tag "$tag" || tag="none yet"
    # shellcheck disable=SC2059
    printf "$row" "$package" "$version" "$changelog" "$tag" "$(changes_in "$package")"
  done
}

case "${1-}" in
  status)
    (($# == 1)) || { echo "$USAGE" >&2; exit 2; }
    status
    ;;
  -h | --help | help) echo "$USAGE" ;;
  "") echo "$USAGE" >&2; exit 2 ;;
  *) printf 'release.sh: there is no verb "%s".\n\n%s\n' "$1" "$USAGE" >&2; exit 2 ;;
esac
