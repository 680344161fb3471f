//! Persons, their credentials' metadata, and what attempts have failed.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::HashMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::buckets::{Bucket, Buckets};
use crate::event::{
    CredentialDisabled, CredentialRemoved, MfaEnrolled, MfaOffered, MfaRefused, MfaVerified,
    PasswordCompromised, PasswordEnrolled, PasswordGrounds, PasswordImported, PasswordRefused,
    PasswordRehashed, PasswordScheme, PasswordVerified, PersonDisabled, PersonErased,
    PersonRegistered, RoleGranted, RoleRevoked, TicketIssued, TicketUsed,
};
use crate::model::{Digest, Label, Moment, Username};

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
}

/// A TOTP authenticator that awaits its first right code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingTotp {
    /// What it shares with every credential.
    #[serde(flatten)]
    pub credential: Credential,
    /// When the offer lapses.
    pub expires_at: Moment,
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
    /// The TOTP authenticator, if one is confirmed.
    pub totp: Option<Totp>,
    /// The TOTP authenticator being set up, if any.
    pub pending_totp: Option<PendingTotp>,
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
    /// The ids under which the vault keeps their secrets, at most three.
    pub fn credentials(&self) -> impl Iterator<Item = Uuid> {
        self.sealed().map(|credential| credential.id)
    }

    /// What the vault keeps of them, at most three.
    pub fn sealed(&self) -> impl Iterator<Item = &Credential> {
        let totp = self.totp.as_ref().map(|totp| &totp.credential);
        let pending = self.pending_totp.as_ref().map(|pending| &pending.credential);
        let password = self.password.as_ref().map(|password| &password.credential);
        password.into_iter().chain(totp).chain(pending)
    }

    /// Whether a password is not enough for them: a second factor is in use, and works.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        self.totp.as_ref().is_some_and(|totp| !totp.credential.disabled)
    }
}

/// All persons.
#[derive(Clone, Debug, Default)]
pub struct Identities {
    persons: HashMap<Username, Arc<Person>>,
    tickets: HashMap<Digest, Username>,
    buckets: Buckets,
}

impl Identities {
    /// A person by their login name.
    #[must_use]
    pub fn get(&self, name: &Username) -> Option<&Arc<Person>> {
        self.persons.get(name)
    }

    /// The person whose open ticket has this SHA-256.
    #[must_use]
    pub fn by_ticket(&self, ticket: &Digest) -> Option<&Arc<Person>> {
        self.tickets.get(ticket).and_then(|name| self.persons.get(name))
    }

