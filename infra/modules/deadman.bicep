// The dead-man's switch: hsmwatch can tell everything but that it does not run. For each workspace a rule counts the lines
// `evaluated workspace=NAME watches=N failed=0`, which are written only when every due watch of the workspace committed.

@description('Start of the names.')
param namePrefix string

@description('Region of the Application Insights component.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the Application Insights component.')
param componentId string

@description('Names of the workspaces as the lines say them: letters, digits, `_` and `-`.')
@minLength(1)
param workspaceNames array

@description('No good line for so long is an alert.')
param window string

@description('Resource ids of the action groups.')
param actionGroupIds array

// One rule a workspace, and no splitting by dimension: `summarize count()` without `by` gives a row, with 0, also when
// nothing at all was logged. `contains_cs` takes punctuation as it is, and ` watches=` ends the name.
resource silence 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for name in workspaceNames: {
    name: '${namePrefix}-silent-${name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'hsmwatch no longer watches ${name}'
      description: 'No evaluation without failure was logged for the workspace ${name} for ${window}. Nobody is told of what happens on its HSMs. Open the status page of the function app, or run: hsmwatch doctor --app NAME'
      enabled: true
      severity: 1
      scopes: [
        componentId
      ]
      targetResourceTypes: [
        'microsoft.insights/components'
      ]
      evaluationFrequency: 'PT15M'
      windowSize: window
      criteria: {
        allOf: [
          {
            query: 'traces\n| where message contains_cs \'evaluated workspace=${name} watches=\'\n| where message matches regex @\' failed=0\\b\'\n| summarize evaluations = count()'
            timeAggregation: 'Total'
            metricMeasureColumn: 'evaluations'
            operator: 'LessThan'
            threshold: 1
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: true
      // Before the first line there is nothing to validate the query against.
      skipQueryValidation: true
      actions: {
        actionGroups: actionGroupIds
      }
    }
  }
]

resource errors 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${namePrefix}-errors'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'hsmwatch logged errors'
    description: 'The function app wrote lines of level ERROR: a watch failed, a delivery was refused for good, or the configuration is not good. Each line says what and where; the status page shows the state.'
    enabled: true
    severity: 2
    scopes: [
      componentId
    ]
    targetResourceTypes: [
      'microsoft.insights/components'
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: 'traces\n| where message contains_cs \'"level":"ERROR"\'\n| summarize errors = count()'
          timeAggregation: 'Total'
          metricMeasureColumn: 'errors'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    skipQueryValidation: true
    actions: {
      actionGroups: actionGroupIds
    }
  }
}
