//! The functions in docs/receivers.md, taken from the page and run with requests that the product has signed: whoever pastes
//! one gets what was tested. The libraries in them are the published ones.
//!
//! Python and Node are always there; Go, C# and PowerShell are run where their tools are, and parsed elsewhere.

use crate::support::bed::Ran;
use crate::support::installed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::Utc;
use hsmwatch::notify::sign::{SigningKey, sign};
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OLD: &str = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const OTHER: &str = "whsec_QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=";

/// A piece of code on the page, by the name in the comment before it.
fn snippet(name: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/receivers.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once(&format!("<!-- snippet: {name} -->\n```")).unwrap();
    let (_language, rest) = rest.split_once('\n').unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// A program that asks a snippet.
fn driver(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/snippets").join(name)
}

/// A request as a receiver gets it.
#[derive(Clone, Debug)]
struct Request {
    id: String,
    timestamp: String,
    signature: String,
    hub: String,
    body: Vec<u8>,
}

/// What is asked, at this time, with these secrets, and what the answer should be.
#[derive(Debug)]
struct Case {
    what: &'static str,
    now: i64,
    secrets: Vec<&'static str>,
    request: Request,
    accepted: bool,
}

/// A request that the program has signed now.
fn signed(previous: bool) -> Request {
    let folder = tempfile::tempdir().unwrap();
    let rotation = if previous { "previous_secrets = [{ env = \"OLD\" }]\n" } else { "" };
    let configuration = format!(
        "[state]\npath = \"state\"\n[[workspace]]\nname = \"export\"\nlogs = [\"*.json\"]\n[[receiver]]\nname = \"itsm\"\nkind = \"webhook\"\n\
         url = \"https://itsm.example.com/hook\"\nhub_signature = true\nsecret = {{ env = \"NEW\" }}\n{rotation}"
    );
    fs::write(folder.path().join("hsmwatch.toml"), configuration).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_hsmwatch"))
        .args(["send-test", "itsm", "--print", "--format", "json"])
        .current_dir(folder.path())
        .env_clear()
        .envs([("NEW", NEW), ("OLD", OLD)])
        .output()
        .unwrap();
    let ran = Ran::of(ran).exits(0);
    let printed: Json = serde_json::from_str(&ran.stdout).unwrap();
    let header = |name: &str| printed[0]["headers"][name].as_str().unwrap().to_owned();
    let request = Request {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        hub: header("x-hub-signature-256"),
        body: printed[0]["body"].as_str().unwrap().as_bytes().to_vec(),
    };
    assert_eq!(request.signature.split(' ').count(), 1 + usize::from(previous));
    request
}

impl Request {
    /// The same sent at another time, and signed then.
    fn sent_at(&self, seconds: i64) -> Self {
        let keys = [SigningKey::parse(NEW).unwrap()];
        Self {
            timestamp: seconds.to_string(),
            signature: sign(&self.id, seconds, &self.body, &keys).unwrap(),
            ..self.clone()
        }
    }
}

/// What a receiver must take and must not. `frozen`: the clock says what it is told, so bounds can be tried to the second.
fn cases(frozen: bool) -> Vec<Case> {
    let (one, two) = (signed(false), signed(true));
    let now = one.timestamp.parse().unwrap();
    let of = |what, accepted, secrets: &[&'static str], request: Request| Case {
        what,
        now,
        secrets: secrets.to_vec(),
        request,
        accepted,
    };
    let with = |change: &dyn Fn(&mut Request)| {
        let mut request = one.clone();
        change(&mut request);
        request
    };
    let mut all = vec![
        of("as sent", true, &[NEW], one.clone()),
        of("rotating, the new secret is known", true, &[NEW], two.clone()),
        of("rotating, the old secret is known", true, &[OLD], two.clone()),
        of("rotating, both are known", true, &[NEW, OLD], two.clone()),
        of("before it rotates, both are known", true, &[OTHER, NEW], one.clone()),
        of("another secret", false, &[OTHER], two.clone()),
        of("the old secret alone", false, &[OLD], one.clone()),
        of("changed body", false, &[NEW], with(&|r| r.body[20] ^= 1)),
        of("longer body", false, &[NEW], with(&|r| r.body.push(b'\n'))),
        of("empty body", false, &[NEW], with(&|r| r.body.clear())),
        of("another id", false, &[NEW], with(&|r| r.id.push('x'))),
        of("another time", false, &[NEW], with(&|r| r.timestamp = (now - 1).to_string())),
        of("time is no number", false, &[NEW], with(&|r| r.timestamp = "soon".to_owned())),
        of("no id", false, &[NEW], with(&|r| r.id = "-".to_owned())),
        of("no time", false, &[NEW], with(&|r| r.timestamp = "-".to_owned())),
        of("no signature", false, &[NEW], with(&|r| r.signature = "-".to_owned())),
        of("empty signature", false, &[NEW], with(&|r| r.signature = String::new())),
        of("nonsense", false, &[NEW], with(&|r| r.signature = "nonsense".to_owned())),
        of(
            "of another version",
            false,
            &[NEW],
            with(&|r| r.signature = r.signature.replace("v1,", "v2,")),
        ),
        of(
            "in hex",
            false,
            &[NEW],
            with(&|r| {
                let digest = BASE64.decode(r.signature.trim_start_matches("v1,")).unwrap();
                r.signature = "v1,".to_owned();
                digest.iter().for_each(|byte| write!(r.signature, "{byte:02x}").unwrap());
            }),
        ),
        of("cut off", false, &[NEW], with(&|r| r.signature.truncate(40))),
    ];
    let offsets = if frozen {
        [(300, true), (-300, true), (301, false), (-301, false)]
    } else {
        [(270, true), (-270, true), (360, false), (-301, false)]
    };
    for (offset, accepted) in offsets {
        if frozen {
            all.push(Case { now: now - offset, ..of("its time", accepted, &[NEW], one.clone()) });
        } else {
            let request = one.sent_at(Utc::now().timestamp() + offset);
            all.push(of("its time", accepted, &[NEW], request));
        }
    }
    all
}

/// The same for a signature that knows neither id nor time.
fn hub_cases() -> Vec<Case> {
    let (one, two) = (signed(false), signed(true));
    let of = |what, accepted, secret, request: &Request| Case {
        what,
        now: 0,
        secrets: vec![secret],
        request: request.clone(),
        accepted,
    };
    let with = |change: &dyn Fn(&mut Request)| {
        let mut request = one.clone();
        change(&mut request);
        request
    };
    vec![
        of("as sent", true, NEW, &one),
        of("rotating", true, NEW, &two),
        of("rotating, the old secret", false, OLD, &two),
        of("another secret", false, OTHER, &one),
        of("the secret without its beginning", false, &NEW[6..], &one),
        of("changed body", false, NEW, &with(&|r| r.body[20] ^= 1)),
        of("no signature", false, NEW, &with(&|r| r.hub = "-".to_owned())),
        of("of another algorithm", false, NEW, &with(&|r| r.hub = r.hub.replace("sha256", "sha1"))),
    ]
}

/// Asks, and holds each answer against what it should be.
#[track_caller]
fn ask(mut command: Command, cases: &[Case]) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    let mut input = String::new();
    for Case { now, secrets, request, .. } in cases {
        let Request { id, timestamp, signature, hub, body } = request;
        let (secrets, body) = (secrets.join(" "), BASE64.encode(body));
        writeln!(input, "{now}\t{secrets}\t{id}\t{timestamp}\t{signature}\t{hub}\t{body}").unwrap();
    }
    // It reads a line and answers it: written by another thread, or both would wait for ever.
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // Whoever fails has stopped to read.
        let _ = stdin.write_all(input.as_bytes());
    });
    let ran = Ran::of(child.wait_with_output().unwrap());
    writer.join().unwrap();
    let answers: Vec<&str> = ran.stdout.lines().collect();
    for (n, case) in cases.iter().enumerate() {
        let expected = if case.accepted { "1" } else { "0" };
        let answer = answers.get(n).copied().unwrap_or("nothing");
        assert_eq!(answer, expected, "{}: {case:?}\n{}", case.what, ran.stderr);
    }
    assert_eq!((ran.code, answers.len()), (Some(0), cases.len()), "{}", ran.stderr);
}