    /// The failed logins that slow the next ones down.
    #[must_use]
    pub const fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// All persons, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Person>> {
        self.persons.values()
    }

    fn person(&mut self, name: &Username) -> Option<&mut Person> {
        self.persons.get_mut(name).map(Arc::make_mut)
    }

    pub(super) fn registered(&mut self, it: &PersonRegistered, at: Moment) {
        let person = Person {
            name: it.person.clone(),
            roles: BTreeSet::new(),
            disabled: false,
            erased: false,
            password: None,
            totp: None,
            pending_totp: None,
            ticket: None,
            registered_at: at,
        };
        self.persons.insert(it.person.clone(), Arc::new(person));
    }

    pub(super) fn person_disabled(&mut self, it: &PersonDisabled) {
        self.close_ticket(&it.person);
        if let Some(person) = self.person(&it.person) {
            person.disabled = true;
        }
    }

    pub(super) fn person_erased(&mut self, it: &PersonErased) {
        self.close_ticket(&it.person);
        if let Some(person) = self.person(&it.person) {
            *person = Person {
                name: person.name.clone(),
                roles: BTreeSet::new(),
                disabled: true,
                erased: true,
                password: None,
                totp: None,
                pending_totp: None,
                ticket: None,
                registered_at: person.registered_at,
            };
        }
    }

    pub(super) fn role_granted(&mut self, it: &RoleGranted) {
        if let Some(person) = self.person(&it.person) {
            person.roles.insert(it.role.as_str().to_owned());
        }
    }

    pub(super) fn role_revoked(&mut self, it: &RoleRevoked) {
        let role: &Label = &it.role;
        if let Some(person) = self.person(&it.person) {
            person.roles.remove(role.as_str());
        }
    }

    pub(super) fn ticket_issued(&mut self, it: &TicketIssued) {
        self.close_ticket(&it.person);
        if let Some(person) = self.person(&it.person) {
            person.ticket = Some(Ticket { digest: it.ticket, expires_at: it.expires_at });
            self.tickets.insert(it.ticket, it.person.clone());
        }
    }

    pub(super) fn ticket_used(&mut self, it: &TicketUsed) {
        self.close_ticket(&it.person);
    }

    fn close_ticket(&mut self, name: &Username) {
        let open = self.person(name).and_then(|person| person.ticket.take());
        if let Some(ticket) = open {
            self.tickets.remove(&ticket.digest);
        }
    }

    pub(super) fn password_enrolled(&mut self, it: &PasswordEnrolled) {
        if let Some(person) = self.person(&it.person) {
            // Builds that did not say asked for fifteen characters of these.
            let alone = it.alone.unwrap_or_else(|| !person.has_second_factor());
            let credential = Credential::new(it.credential, it.sealed);
            person.password = Some(PasswordCredential { short: !alone, ..credential.into() });
            if it.grounds == PasswordGrounds::Ticket {
                // The ticket vouches for the person: a worn-out factor may be bound anew.
                person.totp.take_if(|totp| totp.credential.disabled);
            }
        }
        for key in &it.buckets {
            self.buckets.empty(key);
        }
    }

    pub(super) fn password_imported(&mut self, it: &PasswordImported) {
        if let Some(person) = self.person(&it.person) {
            let credential = Credential::new(it.credential, it.sealed);
            let imported = Some(it.scheme);
            let password = PasswordCredential { short: true, imported, ..credential.into() };
            person.password = Some(password);
        }
    }

    pub(super) fn password_compromised(&mut self, it: &PasswordCompromised) {
        if let Some(password) = self.password(&it.person, it.credential) {
            password.compromised = true;
        }
    }

    pub(super) fn password_rehashed(&mut self, it: &PasswordRehashed) {
        if let Some(password) = self.password(&it.person, it.credential) {
            password.before = Some(it.credential);
            password.credential.id = it.rehashed;
            password.credential.sealed = it.sealed;
            password.short = !it.alone;
            password.imported = None;
        }
    }

    fn password(&mut self, name: &Username, id: Uuid) -> Option<&mut PasswordCredential> {
        self.person(name)?.password.as_mut().filter(|password| password.credential.id == id)
    }

    pub(super) fn password_verified(&mut self, it: &PasswordVerified) {
        if let Some(credential) = self.credential(&it.person, it.credential) {
            credential.failures = 0;
        }
        for key in &it.buckets {
            self.buckets.empty(key);
        }
    }

    pub(super) fn password_refused(&mut self, it: &PasswordRefused, at: Moment) {
        let known = it.person.as_ref().zip(it.credential);
        let counted = match known.and_then(|(person, id)| self.credential(person, id)) {
            Some(credential) => {
                credential.failed(at);
                true
            }
            None => false,
        };
        for key in &it.buckets {
            self.buckets.failed(*key, at);
        }
        // So older builds counted: by the name, if it was nobody's.
        if !counted && it.buckets.is_empty() {
            self.buckets.failed(it.name_tag, at);
        }
    }

    pub(super) fn mfa_offered(&mut self, it: &MfaOffered) {
        if let Some(person) = self.person(&it.person) {
            let credential = Credential::new(it.credential, it.sealed);
            person.pending_totp = Some(PendingTotp { credential, expires_at: it.expires_at });
        }
    }

    pub(super) fn mfa_enrolled(&mut self, it: &MfaEnrolled) {
        let Some(person) = self.person(&it.person) else { return };
        if let Some(pending) = person.pending_totp.take_if(|p| p.credential.id == it.credential) {
            let credential = Credential { failures: 0, ..pending.credential };
            person.totp = Some(Totp { credential, last_step: None });
        }
    }

    pub(super) fn mfa_verified(&mut self, it: &MfaVerified) {
        let Some(person) = self.person(&it.person) else { return };
        if let Some(totp) = person.totp.as_mut().filter(|t| t.credential.id == it.credential) {
            totp.credential.failures = 0;
            totp.last_step = totp.last_step.max(Some(it.step));
        }
    }

    pub(super) fn mfa_refused(&mut self, it: &MfaRefused, at: Moment) {
        if let Some(credential) = self.credential(&it.person, it.credential) {
            credential.failed(at);
        }
    }

    pub(super) fn credential_disabled(&mut self, it: &CredentialDisabled) {
        if let Some(credential) = self.credential(&it.person, it.credential) {
            credential.disabled = true;
        }
    }

    pub(super) fn credential_removed(&mut self, it: &CredentialRemoved) {
        let Some(person) = self.person(&it.person) else { return };
        let gone = |credential: &Credential| credential.id == it.credential;
        person.password.take_if(|password| gone(&password.credential));
        person.totp.take_if(|totp| gone(&totp.credential));
        person.pending_totp.take_if(|pending| gone(&pending.credential));
    }

    fn credential(&mut self, name: &Username, id: Uuid) -> Option<&mut Credential> {
        let person = self.person(name)?;
        let totp = person.totp.as_mut().map(|totp| &mut totp.credential);
        let pending = person.pending_totp.as_mut().map(|pending| &mut pending.credential);
        let password = person.password.as_mut().map(|password| &mut password.credential);
        let all = password.into_iter().chain(totp).chain(pending);
        all.into_iter().find(|credential| credential.id == id)
    }
}

impl Credential {
    const fn new(id: Uuid, sealed: Digest) -> Self {
        Self { id, sealed, failures: 0, failed_at: None, disabled: false }
    }

    fn failed(&mut self, at: Moment) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(at);
    }
}

impl From<Credential> for PasswordCredential {
    /// A password that is nobody else's, long enough, and hashed here.
    fn from(credential: Credential) -> Self {
        Self { credential, short: false, compromised: false, before: None, imported: None }
    }
}

/// All persons as they are put away.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentitiesState {
    persons: Vec<Arc<Person>>,
    buckets: Vec<(Digest, Bucket)>,
}

impl Identities {
    pub(super) fn state(&self) -> IdentitiesState {
        let mut persons: Vec<_> = self.persons.values().cloned().collect();
        persons.sort_unstable_by(|one, two| one.name.cmp(&two.name));
        IdentitiesState { persons, buckets: self.buckets.state() }
    }

    pub(super) fn restored(state: IdentitiesState) -> Self {
        let ticket = |person: &Arc<Person>| {
            person.ticket.as_ref().map(|ticket| (ticket.digest, person.name.clone()))
        };
        Self {
            tickets: state.persons.iter().filter_map(ticket).collect(),
            persons: state.persons.into_iter().map(|it| (it.name.clone(), it)).collect(),
            buckets: Buckets::restored(state.buckets),
        }
    }
}
