//! The Table API over `incident` and `sys_journal_field`.

use super::super::{Call, Said, chars, scrambled};
use super::query::Query;
use super::{Incident, Journal, ServiceNow, SnError, time};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};

/// Fields of an incident that can be written, and the most characters of each.
const FIELDS: &[(&str, usize)] = &[
    ("short_description", 160),
    ("description", 4000),
    ("urgency", 40),
    ("impact", 40),
    ("severity", 40),
    ("state", 40),
    ("incident_state", 40),
    ("category", 40),
    ("subcategory", 40),
    ("contact_type", 40),
    ("assignment_group", 32),
    ("assigned_to", 32),
    ("caller_id", 32),
    ("cmdb_ci", 32),
    ("business_service", 32),
    ("location", 32),
    ("company", 32),
    ("correlation_id", 100),
    ("correlation_display", 100),
    ("close_code", 40),
    ("close_notes", 4000),
    ("parent_incident", 32),
    ("work_notes", 4000),
    ("comments", 4000),
];

/// Fields that the instance keeps itself.
const KEPT: &[&str] = &[
    "sys_id",
    "number",
    "active",
    "priority",
    "opened_at",
    "closed_at",
    "resolved_at",
    "sys_created_on",
    "sys_created_by",
    "sys_updated_on",
];
const REFERENCES: &[&str] = &[
    "assignment_group",
    "assigned_to",
    "caller_id",
    "cmdb_ci",
    "business_service",
    "location",
    "company",
    "parent_incident",
];

type Outcome = Result<Said, SnError>;

fn no_record() -> SnError {
    SnError::new(
        404,
        "No Record found",
        "Record doesn't exist or ACL restricts the record retrieval",
    )
}

fn forbidden(what: &str) -> SnError {
    SnError::new(
        403,
        "Operation Failed",
        &format!("ACL Exception {what} Failed due to security constraints"),
    )
}

impl ServiceNow {
    pub(super) fn on_table(
        &mut self,
        now: DateTime<Utc>,
        call: &Call<'_>,
        parts: &[&str],
    ) -> Outcome {
        match (call.method, parts) {
            ("POST", ["incident"]) => self.insert(now, call),
            ("GET", ["incident"]) => self.list(now, call),
            ("GET", ["incident", id]) => {
                let fields = self.incident(id).ok_or_else(no_record)?.clone();
                Ok(Said::json(200, &json!({"result": shown(call, &fields, &fields.fields)})))
            }
            ("PATCH" | "PUT", ["incident", id]) => self.update(now, call, id),
            ("GET", ["sys_journal_field"]) => self.journal(call),
            (_, ["incident" | "sys_journal_field", ..]) => {
                Err(SnError::new(405, "Method not allowed", call.method))
            }
            (_, [table, ..]) => Err(SnError {
                status: 400,
                message: format!("Invalid table {table}"),
                detail: None,
            }),
            _ => Ok(self.no_endpoint(call)),
        }
    }

    fn knows(&self, field: &str) -> bool {
        FIELDS.iter().any(|(name, _)| *name == field)
            || KEPT.contains(&field)
            || self.custom_fields.iter().any(|name| name == field)
    }

    /// The values of a body. What is not known is left out in silence.
    fn values(&mut self, call: &Call<'_>) -> Vec<(String, String)> {
        let body = call.object().unwrap_or_default();
        let mut values = Vec::new();
        for (name, value) in body.as_object().into_iter().flatten() {
            let mut text = match value {
                Json::String(text) => text.clone(),
                Json::Number(number) => number.to_string(),
                Json::Bool(bool) => bool.to_string(),
                other => {
                    self.problems.push(format!("`{name}` is {other}"));
                    continue;
                }
            };
            let custom = self.custom_fields.contains(name).then_some(255);
            let Some(most) = FIELDS.iter().find(|(n, _)| n == name).map(|(_, m)| *m).or(custom)
            else {
                self.problems.push(format!("`{name}` is unknown, or cannot be set"));
                continue;
            };
            if chars(&text) > most {
                self.problems.push(format!("`{name}` is cut at {most} characters"));
                text = text.chars().take(most).collect();
            }
            values.push((name.clone(), text));
        }
        values
    }

