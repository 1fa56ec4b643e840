//! The other ends, on this machine: a query service, a receiver, and the host's side of HTTP.

use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// An answer of `rows` deletions in the window that was asked for, as the service writes it: 200 bytes or so a row.
pub(super) fn make_answer(request: &str, rows: u32) -> Vec<u8> {
    let span = request.split("\"timespan\":\"").nth(1).and_then(|rest| rest.split('"').next());
    // The second in which the window ends, less one: inside for sure, the fractions tell the rows apart.
    let end =
        span.and_then(|span| span.split('/').nth(1)).unwrap_or("2026-01-01T00:00:01.0000000Z");
    let start = span.and_then(|span| span.split('/').next()).unwrap_or(end);
    let second = next_second(start);
    let mut body = String::from(
        r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"OperationName","type":"string"},{"name":"HsmInstance","type":"string"},{"name":"CallerIpAddress","type":"string"},{"name":"TimeGenerated","type":"datetime"},{"name":"ClientInfo","type":"string"},{"name":"_ResourceId","type":"string"}],"rows":["#,
    );
    for n in 0..rows {
        if n > 0 {
            body.push(',');
        }
        let _infallible = write!(
            body,
            r#"["CN_TOMBSTONE_OBJECT","hsm-instance-{}","10.20.{}.{}","{second}.{:07}Z","cloudhsm-cli/5.1 (linux; x86_64)","/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/rg-hsm/providers/microsoft.hardwaresecuritymodules/cloudhsmclusters/hsm"]"#,
            n % 3,
            n / 250 % 250,
            n % 250,
            n
        );
    }
    body.push_str("]}]}");
    body.into_bytes()
}

/// The whole second after a time such as `2026-01-01T00:00:00.1234567Z`; carries into the minute, and no further.
fn next_second(time: &str) -> String {
    let (hour, rest) = time.get(..19).unwrap_or("2026-01-01T00:00:00").split_at(14);
    let (minute, second) = rest.split_once(':').unwrap_or(("0", "0"));
    let next = minute.parse::<u32>().unwrap_or(0) * 60 + second.parse::<u32>().unwrap_or(0) + 1;
    format!("{hour}{:02}:{:02}", (next / 60).min(59), next % 60)
}

/// Answers every request on a port of its own, until the process ends.
pub(super) fn serve(answer: impl Fn(&str) -> Arc<Vec<u8>> + Send + Sync + 'static) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // A client that has gone away is its own business.
            thread::spawn(move || converse(&stream, &*answer));
        }
    });
    Ok(port)
}

fn converse(stream: &TcpStream, answer: &impl Fn(&str) -> Arc<Vec<u8>>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = answer(&String::from_utf8_lossy(&body));
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )?;
        stream.write_all(&body)?;
        stream.flush()?;
    }
}

/// One request to the handler, as the host makes it, and the body of a good answer.
pub(super) fn ask(port: u16, method: &str, path: &str, body: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\
         content-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8(answer)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {text}");
    Ok(body.as_bytes().to_vec())
}
