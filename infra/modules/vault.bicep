// The vault that keeps the receivers' URLs and signing secrets.

@description('3 to 24 letters, digits and hyphens, unique in the world.')
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

@description('Whether only private endpoints may reach the vault.')
param privateNetwork bool

@description('Resource id of the workspace for the vault\'s own logs.')
param logsWorkspaceId string

@description('Object id of whoever sets the secrets; empty: nobody.')
param operatorId string

@description('What the operator is.')
param operatorType string

var roles = loadJsonContent('../roles.json')

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    // Cannot be undone: the name of a deleted vault stays taken for 90 days, and the vault can be recovered as long.
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      bypass: 'None'
    }
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'hsmwatch'
  properties: {
    workspaceId: logsWorkspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

resource secretsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  scope: vault
  name: guid(vault.id, principalId, roles.keyVaultSecretsUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
    description: 'hsmwatch: URLs and signing secrets of its receivers'
  }
}

resource operatorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles && !empty(operatorId)) {
  scope: vault
  name: guid(vault.id, operatorId, roles.keyVaultSecretsOfficer)
  properties: {
    principalId: operatorId
    principalType: operatorType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsOfficer)
    description: 'hsmwatch: sets the secrets'
  }
}
