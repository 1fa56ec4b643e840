//! Exported logs: the same six events in every format are the same rows.

use flate2::Compression;
use flate2::write::GzEncoder;
use hsmwatch::local::files::{FilesError, LogFiles, Report, Snapshot, TABLE};
use hsmwatch::watch::alert::Interval;
use hsmwatch::watch::row::Row;
use proptest::prelude::*;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs")
}

fn open(base: &Path, patterns: &[&str]) -> LogFiles {
    let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
    LogFiles::open(&patterns, base).unwrap()
}

fn snapshot(base: &Path, patterns: &[&str]) -> Snapshot {
    open(base, patterns).snapshot().unwrap()
}

fn rows(snapshot: &Snapshot) -> Vec<Row> {
    snapshot.rows(TABLE, None).collect::<Result<_, _>>().unwrap()
}

/// A directory with one file of these bytes.
fn one(bytes: &[u8]) -> (tempfile::TempDir, Snapshot) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("log"), bytes).unwrap();
    let snapshot = snapshot(dir.path(), &["log"]);
    (dir, snapshot)
}

/// What identifies an event: every column but those that only the workspace adds.
fn events(snapshot: &Snapshot) -> Vec<Vec<String>> {
    let of = |row: Row| {
        let told = |name: &str| {
            name == "_ResourceId"
                || !(name.starts_with('_') || ["TenantId", "Type", "SourceSystem"].contains(&name))
        };
        let cells = row.iter().filter(|(name, _)| told(name));
        cells.map(|(name, value)| format!("{name}={}", value.text())).collect()
    };
    rows(snapshot).into_iter().map(of).collect()
}

fn names(snapshot: &Snapshot) -> Vec<&'static str> {
    snapshot.schema(TABLE).unwrap().iter().map(|column| column.name).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const FORMATS: [&str; 7] = [
    "archive.json",
    "event-hub.json",
    "event-hub-lines.json",
    "query.json",
    "cli.json",
    "export.json",
    "table.csv",
];

#[test]
fn the_archive_becomes_rows_of_the_table() {
    let snapshot = snapshot(&samples(), &["archive.json"]);
    insta::assert_snapshot!(
        events(&snapshot).iter().map(|event| event.join("\n")).collect::<Vec<_>>().join("\n\n")
    );
    insta::assert_debug_snapshot!(snapshot.report());
}

#[test]
fn every_format_gives_the_same_rows_packed_or_not() {
    let wanted = events(&snapshot(&samples(), &["archive.json"]));
    assert_eq!(wanted.len(), 6);
    for format in FORMATS {
        let plain = snapshot(&samples(), &[format]);
        assert_eq!(plain.report().bad, vec![], "{format}");
        assert_eq!(events(&plain), wanted, "{format}");
        let bytes = fs::read(samples().join(format)).unwrap();
        let (_dir, zipped) = one(&packed(&bytes));
        assert_eq!(events(&zipped), wanted, "{format}, packed");
        // Two members in one packed file, as appending makes them.
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let (_dir, zipped) = one(&[packed(first), packed(second)].concat());
        assert_eq!(events(&zipped), wanted, "{format}, packed in two parts");
    }
}

#[test]
fn a_whole_document_in_one_line_is_read_too() {
    let wanted = events(&snapshot(&samples(), &["archive.json"]));
    for format in ["event-hub.json", "query.json", "cli.json"] {
        let json: serde_json::Value =
            serde_json::from_slice(&fs::read(samples().join(format)).unwrap()).unwrap();
        for bytes in [json.to_string(), format!("{json}\n"), format!("\u{feff}  {json}\r\n")] {
            assert_eq!(events(&one(bytes.as_bytes()).1), wanted, "{format}");
        }
    }
}

#[test]
fn the_portals_csv_is_read() {
    let found = rows(&snapshot(&samples(), &["portal.csv"]));
    let texts: Vec<_> = found.iter().map(|row| row.get("TimeGenerated").unwrap().text()).collect();
    assert_eq!(texts, ["2026-11-22T08:00:00.1230000Z", "2026-11-22T23:30:00.0000000Z"]);
}

