//! Datetimes and timespans, one line each: the text, the type and the value.

use crate::functions::all;
use crate::support::{refused, typed};

const DAY: &str = "T00:00:00.0000000Z";

#[test]
fn parts() {
    let t = "datetime(2017-10-30 01:02:03.7654321)";
    let cases = [
        ("datetime_part('year', T)", "int 2017"),
        ("datetime_part('Quarter', T)", "int 4"),
        ("datetime_part('month', T)", "int 10"),
        ("datetime_part('week_of_year', T)", "int 44"),
        ("datetime_part('day', T)", "int 30"),
        ("datetime_part('dayOfYear', T)", "int 303"),
        ("datetime_part('hour', T)", "int 1"),
        ("datetime_part('minute', T)", "int 2"),
        ("datetime_part('second', T)", "int 3"),
        ("datetime_part('millisecond', T)", "int 765"),
        ("datetime_part('microsecond', T)", "int 765432"),
        ("datetime_part('nanosecond', T)", "int 765432100"),
        ("datepart('Day', T)", "int 30"),
        ("datetime_part('day', datetime(null))", "int ∅"),
        ("hourofday(T)", "int 1"),
        ("dayofmonth(T)", "int 30"),
        ("dayofyear(T)", "int 303"),
        ("dayofweek(T)", "timespan 1.00:00:00"),
        ("dayofweek(datetime(1947-11-30 10:00:05))", "timespan 00:00:00"),
        ("toint(dayofweek(datetime(1970-05-12)) / 1d)", "int 2"),
        ("monthofyear(T)", "int 10"),
        ("getmonth(T)", "int 10"),
        ("getyear(T)", "int 2017"),
        ("week_of_year(datetime(2020-12-31))", "int 53"),
        ("week_of_year(datetime(2020-06-15))", "int 25"),
        ("week_of_year(datetime(1970-01-01))", "int 1"),
        ("week_of_year(datetime(2000-01-01))", "int 52"),
        ("week_of_year(datetime(2021-01-03))", "int 53"),
        ("week_of_year(datetime(2021-01-04))", "int 1"),
        ("week_of_year(datetime(9999-12-31))", "int 52"),
        ("week_of_year(datetime(0001-01-01))", "int 1"),
        ("getyear(datetime(null))", "int ∅"),
    ];
    let cases: Vec<(String, &str)> = cases
        .iter()
        .map(|(text, wanted)| {
            (text.replace("(T)", &format!("({t})")).replace(" T)", &format!(" {t})")), *wanted)
        })
        .collect();
    all(&cases.iter().map(|(text, wanted)| (text.as_str(), *wanted)).collect::<Vec<_>>());
}

