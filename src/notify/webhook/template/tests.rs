use super::*;
use crate::notify::{Detail, samples};
use crate::watch::severity::Severity;
use serde_json::{Value as Json, json};

fn compile(text: &str, content_type: &str) -> Template {
    Template::compile(text, &BTreeMap::new(), content_type).unwrap()
}

fn problem(text: &str) -> TemplateProblem {
    Template::compile(text, &BTreeMap::new(), CONTENT_TYPE).unwrap_err()
}

fn context_of_one() -> Value {
    context(&samples::alert(Severity::High), Detail::Full)
}

fn made(text: &str, content_type: &str) -> Result<String, Fault> {
    let rendered = compile(text, content_type).render(&context_of_one());
    rendered.body.map(|body| String::from_utf8(body.bytes).unwrap())
}

fn as_json(text: &str) -> Json {
    serde_json::from_str(&made(text, CONTENT_TYPE).unwrap()).unwrap()
}

/// The place and the words.
fn told(fault: &Fault) -> String {
    fault.problem.to_string()
}

#[test]
fn values_are_json_with_their_quotes() {
    let text = r#"{"a": {{ title }}, "n": {{ data.count }}, "all": {{ "Alert: " ~ title ~ " " ~ data.count }},
        "in": "Alert: {{ title | in_string }}", "hit": {{ data.hits[0] }}, "none": {{ none }}, "yes": {{ true }}}"#;
    let body = as_json(text);
    assert_eq!(body["a"], "HSM key deleted");
    assert_eq!(body["n"], 3);
    assert_eq!(body["all"], "Alert: HSM key deleted 3");
    assert_eq!(body["in"], "Alert: HSM key deleted");
    assert_eq!(body["hit"]["operation"], "CN_TOMBSTONE_OBJECT");
    assert_eq!((&body["none"], &body["yes"]), (&Json::Null, &json!(true)));
}

#[test]
fn a_text_of_several_lines() {
    let text = "{% autoescape false %}{% set body %}\n**{{ title }}** \"quoted\"\n{% for hit in data.hits %}\n- {{ hit.time }} {{ hit.caller }}\n{% endfor %}\n{% endset %}{% endautoescape %}\n{\"body\": {{ body }}}";
    let expected = "**HSM key deleted** \"quoted\"\n- 2026-11-22T09:01:12.1234567Z 10.20.4.17\n\
        - 2026-11-22T09:01:19.1234567Z 10.20.4.17\n- 2026-11-22T09:05:52.1234567Z 10.20.9.3\n";
    assert_eq!(as_json(text)["body"], expected);
}

#[test]
fn hostile_text_stays_text() {
    let context = context(&samples::hostile(), Detail::Full);
    let text = r#"{"a": [{% for hit in data.hits %}{{ hit.client }}, "{{ hit.client | in_string }}",{% endfor %} ""]}"#;
    let body = compile(text, CONTENT_TYPE).render(&context).body.unwrap();
    let body: Json = serde_json::from_slice(&body.bytes).unwrap();
    for (n, evil) in samples::HOSTILE.iter().enumerate() {
        assert_eq!(body["a"][2 * n], *evil);
        assert_eq!(body["a"][2 * n + 1], *evil);
    }
    let form = "{% for hit in data.hits %}c={{ hit.client }}&{% endfor %}";
    let body = compile(form, "application/x-www-form-urlencoded").render(&context).body.unwrap();
    let pairs: Vec<_> = url::form_urlencoded::parse(&body.bytes).collect();
    for (pair, evil) in pairs.iter().zip(samples::HOSTILE) {
        assert_eq!((pair.0.as_ref(), pair.1.as_ref()), ("c", evil));
    }
    let markup = "<p>{% for hit in data.hits %}{{ hit.client }}{% endfor %}</p>";
    for kind in ["text/html", "application/atom+xml; charset=utf-8", "text/xml"] {
        let body = compile(markup, kind).render(&context).body.unwrap();
        let body = String::from_utf8(body.bytes).unwrap();
        assert!(!body[3..].trim_end_matches("</p>").contains(['<', '>']), "{body}");
        assert!(!body.contains('\u{1b}'));
    }
}

