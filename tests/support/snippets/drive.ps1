# Asks the function from docs/receivers.md about requests: `drive.ps1 SNIPPET`, one request a line.
param([string] $Snippet)
$ErrorActionPreference = 'Stop'
. $Snippet
while ($null -ne ($line = [Console]::In.ReadLine())) {
    $fields = $line.Split("`t")
    $headers = @{}
    $names = 'webhook-id', 'webhook-timestamp', 'webhook-signature'
    for ($n = 0; $n -lt 3; $n++) { if ($fields[2 + $n] -ne '-') { $headers[$names[$n]] = $fields[2 + $n] } }
    $is = Test-HsmwatchRequest -Headers $headers -Body ([Convert]::FromBase64String($fields[6])) -Secrets $fields[1].Split(' ')
    [Console]::Out.WriteLine([int] $is)
}
