// The watcher: one function app that reads audit logs and tells people, and what it needs. Evidence (the logs themselves)
// is never here: it is in infra/logging, in a resource group of its own.

targetScope = 'resourceGroup'

@description('Start of all names: lower-case letters, digits and hyphens, beginning with a letter.')
@minLength(3)
@maxLength(11)
param namePrefix string = 'hsmwatch'

@description('Region of everything here. Any region that has Flex Consumption: it need not be the HSMs\'.')
param location string = resourceGroup().location

@description('Tags on everything.')
param tags object = {}

@description('Resource ids of the Log Analytics workspaces that receive the HSMs\' audit logs, in any group and subscription of the tenant. Without a configuration file the first one is watched.')
@minLength(1)
param workspaceResourceIds array

@description('Resource ids of the HSMs, only for the alert on a deleted or changed diagnostic setting.')
param hsmResourceIds array = []

@description('Whether to assign roles inside this resource group. If not, the output privilegedSteps has the commands.')
param assignRoles bool = true

@description('Whether to assign roles outside of this resource group: on the workspaces, and on an existing vault.')
param assignRolesElsewhere bool = assignRoles

@description('Tables that the rules read. The watcher may read no others.')
@minLength(1)
param tables array = any(loadJsonContent('tables.json'))

@description('Whether the role on the workspaces is held to the tables. If not, it is Log Analytics Reader.')
param restrictToTables bool = true

@description('Resource id of a vault to use instead of one of the watcher\'s own. It must use Azure role-based access control.')
param existingKeyVaultResourceId string = ''

@description('Receivers whose addresses and secrets are in the vault. Without a configuration file these are the receivers.')
@allowed([
  'teams'
  'slack'
  'webhook'
  'pagerduty'
])
param receivers array = [
  'teams'
]

@description('Where PagerDuty takes events, for the receiver pagerduty; in the EU https://events.eu.pagerduty.com/v2/enqueue.')
param pagerdutyUrl string = 'https://events.pagerduty.com/v2/enqueue'

// Names of secrets, no secrets: what the linter takes them for.
@description('More settings with secrets, for a configuration of your own: name of the setting to name of the vault\'s secret.')
#disable-next-line secure-secrets-in-params
param secretSettings object = {}

@description('Presets or sets of presets, used without a configuration file.')
param presets array = [
  'tutorial'
]

@description('When the timer runs: NCRONTAB with seconds, UTC.')
@minLength(11)
param schedule string = '0 * * * * *'

@description('Whether the configuration is the blob hsmwatch-config/hsmwatch.toml of the function storage.')
param configInBlob bool = false

@description('How much is logged. Nothing quieter is allowed: the dead-man\'s switch counts lines of level info.')
@allowed([
  'info'
  'debug'
])
param logLevel string = 'info'

@description('Memory of an instance in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 512

@description('Most instances at a time.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('public: endpoints on the internet that accept Entra tokens only. vnet: storage and vault through private endpoints.')
@allowed([
  'public'
  'vnet'
])
param networkMode string = 'public'

@description('Address range of the network with networkMode vnet, /24 or larger.')
param vnetAddressPrefix string = '10.60.0.0/24'

@description('Addresses that Azure Monitor writes to when hsmwatch does not run, logs errors, or a diagnostic setting is touched.')
param alertEmails array = []

@description('Resource ids of action groups that are told the same. Not one that leads to a receiver of hsmwatch.')
param existingActionGroupResourceIds array = []

@description('No evaluation without failure for so long is an alert. Longer than the longest interval of the rules.')
@allowed([
  'PT15M'
  'PT30M'
  'PT45M'
  'PT1H'
  'PT2H'
  'PT3H'
  'PT4H'
  'PT5H'
  'PT6H'
  'P1D'
])
param deadmanWindow string = 'PT30M'

@description('Names of the workspaces as the log lines say them: those of the configuration, or default without one.')
@minLength(1)
param deadmanWorkspaceNames array = [
  'default'
]

@description('Object id of whoever sets secrets and, with configInBlob, uploads the configuration: gets a role on the vault, and one on the container.')
param principalId string = ''

@description('What principalId is.')
@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param principalType string = 'User'

// Names. All are known before anything is deployed.
var suffix = uniqueString(resourceGroup().id)
var prefix = toLower(namePrefix)
var compact = replace(prefix, '-', '')
var appName = '${prefix}-${suffix}'
var storageName = '${take(compact, 9)}fn${suffix}'
var ownVaultName = 'kv${take(compact, 9)}${suffix}'
var actionGroupName = '${prefix}-alerts'

var privateNetwork = networkMode == 'vnet'
var ownVault = empty(existingKeyVaultResourceId)
var vaultId = ownVault ? resourceId('Microsoft.KeyVault/vaults', ownVaultName) : existingKeyVaultResourceId
var vaultParts = split(vaultId, '/')
var vaultName = last(vaultParts)
var secretsUri = 'https://${vaultName}${environment().suffixes.keyvaultDns}/secrets'

var ownActionGroupId = resourceId('Microsoft.Insights/actionGroups', actionGroupName)
var actionGroupIds = concat(
  empty(alertEmails)
    ? []
    : [
        ownActionGroupId
      ],
  existingActionGroupResourceIds
)
var hsmsHere = filter(hsmResourceIds, id => toLower(split(id, '/')[2]) == toLower(subscription().subscriptionId))
var hsmsElsewhere = filter(hsmResourceIds, id => toLower(split(id, '/')[2]) != toLower(subscription().subscriptionId))

// The tables that may be read: reading data at all is the one action that the condition is about.
var tableClauses = map(
  tables,
  table => '@Resource[Microsoft.OperationalInsights/workspaces/tables:name] StringEquals \'${table}\''
)
var condition = '((!(ActionMatches{\'Microsoft.OperationalInsights/workspaces/tables/data/read\'})) OR (${join(tableClauses, ' OR ')}))'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${prefix}-watcher'
  location: location
  tags: tags
}

resource watched 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  scope: resourceGroup(split(workspaceResourceIds[0], '/')[2], split(workspaceResourceIds[0], '/')[4])
  name: last(split(workspaceResourceIds[0], '/'))
}

