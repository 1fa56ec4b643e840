// Sends the audit log of one HSM to the workspace and to the archive of its region. Deployed into the HSM's resource group.

@description('Name of the Cloud HSM cluster.')
param hsmName string

@description('Name of the setting. One of this name is replaced.')
param settingName string

@description('Categories to send.')
param categories array

@description('Resource id of the workspace.')
param workspaceId string

@description('Resource id of the archive, which must be in the HSM\'s region; empty: no archive.')
param archiveId string

resource hsm 'Microsoft.HardwareSecurityModules/cloudHsmClusters@2025-03-31' existing = {
  name: hsmName
}

resource setting 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: hsm
  name: settingName
  properties: {
    workspaceId: workspaceId
    storageAccountId: empty(archiveId) ? null : archiveId
    logs: [
      for category in categories: {
        category: category
        enabled: true
      }
    ]
  }
}
