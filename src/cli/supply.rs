//! Where the handler's configuration comes from: read when it is first needed, and again until it can be used.

use super::setup::{self, Setup};
use super::{Context, report::Stop};
use crate::hosts::daemon::clock;
use crate::hosts::functions::{App, Current, Refused, Supply};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A configuration that is read until it is good.
pub(crate) struct Reloading {
    context: Context,
    held: Mutex<Current>,
}

impl Reloading {
    /// Reads nothing yet.
    pub(crate) fn new(context: Context) -> Self {
        Self { context, held: Mutex::new(Current::default()) }
    }
}

#[async_trait]
impl Supply for Reloading {
    async fn current(&self, fresh: bool) -> Current {
        let mut held = self.held.lock().await;
        if held.app.is_none() && (fresh || held.refused.is_none()) {
            match load(&self.context) {
                Ok(app) => *held = Current { app: Some(Arc::new(app)), refused: None },
                Err(stop) => {
                    let why = stop.sentence();
                    let since = held
                        .refused
                        .as_ref()
                        .filter(|refused| refused.why == why)
                        .map_or_else(clock, |refused| refused.since);
                    *held = Current { app: None, refused: Some(Refused { why, since }) };
                }
            }
        }
        held.clone()
    }
}

fn load(context: &Context) -> Result<App, Stop> {
    app(&setup::load(context)?)
}

/// What invocations work with.
pub(crate) fn app(setup: &Setup) -> Result<App, Stop> {
    for warning in &setup.warnings {
        tracing::warn!("{warning}");
    }
    Ok(App { engine: setup.engine()?, watches: setup.watches()?, source: setup.source.clone() })
}
