//! Administration of service tokens. Who may do it is decided by the system policies,
//! before.

use uuid::Uuid;

use super::Refusal;
use super::session::LOCAL_SOURCE;
use crate::event::{Actor, Event, ServiceRegistered, ServiceRevoked, SessionFacts, SourceBinding};
use crate::model::{Digest, Label, Scope, Scopes};
use crate::projection::World;

/// The longest source that a token can be bound to, in bytes.
pub const SOURCE_BYTES_MAX: usize = 256;

/// A service token to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewService {
    /// The service's id.
    pub id: Uuid,
    /// What people call it.
    pub label: Label,
    /// What it may be used for.
    pub scopes: Scopes,
    /// SHA-256 of the token.
    pub token: Digest,
    /// For scope `ingest`: what it is bound to.
    pub binding: Option<SourceBinding>,
}

/// Who makes a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// Who, as the node has established it.
    pub actor: Actor,
    /// Their session, if they are in one: it goes on record.
    pub session: Option<SessionFacts>,
}

/// Makes a service token known.
///
/// # Errors
/// [`Refusal::PersonRequired`] for scope `publish`, if a service makes it;
/// [`Refusal::ScopeRequired`] without any scope; [`Refusal::BindingRequired`],
/// [`Refusal::BindingUnexpected`] if scope `ingest` and the binding do not come
/// together; [`Refusal::BindingInvalid`]; [`Refusal::ServiceExists`].
pub fn register(world: &World, new: &NewService, maker: Maker) -> Result<Vec<Event>, Refusal> {
    // What a pipeline does is answered for by whoever let it.
    if new.scopes.contains(Scope::Publish) && matches!(maker.actor, Actor::Service(_)) {
        return Err(Refusal::PersonRequired);
    }
    if new.scopes.0.is_empty() {
        return Err(Refusal::ScopeRequired);
    }
    match (&new.binding, new.scopes.contains(Scope::Ingest)) {
        (Some(binding), true) => check_binding(binding)?,
        (None, false) => {}
        (None, true) => return Err(Refusal::BindingRequired),
        (Some(_), false) => return Err(Refusal::BindingUnexpected),
    }
    let (by_id, by_token) = (world.services.get(&new.id), world.services.by_token(&new.token));
    if by_id.or(by_token).is_some() {
        return Err(Refusal::ServiceExists);
    }
    Ok(vec![Event::ServiceRegistered(ServiceRegistered {
        service: new.id,
        label: new.label.clone(),
        scopes: new.scopes.clone(),
        token: new.token,
        binding: new.binding.clone(),
        session: maker.session,
    })])
}

/// Revokes a service's token, for good.
///
/// # Errors
/// [`Refusal::ServiceUnknown`].
pub fn revoke(world: &World, service: Uuid) -> Result<Vec<Event>, Refusal> {
    if world.services.get(&service).is_none() {
        return Err(Refusal::ServiceUnknown { service });
    }
    Ok(vec![Event::ServiceRevoked(ServiceRevoked { service })])
}

