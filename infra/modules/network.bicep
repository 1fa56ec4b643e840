// Private networking: a network of the watcher's own, and private endpoints for its storage and its vault.

@description('Start of the names.')
param namePrefix string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Address range of the network, /24 or larger.')
param addressPrefix string

@description('Resource id of the function storage.')
param storageId string

@description('Resource id of the vault; empty: no private endpoint for it.')
param vaultId string

// The vault's zone is called vaultcore where its host name says vault.
var vaultZone = 'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'
var endpoints = concat(
  [
    {
      kind: 'blob'
      zone: 'privatelink.blob.${environment().suffixes.storage}'
      target: storageId
    }
    {
      kind: 'queue'
      zone: 'privatelink.queue.${environment().suffixes.storage}'
      target: storageId
    }
    {
      kind: 'table'
      zone: 'privatelink.table.${environment().suffixes.storage}'
      target: storageId
    }
  ],
  empty(vaultId)
    ? []
    : [
        {
          kind: 'vault'
          zone: vaultZone
          target: vaultId
        }
      ]
)

// The default rules are right: nothing comes in from the internet, and the app may send.
resource securityGroup 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: '${namePrefix}-nsg'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: '${namePrefix}-vnet'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    // Subnets stand here and not as resources of their own: a second deployment would otherwise begin by removing them.
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 0)
          networkSecurityGroup: {
            id: securityGroup.id
          }
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 1)
          networkSecurityGroup: {
            id: securityGroup.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for endpoint in endpoints: {
    name: endpoint.zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (endpoint, index) in endpoints: {
    parent: zones[index]
    name: '${namePrefix}-vnet'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

resource privateEndpoints 'Microsoft.Network/privateEndpoints@2025-05-01' = [
  for endpoint in endpoints: {
    name: '${namePrefix}-${endpoint.kind}-pe'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: '${network.id}/subnets/endpoints'
      }
      privateLinkServiceConnections: [
        {
          name: endpoint.kind
          properties: {
            privateLinkServiceId: endpoint.target
            groupIds: [
              endpoint.kind
            ]
          }
        }
      ]
    }
  }
]

resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [
  for (endpoint, index) in endpoints: {
    parent: privateEndpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: endpoint.kind
          properties: {
            privateDnsZoneId: zones[index].id
          }
        }
      ]
    }
  }
]

@description('Resource id of the subnet that the app sends from.')
output appSubnetId string = '${network.id}/subnets/app'
