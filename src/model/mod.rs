//! The words everybody uses: identifiers, positions, moments, digests and
//! `AuthZEN`'s information model. Parse, don't validate: once built, true.

/// The version of this build of Countersign.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

mod access;
mod acr;
mod assurance;
mod came;
mod digest;
mod document;
mod go_on;
mod json;
mod moment;
mod name;
mod personal;
mod policy;
mod position;
mod recovery_code;
mod scope;
mod secret;
mod uid;

pub use access::{AccessRequest, Action, BadRequest, Batch, EntityAsked, Item, Semantic};
pub use acr::Acr;
pub use assurance::{Aal, Method, Methods};
pub use digest::{Digest, NotADigest};
pub use document::{EntityDocument, NotAnEntity};
pub use go_on::GoOn;
pub use json::{JsonError, JsonLimits, canonical, parse as parse_json};
pub use moment::{Moment, NotAMoment};
pub use name::{Label, NotAName, Username};
pub use personal::{KeyId, NotAKeyId, NotAPointer, Personal, Pointer};
pub use policy::{PolicyBody, PolicyId, PolicySource, SetKind};
pub use position::{Index, StreamName, Version};
pub use recovery_code::RecoveryCode;
pub use scope::{NotAScope, Scope, Scopes};
pub use secret::{NotASecret, Password, SecretToken, TotpCode};
pub use uid::{EntityType, NotAUid, ReservedType, Uid};
