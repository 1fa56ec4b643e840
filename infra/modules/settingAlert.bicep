// Tells when somebody removes or changes a diagnostic setting of an HSM: after that nothing is logged, and no rule can say so.
// An activity-log alert can only look at resources of its own subscription.

@description('Start of the names.')
param namePrefix string

@description('Tags.')
param tags object

@description('Resource ids of HSMs of this subscription.')
@minLength(1)
param hsmResourceIds array

@description('Resource ids of the action groups.')
param actionGroupIds array

resource removed 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: '${namePrefix}-setting-removed'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    description: 'Somebody deleted a diagnostic setting of a Cloud HSM. If it was the one that carries HsmServiceOperations, the HSM is no longer logged and hsmwatch is blind.'
    scopes: hsmResourceIds
    condition: {
      allOf: [
        {
          field: 'category'
          equals: 'Administrative'
        }
        {
          field: 'operationName'
          equals: 'Microsoft.Insights/diagnosticSettings/delete'
        }
      ]
    }
    actions: {
      actionGroups: [
        for id in actionGroupIds: {
          actionGroupId: id
        }
      ]
    }
  }
}

// A setting whose category is switched off or whose destination is another one is as good as deleted.
resource changed 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: '${namePrefix}-setting-changed'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    description: 'Somebody wrote a diagnostic setting of a Cloud HSM. See whether HsmServiceOperations is still enabled and still goes to the same workspace and storage account. A deployment of infra/logging does this too.'
    scopes: hsmResourceIds
    condition: {
      allOf: [
        {
          field: 'category'
          equals: 'Administrative'
        }
        {
          field: 'operationName'
          equals: 'Microsoft.Insights/diagnosticSettings/write'
        }
      ]
    }
    actions: {
      actionGroups: [
        for id in actionGroupIds: {
          actionGroupId: id
        }
      ]
    }
  }
}
