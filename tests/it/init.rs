//! `init`: from questions on a terminal, from flags elsewhere; over nothing, and whole or not at all.

#[cfg(unix)]
mod unix;

use crate::support::bed::{Ran, SECRET};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const ID: &str = "11111111-2222-3333-4444-555555555555";
/// A configuration from flags.
const FLAGS: [&str; 4] = ["--workspace-id", ID, "--teams", "HSMWATCH_TEAMS_URL"];
/// The variables of a configuration, set as somebody would.
const VARIABLES: [(&str, &str); 4] = [
    ("HSMWATCH_TEAMS_URL", "https://x.environment.api.powerplatform.com/workflows/s3cret"),
    ("HSMWATCH_SLACK_URL", "https://hooks.slack.com/services/s3cret"),
    ("HSMWATCH_WEBHOOK_URL", "https://itsm.example.com/hooks/s3cret"),
    ("HSMWATCH_WEBHOOK_SECRET", SECRET),
];

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hsmwatch"));
        command.args(arguments).current_dir(self.0.path()).env_clear().stdin(Stdio::null());
        command
    }

    fn init(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(&["init"]).args(arguments).output().unwrap())
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path("hsmwatch.toml")).unwrap()
    }

    /// What is in the folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// `check`, with all variables set.
    fn check(&self) -> Ran {
        let mut command = self.command(&["check", "--strict"]);
        Ran::of(command.envs(VARIABLES).output().unwrap())
    }
}

#[test]
fn flags_make_a_configuration_that_check_takes() {
    let desk = Desk::new();
    let ran = desk.init(&FLAGS).exits(0);
    assert_eq!(ran.stdout, "");
    insta::assert_snapshot!("written", desk.text());
    insta::assert_snapshot!("next", ran.stderr);
    desk.check().exits(0).says("4 rules, 1 workspace, 1 receiver: fine");
    assert_eq!(desk.names(), ["hsmwatch.toml"]);
}

#[test]
fn help_shows_how_it_is_used() {
    insta::assert_snapshot!(Desk::new().init(&["--help"]).exits(0).stdout);
}

#[test]
fn flags_say_everything() {
    let desk = Desk::new();
    let many = [
        "--workspace",
        "prod=AAAAAAAA-2222-3333-4444-555555555555",
        "--workspace",
        "test=BBBBBBBB-2222-3333-4444-555555555555",
        "--logs",
        "exports/resourceId=/**/*.json",
        "--state-url",
        "https://acct.blob.core.usgovcloudapi.net/hsm-state/",
        "--teams",
        "oncall=HSMWATCH_TEAMS_URL",
        "--slack",
        "HSMWATCH_SLACK_URL",
        "--webhook",
        "itsm=HSMWATCH_WEBHOOK_URL,HSMWATCH_WEBHOOK_SECRET",
        "--webhook",
        "OTHER_URL",
        "--presets",
        "recommended, log-silence",
        "--cloud",
        "usgov",
        "--every",
        "10m",
    ];
    let ran = desk.init(&many).exits(0);
    insta::assert_snapshot!(format!("{}\n---\n{}", desk.text(), ran.stderr));
    let more = [("OTHER_URL", VARIABLES[2].1), ("OTHER_SECRET", SECRET)];
    let mut check = desk.command(&["check"]);
    Ran::of(check.envs(VARIABLES).envs(more).output().unwrap())
        .exits(0)
        .says("18 rules, 3 workspaces, 4 receivers: fine");
}

#[test]
fn every_option_is_there_if_asked_for() {
    let desk = Desk::new();
    desk.init(&[&FLAGS[..], &["--full"]].concat()).exits(0);
    insta::assert_snapshot!(desk.text());
    desk.check().exits(0);
}

