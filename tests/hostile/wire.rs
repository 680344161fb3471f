//! A client's end of a connection, byte by byte, that waits for nothing for ever.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No answer takes longer than this on a server that is not stuck. Less than the time
/// that it gives a body to arrive, so that one that waits for nothing shows.
const STUCK: Duration = Duration::from_secs(25);

/// What came back.
pub enum Heard {
    Answer(Answer),
    /// The connection ended before a whole answer was there; what had come by then.
    Closed(Vec<u8>),
    /// Nothing came for too long; what had come by then.
    Stuck(Vec<u8>),
}

impl Heard {
    /// What happened, for a person.
    pub fn shown(&self) -> String {
        match self {
            Self::Answer(answer) => {
                format!("answer {}: {}", answer.status, answer.body.escape_ascii())
            }
            Self::Closed(come) => format!("closed after `{}`", come.escape_ascii()),
            Self::Stuck(come) => format!("stuck after `{}`", come.escape_ascii()),
        }
    }
}

/// An answer that has arrived whole; of a stream, its head alone.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Answer {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A problem's code, in JSON or on a page.
    pub fn code(&self) -> String {
        if let Some(code) = self.json()["code"].as_str() {
            return code.to_owned();
        }
        let text = String::from_utf8_lossy(&self.body);
        let told = text.split_once("For an administrator: <code>").map(|(_, rest)| rest);
        told.and_then(|rest| rest.split('<').next()).unwrap_or_default().to_owned()
    }

    fn is_stream(&self) -> bool {
        self.is_chunked() && self.header("content-type") == "application/x-ndjson"
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding") == "chunked"
    }

    /// True if the server closes the connection after it.
    fn is_last(&self) -> bool {
        self.header("connection") == "close" || self.is_stream()
    }
}

/// A connection to a server, made anew when it has ended.
pub struct Wire {
    address: String,
    stream: Option<TcpStream>,
    /// What has come and has not been looked at.
    come: Vec<u8>,
    until: Instant,
}

impl Wire {
    pub fn to(url: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap().to_owned();
        Self { address, stream: None, come: Vec::new(), until: Instant::now() }
    }

    /// True if the next bytes go where others went before.
    pub fn is_used(&self) -> bool {
        self.stream.is_some()
    }

    /// Sends these bytes. What cannot be sent because the other end has closed may
    /// have been answered all the same.
    pub fn send(&mut self, bytes: &[u8]) {
        self.until = Instant::now() + STUCK;
        self.come.clear();
        let stream = self.stream.get_or_insert_with(|| {
            let stream = TcpStream::connect(&self.address).expect("the server has gone");
            stream.set_nodelay(true).unwrap();
            stream.set_write_timeout(Some(STUCK)).unwrap();
            stream
        });
        let _unsent = stream.write_all(bytes);
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        if let Some(stream) = &self.stream {
            let _closed_before = stream.shutdown(Shutdown::Write);
        }
    }

    /// Gives the connection up.
    pub fn drop(&mut self) {
        self.stream = None;
    }

    /// The next answer; to a HEAD it has no body, whatever its headers say.
    pub fn hear(&mut self, to_head: bool) -> Heard {
        match self.answer(to_head) {
            Ok(answer) => {
                if answer.is_last() {
                    self.drop();
                }
                Heard::Answer(answer)
            }
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.drop();
                Heard::Stuck(std::mem::take(&mut self.come))
            }
            Err(_) => {
                self.drop();
                Heard::Closed(std::mem::take(&mut self.come))
            }
        }
    }

    fn answer(&mut self, to_head: bool) -> Result<Answer, ErrorKind> {
        let mut answer = self.head()?;
        while answer.status < 200 {
            answer = self.head()?;
        }
        let bodiless = to_head || matches!(answer.status, 204 | 304);
        if bodiless || answer.is_stream() {
            return Ok(answer);
        }
        answer.body = if answer.is_chunked() {
            self.chunks()?
        } else if let Ok(length) = answer.header("content-length").parse() {
            self.exactly(length)?
        } else {
            self.rest()?
        };
        Ok(answer)
    }

    /// All that comes until the connection ends: the body of an answer in HTTP/1.0.
    fn rest(&mut self) -> Result<Vec<u8>, ErrorKind> {
        loop {
            match self.more() {
                Ok(()) => {}
                Err(ErrorKind::UnexpectedEof) => return Ok(std::mem::take(&mut self.come)),
                Err(other) => return Err(other),
            }
        }
    }

    fn head(&mut self) -> Result<Answer, ErrorKind> {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.extend(self.line()?);
        }
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let status = status.parse().unwrap_or_else(|_| panic!("no HTTP: {text}"));
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Ok(Answer { status, body: Vec::new(), headers: lines.filter_map(header).collect() })
    }

    /// RFC 9112 §7.1.
    fn chunks(&mut self) -> Result<Vec<u8>, ErrorKind> {
        let mut body = Vec::new();
        loop {
            let line = String::from_utf8(self.line()?).unwrap();
            let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
            body.extend(self.exactly(size)?);
            self.exactly(2)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> Result<Vec<u8>, ErrorKind> {
        loop {
            if let Some(end) = self.come.iter().position(|byte| *byte == b'\n') {
                return self.exactly(end + 1);
            }
            self.more()?;
        }
    }

    fn exactly(&mut self, bytes: usize) -> Result<Vec<u8>, ErrorKind> {
        while self.come.len() < bytes {
            self.more()?;
        }
        let rest = self.come.split_off(bytes);
        Ok(std::mem::replace(&mut self.come, rest))
    }

    fn more(&mut self) -> Result<(), ErrorKind> {
        let Some(stream) = &mut self.stream else { return Err(ErrorKind::NotConnected) };
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut);
        }
        stream.set_read_timeout(Some(left)).unwrap();
        let mut piece = [0; 16 << 10];
        match stream.read(&mut piece) {
            Ok(0) => Err(ErrorKind::UnexpectedEof),
            Ok(count) => {
                self.come.extend_from_slice(&piece[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.kind()),
        }
    }
}
