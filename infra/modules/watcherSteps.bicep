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

@description('Object id of whoever sets secrets and uploads configurations; empty: not named.')
param operatorId string

@description('What the operator is.')
param operatorType string

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

var configContainerId = '${storageId}/blobServices/default/containers/hsmwatch-config'

var ownAssignments = [
  {
    to: principalId
    kind: 'ServicePrincipal'
    what: 'let the app read its package, and keep its locks, its state and its configuration (Storage Blob Data Owner)'
    role: roles.storageBlobDataOwner
    scope: storageId
    condition: ''
  }
  {
    to: principalId
    kind: 'ServicePrincipal'
    what: 'let the app use its queues (Storage Queue Data Contributor)'
    role: roles.storageQueueDataContributor
    scope: storageId
    condition: ''
  }
  {
    to: principalId
    kind: 'ServicePrincipal'
    what: 'let the Functions host keep its diagnostic events (Storage Table Data Contributor)'
    role: roles.storageTableDataContributor
    scope: storageId
    condition: ''
  }
  {
    to: principalId
    kind: 'ServicePrincipal'
    what: 'let the app write its log, which the dead-man\'s switch counts (Monitoring Metrics Publisher)'
    role: roles.monitoringMetricsPublisher
    scope: componentId
    condition: ''
  }
]

var vaultAssignments = [
  {
    to: principalId
    kind: 'ServicePrincipal'
    what: 'let the app read its secrets (Key Vault Secrets User)'
    role: roles.keyVaultSecretsUser
    scope: vaultId
    condition: ''
  }
]

var workspaceAssignments = map(
  workspaceResourceIds,
  id => {
    to: principalId
    kind: 'ServicePrincipal'
    what: restrictToTables
      ? 'let the app read the audit tables of the workspace, and no others (Log Analytics Data Reader with a condition)'
      : 'let the app read the logs of the workspace (Log Analytics Reader)'
    role: restrictToTables ? roles.logAnalyticsDataReader : roles.logAnalyticsReader
    scope: id
    condition: restrictToTables ? condition : ''
  }
)

// The template never gives a person a right on a vault that is somebody else's.
var setterAssignments = [
  {
    to: operatorId
    kind: operatorType
    what: 'let the operator set secrets (Key Vault Secrets Officer)'
    role: roles.keyVaultSecretsOfficer
    scope: vaultId
    condition: ''
  }
]

var uploaderAssignments = [
  {
    to: operatorId
    kind: operatorType
    what: 'let the operator upload configurations (Storage Blob Data Contributor on the one container)'
    role: roles.storageBlobDataContributor
    scope: configContainerId
    condition: ''
  }
]

var assignments = concat(
  rolesAssigned ? [] : ownAssignments,
  (ownVault ? rolesAssigned : rolesAssignedElsewhere) ? [] : vaultAssignments,
  rolesAssignedElsewhere ? [] : workspaceAssignments,
  empty(operatorId) || empty(secretNames) || (ownVault && rolesAssigned) ? [] : setterAssignments,
  empty(operatorId) || !configInBlob || rolesAssigned ? [] : uploaderAssignments
)

// A single quote inside single quotes is '\'' in a POSIX shell, and '' in PowerShell.
var assignmentSteps = map(
  assignments,
  assignment => {
    who: '${grantors} of ${last(split(assignment.scope, '/'))} in the group ${split(assignment.scope, '/')[4]}'
    what: assignment.what
    az: 'az role assignment create --assignee-object-id ${assignment.to} --assignee-principal-type ${assignment.kind} --role ${assignment.role} --scope \'${assignment.scope}\'${empty(assignment.condition) ? '' : ' --condition \'${replace(assignment.condition, '\'', '\'\\\'\'')}\' --condition-version 2.0'} --output none'
    powershell: 'New-AzRoleAssignment -ObjectId ${assignment.to} -ObjectType ${assignment.kind} -RoleDefinitionId ${assignment.role} -Scope \'${assignment.scope}\'${empty(assignment.condition) ? '' : ' -Condition \'${replace(assignment.condition, '\'', '\'\'')}\' -ConditionVersion \'2.0\''} | Out-Null'
  }
)

// One step for each HSM and for each of the two operations that make it silent.
var operations = [
  'delete'
  'write'
]

// Without anybody to tell an alert is none: the step nobodyTold says so.
var actionsAz = ' --action-group \'${join(actionGroupIds, '\' \'')}\''
var actionsPowerShell = '@(${join(map(actionGroupIds, id => '(New-AzActivityLogAlertActionGroupObject -Id \'${id}\')'), ', ')})'

var alertSteps = flatten(map(
  empty(actionGroupIds) ? [] : hsmsElsewhere,
  id =>
    map(
      operations,
      operation => {
        who: 'Monitoring Contributor of the group ${split(id, '/')[4]} in the subscription ${split(id, '/')[2]}'
        what: 'tell when somebody does Microsoft.Insights/diagnosticSettings/${operation} on the HSM ${last(split(id, '/'))}'
        az: 'az monitor activity-log alert create --subscription ${split(id, '/')[2]} --resource-group \'${split(id, '/')[4]}\' --name ${alertPrefix}-${last(split(id, '/'))}-setting-${operation} --scope \'${id}\' --condition category=Administrative and operationName=Microsoft.Insights/diagnosticSettings/${operation}${actionsAz} --output none'
        powershell: 'New-AzActivityLogAlert -SubscriptionId ${split(id, '/')[2]} -ResourceGroupName \'${split(id, '/')[4]}\' -Name ${alertPrefix}-${last(split(id, '/'))}-setting-${operation} -Location global -Scope \'${id}\' -Condition @((New-AzActivityLogAlertAlertRuleAnyOfOrLeafConditionObject -Field category -Equal Administrative), (New-AzActivityLogAlertAlertRuleAnyOfOrLeafConditionObject -Field operationName -Equal Microsoft.Insights/diagnosticSettings/${operation})) -Action ${actionsPowerShell} | Out-Null'
      }
    )
))

var vaultName = last(split(vaultId, '/'))
var group = resourceGroup().name
var storageName = last(split(storageId, '/'))
var inside = ' (from inside the network: the endpoint is private)'

// An operator who is named has the rights, or is in privilegedSteps.
var setterSteps = empty(operatorId) && !empty(secretNames)
  ? [
      {
        what: 'let yourself set secrets in the vault, if you may not yet (Key Vault Secrets Officer; it takes some minutes to act)'
        az: 'az role assignment create --assignee-object-id "$(az ad signed-in-user show --query id --output tsv)" --assignee-principal-type User --role ${roles.keyVaultSecretsOfficer} --scope \'${vaultId}\' --output none'
        powershell: 'New-AzRoleAssignment -ObjectId (Get-AzADUser -SignedIn).Id -RoleDefinitionId ${roles.keyVaultSecretsOfficer} -Scope \'${vaultId}\' | Out-Null'
      }
    ]
  : []
var uploaderSteps = empty(operatorId) && configInBlob
  ? [
      {
        what: 'let yourself upload configurations, if you may not yet (Storage Blob Data Contributor on the one container)'
        az: 'az role assignment create --assignee-object-id "$(az ad signed-in-user show --query id --output tsv)" --assignee-principal-type User --role ${roles.storageBlobDataContributor} --scope \'${configContainerId}\' --output none'
        powershell: 'New-AzRoleAssignment -ObjectId (Get-AzADUser -SignedIn).Id -RoleDefinitionId ${roles.storageBlobDataContributor} -Scope \'${configContainerId}\' | Out-Null'
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
