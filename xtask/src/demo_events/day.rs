//! What happens: an ordinary Tuesday, 3 March 2026, and the evening on which somebody who should not be there is.

use super::host::{
    ADMINS, DOCUMENTS, HOSTILE, Host, ISSUING_CA, KNOWN, PAYMENTS, PROBES, ROTATION, STRANGER,
};
use super::random::Random;
use super::{DAY, Event, HOUR, MINUTE, SECOND};

/// All records, in the order in which they are told here.
pub(super) fn events(seed: u64) -> Vec<Event> {
    let mut day = Day { random: Random::new(seed), events: Vec::new() };
    day.past();
    day.night();
    day.applications();
    day.certificates();
    day.probes();
    day.office();
    day.delayed_hour();
    day.incident();
    day.events
}

/// An instant of 3 March.
fn at(hour: u64, minute: u64, second: u64) -> u64 {
    2 * DAY + hour * HOUR + minute * MINUTE + second * SECOND
}

struct Day {
    random: Random,
    events: Vec<Event>,
}

impl Day {
    /// Logs an operation some fraction of a second after `at`; it arrives within 3 to 10 minutes.
    fn log(&mut self, host: &Host, at: u64, operation: &'static str) {
        let slow = operation.starts_with("CN_GENERATE") || operation.ends_with("_PSWD");
        let milliseconds =
            if slow { self.random.range(180, 900) } else { self.random.range(2, 40) };
        let at = at + self.random.range(0, SECOND);
        let (delay, instance) = (self.random.range(180, 600), self.random.range(1, 4));
        // Signatures are the bulk of the file, and nobody looks at their client's version.
        let sdk = if operation == "HASH_SINGLE_CALL" { "" } else { host.sdk };
        self.events.push(Event {
            at,
            hsm: host.hsm,
            instance: u8::try_from(instance).unwrap_or(1),
            operation,
            caller: host.caller,
            client: host.client,
            sdk,
            milliseconds,
            delay,
        });
    }

