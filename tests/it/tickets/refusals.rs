//! Desks that refuse.

use super::{
    ALL, INCIDENTS, JIRA, JSM, PAGERDUTY, bed, clean, each, jira, jsm, open, pagerduty, servicenow,
    with, with_more,
};
use crate::support::bed::{TestBed, conditions};
use crate::support::desks::jira::{CustomField, Login};
use crate::support::desks::jsm::Key;
use crate::support::fake_desk::Fault;
use chrono::{DateTime, TimeDelta, Utc};

/// What the webhook `well` was told of hsmwatch itself: condition, and whether it is well.
fn own(bed: &TestBed) -> Vec<(String, String)> {
    let told = bed.at("well").deliveries();
    told.iter().flat_map(conditions).map(|(condition, _, state)| (condition, state)).collect()
}

fn well() -> TestBed {
    bed().receiver("well", "webhook")
}

fn pair(condition: &str, state: &str) -> (String, String) {
    (condition.to_owned(), state.to_owned())
}

#[test]
fn whoever_asks_for_time_is_given_it() {
    each(&ALL, |sort| {
        let (bed, desk) = with(bed(), sort, (sort.make)());
        bed.begin();
        bed.delete_key("a");
        desk.script([Fault::RetryAfter(3600)]);
        let ran = bed.run_once().exits(0).says("waits for desk until");
        let (_, rest) = ran.stderr.split_once("waits for desk until ").unwrap();
        let due: DateTime<Utc> = rest.split_once(": ").unwrap().0.parse().unwrap();
        let wait = due - Utc::now();
        assert!(
            TimeDelta::minutes(59) < wait && wait <= TimeDelta::minutes(60),
            "{}: {wait}",
            sort.kind
        );
        bed.deliveries_come_due();
        bed.cases_settle();
        bed.run_once().exits(0).without_talk();
        assert_eq!(open(&desk).len(), 1, "{}", sort.kind);
        clean(&desk);
    });
}

/// A desk is broken: it is off, that is told over the other, and when it is mended it gets what it missed.
fn is_broken(bed: &TestBed, cases: &dyn Fn() -> usize, mend: &dyn Fn()) {
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0).says("error: receiver `desk` is broken");
    bed.run_once().exits(0).says("receiver `desk` is off");
    bed.run_once().exits(0);
    assert_eq!(own(bed), [pair("receiver-broken", "ill")]);
    assert_eq!(cases(), 0);
    mend();
    bed.run(&["receivers", "on", "desk"]).exits(0);
    bed.run_once().exits(0);
    bed.run_once().exits(0);
    assert_eq!(own(bed)[1..], [pair("receiver-broken", "well")]);
    assert_eq!(cases(), 1);
}

#[test]
fn a_token_that_has_expired_breaks_the_receiver() {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut site = jira();
            site.login = Login::Expired;
            let (bed, desk) = with(well(), &JIRA, site);
            let mend = || desk.with(|site| site.login = Login::Good);
            is_broken(&bed, &|| desk.cases().len(), &mend);
        });
        scope.spawn(|| {
            let mut instance = servicenow();
            instance.may_login = false;
            let (bed, desk) = with(well(), &INCIDENTS, instance);
            let mend = || desk.with(|instance| instance.may_login = true);
            is_broken(&bed, &|| desk.cases().len(), &mend);
        });
        scope.spawn(|| {
            let mut team = jsm();
            team.key = Key::Revoked;
            let (bed, desk) = with(well(), &JSM, team);
            is_broken(&bed, &|| desk.cases().len(), &|| desk.with(|team| team.key = Key::Good));
        });
        scope.spawn(|| {
            let mut service = pagerduty();
            service.rekey(&"f".repeat(32));
            let (bed, desk) = with(well(), &PAGERDUTY, service);
            let mend = || desk.with(|service| service.rekey(super::ROUTING_KEY));
            is_broken(&bed, &|| desk.cases().len(), &mend);
        });
    });
}

