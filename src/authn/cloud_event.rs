//! A report as it arrives: a `CloudEvent` in JSON.

use serde::Deserialize as _;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Report;
use super::services::SOURCE_BYTES_MAX;
use crate::event::Reported;
use crate::model::{Digest, Method, Methods, Moment, canonical};

/// The longest event id, in bytes.
const ID_BYTES_MAX: usize = 256;
/// The longest user id, in bytes; an entity's is never longer.
const SUBJECT_BYTES_MAX: usize = 1024;

/// Why a report was not understood, and where. Nothing it said is repeated: it may be
/// a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {problem}")]
pub struct BadReport {
    /// The member, such as `data.methods[1]`; `event` is the whole.
    pub path: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl BadReport {
    fn at(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }

    /// Its code, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "report_invalid"
    }
}

impl Report {
    /// Reads one event. `received` stands in for a time that it does not give.
    ///
    /// ```json
    /// {"specversion": "1.0", "id": "4711", "source": "https://idp.example",
    ///  "type": "mfa.verified", "subject": "alice", "time": "2026-11-22T12:00:00Z",
    ///  "data": {"session_token_sha256": "e3b0c442…", "methods": ["pwd", "otp"]}}
    /// ```
    /// `type` is `password.verified`, `mfa.verified` or `session.ended`. Without
    /// `methods` a verified password counts as `pwd` and a further factor as `otp`,
    /// the weakest that each can be; `mfa` among them adds nothing. Extension
    /// attributes are ignored.
    ///
    /// # Errors
    /// [`BadReport`], with the path of the first member that is not as it must be.
    ///
    /// # Source
    /// `CloudEvents` 1.0.2, required attributes; its JSON format, §2.2 (null is absent)
    /// and §3.1 (data). RFC 8176 §2 for the methods.
    pub fn from_cloud_event(
        event: &Value,
        received: Moment,
        fresh_session: Uuid,
    ) -> Result<Self, BadReport> {
        let attributes =
            event.as_object().ok_or_else(|| BadReport::at("event", "must be a JSON object"))?;
        check_form(attributes)?;
        let what = what(attributes)?;
        let data = data(attributes)?;
        Ok(Self {
            id: text(attributes, "id", ID_BYTES_MAX)?.to_owned(),
            source: text(attributes, "source", SOURCE_BYTES_MAX)?.to_owned(),
            what,
            subject: text(attributes, "subject", SUBJECT_BYTES_MAX)?.to_owned(),
            session_token: session_token(data)?,
            methods: methods(data, what)?,
            reported_at: time(attributes)?.unwrap_or(received),
            content: Digest::of(canonical(event).to_string()),
            fresh_session,
        })
    }
}

