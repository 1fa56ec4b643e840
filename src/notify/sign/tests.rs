use super::*;
use proptest::prelude::*;

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OLD: &str = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const ID: &str = "msg_hsmwatch_kat_0001";
const SENT: i64 = 1_767_225_600;
const BODY: &str = r#"{"type":"hsm.key.delete","timestamp":"2026-01-01T00:00:00Z","data":{"count":2,"caller":"cu_ops","note":"naïve ✓"}}"#;
const V1: &str = "v1,DZisqfpMmG32NWCHAHSs/rJkA0XH8zCWb00x0q8UxL4=";
const V1_OLD: &str = "v1,cAgN2fvcx13xLPj6gv1AWq+KjvI++n0r+kY5yyK4PE8=";
const V1A: &str =
    "v1a,889/4BHm1K3ffDqDJpkb61jFnvt6wyN2Pt4oeRYSBkzcCW5kkAh6zgcpagl7eCGGH3D4Hv8X/trsrGACx8F3BA==";

fn key(secret: &str) -> SigningKey {
    SigningKey::parse(secret).unwrap()
}

fn at(offset: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(SENT + offset, 0).unwrap()
}

fn check(signature: &str, offset: i64) -> Result<(), VerifyError> {
    let signed = Signed { id: Some(ID), timestamp: Some("1767225600"), signature: Some(signature) };
    verify(signed, BODY.as_bytes(), &[key(SECRET)], at(offset), TOLERANCE)
}

#[test]
fn known_answers() {
    assert_eq!(BODY.len(), 117);
    let keys = [key(SECRET), key(OLD)];
    let body = BODY.as_bytes();
    assert_eq!(sign(ID, SENT, body, &keys[..1]).as_deref(), Some(V1));
    assert_eq!(sign(ID, SENT, body, &keys[1..]).as_deref(), Some(V1_OLD));
    assert_eq!(sign(ID, SENT, body, &keys), Some(format!("{V1} {V1_OLD}")));
    assert_eq!(sign(ID, SENT, body, &[]), None);
}

#[test]
fn accepted() {
    for list in
        [V1.to_owned(), format!("{V1_OLD} {V1}"), format!("{V1} {V1_OLD}"), format!("{V1A} {V1}")]
    {
        assert_eq!(check(&list, 0), Ok(()), "{list}");
    }
    assert_eq!(check(V1, 300), Ok(()));
    assert_eq!(check(V1, -300), Ok(()));
}

#[test]
fn rejected_with_the_reason() {
    let too_old = VerifyError::TooOld { age: 301, over: 1, tolerance: 300 };
    assert_eq!(check(V1, 301), Err(too_old));
    let too_new = VerifyError::TooNew { ahead: 302, over: 2, tolerance: 300 };
    assert_eq!(check(V1, -302), Err(too_new));
    assert_eq!(check(V1_OLD, 0), Err(VerifyError::NoMatch));
    assert_eq!(check(V1A, 0), Err(VerifyError::NoV1));
    assert_eq!(check("DZisqfpMmG32NWCHAHSs/rJkA0XH8zCWb00x0q8UxL4=", 0), Err(VerifyError::NoV1));
    assert_eq!(check("v1=abc", 0), Err(VerifyError::NoV1));
    assert_eq!(check(&format!("v1,{}", "0d".repeat(32)), 0), Err(VerifyError::Hex));
    assert_eq!(check("v1,#", 0), Err(VerifyError::NotBase64));
    assert_eq!(check("v1,", 0), Err(VerifyError::NotBase64));
    assert_eq!(check("v1,AAAA", 0), Err(VerifyError::NotBase64));
    assert_eq!(check(&format!("{V1_OLD} v1,#"), 0), Err(VerifyError::NoMatch));
    assert_eq!(check(" ", 0), Err(VerifyError::Missing("webhook-signature")));

    let whole = Signed { id: Some(ID), timestamp: Some("1767225600"), signature: Some(V1) };
    let check =
        |signed, body: &str| verify(signed, body.as_bytes(), &[key(SECRET)], at(0), TOLERANCE);
    assert_eq!(check(whole, BODY), Ok(()));
    assert_eq!(check(whole, "{}"), Err(VerifyError::NoMatch));
    assert_eq!(check(Signed { id: Some("other"), ..whole }, BODY), Err(VerifyError::NoMatch));
    assert_eq!(check(Signed { id: None, ..whole }, BODY), Err(VerifyError::Missing("webhook-id")));
    let missing = Err(VerifyError::Missing("webhook-timestamp"));
    assert_eq!(check(Signed { timestamp: None, ..whole }, BODY), missing);
    for text in ["soon", "1767225600.5", "+1767225600", "2026-01-01T00:00:00Z"] {
        let signed = Signed { timestamp: Some(text), ..whole };
        assert_eq!(check(signed, BODY), Err(VerifyError::Timestamp(text.to_owned())));
    }
    assert_eq!(verify(whole, BODY.as_bytes(), &[], at(0), TOLERANCE), Err(VerifyError::NoKeys));
    for far in ["9223372036854775807", "-9223372036854775808"] {
        assert!(check(Signed { timestamp: Some(far), ..whole }, BODY).is_err());
    }
}

