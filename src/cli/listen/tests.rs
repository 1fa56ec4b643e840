use super::super::inbox::{Answer, Arrival};
use super::*;
use crate::notify::captured::{Captured, Kept};
use crate::notify::proof::Examination;
use std::time::Duration;

fn shown(body: &str, signature: Option<&str>, has_secret: bool) -> Shown {
    let headers = signature.map(|value| ("webhook-signature".to_owned(), value.to_owned()));
    let arrival = Arrival {
        method: "POST".to_owned(),
        target: "/hook?sig=s3cret".to_owned(),
        captured: Captured {
            name: None,
            headers: headers.into_iter().collect(),
            body: Kept::Bytes(body.as_bytes().to_vec()),
        },
    };
    let proof = examine(&arrival.captured, &[], DateTime::UNIX_EPOCH, TOLERANCE);
    Shown::new(DateTime::UNIX_EPOCH, arrival, gist(body.as_bytes()), proof, None, has_secret)
}

fn told(given: Given, first: Option<u64>, times: usize) -> Vec<(u16, String)> {
    let mut answers = Answers::new(given, first);
    let one = shown("{}", None, false);
    let answer = |_| answers.to(&one);
    (0..times).map(answer).map(|a: Answer| (a.status.as_u16(), a.body)).collect()
}

#[test]
fn answers_are_as_told_then_as_usual() {
    let busy = Given { status: Some(503), body: Some("busy".to_owned()), ..Given::default() };
    let (as_told, usual) = ((503, "busy".to_owned()), (204, String::new()));
    assert_eq!(told(busy.clone(), Some(2), 3), [as_told.clone(), as_told.clone(), usual.clone()]);
    assert_eq!(told(busy.clone(), None, 2), [as_told.clone(), as_told]);
    assert_eq!(told(busy, Some(0), 1), [usual]);
    // A text needs a status that may have one.
    let text = Given { body: Some("thanks".to_owned()), ..Given::default() };
    assert_eq!(told(text, None, 1), [(200, "thanks".to_owned())]);
    let slow = Given { delay: Duration::from_secs(5), ..Given::default() };
    let answer = Answers::new(slow, None).to(&shown("{}", None, false));
    assert_eq!((answer.status.as_u16(), answer.delay), (204, Duration::from_secs(5)));
}

#[test]
fn each_kind_is_answered_as_its_service_would() {
    let usual = |one: &Shown| {
        let answer = Answers::new(Given::default(), None).to(one);
        (answer.status.as_u16(), answer.body)
    };
    let slack = r#"{"text":"t","blocks":[]}"#;
    let teams = r#"{"type":"message","attachments":[{"contentType":"x","content":{}}]}"#;
    let pager = r#"{"routing_key":"k","event_action":"trigger"}"#;
    // Services know the sender by a secret of their own.
    for has_secret in [true, false] {
        assert_eq!(usual(&shown(slack, None, has_secret)), (200, "ok".to_owned()));
        assert_eq!(usual(&shown(teams, None, has_secret)).0, 202);
        assert_eq!(usual(&shown(pager, None, has_secret)).0, 202);
    }
    assert_eq!(usual(&shown("{}", None, false)).0, 204);
    assert_eq!(usual(&shown("{}", None, true)).0, 401);
    assert_eq!(usual(&shown(slack, Some("v1,x"), true)).0, 401);
    let mut large = shown("", None, true);
    large.arrival.captured.body = Kept::Nothing;
    assert_eq!(usual(&large).0, 413);
    large.proof = Examination::default();
    assert_eq!(usual(&large).0, 413);
}

#[test]
fn enough_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut keep = Keep::open(folder.path()).unwrap();
    let one = shown("{}", None, false);
    for n in 1..=keep::MAX_FILES {
        assert_eq!(keep.keep(&one), Ok(Some(format!("{n:04}-json.http"))));
    }
    assert_eq!(keep.keep(&one), Ok(None));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1_000);
    // Of the address, which may hold a secret, nothing is shown but its path.
    let secrets = Secrets::if_any(&[], &[]);
    if let Ok(secrets) = secrets {
        assert!(!format!("{:?}{}", one.lines(&secrets), one.json(&secrets)).contains("s3cret"));
    }
}
