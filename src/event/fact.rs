//! Every fact there is, with the versioned type name it is stored under.

use serde::{Serialize as _, Serializer};
use serde_json::value::RawValue;

use super::{
    AccessDecided, AttemptsThrottled, AuthenticationReported, CheckpointCosigned,
    CredentialDisabled, CredentialRemoved, CredentialRenamed, DecisionSettings, DirectoryActivated,
    EntitySubmitted, EntityWithdrawn, KeyRotated, LogCreated, LossAccepted, MfaEnrolled,
    MfaOffered, MfaRefused, MfaVerified, NodeStarted, PasskeyRefused, PasskeyRegistered,
    PasskeyVerified, PasswordCompromised, PasswordEnrolled, PasswordImported, PasswordRefused,
    PasswordRehashed, PasswordVerified, PersonDisabled, PersonErased, PersonRegistered,
    PoliciesActivated, PolicyIndexDoubted, PolicySubmitted, PolicyTestsSubmitted, PolicyWithdrawn,
    RecoveryCodeRefused, RecoveryCodeUsed, RecoveryCodesIssued, RoleGranted, RoleRevoked,
    SchemaActivated, SchemaSubmitted, ServiceRegistered, ServiceRevoked, SessionEnded,
    SessionRaised, SessionStarted, SigningKeyAdopted, SigningKeyRetired, SubjectErased,
    TicketIssued, TicketRefused, TicketUsed, VersionActivated, VersionApproved, VersionChecked,
    VersionDrafted, VersionRolledBack, VersionStaged, VersionUnstaged, WitnessKeyAdopted,
};
use crate::model::{SetKind, StreamName, Username};

macro_rules! facts {
    ($($name:ident($payload:ty) = $type_name:literal,)*) => {
        /// A fact. Matched without a wildcard, so that a new one breaks the build
        /// wherever it must be thought about.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $(#[doc = concat!("`", $type_name, "`")] $name($payload),)*
        }

        impl Event {
            /// Every type name that can be read.
            pub const TYPE_NAMES: &'static [&'static str] = &[$($type_name),*];

            /// The versioned name it is stored under.
            #[must_use]
            pub const fn type_name(&self) -> &'static str {
                match self { $(Self::$name(_) => $type_name,)* }
            }

            /// Writes its payload, and nothing of what it is.
            pub(super) fn write_payload<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$name(payload) => payload.serialize(to),)* }
            }

            /// Reads a payload; `None` if there is no such type.
            pub(super) fn read(
                type_name: &str,
                data: &RawValue,
            ) -> Option<serde_json::Result<Self>> {
                match type_name {
                    $($type_name => Some(serde_json::from_str(data.get()).map(Self::$name)),)*
                    _ => None,
                }
            }
        }
    };
}

