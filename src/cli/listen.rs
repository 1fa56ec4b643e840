//! `listen`: a receiver for trying things. It shows what arrives, verifies it as `verify` does, and answers as it is told.

mod answers;
mod keep;
mod show;

use super::inbox::{Attempts, Inbox};
use super::report::{Stop, count, out, talk};
use super::verify::Secrets;
use super::{Context, Done, Format, runtime};
use crate::hosts::daemon;
use crate::notify::proof::examine;
use crate::notify::shape::gist;
use crate::notify::sign::TOLERANCE;
use crate::watch::duration;
use answers::{Answers, Given};
use chrono::{DateTime, TimeDelta, Utc};
use keep::Keep;
use show::Shown;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

const EXAMPLE: &str = "\
Examples:
  hsmwatch listen                                         show what comes
  hsmwatch listen --secret-env ITSM_SECRET                and verify its signatures
  hsmwatch listen --status 429 --retry-after 3 --first 2  be busy twice, then take it
  hsmwatch listen --status 410                            be gone, and be switched off
  hsmwatch listen --delay 40s                             answer later than hsmwatch waits
  hsmwatch listen --save kept                             keep requests for `hsmwatch verify`
  hsmwatch listen --count 1 --format json                 in a script: take one, print it, end

It prints the [[receiver]] to write; then `hsmwatch send-test listen` sends something.

Without --status it answers what a receiver of that kind would: 202 to a Teams card, `ok` to a
Slack message, 204 to most others; and 401 if it has a secret and the signature is not valid.

Exit codes: 0 fine; 1 a request came whose signature was not valid; 2 usage.";

/// Receive alerts on this machine, and answer as told, to try things
///
/// Takes every request that comes, whatever its path, and shows what it is, what it says, whether its signature is valid and
/// how often the same `webhook-id` has come. Requests are data, on standard output; everything else is talk.
///
/// It is for trying things, not for production: plain HTTP, on this machine only unless --address says otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8123")]
    address: SocketAddr,
    /// A variable that holds a secret (`whsec_…`); again for another, newest first [default:
    /// `HSMWATCH_WEBHOOK_SECRET`, if it is set]
    #[arg(long, value_name = "NAME")]
    secret_env: Vec<String>,
    /// A file that holds a secret; again for another
    #[arg(long, value_name = "FILE")]
    secret_file: Vec<PathBuf>,
    /// Answer with this status, whatever came
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..=599))]
    status: Option<u16>,
    /// With so many seconds in `Retry-After`
    #[arg(long, value_name = "SECONDS", requires = "status")]
    retry_after: Option<u32>,
    /// Answer as told to the first so many requests only, and as usual from then on
    #[arg(long, value_name = "N")]
    first: Option<u64>,
    /// Take this long to answer
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    delay: Option<TimeDelta>,
    /// Answer with this text
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// Keep each request as a file in this folder, for `hsmwatch verify`
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
    /// End after so many requests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let secrets = Secrets::if_any(&args.secret_env, &args.secret_file)?;
    let keep = args.save.as_deref().map(Keep::open).transpose()?;
    let answers = Answers::new(args.told(), args.first);
    runtime()?.block_on(listen(context.format, args, secrets, keep, answers))
}

impl Args {
    /// What was told about answers.
    fn told(&self) -> Given {
        Given {
            status: self.status,
            retry_after: self.retry_after,
            body: self.body.clone(),
            delay: self.delay.and_then(|delay| delay.to_std().ok()).unwrap_or_default(),
        }
    }
}

