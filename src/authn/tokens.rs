//! The chance that a session needs, drawn by the shell.

use uuid::Uuid;

use crate::model::Digest;

/// What a new or raised session is known by. Fresh for each command; of the tokens
/// only the SHA-256 comes here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreshTokens {
    /// A new session's id, a `UUIDv7`: ids tell which of a user's sessions is oldest.
    /// Raising a session keeps the id that it has.
    pub session: Uuid,
    /// SHA-256 of the token for Countersign's own API.
    pub token: Digest,
    /// SHA-256 of the token for PEPs.
    pub session_token: Digest,
}
