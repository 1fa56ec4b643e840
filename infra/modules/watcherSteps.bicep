// What is left to do after a deployment of the watcher, as commands with the real names in them. No resources: a module,
// since only what is known at the start of a deployment may be used in loops, and here it all is.

@description('Name of the function app.')
param appName string

@description('Principal id of the watcher\'s identity.')
param principalId string

@description('Whether the roles in the watcher\'s own group were assigned.')
param rolesAssigned bool

@description('Whether the roles on workspaces and on an existing vault were assigned.')
param rolesAssignedElsewhere bool

@description('Resource id of the function storage.')
param storageId string

@description('Resource id of the Application Insights component.')
param componentId string

@description('Resource id of the vault.')
param vaultId string

@description('Whether the vault belongs to the watcher.')
param ownVault bool

@description('Resource ids of the workspaces to read.')
param workspaceResourceIds array

@description('Whether only the tables of the condition may be read.')
param restrictToTables bool

@description('The condition of the role assignments on the workspaces.')
param condition string

@description('Names of the secrets that the app\'s settings refer to.')
param secretNames array

@description('Object id of whoever sets the secrets; empty: not named.')
param operatorId string

@description('Whether the configuration is a blob.')
param configInBlob bool

@description('Whether storage and vault are reached through private endpoints only.')
param privateNetwork bool

@description('Resource ids of HSMs of other subscriptions, whose alert this deployment cannot make.')
param hsmsElsewhere array

@description('Start of the names of the alerts.')
param alertPrefix string

@description('Resource ids of the action groups.')
param actionGroupIds array

var roles = loadJsonContent('../roles.json')

var grantors = 'Owner, User Access Administrator or Role Based Access Control Administrator'

// A single quote inside single quotes: '\'' in a POSIX shell, '' in PowerShell.
var conditionInShell = replace(condition, '\'', '\'\\\'\'')
var conditionInPowerShell = replace(condition, '\'', '\'\'')

var ownAssignments = [
  {
    what: 'let the app read its package, and keep its locks, its state and its configuration (Storage Blob Data Owner)'
    role: roles.storageBlobDataOwner
    scope: storageId
    conditionAz: ''
    conditionPowerShell: ''
  }
  {
    what: 'let the app use its queues (Storage Queue Data Contributor)'
    role: roles.storageQueueDataContributor
    scope: storageId
    conditionAz: ''
    conditionPowerShell: ''
  }
  {
    what: 'let the Functions host keep its diagnostic events (Storage Table Data Contributor)'
    role: roles.storageTableDataContributor
    scope: storageId
    conditionAz: ''
    conditionPowerShell: ''
  }
  {
    what: 'let the app write its log, which the dead-man\'s switch counts (Monitoring Metrics Publisher)'
    role: roles.monitoringMetricsPublisher
    scope: componentId
    conditionAz: ''
    conditionPowerShell: ''
  }
]

var vaultAssignments = [
  {
    what: 'let the app read its secrets (Key Vault Secrets User)'
    role: roles.keyVaultSecretsUser
    scope: vaultId
    conditionAz: ''
    conditionPowerShell: ''
  }
]

var workspaceAssignments = map(
  workspaceResourceIds,
  id => {
    what: restrictToTables
      ? 'let the app read the audit tables of the workspace, and no others (Log Analytics Data Reader with a condition)'
      : 'let the app read the logs of the workspace (Log Analytics Reader)'
    role: restrictToTables ? roles.logAnalyticsDataReader : roles.logAnalyticsReader
    scope: id
    conditionAz: restrictToTables ? ' --condition \'${conditionInShell}\' --condition-version 2.0' : ''
    conditionPowerShell: restrictToTables ? ' -Condition \'${conditionInPowerShell}\' -ConditionVersion \'2.0\'' : ''
  }
)

var assignments = concat(
  rolesAssigned ? [] : ownAssignments,
  (ownVault ? rolesAssigned : rolesAssignedElsewhere) ? [] : vaultAssignments,
  rolesAssignedElsewhere ? [] : workspaceAssignments
)

var assignmentSteps = map(
  assignments,
  assignment => {
    who: '${grantors} of ${last(split(assignment.scope, '/'))} in the group ${split(assignment.scope, '/')[4]}'
    what: assignment.what
    az: 'az role assignment create --assignee-object-id ${principalId} --assignee-principal-type ServicePrincipal --role ${assignment.role} --scope \'${assignment.scope}\'${assignment.conditionAz} --output none'
    powershell: 'New-AzRoleAssignment -ObjectId ${principalId} -ObjectType ServicePrincipal -RoleDefinitionId ${assignment.role} -Scope \'${assignment.scope}\'${assignment.conditionPowerShell} | Out-Null'
  }
)

// One step for each HSM and for each of the two operations that make it silent.
var operations = [
  'delete'
  'write'
]

// Without anybody to tell an alert is none: the step nobodyTold says so.
var actionsAz = '--action-group \'${join(actionGroupIds, '\' \'')}\''
var actionsPowerShell = '@(${join(map(actionGroupIds, id => '(New-AzActivityLogAlertActionGroupObject -Id \'${id}\')'), ', ')})'

