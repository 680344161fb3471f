//! Who is there, and which page is theirs.

use std::sync::Arc;

use actix_web::HttpRequest;
use uuid::Uuid;

use super::super::caller::{Caller, token};
use super::super::{App, Problem};
use super::Away;
use super::form::FormTag;
use crate::event::SessionPurpose;
use crate::model::{Digest, Method, Username};
use crate::projection::{Person, Session, World};

/// Where somebody signs in.
pub const SIGN_IN: &str = "/sign-in";
/// Where a second factor is shown.
pub const CODE: &str = "/sign-in/code";
/// Where a person looks after their account.
pub const ACCOUNT: &str = "/account";
/// Where an authenticator app is set up.
pub const SET_UP: &str = "/account/set-up";
/// Where a password is changed.
pub const PASSWORD: &str = "/account/password";

/// A person in a session of their own.
pub struct Visitor {
    /// As whom they call.
    pub caller: Caller,
    /// The session.
    pub session: Arc<Session>,
    /// Who.
    pub name: Username,
    /// What is known of them.
    pub person: Arc<Person>,
    /// The SHA-256 of the session's token.
    pub token: Digest,
    /// What their forms carry.
    pub tag: FormTag,
    /// As of when all that is.
    pub world: Arc<World>,
}

impl Visitor {
    /// The visitor that a request is from, if there is one.
    ///
    /// # Errors
    /// 403 for a cookie that another site's page made the browser send.
    pub fn of(app: &App, request: &HttpRequest) -> Result<Option<Self>, Problem> {
        let token = match token(request) {
            Ok(token) => token,
            Err(problem) if problem.code() == "unauthenticated" => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let world = app.sequencer.world();
        let now = app.sequencer.now(&world);
        let Some(Caller::Person(session)) = Caller::holding(&token, &world, now) else {
            return Ok(None);
        };
        let name = session.person.clone();
        let known = name.as_ref().and_then(|name| world.identities.get(name)).cloned();
        Ok(name.zip(known).map(|(name, person)| Self {
            caller: Caller::Person(Arc::clone(&session)),
            session,
            name,
            person,
            token,
            tag: FormTag::of(app, &token),
            world,
        }))
    }

    /// The visitor of a page, if it is for them.
    ///
    /// # Errors
    /// [`Away::To`] the page that is.
    pub fn at(app: &App, request: &HttpRequest, place: &str) -> Result<Self, Away> {
        let visitor = Self::of(app, request)?.ok_or(Away::To(SIGN_IN))?;
        if visitor.may_see(place) { Ok(visitor) } else { Err(Away::To(visitor.home())) }
    }

    /// The session's id.
    pub fn id(&self) -> Uuid {
        self.session.id
    }

    /// The page that is theirs first.
    pub fn home(&self) -> &'static str {
        match self.session.purpose {
            SessionPurpose::PasswordChange => PASSWORD,
            SessionPurpose::Recovery => SET_UP,
            SessionPurpose::Everything if self.owes_a_factor() => CODE,
            SessionPurpose::Everything => ACCOUNT,
        }
    }

    fn may_see(&self, place: &str) -> bool {
        let whole = self.session.purpose.is_everything();
        place == self.home() || (whole && (place == CODE || !self.owes_a_factor()))
    }

    /// True if the session would be worth more with the second factor that they have.
    fn owes_a_factor(&self) -> bool {
        let usable = self.person.totp.as_ref().is_some_and(|totp| !totp.credential.disabled);
        let methods = self.session.methods.clone().with(Method::Otp);
        usable && methods.aal() > Some(self.session.aal)
    }
}
