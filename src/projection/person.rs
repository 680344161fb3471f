//! One person who may log in here, as the log tells of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Passkey;
use crate::event::PasswordScheme;
use crate::model::{Aal, Digest, Label, Moment, Username};

/// What every credential has, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id; the vault keeps the secret under it.
    pub id: Uuid,
    /// SHA-256 of the sealed secret.
    pub sealed: Digest,
    /// Consecutive failures.
    pub failures: u32,
    /// The last of them.
    pub failed_at: Option<Moment>,
    /// True once it reached its limit of failures.
    pub disabled: bool,
}

/// A password, without its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordCredential {
    /// What it shares with every credential.
    #[serde(flatten)]
    pub credential: Credential,
    /// True unless it is known to be long enough to be the only factor.
    #[serde(default, skip_serializing_if = "is_false")]
    pub short: bool,
    /// True if it is known to others, so that another one must be set.
    #[serde(default, skip_serializing_if = "is_false")]
    pub compromised: bool,
    /// Its id before it was hashed anew, if it was: the same password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Uuid>,
    /// How it was hashed elsewhere, until it is given here for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<PasswordScheme>,
}

/// A confirmed TOTP authenticator, without its seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// What it shares with every credential.
    #[serde(flatten)]
    pub credential: Credential,
    /// The newest time step accepted; only later ones will be.
    pub last_step: Option<u64>,
    /// What the person calls it.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub label: Label,
}

/// A TOTP authenticator that awaits its first right code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingTotp {
    /// What it shares with every credential.
    #[serde(flatten)]
    pub credential: Credential,
    /// When the offer lapses.
    pub expires_at: Moment,
    /// What the person calls it.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub label: Label,
    /// The session that it was offered in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
}

impl PendingTotp {
    /// True if a session may still confirm it: the one that it was offered in, in time.
    #[must_use]
    pub fn awaits(&self, session: Uuid, now: Moment) -> bool {
        now < self.expires_at && self.session.is_none_or(|offering| offering == session)
    }
}

/// A one-time ticket, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// SHA-256 of the ticket.
    pub digest: Digest,
    /// When it stops being accepted.
    pub expires_at: Moment,
}

/// A person who may log in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The login name.
    pub name: Username,
    /// Administrative roles.
    pub roles: BTreeSet<String>,
    /// True if they may no longer log in.
    pub disabled: bool,
    /// True if they were erased: nothing but the name is left.
    #[serde(default, skip_serializing_if = "is_false")]
    pub erased: bool,
    /// The password, if one is set.
    pub password: Option<PasswordCredential>,
    /// The TOTP authenticators that are confirmed, oldest first.
    #[serde(rename = "totp", with = "one_or_many")]
    pub totps: Vec<Totp>,
    /// The TOTP authenticator being set up, if any.
    pub pending_totp: Option<PendingTotp>,
    /// The set of recovery codes, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Credential>,
    /// The passkeys, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passkeys: Vec<Passkey>,
    /// The open enrolment ticket, if any.
    pub ticket: Option<Ticket>,
    /// When they were made known.
    pub registered_at: Moment,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_false(it: &bool) -> bool {
    !*it
}

impl PasswordCredential {
    /// Its id, and the one before it was hashed anew.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> {
        std::iter::once(self.credential.id).chain(self.before)
    }
}

impl Person {
    /// The ids under which the vault keeps their secrets: few, and bounded.
    pub fn credentials(&self) -> impl Iterator<Item = Uuid> {
        self.sealed().map(|credential| credential.id)
    }

    /// What the vault keeps of them: few, and bounded.
    pub fn sealed(&self) -> impl Iterator<Item = &Credential> {
        let totps = self.totps.iter().map(|totp| &totp.credential);
        let pending = self.pending_totp.as_ref().map(|pending| &pending.credential);
        let password = self.password.as_ref().map(|password| &password.credential);
        let passkeys = self.passkeys.iter().map(|passkey| &passkey.credential);
        password.into_iter().chain(totps).chain(pending).chain(passkeys).chain(&self.recovery)
    }

    /// One of their passkeys, in use or not.
    #[must_use]
    pub fn passkey(&self, credential: Uuid) -> Option<&Passkey> {
        self.passkeys.iter().find(|passkey| passkey.credential.id == credential)
    }

    /// The passkeys in use, oldest first.
    pub fn usable_passkeys(&self) -> impl Iterator<Item = &Passkey> {
        self.passkeys.iter().filter(|passkey| !passkey.credential.disabled)
    }

    /// True if a second factor is in use.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        self.totps.iter().any(|totp| !totp.credential.disabled)
    }

    /// True if they have more than a password, which they could lose.
    #[must_use]
    pub fn has_more_than_a_password(&self) -> bool {
        self.has_second_factor() || self.usable_passkeys().next().is_some()
    }

    /// The assurance that their authenticators can give together. A disabled one counts:
    /// whoever has stolen a password could otherwise wear it out and bind their own.
    #[must_use]
    pub fn strength(&self) -> Aal {
        let hardware = |passkey: &Passkey| {
            passkey.attested.is_some() && !passkey.backup_eligible && passkey.user_verifying
        };
        if self.passkeys.iter().any(hardware) {
            Aal::THREE
        } else if !self.totps.is_empty() || !self.passkeys.is_empty() {
            Aal::TWO
        } else {
            Aal::ONE
        }
    }

    /// Somebody of whom nothing but the name is known.
    pub(super) fn unknown_before(name: Username, registered_at: Moment) -> Self {
        Self {
            name,
            roles: BTreeSet::new(),
            disabled: false,
            erased: false,
            password: None,
            totps: Vec::new(),
            passkeys: Vec::new(),
            pending_totp: None,
            recovery: None,
            ticket: None,
            registered_at,
        }
    }
}

impl Credential {
    pub(super) const fn new(id: Uuid, sealed: Digest) -> Self {
        Self { id, sealed, failures: 0, failed_at: None, disabled: false }
    }

    pub(super) fn failed(&mut self, at: Moment) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(at);
    }
}

/// Some TOTP authenticators as builds that knew one a person wrote them: nothing, one, or
/// else a list. So the state of a log of theirs has the digest that it had.
mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Totp;

    pub(super) fn serialize<S: Serializer>(all: &[Totp], to: S) -> Result<S::Ok, S::Error> {
        match all {
            [] => to.serialize_none(),
            [one] => one.serialize(to),
            many => many.serialize(to),
        }
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<Totp>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(Totp),
            Many(Vec<Totp>),
        }
        Ok(match Option::deserialize(from)? {
            None => Vec::new(),
            Some(Written::One(totp)) => vec![totp],
            Some(Written::Many(totps)) => totps,
        })
    }
}

impl From<Credential> for PasswordCredential {
    /// A password that is nobody else's, long enough, and hashed here.
    fn from(credential: Credential) -> Self {
        Self { credential, short: false, compromised: false, before: None, imported: None }
    }
}
