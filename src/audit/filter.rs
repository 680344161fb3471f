//! Which entries an auditor wants to see.

use std::fmt::Display;
use std::str::FromStr;

use super::BadQuery;
use super::query::Order;
use crate::event::{AccessDecided, Envelope, Event, Verdict, of_versions};
use crate::model::{EntityAsked, Moment, PolicyId, SetKind};

/// What an entry must be to be shown; every condition given must hold, and one that
/// says nothing about an entry's type leaves that entry out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Written at this moment or later.
    pub from: Option<Moment>,
    /// Written before this moment.
    pub to: Option<Moment>,
    /// Of this type.
    pub kind: Option<&'static str>,
    /// About this: the event's own subject; for a decision and an identity provider's
    /// report also the subject of the request, as `Type::"id"` or by its id alone.
    pub subject: Option<String>,
    /// A decision with this answer.
    pub decision: Option<Verdict>,
    /// A decision that this policy determined, or in which it erred.
    pub policy: Option<PolicyId>,
    /// A decision by this set, or a publication of it.
    pub set: Option<SetKind>,
    /// A decision that the staged policies would have taken otherwise, or as it was taken.
    pub shadow_differs: Option<bool>,
}

impl Filter {
    /// The parameters it is read from.
    pub const NAMES: [&'static str; 8] =
        ["from", "to", "type", "subject", "decision", "policy", "set", "shadow"];

    /// Takes one parameter; false if it is none of a filter's.
    ///
    /// # Errors
    /// [`BadQuery`] if it was given before or cannot be read.
    pub fn take(&mut self, name: &str, value: &str) -> Result<bool, BadQuery> {
        match name {
            "from" => put(&mut self.from, name, read(name, value)?)?,
            "to" => put(&mut self.to, name, read(name, value)?)?,
            "type" => put(&mut self.kind, name, event_type(value)?)?,
            "subject" => put(&mut self.subject, name, value.to_owned())?,
            "decision" => put(&mut self.decision, name, verdict(value)?)?,
            "policy" => put(&mut self.policy, name, read(name, value)?)?,
            "set" => put(&mut self.set, name, set_kind(value)?)?,
            "shadow" => put(&mut self.shadow_differs, name, shadow(value)?)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// True if an entry is what is wanted.
    #[must_use]
    pub fn matches(&self, entry: &Envelope) -> bool {
        let event = &entry.event;
        self.from.is_none_or(|from| entry.time >= from)
            && self.to.is_none_or(|to| entry.time < to)
            && self.kind.is_none_or(|kind| kind == event.type_name())
            && self.set.is_none_or(|set| set_of(event) == Some(set))
            && self.subject.as_deref().is_none_or(|text| is_about(event, text))
            && self.of_decision(event)
    }

    fn of_decision(&self, event: &Event) -> bool {
        if self.decision.is_none() && self.policy.is_none() && self.shadow_differs.is_none() {
            return true;
        }
        let Event::AccessDecided(decided) = event else { return false };
        self.decision.is_none_or(|wanted| wanted == decided.decision)
            && self.policy.as_ref().is_none_or(|policy| names(decided, policy))
            && self.shadow_differs.is_none_or(|wanted| {
                let shadow = decided.shadow.as_ref();
                shadow.is_some_and(|it| (it.decision != decided.decision) == wanted)
            })
    }

    /// True if no entry further on in this order can match, because time only grows.
    pub(super) fn is_past(&self, entry: &Envelope, order: Order) -> bool {
        match order {
            Order::Newest => self.from.is_some_and(|from| entry.time < from),
            Order::Oldest => self.to.is_some_and(|to| entry.time >= to),
        }
    }
}

fn put<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), BadQuery> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(BadQuery::new(name, "given twice: give it once")),
    }
}

fn read<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, BadQuery> {
    value.parse().map_err(|error: T::Err| BadQuery::new(name, error.to_string()))
}

fn verdict(value: &str) -> Result<Verdict, BadQuery> {
    [Verdict::Allow, Verdict::Deny]
        .into_iter()
        .find(|verdict| verdict.as_str() == value)
        .ok_or_else(|| BadQuery::new("decision", "expected `allow` or `deny`"))
}

fn shadow(value: &str) -> Result<bool, BadQuery> {
    match value {
        "differs" => Ok(true),
        "same" => Ok(false),
        _ => Err(BadQuery::new("shadow", "expected `differs` or `same`")),
    }
}

