//! What has to be so for the deployment to do what it is for. Most of it the service would take otherwise, too, and nobody
//! would be told.

use super::row::{Must, On, Row};
use serde_json::{Value, json};

const LOGGING: &str = "infra/logging/main.bicep";
const WATCHER: &str = "infra/main.bicep";

const fn on(kind: &'static str) -> On {
    On { kind, root: None, name: None }
}

const SITE: On = on("Microsoft.Web/sites");
const PLAN: On = on("Microsoft.Web/serverfarms");
const WORKSPACE: On = on("Microsoft.OperationalInsights/workspaces");
const TABLE: On = on("Microsoft.OperationalInsights/workspaces/tables");
const ARCHIVE: On = On { root: Some(LOGGING), ..on("Microsoft.Storage/storageAccounts") };
const LIFECYCLE: On = on("Microsoft.Storage/storageAccounts/managementPolicies");
const SETTING: On = On {
    root: Some(LOGGING),
    name: Some("hsmwatch-audit"),
    ..on("Microsoft.Insights/diagnosticSettings")
};
const STATE: On =
    On { root: Some(WATCHER), ..on("Microsoft.Storage/storageAccounts/blobServices") };
const RULE: On = on("Microsoft.Insights/scheduledQueryRules");
const SILENT: On = On { name: Some("hsmwatch-silent-default"), ..RULE };
const GROUP: On = On { root: Some(WATCHER), ..on("Microsoft.Insights/actionGroups") };
const ALERT: On = On { root: Some(LOGGING), ..on("Microsoft.Insights/activityLogAlerts") };
const REMOVED: On = On { name: Some("hsmlogs-setting-removed"), ..ALERT };
const CHANGED: On = On { name: Some("hsmlogs-setting-changed"), ..ALERT };
const NETWORK: On = on("Microsoft.Network/virtualNetworks");
const PRIVATE_ENDPOINT: On = on("Microsoft.Network/privateEndpoints");

/// As a test of a parameter gives them.
const EMAILS: [&str; 2] = ["oncall@example.com", "platform@example.com"];

fn be(path: &'static str, value: impl Into<Value>) -> Must {
    Must::Be(path, value.into())
}

fn set(path: &'static str) -> Must {
    Must::BeSet(path)
}

