//! `WebAuthn`, as `webauthn-rs` does it: challenges made, answers checked. The only room
//! that names its crate.
//!
//! Nothing is decided here but whether a key has signed what it was asked to, at the right
//! place. What that is worth, and whether the key's counter shows a copy, is decided where
//! all parallel attempts meet (`authn::passkey_login`): so counters are not looked at here.

mod allow_list;
mod key;
mod party;
mod pretence;
#[cfg(test)]
mod tests;

pub use allow_list::{AllowList, NotAnAllowList};
pub use key::{Key, NotAKey};
pub use party::{
    Asserted, Asserting, AssertionAnswer, Kind, Made, NotARelyingParty, Registering,
    RegistrationAnswer, RelyingParty, Unacceptable, key_id, user_handle,
};
pub use pretence::{is_pretended, pretended};
