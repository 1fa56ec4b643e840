//! `verify` on requests as people keep them.

use crate::support::bed::Ran;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value as Json, json};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Known answers that other implementations agree with.
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OLD: &str = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const OTHER: &str = "whsec_QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=";
const ID: &str = "msg_hsmwatch_kat_0001";
const BODY: &str = r#"{"type":"hsm.key.delete","timestamp":"2026-01-01T00:00:00Z","data":{"count":2,"caller":"cu_ops","note":"naïve ✓"}}"#;
const V1: &str = "v1,DZisqfpMmG32NWCHAHSs/rJkA0XH8zCWb00x0q8UxL4=";
const V1_OLD: &str = "v1,cAgN2fvcx13xLPj6gv1AWq+KjvI++n0r+kY5yyK4PE8=";
const NOW: &str = "2026-01-01T00:00:07Z";

fn verify_in(folder: &TempDir, arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hsmwatch"))
        .arg("verify")
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .envs([
            ("HSMWATCH_WEBHOOK_SECRET", SECRET),
            ("NEW", SECRET),
            ("OLD", OLD),
            ("OTHER", OTHER),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who reads no input has closed it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let ran = Ran::of(child.wait_with_output().unwrap());
    for secret in [SECRET, OLD, OTHER] {
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let telling: String = secret.chars().skip(6).take(14).collect();
        assert!(!said.contains(&telling), "{said}");
    }
    ran
}

fn verify(arguments: &[&str], input: &[u8]) -> Ran {
    verify_in(&tempfile::tempdir().unwrap(), &[&["--now", NOW], arguments].concat(), input)
}

fn raw(headers: &[(&str, &str)], end: &str, body: &str) -> String {
    let mut raw = format!("POST /hook HTTP/1.1{end}Host: itsm.example.com{end}");
    for (name, value) in headers {
        raw.extend([name, ": ", value, end]);
    }
    raw + end + body
}

fn headers(signature: &str) -> [(&str, &str); 3] {
    [("Webhook-Id", ID), ("webhook-timestamp", "1767225600"), ("webhook-signature", signature)]
}

fn said(input: &str) -> String {
    verify(&[], input.as_bytes()).stdout
}

#[test]
fn a_request_is_valid_however_it_was_kept() {
    let fine = "valid: signed with the secret in `HSMWATCH_WEBHOOK_SECRET`, and fresh (7 s old)\n";
    let all = headers(V1);
    let object =
        json!({"Webhook-Id": ID, "webhook-timestamp": 1_767_225_600, "webhook-signature": [V1]});
    let har: Vec<Json> =
        all.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let har = json!({"log": {"entries": [{"request": {"method": "POST", "url": "https://x", "headers": har, "postData": {"mimeType": "", "text": BODY}}}]}});
    for kept in [
        raw(&all, "\r\n", BODY),
        raw(&all, "\n", BODY),
        raw(&all, "\n", BODY).split_once('\n').unwrap().1.to_owned(),
        json!({"headers": object, "body": BODY}).to_string(),
        json!({"headers": object, "body_base64": BASE64.encode(BODY)}).to_string(),
    ] {
        let ran = verify(&[], kept.as_bytes()).exits(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (fine, ""), "{kept}");
    }
    let ran = verify(&[], har.to_string().as_bytes()).exits(0);
    assert_eq!(ran.stdout, format!("x:\n{fine}"));
    // Parsed, in our order: as good as byte for byte.
    let parsed = format!(r#"{{"headers":{object},"body":{BODY}}}"#);
    let ran = verify(&[], parsed.as_bytes()).exits(0);
    assert!(ran.stdout.contains("note: the body was kept as parsed JSON"), "{}", ran.stdout);

    // Headers as `curl -v` shows them, and the body beside.
    let folder = tempfile::tempdir().unwrap();
    let curl = format!(
        "* Connected to itsm\n> POST /hook HTTP/1.1\n> Webhook-Id: {ID}\n> webhook-timestamp: 1767225600\n> webhook-signature: {V1}\n>\n< HTTP/1.1 401\n"
    );
    fs::write(folder.path().join("curl.txt"), curl).unwrap();
    fs::write(folder.path().join("body.json"), BODY).unwrap();
    for arguments in [
        &["--headers", "curl.txt", "--body", "body.json"][..],
        &["--body", "body.json", "curl.txt"],
        &["--id", ID, "--timestamp", "1767225600", "--signature", V1, "body.json"],
    ] {
        let ran = verify_in(&folder, &[&["--now", NOW], arguments].concat(), b"").exits(0);
        assert_eq!(ran.stdout, fine, "{arguments:?}");
    }
    let ran =
        verify_in(&folder, &["--now", NOW, "--headers", "curl.txt"], BODY.as_bytes()).exits(0);
    assert_eq!(ran.stdout, fine);
    let ran = verify_in(&folder, &["--now", NOW, "curl.txt"], b"").exits(1);
    assert!(ran.stdout.starts_with("not valid: the body was not kept"), "{}", ran.stdout);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let renamed =
        [("svix-id", ID), ("HTTP_WEBHOOK_TIMESTAMP", "1767225000"), ("X-Webhook-Signature", V1)];
    insta::assert_snapshot!("renamed_and_old", said(&raw(&renamed, "\n", BODY)));
    insta::assert_snapshot!("nothing_there", said(&raw(&[], "\n", BODY)));
    insta::assert_snapshot!(
        "line_end_added",
        said(&raw(&headers(V1), "\r\n", &format!("{BODY}\r\n")))
    );
    let json: Json = serde_json::from_str(BODY).unwrap();
    let pretty = serde_json::to_string_pretty(&json).unwrap();
    insta::assert_snapshot!("written_anew", said(&raw(&headers(V1), "\n", &pretty)));
    insta::assert_snapshot!("another_secret", said(&raw(&headers(V1_OLD), "\n", BODY)));
    let edited = BODY.replace("\"count\":2", "\"count\": 3");
    insta::assert_snapshot!("edited", said(&raw(&headers(V1), "\n", &edited)));
    let hex = "v1,0d98aca9fa4c986df6356087007 4acfe".replace(' ', "");
    insta::assert_snapshot!("no_digest", said(&raw(&headers(&hex), "\n", BODY)));
    insta::assert_snapshot!(
        "cut_off",
        said(&raw(&headers(&V1.replace("CHAHSs/rJkA0XH8zCWb00x0q8UxL4=", "")), "\n", BODY))
    );
}

#[test]
fn only_the_clock_is_wrong() {
    let kept = raw(&headers(V1), "\n", BODY);
    let folder = tempfile::tempdir().unwrap();
    let at = |now: &str| verify_in(&folder, &["--now", now], kept.as_bytes());
    insta::assert_snapshot!("too_old", at("2026-01-01T02:00:00Z").exits(1).stdout);
    insta::assert_snapshot!("too_new", at("2025-12-31T23:50:00Z").exits(1).stdout);
    at("2026-01-01T00:05:00Z").exits(0);
    at("2026-01-01T00:05:01Z").exits(1);
    at("2025-12-31T23:55:00Z").exits(0);
    at("2025-12-31T23:54:59Z").exits(1);
}

#[test]
fn several_secrets_and_which_one_fits() {
    let both = format!("{V1} {V1_OLD}");
    let kept = |signature: &str| raw(&headers(signature), "\n", BODY).into_bytes();
    let two = ["--secret-env", "NEW", "--secret-env", "OLD"];
    let ran = verify(&two, &kept(V1_OLD)).exits(0);
    insta::assert_snapshot!("only_the_previous", ran.stdout);
    let ran = verify(&two, &kept(&both)).exits(0);
    insta::assert_snapshot!("while_it_rotates", ran.stdout);
    verify(&["--secret-env", "OLD"], &kept(&both)).exits(0);
    verify(&["--secret-env", "OTHER"], &kept(&both)).exits(1);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secrets"), format!("{SECRET}\n{OLD}\n")).unwrap();
    let arguments =
        ["--now", NOW, "--secret-env", "OTHER", "--secret-file", "secrets", "--format", "json"];
    let ran = verify_in(&folder, &arguments, &kept(V1_OLD)).exits(0);
    let json: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["signed_by"], json!(["the secret in `secrets`, number 2"]));
    assert_eq!(json["notes"][0]["code"], "only-previous-secret");
}

#[test]
fn programs_get_words() {
    let kept = raw(&headers(V1), "\n", &format!("{BODY}\n"));
    let ran = verify(&["--format", "json"], kept.as_bytes()).exits(1);
    let json: Json = serde_json::from_str(&ran.stdout).unwrap();
    insta::assert_json_snapshot!("as_json", json);
    let two = json!([
        {"receiver": "itsm", "headers": {"webhook-id": ID, "webhook-timestamp": "1767225600", "webhook-signature": V1}, "body": BODY},
        {"receiver": "chat", "headers": {"webhook-id": ID, "webhook-timestamp": "1767225600"}, "body": BODY},
    ]);
    let ran = verify(&["--format", "json"], two.to_string().as_bytes()).exits(1);
    let json: Json = serde_json::from_str(&ran.stdout).unwrap();
    let short = |n: usize| (json[n]["name"].as_str().unwrap(), json[n]["valid"].as_bool().unwrap());
    assert_eq!((short(0), short(1)), (("itsm", true), ("chat", false)));
    let ran = verify(&[], two.to_string().as_bytes()).exits(1);
    insta::assert_snapshot!("two_requests", ran.stdout);
}

#[test]
fn the_signature_of_github_s_receivers_is_checked_too() {
    let hub = |secret: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(BODY.as_bytes());
        mac.finalize()
            .into_bytes()
            .iter()
            .fold("sha256=".to_owned(), |hex, byte| hex + &format!("{byte:02x}"))
    };
    let with = |hub: &str| {
        let [id, timestamp, signature] = headers(V1);
        raw(&[id, timestamp, signature, ("X-Hub-Signature-256", hub)], "\n", BODY)
    };
    let ran = verify(&[], with(&hub(SECRET)).as_bytes()).exits(0);
    assert!(
        ran.stdout.ends_with(
            "note: `X-Hub-Signature-256` fits the secret in `HSMWATCH_WEBHOOK_SECRET`\n"
        ),
        "{}",
        ran.stdout
    );
    let ran = verify(&[], with(&hub(OLD)).as_bytes()).exits(1);
    assert!(
        ran.stdout.starts_with("not valid: `X-Hub-Signature-256` does not fit"),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_cannot_be_read_is_usage() {
    for (arguments, input, says) in [
        (&[][..], "", "cannot read a request from standard input: there is nothing in it"),
        (&[], BODY, "the JSON in it has no `headers`: is it the body alone"),
        (&[], "hello\nworld", "line 1 is no header: `hello`"),
        (&["none.http"], "", "cannot read the request from `none.http`"),
        (&["--headers", "none.txt"], "", "cannot read the headers from `none.txt`"),
        (&["--id", "x"], "", "--timestamp"),
        (&["--secret-env", "NOT_SET"], "", "the variable `NOT_SET` is not set"),
        (&["--secret-file", "none"], "", "cannot read the secret from `none`"),
    ] {
        let ran = verify(arguments, input.as_bytes()).exits(2).says(says);
        assert_eq!(ran.stdout, "");
    }
}
