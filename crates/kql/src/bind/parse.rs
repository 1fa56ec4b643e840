//! `parse`, `parse-where`, `parse-kv`: columns from a text.

use super::expr::{Place, made};
use super::{Binder, Typed};
use crate::ast::Ident;
use crate::ast::stages::{Parse as Ast, ParseKind, ParseKv as KvAst, ParsePart, ParsePartKind};
use crate::diagnostics::{BAD_LITERAL, Span};
use crate::functions::{Args, compile};
use crate::plan::stages::{Delimiters, KvRules, Parse, ParseKv, Part};
use crate::plan::{Node, Op};
use crate::schema::{Column, Schema};
use crate::value::{Type, Value};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// A whole number, and any number.
const WHOLE: &str = r"([-+]?\d+)";
const NUMBER: &str = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)";

const TIMESPAN: &str = r"(-?(?:\d+\.)?\d+:\d+(?::\d+(?:\.\d+)?)?)";

/// Any value as its text.
pub(super) fn as_text(value: Typed) -> Typed {
    if value.ty == Type::String {
        return value;
    }
    let eval: crate::functions::Eval = Arc::new(|args: &[Value]| Value::String(args.text(0)));
    made(eval, vec![value], Type::String)
}

impl Binder<'_> {
    pub(super) fn parse(&mut self, input: Arc<Node>, ast: &Ast, span: Span) -> Option<Arc<Node>> {
        let text = self.expr(&ast.text, &mut Place::row(&input.schema));
        self.sound_parts(&ast.parts)?;
        let text = as_text(text?).expr;
        let pattern = self.pattern(ast)?;
        let pattern = match compile(&pattern) {
            Ok(pattern) => pattern,
            Err(error) => {
                let at = ast.parts.first().map_or(span, |p| p.span);
                self.error(BAD_LITERAL, at, error);
                return None;
            }
        };
        let groups: Vec<(&Ident, Type)> = ast
            .parts
            .iter()
            .filter_map(|part| match &part.kind {
                ParsePartKind::Column(name, ty) => Some((name, *ty)),
                _ => None,
            })
            .collect();
        let places = pattern.capture_names().enumerate().filter_map(|(at, name)| {
            let group: usize = name?.strip_prefix(GROUP)?.parse().ok()?;
            Some((group, at))
        });
        let mut at: Vec<(usize, usize)> = places.collect();
        at.sort_unstable();
        let types = at.iter().zip(&groups).map(|((_, at), (_, ty))| (*at, *ty)).collect();
        let (schema, places) = replacing(&input.schema, &groups);
        let relaxed = ast.kind == ParseKind::Relaxed;
        let parse = Parse { text, pattern, types, relaxed, places, only: ast.only };
        self.node(schema, Op::Parse(input, parse), span)
    }

    /// What the service says of parts that cannot follow one another.
    fn sound_parts(&mut self, parts: &[ParsePart]) -> Option<()> {
        let mut sound = Some(());
        let mut names = HashSet::new();
        let mut before: Option<&ParsePartKind> = None;
        for (at, part) in parts.iter().enumerate() {
            let wrong = match &part.kind {
                ParsePartKind::Column(name, _) => {
                    if !names.insert(name.name.as_str()) {
                        let message =
                            format!("A column with the name '{}' is already declared", name.name);
                        self.error("KS171", name.span, message);
                        sound = None;
                    }
                    let follows = matches!(before, None | Some(ParsePartKind::Text(_)));
                    (!follows).then_some(("KS101", "The column name must follow a string literal"))
                }
                ParsePartKind::Any
                    if parts
                        .get(at + 1)
                        .is_some_and(|p| !matches!(p.kind, ParsePartKind::Text(_))) =>
                {
                    Some(("KS102", "A string literal must follow a *"))
                }
                ParsePartKind::Any
                    if matches!(before, Some(ParsePartKind::Column(_, Type::String))) =>
                {
                    Some(("KS103", "Using * after parsing a string column is ambiguous."))
                }
                ParsePartKind::Text(text) if text.is_empty() => {
                    Some((BAD_LITERAL, "A text of the pattern cannot be empty"))
                }
                _ => None,
            };
            if let Some((code, message)) = wrong {
                self.error(code, part.span, message);
                sound = None;
            }
            before = Some(&part.kind);
        }
        sound
    }

    /// The regular expression that a pattern means.
    fn pattern(&mut self, ast: &Ast) -> Option<String> {
        let regex = ast.kind == ParseKind::Regex;
        let mut out = String::new();
        if !regex {
            out.push_str("(?s)");
        } else if let Some(flags) = &ast.flags {
            let known = flags.name.chars().all(|c| "imsUux".contains(c));
            if !known || flags.name.is_empty() {
                self.error("KS005", flags.span, "Expected: flags of a regular expression");
                return None;
            }
            let _ = write!(out, "(?{})", flags.name);
        }
        let mut groups = 0;
        for (at, part) in ast.parts.iter().enumerate() {
            match &part.kind {
                ParsePartKind::Any => out.push_str(".*?"),
                ParsePartKind::Text(text) if regex => out.push_str(text),
                ParsePartKind::Text(text) => out.push_str(&regex::escape(text)),
                ParsePartKind::Column(_, ty) => {
                    let open =
                        ast.parts.get(at + 1).is_some_and(|p| matches!(p.kind, ParsePartKind::Any));
                    let last = at + 1 == ast.parts.len();
                    let body = match (regex, ty) {
                        (true, Type::Int | Type::Long) => WHOLE,
                        (true, Type::Real | Type::Decimal) => NUMBER,
                        (true, Type::Bool) => "((?i:true|false)|[01])",
                        (true, Type::Guid) => "([0-9a-fA-F-]{32,36})",
                        (true, Type::Timespan) if !last => TIMESPAN,
                        (true, Type::Datetime | Type::Timespan | Type::Dynamic) if last => {
                            let what = format!("a {ty} at the end of a pattern of `kind=regex`");
                            self.unsupported(part.span, &what);
                            return None;
                        }
                        (true, _) => "(.*)",
                        (false, _) if !open => "(.*?)",
                        (false, Type::Int | Type::Long) => r"\s*([-+]?\d+)",
                        (false, Type::Real | Type::Decimal) => {
                            r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
                        }
                        (false, Type::Bool) => r"\s*((?i:true|false)|[01])",
                        (false, Type::Guid) => r"\s*([0-9a-fA-F-]{32,36})",
                        (false, ty) => {
                            let what = format!("`*` after a column of type {ty}");
                            self.unsupported(part.span, &what);
                            return None;
                        }
                    };
                    let named = format!("(?P<{GROUP}{groups}>");
                    // The first parenthesis that is not of the `(?…` kind.
                    let open = if body.starts_with(r"\s*") { r"\s*".len() } else { 0 };
                    let (before, group) = body.split_at_checked(open)?;
                    let _ = write!(out, "{before}{named}{}", group.strip_prefix('(')?);
                    groups += 1;
                }
            }
        }
        // Regular expressions end where they end.
        if !regex && !matches!(ast.parts.last().map(|p| &p.kind), Some(ParsePartKind::Any)) {
            out.push('$');
        }
        Some(out)
    }

    pub(super) fn parse_kv(
        &mut self,
        input: Arc<Node>,
        ast: &KvAst,
        span: Span,
    ) -> Option<Arc<Node>> {
        let text = self.expr(&ast.text, &mut Place::row(&input.schema));
        let mut names = HashSet::new();
        let mut sound = Some(());
        for (name, _) in &ast.keys {
            if !names.insert(name.name.as_str()) {
                let message = format!("A column with the name '{}' is already declared", name.name);
                self.error("KS171", name.span, message);
                sound = None;
            }
        }
        let how = self.kv_rules(ast, span)?;
        sound?;
        let text = as_text(text?).expr;
        let groups: Vec<(&Ident, Type)> = ast.keys.iter().map(|(name, ty)| (name, *ty)).collect();
        let (schema, places) = replacing(&input.schema, &groups);
        let keys = ast.keys.iter().map(|(name, ty)| (Arc::from(name.name.as_str()), *ty)).collect();
        self.node(schema, Op::ParseKv(input, ParseKv { text, keys, how, places }), span)
    }

    fn kv_rules(&mut self, ast: &KvAst, span: Span) -> Option<KvRules> {
        let mut rules = Delimiters::default();
        let mut regex = None;
        for (name, value) in &ast.options {
            let typed = self.alone(value)?;
            let Some(constant) = typed.constant().cloned() else {
                self.error("KS129", value.span, "The expression must be a constant");
                return None;
            };
            if name.name == "greedy" {
                let Some(greedy) = constant.as_bool() else {
                    self.error("KS107", value.span, "A value of type bool expected");
                    return None;
                };
                rules.greedy = greedy;
                continue;
            }
            let Some(text) = constant.as_str() else {
                self.error("KS107", value.span, "A value of type string expected");
                return None;
            };
            let mut chars = text.chars();
            match (name.name.as_str(), chars.next(), chars.next(), chars.next()) {
                ("regex", ..) => match compile(text) {
                    Ok(pattern) if pattern.captures_len() == 3 => regex = Some(pattern),
                    Ok(_) => {
                        let message = "the pattern has to have two groups: a key and its value";
                        self.error(BAD_LITERAL, value.span, message);
                        return None;
                    }
                    Err(error) => {
                        self.error(BAD_LITERAL, value.span, error);
                        return None;
                    }
                },
                ("pair_delimiter", Some(_), ..) => rules.pair = Some(text.to_owned()),
                ("kv_delimiter", Some(_), ..) => rules.kv = Some(text.to_owned()),
                ("quote", Some(open), close, None) => {
                    rules.quotes.push((open, close.unwrap_or(open)));
                }
                ("escape", Some(escape), None, _) => rules.escapes.push(escape),
                _ => {
                    let message = format!("`{text}` cannot be the {} of parse-kv", name.name);
                    self.error(BAD_LITERAL, value.span, message);
                    return None;
                }
            }
        }
        match (regex, &rules.pair, &rules.kv) {
            (Some(pattern), ..) => Some(KvRules::Regex(pattern)),
            (None, Some(_), Some(_)) | (None, None, None) => Some(KvRules::Delimiters(rules)),
            _ => {
                self.unsupported(span, "`parse-kv` with one delimiter of two");
                None
            }
        }
    }
}

/// What the groups of columns are called: no text of a query is likely to say it.
const GROUP: &str = "kql__";

/// The input's columns; new ones take the place of those of their name, or come last.
fn replacing(input: &Schema, new: &[(&Ident, Type)]) -> (Schema, Vec<Part>) {
    let mut columns = input.columns.clone();
    let mut places: Vec<Part> = (0..columns.len()).map(Part::Outer).collect();
    for (at, (name, ty)) in new.iter().enumerate() {
        let place = input.index(&name.name);
        if let Some((column, place)) = place.and_then(|p| columns.get_mut(p).zip(places.get_mut(p)))
        {
            column.ty = *ty;
            *place = Part::Inner(at);
        } else {
            columns.push(Column { name: name.name.clone(), ty: *ty });
            places.push(Part::Inner(at));
        }
    }
    (Schema { columns }, places)
}
