//! The status page: what can be in it and what never can, and how a real browser shows it.

mod sample;

use hsmwatch::engine::status::Status;
use hsmwatch::hosts::page::{Page, html};

/// The page of a status.
fn page(status: &Status) -> String {
    html(&Page {
        status: Some(status),
        refused: None,
        source: "hsmwatch.toml",
        version: "1.2.3",
        at: status.at,
    })
}

#[test]
fn dump() {
    let dir = std::path::Path::new("/tmp/pages");
    std::fs::create_dir_all(dir).unwrap();
    for (name, status) in [
        ("well", sample::well()),
        ("one", sample::one()),
        ("ill", sample::ill()),
        ("many", sample::many()),
        ("empty", sample::empty()),
        ("fresh", sample::fresh()),
        ("hostile", sample::hostile(|_| "<script>alert(1)</script>\u{202e}x".repeat(10))),
    ] {
        let start = std::time::Instant::now();
        let text = page(&status);
        println!("{name} {} {:?}", text.len(), start.elapsed());
        std::fs::write(dir.join(format!("{name}.html")), text).unwrap();
    }
    let why = "2 problems in the configuration\nhsmwatch.toml:12:8: rule `x`: the query cuts rows\n    | take 5\n    ^^^^^^\n  hint: give it a `window`\nhsmwatch.toml:20:1: `recievers` is not a key\u{202e}";
    for (name, status) in [("refused", None), ("refused-on", Some(&sample::well()))] {
        let text = html(&Page {
            status,
            refused: Some((why, sample::t("2026-11-22T08:00:00Z"))),
            source: "https://account.blob.core.windows.net/config/hsmwatch.toml",
            version: "1.2.3",
            at: sample::now(),
        });
        std::fs::write(dir.join(format!("{name}.html")), text).unwrap();
    }
}
