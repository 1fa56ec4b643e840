//! A checkout for one script, and a PATH on which only chosen tools are.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What every script may use; POSIX has them all, but for `mktemp`.
const TOOLS: [&str; 14] = [
    "sh", "awk", "cat", "cut", "dirname", "grep", "head", "mkdir", "mktemp", "mv", "rm", "sed",
    "tail", "tr",
];

/// The release that fits the checkout.
pub(super) const TAG: &str = "v9.8.7";

/// The root of this repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with `scripts/` of this repository and a `Cargo.toml` of version 9.8.7, and beside it one with tools.
pub(super) struct Sandbox {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        // A blank in the path, as on many desks.
        let folder = tempfile::Builder::new().prefix("hooks of ").tempdir().unwrap();
        let sandbox = Self { folder, variables: Vec::new() };
        fs::create_dir_all(sandbox.checkout().join("scripts")).unwrap();
        fs::create_dir(sandbox.tools()).unwrap();
        // Not copies: what is being written while another test starts a process cannot be started (ETXTBSY).
        for entry in fs::read_dir(root().join("scripts")).unwrap() {
            let entry = entry.unwrap();
            let link = sandbox.checkout().join("scripts").join(entry.file_name());
            symlink(entry.path(), link).unwrap();
        }
        sandbox.version("9.8.7");
        for tool in TOOLS {
            sandbox.tool(tool);
        }
        sandbox
    }

    pub(super) fn checkout(&self) -> PathBuf {
        self.folder.path().join("a checkout")
    }

    fn tools(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// Gives the checkout another version.
    pub(super) fn version(&self, version: &str) {
        let text = format!(
            "[workspace]\nmembers = []\n\n[workspace.package]\nversion = \"{version}\"\n\n\
             [dependencies]\nother = {{ version = \"1\" }}\n[profile.x]\nversion = \"0\"\n"
        );
        self.write("Cargo.toml", text);
    }

    pub(super) fn write(&self, place: &str, text: impl AsRef<[u8]>) {
        let path = self.checkout().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Adds a tool of this machine.
    pub(super) fn tool(&self, name: &str) -> &Self {
        let path = std::env::var_os("PATH").unwrap();
        let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file());
        let found = found.unwrap_or_else(|| panic!("there is no `{name}` on this machine"));
        symlink(found, self.tools().join(name)).unwrap();
        self
    }

    /// Adds a tool that is this script. A process of its own writes it, for the reason above.
    pub(super) fn fake(&self, name: &str, script: &str) -> &Self {
        let mut writer = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
            .arg(self.tools().join(name))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!("#!/bin/sh\n{script}\n");
        writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        self
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs a script as azd does on Linux and macOS: the file itself, at the root of the project.
    pub(super) fn run(&self, script: &str, arguments: &[&str]) -> Ran {
        let output = Command::new(self.checkout().join("scripts").join(script))
            .args(arguments)
            .current_dir(self.checkout())
            .env_clear()
            .env("PATH", self.tools())
            .env("HOME", self.folder.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        Ran(output)
    }

    /// What is in `dist/`, without the dots.
    pub(super) fn dist(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.checkout().join("dist")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(super) fn zip(&self) -> Vec<u8> {
        fs::read(self.checkout().join("dist/hsmwatch.zip")).unwrap()
    }
}

/// How a script ended.
pub(super) struct Ran(Output);

impl Ran {
    /// What it said on standard output, if it ended well and complained of nothing.
    #[track_caller]
    pub(super) fn well(&self) -> String {
        let (out, err) = (self.out(), self.err());
        assert!(self.0.status.success(), "{}\n{out}{err}", self.0.status);
        assert_eq!(err, "");
        out
    }

    /// What it said on standard error, if it refused: exit code 1 and all of these words.
    #[track_caller]
    pub(super) fn refused(&self, words: &[&str]) -> String {
        let (out, err) = (self.out(), self.err());
        assert_eq!(self.0.status.code(), Some(1), "{out}{err}");
        for word in words {
            assert!(err.contains(word), "`{word}` is not said:\n{out}{err}");
        }
        err
    }

    fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }
}