async fn listen(
    format: Format,
    args: &Args,
    secrets: Secrets,
    mut keep: Option<Keep>,
    answers: Answers,
) -> Done {
    // First, so that a signal at any later moment ends it as it should.
    let stop = daemon::signal().map_err(|e| Stop::no(format!("cannot wait for signals: {e}")))?;
    let secrets = Arc::new(secrets);
    let (show, mut shown) = mpsc::unbounded_channel();
    let memory = Mutex::new((answers, Attempts::default()));
    let judge_secrets = Arc::clone(&secrets);
    let inbox = Inbox::open(args.address, move |arrival| {
        let now = clock();
        let proof = examine(&arrival.captured, &judge_secrets.keys, now, TOLERANCE);
        let gist = gist(arrival.captured.body.bytes());
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        let (answers, attempts) = &mut *memory;
        let attempt =
            proof.id.as_ref().map(|id| attempts.count(&format!("{} {id}", arrival.path())));
        let mut one =
            Shown::new(now, arrival, gist, proof, attempt, !judge_secrets.keys.is_empty());
        let answer = answers.to(&one);
        one.answered(&answer);
        // Nobody looks any more: then it is over.
        let _gone = show.send(one);
        answer
    })
    .await
    .map_err(|e| {
        Stop::no(format!("cannot listen on {}: {e}", args.address))
            .hint("`--address 127.0.0.1:0` takes a port that is free")
    })?;
    start(inbox.address, &secrets);

    let mut totals = Totals::default();
    tokio::pin!(stop);
    loop {
        let one = tokio::select! {
            () = &mut stop => break,
            one = shown.recv() => one,
        };
        let Some(mut one) = one else { break };
        if let Some(keep) = &mut keep {
            match keep.keep(&one) {
                Ok(name) => one.kept = name,
                Err(why) => talk(format!("error: {why}")),
            }
        }
        match format {
            Format::Json => out(one.json(&secrets)),
            Format::Human => one.lines(&secrets).iter().for_each(out),
        }
        totals.add(&one);
        if args.count.is_some_and(|n| totals.requests >= n) {
            break;
        }
    }
    inbox.close().await;
    talk(totals.said());
    Ok(ExitCode::from(u8::from(totals.invalid > 0)))
}

/// Where it listens, and what to write to make hsmwatch send there.
fn start(address: SocketAddr, secrets: &Secrets) {
    talk(format!("listening on http://{address}; Ctrl-C ends it"));
    let host = if address.ip().is_loopback() {
        format!("http://{address}")
    } else {
        talk(format!(
            "warning: whoever reaches {address} can send here, and reads along: it is plain HTTP. hsmwatch sends to other \
             machines by https only, so put something that ends TLS before it"
        ));
        "https://HOST".to_owned()
    };
    let secret = if let Some(whence) = secrets.whence() {
        format!("secret = {whence}")
    } else {
        talk(
            "no secret is given, so signatures are not checked: --secret-env NAME, or HSMWATCH_WEBHOOK_SECRET",
        );
        "unsigned = true".to_owned()
    };
    talk(format!(
        "\nA receiver for it, in hsmwatch.toml (then: hsmwatch send-test listen):\n\n[[receiver]]\nname = \"listen\"\nkind = \"webhook\"\n\
         url = \"{host}/hook\"\n{secret}\n"
    ));
}

#[derive(Default)]
struct Totals {
    requests: u64,
    valid: u64,
    invalid: u64,
    again: u64,
}

impl Totals {
    fn add(&mut self, one: &Shown) {
        self.requests += 1;
        self.valid += u64::from(one.is_valid() == Some(true));
        self.invalid += u64::from(one.is_valid() == Some(false));
        self.again += u64::from(one.attempt.is_some_and(|attempt| attempt > 1));
    }

    fn said(&self) -> String {
        let requests = count(usize::try_from(self.requests).unwrap_or(usize::MAX), "request");
        format!(
            "{requests}: {} with a valid signature, {} with one that is not, {} not checked; {} had come before",
            self.valid,
            self.invalid,
            self.requests - self.valid - self.invalid,
            self.again
        )
    }
}

#[expect(clippy::disallowed_methods, reason = "a receiver checks signatures by its own clock")]
fn clock() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests;
