//! An HTTP/1.1 client that costs as little as can be, so that what is measured is
//! the server: one keep-alive connection, prepared bytes out, one answer in.

use std::io::ErrorKind;
use std::net::SocketAddr;

use actix_web::rt::net::TcpStream;
use serde_json::Value;

/// The longest answer there is room for.
const BUFFER_BYTES: usize = 64 * 1024;

/// One keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// One answer, in the connection's buffer.
pub struct Answer<'a> {
    pub status: u16,
    head: &'a str,
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// A header by its name in lower case, as actix writes them.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n").skip(1);
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 }
    }

    /// Sends a prepared request and waits for the whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> Answer<'_> {
        self.send(request).await;
        self.filled = 0;
        let (head, end) = loop {
            self.receive().await;
            if let Some(found) = whole(&self.buffer[..self.filled]) {
                break found;
            }
        };
        let head = std::str::from_utf8(&self.buffer[..head]).unwrap();
        let status = head.get(9..12).unwrap().parse().unwrap();
        Answer { status, head, body: &self.buffer[head.len() + BLANK.len()..end] }
    }

    async fn send(&self, mut rest: &[u8]) {
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(sent) => rest = &rest[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.writable().await.unwrap();
                }
                Err(error) => panic!("a request was not taken: {error}"),
            }
        }
    }

    async fn receive(&mut self) {
        loop {
            self.stream.readable().await.unwrap();
            match self.stream.try_read(&mut self.buffer[self.filled..]) {
                Ok(0) => panic!("the server hung up, or its answer is too long"),
                Ok(read) => return self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }
}

const BLANK: &[u8] = b"\r\n\r\n";

/// Where an answer's head and body end, if it is all there.
fn whole(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(BLANK.len()).position(|window| window == BLANK)?;
    let text = std::str::from_utf8(&bytes[..head]).unwrap();
    let length = text.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    let end = head + BLANK.len() + length.map_or(0, |length| length.parse::<usize>().unwrap());
    (bytes.len() >= end).then_some((head, end))
}

/// The bytes of a POST.
pub fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// Calls an endpoint once; gives the body of the answer expected.
pub async fn call(
    address: SocketAddr,
    path: &str,
    token: &str,
    body: &Value,
    status: u16,
) -> Value {
    let bearer = format!("Bearer {token}");
    let headers: &[_] = if token.is_empty() { &[] } else { &[("authorization", &*bearer)] };
    let mut connection = Connection::open(address).await;
    let answer = connection.ask(&post(path, headers, &body.to_string())).await;
    assert_eq!(answer.status, status, "{path}: {}", String::from_utf8_lossy(answer.body));
    serde_json::from_slice(answer.body).unwrap()
}
