//! Large bodies, of which only so many are in memory at a time.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::app::TestApp;
use crate::office::Office;

/// How long the server may take to come to a request, or to see that a caller has gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// More bodies than any of these reads at a time.
const SLOW_MAX: usize = 100;

/// What takes a large body.
const LARGE: [(&str, &str); 9] = [
    ("PUT", "/policies/v1"),
    ("PUT", "/schema/v1"),
    ("PUT", "/versions/v1"),
    ("POST", "/entities/v1"),
    ("POST", "/versions/v1"),
    ("POST", "/policies/v1/check"),
    ("POST", "/audit/v1/explain"),
    ("POST", "/audit/v1/reports/segments"),
    ("POST", "/audit/v1/impact"),
];

/// Begins to send a body, and leaves it at that.
fn begin(app: &TestApp, method: &str, path: &str, token: &str) -> TcpStream {
    let address = app.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 1000000\r\n\r\n{{\"files\": ["
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Goal: however many send large bodies at once, no more are in memory than are worked on;
/// and who goes away makes room.
#[test]
fn no_large_body_is_read_before_its_turn() {
    let office = Office::open();
    let app = &office.app;
    let token = &office.admin.token;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for (method, path) in LARGE {
        // Not JSON: whoever reads it says so.
        let code = || app.raw(method, path, &headers, b"{").code();
        let becomes = |wanted: &str, meanwhile: &mut dyn FnMut()| {
            let begun = Instant::now();
            let mut is = code();
            while is != wanted {
                let place = format!("{method} {path} does not become {wanted}, but {is}");
                assert!(begun.elapsed() < PATIENCE, "{place}");
                meanwhile();
                is = code();
            }
        };
        becomes("bad_json", &mut || {});
        let mut slow = Vec::new();
        // One that comes while the question is asked may be turned away: then another comes.
        becomes("busy", &mut || {
            assert!(slow.len() < SLOW_MAX, "{method} {path}: all these are read at a time");
            slow.push(begin(app, method, path, token));
        });
        drop(slow);
        becomes("bad_json", &mut || {});
    }
}
