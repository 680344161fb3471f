//! A client's end of the connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, Method, Request};

/// No answer takes longer than this on a server that is not stuck.
const STUCK: Duration = Duration::from_secs(60);

static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// One client's connections to one server.
pub struct Wire {
    agent: ureq::Agent,
    base: String,
}

/// An answer that has arrived whole.
pub struct Arrived {
    /// The `X-Request-ID` that was sent along, unique in this test.
    pub request: String,
    pub status: u16,
    pub headers: HeaderMap,
    /// The body; null if it is not JSON.
    pub body: Value,
    pub text: String,
}

impl Wire {
    pub fn to(url: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(STUCK)).build().into();
        Self { agent, base: url.to_owned() }
    }

    pub fn get(&self, path: &str, token: &str) -> Option<Arrived> {
        self.send(Method::GET, path, token, None)
    }

    pub fn post(&self, path: &str, token: &str, body: &Value) -> Option<Arrived> {
        self.send(Method::POST, path, token, Some(body))
    }

    pub fn put(&self, path: &str, token: &str, body: &Value) -> Option<Arrived> {
        self.send(Method::PUT, path, token, Some(body))
    }

    pub fn delete(&self, path: &str, token: &str) -> Option<Arrived> {
        self.send(Method::DELETE, path, token, None)
    }

    /// Asks; nothing if the server has gone before its answer was there whole.
    fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Option<Arrived> {
        let id = format!("crash-{}", REQUESTS.fetch_add(1, Ordering::Relaxed));
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let mut request = request.header("x-request-id", &id);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let sent = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body.to_string()).unwrap())
            }
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut answer = gone(sent)?;
        let text = gone(answer.body_mut().with_config().limit(64 << 20).read_to_string())?;
        Some(Arrived {
            request: id,
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }
}

impl Arrived {
    /// A header of the answer that must be there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.unwrap_or_else(|| panic!("no {name}: {}", self.text)).to_str().unwrap()
    }
}

/// A server that has gone is what this test is about; one that is stuck is a defect.
fn gone<T>(result: Result<T, ureq::Error>) -> Option<T> {
    match result {
        Ok(arrived) => Some(arrived),
        Err(ureq::Error::Timeout(_)) => panic!("the server is stuck"),
        Err(_) => None,
    }
}
