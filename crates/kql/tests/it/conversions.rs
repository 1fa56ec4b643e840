//! Literals and conversions, one line each: every form, and what lies at the edges.

use crate::functions::all;
use crate::support::{refused, run, typed};

#[test]
fn literals_of_numbers() {
    all(&[
        ("int(0x1f)", "int 31"),
        ("int(-0x1f)", "int -31"),
        ("int( +5 )", "int 5"),
        ("int(2147483647)", "int 2147483647"),
        ("int('5')", "int 5"),
        ("int(null)", "int ∅"),
        ("long(0x7FFFFFFFFFFFFFFF)", "long 9223372036854775807"),
        ("long(0xFFFFFFFFFFFFFFFF)", "long -1"),
        ("long(-9223372036854775808)", "long -9223372036854775808"),
        ("0xF", "long 15"),
        ("real(nan)", "real NaN"),
        ("real(+inf)", "real Infinity"),
        ("real(-inf)", "real -Infinity"),
        ("real(-1.5e-3)", "real -0.0015"),
        ("double(null)", "real ∅"),
        ("1e5", "real 100000.0"),
        ("1E-5", "real 1E-05"),
        ("decimal(1e5)", "decimal 100000"),
        ("bool(true)", "bool True"),
        ("bool(False)", "bool False"),
        ("bool(0)", "bool False"),
        ("bool(-2)", "bool True"),
        ("bool(null)", "bool ∅"),
    ]);
}

#[test]
fn literals_of_time() {
    all(&[
        ("datetime(2025, 6, 14)", "datetime 2025-06-14T00:00:00.0000000Z"),
        ("datetime(2017 - 08 - 01)", "datetime 2017-08-01T00:00:00.0000000Z"),
        ("datetime(12/31/2017)", "datetime 2017-12-31T00:00:00.0000000Z"),
        ("datetime('2017-08-01 10:00')", "datetime 2017-08-01T10:00:00.0000000Z"),
        ("date(null)", "datetime ∅"),
        ("timespan(1.02:03:04.5)", "timespan 1.02:03:04.5000000"),
        ("time(1:2:3:4)", "timespan 1.02:03:04"),
        ("time(-02:03)", "timespan -02:03:00"),
        ("timespan(2)", "timespan 2.00:00:00"),
        ("timespan(15 seconds)", "timespan 00:00:15"),
        ("timespan(0.12:34:56.7)", "timespan 12:34:56.7000000"),
        ("1.5h", "timespan 01:30:00"),
        ("1tick", "timespan 00:00:00.0000001"),
        ("10microsecond", "timespan 00:00:00.0000100"),
        ("250nanoseconds", "timespan 00:00:00.0000002"),
        ("-1d", "timespan -1.00:00:00"),
    ]);
}

