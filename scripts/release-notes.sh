#!/bin/sh
# Prints what CHANGELOG.md says of a release: scripts/release-notes.sh vVERSION. It stops unless the tag is the version in
# Cargo.toml, and the changes are there under `## VERSION – DATE`.
# shellcheck disable=SC2016 # `…` in a text names something
set -eu

cd "$(dirname "$0")/.."

refuse() {
    printf 'release: %s\n' "$1" >&2
    exit 1
}

tag=${1:-}
case $tag in
    v[0-9]*) ;;
    *) refuse 'name the tag: scripts/release-notes.sh v1.2.3' ;;
esac
version=${tag#v}
there=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version *= *"\([^"]*\)".*/\1/p' Cargo.toml)
[ "$version" = "$there" ] || refuse "the tag is $tag, and the version in Cargo.toml is $there"

# From the heading of this version to the next one. `## 1.2.3` and `## [1.2.3]`, with or without something after it.
notes=$(awk -v version="$version" '
    /^## / {
        title = $2
        gsub(/^\[|\]$/, "", title)
        on = title == version
        next
    }
    on && (text || $0 != "") { text = 1; print }
' CHANGELOG.md)
[ -n "$notes" ] || refuse "CHANGELOG.md has no changes under \`## $version\`: give \`## Unreleased\` that name, and the date"
printf '%s\n' "$notes"