#[test]
fn the_schema_has_the_columns_that_the_files_use() {
    let new = names(&snapshot(&samples(), &["archive.json"]));
    let old = names(&snapshot(&samples(), &["archive-2025.json"]));
    let both = names(&snapshot(&samples(), &["archive*.json"]));
    assert_eq!((new.len(), old.len(), both.len()), (20, 20, 22));
    assert!(new.contains(&"HsmInstance") && !new.contains(&"MemberId"));
    assert!(old.contains(&"PoolType") && !old.contains(&"ClusterType"));
    let mixed = snapshot(&samples(), &["archive*.json"]);
    let found = rows(&mixed);
    assert_eq!(found.len(), 12);
    let members: Vec<_> = found.iter().map(|row| row.get("MemberId").unwrap().text()).collect();
    assert_eq!(members.iter().filter(|text| text.is_empty()).count(), 6);
    assert_eq!(mixed.schema("Other"), None);
    assert_eq!(mixed.rows("Other", None).count(), 0);
}

#[test]
fn only_rows_within_are_given() {
    let time = |text: &str| text.parse().unwrap();
    let within =
        Interval { from: time("2026-11-22T08:00:01Z"), to: time("2026-11-22T09:15:00.0000001Z") };
    for format in FORMATS {
        let snapshot = snapshot(&samples(), &[format]);
        let found = snapshot.rows(TABLE, Some(within)).map(|row| row.unwrap().time().unwrap());
        let wanted: Vec<chrono::DateTime<chrono::Utc>> =
            vec![time("2026-11-22T08:00:01Z"), time("2026-11-22T08:02:30.5Z")];
        assert_eq!(found.collect::<Vec<_>>(), wanted, "{format}");
    }
}

const GOOD: &str = r#"{"time":"2026-11-22T08:00:00Z","operationName":"CN_LOGIN"}"#;

fn cut(at: usize) -> &'static str {
    GOOD.split_at(at).0
}

fn bad(report: &Report) -> Vec<String> {
    report.bad.iter().map(ToString::to_string).collect()
}

#[test]
fn bad_records_are_named_and_the_rest_is_read() {
    let all: Vec<u8> = [
        GOOD.as_bytes(),
        b"not json at all",
        br#"{"time":"2026-11-22T08:00:00Z","operationName":"CN_"#,
        GOOD.as_bytes(),
        b"\xff\xfe\x00",
        b"{\"time\":\"2026-11-22T08:00:00Z\",\"operationName\":\"\xff\"}",
        b"42",
        br#"{"records":[{"time":"x"},7,{"time":"2026-11-22T08:00:00Z"}]}"#,
        br#"{"operationName":"CN_LOGIN"}"#,
        GOOD.as_bytes(),
        b"",
    ]
    .join(&b'\n');
    let (_dir, snapshot) = one(&all);
    assert_eq!(rows(&snapshot).len(), 4);
    insta::assert_snapshot!(bad(snapshot.report()).join("\n"));
}

#[test]
fn only_the_first_twenty_are_named() {
    let (_dir, snapshot) =
        one(&[GOOD, "\n", &"nonsense\n".repeat(1000), GOOD].concat().into_bytes());
    assert_eq!(rows(&snapshot).len(), 2);
    assert_eq!((snapshot.report().bad_count, snapshot.report().bad.len()), (1000, 20));
}

