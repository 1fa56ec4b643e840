use super::*;
use crate::notify::samples::{self, t};
use crate::watch::severity::Severity;
use proptest::prelude::*;

fn telling(alert: &Alert, detail: Detail) -> Telling<'_> {
    Telling { alert, detail, nth: 1, previous: None, former: None, cleans_up: false }
}

/// One that has a past.
fn later(alert: &Alert) -> Telling<'_> {
    Telling {
        nth: 3,
        previous: Some(("1f2e3d4c5b6a79881f2e3d4c5b6a7988", t("2026-11-20T07:00:01Z"))),
        former: Some("SEC-12"),
        ..telling(alert, Detail::Full)
    }
}

#[test]
fn as_read() {
    for (name, alert) in samples::all() {
        let case = text(&telling(&alert, Detail::Full), Place::Case, 4_000, Unit::Utf16);
        let note = text(&later(&alert), Place::Note, 4_000, Unit::Utf16);
        let title = title(&alert, Detail::Full, 160);
        let shown = format!("{title}\n---- case\n{case}\n---- note\n{note}\n")
            .replace(content::VERSION, "hsmwatch [version]");
        samples::snapshots(|| insta::assert_snapshot!(format!("plain_{name}"), shown));
    }
}

#[test]
fn what_came_before_is_named() {
    let alert = samples::alert(Severity::High);
    let first = text(&telling(&alert, Detail::Full), Place::Case, 4_000, Unit::Chars);
    assert!(!first.contains("Alert number") && !first.contains("earlier case"));
    for place in [Place::Case, Place::Note] {
        let text = text(&later(&alert), place, 4_000, Unit::Chars);
        assert!(text.contains("An earlier case of this incident is closed: SEC-12."), "{text}");
        let before = "Alert number 3 of this incident; the one before was \
                      1f2e3d4c5b6a79881f2e3d4c5b6a7988, of 2026-11-20 07:00:01 UTC.";
        assert!(text.contains(before), "{text}");
    }
    let ends = Telling { cleans_up: true, ..telling(&alert, Detail::Full) };
    assert!(text(&ends, Place::Note, 4_000, Unit::Chars).contains("The test is over"));
}

#[test]
fn a_test_says_so_in_its_title() {
    let mut alert = samples::alert(Severity::Critical);
    assert!(title(&alert, Detail::Full, 130).starts_with("CRITICAL: HSM key deleted. "));
    alert.reason = Reason::Test;
    let title = title(&alert, Detail::Full, 40);
    assert_eq!(title, "TEST · CRITICAL: HSM key deleted. 3 key…");
}

#[test]
fn text_from_the_log_is_no_link_and_no_tag() {
    for (from, to) in [
        ("see https://evil.example/x", "see hxxps://evil.example/x"),
        ("HTTP://evil.example", "hxxp://evil.example"),
        ("xhttp://a", "xhttp://a"),
        ("a.http://a", "a.hxxp://a"),
        ("javascript:alert(1)", "javascript(:)alert(1)"),
        ("mailto:x@y.example", "mailto(:)x@y.example"),
        ("[click](https://e.example)", "⁅click⁆(hxxps://e.example)"),
        ("[code]<b>x</b>[/code]", "⁅code⁆‹b›x‹/b›⁅/code⁆"),
        ("10:20 hsm1: ok", "10:20 hsm1: ok"),
        ("fe80::1", "fe80::1"),
        ("", ""),
    ] {
        assert_eq!(defanged(from), to);
    }
    let text = text(&telling(&samples::hostile(), Detail::Full), Place::Case, 9_999, Unit::Chars);
    assert!(!text.contains("https://evil") && text.contains("hxxps://evil"), "{text}");
    assert!(!text.contains("<at>") && !text.contains("[click]"), "{text}");
    assert!(!text.replace('\n', "").chars().any(limits::is_hidden), "{text:?}");
}

#[test]
fn counts_let_no_field_of_the_log_out() {
    for (name, alert) in samples::all() {
        for place in [Place::Case, Place::Note] {
            let text = text(&telling(&alert, Detail::Counts), place, 4_000, Unit::Chars);
            for field in
                ["10.20.4.17", "azcloudhsm", "CN_", "hsm1", "blade/Logs", "evil", "hsm-prod"]
            {
                assert!(!text.contains(field), "{name}: {field}: {text}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_alert_fits_and_names_itself(
        alert in samples::any_alert(),
        max in 4_000usize..20_000,
        unit in prop::sample::select(vec![Unit::Chars, Unit::Utf16]),
    ) {
        for place in [Place::Case, Place::Note] {
            for telling in [telling(&alert, Detail::Full), later(&alert)] {
                let text = text(&telling, place, max, unit);
                prop_assert!(unit.len(&text) <= max);
                // By its id a later attempt knows that this one arrived.
                prop_assert!(text.contains(&alert.id));
                prop_assert!(!text.replace('\n', "").chars().any(limits::is_hidden));
            }
            let counts = text(&telling(&alert, Detail::Counts), place, max, unit);
            prop_assert!(!counts.contains(samples::MARK) && !counts.contains("CN_"));
        }
        for max in [130, 160, 255] {
            let title = title(&alert, Detail::Full, max);
            prop_assert!(!title.is_empty() && Unit::Utf16.len(&title) <= max);
            prop_assert!(!title.contains(['\n', '<', '[']) || !title.contains(samples::MARK));
            prop_assert!(!super::title(&alert, Detail::Counts, max).contains(samples::MARK));
        }
    }
}
