//! Just enough HTTP/1.1 for a browser, curl and Prometheus: GET, one request a connection, bounded.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::{Desk, Want, commands, prometheus};

/// The longest request that is read.
const REQUEST_MAX: usize = 8 << 10;
/// How long one exchange may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Connections served at once; others wait.
const AT_ONCE: usize = 16;

/// A page.
#[derive(Debug, PartialEq, Eq)]
struct Response {
    status: &'static str,
    kind: &'static str,
    body: String,
}

#[derive(Clone, Copy, Debug)]
enum Site {
    Admin,
    Metrics,
}

/// Serves `/commands` and `/commands/<name>`.
pub(crate) async fn serve_admin(listener: TcpListener, desk: Desk) {
    serve(listener, desk, Site::Admin).await;
}

/// Serves `/metrics`.
pub(crate) async fn serve_metrics(listener: TcpListener, desk: Desk) {
    serve(listener, desk, Site::Metrics).await;
}

async fn serve(listener: TcpListener, desk: Desk, site: Site) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, from)) => {
                let desk = desk.clone();
                tokio::spawn(async move {
                    let _place = place;
                    match timeout(WITHIN, exchange(stream, &desk, site)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => debug!(%from, %error, "HTTP"),
                        Err(_) => debug!(%from, "HTTP: too slow"),
                    }
                });
            }
            Err(error) => {
                warn!(%error, "HTTP port");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn exchange(mut stream: TcpStream, desk: &Desk, site: Site) -> io::Result<()> {
    let head = read_head(&mut stream).await?;
    let response = match target(&head) {
        Ok(target) => respond(target, desk, site).await,
        Err(response) => response,
    };
    stream.write_all(&encode(&response)).await?;
    stream.shutdown().await
}

/// Reads up to the empty line. A longer head is cut, and then refused.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut limited = stream.take(REQUEST_MAX as u64);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if limited.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    Ok(head)
}

/// What a whole head of a GET asks for.
fn target(head: &[u8]) -> Result<&str, Response> {
    if head.len() >= REQUEST_MAX {
        return Err(text("431 Request Header Fields Too Large", "the request is too long\n"));
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("GET"), Some(target), Some(version)) if version.starts_with("HTTP/1.") => Ok(target),
        (Some(_), Some(_), Some(version)) if version.starts_with("HTTP/1.") => {
            Err(text("405 Method Not Allowed", "only GET is understood\n"))
        }
        _ => Err(text("400 Bad Request", "expected GET <path> HTTP/1.1\n")),
    }
}

async fn respond(target: &str, desk: &Desk, site: Site) -> Response {
    let ok = |kind, body| Response { status: "200 OK", kind, body };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match (site, path) {
        (Site::Metrics, "/metrics") => match desk.ask(Want::default()).await {
            Some(facts) => ok(
                "text/plain; version=0.0.4; charset=utf-8",
                prometheus::page(&desk.variables(&facts)),
            ),
            None => text("503 Service Unavailable", "the server is stopping\n"),
        },
        (Site::Admin, "/commands" | "/commands/") => ok("text/html", commands::index()),
        (Site::Admin, path) => match path.strip_prefix("/commands/") {
            Some(name) => {
                let answer = desk.command(name, query).await;
                ok("application/json", format!("{answer:#}"))
            }
            None => text("404 Not Found", "try /commands\n"),
        },
        (Site::Metrics, _) => text("404 Not Found", "try /metrics\n"),
    }
}

fn text(status: &'static str, body: &str) -> Response {
    Response { status, kind: "text/plain", body: body.to_owned() }
}

fn encode(response: &Response) -> Vec<u8> {
    let Response { status, kind, body } = response;
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_get_is_understood_and_nothing_else() {
        assert_eq!(target(b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"), Ok("/metrics?x=1"));
        let status = |head: &[u8]| target(head).unwrap_err().status;
        assert!(status(b"POST /commands/srst HTTP/1.1\r\n\r\n").starts_with("405"));
        assert!(status(b"").starts_with("400"));
        assert!(status(b"\xff\xfe\r\n\r\n").starts_with("400"));
        assert!(status(b"GET /\r\n\r\n").starts_with("400"));
        assert!(status(&[b'a'; REQUEST_MAX]).starts_with("431"));
    }

    #[test]
    fn a_response_says_how_long_it_is() {
        let bytes = encode(&text("200 OK", "hello"));
        let encoded = String::from_utf8(bytes).unwrap();
        assert!(encoded.contains("Content-Length: 5\r\n") && encoded.ends_with("\r\n\r\nhello"));
    }
}
