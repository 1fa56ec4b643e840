//! State documents that cannot be read, or that a newer version wrote: refused, kept byte for byte, told, never overwritten.

use super::bed;
use crate::support::bed::conditions;
use crate::support::function_app::FunctionApp;
use hsmwatch::watch::head::Head;
use std::collections::BTreeMap;
use std::fs;

fn two_rules() -> FunctionApp {
    let bed = bed().rules("[[rule]]\nid = \"own\"\ntitle = \"Own\"\nseverity = \"high\"\nquery = '''CloudHsmServiceOperationAuditLogs'''\n");
    let app = FunctionApp::start(bed).begin();
    app.bed.delete_key("a");
    app.round().succeeds();
    assert_eq!(app.bed.at("itsm").deliveries().len(), 2);
    app
}

/// Spoils the head of the preset's watch. Answers its document.
fn spoil(app: &FunctionApp, how: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let name = std::cell::RefCell::new(String::new());
    app.change("heads/", |known, document| {
        let ours = Head::decode(&document.body).unwrap().watch.rule == "key-delete";
        if ours {
            document.body = how(&document.body);
            known.clone_into(&mut name.borrow_mut());
        }
        ours
    });
    name.into_inner()
}

#[test]
fn a_head_that_cannot_be_read_is_kept_and_told() {
    type Spoil = fn(&[u8]) -> Vec<u8>;
    let ways: [(&str, Spoil); 5] = [
        ("newer", |body| {
            String::from_utf8(body.to_vec())
                .unwrap()
                .replacen("\"format\":1", "\"format\":99", 1)
                .into_bytes()
        }),
        ("cut", |body| body[..body.len() / 2].to_vec()),
        ("empty", |_| Vec::new()),
        ("garbage", |_| b"\xff\xfe\0".to_vec()),
        ("another JSON", |_| b"{\"hello\":[]}".to_vec()),
    ];
    for (way, how) in ways {
        let app = two_rules();
        let name = spoil(&app, how);
        let spoilt = app.bed.document(&name);
        app.bed.delete_key("b");
        for _ in 0..2 {
            app.round();
            assert_eq!(app.bed.document(&name), spoilt, "{way}: byte for byte");
        }
        assert!(!app.lines("left untouched").is_empty(), "{way}: {}", app.host.said());
        assert!(!app.lines("evaluated workspace=prod watches=2 failed=1").is_empty(), "{way}");
        // The other rule goes on, and the trouble is told once.
        assert_eq!(app.bed.told("itsm")["b"].len(), 1, "{way}");
        let own: Vec<_> = app.bed.at("itsm").deliveries().iter().flat_map(conditions).collect();
        assert_eq!(own.len(), 1, "{way}: {own:?}");
        assert_eq!((own[0].0.as_str(), own[0].2.as_str()), ("state-unreadable", "ill"));
        let status = app.host.http("status", "application/json");
        assert_eq!(status.status, 200, "{way}");
        assert_eq!(status.json()["well"], false, "{way}");
        assert_eq!(app.host.http("status", "text/html").status, 200, "{way}");
        app.is_clean();
    }
}

#[test]
fn other_documents_that_cannot_be_read_are_kept() {
    let app = two_rules();
    let before: BTreeMap<String, Vec<u8>> = app.bed.state_files();
    let spoilt = b"{\"format\":99}".to_vec();
    for prefix in ["alerts/", "seen/", "deliveries/"] {
        let names = app.bed.documents(prefix);
        app.change(prefix, |_, document| {
            document.body.clone_from(&spoilt);
            true
        });
        app.bed.delete_key(prefix);
        app.round();
        app.round();
        for name in &names {
            // What nobody names any more may be gone; what is there is as it was.
            let kept = app.bed.documents(name).first().map(|name| app.bed.document(name));
            assert!(kept.is_none_or(|kept| kept == spoilt), "{name}");
        }
        app.host.http("status", "application/json");
        app.is_clean();
    }
    assert!(before.len() > 3);
}

#[test]
fn hsmwatchs_own_head_is_kept_too() {
    let app = two_rules();
    app.change("heads/", |_, document| {
        let own = Head::decode(&document.body).unwrap().own.is_some();
        if own {
            document.body = String::from_utf8(document.body.clone())
                .unwrap()
                .replacen("\"format\":1", "\"format\":99", 1)
                .into_bytes();
        }
        own
    });
    let heads = app.bed.documents("heads/");
    let newer: Vec<(String, Vec<u8>)> = heads
        .into_iter()
        .map(|name| (name.clone(), app.bed.document(&name)))
        .filter(|(_, body)| body.starts_with(b"{\"format\":99"))
        .collect();
    assert_eq!(newer.len(), 1);
    app.bed.delete_key("b");
    app.round();
    app.round();
    assert_eq!(app.bed.document(&newer[0].0), newer[0].1, "byte for byte");
    // The watches themselves go on.
    assert_eq!(app.bed.told("itsm")["b"].len(), 2);
    assert!(!app.lines("left untouched").is_empty(), "{}", app.host.said());
    app.is_clean();
}

#[test]
fn a_state_that_cannot_be_written_is_no_success() {
    let app = two_rules();
    let folder = app.bed.state_dir();
    // Root writes anyway: put a file where a folder must be.
    let heads = folder.join("deliveries");
    if fs::metadata(&heads).is_ok_and(|m| m.is_dir()) {
        let aside = folder.join("aside");
        fs::rename(&heads, &aside).unwrap();
        fs::write(&heads, "x").unwrap();
        app.bed.delete_key("b");
        app.round();
        fs::remove_file(&heads).unwrap();
        fs::rename(&aside, &heads).unwrap();
    }
    app.settle();
    assert_eq!(app.bed.told("itsm")["b"].len(), 2);
    assert_eq!(app.host.problems(), [""; 0]);
}