#[test]
fn standard_output_gets_the_text_and_nothing_else() {
    let desk = Desk::new();
    desk.init(&FLAGS).exits(0);
    for way in [&["--stdout"][..], &["-"]] {
        let ran = desk.init(&[&FLAGS[..], way].concat()).exits(0);
        assert_eq!(ran.stdout, desk.text());
        assert!(ran.says("hsmwatch check").stderr.starts_with("Next:"));
    }
    let ran = desk.init(&[&FLAGS[..], &["--format", "json", "--force"]].concat()).exits(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        json,
        serde_json::json!({ "written": "hsmwatch.toml", "variables": ["HSMWATCH_TEAMS_URL"] })
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn schema_and_example_are_those_of_the_repository() {
    let desk = Desk::new();
    for (flag, file) in
        [("--schema", "hsmwatch.schema.json"), ("--example", "hsmwatch.example.toml")]
    {
        let ran = desk.init(&[flag]).exits(0).without_talk();
        let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        assert_eq!(ran.stdout, fs::read_to_string(there).unwrap(), "{file}");
    }
    assert_eq!(desk.names(), [""; 0]);
    // An editor finds the schema where it lies beside.
    fs::write(desk.path("hsmwatch.schema.json"), "{}").unwrap();
    desk.init(&FLAGS).exits(0);
    assert!(desk.text().starts_with("#:schema ./hsmwatch.schema.json\n"));
}

#[test]
fn what_cannot_be_is_refused_with_the_cure() {
    let desk = Desk::new();
    let mut said = String::new();
    let cases: &[&[&str]] = &[
        &[],
        &["--yes"],
        &["--workspace-id", ID],
        &["--teams", "HSMWATCH_TEAMS_URL"],
        &["--workspace-id", "my-workspace"],
        &["--workspace", ID],
        &["--workspace", "on call=11111111-2222-3333-4444-555555555555"],
        &["--workspace-id", ID, "--workspace", "other=11111111-2222-3333-4444-555555555555"],
        &["--workspace-id", ID, "--workspace", "Prod=21111111-2222-3333-4444-555555555555"],
        &["--logs", "a/***"],
        &["--state-path", "https://acct.blob.core.windows.net/"],
        &["--state-url", "folder"],
        &["--state-url", "https://acct.blob.core.windows.net/box/more"],
        &["--state-path", "a", "--state-url", "b"],
        &["--teams", "A", "--slack", "A"],
        &["--teams", "a=A", "--slack", "A=B"],
        &["--webhook", "A,A"],
        &["--presets", "tutorail"],
        &["--presets", ","],
        &["--cloud", "gov"],
        &["--every", "5 minutes"],
        &["x.toml", "--stdout"],
        &["--schema", "--example"],
        &["https://acct.blob.core.windows.net/box/hsmwatch.toml"],
        &["no/such/folder/hsmwatch.toml", "--workspace-id", ID, "--teams", "A"],
    ];
    for case in cases {
        let ran = desk.init(case);
        assert_eq!(ran.stdout, "", "{case:?}");
        let (case, code) = (case.join(" "), ran.code.unwrap());
        let _infallible = writeln!(said, "$ hsmwatch init {case}\n{}[{code}]\n", ran.stderr);
    }
    insta::assert_snapshot!(said);
    assert_eq!(desk.names(), [""; 0]);
}

#[test]
fn a_secret_for_a_name_is_refused_and_not_repeated() {
    let desk = Desk::new();
    for secret in [
        "https://hooks.slack.com/services/T0/B0/s3cret",
        "https://x.environment.api.powerplatform.com/workflows/s3cret?sp=a,b&sig=s3cret",
        "oncall=https://example.com/s3cret",
        "whsec_s3cretFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "A,whsec_s3cretFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "s3cret-token",
    ] {
        for flag in [
            "--teams",
            "--slack",
            "--webhook",
            "--state-url",
            "--state-path",
            "--workspace-id",
            "--workspace",
            "--cloud",
            "--presets",
            "--every",
        ] {
            let about = ["--teams", "--slack", "--webhook"].contains(&flag);
            let ran = desk.init(&[flag, secret]).exits(2);
            // What is no secret by its looks may be quoted where no secret is expected.
            if about || secret != "s3cret-token" {
                assert!(!ran.stderr.contains("s3cret"), "{flag}: {ran:?}");
            }
            if about {
                ran.says("into a variable");
            }
        }
    }
    // A configuration that lies in a blob is no place to write to, and its address may have a secret in it.
    let ran = desk
        .command(&["init", "--stdout"])
        .env("HSMWATCH_CONFIG", "https://a/b/c?sig=s3cret")
        .args(FLAGS)
        .output();
    Ran::of(ran.unwrap()).exits(0);
    let ran = desk
        .command(&["init"])
        .env("HSMWATCH_CONFIG", "https://a/b/c?sig=s3cret")
        .args(FLAGS)
        .output();
    let ran = Ran::of(ran.unwrap()).exits(2).says("is a URL");
    assert!(!ran.stderr.contains("s3cret"), "{ran:?}");
    assert_eq!(desk.names(), [""; 0]);
}

#[test]
fn what_is_there_is_never_written_over_unasked() {
    let desk = Desk::new();
    let path = desk.path("hsmwatch.toml");
    fs::write(&path, "mine").unwrap();
    // Also before any question, and whatever else is wrong.
    for case in [&FLAGS[..], &[], &["--teams", "-"]] {
        desk.init(case).exits(1).says("is there already, and is left as it is").says("--force");
    }
    assert_eq!(desk.text(), "mine");
    desk.init(&[&FLAGS[..], &["--force"]].concat()).exits(0);
    assert!(desk.text().contains(ID));
    fs::create_dir(desk.path("folder")).unwrap();
    for flags in [&["folder"][..], &["folder", "--force"]] {
        desk.init(&[&FLAGS[..], flags].concat()).exits(1);
    }
    assert_eq!(desk.names(), ["folder", "hsmwatch.toml"]);
}

#[test]
fn of_many_at_once_one_writes() {
    let desk = Desk::new();
    let mut children: Vec<_> = (0..8)
        .map(|n| {
            let every = format!("{}m", n + 5);
            let mut command = desk.command(&["init", "--every", &every]);
            command.args(FLAGS).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let codes: Vec<_> = children.iter_mut().map(|child| child.wait().unwrap().code()).collect();
    let (wrote, refused): (Vec<usize>, Vec<usize>) = (0..8).partition(|n| codes[*n] == Some(0));
    assert_eq!((wrote.len(), refused.len()), (1, 7), "{codes:?}");
    assert!(desk.text().contains(&format!("every = \"{}m\"", wrote[0] + 5)));
    assert!(refused.iter().all(|n| codes[*n] == Some(1)), "{codes:?}");
    assert_eq!(desk.names(), ["hsmwatch.toml"]);
}
