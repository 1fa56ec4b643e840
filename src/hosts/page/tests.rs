//! The style sheet: colours that can be told from what they stand on, and nothing from elsewhere.

use super::*;
use std::collections::BTreeMap;

/// The variables of a block of the style sheet.
fn variables(block: &str) -> BTreeMap<&str, [f64; 3]> {
    block
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": #"))
        .map(|(name, hex)| {
            let part =
                |i: usize| f64::from(u8::from_str_radix(hex.get(i..i + 2).unwrap(), 16).unwrap());
            (name, [part(0), part(2), part(4)])
        })
        .collect()
}

/// The blocks of both schemes.
fn schemes() -> [BTreeMap<&'static str, [f64; 3]>; 2] {
    let (light, rest) = STYLE.split_once("@media (prefers-color-scheme: dark) {").unwrap();
    let (dark, _) = rest.split_once("*, ::before").unwrap();
    [variables(light), variables(dark)]
}

/// As WCAG 2 defines it.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let light = |colour: [f64; 3]| {
        let [r, g, b] = colour.map(|c| {
            let c = c / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (light(a), light(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn contrast_is_computed_as_defined() {
    assert!((contrast([0.0; 3], [255.0; 3]) - 21.0).abs() < 1e-9);
    assert!((contrast([119.0; 3], [255.0; 3]) - 4.48).abs() < 0.01);
}

#[test]
fn texts_and_shapes_stand_out_in_both_schemes() {
    for scheme in schemes() {
        let ratio = |a: &str, b: &str| contrast(scheme[a], scheme[b]);
        for ground in ["ground", "card", "bad-ground"] {
            for text in ["ink", "soft", "good", "hold", "bad", "link"] {
                let ratio = ratio(text, ground);
                assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2}");
            }
        }
        assert!(ratio("on-bad", "bad") >= 4.5, "critical");
        for shape in ["cov", "miss", "wait", "hold", "none", "bars"] {
            let ratio = ratio(shape, "card");
            assert!(ratio >= 3.0, "{shape}: {ratio:.2}");
        }
        assert!(ratio("miss-line", "miss") >= 3.0, "hatching");
    }
}

#[test]
fn both_schemes_name_the_same_colours_and_no_rule_names_another() {
    let [light, dark] = schemes();
    assert_eq!(light.keys().collect::<Vec<_>>(), dark.keys().collect::<Vec<_>>());
    for piece in STYLE.split("var(--").skip(1) {
        let name = piece.split(')').next().unwrap();
        assert!(light.contains_key(name), "{name}");
    }
    let (_, rules) = STYLE.split_once("*, ::before").unwrap();
    let (rules, print) = rules.split_once("@media print").unwrap();
    for line in rules.lines() {
        // An id is no colour.
        let hex = line.split(": #").skip(1).any(|v| v.starts_with(|c: char| c.is_ascii_hexdigit()));
        assert!(!hex, "{line}");
    }
    assert!(print.contains("--ground"));
}

#[test]
fn the_style_sheet_fetches_nothing() {
    for word in ["@import", "http", "//", "data:", "</"] {
        assert!(!STYLE.contains(word), "{word}");
    }
    for url in STYLE.split("url(").skip(1) {
        assert!(url.starts_with('#'), "{url}");
    }
}

#[test]
fn the_policy_allows_this_style_sheet_and_nothing_else() {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    assert_eq!(
        *POLICY,
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    );
}
