#!/bin/sh
# Sees to it that the package of the function app is at dist/hsmwatch.zip, so that nobody needs Rust to deploy. azd runs this.
#
# - A package that is there is taken: one that `cargo xtask package` built, say, with a configuration in it.
# - Otherwise that of the release which fits this checkout (the version in Cargo.toml) is downloaded from the GitHub repository
#   of the remote `origin`. Nothing takes its place before its checksum is right.
#
# Variables, all optional:
#   HSMWATCH_RELEASES            where releases are, in place of https://github.com/OWNER/NAME/releases/download: a mirror, or the
#                                repository that yours is a fork of. The files are at URL/vVERSION/hsmwatch.zip and …/SHA256SUMS.
#   HSMWATCH_REQUIRE_PROVENANCE  1: stop unless the provenance was verified, which needs the GitHub CLI, signed in
#
# scripts/package.ps1 is the same for Windows: what changes here changes there.
# shellcheck disable=SC2016 # `…` in a text names something
set -eu

cd "$(dirname "$0")/.."

zip=dist/hsmwatch.zip
mark=$zip.release # after a download: `vVERSION SHA256`
work=

say() {
    printf 'package: %s\n' "$1"
}

# The first argument is what is wrong; each further one is a line of the cure.
refuse() {
    printf 'package: %s\n' "$1" >&2
    shift
    for line in "$@"; do
        printf '         %s\n' "$line" >&2
    done
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# shellcheck disable=SC2329 # called by the trap
clean() {
    if [ -n "$work" ]; then
        rm -rf "$work"
    fi
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

have sha256sum || have shasum || have openssl ||
    refuse 'checksums cannot be computed: there is no `sha256sum`, `shasum` or `openssl`'

sha256() {
    if have sha256sum; then
        sha256sum <"$1"
    elif have shasum; then
        shasum -a 256 <"$1"
    else
        openssl dgst -sha256 -r <"$1"
    fi | cut -d ' ' -f 1
}

version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version *= *"\([^"]*\)".*/\1/p' Cargo.toml)
case $version in
    '' | *[!0-9A-Za-z.+-]*) refuse 'no version is found in Cargo.toml: is this a checkout of hsmwatch?' ;;
esac
tag=v$version

# A package that is there.
if [ -e "$zip" ]; then
    sum=$(sha256 "$zip")
    marked_tag='' marked_sum=''
    if [ -f "$mark" ]; then
        read -r marked_tag marked_sum <"$mark" || :
    fi
    if [ "$marked_sum" = "$sum" ] && [ "$marked_tag" != "$tag" ]; then
        say "$zip is the package of release $marked_tag, and this checkout is $tag: looking for that release"
    else
        if [ -f "$zip.sha256" ]; then
            built='' rest=''
            read -r built rest <"$zip.sha256" || :
            [ "$built" = "$sum" ] || refuse "$zip is not what the checksum beside it, $zip.sha256, was made of${rest:+:}" \
                "$sum is what it has" "$built is written there" \
                'Remove both, and run again: or build the package, `cargo xtask package`.'
        fi
        [ "$(head -c 2 "$zip")" = PK ] || refuse "$zip is no zip: remove it, and run again"
        say "taking $zip, which is there already"
        say "SHA-256 $sum"
        exit 0
    fi
fi

# Where the release is, and whose.
repository=
# Sets `repository` to OWNER/NAME if this is an address on github.com. Addresses are not shown: they may have a token in them.
set_repository() {
    address=$1
    case $address in
        *://*)
            address=${address#*://}
            host=${address%%/*}
            path=${address#*/}
            host=${host##*@}
            host=${host%%:*}
            ;;
        *)
            host=${address%%:*}
            host=${host##*@}
            path=${address#*:}
            ;;
    esac
    path=${path%/}
    path=${path%.git}
    case $host in
        github.com | www.github.com | ssh.github.com) ;;
        *) return 0 ;;
    esac
    case $path in
        *[!A-Za-z0-9._/-]* | */*/* | /* | */) ;;
        */*) repository=$path ;;
    esac
}

protocol='=https'
if [ -n "${HSMWATCH_RELEASES:-}" ]; then
    releases=${HSMWATCH_RELEASES%/}
    case $releases in
        *[!A-Za-z0-9._~:/%@+\[\]-]*) refuse '`HSMWATCH_RELEASES` is no plain address: no spaces, `?` or `#`' ;;
        https://github.com/*/releases/download) set_repository "${releases%/releases/download}" ;;
        https://?*) ;;
        http://127.0.0.1:* | http://127.0.0.1/* | http://localhost:* | http://localhost/* | http://\[::1\]*) protocol='=http' ;;
        *) refuse '`HSMWATCH_RELEASES` is neither an https address nor one of this machine: the checksum comes from there too' ;;
    esac
