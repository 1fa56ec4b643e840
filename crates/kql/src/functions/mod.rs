//! Scalar functions: one table per family, one entry per function.
//!
//! An entry says what a call takes, what it gives, how an unnamed column of it is called, and how it is
//! computed. To add a function, add an entry; the binder does the rest.

mod addresses;
mod angles;
mod arrays;
mod bags;
mod bits;
mod codes;
mod conditional;
pub(crate) mod conversion;
mod datetime;
mod deflate;
mod digest;
pub(crate) mod dynamic;
pub(crate) mod extract;
mod hash;
pub(crate) mod known;
mod math;
mod net;
mod parts;
mod punycode;
mod replace;
mod search;
pub(crate) mod series;
mod string;
pub(crate) mod text_ops;
mod xml;

use crate::value::{Type, Value};
use std::sync::Arc;

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// This type; a long takes an int, a real any number, a string a dynamic.
    Is(Type),
    Scalar,
    Number,
    Integer,
    TextOrDynamic,
    IntegerOrDynamic,
    NotDynamic,
    /// JSON that may be an object.
    Bag,
    Summable,
    Orderable,
    /// One type for all such arguments.
    Common,
    /// One type for all such arguments, or dynamic.
    CommonOrDynamic,
}

/// What a call gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    Is(Type),
    /// The first argument's type.
    First,
    /// The first argument's type, int as long.
    FirstPromoted,
    /// The widest of the numbers, int as long.
    Widest,
    /// The common type of the [`Takes::Common`] arguments.
    Common,
}

/// One way to call a function.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) takes: &'static [Takes],
    /// At least so many arguments; parameters past it are optional.
    pub(crate) min: usize,
    /// The last parameter may repeat up to so many arguments in all.
    pub(crate) max: usize,
    pub(crate) gives: Gives,
}

impl Signature {
    pub(crate) const fn new(takes: &'static [Takes], gives: Type) -> Self {
        Self { takes, min: takes.len(), max: takes.len(), gives: Gives::Is(gives) }
    }

    pub(crate) const fn giving(mut self, gives: Gives) -> Self {
        self.gives = gives;
        self
    }

    pub(crate) const fn from(mut self, min: usize) -> Self {
        self.min = min;
        self
    }

    pub(crate) const fn up_to(mut self, max: usize) -> Self {
        self.max = max;
        self
    }
}

/// How a column is called that has no name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// `Column1`.
    Default,
    /// As the first argument's column.
    First,
    /// `prefix_` and the first argument's column.
    Prefix(&'static str),
}

/// A computation over the arguments' values.
pub(crate) type Eval = Arc<dyn Fn(&[Value]) -> Value + Send + Sync>;

/// What is known of a call before rows are.
pub(crate) struct Prepare<'a> {
    pub(crate) types: &'a [Type],
    /// The arguments that are constants.
    pub(crate) consts: &'a [Option<Value>],
    pub(crate) now: i64,
}

/// Why a call cannot be made.
pub(crate) enum Refusal {
    /// The argument at the index is wrong.
    Argument(usize, &'static str, String),
    /// The service would run it, the engine does not.
    Unsupported(String),
}

pub(crate) type Made = Result<Eval, Refusal>;

/// How a function is computed.
pub(crate) enum Run {
    /// From the values alone; `None` is null.
    Plain(fn(&[Value]) -> Option<Value>),
    /// By a closure made once for a call.
    Make(fn(&Prepare<'_>) -> Made),
}

/// A scalar function.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) signatures: &'static [Signature],
    pub(crate) naming: Naming,
    pub(crate) run: Run,
}

impl Function {
    const fn plain(
        name: &'static str,
        signatures: &'static [Signature],
        run: fn(&[Value]) -> Option<Value>,
    ) -> Self {
        Self { name, signatures, naming: Naming::Default, run: Run::Plain(run) }
    }

