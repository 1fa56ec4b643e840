//! What a refusal of the query API means for the caller.

use crate::ports::QueryError;
use crate::wire::{MAX_TEXT, clean};
use serde_json::Value as Json;
use std::time::Duration;

/// The tables of a Cloud HSM. A workspace knows a table only once a record has come in, so that a missing one of these
/// means "no data yet"; a missing other one is a mistake in the query.
const HSM_TABLES: [&str; 3] = [
    "CloudHsmServiceOperationAuditLogs",
    "CloudHsmHardwareOperationAuditLogs",
    "CHSMManagementAuditLogs",
];

/// How an answer that holds no rows goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// That is the answer.
    Final(QueryError),
    /// Trying again in a moment may help; if not, this is the answer.
    Again(QueryError),
    /// The token was not accepted: a new one may be; if not, this is the answer.
    Token(QueryError),
}

/// What an error body says.
#[derive(Debug, Default)]
struct Said {
    /// Codes, outermost first.
    codes: Vec<String>,
    /// Messages, outermost first.
    messages: Vec<String>,
    /// Where the query is wrong, as the service counts.
    line: Option<u64>,
    position: Option<u64>,
}

impl Said {
    /// Reads `{"error":{"code","message","innererror":{…}}}` and its cousins: the token service writes `error` as a
    /// string, gateways write no JSON at all.
    fn read(body: &[u8]) -> Self {
        let mut said = Self::default();
        if let Ok(json) = serde_json::from_slice::<Json>(body) {
            let root = json.get("error").filter(|e| e.is_object()).unwrap_or(&json);
            said.walk(root, 0);
        } else {
            let text = String::from_utf8_lossy(body);
            let text = text.trim();
            if !text.is_empty() && !text.starts_with('<') {
                said.messages.push(text.to_owned());
            }
        }
        said
    }

    fn walk(&mut self, node: &Json, depth: u8) {
        let field = |names: &[&str]| {
            names.iter().find_map(|n| match node.get(n) {
                Some(Json::String(text)) if !text.trim().is_empty() => Some(text.clone()),
                Some(Json::Number(n)) => Some(n.to_string()),
                _ => None,
            })
        };
        self.codes.extend(field(&["code", "Code", "error"]));
        self.messages.extend(field(&["message", "Message", "error_description"]));
        let number = |name| node.get(name).and_then(Json::as_u64);
        if let Some(line) = number("line") {
            self.line = Some(line);
            self.position = number("pos");
        }
        if depth > 16 {
            return;
        }
        let detail = node.get("details").and_then(Json::as_array).and_then(|d| d.first());
        if let Some(inner) = node.get("innererror").or(detail).filter(|n| n.is_object()) {
            self.walk(inner, depth + 1);
        }
    }

    fn has(&self, code: &str) -> bool {
        self.codes.iter().any(|c| c.eq_ignore_ascii_case(code))
    }

    fn mentions(&self, text: &str) -> bool {
        self.codes.iter().chain(&self.messages).any(|m| m.contains(text))
    }

    /// The deepest message, which is the one that says what is wrong; without any, the deepest code.
    fn text(&self) -> String {
        let text = self.messages.last().or(self.codes.last()).map_or("no reason given", |t| t);
        let (text, place) = (clean(text), self.place(text));
        join(&text, &place)
    }

    /// Where in the query. The service puts one line of its own in front of every query and counts it.
    fn place(&self, text: &str) -> String {
        match (self.line, self.position) {
            (Some(line), Some(position)) if line > 1 => {
                format!(" (line {}, position {position})", line - 1)
            }
            (Some(line), None) if line > 1 => format!(" (line {})", line - 1),
            (None, _) if counts_lines(text) => {
                " (the service counts one line of its own before the query's first)".to_owned()
            }
            _ => String::new(),
        }
    }

    /// The HSM's table that the workspace does not know, if that is what is wrong.
    fn missing_table(&self) -> Option<&'static str> {
        self.messages.iter().find_map(|message| {
            let (before, after) = message.split_once(" expression named '")?;
            let (name, _) = after.split_once('\'')?;
            // For columns it reads "resolve column or scalar expression named".
            let table = before.rsplit_once("resolve ").is_some_and(|(_, w)| w.starts_with("table"));
            HSM_TABLES.into_iter().find(|t| table && t.eq_ignore_ascii_case(name))
        })
    }

    /// Whether the engine stopped because the query takes or returns too much.
    fn too_large(&self) -> bool {
        const SIGNS: [&str; 7] = [
            "E_QUERY_RESULT_SET_TOO_LARGE",
            "E_RUNAWAY_QUERY",
            "E_LOW_MEMORY_CONDITION",
            "80DA0001",
            "80DA0003",
            "80DA0007",
            "exceeded the allowed limits",
        ];
        SIGNS.iter().any(|sign| self.mentions(sign))
    }
}

/// A text with what we add to it. That is the more useful part: where both are too long, the text makes room.
fn join(text: &str, more: &str) -> String {
    let room = MAX_TEXT.saturating_sub(more.chars().count());
    text.chars().take(room).chain(more.chars()).collect()
}

