use super::Caller;
use crate::support::desks::jira::{CustomField, Jira, Login, adf, jql};
use crate::support::desks::{Desk as _, Throttle};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use serde_json::{Value as Json, json};

const ISSUE: &str = "/rest/api/3/issue";
const SEARCH: &str = "/rest/api/3/search/jql";

fn caller() -> Caller<Jira> {
    let basic = BASE64_STANDARD.encode("bot@acme.example:token");
    Caller::new(Jira::new("SEC", "bot@acme.example", "token"), &format!("Basic {basic}"))
}

fn doc(text: &str) -> Json {
    json!({"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}]})
}

fn fields(label: &str) -> Json {
    json!({"fields": {
        "project": {"key": "SEC"}, "issuetype": {"name": "Task"}, "summary": "2 keys deleted",
        "description": doc("Look."), "labels": ["hsmwatch", label], "priority": {"name": "High"},
    }})
}

fn find(caller: &mut Caller<Jira>, open: bool) -> Vec<String> {
    let open = if open { " AND statusCategory != Done" } else { "" };
    let jql = format!("project = \"SEC\" AND labels = \"hsmwatch-k\"{open} ORDER BY created DESC");
    let (status, page) =
        caller.post(SEARCH, &json!({"jql": jql, "fields": ["status"], "maxResults": 10}));
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["isLast"], true);
    let keys = page["issues"].as_array().unwrap();
    keys.iter().map(|issue| issue["key"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_issue_lives_its_life() {
    let mut caller = caller();
    let (status, made) = caller.post(ISSUE, &fields("hsmwatch-k"));
    assert_eq!((status, &made["id"], &made["key"]), (201, &json!("10000"), &json!("SEC-1")));
    assert_eq!(find(&mut caller, true), ["SEC-1"]);
    let (_, shown) = caller.get("/rest/api/3/issue/SEC-1?fields=status,labels");
    assert_eq!(shown["fields"]["status"]["statusCategory"]["key"], "new");
    assert_eq!(shown["fields"]["labels"], json!(["hsmwatch", "hsmwatch-k"]));
    assert_eq!(shown["fields"].get("summary"), None);
    assert_eq!(
        caller.post("/rest/api/3/issue/10000/comment", &json!({"body": doc("More.")})).0,
        201
    );
    assert_eq!(
        caller.post("/rest/api/3/issue/10000/comment", &json!({"body": doc("Most.")})).0,
        201
    );
    let (_, page) = caller.get("/rest/api/3/issue/10000/comment?orderBy=-created&maxResults=1");
    assert_eq!((page["total"].as_u64(), page["comments"].as_array().unwrap().len()), (Some(2), 1));
    assert_eq!(adf::text(&page["comments"][0]["body"]), "Most.");
    let (_, ways) = caller.get("/rest/api/3/issue/10000/transitions");
    let done = |t: &&Json| t["to"]["statusCategory"]["key"] == "done";
    let id = ways["transitions"].as_array().unwrap().iter().find(done).unwrap()["id"].clone();
    let step = json!({"transition": {"id": id}});
    assert_eq!(caller.post("/rest/api/3/issue/10000/transitions", &step), (204, json!("")));
    assert_eq!(caller.post("/rest/api/3/issue/10000/transitions", &step).0, 400, "it is done");
    assert_eq!(
        (find(&mut caller, true), find(&mut caller, false)),
        (vec![], vec!["SEC-1".to_owned()])
    );
    caller.post(ISSUE, &fields("hsmwatch-k"));
    let labels = json!({"update": {"labels": [{"add": "seen"}, {"remove": "hsmwatch"}]}});
    assert_eq!(caller.ask("PUT", "/rest/api/3/issue/10001", &labels).0, 204);
    let cases = caller.desk.cases();
    assert_eq!(cases[1].record["labels"], json!(["hsmwatch-k", "seen"]));
    assert_eq!((cases[0].count, &*cases[0].key, &*cases[0].notes[1]), (3, "k", "Most."));
    assert_eq!(
        (&*cases[0].title, &*cases[0].text, &*cases[0].level),
        ("2 keys deleted", "Look.", "High")
    );
    assert_eq!(caller.open(), [false, true]);
    caller.clean();
}

#[test]
fn the_search_lags_and_the_issue_itself_does_not() {
    let mut caller = caller();
    caller.desk.search_lag = TimeDelta::seconds(30);
    caller.post(ISSUE, &fields("hsmwatch-k"));
    assert_eq!(find(&mut caller, true).len(), 0);
    assert_eq!(caller.get("/rest/api/3/issue/SEC-1").0, 200);
    let fresh = json!({"jql": "labels = hsmwatch-k", "reconcileIssues": [10000]});
    assert_eq!(
        caller.post(SEARCH, &fresh).1["issues"],
        json!([{"id": "10000"}]),
        "nothing but the id unless asked"
    );
    caller.wait(30);
    assert_eq!(find(&mut caller, true), ["SEC-1"]);
    caller.desk.close(caller.now, "10000");
    assert_eq!(find(&mut caller, true), ["SEC-1"], "it still shows what it was");
    caller.wait(30);
    assert_eq!(find(&mut caller, true).len(), 0);
    caller.desk.reopen(caller.now, "10000");
    caller.wait(30);
    assert_eq!(find(&mut caller, true), ["SEC-1"]);
    caller.desk.delete(caller.now, "10000");
    assert_eq!(caller.get("/rest/api/3/issue/SEC-1").0, 404);
    assert_eq!(find(&mut caller, true), ["SEC-1"], "even what is gone");
    caller.wait(30);
    assert_eq!(find(&mut caller, false).len(), 0);
}

#[test]
fn what_is_refused_says_why() {
    let long = "x".repeat(32_768);
    let cases: &[(&str, Json, &str)] = &[
        ("project", json!({"key": "SECX"}), "valid project is required"),
        ("issuetype", json!({"name": "Epos"}), "Specify a valid issue type"),
        ("summary", json!("two\nlines"), "newline characters"),
        ("summary", json!("s".repeat(256)), "Summary can't exceed 255 characters."),
        ("summary", json!(7), "Operation value must be a string"),
        ("description", json!("plain"), "Operation value must be an Atlassian Document"),
        ("description", doc(""), "INVALID_INPUT"),
        ("description", doc(&long), "allowed limit of 32,767 characters"),
        ("labels", json!(["a b"]), "contains spaces"),
        ("labels", json!("a"), "data was not an array"),
        ("priority", json!({"name": "P1"}), "Priority name 'P1' is not valid"),
        (
            "customfield_1",
            json!("x"),
            "Field 'customfield_1' cannot be set. It is not on the appropriate screen, or unknown.",
        ),
    ];
    for (field, value, why) in cases {
        let mut caller = caller();
        let mut body = fields("hsmwatch-k");
        body["fields"][*field] = value.clone();
        let (status, answer) = caller.post(ISSUE, &body);
        assert_eq!(status, 400, "{field}");
        assert!(answer.to_string().contains(why), "{field}: {answer}");
        assert_eq!(caller.desk.cases(), []);
        // What the operator configured is no fault of the one who sends it.
        let ours = !["project", "issuetype", "priority", "customfield_1"].contains(field);
        assert_eq!(!caller.desk.problems().is_empty(), ours, "{field}");
    }
}

#[test]
fn fields_of_the_site_are_demanded() {
    let mut caller = caller();
    caller.desk.custom_fields = vec![CustomField {
        id: "customfield_10070".to_owned(),
        name: "Team".to_owned(),
        required: true,
        options: vec!["Crypto".to_owned()],
    }];
    let mut body = fields("hsmwatch-k");
    let (status, answer) = caller.post(ISSUE, &body);
    assert_eq!(
        (status, &answer["errors"]["customfield_10070"]),
        (400, &json!("Team is required."))
    );
    body["fields"]["customfield_10070"] = json!({"value": "Sales"});
    assert_eq!(
        caller.post(ISSUE, &body).1["errors"]["customfield_10070"],
        "Option value 'Sales' is not valid"
    );
    body["fields"]["customfield_10070"] = json!({"value": "Crypto"});
    assert_eq!(caller.post(ISSUE, &body).0, 201);
    caller.desk.may_create = false;
    assert_eq!(
        caller.post(ISSUE, &body).1["errors"]["project"],
        "You cannot create issues in this project."
    );
    caller.clean();
}

#[test]
fn a_bad_login_is_told_or_taken_for_a_passer_by() {
    let mut caller = caller();
    caller.post(ISSUE, &fields("hsmwatch-k"));
    caller.desk.login = Login::Expired;
    for (method, target) in [("GET", "/rest/api/3/issue/SEC-1"), ("POST", ISSUE), ("POST", SEARCH)]
    {
        let (status, body) = caller.ask(method, target, &json!({}));
        assert_eq!(
            (status, body),
            (401, json!("Client must be authenticated to access this resource."))
        );
    }
    caller.desk.login = Login::Anonymous;
    assert_eq!(caller.get("/rest/api/3/issue/SEC-1").0, 404);
    assert_eq!(find(&mut caller, false).len(), 0, "nothing, and no word why");
    assert_eq!(caller.post(ISSUE, &fields("hsmwatch-k")).0, 400);
    caller.desk.login = Login::Denied;
    assert_eq!(caller.get("/rest/api/3/issue/SEC-1").0, 403);
    caller.desk.login = Login::Good;
    caller.authorization = "Bearer token".to_owned();
    assert_eq!(caller.get("/rest/api/3/issue/SEC-1").0, 200);
    caller.authorization = "Bearer other".to_owned();
    assert_eq!(caller.get("/rest/api/3/issue/SEC-1").0, 401);
    caller.clean();
}

#[test]
fn searches_that_the_real_one_refuses_are_refused() {
    let cases = [
        (json!({"jql": "order by created"}), "Unbounded JQL queries are not allowed here."),
        (json!({}), "Unbounded JQL queries are not allowed here."),
        (
            json!({"jql": "project = SEC", "maxResults": 0}),
            "The max results parameter has to be between 1 and 5,000.",
        ),
        (json!({"jql": "project = SEC", "startAt": 0}), "Invalid request payload."),
        (json!({"jql": "project = SEC", "fields": "key"}), "Invalid request payload."),
        (
            json!({"jql": "project = OTHER"}),
            "The value 'OTHER' does not exist for the field 'project'.",
        ),
        (json!({"jql": "statusCategory = Closed"}), "The value 'Closed' does not exist"),
        (json!({"jql": "colour = red"}), "Field 'colour' does not exist"),
        (json!({"jql": "project = SEC OR labels = x"}), "Error in the JQL Query"),
        (json!({"jql": "labels = \"a"}), "has not been completed"),
        (json!({"jql": "labels = a.b"}), "is a reserved JQL character"),
        (json!({"jql": "project = ORDER"}), "is a reserved JQL word"),
    ];
    for (body, why) in cases {
        let mut caller = caller();
        caller.post(ISSUE, &fields("hsmwatch-k"));
        let (status, answer) = caller.post(SEARCH, &body);
        assert_eq!(status, 400, "{body}");
        assert!(answer["errorMessages"][0].as_str().unwrap().contains(why), "{body}: {answer}");
        caller.noticed(0);
    }
    let mut caller = caller();
    let (status, _) = caller.post("/rest/api/3/search", &json!({"jql": "project = SEC"}));
    assert_eq!(status, 410);
    assert_eq!(caller.post("/rest/api/3/issues", &json!({})).0, 404);
    assert_eq!(caller.get("/rest/api/3/issue/SEC-9").0, 404);
}

#[test]
fn queries_are_read() {
    let query = jql::parse(
        "project=SEC AND labels in ('a\\'b', c) and statusCategory != Done ORDER BY updated",
    )
    .unwrap();
    assert_eq!(query.order, Some(("updated".to_owned(), false)));
    assert_eq!(query.terms[1].values, ["a'b", "c"]);
    assert!(query.terms[2].negated);
    assert!(jql::parse("labels not in (a)").unwrap().terms[0].negated);
}

#[test]
fn documents_are_checked() {
    let text = json!({"type": "text", "text": "x"});
    let paragraph = json!({"type": "paragraph", "content": [text]});
    let cell = json!({"type": "tableCell", "content": [paragraph]});
    let good = [
        json!({"type": "heading", "attrs": {"level": 2}, "content": [text]}),
        json!({"type": "bulletList", "content": [{"type": "listItem", "content": [paragraph]}]}),
        json!({"type": "codeBlock", "attrs": {"language": "text"}, "content": [text]}),
        json!({"type": "panel", "attrs": {"panelType": "warning"}, "content": [paragraph]}),
        json!({"type": "table", "content": [{"type": "tableRow", "content": [cell]}]}),
        json!({"type": "rule"}),
        json!({"type": "paragraph"}),
        json!({"type": "paragraph", "content": [
            {"type": "text", "text": "x", "marks": [{"type": "strong"}, {"type": "link", "attrs": {"href": "https://a.example"}}]},
            {"type": "hardBreak"},
        ]}),
    ];
    let bad = [
        text.clone(),
        json!({"type": "heading", "attrs": {"level": 7}, "content": [text]}),
        json!({"type": "heading", "content": [text]}),
        json!({"type": "bulletList", "content": []}),
        json!({"type": "bulletList", "content": [paragraph]}),
        json!({"type": "bulletList", "content": [{"type": "listItem", "content": [text]}]}),
        json!({"type": "codeBlock", "content": [{"type": "text", "text": "x", "marks": [{"type": "strong"}]}]}),
        json!({"type": "panel", "attrs": {"panelType": "loud"}, "content": [paragraph]}),
        json!({"type": "panel", "attrs": {"panelType": "info"}, "content": [{"type": "panel", "attrs": {"panelType": "info"}, "content": [paragraph]}]}),
        json!({"type": "table", "content": [{"type": "tableRow", "content": [{"type": "tableCell", "content": [text]}]}]}),
        json!({"type": "rule", "content": []}),
        json!({"type": "paragraph", "content": text}),
        json!({"type": "paragraph", "text": "x"}),
        json!({"type": "paragraph", "content": [{"type": "text", "text": ""}]}),
        json!({"type": "paragraph", "content": [{"type": "text", "text": "\u{1b}"}]}),
        json!({"type": "paragraph", "content": [{"type": "text", "text": "x", "marks": [{"type": "bold"}]}]}),
        json!({"type": "paragraph", "content": [{"type": "text", "text": "x", "marks": [{"type": "link", "attrs": {"href": "javascript:1"}}]}]}),
        json!({"type": "paragraph", "content": [{"type": "text", "text": "x", "marks": [{"type": "code"}, {"type": "strong"}]}]}),
        json!({"type": "script"}),
    ];
    let document = |block: &Json| json!({"type": "doc", "version": 1, "content": [block]});
    for block in &good {
        assert_eq!(adf::check(&document(block)), Ok(()), "{block}");
    }
    for block in &bad {
        assert!(adf::check(&document(block)).is_err(), "{block}");
    }
    assert!(adf::check(&json!({"type": "doc", "content": []})).is_err());
    assert!(adf::check(&json!({"type": "doc", "version": 2, "content": []})).is_err());
}

#[test]
fn comments_are_checked_and_rates_limited() {
    let mut caller = caller();
    caller.post(ISSUE, &fields("hsmwatch-k"));
    let to = "/rest/api/3/issue/SEC-1/comment";
    assert_eq!(
        caller.post(to, &json!({"body": "plain"})).1["errors"]["comment"],
        "Comment body is not valid!"
    );
    assert!(caller.noticed(0).contains("no document"));
    assert_eq!(caller.post(to, &json!({"body": doc(&"x".repeat(32_768))})).0, 400);
    assert_eq!(caller.ask_as("text/plain", "POST", to, b"{}").0, 415);
    assert_eq!(caller.ask_as("application/json", "POST", to, b"[]").0, 400);
    assert_eq!(caller.desk.problems().len(), 4);
    caller.desk.may_comment = false;
    assert_eq!(caller.post(to, &json!({"body": doc("x")})).0, 400);
    caller.desk.throttle = Throttle::per_minute(1);
    assert_eq!([caller.get(ISSUE_1).0, caller.get(ISSUE_1).0], [200, 429]);
}

const ISSUE_1: &str = "/rest/api/3/issue/SEC-1";
