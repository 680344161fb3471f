//! The World put away and taken up again, for snapshots.
//!
//! It is JSON in one canonical order: two Worlds that behave the same have the same
//! bytes. Indexes that follow from the rest and everything compiled are left out. What is
//! personal is there as it is in the log, sealed, and is opened anew: what was erased since
//! stays closed.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::directory::DirectoryState;
use super::identities::IdentitiesState;
use super::policies::PolicySetSaved;
use super::services::ServicesState;
use super::sessions::SessionsState;
use super::sign_ins::Remembered;
use super::versions_state::VersionsSaved;
use super::{
    Accesses, Artefacts, Directory, Erasures, HierarchyFault, Identities, IndexDoubts,
    PolicySetState, Services, Sessions, Shadows, SignIns, SigningKeys, Streams, Versions,
    Witnessing, World,
};
use crate::event::DecisionSettings;
use crate::model::{
    Digest, Index, KeyId, Moment, Personal, SetKind, StreamName, Uid, Username, Version,
};

/// Why bytes are not a World that was put away by this build. The bytes are not
/// repeated: they hold names and attributes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAWorld {
    /// Another shape.
    #[error("it does not have the shape of this build's state")]
    Shape,
    /// What is personal does not open under its own key.
    #[error("something personal in it does not open under its own key")]
    Sealed,
    /// A hierarchy that admission refuses.
    #[error(transparent)]
    Hierarchy(#[from] HierarchyFault),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldState<'a> {
    log: Option<Uuid>,
    through: Option<Index>,
    last: Option<(Moment, Uuid)>,
    epoch: u64,
    settings: DecisionSettings,
    application: PolicySetSaved,
    system: PolicySetSaved,
    versions: VersionsSaved,
    #[serde(borrow)]
    directory: DirectoryState<'a>,
    erasures: Vec<(KeyId, Uid)>,
    key: Option<Digest>,
    identities: IdentitiesState,
    sessions: SessionsState,
    sign_ins: Vec<(Username, Remembered)>,
    services: ServicesState,
    index_doubts: IndexDoubts,
    signing: SigningKeys,
    witnessing: Witnessing,
    accesses: Accesses,
    shadows: Shadows,
    streams: Vec<(StreamName, Version)>,
}

impl World {
    /// The whole state as JSON, to be taken up again by [`World::restored`]. Linear in
    /// the state.
    #[must_use]
    pub fn put_away(&self) -> Vec<u8> {
        let state = WorldState {
            log: self.log,
            through: self.through,
            last: self.last,
            epoch: self.epoch,
            settings: self.settings.as_ref().clone(),
            application: self.application.state(),
            system: self.system.state(),
            versions: self.versions.state(),
            directory: self.directory.state(),
            erasures: self.erasures.state(),
            key: self.key,
            identities: self.identities.state(),
            sessions: self.sessions.state(),
            sign_ins: self.sign_ins.state(),
            services: self.services.state(),
            index_doubts: self.index_doubts.clone(),
            signing: self.signing.clone(),
            witnessing: self.witnessing.clone(),
            accesses: self.accesses,
            shadows: self.shadows.clone(),
            streams: self.streams.state(),
        };
        // No state of ours fails to become JSON; if one did, it could not be taken up.
        serde_json::to_vec(&state).unwrap_or_default()
    }

    /// The World that was put away. Linear in the state; compiles nothing yet. `open` opens
    /// what is personal as far as its keys are there; false if it is broken. Whether it is
    /// the right World is known by its [`World::digest`].
    ///
    /// # Errors
    /// [`NotAWorld`].
    pub fn restored(
        bytes: &[u8],
        artefacts: &Artefacts,
        open: &mut dyn FnMut(&mut [Personal]) -> bool,
    ) -> Result<Self, NotAWorld> {
        let state: WorldState<'_> = serde_json::from_slice(bytes).map_err(|_| NotAWorld::Shape)?;
        let (application, system) = (state.application, state.system);
        let erasures = Erasures::restored(state.erasures);
        Ok(Self {
            log: state.log,
            through: state.through,
            last: state.last,
            epoch: state.epoch,
            elsewhere: 0,
            settings: state.settings.into(),
            application: PolicySetState::restored(SetKind::Application, application, artefacts),
            system: PolicySetState::restored(SetKind::System, system, artefacts),
            versions: Versions::restored(state.versions, artefacts).ok_or(NotAWorld::Shape)?,
            directory: Directory::restored(state.directory, &erasures, open)?,
            erasures,
            key: state.key,
            identities: Identities::restored(state.identities),
            sessions: Sessions::restored(state.sessions),
            sign_ins: SignIns::restored(state.sign_ins),
            services: Services::restored(state.services),
            index_doubts: state.index_doubts,
            signing: state.signing,
            witnessing: state.witnessing,
            accesses: state.accesses,
            shadows: state.shadows,
            streams: Streams::restored(state.streams),
            ..Self::new(artefacts.clone())
        })
    }

    /// Which folds this build has: SHA-256 over their sources. A snapshot of other folds
    /// is not taken up, and nobody has to remember to number them.
    #[must_use]
    pub fn folds() -> Digest {
        Digest::of_parts(SOURCES.map(str::as_bytes))
    }
}

/// Every file of this room.
const SOURCES: [&str; 24] = [
    include_str!("accesses.rs"),
    include_str!("buckets.rs"),
    include_str!("directory.rs"),
    include_str!("erasures.rs"),
    include_str!("footprint.rs"),
    include_str!("identities.rs"),
    include_str!("index_doubts.rs"),
    include_str!("mod.rs"),
    include_str!("passkeys.rs"),
    include_str!("person.rs"),
    include_str!("policies.rs"),
    include_str!("recovery.rs"),
    include_str!("retention.rs"),
    include_str!("services.rs"),
    include_str!("sessions.rs"),
    include_str!("shadows.rs"),
    include_str!("sign_ins.rs"),
    include_str!("signing_keys.rs"),
    include_str!("state.rs"),
    include_str!("streams.rs"),
    include_str!("versions.rs"),
    include_str!("versions_state.rs"),
    include_str!("witnessing.rs"),
    include_str!("world.rs"),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// The texts of a folder and those within it, tests apart: they fold nothing.
    fn sources(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (folders, mut files): (Vec<PathBuf>, Vec<_>) = entries.partition(|it| it.is_dir());
        files.retain(|file| !file.ends_with("tests.rs"));
        let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
        texts.chain(folders.iter().flat_map(|one| sources(one))).collect()
    }

    #[test]
    fn every_fold_counts_in_the_digest_of_the_folds() {
        let room = concat!(env!("CARGO_MANIFEST_DIR"), "/src/projection");
        let mut texts: Vec<_> = sources(Path::new(room));
        let mut known = SOURCES.to_vec();
        texts.sort();
        known.sort_unstable();
        assert!(texts == known, "a file of `projection` is missing from the list");
    }

    #[test]
    fn what_is_no_world_is_refused() {
        let bytes = World::default().put_away();
        let restored = |bytes: &[u8]| World::restored(bytes, &Artefacts::default(), &mut |_| true);
        assert!(restored(&bytes).is_ok());
        for cut in 0..bytes.len() {
            assert!(restored(&bytes[..cut]).is_err());
        }
        let other = String::from_utf8(bytes).unwrap().replace("epoch", "epochs");
        assert!(restored(other.as_bytes()).is_err());
    }
}
