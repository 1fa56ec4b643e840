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
        assert!(
            !body.trim_start_matches("<p>").trim_end_matches("</p>").contains(['<', '>']),
            "{body}"
        );
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
        "p=%7B%22a%22%3A%22HSM%20key%20deleted%22%7D"
    );
    assert_eq!(made("{{ {'a': [1, none]} }}", "text/plain").unwrap(), "{\"a\":[1,null]}");
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
                all.push(format!(
                    "{problem}\n  hint: {}",
                    problem.hint.clone().unwrap_or_default()
                ));
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

const DOCS: &str = include_str!("../../../../docs/templates.md");

/// Every name that a template may find, as docs/templates.md writes it.
fn names(json: &Json, at: &str, out: &mut std::collections::BTreeSet<String>) {
    match json {
        // By column: the names are the log's.
        Json::Object(_) if at == "data.group" || at == "data.hits[].fields" => {
            out.insert(at.to_owned());
        }
        Json::Object(all) => {
            for (name, value) in all {
                let dot = if at.is_empty() { "" } else { "." };
                names(value, &format!("{at}{dot}{name}"), out);
            }
        }
        Json::Array(all) => {
            out.insert(at.to_owned());
            for value in all {
                names(value, &format!("{at}[]"), out);
            }
        }
        _ => {
            out.insert(at.to_owned());
        }
    }
}

#[test]
fn the_reference_names_what_there_is_and_nothing_else() {
    let mut there = std::collections::BTreeSet::new();
    let mut alerts: Vec<_> = samples::all().into_iter().map(|(_, alert)| alert).collect();
    let mut long = samples::alert(Severity::Low);
    long.hits[0].client = Some("x".repeat(100_000));
    alerts.push(long);
    let (ill, well) = samples::ill_and_well();
    alerts.extend([ill, well]);
    for alert in alerts {
        for detail in [Detail::Full, Detail::Counts] {
            names(&context::object(&alert, detail), "", &mut there);
        }
    }
    let section = DOCS.split("## What there is").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let told: std::collections::BTreeSet<String> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap().split(", "))
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect();
    assert_eq!(told, there);
    for (name, meaning) in READY {
        assert!(section.contains(&format!("| `{name}` | {meaning} |")), "{name}");
    }
}

#[test]
fn the_reference_names_filters_that_are_there() {
    let section = DOCS.split("## Filters").nth(1).unwrap().split("\n\n").next().unwrap();
    let words = section.split('`').skip(1).step_by(2).filter(|word| !word.contains(['{', '%']));
    let mut n = 0;
    for name in words.map(|word| word.split('(').next().unwrap()).filter(|name| *name != "n") {
        let text = format!("{{{{ title | {name} }}}}");
        let told = made(&text, "text/plain").err().map(|fault| told(&fault)).unwrap_or_default();
        assert!(!told.contains("unknown filter"), "{name}");
        n += 1;
    }
    assert_eq!(n, 25);
    for gone in ["safe", "escape", "e", "pprint", "attr"] {
        let fault = made(&format!("{{{{ title | {gone} }}}}"), "text/plain").unwrap_err();
        assert!(told(&fault).contains("unknown filter"), "{gone}");
    }
}

