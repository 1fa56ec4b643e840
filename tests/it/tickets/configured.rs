//! What the configuration says of desks.

use super::{
    ALL, EVENTS, INCIDENTS, JIRA, JSM, PAGERDUTY, Sort, bed, clean, each, open, servicenow, with,
    with_more,
};
use crate::support::bed::TestBed;
use crate::support::fake_desk::FakeDesk;

/// A sort, further lines for its receiver, the level of a critical alert, and what its record holds besides.
struct Written {
    sort: &'static Sort,
    more: &'static str,
    level: &'static str,
    holds: &'static [&'static str],
}

#[test]
fn tables_and_fields_are_the_operators() {
    let all = [
        Written {
            sort: &PAGERDUTY,
            more: "severity = { critical = \"error\" }",
            level: "error",
            holds: &[],
        },
        Written {
            sort: &JSM,
            more: "priority = { critical = \"P2\" }\nfields = { responders = [{ type = \"team\", id = \"t-1\" }], tags = [\"hsm\"] }",
            level: "P2",
            holds: &["\"t-1\"", "\"hsm\"", "\"hsmwatch\""],
        },
        Written {
            sort: &INCIDENTS,
            more: "urgency = { critical = \"2\" }\nimpact = { critical = \"3\" }\nfields = { category = \"security\" }",
            level: "2/3",
            holds: &["\"security\""],
        },
        Written { sort: &EVENTS, more: "severity = { critical = \"2\" }", level: "2", holds: &[] },
        Written {
            sort: &JIRA,
            more: "issue_type = \"Incident\"\npriority = { critical = \"High\" }\nfields = { labels = [\"hsm\"] }",
            level: "High",
            holds: &["\"Incident\"", "\"hsm\"", "\"hsmwatch\""],
        },
    ];
    each(&all, |Written { sort, more, level, holds }| {
        let (bed, desk) = with_more(bed(), sort, (sort.make)(), more);
        bed.begin();
        bed.delete_key("a");
        bed.run_once().exits(0).without_talk();
        let case = open(&desk).remove(0);
        assert_eq!(case.level, *level, "{}", sort.kind);
        let record = case.record.to_string();
        for part in *holds {
            assert!(record.contains(part), "{}: no {part} in {record}", sort.kind);
        }
        clean(&desk);
    });
}

#[test]
fn mild_alerts_open_no_cases() {
    // The rule finds every row.
    let rule = |severity: &str| {
        format!(
            "[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"{severity}\"\nquery = '''CloudHsmServiceOperationAuditLogs'''\n"
        )
    };
    let told = |sort: &Sort, severity: &str| {
        let bed = bed().presets("[]").rules(&rule(severity)).receiver("itsm", "webhook");
        let (bed, desk) = with(bed, sort, (sort.make)());
        bed.begin();
        bed.delete_key("a");
        bed.run_once().exits(0);
        assert_eq!(bed.at("itsm").deliveries().len(), 1);
        clean(&desk);
        desk.cases().len()
    };
    each(&ALL, |sort| {
        let pages = matches!(sort.kind, "pagerduty" | "jira-service-management");
        let (mildest, milder) = if pages { ("high", "medium") } else { ("medium", "low") };
        assert_eq!((told(sort, mildest), told(sort, milder)), (1, 0), "{}", sort.kind);
    });
}

#[test]
fn there_are_other_ways_to_sign_in_and_an_instance_may_stand_behind_a_path() {
    let told = |bed: &TestBed, cases: &dyn Fn() -> usize| {
        bed.begin();
        bed.delete_key("a");
        bed.run_once().exits(0).without_talk();
        assert_eq!(cases(), 1);
    };
    let bearer = Sort { lines: "token = { env = \"PASSWORD\" }", ..INCIDENTS };
    let (one, desk) = with(bed(), &bearer, servicenow());
    told(&one, &|| open(&desk).len());

    let lines = "project = \"SEC\"\nauth = \"bearer\"\ntoken = { env = \"TOKEN\" }";
    let bearer = Sort { lines, ..JIRA };
    let (one, desk) = with(bed(), &bearer, (JIRA.make)());
    told(&one, &|| open(&desk).len());

    let mut instance = servicenow();
    "/gateway/snow".clone_into(&mut instance.prefix);
    let desk = FakeDesk::start(instance);
    let url = format!("{}/gateway/snow", desk.url());
    let one = bed().desk("desk", "servicenow", &url, INCIDENTS.lines);
    told(&one, &|| open(&desk).len());
    clean(&desk);
}

#[test]
fn two_that_run_at_once_open_one_case() {
    each(&ALL, |sort| {
        let (bed, desk) = with(bed(), sort, (sort.make)());
        bed.begin();
        bed.delete_key("a");
        let [mut first, mut second] = [bed.spawn_once(), bed.spawn_once()];
        first.wait().unwrap();
        second.wait().unwrap();
        bed.ran();
        bed.deliveries_come_due();
        bed.run_once().exits(0);
        assert_eq!((desk.cases().len(), desk.cases()[0].count), (1, 1), "{}", sort.kind);
        clean(&desk);
    });
}
