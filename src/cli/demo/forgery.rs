//! Messages that must not be believed: a receiver that takes anything would make the other checks worth nothing.

use super::Demo;
use crate::notify::{Body, Kind, webhook};
use crate::ports::{Method, Request};
use chrono::{DateTime, Utc};

impl Demo {
    /// Two messages that must not be believed: one changed on its way, one sent again hours later.
    pub(super) async fn forge(&mut self, now: DateTime<Utc>) {
        let (Some((last, _)), Some((first, _))) = (self.told.last(), self.told.first()) else {
            return;
        };
        let mut changed = last.body.clone();
        if let Some(digit) = changed.iter_mut().find(|byte| byte.is_ascii_digit()) {
            *digit ^= 1;
        }
        let forgeries = [
            ("changed on its way", changed, last.headers.clone()),
            ("sent again hours later", first.body.clone(), first.headers.clone()),
        ];
        for (what, bytes, mut headers) in forgeries {
            headers.retain(|(name, _)| name.starts_with("webhook-"));
            let body = Body { content_type: webhook::cloud_event::CONTENT_TYPE.into(), bytes };
            let Some(itsm) = self.receivers.iter().find(|r| r.kind() == Kind::Webhook) else {
                return;
            };
            let request = Request {
                receiver: itsm.name.clone(),
                method: Method::Post,
                path: String::new(),
                body: Some(body),
                headers,
            };
            let sent = self.transport.send(request).await;
            let arrived = self.arrivals.try_recv().ok();
            let problem = arrived.filter(|a| !a.accepted()).and_then(|a| a.problem);
            match (sent, problem) {
                (Ok(reply), Some(why)) if reply.status == 401 => {
                    self.totals.forgeries_refused += 1;
                    let why = why.split(':').next().unwrap_or_default();
                    self.show.note(now, format!("An alert {what} is refused: {why}."));
                }
                (answer, _) => {
                    self.totals.failures += 1;
                    self.show.note(now, format!("An alert {what} was NOT refused: {answer:?}"));
                }
            }
        }
    }
}
