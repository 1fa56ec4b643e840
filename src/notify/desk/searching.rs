//! Desks that do whatever they are told as often as they are told it: what there is must be asked before, and an attempt to
//! open a case must never be repeated blindly.

use super::{About, Case, Goal, Memory, Opening, SETTLE};
use crate::notify::exchange::{Answered, Ask, Reply, Step};
use crate::notify::verdict::{NoAnswer, Verdict, judge_no_answer};
use serde_json::Value as Json;
use std::collections::VecDeque;
use std::fmt;

/// A case as the desk shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The case.
    pub(super) case: Case,
    /// Whether it is open.
    pub(super) open: bool,
    /// Whether people count it as done although it is open, so that a note would go unseen unless it is opened again.
    pub(super) done: bool,
    /// Its description, where it was asked for: it names the alert that opened it.
    pub(super) text: String,
}

/// What such a desk is asked and told. Bodies are those of successful answers; `None`: it is not as documented.
pub(super) trait Desk: fmt::Debug + Sync {
    /// Searches for cases of the incident, open or not, newest first, ten at most.
    fn find(&self, about: &About<'_>) -> Ask;
    /// What was found, and is of the incident: what a search finds is not always what was searched for.
    fn found(&self, body: &Json, about: &About<'_>) -> Option<Vec<Found>>;
    /// Looks at one case, past any search; with its description if `about.again`.
    fn look(&self, case: &Case, about: &About<'_>) -> Ask;
    /// What was seen.
    fn looked(&self, body: &Json) -> Option<Found>;
    /// Opens a case, naming the former one.
    fn open(&self, about: &About<'_>, former: Option<&Case>) -> Ask;
    /// The case that was opened.
    fn opened(&self, body: &Json) -> Option<Case>;
    /// Reads the latest notes of a case.
    fn read(&self, case: &Case, about: &About<'_>) -> Ask;
    /// Adds the alert to an open case, opening it again where it counts as done.
    fn note(&self, found: &Found, about: &About<'_>) -> Ask;
    /// Asks how a case may be closed, where that must be asked.
    fn ways(&self, case: &Case) -> Option<Ask>;
    /// Closes a case; `ways` is the answer to that question. `None`: there is no way to.
    fn resolve(&self, case: &Case, about: &About<'_>, ways: Option<&Json>) -> Option<Ask>;
    /// The verdict on an answer that is no success.
    fn judge(&self, reply: &Reply) -> Verdict;
}

/// What is being waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Looking(Case),
    Finding,
    Opening,
    Reading(Found),
    Noting(Found),
    AskingWays(Case),
    Resolving(Case, Option<Json>),
    Over(Verdict),
}

/// An exchange under way.
#[derive(Debug)]
pub(super) struct Searching<'a> {
    desk: &'a dyn Desk,
    about: About<'a>,
    state: State,
    /// Whether the search was made.
    searched: bool,
    /// Cases to look at.
    candidates: VecDeque<Case>,
    /// Cases looked at.
    looked_at: Vec<String>,
    /// The latest case that is closed.
    former: Option<Case>,
    /// Whether cases are looked at without their descriptions, because one is too long to be read.
    short: bool,
    /// What came of a note that was refused: perhaps the case was closed meanwhile.
    note_refused: Option<Verdict>,
    pub(super) memory: Memory,
}

impl<'a> Searching<'a> {
    pub(super) fn begin(desk: &'a dyn Desk, about: About<'a>, memory: Memory) -> Self {
        let state = match &memory.case {
            _ if about.goal == Goal::Nothing => State::Over(Verdict::Delivered),
            Some(case) => State::Looking(case.clone()),
            None => State::Finding,
        };
        let mut this = Self {
            desk,
            about,
            state,
            searched: false,
            candidates: VecDeque::new(),
            looked_at: Vec::new(),
            former: None,
            short: false,
            note_refused: None,
            memory,
        };
        if this.about.goal == Goal::Nothing {
            this.told();
        }
        this
    }

    pub(super) fn step(&mut self) -> Step {
        let Self { desk, about, former, .. } = self;
        let ask = match &self.state {
            State::Looking(case) if self.short => {
                desk.look(case, &About { again: false, ..about.clone() })
            }
            // Which alert opened it tells what came of an attempt.
            State::Looking(case) if self.memory.opening.is_some() => {
                desk.look(case, &About { again: true, ..about.clone() })
            }
            State::Looking(case) => desk.look(case, about),
            State::Finding => desk.find(about),
            State::Opening => {
                // Remembered before it is sent: whoever dies on the way must not be followed by one who does it again.
                self.memory.opening =
                    Some(Opening { alert: about.alert.id.clone(), since: about.at });
                desk.open(about, former.as_ref())
            }
            State::Reading(found) => desk.read(&found.case, about),
            State::Noting(found) => desk.note(found, about),
            State::AskingWays(case) => match desk.ways(case) {
                Some(ask) => ask,
                None => return self.resolving(),
            },
            State::Resolving(..) => return self.resolving(),
            State::Over(verdict) => return Step::End(verdict.clone()),
        };
        Step::Ask(ask)
    }

    fn resolving(&mut self) -> Step {
        let (case, ways) = match &self.state {
            State::AskingWays(case) => (case.clone(), None),
            State::Resolving(case, ways) => (case.clone(), ways.clone()),
            _ => return self.step(),
        };
        if let Some(ask) = self.desk.resolve(&case, &self.about, ways.as_ref()) {
            self.state = State::Resolving(case, ways);
            return Step::Ask(ask);
        }
        // The note says that it is over; closing is left to people.
        self.told();
        Step::End(Verdict::Delivered)
    }

    pub(super) fn take(&mut self, answered: &Answered) {
        let state = self.state.clone();
        let reply = match answered {
            Ok(reply) => reply,
            Err((what, why)) => {
                if state == State::Opening && *what != NoAnswer::Ambiguous {
                    self.memory.opening = None;
                }
                self.state = State::Over(judge_no_answer(*what, why));
                return;
            }
        };
        if !(200..300).contains(&reply.status) {
            self.refused(state, reply);
            return;
        }
        if matches!(state, State::Looking(_)) && !reply.whole && self.about.again && !self.short {
            self.short = true;
            return;
        }
        let json = || serde_json::from_str::<Json>(&reply.body).ok().filter(|_| reply.whole);
        let understood = match state {
            State::Looking(_) => json().and_then(|body| self.desk.looked(&body)).map(|found| {
                self.looked(found);
            }),
            State::Finding => {
                json().and_then(|body| self.desk.found(&body, &self.about)).map(|found| {
                    self.found(found);
                })
            }
            State::Opening => json().and_then(|body| self.desk.opened(&body)).map(|case| {
                self.memory.opening = None;
                self.memory.case = Some(case.clone());
                self.then_resolve(case);
            }),
            State::Reading(found) => {
                // What cannot be read says nothing: a note too many does less harm than one too few.
                match (reply.body.contains(&self.about.alert.id), found.open) {
                    (true, true) => self.then_resolve(found.case),
                    (true, false) => self.told(),
                    (false, true) => self.state = State::Noting(found),
                    (false, false) => self.is_former(found.case),
                }
                Some(())
            }
            State::Noting(found) => {
                self.then_resolve(found.case);
                Some(())
            }
            State::AskingWays(case) => json().map(|ways| {
                self.state = State::Resolving(case, Some(ways));
            }),
            State::Resolving(..) => {
                self.told();
                Some(())
            }
            State::Over(_) => Some(()),
        };
        if understood.is_none() {
            let why = if reply.whole {
                format!("status {}: the answer is not what the documentation says", reply.status)
            } else {
                "the answer broke off, or goes on after 64 KB".to_owned()
            };
            self.state = State::Over(Verdict::Retry { after: reply.retry_after, why });
        }
    }

    /// An answer that is no success.
    fn refused(&mut self, state: State, reply: &Reply) {
        match state {
            // It was deleted.
            State::Looking(case) if matches!(reply.status, 404 | 410) => {
                self.looked_at.push(case.id);
                self.note_refused = None;
                self.next();
                return;
            }
            // Someone may have closed or deleted it between the look and the note.
            State::Noting(found)
                if matches!(reply.status, 400 | 403 | 404 | 409 | 410 | 422)
                    && self.note_refused.is_none() =>
            {
                self.note_refused = Some(self.desk.judge(reply));
                self.state = State::Looking(found.case);
                return;
            }
            // The right to read notes is not needed otherwise.
            State::Reading(found) if (400..500).contains(&reply.status) && reply.status != 429 => {
                if found.open {
                    self.state = State::Noting(found);
                } else {
                    self.is_former(found.case);
                }
                return;
            }
            // The note is there and says that it is over; closing is left to people.
            State::AskingWays(_) | State::Resolving(..)
                if matches!(reply.status, 400 | 403 | 404 | 405 | 409 | 422) =>
            {
                self.told();
                return;
            }
            _ => {}
        }
        // An answer that says that nothing was done. Anything else may come from something in between.
        let done_nothing = matches!(reply.status, 300..=407 | 410..=499);
        if state == State::Opening && done_nothing {
            self.memory.opening = None;
        }
        self.state = State::Over(self.desk.judge(reply));
    }

    fn looked(&mut self, found: Found) {
        self.looked_at.push(found.case.id.clone());
        self.memory.opened(&found.text);
        if !found.open {
            self.note_refused = None;
            let tells = self.about.goal != Goal::Resolve;
            if tells && self.about.again && found.text.contains(&self.about.alert.id) {
                // It was this alert that opened it, and a person has closed it since.
                self.told();
            } else if tells && self.about.again {
                self.state = State::Reading(found);
            } else {
                self.is_former(found.case);
            }
            return;
        }
        if let Some(verdict) = self.note_refused.take() {
            self.state = State::Over(verdict);
            return;
        }
        self.memory.case = Some(found.case.clone());
        // Whether that attempt or another opened it: nobody needs to try again.
        self.memory.opening = None;
        self.state = if self.about.again && found.text.contains(&self.about.alert.id) {
            // It was this alert that opened it.
            self.then_resolve(found.case);
            return;
        } else if self.about.again {
            State::Reading(found)
        } else {
            State::Noting(found)
        };
    }

    /// A closed case that does not have this alert: another one is looked for, or opened.
    fn is_former(&mut self, case: Case) {
        self.former.get_or_insert(case);
        self.next();
    }

    fn found(&mut self, found: Vec<Found>) {
        self.searched = true;
        // A search may show a case as closed that was opened again since: the newest is looked at in any case.
        for (n, found) in found.into_iter().enumerate() {
            if (found.open || n == 0) && !self.looked_at.contains(&found.case.id) {
                self.candidates.push_back(found.case);
            } else if !found.open && self.former.is_none() {
                self.former = Some(found.case);
            }
        }
        self.next();
    }

    /// The next case to look at, the search, or what is to be done when there is no open case.
    fn next(&mut self) {
        self.state = if let Some(case) = self.candidates.pop_front() {
            State::Looking(case)
        } else if !self.searched {
            State::Finding
        } else if let Some(Opening { since, .. }) = &self.memory.opening
            && self.about.at < *since + SETTLE
        {
            let why = format!(
                "a case was asked for at {}, and whether it was opened is not known yet: it is searched for until {}",
                since.format("%T UTC"),
                (*since + SETTLE).format("%T UTC")
            );
            State::Over(Verdict::Retry { after: None, why })
        } else if self.about.goal == Goal::Resolve {
            self.told();
            return;
        } else {
            State::Opening
        };
    }

    /// The alert is told: close the case, if that is what is wanted.
    fn then_resolve(&mut self, case: Case) {
        match self.about.goal {
            Goal::Resolve | Goal::TellAndResolve => self.state = State::AskingWays(case),
            Goal::Tell | Goal::Nothing => self.told(),
        }
    }

    fn told(&mut self) {
        self.memory.tells(&self.about);
        self.state = State::Over(Verdict::Delivered);
    }
}
