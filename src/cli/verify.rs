//! `verify`: whether a request that was received is what it says it is, and if not, everything that is wrong with it.

mod secrets;
mod show;

use super::report::Stop;
use super::{Context, Done};
use crate::notify::captured::{self, Captured, Kept};
use crate::notify::proof;
use chrono::{DateTime, TimeDelta, Utc};
pub(super) use secrets::Secrets;
pub(super) use show::{json, lines};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLE: &str = "\
Examples:
  export ITSM_SECRET=whsec_…
  hsmwatch verify --secret-env ITSM_SECRET request.http
  hsmwatch verify --secret-env ITSM_SECRET < kept.json
  hsmwatch verify --secret-env NEW --secret-env OLD request.http     while secrets rotate
  hsmwatch verify --now 2026-11-22T08:10:00Z request.http            kept earlier than today
  hsmwatch verify --headers curl.txt --body body.json                as `curl -v` shows headers
  hsmwatch verify --id \"$ID\" --timestamp \"$TS\" --signature \"$SIG\" body.json

A request is kept raw (request line or none, headers, an empty line, the body byte for byte), as
`hsmwatch listen --save` does; or as JSON with `headers` and `body` or `body_base64`; or as a HAR
file; or as `hsmwatch send-test --print --format json` prints it.

Exit codes: 0 valid; 1 not valid, and why; 2 usage.";

/// Check who signed a request, and what is wrong with it
///
/// Reads a request that was kept (headers and body) from a file or from standard input and says all at once: a header that
/// is missing or came under another name, a clock that is off, a body that was changed on its way and how, a signature that
/// is written otherwise, another secret. With several secrets it says which one fits. `X-Hub-Signature-256` is checked, too,
/// where it came.
///
/// Secrets come from variables or files, never from the command line, where others could see them. Neither they nor the
/// signature that would be right are ever shown.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Args {
    /// Header `webhook-id`; with it, what is read is the body
    #[arg(long, value_name = "ID", requires = "timestamp", requires = "signature")]
    id: Option<String>,
    /// Header `webhook-timestamp`
    #[arg(long, value_name = "SECONDS", requires = "id")]
    timestamp: Option<String>,
    /// Header `webhook-signature`
    #[arg(long, value_name = "v1,…", requires = "id")]
    signature: Option<String>,
    /// Headers that were kept apart from the body
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "request"])]
    headers: Option<PathBuf>,
    /// The body, where only headers were kept with the request
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    body: Option<PathBuf>,
    /// A variable that holds a secret (`whsec_…`); again for another, newest first [default: `HSMWATCH_WEBHOOK_SECRET`]
    #[arg(long, value_name = "NAME")]
    secret_env: Vec<String>,
    /// A file that holds a secret; again for another
    #[arg(long, value_name = "FILE")]
    secret_file: Vec<PathBuf>,
    /// Take this for now (RFC 3339), such as when the request was kept
    #[arg(long, value_name = "TIME")]
    now: Option<DateTime<Utc>>,
    /// Seconds that the timestamp may be off
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    tolerance: u32,
    /// The request, or with --id its body; standard input if it is not named
    request: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let secrets = Secrets::read(&args.secret_env, &args.secret_file)?;
    let requests = requests(args)?;
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let now = args.now.unwrap_or_else(Utc::now);
    let tolerance = TimeDelta::seconds(i64::from(args.tolerance));
    let seen: Vec<_> = requests
        .iter()
        .map(|request| (request, proof::examine(request, &secrets.keys, now, tolerance)))
        .collect();
    show::all(context.format, &seen, &secrets);
    let valid = seen.iter().all(|(_, seen)| seen.is_valid());
    Ok(ExitCode::from(u8::from(!valid)))
}

/// What is to be looked into.
fn requests(args: &Args) -> Result<Vec<Captured>, Stop> {
    if let (Some(id), Some(timestamp), Some(signature)) =
        (&args.id, &args.timestamp, &args.signature)
    {
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
        ];
        return Ok(vec![Captured {
            name: None,
            headers: headers.map(|(name, value)| (name.to_owned(), value.clone())).to_vec(),
            body: Kept::Bytes(bytes("body", args.request.as_deref())?),
        }]);
    }
    let mut requests = if let Some(headers) = &args.headers {
        let kept = bytes("headers", Some(headers))?;
        vec![captured::read_headers(&kept).map_err(|e| stop(Some(headers), &e))?]
    } else {
        let kept = bytes("request", args.request.as_deref())?;
        captured::read(&kept).map_err(|e| stop(args.request.as_deref(), &e))?
    };
    match (&args.body, requests.as_mut_slice()) {
        (Some(body), [one]) => one.body = Kept::Bytes(bytes("body", Some(body))?),
        (Some(_), _) => {
            return Err(Stop::usage("--body belongs to one request, and there are several"));
        }
        (None, [one]) if args.headers.is_some() && one.body == Kept::Nothing => {
            one.body = Kept::Bytes(bytes("body", None)?);
        }
        (None, _) => {}
    }
    Ok(requests)
}

fn stop(path: Option<&Path>, error: &captured::BadCapture) -> Stop {
    let whence =
        path.map_or_else(|| "standard input".to_owned(), |path| format!("`{}`", path.display()));
    Stop::usage(format!("cannot read a request from {whence}: {error}")).hint(
        "a body alone needs its headers: --id, --timestamp and --signature, or --headers; see hsmwatch verify --help",
    )
}

/// The bytes of a file, or of standard input.
fn bytes(what: &str, path: Option<&Path>) -> Result<Vec<u8>, Stop> {
    if let Some(path) = path {
        return std::fs::read(path).map_err(|e| {
            Stop::usage(format!("cannot read the {what} from `{}`: {e}", path.display()))
        });
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|e| Stop::usage(format!("cannot read the {what} from standard input: {e}")))?;
    Ok(bytes)
}
