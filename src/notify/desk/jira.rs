//! Issues of Jira Cloud, REST API v3: found by a label, for Jira has no key of ours.

mod adf;

use super::searching::Found;
use super::{About, Case, Levels, searching};
use crate::notify::exchange::{Act, Ask, Method, Reply};
use crate::notify::plain::{self, Place};
use crate::notify::verdict::{Verdict, judge};
use crate::notify::{Kind, limits, percent};
use serde_json::{Map, Value as Json, json};

/// What the description of an issue never exceeds, in bytes of its JSON: Jira takes 32,767 characters, and does not say of what.
pub const MAX_DESCRIPTION: usize = 30_000;
/// What a comment never exceeds. Less, for several are read at once.
pub const MAX_COMMENT: usize = 12_000;
/// What a summary never exceeds, in characters.
pub const MAX_SUMMARY: usize = 255;
/// Fields that are ours alone: `fields` does not change them, save `labels`, to which it adds.
pub const OWN_FIELDS: [&str; 5] = ["project", "issuetype", "summary", "description", "labels"];

const ISSUE: &str = "/rest/api/3/issue";

/// Where issues are opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Key of the project.
    pub project: String,
    /// Name of the issue type.
    pub issue_type: String,
    /// Names of priorities; `None`, or an empty name: the project's default.
    pub priority: Option<Levels>,
    /// Further fields of new issues.
    pub fields: Map<String, Json>,
}

/// The label by which an incident's issues are found.
fn label(about: &About<'_>) -> String {
    format!("hsmwatch-{}", about.key())
}

/// The address of an issue.
fn path(case: &Case, below: &str) -> String {
    format!("{ISSUE}/{}{below}", percent::encode(&case.id))
}

/// A text in the query language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Settings {
    fn fields(&self, about: &About<'_>, former: Option<&Case>) -> Map<String, Json> {
        let alert = about.alert;
        let telling = about.telling(former);
        let mut fields = Map::new();
        let mut put = |name: &str, value: Json| {
            fields.insert(name.to_owned(), value);
        };
        put("project", json!({ "key": self.project }));
        put("issuetype", json!({ "name": self.issue_type }));
        put("summary", json!(plain::title(alert, about.detail, MAX_SUMMARY)));
        put("description", adf::document(&telling, Place::Case, MAX_DESCRIPTION));
        // A label has no blanks and 255 characters at most.
        let rule: String =
            limits::clean(&alert.rule.id, 200).split(' ').collect::<Vec<_>>().join("-");
        let mut labels = vec![json!("hsmwatch"), json!(label(about))];
        labels.extend((!rule.is_empty() && rule != "hsmwatch").then(|| json!(rule)));
        let more = self.fields.get("labels").and_then(Json::as_array);
        for more in more.into_iter().flatten() {
            if !labels.contains(more) {
                labels.push(more.clone());
            }
        }
        put("labels", json!(labels));
        // A severity without a word of its own is left to the project.
        let priority = self.priority.as_ref().map(|words| words.of(alert.rule.severity));
        if let Some(name) = priority.filter(|name| !name.is_empty()) {
            put("priority", json!({ "name": name }));
        }
        for (name, value) in &self.fields {
            if !OWN_FIELDS.contains(&name.as_str()) {
                fields.insert(name.clone(), value.clone());
            }
        }
        fields
    }
}

fn case(shown: &Json) -> Option<Case> {
    Case::named(shown.get("id")?.as_str()?, shown.get("key")?.as_str()?)
}

/// An issue as it is shown, and its labels.
fn issue(shown: &Json) -> Option<(Found, Vec<&str>)> {
    let case = case(shown)?;
    let fields = shown.get("fields")?;
    let category = fields.pointer("/status/statusCategory/key")?.as_str()?;
    let labels = fields.get("labels").and_then(Json::as_array);
    let labels = labels.into_iter().flatten().filter_map(Json::as_str).collect();
    let text = fields.get("description").map(Json::to_string).unwrap_or_default();
    Some((Found { case, open: category != "done", done: false, text }, labels))
}

/// The way to a status that counts as done; best one that asks for nothing and says neither that it was not done nor why.
fn way_out(ways: &Json) -> Option<&str> {
    const GOOD: [&str; 4] = ["done", "resolved", "closed", "complete"];
    let ways = ways.get("transitions")?.as_array()?;
    let category =
        |way: &Json| way.pointer("/to/statusCategory/key").and_then(Json::as_str) == Some("done");
    let asks = |way: &Json| way.get("hasScreen").and_then(Json::as_bool).unwrap_or(false);
    let good = |way: &Json| {
        let name = way.pointer("/to/name").and_then(Json::as_str).unwrap_or_default();
        GOOD.contains(&name.to_lowercase().as_str())
    };
    let best = ways.iter().filter(|way| category(way)).min_by_key(|way| (asks(way), !good(way)))?;
    best.get("id")?.as_str()
}

impl searching::Desk for Settings {
    fn find(&self, about: &About<'_>) -> Ask {
        let jql = format!(
            "project = {} AND labels = {} ORDER BY created DESC",
            quoted(&self.project),
            quoted(&label(about))
        );
        let body = json!({ "jql": jql, "maxResults": 10, "fields": ["status", "labels"] });
        Ask::json(Act::Find, Method::Post, "/rest/api/3/search/jql".to_owned(), &body)
    }

    fn found(&self, body: &Json, about: &About<'_>) -> Option<Vec<Found>> {
        let label = label(about);
        let issues: Option<Vec<_>> = body.get("issues")?.as_array()?.iter().map(issue).collect();
        let ours = |(_, labels): &(Found, Vec<&str>)| labels.contains(&label.as_str());
        Some(issues?.into_iter().filter(ours).map(|(found, _)| found).collect())
    }

    fn look(&self, case: &Case, about: &About<'_>) -> Ask {
        let fields = if about.again { "status,labels,description" } else { "status,labels" };
        Ask::get(Act::Look, path(case, &format!("?fields={fields}")))
    }

    fn looked(&self, body: &Json) -> Option<Found> {
        issue(body).map(|(found, _)| found)
    }

    fn open(&self, about: &About<'_>, former: Option<&Case>) -> Ask {
        let body = json!({ "fields": self.fields(about, former) });
        Ask::json(Act::Open, Method::Post, ISSUE.to_owned(), &body)
    }

    fn opened(&self, body: &Json) -> Option<Case> {
        case(body)
    }

    fn read(&self, case: &Case, _: &About<'_>) -> Ask {
        Ask::get(Act::Read, path(case, "/comment?orderBy=-created&maxResults=5"))
    }

    fn note(&self, found: &Found, about: &About<'_>) -> Ask {
        let body = json!({ "body": adf::document(&about.telling(None), Place::Note, MAX_COMMENT) });
        Ask::json(Act::Note, Method::Post, path(&found.case, "/comment"), &body)
    }

    fn ways(&self, case: &Case) -> Option<Ask> {
        Some(Ask::get(Act::Ways, path(case, "/transitions")))
    }

    fn resolve(&self, case: &Case, _: &About<'_>, ways: Option<&Json>) -> Option<Ask> {
        let body = json!({ "transition": { "id": way_out(ways?)? } });
        Some(Ask::json(Act::Resolve, Method::Post, path(case, "/transitions"), &body))
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        judge(Kind::Jira, reply.status, reply.retry_after, &reply.body)
    }
}
