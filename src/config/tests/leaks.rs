//! No problem and no `Debug` shows a secret or an address, wherever one was put by mistake.

use super::*;
use crate::config::catalogue::SECTIONS;

const URL: &str = "https://hooks.slack.com/services/T0/B0/PLANTEDpath?sig=PLANTEDsig";
const SECRET: &str = "whsec_PLANTEDFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const RAW: &str = "PLANTEDAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE=";

#[test]
fn no_problem_shows_what_was_planted() {
    let keys = SECTIONS.map(|of| (of.header, of.names().collect::<Vec<_>>()));
    let mut seen = 0;
    for planted in
        [URL, SECRET, RAW, &URL.replace("https", "http"), &format!("x{URL}"), &format!("{SECRET}=")]
    {
        let world = World::default().var("PLANT", planted).file("plant", planted);
        for (section, keys) in &keys {
            for key in keys {
                for value in [
                    format!("\"{planted}\""),
                    format!("[\"{planted}\"]"),
                    "{ env = \"PLANT\" }".to_owned(),
                    "[{ file = \"plant\" }]".to_owned(),
                    format!("{{ env = \"{planted}\" }}"),
                    format!("{{ file = \"{planted}\" }}"),
                    format!("{{ \"{planted}\" = 1 }}"),
                    planted.to_owned(),
                    format!("\"\\q{planted}\""),
                ] {
                    for text in [
                        format!("{section}\n{key} = {value}\n"),
                        format!("{section}\n{key} = \"a\"\n\"{planted}\" = {value}\n"),
                    ] {
                        for text in [format!("{text}{REST}"), format!("{REST}{text}"), text] {
                            seen += 1;
                            // Not by way of `file`: most of what is good here is so by chance.
                            let input = Input::File { name: "hsmwatch.toml", text: &text };
                            let result = load(input, &known(), &world);
                            let shown = rendered(&result);
                            assert!(!shown.contains("PLANTED"), "{text}\n{shown}");
                        }
                    }
                }
            }
        }
    }
    assert!(seen > 1000);
}

#[test]
fn no_variable_is_shown() {
    let names = [
        "WORKSPACE_ID",
        "STATE_URL",
        "STATE_PATH",
        "STORAGE_KEY",
        "STORAGE_SAS",
        "TEAMS_URL",
        "SLACK_URL",
        "WEBHOOK_URL",
        "WEBHOOK_SECRET",
        "PAGERDUTY_ROUTING_KEY",
        "PAGERDUTY_URL",
        "PRESETS",
    ];
    for planted in [URL, SECRET, RAW] {
        let world = names
            .iter()
            .fold(World::default(), |world, name| world.var(&format!("HSMWATCH_{name}"), planted));
        let shown = rendered(&load(Input::Environment, &known(), &world));
        assert!(!shown.contains("PLANTED"), "{shown}");
    }
}

#[test]
fn a_checked_configuration_prints_no_address_and_no_secret() {
    let text = REST
        .replace(
            "unsigned = true",
            &format!("secret = \"{SECRET}\"\nprevious_secrets = [\"{SECRET}\"]"),
        )
        .replace("https://itsm.example.com/hook", URL);
    let loaded = file(&text, &World::default()).unwrap();
    let shown = format!("{loaded:?}{}", rendered(&Ok(loaded.clone())));
    assert!(!shown.contains("PLANTED") && !shown.contains("hooks.slack.com"), "{shown}");
}
