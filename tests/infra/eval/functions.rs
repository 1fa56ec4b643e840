//! The functions of Bicep that need nothing but their arguments.

use super::value::{hash, is_unknown, kind, text, unknown};
use serde_json::{Map, Value, json};

/// The answer, `None` for a function that is not known here, or why the arguments will not do.
pub(crate) fn call(name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    if let Some(answer) = of_anything(name, args) {
        return Some(answer);
    }
    // What depends on what is not known is not known.
    let known = |answer: Option<Result<Value, String>>| {
        if args.iter().any(is_unknown) && !matches!(answer, Some(Ok(_)) | None) {
            let shown: Vec<String> = args.iter().map(text).collect();
            return Some(Ok(unknown(&format!("{name}({})", shown.join(", ")))));
        }
        answer
    };
    known(of_texts(name, args)).or_else(|| known(of_lists(name, args)))
}

fn of_anything(name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    Some(Ok(match (name, args) {
        ("uniqueString", [_, ..]) => json!(format!("{:013x}", hash(args) & 0xf_ffff_ffff_ffff)),
        ("guid", [_, ..]) => guid(args),
        ("utcNow" | "newGuid" | "cidrSubnet" | "cidrHost" | "parseCidr" | "reference", _) => {
            let shown: Vec<String> = args.iter().map(text).collect();
            unknown(&format!("{name}({})", shown.join(", ")))
        }
        ("string", [value]) => json!(text(value)),
        ("any", [value]) => value.clone(),
        ("empty", [value]) => match value {
            Value::Null => json!(true),
            Value::String(text) => json!(text.is_empty()),
            Value::Array(items) => json!(items.is_empty()),
            Value::Object(map) => json!(map.is_empty()),
            other => return Some(Err(format!("`empty` takes no {}", kind(other)))),
        },
        ("environment", []) => json!({
            "name": "AzureCloud",
            "resourceManager": "https://management.azure.com/",
            "portal": "https://portal.azure.com",
            "authentication": { "loginEndpoint": "https://login.microsoftonline.com/" },
            "suffixes": { "storage": "core.windows.net", "keyvaultDns": ".vault.azure.net" },
        }),
        ("tenant", []) => json!({ "tenantId": "99999999-0000-4000-8000-000000000009" }),
        ("deployment", []) => json!({ "name": "hsmwatch", "properties": {} }),
        ("deployer", []) => json!({ "objectId": "99999999-0000-4000-8000-00000000000d" }),
        _ => return None,
    }))
}

/// A stand-in for the GUID that Azure makes of these texts.
pub(crate) fn guid(args: &[Value]) -> Value {
    let (one, two) = (hash(args), hash(&[args, &[json!("second")]].concat()));
    json!(format!(
        "{:08x}-{:04x}-5{:03x}-8{:03x}-{:012x}",
        one >> 32,
        (one >> 16) & 0xffff,
        one & 0xfff,
        two >> 52,
        two & 0xffff_ffff_ffff
    ))
}

