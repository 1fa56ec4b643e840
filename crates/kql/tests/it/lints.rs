//! What runs and probably should not.

/// `KQL102 contains` for each warning: its code and what it is about.
fn found(query: &str) -> Vec<String> {
    let all = kql::lints(query);
    all.iter().map(|d| format!("{} {}", d.code, d.span.text(query))).collect()
}

#[test]
fn what_is_warned_of() {
    for (query, expected) in [
        ("T | project a", &["KQL101 T"][..]),
        ("let A = T | project a; A | extend b = 1", &["KQL101 T"]),
        ("let A = T | project a; A | where a == 1", &[]),
        ("union T, (U | where a == 1) | project a", &["KQL101 T"]),
        ("T | where Name contains 'admin'", &["KQL102 contains"]),
        ("T | where Name !contains 'admin' and x == 1", &["KQL102 !contains"]),
        ("T | extend b = iff(Name contains_cs 'admin', 1, 2) | where b == 1", &[]),
        ("T | where Name contains 'a-b' or Name contains 'ab' or Name contains Other", &[]),
        ("T | where a == 1 | join (U) on a", &["KQL103 (U)"]),
        ("T | where a == 1 | join kind=leftanti (U | where a > 2) on a", &["KQL103 U"]),
        ("T | where a == 1 | join (U | where TimeGenerated < window_start) on a", &[]),
        ("let A = U | where b == 1; T | where a == 1 | join (A) on a", &["KQL103 U"]),
        ("let A = U | where b == 1; T | where a == 1 | join (A | where Time > x) on a", &[]),
        ("T | where a == 1 | join (datatable(a:long)[1]) on a", &[]),
        ("T | where a == 1 | take 3", &["KQL104 take"]),
        ("T | where a == 1 | sort by a | take 3", &[]),
        ("T | where a == 1 | top 5 by a | limit 3", &[]),
        ("T | where rand() < 0.5", &["KQL105 rand"]),
        (
            "T | where tolower(Name) == 'a' or 'B' != toupper(Name)",
            &["KQL106 tolower", "KQL106 toupper"],
        ),
        ("T | where a in ((U | where Name contains 'admin' | project a))", &["KQL102 contains"]),
        ("print 1", &[]),
        ("T | where", &[]),
    ] {
        assert_eq!(found(query), expected, "{query}");
    }
}

#[test]
fn every_lint_is_listed() {
    let listed: Vec<&str> = kql::LINTS.iter().map(|(code, _)| *code).collect();
    let query =
        "let r = rand(); T | join (U) on a | where N contains 'abc' or tolower(N) == 'x' | take 1";
    for diagnostic in kql::lints(query) {
        assert!(listed.contains(&diagnostic.code), "{diagnostic}");
        assert_eq!(diagnostic.severity, kql::Severity::Warning);
        assert!(diagnostic.help.is_some());
    }
}
