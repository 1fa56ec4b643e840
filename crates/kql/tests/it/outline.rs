//! Outlines of texts, those that the engine does not run included.

use kql::outline;

fn operators(text: &str) -> String {
    let found = outline(text).unwrap();
    for operator in &found.operators {
        assert_eq!(operator.span.text(text), operator.name);
    }
    let source = found.source.map(|s| format!("<{}> ", s.name)).unwrap_or_default();
    let names: Vec<&str> = found.operators.iter().map(|o| o.name.as_str()).collect();
    format!("{source}{}", names.join(" "))
}

#[test]
fn main_operators() {
    for (text, wanted) in [
        ("T", ""),
        ("T | where a == 1 | summarize count() by b | top 5 by c", "where summarize top"),
        (
            "T | project-away a | mv-expand b | make-series count() on t step 1h",
            "project-away mv-expand make-series",
        ),
        (
            "T | where a in (U | summarize by x) | join (U | summarize count() by k) on k | extend z = 1",
            "where join extend",
        ),
        ("let a = T | summarize count() by x; a | where x > 1", "summarize where"),
        ("let a = T | take 1; let b = a | where y; b | count", "take where count"),
        ("let a = T | take 1; U | join a on k", "join"),
        ("(T | distinct x) | where y", "distinct where"),
        ("materialize(T | top 1 by x) | where y", "top where"),
        ("let f = (n:long) { let z = 1; T | take n }; f(5) | where y", "take where"),
        ("let f = () { let z = T | count; z | where q }; f() | extend y", "count where extend"),
        ("union T, (U | summarize count()) | where x", "<union> where"),
        ("search 'x' | take 5", "<search> take"),
        (
            "T | where s == 'a | summarize' // | take 5\n| where @\"x\\\" == h'| count'",
            "where where",
        ),
        (
            "T | where x == ```a | take 5\n| count``` | extend y = dynamic({\"a|b\":\"(\"})",
            "where extend",
        ),
        ("let a = a | take 1; a | where x", "take where"),
        ("set notruncation; T | where x;", "where"),
        ("T | where t > datetime(2026-11-22T08:00Z) | distinct ['a | b']", "where distinct"),
        ("T\n|\nsummarize\ncount()", "summarize"),
        (
            "let window_start = datetime(2026-11-22); let window_end = datetime(2026-11-23); T | where a | project b",
            "where project",
        ),
        ("| | )", ""),
        ("", ""),
    ] {
        assert_eq!(operators(text), wanted, "{text}");
    }
}

#[test]
fn tables_clocks_and_fuzziness() {
    let text = "let a = Alpha | where t > ago(1h);\nlet n = toscalar(Beta | summarize max(t));\n\
                union isfuzzy=true a, Gamma, (Delta | where x < now(-1d)) | join kind=inner (Epsilon) on k \
                | lookup Zeta on k | where ingestion_time() > n and k in (Eta | project k)";
    let found = outline(text).unwrap();
    assert_eq!(found.tables, ["Alpha", "Beta", "Delta", "Epsilon", "Eta", "Gamma", "Zeta"]);
    let calls: Vec<&str> = found.clock_calls.iter().map(|c| c.span.text(text)).collect();
    assert_eq!(calls, ["ago(1h)", "now(-1d)", "ingestion_time()"]);
    assert_eq!(found.clock_calls[0].function, "ago");
    assert_eq!(found.isfuzzy.map(|s| s.text(text)), Some("isfuzzy=true"));
    assert_eq!(outline("T").unwrap().tables, ["T"]);
    assert_eq!(outline("T | where now == 1 and isfuzzy").unwrap().clock_calls, []);
}

#[test]
fn an_open_string_is_an_error() {
    assert_eq!(outline("T | where s == 'a").unwrap_err().iter().next().unwrap().code, "KS001");
}
