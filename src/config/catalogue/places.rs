//! `[state]` and `[[workspace]]`.

use super::format::Format;
use super::{Fallback, Key, Relation, Section, Shape};

/// `[state]`.
pub(crate) static STATE: Section = Section {
    header: "[state]",
    about: "Where hsmwatch remembers what it has told: a folder on one machine, a container of a storage account beyond it.",
    keys: &[
        Key {
            name: "path",
            shape: Shape::Text(&Format::Path),
            default: Fallback::Nothing,
            example: "\"hsmwatch-state\"",
            about: "A folder of this machine, relative to this file. It is made if it is not there.",
        },
        Key {
            name: "account_url",
            shape: Shape::Text(&Format::Account),
            default: Fallback::Nothing,
            example: "\"https://ACCOUNT.blob.core.windows.net\"",
            about: "The blob endpoint of a storage account. The identity that runs hsmwatch needs the role Storage Blob Data Contributor on the container.",
        },
        Key {
            name: "container",
            shape: Shape::Text(&Format::Container),
            default: Fallback::Value("\"hsmwatch-state\""),
            example: "\"hsm-alerts\"",
            about: "The container in the account. It is made if it is not there.",
        },
        Key {
            name: "account_key",
            shape: Shape::Text(&Format::AccountKey),
            default: Fallback::Nothing,
            example: "{ env = \"HSMWATCH_STORAGE_KEY\" }",
            about: "A key of the account, where there is no identity to sign in with. An identity is better: a key opens the whole account.",
        },
        Key {
            name: "sas",
            shape: Shape::Text(&Format::Sas),
            default: Fallback::Nothing,
            example: "{ env = \"HSMWATCH_STORAGE_SAS\" }",
            about: "A shared access signature for the account, where there is no identity to sign in with.",
        },
    ],
    relations: &[
        Relation::Either("path", "account_url"),
        Relation::Needs("container", &["account_url"]),
        Relation::Needs("account_key", &["account_url"]),
        Relation::Needs("sas", &["account_url"]),
        Relation::NotBoth("account_key", "sas"),
    ],
};

/// `[[workspace]]`.
pub(crate) static WORKSPACE: Section = Section {
    header: "[[workspace]]",
    about: "Where audit logs are read: a Log Analytics workspace, or exported log files. One table for each; at least one.",
    keys: &[
        Key {
            name: "name",
            shape: Shape::Text(&Format::Name),
            default: Fallback::Required,
            example: "\"prod\"",
            about: "A name of your choice, shown in alerts; rules name workspaces by it.",
        },
        Key {
            name: "id",
            shape: Shape::Text(&Format::Guid),
            default: Fallback::Nothing,
            example: "\"11111111-2222-3333-4444-555555555555\"",
            about: "The customer id of a Log Analytics workspace, a GUID, not its name: `az monitor log-analytics workspace show --resource-group GROUP --workspace-name NAME --query customerId`. The identity that runs hsmwatch needs the role Log Analytics Data Reader on it.",
        },
        Key {
            name: "logs",
            shape: Shape::List { of: &Format::Pattern, empty: false },
            default: Fallback::Nothing,
            example: "[\"exports/**/*.json\"]",
            about: "Exported logs, as paths or patterns relative to this file; queries are then run by the engine that is built in. No two patterns may match two exports of the same events.",
        },
        Key {
            name: "resource_id",
            shape: Shape::Text(&Format::ResourceId),
            default: Fallback::Nothing,
            example: "\"/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/GROUP/providers/Microsoft.OperationalInsights/workspaces/NAME\"",
            about: "The workspace's resource id, so that links in alerts open the portal in this workspace.",
        },
        Key {
            name: "endpoint",
            shape: Shape::Text(&Format::Url),
            default: Fallback::Words("the query service of `cloud`"),
            example: "\"https://api.loganalytics.io\"",
            about: "Another host for queries, such as one behind a private link. Plain http only for this machine.",
        },
    ],
    relations: &[
        Relation::Either("id", "logs"),
        Relation::Needs("resource_id", &["id"]),
        Relation::Needs("endpoint", &["id"]),
    ],
};
