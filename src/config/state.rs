//! Where state lives: `[state]`, or the variables that stand for it.

use super::file::on_disk;
use super::lookup::Lookup;
use super::model::{State, StorageSecret};
use super::problem::{Fault, Report, Setting};
use super::reader::{Reader, Section};
use super::text::{Text, checked, path};
use super::{address, secret, value};

/// Reads `[state]`.
pub(super) fn section(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<State> {
    let folder = reader.parsed(section, "path", value::path);
    let account = reader.parsed(section, "account_url", address::account);
    let container = reader.parsed(section, "container", value::container);
    let key = reader.parsed(section, "account_key", secret::account_key);
    let sas = reader.parsed(section, "sas", secret::sas);
    let (has_path, has_account) = (section.has("path"), section.has("account_url"));
    let fault = if has_path && has_account {
        Some(
            Fault::new("`path` and `account_url` contradict each other")
                .hint("keep one of the two"),
        )
    } else if !has_path && !has_account {
        Some(Fault::new("`[state]` needs `path` or `account_url`").hint(
            "path = \"hsmwatch-state\" on one machine, account_url = \"https://ACCOUNT.blob.core.windows.net\" beyond it",
        ))
    } else {
        None
    };
    if let Some(fault) = fault {
        reader.report.fail(&section.setting, fault);
    }
    if section.has("account_key") && section.has("sas") {
        reader.fail_at(section, "sas", both("account_key"));
    }
    if !has_account {
        for key in ["container", "account_key", "sas"] {
            if section.has(key) {
                reader.fail_at(section, key, Fault::new("needs `account_url`"));
            }
        }
    }
    reader.finish(section, None);
    let Some((account_url, at)) = account else {
        let (folder, setting) = folder?;
        return on_disk(reader, &setting, &folder).map(State::Folder);
    };
    if account_url.query().is_some() {
        reader.report.exposed(&at);
    }
    let secret = key.or(sas);
    if let (Some(_), Some((_, setting))) = (account_url.query(), &secret) {
        reader.report.fail(setting, both("the signature in `account_url`"));
    }
    Some(State::Blob {
        account_url,
        container: container.map_or(address::CONTAINER.to_owned(), |(container, _)| container),
        secret: secret.map(|(secret, _)| secret),
    })
}

fn both(other: &str) -> Fault {
    let other = if other.contains('`') { other.to_owned() } else { format!("`{other}`") };
    Fault::new(format!("contradicts {other}")).hint("keep one of the two")
}

/// Reads `HSMWATCH_STATE_PATH` or `HSMWATCH_STATE_URL` with `HSMWATCH_STORAGE_KEY` or `HSMWATCH_STORAGE_SAS`. `nowhere` is
/// where their absence is told.
pub(super) fn variables(
    variable: impl Fn(&str) -> Option<Text>,
    lookup: &dyn Lookup,
    nowhere: &Setting,
    report: &mut Report,
) -> Option<State> {
    let folder = variable("HSMWATCH_STATE_PATH");
    let url = variable("HSMWATCH_STATE_URL");
    if folder.is_none() && url.is_none() {
        let fault = Fault::new("no state: set `HSMWATCH_STATE_PATH` or `HSMWATCH_STATE_URL`").hint(
            "HSMWATCH_STATE_PATH=FOLDER on one machine, \
             HSMWATCH_STATE_URL=https://ACCOUNT.blob.core.windows.net/CONTAINER beyond it",
        );
        report.fail(nowhere, fault);
    }
    let Some(url) = url else {
        for text in
            ["HSMWATCH_STORAGE_KEY", "HSMWATCH_STORAGE_SAS"].into_iter().filter_map(&variable)
        {
            report.warn(&text.setting, Fault::new("is set, but `HSMWATCH_STATE_URL` is not"));
        }
        let folder = checked(&folder?, value::path, report)?;
        return Some(State::Folder(path(lookup, &folder)));
    };
    if folder.is_some() {
        report.fail(&url.setting, both("HSMWATCH_STATE_PATH"));
        return None;
    }
    let secret = storage_secret(&variable, report);
    let (account_url, container) = checked(&url, address::account_and_container, report)?;
    if let (Some(_), Some((_, at))) = (account_url.query(), &secret) {
        report.fail(at, both("the signature in `HSMWATCH_STATE_URL`"));
    }
    Some(State::Blob { account_url, container, secret: secret.map(|(secret, _)| secret) })
}

/// Reads `HSMWATCH_STORAGE_KEY` or `HSMWATCH_STORAGE_SAS`.
pub(super) fn storage_secret(
    variable: impl Fn(&str) -> Option<Text>,
    report: &mut Report,
) -> Option<(StorageSecret, Setting)> {
    let key = variable("HSMWATCH_STORAGE_KEY");
    let sas = variable("HSMWATCH_STORAGE_SAS");
    if let (Some(_), Some(text)) = (&key, &sas) {
        report.fail(&text.setting, both("HSMWATCH_STORAGE_KEY"));
    }
    let at = key.as_ref().or(sas.as_ref())?.setting.clone();
    let key = key.and_then(|text| checked(&text, secret::account_key, report));
    let sas = sas.and_then(|text| checked(&text, secret::sas, report));
    Some((key.or(sas)?, at))
}
