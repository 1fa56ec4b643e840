//! Secrets that change without a gap: at each step the receiver knows what the steps in docs/receivers.md say it knows, alerts
//! wait across each change, and none is refused.

use crate::support::bed::{SECRET as OLD, TestBed};
use crate::support::fake_receiver::Say;

const NEW: &str = "whsec_b3RoZXItc2VjcmV0LW9mLXRoZS10ZXN0LWJlZC0xMjM0";
const BOTH: &str = "previous_secrets = [{ env = \"PREVIOUS\" }]";

/// How many signatures each delivery so far carried.
fn signatures(bed: &TestBed) -> Vec<usize> {
    let deliveries = bed.at("itsm").deliveries();
    deliveries.iter().map(|d| d.header("webhook-signature").split(' ').count()).collect()
}

#[test]
fn a_secret_rotates_without_a_gap_while_alerts_wait() {
    let mut bed = TestBed::new().receiver("itsm", "webhook").variable("PREVIOUS", OLD);
    bed.begin();
    bed.run_once().exits(0);
    // Each time one is delivered, and one waits across the change: it was refused for another reason, and is signed anew.
    let alert_and_wait = |bed: &TestBed, name: &str| {
        bed.delete_key(name);
        bed.run_once().exits(0);
        bed.at("itsm").script([Say::Status(503)]);
        bed.delete_key(&format!("{name}-waits"));
        bed.run_once().exits(0).says("waits for itsm");
    };
    let go_on = |bed: &TestBed| {
        bed.deliveries_come_due();
        bed.run_once().exits(0);
    };

    // 0. Both sides know the old one.
    alert_and_wait(&bed, "old");
    // 1. The sender gets the new one, and signs with both; the receiver still knows the old one alone.
    bed.set_variable("SECRET", NEW);
    bed.reconfigure("itsm", BOTH);
    go_on(&bed);
    alert_and_wait(&bed, "both-for-old");
    // 2. The receiver gets the new one, beside the old or in its place.
    bed.at("itsm").knows(&[NEW, OLD]);
    go_on(&bed);
    bed.at("itsm").knows(&[NEW]);
    alert_and_wait(&bed, "both-for-new");
    // 3. The sender forgets the old one.
    bed.reconfigure("itsm", "");
    go_on(&bed);
    alert_and_wait(&bed, "new");
    go_on(&bed);

    assert_eq!(bed.problems(), [""; 0]);
    assert_eq!(signatures(&bed), [1, 1, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1]);
    let told = bed.told("itsm");
    let names: Vec<&str> = told.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    // Each in one alert, whatever was signed anew.
    assert!(told.values().all(|alerts| alerts.len() == 1), "{told:?}");
}

#[test]
fn a_receiver_that_refused_a_secret_is_back_with_another() {
    let mut bed = TestBed::new().receiver("itsm", "webhook").receiver("chat", "slack");
    bed.begin();
    // The receiver was changed first, and alone: it refuses what it does not know.
    bed.at("itsm").knows(&[NEW]);
    bed.at("itsm").script([Say::Status(401)]);
    bed.delete_key("a");
    bed.run_once().exits(0).says("receiver `itsm` is broken");
    bed.delete_key("b");
    bed.run_once();
    assert_eq!(bed.at("itsm").deliveries().len(), 1, "off: nothing is sent there");
    bed.set_variable("SECRET", NEW);
    bed.deliveries_come_due();
    bed.run_once().exits(0);
    let told = bed.told("itsm");
    let names: Vec<&str> = told.keys().map(String::as_str).collect();
    assert_eq!(names, ["a", "b"]);
    let last = bed.at("itsm").deliveries().into_iter().skip(1);
    assert!(last.into_iter().all(|delivery| delivery.answered == Some(204)));
}
