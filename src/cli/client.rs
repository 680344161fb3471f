//! A server's HTTP API as a command sees it: JSON there and back, problems as failures.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{HeaderMap, Request, Response};
use ureq::{Agent, Body, BodyReader};

use super::failure::{Failure, whole};
use crate::model::SecretToken;
use crate::node::trusting;
use crate::settings::PublicUrl;

/// How long a server may take to be reached.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may take to begin its answer; a large publication is compiled first.
const ANSWER: Duration = Duration::from_secs(120);
/// The most bytes of an answer that is not a stream: all policies, a page of the log.
const ANSWER_BYTES_MAX: u64 = 128 << 20;
/// The most bytes of a line in a stream; an entry has at most 48 KiB.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    /// The HTTP method.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// One server, and the token it is asked with. No `Debug`.
#[derive(Clone)]
pub(super) struct Client {
    agent: Agent,
    base: PublicUrl,
    token: Option<SecretToken>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body; null if there is none.
    pub(super) body: Value,
    headers: HeaderMap,
}

impl Answer {
    /// A header, if it is there and text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body if all went well, else the problem as a failure.
    ///
    /// # Errors
    /// Refused for a 4xx, could not run for anything else that is not a 2xx.
    pub(super) fn good(self) -> Result<Value, Failure> {
        if (200..300).contains(&self.status) { Ok(self.body) } else { Err(self.problem()) }
    }

    fn problem(&self) -> Failure {
        let text = |name: &str| self.body.get(name).and_then(Value::as_str);
        let otherwise = || format!("the server answered {} and did not say why", self.status);
        let detail = text("detail").map_or_else(otherwise, str::to_owned);
        if !(400..500).contains(&self.status) {
            return Failure::could_not_run(detail);
        }
        let faults = self.body.get("faults").and_then(Value::as_array);
        let faults = faults.into_iter().flatten().cloned().map(Into::into);
        Failure::refused(text("code").unwrap_or("refused"), detail).with_faults(faults)
    }
}

impl Client {
    /// A way to the server at a URL: `https`, or `http` on loopback, so that no token
    /// crosses a network in the clear. `ca_file` holds the certificates (PEM) that
    /// the server's own is checked against, in place of the usual ones.
    ///
    /// # Errors
    /// Usage, for a URL that is none of these or a file without certificates.
    pub(super) fn new(
        url: &str,
        token: Option<SecretToken>,
        ca_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let base: PublicUrl = url
            .parse()
            .map_err(|error| Failure::usage(format!("`{url}` is not a server's URL: {error}")))?;
        // No redirect is followed: a token is for the server that was named.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
        let local = base.as_str().starts_with("http://");
        let config = if local { config.proxy(None) } else { config };
        let config = match ca_file {
            Some(path) => config.tls_config(trusting(path).map_err(Failure::usage)?),
            None => config,
        };
        Ok(Self { agent: config.build().new_agent(), base, token })
    }

    /// The same server asked with another token, or none.
    pub(super) fn with_token(&self, token: Option<SecretToken>) -> Self {
        Self { agent: self.agent.clone(), base: self.base.clone(), token }
    }

    /// Where the server is, without a slash at the end.
    #[cfg(test)]
    pub(super) fn url(&self) -> &str {
        self.base.as_str()
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// [`Failure`]: the server's refusal, or why it could not be asked.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        let path = with_query(path, query);
        let (status, headers, bytes) = self.bytes(Verb::Get, &path, None, &[])?;
        if (200..300).contains(&status) {
            // Read as they are, for stored entries are shown as they are.
            return serde_json::from_slice(&bytes).map_err(|error| unreadable(&error));
        }
        Err(self.answer(status, headers, &bytes)?.problem())
    }

