// The function app's own storage: its package, its locks and queues, and hsmwatch's state. Never evidence.

@description('3 to 24 lower-case letters and digits, unique in the world.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Principal id of the watcher\'s identity.')
param principalId string

@description('Whether this deployment may assign roles in this resource group.')
param assignRoles bool

@description('Whether only private endpoints may reach the account.')
param privateNetwork bool

@description('Resource id of the workspace for the account\'s own logs.')
param logsWorkspaceId string

@description('Object id of whoever uploads configurations; empty: nobody.')
param operatorId string

@description('What the operator is.')
param operatorType string

var roles = loadJsonContent('../roles.json')

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    accessTier: 'Hot'
    supportsHttpsTrafficOnly: true
    minimumTlsVersion: 'TLS1_2'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowCrossTenantReplication: false
    isLocalUserEnabled: false
    // A Flex Consumption app has no fixed outbound address, so a firewall that lets it in can only be a private one.
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      bypass: 'None'
    }
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    // A state document deleted by mistake can be had back for a week.
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource packageContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobService
  name: 'app-package'
  properties: {
    publicAccess: 'None'
  }
}

resource stateContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobService
  name: 'hsmwatch-state'
  properties: {
    publicAccess: 'None'
  }
}

resource configContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobService
  name: 'hsmwatch-config'
  properties: {
    publicAccess: 'None'
  }
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource evaluationsQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = {
  parent: queueService
  name: 'hsmwatch-evaluations'
}

resource deliveriesQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = {
  parent: queueService
  name: 'hsmwatch-deliveries'
}

// The host makes it when it first needs it, but the trigger of `dead-letter` looks for it from the start.
resource poisonQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = {
  parent: queueService
  name: 'hsmwatch-deliveries-poison'
}

// Reads and writes come with every tick and say nothing; a deletion by anybody but the app says much.
resource blobLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobService
  name: 'hsmwatch'
  properties: {
    workspaceId: logsWorkspaceId
    logs: [
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

// Names of role assignments hold the principal's id: an identity that is made again under its old name is another
// principal, and an assignment cannot be moved to it.
resource blobRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  scope: account
  name: guid(account.id, principalId, roles.storageBlobDataOwner)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner)
    description: 'hsmwatch: package, locks, state and configuration'
  }
}

resource queueRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  scope: account
  name: guid(account.id, principalId, roles.storageQueueDataContributor)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataContributor)
    description: 'hsmwatch: evaluations and deliveries'
  }
}

resource tableRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  scope: account
  name: guid(account.id, principalId, roles.storageTableDataContributor)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageTableDataContributor)
    description: 'hsmwatch: diagnostic events of the Functions host'
  }
}

resource operatorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles && !empty(operatorId)) {
  scope: configContainer
  name: guid(configContainer.id, operatorId, roles.storageBlobDataContributor)
  properties: {
    principalId: operatorId
    principalType: operatorType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
    description: 'hsmwatch: uploads of hsmwatch.toml'
  }
}

@description('Resource id of the account.')
output id string = account.id

@description('https address of the blob service, with a slash at its end.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

@description('https address of the queue service, with a slash at its end.')
output queueEndpoint string = account.properties.primaryEndpoints.queue

@description('https address of the table service, with a slash at its end.')
output tableEndpoint string = account.properties.primaryEndpoints.table
