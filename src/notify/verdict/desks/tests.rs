use crate::notify::Kind;
use crate::notify::verdict::{Verdict, judge};

fn verdict(kind: Kind, status: u16, body: &str) -> (&'static str, String) {
    let verdict = judge(kind, status, None, body);
    let word = verdict.as_str();
    let why = match verdict {
        Verdict::Delivered => String::new(),
        Verdict::Retry { why, .. } | Verdict::Refused { why } | Verdict::ReceiverBroken { why } => {
            assert!(why.chars().count() <= 220, "{why}");
            why
        }
    };
    (word, why)
}

/// What desks say, as they say it, and what it means here.
#[test]
fn answers_of_desks() {
    const JSM: Kind = Kind::JiraServiceManagement;
    let cases: &[(Kind, u16, &str)] = &[
        (
            Kind::PagerDuty,
            202,
            r#"{"status":"success","message":"Event processed","dedup_key":"5d41"}"#,
        ),
        (Kind::PagerDuty, 400, "Invalid routing key"),
        (
            Kind::PagerDuty,
            400,
            r#"{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}"#,
        ),
        (
            Kind::PagerDuty,
            400,
            r#"{"status":"invalid event","message":"Event object is invalid","errors":["'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"]}"#,
        ),
        (
            Kind::PagerDuty,
            400,
            r#"{"status":"invalid event","message":"Event object is invalid","errors":["'payload.summary' is missing or blank"]}"#,
        ),
        (Kind::PagerDuty, 413, "Request Entity Too Large"),
        (
            Kind::PagerDuty,
            429,
            r#"{"status":"throttle exceeded","message":"Requests for this service are arriving too quickly. Please retry later."}"#,
        ),
        (Kind::PagerDuty, 500, ""),
        (JSM, 202, r#"{"result":"Request will be processed","took":0.02,"requestId":"9c3d"}"#),
        (JSM, 401, r#"{"message":"Could not authenticate","took":0.0,"requestId":"9c3d"}"#),
        (
            JSM,
            403,
            r#"{"code":40301,"message":"To perform this action, use an API key from an API integration.","took":0.001}"#,
        ),
        (
            JSM,
            422,
            r#"{"message":"Request body is not processable. Please check the errors.","errors":{"priority":"should be one of [ P1, P2, P3, P4, P5 ]"},"took":0.0}"#,
        ),
        (
            JSM,
            422,
            r#"{"message":"Request body is not processable. Please check the errors.","errors":{"message":"Message can not be empty."},"took":0.0}"#,
        ),
        (JSM, 400, r#"{"errors":[{"title":"Responder is not valid","code":"X"}]}"#),
        (JSM, 429, r#"{"message":"You are making too many requests!"}"#),
        (
            Kind::ServiceNow,
            401,
            r#"{"error":{"message":"User is not authenticated","detail":"Required to provide Auth information"},"status":"failure"}"#,
        ),
        (
            Kind::ServiceNow,
            403,
            r#"{"error":{"message":"Operation Failed","detail":"ACL Exception Insert Failed due to security constraints"},"status":"failure"}"#,
        ),
        (
            Kind::ServiceNow,
            403,
            r#"{"error":{"message":"Operation Failed","detail":"Data Policy Exception: Category is mandatory"},"status":"failure"}"#,
        ),
        (
            Kind::ServiceNow,
            403,
            r#"{"error":{"message":"Operation against file 'incident' was aborted by Business Rule 'No Robots^0123456789abcdef0123456789abcdef'. Business Rule Stack:No Robots","detail":null},"status":"failure"}"#,
        ),
        (
            Kind::ServiceNow,
            400,
            r#"{"error":{"message":"Invalid table incidents","detail":null},"status":"failure"}"#,
        ),
        (
            Kind::ServiceNow,
            400,
            r#"{"error":{"message":"Exception while reading request","detail":"The payload is not valid JSON."},"status":"failure"}"#,
        ),
        (
            Kind::ServiceNow,
            404,
            r#"{"error":{"message":"No Record found","detail":"Record doesn't exist or ACL restricts the record retrieval"},"status":"failure"}"#,
        ),
        (Kind::ServiceNow, 200, "<html>Your instance is hibernating</html>"),
        (Kind::ServiceNow, 503, "<html>"),
        (Kind::PagerDuty, 200, "\n<!doctype html>"),
        (JSM, 200, "<html>"),
        (Kind::Jira, 401, "Client must be authenticated to access this resource."),
        (Kind::Jira, 403, "Basic authentication with passwords is deprecated."),
        (
            Kind::Jira,
            404,
            r#"{"errorMessages":["Issue does not exist or you do not have permission to see it."],"errors":{}}"#,
        ),
        (
            Kind::Jira,
            400,
            r#"{"errorMessages":[],"errors":{"project":"valid project is required"}}"#,
        ),
        (
            Kind::Jira,
            400,
            r#"{"errorMessages":[],"errors":{"project":"Anonymous users do not have permission to create issues in this project. Please try logging in first."}}"#,
        ),
        (
            Kind::Jira,
            400,
            r#"{"errorMessages":["The value 'SECC' does not exist for the field 'project'."],"errors":{}}"#,
        ),
        (
            Kind::Jira,
            400,
            r#"{"errorMessages":[],"errors":{"issuetype":"Specify a valid issue type"}}"#,
        ),
        (
            Kind::Jira,
            400,
            r#"{"errorMessages":[],"errors":{"customfield_10034":"Team is required.","priority":"Priority name 'P1' is not valid"}}"#,
        ),
        (
            Kind::Jira,
            400,
            r#"{"errorMessages":[],"errors":{"description":"Field 'description' cannot be set. It is not on the appropriate screen, or unknown."}}"#,
        ),
        (
            Kind::Jira,
            400,
            r#"{"errorMessages":[],"errors":{"summary":"Summary can't exceed 255 characters."}}"#,
        ),
        (Kind::Jira, 400, r#"{"errorMessages":["INVALID_INPUT"],"errors":{}}"#),
        (
            Kind::Jira,
            400,
            r#"{"errorMessages":["You do not have the permission to comment on this issue."],"errors":{}}"#,
        ),
        (Kind::Jira, 429, r#"{"errorMessages":["Rate limit exceeded."],"errors":{}}"#),
        (Kind::Jira, 302, "moved to https://acme.example/login?token=x"),
    ];
    let lines = cases.iter().map(|(kind, status, body)| {
        let (word, why) = verdict(*kind, *status, body);
        format!("{kind} {status} {body}\n  = {word}: {why}\n")
    });
    let text = lines.collect::<Vec<_>>().concat();
    crate::notify::samples::snapshots(|| insta::assert_snapshot!("verdict_desks", text));
}

/// An answer may repeat what was sent, or name who sent it.
#[test]
fn nothing_secret_is_repeated() {
    let bodies = [
        r#"{"errorMessages":["User bot@acme.example may not"],"errors":{"project":"see https://acme.atlassian.net/x?t=SECRET"}}"#,
        r#"{"error":{"message":"no user hsmwatch=SECRETSECRET","detail":"token SECRET0123456789012345678901234567"}}"#,
        r#"{"message":"invalid key R0SECRET56789abcdef0123456789abcde","errors":{"x/SECRET":"y"}}"#,
        r#"{"errors":["routing_key 'R0SECRET56789abcdef0123456789abcde' is unknown"]}"#,
        "Invalid routing key: R0SECRET56789abcdef0123456789abcde",
    ];
    for kind in Kind::ALL {
        for status in [200, 302, 400, 401, 403, 404, 422, 429, 500] {
            for body in bodies {
                let (_, why) = verdict(kind, status, body);
                assert!(!why.contains("SECRET") && !why.contains("acme"), "{kind} {status}: {why}");
            }
        }
    }
}
