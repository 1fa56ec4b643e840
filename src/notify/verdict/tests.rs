use super::*;
use crate::notify::exchange::{Reply, judged};
use crate::notify::samples;
use proptest::prelude::*;

fn word(kind: Kind, status: u16, body: &str) -> &'static str {
    judge(kind, status, None, body).as_str()
}

/// One line a class: which statuses it takes, for each kind, over all of 100..=599.
#[test]
fn every_status_has_a_verdict() {
    let mut table = Vec::new();
    for kind in Kind::ALL {
        let ok = if kind == Kind::Slack { "ok" } else { "" };
        let mut runs: Vec<(u16, u16, &str)> = Vec::new();
        for status in 100..=599 {
            let verdict = word(kind, status, ok);
            match runs.last_mut() {
                Some((_, to, same)) if *same == verdict => *to = status,
                _ => runs.push((status, status, verdict)),
            }
        }
        for (from, to, verdict) in runs {
            table.push(format!("{kind} {from}-{to} {verdict}"));
        }
    }
    samples::snapshots(|| insta::assert_snapshot!("verdict_every_status", table.join("\n")));
}

#[test]
fn what_the_design_names() {
    for kind in [Kind::Teams, Kind::Webhook] {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(word(kind, status, ""), "delivered");
        }
    }
    for kind in Kind::ALL {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(word(kind, status, ""), "retry", "{kind} {status}");
        }
        for status in [400, 413, 422] {
            assert_eq!(word(kind, status, ""), "refused", "{kind} {status}");
        }
        for status in [301, 302, 307, 308, 401, 403, 404, 410] {
            assert_eq!(word(kind, status, ""), "receiver broken", "{kind} {status}");
        }
    }
}

#[test]
fn slack_speaks_in_words() {
    assert_eq!(word(Kind::Slack, 200, "ok"), "delivered");
    assert_eq!(word(Kind::Slack, 200, "ok\n"), "delivered");
    for body in ["", "OK", "okay", "{\"ok\":true}", "<html>"] {
        assert_eq!(word(Kind::Slack, 200, body), "receiver broken", "{body}");
    }
    assert_eq!(word(Kind::Slack, 201, "ok"), "receiver broken");
    // The word is stronger than the status.
    assert_eq!(word(Kind::Slack, 200, "invalid_payload"), "refused");
    assert_eq!(word(Kind::Slack, 500, "channel_is_archived"), "receiver broken");
    assert_eq!(word(Kind::Slack, 400, "no_service"), "receiver broken");
    assert_eq!(word(Kind::Slack, 400, "rollup_error"), "retry");
    assert_eq!(word(Kind::Slack, 404, "user_not_found"), "refused");
    let verdict = judge(Kind::Slack, 403, None, "invalid_token");
    assert_eq!(verdict, Verdict::ReceiverBroken { why: "status 403: invalid_token".to_owned() });
}

#[test]
fn teams_says_when_the_flow_is_gone() {
    let body = r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"Could not execute workflow 'f3' trigger 'manual' with state 'Disabled'."}}"#;
    let verdict = judge(Kind::Teams, 400, None, body);
    let why = "status 400: WorkflowTriggerIsNotEnabled".to_owned();
    assert_eq!(verdict, Verdict::ReceiverBroken { why });
    assert_eq!(
        word(Kind::Teams, 400, r#"{"error":{"code":"WorkflowTriggerNotFound"}}"#),
        "receiver broken"
    );
    assert_eq!(
        word(Kind::Teams, 400, r#"{"error":{"code":"TriggerInputSchemaMismatch"}}"#),
        "refused"
    );
    assert_eq!(word(Kind::Teams, 429, r#"{"error":{"code":"TooManyRequests"}}"#), "retry");
}

#[test]
fn retry_after_is_passed_on() {
    let wait = Some(Duration::from_secs(77));
    for kind in Kind::ALL {
        let verdict = judge(kind, 429, wait, "");
        assert_eq!(verdict, Verdict::Retry { after: wait, why: "status 429".to_owned() });
    }
}

#[test]
fn no_answer() {
    let verdict = judge_no_answer(NoAnswer::Connect, "connection refused");
    let why = "no connection: connection refused".to_owned();
    assert_eq!(verdict, Verdict::Retry { after: None, why });
    assert_eq!(judge_no_answer(NoAnswer::Ambiguous, "timed out").as_str(), "retry");
    assert_eq!(judge_no_answer(NoAnswer::Forbidden, "10.0.0.1").as_str(), "receiver broken");
    let verdict = judge_no_answer(NoAnswer::Unauthorized, "no token: status 401: invalid_client");
    let why = "not authorized: no token: status 401: invalid_client".to_owned();
    assert_eq!(verdict, Verdict::ReceiverBroken { why });
}

#[test]
fn half_of_slacks_word_says_nothing_unless_it_is_another_word() {
    let said = |body: &str, whole| {
        let reply = Reply { status: 200, retry_after: None, body: body.to_owned(), whole };
        judged(Kind::Slack, &Ok(reply)).as_str()
    };
    assert_eq!(said("ok", true), "delivered");
    for half in ["", "o", "ok"] {
        assert_eq!(said(half, false), "retry", "{half}");
    }
    for other in ["<html>", "okay"] {
        assert_eq!(said(other, false), "receiver broken", "{other}");
    }
}

#[test]
fn no_echo_of_addresses_and_secrets() {
    let echoes = [
        "Cannot POST /services/T00/B00/XXXXSECRET",
        "no route for https://x.example/hook?sig=XXXXSECRET here",
        r#"{"message":"bad","url":"https:\/\/x.example\/XXXXSECRET"}"#,
        "sig=XXXXSECRET",
        "whsec_XXXXSECRET",
        "token xoxb-1-XXXXSECRET.",
        "%2FXXXXSECRET",
        "key XXXXSECRETabcdefghijklmnopqrst",
        "<html>XXXXSECRET</html>",
        r#"{"error":{"code":"XXXXSECRET0123456789abcdefghij"}}"#,
        r#"{"error":{"code":"a/XXXXSECRET"}}"#,
    ];
    for body in echoes {
        for kind in Kind::ALL {
            for status in [200, 302, 400, 404, 500] {
                let shown = format!("{:?}", judge(kind, status, None, body));
                assert!(!shown.contains("XXXXSECRET"), "{shown}");
            }
        }
    }
    let kept = judge(Kind::Webhook, 422, None, "field \"count\" must be a string");
    assert_eq!(
        kept,
        Verdict::Refused { why: "status 422: field \"count\" must be a string".to_owned() }
    );
}

proptest! {
    #[test]
    fn why_is_short_and_clean(status in any::<u16>(), body in any::<String>(), long in 0usize..9000) {
        for kind in Kind::ALL {
            let body = format!("{body}{}", "ab ".repeat(long / 3));
            match judge(kind, status, None, &body) {
                Verdict::Delivered => prop_assert!((200..300).contains(&status)),
                Verdict::Retry { why, .. } | Verdict::Refused { why } | Verdict::ReceiverBroken { why } => {
                    let begin = format!("status {status}");
                    prop_assert!(why.starts_with(&begin));
                    prop_assert!(why.chars().count() <= 220);
                    prop_assert!(!why.chars().any(limits::is_hidden));
                }
            }
        }
    }
}
