//! One expression after another.

use super::frame::{Frame, Place, resource_id};
use super::functions;
use super::value::{is_unknown, is_wholly_unknown, kind, text, unknown};
use crate::bicep::ast::{Kind, Node, Piece};
use crate::sources::beside;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The names of loops and lambdas.
pub(crate) type Locals = BTreeMap<String, Value>;

impl<'i> Frame<'i> {
    pub(crate) fn eval(&self, node: &'i Node, locals: &Locals) -> Value {
        match &node.kind {
            Kind::Text(pieces) => json!(self.pieces(pieces, locals)),
            Kind::Number(number) => json!(number),
            Kind::Bool(value) => json!(value),
            Kind::Null => Value::Null,
            Kind::Name(name) => match locals.get(name) {
                Some(value) => value.clone(),
                None => self.name(name, node.at),
            },
            Kind::Member { of, name, safe } => self.member_of(node, of, name, *safe, locals),
            Kind::Index { of, index, safe } => self.item_of(node, of, index, *safe, locals),
            Kind::Call { name, args } => self.call(node, name, args, locals),
            Kind::Object(entries) => {
                let mut map = Map::new();
                for entry in entries {
                    let key = self.pieces(&entry.key, locals);
                    map.insert(key, self.eval(&entry.value, locals));
                }
                Value::Object(map)
            }
            Kind::Array(items) => {
                json!(items.iter().map(|item| self.eval(item, locals)).collect::<Vec<_>>())
            }
            Kind::Ternary(parts) => match self.eval(&parts[0], locals) {
                Value::Bool(true) => self.eval(&parts[1], locals),
                Value::Bool(false) => self.eval(&parts[2], locals),
                condition if is_unknown(&condition) => {
                    let (yes, no) = (self.eval(&parts[1], locals), self.eval(&parts[2], locals));
                    if yes == no {
                        yes
                    } else {
                        unknown(&format!("{} or {}", text(&yes), text(&no)))
                    }
                }
                other => self.fault(node.at, &format!("a condition is {}", kind(&other))),
            },
            Kind::Binary { op, sides } => self.binary(node, op, sides, locals),
            Kind::Unary { op, of } => match (op.as_str(), self.eval(of, locals)) {
                ("!", Value::Bool(value)) => json!(!value),
                ("-", Value::Number(number)) => json!(-number.as_i64().unwrap_or_default()),
                (_, value) if is_unknown(&value) => unknown(&format!("{op}{}", text(&value))),
                (_, value) => self.fault(node.at, &format!("`{op}` before {}", kind(&value))),
            },
            Kind::For(each) => {
                let over = self.eval(&each.over, locals);
                let Some(items) = over.as_array() else {
                    return self.fault(node.at, &format!("a loop runs over {}", kind(&over)));
                };
                let turn = |(index, item): (usize, &Value)| {
                    let mut locals = locals.clone();
                    locals.insert(each.item.clone(), item.clone());
                    if let Some(name) = &each.index {
                        locals.insert(name.clone(), json!(index));
                    }
                    self.eval(&each.body, &locals)
                };
                json!(items.iter().enumerate().map(turn).collect::<Vec<_>>())
            }
            Kind::If(_) => self.fault(node.at, "a condition stands where only resources have one"),
            Kind::Lambda { .. } => {
                self.fault(node.at, "a lambda stands where no function takes one")
            }
            Kind::Other => self.fault(node.at, "is not read by these checks: write it more simply"),
        }
    }

