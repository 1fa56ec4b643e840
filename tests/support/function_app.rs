//! A test bed whose program runs as a function app: the package, a Functions host, and one method for each thing that
//! happens to them.

use super::azurite::azurite;
use super::bed::{SECRETS, TestBed};
use super::functions_host::{FUNCTION_KEY, FunctionsHost, Invocation, Level, Outcome, Settings};
use super::gate::Stop;
use super::package;
use super::proxy::Proxy;
use chrono::{DateTime, Utc};
use hsmwatch::azure::Cloud;
use hsmwatch::azure::blob::BlobStore;
use hsmwatch::azure::storage::key;
use hsmwatch::engine::record::Record;
use hsmwatch::local::disk::DiskStore;
use hsmwatch::ports::{Document, StateStore, When};
use serde_json::Value as Json;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The queue of tickets.
pub(crate) const DELIVERIES: &str = "hsmwatch-deliveries";
/// The queue of workspaces to be evaluated.
pub(crate) const EVALUATIONS: &str = "hsmwatch-evaluations";

/// State in Azurite, behind a proxy behind the bed's gate.
pub(crate) struct Azure {
    pub(crate) proxy: Proxy,
    container: String,
}

/// A bed, and the host that runs its program.
pub(crate) struct FunctionApp {
    pub(crate) bed: TestBed,
    pub(crate) host: FunctionsHost,
    /// Where state is, if not in the bed's folder.
    azure: Option<Azure>,
    /// The second of the last tick.
    last: Cell<i64>,
}

impl FunctionApp {
    /// State is in the bed's folder.
    #[track_caller]
    pub(crate) fn start(bed: TestBed) -> Self {
        Self::start_with(bed, &[])
    }

    /// With further app settings.
    #[track_caller]
    pub(crate) fn start_with(bed: TestBed, more: &[(&str, &str)]) -> Self {
        let host = FunctionsHost::start(&package::app(), settings(&bed, more));
        Self { bed, host, azure: None, last: Cell::new(0) }
    }

    /// State is in Azurite, whose requests the bed's gate counts with all others.
    #[track_caller]
    pub(crate) fn start_on_azurite(bed: TestBed) -> Self {
        let azurite = azurite();
        let proxy = Proxy::behind(azurite.blob_url(), &bed.gate);
        let container = azurite.container();
        let text = bed.configuration().replace(
            "path = \"state\"",
            &format!("account_url = \"{}\"\ncontainer = \"{container}\"", proxy.url()),
        );
        let path = bed.dir().join("azure.toml");
        fs::write(&path, text).unwrap();
        let more = [
            ("HSMWATCH_CONFIG", path.to_str().unwrap()),
            ("AzureWebJobsStorage", &azurite.connection_string()),
        ];
        let app = Self::start_with(bed, &more);
        Self { azure: Some(Azure { proxy, container }), ..app }
    }

    /// The timer fires, at a time when every rule is due.
    pub(crate) fn tick(&self) -> Invocation {
        self.await_slot();
        let tick = self.host.timer("tick");
        self.ticked();
        tick
    }

    /// Slots are seconds: waits until the last tick's is over.
    pub(crate) fn await_slot(&self) {
        while Utc::now().timestamp() <= self.last.get() {
            let left = 1_000 - u64::from(Utc::now().timestamp_subsec_millis()).min(999);
            std::thread::sleep(Duration::from_millis(left));
        }
    }

    /// Notes that a tick is over: it has evaluated the slot of this second, at the latest.
    pub(crate) fn ticked(&self) {
        self.last.set(Utc::now().timestamp());
    }

    /// The first tick, which begins every watch.
    #[track_caller]
    pub(crate) fn begin(self) -> Self {
        self.tick().succeeds();
        self
    }

    /// A tick, and everything that comes of it.
    pub(crate) fn round(&self) -> Invocation {
        let tick = self.tick();
        self.host.drain();
        tick
    }

    /// A round, killed at its n-th request. Answers whether it came to that.
    pub(crate) fn round_killed(&self, n: usize, stop: Stop) -> bool {
        self.await_slot();
        let killed = self.host.killed_at(&self.bed.gate, n, stop, work);
        self.ticked();
        killed
    }

    /// A round, killed as soon as the bed's state directory has changed n times. Answers whether it came to that.
    pub(crate) fn round_killed_at_change(&self, n: usize) -> bool {
        self.await_slot();
        let killed = self.host.killed_at_change(n, || self.bed.state_stamps(), work);
        self.ticked();
        killed
    }

    /// Rounds until there is nothing left to tell.
    pub(crate) fn settle(&self) {
        for _ in 0..12 {
            self.deliveries_come_due();
            let tick = self.tick().succeeds();
            if tick.written.is_empty() && self.host.drain().is_empty() {
                return;
            }
            self.host.drain();
        }
        panic!("it does not settle:\n{}", self.host.said());
    }

    /// The same where ticks delegate: a workspace is always due.
    pub(crate) fn settle_delegated(&self) {
        for _ in 0..12 {
            self.deliveries_come_due();
            self.tick().succeeds();
            let done = self.host.drain();
            if done.iter().all(|i| i.function == "evaluate" && i.written.is_empty()) {
                return;
            }
        }
        panic!("it does not settle:\n{}", self.host.said());
    }

    fn store(&self) -> Arc<dyn StateStore> {
        let Some(Azure { container, .. }) = &self.azure else {
            return Arc::new(DiskStore::open(self.bed.state_dir()).unwrap());
        };
        let url: Url = azurite().blob_url().parse().unwrap();
        let (key, who) = key(&url, None, Cloud::Public, |_| None).unwrap();
        Arc::new(BlobStore::new(&url, container, &key, who).unwrap())
    }

