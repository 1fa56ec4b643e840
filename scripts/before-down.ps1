# Before `azd down`: azd deletes the whole resource group, not only what it made. This stops it where something lies in the group
# that must outlive the watcher. It does what scripts/before-down.sh does, and reads the same variable: HSMWATCH_DOWN.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

function Say([string] $Text) { Write-Host "down: $Text" }

# The first text is what is wrong; each further one is a line of the cure.
function Refuse([string[]] $Lines) {
    $all = @("down: $($Lines[0])") + @($Lines | Select-Object -Skip 1 | ForEach-Object { "      $_" })
    [Console]::Error.WriteLine($all -join "`n")
    exit 1
}

$group = $env:AZURE_RESOURCE_GROUP
if (-not $group) {
    Say 'no resource group is known to this environment: nothing was provisioned'
    exit 0
}
$cure = "If all of it may go: `$env:HSMWATCH_DOWN = '$group'; azd down"

if ($env:HSMWATCH_DOWN -eq $group) {
    Say "HSMWATCH_DOWN names ${group}: not looking at what else is in it"
} else {
    if (-not (Get-Command az -ErrorAction SilentlyContinue)) {
        Refuse "azd would delete all of resource group $group, and without the Azure CLI (``az``) it cannot be seen what that is",
            'Install it, or look in the portal: an HSM, a workspace or an archive of its logs must not go with the watcher.', $cure
    }
    $where = @('--resource-group', $group)
    if ($env:AZURE_SUBSCRIPTION_ID) { $where += @('--subscription', $env:AZURE_SUBSCRIPTION_ID) }
    $ErrorActionPreference = 'Continue'
    $found = @(az resource list @where --query '[].[type, name]' --output tsv)
    $ErrorActionPreference = 'Stop'
    if ($LASTEXITCODE -ne 0) {
        Refuse "azd would delete all of resource group $group, and what is in it cannot be listed (az login?)", $cure
    }
    # The watcher has one storage account, and one workspace for what it says of itself, NAME-telemetry: all others are somebody's.
    $kept = @()
    $accounts = @()
    foreach ($line in $found) {
        $type, $name = "$line" -split "`t"
        if ($type -like 'Microsoft.HardwareSecurityModules/*' -or $type -eq 'Microsoft.KeyVault/managedHSMs' -or
            ($type -eq 'Microsoft.OperationalInsights/workspaces' -and $name -notlike '*-telemetry')) { $kept += "  $name ($type)" }
        if ($type -eq 'Microsoft.Storage/storageAccounts') { $accounts += "  $name ($type)" }
    }
    if ($accounts.Count -gt 1) { $kept += $accounts }
    if ($kept.Count -gt 0) {
        Refuse (@("azd would delete all of resource group $group, and in it is what must outlive the watcher:") + $kept +
            @('Delete the resources of the watcher one by one instead (az resource delete), or move these to another group first.', $cure))
    }
}

Say "what stays behind when $group is gone: the workspace, the archive and the diagnostic settings (infra/logging);"
Say 'the role assignment on the workspace, of an identity that is no more; the vault, soft-deleted, until it is purged or its time'
Say 'is over. The commands that remove them are in docs/operations.md.'
