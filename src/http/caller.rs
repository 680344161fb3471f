//! Who calls, established from their token and the World alone.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, web};

use super::request_id::correlation;
use super::{App, Problem, source};
use crate::event::{Actor, Presented, Whence};
use crate::model::{Digest, Moment, SecretToken};
use crate::projection::{Service, Session, World};
use crate::sequencer::Origin;

/// The cookie that carries a browser's token.
pub const COOKIE: &str = "__Host-countersign";

/// A caller who has shown a token that is in force.
#[derive(Clone, Debug)]
pub enum Caller {
    /// The holder of a service token.
    Service(Arc<Service>),
    /// A person in a session of their own.
    Person(Arc<Session>),
}

impl Caller {
    /// Finds out who calls.
    ///
    /// # Errors
    /// 401 without a token, or with one that is not in force.
    pub fn of(request: &HttpRequest, app: &App, world: &World) -> Result<Self, Problem> {
        let token = token(request)?;
        let now = app.sequencer.now(world);
        Self::holding(&token, world, now).ok_or_else(Problem::unauthenticated)
    }

    /// The caller who holds a token in a World at a time. A person's PEP-facing
    /// session token is not one: tokens never stand in for each other.
    #[must_use]
    pub fn holding(token: &Digest, world: &World, now: Moment) -> Option<Self> {
        if let Some(service) = world.services.by_token(token) {
            return Some(Self::Service(Arc::clone(service)));
        }
        let session = world.sessions.by_token(token)?;
        let in_force = session.person.is_some() && session.in_force(now, &world.settings.session);
        in_force.then(|| Self::Person(Arc::clone(session)))
    }

    /// Who, for the record.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self {
            Self::Service(service) => Actor::Service(service.id),
            Self::Person(session) => session.person.clone().map_or(Actor::Anonymous, Actor::Person),
        }
    }

    /// What the record of a decision calls the one who asked.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Service(service) => service.id.to_string(),
            Self::Person(session) => session.user.to_string(),
        }
    }

    /// The session that vouches for a person; a service has none.
    #[must_use]
    pub fn presented(&self) -> Presented {
        match self {
            Self::Service(_) => Presented::Nothing,
            Self::Person(session) => Presented::Session(session.id),
        }
    }

    /// On whose behalf this request is recorded.
    #[must_use]
    pub fn origin(&self, request: &HttpRequest) -> Origin {
        let token = match self {
            Self::Service(_) => None,
            Self::Person(session) => session.token(),
        };
        let person = match self {
            Self::Service(_) => None,
            Self::Person(session) => Some(session.id),
        };
        let network = person.and_then(|_| network(request));
        let whence = Whence { session: person, network };
        Origin { whence, token, ..Origin::of(self.actor(), correlation(request)) }
    }
}

/// On whose behalf something is recorded of which nobody knows who does it: who is about to
/// show who they are, or holds a ticket.
#[must_use]
pub fn stranger(request: &HttpRequest) -> Origin {
    let whence = Whence { session: None, network: network(request) };
    Origin { whence, ..Origin::of(Actor::Anonymous, correlation(request)) }
}

/// What stands for the network that a request comes from.
fn network(request: &HttpRequest) -> Option<Digest> {
    let app = app(request).ok()?;
    let address = source::address(request, &app.settings)?;
    Some(app.vault.source_tag(&source::network(address)))
}

/// The SHA-256 of the token that a request carries, in the header or the cookie.
///
/// # Errors
/// 401 if there is none, or none that can be one.
pub fn token(request: &HttpRequest) -> Result<Digest, Problem> {
    let given = match request.headers().get(header::AUTHORIZATION) {
        Some(value) => bearer(value.to_str().ok()),
        None => cookie(request)?,
    };
    let token = given.and_then(|text| text.parse::<SecretToken>().ok());
    token.map(|token| token.digest()).ok_or_else(Problem::unauthenticated)
}

fn bearer(value: Option<&str>) -> Option<String> {
    let (scheme, token) = value?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// The cookie's token. `SameSite=Strict` keeps other sites from sending it; a
/// browser that says the request comes from another site is refused all the same.
fn cookie(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(cookie) = request.cookie(COOKIE) else { return Ok(None) };
    let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    match site {
        None | Some("same-origin" | "none") => Ok(Some(cookie.value().to_owned())),
        Some(_) => Err(Problem::forbidden("a cookie is taken only from our own pages")),
    }
}

/// The node that handles a request.
///
/// # Errors
/// 500 if the server was put together without one.
pub fn app(request: &HttpRequest) -> Result<web::Data<App>, Problem> {
    let found = request.app_data::<web::Data<App>>().cloned();
    found.ok_or_else(|| Problem::defect(&"no node behind this server"))
}
