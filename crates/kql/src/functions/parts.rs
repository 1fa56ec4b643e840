//! Texts of a known form taken apart: URLs, paths, command lines, lines of CSV, versions.

use super::{Args, Function, LONGEST_SPLIT, Naming, Signature, Takes};
use crate::value::{Decimal, Type, Value};
use serde_json::{Map, Value as Json, json};

const TEXT: Takes = Takes::Is(Type::String);
const OBJECT: &[Signature] = &[Signature::new(&[TEXT], Type::Dynamic)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::plain("parse_url", OBJECT, parse_url),
    Function::plain("parseurl", OBJECT, parse_url),
    Function::plain("parse_urlquery", OBJECT, parse_urlquery),
    Function::plain("parseurlquery", OBJECT, parse_urlquery),
    Function::plain("parse_path", OBJECT, |args| Some(Value::from_json(path(&args.text(0))))),
    Function::plain(
        "parse_csv",
        &[Signature::new(&[Takes::TextOrDynamic], Type::Dynamic)],
        |args| {
            let text = args.text(0);
            (text.len() <= LONGEST_SPLIT).then(|| Value::from_json(Json::from(record(&text))))
        },
    )
    .named(Naming::First),
    Function::plain("parse_version", &[Signature::new(&[TEXT], Type::Decimal)], |args| {
        version(&args.text(0)).map(Value::Decimal)
    }),
    Function::plain(
        "parse_command_line",
        &[Signature::new(&[Takes::Scalar, TEXT], Type::Dynamic)],
        |args| {
            let text = args.text(0);
            let known = args.text(1).eq_ignore_ascii_case("windows");
            (known && text.len() <= LONGEST_SPLIT)
                .then(|| Value::from_json(Json::from(arguments(&text))))
        },
    ),
];

#[expect(clippy::unnecessary_wraps, reason = "the shape of an entry's computation")]
fn parse_url(args: &[Value]) -> Option<Value> {
    Some(Value::from_json(url(&args.text(0))))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of an entry's computation")]
fn parse_urlquery(args: &[Value]) -> Option<Value> {
    let text = args.text(0);
    let query = parameters(text.strip_prefix('?').unwrap_or(&text));
    Some(Value::from_json(json!({ "Query Parameters": query })))
}

fn url(text: &str) -> Json {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = rest.split_once("://").unwrap_or(("", rest));
    let (authority, path) = if scheme.is_empty() {
        ("", rest)
    } else {
        rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""))
    };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    // The colons inside of the brackets of an IPv6 address are no port's.
    let port = host.rfind(':').filter(|at| host.rfind(']').is_none_or(|end| end < *at));
    let (host, port) = port.and_then(|at| host.split_at_checked(at)).unwrap_or((host, ""));
    json!({
        "Scheme": scheme,
        "Host": host,
        "Port": port.trim_start_matches(':'),
        // The root alone is no path.
        "Path": if path == "/" { "" } else { path },
        "Username": name,
        "Password": password,
        "Query Parameters": parameters(query),
        "Fragment": fragment,
    })
}

fn parameters(query: &str) -> Map<String, Json> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), Json::from(value)))
        .collect()
}

fn path(text: &str) -> Json {
    let separator = ['/', '\\'];
    let scheme = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric());
    let (scheme, rest) =
        text.split_once("://").filter(|(before, _)| scheme(before)).unwrap_or(("", text));
    let drive = rest
        .get(..2)
        .filter(|root| root.ends_with(':') && root.starts_with(|c: char| c.is_ascii_alphabetic()));
    let root = drive.unwrap_or("");
    let (directory, file) = match rest.rfind(separator) {
        Some(at) => (rest.get(..at).unwrap_or(""), rest.get(at + 1..).unwrap_or("")),
        None => (root, rest.get(root.len()..).unwrap_or("")),
    };
    let below = directory.get(root.len()..).unwrap_or("");
    let name = below.rsplit(separator).next().unwrap_or("");
    let (file, stream) = file.split_once(':').unwrap_or((file, ""));
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    json!({
        "Scheme": scheme,
        "RootPath": root,
        "DirectoryPath": directory,
        "DirectoryName": name,
        "Filename": file,
        "Extension": extension,
        "AlternateDataStreamName": stream,
    })
}

/// The fields of the first record. A quoted field may hold commas, line ends, and quotes that are doubled.
fn record(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => break,
            '\n' if !quoted => break,
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

/// One number of up to four parts, eight digits each.
fn version(text: &str) -> Option<Decimal> {
    let parts: Vec<&str> = text.split('.').collect();
    let part =
        |part: &&str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if parts.len() > 4 || !parts.iter().all(part) {
        return None;
    }
    let all: Vec<String> =
        (0..4).map(|at| format!("{:0>8}", parts.get(at).copied().unwrap_or("0"))).collect();
    Decimal::parse(&all.concat())
}

/// The arguments of a command line by the rules of Windows.
fn arguments(text: &str) -> Vec<String> {
    let mut chars = text.chars().peekable();
    let mut arguments = Vec::new();
    // The name of the program knows no escapes.
    let mut program = String::new();
    let end = if chars.next_if_eq(&'"').is_some() { '"' } else { ' ' };
    for c in chars.by_ref() {
        if c == end || (end == ' ' && c == '\t') {
            break;
        }
        program.push(c);
    }
    if text.is_empty() {
        return arguments;
    }
    arguments.push(program);
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        if chars.peek().is_none() {
            return arguments;
        }
        let mut argument = String::new();
        let mut quoted = false;
        while let Some(c) = chars.next_if(|c| quoted || !matches!(c, ' ' | '\t')) {
            match c {
                '\\' => {
                    let mut slashes = 1;
                    while chars.next_if_eq(&'\\').is_some() {
                        slashes += 1;
                    }
                    // Before a quote two of them are one, and a single one keeps the quote.
                    let quote = chars.peek() == Some(&'"');
                    let kept = if quote { slashes / 2 } else { slashes };
                    argument.extend(std::iter::repeat_n('\\', kept));
                    if quote && slashes % 2 == 1 {
                        argument.push('"');
                        chars.next();
                    }
                }
                '"' if quoted && chars.next_if_eq(&'"').is_some() => {
                    argument.push('"');
                }
                '"' => quoted = !quoted,
                other => argument.push(other),
            }
        }
        arguments.push(argument);
    }
}
