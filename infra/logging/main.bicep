// The evidence: where the audit logs of the HSMs are kept. One workspace that is queried, and in each region that has HSMs a
// storage account that keeps every record as it came. In a resource group of its own, which nothing of the watcher shares.

targetScope = 'resourceGroup'

@description('Start of all names: lower-case letters, digits and hyphens, beginning with a letter.')
@minLength(3)
@maxLength(11)
param namePrefix string = 'hsmlogs'

@description('Region of the workspace. Archives are in the regions of their HSMs.')
param location string = resourceGroup().location

@description('Tags on everything.')
param tags object = {}

@description('The HSMs: {resourceId, region}, in any group and subscription of the tenant.')
@minLength(1)
param hsms array

@description('Whether to make the diagnostic setting on each HSM. If not, the output privilegedSteps has the commands.')
param createDiagnosticSetting bool = true

@description('Name of the diagnostic settings. One of this name is replaced.')
@minLength(1)
param diagnosticSettingName string = 'hsmwatch-audit'

@description('Categories to send.')
@minLength(1)
param hsmLogCategories array = [
  'HsmServiceOperations'
]

@description('Resource id of a workspace to use instead of a new one, in any group and subscription of the tenant.')
param existingWorkspaceResourceId string = ''

@description('Days for which the new workspace keeps records at hand.')
@minValue(30)
@maxValue(730)
param workspaceRetentionDays int = 365

@description('Whether to set the retention of the audit table of the new workspace. Only when the table is there: after the first record.')
param configureAuditTable bool = false

@description('Days for which the audit table keeps records in all, with configureAuditTable.')
@minValue(30)
@maxValue(4383)
param auditTableTotalRetentionDays int = 2557

@description('Whether the new workspace can be queried from public networks. Disabled blinds the watcher, unless a private link scope leads it there.')
@allowed([
  'Enabled'
  'Disabled'
])
param workspaceQueryAccess string = 'Enabled'

@description('Whether to archive to storage, too.')
param deployArchive bool = true

@description('Replication of the archives.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param archiveSku string = 'Standard_LRS'

@description('Days during which nothing in an archive can be changed or deleted; 0: no immutability. Only for archives that are new.')
@minValue(0)
@maxValue(146000)
param archiveImmutabilityDays int = 0

@description('Days after which an archive deletes records; 0: never. Otherwise more than archiveImmutabilityDays.')
@minValue(0)
@maxValue(99999)
param archiveDeleteAfterDays int = 0

@description('Whether to lock archives and workspace against deletion. If not, the output privilegedSteps has the commands.')
param enableLocks bool = false

@description('Addresses that Azure Monitor writes to when a diagnostic setting of an HSM is deleted or changed.')
param alertEmails array = []

// Names. All are known before anything is deployed.
var suffix = uniqueString(resourceGroup().id)
var prefix = toLower(namePrefix)
var compact = replace(prefix, '-', '')
var workspaceName = '${prefix}-workspace'
var actionGroupName = '${prefix}-alerts'
var ownActionGroupId = resourceId('Microsoft.Insights/actionGroups', actionGroupName)

var ownWorkspace = empty(existingWorkspaceResourceId)
var workspaceId = ownWorkspace
  ? resourceId('Microsoft.OperationalInsights/workspaces', workspaceName)
  : existingWorkspaceResourceId
var workspaceParts = split(workspaceId, '/')

// Regions as Azure writes them in ids: "West Europe" is westeurope. One archive for each.
var hsmRegions = map(hsms, hsm => toLower(replace(hsm.region, ' ', '')))
var homeRegion = toLower(replace(location, ' ', ''))
var regions = deployArchive ? map(items(groupBy(hsmRegions, region => region)), group => group.key) : []
var archiveNames = map(regions, region => '${take(compact, 8)}log${uniqueString(resourceGroup().id, region)}')
var archiveIds = map(archiveNames, name => '${resourceGroup().id}/providers/Microsoft.Storage/storageAccounts/${name}')

var deleteAfterDays = archiveDeleteAfterDays == 0 || archiveDeleteAfterDays > archiveImmutabilityDays
  ? archiveDeleteAfterDays
  : fail('archiveDeleteAfterDays must be 0 or greater than archiveImmutabilityDays: what is immutable cannot be deleted')

var hsmsElsewhere = filter(hsms, hsm => toLower(split(hsm.resourceId, '/')[2]) != toLower(subscription().subscriptionId))
var hsmsHere = filter(hsms, hsm => toLower(split(hsm.resourceId, '/')[2]) == toLower(subscription().subscriptionId))

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = if (ownWorkspace) {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: workspaceRetentionDays
    features: {
      disableLocalAuth: true
      // Who reads evidence is decided at the workspace, not by who happens to read an HSM's properties.
      enableLogAccessUsingOnlyResourcePermissions: false
    }
    publicNetworkAccessForIngestion: 'Enabled'
    publicNetworkAccessForQuery: workspaceQueryAccess
  }
}

