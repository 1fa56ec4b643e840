//! This machine's clock against those of the services.

use super::kinds::CLOCK;
use crate::hosts::checks::{Check, Cure};
use chrono::TimeDelta;

/// Up to this, clocks are the same: windows are cut by the service's.
const SAME: TimeDelta = TimeDelta::seconds(5);
/// Beyond this, tokens and signatures are refused.
const NEAR: TimeDelta = TimeDelta::seconds(60);

/// By how much the services' clocks are ahead of ours.
pub(super) fn check(skews: &[(&str, TimeDelta)]) -> Check {
    let Some((service, skew)) = skews.iter().max_by_key(|(_, skew)| skew.abs()) else {
        return CLOCK.skipped("no service answered, so that there is no time to compare with");
    };
    let which = if *skew > TimeDelta::zero() { "behind" } else { "ahead of" };
    let seconds = skew.abs().num_seconds();
    let cure = Cure::az("timedatectl set-ntp true")
        .and_text("let the machine keep its time by NTP; in a virtual machine let the host do it");
    if skew.abs() > NEAR {
        let seen = format!(
            "this machine is {seconds} s {which} {service}: tokens and signatures are refused, and windows end at the wrong time"
        );
        CLOCK.fail(seen).cure(cure)
    } else if skew.abs() > SAME {
        let seen = format!("this machine is {seconds} s {which} {service}");
        CLOCK.warn(seen).cure(cure)
    } else {
        let mut services: Vec<&str> = skews.iter().map(|(service, _)| *service).collect();
        services.sort_unstable();
        services.dedup();
        CLOCK.ok(format!("within {} s of {}", SAME.num_seconds(), services.join(" and ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::checks::Verdict;

    #[test]
    fn five_seconds_and_a_minute() {
        let of = |seconds: i64| {
            let check = check(&[("the query API", TimeDelta::seconds(seconds))]);
            (check.verdict, check.seen)
        };
        assert_eq!(of(5), (Verdict::Ok, "within 5 s of the query API".into()));
        assert_eq!(of(-6), (Verdict::Warn, "this machine is 6 s ahead of the query API".into()));
        assert_eq!(of(60).0, Verdict::Warn);
        let (verdict, seen) = of(61);
        assert_eq!(verdict, Verdict::Fail);
        assert!(seen.starts_with("this machine is 61 s behind the query API: tokens"), "{seen}");
        assert_eq!(check(&[]).verdict, Verdict::Skipped);
        let all =
            [("b", TimeDelta::zero()), ("a", TimeDelta::seconds(1)), ("b", TimeDelta::zero())];
        assert_eq!(check(&all).seen, "within 5 s of a and b");
        let two = [("a", TimeDelta::seconds(1)), ("b", TimeDelta::seconds(-9))];
        assert_eq!(check(&two).verdict, Verdict::Warn);
    }
}