var alertSteps = flatten(map(
  empty(actionGroupIds) ? [] : hsmsElsewhere,
  id =>
    map(
      operations,
      operation => {
        who: 'Monitoring Contributor of the group ${split(id, '/')[4]} in the subscription ${split(id, '/')[2]}'
        what: 'tell when somebody does Microsoft.Insights/diagnosticSettings/${operation} on the HSM ${last(split(id, '/'))}'
        az: 'az monitor activity-log alert create --subscription ${split(id, '/')[2]} --resource-group \'${split(id, '/')[4]}\' --name ${alertPrefix}-${last(split(id, '/'))}-setting-${operation} --scope \'${id}\' --condition category=Administrative and operationName=Microsoft.Insights/diagnosticSettings/${operation} ${actionsAz} --output none'
        powershell: 'New-AzActivityLogAlert -SubscriptionId ${split(id, '/')[2]} -ResourceGroupName \'${split(id, '/')[4]}\' -Name ${alertPrefix}-${last(split(id, '/'))}-setting-${operation} -Location global -Scope \'${id}\' -Condition @((New-AzActivityLogAlertAlertRuleAnyOfOrLeafConditionObject -Field category -Equal Administrative), (New-AzActivityLogAlertAlertRuleAnyOfOrLeafConditionObject -Field operationName -Equal Microsoft.Insights/diagnosticSettings/${operation})) -Action ${actionsPowerShell} | Out-Null'
      }
    )
))

var vaultName = last(split(vaultId, '/'))
var group = resourceGroup().name
var storageName = last(split(storageId, '/'))
var inside = ' (from inside the network: the endpoint is private)'

var operatorAssigned = !empty(operatorId) && rolesAssigned
var setterSteps = !empty(secretNames) && !(operatorAssigned && ownVault)
  ? [
      {
        what: 'let yourself set secrets in the vault, if you may not yet (Key Vault Secrets Officer; it takes some minutes to act)'
        az: 'az role assignment create --assignee-object-id "$(az ad signed-in-user show --query id --output tsv)" --assignee-principal-type User --role ${roles.keyVaultSecretsOfficer} --scope \'${vaultId}\' --output none'
        powershell: 'New-AzRoleAssignment -ObjectId (Get-AzADUser -SignedIn).Id -RoleDefinitionId ${roles.keyVaultSecretsOfficer} -Scope \'${vaultId}\' | Out-Null'
      }
    ]
  : []
var uploaderSteps = configInBlob && !operatorAssigned
  ? [
      {
        what: 'let yourself upload configurations, if you may not yet (Storage Blob Data Contributor on the one container)'
        az: 'az role assignment create --assignee-object-id "$(az ad signed-in-user show --query id --output tsv)" --assignee-principal-type User --role ${roles.storageBlobDataContributor} --scope \'${storageId}/blobServices/default/containers/hsmwatch-config\' --output none'
        powershell: 'New-AzRoleAssignment -ObjectId (Get-AzADUser -SignedIn).Id -RoleDefinitionId ${roles.storageBlobDataContributor} -Scope \'${storageId}/blobServices/default/containers/hsmwatch-config\' | Out-Null'
      }
    ]
  : []

// The value is asked for, and is neither on a command line nor in a shell's history nor printed.
var secretSteps = map(
  secretNames,
  name => {
    what: 'set the secret ${name}${privateNetwork && ownVault ? inside : ''}'
    az: 'printf \'${name}: \'; read -rs VALUE; printf %s "$VALUE" | az keyvault secret set --vault-name ${vaultName} --name ${name} --file /dev/stdin --encoding utf-8 --output none; unset VALUE; echo'
    powershell: 'Set-AzKeyVaultSecret -VaultName ${vaultName} -Name ${name} -SecretValue (Read-Host -AsSecureString -Prompt \'${name}\') | Out-Null'
  }
)

var configSteps = configInBlob
  ? [
      {
        what: 'upload the configuration, rule files first if it names any${privateNetwork ? inside : ''}'
        az: 'hsmwatch check --config hsmwatch.toml && az storage blob upload --auth-mode login --account-name ${storageName} --container-name hsmwatch-config --name hsmwatch.toml --file hsmwatch.toml --overwrite --output none'
        powershell: 'Set-AzStorageBlobContent -Context (New-AzStorageContext -StorageAccountName ${storageName} -UseConnectedAccount) -Container hsmwatch-config -Blob hsmwatch.toml -File hsmwatch.toml -Force | Out-Null'
      }
    ]
  : []

var manyWorkspaces = length(workspaceResourceIds) > 1 && !configInBlob
  ? [
      {
        what: 'only the first workspace is named by the app\'s settings: for the others write a configuration (configInBlob, or hsmwatch.toml in the package)'
        az: 'hsmwatch init hsmwatch.toml'
        powershell: 'hsmwatch init hsmwatch.toml'
      }
    ]
  : []

var nobodyTold = empty(actionGroupIds)
  ? [
      {
        what: 'nobody is told when hsmwatch stops: deploy again with alertEmails or existingActionGroupResourceIds'
        az: ''
        powershell: ''
      }
    ]
  : []

var lastSteps = [
  {
    what: 'put the program into the app (azd deploy does it, too)'
    az: 'az functionapp deployment source config-zip --resource-group \'${group}\' --name ${appName} --src dist/hsmwatch.zip'
    powershell: 'az functionapp deployment source config-zip --resource-group \'${group}\' --name ${appName} --src dist/hsmwatch.zip'
  }
  {
    what: 'restart the app: it reads secrets when it starts, and afterwards once a day'
    az: 'az functionapp restart --resource-group \'${group}\' --name ${appName}'
    powershell: 'Restart-AzFunctionApp -ResourceGroupName \'${group}\' -Name ${appName} -Force'
  }
  {
    what: 'see whether the whole chain is well'
    az: 'hsmwatch doctor --app ${appName}'
    powershell: 'hsmwatch doctor --app ${appName}'
  }
]

@description('What people with other rights have to do: {who, what, az, powershell}.')
output privilegedSteps array = concat(assignmentSteps, alertSteps)

@description('What is left for whoever deployed this: {what, az, powershell}.')
output nextSteps array = concat(
  setterSteps,
  secretSteps,
  uploaderSteps,
  configSteps,
  manyWorkspaces,
  lastSteps,
  nobodyTold
)
