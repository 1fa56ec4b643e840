//! Every variable of the environment that the program reads: one table, for whoever sets them (`infra/`, the documentation) and
//! for the tests that hold those to it.

/// A variable of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// Who reads it.
    pub reader: Reader,
    /// Who sets it.
    pub setter: Setter,
}

/// Who reads a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The configuration without a file: [`super::load`] of [`super::Input::Environment`].
    Configuration,
    /// The choice of an identity.
    Identity,
    /// The command line, as another way to give an option.
    CommandLine,
    /// The verb `handler`, besides its options.
    Handler,
    /// The verb `doctor`, besides its options.
    Doctor,
    /// The Functions host, for a function of ours: it stands between `%` in a `function.json`.
    Host,
}

/// Who sets a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setter {
    /// Whoever deploys or runs the program.
    Person,
    /// Whoever runs the program where there is no managed identity; never an app on Azure.
    PersonElsewhere,
    /// The platform. Nobody else should.
    Platform,
}

const fn variable(
    name: &'static str,
    reader: Reader,
    setter: Setter,
    meaning: &'static str,
) -> Variable {
    Variable { name, meaning, reader, setter }
}

/// All of them, in the order in which people should meet them.
pub const VARIABLES: &[Variable] = {
    use Reader::{CommandLine, Configuration, Doctor, Handler, Host, Identity};
    use Setter::{Person, PersonElsewhere, Platform};
    &[
        variable("HSMWATCH_SCHEDULE", Host, Person, "When `tick` runs, NCRONTAB with seconds."),
        variable(
            "HSMWATCH_CONFIG",
            CommandLine,
            Person,
            "The configuration, a file or the https address of a blob.",
        ),
        variable(
            "HSMWATCH_WORKSPACE_ID",
            Configuration,
            Person,
            "Without a file: the customer id of the workspace.",
        ),
        variable(
            "HSMWATCH_CLOUD",
            Configuration,
            Person,
            "Without a file: `public`, `usgov` or `china`.",
        ),
        variable(
            "HSMWATCH_STATE_URL",
            Configuration,
            Person,
            "Without a file: where state lives, the address of a blob container.",
        ),
        variable(
            "HSMWATCH_STATE_PATH",
            Configuration,
            Person,
            "Without a file: where state lives, a folder of this machine.",
        ),
        variable(
            "HSMWATCH_STORAGE_KEY",
            Configuration,
            Person,
            "The key of the storage account, where there is no identity.",
        ),
        variable(
            "HSMWATCH_STORAGE_SAS",
            Configuration,
            Person,
            "An account SAS of the storage account, where there is no identity.",
        ),
        variable(
            "HSMWATCH_TEAMS_URL",
            Configuration,
            Person,
            "Without a file: a receiver, the address of a Teams workflow.",
        ),
        variable(
            "HSMWATCH_SLACK_URL",
            Configuration,
            Person,
            "Without a file: a receiver, the address of a Slack webhook.",
        ),
        variable(
            "HSMWATCH_WEBHOOK_URL",
            Configuration,
            Person,
            "Without a file: a receiver, the address of a webhook of your own.",
        ),
        variable(
            "HSMWATCH_WEBHOOK_SECRET",
            Configuration,
            Person,
            "Without a file: what the webhook is signed with; also what `verify` checks with.",
        ),
        variable(
            "HSMWATCH_PAGERDUTY_ROUTING_KEY",
            Configuration,
            Person,
            "Without a file: a receiver, the integration key of a service of PagerDuty.",
        ),
        variable(
            "HSMWATCH_PAGERDUTY_URL",
            Configuration,
            Person,
            "Without a file: where PagerDuty takes events, if not in the US.",
        ),
        variable(
            "HSMWATCH_PRESETS",
            Configuration,
            Person,
            "Without a file: ids or sets of the rules that are shipped, separated by commas.",
        ),
        variable(
            "HSMWATCH_APP_KEY",
            Doctor,
            PersonElsewhere,
            "For `doctor --app`: the key of the function `status`, for whoever may not list keys.",
        ),
        variable("HSMWATCH_LOG", CommandLine, Person, "What `handler` logs: a level."),
        variable("AZURE_CLIENT_ID", Identity, Person, "The client id of the identity to be used."),
        variable(
            "AZURE_TENANT_ID",
            Identity,
            PersonElsewhere,
            "The tenant of the identity, for a federated token or a client secret.",
        ),
        variable(
            "AZURE_FEDERATED_TOKEN_FILE",
            Identity,
            PersonElsewhere,
            "The file with the federated token of a workload identity.",
        ),
        variable(
            "AZURE_CLIENT_SECRET",
            Identity,
            PersonElsewhere,
            "The secret of an app registration.",
        ),
        variable(
            "IDENTITY_ENDPOINT",
            Identity,
            Platform,
            "Where an app asks for tokens of its managed identity.",
        ),
        variable(
            "IDENTITY_HEADER",
            Identity,
            Platform,
            "What an app shows when it asks for tokens of its managed identity.",
        ),
        variable(
            "FUNCTIONS_CUSTOMHANDLER_PORT",
            CommandLine,
            Platform,
            "The port on which the Functions host calls the program.",
        ),
        variable(
            "AzureFunctionsJobHost__functionTimeout",
            Handler,
            Platform,
            "How long the Functions host lets an invocation take, where it overrides host.json.",
        ),
        variable(
            "FUNCTIONS_APP_ROOT_PATH",
            Doctor,
            Platform,
            "Where the files of the function app are.",
        ),
        variable(
            "WEBSITE_SITE_NAME",
            Doctor,
            Platform,
            "The name of the function app, for the commands that cure it.",
        ),
        variable(
            "WEBSITE_RESOURCE_GROUP",
            Doctor,
            Platform,
            "The resource group of the function app, for the commands that cure it.",
        ),
    ]
};

/// The variable of this name.
pub fn get(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}
