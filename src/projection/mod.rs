//! Total folds over the log; together the World.

mod accesses;
mod buckets;
mod directory;
mod erasures;
mod identities;
mod index_doubts;
mod passkeys;
mod person;
mod policies;
mod recovery;
mod services;
mod sessions;
mod shadows;
mod sign_ins;
mod signing_keys;
mod state;
mod streams;
mod versions;
mod versions_state;
mod witnessing;
mod world;

pub use accesses::Accesses;
pub use buckets::{Bucket, Buckets};
pub use directory::{Change, Directory, DirectoryView, HierarchyFault, Node};
pub use erasures::Erasures;
pub use identities::Identities;
pub use index_doubts::IndexDoubts;
pub use passkeys::Passkey;
pub use person::{Credential, PasswordCredential, PendingTotp, Person, Ticket, Totp};
pub use policies::{Artefacts, Compiled, Content, PolicySetState};
pub use services::{Service, Services};
pub use sessions::{Session, Sessions};
pub use shadows::Shadows;
pub use sign_ins::{Remembered, SignIns};
pub use signing_keys::{SigningKeyState, SigningKeys};
pub use state::NotAWorld;
pub use streams::Streams;
pub use versions::{
    Approval, Checked, DRAFTS_BYTES_MAX, DRAFTS_MAX, InForceAs, NoSuchVersion, PolicyVersion,
    RETIRED_MAX,
};
pub use versions::{Stage, Versions};
pub use witnessing::{Cosigned, WitnessKeyState, Witnessing};
pub use world::{StateDigest, World};
