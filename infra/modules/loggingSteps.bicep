// What people with other rights have to do after a deployment of infra/logging, as commands with the real names in them. No
// resources: a module, since only what is known at the start of a deployment may be used in loops, and here it all is.

@description('The HSMs: {resourceId, archiveId}, archiveId empty without an archive.')
param hsms array

@description('Whether the diagnostic settings were made.')
param settingsMade bool

@description('Name of the diagnostic settings.')
param settingName string

@description('Categories to send.')
param categories array

@description('Resource id of the workspace.')
param workspaceId string

@description('Resource ids of what should be locked and is not.')
param unlockedIds array

@description('Resource ids of HSMs of other subscriptions, whose alert this deployment cannot make; empty without e-mail addresses.')
param hsmsElsewhere array

@description('Start of the names of the alerts.')
param alertPrefix string

@description('Resource id of the action group.')
param actionGroupId string

var logsAz = join(map(categories, category => '{"category":"${category}","enabled":true}'), ',')
var logsPowerShell = join(
  map(categories, category => '(New-AzDiagnosticSettingLogSettingsObject -Category ${category} -Enabled $true)'),
  ', '
)

// A subscription that has never sent a log anywhere is "not registered to use microsoft.insights".
var subscriptions = map(items(groupBy(map(hsms, hsm => split(hsm.resourceId, '/')[2]), id => id)), group => group.key)
var registrationSteps = map(
  settingsMade ? [] : subscriptions,
  id => {
    who: 'Contributor of the subscription ${id}'
    what: 'register Microsoft.Insights in the subscription of the HSMs, if it is not'
    az: 'az provider register --namespace Microsoft.Insights --subscription ${id} --wait'
    powershell: 'Set-AzContext -Subscription ${id} | Out-Null; Register-AzResourceProvider -ProviderNamespace Microsoft.Insights | Out-Null'
  }
)

var settingSteps = map(
  settingsMade ? [] : hsms,
  hsm => {
    who: 'Monitoring Contributor of the HSM ${last(split(hsm.resourceId, '/'))} in the group ${split(hsm.resourceId, '/')[4]}, who may also use the workspace and the storage account as destinations'
    what: 'send the audit log of the HSM ${last(split(hsm.resourceId, '/'))} to the workspace and to the archive'
    az: 'az monitor diagnostic-settings create --name ${settingName} --resource \'${hsm.resourceId}\' --workspace \'${workspaceId}\'${empty(hsm.archiveId) ? '' : ' --storage-account \'${hsm.archiveId}\''} --logs \'[${logsAz}]\' --output none'
    powershell: 'New-AzDiagnosticSetting -Name ${settingName} -ResourceId \'${hsm.resourceId}\' -WorkspaceId \'${workspaceId}\'${empty(hsm.archiveId) ? '' : ' -StorageAccountId \'${hsm.archiveId}\''} -Log @(${logsPowerShell}) | Out-Null'
  }
)

var lockSteps = map(
  unlockedIds,
  id => {
    who: 'Owner or User Access Administrator of the group ${split(id, '/')[4]}'
    what: 'lock ${last(split(id, '/'))} against deletion'
    az: 'az lock create --name hsmwatch-evidence --lock-type CanNotDelete --resource \'${id}\' --notes \'Audit records of Cloud HSMs\' --output none'
    powershell: 'New-AzResourceLock -LockName hsmwatch-evidence -LockLevel CanNotDelete -ResourceId \'${id}\' -LockNotes \'Audit records of Cloud HSMs\' -Force | Out-Null'
  }
)

// One step for each HSM and for each of the two operations that make it silent.
var operations = [
  'delete'
  'write'
]

var alertSteps = flatten(map(
  hsmsElsewhere,
  id =>
    map(
      operations,
      operation => {
        who: 'Monitoring Contributor of the group ${split(id, '/')[4]} in the subscription ${split(id, '/')[2]}'
        what: 'tell when somebody does Microsoft.Insights/diagnosticSettings/${operation} on the HSM ${last(split(id, '/'))}'
        az: 'az monitor activity-log alert create --subscription ${split(id, '/')[2]} --resource-group \'${split(id, '/')[4]}\' --name ${alertPrefix}-${last(split(id, '/'))}-setting-${operation} --scope \'${id}\' --condition category=Administrative and operationName=Microsoft.Insights/diagnosticSettings/${operation} --action-group \'${actionGroupId}\' --output none'
        powershell: 'New-AzActivityLogAlert -SubscriptionId ${split(id, '/')[2]} -ResourceGroupName \'${split(id, '/')[4]}\' -Name ${alertPrefix}-${last(split(id, '/'))}-setting-${operation} -Location global -Scope \'${id}\' -Condition @((New-AzActivityLogAlertAlertRuleAnyOfOrLeafConditionObject -Field category -Equal Administrative), (New-AzActivityLogAlertAlertRuleAnyOfOrLeafConditionObject -Field operationName -Equal Microsoft.Insights/diagnosticSettings/${operation})) -Action @((New-AzActivityLogAlertActionGroupObject -Id \'${actionGroupId}\')) | Out-Null'
      }
    )
))

@description('What people with other rights have to do: {who, what, az, powershell}.')
output privilegedSteps array = concat(registrationSteps, settingSteps, lockSteps, alertSteps)
