//! Property bags: what is in them, and others made of them.

use super::arrays::same;
use super::dynamic::{fits, fits_all};
use super::extract::{Step, steps};
use super::{Args, Function, Naming, Signature, Takes};
use crate::value::{Type, Value};
use serde_json::{Map, Value as Json};
use std::collections::HashSet;

const BAG: Takes = Takes::Bag;
const ARRAY: Takes = Takes::Is(Type::Dynamic);
const TEXT: Takes = Takes::Is(Type::String);
const ANY: Takes = Takes::Scalar;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("bag_has_key", &[Signature::new(&[BAG, TEXT], Type::Bool)], |args| {
        let bag = args.json(0)?;
        bag.as_object()?;
        let found = keys(&args.text(1)).try_fold(bag, |bag, key| bag.as_object()?.get(&key));
        Some(Value::Bool(found.is_some()))
    }),
    Function::plain("bag_merge", &[Signature::new(&[BAG, BAG], Type::Dynamic).up_to(64)], |args| {
        fits_all(args)?;
        let mut merged = Map::new();
        let mut bags = 0;
        for bag in (0..args.len()).filter_map(|at| args.json(at)?.as_object()) {
            bags += 1;
            for (key, value) in bag {
                // The first of a name counts.
                if !merged.contains_key(key) {
                    merged.insert(key.clone(), value.clone());
                }
            }
        }
        (bags > 0).then(|| Value::from_json(Json::Object(merged)))
    }),
    Function::plain("bag_remove_keys", &[Signature::new(&[BAG, ARRAY], Type::Dynamic)], |args| {
        let mut bag = args.json(0)?.as_object()?.clone();
        for path in args.json(1)?.as_array()?.iter().filter_map(Json::as_str) {
            let path: Vec<String> = keys(path).collect();
            let Some((last, inner)) = path.split_last() else { continue };
            let mut at = Some(&mut bag);
            for key in inner {
                at = at.and_then(|bag| bag.get_mut(key)?.as_object_mut());
            }
            // What is left stays in its order.
            at.and_then(|bag| bag.shift_remove(last));
        }
        Some(Value::from_json(Json::Object(bag)))
    }),
    Function::plain("bag_set_key", &[Signature::new(&[BAG, TEXT, ANY], Type::Dynamic)], |args| {
        let mut bag = args.json(0)?.as_object()?.clone();
        fits_all(args)?;
        let path: Vec<String> = keys(&args.text(1)).collect();
        let (last, inner) = path.split_last()?;
        let mut at = &mut bag;
        for key in inner {
            let next = at.entry(key.as_str()).or_insert(Json::Null);
            if !next.is_object() {
                *next = Json::Object(Map::new());
            }
            at = next.as_object_mut()?;
        }
        at.insert(last.clone(), args.value(2).to_json());
        Some(Value::from_json(Json::Object(bag)))
    }),
    Function::plain("bag_zip", &[Signature::new(&[ARRAY, ARRAY], Type::Dynamic)], |args| {
        let (keys, values) = (args.json(0)?.as_array()?, args.json(1)?.as_array()?);
        let pairs = keys.iter().enumerate().filter_map(|(at, key)| {
            Some((key.as_str()?.to_owned(), values.get(at).cloned().unwrap_or_default()))
        });
        Some(Value::from_json(Json::Object(pairs.collect())))
    }),
    Function::plain("treepath", &[Signature::new(&[BAG], Type::Dynamic)], |args| {
        let (mut paths, mut met) = (Vec::new(), Met::default());
        descend(args.json(0)?, &mut String::new(), &mut paths, &mut met)?;
        Some(Value::from_json(Json::Array(paths)))
    })
    .named(Naming::Prefix("tree")),
    Function::plain("set_equals", &[Signature::new(&[ARRAY, ARRAY], Type::Bool)], |args| {
        let (a, b) = (args.json(0)?.as_array()?, args.json(1)?.as_array()?);
        Some(Value::Bool(texts(a) == texts(b)))
    }),
    Function::plain("jaccard_index", &[Signature::new(&[ARRAY, ARRAY], Type::Dynamic)], |args| {
        let (a, b) = (texts(args.json(0)?.as_array()?), texts(args.json(1)?.as_array()?));
        let both = a.intersection(&b).count();
        let all = a.len() + b.len() - both;
        #[expect(clippy::cast_precision_loss, reason = "no array has 2^52 items")]
        let index = both as f64 / all as f64;
        Some(Value::from_json(Json::from(index)))
    }),
    Function::plain("set_has_element", &[Signature::new(&[ARRAY, ANY], Type::Bool)], |args| {
        let wanted = args.value(1).to_json();
        let items = args.json(0)?.as_array()?;
        Some(Value::Bool(items.iter().any(|item| same(item, &wanted))))
    }),
];

/// The items of a set, each as its text.
fn texts(items: &[Json]) -> HashSet<String> {
    items.iter().map(Json::to_string).collect()
}

/// A key, or the keys along a path such as `$.a['b']`. Places in arrays are no keys: such a path is a plain key that
/// no bag has.
fn keys(path: &str) -> impl Iterator<Item = String> + use<> {
    let along = path.starts_with('$').then(|| steps(path)).flatten().and_then(|steps| {
        let keys = steps.into_iter().map(|step| match step {
            Step::Key(key) => Some(key),
            Step::Item(_) => None,
        });
        keys.collect::<Option<Vec<String>>>().filter(|keys| !keys.is_empty())
    });
    along.unwrap_or_else(|| vec![path.to_owned()]).into_iter()
}

/// The path of everything in a value, nothing where these are too long. The items of an array share one, for they are
/// alike.
fn descend(json: &Json, path: &mut String, paths: &mut Vec<Json>, met: &mut Met) -> Option<()> {
    let mut visit = |step: String, inner: &Json, path: &mut String| {
        let length = path.len();
        path.push_str(&step);
        met.work = met.work.saturating_add(path.len());
        fits(met.work)?;
        if met.paths.insert(path.clone()) {
            paths.push(Json::from(path.as_str()));
        }
        let done = descend(inner, path, paths, met);
        path.truncate(length);
        done
    };
    match json {
        Json::Object(bag) => {
            bag.iter().try_for_each(|(key, inner)| visit(format!("['{key}']"), inner, path))
        }
        Json::Array(items) => {
            items.iter().try_for_each(|inner| visit("[0]".to_owned(), inner, path))
        }
        _ => Some(()),
    }
}

/// The paths so far, and the length of all that were looked at.
#[derive(Default)]
struct Met {
    paths: HashSet<String>,
    work: usize,
}
