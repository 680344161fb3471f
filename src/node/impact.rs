//! An impact over a stored log: read, folded and decided, by as many threads as there are.

use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::NodeError;
use crate::audit::{Case, Impact, ImpactReport};
use crate::cedar::{Fault, on_large_stack, on_large_stacks};
use crate::event::{Envelope, decode};
use crate::event_store::EventStore;
use crate::model::{Index, Moment};
use crate::sequencer::RecoverError;
use crate::vault::Sealer;

/// Entries and bytes that are decided together: a second or less of work.
const STRETCH: (usize, usize) = (4_096, 8 << 20);

/// What to go through, and with how many threads.
pub struct Weighing<'a> {
    /// The log.
    pub store: &'a dyn EventStore,
    /// What opens what is personal, if its key is here.
    pub sealer: Option<&'a Sealer>,
    /// The threads that decide: what they find does not depend on their number.
    pub threads: usize,
    /// Where to stop: the entry after the last.
    pub end: u64,
}

/// A finished report, and what it took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Impacted {
    /// What was found.
    #[serde(flatten)]
    pub report: ImpactReport,
    /// How long it took, in milliseconds; of a report that was gone on from, since then.
    pub took_ms: u64,
    /// The threads that decided.
    pub threads: usize,
}

impl Impacted {
    /// A report, and what it took.
    #[must_use]
    pub fn new(report: ImpactReport, begun: Instant, threads: usize) -> Self {
        Self { report, took_ms: millis(begun.elapsed()), threads }
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// The processors of this machine that a process may use.
#[must_use]
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// The first entry that is not before a moment; one after the last if there is none. Reads
/// some twenty entries.
///
/// # Errors
/// [`NodeError`]: what cannot be read.
pub fn window(store: &dyn EventStore, since: Moment) -> Result<Index, NodeError> {
    let (mut low, mut high) = (0, store.size());
    while low < high {
        let middle = low.midpoint(high);
        let read = store.read(Index(middle), 1, usize::MAX)?;
        let short = || RecoverError::Short { expected: high, found: middle };
        let (index, bytes) = read.into_iter().next().ok_or_else(short)?;
        let entry = decode(index, &bytes).map_err(RecoverError::from)?;
        if entry.time < since {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(Index(low))
}

impl Weighing<'_> {
    /// Takes an impact through the log, from where it stands to the end. After each stretch
    /// of some thousand entries, all that was met so far is counted, and `told` is asked
    /// whether to go on.
    ///
    /// # Errors
    /// [`NodeError`]: what cannot be read, or contradicts the entries before it; and what
    /// `told` says.
    pub fn weigh<E: From<NodeError>>(
        &self,
        impact: &mut Impact,
        mut told: impl FnMut(&Impact) -> Result<(), E>,
    ) -> Result<(), E> {
        while impact.next().0 < self.end {
            self.stretch(impact)?;
            told(impact)?;
        }
        Ok(())
    }

    fn stretch(&self, impact: &mut Impact) -> Result<(), NodeError> {
        let next = impact.next();
        let left = usize::try_from(self.end - next.0).unwrap_or(usize::MAX);
        let page = self.store.read(next, STRETCH.0.min(left), STRETCH.1)?;
        if page.is_empty() {
            return Err(RecoverError::Short { expected: self.end, found: next.0 }.into());
        }
        let opened =
            on_large_stacks(self.threads, page, |(index, bytes)| self.opened(index, &bytes));
        let mut cases = Vec::new();
        for entry in opened.map_err(defect)? {
            cases.extend(impact.step(entry?).map_err(RecoverError::from)?);
        }
        let judged = on_large_stacks(self.threads, cases, Case::judged).map_err(defect)?;
        on_large_stack(|| judged.iter().for_each(|judged| impact.count(judged))).map_err(defect)
    }

    fn opened(&self, index: Index, bytes: &[u8]) -> Result<Envelope, RecoverError> {
        let mut entry = decode(index, bytes)?;
        if let Some(sealer) = self.sealer {
            let broken = |source| RecoverError::Sealed { index, source };
            sealer.open_event(&mut entry.event).map_err(broken)?;
        }
        Ok(entry)
    }
}

fn defect(fault: Fault) -> NodeError {
    NodeError::CannotDecide(fault.message.into())
}
