//! Sessions: whose, how strongly authenticated, and until when.

use std::sync::Arc;

use imbl::{HashMap, OrdSet};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{
    AccessDecided, AuthenticationReported, Reported, SessionLimits, SessionPurpose, SessionRaised,
    SessionStarted, SessionUsed,
};
use crate::model::{Aal, Digest, Methods, Moment, Uid, Username};

/// How coarsely a session's last activity is known, in seconds: a decision moves
/// it only when this much has passed, so that most decisions change no session.
pub(super) const ACTIVITY_GRAIN_S: u64 = 60;

/// How many of the oldest sessions are looked at when a new one begins.
const LAPSE_MAX: usize = 4;

/// One session that has not ended. Whether it is in force is a question of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "a session token is its name everywhere")]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// Whose, as policies name them.
    pub user: Uid,
    /// The person here; none for a session at an identity provider.
    pub person: Option<Username>,
    /// The methods used.
    pub methods: Methods,
    /// The assurance they give.
    pub aal: Aal,
    /// What it is for.
    #[serde(default, skip_serializing_if = "SessionPurpose::is_everything")]
    pub purpose: SessionPurpose,
    /// Who vouches for it: `countersign` or an identity provider's source.
    pub source: String,
    /// When it began.
    pub started_at: Moment,
    /// When the person last authenticated.
    pub authenticated_at: Moment,
    /// When it was last used, at a grain of 60 s.
    pub last_active: Moment,
    token: Option<Digest>,
    session_token: Digest,
}

impl Session {
    /// SHA-256 of its token for Countersign's own API; none elsewhere.
    #[must_use]
    pub const fn token(&self) -> Option<Digest> {
        self.token
    }

    /// True if neither its absolute nor its idle limit has passed.
    #[must_use]
    pub fn in_force(&self, now: Moment, limits: &SessionLimits) -> bool {
        now.seconds_since(self.started_at) <= limits.absolute_s(self.aal)
            && now.seconds_since(self.last_active) <= limits.idle_s(self.aal)
    }

    /// When its absolute limit passes.
    #[must_use]
    pub fn expires_at(&self, limits: &SessionLimits) -> Moment {
        self.started_at.plus_seconds(limits.absolute_s(self.aal))
    }
}

/// All sessions that have not ended.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "each is one way to find a session")]
pub struct Sessions {
    by_id: HashMap<Uuid, Arc<Session>>,
    by_token: HashMap<Digest, Uuid>,
    by_session_token: HashMap<Digest, Uuid>,
    by_user: HashMap<Uid, OrdSet<Uuid>>,
    by_start: OrdSet<(Moment, Uuid)>,
    /// Those that began elsewhere; who has none is not in it.
    by_source: HashMap<String, OrdSet<(Moment, Uuid)>>,
}

impl Sessions {
    /// A session by its id.
    #[must_use]
    pub fn get(&self, id: &Uuid) -> Option<&Arc<Session>> {
        self.by_id.get(id)
    }

    /// The session whose token for Countersign's own API has this SHA-256.
    #[must_use]
    pub fn by_token(&self, token: &Digest) -> Option<&Arc<Session>> {
        self.by_token.get(token).and_then(|id| self.by_id.get(id))
    }

    /// The session whose token for PEPs has this SHA-256.
    #[must_use]
    pub fn by_session_token(&self, token: &Digest) -> Option<&Arc<Session>> {
        self.by_session_token.get(token).and_then(|id| self.by_id.get(id))
    }

