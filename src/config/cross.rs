//! From draft to checked: what the parts of a configuration say to each other.

use super::draft::{Draft, DraftReceiver, DraftRule, DraftWorkspace};
use super::file::dangling;
use super::model::{Config, Receiver, Workspace};
use super::problem::{Fault, Report, Setting, nearest, shown};
use super::text::{Text, list};
use super::{Known, rules};
use crate::watch::duration;
use crate::watch::parameters::Parameters;
use crate::watch::schedule::Schedule;
use chrono::TimeDelta;

/// Holds the parts against each other; `None` only with a problem written down.
pub(super) fn check(draft: Draft, known: &Known, report: &mut Report) -> Option<Config> {
    let schedule = draft.schedule.clone().unwrap_or(Schedule::Every(TimeDelta::minutes(5)));
    let times = times(&draft, report);
    let presets = presets(&draft, known, report);

    unique("workspaces", draft.workspaces.iter().map(|w| w.name.as_ref()), report);
    unique_ids(&draft.workspaces, report);
    unique("receivers", draft.receivers.iter().map(|r| r.name.as_ref()), report);
    unique("rules", draft.rules.iter().map(|r| r.id.as_ref()), report);
    let (overrides, own): (Vec<&DraftRule>, Vec<&DraftRule>) =
        draft.rules.iter().partition(|rule| known.preset_ids.contains(&rule.spec.id));
    for rule in &overrides {
        rules::check(rule, true, &schedule, report);
        check_override(rule, &presets, report);
        check_parameters(rule, known, report);
    }
    for rule in &own {
        rules::check(rule, false, &schedule, report);
        check_own(rule, known, report);
    }
    references(&draft, known, &presets, report);
    if presets.is_empty() && own.is_empty() && !report.failed() {
        let fault =
            Fault::new("no rule: nothing would be watched").hint("presets = [\"tutorial\"]");
        report.fail(&draft.at, fault);
    }
    let pair = |rule: &DraftRule| (rule.spec.clone(), rule.place.clone());
    let own_rules = own.into_iter().map(pair).collect();
    let overrides = overrides.into_iter().map(pair).collect();
    Some(Config {
        schedule,
        presets,
        cloud: draft.cloud.unwrap_or_default(),
        overlap: times.overlap,
        sweep: times.sweep,
        sweep_every: times.sweep_every,
        catch_up: times.catch_up,
        silent_after: draft.silent_after,
        state: draft.state?,
        workspaces: draft.workspaces.into_iter().map(workspace).collect::<Option<_>>()?,
        receivers: draft.receivers.into_iter().map(receiver).collect::<Option<_>>()?,
        own_rules,
        overrides,
    })
}

struct Times {
    overlap: TimeDelta,
    sweep: TimeDelta,
    sweep_every: TimeDelta,
    catch_up: TimeDelta,
}

fn times(draft: &Draft, report: &mut Report) -> Times {
    let or =
        |value: &Option<(TimeDelta, Setting)>, default| value.as_ref().map_or(default, |v| v.0);
    let times = Times {
        overlap: or(&draft.overlap, TimeDelta::hours(1)),
        sweep: or(&draft.sweep, TimeDelta::hours(49)),
        sweep_every: or(&draft.sweep_every, TimeDelta::hours(6)),
        catch_up: or(&draft.catch_up, TimeDelta::days(7)),
    };
    // The later of the two that is written is the one to look at.
    let blame = |a: &Option<(TimeDelta, Setting)>, b: &Option<(TimeDelta, Setting)>| {
        a.as_ref().or(b.as_ref()).map_or_else(|| draft.at.clone(), |(_, setting)| setting.clone())
    };
    if times.overlap >= times.sweep {
        let fault = Fault::new(format!(
            "`overlap` ({}) must be less than `sweep` ({})",
            duration::text(times.overlap),
            duration::text(times.sweep)
        ));
        report.fail(&blame(&draft.sweep, &draft.overlap).bare(), fault);
    }
    if times.catch_up < times.overlap {
        let fault = Fault::new(format!(
            "`catch_up` ({}) must not be less than `overlap` ({})",
            duration::text(times.catch_up),
            duration::text(times.overlap)
        ));
        report.fail(&blame(&draft.catch_up, &draft.overlap).bare(), fault);
    }
    times
}

