//! Puts the folder of the function app together.

use super::{LOCAL, check};
use crate::root;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What goes into a package besides `host.json` and the functions.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The program.
    pub binary: PathBuf,
    /// The configuration; it becomes `hsmwatch.toml` beside the program.
    pub config: Option<PathBuf>,
    /// Rule files, in the folder of the configuration or below it; they keep their places relative to it.
    pub rules: Vec<PathBuf>,
}

/// Where the definition of the function app lies.
#[derive(Clone, Debug)]
pub struct Source {
    /// `host.json`.
    pub host: PathBuf,
    /// The folder with one folder a function.
    pub functions: PathBuf,
}

impl Source {
    /// The function app of this repository.
    pub fn repository() -> Self {
        Self { host: root().join("host.json"), functions: root().join("function-defs") }
    }
}

/// Writes the function app of this repository to the folder `app`, in place of what was there.
pub fn assemble(contents: &Contents, app: &Path) -> Result<()> {
    assemble_from(&Source::repository(), contents, app)
}

/// As [`assemble`], for a function app that is defined elsewhere.
pub fn assemble_from(source: &Source, contents: &Contents, app: &Path) -> Result<()> {
    if app.is_dir() && fs::read_dir(app)?.next().is_some() && !app.join("host.json").is_file() {
        bail!(
            "`{}` is no package (no `host.json`): name another folder, or empty it",
            app.display()
        );
    }
    let mut name = app.file_name().context("the package needs a folder with a name")?.to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    let partial = app.with_file_name(name);
    remove(&partial)?;
    let written = write(source, contents, &partial).and_then(|()| check(&partial));
    if let Err(error) = written {
        remove(&partial)?;
        return Err(error);
    }
    let local = app.join(LOCAL);
    if local.is_file() {
        fs::rename(&local, partial.join(LOCAL))
            .with_context(|| format!("cannot keep `{LOCAL}`"))?;
    }
    // Only a package that passed takes the place of the one before.
    remove(app)?;
    fs::rename(&partial, app).with_context(|| format!("cannot write `{}`", app.display()))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove `{}`", folder.display()))?;
    }
    Ok(())
}

fn write(source: &Source, contents: &Contents, app: &Path) -> Result<()> {
    fs::create_dir_all(app).with_context(|| format!("cannot make `{}`", app.display()))?;
    copy(&source.host, app, Path::new("host.json"), DATA)?;
    let host: Value = check::json(&app.join("host.json"))?;
    copy(&contents.binary, app, Path::new(check::executable(&host)?), PROGRAM)?;
    for folder in folders(&source.functions)? {
        let name = PathBuf::from(folder.file_name().unwrap_or_default());
        copy(&folder.join("function.json"), app, &name.join("function.json"), DATA)?;
    }
    for (file, place) in configuration(contents)? {
        copy(&file, app, &place, DATA)?;
    }
    Ok(())
}

/// The folders in the folder of functions, in order. Files there are notes to the reader.
fn folders(functions: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(functions)
        .with_context(|| format!("cannot read the folder `{}`", functions.display()))?;
    let mut found = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().map_or(true, |path| path.is_dir()))
        .collect::<Result<Vec<_>, _>>()?;
    found.sort();
    Ok(found)
}

/// The configuration and its rule files, each with its place in the package.
fn configuration(contents: &Contents) -> Result<Vec<(PathBuf, PathBuf)>> {
    let Some(config) = &contents.config else {
        ensure!(contents.rules.is_empty(), "rule files without a configuration: name that too");
        return Ok(Vec::new());
    };
    let config = std::path::absolute(config)?;
    let folder = config.parent().unwrap_or(Path::new("/")).to_path_buf();
    let mut files = vec![(config, PathBuf::from("hsmwatch.toml"))];
    for rule in &contents.rules {
        let file = std::path::absolute(rule)?;
        let place = match file.strip_prefix(&folder) {
            Ok(place) if place.components().all(|part| matches!(part, Component::Normal(_))) => {
                place.to_path_buf()
            }
            _ => bail!(
                "the rule file `{}` lies outside the folder of its configuration, `{}`: the package has no place for it; move it there",
                rule.display(),
                folder.display()
            ),
        };
        files.push((file, place));
    }
    Ok(files)
}

const DATA: u32 = 0o644;
const PROGRAM: u32 = 0o755;

/// Copies one file to its place in the package, which must be free.
fn copy(from: &Path, app: &Path, place: &Path, mode: u32) -> Result<()> {
    let to = app.join(place);
    ensure!(
        !to.exists(),
        "`{}` is in the package already: `{}` must go by another name",
        place.display(),
        from.display()
    );
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| {
            format!("cannot make a folder for `{}` in the package", place.display())
        })?;
    }
    fs::copy(from, &to)
        .with_context(|| format!("cannot copy `{}` into the package", from.display()))?;
    set_mode(&to, mode)
}

#[cfg(unix)]
fn set_mode(file: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(mode))?)
}

