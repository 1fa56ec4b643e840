use super::*;
use crate::config::{Input, System, load};
use crate::notify::Detail;
use crate::watch::severity::Severity;
use std::collections::BTreeMap;

const CONFIG: &str = r#"
presets = ["all"]
[state]
path = "state"
[[workspace]]
name = "prod"
id = "11111111-2222-3333-4444-555555555555"
[[receiver]]
name = "itsm"
kind = "webhook"
url = "http://127.0.0.1:9/"
unsigned = true
"#;

pub(super) fn setup() -> Setup {
    let lookup = System::here();
    let input = Input::File { name: "hsmwatch.toml", text: CONFIG };
    let loaded = load(input, &setup::known(), &lookup).unwrap();
    setup::finish(loaded, "hsmwatch.toml".to_owned(), lookup).unwrap()
}

fn receiver(text: &str, header: &str, detail: Detail) -> Receiver {
    let headers = BTreeMap::from([("X-About".to_owned(), header.to_owned())]);
    receiver_of(Template::compile(text, &headers, "application/json").unwrap(), detail)
}

pub(super) fn receiver_of(template: Template, detail: Detail) -> Receiver {
    let format = webhook::Format::Template(template);
    Receiver {
        name: "itsm".to_owned(),
        settings: Settings::Webhook(webhook::Settings { format, ..Default::default() }),
        min_severity: Severity::Info,
        rules: None,
        detail,
        keys: Vec::new(),
        credential: String::new(),
    }
}

fn told(text: &str, header: &str, detail: Detail) -> Vec<String> {
    let found = problems(&setup(), &[receiver(text, header, detail)]);
    found.into_iter().map(|problem| problem.message).collect()
}

#[test]
fn a_template_that_holds_for_all_is_fine() {
    let text = r#"{"title": {{ title }}, "text": {{ text }}, "in": "{{ summary | in_string }}",
        "hits": [{% for hit in data.hits %}{{ hit.client | default(none) }}{% if not loop.last %},{% endif %}{% endfor %}],
        "all": {{ data }}}"#;
    for detail in [Detail::Full, Detail::Counts] {
        assert_eq!(told(text, "{{ title }}", detail), [""; 0]);
    }
}

#[test]
fn what_fails_is_told_once_with_what_it_fails_for() {
    let rules = crate::watch::presets::all().len() - 1;
    let of = |text: &str| told(text, "", Detail::Full);
    assert_eq!(
        of("{\n\"a\": {{ titel }}}"),
        [format!(
            "receiver `itsm`: template, line 2, column 9: fails for an alert of rule `{}` and {rules} more: undefined value: `titel` is undefined",
            crate::watch::presets::all().iter().map(|p| p.spec.id.as_str()).min().unwrap()
        )]
    );
    let one = of("{\"a\": {{ data.hits[0].time }}}");
    assert!(one[0].contains("(a digest, which lists no hit and names no group)"), "{one:?}");
    assert!(one[0].contains("`data.hits[0]` is undefined"), "{one:?}");
    let one = of("{\"a\": {{ data.caveat }}}");
    assert!(
        one[0].contains("an alert of hsmwatch itself (that something is the matter)"),
        "{one:?}"
    );
    let one =
        of("{\"a\": [{% for hit in data.hits %}\"{{ hit.caller | default('') }}\",{% endfor %}1]}");
    assert!(one[0].contains("the body is not JSON"), "{one:?}");
    let one = told("{\"a\": {{ data.first_seen }}}", "", Detail::Counts);
    assert!(one[0].contains("`data.first_seen` is undefined"), "{one:?}");
    // The engine's own words are of use here: what they name is made up.
    let one = of("{\"a\": {{ title + 1 }}}");
    assert!(one[0].contains("unsupported"), "{one:?}");
}

#[test]
fn headers_too() {
    let one = told("{}", "{{ nosuch }}", Detail::Full);
    assert_eq!(one.len(), 1);
    assert!(
        one[0].starts_with("receiver `itsm`: header `X-About`, line 1, column 4: fails"),
        "{one:?}"
    );
    assert_eq!(told("{}", "{{ text }} {{ data.group }}", Detail::Full), [""; 0]);
}

#[test]
fn only_what_a_receiver_gets_counts() {
    let mut receiver = receiver("{{ nosuch }}", "", Detail::Full);
    receiver.rules = Some(vec!["key-delete".to_owned()]);
    let found = problems(&setup(), &[receiver]);
    assert!(found[0].message.contains("of rule `key-delete`: undefined"), "{}", found[0].message);
}