fn counts_lines(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.split_once("line").is_some_and(|(_, rest)| {
        rest.trim_start_matches(|c: char| ":=[ ".contains(c) || c.is_ascii_alphabetic())
            .starts_with(|c: char| c.is_ascii_digit())
    })
}

/// What a status other than 200 means.
pub(super) fn refusal(status: u16, body: &[u8], retry_after: Option<Duration>) -> Refusal {
    let said = Said::read(body);
    let text = said.text();
    match status {
        204 => Refusal::Final(QueryError::NoData("the workspace has never received data".into())),
        400 => Refusal::Final(bad_request(&said, text)),
        401 => Refusal::Token(QueryError::Denied(text)),
        403 if said.codes.iter().any(|code| about_token(code)) => {
            Refusal::Token(QueryError::Denied(text))
        }
        403 => Refusal::Final(QueryError::Denied(join(
            &text,
            "; assign the role `Log Analytics Data Reader` on the workspace (it may take an hour to act)",
        ))),
        404 => Refusal::Final(QueryError::Denied(join(
            &text,
            "; not found: check the workspace's `id` and `endpoint`",
        ))),
        413 | 414 => Refusal::Final(QueryError::Refused(join(&text, "; the query is too long"))),
        429 => Refusal::Final(QueryError::Throttled { retry_after }),
        500 | 502 | 503 if said.too_large() => Refusal::Final(QueryError::TooLarge(text)),
        500 | 502 | 503 => {
            Refusal::Again(QueryError::Unavailable(join(&text, &format!(" (status {status})"))))
        }
        504 => Refusal::Final(QueryError::TooLarge(join(&text, "; the query took too long"))),
        _ => Refusal::Final(QueryError::Unavailable(join(&text, &format!(" (status {status})")))),
    }
}

fn bad_request(said: &Said, text: String) -> QueryError {
    if let Some(table) = said.missing_table() {
        return QueryError::NoData(format!("the workspace has no table `{table}` yet"));
    }
    if said.too_large() {
        return QueryError::TooLarge(text);
    }
    if said.has("FailedToResolveResource") || said.has("WorkspaceNotFoundError") {
        return QueryError::Denied(join(&text, "; check the workspace's `id`"));
    }
    QueryError::Refused(text)
}

/// These come as 403 though the cure is a new token, not a role.
fn about_token(code: &str) -> bool {
    code.starts_with("InvalidAuthenticationToken")
        || ["InvalidTokenError", "SignatureVerificationFailed", "ExpiredAuthenticationToken"]
            .contains(&code)
}

