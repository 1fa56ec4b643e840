//! Any bytes as JSON lines: a table or an error with its line.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(schema) = kql::infer_schema(text, 100) else { return };
    match kql::read_json_lines(text, &schema, None) {
        Ok(table) => assert_eq!(table.all_rows().count(), table.len()),
        Err(error) => assert!(error.line > 0),
    }
});
