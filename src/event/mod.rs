//! Facts in the past tense, their envelope and their stored bytes.

mod access;
mod administration;
mod as_text;
mod authentication;
mod envelope;
mod fact;
mod passkey;
mod password;
mod personal;
mod policy_index;
mod publication;
mod recovery;
mod settings;
mod shadow;
mod signing;
mod stored;
mod version;
mod witness;

pub use access::{
    AccessDecided, Note, PolicyFailure, Presented, SessionFacts, SessionUsed, StepUp, Verdict,
    VersionRef,
};
pub use administration::{
    AuthenticationSettings, LogCreated, NodeStarted, PersonDisabled, PersonRegistered, RoleGranted,
    RoleRevoked, ServiceRegistered, ServiceRevoked, SourceBinding,
};
pub use authentication::{
    AuthenticationReported, CredentialDisabled, CredentialRemoved, CredentialRenamed, Disabling,
    MfaEnrolled, MfaOffered, MfaRefused, MfaVerified, Refused, Reported, SessionEnded,
    SessionEnding, SessionPurpose, SessionRaised, SessionStarted, TicketIssued, TicketRefused,
    TicketUsed,
};
pub use envelope::{Actor, Envelope, NewEvent, Whence};
pub use fact::Event;
pub(crate) use fact::of_versions;
pub use passkey::{PasskeyRefused, PasskeyRegistered, PasskeyVerified};
pub use password::{
    AttemptsThrottled, PasswordCompromised, PasswordEnrolled, PasswordGrounds, PasswordImported,
    PasswordRefused, PasswordRehashed, PasswordScheme, PasswordVerified,
};
pub use personal::{KeyRotated, PersonErased, SubjectErased};
pub use policy_index::PolicyIndexDoubted;
pub use publication::{
    DirectoryActivated, EntitySubmitted, EntityWithdrawn, PoliciesActivated, PolicySubmitted,
    PolicyWithdrawn, SchemaActivated, SchemaSubmitted,
};
pub use recovery::{RecoveryCodeRefused, RecoveryCodeUsed, RecoveryCodesIssued};
pub use settings::{DecisionSettings, PolicySettings, SessionLimits, ThrottleSettings};
pub use shadow::Shadow;
pub use signing::{HeadRef, LossAccepted, SigningKeyAdopted, SigningKeyRetired};
pub use stored::{BrokenEntry, ENTRY_BYTES_MAX, Stamp, Tail, decode};
pub use version::{
    PolicyTestsSubmitted, VersionActivated, VersionApproved, VersionChecked, VersionDrafted,
    VersionRolledBack, VersionStaged, VersionUnstaged,
};
pub use witness::{CheckpointCosigned, WitnessKeyAdopted};
