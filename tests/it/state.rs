//! State that cannot be read or written: it is left as it is, said, and does no harm to the rest.

use crate::support::bed::{TestBed, conditions};
use hsmwatch::watch::head::Head;
use std::fs;

/// Two rules, so that one can go on while the other cannot.
fn two_rules() -> TestBed {
    let bed = TestBed::new()
        .presets("[\"key-delete\"]")
        .rules("[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"high\"\nquery = '''CloudHsmServiceOperationAuditLogs'''\n")
        .receiver("itsm", "webhook");
    bed.begin();
    bed.delete_key("a");
    bed.run_once().exits(0);
    assert_eq!(bed.at("itsm").deliveries().len(), 2);
    bed
}

/// The file with the head of the preset's watch.
fn head_file(bed: &TestBed) -> String {
    let of = |name: &&String, bytes: &[u8]| {
        name.starts_with("heads/")
            && String::from_utf8_lossy(bytes)
                .contains("\"rule\":\"key-delete\"},\"workspace_name\"")
    };
    let files = bed.state_files();
    let mut found = files.iter().filter(|(name, bytes)| of(name, bytes));
    let (name, _) = found.next().unwrap();
    assert!(found.next().is_none());
    name.clone()
}

#[test]
fn a_head_of_a_newer_version_is_kept_and_told() {
    let bed = two_rules();
    bed.change("heads/", |document| {
        let text = String::from_utf8(document.body.clone()).unwrap();
        let ours = Head::decode(text.as_bytes()).unwrap().watch.rule == "key-delete";
        if ours {
            assert!(text.starts_with("{\"format\":1,"), "{text}");
            document.body = text.replacen("\"format\":1", "\"format\":99", 1).into_bytes();
        }
        ours
    });
    let file = head_file(&bed);
    let before = bed.state_files().remove(&file).unwrap();
    bed.delete_key("b");
    for _ in 0..2 {
        let ran = bed.run_once().exits(1);
        let ran = ran.says("error: key-delete on prod: state document `heads/");
        ran.says("it has format 99, this version reads up to 1")
            .says("evaluated workspace=prod watches=2 failed=1");
        assert_eq!(bed.state_files().remove(&file), Some(before.clone()), "byte for byte");
    }
    // The other rule goes on, and the trouble is told once.
    let deliveries = bed.at("itsm").deliveries();
    assert_eq!(bed.told("itsm")["b"].len(), 1);
    let own: Vec<_> = deliveries.iter().flat_map(conditions).collect();
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!((own[0].0.as_str(), own[0].2.as_str()), ("state-unreadable", "ill"));
    // The newer version puts it right again: nothing was lost.
    fs::write(bed.state_dir().join(&file), before).unwrap();
    bed.change("heads/", |document| {
        let text = String::from_utf8(document.body.clone()).unwrap();
        document.body = text.replacen("\"format\":99", "\"format\":1", 1).into_bytes();
        text.contains("\"format\":99")
    });
    bed.run_once().exits(0);
    assert_eq!(bed.told("itsm")["b"].len(), 2, "one of each rule");
    let own: Vec<_> = bed.at("itsm").deliveries().iter().flat_map(conditions).collect();
    assert_eq!(own.len(), 2, "{own:?}");
    assert_eq!((own[1].0.as_str(), own[1].2.as_str()), ("state-unreadable", "well"));
}

#[test]
fn a_head_cut_short_is_kept_and_told_and_the_others_go_on() {
    let bed = two_rules();
    let file = bed.state_dir().join(head_file(&bed));
    let whole = fs::read(&file).unwrap();
    let cut = &whole[..whole.len() - 10];
    fs::write(&file, cut).unwrap();
    bed.delete_key("b");
    for _ in 0..2 {
        let ran =
            bed.run_once().exits(1).says("error: key-delete on prod: state store: document `");
        ran.says("is damaged").says("watches=2 failed=1");
        assert_eq!(fs::read(&file).unwrap(), cut, "left as it is");
    }
    assert_eq!(bed.told("itsm")["b"].len(), 1, "the other rule goes on");
    let own: Vec<_> = bed.at("itsm").deliveries().iter().flat_map(conditions).collect();
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!((own[0].0.as_str(), own[0].2.as_str()), ("state-unreadable", "ill"));
    fs::write(&file, &whole).unwrap();
    bed.run_once().exits(0);
    assert_eq!(bed.told("itsm")["b"].len(), 2, "one of each rule, none lost");
}

#[test]
fn a_file_that_is_no_document_stops_the_run_and_is_left_as_it_is() {
    for damage in ["", "not ours", "{\"format\":1}\n"] {
        let bed = two_rules();
        let file = bed.state_dir().join(head_file(&bed));
        let whole = fs::read(&file).unwrap();
        fs::write(&file, damage).unwrap();
        bed.delete_key("b");
        let ran = bed.run_once().exits(1).says("error: state store: document `heads/");
        ran.says("is damaged").says("put back its file from a backup");
        assert_eq!(fs::read_to_string(&file).unwrap(), damage, "left as it is");
        fs::write(&file, &whole).unwrap();
        bed.run_once().exits(0);
        assert_eq!(bed.told("itsm")["b"].len(), 2, "one of each rule, none lost");
    }
}

#[test]
fn a_file_in_place_of_the_state_directory() {
    let bed = TestBed::new().receiver("itsm", "webhook");
    fs::write(bed.state_dir(), "mine").unwrap();
    let ran = bed.run_once().exits(1).says("cannot make the state directory `state`");
    assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1), "{ran:?}");
    assert_eq!(fs::read_to_string(bed.state_dir()).unwrap(), "mine");
    assert_eq!(bed.logs.requests().len(), 0);
}

#[test]
fn a_full_disk_fails_the_run_and_loses_nothing() {
    let bed = TestBed::new().receiver("itsm", "webhook");
    bed.begin();
    bed.delete_key("a");
    let before = bed.state_files();
    // No file may grow: to the program, the disk is full.
    let mut command = bed.command_after("trap '' XFSZ; ulimit -f 0", &["run", "--once"]);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: key-delete on prod: state store: cannot write"), "{stderr}");
    assert_eq!(bed.at("itsm").deliveries().len(), 0, "nothing is told that is not committed");
    assert_eq!(bed.state_files(), before, "nor half written");
    bed.run_once().exits(0);
    bed.run_once().exits(0).without_talk();
    let told = bed.told("itsm");
    assert_eq!(
        told.into_iter().map(|(k, v)| (k, v.len())).collect::<Vec<_>>(),
        [("a".to_owned(), 1)]
    );
    assert_eq!(bed.at("itsm").deliveries().len(), 1);
}

#[test]
fn a_disk_that_is_full_before_the_delivery_fails_the_run_and_sends_nothing() {
    let bed = TestBed::new().receiver("itsm", "webhook");
    bed.begin();
    bed.delete_key("a");
    // The commit is won; then the process dies before its first delivery.
    assert!(bed.run_killed(2, crate::support::gate::Stop::Before));
    bed.deliveries_come_due();
    let mut command = bed.command_after("trap '' XFSZ; ulimit -f 0", &["run", "--once"]);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("to itsm: state store: cannot write"), "{stderr}");
    assert_eq!(bed.at("itsm").deliveries().len(), 0, "no claim, no POST");
    bed.run_once().exits(0);
    assert_eq!(bed.at("itsm").counts().into_values().collect::<Vec<_>>(), [1]);
}