#[test]
fn periods() {
    let day = |text: &str| format!("datetime {text}{DAY}");
    let end = |text: &str| format!("datetime {text}T23:59:59.9999999Z");
    let cases = [
        ("startofday(datetime(2017-01-01 10:10:17))", day("2017-01-01")),
        ("startofday(datetime(2017-01-01 10:10:17), -1)", day("2016-12-31")),
        ("startofweek(datetime(2017-01-01 10:10:17), -1)", day("2016-12-25")),
        ("startofweek(datetime(2017-01-01 10:10:17))", day("2017-01-01")),
        ("startofweek(datetime(2017-01-07 23:59))", day("2017-01-01")),
        ("startofmonth(datetime(2017-01-01 10:10:17), -1)", day("2016-12-01")),
        ("startofmonth(datetime(2017-01-31), 1)", day("2017-02-01")),
        ("startofyear(datetime(2017-06-01), 1)", day("2018-01-01")),
        ("endofday(datetime(2017-01-01 10:10:17))", end("2017-01-01")),
        ("endofweek(datetime(2017-01-01 10:10:17), -1)", end("2016-12-31")),
        ("endofweek(datetime(2017-01-01 10:10:17), 1)", end("2017-01-14")),
        ("endofmonth(datetime(2016-02-01))", end("2016-02-29")),
        ("endofmonth(datetime(2017-01-31), 1)", end("2017-02-28")),
        ("endofyear(datetime(2017-01-31), -1)", end("2016-12-31")),
        ("endofyear(datetime(9999-05-05))", end("9999-12-31")),
        ("startofyear(datetime(9999-05-05), 1)", "datetime ∅".to_owned()),
        ("startofday(datetime(null))", "datetime ∅".to_owned()),
        ("datetime_add('year', 1, datetime(2017-01-01))", day("2018-01-01")),
        ("datetime_add('quarter', 12, make_datetime(2017,1,1))", day("2020-01-01")),
        ("datetime_add('month', -15, datetime(2017-01-01))", day("2015-10-01")),
        ("datetime_add('month', 1, datetime(2017-01-31))", day("2017-02-28")),
        ("datetime_add('year', 1, datetime(2016-02-29))", day("2017-02-28")),
        ("datetime_add('Week', 100, datetime(2017-01-01))", day("2018-12-02")),
        ("datetime_add('day', 1, datetime(2017-01-01))", day("2017-01-02")),
        ("datetime_add('hour', 24, datetime(2017-01-01))", day("2017-01-02")),
        (
            "datetime_add('second', -1, datetime(2017-01-01))",
            "datetime 2016-12-31T23:59:59.0000000Z".to_owned(),
        ),
        (
            "datetime_add('nanosecond', 1200, datetime(2017-01-01))",
            "datetime 2017-01-01T00:00:00.0000012Z".to_owned(),
        ),
        ("datetime_add('year', 9999, datetime(2017-01-01))", "datetime ∅".to_owned()),
        ("datetime_diff('year', datetime(2017-01-01), datetime(2000-12-31))", "long 17".to_owned()),
        (
            "datetime_diff('quarter', datetime(2017-07-01), datetime(2017-03-30))",
            "long 2".to_owned(),
        ),
        (
            "datetime_diff('month', datetime(2017-01-01), datetime(2015-12-30))",
            "long 13".to_owned(),
        ),
        (
            "datetime_diff('week', datetime(2017-10-29 00:00), datetime(2017-09-30 23:59))",
            "long 5".to_owned(),
        ),
        (
            "datetime_diff('day', datetime(2017-10-29 00:00), datetime(2017-09-30 23:59))",
            "long 29".to_owned(),
        ),
        (
            "datetime_diff('hour', datetime(2017-10-31 01:00), datetime(2017-10-30 23:59))",
            "long 2".to_owned(),
        ),
        (
            "datetime_diff('minute', datetime(2017-10-30 23:05:01), datetime(2017-10-30 23:00:59))",
            "long 5".to_owned(),
        ),
        (
            "datetime_diff('second', datetime(2017-10-30 23:00:10.100), datetime(2017-10-30 23:00:00.900))",
            "long 10".to_owned(),
        ),
        (
            "datetime_diff('millisecond', datetime(2017-10-30 23:00:00.200100), datetime(2017-10-30 23:00:00.100900))",
            "long 100".to_owned(),
        ),
        (
            "datetime_diff('microsecond', datetime(2017-10-30 23:00:00.1009001), datetime(2017-10-30 23:00:00.1008009))",
            "long 100".to_owned(),
        ),
        (
            "datetime_diff('nanosecond', datetime(2017-10-30 23:00:00.0000000), datetime(2017-10-30 23:00:00.0000007))",
            "long -700".to_owned(),
        ),
        ("datetime_diff('day', datetime(null), datetime(2017-01-01))", "long ∅".to_owned()),
        ("make_datetime(2017,10,01)", day("2017-10-01")),
        ("make_datetime(2017,10,01,12,10)", "datetime 2017-10-01T12:10:00.0000000Z".to_owned()),
        (
            "make_datetime(2017,10,01,12,11,0.1234567)",
            "datetime 2017-10-01T12:11:00.1234567Z".to_owned(),
        ),
        ("make_datetime(2017,13,01)", "datetime ∅".to_owned()),
        ("make_datetime(2017,02,29)", "datetime ∅".to_owned()),
        ("make_datetime(2017,1,1,24,0)", "datetime ∅".to_owned()),
        ("make_timespan(1,12)", "timespan 01:12:00".to_owned()),
        ("make_timespan(1,12,30.5)", "timespan 01:12:30.5000000".to_owned()),
        ("make_timespan(1,12,30,55.123)", "timespan 1.12:30:55.1230000".to_owned()),
        ("make_timespan(24,0)", "timespan ∅".to_owned()),
        ("unixtime_seconds_todatetime(1546300800)", day("2019-01-01")),
        ("unixtime_seconds_todatetime(-1)", "datetime 1969-12-31T23:59:59.0000000Z".to_owned()),
        ("unixtime_seconds_todatetime(1.5)", "datetime 1970-01-01T00:00:01.5000000Z".to_owned()),
        ("unixtime_milliseconds_todatetime(1546300800000)", day("2019-01-01")),
        ("unixtime_microseconds_todatetime(1546300800000000)", day("2019-01-01")),
        ("unixtime_nanoseconds_todatetime(1546300800000000000)", day("2019-01-01")),
        ("unixtime_seconds_todatetime(9223372036854775807)", "datetime ∅".to_owned()),
        ("unixtime_seconds_todatetime(long(null))", "datetime ∅".to_owned()),
    ];
    all(&cases.iter().map(|(text, wanted)| (*text, wanted.as_str())).collect::<Vec<_>>());
}

