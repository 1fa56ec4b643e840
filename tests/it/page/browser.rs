//! Chromium, as a black box: shows a page, tells what it made of it.

use super::super::support::server::Server;
use axum::Router;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

const ADVICE: &str =
    "install it: apt-get install --no-install-recommends chromium fonts-dejavu-core";

/// Says something that the test harness does not swallow.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The browser.
pub(super) struct Browser {
    program: PathBuf,
}

impl Browser {
    /// The one of this machine. Without, the test stops in CI and is passed over elsewhere.
    pub(super) fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .flat_map(|dir| ["chromium", "chromium-browser", "google-chrome"].map(|n| dir.join(n)))
            .find(|program| program.is_file());
        if let Some(program) = found {
            return Some(Self { program });
        }
        assert!(
            std::env::var("CI").is_err(),
            "there is no Chromium, and CI=true wants one: {ADVICE}"
        );
        say(&format!("SKIPPED: there is no Chromium to show the page in; {ADVICE}"));
        None
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let profile = tempfile::tempdir().unwrap();
        // A browser that hangs must not hang the tests.
        let output = Command::new("timeout")
            .arg("120")
            .arg(&self.program)
            .args([
                // Its sandbox needs more rights than a container gives; it is shown nothing but our own pages.
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                "--hide-scrollbars",
                // Loopback and nothing else, whatever the page asks for.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Takes a picture.
    pub(super) fn screenshot(&self, url: &str, look: Look, height: u64, to: &Path) {
        let scheme = u8::from(!look.dark);
        self.run(&[
            &format!("--blink-settings=preferredColorScheme={scheme}"),
            &format!("--window-size={},{height}", look.width),
            &format!("--screenshot={}", to.display()),
            url,
        ]);
    }

    /// What a page's script found out (see [`Site::PROBE`]).
    pub(super) fn probe(&self, url: &str) -> Json {
        let dom = String::from_utf8(self.run(&["--dump-dom", url])).unwrap();
        let found = dom.split("<pre id=\"found\">").nth(1).and_then(|rest| rest.split('<').next());
        let found = found.unwrap_or_else(|| panic!("the probe found nothing: {dom}"));
        let json = base64::engine::general_purpose::STANDARD.decode(found).unwrap();
        serde_json::from_slice(&json).unwrap()
    }
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) width: u64,
    pub(super) dark: bool,
}

impl Look {
    pub(super) const ALL: [Self; 4] = [
        Self { width: 1280, dark: false },
        Self { width: 1280, dark: true },
        Self { width: 390, dark: false },
        Self { width: 390, dark: true },
    ];