#[test]
fn a_bad_record_in_an_array_does_not_take_the_next_with_it() {
    let text = format!(
        "{{\"records\": [\n{GOOD},\n{{\"time\": nonsense}},\n{{}},\n\"x\",\n{GOOD}\n]}}\n{GOOD}"
    );
    let (_dir, snapshot) = one(text.as_bytes());
    assert_eq!(rows(&snapshot).len(), 3);
    insta::assert_snapshot!(bad(snapshot.report()).join("\n"), @r"
    log:3: it is not JSON: expected ident
    log:4: it has neither `TimeGenerated` nor `time`
    log:5: it is not a JSON object
    ");
}

#[test]
fn bad_csv_records_are_named() {
    let text = b"TimeGenerated,OperationName\n2026-11-22T08:00:00Z,A\nshort\n2026-11-22T08:00:01Z,\xff\nnever,B\n2026-11-22T08:00:02Z,C\n2026-11";
    let (_dir, snapshot) = one(text);
    assert_eq!(rows(&snapshot).len(), 2);
    assert_eq!(snapshot.report().unfinished, ["log"]);
    insta::assert_snapshot!(bad(snapshot.report()).join("\n"), @r"
    log:3: it has 1 values for 2 columns
    log:4: it is not UTF-8 text
    log:5: `never` is no date and time
    ");
}

#[test]
fn a_quotation_mark_that_is_never_closed_does_not_fill_the_memory() {
    let text = "TimeGenerated,OperationName\n2026-11-22T08:00:00Z,A\n2026-11-22T08:00:00Z,\"B\n";
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(20 * 1024 * 1024, b'x');
    let (_dir, snapshot) = one(&bytes);
    assert_eq!(rows(&snapshot).len(), 1);
    assert_eq!(
        bad(snapshot.report()),
        ["log:3: the record is longer than 16 MB: the rest of the file is not read"]
    );
}

#[test]
fn a_line_without_end_does_not_fill_the_memory() {
    for start in ["{\"time\":\"", "nonsense", "[{\"time\":\""] {
        let mut bytes = format!("{GOOD}\n{start}").into_bytes();
        bytes.resize(20 * 1024 * 1024, b'x');
        bytes.extend_from_slice(format!("\n{GOOD}\n").as_bytes());
        let (_dir, snapshot) = one(&bytes);
        assert_eq!(rows(&snapshot).len(), 2, "{start}");
        assert_eq!(bad(snapshot.report()), ["log:2: the line is longer than 16 MB"], "{start}");
    }
}

#[test]
fn cut_off_files_keep_what_is_whole() {
    // JSON lines end in a line that is being written: no error.
    let (_dir, lines) = one(format!("{GOOD}\n{GOOD}\n{}", cut(30)).as_bytes());
    assert_eq!((rows(&lines).len(), lines.report().bad_count), (2, 0));
    assert_eq!(lines.report().unfinished, ["log"]);
    // A last line without an end that is whole counts.
    assert_eq!(rows(&one(format!("{GOOD}\n{GOOD}").as_bytes()).1).len(), 2);
    // A document that ends early.
    let (_dir, cut) = one(format!("{{\"records\":[\n{GOOD},\n{GOOD},\n{}", cut(30)).as_bytes());
    assert_eq!(rows(&cut).len(), 2);
    assert_eq!(bad(cut.report()), ["log:4: it ends in the midst of a record"]);
    let (_dir, cut) = one(format!("[\n{GOOD},\n").as_bytes());
    assert_eq!(rows(&cut).len(), 1);
    assert_eq!(bad(cut.report()), ["log:3: the file ends in the midst of a record"]);
    // Packed data that ends early, and packed data followed by something else.
    let zipped = packed(format!("{GOOD}\n").repeat(5000).as_bytes());
    let (_dir, cut) = one(&zipped[..zipped.len() - 9]);
    assert_eq!(
        bad(cut.report()),
        ["log: the packed data is damaged or cut off: its rest is not read"]
    );
    assert!(rows(&cut).len() > 1000);
    let (_dir, tail) = one(&[&zipped[..], b"garbage"].concat());
    assert_eq!((rows(&tail).len(), tail.report().bad_count), (5000, 1));
}

#[test]
fn a_growing_file_is_read_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("PT1H.json");
    fs::write(&path, format!("{GOOD}\n{}", cut(20))).unwrap();
    let files = open(dir.path(), &["**/*.json"]);
    assert_eq!(rows(&files.snapshot().unwrap()).len(), 1);
    let later =
        GOOD.replace("2026-11-22", "2026-11-23").replace('}', r#","properties":{"MemberId":"m"}}"#);
    fs::write(&path, format!("{GOOD}\n{GOOD}\n{later}\n")).unwrap();
    let second = files.snapshot().unwrap();
    assert_eq!(rows(&second).len(), 3);
    assert!(names(&second).contains(&"MemberId"));
    fs::create_dir(dir.path().join("h=09")).unwrap();
    fs::write(dir.path().join("h=09/PT1H.json"), GOOD).unwrap();
    assert_eq!(rows(&files.snapshot().unwrap()).len(), 4);
    fs::remove_file(&path).unwrap();
    // A snapshot outlives its files: what is gone gives nothing.
    assert_eq!(rows(&second).len(), 0);
    assert_eq!(rows(&files.snapshot().unwrap()).len(), 1);
}

#[test]
fn bad_records_are_news_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "nonsense\n").unwrap();
    let files = open(dir.path(), &["a"]);
    let news = || files.snapshot().unwrap().news().bad_count;
    assert_eq!((news(), news()), (1, 0));
    fs::write(dir.path().join("a"), format!("nonsense\n{GOOD}\n")).unwrap();
    assert_eq!(news(), 0);
    fs::write(dir.path().join("a"), format!("nonsense\n{GOOD}\nmore\n")).unwrap();
    assert_eq!(news(), 2);
}