fn of_texts(name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    let strings: Option<Vec<&str>> = args.iter().map(Value::as_str).collect();
    let number = |at: usize| {
        args.get(at).and_then(Value::as_i64).map(|n| usize::try_from(n.max(0)).unwrap_or(0))
    };
    let wrong = || Some(Err(format!("`{name}` does not take ({})", kinds(args))));
    Some(Ok(match (name, strings.as_deref(), args) {
        ("toLower", Some([one]), _) => json!(one.to_lowercase()),
        ("toUpper", Some([one]), _) => json!(one.to_uppercase()),
        ("trim", Some([one]), _) => json!(one.trim()),
        ("replace", Some([one, from, to]), _) => json!(one.replace(from, to)),
        ("split", Some([one, by]), _) => json!(one.split(by).collect::<Vec<_>>()),
        ("startsWith", Some([one, two]), _) => {
            json!(one.to_lowercase().starts_with(&two.to_lowercase()))
        }
        ("endsWith", Some([one, two]), _) => {
            json!(one.to_lowercase().ends_with(&two.to_lowercase()))
        }
        ("indexOf", Some([one, two]), _) => {
            json!(one.find(two).map_or(-1, |at| i64::try_from(at).unwrap_or(-1)))
        }
        ("uriComponent" | "base64" | "uri", Some(all), _) => {
            unknown(&format!("{name}({})", all.join(", ")))
        }
        ("int", Some([one]), _) => match one.parse::<i64>() {
            Ok(number) => json!(number),
            Err(_) => return Some(Err(format!("`int` of `{one}`"))),
        },
        ("int", _, [Value::Number(number)]) => json!(number),
        ("bool", Some([one]), _) => json!(one.eq_ignore_ascii_case("true")),
        ("json", Some([one]), _) => match serde_json::from_str(one) {
            Ok(value) => value,
            Err(e) => return Some(Err(format!("`json` of no JSON: {e}"))),
        },
        ("take", _, [Value::String(one), Value::Number(_)]) => {
            json!(one.chars().take(number(1)?).collect::<String>())
        }
        ("skip", _, [Value::String(one), Value::Number(_)]) => {
            json!(one.chars().skip(number(1)?).collect::<String>())
        }
        ("substring", _, [Value::String(one), Value::Number(_), Value::Number(_)]) => {
            let wanted = number(2)?;
            let part: String = one.chars().skip(number(1)?).take(wanted).collect();
            if part.chars().count() < wanted {
                return Some(Err(format!("`substring` reaches beyond the end of `{one}`")));
            }
            json!(part)
        }
        ("format", _, [Value::String(pattern), rest @ ..]) => {
            let fill = |out: String, (at, value): (usize, &Value)| {
                out.replace(&format!("{{{at}}}"), &text(value))
            };
            json!(rest.iter().enumerate().fold(pattern.clone(), fill))
        }
        ("padLeft", _, [value, Value::Number(_), rest @ ..]) => {
            let (text, width) = (text(value), number(1)?);
            let fill = rest.first().and_then(Value::as_str).unwrap_or(" ");
            json!(format!("{}{text}", fill.repeat(width.saturating_sub(text.chars().count()))))
        }
        (
            "toLower" | "toUpper" | "trim" | "replace" | "split" | "startsWith" | "endsWith"
            | "uriComponent" | "base64" | "uri" | "int" | "bool" | "json" | "substring" | "format"
            | "padLeft",
            ..,
        ) => return wrong(),
        _ => return None,
    }))
}

