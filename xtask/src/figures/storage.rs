//! What the function app asks of Blob Storage, counted by a proxy in front of Azurite.

use super::handler::{Bed, Handler, fresh};
use crate::npm;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The account that Azurite has, and hsmwatch knows.
const ACCOUNT: &str = "devstoreaccount1";

/// Prints the figures of the app in the folder `app`; `out` is for configuration.
pub(super) fn measure(app: &Path, out: &Path) -> Result<()> {
    let azurite = Azurite::start()?;
    let proxy = Proxy::start(azurite.port)?;
    // An evaluation tells of at most 50 alerts, so 100 are those of two watches.
    for (container, watches, alerts) in [("figures-one", 1, 1), ("figures-many", 2, 100)] {
        let bed = Bed::start()?;
        let home = fresh(out)?;
        let state = format!(
            "account_url = \"http://127.0.0.1:{}/{ACCOUNT}\"\ncontainer = \"{container}\"",
            proxy.port
        );
        let rule = "[[rule]]\nid = \"key-delete\"\ngroup_by = [\"CallerIpAddress\"]\n";
        let config = bed.config_with("presets = [\"key-delete\"]", &state, rule, watches);
        fs::write(home.join("hsmwatch.toml"), config)?;
        let handler = Handler::start(app, &home)?;
        let (what, due) = (count(watches, "watch", "watches"), Duration::from_millis(1100));
        handler.tick()?;
        thread::sleep(due * 2);
        handler.tick()?;
        thread::sleep(due);
        proxy.counted();
        handler.tick()?;
        println!("quiet tick, {what}: {}", proxy.counted());
        thread::sleep(due);
        let rows = u32::try_from(alerts / watches)?;
        bed.rows.store(rows, Ordering::Relaxed);
        let tickets = handler.tick()?;
        if tickets.len() != alerts {
            bail!("{} alerts were expected, {} came", alerts, tickets.len());
        }
        let alerts = count(alerts, "alert", "alerts");
        println!("tick with {alerts}, {what}: {}", proxy.counted());
        for ticket in &tickets {
            handler.deliver(ticket)?;
        }
        println!("delivery of {alerts}: {}", proxy.counted());
        thread::sleep(due);
        handler.tick()?;
        println!("the tick after that, {what}: {}", proxy.counted());
        drop(handler);
        fs::remove_dir_all(home)?;
    }
    Ok(())
}

fn count(n: usize, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

/// A running Azurite; it keeps everything in memory.
struct Azurite {
    child: Child,
    port: u16,
}

impl Azurite {
    fn start() -> Result<Self> {
        let folder = npm::install("xtask/js/azurite", "azurite", "Azurite, the storage emulator")?;
        let mut child = Command::new("node")
            .arg(folder.join("node_modules/azurite/dist/src/blob/main.js"))
            .args(["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"])
            .args(["--silent", "--blobPort", "0"])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start node")?;
        let stdout = child.stdout.take().context("node says nothing")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut azurite = Self { child, port: 0 };
        for line in lines.by_ref() {
            let line = line?;
            if let Some((_, url)) = line.split_once("successfully listen") {
                let port = url.rsplit(':').next().unwrap_or_default();
                azurite.port = port.trim().parse().with_context(|| format!("no port: `{line}`"))?;
                break;
            }
        }
        // Nobody reads what else it says, which must not stop it.
        thread::spawn(move || lines.for_each(drop));
        Ok(azurite)
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Passes on what it hears, and counts the requests.
struct Proxy {
    port: u16,
    seen: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Proxy {
    fn start(to: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = Self { port: listener.local_addr()?.port(), seen: Arc::default() };
        let seen = Arc::clone(&proxy.seen);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                // Whoever hangs up is its own business.
                thread::spawn(move || relay(&client, to, &seen));
            }
        });
        Ok(proxy)
    }

    /// The requests since the last time, by kind.
    fn counted(&self) -> String {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let kinds: Vec<String> = seen.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        format!("{} requests ({})", seen.values().sum::<usize>(), kinds.join(", "))
    }
}

fn relay(client: &TcpStream, to: u16, seen: &Mutex<BTreeMap<String, usize>>) -> Result<()> {
    let service = TcpStream::connect(("127.0.0.1", to))?;
    let (mut from, mut into) = (service.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _gone = copy(&mut from, &mut into);
        let _closed = into.shutdown(Shutdown::Both);
    });
    let mut service = &service;
    let mut reader = BufReader::new(client);
    loop {
        let mut head = String::new();
        let mut length = 0;
        loop {
            let begin = head.len();
            if reader.read_line(&mut head)? == 0 {
                service.shutdown(Shutdown::Write)?;
                return Ok(());
            }
            let line = head.get(begin..).unwrap_or_default().trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.entry(kind(&head)).or_default() += 1;
        drop(seen);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        service.write_all(head.as_bytes())?;
        service.write_all(&body)?;
    }
}

/// What a request is about: listings are priced as writes, so they are told apart.
fn kind(head: &str) -> String {
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if target.contains("comp=list") { "LIST".to_owned() } else { method.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        assert_eq!(kind("GET /a/c/heads/x HTTP/1.1\r\n\r\n"), "GET");
        assert_eq!(kind("GET /a/c?restype=container&comp=list HTTP/1.1\r\n\r\n"), "LIST");
    }

    #[test]
    fn requests_are_passed_on_and_counted() {
        let service = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(service.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        client
            .write_all(b"PUT /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /x HTTP/1.1\r\n\r\n")
            .unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let (mut stream, _) = service.accept().unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "PUT /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /x HTTP/1.1\r\n\r\n");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        drop(stream);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(proxy.counted(), "2 requests (1 GET, 1 PUT)");
        assert_eq!(proxy.counted(), "0 requests ()");
    }
}
