//! Persons' recovery codes: which set counts, and what attempts at it have failed.

use super::{Credential, Identities};
use crate::event::{RecoveryCodeRefused, RecoveryCodeUsed, RecoveryCodesIssued};
use crate::model::Moment;

impl Identities {
    pub(super) fn recovery_codes_issued(&mut self, it: &RecoveryCodesIssued) {
        if let Some(person) = self.person(&it.person) {
            person.recovery = Some(Credential::new(it.credential, it.sealed));
        }
    }

    /// A set is sealed once: with the fresh code it is another one, without failures.
    pub(super) fn recovery_code_used(&mut self, it: &RecoveryCodeUsed) {
        if let Some(person) = self.person(&it.person) {
            person.recovery = Some(Credential::new(it.credential, it.sealed));
        }
    }

    pub(super) fn recovery_code_refused(&mut self, it: &RecoveryCodeRefused, at: Moment) {
        let tried = it.credential.and_then(|id| self.credential(&it.person, id));
        if let Some(credential) = tried {
            credential.failed(at);
        }
    }
}