#[test]
fn bins() {
    all(&[
        ("bin_at(6.5, 2.5, 7)", "real 4.5"),
        ("bin_at(7, 3, 1)", "long 7"),
        ("bin_at(6, 3, 1)", "long 4"),
        ("bin_at(-1, 3, 1)", "long -2"),
        ("bin_at(1h, 1d, 12h)", "timespan -12:00:00"),
        (
            "bin_at(datetime(2017-05-15 10:20:00.0), 1d, datetime(1970-01-01 12:00:00.0))",
            "datetime 2017-05-14T12:00:00.0000000Z",
        ),
        (
            "bin_at(datetime(2017-05-17 10:20:00.0), 7d, datetime(2017-06-04 00:00:00.0))",
            "datetime 2017-05-14T00:00:00.0000000Z",
        ),
        ("bin_at(datetime(null), 1d, datetime(2017-06-04))", "datetime ∅"),
        ("bin_at(5, 0, 1)", "long ∅"),
        ("bin(datetime(1970-05-11 13:45:07), 1d)", "datetime 1970-05-11T00:00:00.0000000Z"),
        ("bin(16d, 7d)", "timespan 14.00:00:00"),
        ("bin(-1h, 1d)", "timespan -1.00:00:00"),
        ("bin(4.5, 1)", "real 4.0"),
        ("bin(-7, 5)", "long -10"),
        ("bin(7, -5)", "long ∅"),
    ]);
}

#[test]
fn formats() {
    all(&[
        (
            "format_datetime(datetime(2017-01-29 09:00:05), 'yy-MM-dd [HH:mm:ss]')",
            "string 17-01-29 [09:00:05]",
        ),
        (
            "format_datetime(datetime(2017-01-29 09:00:05), 'yyyy-M-dd [H:mm:ss]')",
            "string 2017-1-29 [9:00:05]",
        ),
        (
            "format_datetime(datetime(2017-01-29 09:00:05), 'yy-MM-dd [hh:mm:ss tt]')",
            "string 17-01-29 [09:00:05 AM]",
        ),
        (
            "format_datetime(datetime(2009-06-15 13:45:30.6175425), 'f ff fff ffff fffff ffffff fffffff')",
            "string 6 61 617 6175 61754 617542 6175425",
        ),
        ("format_datetime(datetime(2009-06-15 13:45:30.05), 'F,FF,FFF,s.F')", "string ,05,05,30."),
        ("format_datetime(datetime(2009-06-15 13:45:30.000115), 'FFFFFFF')", "string 000115"),
        (
            "format_datetime(datetime(2009-06-15 13:09:09), 'h H m s d M y tt')",
            "string 1 13 9 9 15 6 9 PM",
        ),
        ("format_datetime(datetime(2009-06-15 00:00), 'h hh H HH tt')", "string 12 12 0 00 AM"),
        ("format_datetime(datetime(0900-01-01), 'y yy yyyy')", "string 0 00 0900"),
        ("format_datetime(datetime(null), 'yyyy')", "string "),
        ("format_timespan(time(29.09:00:05.12345), 'dd.hh:mm:ss:FF')", "string 29.09:00:05:12"),
        (
            "format_timespan(time(29.09:00:05.12345), 'ddd.h:mm:ss [fffffff]')",
            "string 029.9:00:05 [1234500]",
        ),
        ("format_timespan(25h, 'd HH H m s')", "string 1 01 1 0 0"),
        ("format_timespan(-90m, 'hh:mm')", "string 01:30"),
        ("format_timespan(timespan(null), 'hh')", "string "),
    ]);
}

