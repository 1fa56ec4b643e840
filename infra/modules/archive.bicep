// The second witness: a storage account that keeps every record as it came, in the region of the HSMs it serves.

@description('3 to 24 lower-case letters and digits, unique in the world.')
@minLength(3)
@maxLength(24)
param name string

@description('Region of the HSMs: Azure Monitor writes to storage of the same region only.')
param location string

@description('Tags.')
param tags object

@description('Replication.')
param sku string

@description('Days during which nothing can be changed or deleted; 0: no immutability. Only when the account is made.')
param immutabilityDays int

@description('Days after which records are deleted; 0: never.')
param deleteAfterDays int

@description('Whether to lock the account against deletion.')
param enableLock bool

@description('Resource id of the workspace for the archive\'s own logs.')
param logsWorkspaceId string

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    supportsHttpsTrafficOnly: true
    minimumTlsVersion: 'TLS1_2'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowCrossTenantReplication: false
    allowedCopyScope: 'AAD'
    isLocalUserEnabled: false
    // Azure Monitor comes in as a trusted service; nobody else does until somebody adds an address.
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      defaultAction: 'Deny'
      bypass: 'AzureServices'
    }
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: {
        blob: {
          enabled: true
          keyType: 'Account'
        }
      }
    }
    // The hourly file grows by appends, which must stay possible. Locking the policy is an act for people: it cannot be undone.
    immutableStorageWithVersioning: immutabilityDays > 0
      ? {
          enabled: true
          immutabilityPolicy: {
            immutabilityPeriodSinceCreationInDays: immutabilityDays
            state: 'Unlocked'
            allowProtectedAppendWrites: true
          }
        }
      : null
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: 30
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 30
    }
  }
}

// The containers are made by Azure Monitor with the first record, one a category: insights-logs-hsmserviceoperations.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = if (deleteAfterDays > 0) {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'delete-old-records'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: [
                'appendBlob'
                'blockBlob'
              ]
              prefixMatch: [
                'insights-logs-'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: deleteAfterDays
                }
              }
              // With versioning, what is deleted becomes a version first.
              version: {
                delete: {
                  daysAfterCreationGreaterThan: deleteAfterDays
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [
    blobService
  ]
}

// Who reads or deletes evidence. Not StorageWrite: that would be a line for every append of Azure Monitor's.
resource blobLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobService
  name: 'hsmwatch'
  properties: {
    workspaceId: logsWorkspaceId
    logs: [
      {
        category: 'StorageRead'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (enableLock) {
  scope: account
  name: 'hsmwatch-evidence'
  properties: {
    level: 'CanNotDelete'
    notes: 'Audit records of Cloud HSMs. Remove this lock only by a decision of those who own the evidence.'
  }
}
