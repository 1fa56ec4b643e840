use super::*;
use proptest::prelude::*;

fn of(value: &str) -> Result<Parameter, String> {
    let table: toml::Table = toml::from_str(&format!("v = {value}")).unwrap();
    Parameter::of(&table["v"]).map_err(|e| e.to_string())
}

#[test]
fn a_value_has_the_type_that_it_is_written_with() {
    for (toml, kql, ty) in [
        ("'Europe/Berlin'", "\"Europe/Berlin\"", "string"),
        (r#"'a"b\c'"#, r#""a\"b\\c""#, "string"),
        ("''", "\"\"", "string"),
        ("20", "20", "long"),
        ("-5", "long(-5)", "long"),
        ("0x10", "16", "long"),
        ("2.5", "real(2.5)", "real"),
        ("-1e30", "real(-1e30)", "real"),
        ("3.0", "real(3.0)", "real"),
        ("true", "true", "bool"),
        ("07:30:00", "timespan(07:30:00)", "timespan"),
        ("07:30:00.5", "timespan(07:30:00.5000000)", "timespan"),
        ("2026-11-22", "datetime(2026-11-22)", "datetime"),
        ("2026-11-22T08:00:00Z", "datetime(2026-11-22T08:00:00.0000000Z)", "datetime"),
        ("2026-11-22 08:00:00", "datetime(2026-11-22T08:00:00.0000000Z)", "datetime"),
        ("['a', 'b']", "dynamic([\"a\",\"b\"])", "dynamic"),
        ("[1, 2]", "dynamic([1,2])", "dynamic"),
        ("[]", "dynamic([])", "dynamic"),
    ] {
        let value = of(toml).unwrap();
        assert_eq!(value.kql(), kql, "{toml}");
        let text = format!("let p = {}; print p", value.kql());
        let plan = kql::bind(&text, &crate::watch::tables::Empty(Variant::Both), 0).unwrap();
        assert_eq!(plan.schema().columns[0].ty.name(), ty, "{toml}");
        // As it is shown, it can be written again.
        assert_eq!(of(&value.to_string()).unwrap(), value, "{toml}");
    }
}

#[test]
fn what_a_query_cannot_take_is_refused() {
    for toml in [
        "nan",
        "inf",
        "{ a = 1 }",
        "[[1]]",
        "[1, 'a']",
        "[07:30:00]",
        "\"two\\nlines\"",
        "2026-11-22T08:00:00+01:00",
    ] {
        assert!(of(toml).is_err(), "{toml}");
    }
}

#[test]
fn names_are_those_that_nothing_hides() {
    for name in ["threshold", "opens", "_x", "Zone2"] {
        assert_eq!(check_name(name), Ok(()), "{name}");
    }
    for name in [
        "",
        "2x",
        "a-b",
        "a b",
        "é",
        "window_start",
        "CallerIpAddress",
        "MemberId",
        "UserID",
        "CloudHsmServiceOperationAuditLogs",
        "let",
        "and",
        "where",
        "dynamic",
    ] {
        assert!(check_name(name).is_err(), "{name}");
    }
    assert!(check_name(&"x".repeat(65)).is_err());
}

#[test]
fn a_value_stands_in_for_one_of_its_type() {
    let good = |mine: &str, given: &str| of(mine).unwrap().replaced_by(of(given).unwrap());
    assert_eq!(good("1", "2"), Ok(Parameter::Whole(2)));
    assert_eq!(good("1.5", "2"), Ok(Parameter::Number(2.0)));
    assert_eq!(good("07:00:00", "'08:30'"), Ok(Parameter::Clock(30_600_000_000_000)));
    assert_eq!(good("['a']", "[]"), Ok(Parameter::List(vec![])));
    for (mine, given) in [
        ("1", "2.5"),
        ("1", "'2'"),
        ("'a'", "1"),
        ("07:00:00", "'8am'"),
        ("['a']", "[1]"),
        ("['a']", "'a'"),
    ] {
        assert!(good(mine, given).is_err(), "{mine} {given}");
    }
}

#[test]
fn a_name_is_a_word() {
    assert!(names("| where n >= threshold", "threshold"));
    assert!(!names("| where thresholds > 1", "threshold"));
    assert!(!names("my_threshold", "threshold"));
    assert!(names("thresholds threshold", "threshold"));
}

proptest! {
    /// Whatever a text says, it is one constant and no more.
    #[test]
    fn a_text_stays_a_text(text in "[^\\p{Cc}]{0,40}") {
        let value = Parameter::Text(text.clone()).kql();
        let plan = kql::bind(&format!("let p = {value}; print p"), &crate::watch::tables::Empty(Variant::Both), 0).unwrap();
        let rows: Vec<_> = plan.run(&crate::watch::tables::Empty(Variant::Both)).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(&rows[0][0], &kql::Value::from(text.as_str()));
    }
}