    /// A user's sessions, oldest first.
    pub fn of_user<'a>(&'a self, user: &Uid) -> impl Iterator<Item = &'a Arc<Session>> + use<'a> {
        let ids = self.by_user.get(user).into_iter().flat_map(OrdSet::iter);
        ids.filter_map(|id| self.by_id.get(id))
    }

    /// How many an identity provider vouches for, and the oldest of them.
    #[must_use]
    pub fn of_source(&self, source: &str) -> (usize, Option<Uuid>) {
        self.by_source
            .get(source)
            .map_or((0, None), |held| (held.len(), held.get_min().map(|(_, id)| *id)))
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.by_id.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn started(&mut self, it: &SessionStarted, user: Uid, at: Moment) {
        self.put(Session {
            id: it.session,
            user,
            person: Some(it.person.clone()),
            aal: it.methods.aal().unwrap_or(Aal::ONE),
            methods: it.methods.clone(),
            purpose: it.purpose,
            source: "countersign".to_owned(),
            started_at: at,
            authenticated_at: at,
            last_active: at,
            token: Some(it.token),
            session_token: it.session_token,
        });
    }

    pub(super) fn raised(&mut self, it: &SessionRaised, at: Moment) {
        let Some(before) = self.by_id.get(&it.session).cloned() else { return };
        self.ended(&it.session);
        self.put(Session {
            aal: it.methods.aal().unwrap_or(Aal::ONE),
            methods: it.methods.clone(),
            purpose: match before.purpose {
                SessionPurpose::SecondFactor => SessionPurpose::Everything,
                other => other,
            },
            authenticated_at: at,
            last_active: at,
            token: Some(it.token),
            session_token: it.session_token,
            ..Session::clone(&before)
        });
    }

    pub(super) fn reported(&mut self, it: &AuthenticationReported) {
        if it.what == Reported::SessionEnded {
            return self.ended(&it.session);
        }
        let before = self.by_id.get(&it.session).cloned();
        let known = before.iter().flat_map(|session| session.methods.0.iter().copied());
        let methods: Methods = known.chain(it.methods.0.iter().copied()).collect();
        let latest = |time: fn(&Session) -> Moment| {
            before.as_deref().map_or(it.occurred_at, |session| time(session).max(it.occurred_at))
        };
        self.put(Session {
            id: it.session,
            user: it.user.clone(),
            person: None,
            aal: methods.aal().unwrap_or(Aal::ONE).min(it.max_aal),
            methods,
            purpose: SessionPurpose::Everything,
            source: it.source.clone(),
            started_at: before.as_deref().map_or(it.occurred_at, |session| session.started_at),
            authenticated_at: latest(|session| session.authenticated_at),
            last_active: latest(|session| session.last_active),
            token: None,
            session_token: it.session_token,
        });
    }

    pub(super) fn ended(&mut self, id: &Uuid) {
        let Some(session) = self.by_id.remove(id) else { return };
        if let Some(token) = session.token {
            self.by_token.remove(&token);
        }
        self.by_session_token.remove(&session.session_token);
        self.by_start.remove(&(session.started_at, *id));
        if let Some(ids) = self.by_user.get_mut(&session.user) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_user.remove(&session.user);
            }
        }
        if let Some(held) = self.by_source.get_mut(&session.source) {
            held.remove(&(session.started_at, *id));
            if held.is_empty() {
                self.by_source.remove(&session.source);
            }
        }
    }

    /// Forgets a few of the oldest sessions that are past their absolute limit, and
    /// says which. Called for each new one, it keeps the number of sessions to what is
    /// in force, whoever made them.
    pub(super) fn lapse(&mut self, now: Moment, limits: &SessionLimits) -> Vec<Uuid> {
        let lapsed =
            |id: &Uuid| self.by_id.get(id).is_none_or(|session| session.expires_at(limits) < now);
        let oldest = self.by_start.iter().take(LAPSE_MAX).map(|(_, id)| *id);
        let gone: Vec<_> = oldest.filter(lapsed).collect();
        for id in &gone {
            self.ended(id);
        }
        gone
    }

    /// Moves the last activity of the session a decision relied on; true if it moved.
    pub(super) fn used(&mut self, decided: &AccessDecided) -> bool {
        let Some(SessionUsed::InForce(facts)) = &decided.session else { return false };
        let Some(session) = self.by_id.get_mut(&facts.id) else { return false };
        if decided.now.seconds_since(session.last_active) < ACTIVITY_GRAIN_S {
            return false;
        }
        Arc::make_mut(session).last_active = decided.now;
        true
    }

    fn put(&mut self, session: Session) {
        if let Some(token) = session.token {
            self.by_token.insert(token, session.id);
        }
        self.by_session_token.insert(session.session_token, session.id);
        self.by_user.entry(session.user.clone()).or_default().insert(session.id);
        self.by_start.insert((session.started_at, session.id));
        if session.person.is_none() {
            let held = self.by_source.entry(session.source.clone()).or_default();
            held.insert((session.started_at, session.id));
        }
        self.by_id.insert(session.id, Arc::new(session));
    }
}

/// All sessions as they are put away. The ways to find one are kept as they are: an
/// identity provider may have given a session another token, and the first still leads
/// to it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionsState {
    sessions: Vec<Arc<Session>>,
    by_token: Vec<(Digest, Uuid)>,
    by_session_token: Vec<(Digest, Uuid)>,
    by_user: Vec<(Uid, Vec<Uuid>)>,
    by_start: Vec<(Moment, Uuid)>,
    by_source: Vec<(String, Vec<(Moment, Uuid)>)>,
}

impl Sessions {
    pub(super) fn state(&self) -> SessionsState {
        let mut sessions: Vec<_> = self.by_id.values().cloned().collect();
        sessions.sort_unstable_by_key(|session| session.id);
        let ids = |(user, ids): (&Uid, &OrdSet<Uuid>)| {
            (user.clone(), ids.iter().copied().collect::<Vec<_>>())
        };
        let mut by_user: Vec<_> = self.by_user.iter().map(ids).collect();
        by_user.sort_unstable();
        let held = |(source, held): (&String, &OrdSet<(Moment, Uuid)>)| {
            (source.clone(), held.iter().copied().collect::<Vec<_>>())
        };
        let mut by_source: Vec<_> = self.by_source.iter().map(held).collect();
        by_source.sort_unstable();
        SessionsState {
            sessions,
            by_token: sorted(&self.by_token),
            by_session_token: sorted(&self.by_session_token),
            by_user,
            by_start: self.by_start.iter().copied().collect(),
            by_source,
        }
    }

    pub(super) fn restored(state: SessionsState) -> Self {
        let of_user = |(user, ids): (Uid, Vec<Uuid>)| (user, ids.into_iter().collect());
        let held = |(source, all): (String, Vec<_>)| (source, all.into_iter().collect());
        Self {
            by_id: state.sessions.into_iter().map(|session| (session.id, session)).collect(),
            by_token: state.by_token.into_iter().collect(),
            by_session_token: state.by_session_token.into_iter().collect(),
            by_user: state.by_user.into_iter().map(of_user).collect(),
            by_start: state.by_start.into_iter().collect(),
            by_source: state.by_source.into_iter().map(held).collect(),
        }
    }
}

fn sorted(tokens: &HashMap<Digest, Uuid>) -> Vec<(Digest, Uuid)> {
    let mut all: Vec<_> = tokens.iter().map(|(token, id)| (*token, *id)).collect();
    all.sort_unstable();
    all
}
