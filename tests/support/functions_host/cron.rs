//! The schedules that the host takes: five fields, or six with seconds first. What a crate for cron takes is another
//! language: days of the week count from another day there.

const FIELDS: [(&str, u32, u32, &[&str]); 6] = [
    ("second", 0, 59, &[]),
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day", 1, 31, &[]),
    (
        "month",
        1,
        12,
        &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    ),
    ("day of the week", 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// Checks a schedule. Answers at how many seconds of a minute it fires.
pub(crate) fn seconds(schedule: &str) -> Result<usize, String> {
    let given: Vec<&str> = schedule.split_whitespace().collect();
    let fields = match given.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        n => return Err(format!("{n} fields; five or six are needed")),
    };
    let mut seconds = 1;
    for (text, (name, low, high, names)) in given.iter().zip(fields) {
        let count = values(text, *low, *high, names).ok_or(format!("`{text}` is no {name}"))?;
        if *name == "second" {
            seconds = count;
        }
    }
    Ok(seconds)
}

/// How many values a field stands for.
fn values(text: &str, low: u32, high: u32, names: &[&str]) -> Option<usize> {
    let number = |text: &str| {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + low);
        named.or_else(|| text.parse().ok()).filter(|n| (low..=high).contains(n))
    };
    let mut all = std::collections::BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0_usize)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(range)?, if part.contains('/') { high } else { number(range)? }),
        };
        if from > to {
            return None;
        }
        all.extend((from..=to).step_by(step));
    }
    Some(all.len())
}

#[test]
fn schedules_as_the_host_takes_them() {
    for (schedule, fires) in [
        ("0 */5 * * * *", 1),
        ("*/5 * * * *", 1),
        ("* * * * * *", 60),
        ("*/10 * * * * *", 6),
        ("0,30 * * * * *", 2),
        ("0 30 9 * Jan Mon-FRI", 1),
        ("0 0 0 1-15/2 * 0", 1),
    ] {
        assert_eq!(seconds(schedule), Ok(fires), "{schedule}");
    }
    for bad in ["", "* * * *", "60 * * * * *", "0 0 0 0 * *", "0 0 0 * * 7", "0 */0 * * * *", "x"] {
        assert!(seconds(bad).is_err(), "{bad}");
    }
    // Seven fields are another program's.
    assert!(seconds("0 0 0 * * * 2030").is_err());
}