    /// The key of the watch that has an alert in its outbox.
    pub(crate) fn tickets_watch(&self, alert: &str) -> String {
        let tickets = self.host.invocations().into_iter().flat_map(|i| i.written);
        let mut of = tickets.filter(|(queue, text)| queue == DELIVERIES && text.contains(alert));
        let ticket: Json = serde_json::from_str(&of.next().unwrap().1).unwrap();
        ticket["watch"].as_str().unwrap().to_owned()
    }

    /// Changes state documents whose names begin so, as time or someone's hand would.
    pub(crate) fn change(&self, prefix: &str, change: impl Fn(&str, &mut Document) -> bool) {
        let store = self.store();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for line in store.list(prefix).await.unwrap() {
                let mut document = store.read(&line.name).await.unwrap().unwrap();
                if change(&line.name, &mut document) {
                    let Document { body, etag, meta } = document;
                    store.write(&line.name, body, meta, When::Matches(etag)).await.unwrap();
                }
            }
        });
    }

    /// All retries and abandoned claims come due, as if the time had passed.
    pub(crate) fn deliveries_come_due(&self) {
        let now = Utc::now();
        self.change("deliveries/", |_, document| {
            let Ok(mut record) = Record::decode(&document.body) else { return false };
            (record.next_due, record.claim_until) =
                (record.next_due.min(now), record.claim_until.min(now));
            (document.body, document.meta) = (record.encode(), record.meta());
            true
        });
    }

    /// The page's JSON.
    pub(crate) fn status(&self) -> Json {
        self.host.http("status", "application/json").json()
    }

    /// Every row in exactly one alert, the same at all webhooks, and every repeated delivery the same to the byte.
    #[track_caller]
    pub(crate) fn told_once(&self, rows: &BTreeSet<String>) {
        for name in self.bed.webhooks() {
            let told = self.bed.told(&name);
            assert_eq!(&told.keys().cloned().collect::<BTreeSet<_>>(), rows, "{name}");
            assert!(told.values().all(|alerts| alerts.len() == 1), "{name}: {told:?}");
        }
        let told: BTreeSet<_> =
            self.bed.webhooks().iter().map(|name| self.bed.told(name)).collect();
        assert_eq!(told.len(), 1, "all are told the same");
        self.is_clean();
    }

    /// No contract was broken, by anybody, and the log is as the host needs it.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        assert_eq!(self.host.problems(), [""; 0]);
        assert_eq!(self.bed.problems(), [""; 0]);
        self.logs_well();
    }

    /// Every line is one JSON object at the level that the host reads, and tells no secret and no address; a line of an
    /// invocation names it.
    #[track_caller]
    pub(crate) fn logs_well(&self) {
        let known: BTreeSet<(String, String)> =
            self.host.invocations().into_iter().map(|i| (i.id, i.trace)).collect();
        for line in self.host.console() {
            let text = &line.text;
            let json: Json =
                serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}"));
            let expected = match json["level"].as_str().unwrap() {
                "ERROR" => Level::Error,
                "WARN" => Level::Warning,
                _ => Level::Information,
            };
            assert_eq!(line.level, expected, "{text}");
            let secrets =
                SECRETS.iter().copied().chain([FUNCTION_KEY, "http://", "https://", "AccountKey"]);
            for secret in secrets {
                assert!(!text.contains(secret), "`{secret}` is logged: {text}");
            }
            if let Some(id) = json["invocation"].as_str().filter(|id| !id.is_empty()) {
                let parent = json["traceparent"].as_str().unwrap();
                let named = known
                    .iter()
                    .any(|(known, trace)| known == id && parent.contains(trace.as_str()));
                // The invocation may be under way, or have died with its process.
                assert!(named || parent.len() == 55, "{text}");
            } else {
                assert!(
                    json["function"].is_null() || json["function"] == "-",
                    "no invocation: {text}"
                );
            }
        }
    }

    /// Lines of the log that have this text in them, as JSON.
    pub(crate) fn lines(&self, text: &str) -> Vec<Json> {
        let lines = self.host.console().into_iter().filter(|line| line.text.contains(text));
        lines.map(|line| serde_json::from_str(&line.text).unwrap()).collect()
    }

    /// A key is deleted now by a client of this name, which is noted among the rows.
    pub(crate) fn delete_key(&self, client: &str, rows: &mut BTreeSet<String>) -> DateTime<Utc> {
        rows.insert(client.to_owned());
        self.bed.delete_key(client)
    }
}

/// A tick, and everything that comes of it.
fn work(host: &FunctionsHost) {
    let tick = host.timer("tick");
    if !matches!(tick.outcome, Outcome::Died(_)) {
        host.drain();
    }
}

/// The app settings for a bed: a tick every second, and the bed's own variables.
pub(crate) fn settings(bed: &TestBed, more: &[(&str, &str)]) -> Settings {
    let config = bed.dir().join("hsmwatch.toml");
    // Also writes the configuration.
    let command = bed.command(&[]);
    let text = |value: &std::ffi::OsStr| value.to_str().unwrap().to_owned();
    let own = command.get_envs().filter_map(|(name, value)| Some((text(name), text(value?))));
    let mut settings: Settings = own.collect();
    let usual = [
        ("HSMWATCH_CONFIG", config.to_str().unwrap()),
        ("HSMWATCH_SCHEDULE", "* * * * * *"),
        ("AzureWebJobsStorage", "UseDevelopmentStorage=true"),
    ];
    for (name, value) in usual.into_iter().chain(more.iter().copied()) {
        settings.insert(name.to_owned(), value.to_owned());
    }
    settings.retain(|_, value| !value.is_empty());
    settings
}
