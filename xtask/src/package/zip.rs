//! Packs the folder of the function app into the zip that is deployed.

use super::{LOCAL, check};
use anyhow::{Context as _, Result};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// The last steps of the scale, 7 to 9, cost twice the time of all before and save less than a percent.
const LEVEL: i64 = 6;

/// Writes the package `app` to the file `zip`: the same package always gives the same bytes.
///
/// Only the program is executable: the host runs it from where it mounts the zip, and cannot change its mode there.
pub fn zip(app: &Path, zip: &Path) -> Result<()> {
    let host = check::json(&app.join("host.json"))?;
    let program = check::executable(&host)?;
    let file = File::create(zip)
        .with_context(|| format!("cannot write the package `{}`", zip.display()))?;
    let mut writer = ZipWriter::new(BufWriter::new(file));
    for place in places(app)? {
        let mode = if place == program { 0o755 } else { 0o644 };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .last_modified_time(DateTime::DEFAULT)
            .system(zip::System::Unix)
            .unix_permissions(mode);
        writer.start_file(&place, options)?;
        let mut from = File::open(app.join(&place))
            .with_context(|| format!("cannot read `{place}` of the package"))?;
        std::io::copy(&mut from, &mut writer)?;
    }
    writer.finish()?.into_inner()?.sync_all()?;
    Ok(())
}

/// Unpacks a package into the folder `app`, modes included.
pub fn unpack(zip: &Path, app: &Path) -> Result<()> {
    let shown = zip.display();
    let file = File::open(zip).with_context(|| format!("cannot read the package `{shown}`"))?;
    let mut archive = ZipArchive::new(file).with_context(|| format!("`{shown}` is no zip"))?;
    archive.extract(app).with_context(|| format!("cannot unpack `{shown}`"))
}

/// Every file's place in the package, but for the settings of this machine, with forward slashes, sorted.
fn places(app: &Path) -> Result<Vec<String>> {
    let mut places = Vec::new();
    let mut folders = vec![(app.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder)
            .with_context(|| format!("cannot read the folder `{}`", folder.display()))?
        {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .with_context(|| format!("the name of `{}` is not Unicode", path.display()))?;
            if path.is_dir() {
                folders.push((path.clone(), format!("{prefix}{name}/")));
            } else {
                places.push(format!("{prefix}{name}"));
            }
        }
    }
    places.retain(|place| place != LOCAL);
    places.sort_unstable();
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use std::io::Read as _;
    use zip::System;

    fn packed(fixture: &Fixture) -> Vec<u8> {
        fixture.assemble().unwrap();
        let file = fixture.path("hsmwatch.zip");
        zip(&fixture.path("app"), &file).unwrap();
        fs::read(file).unwrap()
    }

    #[test]
    fn settings_of_this_machine_stay_here() {
        let fixture = Fixture::new();
        let before = packed(&fixture);
        let local = fixture.path("app").join(LOCAL);
        fs::write(&local, "{\"Values\":{\"HSMWATCH_SLACK_URL\":\"secret\"}}").unwrap();
        assert_eq!(packed(&fixture), before, "they are not packed");
        assert!(fs::read_to_string(&local).unwrap().contains("secret"), "and not lost");
    }

    #[test]
    fn entries_are_as_the_host_mounts_them() {
        let fixture = Fixture::new();
        let bytes = packed(&fixture);
        let mut archive = ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut names = Vec::new();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).unwrap();
            let name = entry.name().unwrap().into_owned();
            let mode = if name == "hsmwatch" { 0o100_755 } else { 0o100_644 };
            assert_eq!(entry.unix_mode(), Some(mode), "{name}");
            assert_eq!(entry.external_attributes() >> 16, mode, "{name}");
            assert_eq!(entry.system(), System::Unix, "{name}");
            assert_eq!(entry.compression(), CompressionMethod::Deflated, "{name}");
            assert_eq!(entry.last_modified(), Some(DateTime::DEFAULT), "{name}");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            assert_eq!(content, fs::read(fixture.path("app").join(&name)).unwrap());
            names.push(name);
        }
        // Every file, no folder; `files` is sorted.
        assert_eq!(names, fixture.files());
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let [one, other] = [Fixture::new(), Fixture::new()];
        let stale = File::open(other.path("host.json")).unwrap();
        stale.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(packed(&one), packed(&other));
        one.write("binary", "another program");
        assert_ne!(packed(&one), packed(&other));
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let fixture = Fixture::new();
        packed(&fixture);
        let elsewhere = fixture.path("elsewhere");
        unpack(&fixture.path("hsmwatch.zip"), &elsewhere).unwrap();
        check(&elsewhere).unwrap();
        assert_eq!(places(&elsewhere).unwrap(), fixture.files());
        let error = unpack(&fixture.path("host.json"), &elsewhere).unwrap_err().to_string();
        assert!(error.contains("is no zip"), "{error}");
    }

    #[test]
    fn only_a_package_is_packed() {
        let fixture = Fixture::new();
        let error = zip(&fixture.path("defs"), &fixture.path("hsmwatch.zip")).unwrap_err();
        assert!(error.to_string().contains("host.json"), "{error}");
        assert!(!fixture.path("hsmwatch.zip").exists());
    }
}
