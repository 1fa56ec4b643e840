//! Whose release it is: the remote `origin`, and what the GitHub CLI says of who built it. There is no GitHub here: `curl` and `gh`
//! are scripts that write down what they are asked.

use super::sandbox::{Ran, Sandbox};
use std::fs;
use std::process::Command;

const ZIP: &str = "PK of GitHub";

/// Answers like a server that has the release, and writes down the address.
fn curl(sum: &str) -> String {
    format!(
        r#"for argument; do
    case $argument in http*) url=$argument ;; esac
    [ "$before" = --output ] && file=$argument
    before=$argument
done
echo "$url" >> asked
case $url in
    */SHA256SUMS) echo "{sum}  hsmwatch.zip" > "$file" ;;
    *) printf '%s' '{ZIP}' > "$file" ;;
esac
printf 200"#
    )
}

/// Writes down what it is asked; `auth` and `verify` are how these two end.
fn gh(auth: u8, verify: u8) -> String {
    format!(
        r#"echo "$*" >> gh-asked
case "$1 $2 $3" in
    'attestation verify --help') exit 0 ;;
    'auth status '*) exit {auth} ;;
    'attestation verify '*) echo 'no attestation of this file' >&2; exit {verify} ;;
esac
exit 9"#
    )
}

/// A checkout with this remote `origin`, and a GitHub that has the release.
fn clone_of(origin: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.tool("git").tool("sha256sum").fake("curl", &curl(&sum()));
    let git = |arguments: &[&str]| {
        let status = Command::new("git").current_dir(sandbox.checkout()).args(arguments).status();
        assert!(status.unwrap().success());
    };
    git(&["init", "--quiet"]);
    if !origin.is_empty() {
        git(&["remote", "add", "origin", origin]);
    }
    sandbox
}

fn sum() -> String {
    use sha2::{Digest as _, Sha256};
    use std::fmt::Write as _;
    Sha256::digest(ZIP).iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn run(sandbox: &Sandbox) -> Ran {
    sandbox.run("package.sh", &[])
}

fn written(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.checkout().join(name)).unwrap()
}

#[test]
fn the_release_is_that_of_the_repository_that_was_cloned() {
    for origin in [
        "https://github.com/contoso/hsmwatch",
        "https://github.com/contoso/hsmwatch.git",
        "https://github.com/contoso/hsmwatch/",
        "https://me:ghp_secret@github.com/contoso/hsmwatch.git",
        "git@github.com:contoso/hsmwatch.git",
        "ssh://git@github.com/contoso/hsmwatch.git",
        "ssh://git@ssh.github.com:443/contoso/hsmwatch.git",
    ] {
        let sandbox = clone_of(origin);
        let said = run(&sandbox).well();
        let release = "https://github.com/contoso/hsmwatch/releases/download/v9.8.7";
        assert_eq!(
            written(&sandbox, "asked"),
            format!("{release}/SHA256SUMS\n{release}/hsmwatch.zip\n"),
            "{origin}"
        );
        assert!(!said.contains("ghp_secret"), "{said}");
        assert!(said.contains("not verified: there is no GitHub CLI"), "{said}");
    }
}

#[test]
fn a_checkout_of_elsewhere_says_what_is_missing() {
    run(&clone_of("")).refused(&["no remote `origin`", "HSMWATCH_RELEASES=https://github.com/"]);
    for origin in [
        "https://me:ghp_secret@gitlab.com/contoso/hsmwatch.git",
        "https://example.com/github.com/contoso/hsmwatch",
        "https://github.com.example.com/contoso/hsmwatch",
        "https://github.com/contoso",
        "https://github.com/contoso/hsmwatch/tree/main",
        "/srv/git/hsmwatch.git",
        "git@example.com:contoso/hsmwatch.git",
    ] {
        let said = run(&clone_of(origin)).refused(&["`origin` is no repository on github.com"]);
        assert!(!said.contains("ghp_secret"), "{said}");
    }
}

#[test]
fn the_provenance_is_that_of_the_release_workflow() {
    let sandbox = clone_of("https://github.com/contoso/hsmwatch");
    sandbox.fake("gh", &gh(0, 0));
    let said = run(&sandbox).well();
    assert!(
        said.contains("provenance: built by the release workflow of contoso/hsmwatch"),
        "{said}"
    );
    let asked = written(&sandbox, "gh-asked");
    let asked = asked.lines().last().unwrap();
    assert!(asked.starts_with("attestation verify dist/.download."), "{asked}");
    assert!(
        asked.ends_with(
            "/hsmwatch.zip --repo contoso/hsmwatch \
             --signer-workflow contoso/hsmwatch/.github/workflows/release.yml"
        ),
        "{asked}"
    );
}

#[test]
fn what_somebody_else_built_is_not_taken() {
    let sandbox = clone_of("https://github.com/contoso/hsmwatch");
    sandbox.fake("gh", &gh(0, 1));
    run(&sandbox).refused(&["the provenance is not verified: nothing was taken", "no attestation"]);
    assert_eq!(sandbox.dist(), [""; 0]);
}

#[test]
fn what_cannot_be_verified_is_said_and_may_be_refused() {
    for (gh, why) in [
        (None, "there is no GitHub CLI"),
        (Some(gh(1, 0)), "the GitHub CLI is not signed in"),
        (Some("exit 1".to_owned()), "too old for `gh attestation`"),
    ] {
        let mut sandbox = clone_of("https://github.com/contoso/hsmwatch");
        if let Some(gh) = gh {
            sandbox.fake("gh", &gh);
        }
        sandbox.set("HSMWATCH_REQUIRE_PROVENANCE", "1");
        run(&sandbox).refused(&["HSMWATCH_REQUIRE_PROVENANCE=1", why]);
        assert_eq!(sandbox.dist(), [""; 0]);
        sandbox.set("HSMWATCH_REQUIRE_PROVENANCE", "");
        let said = run(&sandbox).well();
        assert!(said.contains("the provenance was not verified: "), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_fork_names_whose_releases_it_takes() {
    let mut sandbox = clone_of("https://github.com/fabrikam/hsmwatch");
    sandbox.fake("gh", &gh(0, 0));
    sandbox.set("HSMWATCH_RELEASES", "https://github.com/contoso/hsmwatch/releases/download/");
    run(&sandbox).well();
    assert!(written(&sandbox, "gh-asked").contains("--repo contoso/hsmwatch"));
    let asked = written(&sandbox, "asked");
    assert!(
        asked.starts_with("https://github.com/contoso/hsmwatch/releases/download/v9"),
        "{asked}"
    );
}