#[test]
fn secrets() {
    let unpadded = SECRET.trim_end_matches('=');
    assert_eq!(sign(ID, SENT, BODY.as_bytes(), &[key(unpadded)]).as_deref(), Some(V1));
    assert_eq!(
        sign(ID, SENT, BODY.as_bytes(), &[key(&format!("{SECRET}\n"))]).as_deref(),
        Some(V1)
    );
    let of = |n: usize| format!("whsec_{}", BASE64.encode(vec![7; n]));
    for n in [24, 25, 32, 64] {
        assert!(SigningKey::parse(&of(n)).is_ok(), "{n}");
    }
    for n in [0, 1, 23, 65] {
        assert_eq!(SigningKey::parse(&of(n)).unwrap_err(), BadSecret::Length(n));
    }
    assert_eq!(SigningKey::parse("hunter2hunter2").unwrap_err(), BadSecret::Prefix);
    assert_eq!(SigningKey::parse("whsec_a-_b").unwrap_err(), BadSecret::NotBase64);
    assert_eq!(SigningKey::parse("whsk_AAECAwQF").unwrap_err(), BadSecret::Prefix);
}

/// GitHub's own example.
#[test]
fn github_s_known_answer() {
    let code = mac(b"It's a Secret to Everybody", &[b"Hello, World!"]).unwrap();
    assert_eq!(
        hub(code),
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    );
    // The key is the text, without white space around it.
    let ours = hub_signature(b"Hello, World!", &key(&format!(" {SECRET}\n")));
    let code = mac(SECRET.as_bytes(), &[b"Hello, World!"]).unwrap();
    assert_eq!(ours, Some(hub(code)));
}

#[test]
fn nothing_shows_the_secret() {
    let shown = format!("{:?}", key(SECRET));
    assert!(!shown.contains("AAEC") && !shown.contains("0, 1, 2"), "{shown}");
    for secret in ["hunter2hunter2", "whsec_hunter2-", "whsec_aHVudGVyMg=="] {
        let error = SigningKey::parse(secret).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("aHVu"), "{shown}");
    }
}

proptest! {
    /// The published library is the independent judge.
    #[test]
    fn agrees_with_the_published_library(
        bytes in prop::collection::vec(any::<u8>(), 24..=64),
        id in "[A-Za-z0-9_-]{1,40}", seconds in 0i64..4_000_000_000, body in any::<String>(),
    ) {
        let secret = format!("whsec_{}", BASE64.encode(&bytes));
        let theirs = standardwebhooks::Webhook::new(&secret).unwrap();
        let ours = sign(&id, seconds, body.as_bytes(), &[key(&secret)]).unwrap();
        prop_assert_eq!(&ours, &theirs.sign(&id, seconds, body.as_bytes()).unwrap());

        let timestamp = seconds.to_string();
        let signed = Signed { id: Some(&id), timestamp: Some(&timestamp), signature: Some(&ours) };
        let now = DateTime::from_timestamp(seconds, 0).unwrap();
        prop_assert_eq!(verify(signed, body.as_bytes(), &[key(&secret)], now, TOLERANCE), Ok(()));
    }

    #[test]
    fn any_headers_are_judged_without_a_panic(
        id in any::<String>(), timestamp in any::<String>(), signature in any::<String>(),
    ) {
        let signed = Signed { id: Some(&id), timestamp: Some(&timestamp), signature: Some(&signature) };
        prop_assert!(verify(signed, b"", &[key(SECRET)], at(0), TOLERANCE).is_err());
    }
}
