//! The operators that only move, drop or rename columns.

use super::Binder;
use crate::ast::{Column as AstColumn, ColumnOrder, ExprKind, NamePattern};
use crate::plan::{Expr, Node, Op};
use crate::schema::{Column, Schema};
use crate::value::Type;
use std::collections::HashSet;
use std::sync::Arc;

/// `*` stands for any run of characters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or("");
    }
    rest.ends_with(last)
}

/// A name as it is ordered: text, and numbers where they count as such.
fn pieces(name: &str, by_number: bool) -> Vec<(String, u128)> {
    if !by_number {
        return vec![(name.to_owned(), 0)];
    }
    let mut rest = name;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, after) = rest.split_at_checked(text).unwrap_or((rest, ""));
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (digits, after) = after.split_at_checked(digits).unwrap_or((after, ""));
        pieces.push((text.to_owned(), digits.parse().unwrap_or(0)));
        rest = after;
    }
    pieces
}

impl Binder<'_> {
    /// The columns a pattern means; an error where it means none.
    fn columns_of(&mut self, pattern: &NamePattern, schema: &Schema) -> Option<Vec<usize>> {
        if !pattern.text.contains('*') {
            let at = self.column_index(schema, &pattern.text, pattern.span)?;
            return Some(vec![at]);
        }
        let all: Vec<usize> = schema
            .names()
            .enumerate()
            .filter(|(_, n)| matches(&pattern.text, n))
            .map(|(at, _)| at)
            .collect();
        if all.is_empty() && pattern.text != "*" {
            let message = format!("The name '{}' does not refer to any known column", pattern.text);
            self.error("KS142", pattern.span, message);
            return None;
        }
        Some(all)
    }

    fn selected(&mut self, patterns: &[NamePattern], schema: &Schema) -> Option<HashSet<usize>> {
        let mut all = Some(HashSet::new());
        for pattern in patterns {
            match (self.columns_of(pattern, schema), &mut all) {
                (Some(found), Some(all)) => all.extend(found),
                _ => all = None,
            }
        }
        all
    }

    /// The input's columns at the places, in that order.
    pub(super) fn pick(
        &mut self,
        input: Arc<Node>,
        places: &[usize],
        span: crate::Span,
    ) -> Option<Arc<Node>> {
        let columns =
            places.iter().filter_map(|at| input.schema.columns.get(*at).cloned()).collect();
        let exprs = places.iter().map(|at| Expr::Column(*at)).collect();
        self.node(Schema { columns }, Op::Project(input, exprs), span)
    }

    pub(super) fn away(
        &mut self,
        input: Arc<Node>,
        patterns: &[NamePattern],
        keep: bool,
        span: crate::Span,
    ) -> Option<Arc<Node>> {
        let chosen = self.selected(patterns, &input.schema)?;
        let places: Vec<usize> =
            (0..input.schema.columns.len()).filter(|at| chosen.contains(at) == keep).collect();
        self.pick(input, &places, span)
    }

    pub(super) fn reorder(
        &mut self,
        input: Arc<Node>,
        patterns: &[(NamePattern, Option<ColumnOrder>)],
        span: crate::Span,
    ) -> Option<Arc<Node>> {
        let mut places = Vec::new();
        let mut taken = HashSet::new();
        let mut written = HashSet::new();
        for (pattern, order) in patterns {
            let mut found = self.columns_of(pattern, &input.schema)?;
            if !pattern.text.contains('*') && !written.insert(pattern.text.as_str()) {
                let message =
                    format!("A column with the name '{}' is already declared", pattern.text);
                self.error("KS171", pattern.span, message);
                return None;
            }
            if let Some(order) = order {
                found.sort_by_cached_key(|at| {
                    let column = input.schema.columns.get(*at);
                    column.map(|c| pieces(&c.name.to_lowercase(), order.by_number))
                });
                if !order.ascending {
                    found.reverse();
                }
            }
            places.extend(found.into_iter().filter(|at| taken.insert(*at)));
        }
        places.extend((0..input.schema.columns.len()).filter(|at| !taken.contains(at)));
        self.pick(input, &places, span)
    }

    pub(super) fn rename(
        &mut self,
        input: Arc<Node>,
        columns: &[AstColumn],
        span: crate::Span,
    ) -> Option<Arc<Node>> {
        let mut renamed: Vec<Column> = input.schema.columns.clone();
        let mut sound = Some(());
        let mut sources = HashSet::new();
        let mut targets = HashSet::new();
        for column in columns {
            let Some(target) = column.names.first() else {
                self.error("KS110", column.expr.span, "Column rename assignment expected");
                sound = None;
                continue;
            };
            let ExprKind::Name(source) = &column.expr.kind else {
                self.error("KS109", column.expr.span, "Column name expected");
                sound = None;
                continue;
            };
            let Some(at) = self.column_index(&input.schema, source, column.expr.span) else {
                sound = None;
                continue;
            };
            if !targets.insert(target.name.as_str())
                || !sources.insert(at)
                || input.schema.index(&target.name).is_some()
            {
                let message =
                    format!("A column with the name '{}' is already declared", target.name);
                self.error("KS171", target.span, message);
                sound = None;
            }
            if let Some(column) = renamed.get_mut(at) {
                column.name.clone_from(&target.name);
            }
        }
        sound?;
        let mut seen = HashSet::new();
        if let Some(twice) = renamed.iter().find(|c| !seen.insert(c.name.as_str())) {
            let place = columns.iter().flat_map(|c| &c.names).find(|n| n.name == twice.name);
            let message = format!("A column with the name '{}' is already declared", twice.name);
            self.error("KS171", place.map_or(span, |n| n.span), message);
            return None;
        }
        let exprs = (0..renamed.len()).map(Expr::Column).collect();
        self.node(Schema { columns: renamed }, Op::Project(input, exprs), span)
    }

    /// Tables under one another: columns meet by name; one name with several types gives a column per type.
    pub(super) fn union_of(
        &mut self,
        inputs: Vec<(Arc<Node>, String)>,
        inner: bool,
        source_column: Option<&str>,
        span: crate::Span,
    ) -> Option<Arc<Node>> {
        let mut groups: Vec<(String, Vec<Type>)> = Vec::new();
        let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        for (node, _) in &inputs {
            for column in &node.schema.columns {
                let at = *places.entry(column.name.clone()).or_insert(groups.len());
                match groups.get_mut(at) {
                    Some((_, types)) if types.contains(&column.ty) => {}
                    Some((_, types)) => types.push(column.ty),
                    None => groups.push((column.name.clone(), vec![column.ty])),
                }
            }
        }
        let mut names = super::names::Names::default();
        if let Some(name) = source_column {
            let name = names.unique(name);
            names.push(name, Type::String);
        }
        // Where each result column comes from: a name and a type.
        let mut origins: Vec<Option<(String, Type)>> = names.columns.iter().map(|_| None).collect();
        for (name, types) in groups {
            for ty in &types {
                let common = inputs
                    .iter()
                    .all(|(n, _)| n.schema.columns.iter().any(|c| c.name == name && c.ty == *ty));
                if inner && !common {
                    continue;
                }
                let base = if types.len() > 1 { format!("{name}_{ty}") } else { name.clone() };
                let unique = names.unique(&base);
                names.push(unique, *ty);
                origins.push(Some((name.clone(), *ty)));
            }
        }
        let sources = source_column.map(|_| inputs.iter().map(|(_, name)| name.clone()).collect());
        let inputs = inputs
            .into_iter()
            .map(|(node, _)| {
                let index: std::collections::HashMap<(&str, Type), usize> = node
                    .schema
                    .columns
                    .iter()
                    .enumerate()
                    .map(|(at, c)| ((c.name.as_str(), c.ty), at))
                    .collect();
                let places = origins
                    .iter()
                    .map(|o| {
                        o.as_ref().and_then(|(name, ty)| index.get(&(name.as_str(), *ty)).copied())
                    })
                    .collect();
                drop(index);
                (node, places)
            })
            .collect();
        self.node(names.schema(), Op::Union { inputs, sources }, span)
    }
}
