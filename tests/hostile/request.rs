//! A request as an enemy, or a broken program, sends it.

use countersign::model::Password;

use crate::body;
use crate::dice::Dice;
use crate::target::Target;

/// Names a request, on its answer too.
const ID: &str = "x-request-id";

/// What a server may do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It is HTTP; there must be an answer.
    Http,
    /// It may be no HTTP, or not all of it: the server may close, but not wait.
    Broken,
}

/// One request, as bytes.
#[derive(Debug)]
pub struct Request {
    pub bytes: Vec<u8>,
    pub manner: Manner,
    pub is_head: bool,
    /// Whether its refusals may be texts: a protocol of others says what they are.
    pub is_text: bool,
    /// The `X-Request-ID` that its answer must carry, where it sends a single plain one.
    pub id: Option<String>,
}

/// A request in parts, while it is put together.
struct Draft<'t> {
    target: &'t Target,
    method: String,
    path: String,
    version: &'static str,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
    manner: Manner,
}

impl Request {
    /// What an honest caller sends, with the nth of the target's bodies.
    pub fn honest(target: &Target, token: Option<&String>) -> Self {
        let mut draft = Draft::of(target, &target.paths[0], token);
        let honest = if target.is_page { body::form } else { body::honest };
        draft.body = target.bodies.first().map(honest).unwrap_or_default();
        draft.framed()
    }

    /// What the dice make of it.
    pub fn hostile(target: &Target, id: String, dice: &mut Dice) -> Self {
        let paths: Vec<_> = target.paths.iter().collect();
        let tokens: Vec<_> = target.tokens.iter().collect();
        let token = (!tokens.is_empty()).then(|| tokens[dice.below(tokens.len())]);
        let mut draft = Draft::of(target, paths[dice.below(paths.len())], token);
        draft.headers.push((ID, id.into_bytes()));
        draft.body = hostile_body(target, dice);
        // Where no body is read, the rest is all there is to attack.
        let about_the_body = if target.bodies.is_empty() { 0 } else { 12 };
        match dice.below(about_the_body + 8) {
            0 => draft.twist_method(dice),
            1 | 2 => draft.twist_path(dice),
            3 | 4 => draft.twist_query(dice),
            5 => draft.twist_headers(dice),
            6 => draft.twist_credentials(dice),
            7 => return draft.twist_frame(dice),
            _ => {}
        }
        if dice.one_in(12) { draft.chunked(dice) } else { draft.framed() }
    }

    /// The request for a person who must find out what it did.
    pub fn shown(&self) -> String {
        let most = self.bytes.len().min(4_000);
        format!("{} bytes: {}", self.bytes.len(), self.bytes[..most].escape_ascii())
    }
}

fn hostile_body(target: &Target, dice: &mut Dice) -> Vec<u8> {
    if target.bodies.is_empty() {
        return if dice.one_in(2) { Vec::new() } else { dice.bytes(40) };
    }
    let body = &target.bodies[dice.below(target.bodies.len())];
    let mut bytes = body::mutated(body, dice);
    if target.is_page {
        bytes = body::form_of(bytes);
    }
    // A password that is looked at costs a hash, made to be slow: a few are enough.
    if target.hashes() && (target.is_page || is_login(&bytes)) && !dice.one_in(8) {
        bytes.pop();
    }
    bytes
}

fn is_login(bytes: &[u8]) -> bool {
    let json: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str);
    let password = text("password").is_some_and(|it| it.parse::<Password>().is_ok());
    password && text("username").is_some()
}

impl<'t> Draft<'t> {
    fn of(target: &'t Target, path: &str, token: Option<&String>) -> Self {
        let kind =
            if target.is_page { "application/x-www-form-urlencoded" } else { "application/json" };
        let mut headers =
            vec![("host", b"localhost".to_vec()), ("content-type", kind.as_bytes().to_vec())];
        let more = target.headers.iter();
        headers.extend(more.map(|(name, value)| (*name, value.clone().into_bytes())));
        let bearer = |token: &String| ("authorization", format!("Bearer {token}").into_bytes());
        headers.extend(token.map(bearer));
        Self {
            target,
            method: target.method.to_owned(),
            path: path.to_owned(),
            version: "HTTP/1.1",
            headers,
            body: Vec::new(),
            manner: Manner::Http,
        }
    }

    fn twist_method(&mut self, dice: &mut Dice) {
        let methods = [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE",
            "M-SEARCH",
        ];
        let broken = ["get", "G\u{0}T", "", "GE T", "CONNECT", "\u{e9}"];
        if dice.one_in(5) {
            self.method = dice.pick(&broken).to_owned();
            self.manner = Manner::Broken;
        } else {
            self.method = dice.pick(&methods).to_owned();
        }
    }

