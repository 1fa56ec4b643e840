#!/bin/sh
# Has Microsoft's own Bicep compiler and linter read infra/: needs the Azure CLI with Bicep (`az bicep install`), and jq.
# CI runs this; the tests of the repository check what can be checked without them.
set -eu

cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# A complaint, as GitHub shows it beside the file, or as a line.
complain() {
    bad=$((bad + 1))
    if [ "${GITHUB_ACTIONS:-}" = true ]; then
        printf '::error file=%s::%s\n' "$1" "$2"
    else
        printf '%s: %s\n' "$1" "$2" >&2
    fi
}

# Every file, so that a module which nothing names is read too. Warnings are shown, and fail nothing: which ones there are
# changes with the compiler. What must not be is an error in infra/bicepconfig.json.
find infra -name '*.bicep' >"$work/files"
while read -r file; do
    echo "== $file"
    mkdir -p "$work/$(dirname "$file")"
    az bicep build --file "$file" --outfile "$work/${file%.bicep}.json" || complain "$file" 'does not build'
    az bicep lint --file "$file" || complain "$file" 'the linter refuses it'
done <"$work/files"

# A file of parameters fits its template: no name that the template does not know, and all that it must have.
fits() {
    built=$work/${1%.bicep}.json
    [ -f "$built" ] || return 0
    names=$(jq --raw-output --slurpfile template "$built" '
        ($template[0].parameters // {}) as $declared | .parameters as $given |
        ($given | keys[] | select(in($declared) | not) | "`\(.)` is no parameter of the template"),
        ($declared | to_entries[] | select((.value | has("defaultValue") or (.nullable == true)) | not) | .key |
            select(in($given) | not) | "`\(.)` is missing")' "$2")
    [ -z "$names" ] || complain "$2" "$names"
}

for pair in main.bicep:main.parameters.json logging/main.bicep:logging/main.parameters.json; do
    fits "infra/${pair%%:*}" "infra/${pair#*:}"
done

# Examples have values, so the compiler can say whether they are of the right kind. (Those for azd have ${…} in them.)
for file in infra/examples/*.parameters.json; do
    template=infra/main.bicep
    if jq --exit-status '.parameters | has("hsms")' "$file" >/dev/null; then
        template=infra/logging/main.bicep
    fi
    fits "$template" "$file"
    # shellcheck disable=SC2016 # azd's, not the shell's
    if grep -q '\${' "$file"; then
        continue
    fi
    echo "== $file"
    # In a copy, beside the template: the compiler writes where it reads.
    beside=$work/copy/$(dirname "$template")
    mkdir -p "$work/copy"
    cp -R infra "$work/copy/"
    cp "$file" "$beside/check.json"
    if (cd "$beside" && az bicep decompile-params --file check.json --bicep-file ./main.bicep); then
        (cd "$beside" && az bicep build-params --file check.bicepparam --outfile check.built.json) ||
            complain "$file" "does not fit $template"
    else
        complain "$file" 'is no file of parameters'
    fi
    rm -rf "$work/copy"
done

[ "$bad" -eq 0 ] || { echo "$bad complaints about infra/" >&2; exit 1; }
echo 'infra/ is fine'