facts! {
    LogCreated(LogCreated) = "countersign.log.created.v1",
    SigningKeyAdopted(SigningKeyAdopted) = "countersign.signing_key.adopted.v1",
    SigningKeyRetired(SigningKeyRetired) = "countersign.signing_key.retired.v1",
    LossAccepted(LossAccepted) = "countersign.loss.accepted.v1",
    WitnessKeyAdopted(WitnessKeyAdopted) = "countersign.witness_key.adopted.v1",
    CheckpointCosigned(CheckpointCosigned) = "countersign.checkpoint.cosigned.v1",
    NodeStarted(NodeStarted) = "countersign.node.started.v1",
    SettingsAdopted(DecisionSettings) = "countersign.settings.adopted.v1",
    SchemaSubmitted(SchemaSubmitted) = "countersign.schema.submitted.v1",
    SchemaActivated(SchemaActivated) = "countersign.schema.activated.v1",
    PolicySubmitted(PolicySubmitted) = "countersign.policy.submitted.v1",
    PolicyWithdrawn(PolicyWithdrawn) = "countersign.policy.withdrawn.v1",
    PoliciesActivated(PoliciesActivated) = "countersign.policies.activated.v1",
    PolicyTestsSubmitted(PolicyTestsSubmitted) = "countersign.policy_tests.submitted.v1",
    VersionDrafted(VersionDrafted) = "countersign.version.drafted.v1",
    VersionChecked(VersionChecked) = "countersign.version.checked.v1",
    VersionStaged(VersionStaged) = "countersign.version.staged.v1",
    VersionUnstaged(VersionUnstaged) = "countersign.version.unstaged.v1",
    VersionApproved(VersionApproved) = "countersign.version.approved.v1",
    VersionActivated(VersionActivated) = "countersign.version.activated.v1",
    VersionRolledBack(VersionRolledBack) = "countersign.version.rolled_back.v1",
    EntitySubmitted(EntitySubmitted) = "countersign.entity.submitted.v1",
    EntityWithdrawn(EntityWithdrawn) = "countersign.entity.withdrawn.v1",
    DirectoryActivated(DirectoryActivated) = "countersign.directory.activated.v1",
    PersonRegistered(PersonRegistered) = "countersign.person.registered.v1",
    PersonDisabled(PersonDisabled) = "countersign.person.disabled.v1",
    PersonErased(PersonErased) = "countersign.person.erased.v1",
    SubjectErased(SubjectErased) = "countersign.subject.erased.v1",
    KeyRotated(KeyRotated) = "countersign.key.rotated.v1",
    RoleGranted(RoleGranted) = "countersign.role.granted.v1",
    RoleRevoked(RoleRevoked) = "countersign.role.revoked.v1",
    TicketIssued(TicketIssued) = "countersign.ticket.issued.v1",
    TicketUsed(TicketUsed) = "countersign.ticket.used.v1",
    TicketRefused(TicketRefused) = "countersign.ticket.refused.v1",
    PasswordEnrolled(PasswordEnrolled) = "countersign.password.enrolled.v1",
    PasswordVerified(PasswordVerified) = "countersign.password.verified.v1",
    PasswordRefused(PasswordRefused) = "countersign.password.refused.v1",
    PasswordCompromised(PasswordCompromised) = "countersign.password.compromised.v1",
    PasswordRehashed(PasswordRehashed) = "countersign.password.rehashed.v1",
    PasswordImported(PasswordImported) = "countersign.password.imported.v1",
    AttemptsThrottled(AttemptsThrottled) = "countersign.attempts.throttled.v1",
    MfaOffered(MfaOffered) = "countersign.mfa.offered.v1",
    MfaEnrolled(MfaEnrolled) = "countersign.mfa.enrolled.v1",
    MfaVerified(MfaVerified) = "countersign.mfa.verified.v1",
    MfaRefused(MfaRefused) = "countersign.mfa.refused.v1",
    PasskeyRegistered(PasskeyRegistered) = "countersign.passkey.registered.v1",
    PasskeyVerified(PasskeyVerified) = "countersign.passkey.verified.v1",
    PasskeyRefused(PasskeyRefused) = "countersign.passkey.refused.v1",
    CredentialDisabled(CredentialDisabled) = "countersign.credential.disabled.v1",
    CredentialRemoved(CredentialRemoved) = "countersign.credential.removed.v1",
    CredentialRenamed(CredentialRenamed) = "countersign.credential.renamed.v1",
    RecoveryCodesIssued(RecoveryCodesIssued) = "countersign.recovery_codes.issued.v1",
    RecoveryCodeUsed(RecoveryCodeUsed) = "countersign.recovery_code.used.v1",
    RecoveryCodeRefused(RecoveryCodeRefused) = "countersign.recovery_code.refused.v1",
    SessionStarted(SessionStarted) = "countersign.session.started.v1",
    SessionRaised(SessionRaised) = "countersign.session.raised.v1",
    SessionEnded(SessionEnded) = "countersign.session.ended.v1",
    AuthenticationReported(AuthenticationReported) = "countersign.authentication.reported.v1",
    ServiceRegistered(ServiceRegistered) = "countersign.service.registered.v1",
    ServiceRevoked(ServiceRevoked) = "countersign.service.revoked.v1",
    PolicyIndexDoubted(PolicyIndexDoubted) = "countersign.policy_index.doubted.v1",
    AccessDecided(Box<AccessDecided>) = "countersign.access.decided.v1",
}

