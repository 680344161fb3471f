//! What a person must hear of by another way than the one it happened on
//! (SP 800-63B-4 §4.1.2.1, §4.2.3, §4.6; ASVS 5.0 6.3.5, 6.3.7).

use std::borrow::Cow;

use serde::Serialize;
use uuid::Uuid;

use super::describe;
use crate::event::{Envelope, Event, Refused, SessionEnding, of_versions};
use crate::model::{Index, Label, Moment, Username};

/// One thing that happened to what a person signs in with. No secret is in it, for none is
/// in the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notice {
    /// The entry's id: the same each time that it is told.
    pub id: Uuid,
    /// Whose log it is from.
    pub log: Uuid,
    /// The entry's place there.
    pub index: Index,
    /// When it was written.
    pub time: Moment,
    /// The entry's type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whom to tell.
    pub person: Username,
    /// Who did it, such as `person/alice`, as the entry says.
    pub actor: String,
    /// What happened, in one line.
    pub what: String,
}

impl Notice {
    /// What a person must hear of an entry; nothing of most.
    #[must_use]
    pub fn of(entry: &Envelope) -> Option<Self> {
        Some(Self {
            id: entry.id,
            log: entry.log,
            index: entry.index,
            time: entry.time,
            kind: entry.event.type_name(),
            person: concerned(&entry.event)?.clone(),
            actor: entry.actor.to_string(),
            what: describe(&unnamed(entry)),
        })
    }
}

/// The entry without what the person calls their key: that goes no further than the log.
fn unnamed(entry: &Envelope) -> Cow<'_, Envelope> {
    let mut entry = Cow::Borrowed(entry);
    if matches!(entry.event, Event::PasskeyRegistered(_))
        && let Event::PasskeyRegistered(it) = &mut entry.to_mut().event
    {
        it.label = Label::default();
    }
    entry
}

#[expect(clippy::unnested_or_patterns, reason = "those of versions are one pattern")]
fn concerned(event: &Event) -> Option<&Username> {
    match event {
        Event::TicketIssued(it) => Some(&it.person),
        Event::PasswordEnrolled(it) => Some(&it.person),
        // Whoever brought it along may know it.
        Event::PasswordImported(it) => Some(&it.person),
        Event::PasswordCompromised(it) => Some(&it.person),
        Event::MfaEnrolled(it) => Some(&it.person),
        Event::PasskeyRegistered(it) => Some(&it.person),
        Event::CredentialDisabled(it) => Some(&it.person),
        Event::CredentialRemoved(it) => Some(&it.person),
        Event::RecoveryCodesIssued(it) => Some(&it.person),
        Event::RecoveryCodeUsed(it) => Some(&it.person),
        // The password was right: somebody has it. Those that come too soon come after others.
        Event::RecoveryCodeRefused(it) if it.reason != Refused::TooSoon => Some(&it.person),
        // Somebody has seen the code.
        Event::MfaRefused(it) if it.reason == Refused::Replayed => Some(&it.person),
        Event::SessionEnded(it) if it.reason == SessionEnding::EndedByAdministrator => {
            it.person.as_ref()
        }
        Event::PersonDisabled(it) => Some(&it.person),
        Event::LogCreated(_)
        | Event::LossAccepted(_)
        | Event::NodeStarted(_)
        | Event::KeyRotated(_)
        | Event::SigningKeyAdopted(_)
        | Event::SigningKeyRetired(_)
        | Event::WitnessKeyAdopted(_)
        | Event::CheckpointCosigned(_)
        | Event::SettingsAdopted(_)
        | Event::PolicyIndexDoubted(_)
        | Event::SchemaSubmitted(_)
        | Event::SchemaActivated(_)
        | Event::PolicySubmitted(_)
        | Event::PolicyWithdrawn(_)
        | Event::PoliciesActivated(_)
        | of_versions!()
        | Event::EntitySubmitted(_)
        | Event::EntityWithdrawn(_)
        | Event::DirectoryActivated(_)
        | Event::PersonRegistered(_)
        | Event::PersonErased(_)
        | Event::SubjectErased(_)
        | Event::RoleGranted(_)
        | Event::RoleRevoked(_)
        | Event::TicketUsed(_)
        | Event::TicketRefused(_)
        | Event::PasswordVerified(_)
        | Event::PasskeyVerified(_)
        | Event::PasskeyRefused(_)
        | Event::PasswordRehashed(_)
        | Event::AttemptsThrottled(_)
        | Event::PasswordRefused(_)
        | Event::MfaOffered(_)
        | Event::MfaVerified(_)
        | Event::MfaRefused(_)
        | Event::RecoveryCodeRefused(_)
        | Event::CredentialRenamed(_)
        | Event::SessionStarted(_)
        | Event::SessionRaised(_)
        | Event::SessionEnded(_)
        | Event::AuthenticationReported(_)
        | Event::ServiceRegistered(_)
        | Event::ServiceRevoked(_)
        | Event::AccessDecided(_) => None,
    }
}