module telemetry 'modules/telemetry.bicep' = {
  name: 'hsmwatch-telemetry'
  params: {
    workspaceName: '${prefix}-telemetry'
    componentName: '${prefix}-insights'
    location: location
    tags: tags
    principalId: identity.properties.principalId
    assignRoles: assignRoles
  }
}

module functionStorage 'modules/functionStorage.bicep' = {
  name: 'hsmwatch-storage'
  params: {
    name: storageName
    location: location
    tags: tags
    principalId: identity.properties.principalId
    assignRoles: assignRoles
    privateNetwork: privateNetwork
    logsWorkspaceId: telemetry.outputs.workspaceId
    // No right that nobody needs: uploads are for a configuration in the blob.
    operatorId: configInBlob ? principalId : ''
    operatorType: principalType
  }
}

module vault 'modules/vault.bicep' = if (ownVault) {
  name: 'hsmwatch-vault'
  params: {
    name: ownVaultName
    location: location
    tags: tags
    principalId: identity.properties.principalId
    assignRoles: assignRoles
    privateNetwork: privateNetwork
    logsWorkspaceId: telemetry.outputs.workspaceId
    operatorId: empty(secretNames) ? '' : principalId
    operatorType: principalType
  }
}

module vaultRole 'modules/vaultRole.bicep' = if (!ownVault && assignRolesElsewhere) {
  name: 'hsmwatch-vault-role-${suffix}'
  scope: resourceGroup(vaultParts[2], vaultParts[4])
  params: {
    vaultName: vaultName
    principalId: identity.properties.principalId
  }
}

module readLogs 'modules/readLogs.bicep' = [
  for (id, index) in workspaceResourceIds: if (assignRolesElsewhere) {
    name: 'hsmwatch-read-logs-${index}-${suffix}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      workspaceName: last(split(id, '/'))
      principalId: identity.properties.principalId
      restrictToTables: restrictToTables
      condition: condition
    }
  }
]

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'hsmwatch-network'
  params: {
    namePrefix: prefix
    location: location
    tags: tags
    addressPrefix: vnetAddressPrefix
    storageId: functionStorage.outputs.id
    vaultId: ownVault ? vaultId : ''
  }
  dependsOn: [
    vault
  ]
}

// What the binary and the host read. Secrets are references: the values are set in the vault by people.
var settings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  AzureWebJobsStorage__blobServiceUri: functionStorage.outputs.blobEndpoint
  AzureWebJobsStorage__queueServiceUri: functionStorage.outputs.queueEndpoint
  AzureWebJobsStorage__tableServiceUri: functionStorage.outputs.tableEndpoint
  APPLICATIONINSIGHTS_CONNECTION_STRING: telemetry.outputs.connectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  AZURE_CLIENT_ID: identity.properties.clientId
  HSMWATCH_SCHEDULE: schedule
  HSMWATCH_LOG: logLevel
  HSMWATCH_CLOUD: cloud
  HSMWATCH_WORKSPACE_ID: watched.properties.customerId
  HSMWATCH_STATE_URL: '${functionStorage.outputs.blobEndpoint}hsmwatch-state'
  HSMWATCH_PRESETS: join(presets, ',')
}
var cloud = environment().name == 'AzureUSGovernment'
  ? 'usgov'
  : environment().name == 'AzureChinaCloud' ? 'china' : 'public'
var configSettings = configInBlob
  ? {
      HSMWATCH_CONFIG: '${functionStorage.outputs.blobEndpoint}hsmwatch-config/hsmwatch.toml'
    }
  : {}
var teamsSettings = contains(receivers, 'teams')
  ? {
      HSMWATCH_TEAMS_URL: '@Microsoft.KeyVault(SecretUri=${secretsUri}/hsmwatch-teams-url)'
    }
  : {}
