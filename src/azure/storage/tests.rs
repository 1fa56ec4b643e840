use super::*;

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn env(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
}

const MANAGED: &[(&str, &str)] =
    &[("IDENTITY_ENDPOINT", "http://127.0.0.1:41/x"), ("IDENTITY_HEADER", "h")];

#[test]
fn the_account_is_in_the_host_or_on_this_machine_in_the_path() {
    for (text, expected) in [
        ("https://acme.blob.core.windows.net/", "acme"),
        ("https://acme.z01.blob.storage.azure.net", "acme"),
        ("http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1"),
        ("http://127.0.0.1:10000", ""),
    ] {
        assert_eq!(account(&url(text)), expected, "{text}");
    }
}

#[test]
fn the_key_is_a_secret_an_identity_or_the_emulators_own() {
    let show = |text: &str, secret: Option<Secret>, managed: bool| {
        let env = env(if managed { MANAGED } else { &[] });
        match key(&url(text), secret.as_ref(), Cloud::Public, env) {
            Ok((key, who)) => format!("{key:?}, {who}"),
            Err(e) => e.to_string(),
        }
    };
    let real = "https://acme.blob.core.windows.net/";
    let emulator = "http://127.0.0.1:10000/devstoreaccount1";
    let secret = SecretString::from("c2VjcmV0");
    let account_key = || Some(Secret::AccountKey(secret.clone()));
    let sas = || Some(Secret::Sas(secret.clone()));
    assert_eq!(show(real, account_key(), true), "Shared(acme), the account key");
    assert_eq!(show(real, sas(), true), "Sas, the shared access signature");
    assert_eq!(show(real, None, true), "Identity, system-assigned managed identity");
    assert_eq!(show(emulator, None, true), "Shared(devstoreaccount1), Azurite's development key");
    assert_eq!(show(emulator, None, false), "Shared(devstoreaccount1), Azurite's development key");
    assert_eq!(show(emulator, sas(), false), "Sas, the shared access signature");
    let with_sas = format!("{emulator}?sv=1&sig=x");
    assert_eq!(show(&with_sas, None, false), "Sas, the shared access signature");
    let secure = "https://127.0.0.1:10000/devstoreaccount1";
    assert_eq!(show(secure, None, true), "Identity, system-assigned managed identity");
    assert_eq!(show(secure, None, false), "Shared(devstoreaccount1), Azurite's development key");
    let other = "http://127.0.0.1:10000/other";
    assert_eq!(
        show(other, None, false),
        "account `other` on this machine needs `account_key` or `sas`"
    );
    assert_eq!(show(other, None, true), "Identity, system-assigned managed identity");
}

#[test]
fn a_service_has_no_slash_at_its_end_and_a_sas_in_its_query() {
    let emulator = url("http://127.0.0.1:10000/devstoreaccount1/");
    let sas = Key::Sas("?sv=1&sig=a%2Bb".to_owned().into());
    let client = service(&emulator, &sas).unwrap();
    let blob = client.blob_client("state", "heads/a b");
    let expected = "http://127.0.0.1:10000/devstoreaccount1/state/heads%2Fa%20b?sv=1&sig=a%2Bb";
    assert_eq!(blob.url().as_str(), expected);
    let bad = Key::Shared { account: "acme".into(), key: "?".to_owned().into() };
    assert_eq!(
        service(&emulator, &bad).err().unwrap().to_string(),
        "the key of account `acme` is not base64: copy it whole from \"Access keys\""
    );
}

#[test]
fn secrets_are_not_printed() {
    let secret = SecretString::from("c2VjcmV0");
    let keys =
        [Key::Sas(secret.clone()), Key::Shared { account: "acme".into(), key: secret.clone() }];
    let secrets = [Secret::AccountKey(secret.clone()), Secret::Sas(secret)];
    let shown = format!("{keys:?} {secrets:?}");
    assert!(!shown.contains("c2VjcmV0"), "{shown}");
}
