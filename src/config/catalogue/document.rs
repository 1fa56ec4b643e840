//! What stands before all tables.

use super::format::Format;
use super::{Fallback, Key, RECEIVER, RULE, Relation, STATE, Section, Shape, WORKSPACE};
use chrono::TimeDelta;

const SECOND: TimeDelta = TimeDelta::seconds(1);
const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// `hsmwatch.toml` as a whole.
pub(crate) static DOCUMENT: Section = Section {
    header: "",
    about: "When rules are evaluated, which of them, and how late a record may come. All of it has defaults.",
    keys: &[
        Key {
            name: "every",
            shape: Shape::Text(&Format::Duration { least: SECOND, off: false }),
            default: Fallback::Value("\"5m\""),
            example: "\"10m\"",
            about: "How often rules without a schedule of their own are evaluated: at its multiples in UTC, whenever hsmwatch was started.",
        },
        Key {
            name: "cron",
            shape: Shape::Text(&Format::Cron),
            default: Fallback::Nothing,
            example: "\"0 */5 * * * *\"",
            about: "The same as a cron expression in UTC: second (may be left out), minute, hour, day, month, weekday.",
        },
        Key {
            name: "presets",
            shape: Shape::List { of: &Format::Preset, empty: true },
            default: Fallback::Value("[\"tutorial\"]"),
            example: "[\"tutorial\", \"login-burst\"]",
            about: "The shipped rules that are on, by id or by set: `tutorial` (the four of Microsoft's tutorial), `recommended`, `all`. `hsmwatch rules` lists them.",
        },
        Key {
            name: "rules",
            shape: Shape::List { of: &Format::Pattern, empty: true },
            default: Fallback::Value("[]"),
            example: "[\"rules/*.toml\"]",
            about: "Files with more `[[rule]]` tables: paths or patterns, relative to this file.",
        },
        Key {
            name: "cloud",
            shape: Shape::Text(&Format::Cloud),
            default: Fallback::Value("\"public\""),
            example: "\"usgov\"",
            about: "Which Azure: decides where queries and tokens are asked for, and where links to the portal lead.",
        },
        Key {
            name: "overlap",
            shape: Shape::Text(&Format::Duration { least: TimeDelta::zero(), off: false }),
            default: Fallback::Value("\"1h\""),
            example: "\"2h\"",
            about: "How far each evaluation looks back before the last one, for records that come late. Must be less than `sweep`.",
        },
        Key {
            name: "sweep",
            shape: Shape::Text(&Format::Duration { least: SECOND, off: false }),
            default: Fallback::Value("\"49h\""),
            example: "\"3d\"",
            about: "How late a record may come and still be told: one more query looks this far back every `sweep_every`.",
        },
        Key {
            name: "sweep_every",
            shape: Shape::Text(&Format::Duration { least: MINUTE, off: false }),
            default: Fallback::Value("\"6h\""),
            example: "\"1h\"",
            about: "How often records are looked for that came later than `overlap`.",
        },
        Key {
            name: "catch_up",
            shape: Shape::Text(&Format::Duration { least: SECOND, off: false }),
            default: Fallback::Value("\"7d\""),
            example: "\"30d\"",
            about: "How far back an outage of hsmwatch is made up for. What lies further back is named in an alert. Must not be less than `overlap`.",
        },
        Key {
            name: "silent_after",
            shape: Shape::Text(&Format::Duration { least: MINUTE, off: true }),
            default: Fallback::Value("\"off\""),
            example: "\"14d\"",
            about: "Tells when the table has had no record for this long. Off, because the HSM of an offline CA may be quiet for months.",
        },
        Key {
            name: "state",
            shape: Shape::Table(&STATE),
            default: Fallback::Required,
            example: "{ path = \"hsmwatch-state\" }",
            about: "Where hsmwatch remembers what it has told.",
        },
        Key {
            name: "workspace",
            shape: Shape::Tables(&WORKSPACE),
            default: Fallback::Required,
            example: "[{ name = \"prod\", id = \"11111111-2222-3333-4444-555555555555\" }]",
            about: "Where audit logs are read; at least one.",
        },
        Key {
            name: "receiver",
            shape: Shape::Tables(&RECEIVER),
            default: Fallback::Required,
            example: "[{ name = \"oncall\", kind = \"teams\", url = { env = \"HSMWATCH_TEAMS_URL\" } }]",
            about: "Who is told; at least one.",
        },
        Key {
            name: "rule",
            shape: Shape::Tables(&RULE),
            default: Fallback::Value("[]"),
            example: "[{ id = \"login-session\", enabled = false }]",
            about: "Rules of your own, and changes of presets.",
        },
    ],
    relations: &[Relation::NotBoth("every", "cron")],
};

/// A file that `rules` names.
pub(crate) static RULE_FILE: Section = Section {
    header: "",
    about: "A file of rules.",
    keys: &[Key {
        name: "rule",
        shape: Shape::Tables(&RULE),
        default: Fallback::Nothing,
        example: "[{ id = \"login-session\", enabled = false }]",
        about: "Rules of your own, and changes of presets.",
    }],
    relations: &[],
};
