//! Jira's search: JQL over an index that lags behind.

use super::super::{Call, Said};
use super::{Issue, Jira, error, jql, link};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};

/// What a search may be asked for.
const PROPERTIES: &[&str] = &[
    "jql",
    "fields",
    "maxResults",
    "nextPageToken",
    "expand",
    "fieldsByKeys",
    "properties",
    "reconcileIssues",
    "failFast",
];

/// The fields that are wanted; `None`: all.
pub(super) fn only(fields: &Json, wanted: Option<Vec<&str>>) -> Json {
    let Some(wanted) = wanted.filter(|w| !w.iter().any(|f| f.trim() == "*all")) else {
        return fields.clone();
    };
    let kept: Map<String, Json> = fields
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| wanted.iter().any(|w| w.trim() == name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    kept.into()
}

impl Jira {
    pub(super) fn search(&mut self, now: DateTime<Utc>, call: &Call<'_>, body: &Json) -> Said {
        match self.found(now, call, body) {
            Ok(said) => said,
            Err(message) => {
                self.problems.push(format!("search: {message}"));
                error(400, &message)
            }
        }
    }

    fn found(&self, now: DateTime<Utc>, call: &Call<'_>, body: &Json) -> Result<Said, String> {
        let invalid = || {
            "Invalid request payload. Refer to the REST API documentation and try again.".to_owned()
        };
        if body
            .as_object()
            .into_iter()
            .flatten()
            .any(|(name, _)| !PROPERTIES.contains(&name.as_str()))
        {
            return Err(invalid());
        }
        let gets = call.method == "GET";
        let text = if gets { call.query("jql") } else { body["jql"].as_str().map(str::to_owned) };
        let query = jql::parse(text.as_deref().unwrap_or_default())?;
        let most = match (gets, &body["maxResults"], call.query("maxResults")) {
            (true, _, None) | (false, Json::Null, _) => Some(50),
            (true, _, Some(n)) => n.parse().ok(),
            (false, n, _) => n.as_u64(),
        };
        let most = most
            .filter(|n| (1..=5000).contains(n))
            .ok_or("The max results parameter has to be between 1 and 5,000.")?;
        if query.terms.is_empty() {
            return Err("Unbounded JQL queries are not allowed here. Please add a search restriction to your query.".to_owned());
        }
        let wanted: Vec<String> = if gets {
            call.query("fields")
                .map(|f| f.split(',').map(str::to_owned).collect())
                .unwrap_or_default()
        } else {
            match &body["fields"] {
                Json::Null => Vec::new(),
                fields => serde_json::from_value(fields.clone()).map_err(|_| invalid())?,
            }
        };
        let fresh: Vec<u64> = match (gets, &body["reconcileIssues"]) {
            (false, Json::Null) => Vec::new(),
            (false, list) => serde_json::from_value(list.clone()).map_err(|_| invalid())?,
            (true, _) => call
                .query("reconcileIssues")
                .into_iter()
                .flat_map(|l| l.split(',').filter_map(|id| id.parse().ok()).collect::<Vec<u64>>())
                .collect(),
        };
        let mut hits = Vec::new();
        for issue in &self.issues {
            let lag =
                if fresh.contains(&issue.id) { chrono::TimeDelta::zero() } else { self.search_lag };
            // As it was so long ago; before that it was not there.
            let Some((_, fields)) = issue.history.iter().rfind(|(at, _)| *at + lag <= now) else {
                continue;
            };
            let mut all = true;
            for term in &query.terms {
                all &= self.holds(term, issue, fields)?;
            }
            if all && !fields.is_null() {
                hits.push((issue, fields));
            }
        }
        match query.order.as_ref().map(|(field, down)| (field.as_str(), *down)) {
            // By default, the newest first.
            None | Some(("created" | "key" | "id", true)) => hits.reverse(),
            Some(("created" | "key" | "id", false)) => {}
            Some(("updated", down)) => {
                hits.sort_by_key(|(_, fields)| {
                    fields["updated"].as_str().unwrap_or_default().to_owned()
                });
                if down {
                    hits.reverse();
                }
            }
            Some((field, _)) => return Err(format!("Not able to sort using field '{field}'.")),
        }
        let last = hits.len() as u64 <= most;
        let show = |(issue, fields): &(&Issue, &Json)| {
            if wanted.is_empty() {
                return json!({"id": issue.id.to_string()});
            }
            let wanted = wanted.iter().map(String::as_str).collect();
            json!({"expand": "renderedFields,names", "id": issue.id.to_string(), "self": link(issue.id), "key": issue.key, "fields": only(fields, Some(wanted))})
        };
        let issues: Vec<Json> =
            hits.iter().take(usize::try_from(most).unwrap_or(usize::MAX)).map(show).collect();
        let mut page = json!({"issues": issues, "isLast": last});
        if !last {
            page["nextPageToken"] = "CAEaAggD".into();
        }
        Ok(Said::json(200, &page))
    }

    fn holds(&self, term: &jql::Term, issue: &Issue, fields: &Json) -> Result<bool, String> {
        let unknown = |value: &str| {
            Err(format!("The value '{value}' does not exist for the field '{}'.", term.field))
        };
        let any = |actual: &str| term.values.iter().any(|v| v.eq_ignore_ascii_case(actual));
        let holds = match term.field.as_str() {
            "project" => {
                if let Some(value) =
                    term.values.iter().find(|v| !v.eq_ignore_ascii_case(&self.project))
                {
                    return unknown(value);
                }
                true
            }
            "labels" => {
                let labels = fields["labels"].as_array().map_or(&[][..], Vec::as_slice);
                labels.iter().filter_map(Json::as_str).any(any)
            }
            "statuscategory" => {
                let names = [
                    "to do",
                    "new",
                    "in progress",
                    "indeterminate",
                    "done",
                    "undefined",
                    "2",
                    "3",
                    "4",
                ];
                if let Some(value) =
                    term.values.iter().find(|v| !names.contains(&v.to_lowercase().as_str()))
                {
                    return unknown(value);
                }
                let category = &fields["status"]["statusCategory"];
                any(category["key"].as_str().unwrap_or_default())
                    || any(category["name"].as_str().unwrap_or_default())
            }
            "status" => any(fields["status"]["name"].as_str().unwrap_or_default()),
            "key" | "issuekey" | "issue" | "id" => any(&issue.key) || any(&issue.id.to_string()),
            field => {
                return Err(format!(
                    "Field '{field}' does not exist or you do not have permission to view it."
                ));
            }
        };
        Ok(holds != term.negated)
    }
}