    pub(super) fn name(self) -> String {
        format!("{}-{}", self.width, if self.dark { "dark" } else { "light" })
    }
}

/// Where the tests keep pictures for people to look at.
pub(super) fn screenshots() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Says where a picture is.
pub(super) fn kept(path: &Path) {
    say(&format!("screenshot: {}", path.display()));
}

type Shared<T> = Arc<Mutex<T>>;

/// A server of pages that notes what it is asked for.
pub(super) struct Site {
    server: Server,
    pages: Shared<BTreeMap<String, (&'static str, Vec<u8>)>>,
    asked: Shared<Vec<String>>,
}

impl Site {
    /// Shows `/page` in frames of several widths and tells what the browser made of it.
    const PROBE: &'static str = r#"<!doctype html><link rel="icon" href="data:,"><title>probe</title>
<iframe src="/page" width="320" height="800" style="border:0"></iframe>
<iframe src="/page" width="390" height="800" style="border:0"></iframe>
<iframe src="/page" width="768" height="800" style="border:0"></iframe>
<iframe src="/page" width="912" height="800" style="border:0"></iframe>
<iframe src="/page" width="1280" height="800" style="border:0"></iframe>
<script>
addEventListener('load', () => {
  const found = { title: document.title, frames: [] };
  for (const frame of document.querySelectorAll('iframe')) {
    const doc = frame.contentDocument, width = +frame.getAttribute('width');
    const all = [...doc.querySelectorAll('*')];
    const inside = (e, s) => e.closest(s) !== null;
    const wide = all.filter(e => !inside(e, 'pre') && !inside(e, 'thead') && !inside(e, 'symbol')
        && e.getBoundingClientRect().right > width + 0.5)
      .map(e => e.localName + '.' + e.getAttribute('class') + ': ' + e.textContent.slice(0, 40));
    const small = all.filter(e => e.localName !== 'text' && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
        && parseFloat(frame.contentWindow.getComputedStyle(e).fontSize) < 11).map(e => e.localName);
    found.frames.push({
      width, wide, small,
      title: doc.title,
      scroll: Math.max(doc.documentElement.scrollWidth, doc.body.scrollWidth),
      height: doc.documentElement.scrollHeight,
      elements: all.map(e => e.localName),
      handlers: all.flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on') || n === 'style' || n === 'src'),
      links: all.flatMap(e => [e.getAttribute('href')]).filter(h => h !== null && !h.startsWith('#')),
      marked: doc.documentElement.hasAttribute('data-pwned'),
      text: doc.body.textContent,
    });
  }
  const out = document.createElement('pre');
  out.id = 'found';
  out.textContent = btoa(unescape(encodeURIComponent(JSON.stringify(found))));
  document.body.append(out);
});
</script>"#;
    /// Tells of `/image.png` which colours it has, and how bright it is.
    const COLOURS: &'static str = r#"<!doctype html><link rel="icon" href="data:,"><title>colours</title><img src="/image.png">
<script>
addEventListener('load', () => {
  const img = document.images[0], canvas = document.createElement('canvas');
  canvas.width = img.naturalWidth; canvas.height = Math.min(img.naturalHeight, 4000);
  const context = canvas.getContext('2d');
  context.drawImage(img, 0, 0);
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data, seen = {};
  let sum = 0;
  for (let i = 0; i < data.length; i += 4) {
    const hex = '#' + [data[i], data[i + 1], data[i + 2]].map(c => c.toString(16).padStart(2, '0')).join('');
    seen[hex] = (seen[hex] || 0) + 1;
    sum += data[i] + data[i + 1] + data[i + 2];
  }
  const colours = Object.fromEntries(Object.entries(seen).filter(([, n]) => n >= 20));
  const found = { width: img.naturalWidth, brightness: sum / (data.length / 4 * 3), colours };
  const out = document.createElement('pre');
  out.id = 'found';
  out.textContent = btoa(JSON.stringify(found));
  document.body.append(out);
});
</script>"#;

    pub(super) fn start() -> Self {
        let pages = Shared::<BTreeMap<String, (&'static str, Vec<u8>)>>::default();
        let asked = Shared::<Vec<String>>::default();
        let (known, noted) = (Arc::clone(&pages), Arc::clone(&asked));
        let app = Router::new().fallback(move |uri: Uri| {
            let (known, noted) = (Arc::clone(&known), Arc::clone(&noted));
            async move { answer(&known, &noted, &uri) }
        });
        let site = Self { server: Server::start(app), pages, asked };
        site.put("/probe", "text/html", Self::PROBE);
        site.put("/colours", "text/html", Self::COLOURS);
        site
    }

    pub(super) fn put(&self, path: &str, kind: &'static str, body: impl Into<Vec<u8>>) {
        self.pages.lock().unwrap().insert(path.to_owned(), (kind, body.into()));
    }

    pub(super) fn url(&self, path: &str) -> String {
        self.server.url() + path
    }

    /// Everything that was asked for since the last time, sorted.
    pub(super) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort_unstable();
        asked
    }
}

fn answer(
    pages: &Mutex<BTreeMap<String, (&'static str, Vec<u8>)>>,
    asked: &Mutex<Vec<String>>,
    uri: &Uri,
) -> Response {
    asked.lock().unwrap().push(uri.to_string());
    match pages.lock().unwrap().get(uri.path()) {
        Some((kind, body)) => {
            let kind = HeaderValue::from_static(kind);
            ([(header::CONTENT_TYPE, kind)], body.clone()).into_response()
        }
        None => axum::http::StatusCode::NOT_FOUND.into_response(),
    }
}