/// A source must not pass for this deployment, nor its users for its administrators.
fn check_binding(binding: &SourceBinding) -> Result<(), Refusal> {
    let SourceBinding { source, user_type, .. } = binding;
    let spaced = source.chars().any(|c| c.is_control() || c.is_whitespace());
    let what = if source.is_empty() || source.len() > SOURCE_BYTES_MAX || spaced {
        "source must be a URI of 1 to 256 bytes without spaces"
    } else if source.eq_ignore_ascii_case(LOCAL_SOURCE) {
        "source must not be `countersign`, which stands for this deployment"
    } else if user_type.is_reserved() {
        "user type must not be of `Countersign::`, which is this deployment's own"
    } else {
        return Ok(());
    };
    Err(Refusal::BindingInvalid { what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::fixture::{Story, names};
    use crate::model::{Aal, EntityType};

    fn new(story: &mut Story, scopes: &[Scope], binding: Option<SourceBinding>) -> NewService {
        NewService {
            id: story.id(),
            label: "gateway".parse().unwrap(),
            scopes: scopes.iter().copied().collect(),
            token: story.digest(),
            binding,
        }
    }

    fn maker() -> Maker {
        Maker { actor: Actor::LocalOperator, session: None }
    }

    fn bound(source: &str, user_type: &str) -> SourceBinding {
        let user_type = EntityType::new(user_type).unwrap();
        SourceBinding { source: source.to_owned(), user_type, max_aal: Aal::TWO }
    }

    #[test]
    fn a_service_is_known_by_its_token_until_it_is_revoked() {
        let mut story = Story::new();
        let new = new(&mut story, &[Scope::Evaluate, Scope::Search], None);
        let registered = register(&story.world, &new, maker());
        assert_eq!(names(&story.commit(registered)), ["service.registered"]);
        assert_eq!(story.world.services.by_token(&new.token).map(|it| it.id), Some(new.id));

        let revoked = revoke(&story.world, new.id);
        assert_eq!(names(&story.commit(revoked)), ["service.revoked"]);

        assert!(story.world.services.by_token(&new.token).is_none());
        let unknown = Err(Refusal::ServiceUnknown { service: new.id });
        assert_eq!(revoke(&story.world, new.id), unknown);
    }

    #[test]
    fn scopes_and_binding_come_together() {
        let mut story = Story::new();
        let idp = || Some(bound("https://idp.example", "User"));
        let table = [
            (vec![], None, Some(Refusal::ScopeRequired)),
            (vec![], idp(), Some(Refusal::ScopeRequired)),
            (vec![Scope::Ingest], None, Some(Refusal::BindingRequired)),
            (vec![Scope::Ingest], idp(), None),
            (vec![Scope::Ingest, Scope::Evaluate], idp(), None),
            (vec![Scope::Evaluate], idp(), Some(Refusal::BindingUnexpected)),
            (vec![Scope::Evaluate], None, None),
        ];
        for (scopes, binding, refusal) in table {
            let new = new(&mut story, &scopes, binding);
            assert_eq!(register(&story.world, &new, maker()).err(), refusal, "{scopes:?}");
        }
    }

    /// Goal: no source passes for this deployment, none of its users for an
    /// administrator.
    #[test]
    fn a_binding_is_never_to_countersign_itself() {
        let mut story = Story::new();
        let long = "x".repeat(SOURCE_BYTES_MAX + 1);
        let table = [
            ("", "User", "source"),
            ("a b", "User", "source"),
            (long.as_str(), "User", "source"),
            ("countersign", "User", "source"),
            ("Countersign", "User", "source"),
            ("https://idp.example", "Countersign", "user type"),
            ("https://idp.example", "Countersign::Person", "user type"),
        ];
        for (source, user_type, part) in table {
            let new = new(&mut story, &[Scope::Ingest], Some(bound(source, user_type)));
            let refusal = register(&story.world, &new, maker()).unwrap_err();
            assert_eq!(refusal.code(), "binding_invalid");
            let message = refusal.to_string();
            assert!(message.starts_with(&format!("the binding's {part} must")), "{message}");
        }
    }

    /// Goal: a person answers for each pipeline, and no token breeds others that publish.
    #[test]
    fn a_token_that_publishes_is_made_by_no_service() {
        let mut story = Story::new();
        let new = new(&mut story, &[Scope::Publish, Scope::Audit], None);
        let by_service = Maker { actor: Actor::Service(story.id()), session: None };
        assert_eq!(register(&story.world, &new, by_service), Err(Refusal::PersonRequired));
        assert!(register(&story.world, &new, maker()).is_ok());
    }

    /// Goal: an old token never gets a new service's scopes.
    #[test]
    fn ids_and_tokens_are_used_once() {
        let mut story = Story::new();
        let first = new(&mut story, &[Scope::Evaluate], None);
        let registered = register(&story.world, &first, maker());
        story.commit(registered);
        let second = new(&mut story, &[Scope::Admin], None);
        for again in [
            NewService { id: first.id, ..second.clone() },
            NewService { token: first.token, ..second.clone() },
        ] {
            assert_eq!(register(&story.world, &again, maker()), Err(Refusal::ServiceExists));
        }
    }
}
