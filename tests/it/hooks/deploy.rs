//! `deploy/`: the recipes start the program with arguments that it has, and a configuration that it takes.

use super::sandbox::root;
use std::fs;
use std::path::Path;
use std::process::Command;

fn read(place: &str) -> String {
    fs::read_to_string(root().join("deploy").join(place)).unwrap()
}

/// Has the program check a configuration that stands alone in its folder, with the secret beside it.
#[track_caller]
fn check(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hsmwatch.toml"), text).unwrap();
    let url =
        "https://prod-00.westeurope.logic.azure.com/workflows/x/triggers/manual/paths/invoke?sig=y";
    fs::write(folder.path().join("teams-url"), format!("{url}\n")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hsmwatch"))
        .arg("--config")
        .arg(folder.path().join("hsmwatch.toml"))
        .arg("check")
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("fine"), "{said}");
}

/// The program knows these arguments: with `--help` after them it says what they are for.
#[track_caller]
fn known(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_hsmwatch"))
        .args(arguments)
        .arg("--help")
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(arguments.contains(&"run"), "{arguments:?}");
}

/// The block of text under `hsmwatch.toml: |`.
fn config_map() -> String {
    let base = read("kubernetes/base.yaml");
    let (_, rest) = base.split_once("  hsmwatch.toml: |\n").unwrap();
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines: Vec<&str> =
        lines.map(|line| line.strip_prefix("    ").unwrap_or_default()).collect();
    lines.join("\n") + "\n"
}

#[test]
fn the_configurations_of_the_recipes_are_fine() {
    check(&read("hsmwatch.toml"));
    check(&config_map());
    // The other place for the state, that the comment speaks of.
    let blob = config_map()
        .replace("path = \"/var/lib/hsmwatch\"\n", "")
        .replace("# account_url", "account_url")
        .replace("# container", "container")
        .replace("ACCOUNT", "account");
    assert_ne!(blob, config_map());
    check(&blob);
}

#[test]
fn what_the_recipes_start_the_program_has() {
    for (place, arguments) in [
        ("kubernetes/cronjob.yaml", "[--config, /etc/hsmwatch/hsmwatch.toml, run, --once]"),
        (
            "kubernetes/deployment.yaml",
            "[--config, /etc/hsmwatch/hsmwatch.toml, --format, json, run]",
        ),
    ] {
        assert!(read(place).contains(&format!("args: {arguments}\n")), "{place}");
        known(&arguments.trim_matches(['[', ']']).split(", ").collect::<Vec<_>>());
    }
    for place in ["systemd/hsmwatch.service", "systemd/once.conf"] {
        let text = read(place);
        let command = text.lines().filter_map(|line| line.strip_prefix("ExecStart=")).next_back();
        let (program, arguments) = command.unwrap().split_once(' ').unwrap();
        assert_eq!(program, "/usr/local/bin/hsmwatch", "{place}");
        known(&arguments.split(' ').collect::<Vec<_>>());
    }
    let image = read("Dockerfile");
    assert!(image.contains("\nENTRYPOINT [\"/usr/bin/hsmwatch\"]\nCMD [\"run\"]\n"));
    assert!(image.contains("COPY --chmod=0755 ${TARGETPLATFORM}/hsmwatch /usr/bin/hsmwatch\n"));
}

#[test]
fn the_recipes_agree_on_user_and_places() {
    for place in ["kubernetes/cronjob.yaml", "kubernetes/deployment.yaml"] {
        let text = read(place);
        for line in [
            "runAsNonRoot: true",
            "runAsUser: 65532",
            "runAsGroup: 65532",
            "fsGroup: 65532",
            "type: RuntimeDefault",
            "allowPrivilegeEscalation: false",
            "readOnlyRootFilesystem: true",
            "drop: [ALL]",
            "automountServiceAccountToken: false",
            "mountPath: /etc/hsmwatch",
            "mountPath: /var/lib/hsmwatch",
        ] {
            assert!(text.lines().any(|found| found.trim() == line), "{place}: no `{line}`");
        }
        let version = env!("CARGO_PKG_VERSION");
        assert!(text.contains(&format!("image: ghcr.io/OWNER/hsmwatch:{version}\n")), "{place}");
    }
    let image = read("Dockerfile");
    assert!(image.contains("\nUSER 65532:65532\n") && image.contains("\nWORKDIR /etc/hsmwatch\n"));
    assert!(image.contains("--chown=65532:65532 /state /var/lib/hsmwatch\n"));
    let config = read("hsmwatch.toml");
    assert!(config.contains("path = \"/var/lib/hsmwatch\"\n"));
    assert!(read("systemd/hsmwatch.service").contains("\nStateDirectory=hsmwatch\n"));
    // One at a time, by whatever starts it.
    assert!(read("kubernetes/cronjob.yaml").contains("\n  concurrencyPolicy: Forbid\n"));
    assert!(read("kubernetes/deployment.yaml").contains("\n    type: Recreate\n"));
}

#[test]
fn the_page_names_every_file() {
    let page = read("README.md");
    for entry in glob::glob(root().join("deploy/**/*").to_str().unwrap()).unwrap() {
        let path = entry.unwrap();
        let place = path.strip_prefix(root().join("deploy")).unwrap();
        if path.is_file() && place != Path::new("README.md") {
            assert!(page.contains(place.to_str().unwrap()), "{} is not named", place.display());
        }
    }
}
