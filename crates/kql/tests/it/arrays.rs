//! Functions over arrays and bags, boundary by boundary.

use crate::functions::all;
use crate::support::{refused, run, typed};

#[test]
fn parts_and_orders() {
    all(&[
        ("array_slice(dynamic([1,2,3]), 1, 2)", "dynamic [2,3]"),
        ("array_slice(dynamic([1,2,3,4,5]), 2, -1)", "dynamic [3,4,5]"),
        ("array_slice(dynamic([1,2,3,4,5]), -3, -2)", "dynamic [3,4]"),
        ("array_slice(dynamic([1,2,3]), 2, 1)", "dynamic []"),
        ("array_slice(dynamic([1,2,3]), 1, 99)", "dynamic [2,3]"),
        ("array_slice(dynamic([1,2,3]), -99, 0)", "dynamic [1]"),
        ("array_slice(dynamic([]), 0, 1)", "dynamic []"),
        ("array_slice(dynamic(null), 0, 1)", "dynamic ∅"),
        ("array_slice(dynamic({'a': 1}), 0, 1)", "dynamic ∅"),
        ("array_reverse(dynamic([1,'a',null]))", r#"dynamic [null,"a",1]"#),
        ("array_rotate_left(dynamic([1,2,3,4,5]), 2)", "dynamic [3,4,5,1,2]"),
        ("array_rotate_left(dynamic([1,2,3,4,5]), -2)", "dynamic [4,5,1,2,3]"),
        ("array_rotate_right(dynamic([1,2,3,4,5]), 7)", "dynamic [4,5,1,2,3]"),
        ("array_rotate_right(dynamic([]), 7)", "dynamic []"),
        ("array_shift_left(dynamic([1,2,3,4,5]), 2)", "dynamic [3,4,5,null,null]"),
        ("array_shift_left(dynamic([1,2,3,4,5]), 2, -1)", "dynamic [3,4,5,-1,-1]"),
        ("array_shift_left(dynamic([1,2,3,4,5]), -2, -1)", "dynamic [-1,-1,1,2,3]"),
        ("array_shift_right(dynamic([1,2,3]), 1)", "dynamic [null,1,2]"),
        ("array_shift_right(dynamic([1,2,3]), 9, 'x')", r#"dynamic ["x","x","x"]"#),
        ("array_shift_left(dynamic([1,2]), -9223372036854775808)", "dynamic [null,null]"),
        ("array_sort_asc(dynamic([3,1,2]))", "dynamic [1,2,3]"),
        ("array_sort_desc(dynamic([3,1,2]))", "dynamic [3,2,1]"),
        (
            "array_sort_asc(dynamic([null,'blue','yellow','green',null]))",
            r#"dynamic ["blue","green","yellow",null,null]"#,
        ),
        (
            "array_sort_asc(dynamic([null,'blue','yellow','green',null]), false)",
            r#"dynamic [null,null,"blue","green","yellow"]"#,
        ),
        ("array_sort_desc(dynamic([null,1,2]))", "dynamic [2,1,null]"),
        ("array_sort_asc(dynamic(['10',9,'9',10.5,true]))", r#"dynamic [9,10.5,"10","9",true]"#),
        ("array_split(dynamic([1,2,3,4,5]), 2)", "dynamic [[1,2],[3,4,5]]"),
        ("array_split(dynamic([1,2,3,4,5]), dynamic([1,3]))", "dynamic [[1],[2,3],[4,5]]"),
        ("array_split(dynamic([1,2,3]), -1)", "dynamic [[1,2],[3]]"),
        ("array_split(dynamic([1,2,3]), 9)", "dynamic [[1,2,3],[]]"),
        ("zip(dynamic([1,3,5]), dynamic([2,4,6]))", "dynamic [[1,2],[3,4],[5,6]]"),
        ("zip(dynamic([1]), dynamic([2,4]))", "dynamic [[1,2],[null,4]]"),
        ("zip(dynamic([]), dynamic([]))", "dynamic []"),
    ]);
}

#[test]
fn looking_into_arrays() {
    let words = "dynamic(['this', 'is', 'an', 'example', 'an', 'example'])";
    for (rest, expected) in [
        ("'an'", "2"),
        ("'example', 1, 3", "3"),
        ("'example', 1, 2", "-1"),
        ("'is', 2, 4", "-1"),
        ("'example', 2, -1", "3"),
        ("'an', 1, -1, 2", "4"),
        ("'an', 1, -1, 3", "-1"),
        ("'an', -3", "4"),
        ("'is', -4", "-1"),
        ("'an', 0, -2", "∅"),
        ("'an', 0, -1, -1", "∅"),
        ("'an', 99", "-1"),
    ] {
        let query = format!("array_index_of({words}, {rest})");
        all(&[(query.as_str(), format!("long {expected}").as_str())]);
    }
    all(&[
        ("array_index_of(dynamic([1, 2.0]), 2)", "long 1"),
        ("array_index_of(dynamic(['1']), 1)", "long -1"),
        ("array_length(dynamic([]))", "long 0"),
        ("array_length(dynamic({'a': 1}))", "long ∅"),
        ("array_sum(dynamic([1,2,3,4]))", "real 10.0"),
        ("array_sum(dynamic([1,'a']))", "real ∅"),
        ("array_sum(dynamic([]))", "real 0.0"),
        (
            "array_iff(dynamic([true,false,true]), dynamic([1,2,3]), dynamic([4,5,6]))",
            "dynamic [1,5,3]",
        ),
        ("array_iff(dynamic([1,0,50]), 'yes', 'no')", r#"dynamic ["yes","no","yes"]"#),
        ("array_iff(dynamic(['a', null]), 1, 0)", "dynamic [null,null]"),
        (
            "array_iif(dynamic([true,true,true]), dynamic([1,2]), dynamic([3,4]))",
            "dynamic [1,2,null]",
        ),
        ("set_has_element(dynamic(['a', 1]), 1)", "bool True"),
        ("set_has_element(dynamic(['a', 1]), 'A')", "bool False"),
        ("set_has_element(dynamic(null), 'A')", "bool ∅"),
        ("set_equals(dynamic([1,2,2]), dynamic([2,1]))", "bool True"),
        ("set_equals(dynamic([1,2]), dynamic([1,2,3]))", "bool False"),
        ("set_union(dynamic([1,2,2]), dynamic([2,3]))", "dynamic [1,2,3]"),
        ("set_difference(dynamic([1,2,3]), dynamic([2]), dynamic([3,4]))", "dynamic [1]"),
        ("set_intersect(dynamic([1,2,2,3]), dynamic([2,3]), dynamic([2]))", "dynamic [2]"),
        ("jaccard_index(dynamic([1,1,2,2,3,3]), dynamic([1,2,3,4,4,4]))", "dynamic 0.75"),
        ("array_concat(dynamic([1]), dynamic([]), dynamic(['a']))", r#"dynamic [1,"a"]"#),
        ("array_concat(dynamic([1]), dynamic(null))", "dynamic ∅"),
    ]);
}

#[test]
fn arrays_made_of_values() {
    all(&[
        ("range(1, 8, 3)", "dynamic [1,4,7]"),
        ("range(1, 3)", "dynamic [1,2,3]"),
        ("range(3, 1)", "dynamic []"),
        ("range(3, 1, -1)", "dynamic [3,2,1]"),
        ("range(1, 2, 0)", "dynamic []"),
        ("range(1, 2, 0.5)", "dynamic [1.0,1.5,2.0]"),
        ("range(long(null), 2)", "dynamic ∅"),
        ("range(1h, 3h)", r#"dynamic ["01:00:00","02:00:00","03:00:00"]"#),
        (
            "range(datetime(2007-01-01), datetime(2007-01-03), 1d)",
            r#"dynamic ["2007-01-01T00:00:00.0000000Z","2007-01-02T00:00:00.0000000Z","2007-01-03T00:00:00.0000000Z"]"#,
        ),
        ("array_length(range(1, 1000000000))", "long 1048576"),
        (
            "range(9223372036854775806, 9223372036854775807)",
            "dynamic [9223372036854775806,9223372036854775807]",
        ),
        ("repeat(1, 3)", "dynamic [1,1,1]"),
        ("repeat('a', 0)", "dynamic []"),
        ("repeat(1, -1)", "dynamic ∅"),
        ("pack_array(1, 'a', dynamic([2]), long(null))", r#"dynamic [1,"a",[2],null]"#),
    ]);
}

#[test]
fn bags() {
    all(&[
        ("bag_has_key(dynamic({'a': 1}), 'a')", "bool True"),
        ("bag_has_key(dynamic({'a': 1}), 'A')", "bool False"),
        ("bag_has_key(dynamic({'a': {'b': null}}), '$.a.b')", "bool True"),
        ("bag_has_key(dynamic({'a': {'b': 1}}), '$.a.c')", "bool False"),
        ("bag_has_key(dynamic([1]), 'a')", "bool ∅"),
        ("bag_keys(dynamic({'a': 1, 'c': {'d': 2}}))", r#"dynamic ["a","c"]"#),
        ("bag_keys(dynamic({}))", "dynamic []"),
        ("bag_keys(dynamic([1]))", "dynamic ∅"),
        (
            "bag_merge(dynamic({'A1':12, 'B1':2}), dynamic({'A2':81, 'A1':1}))",
            r#"dynamic {"A1":12,"B1":2,"A2":81}"#,
        ),
        (
            "bag_remove_keys(dynamic({'a': 1, 'b': {'c': 2, 'd': 3}, 'e': [1]}), dynamic(['$.b.c', 'e', 'no']))",
            r#"dynamic {"a":1,"b":{"d":3}}"#,
        ),
        ("bag_set_key(dynamic({'a': 1}), 'b', 'x')", r#"dynamic {"a":1,"b":"x"}"#),
        ("bag_set_key(dynamic({'a': 1}), 'a', 2)", r#"dynamic {"a":2}"#),
        ("bag_set_key(dynamic({'a': 1}), '$.b.c', 1h)", r#"dynamic {"a":1,"b":{"c":"01:00:00"}}"#),
        ("bag_set_key(dynamic([1]), 'a', 2)", "dynamic ∅"),
        ("bag_zip(dynamic(['a', 8, 'b']), dynamic([1, '2', 2.5]))", r#"dynamic {"a":1,"b":2.5}"#),
        ("bag_zip(dynamic(['a', 'b']), dynamic([1]))", r#"dynamic {"a":1,"b":null}"#),
        ("bag_pack('a', 1, 'b', 'x')", r#"dynamic {"a":1,"b":"x"}"#),
        ("treepath(parse_json('{\"a\":\"b\", \"c\":123}'))", r#"dynamic ["['a']","['c']"]"#),
        (
            "treepath(parse_json('{\"l\":[100,\"abcde\",{\"x\":\"y\"}]}'))",
            r#"dynamic ["['l']","['l'][0]","['l'][0]['x']"]"#,
        ),
    ]);
}

#[test]
fn rows_as_bags() {
    let tables = typed();
    let of = |rest: &str| {
        run(
            &tables,
            &format!(
                "datatable(a:string, b:long, c:datetime)['x', 1, datetime(2026-01-01), '', long(null), datetime(null)] | {rest}"
            ),
        )
    };
    insta::assert_snapshot!(
        [
            of("project p = pack_all(), q = pack_all(true)"),
            of("extend d = b + 1 | project pack_all(true)"),
            of("project bag_pack_columns(a, b)"),
            of("project pack_array(*)"),
            of("project pack_array(a, b)"),
            of("extend d = pack_array(b) | project array_sort_asc(d), array_reverse(d)"),
            of("project repeat(b, 2)"),
        ]
        .join("\n")
    );
    assert_eq!(refused(&tables, "T | project pack_all(b)"), ["KS129@21+1"]);
    assert_eq!(refused(&tables, "T | project array_length(s)"), ["KS234@25+1"]);
}
