//! Persons, their credentials' metadata, and what attempts have failed.

use std::sync::Arc;

use imbl::HashMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::buckets::{Bucket, Buckets};
use super::{Credential, Passkey, PasswordCredential, PendingTotp, Person, Ticket, Totp};
use crate::event::{
    CredentialDisabled, CredentialRemoved, CredentialRenamed, MfaEnrolled, MfaOffered, MfaRefused,
    MfaVerified, PasskeyRegistered, PasskeyVerified, PasswordCompromised, PasswordEnrolled,
    PasswordGrounds, PasswordImported, PasswordRefused, PasswordRehashed, PasswordVerified,
    PersonDisabled, PersonErased, PersonRegistered, RoleGranted, RoleRevoked, TicketIssued,
    TicketUsed,
};
use crate::model::{Digest, Label, Moment, Username};

/// All persons.
#[derive(Clone, Debug, Default)]
pub struct Identities {
    persons: HashMap<Username, Arc<Person>>,
    tickets: HashMap<Digest, Username>,
    /// Whose passkey has this SHA-256 of its id; no two persons' have the same.
    keys: HashMap<Digest, Username>,
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

    /// The passkey whose id has this SHA-256, and its person; of persons who may not log in
    /// and of passkeys that may not be used too.
    #[must_use]
    pub fn by_key(&self, key: &Digest) -> Option<(&Arc<Person>, &Passkey)> {
        let person = self.keys.get(key).and_then(|name| self.persons.get(name))?;
        Some((person, person.passkeys.iter().find(|passkey| passkey.key == *key)?))
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

    pub(super) fn person(&mut self, name: &Username) -> Option<&mut Person> {
        self.persons.get_mut(name).map(Arc::make_mut)
    }

    pub(super) fn registered(&mut self, it: &PersonRegistered, at: Moment) {
        let person = Person::unknown_before(it.person.clone(), at);
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
        self.retain_passkeys(&it.person, |_| false);
        if let Some(person) = self.person(&it.person) {
            let left = Person::unknown_before(person.name.clone(), person.registered_at);
            *person = Person { disabled: true, erased: true, ..left };
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
                person.totps.retain(|totp| !totp.credential.disabled);
                person.recovery.take_if(|set| set.disabled);
            }
        }
        for key in &it.buckets {
            self.buckets.empty(key);
        }
        if it.grounds == PasswordGrounds::Ticket {
            self.retain_passkeys(&it.person, |passkey| !passkey.credential.disabled);
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
            let MfaOffered { expires_at, label, session, .. } = it.clone();
            person.pending_totp = Some(PendingTotp { credential, expires_at, label, session });
        }
    }

    pub(super) fn mfa_enrolled(&mut self, it: &MfaEnrolled) {
        let Some(person) = self.person(&it.person) else { return };
        if let Some(pending) = person.pending_totp.take_if(|p| p.credential.id == it.credential) {
            let credential = Credential { failures: 0, ..pending.credential };
            if !it.beside {
                person.totps.clear();
            }
            person.totps.push(Totp { credential, last_step: None, label: pending.label });
        }
    }

    pub(super) fn mfa_verified(&mut self, it: &MfaVerified) {
        let Some(person) = self.person(&it.person) else { return };
        let used = person.totps.iter_mut().find(|totp| totp.credential.id == it.credential);
        if let Some(totp) = used {
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
        person.totps.retain(|totp| !gone(&totp.credential));
        person.pending_totp.take_if(|pending| gone(&pending.credential));
        person.recovery.take_if(|set| gone(set));
        self.retain_passkeys(&it.person, |passkey| passkey.credential.id != it.credential);
    }

    pub(super) fn passkey_registered(&mut self, it: &PasskeyRegistered, at: Moment) {
        let Some(person) = self.person(&it.person) else { return };
        person.passkeys.push(Passkey::registered(it, at));
        self.keys.insert(it.key, it.person.clone());
    }

    pub(super) fn passkey_verified(&mut self, it: &PasskeyVerified, at: Moment) {
        let Some(person) = self.person(&it.person) else { return };
        let mut passkeys = person.passkeys.iter_mut();
        if let Some(passkey) = passkeys.find(|passkey| passkey.credential.id == it.credential) {
            passkey.verified(it, at);
        }
    }

    fn retain_passkeys(&mut self, name: &Username, stays: impl Fn(&Passkey) -> bool) {
        let Some(person) = self.person(name) else { return };
        let (kept, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut person.passkeys).into_iter().partition(stays);
        person.passkeys = kept;
        for passkey in gone {
            self.keys.remove(&passkey.key);
        }
    }

    pub(super) fn credential_renamed(&mut self, it: &CredentialRenamed) {
        let Some(person) = self.person(&it.person) else { return };
        let named = person.totps.iter_mut().find(|totp| totp.credential.id == it.credential);
        if let Some(totp) = named {
            totp.label = it.label.clone();
        }
        let mut passkeys = person.passkeys.iter_mut();
        if let Some(passkey) = passkeys.find(|passkey| passkey.credential.id == it.credential) {
            passkey.label = it.label.clone();
        }
    }

    pub(super) fn credential(&mut self, name: &Username, id: Uuid) -> Option<&mut Credential> {
        let person = self.person(name)?;
        let totps = person.totps.iter_mut().map(|totp| &mut totp.credential);
        let pending = person.pending_totp.as_mut().map(|pending| &mut pending.credential);
        let password = person.password.as_mut().map(|password| &mut password.credential);
        let passkeys = person.passkeys.iter_mut().map(|passkey| &mut passkey.credential);
        let all = password.into_iter().chain(totps).chain(pending).chain(passkeys);
        all.chain(&mut person.recovery).find(|credential| credential.id == id)
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
        let keys = |person: &Arc<Person>| {
            let of = |passkey: &Passkey| (passkey.key, person.name.clone());
            person.passkeys.iter().map(of).collect::<Vec<_>>()
        };
        Self {
            tickets: state.persons.iter().filter_map(ticket).collect(),
            keys: state.persons.iter().flat_map(keys).collect(),
            persons: state.persons.into_iter().map(|it| (it.name.clone(), it)).collect(),
            buckets: Buckets::restored(state.buckets),
        }
    }
}
