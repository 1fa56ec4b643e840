// Whom Azure itself tells: people by e-mail. Never a receiver of hsmwatch, since this speaks when hsmwatch does not.

@description('Name of the action group.')
param name string

@description('Tags.')
param tags object

@description('Addresses.')
@minLength(1)
param alertEmails array

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'hsmwatch'
    emailReceivers: [
      for (address, index) in alertEmails: {
        name: 'email-${index}'
        emailAddress: address
        useCommonAlertSchema: true
      }
    ]
  }
}
