//! Raw HTTP: a request line or none, headers, an empty line, the body byte for byte; and what `curl -v` shows of it.

use super::{BadCapture, Captured, Kept, shown};

/// Reads one request.
pub(super) fn read(kept: &[u8]) -> Result<Captured, BadCapture> {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut body = None;
    let mut rest = kept;
    let mut number = 0;
    let mut curl = false;
    while !rest.is_empty() {
        number += 1;
        let (line, after) = next_line(rest);
        rest = after;
        let line = String::from_utf8_lossy(line);
        let mut line = line.as_ref();
        if headers.is_empty() && (line.starts_with("> ") || line.starts_with("* ")) {
            curl = true;
        }
        if curl {
            // What curl itself says, what it was answered, and how much it sent.
            let Some(sent) = line.strip_prefix('>') else { continue };
            line = sent.trim_start();
        }
        if line.trim().is_empty() {
            if headers.is_empty() {
                continue;
            }
            if !curl {
                body = Some(rest);
            }
            break;
        }
        if headers.is_empty() && is_request_line(line) {
            continue;
        }
        if headers.is_empty() && line.starts_with("HTTP/") {
            return Err(BadCapture::Answer(shown(line)));
        }
        // HTTP/2 has its request line in these.
        if line.starts_with(':') {
            continue;
        }
        if line.starts_with([' ', '\t'])
            && let Some((_, value)) = headers.last_mut()
        {
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        let header = line.split_once(':').filter(|(name, _)| is_name(name));
        let Some((name, value)) = header else {
            return Err(BadCapture::NoHeader { line: number, text: shown(line) });
        };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    if headers.is_empty() {
        return Err(BadCapture::Empty);
    }
    let mut captured = Captured { name: None, headers, body: Kept::Nothing };
    if let Some(body) = body {
        let chunked = captured
            .header("transfer-encoding")
            .is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
        // Most tools put the pieces together and keep the header.
        let whole = if chunked { joined(body) } else { None };
        captured.body = Kept::Bytes(whole.unwrap_or_else(|| body.to_vec()));
    }
    Ok(captured)
}

/// A line without its end, and what comes after it.
fn next_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (bytes.get(..end), bytes.get(end + 1..)),
        None => (Some(bytes), None),
    };
    let line = line.unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), rest.unwrap_or_default())
}

fn is_request_line(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let method = words.first().is_some_and(|w| w.bytes().all(|b| b.is_ascii_uppercase()));
    method && words.len() == 3 && words.last().is_some_and(|version| version.starts_with("HTTP/"))
}

/// Whether this may be a header's name.
fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(allowed)
}

/// The body that was sent in chunks, if these are well formed.
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (line, after) = next_line(rest);
        let size = std::str::from_utf8(line).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let (chunk, after) = after.split_at_checked(size)?;
        body.extend_from_slice(chunk);
        let (end, after) = next_line(after);
        if !end.is_empty() {
            return None;
        }
        rest = after;
    }
}
