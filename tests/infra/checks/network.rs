//! With a network of its own, storage and vault are reached through private endpoints whose names resolve there.

use crate::eval::{Deployed, Scenario};
use crate::sources::Infra;
use serde_json::Value;
use std::collections::BTreeSet;

/// What is reached, by which part of it, under which zone.
const REACHED: [(&str, &str, &str); 4] = [
    ("Microsoft.Storage/storageAccounts", "blob", "privatelink.blob.core.windows.net"),
    ("Microsoft.Storage/storageAccounts", "queue", "privatelink.queue.core.windows.net"),
    ("Microsoft.Storage/storageAccounts", "table", "privatelink.table.core.windows.net"),
    // The zone is called vaultcore where the host is called vault.
    ("Microsoft.KeyVault/vaults", "vault", "privatelink.vaultcore.azure.net"),
];

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut seen = false;
    for scenario in infra.scenarios().iter() {
        let private = scenario.param(infra, "networkMode") == Some(Value::from("vnet"));
        let networks: Vec<&Deployed> =
            scenario.deployment.of_kind("Microsoft.Network/virtualNetworks").collect();
        let mut say = |resource: Option<&Deployed>, text: &str| {
            let place = resource
                .map_or_else(|| scenario.root.clone(), |r| format!("{}:{}", r.path, r.at.line));
            found.insert(format!("{place}: {text} (with {})", scenario.label));
        };
        match networks.as_slice() {
            [network] if private => {
                seen = true;
                private_network(scenario, network, &mut say);
            }
            [] if !private => {}
            _ => say(None, "there is a network if, and only if, networkMode is vnet"),
        }
    }
    if !seen {
        found.insert("infra/main.bicep: nothing is private, whatever networkMode says".to_owned());
    }
    super::once_each(found)
}

fn text<'v>(resource: &'v Deployed, pointer: &str) -> &'v str {
    resource.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn private_network(
    scenario: &Scenario,
    network: &Deployed,
    say: &mut dyn FnMut(Option<&Deployed>, &str),
) {
    let of_kind = |kind| scenario.deployment.of_kind(kind).collect::<Vec<_>>();
    let subnets = network.body["properties"]["subnets"].as_array().cloned().unwrap_or_default();
    let delegated = |subnet: &str| {
        let of_name = |one: &&Value| {
            subnet == format!("{}/subnets/{}", network.id, one["name"].as_str().unwrap_or_default())
        };
        subnets.iter().find(of_name).map(|subnet| subnet["properties"]["delegations"].is_array())
    };
    for site in of_kind("Microsoft.Web/sites") {
        if delegated(text(site, "/properties/virtualNetworkSubnetId")) != Some(true) {
            say(Some(site), "the app does not send from a subnet that is delegated to it");
        }
    }
    let endpoints = of_kind("Microsoft.Network/privateEndpoints");
    for (kind, part, zone_name) in REACHED {
        for target in of_kind(kind) {
            let leads = |endpoint: &&&Deployed| {
                let connection =
                    &endpoint.body["properties"]["privateLinkServiceConnections"][0]["properties"];
                connection["privateLinkServiceId"] == target.id && connection["groupIds"][0] == part
            };
            let Some(endpoint) = endpoints.iter().find(leads) else {
                say(Some(target), &format!("no private endpoint leads to its `{part}`: add one"));
                continue;
            };
            if delegated(text(endpoint, "/properties/subnet/id")) != Some(false) {
                say(
                    Some(endpoint),
                    &format!("the endpoint of `{part}` is not in a subnet of its own kind"),
                );
            }
            let Some(zone) = of_kind("Microsoft.Network/privateDnsZones")
                .into_iter()
                .find(|zone| zone.name == zone_name)
            else {
                say(
                    None,
                    &format!(
                        "there is no zone {zone_name}: the name of `{part}` leads to its public address"
                    ),
                );
                continue;
            };
            let linked = of_kind("Microsoft.Network/privateDnsZones/virtualNetworkLinks")
                .into_iter()
                .any(|link| {
                    link.id.starts_with(&format!("{}/", zone.id))
                        && text(link, "/properties/virtualNetwork/id") == network.id
                });
            if !linked {
                say(Some(zone), &format!("the zone {zone_name} is not linked to the network"));
            }
            let groups = of_kind("Microsoft.Network/privateEndpoints/privateDnsZoneGroups");
            let registered = groups.into_iter().any(|group| {
                group.id.starts_with(&format!("{}/", endpoint.id))
                    && text(
                        group,
                        "/properties/privateDnsZoneConfigs/0/properties/privateDnsZoneId",
                    ) == zone.id
            });
            if !registered {
                say(
                    Some(endpoint),
                    &format!("the endpoint of `{part}` is not registered in the zone {zone_name}"),
                );
            }
        }
    }
    for endpoint in &endpoints {
        let id = &endpoint.body["properties"]["privateLinkServiceConnections"][0]["properties"]["privateLinkServiceId"];
        if !scenario
            .deployment
            .resources
            .iter()
            .any(|resource| !resource.existing && *id == resource.id)
        {
            say(Some(endpoint), "the endpoint leads to what is not the watcher's");
        }
    }
}
