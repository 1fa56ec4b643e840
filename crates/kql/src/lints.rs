//! What runs and probably should not: costs, and answers that are not the same twice.

use crate::ast::stages::Stage;
use crate::ast::{
    Arg, BinaryOp, Column, Expr, ExprKind, Ident, LetValue, OpKind, Operator, Pipeline, Source,
    Statement,
};
use crate::diagnostics::{Diagnostic, Severity, Span};
use crate::parser;
use crate::value::{Type, Value};
use std::collections::HashMap;

/// The codes of [`lints`], each with what it warns of.
pub const LINTS: &[(&str, &str)] = &[
    ("KQL101", "a table is read without any filter"),
    ("KQL102", "`contains` where `has` finds the same and is looked up in the index"),
    ("KQL103", "a joined table is read without a bound of its own in time"),
    ("KQL104", "rows are cut without an order: which are left is not known"),
    ("KQL105", "a function or operator whose answer differs from run to run"),
    ("KQL106", "a column is changed to lower or upper case before it is compared"),
    ("KQL107", "every table is searched"),
];

/// Functions that answer differently each time.
const RANDOM: [&str; 2] = ["rand", "new_guid"];
/// A call that tells about the moment, or about who asks.
const CONTEXT: [&str; 3] = ["current_principal", "current_principal_details", "cursor_current"];

/// Warnings about a query, in the order of its text; none for a text that cannot be read, or that the engine does not
/// know how to read.
///
/// ```
/// let found = kql::lints("T | where Name contains 'admin'");
/// assert_eq!(found[0].code, "KQL102");
/// assert_eq!(found[0].help.as_deref(), Some("`has` finds whole words, and `admin` is one"));
/// ```
pub fn lints(text: &str) -> Vec<Diagnostic> {
    let Ok(statements) = parser::parse(text) else { return Vec::new() };
    let mut lints = Lints { found: Vec::new(), lets: HashMap::new() };
    lints.statements(&statements);
    lints.found.sort_by_key(|d| d.span.start);
    lints.found.dedup();
    lints.found
}

struct Lints<'a> {
    found: Vec<Diagnostic>,
    /// The tables that have been named.
    lets: HashMap<&'a str, &'a Pipeline>,
}

/// What is known of where the rows of a pipeline come from.
#[derive(Clone, Copy, Default)]
struct Origin {
    /// A table of the workspace is read.
    table: Option<Span>,
    /// Some `where` stands between the table and here.
    filtered: bool,
    /// One of them looks at a time.
    bounded: bool,
    /// Rows have an order.
    sorted: bool,
}

impl<'a> Lints<'a> {
    fn warn(&mut self, code: &'static str, span: Span, message: String, help: &str) {
        let severity = Severity::Warning;
        self.found
            .push(Diagnostic { severity, ..Diagnostic::error(code, span, message) }.help(help));
    }

    fn statements(&mut self, statements: &'a [Statement]) {
        for statement in statements {
            match statement {
                Statement::Let(name, LetValue::Pipeline(pipeline)) => {
                    self.lets.insert(&name.name, pipeline);
                    // Its reader may filter what it gives.
                    self.pipeline(pipeline);
                }
                Statement::Let(_, LetValue::Function { body, .. }) => self.statements(body),
                Statement::Parameters(_) | Statement::Option(..) | Statement::Nothing => {}
                Statement::Query(pipeline) => {
                    let origin = self.pipeline(pipeline);
                    if let (Some(table), false) = (origin.table, origin.filtered) {
                        self.warn(
                            "KQL101",
                            table,
                            "the table is read without any filter".to_owned(),
                            "begin with the narrowest `where`: a stretch of time, then what is looked for",
                        );
                    }
                }
            }
        }
    }

    fn pipeline(&mut self, pipeline: &'a Pipeline) -> Origin {
        let mut origin = match &pipeline.source {
            Source::Expr(expr) => self.source(expr, 0),
            Source::Union(union, span) => self.union(&union.tables, *span),
            Source::Print(columns) => {
                self.columns(columns);
                Origin::default()
            }
            Source::Search(search, span) => {
                if search.tables.is_none() {
                    self.warn(
                        "KQL107",
                        *span,
                        "every table of the workspace is searched".to_owned(),
                        "name the tables: `search in (Table, …) …`",
                    );
                }
                let tables = search.tables.as_deref().unwrap_or_default();
                Origin { filtered: true, ..self.union(tables, *span) }
            }
            Source::Range(_) | Source::Datatable { .. } => Origin::default(),
        };
        for operator in &pipeline.ops {
            self.operator(operator, &mut origin);
        }
        origin
    }

