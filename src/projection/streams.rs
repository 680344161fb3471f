//! The version that each stream has reached.

use imbl::HashMap;

use crate::model::{StreamName, Version};

/// Stream heads, for optimistic concurrency. The stream of an ended session is
/// forgotten: no event can follow in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streams(HashMap<StreamName, Version>);

impl Streams {
    /// The version of a stream; 0 before its first event.
    #[must_use]
    pub fn version(&self, stream: &StreamName) -> Version {
        self.0.get(stream).copied().unwrap_or_default()
    }

    pub(super) fn appended(&mut self, stream: &StreamName, version: Version) {
        self.0.insert(stream.clone(), version);
    }

    pub(super) fn closed(&mut self, stream: &StreamName) {
        self.0.remove(stream);
    }

    /// All heads, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&StreamName, &Version)> {
        self.0.iter()
    }

    /// All heads in order of their names, as they are put away.
    pub(super) fn state(&self) -> Vec<(StreamName, Version)> {
        let mut all: Vec<_> = self.0.iter().map(|(name, at)| (name.clone(), *at)).collect();
        all.sort_unstable();
        all
    }

    pub(super) fn restored(all: Vec<(StreamName, Version)>) -> Self {
        Self(all.into_iter().collect())
    }
}
