//! Jira Cloud, REST API v3: issues of one project, found by a search that lags behind.

pub(crate) mod adf;
mod fields;
pub(crate) mod jql;
mod search;

use super::{Call, Case, Desk, Said, Throttle};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value as Json, json};

/// How it takes a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// As configured.
    Good,
    /// The token has expired, and every resource says so.
    Expired,
    /// The token has expired, and resources that are open to the public take who asks for a passer-by: what is there is not.
    Anonymous,
    /// The account may not log in by the API.
    Denied,
}

/// A field that administrators added.
#[derive(Clone, Debug)]
pub(crate) struct CustomField {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) required: bool,
    /// The values of a choice; empty: any text.
    pub(crate) options: Vec<String>,
}

/// A site with one project.
#[derive(Clone, Debug)]
pub(crate) struct Jira {
    pub(crate) project: String,
    pub(crate) issue_types: Vec<String>,
    pub(crate) priorities: Vec<String>,
    pub(crate) custom_fields: Vec<CustomField>,
    /// How long after a change the search shows it.
    pub(crate) search_lag: TimeDelta,
    pub(crate) login: Login,
    /// Whether the account may create issues.
    pub(crate) may_create: bool,
    /// Whether the account may comment.
    pub(crate) may_comment: bool,
    /// Ids, names and status of the steps a person can take, and the category of the status.
    pub(crate) workflow: Vec<Transition>,
    pub(crate) throttle: Throttle,
    /// The whole of `Authorization` that it takes.
    credentials: Vec<String>,
    issues: Vec<Issue>,
    problems: Vec<String>,
}

/// A step of the workflow.
#[derive(Clone, Debug)]
pub(crate) struct Transition {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) to: Status,
    /// A field that its screen demands.
    pub(crate) demands: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) name: String,
    /// `new`, `indeterminate` or `done`
    pub(crate) category: String,
}

impl Status {
    pub(crate) fn new(name: &str, category: &str) -> Self {
        Self { name: name.to_owned(), category: category.to_owned() }
    }

    fn json(&self) -> Json {
        let (id, name) = match self.category.as_str() {
            "new" => (2, "To Do"),
            "done" => (3, "Done"),
            _ => (4, "In Progress"),
        };
        json!({"name": self.name, "id": format!("1000{id}"), "statusCategory": {"id": id, "key": self.category, "name": name}})
    }
}

#[derive(Clone, Debug)]
pub(super) struct Issue {
    id: u64,
    key: String,
    fields: Json,
    status: Status,
    created: DateTime<Utc>,
    closed: Option<DateTime<Utc>>,
    comments: Vec<(DateTime<Utc>, Json)>,
    deleted: bool,
    /// What it looked like since when: what the search shows.
    history: Vec<(DateTime<Utc>, Json)>,
}

impl Issue {
    /// Its fields as the API shows them.
    fn shown(&self) -> Json {
        let mut fields = self.fields.clone();
        fields["status"] = self.status.json();
        fields["created"] = stamp(self.created);
        fields["updated"] = stamp(self.history.last().map_or(self.created, |(at, _)| *at));
        fields
    }

    fn changed(&mut self, now: DateTime<Utc>) {
        self.history.push((now, Json::Null));
        let shown = if self.deleted { Json::Null } else { self.shown() };
        self.history.last_mut().expect("just pushed").1 = shown;
    }

    fn enter(&mut self, now: DateTime<Utc>, status: Status) {
        self.closed = (status.category == "done").then(|| self.closed.unwrap_or(now));
        self.status = status;
        self.changed(now);
    }
}

fn stamp(at: DateTime<Utc>) -> Json {
    let text = at.to_rfc3339_opts(SecondsFormat::Millis, false);
    // As Jira writes it: `+0000`.
    text.replace("+00:00", "+0000").into()
}

/// An error as Jira words it, about the whole.
pub(super) fn error(status: u16, message: &str) -> Said {
    Said::json(status, &json!({"errorMessages": [message], "errors": {}}))
}

/// An error about a field.
pub(super) fn field_error(field: &str, message: &str) -> Said {
    Said::json(400, &json!({"errorMessages": [], "errors": {field: message}}))
}

const MISSING: &str = "Issue does not exist or you do not have permission to see it.";