/// What `error` in an answer of status 200 means: with tables, rows are missing; without, it is a refusal.
pub(super) fn within(error: &Json, tables: bool) -> Result<String, QueryError> {
    let mut said = Said::default();
    said.walk(error, 0);
    let text = said.text();
    if tables {
        Ok(text)
    } else if said.has("BadArgumentError") || said.too_large() {
        Err(bad_request(&said, text))
    } else {
        Err(QueryError::Unavailable(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(json: &str) -> Vec<u8> {
        format!(r#"{{"error":{json}}}"#).into_bytes()
    }

    fn semantic(message: &str) -> Vec<u8> {
        error(&format!(
            r#"{{"message":"The request had some invalid properties","code":"BadArgumentError","correlationId":"c",
            "innererror":{{"code":"SemanticError","message":"A semantic error occurred.",
            "innererror":{{"code":"SEM0100","message":"{message}"}}}}}}"#
        ))
    }

    #[test]
    fn a_missing_hsm_table_is_no_data_and_every_other_name_a_mistake() {
        let table = "'where' operator: Failed to resolve table or column expression named ";
        assert_eq!(
            refusal(400, &semantic(&format!("{table}'CloudHsmServiceOperationAuditLogs'")), None),
            Refusal::Final(QueryError::NoData(
                "the workspace has no table `CloudHsmServiceOperationAuditLogs` yet".into()
            ))
        );
        for message in [
            format!("{table}'CloudHsmServiceOperationAuditLog'"),
            "'project' operator: Failed to resolve column or scalar expression named 'MemberId'"
                .into(),
            "'project' operator: Failed to resolve scalar expression named 'MemberId'".into(),
        ] {
            assert_eq!(
                refusal(400, &semantic(&message), None),
                Refusal::Final(QueryError::Refused(message))
            );
        }
    }

    #[test]
    fn a_syntax_error_says_where() {
        let placed = error(
            r#"{"message":"m","code":"BadArgumentError","innererror":{"code":"SyntaxError","message":"A syntax error.",
            "innererror":{"code":"SYN0002","message":"Query could not be parsed at '|'","line":3,"pos":5,"token":"|"}}}"#,
        );
        assert_eq!(
            refusal(400, &placed, None),
            Refusal::Final(QueryError::Refused(
                "Query could not be parsed at '|' (line 2, position 5)".into()
            ))
        );
        let told =
            error(r#"{"code":"BadArgumentError","message":"SYN0001 [line:position=2:7] bad"}"#);
        assert_eq!(
            refusal(400, &told, None),
            Refusal::Final(QueryError::Refused(
                "SYN0001 [line:position=2:7] bad (the service counts one line of its own before the query's first)"
                    .into()
            ))
        );
    }

    #[test]
    fn every_status() {
        use QueryError::{Denied, Refused, Throttled, TooLarge, Unavailable};
        let wait = Some(Duration::from_secs(7));
        let code = |code: &str| error(&format!(r#"{{"code":"{code}","message":"why"}}"#));
        let role = "why; assign the role `Log Analytics Data Reader` on the workspace (it may take an hour to act)";
        for (status, body, expected) in [
            (
                204,
                vec![],
                Refusal::Final(QueryError::NoData("the workspace has never received data".into())),
            ),
            (400, code("BadArgumentError"), Refusal::Final(Refused("why".into()))),
            (
                400,
                code("FailedToResolveResource"),
                Refusal::Final(Denied("why; check the workspace's `id`".into())),
            ),
            (401, code("AuthenticationFailed"), Refusal::Token(Denied("why".into()))),
            (403, code("InvalidAuthenticationToken"), Refusal::Token(Denied("why".into()))),
            (403, code("InvalidAuthenticationTokenAudience"), Refusal::Token(Denied("why".into()))),
            (403, code("InvalidTokenError"), Refusal::Token(Denied("why".into()))),
            (403, code("InsufficientAccessError"), Refusal::Final(Denied(role.into()))),
            (
                404,
                code("PathNotFoundError"),
                Refusal::Final(Denied(
                    "why; not found: check the workspace's `id` and `endpoint`".into(),
                )),
            ),
            (413, vec![], Refusal::Final(Refused("no reason given; the query is too long".into()))),
            (429, code("ThrottledError"), Refusal::Final(Throttled { retry_after: wait })),
            (500, b"oh".to_vec(), Refusal::Again(Unavailable("oh (status 500)".into()))),
            (
                500,
                error(r#"{"code":"x","message":"aborted (E_RUNAWAY_QUERY)"}"#),
                Refusal::Final(TooLarge("aborted (E_RUNAWAY_QUERY)".into())),
            ),
            (
                502,
                b"<html>?sig=1".to_vec(),
                Refusal::Again(Unavailable("no reason given (status 502)".into())),
            ),
            (503, vec![], Refusal::Again(Unavailable("no reason given (status 503)".into()))),
            (
                504,
                vec![],
                Refusal::Final(TooLarge("no reason given; the query took too long".into())),
            ),
            (307, vec![], Refusal::Final(Unavailable("no reason given (status 307)".into()))),
            (
                418,
                br#"{"error":"invalid_grant","error_description":"d"}"#.to_vec(),
                Refusal::Final(Unavailable("d (status 418)".into())),
            ),
        ] {
            assert_eq!(refusal(status, &body, wait), expected, "{status}");
        }
    }

    #[test]
    fn an_error_beside_tables_makes_the_answer_partial() {
        let partial: Json = serde_json::from_str(
            r#"{"code":"PartialError","message":"There were some errors when processing your query.","details":[
            {"code":"EngineError","message":"Something went wrong processing your query on the server.","innererror":
            {"code":"-2133196797","message":"Query result set has exceeded the internal record count limit 1 (E_QUERY_RESULT_SET_TOO_LARGE).","severity":2}}]}"#,
        )
        .unwrap();
        let text = "Query result set has exceeded the internal record count limit 1 (E_QUERY_RESULT_SET_TOO_LARGE).";
        assert_eq!(within(&partial, true), Ok(text.to_owned()));
        assert_eq!(within(&partial, false), Err(QueryError::TooLarge(text.to_owned())));
        for (code, expected) in [
            ("InternalServerError", QueryError::Unavailable("m".into())),
            ("BadArgumentError", QueryError::Refused("m".into())),
        ] {
            let error = serde_json::json!({"code": code, "message": "m"});
            assert_eq!(within(&error, false), Err(expected));
        }
    }

    #[test]
    fn long_and_deep_errors_stay_short() {
        let long = semantic(&"x".repeat(5000));
        let Refusal::Final(QueryError::Refused(text)) = refusal(400, &long, None) else { panic!() };
        assert_eq!(text.chars().count(), 500);
        let mut deep = r#"{"code":"c","message":"m"}"#.to_owned();
        for _ in 0..60 {
            deep = format!(r#"{{"message":"m","innererror":{deep}}}"#);
        }
        assert!(matches!(
            refusal(400, &error(&deep), None),
            Refusal::Final(QueryError::Refused(_))
        ));
    }

    proptest! {
        #[test]
        fn no_text_is_longer_than_agreed(status in 100_u16..600, message in ".{0,900}", code in "[A-Za-z]{0,40}", raw: bool) {
            let body = if raw { message.into_bytes() } else {
                serde_json::json!({"error": {"code": code, "message": message, "line": 3}}).to_string().into_bytes()
            };
            let (Refusal::Final(error) | Refusal::Again(error) | Refusal::Token(error)) = refusal(status, &body, None);
            // What the error's own words add is short.
            prop_assert!(error.to_string().chars().count() <= MAX_TEXT + 40);
        }
    }
}