/// A folder with the published verifiers for Node in it.
fn verifiers() -> PathBuf {
    installed::npm("xtask/js/verifiers", "verifiers-js", "other people's verifiers for Node")
}

/// Writes snippets and answers their paths.
fn written<const N: usize>(folder: &TempDir, names: [(&str, String); N]) -> [PathBuf; N] {
    names.map(|(name, text)| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    })
}

fn python(names: &[&str]) -> (TempDir, Command) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(driver("drive.py"));
    for name in names {
        command.args(written(&folder, [(&format!("{name}.py"), snippet(name))]));
    }
    (folder, command)
}

/// Node finds packages from where a module lies.
fn node(name: &str, text: &str) -> (TempDir, Command) {
    let folder = tempfile::tempdir_in(verifiers()).unwrap();
    let drive = fs::read_to_string(driver("drive.mjs")).unwrap();
    let [drive, snippet] =
        written(&folder, [("drive.mjs", drive), (&format!("{name}.mjs"), text.to_owned())]);
    let mut command = Command::new("node");
    command.arg(drive).arg(snippet);
    (folder, command)
}

#[test]
fn python_with_what_it_has() {
    let (_folder, command) = python(&["python"]);
    ask(command, &cases(true));
}

#[test]
fn python_with_the_published_library() {
    let library = installed::pip(
        "xtask/python/verifiers.txt",
        "verifiers-python",
        "other people's verifiers for Python",
    );
    let (_folder, mut command) = python(&["python-library"]);
    command.env("PYTHONPATH", library);
    ask(command, &cases(true));
}

