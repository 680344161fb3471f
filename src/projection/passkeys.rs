//! Passkeys, without what they are verified with.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Credential;
use crate::event::{PasskeyRegistered, PasskeyVerified};
use crate::model::{Digest, Label, Moment};

/// A registered passkey. Its credential counts no failures: nobody guesses a signature, and
/// whoever could wear it out would shut its person out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// What it shares with every credential.
    #[serde(flatten)]
    pub credential: Credential,
    /// SHA-256 of the id that its authenticator gave it.
    pub key: Digest,
    /// What its person calls it.
    pub label: Label,
    /// True if its authenticator verified its user when it was made.
    pub user_verifying: bool,
    /// True if it may be copied to other devices.
    pub backup_eligible: bool,
    /// The model of its authenticator, where that was attested.
    pub attested: Option<Uuid>,
    /// The newest signature counter accepted.
    pub counter: u32,
    /// When it was registered.
    pub registered_at: Moment,
    /// When it was last used.
    pub used_at: Option<Moment>,
}

impl Passkey {
    pub(super) fn registered(it: &PasskeyRegistered, at: Moment) -> Self {
        Self {
            credential: Credential::new(it.credential, it.sealed),
            key: it.key,
            label: it.label.clone(),
            user_verifying: it.user_verifying,
            backup_eligible: it.backup_eligible,
            attested: it.attested,
            counter: it.counter,
            registered_at: at,
            used_at: None,
        }
    }

    pub(super) fn verified(&mut self, it: &PasskeyVerified, at: Moment) {
        self.counter = self.counter.max(it.counter);
        self.used_at = Some(at);
    }

    /// True if this counter shows that the key was copied: an authenticator that counts
    /// at all counts on with each use.
    ///
    /// # Source
    /// `WebAuthn` Level 3 §6.1.1, §7.2 step 22.
    #[must_use]
    pub const fn is_cloned_at(&self, counter: u32) -> bool {
        (self.counter > 0 || counter > 0) && counter <= self.counter
    }
}