#[test]
fn other_content_types() {
    assert_eq!(
        made("{{ title }} & \"{{ data.count }}\"", "text/plain").unwrap(),
        "HSM key deleted & \"3\""
    );
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        made("t={{ title }}&n={{ data.count }}", form).unwrap(),
        "t=HSM%20key%20deleted&n=3"
    );
    assert_eq!(
        made("p={{ {'a': title} }}", form).unwrap(),
        "p=%7B%22a%22%3A%20%22HSM%20key%20deleted%22%7D"
    );
    assert_eq!(made("{{ {'a': [1, none]} }}", "text/plain").unwrap(), "{\"a\": [1, null]}");
    assert_eq!(
        compile("x", "text/plain; charset=utf-8").content_type(),
        "text/plain; charset=utf-8"
    );
    for bad in
        ["", "json", "a/b/c", "text/", "/json", "text/pl ain", "text/plain\r\nx: y", "tëxt/plain"]
    {
        let problem = Template::compile("x", &BTreeMap::new(), bad).unwrap_err();
        assert_eq!(problem.part, Part::ContentType, "{bad}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let long = "x".repeat(MAX_TEMPLATE + 1);
    let mut all: Vec<String> = Vec::new();
    let bad = [
        "{\n  \"a\": {{ title }\n}",
        "{{ titel | nosuch }}",
        "{% if x %}",
        "{% include \"/etc/passwd\" %}",
        "{% import 'x' as x %}",
        "{% extends 'x' %}",
        "{% macro x() %}{% endmacro %}",
        "ä{{ \"\\x\" }}",
        "{% for x in %}{% endfor %}",
        &long,
    ];
    for text in bad {
        match Template::compile(text, &BTreeMap::new(), CONTENT_TYPE) {
            Err(problem) => {
                all.push(format!("{problem}\n  hint: {}", problem.hint.clone().unwrap_or_default()))
            }
            // Names are looked up when it runs.
            Ok(template) => all.push(told(&template.render(&context_of_one()).body.unwrap_err())),
        }
    }
    samples::snapshots(|| insta::assert_snapshot!("template_problems", all.join("\n")));
    assert_eq!(problem("{\n \"ä\": {{ ! }}").line, 2);
}

#[test]
fn what_fails_while_rendering_is_told_with_its_place() {
    let bad = [
        "{\n  \"a\": {{ titel }}\n}",
        "{\"a\": {{ data.nosuch.more }}}",
        "{\"a\": {{ data.hits[77].caller }}}",
        "{% if data.note %}1{% endif %}",
        "{\"a\": {{ title | safe }}}",
        "{\"a\": {{ title | nosuch }}}",
        "{\"a\": {{ nosuch() }}}",
        "{\"a\": {{ title.nosuch() }}}",
        "{\"a\": {{ title + 1 }}}",
        "{\"a\": {{ data.hits[0].client | int }}}",
        "{\"a\": {{ range(100000000) }}}",
        "[{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}]",
        "{\"a\": {{ \"x\" * 300000 }}}",
        "{\"a\": {{ \"x\" * 900000000 }}}",
        "{\"a\": \"{{ title }}\"}",
        "{\n  \"a\": {{ title }},\n}",
        "{\"a\": {{ title }}",
        "{\"a\": 1} x",
        "",
        "{\"a\": {{ debug() }}}",
        "{\"a\": {{ now() }}}",
    ];
    let mut all = Vec::new();
    for text in bad {
        let fault = made(text, CONTENT_TYPE).expect_err(text);
        let shown: String = text.chars().take(60).collect();
        all.push(format!(
            "{shown}\n  -> {}\n     hint: {}",
            told(&fault),
            fault.problem.hint.clone().unwrap_or_default()
        ));
    }
    samples::snapshots(|| insta::assert_snapshot!("template_faults", all.join("\n")));
}
