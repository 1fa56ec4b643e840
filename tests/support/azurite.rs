//! Azurite, Microsoft's storage emulator, really started: once a test binary, for all its tests.
//!
//! It is installed with npm by the first test that needs it, as `xtask/js/azurite` pins it, and ends with the test binary:
//! the pipe to it closes then, however the binary ends.

use super::installed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The account that Azurite makes.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";
/// Its key, printed in Azurite's documentation.
pub(crate) const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A running Azurite. State is in its memory.
pub(crate) struct Azurite {
    blob: String,
    queue: String,
    containers: AtomicUsize,
    process: Child,
}

/// The one that all tests of this binary share: each takes a container of its own.
pub(crate) fn azurite() -> &'static Azurite {
    static SHARED: OnceLock<Azurite> = OnceLock::new();
    SHARED.get_or_init(|| Azurite::start(&[]))
}

impl Azurite {
    /// One of a test's own, with further arguments.
    pub(crate) fn start(more: &[&str]) -> Self {
        let folder =
            installed::npm("xtask/js/azurite", "azurite", "Azurite, Microsoft's storage emulator");
        let watch = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/azurite.js");
        let mut process = Command::new("node")
            .arg("--require")
            .arg(watch)
            .arg(folder.join("node_modules/azurite/dist/src/azurite.js"))
            .args(["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"])
            .args(["--silent", "--blobPort", "0", "--queuePort", "0", "--tablePort", "0"])
            .args(more)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node, to run Azurite");
        let (mut blob, mut queue) = (None, None);
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while blob.is_none() || queue.is_none() {
            let line = lines.next().expect("Azurite ended before it listened").unwrap();
            let at = |service: &str| {
                let says = format!("Azurite {service} service is successfully listening at ");
                line.strip_prefix(&says).map(|url| format!("{url}/{ACCOUNT}"))
            };
            blob = blob.or_else(|| at("Blob"));
            queue = queue.or_else(|| at("Queue"));
        }
        // Nobody reads what else it says, which must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            blob: blob.unwrap(),
            queue: queue.unwrap(),
            containers: AtomicUsize::new(0),
            process,
        }
    }

    /// The blob service, with the account, without a slash at its end.
    pub(crate) fn blob_url(&self) -> &str {
        &self.blob
    }

    /// The queue service, likewise.
    pub(crate) fn queue_url(&self) -> &str {
        &self.queue
    }

    /// What functions get as `AzureWebJobsStorage`.
    pub(crate) fn connection_string(&self) -> String {
        format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={};QueueEndpoint={};",
            self.blob, self.queue
        )
    }

    /// A container's name that no other test has. The container is not there yet.
    pub(crate) fn container(&self) -> String {
        format!("test-{}-state", self.containers.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A shared access signature of the account, for blobs and queues, with these permissions (`rwdlac` and so on).
pub(crate) fn account_sas(permissions: &str) -> String {
    let (start, end) = ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
    let text = format!("{ACCOUNT}\n{permissions}\nbq\nsco\n{start}\n{end}\n\n\n2021-12-02\n\n");
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
    mac.update(text.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("sv", "2021-12-02"),
            ("ss", "bq"),
            ("srt", "sco"),
            ("sp", permissions),
            ("st", start),
            ("se", end),
            ("sig", &signature),
        ])
        .finish()
}
