# After `azd deploy`: how to see that it works. It says what scripts/after-deploy.sh says.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$app = 'NAME'
if ($env:AZURE_FUNCTION_NAME) { $app = $env:AZURE_FUNCTION_NAME }
$group = 'GROUP'
if ($env:AZURE_RESOURCE_GROUP) { $group = $env:AZURE_RESOURCE_GROUP }
Write-Host @"

hsmwatch: $app has its package. To see that it works:

  hsmwatch doctor --app $app
     walks the chain from the HSM's diagnostic setting to the receivers, and says of each link that is not well what cures it.
     The program is in hsmwatch-x86_64-unknown-linux-gnu.tar.gz of the release (it runs in WSL), and in an image of its own
     (deploy/README.md).

Without the program, the status page (the first answer may take some seconds, the first evaluation a minute):

  `$key = az functionapp function keys list --resource-group $group --name $app --function-name status --query default --output tsv
  Invoke-RestMethod -Headers @{ 'x-functions-key' = `$key } https://$app.azurewebsites.net/api/status

The first run tells nothing of the past: a watch begins when it is first seen. What is still to be done before it can watch:
azd hooks run postprovision

"@
