use super::*;
use proptest::prelude::*;

fn one(kept: &str) -> Captured {
    let mut all = read(kept.as_bytes()).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn pairs(captured: &Captured) -> Vec<(&str, &str)> {
    captured.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn bytes(text: &str) -> Kept {
    Kept::Bytes(text.as_bytes().to_vec())
}

#[test]
fn raw_http() {
    for (kept, body) in [
        ("POST /x?y=z HTTP/1.1\r\nHost: a\r\nWebhook-Id:  m 1 \r\n\r\n{}\r\n", bytes("{}\r\n")),
        ("Host: a\nWebhook-Id: m 1\n\n{}\n\n", bytes("{}\n\n")),
        ("\u{feff}\n\nHost: a\nWebhook-Id: m\n 1\n\n", bytes("")),
        (":method: POST\nHost: a\nWebhook-Id: m 1", Kept::Nothing),
        (
            "* Connected to a\n> POST / HTTP/1.1\n> Host: a\n> Webhook-Id: m 1\n>\n} [2 bytes data]\n< HTTP/1.1 204\n",
            Kept::Nothing,
        ),
    ] {
        let captured = one(kept);
        assert_eq!(pairs(&captured), [("Host", "a"), ("Webhook-Id", "m 1")], "{kept}");
        assert_eq!(captured.header("webhook-id"), Some("m 1"));
        assert_eq!(captured.body, body, "{kept}");
    }
}

#[test]
fn chunks_are_joined_unless_they_were() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = "4;x=y\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n";
    assert_eq!(one(&format!("{head}{chunks}")).body, bytes("{\"a\":1}"));
    assert_eq!(one(&format!("{head}{{\"a\":1}}")).body, bytes("{\"a\":1}"));
    assert_eq!(one(&format!("{head}4\r\n{{\"a\"")).body, bytes("4\r\n{\"a\""));
}

#[test]
fn json_in_its_spellings() {
    let headers = r#""headers":{"webhook-id":"m","n":["1",2]}"#;
    let expected = [("webhook-id", "m"), ("n", "1"), ("n", "2")];
    for (body, kept) in [
        (r#""body":"{\"a\":1}\n""#, bytes("{\"a\":1}\n")),
        (r#""body_base64":"e30K""#, bytes("{}\n")),
        (r#""body":"e30K","isBase64Encoded":true"#, bytes("{}\n")),
        (r#""rawBody":"x""#, bytes("x")),
        (r#""body":{"$content-type":"a/b","$content":"e30K"}"#, bytes("{}\n")),
        (
            r#""body": { "b": 1.5, "a": [null] }"#,
            Kept::Parsed(b"{\"b\":1.5,\"a\":[null]}".to_vec()),
        ),
        (r#""body":null"#, Kept::Nothing),
        (r#""more":1"#, Kept::Nothing),
    ] {
        let captured = one(&format!("\n{{{headers},{body}}}"));
        assert_eq!(pairs(&captured), expected);
        assert_eq!(captured.body, kept, "{body}");
    }
}

#[test]
fn a_har_file_and_our_own_list() {
    let har = r#"{"log":{"entries":[{"request":{"method":"POST","url":"https://u:p@h.example.com/s3cret?sig=x",
        "headers":[{"name":"webhook-id","value":"m"}],"postData":{"text":"{}"}},"response":{"headers":[]}}]}}"#;
    let captured = one(har);
    assert_eq!(pairs(&captured), [("webhook-id", "m")]);
    assert_eq!(captured.body, bytes("{}"));
    assert!(!captured.name.unwrap().contains("s3cret"));
    let list = r#"[{"receiver":"a","headers":{"x":"1"},"body":"A"},{"receiver":"b","headers":[["x","2"]],"body":"B"}]"#;
    let all = read(list.as_bytes()).unwrap();
    let names: Vec<_> = all.iter().map(|one| one.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!((all[1].header("X"), &all[1].body), (Some("2"), &bytes("B")));
}

#[test]
fn what_is_no_request_is_said() {
    let said = |kept: &str| read(kept.as_bytes()).unwrap_err().to_string();
    assert_eq!(said(" \n"), "there is nothing in it");
    assert_eq!(said("[]"), "there is nothing in it");
    assert_eq!(said("POST / HTTP/1.1\n\n"), "there is nothing in it");
    assert_eq!(said("a: b\nsome thing\n"), "line 2 is no header: `some thing`");
    assert_eq!(
        said("HTTP/1.1 200 OK\na: b\n\n"),
        "it is the answer to a request, not a request: `HTTP/1.1 200 OK`"
    );
    assert_eq!(
        said("{\"a\":"),
        "it begins like JSON but cannot be read: EOF while parsing a value at line 1 column 5"
    );
    assert_eq!(
        said(r#"{"specversion":"1.0"}"#),
        "the JSON in it has no `headers`: is it the body alone"
    );
    assert_eq!(
        said(r#"{"headers":"a: b"}"#),
        "its `headers` are neither an object nor a list of `name` and `value`"
    );
    assert_eq!(said(r#"{"headers":{},"body_base64":"?"}"#), "its `body_base64` is not base64");
    let hostile = said("a: b\n\u{1b}[2J\u{202e}evil\n");
    assert!(!hostile.contains(limits::is_hidden), "{hostile:?}");
}

proptest! {
    #[test]
    fn anything_is_read_without_a_panic(kept in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
        let _either = read(&kept);
        let _either = read(text.as_bytes());
    }

    #[test]
    fn raw_http_keeps_every_byte_of_the_body(
        body in prop::collection::vec(any::<u8>(), 0..300), end in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let mut kept = format!("POST / HTTP/1.1{end}A: b{end}{end}").into_bytes();
        kept.extend_from_slice(&body);
        prop_assert_eq!(&read(&kept).unwrap()[0].body, &Kept::Bytes(body));
    }
}
