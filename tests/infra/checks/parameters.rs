//! Every file of parameters fits its template.

use crate::bicep::ast::{File, Param};
use crate::bicep::constraints::{literal, misfit};
use crate::eval::deploy;
use crate::sources::Infra;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = Vec::new();
    let files = infra
        .texts
        .keys()
        .filter(|path| path.starts_with("infra/") && path.ends_with(".parameters.json"));
    let files: Vec<&String> = files.collect();
    for root in infra.roots() {
        let own = root.path.replace(".bicep", ".parameters.json");
        if !files.contains(&&own) {
            found.push(format!("{own}: is missing: write it"));
        }
    }
    for path in files {
        let params = match infra.json(path) {
            Ok(json) => json["parameters"].as_object().cloned().unwrap_or_default(),
            Err(why) => {
                found.push(why);
                continue;
            }
        };
        if params.is_empty() {
            found.push(format!("{path}: has no `parameters`"));
            continue;
        }
        match template(infra, path, &params) {
            Ok(root) => fit(infra, path, root, &params, &mut found),
            Err(why) => found.push(why),
        }
    }
    found
}

/// The template that a file is for: the one beside it, or the one that knows all its names.
fn template<'i>(
    infra: &'i Infra,
    path: &str,
    params: &Map<String, Value>,
) -> Result<&'i File, String> {
    let roots = infra.roots();
    let beside = path.replace(".parameters.json", ".bicep");
    if let Some(root) = roots.iter().find(|root| root.path == beside) {
        return Ok(root);
    }
    // The one that knows most of its names: the others are mistakes.
    let known = |root: &&&File| params.keys().filter(|name| root.param(name).is_some()).count();
    let best =
        roots.iter().max_by_key(known).ok_or_else(|| format!("{path}: there is no template"))?;
    Ok(best)
}

fn fit(
    infra: &Infra,
    path: &str,
    root: &File,
    params: &Map<String, Value>,
    found: &mut Vec<String>,
) {
    let mut given = BTreeMap::new();
    let before = found.len();
    for (name, entry) in params {
        let Some(param) = root.param(name) else {
            found.push(format!("{path}: {} has no parameter `{name}`: remove it", root.path));
            continue;
        };
        let Some(value) = entry.get("value") else {
            found.push(format!("{path}: `{name}` has no `value`"));
            continue;
        };
        match substituted(param, value) {
            Ok(Some(value)) => {
                if let Err(why) = misfit(param, &value) {
                    found.push(format!("{path}: `{name}` {why}"));
                }
                given.insert(name.clone(), value);
            }
            Ok(None) => {}
            Err(why) => found.push(format!("{path}: `{name}` {why}")),
        }
    }
    for param in root.params.iter().filter(|param| param.is_required()) {
        if !params.contains_key(&param.name) {
            found.push(format!("{path}: {} needs `{}`: give it", root.path, param.name));
        }
    }
    // What azd asks for is not here to be tried.
    let complete =
        root.params.iter().all(|param| !param.is_required() || given.contains_key(&param.name));
    if complete && found.len() == before {
        let deployment = deploy(infra, root, &given);
        for why in deployment.faults.iter().chain(&deployment.refusals) {
            found.push(format!("{path}: does not deploy: {why}"));
        }
    }
}

/// A value with azd's `${VAR=default}` replaced as azd does when the variable is not set; `None`: as if it were not given.
fn substituted(param: &Param, value: &Value) -> Result<Option<Value>, String> {
    let Some(text) = value.as_str().filter(|text| text.contains("${")) else {
        return Ok(Some(value.clone()));
    };
    let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let inner = inner.ok_or_else(|| format!("is \"{text}\": azd's `${{VAR}}` stands alone"))?;
    let (variable, default) = inner.split_once('=').map_or((inner, None), |(v, d)| (v, Some(d)));
    // Named by the parameter, so that nobody has to look it up; never a variable that the program itself reads.
    let own = format!("INFRA_{}", screaming(&param.name));
    let of_azd = ["AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_PRINCIPAL_ID"];
    if variable != own && !of_azd.contains(&variable) {
        return Err(format!("is ${{{variable}}}: call the variable {own}"));
    }
    let Some(default) = default else { return Ok(None) };
    let value = match param.kind.as_str() {
        "string" => Value::String(default.to_owned()),
        _ => serde_json::from_str(default)
            .map_err(|_| format!("has the default \"{default}\", which is no {}", param.kind))?,
    };
    if let Some(own) = param.default.as_ref().and_then(literal)
        && own != value
    {
        return Err(format!(
            "has the default {value} here and {own} in the template: leave out one"
        ));
    }
    Ok(Some(value))
}

/// `existingKeyVaultId` as `EXISTING_KEY_VAULT_ID`.
fn screaming(name: &str) -> String {
    let mut out = String::new();
    let mut after_capital = true;
    for c in name.chars() {
        if c.is_ascii_uppercase() && !after_capital {
            out.push('_');
        }
        after_capital = c.is_ascii_uppercase();
        out.push(c.to_ascii_uppercase());
    }
    out
}