    fn union(&mut self, tables: &'a [Expr], span: Span) -> Origin {
        if tables.iter().any(|table| matches!(table.kind, ExprKind::Star)) {
            self.warn(
                "KQL107",
                span,
                "every table of the workspace is searched".to_owned(),
                "name the tables",
            );
        }
        let mut all = Origin { filtered: true, bounded: true, ..Origin::default() };
        for table in tables {
            let origin = self.source(table, 0);
            all.table = all.table.or(origin.table);
            all.filtered &= origin.filtered || origin.table.is_none();
            all.bounded &= origin.bounded || origin.table.is_none();
        }
        all
    }

    /// Where the rows of a source come from.
    fn source(&mut self, expr: &'a Expr, depth: usize) -> Origin {
        match &expr.kind {
            ExprKind::Pipeline(pipeline) => self.pipeline(pipeline),
            ExprKind::Name(name) => match self.lets.get(name.as_str()) {
                // What is wrong with it was said where it was named.
                Some(pipeline) if depth < 16 => {
                    let said = self.found.len();
                    let pipeline = *pipeline;
                    let outer = self.lets.remove_entry(name.as_str());
                    let origin = self.pipeline(pipeline);
                    if let Some((name, pipeline)) = outer {
                        self.lets.insert(name, pipeline);
                    }
                    self.found.truncate(said);
                    origin
                }
                Some(_) => Origin::default(),
                None => Origin { table: Some(expr.span), ..Origin::default() },
            },
            ExprKind::Call { name, args } => {
                self.call(name, args);
                match args.as_slice() {
                    [Arg { value, .. }] if name.name == "materialize" => {
                        self.source(value, depth + 1)
                    }
                    // What a function gives is its own business.
                    _ => Origin { filtered: true, bounded: true, ..Origin::default() },
                }
            }
            _ => {
                self.expr(expr);
                Origin::default()
            }
        }
    }

    fn operator(&mut self, operator: &'a Operator, origin: &mut Origin) {
        match &operator.kind {
            OpKind::Where(test) => {
                origin.filtered = true;
                origin.bounded |= mentions_time(test);
                self.expr(test);
            }
            OpKind::Project(columns) | OpKind::Extend(columns) | OpKind::Serialize(columns) => {
                self.columns(columns);
            }
            OpKind::Summarize { aggregates, by } => {
                self.columns(aggregates);
                self.columns(by);
                // Few rows are left, and all of them count.
                *origin = Origin { sorted: false, ..*origin };
            }
            OpKind::Distinct(columns, _) => self.columns(columns),
            OpKind::Sort(keys) => {
                origin.sorted = true;
                for key in keys {
                    self.expr(&key.expr);
                }
            }
            OpKind::Top(_, key) => {
                origin.sorted = true;
                self.expr(&key.expr);
            }
            OpKind::Take(_) if !origin.sorted => self.warn(
                "KQL104",
                operator.span,
                "rows are cut without an order: which are left is not known".to_owned(),
                "`top … by …`, or `sort by …` before it",
            ),
            OpKind::Join(join) => {
                let right = self.source(&join.right, 0);
                if let (Some(table), false) = (right.table, right.bounded) {
                    self.warn(
                        "KQL103",
                        table,
                        "the joined table is read without a bound of its own in time".to_owned(),
                        "filter it inside of the parentheses, such as `where TimeGenerated >= window_start`",
                    );
                }
                for on in &join.on {
                    self.expr(on);
                }
                origin.sorted = false;
            }
            OpKind::Union(union) => {
                let other = self.union(&union.tables, operator.span);
                origin.filtered &= other.filtered || other.table.is_none();
                origin.bounded &= other.bounded || other.table.is_none();
                origin.sorted = false;
            }
            OpKind::Stage(stage) => self.stage(stage, operator.span, origin),
            _ => {}
        }
    }