/// The presets that are on, sets expanded, each once.
fn presets(draft: &Draft, known: &Known, report: &mut Report) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |id: &String| {
        if !found.contains(id) {
            found.push(id.clone());
        }
    };
    let Some(texts) = &draft.presets else {
        known.sets.get("tutorial").into_iter().flatten().for_each(add);
        return found;
    };
    for text in texts {
        let ids = report.check(&text.setting, preset(text, known));
        ids.iter().flatten().for_each(&mut add);
    }
    found
}

/// The presets that a word stands for.
pub(super) fn preset(text: &Text, known: &Known) -> Result<Vec<String>, Fault> {
    if let Some(ids) = known.sets.get(&text.value) {
        return Ok(ids.clone());
    }
    if known.preset_ids.contains(&text.value) {
        return Ok(vec![text.value.clone()]);
    }
    let sets: Vec<&str> = known.sets.keys().map(String::as_str).collect();
    let ids = known.preset_ids.iter().map(String::as_str);
    let hint = nearest(&text.value, sets.iter().copied().chain(ids)).map_or_else(
        || format!("the sets are {}; `hsmwatch rules` lists the presets", list(&sets)),
        |near| format!("did you mean `{near}`?"),
    );
    Err(Fault::new(format!("{} is neither a preset nor a set", text.quoted())).hint(hint))
}

/// Names must differ by more than case: they become file names.
fn unique<'d>(
    what: &str,
    names: impl Iterator<Item = Option<&'d (String, Setting)>>,
    report: &mut Report,
) {
    let mut seen: Vec<&(String, Setting)> = Vec::new();
    for named in names.flatten() {
        let (name, setting) = named;
        if let Some((_, first)) = seen.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
            let fault = Fault::new(format!(
                "`{name}` names two {what}; the first is {}",
                first.whereabouts()
            ));
            report.fail(setting, fault);
        } else {
            seen.push(named);
        }
    }
}

fn unique_ids(workspaces: &[DraftWorkspace], report: &mut Report) {
    let mut seen: Vec<&(String, Setting)> = Vec::new();
    for id in workspaces.iter().filter_map(|workspace| workspace.id.as_ref()) {
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == id.0) {
            let fault = Fault::new(format!(
                "the same workspace twice, so everything would be told twice; the first is {}",
                first.whereabouts()
            ));
            report.fail(&id.1, fault);
        } else {
            seen.push(id);
        }
    }
}

fn check_override(rule: &DraftRule, presets: &[String], report: &mut Report) {
    let id = &rule.spec.id;
    if rule.written.len() == 1 {
        report.warn(
            &rule.at,
            Fault::new(format!("preset `{id}` is named and nothing of it changed")),
        );
    } else if !presets.contains(id) && rule.spec.enabled != Some(false) {
        let fault = Fault::new(format!("preset `{id}` is changed, but is not on"))
            .hint(format!("add \"{id}\" to `presets`"));
        report.warn(&rule.at, fault);
    }
}

/// A preset's parameters can be given other values, of the same type; its query asks for no others.
fn check_parameters(rule: &DraftRule, known: &Known, report: &mut Report) {
    let id = &rule.spec.id;
    // With a query of its own, the rule may ask for whatever it likes.
    if rule.spec.query.is_some() {
        return;
    }
    let none = Parameters::new();
    let there = known.parameters.get(id).unwrap_or(&none);
    for (name, setting, value) in &rule.parameters {
        let names = || there.keys().map(String::as_str);
        let Some(default) = there.get(name) else {
            let hint = match nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if there.is_empty() => format!("`{id}` has no parameters"),
                None => format!("its parameters are {}", list(&names().collect::<Vec<_>>())),
            };
            let named = shown(name).map(|name| format!(" `{name}`")).unwrap_or_default();
            let fault = Fault::new(format!("preset `{id}` has no parameter{named}"));
            report.fail(&setting.clone().bare(), fault.hint(hint));
            continue;
        };
        if let Err(error) = default.replaced_by(value.clone()) {
            let fault = Fault::new(error.to_string());
            report.fail(setting, fault.hint(format!("the preset has {name} = {default}")));
        }
    }
}