fn set_kind(value: &str) -> Result<SetKind, BadQuery> {
    [SetKind::Application, SetKind::System]
        .into_iter()
        .find(|set| set.as_str() == value)
        .ok_or_else(|| BadQuery::new("set", "expected `application` or `system`"))
}

/// A type by its whole name, or by the part between `countersign.` and the version.
fn event_type(value: &str) -> Result<&'static str, BadQuery> {
    let is_it = |name: &str| name == value || short(name) == value;
    Event::TYPE_NAMES.iter().copied().find(|name| is_it(name)).ok_or_else(|| {
        let known: Vec<_> = Event::TYPE_NAMES.iter().map(|name| short(name)).collect();
        BadQuery::new("type", format!("no such event type; there are {}", known.join(", ")))
    })
}

fn short(name: &str) -> &str {
    let unversioned = name.rsplit_once(".v").map_or(name, |(before, _)| before);
    unversioned.strip_prefix("countersign.").unwrap_or(unversioned)
}

fn names(decided: &AccessDecided, policy: &PolicyId) -> bool {
    decided.determining.contains(policy)
        || decided.errors.iter().any(|failure| failure.policy == *policy)
}

fn is_about(event: &Event, text: &str) -> bool {
    match event {
        Event::AccessDecided(decided) => is_named(&decided.request.subject, text),
        Event::AuthenticationReported(it) => it.user.id() == text || it.user.to_string() == text,
        other => other.subject().as_deref() == Some(text),
    }
}

fn is_named(asked: &EntityAsked, text: &str) -> bool {
    asked.id == text
        // The type alone first: most entries differ in it, and that costs nothing.
        || (text.starts_with(&asked.kind) && super::row::named(asked) == text)
}

fn set_of(event: &Event) -> Option<SetKind> {
    match event {
        Event::AccessDecided(it) => Some(it.set),
        Event::SchemaSubmitted(it) => Some(it.set),
        Event::SchemaActivated(it) => Some(it.set),
        Event::PolicySubmitted(it) => Some(it.set),
        Event::PolicyWithdrawn(it) => Some(it.set),
        Event::PoliciesActivated(it) => Some(it.set),
        of_versions!() => Some(SetKind::Application),
        Event::PolicyIndexDoubted(it) => Some(it.set),
        Event::LogCreated(_)
        | Event::LossAccepted(_)
        | Event::NodeStarted(_)
        | Event::SigningKeyAdopted(_)
        | Event::SigningKeyRetired(_)
        | Event::WitnessKeyAdopted(_)
        | Event::CheckpointCosigned(_)
        | Event::SettingsAdopted(_)
        | Event::EntitySubmitted(_)
        | Event::EntityWithdrawn(_)
        | Event::DirectoryActivated(_)
        | Event::PersonRegistered(_)
        | Event::PersonDisabled(_)
        | Event::PersonErased(_)
        | Event::SubjectErased(_)
        | Event::KeyRotated(_)
        | Event::RoleGranted(_)
        | Event::RoleRevoked(_)
        | Event::TicketIssued(_)
        | Event::TicketUsed(_)
        | Event::TicketRefused(_)
        | Event::PasswordEnrolled(_)
        | Event::PasswordVerified(_)
        | Event::PasswordRefused(_)
        | Event::PasswordCompromised(_)
        | Event::PasswordRehashed(_)
        | Event::PasswordImported(_)
        | Event::AttemptsThrottled(_)
        | Event::MfaOffered(_)
        | Event::MfaEnrolled(_)
        | Event::MfaVerified(_)
        | Event::MfaRefused(_)
        | Event::PasskeyRegistered(_)
        | Event::PasskeyVerified(_)
        | Event::PasskeyRefused(_)
        | Event::CredentialDisabled(_)
        | Event::CredentialRemoved(_)
        | Event::CredentialRenamed(_)
        | Event::RecoveryCodesIssued(_)
        | Event::RecoveryCodeUsed(_)
        | Event::RecoveryCodeRefused(_)
        | Event::SessionStarted(_)
        | Event::SessionRaised(_)
        | Event::SessionEnded(_)
        | Event::AuthenticationReported(_)
        | Event::ServiceRegistered(_)
        | Event::ServiceRevoked(_) => None,
    }
}