/// The pattern of the events that are steps of a version's life, for where all of them are
/// alike.
macro_rules! of_versions {
    () => {
        $crate::event::Event::PolicyTestsSubmitted(_)
            | $crate::event::Event::VersionDrafted(_)
            | $crate::event::Event::VersionChecked(_)
            | $crate::event::Event::VersionStaged(_)
            | $crate::event::Event::VersionUnstaged(_)
            | $crate::event::Event::VersionApproved(_)
            | $crate::event::Event::VersionActivated(_)
            | $crate::event::Event::VersionRolledBack(_)
    };
}
pub(crate) use of_versions;

impl Event {
    /// The stream it belongs to: events that are versioned together.
    #[must_use]
    pub fn stream(&self) -> StreamName {
        match self {
            Self::LogCreated(_)
            | Self::NodeStarted(_)
            | Self::SettingsAdopted(_)
            | Self::PolicyIndexDoubted(_)
            | Self::KeyRotated(_) => StreamName::single("node"),
            Self::SigningKeyAdopted(_) | Self::SigningKeyRetired(_) | Self::LossAccepted(_) => {
                StreamName::single("signing")
            }
            Self::SubjectErased(_) => StreamName::single("erasures"),
            Self::WitnessKeyAdopted(_) | Self::CheckpointCosigned(_) => {
                StreamName::single("witness")
            }
            Self::SchemaSubmitted(it) => StreamName::of("schema", it.set.as_str()),
            Self::SchemaActivated(it) => StreamName::of("schema", it.set.as_str()),
            Self::PolicySubmitted(it) => StreamName::of("policies", it.set.as_str()),
            Self::PolicyWithdrawn(it) => StreamName::of("policies", it.set.as_str()),
            Self::PoliciesActivated(it) => StreamName::of("policies", it.set.as_str()),
            of_versions!() => StreamName::of("policies", SetKind::Application.as_str()),
            Self::EntitySubmitted(_) | Self::EntityWithdrawn(_) | Self::DirectoryActivated(_) => {
                StreamName::single("directory")
            }
            Self::PasswordRefused(it) => of_whom(it.person.as_ref()),
            Self::AttemptsThrottled(_) | Self::TicketRefused(_) => StreamName::single("attempts"),
            Self::PasskeyRefused(it) => of_whom(it.person.as_ref()),
            Self::SessionStarted(SessionStarted { session, .. })
            | Self::SessionRaised(SessionRaised { session, .. })
            | Self::SessionEnded(SessionEnded { session, .. }) => {
                StreamName::of("session", session)
            }
            Self::AuthenticationReported(it) => StreamName::of("source", &it.source),
            Self::ServiceRegistered(ServiceRegistered { service, .. })
            | Self::ServiceRevoked(ServiceRevoked { service }) => {
                StreamName::of("service", service)
            }
            Self::AccessDecided(_) => StreamName::single("access"),
            Self::PersonRegistered(_)
            | Self::PersonDisabled(_)
            | Self::PersonErased(_)
            | Self::RoleGranted(_)
            | Self::RoleRevoked(_)
            | Self::TicketIssued(_)
            | Self::TicketUsed(_)
            | Self::PasswordEnrolled(_)
            | Self::PasswordVerified(_)
            | Self::PasswordCompromised(_)
            | Self::PasswordRehashed(_)
            | Self::PasswordImported(_)
            | Self::MfaOffered(_)
            | Self::MfaEnrolled(_)
            | Self::MfaVerified(_)
            | Self::MfaRefused(_)
            | Self::PasskeyRegistered(_)
            | Self::PasskeyVerified(_)
            | Self::CredentialDisabled(_)
            | Self::CredentialRemoved(_)
            | Self::CredentialRenamed(_)
            | Self::RecoveryCodesIssued(_)
            | Self::RecoveryCodeUsed(_)
            | Self::RecoveryCodeRefused(_) => {
                StreamName::of("person", self.subject().unwrap_or_default())
            }
        }
    }