    fn stage(&mut self, stage: &'a Stage, span: Span, origin: &mut Origin) {
        match stage {
            Stage::Sample(_) | Stage::SampleDistinct(..) => self.warn(
                "KQL105",
                span,
                "a sample is another from run to run".to_owned(),
                "the same rows should give the same answer",
            ),
            Stage::Search(_) => origin.filtered = true,
            Stage::Apply(_, body) | Stage::Partition { body, .. } => {
                let mut inner = Origin { table: None, ..*origin };
                for operator in body {
                    self.operator(operator, &mut inner);
                }
                origin.sorted = false;
            }
            Stage::TopNested(_) | Stage::TopHitters { .. } => origin.sorted = false,
            _ => {}
        }
    }

    fn columns(&mut self, columns: &'a [Column]) {
        for column in columns {
            self.expr(&column.expr);
        }
    }

    fn call(&mut self, name: &'a Ident, args: &'a [Arg]) {
        let text = name.name.as_str();
        if RANDOM.contains(&text) || CONTEXT.contains(&text) {
            self.warn(
                "KQL105",
                name.span,
                format!("`{text}()` answers differently from run to run"),
                "the same rows should give the same answer",
            );
        }
        for arg in args {
            self.expr(&arg.value);
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Call { name, args } => self.call(name, args),
            ExprKind::Member(base, _) | ExprKind::Negate(_, base) => self.expr(base),
            ExprKind::Index(base, index) => {
                self.expr(base);
                self.expr(index);
            }
            ExprKind::Logic { parts, .. } => {
                for part in parts {
                    self.expr(part);
                }
            }
            ExprKind::Binary { op, at, left, right } => {
                self.binary(*op, *at, left, right);
                self.expr(left);
                self.expr(right);
            }
            ExprKind::In { left, list, .. } => {
                self.expr(left);
                for item in list {
                    self.expr(item);
                }
            }
            ExprKind::Between { left, low, high, .. } => {
                self.expr(left);
                self.expr(low);
                self.expr(high);
            }
            ExprKind::Pipeline(pipeline) => {
                self.pipeline(pipeline);
            }
            _ => {}
        }
    }

    fn binary(&mut self, op: BinaryOp, at: Span, left: &Expr, right: &Expr) {
        match op {
            BinaryOp::Text(text) if text.name.trim_start_matches('!') == "contains" => {
                let ExprKind::Literal(Value::String(needle), Type::String) = &right.kind else {
                    return;
                };
                // Shorter terms are not in the index either.
                if needle.chars().count() >= 3 && needle.chars().all(char::is_alphanumeric) {
                    let name = text.name;
                    let has = name.replace("contains", "has");
                    self.warn(
                        "KQL102",
                        at,
                        format!("`{name}` looks through every text"),
                        &format!("`{has}` finds whole words, and `{needle}` is one"),
                    );
                }
            }
            BinaryOp::Eq | BinaryOp::Ne => {
                for (side, other) in [(left, right), (right, left)] {
                    if let ExprKind::Call { name, .. } = &side.kind
                        && matches!(name.name.as_str(), "tolower" | "toupper")
                        && matches!(other.kind, ExprKind::Literal(..))
                    {
                        let folded = if matches!(op, BinaryOp::Eq) { "=~" } else { "!~" };
                        self.warn(
                            "KQL106",
                            name.span,
                            format!("`{}()` is computed for every row", name.name),
                            &format!("`{folded}` compares without regard to case"),
                        );
                    }
                }
            }
            _ => {}
        }
    }
}

/// A comparison with a column of times, or with the constants of a window.
fn mentions_time(test: &Expr) -> bool {
    match &test.kind {
        ExprKind::Name(name) => {
            name.to_ascii_lowercase().contains("time") || name.starts_with("window_")
        }
        ExprKind::Logic { parts, .. } => parts.iter().any(mentions_time),
        ExprKind::Binary { left, right, .. } => mentions_time(left) || mentions_time(right),
        ExprKind::Between { left, low, high, .. } => {
            mentions_time(left) || mentions_time(low) || mentions_time(high)
        }
        ExprKind::Call { args, .. } => args.iter().any(|arg| mentions_time(&arg.value)),
        _ => false,
    }
}
