use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;
use sign::{TOLERANCE, hub_signature, sign, verify};

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OLD: &str = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const OTHER: &str = "whsec_QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=";
const ID: &str = "m-1";
const SENT: i64 = 1_767_225_600;
const BODY: &str = r#"{"specversion":"1.0","id":"m-1","data":{"count":2,"note":"naïve ✓"}}"#;

fn key(secret: &str) -> SigningKey {
    SigningKey::parse(secret).unwrap()
}

fn at(offset: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(SENT + offset, 0).unwrap()
}

fn signature(body: &[u8], secrets: &[&str]) -> String {
    let keys: Vec<SigningKey> = secrets.iter().map(|secret| key(secret)).collect();
    sign(ID, SENT, body, &keys).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The beginning of a text.
fn cut(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

/// As hsmwatch sends it, with this signature.
fn with_signature(signature: &str) -> Captured {
    let headers = [
        ("Content-Type", cloud_event::CONTENT_TYPE),
        ("Webhook-Id", ID),
        ("Webhook-Timestamp", "1767225600"),
        ("Webhook-Signature", signature),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Captured { name: None, headers, body: Kept::Bytes(BODY.as_bytes().to_vec()) }
}

fn sent() -> Captured {
    with_signature(&signature(BODY.as_bytes(), &[SECRET]))
}

/// With another value of a header.
fn set(captured: &Captured, name: &str, value: &str) -> Captured {
    let mut captured = captured.clone();
    captured.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    captured.headers.push((name.to_owned(), value.to_owned()));
    captured
}

fn with_body(body: &[u8]) -> Captured {
    Captured { body: Kept::Bytes(body.to_vec()), ..sent() }
}

fn look(captured: &Captured) -> Examination {
    examine(captured, &[key(SECRET)], at(7), TOLERANCE)
}

/// The one thing that is wrong.
#[track_caller]
fn the_wrong(captured: &Captured) -> Wrong {
    let seen = look(captured);
    assert_eq!(seen.wrong.len(), 1, "{seen:?}");
    seen.wrong[0].clone()
}

#[test]
fn as_it_was_sent() {
    let seen = look(&sent());
    let expected = Examination {
        signed_by: vec![0],
        id: Some(ID.to_owned()),
        age: Some(7),
        ..Examination::default()
    };
    assert_eq!(seen, expected);
}

#[test]
fn headers_under_other_names() {
    for found in
        ["svix-id", "Svix-Id", "HTTP_WEBHOOK_ID", "x-webhook-id", "webhook_id", "HTTP_SVIX_ID"]
    {
        let mut captured = sent();
        captured.headers[1].0 = found.to_owned();
        let seen = look(&captured);
        let renamed = Wrong::Renamed { name: "webhook-id", found: found.to_owned() };
        assert_eq!((seen.wrong, seen.signed_by), (vec![renamed], vec![0]));
    }
    let mut captured = sent();
    captured.headers[1].0 = "mywebhook-id".to_owned();
    assert_eq!(the_wrong(&captured), Wrong::Plain(VerifyError::Missing("webhook-id")));
    let mut captured = sent();
    captured.headers.truncate(1);
    let missing = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let missing = missing.map(|name| Wrong::Plain(VerifyError::Missing(name)));
    assert_eq!(look(&captured).wrong, missing);
}

#[test]
fn headers_that_are_there_twice() {
    let mut captured = sent();
    captured.headers.push(captured.headers[1].clone());
    assert!(look(&captured).is_valid());
    captured.headers.push(("webhook-id".to_owned(), "m-2".to_owned()));
    assert_eq!(the_wrong(&captured), Wrong::Twice("webhook-id"));
}

#[test]
fn only_the_clock() {
    for (offset, code) in [(301, "too-old"), (86_400, "too-old"), (-301, "too-new")] {
        let seen = examine(&sent(), &[key(SECRET)], at(offset), TOLERANCE);
        assert_eq!((seen.wrong.len(), seen.wrong[0].as_str()), (1, code));
        assert_eq!(seen.notes, [Note::OnlyTime]);
        assert_eq!(seen.age, Some(offset));
    }
    let seen = examine(&sent(), &[key(OTHER)], at(301), TOLERANCE);
    let codes: Vec<&str> = seen.wrong.iter().map(Wrong::as_str).collect();
    assert_eq!((codes, seen.notes.len()), (vec!["too-old", "no-match"], 0));
}

#[test]
fn several_secrets() {
    let both = signature(BODY.as_bytes(), &[SECRET, OLD]);
    let look = |signature: &str, secrets: &[&str]| {
        let keys: Vec<SigningKey> = secrets.iter().map(|secret| key(secret)).collect();
        examine(&with_signature(signature), &keys, at(0), TOLERANCE)
    };
    let seen = look(&both, &[SECRET, OLD]);
    assert_eq!((seen.signed_by.as_slice(), seen.is_valid()), (&[0, 1][..], true));
    assert_eq!(seen.notes, [Note::Several(2)]);
    let seen = look(&both, &[OLD]);
    assert_eq!((seen.signed_by.as_slice(), seen.is_valid()), (&[0][..], true));
    let old = signature(BODY.as_bytes(), &[OLD]);
    let seen = look(&old, &[SECRET, OLD]);
    assert_eq!((seen.signed_by.as_slice(), seen.is_valid()), (&[1][..], true));
    assert_eq!(seen.notes, [Note::OnlyPrevious(1)]);
    assert_eq!(look(&both, &[OTHER]).wrong, [Wrong::NoMatch(Suspect::Secret)]);
}

#[test]
fn signatures_that_are_written_otherwise() {
    // One in which the alphabets differ.
    let mut bodies = (0..).map(|n| format!("{{\"n\":{n}}}"));
    let body = bodies.find(|body| signature(body.as_bytes(), &[SECRET]).contains('+')).unwrap();
    let right = signature(body.as_bytes(), &[SECRET]);
    let with_signature = |signature: &str| Captured {
        body: Kept::Bytes(body.as_bytes().to_vec()),
        ..with_signature(signature)
    };
    let digest = STANDARD.decode(right.strip_prefix("v1,").unwrap()).unwrap();
    let hex = hex(&digest).to_uppercase();
    let url_safe = URL_SAFE.encode(&digest);
    assert!(url_safe.contains(['-', '_']), "{url_safe}");
    let old = signature(body.as_bytes(), &[OLD]);
    for (written, wrong) in [
        (format!("v1,{hex}"), Wrong::Plain(VerifyError::Hex)),
        (format!("v1,{url_safe}"), Wrong::UrlSafe),
        (format!("v1,{}", url_safe.trim_end_matches('=')), Wrong::UrlSafe),
        (right.replace("v1,", ""), Wrong::Bare),
        (right.replace("v1,", "v1="), Wrong::Bare),
        (hex, Wrong::Bare),
        (format!("{right}, {old}"), Wrong::Comma),
        (cut(&right, 43), Wrong::CutOff(30)),
        (cut(&right, 30) + "…", Wrong::CutOff(18)),
    ] {
        let seen = look(&with_signature(&written));
        assert_eq!(seen.wrong, [wrong], "{written}");
        assert!(seen.notes.contains(&Note::FitsOtherwise), "{written}");
    }
    let none = "AAAA".repeat(8);
    for (written, wrong) in [
        (format!("v1,{none}"), Wrong::CutOff(24)),
        ("v1,AAAA".to_owned(), Wrong::Plain(VerifyError::NotBase64)),
        ("v1,#".to_owned(), Wrong::Plain(VerifyError::NotBase64)),
        (format!("v1,{}", "0d".repeat(32)), Wrong::Plain(VerifyError::Hex)),
        ("v2,abc".to_owned(), Wrong::Plain(VerifyError::NoV1)),
    ] {
        let seen = look(&with_signature(&written));
        assert_eq!((seen.wrong, seen.notes.len()), (vec![wrong], 0), "{written}");
    }
    let seen = look(&with_signature(&format!("v1a,{} {right}", STANDARD.encode([0; 64]))));
    assert_eq!((seen.is_valid(), seen.notes), (true, vec![Note::Asymmetric]));
}

#[test]
fn bodies_that_were_changed() {
    let json: Json = serde_json::from_str(BODY).unwrap();
    let pretty = serde_json::to_string_pretty(&json).unwrap();
    let escaped = BODY.replace('ï', "\\u00ef").replace('✓', "\\u2713").replace("\",\"", "\", \"");
    for (body, change) in [
        (format!("{BODY}\n"), Change::Space),
        (format!("{BODY}\r\n"), Change::Space),
        (format!(" {BODY}"), Change::Space),
        (format!("\u{feff}{BODY}"), Change::Mark),
        (format!("\u{feff}{BODY}\r\n"), Change::Mark),
        (pretty.clone(), Change::WrittenAnew),
        (escaped, Change::WrittenAnew),
        (serde_json::to_string(BODY).unwrap(), Change::Quoted),
        (STANDARD.encode(BODY), Change::Base64),
    ] {
        let wrong = the_wrong(&with_body(body.as_bytes()));
        assert_eq!(wrong, Wrong::Changed(change), "{body}");
    }
    let longer = set(
        &with_body(format!("{BODY} (end)").as_bytes()),
        "Content-Length",
        &BODY.len().to_string(),
    );
    assert_eq!(the_wrong(&longer), Wrong::Changed(Change::Longer));
    // Bodies of others have line ends of their own.
    for (was, is, change) in [
        ("a\nb\n", "a\r\nb\r\n", Change::CrLf),
        ("a\r\nb", "a\nb", Change::Lf),
        ("a\nb", "a\r\nb\r\n", Change::CrLf),
        ("ab\n", "ab", Change::NoLineEnd),
        ("ab\r\n", "ab", Change::NoLineEnd),
        ("{\n  \"a\": 1\n}", "{\"a\":1}", Change::WrittenAnew),
        ("naïve", "naÃ¯ve", Change::Latin1),
    ] {
        let captured = Captured {
            body: Kept::Bytes(is.as_bytes().to_vec()),
            ..with_signature(&signature(was.as_bytes(), &[SECRET]))
        };
        assert_eq!(the_wrong(&captured), Wrong::Changed(change), "{was:?}");
    }
    let parsed = Captured { body: Kept::Parsed(BODY.as_bytes().to_vec()), ..sent() };
    let seen = look(&parsed);
    assert_eq!((seen.is_valid(), seen.notes), (true, vec![Note::Parsed]));
    let nothing = Captured { body: Kept::Nothing, ..sent() };
    assert_eq!(the_wrong(&nothing), Wrong::NoBody);
}

#[test]
fn headers_that_were_changed() {
    let seen = look(&set(&sent(), "webhook-id", "m-2"));
    let changed = Wrong::IdChanged { signed: ID.to_owned() };
    assert_eq!(seen.wrong, [changed, Wrong::OtherId { body: ID.to_owned() }]);
    for (is, others) in
        [("1767225600000", 1), ("1767225600.0", 1), ("+1767225600", 1), ("2026-01-01T00:00:00Z", 1)]
    {
        let seen = look(&set(&sent(), "webhook-timestamp", is));
        let changed = Wrong::TimestampChanged { signed: SENT.to_string() };
        assert_eq!((seen.wrong.len(), seen.wrong.contains(&changed)), (others + 1, true), "{is}");
    }
}

#[test]
fn senders_that_sign_otherwise() {
    let mac = |reading, parts: &[&[u8]]| {
        let mac = key(SECRET).code(reading, parts).unwrap();
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    let whole: [&[u8]; 5] = [ID.as_bytes(), b".", b"1767225600", b".", BODY.as_bytes()];
    assert_eq!(the_wrong(&with_signature(&mac(Reading::Text, &whole))), Wrong::KeyIsText);
    assert_eq!(the_wrong(&with_signature(&mac(Reading::Bytes, &whole[4..]))), Wrong::BodyAlone);
    assert_eq!(the_wrong(&with_signature(&mac(Reading::Text, &whole[4..]))), Wrong::BodyAlone);
}

#[test]
fn what_is_suspected() {
    let suspect = |captured: &Captured| match look(captured).wrong.pop() {
        Some(Wrong::NoMatch(suspect)) => suspect,
        other => panic!("{other:?}"),
    };
    let wrong_secret = with_signature(&signature(BODY.as_bytes(), &[OTHER]));
    assert_eq!(suspect(&wrong_secret), Suspect::Secret);
    let short = set(&with_body(b"{\"specversion\":\"1.0\""), "content-length", "68");
    assert_eq!(suspect(&short), Suspect::Length { said: 68, is: 20 });
    assert_eq!(suspect(&with_body(b"<html>")), Suspect::NotJson);
    assert_eq!(suspect(&with_body(b"{\"id\": \"m-1\"}")), Suspect::NotAsWritten);
    let hub = hub_signature(BODY.as_bytes(), &key(SECRET)).unwrap();
    let timestamp = set(&set(&sent(), sign::HUB_HEADER, &hub), "webhook-timestamp", "1767225599");
    assert_eq!(suspect(&timestamp), Suspect::Headers);
}

#[test]
fn the_signature_that_github_s_receivers_know() {
    let hub = |value: &str| look(&set(&sent(), "X-Hub-Signature-256", value));
    let right = hub_signature(BODY.as_bytes(), &key(SECRET)).unwrap();
    let seen = hub(&right);
    assert_eq!(
        (seen.is_valid(), seen.notes, seen.hub_signed_by),
        (true, vec![Note::HubFits(0)], Some(0))
    );
    let old = hub_signature(BODY.as_bytes(), &key(OLD)).unwrap();
    assert_eq!(hub(&old).wrong, [Wrong::HubNoMatch]);
    let bytes = key(SECRET).code(Reading::Bytes, &[BODY.as_bytes()]).unwrap();
    let hex = hex(&bytes.finalize().into_bytes());
    assert_eq!(hub(&format!("sha256={hex}")).wrong, [Wrong::HubReading]);
    for value in
        ["", &right.replace("sha256=", ""), "sha256=abc", &format!("sha256={}", "g".repeat(64))]
    {
        assert_eq!(hub(value).wrong, [Wrong::HubForm], "{value}");
    }
}

#[test]
fn content_types() {
    for (value, fine) in [
        ("application/cloudevents+json", true),
        ("Application/CloudEvents+JSON; charset=utf-8", true),
        ("application/json", false),
        ("", false),
    ] {
        let seen = look(&set(&sent(), "content-type", value));
        assert!(seen.is_valid());
        assert_eq!(seen.notes.is_empty(), fine, "{value}");
    }
}

#[test]
fn without_secrets() {
    let seen = examine(&sent(), &[], at(0), TOLERANCE);
    assert_eq!(seen.wrong, [Wrong::Plain(VerifyError::NoKeys)]);
}

/// Everything that can be said, as it is said.
#[test]
fn texts() {
    let captured = set(&with_body(b"<html>"), "webhook-id", "m-\u{1b}[2J");
    let shown = |seen: &Examination| {
        let wrong = seen.wrong.iter().map(|wrong| {
            format!("{}: {wrong}\n  {}\n", wrong.as_str(), wrong.hint().unwrap_or_default())
        });
        let notes = seen
            .notes
            .iter()
            .map(|note| format!("{}: {}\n", note.as_str(), note.said(|n| format!("secret {n}"))));
        wrong.chain(notes).collect::<String>()
    };
    assert!(!shown(&look(&captured)).contains('\u{1b}'));
    let all = Examination {
        wrong: vec![
            Wrong::Plain(VerifyError::Missing("webhook-signature")),
            Wrong::Plain(VerifyError::Missing("webhook-id")),
            Wrong::Renamed { name: "webhook-id", found: "svix-id".to_owned() },
            Wrong::Renamed { name: "webhook-id", found: "HTTP_WEBHOOK_ID".to_owned() },
            Wrong::Twice("webhook-id"),
            Wrong::NoBody,
            Wrong::UrlSafe,
            Wrong::Comma,
            Wrong::Bare,
            Wrong::CutOff(24),
            Wrong::Changed(Change::Space),
            Wrong::Changed(Change::WrittenAnew),
            Wrong::IdChanged { signed: "m-1".to_owned() },
            Wrong::TimestampChanged { signed: "1767225600".to_owned() },
            Wrong::KeyIsText,
            Wrong::BodyAlone,
            Wrong::NoMatch(Suspect::Secret),
            Wrong::NoMatch(Suspect::Length { said: 68, is: 20 }),
            Wrong::NoMatch(Suspect::NotJson),
            Wrong::NoMatch(Suspect::NotAsWritten),
            Wrong::NoMatch(Suspect::Headers),
            Wrong::OtherId { body: "m-1".to_owned() },
            Wrong::HubForm,
            Wrong::HubNoMatch,
            Wrong::HubReading,
        ],
        notes: vec![
            Note::OnlyTime,
            Note::Several(2),
            Note::OnlyPrevious(1),
            Note::Asymmetric,
            Note::FitsOtherwise,
            Note::Parsed,
            Note::ContentType("text/plain".to_owned()),
            Note::ContentType(String::new()),
            Note::HubFits(0),
        ],
        ..Examination::default()
    };
    insta::assert_snapshot!(shown(&all));
}

fn any_request() -> impl Strategy<Value = Captured> {
    let value = prop_oneof![
        Just(ID.to_owned()),
        Just(SENT.to_string()),
        Just(signature(BODY.as_bytes(), &[SECRET])),
        Just(signature(BODY.as_bytes(), &[OTHER, SECRET])),
        "(v1,[A-Za-z0-9+/]{0,50}={0,2} ?){0,3}",
        any::<String>(),
    ];
    let name = prop_oneof![
        Just("webhook-id".to_owned()),
        Just("webhook-timestamp".to_owned()),
        Just("webhook-signature".to_owned()),
        Just(sign::HUB_HEADER.to_owned()),
        "[a-z-]{0,12}",
    ];
    let body = prop_oneof![
        Just(Kept::Bytes(BODY.as_bytes().to_vec())),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(Kept::Bytes),
        Just(Kept::Nothing),
    ];
    let more = prop::collection::vec((name, value), 0..6);
    (more, body, any::<bool>()).prop_map(|(more, body, whole)| {
        let mut captured = if whole { sent() } else { Captured::default() };
        captured.headers.extend(more);
        Captured { body, ..captured }
    })
}

proptest! {
    /// Never more generous than a receiver, and never wrong where there is nothing to find.
    #[test]
    fn agrees_with_what_receivers_do(captured in any_request(), offset in -400i64..400) {
        let keys = [key(SECRET)];
        let theirs = verify(signed(&captured), captured.body.bytes(), &keys, at(offset), TOLERANCE);
        let seen = examine(&captured, &keys, at(offset), TOLERANCE);
        if theirs.is_err() {
            prop_assert!(!seen.is_valid(), "{theirs:?}");
        } else {
            let own = |wrong: &Wrong| matches!(wrong,
                Wrong::Twice(_) | Wrong::NoBody | Wrong::OtherId { .. } | Wrong::HubForm | Wrong::HubNoMatch | Wrong::HubReading);
            prop_assert!(seen.wrong.iter().all(own), "{seen:?}");
        }
        let said = format!("{seen:?}");
        prop_assert!(!said.contains("AAECAwQF"));
    }
}