impl Jira {
    pub(crate) fn new(project: &str, email: &str, token: &str) -> Self {
        let step = |id: &str, name: &str, category: &str| Transition {
            id: id.to_owned(),
            name: name.to_owned(),
            to: Status::new(name, category),
            demands: None,
        };
        let basic = BASE64_STANDARD.encode(format!("{email}:{token}"));
        Self {
            project: project.to_owned(),
            issue_types: ["Task", "Bug", "Incident"].map(str::to_owned).into(),
            priorities: ["Highest", "High", "Medium", "Low", "Lowest"].map(str::to_owned).into(),
            custom_fields: Vec::new(),
            search_lag: TimeDelta::zero(),
            login: Login::Good,
            may_create: true,
            may_comment: true,
            workflow: vec![
                step("11", "To Do", "new"),
                step("21", "In Progress", "indeterminate"),
                step("31", "Done", "done"),
            ],
            throttle: Throttle::default(),
            credentials: vec![format!("Basic {basic}"), format!("Bearer {token}")],
            issues: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// A person deletes an issue.
    pub(crate) fn delete(&mut self, now: DateTime<Utc>, id: &str) {
        let issue = self.issue(id).expect("an issue");
        issue.deleted = true;
        issue.changed(now);
    }

    /// A person opens it again.
    pub(crate) fn reopen(&mut self, now: DateTime<Utc>, id: &str) {
        self.issue(id).expect("an issue").enter(now, Status::new("To Do", "new"));
    }

    fn issue(&mut self, id_or_key: &str) -> Option<&mut Issue> {
        self.issues.iter_mut().find(|issue| {
            !issue.deleted
                && (issue.id.to_string() == id_or_key || issue.key.eq_ignore_ascii_case(id_or_key))
        })
    }

    /// What stands in the way of who asks, if anything does.
    fn gate(&mut self, call: &Call<'_>, parts: &[&str]) -> Option<Said> {
        let known = self.credentials.contains(&call.header("authorization"));
        let login = if known || self.login != Login::Good { self.login } else { Login::Expired };
        let failed = |said: Said| said.with("x-seraph-loginreason", "AUTHENTICATED_FAILED");
        match login {
            Login::Good => None,
            Login::Expired => Some(failed(Said::text(
                401,
                "text/html;charset=UTF-8",
                "Client must be authenticated to access this resource.",
            ))),
            Login::Denied => Some(
                failed(Said::text(
                    403,
                    "text/html;charset=UTF-8",
                    "Basic authentication with passwords is deprecated.",
                ))
                .with("x-authentication-denied-reason", "CAPTCHA_CHALLENGE"),
            ),
            Login::Anonymous => Some(failed(match parts {
                ["search", "jql"] => Said::json(200, &json!({"issues": [], "isLast": true})),
                ["issue"] => field_error(
                    "project",
                    "Anonymous users do not have permission to create issues in this project. Please try logging in first.",
                ),
                ["issue", ..] => error(404, MISSING),
                _ => Said::text(
                    401,
                    "text/html;charset=UTF-8",
                    "Client must be authenticated to access this resource.",
                ),
            })),
        }
    }

    fn answer(&mut self, now: DateTime<Utc>, call: &Call<'_>, parts: &[&str]) -> Said {
        if matches!(parts, ["search"]) {
            self.problems.push("the old search".to_owned());
            return error(
                410,
                "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.",
            );
        }
        if let Some(said) = self.gate(call, parts) {
            return said;
        }
        if let Err(seconds) = self.throttle.admit(now) {
            return error(429, "Rate limit exceeded.").after(seconds);
        }
        let writes = call.method != "GET";
        if writes && !call.says_json() {
            self.problems.push(format!("content type {:?}", call.header("content-type")));
            return Said::json(415, &json!({"status": 415, "title": "Unsupported Media Type"}));
        }
        let body = if writes {
            let Some(body) = call.object() else {
                self.problems.push("no JSON object".to_owned());
                return error(
                    400,
                    "Invalid request payload. Refer to the REST API documentation and try again.",
                );
            };
            body
        } else {
            Json::Null
        };
        match (call.method, parts) {
            ("POST", ["issue"]) => self.create(now, &body),
            ("GET" | "POST", ["search", "jql"]) => self.search(now, call, &body),
            ("GET", ["myself"]) => {
                Said::json(200, &json!({"accountId": "5b10a2844c20165700ede21g", "active": true}))
            }
            ("GET", ["project", key]) if *key == self.project => {
                Said::json(200, &json!({"id": "10000", "key": key, "name": "Security"}))
            }
            ("GET", ["project", key]) => {
                error(404, &format!("No project could be found with key '{key}'."))
            }
            (_, ["issue", id, rest @ ..]) => self.on_issue(now, call, id, rest, &body),
            _ => self.no_endpoint(call),
        }
    }

    fn no_endpoint(&mut self, call: &Call<'_>) -> Said {
        let target = call.target.split('?').next().unwrap_or_default();
        self.problems.push(format!("{} {target}", call.method));
        let detail = format!("No endpoint {} {target}.", call.method);
        let body = json!({"type": "about:blank", "title": "Not Found", "status": 404, "detail": detail, "instance": target});
        Said::text(404, "application/problem+json;charset=UTF-8", body.to_string())
    }

    fn on_issue(
        &mut self,
        now: DateTime<Utc>,
        call: &Call<'_>,
        id: &str,
        rest: &[&str],
        body: &Json,
    ) -> Said {
        let workflow = self.workflow.clone();
        let may_comment = self.may_comment;
        let Some(issue) = self.issue(id) else { return error(404, MISSING) };
        match (call.method, rest) {
            ("GET", []) => {
                let shown = issue.shown();
                let wanted = call.query("fields");
                let fields =
                    search::only(&shown, wanted.as_deref().map(|f| f.split(',').collect()));
                Said::json(
                    200,
                    &json!({"expand": "renderedFields,names", "id": issue.id.to_string(), "self": link(issue.id), "key": issue.key, "fields": fields}),
                )
            }
            ("PUT", []) => self.edit(now, id, body),
            ("GET", ["comment"]) => {
                let mut comments: Vec<Json> =
                    issue.comments.iter().enumerate().map(comment).collect();
                if call.query("orderBy").as_deref() == Some("-created") {
                    comments.reverse();
                }
                let total = comments.len();
                let most = call.query("maxResults").map_or(Some(100), |n| n.parse().ok());
                let start = call.query("startAt").map_or(Some(0), |n| n.parse().ok());
                let (Some(most), Some(start)) = (most, start) else {
                    self.problems.push("`maxResults`, `startAt`: no number".to_owned());
                    return Said::json(400, &json!({"title": "Bad Request", "status": 400}));
                };
                let comments: Vec<Json> = comments.into_iter().skip(start).take(most).collect();
                let page = json!({"startAt": start, "maxResults": most, "total": total, "comments": comments});
                Said::json(200, &page)
            }
            ("POST", ["comment"]) if !may_comment => {
                error(400, "You do not have the permission to comment on this issue.")
            }
            ("POST", ["comment"]) => {
                if let Err((said, problem)) = fields::comment(body) {
                    self.problems.push(problem);
                    return said;
                }
                issue.comments.push((now, body["body"].clone()));
                issue.changed(now);
                let last = issue.comments.len() - 1;
                Said::json(201, &comment((last, &issue.comments[last])))
            }
            ("GET", ["transitions"]) => {
                let open = |t: &&Transition| t.to != issue.status;
                let list: Vec<Json> = workflow
                    .iter()
                    .filter(open)
                    .map(|t| json!({"id": t.id, "name": t.name, "to": t.to.json(), "hasScreen": t.demands.is_some(), "isAvailable": true}))
                    .collect();
                Said::json(200, &json!({"expand": "transitions", "transitions": list}))
            }
            ("POST", ["transitions"]) => {
                let Some(id) = body["transition"]["id"].as_str() else {
                    self.problems.push("no transition".to_owned());
                    return error(400, "Missing 'transition' identifier.");
                };
                let step = workflow.iter().find(|t| t.id == id && t.to != issue.status);
                let Some(step) = step else {
                    return error(
                        400,
                        "It seems that you have tried to perform a workflow operation that is not valid for the current state of this issue.",
                    );
                };
                if let Some(field) =
                    step.demands.as_deref().filter(|f| body["fields"][*f].is_null())
                {
                    return field_error(field, &format!("{field} is required."));
                }
                issue.enter(now, step.to.clone());
                if !body["update"]["comment"].is_null() {
                    // Without a screen it is dropped in silence.
                    self.problems.push("a comment with a transition".to_owned());
                }
                Said::nothing()
            }
            _ => self.no_endpoint(call),
        }
    }
}

fn link(id: u64) -> String {
    format!("https://acme.atlassian.net/rest/api/3/issue/{id}")
}

fn comment((n, (at, body)): (usize, &(DateTime<Utc>, Json))) -> Json {
    json!({"id": (10_000 + n).to_string(), "body": body, "created": stamp(*at), "updated": stamp(*at), "jsdPublic": true})
}

impl Desk for Jira {
    fn call(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Said {
        let path = call.path();
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["rest", "api", "3", parts @ ..] => self.answer(now, call, parts),
            _ => self.no_endpoint(call),
        }
    }

    fn cases(&self) -> Vec<Case> {
        let case = |issue: &Issue| {
            let labels = issue.fields["labels"].as_array().map_or(&[][..], Vec::as_slice);
            let key = labels.iter().find_map(|l| l.as_str()?.strip_prefix("hsmwatch-"));
            Case {
                key: key.unwrap_or_default().to_owned(),
                id: issue.id.to_string(),
                name: issue.key.clone(),
                open: issue.closed.is_none() && !issue.deleted,
                opened_at: issue.created,
                closed_at: issue.closed,
                count: 1 + issue.comments.len() as u64,
                title: issue.fields["summary"].as_str().unwrap_or_default().to_owned(),
                text: adf::text(&issue.fields["description"]),
                level: issue.fields["priority"]["name"].as_str().unwrap_or_default().to_owned(),
                notes: issue.comments.iter().map(|(_, body)| adf::text(body)).collect(),
                record: issue.shown(),
            }
        };
        self.issues.iter().map(case).collect()
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }

    fn close(&mut self, now: DateTime<Utc>, id: &str) {
        self.issue(id).expect("an issue").enter(now, Status::new("Done", "done"));
    }
}
