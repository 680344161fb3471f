//! Which events hold personal values, and that they were erased.

use serde::{Deserialize, Serialize};

use super::{AccessDecided, Event, of_versions};
use crate::model::{Digest, KeyId, Label, Personal, Uid, Username};

/// A person was erased (`countersign.person.erased.v1`): their secrets are destroyed,
/// their credentials forgotten, and the name stays taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonErased {
    /// The login name.
    pub person: Username,
    /// Why.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
}

/// A subject's personal values were erased (`countersign.subject.erased.v1`): nobody can
/// open what is sealed under these keys any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectErased {
    /// Whose.
    pub subject: Uid,
    /// The keys destroyed.
    pub keys: Vec<KeyId>,
    /// Why.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
}

/// The vault's keys were wrapped anew (`countersign.key.rotated.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotated {
    /// The id of the key-encryption key that is no longer used.
    pub retired: Digest,
    /// The id of the one in its place.
    pub adopted: Digest,
}

impl Event {
    /// The personal values it holds, sealed or yet to be sealed. Which members they are is
    /// the application schema's to say (`@personal`): only the attributes of entities and
    /// what a request says can be personal. Persons stand in the log by the login name
    /// that the owner chose, and what was typed as an unknown name by a keyed hash.
    #[must_use]
    pub fn personal(&self) -> &[Personal] {
        match self {
            Self::EntitySubmitted(it) => &it.entity.personal,
            Self::AccessDecided(it) => &it.personal,
            other => {
                debug_assert!(other.is_impersonal());
                &[]
            }
        }
    }

    /// The same, to be sealed or opened.
    pub fn personal_mut(&mut self) -> &mut [Personal] {
        match self {
            Self::EntitySubmitted(it) => &mut it.entity.personal,
            Self::AccessDecided(it) => &mut it.personal,
            other => {
                debug_assert!(other.is_impersonal());
                &mut []
            }
        }
    }

    /// True for the events that hold nothing personal. Named, so that a new event has to
    /// be thought about.
    #[expect(clippy::unnested_or_patterns, reason = "those of versions are one pattern")]
    const fn is_impersonal(&self) -> bool {
        match self {
            Self::EntitySubmitted(_) | Self::AccessDecided(_) => false,
            Self::LogCreated(_)
            | Self::NodeStarted(_)
            | Self::SigningKeyAdopted(_)
            | Self::WitnessKeyAdopted(_)
            | Self::CheckpointCosigned(_)
            | Self::SigningKeyRetired(_)
            | Self::LossAccepted(_)
            | Self::SettingsAdopted(_)
            | Self::PolicyIndexDoubted(_)
            | Self::SchemaSubmitted(_)
            | Self::SchemaActivated(_)
            | Self::PolicySubmitted(_)
            | Self::PolicyWithdrawn(_)
            | Self::PoliciesActivated(_)
            | of_versions!()
            | Self::EntityWithdrawn(_)
            | Self::DirectoryActivated(_)
            | Self::PersonRegistered(_)
            | Self::PersonDisabled(_)
            | Self::PersonErased(_)
            | Self::SubjectErased(_)
            | Self::KeyRotated(_)
            | Self::RoleGranted(_)
            | Self::RoleRevoked(_)
            | Self::TicketIssued(_)
            | Self::TicketUsed(_)
            | Self::TicketRefused(_)
            | Self::PasswordEnrolled(_)
            | Self::PasswordVerified(_)
            | Self::PasswordRefused(_)
            | Self::PasswordCompromised(_)
            | Self::PasswordRehashed(_)
            | Self::PasswordImported(_)
            | Self::AttemptsThrottled(_)
            | Self::MfaOffered(_)
            | Self::MfaEnrolled(_)
            | Self::MfaVerified(_)
            | Self::MfaRefused(_)
            | Self::PasskeyRegistered(_)
            | Self::PasskeyVerified(_)
            | Self::PasskeyRefused(_)
            | Self::CredentialDisabled(_)
            | Self::CredentialRemoved(_)
            | Self::CredentialRenamed(_)
            | Self::RecoveryCodesIssued(_)
            | Self::RecoveryCodeUsed(_)
            | Self::RecoveryCodeRefused(_)
            | Self::SessionStarted(_)
            | Self::SessionRaised(_)
            | Self::SessionEnded(_)
            | Self::AuthenticationReported(_)
            | Self::ServiceRegistered(_)
            | Self::ServiceRevoked(_) => true,
        }
    }
}

impl AccessDecided {
    /// The request with what is personal where it belongs; what is sealed or erased is
    /// absent.
    #[must_use]
    pub fn opened_request(&self) -> crate::model::AccessRequest {
        let mut request = self.request.clone();
        for (pointer, value) in self.personal.iter().flat_map(Personal::members) {
            request.put(pointer, value);
        }
        request
    }
}
