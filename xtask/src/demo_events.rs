//! The chore `demo-events`: writes the bundled log of `hsmwatch demo`, a day of two HSMs, from its seed.
//!
//! The lines are those of the storage archive of the diagnostic setting, in the order in which they arrive, with one
//! field more: `available`, the instant from which a query could see the record.

use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::path::Path;

mod day;
mod host;
mod random;

use host::Hsm;

/// Any number; this one is the day on which it happens.
const SEED: u64 = 20_260_303;

/// Ticks of 100 ns, the precision of `TimeGenerated`.
const SECOND: u64 = 10_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

const USAGE: &str = "Usage: cargo xtask demo-events [--check]

Writes `demo/events.jsonl` from its seed. With --check, writes nothing and fails if the file is another.";

/// Runs the chore.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/events.jsonl");
    let text = generate(SEED);
    match args {
        [] => std::fs::write(&file, &text).context("cannot write `demo/events.jsonl`")?,
        [check] if check == "--check" => {
            let there =
                std::fs::read_to_string(&file).context("cannot read `demo/events.jsonl`")?;
            if there != text {
                bail!(
                    "`demo/events.jsonl` is not what its seed gives: run `cargo xtask demo-events`"
                );
            }
        }
        [help] if matches!(help.as_str(), "--help" | "-h") => println!("{USAGE}"),
        _ => bail!("not understood\n\n{USAGE}"),
    }
    Ok(())
}

/// The whole file.
fn generate(seed: u64) -> String {
    let mut events = day::events(seed);
    // Stable: of records that arrive together, the earlier told comes first.
    events.sort_by_key(|event| (event.available(), event.at));
    events.iter().fold(String::new(), |text, event| text + &event.line() + "\n")
}

/// One audit record.
#[derive(Clone, Debug)]
struct Event {
    /// When it happened, in ticks since the beginning of March 2026.
    at: u64,
    hsm: Hsm,
    /// Which of the cluster's three HSMs.
    instance: u8,
    operation: &'static str,
    caller: &'static str,
    client: &'static str,
    sdk: &'static str,
    milliseconds: u64,
    /// From happening to being found by a query, in seconds.
    delay: u64,
}

impl Event {
    /// When a query can see it, in whole seconds.
    fn available(&self) -> u64 {
        self.at / SECOND + 1 + self.delay
    }

    /// The record as a line of the archive.
    fn line(&self) -> String {
        let (instance, kind) = match self.hsm {
            Hsm::WestEurope => ("HsmInstance", "ClusterType"),
            Hsm::NorthEurope => ("MemberId", "PoolType"),
        };
        let mut line = format!(
            r#"{{"time":"{}.{:07}Z","available":"{}Z","resourceId":"{}","operationName":"{}","category":"HsmServiceOperations","callerIpAddress":"{}","resultType":"Success","durationMs":{},"properties":{{"{instance}":"hsm-{}","{kind}":"Production""#,
            instant(self.at / SECOND),
            self.at % SECOND,
            instant(self.available()),
            self.hsm.resource(),
            self.operation,
            self.caller,
            self.milliseconds,
            self.instance,
        );
        for (name, value) in [
            ("Opcode", host::opcode(self.operation)),
            ("ClientInfo", self.client),
            ("ClientSdkPackageVersion", self.sdk),
        ] {
            if !value.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(line, r#","{name}":"{}""#, escaped(value));
            }
        }
        line + "}}"
    }
}

/// RFC 3339 without the zone, of seconds since the beginning of March 2026; the month's days are enough here.
fn instant(seconds: u64) -> String {
    let (day, hour) = (seconds / 86_400 + 1, seconds / 3_600 % 24);
    format!("2026-03-{day:02}T{hour:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60)
}

/// The inside of a JSON string, in ASCII: a text that turns around the line it stands in has no place in a repository.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for unit in text.encode_utf16() {
        match char::from_u32(unit.into()) {
            Some(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Some(c @ ' '..='~') => out.push(c),
            _ => {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