posture! {
    // The app.
    app_is_a_linux_function: SITE, be("kind", "functionapp,linux");
    app_is_found_by_azd: SITE, be("tags.azd-service-name", "watcher");
    app_has_a_plan: SITE, set("properties.serverFarmId");
    app_has_its_identity: SITE, set("identity.userAssignedIdentities");
    app_runs_a_custom_handler: SITE, be("properties.functionAppConfig.runtime.name", "custom");
    app_runs_this_version_of_it: SITE, be("properties.functionAppConfig.runtime.version", "1.0");
    app_reads_its_package_from_a_container: SITE, be("properties.functionAppConfig.deployment.storage.type", "blobContainer");
    app_reads_its_package_by_its_identity: SITE, set("properties.functionAppConfig.deployment.storage.authentication.userAssignedIdentityResourceId");
    app_has_so_much_memory: SITE, be("properties.functionAppConfig.scaleAndConcurrency.instanceMemoryMB", 512), when "instanceMemoryMB" = 512;
    app_has_so_many_instances: SITE, be("properties.functionAppConfig.scaleAndConcurrency.maximumInstanceCount", 40), when "maximumInstanceCount" = 40;
    app_sends_from_its_network: SITE, set("properties.virtualNetworkSubnetId"), when "networkMode" = "vnet";
    plan_is_flex_consumption: PLAN, be("sku.name", "FC1");
    plan_is_of_that_tier: PLAN, be("sku.tier", "FlexConsumption");
    plan_is_linux: PLAN, be("properties.reserved", true);

    // The evidence.
    setting_sends_the_category: SETTING, be("properties.logs.0.category", "HsmServiceOperations"), when "hsmLogCategories" = ["HsmServiceOperations"];
    setting_is_enabled: SETTING, be("properties.logs.0.enabled", true);
    setting_sends_to_the_workspace: SETTING, set("properties.workspaceId");
    setting_sends_to_the_archive: SETTING, set("properties.storageAccountId"), when "deployArchive" = true;
    workspace_is_paid_by_the_gigabyte: WORKSPACE, be("properties.sku.name", "PerGB2018");
    workspace_takes_logs: WORKSPACE, be("properties.publicNetworkAccessForIngestion", "Enabled");
    audit_table_is_that_of_the_log: TABLE, be("name", "CloudHsmServiceOperationAuditLogs"), when "configureAuditTable" = true;
    audit_table_can_be_queried: TABLE, be("properties.plan", "Analytics"), when "configureAuditTable" = true;
    audit_table_is_kept_at_hand: TABLE, be("properties.retentionInDays", 365), when "configureAuditTable" = true;
    audit_table_is_kept_in_all: TABLE, be("properties.totalRetentionInDays", 2557), when "configureAuditTable" = true;
    immutability_is_as_long_as_said: ARCHIVE, be("properties.immutableStorageWithVersioning.immutabilityPolicy.immutabilityPeriodSinceCreationInDays", 146_000), when "archiveImmutabilityDays" = 146_000;
    lifecycle_is_enabled: LIFECYCLE, be("properties.policy.rules.0.enabled", true), when "archiveDeleteAfterDays" = 99_999;
    lifecycle_is_one: LIFECYCLE, be("properties.policy.rules.0.type", "Lifecycle"), when "archiveDeleteAfterDays" = 99_999;
    lifecycle_deletes_when_said: LIFECYCLE, be("properties.policy.rules.0.definition.actions.baseBlob.delete.daysAfterModificationGreaterThan", 99_999), when "archiveDeleteAfterDays" = 99_999;
    lifecycle_deletes_versions: LIFECYCLE, be("properties.policy.rules.0.definition.actions.version.delete.daysAfterCreationGreaterThan", 99_999), when "archiveDeleteAfterDays" = 99_999;
    lifecycle_is_about_logs: LIFECYCLE, be("properties.policy.rules.0.definition.filters.prefixMatch", json!(["insights-logs-"])), when "archiveDeleteAfterDays" = 99_999;
    lifecycle_is_about_appended_blobs: LIFECYCLE, be("properties.policy.rules.0.definition.filters.blobTypes", json!(["appendBlob", "blockBlob"])), when "archiveDeleteAfterDays" = 99_999;

    // The state.
    containers_can_be_had_back: STATE, be("properties.containerDeleteRetentionPolicy.enabled", true);
    containers_can_be_had_back_7_days: STATE, be("properties.containerDeleteRetentionPolicy.days", 7);

    // Whoever is told when hsmwatch does not run.
    silence_is_severe: SILENT, be("properties.severity", 1);
    silence_lasts_as_long_as_said: SILENT, be("properties.windowSize", "PT30M"), when "deadmanWindow" = "PT30M";
    rules_read_the_log: RULE, be("kind", "LogAlert");
    rules_are_run_every_15_minutes: RULE, be("properties.evaluationFrequency", "PT15M");
    rules_add_up: RULE, be("properties.criteria.allOf.0.timeAggregation", "Total");
    rules_fire_at_once: RULE, be("properties.criteria.allOf.0.failingPeriods.minFailingPeriodsToAlert", 1);
    rules_look_at_one_period: RULE, be("properties.criteria.allOf.0.failingPeriods.numberOfEvaluationPeriods", 1);
    rules_resolve_by_themselves: RULE, be("properties.autoMitigate", true);
    rules_wait_for_the_first_line: RULE, be("properties.skipQueryValidation", true);
    group_is_enabled: GROUP, be("properties.enabled", true), when "alertEmails" = EMAILS;
    group_is_everywhere: GROUP, be("location", "global"), when "alertEmails" = EMAILS;
    group_writes_to_the_first: GROUP, be("properties.emailReceivers.0.emailAddress", EMAILS[0]), when "alertEmails" = EMAILS;
    group_writes_in_the_common_form: GROUP, be("properties.emailReceivers.0.useCommonAlertSchema", true), when "alertEmails" = EMAILS;
    removed_setting_is_told: REMOVED, be("properties.condition.allOf.1.equals", "Microsoft.Insights/diagnosticSettings/delete"), when "alertEmails" = EMAILS;
    changed_setting_is_told: CHANGED, be("properties.condition.allOf.1.equals", "Microsoft.Insights/diagnosticSettings/write"), when "alertEmails" = EMAILS;
    touched_settings_are_looked_for: ALERT, be("properties.condition.allOf.1.field", "operationName"), when "alertEmails" = EMAILS;
    touched_settings_are_acts: ALERT, be("properties.condition.allOf.0.equals", "Administrative"), when "alertEmails" = EMAILS;
    touched_settings_are_of_this_category: ALERT, be("properties.condition.allOf.0.field", "category"), when "alertEmails" = EMAILS;
    touched_settings_are_told_to_people: ALERT, set("properties.actions.actionGroups.0.actionGroupId"), when "alertEmails" = EMAILS;
    touched_settings_are_of_the_hsms: ALERT, set("properties.scopes"), when "alertEmails" = EMAILS;
    touched_settings_are_watched: ALERT, be("properties.enabled", true), when "alertEmails" = EMAILS;
    touched_settings_are_watched_everywhere: ALERT, be("location", "global"), when "alertEmails" = EMAILS;

    // The network.
    app_subnet_is_delegated: NETWORK, be("properties.subnets.0.properties.delegations.0.properties.serviceName", "Microsoft.App/environments"), when "networkMode" = "vnet";
    app_subnet_is_guarded: NETWORK, set("properties.subnets.0.properties.networkSecurityGroup.id"), when "networkMode" = "vnet";
    endpoint_subnet_is_guarded: NETWORK, set("properties.subnets.1.properties.networkSecurityGroup.id"), when "networkMode" = "vnet";
    endpoints_have_a_zone: PRIVATE_ENDPOINT, Must::Have("Microsoft.Network/privateEndpoints/privateDnsZoneGroups"), when "networkMode" = "vnet";
}