#[test]
fn texts() {
    let same = |text: &str| format!("todatetime('{text}')");
    let at = |text: &str| format!("datetime {text}.0000000Z");
    let mut cases: Vec<(String, String)> = Vec::new();
    for text in [
        "Sat, 8 Nov 14 15:05:02 GMT",
        "Sat, 8 Nov 14 15:05:02",
        "8 Nov 14 15:05:02 GMT",
        "8 Nov 2014 15:05:02",
        "Saturday, 08-Nov-14 15:05:02 GMT",
        "08-Nov-14 15:05:02",
        "2014-11-08 15:05:02",
        "2014-11-08 15:05:02 GMT",
        "2014-11-08T15:05:02Z",
        "2014-11-8 15:05:02",
        "2014-11-08T17:05:02+02:00",
        "11/08/2014 15:05:02",
        "11/8/2014 3:05:02 PM",
        "2014/11/08 15:05:02",
        "  2014-11-08T15:05:02.0Z ",
        "2014-11-08T10:05:02-0500",
    ] {
        cases.push((same(text), at("2014-11-08T15:05:02")));
    }
    for (text, wanted) in [
        ("Sat, 8 Nov 14 15:05", "2014-11-08T15:05:00"),
        ("Saturday, 08-Nov-14 15:05 GMT", "2014-11-08T15:05:00"),
        ("8 Nov 99 15:05", "1999-11-08T15:05:00"),
        ("2014-11-08", "2014-11-08T00:00:00"),
        ("12-02-2022", "2022-12-02T00:00:00"),
        ("12/02/2022 12:00 AM", "2022-12-02T00:00:00"),
    ] {
        cases.push((same(text), at(wanted)));
    }
    for text in [
        "",
        "x",
        "13/02/2022",
        "2014-13-01",
        "2014-02-30",
        "2014-11-08 25:00",
        "8 Foo 14 15:05",
        "08-Nov 14",
        "2014-11-08T15:05:02 mars",
    ] {
        cases.push((same(text), "datetime ∅".to_owned()));
    }
    for (text, wanted) in [
        ("0.00:03:00", "00:03:00"),
        ("1.02:03:04.5", "1.02:03:04.5000000"),
        ("-00:00:01", "-00:00:01"),
        ("2", "2.00:00:00"),
        ("1d", "1.00:00:00"),
        ("25:00:00", "∅"),
        ("x", "∅"),
        ("", "∅"),
    ] {
        cases.push((format!("totimespan('{text}')"), format!("timespan {wanted}")));
    }
    all(&cases.iter().map(|(text, wanted)| (text.as_str(), wanted.as_str())).collect::<Vec<_>>());
}

#[test]
fn arithmetic() {
    all(&[
        ("datetime(1997-06-25) - datetime(1910-06-11)", "timespan 31791.00:00:00"),
        ("datetime(1970-01-01) + 1546897531 * 1sec", "datetime 2019-01-07T21:45:31.0000000Z"),
        ("(datetime(2019-01-07 21:45:31) - datetime(1970-01-01)) / 1s", "real 1546897531.0"),
        ("1d / 5h", "real 4.8"),
        ("1.5 * 1h", "timespan 01:30:00"),
        ("1h * decimal(1.5)", "timespan 01:30:00"),
        ("1h / 0", "timespan ∅"),
        ("1h / 0s", "real Infinity"),
        ("0s / 0s", "real NaN"),
        ("1h % 0s", "timespan ∅"),
        ("-10m % 1h", "timespan 00:50:00"),
        ("datetime(2026-01-01 10:20) % 1h", "timespan 00:20:00"),
        ("datetime(0001-01-01) - 1tick", "datetime ∅"),
        ("datetime(9999-12-31 23:59:59.9999999) + 1tick", "datetime ∅"),
        ("timespan(null) + 1h", "timespan ∅"),
        ("-1h", "timespan -01:00:00"),
        ("24 * 60 * time(00:01:00) / time(1s)", "real 86400.0"),
        ("timespan(15 seconds)", "timespan 00:00:15"),
        ("timespan(2)", "timespan 2.00:00:00"),
        ("time(0.12:34:56.7)", "timespan 12:34:56.7000000"),
        ("10microsecond", "timespan 00:00:00.0000100"),
        ("datetime(2026-01-05) between (datetime(2026-01-01) .. 4d)", "bool True"),
        (
            "datetime(2026-01-05 00:00:00.0000001) between (datetime(2026-01-01) .. 4d)",
            "bool False",
        ),
        ("datetime(null) == datetime(2026-01-01)", "bool False"),
        ("datetime(null) < datetime(2026-01-01)", "bool ∅"),
        ("tolong(datetime(0001-01-01 00:00:00.0000007))", "long 7"),
        ("tolong(1s)", "long 10000000"),
    ]);
}

