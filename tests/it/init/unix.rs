//! `init` on a terminal, and where files cannot be written.

use super::*;
use crate::support::terminal::Terminal;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;

#[test]
fn a_link_is_followed_and_who_may_read_stays() {
    let desk = Desk::new();
    fs::create_dir(desk.path("etc")).unwrap();
    let real = desk.path("etc/real.toml");
    fs::write(&real, "mine").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o660)).unwrap();
    symlink("etc/real.toml", desk.path("hsmwatch.toml")).unwrap();
    desk.init(&FLAGS).exits(1);
    desk.init(&[&FLAGS[..], &["--force"]].concat()).exits(0);
    assert!(fs::symlink_metadata(desk.path("hsmwatch.toml")).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains(ID));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o660);
    // A link that leads nowhere is there too.
    symlink("nowhere", desk.path("dangling.toml")).unwrap();
    desk.init(&[&FLAGS[..], &["dangling.toml"]].concat()).exits(1);
    // A new file is as any new file: not for its owner alone.
    desk.init(&[&FLAGS[..], &["new.toml"]].concat()).exits(0);
    fs::write(desk.path("any"), "").unwrap();
    let mode = |name: &str| fs::metadata(desk.path(name)).unwrap().permissions().mode();
    assert_eq!(mode("new.toml"), mode("any"));
}

#[test]
fn where_nothing_can_be_written_nothing_is() {
    let desk = Desk::new();
    // What is no file is not written over, not even if asked for.
    desk.init(&[&FLAGS[..], &["/dev/full"]].concat()).exits(1).says("is there already");
    let ran = desk.init(&[&FLAGS[..], &["/dev/full", "--force"]].concat()).exits(1);
    ran.says("`/dev/full` is there and is no file");
    // Nobody writes here, root neither.
    let ran = desk.init(&[&FLAGS[..], &["/proc/hsmwatch.toml"]].concat()).exits(1);
    ran.says("`/proc/hsmwatch.toml` cannot be written").says("--stdout");
    fs::create_dir(desk.path("closed")).unwrap();
    fs::set_permissions(desk.path("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    let ran = desk.init(&[&FLAGS[..], &["closed/hsmwatch.toml"]].concat());
    // For root, no folder is closed.
    if ran.code != Some(0) {
        ran.exits(1).says("`closed/hsmwatch.toml` cannot be written");
        assert!(fs::read_dir(desk.path("closed")).unwrap().next().is_none());
    }
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let desk = Desk::new();
    // Files of no byte are all that the system gives: writing fails as on a full disk.
    let limited = |more: &str| {
        let line = format!(
            "trap '' XFSZ; ulimit -f 0; exec '{}' init --workspace-id {ID} --teams A {more}",
            env!("CARGO_BIN_EXE_hsmwatch")
        );
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &line]).current_dir(desk.0.path()).env_clear();
        Ran::of(command.output().unwrap())
    };
    limited("").exits(1).says("`hsmwatch.toml` cannot be written");
    assert_eq!(desk.names(), [""; 0]);
    fs::write(desk.path("hsmwatch.toml"), "mine").unwrap();
    limited("--force").exits(1);
    assert_eq!(desk.text(), "mine");
    assert_eq!(desk.names(), ["hsmwatch.toml"]);
    // Standard output that takes no more is no success either.
    for flag in ["--stdout", "--schema", "--example"] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = desk.command(&["init", flag]);
        let ran = command.args(FLAGS).stdout(full).output().unwrap();
        Ran::of(ran).exits(1).says("standard output takes no more");
    }
}