#[cfg(not(unix))]
fn set_mode(_file: &Path, _mode: u32) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn everything_lies_where_the_host_looks() {
        let fixture = Fixture::new();
        fixture.write("conf/hsmwatch.toml", "rules = [\"rules/*.toml\"]");
        fixture.write("conf/rules/mine.toml", "");
        fixture.write("defs/README.md", "for the reader");
        let contents = Contents {
            config: Some(fixture.path("conf/hsmwatch.toml")),
            rules: vec![fixture.path("conf/rules/mine.toml")],
            ..fixture.contents()
        };
        fixture.assemble_with(&contents).unwrap();
        assert_eq!(
            fixture.files(),
            [
                "dead-letter/function.json",
                "deliver/function.json",
                "evaluate/function.json",
                "host.json",
                "hsmwatch",
                "hsmwatch.toml",
                "rules/mine.toml",
                "status/function.json",
                "tick/function.json",
            ]
        );
    }

    #[test]
    fn the_configuration_has_one_name() {
        let fixture = Fixture::new();
        fixture.write("prod.toml", "every = \"5m\"");
        let contents = Contents { config: Some(fixture.path("prod.toml")), ..fixture.contents() };
        fixture.assemble_with(&contents).unwrap();
        assert_eq!(fixture.read("app/hsmwatch.toml"), "every = \"5m\"");
    }

    #[cfg(unix)]
    #[test]
    fn the_program_can_be_run_and_the_rest_be_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let fixture = Fixture::new();
        let secret = fs::Permissions::from_mode(0o600);
        fs::set_permissions(fixture.path("host.json"), secret.clone()).unwrap();
        fs::set_permissions(fixture.path("binary"), secret).unwrap();
        fixture.assemble().unwrap();
        let mode = |file| fs::metadata(fixture.path(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("app/hsmwatch"), 0o755);
        assert_eq!(mode("app/host.json"), 0o644);
    }

    #[test]
    fn a_new_package_takes_the_place_of_the_old_one() {
        let fixture = Fixture::new();
        fixture.assemble().unwrap();
        fixture.write("app/left-over/function.json", "{}");
        fixture.write("binary", "newer");
        fixture.assemble().unwrap();
        assert_eq!(fixture.read("app/hsmwatch"), "newer");
        assert!(!fixture.path("app/left-over").exists());
    }

    #[test]
    fn a_package_that_fails_leaves_the_old_one() {
        let fixture = Fixture::new();
        fixture.assemble().unwrap();
        fixture.write("defs/tick/function.json", "{");
        fixture.assemble().unwrap_err();
        assert_eq!(fixture.files().len(), 7);
        let left: Vec<_> = fs::read_dir(fixture.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("partial"))
            .collect();
        assert_eq!(left, [""; 0]);
    }

    #[test]
    fn somebody_elses_folder_is_not_emptied() {
        let fixture = Fixture::new();
        fixture.write("app/letters/to-mother.txt", "");
        fixture.refuses(&["is no package"]);
        assert!(fixture.path("app/letters/to-mother.txt").exists());
    }

    #[test]
    fn rule_files_elsewhere_are_refused() {
        let fixture = Fixture::new();
        fixture.write("conf/hsmwatch.toml", "");
        fixture.write("shared/mine.toml", "");
        for rule in ["shared/mine.toml", "conf/../shared/mine.toml"] {
            let contents = Contents {
                config: Some(fixture.path("conf/hsmwatch.toml")),
                rules: vec![fixture.path(rule)],
                ..fixture.contents()
            };
            let error = fixture.assemble_with(&contents).unwrap_err().to_string();
            assert!(error.contains("outside the folder"), "{error}");
        }
        let contents =
            Contents { rules: vec![fixture.path("conf/mine.toml")], ..fixture.contents() };
        let error = fixture.assemble_with(&contents).unwrap_err().to_string();
        assert!(error.contains("without a configuration"), "{error}");
    }

    #[test]
    fn nothing_is_overwritten() {
        let fixture = Fixture::new();
        fixture.write("conf/hsmwatch.toml", "");
        fixture.write("conf/host.json", "");
        fixture.write("conf/hsmwatch/mine.toml", "");
        for (rule, says) in [
            ("conf/host.json", "`host.json` is in the package already"),
            ("conf/hsmwatch.toml", "`hsmwatch.toml` is in the package already"),
            ("conf/hsmwatch/mine.toml", "cannot make a folder"),
        ] {
            let contents = Contents {
                config: Some(fixture.path("conf/hsmwatch.toml")),
                rules: vec![fixture.path(rule)],
                ..fixture.contents()
            };
            let error = format!("{:#}", fixture.assemble_with(&contents).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn missing_parts_are_named() {
        for part in ["host.json", "binary", "defs/tick/function.json"] {
            let fixture = Fixture::new();
            fs::remove_file(fixture.path(part)).unwrap();
            fixture.refuses(&[part]);
        }
        let fixture = Fixture::new();
        fs::remove_dir_all(fixture.path("defs")).unwrap();
        fixture.refuses(&["defs"]);
    }
}
