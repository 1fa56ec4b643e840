# After `azd provision`: what is left to do, out of the template's outputs, which azd puts into the environment.
# It does what scripts/after-provision.sh does. To see it again: `azd hooks run postprovision`.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

function Show-Block([string] $First, [string] $Text) {
    $pad = ' ' * $First.Length
    $lines = @($Text -split "`r?`n" | ForEach-Object { $_ -replace '[\x00-\x1f\x7f]', '' })
    for ($k = 0; $k -lt $lines.Count; $k++) {
        if ($k -eq 0) { Write-Host ($First + $lines[$k]) } else { Write-Host ($pad + $lines[$k]) }
    }
}

# The steps of an output: an array of them, or one text.
function Show-Steps([string] $Output) {
    if (-not $Output.StartsWith('[')) {
        Show-Block '  ' $Output
        return
    }
    $parsed = ConvertFrom-Json -InputObject $Output
    $number = 0
    foreach ($step in $parsed) {
        $number++
        if ($step -is [string]) {
            Show-Block ('{0,3}. ' -f $number) $step
            continue
        }
        $field = @{ who = ''; what = '' }
        foreach ($property in $step.PSObject.Properties) { $field[$property.Name] = @($property.Value) -join "`n" }
        $head = @(@($field['who'], $field['what']) | Where-Object { $_ }) -join ': '
        Show-Block ('{0,3}. ' -f $number) $head
        foreach ($property in $step.PSObject.Properties) {
            $name = $property.Name
            if ($name -eq 'who' -or $name -eq 'what' -or -not $field[$name]) { continue }
            # Those of the Azure CLI are written for a POSIX shell.
            if ($name -eq 'az' -and $field['powershell']) { continue }
            if ($name -ne 'az' -and $name -ne 'powershell' -and $name -notlike 'command*') { Write-Host "     ${name}:" }
            Show-Block '       ' $field[$name]
        }
    }
}

$app = 'the function app'
if ($env:AZURE_FUNCTION_NAME) { $app = $env:AZURE_FUNCTION_NAME }
$group = '?'
if ($env:AZURE_RESOURCE_GROUP) { $group = $env:AZURE_RESOURCE_GROUP }
Write-Host "`nhsmwatch: the resources of $app are there (resource group $group)."
if ($env:privilegedSteps -and $env:privilegedSteps -ne '[]') {
    Write-Host "`nTo be done by those who hold the rights for it; until then nothing is watched:`n"
    Show-Steps $env:privilegedSteps
}
if ($env:nextSteps -and $env:nextSteps -ne '[]') {
    Write-Host "`nTo be done by you:`n"
    Show-Steps $env:nextSteps
}
Write-Host "`nShown again by: azd hooks run postprovision`n"
