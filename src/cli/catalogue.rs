//! All rules there are: presets and the user's own, on or off, with a configuration or without.

use super::Context;
use super::report::{Stop, talk};
use super::setup::{self, Setup};
use crate::config::nearest;
use crate::watch::build::build;
use crate::watch::presets::{self, Preset, SETS};
use crate::watch::rule::{Rule, RuleSpec};
use crate::watch::schedule::Schedule;
use chrono::TimeDelta;
use std::sync::Arc;

/// A rule, whether or not it is watched.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) rule: Arc<Rule>,
    /// The preset that it is, as shipped.
    pub(crate) preset: Option<&'static Preset>,
    /// Whether the configuration changes the preset.
    pub(crate) changed: bool,
    /// Whether it is on; `None` without a configuration.
    pub(crate) on: Option<bool>,
}

impl Entry {
    /// The sets it belongs to.
    pub(crate) fn sets(&self) -> Vec<&'static str> {
        SETS.into_iter().filter(|set| self.preset.is_some_and(|preset| preset.is_in(set))).collect()
    }

    /// `on` or `off`; nothing where that is not known.
    pub(crate) fn state(&self) -> &'static str {
        match self.on {
            Some(true) => "on",
            Some(false) => "off",
            None => "",
        }
    }
}

/// All rules.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) entries: Vec<Entry>,
    /// The configuration, if there is one.
    pub(crate) setup: Option<Setup>,
}

/// Finds all rules. A configuration that was not asked for and is of no use is warned of: presets are there without it.
pub(crate) fn find(context: &Context) -> Result<Catalogue, Stop> {
    let setup = match setup::find(context) {
        Ok(setup) => setup,
        Err(stop) if context.config.is_some() => return Err(stop),
        Err(stop) => {
            let text = stop.text().lines().next().unwrap_or_default();
            talk(format!("warning: {text}; what follows is known without it"));
            talk("  hint: `hsmwatch check` tells more");
            None
        }
    };
    Ok(Catalogue { entries: entries(setup.as_ref()), setup })
}

/// All rules of a configuration, or of none.
pub(crate) fn entries(setup: Option<&Setup>) -> Vec<Entry> {
    let default =
        setup.map_or(Schedule::Every(TimeDelta::minutes(5)), |setup| setup.config.schedule.clone());
    let on = |id: &str| setup?.rules.iter().find(|ready| ready.rule.id == id);
    let entry = |spec: RuleSpec, preset, changed| {
        let rule = if let Some(ready) = on(&spec.id) {
            Arc::clone(&ready.rule)
        } else {
            // One that is off may have errors: then there is nothing to show.
            let off = RuleSpec { enabled: None, ..spec };
            Arc::new(build(off, &default).rule?)
        };
        let on = setup.map(|_| on(&rule.id).is_some());
        Some(Entry { rule, preset, changed, on })
    };
    let over = |id: &str| setup?.config.overrides.iter().find(|(spec, _)| spec.id == id);
    let presets = presets::all().iter().filter_map(|preset| match over(&preset.spec.id) {
        Some((over, _)) => {
            entry(preset.spec.clone().overridden_by(over.clone()), Some(preset), true)
        }
        None => entry(preset.spec.clone(), Some(preset), false),
    });
    let own = setup.into_iter().flat_map(|setup| &setup.config.own_rules);
    presets.chain(own.filter_map(|(spec, _)| entry(spec.clone(), None, false))).collect()
}

impl Catalogue {
    /// The rule with this id.
    pub(crate) fn get(&self, id: &str) -> Result<&Entry, Stop> {
        get(&self.entries, id)
    }
}

/// The rule with this id.
pub(crate) fn get<'e>(entries: &'e [Entry], id: &str) -> Result<&'e Entry, Stop> {
    entries.iter().find(|entry| entry.rule.id == id).ok_or_else(|| {
        let near = nearest(id, entries.iter().map(|entry| entry.rule.id.as_str()));
        Stop::usage(format!("there is no rule `{id}`")).hint(near.map_or_else(
            || "`hsmwatch rules` lists them".to_owned(),
            |near| format!("did you mean `{near}`?"),
        ))
    })
}