#[test]
fn literals_of_text() {
    all(&[
        (r"'\101\60\0'", "string A0\0"),
        (r#"h'abc' H"d""#, "string abcd"),
        (r#"h@"a\b""#, r"string a\b"),
        (r#"@"a""b" @'c''d'"#, "string a\"bc'd"),
        ("```a\n\\b```", "string a\n\\b"),
        ("'a' // more\n 'b'", "string ab"),
        (
            "guid({74be27de-1e4e-49d9-b579-fe0b331d3642})",
            "guid 74be27de-1e4e-49d9-b579-fe0b331d3642",
        ),
        ("guid(74BE27DE1e4e49d9b579fe0b331d3642)", "guid 74be27de-1e4e-49d9-b579-fe0b331d3642"),
    ]);
}

#[test]
fn literals_inside_of_dynamic_ones() {
    all(&[
        (
            "dynamic({'a': datetime(1970-05-11), 'b': 1h, 'c': timespan(1.02:03:04)})",
            r#"dynamic {"a":"1970-05-11T00:00:00.0000000Z","b":"01:00:00","c":"1.02:03:04"}"#,
        ),
        (
            "dynamic([real(1.5), long(2), bool(true), dynamic([1]), real(null)])",
            "dynamic [1.5,2,true,[1],null]",
        ),
        (
            "dynamic(guid(74be27de-1e4e-49d9-b579-fe0b331d3642))",
            "dynamic 74be27de-1e4e-49d9-b579-fe0b331d3642",
        ),
        ("dynamic({'a': -1, 'b': 0x10})", r#"dynamic {"a":-1,"b":16}"#),
    ]);
    let tables = typed();
    for query in ["print dynamic({'a': -1d})", "print dynamic([int(1)])"] {
        assert_eq!(refused(&tables, query).len(), 1, "{query}");
    }
}

#[test]
fn text_of_values() {
    all(&[
        (
            "tostring(dynamic({'b': [1, 2.0, 'x'], 'a': null}))",
            r#"string {"b":[1,2.0,"x"],"a":null}"#,
        ),
        ("strcat('<', dynamic([1, 'a']), '>')", r#"string <[1,"a"]>"#),
        ("tostring(dynamic([1e20, 0.0000001, 1.5]))", "string [1E+20,1E-07,1.5]"),
        ("tostring(dynamic('x'))", "string x"),
        ("tostring(dynamic(true))", "string true"),
        ("tostring(dynamic(null))", "string "),
        ("iff(true, dynamic({'a': 1}), dynamic(2))", r#"dynamic {"a":1}"#),
        ("tostring(parse_json('{\"a\": 1.0}'))", r#"string {"a":1.0}"#),
        ("tostring(1e15)", "string 1E+15"),
        ("tostring(real(nan))", "string NaN"),
        ("tostring(-1.5d)", "string -1.12:00:00"),
        ("tostring(int(null))", "string "),
    ]);
}

#[test]
fn whole_numbers() {
    all(&[
        ("toint('123')", "int 123"),
        ("toint(2.9)", "int 2"),
        ("toint(-2.9)", "int -2"),
        ("toint('0x1F')", "int 31"),
        ("toint(true)", "int 1"),
        ("toint('')", "int ∅"),
        ("toint('12 a')", "int ∅"),
        ("toint(decimal(7.9))", "int 7"),
        ("toint(dynamic('5'))", "int 5"),
        ("toint(dynamic([5]))", "int ∅"),
        ("tolong(1s)", "long 10000000"),
        ("tolong(datetime(1970-01-01))", "long 621355968000000000"),
        ("tolong('9223372036854775807')", "long 9223372036854775807"),
        ("tolong('not a number')", "long ∅"),
        ("tolong(real(nan))", "long ∅"),
        ("tolong(dynamic(5.9))", "long 5"),
    ]);
}

#[test]
fn other_numbers() {
    all(&[
        ("toreal('123.4')", "real 123.4"),
        ("todouble('1e3')", "real 1000.0"),
        ("toreal(true)", "real 1.0"),
        ("toreal(1s)", "real 10000000.0"),
        ("toreal(dynamic('2.5'))", "real 2.5"),
        ("toreal('x')", "real ∅"),
        ("todecimal('123.45678')", "decimal 123.45678"),
        ("todecimal(true)", "decimal 1"),
        ("todecimal(1tick)", "decimal 1"),
        ("todecimal(0.1)", "decimal 0.1"),
        ("exp(decimal(0))", "real 1.0"),
        ("sqrt(decimal(4))", "real 2.0"),
    ]);
}

#[test]
fn truth_time_and_identifiers() {
    all(&[
        ("tobool('true')", "bool True"),
        ("toboolean('FALSE')", "bool False"),
        ("tobool('1')", "bool True"),
        ("tobool(123)", "bool True"),
        ("tobool(0.0)", "bool False"),
        ("tobool('yes')", "bool ∅"),
        ("todatetime('2015-12-31 23:59:59.9')", "datetime 2015-12-31T23:59:59.9000000Z"),
        ("todatetime('12-02-2022') == datetime('12-02-2022')", "bool True"),
        ("todatetime(dynamic('2015-01-01'))", "datetime 2015-01-01T00:00:00.0000000Z"),
        ("todatetime(tolong(datetime(2015-01-01)))", "datetime 2015-01-01T00:00:00.0000000Z"),
        ("todatetime(-1)", "datetime ∅"),
        ("todatetime('x')", "datetime ∅"),
        ("totimespan('0.00:03:00')", "timespan 00:03:00"),
        ("totime('2d')", "timespan 2.00:00:00"),
        ("totimespan(4d)", "timespan 4.00:00:00"),
        ("totimespan('25:00:00')", "timespan ∅"),
        (
            "toguid('0123456789ab-cdef-0123-456789abcdef')",
            "guid 01234567-89ab-cdef-0123-456789abcdef",
        ),
        (
            "toguid('0123456789abcdef0123456789abcdef and more')",
            "guid 01234567-89ab-cdef-0123-456789abcdef",
        ),
        ("toguid('0-123456789abcdef0123456789abcdef')", "guid ∅"),
        ("toguid('a string that is not a guid')", "guid ∅"),
    ]);
    assert_eq!(refused(&typed(), "T | project toguid(g)").len(), 1);
}

#[test]
fn nothing_and_emptiness() {
    all(&[
        ("isempty('')", "bool True"),
        ("isempty(parse_json(''))", "bool True"),
        ("isempty(parse_json('[]'))", "bool False"),
        ("isempty(parse_json('{}'))", "bool False"),
        ("isnull('')", "bool False"),
        ("isnull(parse_json(''))", "bool True"),
        ("isnull(parse_json('null'))", "bool True"),
        ("isnull(parse_json('[]'))", "bool False"),
        ("notnull(int(null))", "bool False"),
        ("notempty(1)", "bool True"),
        ("coalesce(tolong('not a number'), tolong('42'), 33)", "long 42"),
        ("coalesce('', 'a')", "string a"),
    ]);
}

#[test]
fn bins() {
    all(&[
        ("bin(4.5, 1)", "real 4.0"),
        ("bin(-4.5, 1)", "real -5.0"),
        ("bin(-7, 2)", "long -8"),
        ("bin(7, -2)", "long ∅"),
        ("bin(7, 0)", "long ∅"),
        ("bin(-1h, 1d)", "timespan -1.00:00:00"),
        ("floor(time(16d), 7d)", "timespan 14.00:00:00"),
        ("bin_at(6.5, 2.5, 7)", "real 4.5"),
        ("bin_at(time(1h), 1d, 12h)", "timespan -12:00:00"),
        ("bin_at(decimal(6.5), 2.5, 7)", "decimal 4.5"),
        (
            "bin_at(datetime(2017-05-15 10:20:00.0), 1d, datetime(1970-01-01 12:00:00.0))",
            "datetime 2017-05-14T12:00:00.0000000Z",
        ),
        ("weekofyear(datetime(2021-01-01))", "int 53"),
    ]);
}

#[test]
fn operands_that_do_not_go_together() {
    let tables = typed();
    for query in [
        "T | project i between (b .. b)",
        "T | project i between (i .. d)",
        "T | project d between (d .. d)",
        "T | project max_of(d, d)",
        "T | project min_of(g, g)",
    ] {
        assert_eq!(refused(&tables, query).len(), 1, "{query}");
    }
}

#[test]
fn bins_by_options() {
    let rows = "range t from datetime(2017-01-01 00:05) to datetime(2017-01-01 02:00) step 1m \
                | summarize count() by bin_auto(t)";
    let run = |query: &str| run(&typed(), query);
    assert_eq!(
        run(&format!(
            "set query_bin_auto_size=1h; set query_bin_auto_at=datetime(2017-01-01 00:05); {rows}"
        )),
        "t:datetime count_:long\n2017-01-01T00:05:00.0000000Z|60\n2017-01-01T01:05:00.0000000Z|56"
    );
    assert_eq!(run("set query_bin_auto_size=5; print x = 12 | project bin_auto(x)"), "x:long\n10");
    assert_eq!(refused(&typed(), rows).len(), 1);
}

#[test]
fn rows_are_counted_by_what_they_hold() {
    let rows = "datatable(y:real, b:bool)[real(null), true, 5.0, false]";
    assert_eq!(
        run(&typed(), &format!("{rows} | summarize count(), count(y), count(b)")),
        "count_:long count_y:long count_b:long\n2|2|1"
    );
}
