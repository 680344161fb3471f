//! The person's session token that comes with a question.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use serde_json::Value;

use crate::event::Presented;
use crate::model::{AccessRequest, BadRequest, Digest, SecretToken};
use crate::projection::World;

/// Carries it, as an alternative to `context.session_token`.
const SESSION: HeaderName = HeaderName::from_static("countersign-session");

/// The digest of a session token that somebody showed; whose it is, if anybody's, is for
/// the World to say.
#[derive(Clone, Copy)]
pub struct Shown(Digest);

impl Shown {
    /// Of what is no token of anybody's too: it counts as one that nobody knows.
    fn of(text: &str) -> Self {
        let token = text.parse().unwrap_or_else(|_| SecretToken::nobodys());
        Self(token.digest())
    }

    /// The session that it opens in a World.
    pub fn in_world(self, world: &World) -> Presented {
        let session = world.sessions.by_session_token(&self.0);
        session.map_or(Presented::Unknown, |session| Presented::Session(session.id))
    }
}

/// What a call's header shows, for each question in it.
pub struct InHeader<'r>(Option<(&'r str, Shown)>);

impl<'r> InHeader<'r> {
    /// Reads the header.
    pub fn of(request: &'r HttpRequest) -> Self {
        let text = request.headers().get(SESSION).and_then(|value| value.to_str().ok());
        Self(text.map(|text| (text, Shown::of(text))))
    }

    /// Takes the token out of a question, so that it is never recorded.
    ///
    /// # Errors
    /// [`BadRequest`] if `context.session_token` is not text, or contradicts the header.
    pub fn or_in(&self, asked: &mut AccessRequest) -> Result<Option<Shown>, BadRequest> {
        let wrong = |problem| BadRequest { place: "context.session_token".to_owned(), problem };
        let in_body = match asked.context.remove("session_token") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => return Err(wrong("expected text")),
        };
        match (self.0, in_body) {
            (Some((one, _)), Some(two)) if one != two => {
                Err(wrong("differs from the Countersign-Session header"))
            }
            (Some((_, shown)), _) => Ok(Some(shown)),
            (None, in_body) => Ok(in_body.map(|text| Shown::of(&text))),
        }
    }
}