    fn insert(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Outcome {
        if !self.may_create {
            return Err(forbidden("Insert"));
        }
        let values = self.values(call);
        let filled = |field: &str| values.iter().any(|(n, v)| n == field && !v.is_empty());
        let missing: Vec<String> = self
            .mandatory
            .iter()
            .filter(|(field, _)| !filled(field))
            .map(|(_, label)| format!("{label} is mandatory"))
            .collect();
        if !missing.is_empty() {
            return Err(policy(&missing));
        }
        let n = self.incidents.len();
        let id = format!("{:016x}{:016x}", scrambled(n as u64), scrambled(!(n as u64)));
        let mut fields: Map<String, Json> =
            FIELDS.iter().map(|(name, _)| ((*name).to_owned(), "".into())).collect();
        let kept = [
            ("sys_id", id.clone()),
            ("number", format!("INC{:07}", 10_001 + n)),
            ("sys_created_on", time::text(now)),
            ("sys_created_by", "hsmwatch".to_owned()),
            ("opened_at", time::text(now)),
            ("urgency", "3".to_owned()),
            ("impact", "3".to_owned()),
        ];
        fields.extend(kept.map(|(name, value)| (name.to_owned(), value.into())));
        let mut incident = Incident {
            fields,
            opened_at: now,
            closed_at: None,
            journal: Vec::new(),
            history: Vec::new(),
        };
        incident.set(now, "state", "1");
        apply(&mut incident, now, &values);
        let shown = shown(call, &incident, &incident.fields);
        self.incidents.push(incident);
        let location = format!("https://acme.service-now.com/api/now/table/incident/{id}");
        Ok(Said::json(201, &json!({"result": shown})).with("location", location))
    }

    fn update(&mut self, now: DateTime<Utc>, call: &Call<'_>, id: &str) -> Outcome {
        if !self.may_write {
            return Err(forbidden("Update"));
        }
        let values = self.values(call);
        let incident = self.incident(id).ok_or_else(no_record)?;
        // What is closed is closed for all but administrators.
        if incident.text("active") == "false" {
            return Err(forbidden("Update"));
        }
        let value = |field: &str| {
            let new = values.iter().find(|(name, _)| name == field);
            new.map_or_else(|| incident.text(field).to_owned(), |(_, value)| value.clone())
        };
        let state = value("state");
        if ["6", "7"].contains(&&*state) {
            let missing: Vec<String> =
                [("close_code", "Resolution code"), ("close_notes", "Resolution notes")]
                    .iter()
                    .filter(|(field, _)| value(field).is_empty())
                    .map(|(_, label)| format!("{label} is mandatory"))
                    .collect();
            if !missing.is_empty() {
                return Err(policy(&missing));
            }
        }
        apply(incident, now, &values);
        let shown = shown(call, incident, &incident.fields);
        Ok(Said::json(200, &json!({"result": shown})))
    }

    fn list(&mut self, now: DateTime<Utc>, call: &Call<'_>) -> Outcome {
        let text = call.query("sysparm_query").unwrap_or_default();
        let query = Query::parse(&text, &|field| self.knows(field));
        let left_out =
            query.left_out.iter().map(|part| format!("the query's {part:?} is left out"));
        self.problems.extend(left_out);
        let lag = self.search_lag;
        let mut seen: Vec<Map<String, Json>> = self
            .incidents
            .iter()
            .filter_map(|i| i.history.iter().rfind(|(at, _)| *at + lag <= now))
            .map(|(_, fields)| fields.clone())
            .filter(|fields| query.holds(fields))
            .collect();
        // In an order that nobody promised, unless one was asked for.
        seen.sort_by_key(|fields| fields["sys_id"].to_string());
        query.sort(&mut seen);
        let total = seen.len().to_string();
        let page = self.page(call, seen)?;
        let incidents = &self.incidents;
        let rows: Vec<Json> = page
            .iter()
            .map(|fields| {
                let of = |i: &&Incident| i.fields["sys_id"] == fields["sys_id"];
                let incident = incidents.iter().find(of).expect("it is there");
                shown(call, incident, fields)
            })
            .collect();
        Ok(Said::json(200, &json!({"result": rows})).with("x-total-count", total))
    }

    fn page(
        &mut self,
        call: &Call<'_>,
        rows: Vec<Map<String, Json>>,
    ) -> Result<Vec<Map<String, Json>>, SnError> {
        let number =
            |name: &str, default: usize| call.query(name).map_or(Some(default), |n| n.parse().ok());
        let (Some(limit), Some(offset)) =
            (number("sysparm_limit", 10_000), number("sysparm_offset", 0))
        else {
            self.problems.push("`sysparm_limit` or `sysparm_offset` is no number".to_owned());
            return Err(SnError::new(400, "Invalid value passed for parameter", "sysparm_limit"));
        };
        Ok(rows.into_iter().skip(offset).take(limit).collect())
    }

    fn journal(&mut self, call: &Call<'_>) -> Outcome {
        if self.journal == Journal::Refused {
            return Err(SnError::new(
                403,
                "User Not Authorized",
                "Failed API level ACL Validation",
            ));
        }
        let known = [
            "sys_id",
            "name",
            "element_id",
            "element",
            "value",
            "sys_created_on",
            "sys_created_by",
        ];
        let text = call.query("sysparm_query").unwrap_or_default();
        let query = Query::parse(&text, &|field| known.contains(&field));
        let left_out =
            query.left_out.iter().map(|part| format!("the query's {part:?} is left out"));
        self.problems.extend(left_out);
        let mut rows = Vec::new();
        for incident in &self.incidents {
            for (n, (at, element, value)) in incident.journal.iter().enumerate() {
                let row = json!({"sys_id": format!("{:032x}", scrambled(n as u64)), "name": "incident", "element_id": incident.text("sys_id"), "element": element, "value": value, "sys_created_on": time::text(*at), "sys_created_by": "hsmwatch"});
                rows.extend(row.as_object().cloned());
            }
        }
        rows.retain(|row| self.journal == Journal::Readable && query.holds(row));
        query.sort(&mut rows);
        let page = self.page(call, rows)?;
        let wanted = call.query("sysparm_fields");
        let rows: Vec<Json> = page.iter().map(|row| only(row, wanted.as_deref()).into()).collect();
        Ok(Said::json(200, &json!({"result": rows})))
    }
}

fn policy(missing: &[String]) -> SnError {
    let detail = format!("Data Policy Exception: {}", missing.join("\n"));
    SnError::new(403, "Operation Failed", &detail)
}

fn apply(incident: &mut Incident, now: DateTime<Utc>, values: &[(String, String)]) {
    for (name, value) in values {
        // Written into the journal, and never read back here.
        let element = ["work_notes", "comments"].into_iter().find(|element| element == name);
        if let Some(element) = element {
            if !value.is_empty() {
                incident.journal.push((now, element, value.clone()));
            }
        } else {
            incident.set(now, name, value);
        }
    }
    let priority = match (incident.text("urgency"), incident.text("impact")) {
        ("1", "1") => "1",
        ("1", "2") | ("2", "1") => "2",
        ("3", "3") => "5",
        ("2", "3") | ("3", "2") => "4",
        _ => "3",
    };
    incident.fields.insert("priority".to_owned(), priority.into());
    incident.changed(now);
}

fn only(fields: &Map<String, Json>, wanted: Option<&str>) -> Map<String, Json> {
    let Some(wanted) = wanted.filter(|w| !w.is_empty()) else { return fields.clone() };
    let wanted: Vec<&str> = wanted.split(',').map(str::trim).collect();
    // What is asked for and unknown is left out in silence.
    fields
        .iter()
        .filter(|(name, _)| wanted.contains(&name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}

/// A record as it was asked for.
fn shown(call: &Call<'_>, incident: &Incident, fields: &Map<String, Json>) -> Json {
    let display = call.query("sysparm_display_value").unwrap_or_default();
    let plain = call.query("sysparm_exclude_reference_link").as_deref() == Some("true");
    let kept = only(fields, call.query("sysparm_fields").as_deref());
    let show = |(name, value): (String, Json)| {
        let text = value.as_str().unwrap_or_default();
        let link = format!("https://acme.service-now.com/api/now/table/sys_user_group/{text}");
        let words = words(incident, &name, text);
        let value = match display.as_str() {
            "true" => words.into(),
            "all" => json!({"display_value": words, "value": text}),
            _ if REFERENCES.contains(&&*name) && !text.is_empty() && !plain => {
                json!({"link": link, "value": text})
            }
            _ => value,
        };
        (name, value)
    };
    kept.into_iter().map(show).collect::<Map<String, Json>>().into()
}

/// A value as people see it.
fn words(incident: &Incident, field: &str, value: &str) -> String {
    if field == "work_notes" || field == "comments" {
        let label = if field == "comments" { "Additional comments" } else { "Work notes" };
        let entry = |(at, _, note): &(DateTime<Utc>, &str, String)| {
            format!("{} - hsmwatch ({label})\n{note}\n\n", time::text(*at))
        };
        return incident
            .journal
            .iter()
            .rev()
            .filter(|(_, element, _)| *element == field)
            .map(entry)
            .collect();
    }
    let words: &[(&str, &str)] = match field {
        "state" => &[
            ("1", "New"),
            ("2", "In Progress"),
            ("3", "On Hold"),
            ("6", "Resolved"),
            ("7", "Closed"),
            ("8", "Canceled"),
        ],
        "urgency" | "impact" => &[("1", "1 - High"), ("2", "2 - Medium"), ("3", "3 - Low")],
        _ => &[],
    };
    words.iter().find(|(v, _)| *v == value).map_or(value, |(_, word)| word).to_owned()
}