var slackSettings = contains(receivers, 'slack')
  ? {
      HSMWATCH_SLACK_URL: '@Microsoft.KeyVault(SecretUri=${secretsUri}/hsmwatch-slack-url)'
    }
  : {}
var webhookSettings = contains(receivers, 'webhook')
  ? {
      HSMWATCH_WEBHOOK_URL: '@Microsoft.KeyVault(SecretUri=${secretsUri}/hsmwatch-webhook-url)'
      HSMWATCH_WEBHOOK_SECRET: '@Microsoft.KeyVault(SecretUri=${secretsUri}/hsmwatch-webhook-secret)'
    }
  : {}
var pagerdutySettings = contains(receivers, 'pagerduty')
  ? {
      HSMWATCH_PAGERDUTY_ROUTING_KEY: '@Microsoft.KeyVault(SecretUri=${secretsUri}/hsmwatch-pagerduty-routing-key)'
      HSMWATCH_PAGERDUTY_URL: pagerdutyUrl
    }
  : {}
var moreSettings = toObject(
  items(secretSettings),
  entry => entry.key,
  entry => '@Microsoft.KeyVault(SecretUri=${secretsUri}/${entry.value})'
)
var secretNames = concat(
  contains(receivers, 'teams')
    ? [
        'hsmwatch-teams-url'
      ]
    : [],
  contains(receivers, 'slack')
    ? [
        'hsmwatch-slack-url'
      ]
    : [],
  contains(receivers, 'webhook')
    ? [
        'hsmwatch-webhook-url'
        'hsmwatch-webhook-secret'
      ]
    : [],
  contains(receivers, 'pagerduty')
    ? [
        'hsmwatch-pagerduty-routing-key'
      ]
    : [],
  map(items(secretSettings), entry => entry.value)
)

// Last: when the app starts, its roles, its endpoints and the names in its settings are there.
module app 'modules/app.bicep' = {
  name: 'hsmwatch-app'
  params: {
    name: appName
    planName: '${prefix}-plan'
    location: location
    tags: tags
    identityId: identity.id
    blobEndpoint: functionStorage.outputs.blobEndpoint
    settings: union(
      moreSettings,
      settings,
      configSettings,
      teamsSettings,
      slackSettings,
      webhookSettings,
      pagerdutySettings
    )
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    logsWorkspaceId: telemetry.outputs.workspaceId
  }
  dependsOn: [
    vault
    vaultRole
    readLogs
  ]
}

module actionGroup 'modules/actionGroup.bicep' = if (!empty(alertEmails)) {
  name: 'hsmwatch-action-group'
  params: {
    name: actionGroupName
    tags: tags
    alertEmails: alertEmails
  }
}

module deadman 'modules/deadman.bicep' = {
  name: 'hsmwatch-deadman'
  params: {
    namePrefix: prefix
    location: location
    tags: tags
    componentId: telemetry.outputs.componentId
    workspaceNames: deadmanWorkspaceNames
    window: deadmanWindow
    actionGroupIds: actionGroupIds
  }
  dependsOn: [
    actionGroup
  ]
}

module settingAlert 'modules/settingAlert.bicep' = if (!empty(hsmsHere)) {
  name: 'hsmwatch-setting-alert'
  params: {
    namePrefix: prefix
    tags: tags
    hsmResourceIds: hsmsHere
    actionGroupIds: actionGroupIds
  }
  dependsOn: [
    actionGroup
  ]
}

module steps 'modules/watcherSteps.bicep' = {
  name: 'hsmwatch-steps'
  params: {
    appName: appName
    principalId: identity.properties.principalId
    rolesAssigned: assignRoles
    rolesAssignedElsewhere: assignRolesElsewhere
    storageId: functionStorage.outputs.id
    componentId: telemetry.outputs.componentId
    vaultId: vaultId
    ownVault: ownVault
    workspaceResourceIds: workspaceResourceIds
    restrictToTables: restrictToTables
    condition: condition
    secretNames: secretNames
    operatorId: principalId
    operatorType: principalType
    configInBlob: configInBlob
    privateNetwork: privateNetwork
    hsmsElsewhere: hsmsElsewhere
    alertPrefix: prefix
    actionGroupIds: actionGroupIds
  }
}

@description('Name of the function app.')
output AZURE_FUNCTION_NAME string = app.outputs.name

@description('This resource group.')
output AZURE_RESOURCE_GROUP string = resourceGroup().name

@description('The tenant.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Name of the vault with the receivers\' addresses and secrets.')
output keyVaultName string = vaultName

@description('Client id of the watcher\'s identity.')
output identityClientId string = identity.properties.clientId

@description('Principal id of the watcher\'s identity: what roles are assigned to.')
output identityPrincipalId string = identity.properties.principalId

@description('What is left to do, in this order: {what, az, powershell}.')
output nextSteps array = steps.outputs.nextSteps

@description('What people with other rights have to do: {who, what, az, powershell}. Empty when nothing is left.')
output privilegedSteps array = steps.outputs.privilegedSteps
