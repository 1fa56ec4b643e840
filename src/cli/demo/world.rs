//! What the demo's engine works on: its configuration, and the rules in it on the bundled log.

use super::receiver::Receiver as Listening;
use super::source::DemoLog;
use crate::cli::report::Stop;
use crate::cli::setup::{self, Ready, Setup};
use crate::config::{self, Input, Lookup, System};
use crate::engine::{Watch, Workspace};
use crate::notify::sign::PREFIX;
use crate::notify::{Kind, Receiver};
use crate::ports::LogSource;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CONFIG: &str = include_str!("../../../demo/hsmwatch.toml");
const CONFIG_NAME: &str = "demo/hsmwatch.toml";

/// The variables that the demo's configuration names, and nothing else of the world.
struct Variables(BTreeMap<String, String>);

impl Lookup for Variables {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn base(&self) -> &Path {
        Path::new("")
    }

    fn read(&self, _: &Path) -> Result<String, String> {
        Err("the demo reads no files".to_owned())
    }

    fn glob(&self, _: &str) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
}

/// Reads the demo's configuration as any other is read.
pub(super) fn setup(receiver: &Listening, secret: &str) -> Result<Setup, Stop> {
    let variables = Variables(BTreeMap::from([
        ("DEMO_WEBHOOK_URL".to_owned(), receiver.url(Kind::Webhook)),
        ("DEMO_WEBHOOK_SECRET".to_owned(), secret.to_owned()),
        ("DEMO_TEAMS_URL".to_owned(), receiver.url(Kind::Teams)),
        ("DEMO_SLACK_URL".to_owned(), receiver.url(Kind::Slack)),
    ]));
    let file = Input::File { name: CONFIG_NAME, text: CONFIG };
    let loaded = config::load(file, &setup::known(), &variables)?;
    setup::finish(loaded, CONFIG_NAME.to_owned(), System::here())
}

/// The rules of the configuration, on the bundled log.
pub(super) fn watches(setup: &Setup, receivers: &[Receiver], log: &Arc<DemoLog>) -> Vec<Watch> {
    let name = setup.config.workspaces.first().map(|w| w.name.clone()).unwrap_or_default();
    let workspace = Arc::new(Workspace {
        id: name.clone(),
        name,
        source: Arc::clone(log) as Arc<dyn LogSource>,
        // There is no portal to look in.
        logs_link: Box::new(|_, _, _| None),
    });
    let watch = |Ready { rule, over_nothing, .. }: &Ready| Watch {
        workspace: Arc::clone(&workspace),
        rule: Arc::clone(rule),
        receivers: setup::told(rule, receivers),
        over_nothing: over_nothing.clone(),
    };
    setup.rules.iter().map(watch).collect()
}

/// A secret that nobody knows, of 32 random bytes.
pub(super) fn new_secret() -> String {
    let random = |n: u8| RandomState::new().hash_one(n).to_le_bytes();
    let bytes: Vec<u8> = (0..4).flat_map(random).collect();
    format!("{PREFIX}{}", BASE64.encode(bytes))
}
