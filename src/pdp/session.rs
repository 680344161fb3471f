//! What a presented session contributes: the World's own facts, never the body's.

use crate::cedar::Known;
use crate::event::{Presented, SessionFacts, SessionUsed};
use crate::model::{EntityType, Methods, Moment, ReservedType, SetKind, Uid};
use crate::projection::{Session, World};

/// What becomes of the session presented with a question about `subject`.
pub(super) fn look_up(
    world: &World,
    set: SetKind,
    presented: Presented,
    subject: &Uid,
    now: Moment,
) -> Option<SessionUsed> {
    let id = match presented {
        Presented::Nothing => return None,
        Presented::Unknown => return Some(SessionUsed::Unknown),
        Presented::Session(id) => id,
    };
    let limits = &world.settings.session;
    let found = world.sessions.get(&id).filter(|session| session.in_force(now, limits));
    Some(match found {
        None => SessionUsed::Over { id },
        Some(session) if !session.purpose.is_everything() => SessionUsed::Restricted { id },
        Some(session) if owner(session, set).as_ref() == Some(subject) => {
            SessionUsed::InForce(facts(session))
        }
        Some(session) => SessionUsed::OtherSubject { id, user: session.user.clone() },
    })
}

/// What a session shows for whoever gives a command in it; nothing if there is none, as for
/// services and the local operator.
#[must_use]
pub fn vouched(world: &World, presented: Presented) -> Option<SessionFacts> {
    match presented {
        Presented::Session(id) => world.sessions.get(&id).map(|session| facts(session)),
        Presented::Nothing | Presented::Unknown => None,
    }
}

/// Whom a session speaks for. What an identity provider reports never counts for
/// Countersign's own administration.
fn owner(session: &Session, set: SetKind) -> Option<Uid> {
    match set {
        SetKind::Application => Some(session.user.clone()),
        SetKind::System => session
            .person
            .as_ref()
            .map(|person| Uid::of_person(EntityType::reserved(ReservedType::Person), person)),
    }
}

fn facts(session: &Session) -> SessionFacts {
    SessionFacts {
        id: session.id,
        aal: session.aal.get(),
        methods: session.methods.0.clone(),
        authenticated_at: session.authenticated_at,
        source: session.source.clone(),
    }
}

/// The facts as policies see them in `context.session`.
pub(super) fn context(facts: &SessionFacts, now: Moment) -> Known {
    let methods = Methods(facts.methods.clone());
    // What a source may vouch for at most bounds all that follows from its methods.
    let two_factors = facts.aal >= 2;
    let names = methods.names().into_iter().filter(|name| two_factors || *name != "mfa");
    let phishing_resistant = two_factors && methods.phishing_resistant();
    Known::Record(vec![
        ("aal", Known::Number(facts.aal.into())),
        ("amr", Known::Texts(names.collect())),
        ("authenticated_at", Known::Time(facts.authenticated_at)),
        ("age_seconds", Known::Number(now.seconds_since(facts.authenticated_at))),
        ("phishing_resistant", Known::Bool(phishing_resistant)),
        ("source", Known::Text(facts.source.clone())),
    ])
}
