//! Audit rows to measure with: as the diagnostic settings of an HSM export them, the same on every machine.
#![forbid(unsafe_code)]

use std::io::{self, Write};

/// A generator of numbers: small, seeded.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap_or(0) % limit.max(1)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const OPERATIONS: &[&str] = &[
    "CN_LOGIN",
    "CN_LOGIN",
    "CN_LOGIN",
    "CN_LOGOUT",
    "CN_LOGOUT",
    "CN_AUTHORIZE_SESSION",
    "CN_AUTHORIZE_SESSION",
    "CN_FIND_OBJECTS_USING_COUNT",
    "CN_FIND_OBJECTS_USING_COUNT",
    "CN_GENERATE_KEY",
    "CN_GENERATE_KEY_PAIR",
    "CN_CREATE_USER",
    "CN_TOMBSTONE_OBJECT",
];

const CLIENTS: &[&str] = &[
    "azcloudhsm-pkcs11/2.0.2.1 (Linux 6.5.0-1025-azure; x86_64) signing-service",
    "azcloudhsm-pkcs11/2.0.2.1 (Windows Server 2022; x86_64) tls-offload",
    "azcloudhsm_util/2.0.2.1 (Linux 5.15.0-1075-azure; x86_64)",
];

/// Writes `rows` audit records as JSON lines, about 430 bytes each: one every six seconds from 2026-01-01, 400 callers,
/// six HSM instances.
///
/// # Errors
/// What the writer says.
pub fn write_rows(mut out: impl Write, rows: usize) -> io::Result<()> {
    let mut numbers = Numbers(7);
    for row in 0..rows {
        let seconds = row * 6;
        let (day, second) = (seconds / 86_400, seconds % 86_400);
        let (month, day) = date(day);
        let caller = numbers.below(400);
        let operation = numbers.one(OPERATIONS);
        let instance = numbers.below(6);
        writeln!(
            out,
            concat!(
                r#"{{"TimeGenerated":"2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:07}Z","OperationName":"{}","#,
                r#""CallerIpAddress":"10.{}.{}.{}","ClientInfo":"{}","#,
                r#""ClientSdkPackageVersion":"2.0.2.1","DurationMs":{},"HsmInstance":"ava-hsm{}","#,
                r#""ClusterType":"Standard_B1","ResultType":"Success","ResultSignature":"{}","#,
                r#""_ResourceId":"/subscriptions/0a1b2c3d-0000-4000-8000-000000000000/cloudhsmclusters/chsm{}"}}"#,
            ),
            month,
            day,
            second / 3_600,
            second / 60 % 60,
            second % 60,
            numbers.below(10_000_000),
            operation,
            caller / 100,
            caller / 10 % 10,
            caller % 10 + 4,
            CLIENTS[caller % CLIENTS.len()],
            numbers.below(900),
            instance,
            if numbers.below(50) == 0 { "RET_USER_LOGIN_FAILURE" } else { "0" },
            instance / 3,
        )?;
    }
    Ok(())
}

/// Month and day of the 0-based day of 2026 and the years after it, each taken as 2026.
fn date(day: usize) -> (usize, usize) {
    const MONTHS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut rest = day % 365;
    for (month, days) in MONTHS.into_iter().enumerate() {
        if rest < days {
            return (month + 1, rest + 1);
        }
        rest -= days;
    }
    (12, 31)
}

/// The queries that are measured, each with what it stands for. The table is `T`.
pub const QUERIES: &[(&str, &str)] = &[
    ("count", "T | count"),
    (
        "filter + project",
        "T | where OperationName in ('CN_CREATE_USER', 'CN_TOMBSTONE_OBJECT') and DurationMs > 100 \
         | project TimeGenerated, OperationName, CallerIpAddress, HsmInstance",
    ),
    (
        "filter by a text in it",
        "T | where ClientInfo has 'tls' and ResultSignature !has 'failure' | summarize count()",
    ),
    ("summarize by two keys", "T | summarize count(), avg(DurationMs) by OperationName, CallerIpAddress"),
    (
        "summarize by the hour",
        "T | summarize count(), dcount(CallerIpAddress) by bin(TimeGenerated, 1h) | sort by TimeGenerated asc",
    ),
    (
        "leftanti join",
        "T | where TimeGenerated >= datetime(2026-01-15) \
         | join kind=leftanti (T | where TimeGenerated < datetime(2026-01-15) and OperationName == 'CN_CREATE_USER') \
         on CallerIpAddress, HsmInstance | summarize count() by CallerIpAddress",
    ),
    ("sort", "T | sort by DurationMs desc, TimeGenerated asc | take 10 | project TimeGenerated, DurationMs"),
];
