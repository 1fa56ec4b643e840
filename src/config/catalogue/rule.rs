//! `[[rule]]`.

use super::format::Format;
use super::{Fallback, Key, Relation, Section, Shape};
use chrono::TimeDelta;

const SECOND: TimeDelta = TimeDelta::seconds(1);

/// `[[rule]]`.
pub(crate) static RULE: Section = Section {
    header: "[[rule]]",
    about: "A rule of your own, or, with a preset's id, a change of that preset: what is not written stays as shipped.",
    keys: &[
        Key {
            name: "id",
            shape: Shape::Text(&Format::RuleId),
            default: Fallback::Required,
            example: "\"key-delete-at-night\"",
            about: "An id of your choice, or that of the preset to change.",
        },
        Key {
            name: "title",
            shape: Shape::Text(&Format::Line),
            default: Fallback::Nothing,
            example: "\"Key deleted outside working hours\"",
            about: "The head of its alerts: one line of plain words.",
        },
        Key {
            name: "severity",
            shape: Shape::Text(&Format::Severity),
            default: Fallback::Nothing,
            example: "\"critical\"",
            about: "How bad it is. Receivers take alerts from their `min_severity` on.",
        },
        Key {
            name: "query",
            shape: Shape::Text(&Format::Kql),
            default: Fallback::Nothing,
            example: "'''\nCloudHsmServiceOperationAuditLogs\n| where OperationName == \"CN_TOMBSTONE_OBJECT\"\n| where hourofday(TimeGenerated) !between (7 .. 18)\n'''",
            about: "KQL. Without `window` it returns one row for each record, with `TimeGenerated`; `window_start` and `window_end` are there to be used.",
        },
        Key {
            name: "parameters",
            shape: Shape::Values,
            default: Fallback::Nothing,
            example: "{ opens = 07:30:00 }",
            about: "Values that stand before the query as constants, by name: strings, numbers, `true` and `false`, dates (`datetime`), times of day (`timespan`), and lists (`dynamic`). Of a preset, those that are named here get another value; docs/rules.md lists what each preset has.",
        },
        Key {
            name: "exclude",
            shape: Shape::Text(&Format::Kql),
            default: Fallback::Nothing,
            example: "'CallerIpAddress == \"203.0.113.7\"'",
            about: "A predicate over what the query returns: rows for which it holds are left out. The way to quiet a preset for one address.",
        },
        Key {
            name: "enabled",
            shape: Shape::Boolean,
            default: Fallback::Value("true"),
            example: "false",
            about: "`false` turns the rule off.",
        },
        Key {
            name: "every",
            shape: Shape::Text(&Format::Duration { least: SECOND, off: false }),
            default: Fallback::Words("`every` or `cron` of the whole"),
            example: "\"10m\"",
            about: "How often this rule is evaluated. At most half of `window`.",
        },
        Key {
            name: "cron",
            shape: Shape::Text(&Format::Cron),
            default: Fallback::Nothing,
            example: "\"0 */5 * * * *\"",
            about: "The same as a cron expression in UTC.",
        },
        Key {
            name: "window",
            shape: Shape::Text(&Format::Duration { least: SECOND, off: false }),
            default: Fallback::Nothing,
            example: "\"1h\"",
            about: "Makes it a window rule: one whose query sums up this much time, such as 20 logins within an hour.",
        },
        Key {
            name: "settle",
            shape: Shape::Text(&Format::Duration { least: TimeDelta::zero(), off: false }),
            default: Fallback::Words("`\"0s\"`; `\"20m\"` for rules that tell of absence"),
            example: "\"20m\"",
            about: "How far back a window ends, so that late records are in it.",
        },
        Key {
            name: "lookback",
            shape: Shape::Text(&Format::Duration { least: SECOND, off: false }),
            default: Fallback::Nothing,
            example: "\"14d\"",
            about: "How much more of the past the query sees, for rules that tell what was never seen before: it tells old from new by `window_start`.",
        },
        Key {
            name: "key",
            shape: Shape::List { of: &Format::Column, empty: false },
            default: Fallback::Words("every row is told once"),
            example: "[\"CallerIpAddress\"]",
            about: "Columns whose values are told once, and again only after `renotify`.",
        },
        Key {
            name: "renotify",
            shape: Shape::Text(&Format::Duration { least: SECOND, off: false }),
            default: Fallback::Words("`lookback`, else `window`, else `\"1d\"`"),
            example: "\"4h\"",
            about: "When a `key` that was told (for window rules without one: an equal row) is told again.",
        },
        Key {
            name: "group_by",
            shape: Shape::List { of: &Format::Column, empty: true },
            default: Fallback::Words(
                "`[\"_ResourceId\"]` where the query returns it: one alert is one HSM",
            ),
            example: "[\"CallerIpAddress\"]",
            about: "Columns that make one alert. An empty list puts everything into one.",
        },
        Key {
            name: "workspaces",
            shape: Shape::List { of: &Format::Name, empty: false },
            default: Fallback::Words("all workspaces"),
            example: "[\"prod\"]",
            about: "Names of the workspaces it runs on.",
        },
        Key {
            name: "receivers",
            shape: Shape::List { of: &Format::Name, empty: false },
            default: Fallback::Words("all that take its severity"),
            example: "[\"oncall\"]",
            about: "Names of the receivers it is told to.",
        },
        Key {
            name: "meaning",
            shape: Shape::Text(&Format::Prose),
            default: Fallback::Nothing,
            example: "\"A key was deleted while nobody should be at work.\"",
            about: "What happened, in a sentence, for the alert.",
        },
        Key {
            name: "why",
            shape: Shape::Text(&Format::Prose),
            default: Fallback::Nothing,
            example: "\"Whoever steals a session works when nobody looks.\"",
            about: "Why it matters, for the alert.",
        },
        Key {
            name: "action",
            shape: Shape::Text(&Format::Prose),
            default: Fallback::Nothing,
            example: "\"Call the key custodian, and compare with the change calendar.\"",
            about: "What to do now, for the alert.",
        },
        Key {
            name: "false_positives",
            shape: Shape::Text(&Format::Prose),
            default: Fallback::Nothing,
            example: "\"Planned rotations.\"",
            about: "When it is harmless, for the alert.",
        },
        Key {
            name: "runbook",
            shape: Shape::Text(&Format::Page),
            default: Fallback::Nothing,
            example: "\"https://wiki.example.com/hsm/key-deleted\"",
            about: "A page for whoever gets the alert, linked in it.",
        },
        Key {
            name: "attack",
            shape: Shape::Text(&Format::Technique),
            default: Fallback::Nothing,
            example: "\"T1485\"",
            about: "The ATT&CK technique it may be a sign of.",
        },
    ],
    relations: &[
        Relation::OwnHas(&["title", "severity", "query"]),
        Relation::NotBoth("every", "cron"),
        Relation::NotBoth("window", "lookback"),
        Relation::OwnNeeds("settle", &["window"]),
        Relation::OwnNeeds("lookback", &["key"]),
        Relation::OwnNeeds("renotify", &["key", "window"]),
    ],
};
