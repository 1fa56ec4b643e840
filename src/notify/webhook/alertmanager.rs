//! What Prometheus' Alertmanager sends to a webhook, version 4: for what already takes that.

use crate::notify::{Body, Detail};
use crate::watch::alert::Alert;

/// The body for an alert.
pub fn render(alert: &Alert, _receiver: &str, detail: Detail) -> Body {
    super::cloud_event::render(alert, detail)
}
