// Lets the watcher read the audit tables of one workspace. Deployed into the workspace's resource group, which may be in
// another subscription of the same tenant.

@description('Name of the workspace.')
param workspaceName string

@description('Principal id of the watcher\'s identity.')
param principalId string

@description('Whether to allow only the tables of the condition.')
param restrictToTables bool

@description('The condition of the role assignment, computed from the names of the tables.')
param condition string

var roles = loadJsonContent('../roles.json')
var role = restrictToTables ? roles.logAnalyticsDataReader : roles.logAnalyticsReader

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource readRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: workspace
  name: guid(workspace.id, principalId, role)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    description: 'hsmwatch: reads the audit log of the HSMs'
    condition: restrictToTables ? condition : null
    conditionVersion: restrictToTables ? '2.0' : null
  }
}
