//! Every error a caller hears: RFC 9457 problem details with a stable `code`.

use std::error::Error as _;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use crate::entropy::NoEntropy;
use crate::hasher::HasherError;
use crate::model::{BadRequest, JsonError};
use crate::sequencer::CommitError;
use crate::vault::VaultError;

/// How long a caller should wait before trying again, in seconds, when the node
/// itself is the reason.
const RETRY_AFTER_S: u64 = 1;

/// What went wrong with a call. Never says anything about a decision: a deny is
/// an answer.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    extra: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with a stable code and a detail that says what would be right.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { status, code, title, detail: detail.into(), extra: Map::new(), headers: Vec::new() }
    }

    /// 400: the request itself is wrong.
    #[must_use]
    pub fn bad(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: the caller has not shown who they are.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let detail = "send a valid token as `Authorization: Bearer …`";
        let challenge = HeaderValue::from_static("Bearer realm=\"countersign\"");
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
            .with_header(header::WWW_AUTHENTICATE, challenge)
    }

    /// 403: the caller may not do this.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 503: the node cannot record, so it does not answer. A PEP must deny.
    #[must_use]
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(RETRY_AFTER_S)
    }

    /// 503: as many wait for the writer as may.
    #[must_use]
    pub fn overloaded() -> Self {
        Self::unavailable("overloaded", "too many requests are waiting to be recorded")
    }

    /// 503: a disk is nearly full. Nothing was touched; the node goes on by itself.
    #[must_use]
    pub fn no_room(detail: impl Into<String>) -> Self {
        Self::unavailable("no_room", detail)
    }

    /// 500: a defect of ours. The detail says nothing about it; the node's log does.
    #[must_use]
    pub fn defect(what: &dyn fmt::Display) -> Self {
        tracing::error!(%what, "a request failed unexpectedly");
        let detail = "the request failed for a reason that is not yours; the node's log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "defect", detail)
    }

    /// The same problem, to be tried again after some seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The same problem with a member more.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.extra.insert(name.to_owned(), value);
        self
    }

    /// The same problem with a header more.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// True if the request is what is wrong, and it alone.
    #[must_use]
    pub fn is_the_callers(&self) -> bool {
        self.status.is_client_error()
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong and what would be right.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({
            "type": format!("urn:countersign:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let Some(members) = body.as_object_mut() {
            members.extend(self.extra.clone());
        }
        let mut answer = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            answer.append_header((name.clone(), value.clone()));
        }
        answer
            .insert_header((header::CONTENT_TYPE, "application/problem+json"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(body.to_string())
    }
}

impl From<BadRequest> for Problem {
    fn from(error: BadRequest) -> Self {
        let place = json!(error.place);
        Self::bad("bad_request", error.to_string()).with("place", place)
    }
}

impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::TooLong { limit, .. } => Self::too_large(limit),
            _ => Self::bad("bad_json", error.to_string()),
        }
    }
}

impl Problem {
    /// 413: more than is read.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("the body is too long: at most {limit} bytes are read");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    }
}

impl<E: Into<Problem>> From<CommitError<E>> for Problem {
    fn from(error: CommitError<E>) -> Self {
        match error {
            CommitError::Refused(refusal) => refusal.into(),
            CommitError::Conflict { .. } => {
                Self::new(StatusCode::CONFLICT, "version_conflict", error.to_string())
            }
            CommitError::Withdrawn => Self::forbidden(error.to_string()),
            CommitError::TokenOver => Self::unauthenticated(),
            CommitError::TooLarge { .. } => Self::bad("too_large", error.to_string()),
            CommitError::Overloaded => Self::overloaded(),
            CommitError::ClockBehind => Self::unavailable("clock_behind", error.to_string()),
            CommitError::NoRoom => Self::no_room(error.to_string()),
            CommitError::Unavailable => Self::unavailable("log_unavailable", error.to_string()),
            CommitError::Defect => Self::defect(&"a command did not come to an end"),
        }
    }
}

impl From<NoEntropy> for Problem {
    fn from(error: NoEntropy) -> Self {
        Self::unavailable("no_entropy", error.to_string())
    }
}

impl From<HasherError> for Problem {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Busy | HasherError::Stopped => Self::unavailable(
                "hashing_busy",
                "too many passwords are waiting to be checked; try again shortly",
            ),
            other => Self::defect(&other),
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        match error {
            full if full.is_no_room() => {
                tracing::error!(error = %full, "there is no room for sealed secrets");
                Self::no_room("the disk of the vault is full: make room")
            }
            VaultError::File(disk) => {
                let cause = disk.source().map(tracing::field::display);
                tracing::error!(error = %disk, cause, "the vault's disk refuses");
                Self::unavailable("vault_unavailable", "sealed secrets cannot be read or written")
            }
            VaultError::NoEntropy(error) => error.into(),
            other => Self::defect(&other),
        }
    }
}
