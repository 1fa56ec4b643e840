//! The common alert schema of Azure Monitor, as its log search alerts (version 2) send it: for what already takes those.

use crate::notify::{Body, Detail};
use crate::watch::alert::Alert;

/// The body for an alert.
pub fn render(alert: &Alert, detail: Detail) -> Body {
    super::cloud_event::render(alert, detail)
}
