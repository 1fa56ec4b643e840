//! Single values, as whoever asks a person for them sees them: judged as they would be in a file.

use super::catalogue::{Format, Key};
use super::problem::{Fault, Problem};
use super::text::Text;
use super::{Known, address, cross};
use crate::notify::Kind;

/// Whether a key takes this value, or this item of its list.
pub(crate) fn value(key: &Key, value: &str, known: &Known) -> Result<(), Problem> {
    let text = Text::typed(value);
    let judged = match key.format() {
        Some(Format::Preset) => cross::preset(&text, known).map(drop),
        Some(format) => format.check(&text),
        None => Ok(()),
    };
    judged.map_err(|fault| problem(&text, fault))
}

/// The account and the container that one address names, as `HSMWATCH_STATE_URL` does.
pub(crate) fn account_and_container(value: &str) -> Result<(String, String), Problem> {
    let text = Text::typed(value);
    let (url, container) =
        address::account_and_container(&text).map_err(|fault| problem(&text, fault))?;
    Ok((url.as_str().trim_end_matches('/').to_owned(), container))
}

/// The address of a receiver of this kind.
pub(crate) fn address(kind: Kind, value: &str) -> Result<(), Problem> {
    let text = Text::typed(value);
    address::receiver(Some(kind), &text).map(drop).map_err(|fault| problem(&text, fault))
}

fn problem(text: &Text, fault: Fault) -> Problem {
    text.setting.problem(fault)
}
