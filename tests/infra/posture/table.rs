//! The table.

use super::row::{Must, On, Row};
use serde_json::{Value, json};

const LOGGING: &str = "infra/logging/main.bicep";
const WATCHER: &str = "infra/main.bicep";

const fn on(kind: &'static str) -> On {
    On { kind, root: None, name: None }
}

const ACCOUNT: On = on("Microsoft.Storage/storageAccounts");
const ARCHIVE: On = On { root: Some(LOGGING), ..ACCOUNT };
const STORAGE: On = On { root: Some(WATCHER), ..ACCOUNT };
const CONTAINER: On = on("Microsoft.Storage/storageAccounts/blobServices/containers");
const BLOBS: On = on("Microsoft.Storage/storageAccounts/blobServices");
const ARCHIVE_BLOBS: On = On { root: Some(LOGGING), ..BLOBS };
const STORAGE_BLOBS: On = On { root: Some(WATCHER), ..BLOBS };
const WORKSPACE: On = on("Microsoft.OperationalInsights/workspaces");
const EVIDENCE: On = On { root: Some(LOGGING), ..WORKSPACE };
const TELEMETRY: On = On { root: Some(WATCHER), ..WORKSPACE };
const VAULT: On = on("Microsoft.KeyVault/vaults");
const COMPONENT: On = on("Microsoft.Insights/components");
const SITE: On = on("Microsoft.Web/sites");
const PUBLISHING: &str = "Microsoft.Web/sites/basicPublishingCredentialsPolicies";
const LOCK: On = on("Microsoft.Authorization/locks");

fn be(path: &'static str, value: impl Into<Value>) -> Must {
    Must::Be(path, value.into())
}

fn log(by: &'static str, name: &'static str) -> Must {
    Must::Log { by, name }
}

