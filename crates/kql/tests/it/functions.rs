//! Expressions, one line each: the text, the type and the value.

use crate::support::{eval, run, typed};

pub(crate) fn all(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(text, wanted)| {
            let got = eval(text);
            (got != *wanted).then(|| format!("{text}: {got}, not {wanted}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn arithmetic() {
    all(&[
        ("7/2", "long 3"),
        ("-7/2", "long -3"),
        ("7%3", "long 1"),
        ("-7%3", "long 2"),
        ("1/0", "long ∅"),
        ("1%0", "long ∅"),
        ("1.0/0", "real Infinity"),
        ("0.0/0.0", "real NaN"),
        ("int(7)/int(2)", "long 3"),
        ("9223372036854775807+1", "long -9223372036854775808"),
        ("-9223372036854775808-1", "long 9223372036854775807"),
        ("1+2*3", "long 7"),
        ("(1+2)*3", "long 9"),
        ("10-4-3", "long 3"),
        ("1+2.5", "real 3.5"),
        ("long(null)+1", "long ∅"),
        ("1h*2", "timespan 02:00:00"),
        ("3*1h", "timespan 03:00:00"),
        ("1h/2", "timespan 00:30:00"),
        ("1h/30m", "real 2.0"),
        ("90m%1h", "timespan 00:30:00"),
        ("-1.5d", "timespan -1.12:00:00"),
        ("datetime(2026-11-22)+1h", "datetime 2026-11-22T01:00:00.0000000Z"),
        ("datetime(2026-11-22)-datetime(2026-11-21)", "timespan 1.00:00:00"),
        ("datetime(2026-11-22)-1tick", "datetime 2026-11-21T23:59:59.9999999Z"),
        ("datetime(9999-12-31)+2d", "datetime ∅"),
        ("gettype(int(1)/int(1))", "string long"),
    ]);
}

#[test]
fn comparisons_are_total_where_equality_is_asked() {
    all(&[
        ("1 == 1.0", "bool True"),
        ("int(null) == 1", "bool False"),
        ("int(null) != 1", "bool True"),
        ("int(null) == int(null)", "bool ∅"),
        ("int(null) != int(null)", "bool ∅"),
        ("int(null) < 1", "bool ∅"),
        ("int(null) >= 1", "bool ∅"),
        ("int(null) in (1, 2)", "bool False"),
        ("int(null) !in (1, 2)", "bool True"),
        ("2 in (1, 2)", "bool True"),
        ("real(nan) == real(nan)", "bool False"),
        ("'a' == 'A'", "bool False"),
        ("'a' =~ 'A'", "bool True"),
        ("'a' !~ 'A'", "bool False"),
        ("'a' in ('A', 'b')", "bool False"),
        ("'a' in~ ('A', 'b')", "bool True"),
        ("'a' !in~ ('A', 'b')", "bool False"),
        ("'a' in (dynamic(['a', 'b']))", "bool True"),
        ("5 between (1 .. 5)", "bool True"),
        ("5 !between (1 .. 5)", "bool False"),
        ("6 between (1 .. 5)", "bool False"),
        ("long(null) between (1 .. 5)", "bool ∅"),
        ("datetime(2026-11-22 01:00) between (datetime(2026-11-22) .. 1h)", "bool True"),
        (
            "datetime(2026-11-22 01:00:00.0000001) between (datetime(2026-11-22) .. 1h)",
            "bool False",
        ),
        ("bool(null) and false", "bool False"),
        ("bool(null) and true", "bool ∅"),
        ("bool(null) or true", "bool True"),
        ("bool(null) or false", "bool ∅"),
        ("not(bool(null))", "bool ∅"),
        ("1 < 2 and 'a' has 'a' or false", "bool True"),
        ("dynamic('x') == 'x'", "bool True"),
        ("dynamic(5) == 5", "bool True"),
        ("dynamic(5) > 4.5", "bool True"),
        ("dynamic(null) == 'x'", "bool False"),
        ("dynamic(null) != 'x'", "bool True"),
    ]);
}

#[test]
fn text_predicates() {
    all(&[
        ("'CN_CREATE_USER' has 'user'", "bool True"),
        ("'CN_CREATE_USER' has_cs 'user'", "bool False"),
        ("'CN_CREATE_USER' !has 'user'", "bool False"),
        ("'CN_CREATE_USERS' has 'USER'", "bool False"),
        ("'CN_CREATE_USERS' hasprefix 'USER'", "bool True"),
        ("'XUSER' hassuffix 'user'", "bool True"),
        ("'x' has ''", "bool True"),
        ("'CN_CREATE' contains 'n_c'", "bool True"),
        ("'CN_CREATE' contains_cs 'n_c'", "bool False"),
        ("'abc' startswith 'AB'", "bool True"),
        ("'abc' startswith_cs 'AB'", "bool False"),
        ("'abc' !endswith 'BC'", "bool False"),
        ("'a b c' has_any ('x', 'B')", "bool True"),
        ("'a b c' has_all ('a', 'x')", "bool False"),
        ("'a b c' has_all (dynamic(['a', 'C']))", "bool True"),
        (r"'ab12' matches regex @'\d+$'", "bool True"),
        ("'Straße' =~ 'STRASSE'", "bool False"),
        ("'ÄB' =~ 'äb'", "bool True"),
        ("dynamic(null) has 'a'", "bool False"),
    ]);
}

#[test]
fn choices() {
    all(&[
        ("iff(true, 1, 2)", "long 1"),
        ("iff(bool(null), 1, 2)", "long 2"),
        ("iif(false, 1, 2.5)", "real 2.5"),
        ("iff(true, 1, 2.5)", "real 1.0"),
        ("case(false, 'a', true, 'b', 'c')", "string b"),
        ("case(false, 'a', false, 'b', 'c')", "string c"),
        ("coalesce('', 'b')", "string b"),
        ("coalesce(long(null), 5)", "long 5"),
        ("coalesce(long(null), long(null))", "long ∅"),
        ("isempty('')", "bool True"),
        ("isempty(' ')", "bool False"),
        ("isempty(long(null))", "bool True"),
        ("isnotempty('a')", "bool True"),
        ("isnull('')", "bool False"),
        ("isnull(long(null))", "bool True"),
        ("isnotnull(1)", "bool True"),
        ("max_of(1, 3, 2)", "long 3"),
        ("min_of(1.5, 3)", "real 1.5"),
    ]);
}

#[test]
fn conversions() {
    all(&[
        ("tostring(1)", "string 1"),
        ("tostring(true)", "string True"),
        ("tostring(1.0)", "string 1.0"),
        ("tostring(1e20)", "string 1E+20"),
        ("tostring(long(null))", "string "),
        ("tostring(1d)", "string 1.00:00:00"),
        ("tostring(datetime(2026-11-22))", "string 2026-11-22T00:00:00.0000000Z"),
        ("tostring(dynamic({\"a\":1}))", "string {\"a\":1}"),
        ("tostring(dynamic('x'))", "string x"),
        ("toint('12')", "int 12"),
        ("toint('x')", "int ∅"),
        ("toint(12.9)", "int 12"),
        ("toint('3000000000')", "int ∅"),
        ("tolong('0x1f')", "long 31"),
        ("tolong(datetime(0001-01-01 00:00:01))", "long 10000000"),
        ("toreal('1e3')", "real 1000.0"),
        ("todouble(dynamic(3))", "real 3.0"),
        ("tobool('TRUE')", "bool True"),
        ("tobool('x')", "bool ∅"),
        ("todatetime('2026-11-22T08:00:00+01:00')", "datetime 2026-11-22T07:00:00.0000000Z"),
        ("todatetime('soon')", "datetime ∅"),
        ("totimespan('1.02:03:04')", "timespan 1.02:03:04"),
        ("parse_json('{\"a\":{\"b\":[1,2]}}').a.b[1]", "dynamic 2"),
        ("parse_json('{\"a\":1}')['a']", "dynamic 1"),
        ("parse_json('')", "dynamic ∅"),
        ("todynamic('no json')", "dynamic no json"),
        ("dynamic([1,2,3])[-1]", "dynamic 3"),
        ("dynamic({\"a\":null}).a", "dynamic ∅"),
        ("toint(dynamic({\"a\":\"5\"}).a)", "int 5"),
        ("gettype(dynamic([1]))", "string array"),
    ]);
}

#[test]
fn times() {
    all(&[
        ("now()", "datetime 2026-11-24T12:00:00.0000000Z"),
        ("now(-1h)", "datetime 2026-11-24T11:00:00.0000000Z"),
        ("ago(1d)", "datetime 2026-11-23T12:00:00.0000000Z"),
        ("bin(datetime(1955-11-05 06:15), 7d)", "datetime 1955-10-31T00:00:00.0000000Z"),
        ("bin(datetime(2026-11-22 08:59:59.9999999), 1h)", "datetime 2026-11-22T08:00:00.0000000Z"),
        ("bin(datetime(null), 1h)", "datetime ∅"),
        ("bin(datetime(2026-11-22), 0s)", "datetime ∅"),
        ("bin(90m, 1h)", "timespan 01:00:00"),
        ("bin(7, 5)", "long 5"),
        ("bin(-1, 5)", "long -5"),
        ("bin(7.9, 2.5)", "real 7.5"),
        ("startofday(datetime(2026-11-22 08:15))", "datetime 2026-11-22T00:00:00.0000000Z"),
        ("startofday(datetime(2026-11-22 08:15), -1)", "datetime 2026-11-21T00:00:00.0000000Z"),
        ("endofday(datetime(2026-11-22))", "datetime 2026-11-22T23:59:59.9999999Z"),
        ("startofweek(datetime(2026-11-24))", "datetime 2026-11-22T00:00:00.0000000Z"),
        ("startofmonth(datetime(2026-11-24))", "datetime 2026-11-01T00:00:00.0000000Z"),
        ("endofmonth(datetime(2024-02-10))", "datetime 2024-02-29T23:59:59.9999999Z"),
        ("endofyear(datetime(9999-02-10))", "datetime 9999-12-31T23:59:59.9999999Z"),
        ("hourofday(datetime(2026-11-22 23:59))", "int 23"),
        ("dayofweek(datetime(2026-11-22))", "timespan 00:00:00"),
        ("dayofweek(datetime(2026-11-28))", "timespan 6.00:00:00"),
        ("monthofyear(datetime(2026-11-22))", "int 11"),
        ("getyear(datetime(2026-11-22))", "int 2026"),
        ("hourofday(datetime(null))", "int ∅"),
        ("datetime_diff('hour', datetime(2026-11-22 10:01), datetime(2026-11-22 08:59))", "long 2"),
        ("datetime_diff('month', datetime(2026-11-01), datetime(2026-10-31))", "long 1"),
        ("datetime_add('month', 1, datetime(2026-01-31))", "datetime 2026-02-28T00:00:00.0000000Z"),
        (
            "format_datetime(datetime(2026-11-22 18:05:09.1234567), 'yyyy-MM-dd HH:mm:ss.fff')",
            "string 2026-11-22 18:05:09.123",
        ),
        ("unixtime_seconds_todatetime(0)", "datetime 1970-01-01T00:00:00.0000000Z"),
        ("ingestion_time()", "datetime ∅"),
    ]);
}

#[test]
fn strings() {
    all(&[
        ("strcat('a', 1, true, '')", "string a1True"),
        ("tolower('ÄB')", "string äb"),
        ("toupper('ab')", "string AB"),
        ("strlen('äb')", "long 2"),
        ("substring('abcdef', 1, 2)", "string bc"),
        ("substring('abc', -2)", "string bc"),
        ("substring('abc', -5)", "string "),
        ("substring('abc', 5)", "string "),
        ("indexof('abc', 'c')", "long 2"),
        ("indexof('abc', 'x')", "long -1"),
        ("replace_string('aXbX', 'X', '-')", "string a-b-"),
        (r"replace_regex('a1b22', @'(\d+)', @'<\1>')", "string a<1>b<22>"),
        ("split('a,b,c', ',')", "dynamic [\"a\",\"b\",\"c\"]"),
        ("split('a,b,c', ',')[1]", "dynamic b"),
        ("split('a,b,c', ',', 5)", "dynamic []"),
        ("trim('x', 'xxaxx')", "string xax"),
        (r"trim(@'\s+', '  a  ')", "string a"),
        ("extract('([a-z]+)=([0-9]+)', 2, 'k=12')", "string 12"),
        ("extract('z', 0, 'abc')", "string "),
        ("extract('([0-9]+)', 1, 'k=12', typeof(long))", "long 12"),
        ("countof('aaa', 'aa')", "long 2"),
        (r"strcat(@'a\b', 'c\td', h'e')", "string a\\bc\tde"),
        ("'a' 'b'", "string ab"),
        ("strlen(```a\n\"b\"```)", "long 5"),
    ]);
}

#[test]
fn numbers_and_arrays() {
    all(&[
        ("round(2.5)", "real 3.0"),
        ("round(-2.5)", "real -3.0"),
        ("round(2.345, 2)", "real 2.35"),
        ("floor(2.7, 1)", "real 2.0"),
        ("abs(-5)", "long 5"),
        ("array_length(dynamic([1,2]))", "long 2"),
        ("array_length(dynamic({}))", "long ∅"),
        ("pack_array(1, 'a')", "dynamic [1,\"a\"]"),
        ("bag_pack('a', 1)", "dynamic {\"a\":1}"),
        ("set_union(dynamic([1,2]), dynamic([2,3]))", "dynamic [1,2,3]"),
        ("set_difference(dynamic([1,2]), dynamic([2]))", "dynamic [1]"),
        ("strcat_array(dynamic(['a','b']), '-')", "string a-b"),
    ]);
}

#[test]
fn addresses() {
    let cases = [
        ("10.0.0.0", "True"),
        ("9.255.255.255", "False"),
        ("11.0.0.0", "False"),
        ("172.15.255.255", "False"),
        ("172.16.0.0", "True"),
        ("172.31.255.255", "True"),
        ("172.32.0.0", "False"),
        ("192.168.255.255", "True"),
        ("192.169.0.0", "False"),
        ("203.0.113.1", "False"),
        ("127.0.0.1", "False"),
        ("169.254.1.1", "False"),
        ("", "∅"),
        ("10.0.0", "∅"),
        ("10.0.0.256", "∅"),
        ("::1", "∅"),
        ("host", "∅"),
    ];
    for (address, wanted) in cases {
        assert_eq!(
            eval(&format!("ipv4_is_private('{address}')")),
            format!("bool {wanted}"),
            "{address}"
        );
    }
    all(&[
        ("ipv4_is_in_range('192.168.1.6', '192.168.1.0/24')", "bool True"),
        ("ipv4_is_in_range('192.168.2.6', '192.168.1.0/24')", "bool False"),
        ("ipv4_is_in_range('192.168.1.6', '192.168.1.6')", "bool True"),
        ("ipv4_is_in_range('1.2.3.4', '0.0.0.0/0')", "bool True"),
        ("ipv4_is_in_range('x', '10.0.0.0/8')", "bool ∅"),
        ("ipv4_is_in_range('10.0.0.1', '10.0.0.0/33')", "bool ∅"),
        ("not(ipv4_is_private('x'))", "bool ∅"),
        ("ipv4_is_in_any_range('10.1.1.1', '1.0.0.0/8', '10.0.0.0/8')", "bool True"),
        ("ipv4_is_match('10.1.1.1', '10.1.1.2', 24)", "bool True"),
    ]);
}

#[test]
fn columns_with_and_without_a_value() {
    let tables = typed();
    let cases = [
        ("where i != 10 | count", "2"),
        ("where i == 7 | count", "1"),
        ("where not(i == 7) | count", "1"),
        ("where i < 10 | count", "1"),
        ("where s == '' | count", "1"),
        ("where d.family == 'Standard' | count", "1"),
        ("where tostring(d.family) != 'Standard' | count", "1"),
        ("where isnull(d.missing) | count", "2"),
        ("where b | count", "1"),
        ("where s has 'user' and t between (datetime(2026-11-22) .. 1d) | count", "1"),
        ("where column_ifexists('nope', 'x') == 'x' | count", "2"),
        (
            "where coalesce(column_ifexists('nope', ''), column_ifexists('s', '')) has 'user' | count",
            "1",
        ),
        ("where d['n'] > 2 and d.list[0] == 1 | count", "1"),
    ];
    for (query, wanted) in cases {
        assert_eq!(
            run(&tables, &format!("T | {query}")),
            format!("Count:long\n{wanted}"),
            "{query}"
        );
    }
}
