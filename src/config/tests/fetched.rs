//! A configuration in Blob Storage, over blobs that a test has made up.

use super::*;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const MAIN: &str = r#"
rules = ["rules/*.toml"]
[state]
account_url = "https://acme.blob.core.windows.net"
[[workspace]]
name = "prod"
id = "11111111-2222-3333-4444-555555555555"
[[receiver]]
name = "oncall"
kind = "webhook"
url = { file = "../secrets/url" }
secret = { env = "SECRET" }
"#;

const RULE: &str = r#"
[[rule]]
id = "night"
title = "At night"
severity = "high"
query = { file = "night.kql" }
"#;

fn place(name: &str) -> BlobPlace {
    BlobPlace {
        account_url: "https://acme.blob.core.windows.net".parse().unwrap(),
        container: "conf".to_owned(),
        name: name.to_owned(),
    }
}

fn machine() -> World {
    World::default().var("SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
}

/// A container.
struct Container(BTreeMap<String, String>);

impl Container {
    fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    fn fetch(&self, blobs: &mut Blobs, wanted: &Wanted) {
        for name in &wanted.files {
            let text = self.0.get(name).cloned().ok_or_else(|| "there is no such blob".to_owned());
            blobs.files.insert(name.clone(), text);
        }
        for prefix in &wanted.prefixes {
            let names = self.0.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
            blobs.listings.insert(prefix.clone(), Ok(names));
        }
    }
}

/// Reads and fetches until nothing is missing. Answers how many times it read, too.
fn read(
    container: &Container,
    place: &BlobPlace,
    machine: &World,
    text: &str,
) -> (Result<Loaded, Problems>, Asked, usize) {
    let mut blobs = Blobs::default();
    let mut round = 0;
    loop {
        round += 1;
        let fetched = Fetched::new(place, &blobs, machine);
        let recorder = Recorder::new(&fetched);
        let file = place.file();
        let result = load(Input::File { name: &file, text }, &known(), &recorder);
        let asked = recorder.asked();
        let missing = fetched.missing();
        if missing.is_empty() {
            return (result, asked, round);
        }
        container.fetch(&mut blobs, &missing);
    }
}

#[test]
fn everything_beside_the_configuration_is_fetched_in_a_few_rounds() {
    let container = Container::of(&[
        ("secrets/url", "https://itsm.example.com/hook\n"),
        ("p/rules/night.toml", RULE),
        ("p/rules/deep/no.toml", "not TOML"),
        ("p/rules/no.txt", "not TOML"),
        ("p/night.kql", "CloudHsmServiceOperationAuditLogs | where OperationName == \"X\""),
    ]);
    let (result, asked, rounds) = read(&container, &place("p/hsmwatch.toml"), &machine(), MAIN);
    let loaded = result.unwrap();
    assert_eq!(rounds, 4);
    assert_eq!(loaded.config.own_rules.len(), 1);
    let (spec, rule) = &loaded.config.own_rules[0];
    assert!(spec.query.as_deref().unwrap().ends_with("\"X\""));
    assert_eq!(rule.rule.to_string(), "conf/p/rules/night.toml:2:1");
    assert_eq!(&*rule.query.as_ref().unwrap().start.file, "conf/p/night.kql");
    assert!(loaded.exposed.is_empty());
    let open: Vec<_> = asked.open().map(|(path, _)| path.to_str().unwrap()).collect();
    assert_eq!(open, ["conf/p/night.kql", "conf/p/rules/night.toml"], "secrets are not open");
    assert!(!format!("{asked:?}").contains("itsm"), "{asked:?}");
}

#[test]
fn problems_name_the_blob_with_line_and_column() {
    let container = Container::of(&[
        ("secrets/url", "http://itsm.example.com/hook"),
        ("rules/a.toml", "[[rule]]\nid = \"x\"\nseverty = \"high\"\n"),
        ("rules/b.toml", "[[rule]\n"),
    ]);
    let text = MAIN.replace("../secrets", "secrets");
    let (result, ..) = read(&container, &place("hsmwatch.toml"), &machine(), &text);
    insta::assert_snapshot!(rendered(&result));
}

#[test]
fn what_is_not_there_is_told_where_it_is_named() {
    let (result, ..) = read(&Container::of(&[]), &place("p/hsmwatch.toml"), &machine(), MAIN);
    insta::assert_snapshot!(rendered(&result));
}

#[test]
fn paths_of_this_machine_must_be_absolute() {
    let text = MAIN
        .replace("account_url = \"https://acme.blob.core.windows.net\"", "path = \"state\"")
        .replace(
            "id = \"11111111-2222-3333-4444-555555555555\"",
            "logs = [\"e/*.json\", \"/e/*.json\"]",
        )
        .replace("rules/*.toml", "/etc/hsmwatch/*.toml")
        .replace("../secrets/url", "/mnt/url");
    let world = machine().file("/mnt/url", "https://itsm.example.com/hook");
    let (result, ..) = read(&Container::of(&[]), &place("hsmwatch.toml"), &world, &text);
    insta::assert_snapshot!(rendered(&result));
    let text = text.replace("\"state\"", "\"/state\"").replace("\"e/*.json\", ", "");
    let world = world.file("/etc/hsmwatch/a.toml", &RULE.replace("night.kql", "/q.kql"));
    let world = world.file("/q.kql", "CloudHsmServiceOperationAuditLogs");
    let (result, ..) = read(&Container::of(&[]), &place("hsmwatch.toml"), &world, &text);
    let config = result.unwrap().config;
    assert!(matches!(config.state, State::Folder(path) if path == Path::new("/state")));
    assert_eq!(config.own_rules.len(), 1);
}

#[test]
fn any_change_is_noticed_and_nothing_else() {
    let files = [
        ("secrets/url", "https://itsm.example.com/hook"),
        ("p/rules/night.toml", RULE),
        ("p/night.kql", "CloudHsmServiceOperationAuditLogs"),
    ];
    let place = place("p/hsmwatch.toml");
    let (_, asked, _) = read(&Container::of(&files), &place, &machine(), MAIN);
    let still = |files: &[(&str, &str)]| {
        let mut blobs = Blobs::default();
        let container = Container::of(files);
        let wanted = Wanted {
            files: ["secrets/url", "p/rules/night.toml", "p/night.kql"].map(str::to_owned).into(),
            prefixes: ["p/rules/".to_owned()].into(),
        };
        container.fetch(&mut blobs, &wanted);
        asked.still(&Fetched::new(&place, &blobs, &machine()))
    };
    assert!(still(&files));
    for n in 0..files.len() {
        let mut changed = files;
        changed[n].1 = "changed";
        assert!(!still(&changed), "{}", files[n].0);
        let mut gone = files.to_vec();
        gone.remove(n);
        assert!(!still(&gone), "{}", files[n].0);
    }
    let mut more = files.to_vec();
    more.push(("p/rules/z.toml", ""));
    assert!(!still(&more));
    more.pop();
    more.push(("p/rules/z.txt", ""));
    more.push(("elsewhere", ""));
    assert!(still(&more));
}

#[test]
fn a_kept_version_reads_its_own_files_and_todays_secrets() {
    let files = [
        ("secrets/url", "https://itsm.example.com/hook"),
        ("p/rules/night.toml", RULE),
        ("p/night.kql", "CloudHsmServiceOperationAuditLogs"),
    ];
    let place = place("p/hsmwatch.toml");
    let (_, asked, _) = read(&Container::of(&files), &place, &machine(), MAIN);
    let files: BTreeMap<PathBuf, String> =
        asked.open().map(|(path, text)| (path.clone(), text.to_owned())).collect();
    let patterns =
        asked.patterns.iter().map(|(p, found)| (p.clone(), found.clone().unwrap())).collect();
    let mut blobs = Blobs::default();
    let now =
        Container::of(&[("secrets/url", "https://new.example.com"), ("p/rules/bad.toml", "?")]);
    now.fetch(
        &mut blobs,
        &Wanted { files: ["secrets/url".to_owned()].into(), ..Wanted::default() },
    );
    let machine = machine();
    let world = Fetched::new(&place, &blobs, &machine);
    let kept = Kept { files: &files, patterns: &patterns, world: &world };
    let file = place.file();
    let loaded = load(Input::File { name: &file, text: MAIN }, &known(), &kept).unwrap();
    assert!(world.missing().is_empty());
    assert_eq!(loaded.config.own_rules.len(), 1);
    let url = &loaded.config.receivers[0].url.text;
    assert_eq!(secrecy::ExposeSecret::expose_secret(url), "https://new.example.com");
}

#[test]
fn secrets_that_are_written_out_are_known_by_their_place() {
    let text = r#"
[state]
path = "s"
[[workspace]]
name = "prod"
id = "11111111-2222-3333-4444-555555555555"
[[receiver]]
name = "oncall"
kind = "webhook"
url = "https://itsm.example.com/hook"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
previous_secrets = [{ env = "SECRET" }, "whsec_AfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
"#;
    let loaded = file(text, &machine()).unwrap();
    insta::assert_snapshot!(Problems(loaded.exposed), @r"
    hsmwatch.toml:10:7: `url`: is written out
    hsmwatch.toml:11:10: `secret`: is written out
    hsmwatch.toml:12:41: `previous_secrets`: is written out
    ");
}

#[test]
fn the_secret_of_an_account_is_one_too() {
    let key = "c2l4dGVlbiBieXRlcyBvciBtb3Jl";
    let text = |state: &str| {
        REST.replace(
            "path = \"s\"",
            &format!("account_url = \"https://acme.blob.core.windows.net\"\n{state}"),
        )
    };
    for (state, exposed) in [
        (format!("account_key = \"{key}\""), 2),
        ("sas = \"sv=1&sig=abc\"".to_owned(), 2),
        ("sas = { env = \"SAS\" }".to_owned(), 1),
        (String::new(), 1),
    ] {
        let world = machine().var("SAS", "sv=1&sig=abc");
        let loaded = file(&text(&state), &world).unwrap();
        assert_eq!(loaded.exposed.len(), exposed, "{state}");
    }
    let loopback =
        text("").replace("https://acme.blob.core.windows.net", "http://127.0.0.1:1/dev?sig=x");
    assert_eq!(file(&loopback, &machine()).unwrap().exposed.len(), 2);

    let secret = |world: World| storage_secret(&world);
    assert!(secret(World::default()).unwrap().is_none());
    let world = World::default().var("HSMWATCH_STORAGE_KEY", key).var("HSMWATCH_STORAGE_SAS", " ");
    assert!(matches!(secret(world), Ok(Some(StorageSecret::AccountKey(_)))));
    let world =
        World::default().var("HSMWATCH_STORAGE_KEY", key).var("HSMWATCH_STORAGE_SAS", "sig=a");
    let both = secret(world).unwrap_err().to_string();
    assert!(both.contains("contradicts `HSMWATCH_STORAGE_KEY`"), "{both}");
    let world = World::default()
        .var("HSMWATCH_STORAGE_SAS", "@Microsoft.KeyVault(SecretUri=https://v/secrets/s)");
    assert!(secret(world).unwrap_err().to_string().contains("was not resolved"));
}

#[test]
fn the_cloud_is_known_by_the_account() {
    let cloud =
        |host: &str| Cloud::of_account(&format!("https://acme.blob.core.{host}").parse().unwrap());
    assert_eq!(cloud("windows.net"), Cloud::Public);
    assert_eq!(cloud("usgovcloudapi.net"), Cloud::UsGov);
    assert_eq!(cloud("chinacloudapi.cn"), Cloud::China);
}

/// Names of files that look like one another, some of them like patterns.
fn name() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab.\\[é]{1,3}", 1..4)
        .prop_filter("a path", |parts| {
            parts.iter().all(|part| !matches!(part.as_str(), "." | ".."))
        })
        .prop_map(|parts| parts.join("/"))
}

/// But for `//` and `/./` in the middle, which the library for files takes for folders without a name.
fn glob_pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("*".to_owned()),
        Just("**".to_owned()),
        Just("?b*".to_owned()),
        Just("[!a]*".to_owned()),
        Just("[[]*".to_owned()),
        Just("[a/b]".to_owned()),
        "[ab.é]{1,3}",
        "[ab]\\*",
    ];
    let before = prop_oneof![Just(""), Just("./")];
    (before, prop::collection::vec(part, 1..4))
        .prop_map(|(before, parts)| format!("{before}{}", parts.join("/")))
        .prop_filter("relative, and inside", |p| !p.contains(".."))
        // After `**` the `glob` crate finds nothing in `.`, which is the folder itself everywhere else.
        .prop_filter("a folder is not named twice", |p| {
            p.split('/').skip(1).all(|part| part != ".")
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// A pattern matches blobs as it would match the same files in a folder.
    #[test]
    fn patterns_match_blobs_as_they_match_files(
        names in prop::collection::btree_set(name(), 0..6),
        pattern in glob_pattern(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut blobs: Vec<String> = Vec::new();
        for name in names {
            let path = dir.path().join("p").join(&name);
            // A folder cannot hold a file and a folder of one name; a container can.
            if std::fs::create_dir_all(path.parent().unwrap()).is_ok()
                && !path.exists()
                && std::fs::write(&path, "").is_ok()
            {
                blobs.push(format!("p/{name}"));
            }
        }
        std::fs::create_dir_all(dir.path().join("p")).unwrap();
        let system = System::beside(&dir.path().join("p/hsmwatch.toml"));
        let files = system.glob(&text::pattern(&system, &pattern)).map(|found| {
            found.iter().map(|path| path.strip_prefix(dir.path()).unwrap().to_owned()).collect::<Vec<_>>()
        });

        let place = place("p/hsmwatch.toml");
        let machine = World::default();
        let container = Container(blobs.into_iter().map(|name| (name, String::new())).collect());
        let mut fetched = Blobs::default();
        let world = Fetched::new(&place, &fetched, &machine);
        let _not_yet = world.glob(&text::pattern(&world, &pattern));
        let missing = world.missing();
        container.fetch(&mut fetched, &missing);
        let world = Fetched::new(&place, &fetched, &machine);
        let found = world.glob(&text::pattern(&world, &pattern)).map(|found| {
            found.iter().map(|path| path.strip_prefix("conf").unwrap().to_owned()).collect::<Vec<_>>()
        });
        prop_assert_eq!(found.ok(), files.ok(), "{}", pattern);
    }
}

#[test]
fn hostile_names_of_blobs_are_no_files() {
    let mut blobs = Blobs::default();
    let names = ["rules/../../x.toml", "rules//x.toml", "rules/./x.toml", "rules/x.toml"];
    blobs.listings.insert("rules/".to_owned(), Ok(names.map(str::to_owned).to_vec()));
    let (place, machine) = (place("hsmwatch.toml"), machine());
    let world = Fetched::new(&place, &blobs, &machine);
    for pattern in ["conf/rules/*.toml", "conf/rules/**/*.toml"] {
        assert_eq!(world.glob(pattern), Ok(vec![PathBuf::from("conf/rules/x.toml")]), "{pattern}");
    }
    for pattern in ["conf/rules/", "conf/rules/.", "conf/rules/**"] {
        assert_eq!(world.glob(pattern), Ok(vec![]), "{pattern}: folders only");
    }
    assert!(world.read(Path::new("conf/../../etc/passwd")).unwrap_err().contains("out of"));
    assert!(world.glob("conf/../../*").unwrap_err().contains("out of"));
}

#[test]
fn a_name_that_could_forge_a_line_is_refused() {
    let mut blobs = Blobs::default();
    let names = ["rules/x\nerror: all is lost.toml", "rules/x.toml"];
    blobs.listings.insert("rules/".to_owned(), Ok(names.map(str::to_owned).to_vec()));
    let (place, machine) = (place("hsmwatch.toml"), machine());
    let world = Fetched::new(&place, &blobs, &machine);
    let why = world.glob("conf/rules/*.toml").unwrap_err();
    assert_eq!(why, "the name of a blob there has a control character in it");
    assert!(world.glob("conf/rules/*.json").unwrap().is_empty());
}