fn of_lists(name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    let number = |at: usize| args.get(at).and_then(Value::as_i64);
    Some(Ok(match (name, args) {
        ("length", [Value::String(text)]) => json!(text.chars().count()),
        ("length", [Value::Array(items)]) => json!(items.len()),
        ("length", [Value::Object(map)]) => json!(map.len()),
        ("contains", [Value::String(all), Value::String(one)]) => json!(all.contains(one.as_str())),
        ("contains", [Value::Array(items), one]) => json!(items.contains(one)),
        ("contains", [Value::Object(map), Value::String(key)]) => json!(map.contains_key(key)),
        ("concat", all) if all.iter().all(Value::is_array) => {
            json!(all.iter().filter_map(Value::as_array).flatten().collect::<Vec<_>>())
        }
        ("concat", all) if all.iter().all(Value::is_string) => {
            json!(all.iter().map(text).collect::<String>())
        }
        ("union", [Value::Object(_), ..]) => return Some(merged(args)),
        ("union", all) if all.iter().all(Value::is_array) => {
            let mut together: Vec<&Value> = Vec::new();
            for item in all.iter().filter_map(Value::as_array).flatten() {
                if !together.contains(&item) {
                    together.push(item);
                }
            }
            json!(together)
        }
        ("intersection", [Value::Array(one), Value::Array(two)]) => {
            json!(one.iter().filter(|item| two.contains(item)).collect::<Vec<_>>())
        }
        ("join", [Value::Array(items), Value::String(by)]) => {
            json!(items.iter().map(text).collect::<Vec<_>>().join(by))
        }
        ("first", [Value::Array(items)]) => items.first().cloned().unwrap_or_default(),
        ("last", [Value::Array(items)]) => items.last().cloned().unwrap_or_default(),
        ("take", [Value::Array(items), Value::Number(_)]) => {
            let wanted = usize::try_from(number(1)?.max(0)).ok()?;
            json!(items.iter().take(wanted).collect::<Vec<_>>())
        }
        ("skip", [Value::Array(items), Value::Number(_)]) => {
            let left_out = usize::try_from(number(1)?.max(0)).ok()?;
            json!(items.iter().skip(left_out).collect::<Vec<_>>())
        }
        ("range", [Value::Number(_), Value::Number(_)]) => {
            let (start, count) = (number(0)?, number(1)?);
            json!((start..start.saturating_add(count)).collect::<Vec<_>>())
        }
        ("flatten", [Value::Array(lists)]) if lists.iter().all(Value::is_array) => {
            json!(lists.iter().filter_map(Value::as_array).flatten().collect::<Vec<_>>())
        }
        ("indexOf", [Value::Array(items), one]) => {
            json!(
                items
                    .iter()
                    .position(|item| item == one)
                    .map_or(-1, |at| i64::try_from(at).unwrap_or(-1))
            )
        }
        ("array", [value @ Value::Array(_)]) => value.clone(),
        ("array", [value]) => json!([value]),
        ("createArray", all) => json!(all),
        ("items", [Value::Object(map)]) => {
            let mut pairs: Vec<_> = map.iter().collect();
            pairs.sort_by(|one, two| one.0.cmp(two.0));
            json!(
                pairs
                    .iter()
                    .map(|(key, value)| json!({ "key": key, "value": value }))
                    .collect::<Vec<_>>()
            )
        }
        ("objectKeys", [Value::Object(map)]) => json!(map.keys().collect::<Vec<_>>()),
        ("shallowMerge", [Value::Array(maps)]) => return Some(merged(maps)),
        ("min", [Value::Array(all)]) => json!(all.iter().filter_map(Value::as_i64).min()),
        ("max", [Value::Array(all)]) => json!(all.iter().filter_map(Value::as_i64).max()),
        ("min", all) => json!(all.iter().filter_map(Value::as_i64).min()),
        ("max", all) => json!(all.iter().filter_map(Value::as_i64).max()),
        ("coalesce", all) => all.iter().find(|value| !value.is_null()).cloned().unwrap_or_default(),
        (
            "length" | "contains" | "concat" | "union" | "intersection" | "join" | "first" | "last"
            | "take" | "skip" | "indexOf" | "range" | "flatten" | "array" | "items" | "objectKeys"
            | "shallowMerge",
            _,
        ) => return Some(Err(format!("`{name}` does not take ({})", kinds(args)))),
        _ => return None,
    }))
}

/// Objects over one another, objects within them too.
fn merged(all: &[Value]) -> Result<Value, String> {
    fn over(under: &mut Map<String, Value>, upper: &Map<String, Value>) {
        for (key, value) in upper {
            match (under.get_mut(key), value) {
                (Some(Value::Object(below)), Value::Object(above)) => over(below, above),
                _ => {
                    under.insert(key.clone(), value.clone());
                }
            }
        }
    }
    let mut together = Map::new();
    for one in all {
        let Value::Object(map) = one else {
            return Err(format!("`union` does not take ({})", kinds(all)));
        };
        over(&mut together, map);
    }
    Ok(Value::Object(together))
}

fn kinds(args: &[Value]) -> String {
    args.iter().map(kind).collect::<Vec<_>>().join(", ")
}