#[test]
fn a_token_that_has_expired_is_noticed_even_where_the_public_is_let_in() {
    let (bed, desk) = with(well(), &JIRA, jira());
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0).without_talk();
    // What is there looks as if it were not.
    desk.with(|site| site.login = Login::Anonymous);
    bed.delete_key("b");
    bed.run_once().says("status 400");
    assert_eq!(desk.cases().len(), 1);
    bed.run_once();
    bed.run_once();
    assert_eq!(own(&bed).len(), 1, "it is told: {:?}", own(&bed));
    clean(&desk);
}

#[test]
fn a_wrong_project_is_said() {
    let mut site = jira();
    site.project = "OTHER".to_owned();
    let (bed, desk) = with(well(), &JIRA, site);
    bed.begin();
    bed.delete_key("a");
    let ran = bed.run_once();
    assert!(ran.stderr.contains("project"), "{ran:?}");
    bed.run_once();
    bed.run_once();
    assert_eq!(own(&bed).len(), 1, "it is told: {:?}", own(&bed));
    assert_eq!(desk.cases().len(), 0);
}

#[test]
fn a_field_that_the_schema_demands_or_refuses_is_shown() {
    let team = |required: bool| CustomField {
        id: "customfield_10070".to_owned(),
        name: "Team".to_owned(),
        required,
        options: vec!["Crypto".to_owned()],
    };
    let mut site = jira();
    site.custom_fields = vec![team(true)];
    let (bed, desk) = with(well(), &JIRA, site);
    bed.begin();
    bed.delete_key("a");
    bed.run_once().says("Team is required");
    assert_eq!(desk.cases().len(), 0);

    // Given in the configuration, it is sent as it is written there.
    let mut site = jira();
    site.custom_fields = vec![team(true)];
    let more = "fields = { customfield_10070 = { value = \"Crypto\" } }\npriority = { critical = \"Highest\" }";
    let (bed, desk) = with_more(well(), &JIRA, site, more);
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0).without_talk();
    let case = open(&desk).remove(0);
    assert_eq!(case.record["customfield_10070"]["value"], "Crypto");
    assert_eq!(case.level, "Highest");

    let (bed, desk) = with_more(well(), &JIRA, jira(), "fields = { customfield_1 = \"x\" }");
    bed.begin();
    bed.delete_key("a");
    bed.run_once().says("cannot be set");
    assert_eq!(desk.cases().len(), 0);

    let mut instance = servicenow();
    instance.mandatory = vec![("category".to_owned(), "Category".to_owned())];
    let (bed, desk) = with(well(), &INCIDENTS, instance);
    bed.begin();
    bed.delete_key("a");
    bed.run_once().says("Category is mandatory");
    assert_eq!(desk.cases().len(), 0);

    let mut instance = servicenow();
    instance.mandatory = vec![("category".to_owned(), "Category".to_owned())];
    let more = "fields = { category = \"security\", assignment_group = \"crypto\" }\nurgency = { critical = \"2\" }";
    let (bed, desk) = with_more(well(), &INCIDENTS, instance, more);
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0).without_talk();
    let case = open(&desk).remove(0);
    assert_eq!(case.record["assignment_group"], "crypto");
    assert_eq!(case.level, "2/1");
    clean(&desk);
}

#[test]
fn a_desk_that_may_not_be_written_to_loses_nothing() {
    let mut instance = servicenow();
    instance.may_create = false;
    let (bed, desk) = with(well(), &INCIDENTS, instance);
    bed.begin();
    bed.delete_key("a");
    let ran = bed.run_once();
    assert!(ran.stderr.contains("status 403"), "{ran:?}");
    bed.run_once();
    bed.run_once();
    assert_eq!(own(&bed).len(), 1, "it is told: {:?}", own(&bed));
    assert_eq!(desk.cases().len(), 0);
}