    const fn made(
        name: &'static str,
        signatures: &'static [Signature],
        make: fn(&Prepare<'_>) -> Made,
    ) -> Self {
        Self { name, signatures, naming: Naming::Default, run: Run::Make(make) }
    }

    const fn named(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    pub(crate) fn prepare(&self, prepare: &Prepare<'_>) -> Made {
        match self.run {
            Run::Plain(run) => Ok(Arc::new(move |args: &[Value]| Value::from(run(args)))),
            Run::Make(make) => make(prepare),
        }
    }
}

const FAMILIES: &[&[Function]] = &[
    addresses::FUNCTIONS,
    angles::FUNCTIONS,
    arrays::FUNCTIONS,
    bags::FUNCTIONS,
    bits::FUNCTIONS,
    codes::FUNCTIONS,
    conditional::FUNCTIONS,
    conversion::FUNCTIONS,
    datetime::FUNCTIONS,
    deflate::FUNCTIONS,
    dynamic::FUNCTIONS,
    extract::FUNCTIONS,
    hash::FUNCTIONS,
    math::FUNCTIONS,
    net::FUNCTIONS,
    parts::FUNCTIONS,
    punycode::FUNCTIONS,
    replace::FUNCTIONS,
    search::FUNCTIONS,
    series::FUNCTIONS,
    string::FUNCTIONS,
    xml::FUNCTIONS,
];

/// The function of a name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FAMILIES.iter().flat_map(|family| family.iter()).find(|f| f.name == name)
}

/// All names, for suggestions and for the documentation's list.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|family| family.iter()).map(|f| f.name)
}

/// The candidate that is at most two letters away.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.len() > 64 {
        return None;
    }
    let limit = if name.len() < 4 { 1 } else { 2 };
    candidates
        .map(|c| (distance(&name.to_lowercase(), &c.to_lowercase()), c))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut before = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (cell, cb) in row.iter().skip(1).zip(&b) {
            let change = before + usize::from(ca != *cb);
            left = change.min(cell + 1).min(left + 1);
            next.push(left);
            before = *cell;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// The values of a call, read by type; `None` where one is null or missing.
pub(crate) trait Args {
    fn value(&self, at: usize) -> &Value;
    fn long(&self, at: usize) -> Option<i64>;
    fn real(&self, at: usize) -> Option<f64>;
    fn bool(&self, at: usize) -> Option<bool>;
    fn datetime(&self, at: usize) -> Option<i64>;
    fn timespan(&self, at: usize) -> Option<i64>;
    fn json(&self, at: usize) -> Option<&serde_json::Value>;
    /// As text, whatever the type.
    fn text(&self, at: usize) -> Arc<str>;
}

impl Args for [Value] {
    fn value(&self, at: usize) -> &Value {
        self.get(at).unwrap_or(&Value::Null)
    }

    fn long(&self, at: usize) -> Option<i64> {
        self.value(at).as_long()
    }

    fn real(&self, at: usize) -> Option<f64> {
        self.value(at).as_real()
    }

    fn bool(&self, at: usize) -> Option<bool> {
        self.value(at).as_bool()
    }

    fn datetime(&self, at: usize) -> Option<i64> {
        match self.value(at) {
            Value::Datetime(ticks) => Some(*ticks),
            _ => None,
        }
    }

    fn timespan(&self, at: usize) -> Option<i64> {
        match self.value(at) {
            Value::Timespan(ticks) => Some(*ticks),
            _ => None,
        }
    }

    fn json(&self, at: usize) -> Option<&serde_json::Value> {
        match self.value(at) {
            Value::Dynamic(json) => Some(json),
            _ => None,
        }
    }

    fn text(&self, at: usize) -> Arc<str> {
        self.value(at).text()
    }
}

/// The longest text that a function makes of others; a longer one is empty.
pub(crate) const LONGEST_TEXT: usize = 1 << 24;

/// The longest text that a function takes apart into an array; of a longer one there is none.
pub(crate) const LONGEST_SPLIT: usize = 1 << 20;

/// The parts in a row, within [`LONGEST_TEXT`].
pub(crate) fn joined(parts: &[Arc<str>], delimiter: &str) -> Value {
    let texts = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
    let length = texts.saturating_add(parts.len().saturating_mul(delimiter.len()));
    if length > LONGEST_TEXT { Value::from("") } else { Value::from(parts.join(delimiter)) }
}

/// A compiled constant pattern, or one compiled per row where it is not a constant.
pub(crate) fn regex_of(
    prepare: &Prepare<'_>,
    at: usize,
) -> Result<impl Fn(&[Value]) -> Option<regex::Regex> + Send + Sync + use<>, Refusal> {
    let fixed = match prepare.consts.get(at) {
        Some(Some(pattern)) => Some(
            compile(&pattern.text())
                .map_err(|error| Refusal::Argument(at, crate::diagnostics::BAD_LITERAL, error))?,
        ),
        _ => None,
    };
    // A clone of a regex shares the compiled program.
    Ok(move |args: &[Value]| fixed.clone().or_else(|| compile(&args.text(at)).ok()))
}

pub(crate) fn compile(pattern: &str) -> Result<regex::Regex, String> {
    regex::RegexBuilder::new(pattern).size_limit(4 << 20).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
        _ => "the pattern is not a regular expression that RE2 takes".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_known_and_named_once() {
        let mut all: Vec<&str> = names().collect();
        all.sort_unstable();
        for pair in all.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        for name in all {
            assert!(known::is_function(name), "{name}");
        }
    }

    #[test]
    fn near_names() {
        assert_eq!(nearest("tolowr", ["tolower", "toupper"].into_iter()), Some("tolower"));
        assert_eq!(nearest("frobnicate", ["tolower"].into_iter()), None);
    }
}
