// Lets the watcher read the secrets of a vault that is somebody else's. Deployed into the vault's resource group.

@description('Name of the existing vault, which must use Azure role-based access control.')
param vaultName string

@description('Principal id of the watcher\'s identity.')
param principalId string

var roles = loadJsonContent('../roles.json')

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource secretsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, principalId, roles.keyVaultSecretsUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
    description: 'hsmwatch: URLs and signing secrets of its receivers'
  }
}
