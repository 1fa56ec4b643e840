//! `[[receiver]]`.

use super::format::Format;
use super::{Fallback, Key, Relation, Section, Shape};

/// `[[receiver]]`.
pub(crate) static RECEIVER: Section = Section {
    header: "[[receiver]]",
    about: "Who is told: a channel of Teams or Slack, or a system that takes webhooks. One table for each; at least one.",
    keys: &[
        Key {
            name: "name",
            shape: Shape::Text(&Format::Name),
            default: Fallback::Required,
            example: "\"oncall\"",
            about: "A name of your choice; rules name receivers by it. An alert that waits for a receiver waits under this name.",
        },
        Key {
            name: "kind",
            shape: Shape::Text(&Format::Kind),
            default: Fallback::Required,
            example: "\"teams\"",
            about: "`teams`: a card, to a Workflows webhook. `slack`: a message, to an incoming webhook. `webhook`: a signed CloudEvent, for anything else.",
        },
        Key {
            name: "url",
            shape: Shape::Text(&Format::ReceiverUrl),
            default: Fallback::Required,
            example: "{ env = \"HSMWATCH_TEAMS_URL\" }",
            about: "Its address. Who has it can post, so it is a secret: keep it in a variable or a file. Plain http only for this machine.",
        },
        Key {
            name: "secret",
            shape: Shape::Text(&Format::Signing),
            default: Fallback::Nothing,
            example: "{ env = \"HSMWATCH_WEBHOOK_SECRET\" }",
            about: "What alerts are signed with, so that the receiver can tell ours from others: `whsec_` and 24 to 64 bytes in base64. Make one: `echo \"whsec_$(openssl rand -base64 32)\"`.",
        },
        Key {
            name: "previous_secrets",
            shape: Shape::List { of: &Format::Signing, empty: true },
            default: Fallback::Value("[]"),
            example: "[{ env = \"FORMER_SECRET\" }]",
            about: "Older secrets that still sign as well, while the receiver changes over to the new one.",
        },
        Key {
            name: "unsigned",
            shape: Shape::Boolean,
            default: Fallback::Value("false"),
            example: "true",
            about: "Says that alerts for a webhook are to go out without a signature.",
        },
        Key {
            name: "min_severity",
            shape: Shape::Text(&Format::Severity),
            default: Fallback::Words("`\"low\"` for teams and slack, `\"info\"` for webhook"),
            example: "\"high\"",
            about: "Milder alerts are not for this receiver.",
        },
        Key {
            name: "rules",
            shape: Shape::List { of: &Format::RuleId, empty: false },
            default: Fallback::Words("all rules"),
            example: "[\"key-delete\", \"user-change\"]",
            about: "Only alerts of these rules are for this receiver.",
        },
        Key {
            name: "detail",
            shape: Shape::Text(&Format::Detail),
            default: Fallback::Value("\"full\""),
            example: "\"counts\"",
            about: "`counts` keeps all fields of the log to ourselves: the receiver gets the rule, the numbers and the times.",
        },
        Key {
            name: "allow_networks",
            shape: Shape::List { of: &Format::Network, empty: true },
            default: Fallback::Value("[]"),
            example: "[\"10.20.0.0/16\"]",
            about: "Private networks that its host may resolve to. Without them only public addresses are posted to.",
        },
    ],
    relations: &[Relation::Signed, Relation::Needs("previous_secrets", &["secret"])],
};