fn check_form(attributes: &Map<String, Value>) -> Result<(), BadReport> {
    if given(attributes, "specversion").and_then(Value::as_str) != Some("1.0") {
        return Err(BadReport::at("specversion", "must be `1.0`"));
    }
    let content_type = given(attributes, "datacontenttype");
    if content_type.is_some_and(|it| !it.as_str().is_some_and(is_json)) {
        return Err(BadReport::at("datacontenttype", "must be `application/json` or absent"));
    }
    Ok(())
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

fn what(attributes: &Map<String, Value>) -> Result<Reported, BadReport> {
    match given(attributes, "type").and_then(Value::as_str) {
        Some("password.verified") => Ok(Reported::PasswordVerified),
        Some("mfa.verified") => Ok(Reported::MfaVerified),
        Some("session.ended") => Ok(Reported::SessionEnded),
        _ => Err(BadReport::at(
            "type",
            "must be `password.verified`, `mfa.verified` or `session.ended`",
        )),
    }
}

fn time(attributes: &Map<String, Value>) -> Result<Option<Moment>, BadReport> {
    let Some(time) = given(attributes, "time") else { return Ok(None) };
    let read = time.as_str().and_then(|text| text.parse().ok());
    read.map(Some).ok_or_else(|| {
        BadReport::at("time", "must be an RFC 3339 time such as `2026-11-22T12:00:00Z`")
    })
}

fn data(attributes: &Map<String, Value>) -> Result<&Map<String, Value>, BadReport> {
    let found = given(attributes, "data").and_then(Value::as_object);
    let data = found.ok_or_else(|| BadReport::at("data", "must be a JSON object"))?;
    let stray =
        data.keys().find(|name| !matches!(name.as_str(), "session_token_sha256" | "methods"));
    match stray.map(String::as_str) {
        None => Ok(data),
        Some("session_token") => Err(BadReport::at(
            "data.session_token",
            "must not be sent: send its SHA-256 as `session_token_sha256`, never the token",
        )),
        Some(name) => {
            let shown: String = name.chars().take(64).collect();
            let problem = "is not known: send `session_token_sha256` and, if you like, `methods`";
            Err(BadReport::at(format!("data.{shown}"), problem))
        }
    }
}

fn session_token(data: &Map<String, Value>) -> Result<Digest, BadReport> {
    let read = given(data, "session_token_sha256").and_then(Value::as_str);
    read.and_then(|text| text.parse().ok()).ok_or_else(|| {
        BadReport::at(
            "data.session_token_sha256",
            "must be the SHA-256 of the session token in 64 lower-case hexadecimal digits",
        )
    })
}

fn methods(data: &Map<String, Value>, what: Reported) -> Result<Methods, BadReport> {
    let methods = match (given(data, "methods"), what) {
        (None, Reported::PasswordVerified) => Methods::default().with(Method::Pwd),
        (None, Reported::MfaVerified) => Methods::default().with(Method::Otp),
        (None, Reported::SessionEnded) => Methods::default(),
        (Some(given), _) => read_methods(given)?,
    };
    let shown = match what {
        Reported::PasswordVerified => methods.0.contains(&Method::Pwd),
        Reported::MfaVerified => {
            methods.0.iter().any(|one| matches!(one, Method::Otp | Method::Pop))
        }
        Reported::SessionEnded => return Ok(Methods::default()),
    };
    if !shown {
        let problem = "must name what was verified: `pwd` for a password, `otp` or `pop` \
                       for a further factor";
        return Err(BadReport::at("data.methods", problem));
    }
    Ok(methods)
}

fn read_methods(given: &Value) -> Result<Methods, BadReport> {
    let names =
        given.as_array().ok_or_else(|| BadReport::at("data.methods", "must be an array"))?;
    let counted = names.iter().enumerate().filter(|(_, name)| *name != "mfa"); // it follows
    let method = |(place, name): (usize, &Value)| {
        let read = name.as_str().and_then(|_| Method::deserialize(name).ok());
        let known = read.filter(|method| method.rfc8176().is_some());
        let problem = "is not a method known here: use pwd, otp, pop, hwk, swk or user";
        known.ok_or_else(|| BadReport::at(format!("data.methods[{place}]"), problem))
    };
    counted.map(method).collect()
}

fn text<'a>(
    attributes: &'a Map<String, Value>,
    name: &str,
    bytes_max: usize,
) -> Result<&'a str, BadReport> {
    let text = given(attributes, name).and_then(Value::as_str);
    let fits = |text: &&str| !text.is_empty() && text.len() <= bytes_max;
    let problem = || format!("must be text of 1 to {bytes_max} bytes");
    text.filter(fits).ok_or_else(|| BadReport::at(name, problem()))
}