resource existingWorkspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = if (!ownWorkspace) {
  scope: resourceGroup(workspaceParts[2], workspaceParts[4])
  name: last(workspaceParts)
}

// The plan stays Analytics: the query API does not serve the others, and they charge for what each query reads.
resource auditTable 'Microsoft.OperationalInsights/workspaces/tables@2025-07-01' = if (ownWorkspace && configureAuditTable) {
  parent: workspace
  name: 'CloudHsmServiceOperationAuditLogs'
  properties: {
    plan: 'Analytics'
    retentionInDays: workspaceRetentionDays
    totalRetentionInDays: max(workspaceRetentionDays, auditTableTotalRetentionDays)
  }
}

module archives '../modules/archive.bicep' = [
  for (region, index) in regions: {
    name: 'hsmwatch-archive-${region}'
    params: {
      name: archiveNames[index]
      location: region
      tags: tags
      sku: archiveSku
      immutabilityDays: archiveImmutabilityDays
      deleteAfterDays: deleteAfterDays
      enableLock: enableLocks
      logsWorkspaceId: workspaceId
    }
    dependsOn: [
      workspace
    ]
  }
]

// Who queries the evidence (LAQueryLogs). A copy goes to the archive of the same region, if there is one.
resource workspaceAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (ownWorkspace) {
  scope: workspace
  name: 'hsmwatch'
  properties: {
    workspaceId: workspace.id
    storageAccountId: contains(regions, homeRegion)
      ? archiveIds[indexOf(regions, homeRegion)]
      : null
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
  dependsOn: [
    archives
  ]
}

resource workspaceLock 'Microsoft.Authorization/locks@2020-05-01' = if (ownWorkspace && enableLocks) {
  scope: workspace
  name: 'hsmwatch-evidence'
  properties: {
    level: 'CanNotDelete'
    notes: 'Audit records of Cloud HSMs. Remove this lock only by a decision of those who own the evidence.'
  }
}

module settings '../modules/hsmDiagnostics.bicep' = [
  for (hsm, index) in hsms: if (createDiagnosticSetting) {
    name: 'hsmwatch-setting-${index}-${suffix}'
    scope: resourceGroup(split(hsm.resourceId, '/')[2], split(hsm.resourceId, '/')[4])
    params: {
      hsmName: last(split(hsm.resourceId, '/'))
      settingName: diagnosticSettingName
      categories: hsmLogCategories
      workspaceId: workspaceId
      archiveId: deployArchive ? archiveIds[indexOf(regions, hsmRegions[index])] : ''
    }
    dependsOn: [
      workspace
      archives
    ]
  }
]

module actionGroup '../modules/actionGroup.bicep' = if (!empty(alertEmails)) {
  name: 'hsmwatch-action-group'
  params: {
    name: actionGroupName
    tags: tags
    alertEmails: alertEmails
  }
}

// After the settings, so that making them does not set it off.
module settingAlert '../modules/settingAlert.bicep' = if (!empty(alertEmails) && !empty(hsmsHere)) {
  name: 'hsmwatch-setting-alert'
  params: {
    namePrefix: prefix
    tags: tags
    hsmResourceIds: map(hsmsHere, hsm => hsm.resourceId)
    actionGroupIds: [
      ownActionGroupId
    ]
  }
  dependsOn: [
    actionGroup
    settings
  ]
}

module steps '../modules/loggingSteps.bicep' = {
  name: 'hsmwatch-logging-steps'
  params: {
    hsms: map(hsms, hsm => {
      resourceId: hsm.resourceId
      archiveId: deployArchive ? archiveIds[indexOf(regions, toLower(replace(hsm.region, ' ', '')))] : ''
    })
    settingsMade: createDiagnosticSetting
    settingName: diagnosticSettingName
    categories: hsmLogCategories
    workspaceId: workspaceId
    unlockedIds: enableLocks
      ? []
      : concat(
          ownWorkspace
            ? [
                workspaceId
              ]
            : [],
          archiveIds
        )
    hsmsElsewhere: empty(alertEmails) ? [] : map(hsmsElsewhere, hsm => hsm.resourceId)
    alertPrefix: prefix
    actionGroupId: ownActionGroupId
  }
}

@description('Resource id of the workspace: goes into workspaceResourceIds of the watcher.')
output workspaceResourceId string = workspaceId

@description('Customer id of the workspace: what queries and hsmwatch.toml name it by.')
output workspaceCustomerId string = ownWorkspace
  ? workspace!.properties.customerId
  : existingWorkspace!.properties.customerId

@description('Names of the archives, in the order of their regions.')
output archiveNames array = archiveNames

@description('Name of the diagnostic settings.')
output diagnosticSettingName string = diagnosticSettingName

@description('What people with other rights have to do: {who, what, az, powershell}. Empty when nothing is left.')
output privilegedSteps array = steps.outputs.privilegedSteps