    fn pieces(&self, pieces: &'i [Piece], locals: &Locals) -> String {
        let piece = |piece: &'i Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Inserted(node) => {
                let value = self.eval(node, locals);
                if value.is_null() {
                    return text(&self.fault(node.at, "null is put into a string"));
                }
                text(&value)
            }
        };
        pieces.iter().map(piece).collect()
    }

    fn member_of(
        &self,
        node: &'i Node,
        of: &'i Node,
        name: &str,
        safe: bool,
        locals: &Locals,
    ) -> Value {
        let symbol = match &of.kind {
            Kind::Name(symbol) => Some((symbol, None)),
            Kind::Index { of, index, .. } => match &of.kind {
                Kind::Name(symbol) if self.block(symbol).is_some() => {
                    let index = self.eval(index, locals);
                    Some((symbol, index.as_u64().and_then(|index| usize::try_from(index).ok())))
                }
                _ => None,
            },
            _ => None,
        };
        if let Some((symbol, index)) = symbol
            && !locals.contains_key(symbol)
            && let Some(block) = self.block(symbol)
        {
            return self.member(block, index, name, node.at);
        }
        match self.eval(of, locals) {
            Value::Object(map) => match map.get(name) {
                Some(value) => value.clone(),
                None if safe => Value::Null,
                None => self.fault(node.at, &format!("there is no property `{name}`")),
            },
            Value::Null if safe => Value::Null,
            value if is_wholly_unknown(&value) => unknown(&format!("{}.{name}", text(&value))),
            value => self.fault(node.at, &format!("`.{name}` of {}", kind(&value))),
        }
    }

    fn item_of(
        &self,
        node: &'i Node,
        of: &'i Node,
        index: &'i Node,
        safe: bool,
        locals: &Locals,
    ) -> Value {
        let hidden = matches!(&of.kind, Kind::Name(name) if locals.contains_key(name));
        if !hidden && let Some((block, copy)) = self.named(node, locals) {
            return self.reference(block, Some(copy.index), node.at);
        }
        let (of, index) = (self.eval(of, locals), self.eval(index, locals));
        let found = match (&of, &index) {
            (Value::Array(items), Value::Number(number)) => number
                .as_i64()
                .and_then(|number| usize::try_from(number).ok())
                .and_then(|number| items.get(number)),
            (Value::Object(map), Value::String(key)) => map.get(key),
            _ if is_unknown(&of) || is_unknown(&index) => {
                return unknown(&format!("{}[{}]", text(&of), text(&index)));
            }
            _ => None,
        };
        match found {
            Some(found) => found.clone(),
            None if safe => Value::Null,
            None => {
                self.fault(node.at, &format!("there is no [{}] in {}", text(&index), kind(&of)))
            }
        }
    }

    fn binary(&self, node: &'i Node, op: &str, sides: &'i [Node; 2], locals: &Locals) -> Value {
        let left = self.eval(&sides[0], locals);
        match (op, &left) {
            ("&&", Value::Bool(false)) => return json!(false),
            ("||", Value::Bool(true)) => return json!(true),
            ("??", value) if !value.is_null() => return left,
            _ => {}
        }
        let right = self.eval(&sides[1], locals);
        let lower = |value: &Value| text(value).to_lowercase();
        match (op, &left, &right) {
            ("??", ..) => right,
            ("&&" | "||", Value::Bool(_), Value::Bool(value)) => json!(value),
            ("==" | "!=" | "=~" | "!~", ..) if is_unknown(&left) || is_unknown(&right) => {
                unknown(&format!("{} {op} {}", text(&left), text(&right)))
            }
            ("==", ..) => json!(left == right),
            ("!=", ..) => json!(left != right),
            ("=~", ..) => json!(lower(&left) == lower(&right)),
            ("!~", ..) => json!(lower(&left) != lower(&right)),
            (_, Value::Number(one), Value::Number(two)) => {
                let (one, two) =
                    (one.as_i64().unwrap_or_default(), two.as_i64().unwrap_or_default());
                match op {
                    "+" => json!(one + two),
                    "-" => json!(one - two),
                    "*" => json!(one * two),
                    "/" if two != 0 => json!(one / two),
                    "%" if two != 0 => json!(one % two),
                    "<" => json!(one < two),
                    "<=" => json!(one <= two),
                    ">" => json!(one > two),
                    ">=" => json!(one >= two),
                    _ => self.fault(node.at, &format!("`{one} {op} {two}`")),
                }
            }
            _ if is_unknown(&left) || is_unknown(&right) => {
                unknown(&format!("{} {op} {}", text(&left), text(&right)))
            }
            _ => {
                let text = format!("`{op}` between {} and {}", kind(&left), kind(&right));
                self.fault(node.at, &text)
            }
        }
    }

    fn call(&self, node: &'i Node, name: &str, args: &'i [Node], locals: &Locals) -> Value {
        if args.iter().any(|arg| matches!(arg.kind, Kind::Lambda { .. })) {
            return self.with_lambdas(node, name, args, locals);
        }
        let values: Vec<Value> = args.iter().map(|arg| self.eval(arg, locals)).collect();
        let strings: Vec<String> = values.iter().map(text).collect();
        let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
        match (name, strings.as_slice()) {
            ("resourceGroup", []) => group(&self.place),
            ("resourceGroup", [group_name]) => {
                group(&Place { group: (*group_name).to_owned(), ..self.place.clone() })
            }
            ("resourceGroup", [subscription, name]) => group(&Place {
                subscription: (*subscription).to_owned(),
                group: (*name).to_owned(),
            }),
            ("subscription", []) => json!({
                "id": format!("/subscriptions/{}", self.place.subscription),
                "subscriptionId": self.place.subscription,
                "tenantId": "99999999-0000-4000-8000-000000000009",
            }),
            ("resourceId", [kind, name]) => json!(resource_id(&self.place.id(), kind, name)),
            ("subscriptionResourceId", [kind, name]) => {
                let scope = format!("/subscriptions/{}", self.place.subscription);
                json!(resource_id(&scope, kind, name))
            }
            ("subscriptionResourceId", [subscription, kind, name]) => {
                json!(resource_id(&format!("/subscriptions/{subscription}"), kind, name))
            }
            ("tenantResourceId", [kind, name]) => json!(resource_id("", kind, name)),
            ("extensionResourceId", [scope, kind, name]) => json!(resource_id(scope, kind, name)),
            ("loadJsonContent", [target]) => {
                let path = beside(&self.file.path, target);
                self.shared.infra.json(&path).unwrap_or_else(|why| self.fault(node.at, &why))
            }
            ("loadTextContent", [target]) => {
                let path = beside(&self.file.path, target);
                match self.shared.infra.texts.get(&path) {
                    Some(text) => json!(&**text),
                    None => self.fault(node.at, &format!("{path} is missing")),
                }
            }
            ("fail", [why]) => {
                self.shared.refusals.borrow_mut().push((*why).to_owned());
                unknown("refused")
            }
            _ => match functions::call(name, &values) {
                Some(Ok(value)) => value,
                Some(Err(why)) => self.fault(node.at, &why),
                None if name.starts_with("list") => unknown(&format!("{name}(…)")),
                None => self.fault(node.at, &format!("`{name}` is not read by these checks")),
            },
        }
    }

    fn with_lambdas(&self, node: &'i Node, name: &str, args: &'i [Node], locals: &Locals) -> Value {
        let Some((over, lambdas)) = args.split_first() else { return Value::Null };
        let over = self.eval(over, locals);
        let apply = |at: usize, given: &[&Value]| -> Value {
            let Some(Kind::Lambda { params, body }) = lambdas.get(at).map(|node| &node.kind) else {
                return self.fault(node.at, &format!("`{name}` takes another lambda"));
            };
            let mut locals = locals.clone();
            for (param, value) in params.iter().zip(given) {
                locals.insert(param.clone(), (*value).clone());
            }
            self.eval(body, &locals)
        };
        if let ("mapValues", Value::Object(map)) = (name, &over) {
            let pairs = map.iter().map(|(key, value)| (key.clone(), apply(0, &[value])));
            return Value::Object(pairs.collect());
        }
        let Some(items) = over.as_array() else {
            if is_unknown(&over) {
                return unknown(&format!("{name}(…)"));
            }
            return self.fault(node.at, &format!("`{name}` runs over {}", kind(&over)));
        };
        let indexed = || items.iter().enumerate();
        match name {
            "map" => json!(indexed().map(|(i, x)| apply(0, &[x, &json!(i)])).collect::<Vec<_>>()),
            "filter" => {
                let keep = |(i, x): &(usize, &Value)| match apply(0, &[x, &json!(i)]) {
                    Value::Bool(keep) => keep,
                    value if is_unknown(&value) => true,
                    other => {
                        self.fault(node.at, &format!("`filter` by {}", kind(&other)));
                        true
                    }
                };
                json!(indexed().filter(keep).map(|(_, x)| x).collect::<Vec<_>>())
            }
            "toObject" => {
                let pair = |x: &Value| {
                    let value = if lambdas.len() > 1 { apply(1, &[x]) } else { x.clone() };
                    (text(&apply(0, &[x])), value)
                };
                Value::Object(items.iter().map(pair).collect())
            }
            "groupBy" => {
                let mut groups = Map::new();
                for item in items {
                    let group = groups.entry(text(&apply(0, &[item]))).or_insert_with(|| json!([]));
                    if let Value::Array(members) = group {
                        members.push(item.clone());
                    }
                }
                Value::Object(groups)
            }
            "reduce" => {
                let Some((start, _)) = lambdas.split_first() else { return Value::Null };
                let start = self.eval(start, locals);
                items.iter().fold(start, |sum, item| apply(1, &[&sum, item]))
            }
            "sort" => {
                let mut sorted = items.clone();
                sorted.sort_by(|one, two| match apply(0, &[one, two]) {
                    Value::Bool(true) => std::cmp::Ordering::Less,
                    _ => std::cmp::Ordering::Greater,
                });
                json!(sorted)
            }
            _ => {
                self.fault(node.at, &format!("`{name}` with a lambda is not read by these checks"))
            }
        }
    }
}

fn group(place: &Place) -> Value {
    json!({ "id": place.id(), "name": place.group, "location": "westeurope", "tags": {} })
}