    /// Whom or what it is about, where that is one thing.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        match self {
            Self::PersonRegistered(PersonRegistered { person })
            | Self::PersonDisabled(PersonDisabled { person, .. })
            | Self::PersonErased(PersonErased { person, .. })
            | Self::RoleGranted(RoleGranted { person, .. })
            | Self::RoleRevoked(RoleRevoked { person, .. })
            | Self::TicketIssued(TicketIssued { person, .. })
            | Self::TicketUsed(TicketUsed { person, .. })
            | Self::PasswordEnrolled(PasswordEnrolled { person, .. })
            | Self::PasswordVerified(PasswordVerified { person, .. })
            | Self::PasswordCompromised(PasswordCompromised { person, .. })
            | Self::PasswordRehashed(PasswordRehashed { person, .. })
            | Self::PasswordImported(PasswordImported { person, .. })
            | Self::MfaOffered(MfaOffered { person, .. })
            | Self::MfaEnrolled(MfaEnrolled { person, .. })
            | Self::MfaVerified(MfaVerified { person, .. })
            | Self::MfaRefused(MfaRefused { person, .. })
            | Self::PasskeyRegistered(PasskeyRegistered { person, .. })
            | Self::PasskeyVerified(PasskeyVerified { person, .. })
            | Self::CredentialDisabled(CredentialDisabled { person, .. })
            | Self::CredentialRemoved(CredentialRemoved { person, .. })
            | Self::CredentialRenamed(CredentialRenamed { person, .. })
            | Self::RecoveryCodesIssued(RecoveryCodesIssued { person, .. })
            | Self::RecoveryCodeUsed(RecoveryCodeUsed { person, .. })
            | Self::RecoveryCodeRefused(RecoveryCodeRefused { person, .. })
            | Self::SessionStarted(SessionStarted { person, .. })
            | Self::SessionRaised(SessionRaised { person, .. }) => Some(person.to_string()),
            Self::PasswordRefused(it) => it.person.as_ref().map(ToString::to_string),
            Self::PasskeyRefused(it) => it.person.as_ref().map(ToString::to_string),
            Self::AuthenticationReported(it) => Some(it.user.to_string()),
            Self::SessionEnded(it) => Some(it.session.to_string()),
            Self::ServiceRegistered(ServiceRegistered { service, .. })
            | Self::ServiceRevoked(ServiceRevoked { service }) => Some(service.to_string()),
            Self::SigningKeyAdopted(SigningKeyAdopted { credential, .. })
            | Self::SigningKeyRetired(SigningKeyRetired { credential })
            | Self::WitnessKeyAdopted(WitnessKeyAdopted { credential, .. }) => {
                Some(credential.to_string())
            }
            Self::CheckpointCosigned(it) => Some(it.origin.clone()),
            Self::PolicySubmitted(it) => Some(it.policy.id.to_string()),
            Self::PolicyWithdrawn(it) => Some(it.policy.to_string()),
            Self::VersionDrafted(VersionDrafted { digest, .. })
            | Self::VersionChecked(VersionChecked { digest, .. })
            | Self::VersionStaged(VersionStaged { digest, .. })
            | Self::VersionUnstaged(VersionUnstaged { digest, .. })
            | Self::VersionApproved(VersionApproved { digest, .. })
            | Self::VersionActivated(VersionActivated { digest, .. })
            | Self::VersionRolledBack(VersionRolledBack { digest, .. }) => Some(digest.to_string()),
            Self::EntitySubmitted(it) => Some(it.entity.uid.to_string()),
            Self::EntityWithdrawn(it) => Some(it.uid.to_string()),
            Self::SubjectErased(it) => Some(it.subject.to_string()),
            // The request itself stands in the payload; naming it twice costs bytes.
            Self::AccessDecided(_)
            | Self::AttemptsThrottled(_)
            | Self::TicketRefused(_)
            | Self::LogCreated(_)
            | Self::LossAccepted(_)
            | Self::NodeStarted(_)
            | Self::SettingsAdopted(_)
            | Self::PolicyIndexDoubted(_)
            | Self::KeyRotated(_)
            | Self::SchemaSubmitted(_)
            | Self::SchemaActivated(_)
            | Self::PoliciesActivated(_)
            | Self::PolicyTestsSubmitted(_)
            | Self::DirectoryActivated(_) => None,
        }
    }
}

/// The stream of a person, or of those whom nobody knows.
fn of_whom(person: Option<&Username>) -> StreamName {
    person.map_or_else(
        || StreamName::single("unknown-person"),
        |person| StreamName::of("person", person),
    )
}