fn check_own(rule: &DraftRule, known: &Known, report: &mut Report) {
    let Some((id, _)) = &rule.id else { return };
    let missing: Vec<&str> = ["title", "severity", "query"]
        .into_iter()
        .filter(|key| !rule.written.contains_key(key))
        .collect();
    if missing.is_empty() {
        return;
    }
    let fault = Fault::new(format!("rule `{id}` needs {}", list(&missing)));
    let near = nearest(id, known.preset_ids.iter().map(String::as_str));
    report.fail(
        &rule.at,
        fault.maybe_hint(near.map(|near| format!("to change a preset: did you mean `{near}`?"))),
    );
}

/// What is named elsewhere must be there. Names that were refused are no reason to complain twice.
fn references(draft: &Draft, known: &Known, presets: &[String], report: &mut Report) {
    fn names<'d>(
        named: impl Iterator<Item = &'d Option<(String, Setting)>>,
    ) -> Option<Vec<&'d str>> {
        named.map(|named| named.as_ref().map(|(name, _)| name.as_str())).collect()
    }
    fn each(texts: &[Text], what: &str, names: &[&str], report: &mut Report) {
        for text in texts.iter().filter(|text| !names.contains(&text.value.as_str())) {
            report.fail(&text.setting, dangling(text, what, names));
        }
    }
    let off = |id: &String| known.preset_ids.contains(id) && !presets.contains(id);
    if let Some(names) = names(draft.workspaces.iter().map(|w| &w.name)) {
        for rule in &draft.rules {
            each(&rule.workspaces, "workspace", &names, report);
        }
    }
    if let Some(names) = names(draft.receivers.iter().map(|r| &r.name)) {
        for rule in &draft.rules {
            each(&rule.receivers, "receiver", &names, report);
        }
    }
    let own = names(draft.rules.iter().map(|r| &r.id)).filter(|_| draft.rules_complete);
    if let Some(mut names) = own {
        names.extend(known.preset_ids.iter().map(String::as_str));
        for receiver in &draft.receivers {
            let texts = receiver.rules.as_deref().unwrap_or_default();
            each(texts, "rule", &names, report);
            for text in texts.iter().filter(|text| off(&text.value)) {
                let fault = Fault::new(format!("preset `{}` is not on", text.value))
                    .hint(format!("add \"{}\" to `presets`", text.value));
                report.warn(&text.setting, fault);
            }
        }
    }
    for rule in &draft.rules {
        for text in &rule.receivers {
            contradiction(rule, text, &draft.receivers, report);
        }
    }
}

/// A rule that names a receiver which does not take it reaches nobody there.
fn contradiction(rule: &DraftRule, text: &Text, receivers: &[DraftReceiver], report: &mut Report) {
    let named = receivers
        .iter()
        .find(|receiver| receiver.name.as_ref().is_some_and(|(name, _)| *name == text.value));
    let takes = named.and_then(|receiver| receiver.rules.as_ref());
    if takes.is_some_and(|ids| ids.iter().all(|id| id.value != rule.spec.id)) {
        let fault = Fault::new(format!(
            "receiver `{}` takes only the rules it lists, and `{}` is not among them",
            text.value, rule.spec.id
        ));
        report.warn(&text.setting, fault.hint("add it to the receiver's `rules`"));
    }
}

fn workspace(draft: DraftWorkspace) -> Option<Workspace> {
    Some(Workspace { name: draft.name?.0, source: draft.source? })
}

fn receiver(draft: DraftReceiver) -> Option<Receiver> {
    let settings = draft.settings?;
    let rules = draft.rules.map(|rules| rules.into_iter().map(|text| text.value).collect());
    let least = settings.kind().default_min_severity();
    Some(Receiver {
        name: draft.name?.0,
        settings,
        url: draft.url?,
        secrets: draft.secrets,
        min_severity: draft.min_severity.unwrap_or(least),
        rules,
        allow_networks: draft.allow_networks,
        detail: draft.detail.unwrap_or_default(),
        auth: draft.auth?,
        ca: draft.ca,
        client_certificate: draft.client_certificate,
        headers: draft.headers,
        templates: draft.templates,
    })
}
