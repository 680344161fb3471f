//! Who is there, and which page is theirs.

use std::sync::Arc;

use actix_web::HttpRequest;
use serde::Deserialize;
use uuid::Uuid;

use super::super::caller::{Caller, token};
use super::super::{App, Problem};
use super::Away;
use super::form::FormTag;
use crate::event::SessionPurpose;
use crate::model::{Aal, Digest, Method, Moment, Username};
use crate::projection::{Person, Session, World};

/// Where somebody signs in.
pub const SIGN_IN: &str = "/sign-in";
/// Where a second factor is shown.
pub const CODE: &str = "/sign-in/code";
/// Where somebody gets back in who has lost their second factor.
pub const RECOVER: &str = "/sign-in/recover";
/// Where a person looks after their account.
pub const ACCOUNT: &str = "/account";
/// Where an authenticator app is set up.
pub const SET_UP: &str = "/account/set-up";
/// Where a password is changed.
pub const PASSWORD: &str = "/account/password";

/// What an address says has just been done; anything may stand there, and only what the
/// page knows is told.
#[derive(Deserialize)]
pub struct Done {
    #[serde(default)]
    done: String,
}

impl Done {
    /// What it was.
    pub fn as_str(&self) -> &str {
        &self.done
    }

    /// True if it was this.
    pub fn is(&self, what: &str) -> bool {
        self.done == what
    }
}

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
    /// The World that all that is from.
    pub world: Arc<World>,
    /// When.
    pub now: Moment,
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
            now,
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

    /// Where they show once more who they are, when it has been too long.
    pub fn again(&self) -> &'static str {
        let whole = self.session.purpose.is_everything();
        let has_factor = self.has_app() || self.has_passkey();
        let is_enough = whole && self.session.aal >= Aal::TWO && has_factor;
        if is_enough { "/sign-in/code?done=again" } else { "/sign-in?done=again" }
    }

    /// What keeps them from a change of their account, as the way to make up for it.
    pub fn elsewhere(&self, problem: impl Into<Problem>) -> Away {
        let problem = problem.into();
        match problem.code() {
            "reauthentication_required" => Away::To(self.again()),
            "assurance_too_low" => Away::To(CODE),
            _ => Away::Problem(problem),
        }
    }

    /// The page that is theirs first.
    pub fn home(&self) -> &'static str {
        match self.session.purpose {
            SessionPurpose::Recovery => SET_UP,
            SessionPurpose::SecondFactor => CODE,
            // Changing a password takes the account's strength as well.
            _ if self.owes_a_factor() => CODE,
            SessionPurpose::PasswordChange => PASSWORD,
            SessionPurpose::Everything => ACCOUNT,
        }
    }

    fn may_see(&self, place: &str) -> bool {
        let whole = self.session.purpose.is_everything();
        place == self.home() || (whole && (place == CODE || !self.owes_a_factor()))
    }

    /// True if the session would be worth more with the second factor that they have.
    fn owes_a_factor(&self) -> bool {
        let more = |method| self.session.methods.clone().with(method).aal();
        let with = |has: bool, method| has && more(method) > Some(self.session.aal);
        with(self.has_app(), Method::Otp) || with(self.has_passkey(), Method::Pop)
    }

    /// True if one of their passkeys can be used.
    pub fn has_passkey(&self) -> bool {
        self.person.usable_passkeys().next().is_some()
    }

    /// True if one of their apps can be used.
    pub fn has_app(&self) -> bool {
        self.person.totps.iter().any(|totp| !totp.credential.disabled)
    }
}