#[test]
fn a_terminal_is_asked() {
    let desk = Desk::new();
    let mut terminal = Terminal::start(desk.0.path(), &["init"]);
    terminal.asks("a pattern of files: ").types("my-workspace\n");
    terminal.asks("is not a workspace id").asks("a pattern of files: ").types(ID).types("\n");
    terminal.asks("[public]: ").types("\n");
    terminal.asks("[hsmwatch-state]: ").types("state\n");
    terminal.asks("[teams]: ").types("teams, webhook\n");
    terminal.asks("[HSMWATCH_TEAMS_URL]: ").types("\n");
    terminal.asks("[HSMWATCH_WEBHOOK_URL]: ").types("\n");
    terminal.asks("[HSMWATCH_WEBHOOK_SECRET]: ").types("\n");
    terminal.asks("[tutorial]: ").types("recommended\n");
    terminal.asks("[5m]: ").types("10m\n");
    let (status, seen) = terminal.end();
    assert!(status.success(), "{seen}");
    insta::assert_snapshot!("asked", seen);
    insta::assert_snapshot!("answered", desk.text());
    desk.check().exits(0).says("17 rules, 1 workspace, 2 receivers: fine");
    assert_eq!(desk.names(), ["hsmwatch.toml"]);
}

#[test]
fn what_flags_say_is_not_asked() {
    let desk = Desk::new();
    let flags = [&["init", "--every", "1m", "--state-path", "s"][..], &FLAGS].concat();
    let mut terminal = Terminal::start(desk.0.path(), &flags);
    terminal.asks("[public]: ").types("china\n").asks("[tutorial]: ").types("\n");
    let (status, seen) = terminal.end();
    assert!(status.success() && seen.matches("]: ").count() == 2, "{seen}");
    assert!(desk.text().contains("cloud = \"china\""));
    // And nothing at all with --yes.
    let yes = [&["init", "other.toml", "--yes"][..], &FLAGS].concat();
    let (status, seen) = Terminal::start(desk.0.path(), &yes).end();
    assert!(status.success() && !seen.contains("]: "), "{seen}");
    assert!(seen.contains("hsmwatch check --config other.toml"), "{seen}");
    // What is there is said before anything is asked.
    let (status, seen) = Terminal::start(desk.0.path(), &["init"]).end();
    assert_eq!(status.code(), Some(1));
    assert!(seen.contains("is there already") && !seen.contains("]: "), "{seen}");
}

#[test]
fn a_secret_that_is_pasted_is_not_repeated() {
    let desk = Desk::new();
    let pasted = "https://hooks.slack.com/services/T0/B0/s3cret";
    let flags = ["init", "--workspace-id", ID, "--state-path", "s", "--cloud", "public"];
    let mut terminal = Terminal::start(desk.0.path(), &flags);
    terminal.asks("[teams]: ").types("slack\n");
    terminal.asks("[HSMWATCH_SLACK_URL]: ").types(pasted).types("\n");
    terminal.asks("read -rs HSMWATCH_SLACK_URL").asks("[HSMWATCH_SLACK_URL]: ").types("\n");
    terminal.asks("[tutorial]: ").types("\n").asks("[5m]: ").types("\n");
    let (status, seen) = terminal.end();
    assert!(status.success());
    // Once: that is the terminal's own echo.
    assert_eq!(seen.matches("s3cret").count(), 1, "{seen}");
    assert!(!desk.text().contains("s3cret"));
}

#[test]
fn whoever_leaves_leaves_nothing() {
    let desk = Desk::new();
    // Ctrl-C and Ctrl-D, at the first question and at the last.
    for (key, ends) in [("\u{3}", None), ("\u{4}", Some(1))] {
        let mut terminal = Terminal::start(desk.0.path(), &["init"]);
        terminal.asks("a pattern of files: ").types(key);
        let (status, seen) = terminal.end();
        assert_eq!(status.code(), ends, "{seen}");
        let flags = [&["init", "--cloud", "public", "--state-path", "s"][..], &FLAGS].concat();
        let mut terminal = Terminal::start(desk.0.path(), &flags);
        terminal.asks("[tutorial]: ").types("\n").asks("[5m]: ").types(key);
        let (status, seen) = terminal.end();
        assert_eq!(status.code(), ends, "{seen}");
        assert_eq!(status.signal().is_some(), ends.is_none());
        assert_eq!(seen.contains("nothing is written"), ends.is_some(), "{seen}");
        assert_eq!(desk.names(), [""; 0]);
    }
}
