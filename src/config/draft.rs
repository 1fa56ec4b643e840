//! The raw configuration: every value read and parsed alone, nothing held against anything else.

use super::cloud::Cloud;
use super::model::{Address, Auth, RulePlace, Source, State, TemplatePlaces};
use super::problem::Setting;
use super::text::Text;
use crate::notify::{Detail, Settings};
use crate::watch::parameters::Parameter;
use crate::watch::rule::RuleSpec;
use crate::watch::schedule::Schedule;
use crate::watch::severity::Severity;
use chrono::TimeDelta;
use ipnet::IpNet;
use secrecy::SecretString;
use std::collections::BTreeMap;

/// What was asked for. What is absent was not written, or was written down as a problem.
pub(super) struct Draft {
    /// Where problems of the whole are put.
    pub(super) at: Setting,
    pub(super) schedule: Option<Schedule>,
    pub(super) presets: Option<Vec<Text>>,
    pub(super) cloud: Option<Cloud>,
    pub(super) overlap: Option<(TimeDelta, Setting)>,
    pub(super) sweep: Option<(TimeDelta, Setting)>,
    pub(super) sweep_every: Option<(TimeDelta, Setting)>,
    pub(super) catch_up: Option<(TimeDelta, Setting)>,
    pub(super) silent_after: Option<TimeDelta>,
    pub(super) state: Option<State>,
    pub(super) workspaces: Vec<DraftWorkspace>,
    pub(super) receivers: Vec<DraftReceiver>,
    pub(super) rules: Vec<DraftRule>,
    /// Whether all rule files could be read: a reference into one that could not is no problem of its own.
    pub(super) rules_complete: bool,
}

impl Draft {
    pub(super) fn empty(at: Setting) -> Self {
        Self {
            at,
            schedule: None,
            presets: None,
            cloud: None,
            overlap: None,
            sweep: None,
            sweep_every: None,
            catch_up: None,
            silent_after: None,
            state: None,
            workspaces: Vec::new(),
            receivers: Vec::new(),
            rules: Vec::new(),
            rules_complete: true,
        }
    }
}

pub(super) struct DraftWorkspace {
    pub(super) name: Option<(String, Setting)>,
    /// The customer id, if it has one.
    pub(super) id: Option<(String, Setting)>,
    pub(super) source: Option<Source>,
}

pub(super) struct DraftReceiver {
    pub(super) name: Option<(String, Setting)>,
    /// What its kind needs to know.
    pub(super) settings: Option<Settings>,
    pub(super) url: Option<Address>,
    pub(super) secrets: Vec<SecretString>,
    pub(super) min_severity: Option<Severity>,
    pub(super) rules: Option<Vec<Text>>,
    pub(super) allow_networks: Vec<IpNet>,
    pub(super) detail: Option<Detail>,
    pub(super) auth: Option<Auth>,
    pub(super) ca: Option<String>,
    pub(super) headers: Vec<SecretString>,
    pub(super) templates: TemplatePlaces,
    pub(super) client_certificate: Option<SecretString>,
}

pub(super) struct DraftRule {
    pub(super) at: Setting,
    pub(super) id: Option<(String, Setting)>,
    pub(super) spec: RuleSpec,
    pub(super) place: RulePlace,
    pub(super) workspaces: Vec<Text>,
    pub(super) receivers: Vec<Text>,
    /// The parameters that are written, and where.
    pub(super) parameters: Vec<(String, Setting, Parameter)>,
    /// The keys that are written, right or wrong, and where.
    pub(super) written: BTreeMap<&'static str, Setting>,
}
