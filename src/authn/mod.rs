//! Decides a login: password, TOTP, sessions, throttle; and who may log in at all.
//!
//! ```text
//! enrol    ticket ─────────────► password
//! change   password ─► (argon2) ─► another password, a fresh session
//! import   a hash made elsewhere ─► password, until it is given and hashed anew
//! login    begin ─► (argon2) ──► conclude ─► session at AAL1
//! mfa      offer ─► candidates ─► (TOTP) ──► conclude ─► the same session at AAL2
//! passkey  registrant ─► (made) ───► register
//!          offered ─► (signs) ─────► log in, raise ─► session at AAL2, or 3 if attested
//! recover  begin ─► (argon2, codes) ─► conclude ─► a session for binding alone
//! session, sessions        who I am, which there are, log out
//! authenticators           what a person has; renamed, removed
//! report   an identity provider's own events
//! persons, services              administration
//! ```
//! Every command is a pure function of the World, what was asked and the time. What
//! stands in brackets is the shell's work between two of them; the second runs on
//! the one writer against the newest World and checks everything again, so that of
//! any number of parallel attempts each sees what the one before it has done.

pub mod authenticators;
pub mod binding;
pub mod change;
mod cloud_event;
pub mod enrol;
pub mod erase;
#[cfg(test)]
mod fixture;
pub mod import;
#[cfg(test)]
mod laws;
pub mod login;
pub mod mfa;
mod outcome;
#[cfg(test)]
mod passkey_laws;
pub mod passkey_login;
pub mod passkeys;
mod password;
pub mod persons;
pub mod recovery;
mod refusal;
mod report;
pub mod services;
pub mod session;
pub mod sessions;
pub mod throttle;
mod tokens;
mod totp;

pub use cloud_event::BadReport;
pub use outcome::{Outcome, outcome};
pub use password::{WeakPassword, check_new_password, stands_alone};
pub use refusal::Refusal;
pub use report::{Report, report};
pub use tokens::FreshTokens;
pub use totp::{
    DoesNotFit, NotASeed, Provisioning, TotpSeed, code_at, matching_step, provisioning,
};