#[test]
#[cfg(feature = "timezones")]
fn zones() {
    all(&[
        (
            "datetime_utc_to_local(datetime(2022-07-11 22:18:48.4678620), 'US/Pacific')",
            "datetime 2022-07-11T15:18:48.4678620Z",
        ),
        (
            "datetime_utc_to_local(datetime(2022-07-11 22:18:48.4678620), 'Australia/Canberra')",
            "datetime 2022-07-12T08:18:48.4678620Z",
        ),
        (
            "datetime_local_to_utc(datetime(2020-02-02 20:02:20), 'Europe/Paris')",
            "datetime 2020-02-02T19:02:20.0000000Z",
        ),
        (
            "datetime_local_to_utc(datetime(2020-02-02 20:02:20), 'America/Chicago')",
            "datetime 2020-02-03T02:02:20.0000000Z",
        ),
        (
            "datetime_local_to_utc(datetime(2020-02-02 20:02:20), strcat('US/', 'Pacific'))",
            "datetime 2020-02-03T04:02:20.0000000Z",
        ),
        (
            "datetime_local_to_utc(datetime(2022-03-27 01:00), 'Europe/Brussels')",
            "datetime 2022-03-27T00:00:00.0000000Z",
        ),
        (
            "datetime_local_to_utc(datetime(2022-03-27 02:00), 'Europe/Brussels')",
            "datetime 2022-03-27T00:00:00.0000000Z",
        ),
        (
            "datetime_local_to_utc(datetime(2022-03-27 03:00), 'Europe/Brussels')",
            "datetime 2022-03-27T01:00:00.0000000Z",
        ),
        (
            "datetime_local_to_utc(datetime(2022-10-30 02:30), 'Europe/Brussels')",
            "datetime 2022-10-30T00:30:00.0000000Z",
        ),
        (
            "datetime_utc_to_local(datetime(2099-07-01), 'Europe/Berlin')",
            "datetime 2099-07-01T02:00:00.0000000Z",
        ),
        (
            "datetime_utc_to_local(datetime(2022-07-01), 'UTC')",
            "datetime 2022-07-01T00:00:00.0000000Z",
        ),
        ("datetime_utc_to_local(datetime(null), 'UTC')", "datetime ∅"),
        ("array_length(datetime_list_timezones()) > 400", "bool True"),
    ]);
}

#[test]
fn refusals() {
    let cases: [(&str, &[&str]); 9] = [
        ("T | project datetime_part(s, t)", &["KS131@26+1"]),
        ("T | project datetime_add('x', 1, t)", &["KS140@25+3"]),
        ("T | project datetime_diff('x', t, t)", &["KS140@26+3"]),
        ("T | project datetime_part('x', t)", &["KS140@26+3"]),
        ("T | project now(t)", &["KS107@16+1"]),
        ("T | project ago(1)", &["KS107@16+1"]),
        ("T | project format_timespan(t, 'hh')", &["KS107@28+1"]),
        ("T | project unixtime_seconds_todatetime(s)", &["KS137@40+1"]),
        ("T | project t > '2020-01-01'", &["KS106@14+1"]),
    ];
    for (query, wanted) in cases {
        assert_eq!(refused(&typed(), query), wanted, "{query}");
    }
}
