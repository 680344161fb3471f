//! Which builds' index of policies was found wrong, and which build decides.

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::event::{NodeStarted, PolicyIndexDoubted};

/// The doubts, one for each build there is a doubt about: going back to such a build does
/// not make its index right.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexDoubts {
    /// The build that writes; none before a node started.
    build: Option<String>,
    by_build: OrdMap<String, PolicyIndexDoubted>,
}

impl IndexDoubts {
    /// The doubt about the index of the build that decides now: every policy is asked then.
    /// Any doubt counts while it is not on the record which build that is.
    #[must_use]
    pub fn current(&self) -> Option<&PolicyIndexDoubted> {
        match &self.build {
            Some(build) => self.by_build.get(build),
            None => self.by_build.values().next(),
        }
    }

    /// True if no build was ever in doubt.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_build.is_empty()
    }

    /// The build each of whose decisions is doubted, with the first doubt about it.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &PolicyIndexDoubted)> {
        self.by_build.iter()
    }

    /// True if decisions are taken in another way from here on.
    pub(super) fn started(&mut self, it: &NodeStarted) -> bool {
        let before = self.current().is_some();
        self.build = Some(it.build.clone());
        before != self.current().is_some()
    }

    /// The first doubt about a build is kept.
    pub(super) fn doubted(&mut self, it: &PolicyIndexDoubted) {
        self.by_build.entry(it.build.clone()).or_insert_with(|| it.clone());
    }
}
