//! Aggregates, one line each: what is asked of four rows, of nulls and of no rows, and what comes of it.

use crate::support::run;
use kql::MemoryTables;

const ROWS: &str = "datatable(k:string, i:int, l:long, r:real, c:decimal, s:string, b:bool, t:datetime, ts:timespan, d:dynamic, g:guid)[
 'a', 1, 10, 1.5, decimal(1.5), 'x', true, datetime(2026-01-02), 1h, dynamic({'p':1}), guid(00000000-0000-0000-0000-000000000001),
 'a', 3, 30, 2.5, decimal(0.1), '', false, datetime(2026-01-04), 2h, dynamic([1,2]), guid(00000000-0000-0000-0000-000000000002),
 'b', int(null), long(null), real(null), decimal(null), '', bool(null), datetime(null), timespan(null), dynamic(null), guid(null),
 'a', 2, 30, -1.0, decimal(2), 'y', true, datetime(2026-01-03), 3h, dynamic([2,3]), guid(00000000-0000-0000-0000-000000000001)]";

fn all(source: &str, cases: &[(&str, &str)]) {
    let tables = MemoryTables::new();
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(text, wanted)| {
            let got = run(&tables, &format!("{source} | summarize {text}")).replace('\n', " = ");
            (got != *wanted).then(|| format!("{text}: {got}, not {wanted}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn of_rows() {
    all(
        ROWS,
        &[
            ("count()", "count_:long = 4"),
            ("count(b)", "count_b:long = 2"),
            ("countif(l > 10)", "countif_:long = 2"),
            (
                "dcount(l), dcount(s), dcount(d)",
                "dcount_l:long dcount_s:long dcount_d:long = 2|3|3",
            ),
            (
                "dcount(l, 4), dcountif(l, b), dcountif(l, b, 2)",
                "dcount_l:long dcountif_l:long dcountif_l1:long = 2|2|2",
            ),
            (
                "count_distinct(l), count_distinctif(l, b)",
                "count_distinct_l:long count_distinctif_l:long = 2|2",
            ),
            (
                "sum(i), sum(l), sum(r), sum(c), sum(ts)",
                "sum_i:long sum_l:long sum_r:real sum_c:decimal sum_ts:timespan = 6|70|3.0|3.6|06:00:00",
            ),
            ("sumif(i, b), sumif(c, not(b))", "sumif_i:long sumif_c:decimal = 3|0.1"),
            (
                "avg(i), avg(r), avg(c), avg(ts), avg(t)",
                "avg_i:real avg_r:real avg_c:decimal avg_ts:timespan avg_t:datetime = 2.0|1.0|1.2|02:00:00|2026-01-03T00:00:00.0000000Z",
            ),
            ("avgif(l, b), avgif(l, l > 99)", "avgif_l:real avgif_l1:real = 20.0|NaN"),
            (
                "min(i), max(i), min(r), max(c)",
                "min_i:int max_i:int min_r:real max_c:decimal = 1|3|-1.0|2",
            ),
            (
                "min(s), max(s), min(b), max(b)",
                "min_s:string max_s:string min_b:bool max_b:bool = |y|False|True",
            ),
            (
                "min(t), max(ts), maxif(i, b), minif(i, l == 30)",
                "min_t:datetime max_ts:timespan maxif_i:int minif_i:int = 2026-01-02T00:00:00.0000000Z|03:00:00|2|2",
            ),
            ("max(l + 1), sum(1), min(bin(l, 20))", "max_:long sum_:long min_l:long = 31|4|0"),
            ("arg_max(l, i)", "l:long i:int = 30|3"),
            ("arg_max(l, i, s)", "l:long i:int s:string = 30|3|"),
            ("arg_min(r, k)", "r:real k:string = -1.0|a"),
            ("arg_max(l)", "l:long = 30"),
            ("m=arg_max(l, i, x=s)", "m:long i:int x:string = 30|3|"),
            ("arg_max(i * 2, tolower(k), i)", "max_:long max__arg1:string i:int = 6|a|3"),
            (
                "arg_max(t, *)",
                "t:datetime k:string i:int l:long r:real c:decimal s:string b:bool ts:timespan d:dynamic g:guid = 2026-01-04T00:00:00.0000000Z|a|3|30|2.5|0.1||False|02:00:00|[1,2]|00000000-0000-0000-0000-000000000002",
            ),
            (
                "argmax(l, i), argmin(l, i)",
                "max_l:long max_l_i:int min_l:long min_l_i:int = 30|3|10|1",
            ),
            ("take_any(k), take_any(s), any(i)", "k:string s:string any_i:int = a|x|1"),
            ("take_anyif(i, l == 30), anyif(i, b)", "i:int anyif_i:int = 3|1"),
            ("take_any(i, l)", "i:int l:long = 1|10"),
            ("take_any(l * 2), any(l * 2)", "any_arg0:long any_:long = 20|20"),
            (
                "make_list(i), make_set(l), make_list(s)",
                "list_i:dynamic set_l:dynamic list_s:dynamic = [1,3,2]|[10,30]|[\"x\",\"\",\"\",\"y\"]",
            ),
            (
                "make_list(i, 2), make_set(i, 1), make_list_if(i, b, 1)",
                "list_i:dynamic set_i:dynamic list_i1:dynamic = [1,3]|[1]|[1]",
            ),
            (
                "make_list(d), make_set(d)",
                "list_d:dynamic set_d:dynamic = [{\"p\":1},[1,2],[2,3]]|[{\"p\":1},1,2,3]",
            ),
            (
                "make_set_if(i, b), make_list_with_nulls(i)",
                "set_i:dynamic list_i:dynamic = [1,2]|[1,3,null,2]",
            ),
            (
                "make_bag(d), make_bag_if(d, b), make_dictionary(d)",
                "bag_d:dynamic bag_d1:dynamic dictionary_d:dynamic = {\"p\":1}|{\"p\":1}|{\"p\":1}",
            ),
            (
                "make_bag(bag_pack(s, i)), make_bag(bag_pack(s, i), 1)",
                "bag_:dynamic bag_1:dynamic = {\"x\":1,\"\":3,\"y\":2}|{\"x\":1}",
            ),
            (
                "stdev(i), stdevp(i), variance(i), variancep(i)",
                "stdev_i:real stdevp_i:real variance_i:real variancep_i:real = 1.0|0.816496580927726|1.0|0.6666666666666666",
            ),
            (
                "stdevif(i, b), varianceif(i, b), variancepif(i, b)",
                "stdevif_i:real varianceif_i:real variancepif_i:real = 0.7071067811865476|0.5|0.25",
            ),
            (
                "covariance(i, l), covariancep(i, l)",
                "covariance_i:real covariancep_i:real = 10.0|6.666666666666667",
            ),
            (
                "binary_all_or(i), binary_all_and(l), binary_all_xor(i + 0)",
                "i:int l:long Column1:long = 3|10|0",
            ),
            (
                "percentile(i, 50), percentile(r, 0), percentile(c, 100)",
                "percentile_i_50:long percentile_r_0:real percentile_c_100:real = 2|-1.0|2.0",
            ),
            (
                "percentiles(l, 5, 50.5, 99.9)",
                "percentile_l_5:long percentile_l_50_5:long percentile_l_99_9:long = 10|30|30",
            ),
            (
                "percentile(ts, 34), percentile(t, 34)",
                "percentile_ts_34:timespan percentile_t_34:datetime = 02:00:00|2026-01-03T00:00:00.0000000Z",
            ),
            (
                "percentiles_array(i, 1, 50, 100), percentiles_array(i, dynamic([50]))",
                "percentiles_i:dynamic percentiles_i1:dynamic = [1,2,3]|[2]",
            ),
            (
                "percentilew(i, l, 50), percentilesw(i, l, 14, 15)",
                "percentile_i_50:long percentile_i_14:long percentile_i_15:long = 2|1|2",
            ),
            ("percentilesw_array(i, l, 14, 100)", "percentiles_i:dynamic = [1,3]"),
            ("p=percentiles(l, 5, 50)", "p:long percentile_l_50:long = 10|30"),
            (
                "max(l) - min(l), sum(l) / count(), strcat(max(s), '!')",
                "Column1:long Column2:long Column3:string = 20|17|y!",
            ),
            (
                "round(avg(r), 1), tostring(max(l)), toint(sum(l))",
                "avg_r:real max_l:string sum_l:int = 1.0|30|70",
            ),
            ("sum(l), sum(l), x=sum(i)", "sum_l:long sum_l1:long x:long = 70|70|6"),
        ],
    );
}

#[test]
fn of_nulls_by_group() {
    all(
        &format!("{ROWS} | where k == 'b'"),
        &[
            (
                "count(), count(b), dcount(l), count_distinct(i) by k",
                "k:string count_:long count_b:long dcount_l:long count_distinct_i:long = b|1|0|0|0",
            ),
            (
                "sum(l), sum(r), sum(c), sum(ts) by k",
                "k:string sum_l:long sum_r:real sum_c:decimal sum_ts:timespan = b|0|0.0|0|00:00:00",
            ),
            (
                "avg(l), avg(r), avg(c), avg(ts), avg(t) by k",
                "k:string avg_l:real avg_r:real avg_c:decimal avg_ts:timespan avg_t:datetime = b|NaN|NaN|∅|∅|∅",
            ),
            (
                "min(l), max(t), max(s), max(b) by k",
                "k:string min_l:long max_t:datetime max_s:string max_b:bool = b|∅|∅||∅",
            ),
            (
                "arg_max(l, *) by k",
                "k:string l:long i:int r:real c:decimal s:string b:bool t:datetime ts:timespan d:dynamic g:guid = b|∅|∅|∅|∅||∅|∅|∅|∅|∅",
            ),
            (
                "take_any(l), make_list(l), make_set(d), make_bag(d), make_list_with_nulls(l) by k",
                "k:string l:long list_l:dynamic set_d:dynamic bag_d:dynamic list_l1:dynamic = b|∅|[]|[]|{}|[null]",
            ),
            (
                "stdev(l), variance(r), percentile(l, 50), binary_all_or(l) by k",
                "k:string stdev_l:real variance_r:real percentile_l_50:long l:long = b|0.0|0.0|∅|∅",
            ),
        ],
    );
}

#[test]
fn of_no_rows() {
    all(
        &format!("{ROWS} | where k == 'z'"),
        &[
            (
                "count(), dcount(l), sum(l), sum(r), sumif(l, b)",
                "count_:long dcount_l:long sum_l:long sum_r:real sumif_l:long = 0|0|0|0.0|0",
            ),
            (
                "avg(l), avg(ts), min(l), max(s), stdev(l), variance(r)",
                "avg_l:real avg_ts:timespan min_l:long max_s:string stdev_l:real variance_r:real = NaN|∅|∅||0.0|0.0",
            ),
            (
                "make_list(l), make_set(l), percentile(l, 5), take_any(l)",
                "list_l:dynamic set_l:dynamic percentile_l_5:long l:long = []|[]|∅|∅",
            ),
            ("arg_max(l, k)", "l:long k:string = ∅|"),
            ("count() by k", "k:string count_:long"),
            ("sum(l) by k, l", "k:string l:long sum_l:long"),
        ],
    );
}

#[test]
fn ties_and_nans() {
    let rows = "datatable(n:long, r:real, s:string)[1, real(nan), 'a', 2, 1.0, 'b', 3, real(+inf), 'c', 3, 1.0, 'd']";
    all(
        rows,
        &[
            ("arg_max(n, s)", "n:long s:string = 3|c"),
            ("arg_min(r, s)", "r:real s:string = 1.0|b"),
            ("sum(r), dcount(r)", "sum_r:real dcount_r:long = NaN|3"),
            (
                "percentile(r, 100), percentile(r, 50)",
                "percentile_r_100:real percentile_r_50:real = Infinity|1.0",
            ),
        ],
    );
}

#[test]
fn weighted_percentiles_of_buckets() {
    let rows = "datatable(n:long, ms:long)[8, 10, 6, 20, 3, 30, 1, 40]";
    all(
        rows,
        &[
            (
                "percentilesw(ms, n, 50, 75, 99.9)",
                "percentile_ms_50:long percentile_ms_75:long percentile_ms_99_9:long = 20|20|40",
            ),
            (
                "percentilesw_array(ms, n, dynamic([50, 75, 99.9]))",
                "percentiles_ms:dynamic = [20,20,40]",
            ),
        ],
    );
}
