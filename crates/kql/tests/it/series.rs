//! Series, functions of several columns, and the schemas of values.

use crate::functions::all;
use crate::support::{refused, run, typed};

fn lines(cases: &[(&str, &str)]) {
    let tables = typed();
    for (query, wanted) in cases {
        assert_eq!(run(&tables, query).replace('\n', " / "), *wanted, "{query}");
    }
}

#[test]
fn item_by_item() {
    let (a, b) = ("dynamic([1, 2, 4])", "dynamic([4, 2, 1])");
    for (name, wanted) in [
        ("add", "[5,4,5]"),
        ("subtract", "[-3,0,3]"),
        ("multiply", "[4,4,4]"),
        ("divide", "[0.25,1.0,4.0]"),
        ("pow", "[1.0,4.0,4.0]"),
        ("equals", "[false,true,false]"),
        ("not_equals", "[true,false,true]"),
        ("less", "[true,false,false]"),
        ("less_equals", "[true,true,false]"),
        ("greater", "[false,false,true]"),
        ("greater_equals", "[false,true,true]"),
    ] {
        let query = format!("series_{name}({a}, {b})");
        all(&[(query.as_str(), format!("dynamic {wanted}").as_str())]);
    }
    all(&[
        (
            "series_add(dynamic([1, 'a', null, 4]), dynamic([1, 2, 3]))",
            "dynamic [2,null,null,null]",
        ),
        ("series_add(dynamic([1, 2]), 10)", "dynamic [11,12]"),
        ("series_subtract(10, dynamic([1, 2.5]))", "dynamic [9,7.5]"),
        ("series_add(dynamic([]), dynamic([]))", "dynamic []"),
        ("series_add(dynamic(null), dynamic([1]))", "dynamic ∅"),
        ("series_add(dynamic({'a': 1}), dynamic([1]))", "dynamic ∅"),
        ("series_divide(dynamic([2, -2, 0]), 0)", r#"dynamic ["Infinity","-Infinity","NaN"]"#),
        ("series_add(dynamic([9223372036854775807]), 1)", "dynamic [-9223372036854775808]"),
        ("series_equals(dynamic([1, 2.5]), dynamic([1.0, 2.5]))", "dynamic [true,true]"),
        ("series_abs(dynamic([-6.5, 0, -8, 'a']))", "dynamic [6.5,0,8,null]"),
        ("series_sign(dynamic([-6, 0, 8, -2.5]))", "dynamic [-1,0,1,-1.0]"),
        ("series_floor(dynamic([-1.5, 1, 2.5]))", "dynamic [-2.0,1.0,2.0]"),
        ("series_ceiling(dynamic([-1.5, 1, 2.5]))", "dynamic [-1.0,1.0,3.0]"),
        ("series_exp(dynamic([0]))", "dynamic [1.0]"),
        ("series_log(dynamic([1, -1]))", r#"dynamic [0.0,"NaN"]"#),
        ("series_acos(dynamic([1]))", "dynamic [0.0]"),
        ("series_atan(dynamic([0]))", "dynamic [0.0]"),
    ]);
    let tables = typed();
    assert_eq!(refused(&tables, "T | project series_add(i, r)"), ["KS127@12+10"]);
    assert_eq!(refused(&tables, "T | project series_abs(i)"), ["KS234@23+1"]);
}

#[test]
fn as_a_whole() {
    all(&[
        ("series_sum(dynamic([1, 2, 3, 4]))", "real 10.0"),
        ("series_sum(dynamic([1, null]))", "real ∅"),
        ("series_product(dynamic([1, 2, 3, 4]))", "real 24.0"),
        ("series_magnitude(dynamic([1, 2, 3, 4]))", "real 5.477225575051661"),
        ("series_dot_product(dynamic([1, 2, 4]), dynamic([4, 2, 1, 9]))", "real 12.0"),
        ("series_dot_product(dynamic([3, 6, 12]), 3)", "real 63.0"),
        ("series_dot_product(dynamic([1, 'a']), dynamic([4, 2]))", "real 4.0"),
        ("series_dot_product(dynamic([]), dynamic([4]))", "real ∅"),
        ("series_cosine_similarity(dynamic([3, 4]), dynamic([3, 4]))", "real 1.0"),
        ("series_cosine_similarity(dynamic([3, 4]), dynamic([4, 3]), 5, 10)", "real 0.48"),
        ("series_pearson_correlation(dynamic([1, 2, 3]), dynamic([2, 4, 6]))", "real 1.0"),
        ("series_pearson_correlation(dynamic([1, 2]), dynamic([2, 4, 6]))", "real ∅"),
        ("series_stats_dynamic(dynamic([1, null]))", "dynamic ∅"),
        ("series_stats_dynamic(dynamic([]))", "dynamic ∅"),
        (
            "series_stats_dynamic(dynamic([4, null, 2, 2, 4]), true)",
            r#"dynamic {"min":2.0,"min_idx":2,"max":4.0,"max_idx":0,"avg":3.0,"stdev":1.1547005383792515,"variance":1.3333333333333333,"sum":12.0,"len":4}"#,
        ),
    ]);
    lines(&[
        (
            "print x = dynamic([23, 46, 23, 87, 4, 8, 3, 75, 2, 56, 13, 75, 32, 16, 29]) | project series_stats(x)",
            "series_stats_x_min:real series_stats_x_min_idx:long series_stats_x_max:real series_stats_x_max_idx:long series_stats_x_avg:real series_stats_x_stdev:real series_stats_x_variance:real / 2.0|8|87.0|3|32.8|28.50363385354827|812.4571428571429",
        ),
        ("print (a, b) = series_stats(dynamic([5, 4]))", "a:real b:long / 4.0|1"),
        ("print a = series_stats(dynamic(['x']))", "a:real / ∅"),
        (
            "print x = dynamic([5, 4]) | project series_stats(x)[1]",
            "series_stats_x_min_idx:long / 1",
        ),
    ]);
}

#[test]
fn what_is_missing_is_filled() {
    all(&[
        ("series_fill_const(dynamic([1, null, 3]), 0.0)", "dynamic [1,0.0,3]"),
        ("series_fill_const(dynamic([1, null, 3]), -1, 3)", "dynamic [1,null,-1]"),
        ("series_fill_forward(dynamic([null, 36, null, null, 5]))", "dynamic [null,36,36,36,5]"),
        ("series_fill_forward(dynamic([1, 0, 3]), 0)", "dynamic [1,1,3]"),
        ("series_fill_backward(dynamic([null, 36, null, 5, null]))", "dynamic [36,36,5,5,null]"),
        (
            "series_fill_linear(dynamic([null, 111.0, null, 36.0, null]))",
            "dynamic [111.0,111.0,73.5,36.0,36.0]",
        ),
        (
            "series_fill_linear(dynamic([null, 111, null, 36, 41, null, null, 16, null]))",
            "dynamic [111,111,73,36,41,32,24,16,16]",
        ),
        (
            "series_fill_linear(dynamic([null, 1, null, 2.0, null]), double(null), false)",
            "dynamic [null,1,1.5,2.0,null]",
        ),
        ("series_fill_linear(dynamic([null, null]))", "dynamic [0.0,0.0]"),
        (
            "series_fill_linear(dynamic([null, null]), double(null), true, 3.14)",
            "dynamic [3.14,3.14]",
        ),
        ("series_fill_linear(dynamic([]))", "dynamic []"),
    ]);
    lines(&[("print x = dynamic([1]) | project series_fill_forward(x)", "x:dynamic / [1]")]);
    assert_eq!(refused(&typed(), "T | project series_fill_const(d)"), ["KQL001@12+20"]);
}

#[test]
fn several_arrays_in_one_order() {
    lines(&[
        (
            "let a = dynamic([1,3,4,5,2]); let b = dynamic(['a','b','c','d','e']); print array_sort_asc(a, b)",
            r#"a_sorted:dynamic b_sorted:dynamic / [1,2,3,4,5]|["a","e","b","c","d"]"#,
        ),
        (
            "print 1, array_sort_desc(dynamic([1, 2]), dynamic(['x', 'y'])), 3",
            r#"print_0:long array0_sorted:dynamic array1_sorted:dynamic print_2:long / 1|[2,1]|["y","x"]|3"#,
        ),
        ("print array_sort_asc(dynamic([2, 1]))", "print_0:dynamic / [1,2]"),
        (
            "print (x, y) = array_sort_asc(dynamic([2, null, 1]), dynamic([1, 2, 3]), false)",
            "x:dynamic y:dynamic / [null,1,2]|[2,3,1]",
        ),
        ("print x = array_sort_asc(dynamic([2, 1]), dynamic([1]))", "x:dynamic / [1,2]"),
        ("print x = array_sort_asc(dynamic([2, 1]), dynamic([1]))[1]", "x:dynamic / ∅"),
        ("print x = array_sort_asc(dynamic([2, 1]), dynamic([5, 6]))[1]", "x:dynamic / [6,5]"),
        ("print x = array_sort_asc(dynamic([2, 1]))[1]", "x:dynamic / 2"),
        ("print x = array_sort_asc(dynamic([2, null]), false)[0]", "x:dynamic / ∅"),
        (
            "datatable(k:string, v:long)['a', 2, 'b', 1] | summarize array_sort_asc(make_list(v), make_list(k))",
            r#"list_v_sorted:dynamic list_k_sorted:dynamic / [1,2]|["b","a"]"#,
        ),
        (
            "print d = dynamic([2, 1]) | project array_sort_asc(d, d)",
            "d_sorted:dynamic d_sorted1:dynamic / [1,2]|[1,2]",
        ),
        (
            "print d = dynamic([2, 1]), d_sorted = 1 | extend array_sort_asc(d, d)",
            "d:dynamic d_sorted:long d_sorted1:dynamic d_sorted2:dynamic / [2,1]|1|[1,2]|[1,2]",
        ),
        (
            "print d = dynamic([2, 1]) | extend x = array_sort_asc(d, d)",
            "d:dynamic x:dynamic d_sorted:dynamic / [2,1]|[1,2]|[1,2]",
        ),
    ]);
    let tables = typed();
    assert_eq!(refused(&tables, "T | project array_sort_asc(d, 1)"), ["KS234@30+1"]);
    assert_eq!(refused(&tables, "T | project array_sort_asc(d, b)"), ["KS129@30+1"]);
    assert_eq!(refused(&tables, "T | project (x, y) = array_sort_asc(d)"), ["KS150@16+1"]);
    assert_eq!(refused(&tables, "T | project (x, y) = abs(l)"), ["KS149@13+4"]);
    assert_eq!(refused(&tables, "T | project array_sort_asc(d, d)[5]"), ["KQL001@33+1"]);
    assert_eq!(refused(&tables, "T | project tostring(array_sort_asc(d, d))"), ["KQL001@21+14"]);
}

#[test]
fn schemas_of_values() {
    lines(&[
        (
            "datatable(v: dynamic)[dynamic({'x': 1, 'y': 3.5}), dynamic({'x': 'some', 'z': [1, 2, 3]}), dynamic({'y': {'w': 'zzz'}, 't': ['aa', 'bb'], 'z': ['foo']})] | summarize buildschema(v)",
            r#"schema_v:dynamic / {"x":["long","string"],"y":["double",{"w":"string"}],"z":{"`indexer`":["long","string"]},"t":{"`indexer`":"string"}}"#,
        ),
        ("datatable(v: dynamic)[dynamic(1)] | summarize x = buildschema(v)", "x:dynamic / long"),
        ("datatable(v: dynamic)[] | summarize x = buildschema(v)", "x:dynamic / ∅"),
    ]);
    assert_eq!(refused(&typed(), "T | summarize buildschema(s)"), ["KS235@26+1"]);
}

#[test]
fn values_that_would_be_too_large_are_none() {
    all(&[
        ("isnull(repeat(range(1, 1000000), 1000000))", "bool True"),
        ("isnull(repeat(repeat('abcdefgh', 1000), 1000000))", "bool True"),
        (
            "isnull(array_iff(range(1, 100000), repeat('x', 100000)[0], bag_pack('k', range(1, 100000))))",
            "bool True",
        ),
        ("isnull(array_shift_left(range(1, 100000), 100000, range(1, 100000)))", "bool True"),
    ]);
    let mut query = String::from("print a = range(1, 100000)");
    for _ in 0..40 {
        query.push_str(
            " | extend a = pack_array(a, a), b = bag_pack('k', a), c = array_concat(a, a)",
        );
    }
    query.push_str(" | count");
    assert_eq!(run(&typed(), &query), "Count:long\n1");
}