    /// Reads a resource as it is; none if there is nothing at its path.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let (status, headers, bytes) = self.bytes(Verb::Get, path, None, &[])?;
        match status {
            200..300 => Ok(Some(bytes)),
            404 => Ok(None),
            _ => Err(self.answer(status, headers, &bytes)?.problem()),
        }
    }

    /// Sends a body and reads the answer; `Value` takes an empty one too.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) fn send<T: DeserializeOwned>(
        &self,
        verb: Verb,
        path: &str,
        body: &Value,
    ) -> Result<T, Failure> {
        let body = self.ask(verb, path, Some(body), &[])?.good()?;
        serde_json::from_value(body).map_err(|error| unreadable(&error))
    }

    /// Asks, and gives the answer whatever it is.
    ///
    /// # Errors
    /// If there is no answer, or one that is not JSON.
    pub(super) fn ask(
        &self,
        verb: Verb,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let (status, headers, bytes) = self.bytes(verb, path, body, headers)?;
        self.answer(status, headers, &bytes)
    }

    fn answer(&self, status: u16, headers: HeaderMap, bytes: &[u8]) -> Result<Answer, Failure> {
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(bytes).map_err(|_| self.not_ours())?
        };
        Ok(Answer { status, body, headers })
    }

    fn bytes(
        &self,
        verb: Verb,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<(u16, HeaderMap, Vec<u8>), Failure> {
        let response = self.response(verb, path, body, headers)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let limited = response.into_body().into_with_config().limit(ANSWER_BYTES_MAX);
        let bytes = limited.read_to_vec().map_err(|error| self.unheard(&error))?;
        Ok((status, headers, bytes))
    }

    /// Reads a resource of one JSON value a line, line by line as they come.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) fn lines(&self, path: &str, query: &[(&str, String)]) -> Result<Lines, Failure> {
        self.streamed(Verb::Get, &with_query(path, query), None, LINE_BYTES_MAX)
    }

    /// Sends a body and reads the answer line by line as it comes, each of at most so many
    /// bytes.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) fn stream(&self, path: &str, body: &Value, most: u64) -> Result<Lines, Failure> {
        self.streamed(Verb::Post, path, Some(body), most)
    }

    fn streamed(
        &self,
        verb: Verb,
        path: &str,
        body: Option<&Value>,
        most: u64,
    ) -> Result<Lines, Failure> {
        let response = self.response(verb, path, body, &[])?;
        if response.status().is_success() {
            // Without a limit: a log is as long as it is, and is read line by line.
            let reader = response.into_body().into_with_config().limit(u64::MAX).reader();
            return Ok(Lines { reader: BufReader::new(reader), most });
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().read_to_vec().unwrap_or_default();
        Err(self.answer(status, headers, &bytes)?.problem())
    }

    fn response(
        &self,
        verb: Verb,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Response<Body>, Failure> {
        let mut request =
            Request::builder().method(verb.as_str()).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.expose()));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let unfit = |_| Failure::usage(format!("`{path}` cannot be asked for"));
        let response = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body.to_string()).map_err(unfit)?)
            }
            None => self.agent.run(request.body(()).map_err(unfit)?),
        };
        response.map_err(|error| self.unheard(&error))
    }

    fn unheard(&self, error: &ureq::Error) -> Failure {
        Failure::could_not_run(format!("no answer from {}: {}", self.base, whole(error)))
    }

    fn not_ours(&self) -> Failure {
        Failure::could_not_run(format!(
            "{} answers, but not as Countersign does: check the URL",
            self.base
        ))
    }
}

/// Lines of a stream.
pub(super) struct Lines {
    reader: BufReader<BodyReader<'static>>,
    /// The most bytes of one.
    most: u64,
}

impl Iterator for Lines {
    type Item = Result<String, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(self.most).read_until(b'\n', &mut line);
        match read {
            Ok(0) => None,
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                let text = String::from_utf8(line);
                Some(text.map_err(|_| Failure::could_not_run("the server sent what is not text")))
            }
            Ok(_) => Some(Err(cut("in the middle of a line"))),
            Err(error) => Some(Err(cut(&error.to_string()))),
        }
    }
}

fn cut(why: &str) -> Failure {
    Failure::could_not_run(format!("the server's answer ended early: {why}"))
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::could_not_run(format!("the server's answer cannot be read: {error}"))
}

/// A text as one segment of a path or one value of a query (RFC 3986 §2.3).
pub(super) fn encoded(text: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(
            |byte| {
                if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            },
        )
        .collect()
}

/// A path with its parameters behind it.
pub(super) fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<_> =
        query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::super::failure::Exit;
    use super::*;
    use serde_json::json;

    fn answer(status: u16, body: Value) -> Answer {
        Answer { status, body, headers: HeaderMap::new() }
    }

    #[test]
    fn a_problem_becomes_a_failure_that_says_the_same() {
        let problem = json!({
            "code": "policy_invalid", "detail": "the policies cannot be put in force",
            "faults": [{"code": "policy_invalid", "message": "no such attribute"}],
        });
        let failure = answer(422, problem).good().unwrap_err();
        assert_eq!((failure.exit(), failure.code()), (Exit::Refused, "policy_invalid"));
        assert_eq!(failure.what(), "the policies cannot be put in force");
        assert_eq!(failure.faults().len(), 1);
    }

    #[test]
    fn a_server_that_cannot_is_not_a_refusal() {
        let failure = answer(503, json!({"code": "x", "detail": "busy"})).good().unwrap_err();
        assert_eq!(failure.exit(), Exit::CouldNotRun);
        assert_eq!(answer(204, Value::Null).good(), Ok(Value::Null));
    }

    #[test]
    fn a_token_never_crosses_a_network_in_the_clear() {
        for url in ["http://127.0.0.1:8181", "http://localhost:1/", "https://pdp.example.com"] {
            assert!(Client::new(url, None, None).is_ok(), "{url}");
        }
        for url in ["http://pdp.example.com", "pdp.example.com", "https://user@host", "ftp://x"] {
            let refusal = Client::new(url, None, None).err().unwrap();
            assert_eq!(refusal.exit(), Exit::Usage, "{url}");
        }
    }

    #[test]
    fn names_stay_one_segment_whatever_is_in_them() {
        assert_eq!(encoded("a/b?c d%"), "a%2Fb%3Fc%20d%25");
        assert_eq!(encoded("é"), "%C3%A9");
        let query = [("subject", "User::\"alice\"".to_owned()), ("limit", "5".to_owned())];
        let path = with_query("/audit/v1/events", &query);
        assert_eq!(path, "/audit/v1/events?subject=User%3A%3A%22alice%22&limit=5");
    }
}
