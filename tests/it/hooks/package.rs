//! `scripts/package.sh`, over a server of releases on this machine that is well, or is not.

use super::sandbox::{Ran, Sandbox, TAG};
use crate::support::server::{Server, broken_body};
use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

const GOOD: &[u8] = b"PK\x03\x04 the package of a release";
const SCRIPT: &str = "package.sh";

#[derive(Clone)]
enum Answer {
    Whole(Vec<u8>),
    /// The connection ends before the body does.
    CutOff(String),
    Status(u16),
    /// A redirect within the server.
    Elsewhere(&'static str),
}

/// Where releases are, for `HSMWATCH_RELEASES`; what is not named is not there.
struct Releases {
    server: Server,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Releases {
    fn start(files: &[(&str, Answer)]) -> Self {
        let files: BTreeMap<String, Answer> = files
            .iter()
            .map(|(name, answer)| (format!("/releases/{name}"), answer.clone()))
            .collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let answer = move |uri: Uri| {
            log.lock().unwrap().push(uri.path().to_owned());
            let answer = files.get(uri.path()).cloned();
            async move { respond(answer) }
        };
        Self { server: Server::start(Router::new().fallback(answer)), asked }
    }

    fn url(&self) -> String {
        format!("{}/releases", self.server.url())
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn respond(answer: Option<Answer>) -> Response {
    match answer {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Answer::Whole(body)) => body.into_response(),
        Some(Answer::CutOff(body)) => broken_body(body).into_response(),
        Some(Answer::Elsewhere(path)) => (StatusCode::FOUND, [("location", path)]).into_response(),
        Some(Answer::Status(code)) => (StatusCode::from_u16(code).unwrap(), "no").into_response(),
    }
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// As the release workflow writes it, with a neighbour whose name ends alike.
fn sums(zip: &[u8]) -> Answer {
    let (zip, other) = (sum(zip), sum(b"other"));
    Answer::Whole(format!("{other}  not-hsmwatch.zip\n{zip}  hsmwatch.zip\n").into_bytes())
}

fn whole(bytes: &[u8]) -> Answer {
    Answer::Whole(bytes.to_vec())
}

const SUMS: &str = "v9.8.7/SHA256SUMS";
const ZIP: &str = "v9.8.7/hsmwatch.zip";

/// A sandbox with all the tools that a download takes, and no GitHub CLI.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.tool("curl").tool("git").tool("sha256sum");
    sandbox
}

fn run_with(sandbox: &mut Sandbox, releases: &Releases) -> Ran {
    sandbox.set("HSMWATCH_RELEASES", &releases.url());
    sandbox.run(SCRIPT, &[])
}

#[test]
fn a_package_that_is_there_is_taken_without_a_question() {
    let sandbox = Sandbox::new();
    sandbox.tool("sha256sum");
    sandbox.write("dist/hsmwatch.zip", GOOD);
    let said = sandbox.run(SCRIPT, &[]).well();
    assert!(said.contains("taking dist/hsmwatch.zip, which is there already"), "{said}");
    assert!(said.contains(&sum(GOOD)), "{said}");
    // As `cargo xtask package` leaves it.
    sandbox.write("dist/hsmwatch.zip.sha256", format!("{}  hsmwatch.zip\n", sum(GOOD)));
    assert_eq!(sandbox.run(SCRIPT, &[]).well(), said);
    assert_eq!(sandbox.zip(), GOOD);
}

#[test]
fn a_package_that_is_not_what_it_was_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.tool("sha256sum");
    sandbox.write("dist/hsmwatch.zip", GOOD);
    sandbox.write("dist/hsmwatch.zip.sha256", format!("{}  hsmwatch.zip\n", sum(b"PK other")));
    sandbox.run(SCRIPT, &[]).refused(&["not what the checksum beside it", &sum(GOOD)]);
    let sandbox = Sandbox::new();
    sandbox.tool("sha256sum");
    for text in ["<html>Sign in</html>", ""] {
        sandbox.write("dist/hsmwatch.zip", text);
        sandbox.run(SCRIPT, &[]).refused(&["dist/hsmwatch.zip is no zip: remove it"]);
    }
}

#[test]
fn the_release_that_fits_is_downloaded_once() {
    let releases = Releases::start(&[(SUMS, sums(GOOD)), (ZIP, whole(GOOD))]);
    let mut sandbox = sandbox();
    // Left over from a package that was built here, and is gone.
    sandbox.write("dist/hsmwatch.zip.sha256", "0000  hsmwatch.zip\n");
    let said = run_with(&mut sandbox, &releases).well();
    for word in [TAG, &sum(GOOD), "its checksum is right", "provenance was not verified"] {
        assert!(said.contains(word), "`{word}` is not said:\n{said}");
    }
    assert_eq!(sandbox.zip(), GOOD);
    assert_eq!(sandbox.dist(), ["hsmwatch.zip", "hsmwatch.zip.release"]);
    assert_eq!(releases.asked(), 2);
    let said = sandbox.run(SCRIPT, &[]).well();
    assert!(said.contains("there already"), "{said}");
    assert_eq!(releases.asked(), 2);
}

#[test]
fn a_newer_checkout_gets_its_own_release_and_a_package_of_ones_own_stays() {
    let new = b"PK\x03\x04 the next one";
    let releases = Releases::start(&[
        (SUMS, sums(GOOD)),
        (ZIP, whole(GOOD)),
        ("v9.9.0/SHA256SUMS", sums(new)),
        ("v9.9.0/hsmwatch.zip", whole(new)),
    ]);
    let mut sandbox = sandbox();
    run_with(&mut sandbox, &releases).well();
    sandbox.version("9.9.0");
    let said = sandbox.run(SCRIPT, &[]).well();
    assert!(said.contains("release v9.8.7, and this checkout is v9.9.0"), "{said}");
    assert_eq!(sandbox.zip(), new);

    sandbox.write("dist/hsmwatch.zip", "PK built here");
    sandbox.version("9.9.1");
    let said = sandbox.run(SCRIPT, &[]).well();
    assert!(said.contains("there already"), "{said}");
    assert_eq!(sandbox.zip(), b"PK built here");
}

#[test]
fn a_new_release_that_is_not_well_leaves_the_old_package() {
    let releases = Releases::start(&[
        (SUMS, sums(GOOD)),
        (ZIP, whole(GOOD)),
        ("v9.9.0/SHA256SUMS", sums(GOOD)),
        ("v9.9.0/hsmwatch.zip", whole(b"PK something else")),
    ]);
    let mut sandbox = sandbox();
    run_with(&mut sandbox, &releases).well();
    sandbox.version("9.9.0");
    sandbox.run(SCRIPT, &[]).refused(&["the checksum of the download is wrong"]);
    assert_eq!(sandbox.zip(), GOOD);
    assert_eq!(sandbox.dist(), ["hsmwatch.zip", "hsmwatch.zip.release"]);
    sandbox.version("9.9.9");
    sandbox.run(SCRIPT, &[]).refused(&["no SHA256SUMS in a release v9.9.9", "(404)"]);
    assert_eq!(sandbox.zip(), GOOD);
}

/// A release of these files is refused with these words, and leaves nothing.
#[track_caller]
fn refuses(files: &[(&str, Answer)], words: &[&str]) {
    let releases = Releases::start(files);
    let mut sandbox = sandbox();
    let said = run_with(&mut sandbox, &releases).refused(words);
    assert!(said.starts_with("package: "), "{said}");
    assert_eq!(sandbox.dist(), [""; 0], "{said}");
}

fn lines(text: &str) -> (&'static str, Answer) {
    (SUMS, whole(text.as_bytes()))
}

#[test]
fn what_is_not_there_is_refused() {
    refuses(&[], &["no SHA256SUMS in a release v9.8.7", "(404)", "gh release download v9.8.7"]);
    refuses(&[(SUMS, sums(GOOD))], &["no hsmwatch.zip in a release v9.8.7", "(404)"]);
    let no_access = [(SUMS, Answer::Status(403))];
    refuses(
        &no_access,
        &["SHA256SUMS of release v9.8.7 was not downloaded: the server answered 403"],
    );
    // GitHub redirects to where it keeps files; what is not encrypted is not followed.
    let elsewhere =
        [(SUMS, sums(GOOD)), (ZIP, Answer::Elsewhere("/releases/zip")), ("zip", whole(GOOD))];
    refuses(&elsewhere, &["hsmwatch.zip of release v9.8.7 was not downloaded whole: (1)"]);
}

#[test]
fn what_is_not_whole_and_right_never_takes_its_place() {
    let wrong = "the checksum of the download is wrong: nothing was taken";
    let other = whole(b"PK\x03\x04 the package of a releasf");
    refuses(&[(SUMS, sums(GOOD)), (ZIP, other)], &[wrong, &sum(GOOD)]);
    let (half, _) = GOOD.split_at(9);
    refuses(&[(SUMS, sums(GOOD)), (ZIP, whole(half))], &[wrong, &sum(GOOD), &sum(half)]);
    let cut = Answer::CutOff("PK\x03\x04 the".to_owned());
    let said = "hsmwatch.zip of release v9.8.7 was not downloaded whole: (";
    refuses(&[(SUMS, sums(GOOD)), (ZIP, cut)], &[said]);
    // All that matters has come, and yet the end is missing.
    let cut = Answer::CutOff(format!("{}  hsmwatch.zip\n", sum(GOOD)));
    let said = "SHA256SUMS of release v9.8.7 was not downloaded whole: (";
    refuses(&[(SUMS, cut), (ZIP, whole(GOOD))], &[said]);
}

#[test]
fn what_has_no_checksum_is_not_even_downloaded() {
    let right = sum(GOOD);
    let none = "has no line for hsmwatch.zip: nothing was taken";
    for (text, word) in [
        (format!("{right}  hsmwatch.zip.old\n"), none),
        (format!("{right}  other/hsmwatch.zip\n"), none),
        ("<html>Sign in</html>".to_owned(), none),
        (String::new(), none),
        (format!("{right}  hsmwatch.zip\n{right}  hsmwatch.zip\n"), "has no single checksum"),
        (format!("{}  hsmwatch.zip\n", "x".repeat(64)), "has no single checksum"),
        (format!("{}  hsmwatch.zip\n", right.get(..40).unwrap()), "has no SHA-256"),
    ] {
        let releases = Releases::start(&[lines(&text), (ZIP, whole(GOOD))]);
        let mut sandbox = sandbox();
        run_with(&mut sandbox, &releases).refused(&[word]);
        assert_eq!(sandbox.dist(), [""; 0], "{text}");
        assert_eq!(releases.asked(), 1, "{text}");
    }
}

#[test]
fn checksums_of_other_systems_are_understood() {
    let lines = format!("{} *hsmwatch.zip\r\n", sum(GOOD).to_uppercase());
    let releases = Releases::start(&[(SUMS, whole(lines.as_bytes())), (ZIP, whole(GOOD))]);
    let mut sandbox = sandbox();
    run_with(&mut sandbox, &releases).well();
    assert_eq!(sandbox.zip(), GOOD);
}

#[test]
fn any_tool_for_checksums_will_do_and_none_is_said() {
    for tool in ["sha256sum", "shasum", "openssl"] {
        let releases = Releases::start(&[(SUMS, sums(GOOD)), (ZIP, whole(GOOD))]);
        let mut sandbox = Sandbox::new();
        // `shasum` is a Perl script.
        sandbox.tool("curl").tool(tool).tool("perl");
        run_with(&mut sandbox, &releases).well();
        assert_eq!(sandbox.zip(), GOOD, "{tool}");
    }
    Sandbox::new().run(SCRIPT, &[]).refused(&["checksums cannot be computed", "`sha256sum`"]);
}

#[test]
fn a_missing_tool_is_named() {
    let releases = Releases::start(&[]);
    let mut sandbox = Sandbox::new();
    sandbox.tool("sha256sum");
    run_with(&mut sandbox, &releases).refused(&["there is no `curl`", "/v9.8.7/hsmwatch.zip"]);
    let sandbox = Sandbox::new();
    sandbox.tool("sha256sum").tool("curl");
    sandbox
        .run(SCRIPT, &[])
        .refused(&["there is no `git`", "HSMWATCH_RELEASES=https://github.com/"]);
    assert_eq!(sandbox.dist(), [""; 0]);
}

#[test]
fn a_server_that_is_not_there_is_named_without_its_password() {
    let mut releases = Releases::start(&[]);
    releases.server.stop();
    let mut sandbox = sandbox();
    sandbox.set("HSMWATCH_RELEASES", &releases.url());
    sandbox
        .run(SCRIPT, &[])
        .refused(&["SHA256SUMS of release v9.8.7 was not downloaded whole: (7)"]);
    for place in [
        "http://releases.example.com/",
        "ftp://127.0.0.1/",
        "http://127.0.0.1.example.com/",
        "file:///etc",
    ] {
        sandbox.set("HSMWATCH_RELEASES", place);
        sandbox.run(SCRIPT, &[]).refused(&["neither an https address nor one of this machine"]);
    }
    sandbox.set("HSMWATCH_RELEASES", "https://127.0.0.1:1/x y");
    sandbox.run(SCRIPT, &[]).refused(&["is no plain address"]);
    sandbox.set("HSMWATCH_RELEASES", "https://me:letmein@127.0.0.1:1/releases");
    let said = sandbox.run(SCRIPT, &[]).refused(&["127.0.0.1:1/releases"]);
    assert!(!said.contains("letmein"), "{said}");
}

#[test]
fn a_checkout_without_a_version_is_none_of_ours() {
    let sandbox = sandbox();
    sandbox.write("Cargo.toml", "[package]\nversion = \"1.0.0\"\n");
    sandbox.run(SCRIPT, &[]).refused(&["no version is found in Cargo.toml"]);
}