    /// Logs operations a few seconds apart; answers when the last was.
    fn run(&mut self, host: &Host, start: u64, operations: &[&'static str]) -> u64 {
        let mut at = start;
        for operation in operations {
            at += self.random.range(SECOND, 6 * SECOND);
            self.log(host, at, operation);
        }
        at
    }

    /// Logs one operation many times from `from` to `to`; answers when the last was.
    fn spread(&mut self, host: &Host, from: u64, to: u64, count: u64, operation: &'static str) {
        for i in 0..count {
            let step = (to - from) / count;
            let at = from + i * step + self.random.range(0, step);
            self.log(host, at, operation);
        }
    }

    /// The last record once more: equal in everything, and yet another event.
    fn again(&mut self) {
        self.events.extend(self.events.last().cloned());
    }

    /// The last record is found this much later than it happened.
    fn late(&mut self, seconds: u64) {
        if let Some(event) = self.events.last_mut() {
            event.delay = seconds;
        }
    }

    /// Two days before: enough to know who is known, and never to be told, because nobody watched yet.
    fn past(&mut self) {
        for (minute, host) in (0..).zip(&KNOWN) {
            for day in 0..2 {
                let start = day * DAY + 9 * HOUR + minute * 7 * MINUTE;
                self.run(
                    host,
                    start,
                    &["CN_LOGIN", "CN_AUTHORIZE_SESSION", "CN_TOKEN_INFO", "CN_LOGOUT"],
                );
            }
        }
        self.log(&ROTATION, DAY + 90 * MINUTE, "CN_GENERATE_KEY");
        self.log(&ROTATION, DAY + 100 * MINUTE, "CN_TOMBSTONE_OBJECT");
    }

    /// The nightly rotation, which deletes the key before last, and the backup.
    fn night(&mut self) {
        let rotation = [
            "CN_LOGIN",
            "CN_AUTHORIZE_SESSION",
            "CN_FIND_OBJECTS_FROM_INDEX",
            "CN_GENERATE_KEY",
            "CN_SHARE_OBJECT",
            "CN_MODIFY_OBJECT",
            "CN_GET_ATTRIBUTE_VALUE",
            "CN_TOMBSTONE_OBJECT",
            "CN_LOGOUT",
        ];
        self.run(&ROTATION, at(1, 30, 0), &rotation);
        for probe in &PROBES {
            self.log(probe, at(3, 0, 0), "CN_BACKUP_BEGIN");
            self.log(probe, at(3, 4, 0), "CN_BACKUP_END");
        }
    }

    /// Payments around the clock, documents in office hours: they log in every four hours, and sign.
    fn applications(&mut self) {
        for host in PAYMENTS.iter().chain([&DOCUMENTS]) {
            let shift = self.random.range(0, 20 * MINUTE);
            for shift in (0..6).map(|n| n * 4 * HOUR + shift) {
                let ready =
                    self.run(host, at(0, 0, 0) + shift, &["CN_LOGIN", "CN_AUTHORIZE_SESSION"]);
                self.run(host, ready, &["CN_FIND_OBJECTS_FROM_INDEX", "CN_GET_OBJECT_INFO"]);
                self.log(host, at(0, 0, 0) + shift + 215 * MINUTE, "CN_CLOSE_SESSION");
            }
        }
        for hour in 0..24 {
            let office = (7..19).contains(&hour);
            let (from, to) = (at(hour, 0, 0), at(hour, 59, 50));
            for host in &PAYMENTS {
                self.spread(host, from, to, if office { 56 } else { 20 }, "HASH_SINGLE_CALL");
                self.spread(host, from, to, 2, "CN_GET_OBJECT_INFO");
            }
            self.spread(&DOCUMENTS, from, to, if office { 28 } else { 2 }, "HASH_SINGLE_CALL");
            self.again();
        }
        // A client that lost its connection: two logins in the same tick, one of which arrives late.
        self.log(&PAYMENTS[0], at(14, 12, 30), "CN_LOGIN");
        self.again();
        self.late(95 * 60);
    }

    /// The issuing CA signs certificates by day and a revocation list twice.
    fn certificates(&mut self) {
        for (hour, count) in
            [(2, 1), (8, 12), (9, 22), (10, 25), (11, 18), (13, 20), (14, 26), (15, 16), (16, 9)]
        {
            let start = at(hour, 5, 0);
            let ready = self.run(&ISSUING_CA, start, &["CN_LOGIN", "CN_FIND_OBJECTS_FROM_INDEX"]);
            self.spread(&ISSUING_CA, ready, at(hour, 55, 0), count, "HASH_SINGLE_CALL");
            self.log(&ISSUING_CA, at(hour, 57, 0), "CN_LOGOUT");
        }
    }

    /// A health probe on each HSM every half hour: needs no login.
    fn probes(&mut self) {
        for slot in 0..48 {
            for probe in &PROBES {
                self.run(
                    probe,
                    at(0, 10, 0) + slot * 30 * MINUTE,
                    &["CN_TOKEN_INFO", "CN_PARTITION_INFO"],
                );
            }
        }
    }

    /// Administrators in office hours: look, and a planned change with a new user and a password.
    fn office(&mut self) {
        let look = [
            "CN_LOGIN",
            "CN_LIST_USERS",
            "CN_LIST_TOKENS",
            "CN_FIND_OBJECTS_USING_COUNT",
            "CN_GET_ATTRIBUTE_VALUE",
            "CN_LOGOUT",
        ];
        for (host, hour) in [(0, 8), (1, 9), (0, 13), (1, 15)] {
            if let Some(admin) = ADMINS.get(host) {
                let start = at(hour, 20, 0) + self.random.range(0, 20 * MINUTE);
                self.run(admin, start, &look);
            }
        }
        let [west, north] = &ADMINS;
        let change = [
            "CN_LOGIN",
            "CN_CREATE_USER",
            "CN_LIST_USERS",
            "CN_CHANGE_PSWD",
            "CN_SHARE_OBJECT",
            "CN_LOGOUT",
        ];
        self.run(west, at(10, 14, 0), &change);
        // The record of a login by the second administrator gets lost on its way, and turns up a day later.
        self.log(north, at(16, 41, 0), "CN_LOGIN");
        self.late(22 * 3_600);
        self.run(north, at(16, 41, 2), &["CN_LIST_USERS", "CN_LOGOUT"]);
    }

    /// The certificate authority gets a new key pair while North Europe's records arrive an hour and a half late.
    fn delayed_hour(&mut self) {
        let ceremony = [
            "CN_LOGIN",
            "CN_GENERATE_KEY_PAIR",
            "CN_GET_ALL_ATTRIBUTE_VALUE",
            "CN_MODIFY_OBJECT",
            "CN_LOGOUT",
        ];
        let [_, north] = &ADMINS;
        self.run(north, at(11, 4, 0), &ceremony);
        for event in &mut self.events {
            if event.hsm == north.hsm && (at(11, 0, 0)..at(11, 20, 0)).contains(&event.at) {
                event.delay = 90 * 60 + self.random.range(0, 300);
            }
        }
    }

    /// Somebody guesses a password, looks around, makes a user, carries keys out and deletes what is left.
    fn incident(&mut self) {
        let who = &STRANGER;
        self.spread(who, at(19, 42, 0), at(19, 54, 0), 34, "CN_LOGIN");
        self.run(
            who,
            at(19, 54, 30),
            &["CN_AUTHORIZE_SESSION", "CN_TOKEN_INFO", "CN_PARTITION_INFO", "CN_LIST_USERS"],
        );
        self.spread(who, at(19, 56, 0), at(20, 1, 0), 18, "CN_FIND_OBJECTS_USING_COUNT");
        self.spread(who, at(19, 57, 0), at(20, 2, 0), 14, "CN_GET_ALL_ATTRIBUTE_VALUE");
        self.log(who, at(20, 2, 20), "CN_CREATE_USER");
        if let Some(event) = self.events.last_mut() {
            event.client = HOSTILE;
        }
        self.run(
            who,
            at(20, 2, 50),
            &["CN_LIST_USERS", "CN_LOGIN", "CN_AUTHORIZE_SESSION", "CN_SHARE_OBJECT"],
        );
        self.spread(who, at(20, 4, 0), at(20, 7, 0), 6, "CN_EXTRACT_MASKED_OBJECT_USER");
        self.spread(who, at(20, 7, 0), at(20, 9, 0), 3, "CN_WRAP_KEY");
        // 38 deletions, two of them twice in the same tick. Those on the third HSM are found after a day or more.
        for n in 0..38 {
            self.log(who, at(20, 10, 0) + n * 11 * SECOND, "CN_TOMBSTONE_OBJECT");
            if n == 5 || n == 20 {
                self.again();
            } else if n % 4 == 1 {
                let hours_20_to_40 = self.random.range(20 * 3_600, 40 * 3_600);
                self.late(hours_20_to_40);
                if let Some(event) = self.events.last_mut() {
                    event.instance = 3;
                }
            }
        }
        self.run(who, at(20, 18, 0), &["CN_DELETE_USER", "CN_LOGOUT"]);
    }
}