#[test]
fn a_function_before_a_workflow() {
    let (_folder, command) = python(&["python", "azure-function"]);
    ask(command, &cases(true));
}

#[test]
fn node_with_what_it_has() {
    let (_folder, command) = node("node", &snippet("node"));
    ask(command, &cases(true));
}

#[test]
fn node_with_the_published_libraries() {
    let text = snippet("node-library");
    let svix = text.replace("\"standardwebhooks\"", "\"svix\"");
    assert_ne!(text, svix);
    for text in [text, svix] {
        let (_folder, command) = node("node-library", &text);
        ask(command, &cases(true));
    }
}

#[test]
fn as_github_s_webhooks_are_verified() {
    let (_folder, command) = python(&["hub-python"]);
    ask(command, &hub_cases());
    let (_folder, command) = node("hub-node", &snippet("hub-node"));
    ask(command, &hub_cases());
}

/// Whether a program is on the `PATH`.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[test]
fn go() {
    parses("go", "go", &snippet("go"));
    if !is_there("go") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let drive = fs::read_to_string(driver("drive.go")).unwrap();
    written(&folder, [("snippet.go", snippet("go")), ("drive.go", drive)]);
    let mut command = Command::new("go");
    command.args(["run", "snippet.go", "drive.go"]).current_dir(folder.path());
    // Nothing is fetched: it needs the standard library alone.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
    command.envs([("GO111MODULE", "off"), ("GOFLAGS", ""), ("GOTOOLCHAIN", "local")]);
    command.env("GOCACHE", cache);
    ask(command, &cases(false));
}

#[test]
fn csharp() {
    parses("c-sharp", "csharp", &snippet("csharp"));
    let folder = tempfile::tempdir().unwrap();
    let drive = fs::read_to_string(driver("drive.cs")).unwrap();
    written(&folder, [("Snippet.cs", snippet("csharp")), ("Drive.cs", drive)]);
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder.path());
        command.env("DOTNET_CLI_HOME", folder.path());
        command.envs([("DOTNET_CLI_TELEMETRY_OPTOUT", "1"), ("DOTNET_NOLOGO", "1")]);
        command
    };
    let built = |mut command: Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    };
    if is_there("dotnet") {
        let project = "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><OutputType>Exe</OutputType>\
            <TargetFramework>net$(BundledNETCoreAppTargetFrameworkVersion)</TargetFramework></PropertyGroup></Project>";
        written(&folder, [("Snippet.csproj", project.to_owned())]);
        built(run("dotnet", &["build", "--output", "out"]));
        ask(run("dotnet", &["out/Snippet.dll"]), &cases(false));
    } else if is_there("mcs") && is_there("mono") {
        built(run("mcs", &["-out:snippet.exe", "Snippet.cs", "Drive.cs"]));
        ask(run("mono", &["snippet.exe"]), &cases(false));
    }
}

#[test]
fn powershell() {
    parses("powershell", "powershell", &snippet("powershell"));
    if !is_there("pwsh") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [path] = written(&folder, [("snippet.ps1", snippet("powershell"))]);
    let mut command = Command::new("pwsh");
    command.args(["-NoLogo", "-NoProfile", "-NonInteractive", "-File"]);
    command.arg(driver("drive.ps1")).arg(path);
    ask(command, &cases(false));
}

/// Whether a text is of a language, by a grammar that editors use; a text that is broken must not be.
#[track_caller]
fn parses(language: &str, name: &str, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let broken = text.replacen(") {", ") (", 1).replacen(") return", ") retur (", 1);
    assert_ne!(text, broken);
    let [whole, broken] =
        written(&folder, [(name, text.to_owned()), (&format!("{name}-broken"), broken)]);
    for (path, code) in [(whole, 0), (broken, 1)] {
        let mut command = Command::new("node");
        command.arg(driver("parse.cjs")).arg(language).arg(path).current_dir(verifiers());
        let ran = Ran::of(command.output().unwrap());
        assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
    }
}

/// No code on the page is left out.
#[test]
fn every_function_on_the_page_is_run() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/receivers.md");
    let page = fs::read_to_string(page).unwrap();
    let code = page.lines().filter(|line| line.starts_with("```") && line.len() > 3);
    let code = code.filter(|line| *line != "```console").count();
    let this = include_str!("snippets.rs");
    let names: Vec<&str> = page
        .lines()
        .filter_map(|l| l.strip_prefix("<!-- snippet: ")?.strip_suffix(" -->"))
        .collect();
    assert_eq!(names.len(), code, "each piece of code has a comment with its name before it");
    for name in names {
        assert!(this.contains(&format!("\"{name}\"")), "`{name}` is not run");
    }
}
