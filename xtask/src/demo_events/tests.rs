use super::*;

const BUNDLED: &str = include_str!("../../../demo/events.jsonl");

#[test]
fn the_bundled_file_is_what_the_seed_gives() {
    assert!(generate(SEED) == BUNDLED, "run `cargo xtask demo-events`");
    assert!(generate(SEED + 1) != BUNDLED, "the seed is not used");
}

#[test]
fn any_seed_tells_the_same_story_within_the_limits() {
    let operations = |seed| {
        let mut operations: Vec<_> =
            day::events(seed).iter().map(|e| (e.caller, e.operation)).collect();
        operations.sort_unstable();
        operations
    };
    let bundled = operations(SEED);
    for seed in 0..20 {
        assert_eq!(operations(seed), bundled);
        for event in day::events(seed) {
            let late = event.delay;
            assert!((180..=40 * 3_600).contains(&late), "{event:?}");
            assert!(event.at < 3 * DAY, "{event:?}");
            assert!(event.available() <= 4 * 86_400 + 18 * 3_600, "{event:?}");
        }
    }
    assert!(BUNDLED.len() <= 1_500_000, "{} bytes", BUNDLED.len());
    assert!((3_000..=5_000).contains(&bundled.len()), "{} lines", bundled.len());
}

#[test]
fn lines_are_in_the_order_of_their_arrival() {
    let arrivals: Vec<&str> = BUNDLED
        .lines()
        .map(|l| l.split(r#""available":""#).nth(1).unwrap().split('"').next().unwrap())
        .collect();
    assert!(arrivals.is_sorted());
}

#[test]
fn hostile_texts_stay_inside_their_string() {
    assert_eq!(escaped("a\"b\\c\nd\u{202e}\u{1f511}"), r#"a\"b\\c\u000ad\u202e\ud83d\udd11"#);
    assert!(BUNDLED.is_ascii());
    assert!(BUNDLED.contains(&escaped(host::HOSTILE)));
}

#[test]
fn check_wants_nothing_else() {
    let run = |args: &[&str]| run(&args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
    assert!(run(&["--check"]).is_ok());
    assert!(run(&["--chekc"]).unwrap_err().to_string().contains("Usage"));
}
