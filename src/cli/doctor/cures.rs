//! Commands that cure, whole and with real names, ready to be copied into a shell: whatever comes from outside is quoted.

use super::identity::Who;
use crate::azure::management::ResourceId;
use crate::hosts::checks::Cure;
use crate::notify::limits::clean;

/// The category of the audit log.
pub(super) const CATEGORY: &str = "HsmServiceOperations";
/// How long a role takes to act.
pub(super) const SOON: &str = "a role takes up to 15 minutes to act";

/// A role of Azure's, by the id that does not depend on the language.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    pub(super) name: &'static str,
    guid: &'static str,
}

pub(super) const DATA_READER: Role =
    Role { name: "Log Analytics Data Reader", guid: "3b03c2da-16b3-4a49-8834-0f8130efdd3b" };
pub(super) const BLOB_CONTRIBUTOR: Role =
    Role { name: "Storage Blob Data Contributor", guid: "ba92f5b4-2d11-453d-a403-e96b0029c9fe" };
pub(super) const SECRETS_USER: Role =
    Role { name: "Key Vault Secrets User", guid: "4633458b-17de-408a-b874-0445c86b69e6" };
pub(super) const READER: Role =
    Role { name: "Reader", guid: "acdd72a7-3385-48ef-bd42-f606fba81ae7" };

/// A word as a POSIX shell takes it.
pub(super) fn word(text: &str) -> String {
    let text = clean(text, 900);
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '=' | ',' | '@')
    };
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Registers a subscription for a provider.
pub(super) fn register(namespace: &str, subscription: Option<&str>) -> Cure {
    let subscription = subscription.map(|id| format!(" --subscription {}", word(id)));
    Cure::az(format!(
        "az provider register --namespace {} --wait{}",
        word(&proper(namespace)),
        subscription.unwrap_or_default()
    ))
    .and_portal("Subscriptions › the subscription › Settings › Resource providers › Register")
    .and_text("needs the role Contributor or Owner on the subscription, once")
}

/// A namespace as its owner writes it: the service's own errors do not.
fn proper(namespace: &str) -> String {
    const KNOWN: [&str; 5] = [
        "Microsoft.Insights",
        "Microsoft.HardwareSecurityModules",
        "Microsoft.OperationalInsights",
        "Microsoft.Web",
        "Microsoft.App",
    ];
    let known = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(namespace));
    known.map_or_else(|| namespace.to_owned(), |known| (*known).to_owned())
}

/// Gives a role. `scope` is an id, or a substitution of the shell that is not from outside.
pub(super) fn assign(role: Role, scope: &str, who: Option<&Who>) -> String {
    let (oid, kind) = match who.and_then(|who| Some((who.oid.as_deref()?, who.principal()))) {
        Some((oid, kind)) => (word(oid), kind),
        None => ("OBJECT_ID_OF_THE_IDENTITY".to_owned(), "ServicePrincipal"),
    };
    format!(
        "az role assignment create --assignee-object-id {oid} --assignee-principal-type {kind} --role {} --scope {scope}",
        role.guid
    )
}

/// The id of a workspace, asked for by whoever runs the command.
pub(super) fn workspace_id(customer_id: &str) -> String {
    format!(
        "\"$(az monitor log-analytics workspace list --query \"[?customerId=='{}'].id\" --output tsv)\"",
        customer_id.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "")
    )
}

/// The right to ask a workspace.
pub(super) fn query_right(
    workspace: Option<&ResourceId>,
    customer_id: Option<&str>,
    who: Option<&Who>,
) -> Cure {
    let scope = match (workspace, customer_id) {
        (Some(id), _) => word(id.as_str()),
        (None, Some(customer_id)) => workspace_id(customer_id),
        (None, None) => "WORKSPACE_RESOURCE_ID".to_owned(),
    };
    let role = DATA_READER.name;
    Cure::az(assign(DATA_READER, &scope, who))
        .and_portal(format!(
            "Log Analytics workspace › Access control (IAM) › Add role assignment › {role}"
        ))
        .and_text(format!(
            "whoever is Owner or Role Based Access Control Administrator there can do it; {SOON}"
        ))
}

/// A diagnostic setting with the audit log. `workspace` is a word of the shell.
pub(super) fn create_setting(
    hsm: &ResourceId,
    workspace: Option<&str>,
    storage: Option<&ResourceId>,
) -> Cure {
    let workspace = workspace.unwrap_or("WORKSPACE_RESOURCE_ID");
    let storage =
        storage.map(|id| format!(" --storage-account {}", word(id.as_str()))).unwrap_or_default();
    Cure::az(format!(
        "az monitor diagnostic-settings create --name hsmwatch-audit --resource {} --logs '[{{\"category\":\"{CATEGORY}\",\"enabled\":true}}]' --workspace {workspace}{storage}",
        word(hsm.as_str()),
    ))
    .and_portal(format!(
        "the HSM › Monitoring › Diagnostic settings › Add diagnostic setting › {CATEGORY} › Send to Log Analytics workspace"
    ))
    .and_text(
        "needs Microsoft.Insights/diagnosticSettings/write on the HSM (role Monitoring Contributor); a setting of the same \
         name is replaced whole; the archive's account must be in the HSM's region",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_words_for_words() {
        for (text, expected) in [
            ("/subscriptions/1/x_y.z-1", "/subscriptions/1/x_y.z-1"),
            ("rg (x)", "'rg (x)'"),
            ("$(reboot)", "'$(reboot)'"),
            ("a'b", r"'a'\''b'"),
            ("", "''"),
            ("a\nb", "'a b'"),
            ("-x", "-x"),
        ] {
            assert_eq!(word(text), expected);
        }
        assert_eq!(
            workspace_id("1-a'].id\"; reboot"),
            "\"$(az monitor log-analytics workspace list --query \"[?customerId=='1-aidreboot'].id\" --output tsv)\""
        );
    }

    #[test]
    fn providers_are_named_as_their_owners_do() {
        let cure = register("microsoft.insights", None).az.unwrap();
        assert_eq!(cure, "az provider register --namespace Microsoft.Insights --wait");
        let cure = register("x y", Some("s")).az.unwrap();
        assert_eq!(cure, "az provider register --namespace 'x y' --wait --subscription s");
    }
}