#[test]
fn empty_files_have_no_rows_and_no_errors() {
    for bytes in [
        &b""[..],
        b"\n \n",
        b"\xef\xbb\xbf",
        &packed(b""),
        b"[]",
        b"{\"records\":[]}",
        b"{\"tables\":[]}",
    ] {
        let (_dir, snapshot) = one(bytes);
        assert_eq!((rows(&snapshot).len(), snapshot.report().bad_count), (0, 0), "{bytes:?}");
        assert_eq!(names(&snapshot).len(), 20);
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_cure() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    fs::write(dir.path().join("utf16.json"), b"\xff\xfe{\0}\0").unwrap();
    fs::write(dir.path().join("log"), GOOD).unwrap();
    let error = |patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        let files = LogFiles::open(&patterns, dir.path());
        files.and_then(|files| files.snapshot()).unwrap_err().to_string()
    };
    let all = [
        error(&[]),
        error(&["a/***/b"]),
        error(&["none/**/*.json"]),
        error(&["folder", "none"]),
        error(&["utf16.json"]),
    ];
    insta::assert_snapshot!(all.join("\n"));
    // One pattern without files beside one with files is no error, but said.
    let files = open(dir.path(), &["log", "none/*.json"]);
    assert_eq!(files.snapshot().unwrap().report().unmatched, ["none/*.json"]);
    let missing = LogFiles::open(&["x".to_owned()], Path::new("/no/such")).unwrap().snapshot();
    assert_eq!(missing.unwrap_err(), FilesError::NoMatch("x".to_owned()));
}

#[test]
fn a_directory_with_signs_of_a_pattern_in_its_name_is_taken_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("a[1]*");
    fs::create_dir(&base).unwrap();
    fs::write(base.join("log"), GOOD).unwrap();
    assert_eq!(rows(&snapshot(&base, &["*"])).len(), 1);
}

/// Lines that are no records, of the kinds that damage makes.
fn bad_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        (0..GOOD.len()).prop_map(|n| cut(n).into()),
        (1..GOOD.len()).prop_map(|n| GOOD.split_at(n).1.into()),
        "[\\[\\]{}\",: a-z0-9]{0,40}".prop_map(String::into_bytes),
    ]
    .prop_map(|line| line.into_iter().filter(|b| *b != b'\n').collect())
    // What begins a packed file, UTF-16 or a document over several lines is another format from the first byte on.
    .prop_filter("another format", |line: &Vec<u8>| {
        let text = line.trim_ascii_start();
        let other: [&[u8]; 3] = [&[0x1f, 0x8b], &[0xff, 0xfe], &[0xfe, 0xff]];
        let opens = text.starts_with(b"[") || text.trim_ascii() == b"{";
        !opens && !other.iter().any(|magic| line.starts_with(magic))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), zip in any::<bool>()) {
        let bytes = if zip { packed(&bytes) } else { bytes };
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("log"), &bytes).unwrap();
        if let Ok(snapshot) = open(dir.path(), &["log"]).snapshot() {
            let _ = snapshot.rows(TABLE, None).count();
        }
    }

    #[test]
    fn json_like_text_never_panics(text in "(\\{|\\}|\\[|\\]|\"|:|,|records|tables|rows|columns|name|a|1| |\n|\\\\){0,60}") {
        let _ = rows(&one(text.as_bytes()).1);
    }

    #[test]
    fn a_sample_cut_anywhere_never_panics(format in 0..FORMATS.len(), cut in any::<prop::sample::Index>()) {
        let bytes = fs::read(samples().join(FORMATS[format])).unwrap();
        let at = cut.index(bytes.len());
        let (_dir, snapshot) = one(&bytes[..at]);
        let whole = events(&super::files::snapshot(&samples(), &[FORMATS[format]]));
        let found = events(&snapshot);
        // Every row but perhaps the last, whose end may be missing in CSV, is one of the whole file's.
        let sure = found.len().saturating_sub(1);
        prop_assert_eq!(&found[..sure], &whole[..sure]);
    }

    #[test]
    fn a_good_line_between_bad_lines_is_always_read(
        lines in proptest::collection::vec(prop_oneof![bad_line().prop_map(Some), Just(None)], 1..20),
        windows in any::<bool>(),
    ) {
        let end: &[u8] = if windows { b"\r\n" } else { b"\n" };
        let mut bytes = Vec::new();
        for line in &lines {
            bytes.extend_from_slice(line.as_deref().unwrap_or(GOOD.as_bytes()));
            bytes.extend_from_slice(end);
        }
        let (_dir, snapshot) = one(&bytes);
        let good = lines.iter().filter(|line| line.is_none()).count();
        let found = rows(&snapshot);
        let read = found.iter().filter(|row| row.get("OperationName").unwrap().text() == "CN_LOGIN").count();
        prop_assert!(read >= good, "{} of {good}: {:?}", read, snapshot.report());
    }
}
