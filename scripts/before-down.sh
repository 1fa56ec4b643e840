#!/bin/sh
# Before `azd down`: azd deletes the whole resource group, not only what it made. This stops it where something lies in the group
# that must outlive the watcher: an HSM, a workspace, an archive of logs.
#
# Variables, optional:
#   HSMWATCH_DOWN  the name of the resource group: go on, whatever is in it
#
# scripts/before-down.ps1 is the same for Windows: what changes here changes there.
# shellcheck disable=SC2016 # `…` in a text names something
set -eu

say() {
    printf 'down: %s\n' "$1"
}

# The first argument is what is wrong; each further one is a line of the cure.
refuse() {
    printf 'down: %s\n' "$1" >&2
    shift
    for line in "$@"; do
        printf '      %s\n' "$line" >&2
    done
    exit 1
}

group=${AZURE_RESOURCE_GROUP:-}
if [ -z "$group" ]; then
    say 'no resource group is known to this environment: nothing was provisioned'
    exit 0
fi
cure="If all of it may go: HSMWATCH_DOWN=$group azd down"

if [ "${HSMWATCH_DOWN:-}" = "$group" ]; then
    say "HSMWATCH_DOWN names $group: not looking at what else is in it"
else
    command -v az >/dev/null 2>&1 ||
        refuse "azd would delete all of resource group $group, and without the Azure CLI (\`az\`) it cannot be seen what that is" \
            'Install it, or look in the portal: an HSM, a workspace or an archive of its logs must not go with the watcher.' "$cure"
    found=$(az resource list --resource-group "$group" ${AZURE_SUBSCRIPTION_ID:+--subscription "$AZURE_SUBSCRIPTION_ID"} \
        --query '[].[type, name]' --output tsv) ||
        refuse "azd would delete all of resource group $group, and what is in it cannot be listed (az login?)" "$cure"
    # The watcher has one storage account, and one workspace for what it says of itself, NAME-telemetry: all others are somebody's.
    kept=$(printf '%s\n' "$found" | tr -d '\r' | awk -F '\t' '
        { type = tolower($1) }
        type ~ /^microsoft\.hardwaresecuritymodules\// || type == "microsoft.keyvault/managedhsms" ||
            (type == "microsoft.operationalinsights/workspaces" && $2 !~ /-telemetry$/) { print "  " $2 " (" $1 ")" }
        type == "microsoft.storage/storageaccounts" { accounts[++n] = "  " $2 " (" $1 ")" }
        END { if (n > 1) for (k = 1; k <= n; k++) print accounts[k] }')
    [ -z "$kept" ] || refuse "azd would delete all of resource group $group, and in it is what must outlive the watcher:" "$kept" \
        'Delete the resources of the watcher one by one instead (az resource delete), or move these to another group first.' "$cure"
fi

say "what stays behind when $group is gone: the workspace, the archive and the diagnostic settings (infra/logging);"
say 'the role assignment on the workspace, of an identity that is no more; the vault, soft-deleted, until it is purged or its time'
say 'is over. The commands that remove them are in docs/operations.md.'
