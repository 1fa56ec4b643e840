//! State in Blob Storage with an identity: tokens over TLS, as in Azure.

use crate::support::azurite::{Azurite, azurite};
use crate::support::bed::TestBed;
use crate::support::fake_identity::{FakeIdentity, HEADER};
use crate::support::proxy::Proxy;
use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::{Duration, OffsetDateTime};
use hsmwatch::azure::blob::BlobStore;
use hsmwatch::azure::storage::Key;
use hsmwatch::ports::StateStore as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Makes `ca.pem`, and `leaf.pem` with `leaf.key` for this machine: a certificate that signs itself is none for a server.
fn certificates(dir: &Path) {
    let extensions = "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n";
    std::fs::write(dir.join("leaf.ext"), extensions).unwrap();
    for arguments in [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout leaf.key -out leaf.csr",
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile leaf.ext -out leaf.pem",
    ] {
        let status = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let made = status.is_ok_and(|status| status.success());
        assert!(made, "openssl is needed, to make a certificate for Azurite: openssl {arguments}");
    }
}

#[test]
fn a_managed_identity_keeps_state_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let azurite = Azurite::start(&[
        "--cert",
        &path("leaf.pem"),
        "--key",
        &path("leaf.key"),
        "--oauth",
        "basic",
    ]);
    assert!(azurite.blob_url().starts_with("https://"));
    let identity = FakeIdentity::start();
    let bed = TestBed::new()
        .receiver("itsm", "webhook")
        .state(&format!("account_url = \"{}\"", azurite.blob_url()))
        .variable("IDENTITY_ENDPOINT", &identity.url())
        .variable("IDENTITY_HEADER", HEADER)
        .variable("SSL_CERT_FILE", &path("ca.pem"));

    identity.tokens_for("https://elsewhere.example");
    let ran = bed.run_once().exits(1);
    let said = "container `hsmwatch-state` of account `devstoreaccount1`: listing `heads/`: system-assigned managed \
                identity is not allowed; give it the role `Storage Blob Data Contributor`";
    assert!(ran.stderr.contains(said), "{ran:?}");
    assert!(!ran.stderr.contains("eyJ"), "{ran:?}");

    identity.tokens_for("https://storage.azure.com");
    bed.begin();
    bed.delete_key("client");
    bed.run_once().exits(0);
    assert_eq!(bed.told("itsm").len(), 1);
    let resource = |query: &std::collections::BTreeMap<String, String>| query["resource"].clone();
    assert!(identity.asked().iter().map(resource).any(|r| r == "https://storage.azure.com"));
}

/// Always the same token.
#[derive(Debug)]
struct Fixed;

#[async_trait]
impl TokenCredential for Fixed {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://storage.azure.com/.default"]);
        let expires = OffsetDateTime::now_utc() + Duration::hours(1);
        Ok(AccessToken::new("the-token", expires))
    }
}

#[tokio::test]
async fn a_service_on_this_machine_gets_the_token_over_plain_http() {
    let proxy = Proxy::before(azurite().blob_url());
    let url = proxy.url().parse().unwrap();
    let store = BlobStore::new(&url, "state", &Key::Identity(Arc::new(Fixed)), "identity").unwrap();
    store.list("").await.unwrap_err();
    assert_eq!(proxy.headers()[0]["authorization"], "Bearer the-token");
}
