//! Numbers, one line each: promotion, overflow, decimals, JSON's numbers, null, text and order.

use crate::functions::all;
use crate::support::run;
use kql::MemoryTables;

#[test]
fn promotion_and_overflow() {
    all(&[
        ("int(2147483647) + int(1)", "long 2147483648"),
        ("int(7) / int(2)", "long 3"),
        ("int(-7) % int(2)", "long 1"),
        ("int(2) * 1.5", "real 3.0"),
        ("14 % -12", "long 2"),
        ("-14 % -12", "long 10"),
        ("-14 % 12", "long 10"),
        ("9223372036854775807 * 2", "long -2"),
        ("-1 / 0", "long ∅"),
        ("1 / 0.0", "real Infinity"),
        ("-1 / 0.0", "real -Infinity"),
        ("1e308 * 10", "real Infinity"),
        ("real(nan) + 1", "real NaN"),
        ("real(null) + 1", "real ∅"),
        ("-int(5)", "long -5"),
        ("-real(0)", "real -0.0"),
        ("-(-9223372036854775808)", "long -9223372036854775808"),
        ("1 == true", "bool True"),
        ("true == 2", "bool False"),
        ("true > 0", "bool True"),
        ("bool(null) == 1", "bool False"),
        ("real(nan) != real(nan)", "bool True"),
        ("real(nan) < 1", "bool ∅"),
        ("1 == decimal(1)", "bool True"),
        ("0.5 < decimal(0.6)", "bool True"),
    ]);
}

#[test]
fn decimals() {
    all(&[
        ("decimal(1.50)", "decimal 1.5"),
        ("decimal(0.1) + decimal(0.2)", "decimal 0.3"),
        ("decimal(1) / 3", "decimal 0.3333333333333333333333333333333333"),
        ("decimal(1) / 0", "decimal ∅"),
        ("decimal(1.5) * 2", "decimal 3"),
        ("2 - decimal(0.5)", "decimal 1.5"),
        ("decimal(1.5) + 0.25", "decimal 1.75"),
        ("decimal(-7.5) % 2", "decimal 0.5"),
        ("-decimal(1.5)", "decimal -1.5"),
        ("decimal(null) + 1", "decimal ∅"),
        ("abs(decimal(-1.5))", "decimal 1.5"),
        ("round(decimal(2.345), 2)", "decimal 2.35"),
        ("bin(decimal(7.5), 2)", "decimal 6"),
        ("ceiling(decimal(-1.5))", "decimal -1"),
        ("decimal(1.5) == 1.5", "bool True"),
        ("decimal(1.50) == decimal(1.5)", "bool True"),
        ("decimal(2) > decimal(10)", "bool False"),
        ("decimal(1e5)", "decimal 100000"),
        ("tostring(decimal(12.340))", "string 12.34"),
    ]);
}

#[test]
fn numbers_of_json() {
    all(&[
        ("dynamic({'a':3}).a + 1", "long 4"),
        ("dynamic({'a':3}).a * 1.5", "real 4.5"),
        ("10 - dynamic({'a':3}).a", "long 7"),
        ("dynamic({'a':3}).a / dynamic({'a':2}).a", "dynamic 1"),
        ("dynamic({'a':3}).b + 1", "long ∅"),
        ("dynamic({'a':'x'}).a + 1", "long ∅"),
        ("-dynamic({'a':3}).a", "dynamic -3"),
        ("dynamic({'a':3}).a > 2", "bool True"),
        ("dynamic({'a':3}).a == 3.0", "bool True"),
        ("dynamic({'a':3}).a between (1 .. 5)", "bool True"),
    ]);
}

#[test]
fn texts() {
    all(&[
        ("tostring(1.0)", "string 1.0"),
        ("tostring(0.1)", "string 0.1"),
        ("tostring(1e15)", "string 1E+15"),
        ("tostring(123456789012345.0)", "string 123456789012345.0"),
        ("tostring(1.5e-7)", "string 1.5E-07"),
        ("tostring(real(nan))", "string NaN"),
        ("tostring(real(-inf))", "string -Infinity"),
        ("strcat(1.5, '|', 2, '|', true)", "string 1.5|2|True"),
        ("tostring(1d + 1tick)", "string 1.00:00:00.0000001"),
        ("tostring(datetime(2026-01-02))", "string 2026-01-02T00:00:00.0000000Z"),
        ("tostring(long(null))", "string "),
    ]);
}

#[test]
fn order() {
    let tables = MemoryTables::new();
    let column = |ty: &str, values: &str, by: &str| {
        let text = format!("datatable(x:{ty})[{values}] | sort by x {by}");
        run(&tables, &text).replace('\n', " ")
    };
    let reals = "1.5, real(nan), real(null), real(-inf), real(+inf), -0.0";
    assert_eq!(column("real", reals, "asc"), "x:real ∅ NaN -Infinity -0.0 1.5 Infinity");
    assert_eq!(column("real", reals, "desc"), "x:real Infinity 1.5 -0.0 -Infinity NaN ∅");
    assert_eq!(
        column("decimal", "decimal(2), decimal(10), decimal(null), decimal(-1)", "asc"),
        "x:decimal ∅ -1 2 10"
    );
    assert_eq!(column("string", "'b', '', 'B', 'a'", "asc"), "x:string  B a b");
    assert_eq!(column("bool", "true, bool(null), false", "desc"), "x:bool True False ∅");
    assert_eq!(
        column("timespan", "1h, -1h, timespan(null)", ""),
        "x:timespan 01:00:00 -01:00:00 ∅"
    );
}
