//! `verify`: whether a message was signed with a secret.

use super::report::{Stop, out};
use super::{Context, Done, Format};
use crate::config::{Lookup as _, System};
use crate::notify::sign::{Signed, SigningKey, verify};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLE: &str = "\
Example:
  export ITSM_SECRET=whsec_…
  hsmwatch verify --secret-env ITSM_SECRET --id \"$ID\" --timestamp \"$TS\" --signature \"$SIG\" < body.json

Exit codes: 0 valid; 1 not valid, and why; 2 usage.";

/// Check the signature of a message, as its receiver should
///
/// The body is read byte for byte from a file or from standard input; id, timestamp and signature are the headers
/// `webhook-id`, `webhook-timestamp` and `webhook-signature`. The secret comes from a variable or a file, never from the
/// command line, where others could see it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Args {
    /// Header `webhook-id`
    #[arg(long, value_name = "ID")]
    id: String,
    /// Header `webhook-timestamp`
    #[arg(long, value_name = "SECONDS")]
    timestamp: String,
    /// Header `webhook-signature`
    #[arg(long, value_name = "v1,…")]
    signature: String,
    /// The variable that holds the secret (`whsec_…`)
    #[arg(long, value_name = "NAME", default_value = "HSMWATCH_WEBHOOK_SECRET")]
    secret_env: String,
    /// A file that holds the secret, instead
    #[arg(long, value_name = "FILE", conflicts_with = "secret_env")]
    secret_file: Option<PathBuf>,
    /// Take this for now (RFC 3339), such as when the message was kept
    #[arg(long, value_name = "TIME")]
    now: Option<DateTime<Utc>>,
    /// Seconds that the timestamp may be off
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    tolerance: u32,
    /// The body; standard input if it is not named
    body: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let secret = match &args.secret_file {
        Some(path) => std::fs::read_to_string(path).map_err(|e| {
            Stop::usage(format!("cannot read the secret from `{}`: {e}", path.display()))
        })?,
        None => System::here().var(&args.secret_env).ok_or_else(|| {
            Stop::usage(format!("the variable `{}` is not set", args.secret_env))
                .hint("put the secret (`whsec_…`) into it, or name a file with --secret-file")
        })?,
    };
    let keys: Vec<SigningKey> = secret
        .split_whitespace()
        .map(SigningKey::parse)
        .collect::<Result<_, _>>()
        .map_err(|e| Stop::usage(e.to_string()))?;
    let body = body(args.body.as_deref())?;
    let signed = Signed {
        id: Some(&args.id),
        timestamp: Some(&args.timestamp),
        signature: Some(&args.signature),
    };
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let now = args.now.unwrap_or_else(Utc::now);
    let verdict = verify(signed, &body, &keys, now, TimeDelta::seconds(i64::from(args.tolerance)));
    if context.format == Format::Json {
        let why = verdict.as_ref().err().map(ToString::to_string);
        out(json!({"valid": verdict.is_ok(), "why": why}));
        return Ok(ExitCode::from(u8::from(verdict.is_err())));
    }
    match verdict {
        Ok(()) => {
            out("valid: signed with this secret, and fresh");
            Ok(ExitCode::SUCCESS)
        }
        Err(why) => {
            out(format!("not valid: {why}"));
            Ok(ExitCode::from(1))
        }
    }
}

/// The bytes of a file, or of standard input.
fn body(path: Option<&Path>) -> Result<Vec<u8>, Stop> {
    if let Some(path) = path {
        return std::fs::read(path).map_err(|e| {
            Stop::usage(format!("cannot read the body from `{}`: {e}", path.display()))
        });
    }
    let mut body = Vec::new();
    std::io::stdin()
        .read_to_end(&mut body)
        .map_err(|e| Stop::usage(format!("cannot read the body from standard input: {e}")))?;
    Ok(body)
}
