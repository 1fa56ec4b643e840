//! What is written is good, whatever is answered; and no secret is taken for the name of a variable.

use super::answers::{Draft, Source, State, variable};
use super::receiver::{Fate, Receiver, wants};
use super::*;
use crate::config::catalogue::{Relation, SECTIONS, Section};
use crate::config::{Problems, System};
use crate::notify::Kind;
use proptest::prelude::*;

/// The variables that the example names, set, and the files that it names.
struct World(Imagined<'static>);

fn world() -> World {
    let mut variables: BTreeMap<_, _> =
        Fate::ALL.map(|fate| (fate.usual(), fate.stand_in())).into_iter().collect();
    variables.insert("FORMER_SECRET", Fate::Secret.stand_in());
    variables.insert("HSMWATCH_STORAGE_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    variables.insert("HSMWATCH_STORAGE_SAS", "sv=2021-12-02&sig=abc%3D");
    for name in ["RECEIVER_TOKEN", "RECEIVER_PASSWORD", "RECEIVER_CLIENT_SECRET"] {
        variables.insert(name, "0000");
    }
    World(Imagined { variables })
}

impl Lookup for World {
    fn var(&self, name: &str) -> Option<String> {
        self.0.var(name)
    }

    fn base(&self) -> &Path {
        self.0.base()
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        let part = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        match path.to_str() {
            Some("ca.pem") => Ok(part("CERTIFICATE")),
            Some("client.pem") => Ok(part("CERTIFICATE") + &part("PRIVATE KEY")),
            Some("alert.json.j2") => Ok("{\"text\": {{ title }}}".to_owned()),
            _ => self.0.read(path),
        }
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        self.0.glob(pattern)
    }
}

/// What `check` would say of a text.
fn checked(text: &str) -> Result<Vec<config::Problem>, String> {
    let input = Input::File { name: "hsmwatch.toml", text };
    let loaded = config::load(input, &setup::known(), &world());
    let loaded = loaded.map_err(|problems: Problems| problems.to_string())?;
    let ready = setup::finish(loaded, String::new(), System::here());
    ready.map(|setup| setup.warnings).map_err(|stop| stop.sentence())
}

/// The lines of a configuration, to be switched on and off.
#[derive(Clone)]
struct Lines(Vec<String>);

impl Lines {
    /// Each option that is off: the section it is in, the key, and the line.
    fn off(&self) -> Vec<(&'static Section, String, usize)> {
        let mut of = SECTIONS[0];
        let mut found = Vec::new();
        for (n, line) in self.0.iter().enumerate() {
            let header = |section: &&&Section| !section.header.is_empty() && section.header == line;
            of = SECTIONS.iter().find(header).copied().unwrap_or(of);
            let option = line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', ':']));
            if let Some((key, _)) = option.and_then(|option| option.split_once(" = ")) {
                found.push((of, key.to_owned(), n));
            }
        }
        found
    }

    /// The lines of the table that a line is in.
    fn table(&self, line: usize) -> std::ops::Range<usize> {
        let header = |line: &String| line.starts_with('[');
        let start = self.0[..line].iter().rposition(header).map_or(0, |n| n + 1);
        let end = self.0[line..].iter().position(header).map_or(self.0.len(), |n| line + n);
        start..end
    }

    fn find(&self, beside: usize, key: &str, on: bool) -> Option<usize> {
        let begins = format!("{}{key} = ", if on { "" } else { "#" });
        self.table(beside).find(|n| self.0[*n].starts_with(&begins))
    }

    /// Switches an option on, and sees that what the catalogue says of it holds.
    fn switch_on(&mut self, of: &Section, key: &str, line: usize) {
        self.0[line] = self.0[line].strip_prefix('#').unwrap().to_owned();
        for relation in of.relations {
            let rival = match relation {
                Relation::Either(a, b) | Relation::NotBoth(a, b) if *a == key => Some(b),
                Relation::Either(a, b) | Relation::NotBoth(a, b) if *b == key => Some(a),
                Relation::Signed if key == "unsigned" => Some(&"secret"),
                _ => None,
            };
            if let Some(n) = rival.and_then(|rival| self.find(line, rival, true)) {
                self.switch_off(of, n);
            }
            if let Relation::Needs(a, others) | Relation::OwnNeeds(a, others) = relation
                && *a == key
            {
                self.one_of(of, others, line);
            }
            match relation {
                // Of the key that decides, the word that goes with this one.
                Relation::Only { keys, key: other, words } if keys.contains(&key) => {
                    if let Some(n) =
                        self.find(line, other, true).or_else(|| self.find(line, other, false))
                    {
                        let written =
                            words.iter().any(|w| self.0[n].ends_with(&format!("\"{w}\"")));
                        if *other == "format" && !written {
                            self.0[n] = format!("{other} = \"{}\"", words[0]);
                        }
                    }
                }
                Relation::When { key: other, words, needs }
                    if *other == key
                        && words.iter().any(|w| self.0[line].ends_with(&format!("\"{w}\""))) =>
                {
                    for need in *needs {
                        self.one_of(of, &[need], line);
                    }
                }
                _ => {}
            }
        }
    }

    /// Sees that one of the keys is on.
    fn one_of(&mut self, of: &Section, keys: &[&str], line: usize) {
        if !keys.iter().any(|key| self.find(line, key, true).is_some()) {
            let n = self.find(line, keys[0], false).unwrap();
            self.switch_on(of, keys[0], n);
        }
    }

    /// Switches an option off, and what is of no use without it.
    fn switch_off(&mut self, of: &Section, line: usize) {
        let key = self.0[line].split(" = ").next().unwrap().to_owned();
        self.0[line].insert(0, '#');
        for relation in of.relations {
            if let Relation::Needs(a, others) = relation
                && others.contains(&key.as_str())
                && let Some(n) = self.find(line, a, true)
            {
                self.switch_off(of, n);
            }
        }
    }

    fn text(&self) -> String {
        self.0.join("\n")
    }
}

#[test]
fn the_example_is_good_and_so_is_each_of_its_options() {
    let example = template::example();
    assert_eq!(checked(&example), Ok(Vec::new()));
    let lines = Lines(example.lines().map(str::to_owned).collect());
    let off = lines.off();
    for (of, key, line) in &off {
        let mut lines = lines.clone();
        lines.switch_on(of, key, *line);
        let said = checked(&lines.text());
        let warned = match key.as_str() {
            // There are no such files here.
            "rules" if of.header.is_empty() => 1,
            // The query of the example asks for no constant.
            "parameters" => 1,
            _ => 0,
        };
        let said = said.unwrap_or_else(|problems| panic!("{} {key}\n{problems}", of.header));
        assert_eq!(said.len(), warned, "{} {key}: {said:?}", of.header);
    }
    // Every key is in it, on or off, in the section that it belongs to.
    for of in SECTIONS {
        for key in of.keys {
            let on = |line: &String| line.starts_with(&format!("{} = ", key.name));
            let offered = off.iter().any(|(s, k, _)| s.header == of.header && k == key.name);
            let table = example.contains(&format!("[{}]", key.name));
            assert!(offered || table || lines.0.iter().any(on), "{} {}", of.header, key.name);
        }
    }
}

fn receiver(kind: Kind) -> Receiver {
    let flags: Vec<&str> = wants(kind).iter().map(|want| want.such).collect();
    let flag = flags.join(",");
    Receiver::flag(&Draft::default(), kind, &flag, &setup::known()).unwrap()
}

#[test]
fn whatever_is_answered_what_is_written_is_good() {
    let id = Source::Id("11111111-2222-3333-4444-555555555555".to_owned());
    let logs = Source::Logs(vec!["exports/**/*.json".to_owned(), "a \"b\"\\c".to_owned()]);
    let workspaces = [
        vec![("prod".to_owned(), id.clone())],
        vec![("exports".to_owned(), logs.clone())],
        vec![("prod".to_owned(), id), ("exports".to_owned(), logs)],
    ];
    let blob = State::Blob {
        account_url: "https://acct.blob.core.windows.net".to_owned(),
        container: "box".to_owned(),
    };
    let folder = State::Folder("a'b".to_owned());
    let mut seen = 0;
    for workspaces in workspaces {
        for state in [None, Some(folder.clone()), Some(blob.clone())] {
            for kinds in [&[Kind::Teams][..], &[Kind::Slack], &[Kind::Webhook], &Kind::ALL] {
                for full in [false, true] {
                    let answers = Draft {
                        workspaces: workspaces.clone(),
                        state: state.clone(),
                        receivers: kinds.iter().copied().map(receiver).collect(),
                        presets: Some(vec!["recommended".to_owned(), "log-silence".to_owned()]),
                        cloud: Some("usgov".to_owned()),
                        every: None,
                    };
                    let answers = answers.complete().unwrap();
                    let text = template::render(&head(true, full), &answers.tables(full), full);
                    prove(&text, &answers).unwrap_or_else(|stop| panic!("{text}{stop:?}"));
                    seen += 1;
                    // One by one takes its time, and kinds of receivers differ in nothing else.
                    if full && kinds == [Kind::Teams] && answers.state != folder {
                        every_option_can_be_switched_on(&text);
                    }
                }
            }
        }
    }
    assert_eq!(seen, 3 * 3 * 4 * 2);
}

/// As for the example; the rule of one's own is off as a whole.
fn every_option_can_be_switched_on(text: &str) {
    let mut lines = Lines(text.lines().map(str::to_owned).collect());
    let rule = lines.0.iter().position(|line| line == "#[[rule]]").unwrap();
    let mut query = false;
    for line in &mut lines.0[rule..] {
        let Some(option) = line.strip_prefix('#').filter(|option| !option.starts_with(' ')) else {
            continue;
        };
        let needed = ["[[rule]]", "id = ", "title = ", "severity = ", "query = "];
        if query || needed.iter().any(|needed| option.starts_with(needed)) {
            query = option != "'''" && (query || option.starts_with("query"));
            *line = option.to_owned();
        }
    }
    let good = checked(&lines.text());
    assert!(good.is_ok(), "{}\n{good:?}", lines.text());
    for (of, key, line) in lines.off() {
        let mut lines = lines.clone();
        lines.switch_on(of, &key, line);
        let said = checked(&lines.text());
        // Names of the example are not those of this file.
        let elsewhere = said.as_ref().is_err_and(|said| said.contains("there is no"));
        assert!(said.is_ok() || elsewhere, "{} {key}: {said:?}\n{}", of.header, lines.text());
    }
}

#[test]
fn names_of_variables_are_taken_and_secrets_are_not() {
    for name in ["TEAMS_URL", "HSMWATCH_TEAMS_URL", "teamsUrl2", "_X", "a", &"A".repeat(64)] {
        assert_eq!(variable(name, Fate::Teams).as_deref(), Ok(name));
    }
    for secret in [
        "https://hooks.slack.com/services/T0/B0/PLANTED",
        "whsec_PLANTEDFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "whsec_PLANTEDFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd",
        "WHSEC_PLANTED",
        "whsk_PLANTED",
        "hooks.slack.com/services/PLANTED",
        "PLANTEDAgMEBQYHCAkKCwwNDg8QERITFBUW",
        "PLANTEDa1b2c3d4e5f6",
        "PLANTED890123456789012345678901X",
        "PLANTED sig=x",
        "xoxb-PLANTED",
        "PLANTED-NAME",
        "PLANTED NAME",
        "PLANTED=",
        "1PLANTED",
        "\u{7}PLANTED",
        &format!("PLANTED{}", "A".repeat(64)),
        "",
    ] {
        for fate in Fate::ALL {
            let refused = variable(secret, fate).unwrap_err();
            let said = format!("{}\n{}", refused.why, refused.hint.unwrap());
            assert!(!said.contains("PLANTED"), "{said}");
            assert!(said.contains(&format!("export {}", fate.usual())), "{said}");
        }
    }
}

/// A dialogue with these lines, and what was said.
fn heard(lines: &[u8]) -> (Result<Draft, String>, String) {
    let (mut draft, mut out) = (Draft::default(), Vec::new());
    let done = ask::Dialogue::new(lines, &mut out).complete(&mut draft, &setup::known());
    let done = done.map(|()| draft).map_err(|stop| stop.sentence());
    (done, String::from_utf8(out).unwrap())
}

const ID: &[u8] = b"11111111-2222-3333-4444-555555555555\n";

#[test]
fn enter_takes_what_is_offered() {
    let (done, said) = heard(&[ID, b"\n\n\n\n\n\n"].concat());
    let answers = done.unwrap().complete().unwrap();
    assert_eq!(
        answers.summary(),
        "1 workspace, 1 receiver, presets tutorial, state in the folder hsmwatch-state"
    );
    assert_eq!(answers.cloud, None);
    insta::assert_snapshot!(said);
}

#[test]
fn what_is_not_taken_is_asked_for_again_with_the_reason() {
    let lines: [&[u8]; 21] = [
        b"\n",
        b"https://portal.azure.com/\n",
        b"my-workspace\n",
        b"\xff\xfe\n",
        b"\x1b[A\n",
        ID,
        b"gov\n",
        b"china\n",
        b"https://acct.queue.core.windows.net/box\n",
        b"https://acct.blob.core.windows.net/box?sig=PLANTED\n",
        b"https://acct.blob.core.windows.net/box\n",
        b"mail\n",
        b"webhook teams, webhook\n",
        b"https://itsm.example.com/PLANTED\n",
        b"\n",
        b"whsec_PLANTED\n",
        b"HSMWATCH_WEBHOOK_URL\n",
        b"S\n",
        b"S\n",
        b"T\n",
        b"tutorail\ntutorial key-export\nlogin-burst, tutorial\n0s\n10m\n",
    ];
    let (done, said) = heard(&lines.concat());
    assert!(!said.contains("PLANTED"), "{said}");
    let answers = done.unwrap_or_else(|stop| panic!("{said}\n{stop}")).complete().unwrap();
    insta::assert_snapshot!(said);
    insta::assert_debug_snapshot!(answers);
}

#[test]
fn the_end_of_answers_is_the_end() {
    let all = [ID, b"\n\n\n\n\n\n"].concat();
    for cut in 0..all.len() {
        let (done, said) = heard(&all[..cut]);
        // A line without its end is a line; what is missing is missing.
        assert_eq!(done, Err("no answer: nothing is written".to_owned()), "{cut}: {said}");
    }
}

proptest! {
    #[test]
    fn no_answer_panics_and_what_is_taken_is_good(lines in prop::collection::vec("\\PC{0,40}|teams|webhook|a/\\*|all|[0-9]{1,3}[smhd]|[A-Z_]{1,8}|", 0..30)) {
        let text = lines.join("\n");
        if let (Ok(draft), _) = heard(text.as_bytes()) {
            let answers = draft.complete().unwrap();
            let text = template::render(&head(false, false), &answers.tables(false), false);
            prove(&text, &answers).unwrap_or_else(|stop| panic!("{text}{stop:?}"));
        }
    }

    #[test]
    fn what_is_refused_as_a_variable_is_not_repeated(text in "[!-~]{6,80}") {
        if let Err(refused) = variable(&text, Fate::Secret) {
            let said = format!("{} {}", refused.why, refused.hint.unwrap_or_default());
            prop_assert!(!said.contains(&text));
        }
    }
}