else
    have git || refuse 'the release cannot be found: there is no `git` to ask for the remote `origin`' \
        'Set HSMWATCH_RELEASES=https://github.com/OWNER/NAME/releases/download, or put the package at dist/hsmwatch.zip.'
    origin=$(git remote get-url origin 2>/dev/null) ||
        refuse 'the release cannot be found: this checkout has no remote `origin`' \
            'Set HSMWATCH_RELEASES=https://github.com/OWNER/NAME/releases/download, or put the package at dist/hsmwatch.zip.'
    set_repository "$origin"
    [ -n "$repository" ] || refuse 'the release cannot be found: the remote `origin` is no repository on github.com' \
        'Set HSMWATCH_RELEASES=https://github.com/OWNER/NAME/releases/download, or put the package at dist/hsmwatch.zip.'
    releases=https://github.com/$repository/releases/download
fi
case ${releases#*://} in
    *@*) shown=${releases%%://*}://…@${releases#*@} ;; # without a password
    *) shown=$releases ;;
esac

have curl || refuse 'nothing can be downloaded: there is no `curl`' \
    "Install it, or put the package at $zip yourself: $shown/$tag/hsmwatch.zip"

mkdir -p dist
work=$(mktemp -d dist/.download.XXXXXX)

# The file of this name of the release, to the folder of what is not checked yet.
download() {
    status=0
    code=$(curl --silent --show-error --location --proto "$protocol" --proto-redir =https --tlsv1.2 \
        --connect-timeout 20 --speed-limit 1000 --speed-time 60 --max-filesize 268435456 --retry 3 \
        --output "$work/$1" --write-out '%{http_code}' "$releases/$tag/$1" 2>"$work/said") || status=$?
    if [ "$status" -ne 0 ]; then
        why=$(sed -n '$s/^curl: //p' "$work/said")
        refuse "$1 of release $tag was not downloaded whole: ${why:-curl ended with $status}" "$shown/$tag/$1"
    fi
    case $code in
        200) ;;
        404)
            refuse "there is no $1 in a release $tag: $shown/$tag/$1 (404)" \
                'This checkout may be newer than every release: check out the tag of one.' \
                "A private repository shows its releases to nobody unknown. Signed in to the GitHub CLI:" \
                "  gh release download $tag --dir dist --pattern hsmwatch.zip"
            ;;
        *) refuse "$1 of release $tag was not downloaded: the server answered $code" "$shown/$tag/$1" ;;
    esac
}

say "downloading hsmwatch.zip of release $tag from $shown"
download SHA256SUMS
expected=$(tr -d '\r' <"$work/SHA256SUMS" | awk '$2 == "hsmwatch.zip" || $2 == "*hsmwatch.zip" { print tolower($1) }')
case $expected in
    '') refuse "SHA256SUMS of release $tag has no line for hsmwatch.zip: nothing was taken" ;;
    *[!0-9a-f]*) refuse "SHA256SUMS of release $tag has no single checksum for hsmwatch.zip: nothing was taken" ;;
esac
[ ${#expected} -eq 64 ] || refuse "SHA256SUMS of release $tag has no SHA-256 for hsmwatch.zip: nothing was taken"
download hsmwatch.zip
sum=$(sha256 "$work/hsmwatch.zip")
[ "$sum" = "$expected" ] || refuse 'the checksum of the download is wrong: nothing was taken' \
    "$sum is what came" "$expected is what SHA256SUMS of release $tag says" \
    'Try again; if it stays so, somebody between the release and you changes files: tell them, and us.'

# Who built it. The checksum comes from where the package comes from; the provenance does not.
unverified=
if [ -z "$repository" ]; then
    unverified='`HSMWATCH_RELEASES` is no GitHub repository'
elif ! have gh; then
    unverified='there is no GitHub CLI (`gh`)'
elif ! gh attestation verify --help >/dev/null 2>&1; then
    unverified='this GitHub CLI is too old for `gh attestation`'
elif ! gh auth status --hostname github.com >/dev/null 2>&1; then
    unverified='the GitHub CLI is not signed in (`gh auth login`)'
elif gh attestation verify "$work/hsmwatch.zip" --repo "$repository" \
    --signer-workflow "$repository/.github/workflows/release.yml" >"$work/said" 2>&1; then
    say "provenance: built by the release workflow of $repository"
else
    refuse "the provenance is not verified: nothing was taken. \`gh attestation verify\` says:" "$(tail -n 5 "$work/said")"
fi
if [ -n "$unverified" ]; then
    [ "${HSMWATCH_REQUIRE_PROVENANCE:-}" != 1 ] ||
        refuse "the provenance cannot be verified, and HSMWATCH_REQUIRE_PROVENANCE=1: $unverified"
    say "the provenance was not verified: $unverified"
fi

rm -f "$zip.sha256"
mv -f "$work/hsmwatch.zip" "$zip"
printf '%s %s\n' "$tag" "$sum" >"$mark"
say "$zip is the package of release $tag; its checksum is right"
say "SHA-256 $sum"