posture! {
    // Both storage accounts.
    storage_takes_https_only: ACCOUNT, be("properties.supportsHttpsTrafficOnly", true);
    storage_takes_tls_1_2: ACCOUNT, be("properties.minimumTlsVersion", "TLS1_2");
    storage_has_no_public_blobs: ACCOUNT, be("properties.allowBlobPublicAccess", false);
    storage_has_no_shared_keys: ACCOUNT, be("properties.allowSharedKeyAccess", false);
    storage_asks_for_entra_by_default: ACCOUNT, be("properties.defaultToOAuthAuthentication", true);
    storage_does_not_replicate_to_other_tenants: ACCOUNT, be("properties.allowCrossTenantReplication", false);
    storage_has_no_local_users: ACCOUNT, be("properties.isLocalUserEnabled", false);
    containers_are_private: CONTAINER, be("properties.publicAccess", "None");

    // The archive.
    archive_is_general_purpose: ARCHIVE, be("kind", "StorageV2");
    archive_denies_networks: ARCHIVE, be("properties.networkAcls.defaultAction", "Deny");
    archive_lets_azure_monitor_in: ARCHIVE, be("properties.networkAcls.bypass", "AzureServices");
    archive_keeps_the_trusted_way_open: ARCHIVE, be("properties.publicNetworkAccess", "Enabled");
    archive_is_copied_within_the_tenant: ARCHIVE, be("properties.allowedCopyScope", "AAD");
    archive_is_encrypted_twice: ARCHIVE, be("properties.encryption.requireInfrastructureEncryption", true);
    archive_keeps_versions: ARCHIVE_BLOBS, be("properties.isVersioningEnabled", true);
    archive_keeps_deleted_blobs: ARCHIVE_BLOBS, be("properties.deleteRetentionPolicy.enabled", true);
    archive_keeps_deleted_blobs_30_days: ARCHIVE_BLOBS, be("properties.deleteRetentionPolicy.days", 30);
    archive_keeps_deleted_containers: ARCHIVE_BLOBS, be("properties.containerDeleteRetentionPolicy.enabled", true);
    archive_keeps_deleted_containers_30_days: ARCHIVE_BLOBS, be("properties.containerDeleteRetentionPolicy.days", 30);
    archive_logs_reads: ARCHIVE_BLOBS, log("category", "StorageRead");
    archive_logs_deletions: ARCHIVE_BLOBS, log("category", "StorageDelete");
    archive_does_not_log_every_append: ARCHIVE_BLOBS, Must::NotLog { by: "category", name: "StorageWrite" };
    immutability_is_on_when_wanted: ARCHIVE, be("properties.immutableStorageWithVersioning.enabled", true), when "archiveImmutabilityDays" = 146_000;
    immutability_is_not_locked_by_a_template: ARCHIVE, be("properties.immutableStorageWithVersioning.immutabilityPolicy.state", "Unlocked"), when "archiveImmutabilityDays" = 146_000;
    immutability_lets_logs_grow: ARCHIVE, be("properties.immutableStorageWithVersioning.immutabilityPolicy.allowProtectedAppendWrites", true), when "archiveImmutabilityDays" = 146_000;
    archive_is_locked_when_wanted: ARCHIVE, Must::Have("Microsoft.Authorization/locks"), when "enableLocks" = true;
    workspace_is_locked_when_wanted: EVIDENCE, Must::Have("Microsoft.Authorization/locks"), when "enableLocks" = true;
    locks_are_against_deletion: LOCK, be("properties.level", "CanNotDelete"), when "enableLocks" = true;

    // The function storage.
    state_can_be_had_back: STORAGE_BLOBS, be("properties.deleteRetentionPolicy.enabled", true);
    state_can_be_had_back_7_days: STORAGE_BLOBS, be("properties.deleteRetentionPolicy.days", 7);
    storage_logs_deletions: STORAGE_BLOBS, log("category", "StorageDelete");
    storage_is_private_in_a_network: STORAGE, be("properties.publicNetworkAccess", "Disabled"), when "networkMode" = "vnet";
    storage_denies_in_a_network: STORAGE, be("properties.networkAcls.defaultAction", "Deny"), when "networkMode" = "vnet";

    // The workspaces.
    workspace_has_no_shared_keys: WORKSPACE, be("properties.features.disableLocalAuth", true);
    workspace_says_who_reads: WORKSPACE, Must::BeOneOf("properties.features.enableLogAccessUsingOnlyResourcePermissions", vec![json!(true), json!(false)]);
    workspace_logs_queries: WORKSPACE, log("categoryGroup", "audit");
    workspace_archives_its_queries: EVIDENCE, Must::SendTo("storageAccountId"), when "location" = "northeurope";
    evidence_is_kept: EVIDENCE, Must::BeSet("properties.retentionInDays");

    // The vault.
    vault_goes_by_roles: VAULT, be("properties.enableRbacAuthorization", true);
    vault_has_no_access_policies: VAULT, Must::NotBe("properties.accessPolicies");
    vault_deletes_softly: VAULT, be("properties.enableSoftDelete", true);
    vault_keeps_the_deleted_90_days: VAULT, be("properties.softDeleteRetentionInDays", 90);
    vault_cannot_be_purged: VAULT, be("properties.enablePurgeProtection", true);
    vault_is_not_for_deployment: VAULT, be("properties.enabledForDeployment", false);
    vault_is_not_for_disks: VAULT, be("properties.enabledForDiskEncryption", false);
    vault_is_not_for_templates: VAULT, be("properties.enabledForTemplateDeployment", false);
    vault_logs_reads: VAULT, log("categoryGroup", "audit");
    vault_is_private_in_a_network: VAULT, be("properties.publicNetworkAccess", "Disabled"), when "networkMode" = "vnet";
    vault_denies_in_a_network: VAULT, be("properties.networkAcls.defaultAction", "Deny"), when "networkMode" = "vnet";

    // Application Insights.
    insights_has_no_instrumentation_keys: COMPONENT, be("properties.DisableLocalAuth", true);
    insights_is_on_a_workspace: COMPONENT, Must::BeSet("properties.WorkspaceResourceId");
    insights_ingests_into_the_workspace: COMPONENT, be("properties.IngestionMode", "LogAnalytics");
    telemetry_is_kept: TELEMETRY, Must::BeSet("properties.retentionInDays");

    // The function app.
    app_takes_https_only: SITE, be("properties.httpsOnly", true);
    app_takes_tls_1_2: SITE, be("properties.siteConfig.minTlsVersion", "1.2");
    app_publishing_takes_tls_1_2: SITE, be("properties.siteConfig.scmMinTlsVersion", "1.2");
    // Flex Consumption has no FTP and refuses the setting; `ftp` below is off as well.
    app_says_nothing_of_ftp: SITE, Must::NotBe("properties.siteConfig.ftpsState");
    app_is_not_debugged_from_afar: SITE, be("properties.siteConfig.remoteDebuggingEnabled", false);
    app_has_no_affinity: SITE, be("properties.clientAffinityEnabled", false);
    app_has_an_identity_of_its_own: SITE, be("identity.type", "UserAssigned");
    app_reads_its_package_by_that_identity: SITE, be("properties.functionAppConfig.deployment.storage.authentication.type", "UserAssignedIdentity");
    app_reads_secrets_by_that_identity: SITE, Must::BeSet("properties.keyVaultReferenceIdentity");
    app_logs: SITE, log("category", "FunctionAppLogs");
    app_has_no_basic_publishing: On { name: Some("scm"), ..on(PUBLISHING) }, be("properties.allow", false);
    app_has_no_basic_ftp: On { name: Some("ftp"), ..on(PUBLISHING) }, be("properties.allow", false);
}