/// A member that is there and not null.
fn given<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn received() -> Moment {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn good() -> Value {
        json!({
            "specversion": "1.0", "id": "4711", "source": "https://idp.example",
            "type": "mfa.verified", "subject": "alice", "time": "2026-11-22T11:59:58+00:00",
            "datacontenttype": "application/json; charset=utf-8", "traceparent": "00-ab-cd-01",
            "data": {"session_token_sha256": Digest::of("t"), "methods": ["otp", "pwd"]},
        })
    }

    fn read(event: &Value) -> Result<Report, BadReport> {
        Report::from_cloud_event(event, received(), Uuid::nil())
    }

    /// A good event with one member set, or taken out by `None`. A dot leads into data.
    fn with(path: &str, value: Option<Value>) -> Value {
        let mut event = good();
        let (within, name) = match path.split_once('.') {
            Some((outer, inner)) => (&mut event[outer], inner),
            None => (&mut event, path),
        };
        let members = within.as_object_mut().unwrap();
        match value {
            Some(value) => members.insert(name.to_owned(), value),
            None => members.remove(name),
        };
        event
    }

    #[test]
    fn a_good_event_is_read_whole() {
        let report = read(&good()).unwrap();
        assert_eq!(
            report,
            Report {
                id: "4711".to_owned(),
                source: "https://idp.example".to_owned(),
                what: Reported::MfaVerified,
                subject: "alice".to_owned(),
                session_token: Digest::of("t"),
                methods: [Method::Otp, Method::Pwd].into_iter().collect(),
                reported_at: received().minus_seconds(2),
                content: Digest::of(canonical(&good()).to_string()),
                fresh_session: Uuid::nil(),
            }
        );
    }

    #[test]
    fn content_tells_a_repetition_from_a_contradiction() {
        let text = good().to_string();
        let again: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read(&again).unwrap().content, read(&good()).unwrap().content);
        let other = with("subject", Some(json!("bob")));
        assert_ne!(read(&other).unwrap().content, read(&good()).unwrap().content);
    }

    #[test]
    fn what_may_be_absent_may_be_null_too() {
        for absent in [None, Some(Value::Null)] {
            for path in ["time", "datacontenttype", "data.methods"] {
                assert!(read(&with(path, absent.clone())).is_ok(), "{path}");
            }
            let timeless = read(&with("time", absent)).unwrap();
            assert_eq!(timeless.reported_at, received());
        }
    }

    /// Source: ASVS 5.0 6.8.4, what is not said is the weakest.
    #[test]
    fn methods_not_named_are_the_weakest_there_are() {
        let table = [
            ("password.verified", json!(null), vec!["pwd"]),
            ("password.verified", json!(["pwd", "otp", "mfa"]), vec!["mfa", "otp", "pwd"]),
            ("mfa.verified", json!(null), vec!["otp"]),
            ("mfa.verified", json!(["pop", "user", "hwk"]), vec!["hwk", "pop", "user"]),
            ("session.ended", json!(["pwd"]), vec![]),
        ];
        for (kind, methods, names) in table {
            let mut event = with("type", Some(json!(kind)));
            event["data"]["methods"] = methods;
            let read = read(&event).unwrap().methods;
            assert_eq!(read.names().into_iter().collect::<Vec<_>>(), names, "{kind}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let long = |bytes: usize| Some(json!("x".repeat(bytes)));
        let table = [
            ("specversion", None, "specversion"),
            ("specversion", Some(json!("0.3")), "specversion"),
            ("id", None, "id"),
            ("id", Some(json!("")), "id"),
            ("id", Some(json!(7)), "id"),
            ("id", long(257), "id"),
            ("source", None, "source"),
            ("source", long(257), "source"),
            ("type", Some(json!("countersign.mfa.verified")), "type"),
            ("type", None, "type"),
            ("subject", None, "subject"),
            ("subject", long(1_025), "subject"),
            ("time", Some(json!("yesterday")), "time"),
            ("time", Some(json!(1_790_000_000)), "time"),
            ("datacontenttype", Some(json!("text/plain")), "datacontenttype"),
            ("datacontenttype", Some(json!(1)), "datacontenttype"),
            ("data", None, "data"),
            ("data", Some(json!("e30=")), "data"),
            ("data.session_token_sha256", None, "data.session_token_sha256"),
            ("data.session_token_sha256", Some(json!("AB")), "data.session_token_sha256"),
            ("data.session_token", Some(json!("secret")), "data.session_token"),
            ("data.method", Some(json!(["otp"])), "data.method"),
            ("data.methods", Some(json!("otp")), "data.methods"),
            ("data.methods", Some(json!([])), "data.methods"),
            ("data.methods", Some(json!(["mfa"])), "data.methods"),
            ("data.methods", Some(json!(["pwd"])), "data.methods"),
            ("data.methods", Some(json!(["otp", "sms"])), "data.methods[1]"),
            ("data.methods", Some(json!([7])), "data.methods[0]"),
        ];
        for (path, value, blamed) in table {
            let event = with(path, value);
            assert_eq!(read(&event).unwrap_err().path, blamed, "{event}");
        }
        assert_eq!(read(&json!([])).unwrap_err().path, "event");
    }

    #[test]
    fn a_verified_password_without_pwd_contradicts_itself() {
        let mut event = with("type", Some(json!("password.verified")));
        event["data"]["methods"] = json!(["otp"]);
        assert_eq!(read(&event).unwrap_err().path, "data.methods");
    }

    #[test]
    fn a_token_in_the_wrong_place_is_not_repeated() {
        let error = read(&with("data.session_token", Some(json!("s3cret")))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`data.session_token` must not be sent: send its SHA-256 as \
             `session_token_sha256`, never the token"
        );
        let bad = read(&with("data.session_token_sha256", Some(json!("s3cret")))).unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("s3cret"));
    }
}
