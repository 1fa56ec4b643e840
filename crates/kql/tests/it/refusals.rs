//! What is refused: by which code, where, and how it reads.

use crate::support::{now, refused, typed};

#[test]
fn codes_and_places() {
    let tables = typed();
    let cases = [
        ("T | where nosuch == 1", "KS142@10+6"),
        ("T | where i > 'a'", "KS106@12+1"),
        ("T | where i has 'a'", "KS106@12+3"),
        ("T | where t > 'str'", "KS106@12+1"),
        ("T | where s > 'a'", "KS106@12+1"),
        ("T | project s + s", "KS106@14+1"),
        ("T | project ts > 1", "KS106@15+1"),
        ("T | where i", "KS141@10+1"),
        ("T | where d.a", "KS141@10+3"),
        ("T | where not(i)", "KS107@14+1"),
        ("T | where i in~ ('a')", "KS107@10+1"),
        ("T | where strlen() > 1", "KS119@10+6"),
        ("T | where strlen(s, s) > 1", "KS119@10+6"),
        ("T | project case(b, 1)", "KS120@12+4"),
        ("T | project case(b, 1, 2, 3)", "KS121@12+4"),
        ("T | project bin(t, 1)", "KS127@12+3"),
        ("T | project bin(s, 1)", "KS137@16+1"),
        ("T | project column_ifexists(s, '')", "KS129@28+1"),
        ("T | project coalesce(s, 1)", "KS232@12+8"),
        ("T | where count() > 1", "KS144@10+5"),
        ("T | extend c = count()", "KS144@15+5"),
        ("T | summarize sum(count())", "KS144@18+5"),
        ("T | summarize s", "KS236@14+1"),
        ("T | summarize sum(s)", "KS138@18+1"),
        ("T | summarize min(d)", "KS206@18+1"),
        ("T | summarize count() by d", "KS116@25+1"),
        ("T | distinct *", "KS116@13+1"),
        ("T | extend s=1, s=2", "KS171@16+1"),
        ("T | project a=s, a=i", "KS171@17+1"),
        ("T | extend x=i, y=x", "KS142@18+1"),
        ("T | project-away nosuch", "KS142@17+6"),
        ("T | project-rename s=i", "KS171@19+1"),
        ("T | project-rename s", "KS110@19+1"),
        ("T | take 'a'", "KS134@9+3"),
        ("T | join R on i", "KS145@14+1"),
        ("T | join R on $left.s == $right.l", "KS242@14+19"),
        ("T | join R on s == x", "KS183@14+1 KS183@19+1"),
        ("T | join R", "KS006@10+0"),
        ("T | join kind=frob R on s", "KS005@14+4"),
        ("nosuch | count", "KS204@0+6"),
        ("T | where frob(1)", "KS211@10+4"),
        ("T | frob", "KS176@4+4"),
        ("T | WHERE s == 'a'", "KS176@4+5"),
        ("where 1 == 1", "KS174@0+5"),
        ("T | where i ==", "KS006@14+0"),
        ("T | where (i == 1", "KS005@17+0"),
        ("T | where s == 'abc", "KS001@19+0"),
        ("T | where s not in ('a')", "KS005@12+3"),
        ("T | where not b", "KS117@10+3"),
        ("T | where 1 < 2 < 3", "KS198@16+1"),
        ("T | project s i", "KS005@14+1"),
        ("let x = 5; let x = 6; T", "KS201@15+1"),
        ("let x = 5", "KS005@9+0"),
        ("datatable(a:long, b:long)[1, 2, 3]", "KS173@0+9"),
        ("T | project i.a", "KS142@14+1"),
        ("T | where s matches regex '['", "KQL003@26+3"),
        ("T | where nosuch == 1 and nosuch2 == 2", "KS142@10+6 KS142@26+7"),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .map(|(query, wanted)| (query, wanted, refused(&tables, query).join(" ")))
        .filter(|(_, wanted, got)| got != *wanted)
        .map(|(query, wanted, got)| format!("{query}: {got}, not {wanted}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_only_the_engine_lacks_is_told_apart() {
    let tables = typed();
    for (query, name) in [
        ("T | evaluate bag_unpack(d)", "operator `evaluate`"),
        ("T | facet by s", "operator `facet`"),
        ("T | fork (take 1) (count)", "operator `fork`"),
        ("T | reduce by s", "operator `reduce`"),
        ("find in (T) where s == 'x'", "operator `find`"),
        ("T | scan with (step a: true => ;)", "operator `scan`"),
        ("T | make-series count() on t step 1h", "operator `make-series`"),
        ("search 'x'", "`search` over all tables"),
        ("T | partition by s {R | where s == 'x'}", "`partition` with a source of its own"),
        (
            "T | partition by s (as P | extend n = toscalar(P | count))",
            "a single value of the rows of a part",
        ),
        (
            "T | top-nested 1 of s with others='x' by count(), top-nested of i by count()",
            "`with others` above another level",
        ),
        (
            "T | parse-kv s as (a:string) with (pair_delimiter=';')",
            "`parse-kv` with one delimiter of two",
        ),
        ("T | parse s with 'a' x:datetime *", "`*` after a column of type datetime"),
        ("T | serialize | extend prev(s, i)", "an offset that is not a constant"),
        ("T | where geo_distance_2points(1, 2, 3, 4) > 1", "function `geo_distance_2points`"),
        ("T | summarize hll(i)", "aggregate function `hll`"),
        ("T | where s == 1", "comparing string with long by '=='"),
        ("set query_datetimescope_column='t'; T", "option `query_datetimescope_column`"),
        ("alias database x = y; T", "statement `alias`"),
        ("T | where t > datetime(Q3 2026)", "the form of `datetime(Q3 2026)`"),
    ] {
        let found = kql::bind(query, &tables, now()).unwrap_err();
        assert!(found.only_unsupported(), "{query}: {found}");
        let first = found.iter().next().unwrap();
        assert_eq!(first.code, kql::UNSUPPORTED, "{query}");
        assert!(first.message.starts_with(name), "{query}: {}", first.message);
    }
}

#[test]
fn rendered() {
    let tables = typed();
    let queries = [
        "T | where opp == 'a' and l > 'b'",
        "T\n| where s == 'ä' and nosuch == 1 // ünïcode",
        "T\n\t| where i ==",
        "T | evaluate pivot(s)",
        "T | where tolowr(s) == 'a'",
        "T | whre s == 'a'",
        "T | where i = 1",
        "",
    ];
    let shown: Vec<String> = queries
        .iter()
        .map(|query| kql::bind(query, &tables, now()).unwrap_err().render("rule.kql", query))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}
