//! Who adds lines to a checkpoint once it is published.

use std::time::Duration;

/// The witnesses of a log, as its publisher sees them.
pub trait Witnesses: Send {
    /// Asks them to cosign a checkpoint that has been published. Blocks the publishing of
    /// the next one, so for two seconds at most, whoever has to be asked twice.
    fn ask(&mut self, note: &str) -> Asked;
}

/// What came of asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The same checkpoint with their lines; none if nobody has cosigned it.
    pub cosigned: Option<String>,
    /// After how long to ask again, where somebody has not cosigned it.
    pub again: Option<Duration>,
}