    fn twist_path(&mut self, dice: &mut Dice) {
        let pieces = [
            "/",
            "//",
            "/.",
            "/..",
            "/%2e%2e",
            "%2f",
            "%00",
            "%0d%0a",
            "%ff",
            "%c3%28",
            "%25",
            "%",
            "%zz",
            ";a=b",
            "~",
            "@",
            ":8080",
            "*",
            "!$&'()+,",
            "/alice",
            "User::%22alice%22",
            "-1",
            "99999999999999999999",
            "00000000-0000-0000-0000-000000000000",
            "%e2%80%ae",
            "%F0%9F%98%80",
        ];
        let slashes: Vec<_> = self.path.match_indices('/').map(|(at, _)| at).collect();
        let at = *dice.pick(&slashes.iter().collect::<Vec<_>>()) + dice.below(2);
        match dice.below(6) {
            0 => self.path.truncate(at.max(1)),
            1 => self.path.push_str(&"/a".repeat(1 + dice.below(2_000))),
            2 => self.path.push_str(&"a".repeat(1 + dice.below(8_000))),
            3 => self.path.make_ascii_uppercase(),
            4 if dice.one_in(4) => {
                let odd =
                    ["*", "", "a", "http://localhost/healthz", "/\u{e9}", "/a b", "/a\tb", "/#f"];
                self.path = dice.pick(&odd).to_owned();
                self.manner = Manner::Broken;
            }
            _ => {
                self.path.insert_str(at, dice.pick(&pieces));
                if !self.path.starts_with('/') {
                    self.path.insert(0, '/');
                }
            }
        }
    }

    fn twist_query(&mut self, dice: &mut Dice) {
        let names = [
            "type", "limit", "cursor", "from", "to", "order", "follow", "subject", "policy",
            "after", "decision", "set", "", "%00", "a[]", "%74ype",
        ];
        let values = [
            "",
            "0",
            "-1",
            "1",
            "2",
            "18446744073709551616",
            "newest",
            "oldest",
            "true",
            "allow",
            "%",
            "%zz",
            "%ff",
            "%00",
            "null",
            "%7B%7D",
            "%5B%5D",
            "a%26b",
            "bgAAAAAAAAAI",
            "b//////////8",
            "access.decided",
            "2026-11-22T12:00:00Z",
            "9999999-01-01",
            "1e9",
            "+",
        ];
        let mark = if self.path.contains('?') { '&' } else { '?' };
        self.path.push(mark);
        for _ in 0..=dice.below(4) {
            let (name, value) = (dice.pick(&names), dice.pick(&values));
            self.path.extend([name, "=", value, "&"]);
        }
        match dice.below(4) {
            0 => self.path.push_str("?&&=&="),
            1 => self.path.push_str(&"a=b&".repeat(1_500)),
            _ => {}
        }
        if self.target.template == "/audit/v1/events" && !self.path.contains("limit") {
            self.path.push_str("limit=2");
        }
    }

    fn twist_headers(&mut self, dice: &mut Dice) {
        let odd: [(&str, &[u8]); 21] = [
            ("content-type", b"text/plain"),
            ("content-type", b"application/json; charset=utf-16"),
            ("content-type", b"application/cloudevents-batch+json"),
            ("content-type", b"application/x-www-form-urlencoded"),
            ("content-type", b"multipart/form-data; boundary=x"),
            ("content-type", b"\xff\xfe"),
            ("content-encoding", b"gzip"),
            ("accept", b"text/html;q=1e9"),
            ("accept-encoding", b"gzip, br, zstd;q=0, *;q=NaN"),
            ("countersign-session", b"\xff"),
            ("countersign-session", b"cs_session_x"),
            (ID, b""),
            (ID, b"\xc3\xa9\xff"),
            (ID, b"a\tb"),
            ("expect", b"100-continue"),
            ("if-none-match", b"*"),
            ("range", b"bytes=0-0,18446744073709551615-"),
            ("x-forwarded-for", b"127.0.0.1, ::1, unix:"),
            ("forwarded", b"for=\"[::1]\";proto=https"),
            ("origin", b"null"),
            ("cookie", b"__Host-countersign=x; __Host-countersign=\xff; =;;;"),
        ];
        for _ in 0..=dice.below(3) {
            let (name, value) = odd[dice.below(odd.len())];
            if dice.one_in(2) {
                self.headers.retain(|(known, _)| *known != name);
            }
            self.headers.push((name, value.to_vec()));
        }
        if dice.one_in(4) {
            let long = "a".repeat(*dice.pick(&[&129, &9_000, &60_000]));
            self.headers.push((ID, long.into_bytes()));
        }
        if dice.one_in(8) {
            self.headers.extend((0..80).map(|_| ("x-many", b"1".to_vec())));
        }
        if dice.one_in(6) {
            self.version =
                dice.pick(&["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTPS/1.1", ""]);
            self.manner = Manner::Broken;
        }
    }