/// The examples in the reference do what it says.
#[test]
fn the_reference_is_right() {
    let mut blocks = DOCS.split("```jinja\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let ticket = as_json(blocks.next().unwrap());
    assert_eq!(ticket["subject"], "[HIGH] HSM key deleted");
    let body = as_json(blocks.next().unwrap());
    let body = body["body"].as_str().unwrap();
    let lines: Vec<&str> = body.trim_end().lines().map(str::trim).collect();
    assert_eq!(lines.len(), 4, "{body}");
    assert_eq!(lines[1], "- 2026-11-22T09:01:12.1234567Z CN_TOMBSTONE_OBJECT from 10.20.4.17");
    for (n, text) in DOCS.split("`[{% for").skip(1).enumerate() {
        let text = format!("[{{% for{}", text.split('`').next().unwrap());
        assert_eq!(as_json(&text).as_array().unwrap().len(), 3, "{n}");
    }
    assert_eq!(
        as_json("{{ data.hits | map(attribute=\"time\") | list }}").as_array().unwrap().len(),
        3
    );
}

#[test]
fn headers_are_templates_that_cannot_break_out() {
    let headers = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let with = |pairs: &[(&str, &str)]| Template::compile("{}", &headers(pairs), CONTENT_TYPE);
    let hostile = context(&samples::hostile(), Detail::Full);
    let text = "{% for hit in data.hits %}{{ hit.client }};{% endfor %}";
    let made = with(&[("X-A", text), ("x-b", " {{ severity_number }} ")]).unwrap().render(&hostile);
    assert_eq!(made.header_fault, None);
    assert_eq!(made.headers[1], ("x-b".to_owned(), "1".to_owned()));
    assert!(made.headers[0].1.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    assert!(made.headers[0].1.contains("evil [click]"));

    let bad = [
        "Authorization",
        "content-type",
        "Content-Length",
        "HOST",
        "webhook-id",
        "Webhook-Signature",
        "X-Hub-Signature-256",
        "Transfer-Encoding",
        "",
        "a b",
        "a:b",
        "é",
        "a\r\nb",
    ];
    let mut all = Vec::new();
    for name in bad {
        let problem = with(&[(name, "x")]).unwrap_err();
        all.push(format!("{problem}\n  hint: {}", problem.hint.clone().unwrap_or_default()));
    }
    all.push(with(&[("x-a", "1"), ("X-A", "2")]).unwrap_err().to_string());
    all.push(with(&[("x-a", &"x".repeat(5_000))]).unwrap_err().to_string());
    all.push(with(&[("x-a", "{{ ! }}")]).unwrap_err().to_string());
    for text in [
        "a\nb",
        "é",
        "{{ nosuch }}",
        "{{ \"x\" * 2000 }}{{ \"x\" * 2000 }}{{ \"x\" * 2000 }}{{ \"x\" * 2000 }}{{ \"x\" * 2000 }}",
    ] {
        let made = with(&[("x-a", text), ("x-b", "kept")]).unwrap().render(&context_of_one());
        assert!(made.body.is_ok());
        assert_eq!(made.headers, [("x-b".to_owned(), "kept".to_owned())]);
        all.push(made.header_fault.unwrap().problem.to_string());
    }
    samples::snapshots(|| insta::assert_snapshot!("template_headers", all.join("\n")));
}

/// What is told of a failure holds nothing of the alert, wherever the template puts it.
#[test]
fn faults_hold_nothing_of_the_log() {
    let mut alert = samples::hostile();
    for hit in &mut alert.hits {
        hit.client = Some("LOGVALUE".to_owned());
    }
    let context = context(&alert, Detail::Full);
    for text in [
        "{{ data.hits[0].client | int }}",
        "{{ data.hits[0].client + 1 }}",
        "{{ data[data.hits[0].client] }}",
        "{{ data.hits[0][data.hits[0].client].x }}",
        "{{ data.hits[0].client() }}",
        "{% for a, b in data.hits[0].client %}{% endfor %}",
        "{{ data.hits[0].client | join(1, 2, 3) }}",
        "{{ range(data.hits[0].client) }}",
        "{{ [1] | map(data.hits[0].client) | list }}",
        "{{ [1] | select(data.hits[0].client) | list }}",
        "{{ data.hits[0].client | map(data.hits[0].client) }}",
        "{{ data.hits | select(data.hits[0].client) | list }}",
        "\"{{ data.hits[0].client }}\"",
        "{% set x = \"{\" ~ data.hits[0].client %}{{ x }}]",
    ] {
        let fault = compile(text, CONTENT_TYPE).render(&context).body.expect_err(text);
        let told = format!("{} {:?}", fault.problem, fault.problem.hint);
        assert!(!told.contains("LOGVALUE"), "{text}: {told}");
    }
}

/// Nested as deeply as a template can make it, a value is an error or is written: it is never too much for the stack.
#[test]
fn nothing_is_too_deep() {
    // From one turn of a loop to the next nothing is carried.
    for gone in ["namespace(x=[])", "dict(a=1)", "debug()"] {
        let fault = made(&format!("{{{{ {gone} }}}}"), "text/plain").unwrap_err();
        assert!(told(&fault).contains("unknown function"), "{gone}");
    }
    let loops = "{% set x = [] %}{% for i in range(5000) %}{% set x = [x] %}{% endfor %}{{ x }}";
    assert_eq!(made(loops, CONTENT_TYPE).unwrap(), "[]");
    for one in [
        "{% set x = [x] %}",
        "{% set x = {'a': x} %}",
        "{% set x = x, %}",
        "{% set x = x|map %}",
        "{% set x = [[x]] %}",
    ] {
        let n = MAX_PARTS / Intricacy::of(one).parts;
        let most = format!("{{% set x = [] %}}{}{{{{ x }}}}", one.repeat(n - 1));
        let _either = made(&most, CONTENT_TYPE);
        let _either = made(&most.replace("{{ x }}", "{{ x == x }} {{ x ~ x }}"), "text/plain");
        let more = format!("{{% set x = [] %}}{}{{{{ x }}}}", one.repeat(n + 1));
        assert!(problem(&more).message.contains("200 brackets"), "{one}");
    }
    for (one, last) in [
        ("(", ")"),
        ("not ", ""),
        ("-", ""),
        ("1+", ""),
        ("1 ~ ", ""),
        ("1 and ", ""),
        ("1 if 1 else ", ""),
        ("1 == ", ""),
        ("[", "]"),
    ] {
        let n = MAX_WORDS / Intricacy::of(&format!("{{{{{one}{last}}}}}")).words;
        let tag = |n| format!("{{{{ {}1{} }}}}", one.repeat(n), last.repeat(n));
        let _either = Template::compile(&tag(n - 1), &BTreeMap::new(), CONTENT_TYPE)
            .map(|template| template.render(&context_of_one()).body);
        assert!(problem(&tag(n + 1)).message.contains("200 words"), "{one}");
    }
    let tag = |n| format!("{{{{ data{} }}}}", ".a".repeat(n));
    assert!(made(&tag(MAX_WORDS / 2 - 1), CONTENT_TYPE).is_err());
    for (one, last) in [
        ("{%elif a%}", "{%endif%}"),
        ("{%if title%}", ""),
        ("{%if title%}", "{%endif%}"),
        ("{%set a%}", "{%endset%}"),
        ("{%with%}", "{%endwith%}"),
        ("{%for a in title%}", "{%endfor%}"),
    ] {
        let n = MAX_TEMPLATE / (one.len() + last.len()) - 10;
        let text = format!("{{%if 1%}}{}{}{{%endif%}}", one.repeat(n), last.repeat(n));
        let _either = Template::compile(&text, &BTreeMap::new(), CONTENT_TYPE)
            .map(|template| template.render(&context_of_one()).body);
        let text = format!("{{%if 0%}}{}{{%endif%}}", one.repeat(n));
        let _either = Template::compile(&text, &BTreeMap::new(), CONTENT_TYPE)
            .map(|template| template.render(&context_of_one()).body);
    }
    let elifs = |n: usize| format!("{{%if 0%}}{}{{%else%}}1{{%endif%}}", "{%elif 0%}".repeat(n));
    assert_eq!(made(&elifs(MAX_ELIFS), CONTENT_TYPE).unwrap(), "1");
    assert!(problem(&elifs(MAX_ELIFS + 1)).message.contains("`elif`"));
    let recursive = "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}";
    assert!(made(recursive, CONTENT_TYPE).is_err());
    // Small as it is kept, huge as it would be written.
    let shared = "{% set a = [text] * 999 %}{% set b = [a] * 999 %}{% set c = [b] * 999 %}{{ c }}";
    assert!(made(shared, CONTENT_TYPE).is_err() && made(shared, "text/plain").is_err());
}

#[test]
fn what_counts_as_a_part_stands_in_tags() {
    for (text, parts) in [
        ("{\"a\": [1, 2, {\"b\": 3}]}", 0),
        ("{{ [1, 2] | list }}", 3),
        ("{% if x(1) %}[[[{% endif %}", 1),
        ("{{ \"[[}}[[\" }}{{ ',,\\',,' ~ [1] }}", 1),
        ("{{", 0),
        ("{", 0),
    ] {
        assert_eq!(Intricacy::of(text).parts, parts, "{text}");
    }
}

#[test]
fn the_largest_alert_takes_a_small_part_of_what_it_may() {
    let text = "{\"t\": {{ text }}, \"h\": [{% for hit in data.hits %}{{ hit }}, {{ hit.time ~ hit.caller ~ hit.operation | lower }},{% endfor %} 1]}";
    let template = compile(text, CONTENT_TYPE);
    let context = context(&samples::many(), Detail::Full);
    assert!(template.render(&context).body.is_ok());
    // As if there were a twentieth of it.
    let mut compiled = Arc::into_inner(template.0).unwrap();
    compiled.engine.set_fuel(Some(FUEL / 20));
    assert!(Template(Arc::new(compiled)).render(&context).body.is_ok());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    /// Whatever stands in an alert: JSON stays JSON, with the texts as they are, and the same at every attempt.
    #[test]
    fn any_alert_is_json(alert in samples::any_alert()) {
        let text = "{\"a\": {{ title }}, \"b\": \"{{ summary | in_string }}\", \"c\": {{ text }}, \"d\": {{ data.hits[:20] }}, \"e\": {{ data.group }}, \"f\": {{ \"x\" ~ data.note | default(\"\") ~ data.rule.id }}}";
        let template = compile(text, CONTENT_TYPE);
        for detail in [Detail::Full, Detail::Counts] {
            let given = context::object(&alert, detail);
            let body = template.render(&context(&alert, detail)).body.unwrap();
            let again = template.render(&context(&alert, detail)).body.unwrap();
            proptest::prop_assert_eq!(&body, &again);
            let json: Json = serde_json::from_slice(&body.bytes).unwrap();
            proptest::prop_assert_eq!(&json["a"], &given["title"]);
            proptest::prop_assert_eq!(&json["b"], &given["summary"]);
            proptest::prop_assert_eq!(&json["c"], &given["text"]);
            let said = json.to_string();
            proptest::prop_assert!(detail == Detail::Full || !said.contains(samples::MARK));
        }
    }
}
