use super::*;
use crate::watch::row::{Row, Value};
use proptest::prelude::*;

fn decode_by(text: &str, size: usize) -> Result<(Decoded, Vec<Row>), DecodeError> {
    let mut rows: Vec<Row> = Vec::new();
    let mut decoder = Decoder::new();
    for piece in text.as_bytes().chunks(size.max(1)) {
        decoder.feed(piece, &mut rows)?;
    }
    Ok((decoder.finish()?, rows))
}

/// Decodes at once and in pieces of every size: the pieces must not matter.
fn decode(text: &str) -> Result<(Decoded, Vec<Row>), DecodeError> {
    let whole = decode_by(text, text.len());
    for size in 1..20 {
        let by = decode_by(text, size);
        assert_eq!(format!("{by:?}"), format!("{whole:?}"), "by {size}");
    }
    whole
}

fn first_column(rows: &[Row]) -> Vec<i64> {
    rows.iter()
        .map(|row| match row.values[0] {
            Value::Long(n) => n,
            ref other => panic!("{other:?}"),
        })
        .collect()
}

const COLUMNS: &str = r#""columns":[{"name":"n","type":"long"},{"name":"s","type":"string"}]"#;

fn table(name: &str, rows: &str) -> String {
    format!(r#"{{"name":"{name}",{COLUMNS},"rows":{rows}}}"#)
}

#[test]
fn the_usual_answer() {
    let text = format!(
        r#"{{"tables":[{}]}}"#,
        table("PrimaryResult", r#"[[1,"a"],[2,"]\"}"] , [3,null]]"#)
    );
    let (decoded, rows) = decode(&text).unwrap();
    assert_eq!(decoded, Decoded { tables: 1, error: None, rows: 3 });
    assert_eq!(first_column(&rows), [1, 2, 3]);
    assert_eq!(rows[1].get("s"), Some(&Value::string("]\"}")));
    assert_eq!(rows[2].get("s"), Some(&Value::string("")));
}

#[test]
fn only_the_primary_table_counts() {
    for (tables, expected) in [
        (table("PrimaryResult", "[[1]]") + "," + &table("Other", "[[2]]"), vec![1]),
        (table("Other", "[[2]]") + "," + &table("PrimaryResult", "[[1]]"), vec![1]),
        (table("Other", "[[2]]") + "," + &table("Third", "[[3]]"), vec![2]),
        (table("PrimaryResult", "[[1]]") + "," + &table("PrimaryResult", "[[2]]"), vec![1]),
        (table("PrimaryResult", "[]") + "," + &table("Other", "[[2]]"), vec![]),
        (table("PrimaryResult", "null"), vec![]),
        // In any order of keys.
        (format!(r#"{{"rows":[[1],[2]],{COLUMNS},"name":"PrimaryResult"}}"#), vec![1, 2]),
        (format!(r#"{{"name":"PrimaryResult","rows":[[1]],{COLUMNS}}}"#), vec![1]),
        (format!(r#"{{{COLUMNS},"rows":[[7]]}}"#), vec![7]),
        (
            table("Other", "[[2]]")
                + &format!(r#",{{"rows":[[1]],{COLUMNS},"name":"PrimaryResult"}}"#),
            vec![1],
        ),
    ] {
        let (decoded, rows) = decode(&format!(r#"{{"tables":[{tables}]}}"#)).unwrap();
        assert_eq!(first_column(&rows), expected, "{tables}");
        assert_eq!(decoded.rows, expected.len() as u64);
    }
}

#[test]
fn nothing_is_no_answer() {
    // An empty list of tables is for the caller to judge, beside an error there may be.
    for tables in [r#"{"name":"PrimaryResult"}"#, r#"{"name":"Other"}"#] {
        let refused = decode(&format!(r#"{{"tables":[{tables}]}}"#)).unwrap_err();
        assert!(matches!(refused, DecodeError::Malformed(_)), "{tables}: {refused}");
    }
}

#[test]
fn the_error_may_stand_anywhere() {
    let error = r#""error":{"code":"PartialError","message":"cut"}"#;
    let tables = format!(r#""tables":[{}]"#, table("PrimaryResult", "[[1]]"));
    let extra = r#""statistics":{"query":{"x":["}",1.5e3,null]}},"render":null,"n":12"#;
    for text in [
        format!("{{{error},{tables},{extra}}}"),
        format!("\u{feff} {{{tables},{extra},{error}}}\r\n"),
        format!("{{{extra},{tables},{error}}}"),
    ] {
        let (decoded, rows) = decode(&text).unwrap();
        assert_eq!(decoded.error.unwrap()["message"], "cut");
        assert_eq!(first_column(&rows), [1]);
    }
}

#[test]
fn an_exception_in_the_place_of_a_row_makes_the_answer_partial() {
    let rows =
        r#"[[1],{"Exceptions":["Query result set has exceeded (E_QUERY_RESULT_SET_TOO_LARGE)"]}]"#;
    let (decoded, rows) =
        decode(&format!(r#"{{"tables":[{}]}}"#, table("PrimaryResult", rows))).unwrap();
    assert_eq!(first_column(&rows), [1]);
    let error = decoded.error.unwrap();
    assert!(error["message"].as_str().unwrap().contains("E_QUERY_RESULT_SET_TOO_LARGE"));
}

#[test]
fn what_is_no_answer() {
    for (text, expected) in [
        ("", "empty"),
        (" \r\n", "empty"),
        ("<html>", "unexpected `<`"),
        ("[]", "unexpected `[`"),
        ("{}x", "unexpected `x`"),
        (r#"{"tables":[{"name":"PrimaryResult","rows":[[1]]}]}"#, "rows without columns"),
        (r#"{"tables":[{"name":"PrimaryResult","columns":7}]}"#, "columns: invalid type"),
        (r#"{"tables":[{"name":"PrimaryResult","columns":[],"rows":7}]}"#, "rows are no list"),
        (r#"{"tables":[{"name":"PrimaryResult","columns":[],"rows":[7]}]}"#, "unexpected `7`"),
        (r#"{"tables":[{"name":"PrimaryResult","columns":[],"rows":[[1 2]]}]}"#, "a row"),
        (r#"{"tables":]}"#, "unexpected `]`"),
        (r#"{"tables" [}"#, "unexpected `[`"),
    ] {
        let error = decode(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn every_cut_is_noticed() {
    let text = format!(
        r#"{{"tables":[{}],"error":{{"code":"x"}}}}"#,
        table("PrimaryResult", r#"[[1,"a\\"],[2,"b"]]"#)
    );
    for cut in 1..text.len() {
        let cut = text.get(..cut).unwrap();
        let error = decode_by(cut, 7).unwrap_err();
        assert_eq!(error, DecodeError::Truncated, "{cut}");
    }
}

#[test]
fn rows_that_come_before_their_columns_are_held_only_so_far() {
    let row = format!(r#"[1,"{}"],"#, "x".repeat(1000));
    let rows = row.repeat(MAX_HELD / row.len() + 1);
    let text = format!(r#"{{"tables":[{{"rows":[{rows}[2]]}}]}}"#);
    let error = decode_by(&text, 65_536).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer holds rows before their table's name and columns too large to be held"
    );
}

#[test]
fn a_row_reaches_the_sink_before_the_next_begins() {
    let mut rows: Vec<Row> = Vec::new();
    let mut decoder = Decoder::new();
    let head = format!(r#"{{"tables":[{{"name":"PrimaryResult",{COLUMNS},"rows":[[1,"a"]"#);
    decoder.feed(head.as_bytes(), &mut rows).unwrap();
    assert_eq!(first_column(&rows), [1]);
}

proptest! {
    #[test]
    fn reads_what_serde_json_writes(
        cells in prop::collection::vec((any::<i64>(), ".{0,20}"), 0..20),
        size in 1_usize..200,
    ) {
        let text = serde_json::json!({
            "tables": [{
                "name": "PrimaryResult",
                "columns": [{"name": "n", "type": "long"}, {"name": "s", "type": "string"}],
                "rows": cells,
            }],
            "render": {"a": cells},
        });
        for text in [text.to_string(), format!("{text:#}")] {
            let (_, rows) = decode_by(&text, size).unwrap();
            let expected: Vec<_> =
                cells.iter().map(|(n, s)| vec![Value::Long(*n), Value::string(s)]).collect();
            let got: Vec<_> = rows.into_iter().map(|r| r.values).collect();
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn never_panics(text in "[\\[\\]{}\",:a1\\\\ ]{0,60}", size in 1_usize..9) {
        let _ = decode_by(&text, size);
        let _ = decode_by(&format!(r#"{{"tables":[{{"name":"PrimaryResult",{COLUMNS},"rows":[{text}"#), size);
    }
}
