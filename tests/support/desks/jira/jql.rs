//! As much of JQL as it takes to find an issue again.

/// Words that stand for themselves only in quotation marks.
const RESERVED: &[&str] = &[
    "and", "or", "not", "in", "is", "was", "changed", "order", "by", "empty", "null", "on", "from",
    "to", "set", "add", "select", "update", "delete", "user", "group", "return", "public", "index",
    "date", "number", "values",
];

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) terms: Vec<Term>,
    /// The field to sort by, and whether the last comes first.
    pub(crate) order: Option<(String, bool)>,
}

/// `field = value`, `field != value`, `field in (value, …)`, `field not in (value, …)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    /// In small letters.
    pub(crate) field: String,
    pub(crate) negated: bool,
    pub(crate) values: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(&'static str),
}

/// Reads a query; the error is Jira's.
pub(crate) fn parse(text: &str) -> Result<Query, String> {
    let mut tokens = tokens(text)?.into_iter().peekable();
    let mut query = Query { terms: Vec::new(), order: None };
    let is = |token: Option<&Token>, keyword: &str| matches!(token, Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
    if tokens.peek().is_some() && !is(tokens.peek(), "order") {
        loop {
            let field = match tokens.next() {
                Some(Token::Word(word)) if !reserved(&word) => word.to_ascii_lowercase(),
                Some(Token::Quoted(text)) => text.to_ascii_lowercase(),
                other => return Err(surprise("a field name", other.as_ref())),
            };
            let negated = is(tokens.peek(), "not");
            if negated {
                tokens.next();
            }
            let term = match tokens.next() {
                Some(Token::Sign(sign @ ("=" | "!="))) if !negated => {
                    Term { field, negated: sign == "!=", values: vec![value(tokens.next())?] }
                }
                Some(Token::Word(word)) if word.eq_ignore_ascii_case("in") => {
                    let mut values = Vec::new();
                    let mut next = tokens.next();
                    if next != Some(Token::Sign("(")) {
                        return Err(surprise("'('", next.as_ref()));
                    }
                    while next != Some(Token::Sign(")")) {
                        values.push(value(tokens.next())?);
                        next = tokens.next();
                        if next != Some(Token::Sign(",")) && next != Some(Token::Sign(")")) {
                            return Err(surprise("',' or ')'", next.as_ref()));
                        }
                    }
                    Term { field, negated, values }
                }
                other => return Err(surprise("an operator", other.as_ref())),
            };
            query.terms.push(term);
            if !is(tokens.peek(), "and") {
                break;
            }
            tokens.next();
        }
    }
    if is(tokens.peek(), "order") {
        tokens.next();
        if !is(tokens.next().as_ref(), "by") {
            return Err(surprise("'by'", None));
        }
        let field = match tokens.next() {
            Some(Token::Word(word)) => word.to_ascii_lowercase(),
            other => return Err(surprise("a field name", other.as_ref())),
        };
        let descending = is(tokens.peek(), "desc");
        if descending || is(tokens.peek(), "asc") {
            tokens.next();
        }
        query.order = Some((field, descending));
    }
    match tokens.next() {
        None => Ok(query),
        left => Err(surprise("either 'AND' or the end of the query", left.as_ref())),
    }
}

fn reserved(word: &str) -> bool {
    RESERVED.iter().any(|r| word.eq_ignore_ascii_case(r))
}

fn surprise(expected: &str, found: Option<&Token>) -> String {
    let found = match found {
        Some(Token::Word(text) | Token::Quoted(text)) => format!("'{text}'"),
        Some(Token::Sign(sign)) => format!("'{sign}'"),
        None => "the end of the query".to_owned(),
    };
    format!("Error in the JQL Query: Expecting {expected} but got {found}.")
}

fn value(token: Option<Token>) -> Result<String, String> {
    match token {
        Some(Token::Quoted(text)) => Ok(text),
        Some(Token::Word(word)) if reserved(&word) => Err(format!(
            "Error in the JQL Query: '{word}' is a reserved JQL word. You must surround it in quotation marks to use it in a query."
        )),
        Some(Token::Word(word)) => Ok(word),
        other => Err(surprise("a value", other.as_ref())),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&c) = rest.peek() {
        let sign = match c {
            ' ' | '\t' | '\n' | '\r' => None,
            '=' => Some("="),
            '(' => Some("("),
            ')' => Some(")"),
            ',' => Some(","),
            '!' => {
                rest.next();
                if rest.peek() != Some(&'=') {
                    return Err(surprise("an operator", Some(&Token::Sign("!"))));
                }
                Some("!=")
            }
            '"' | '\'' => {
                rest.next();
                let mut quoted = String::new();
                loop {
                    match rest.next() {
                        Some('\\') => quoted.extend(rest.next()),
                        Some(end) if end == c => break,
                        Some(other) => quoted.push(other),
                        None => {
                            return Err(format!(
                                "Error in the JQL Query: The quoted string '{quoted}' has not been completed."
                            ));
                        }
                    }
                }
                tokens.push(Token::Quoted(quoted));
                continue;
            }
            c if c.is_alphanumeric() || c == '-' || c == '_' => {
                let mut word = String::new();
                while let Some(&c) = rest.peek()
                    && (c.is_alphanumeric() || c == '-' || c == '_')
                {
                    word.push(c);
                    rest.next();
                }
                tokens.push(Token::Word(word));
                continue;
            }
            c => {
                return Err(format!(
                    "Error in the JQL Query: The character '{c}' is a reserved JQL character. You must enclose it in a string or use the escape '\\u{:04x}' instead.",
                    u32::from(c)
                ));
            }
        };
        tokens.extend(sign.map(Token::Sign));
        rest.next();
    }
    Ok(tokens)
}
