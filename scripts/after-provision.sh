#!/bin/sh
# After `azd provision`: what is left to do, out of the template's outputs, which azd puts into the environment.
# scripts/after-provision.ps1 is the same for Windows. To see it again: `azd hooks run postprovision`.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

# The steps of an output: an array of them, or one text.
steps() {
    case $1 in
        '['*) printf '%s\n' "$1" | awk -v skip=powershell -f "$here/steps.awk" ;;
        *) printf '%s\n' "$1" | tr -d '\000-\011\013-\037\177' | sed 's/^/  /' ;;
    esac
}

# shellcheck disable=SC2154 # outputs of infra/main.bicep
privileged=${privilegedSteps:-}
next=${nextSteps:-}

printf '\nhsmwatch: the resources of %s are there (resource group %s).\n' \
    "${AZURE_FUNCTION_NAME:-the function app}" "${AZURE_RESOURCE_GROUP:-?}"
case $privileged in
    '' | '[]') ;;
    *)
        printf '\nTo be done by those who hold the rights for it; until then nothing is watched:\n\n'
        steps "$privileged"
        ;;
esac
case $next in
    '' | '[]') ;;
    *)
        printf '\nTo be done by you:\n\n'
        steps "$next"
        ;;
esac
printf '\nShown again by: azd hooks run postprovision\n\n'