    /// Without the token, with somebody else's, or with what is none.
    fn twist_credentials(&mut self, dice: &mut Dice) {
        let right = self.headers.iter().find(|(name, _)| *name == "authorization");
        let token = right.map(|(_, value)| value["Bearer ".len()..].to_vec()).unwrap_or_default();
        self.headers.retain(|(name, _)| *name != "authorization");
        let with = |before: &[u8], after: &[u8]| [before, &token, after].concat();
        let header = match dice.below(12) {
            0 => return,
            1 => ("authorization", b"Bearer ".to_vec()),
            2 => ("authorization", b"Bearer".to_vec()),
            3 => ("authorization", with(b"bEARER  ", b"  ")),
            4 => ("authorization", with(b"Basic ", b"")),
            5 => ("authorization", with(b"Bearer ", b"A")),
            6 => ("authorization", with(b"Bearer ", b"\xff")),
            7 => ("authorization", [b"Bearer ".as_slice(), &b"a".repeat(20_000)].concat()),
            8 => ("cookie", with(b"__Host-countersign=", b"")),
            9 => ("cookie", with(b"__Host-countersign=\"", b"\"; a")),
            10 => {
                self.headers.push(("authorization", b"Bearer cs_service_x".to_vec()));
                ("authorization", with(b"Bearer ", b""))
            }
            _ => {
                self.headers.push(("sec-fetch-site", b"cross-site".to_vec()));
                ("cookie", with(b"__Host-countersign=", b""))
            }
        };
        self.headers.push(header);
    }

    /// A body that ends elsewhere than its headers say, a request cut short, or no HTTP.
    fn twist_frame(self, dice: &mut Dice) -> Request {
        match dice.below(5) {
            0 => self.garbage(dice),
            1 => self.cut(dice),
            _ => self.misframed(dice),
        }
    }

    fn garbage(self, dice: &mut Dice) -> Request {
        let (length, mut request) = (dice.below(600), self.broken(Vec::new()));
        request.bytes = if dice.one_in(4) {
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()
        } else {
            dice.bytes(length)
        };
        request
    }

    fn cut(self, dice: &mut Dice) -> Request {
        let mut request = self.framed();
        request.bytes.truncate(dice.below(request.bytes.len()));
        Request { manner: Manner::Broken, ..request }
    }

    fn misframed(mut self, dice: &mut Dice) -> Request {
        let length = self.body.len();
        let lengths = ["-1", "+1", "0x10", "1,1", "", " 1 2", "1e3", "18446744073709551615"];
        let codings = ["gzip", "chunked, gzip", "identity", "xchunked", "chunked, chunked"];
        let upgrades = ["websocket", "h2c", "TLS/1.3"];
        let chunks: [&[u8]; 6] = [
            b"zz\r\n",
            b"-1\r\n",
            b"ffffffffffffffff1\r\n",
            b"5\r\nab",
            b"5;",
            b"1\r\na\n0\r\n\r\n",
        ];
        let exact = ("content-length", length.to_string());
        let chunked = ("transfer-encoding", "chunked".to_owned());
        let headers = match dice.below(8) {
            0 => vec![("content-length", (length + 1 + dice.below(1_000)).to_string())],
            1 => vec![("content-length", dice.below(length + 1).to_string())],
            2 => vec![("content-length", dice.pick(&lengths).to_owned())],
            3 => vec![exact, ("content-length", (length + 1).to_string())],
            4 => vec![exact, chunked],
            5 => vec![exact, ("transfer-encoding", dice.pick(&codings).to_owned())],
            6 => {
                let upgrade = dice.pick(&upgrades).to_owned();
                vec![exact, ("upgrade", upgrade), ("connection", "upgrade".to_owned())]
            }
            _ => {
                self.body = dice.pick(&chunks).to_vec();
                vec![chunked]
            }
        };
        self.headers.extend(headers.into_iter().map(|(name, value)| (name, value.into_bytes())));
        let body = std::mem::take(&mut self.body);
        self.broken(body)
    }

    fn broken(self, body: Vec<u8>) -> Request {
        let mut request = self.finished(body);
        request.manner = Manner::Broken;
        request
    }

    /// As RFC 9112 §7.1 has it, in chunks of sizes that nobody would choose.
    fn chunked(mut self, dice: &mut Dice) -> Request {
        self.headers.push(("transfer-encoding", b"chunked".to_vec()));
        let mut rest = self.body.as_slice();
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let size = rest.len().min(1 + dice.below(1_000));
            let (chunk, after) = rest.split_at(size);
            chunks.extend(format!("{size:X};a=\"b\"\r\n").bytes());
            chunks.extend(chunk);
            chunks.extend(b"\r\n");
            rest = after;
        }
        chunks.extend(b"0\r\n\r\n");
        self.finished(chunks)
    }

    /// With its length in front.
    fn framed(mut self) -> Request {
        let body = std::mem::take(&mut self.body);
        self.headers.push(("content-length", body.len().to_string().into_bytes()));
        self.finished(body)
    }

    fn finished(self, body: Vec<u8>) -> Request {
        let mut bytes = format!("{} {} {}\r\n", self.method, self.path, self.version).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        let ids: Vec<_> = self.headers.iter().filter(|(name, _)| *name == ID).collect();
        let id = match ids.as_slice() {
            [(_, id)] if id.is_ascii() && !id.is_empty() => String::from_utf8(id.clone()).ok(),
            _ => None,
        };
        let texts = self.target.bodies.iter().any(serde_json::Value::is_string);
        let is_text = texts || self.target.is_page;
        Request { bytes, manner: self.manner, is_head: self.method == "HEAD", is_text, id }
    }
}
