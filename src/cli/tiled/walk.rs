//! From the first entry of a log to its last, everything compared on the way.

use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::Tiled;
use crate::audit::Verification;
use crate::tlog::{BundleId, TileId, bundles_of, decode_bundle};

/// Logs shorter than this are done before anybody wonders.
const ENTRIES_MIN: u64 = 10_000;
/// Where nobody watches, progress is told in steps of so many per cent.
const STEP: u64 = 5;

/// Takes a log through a verification, up to the size that its checkpoint claims. `each`
/// sees every file of it that was there or is computed there, by its path.
///
/// What is missing or damaged is a finding and ends the walk; that the log cannot be
/// asked at all is a failure.
///
/// # Errors
/// [`Failure`]: the log cannot be read, or what `each` says.
pub(in super::super) fn walk(
    log: &dyn Tiled,
    verification: &mut Verification,
    console: &mut Console,
    mut each: impl FnMut(&str, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut progress = Progress::new("verified", verification.size());
    for id in bundles_of(verification.size()) {
        let Some(bytes) = found(log.bundle(id), verification)? else {
            verification.missing(format!("`{}` is not there", id.path()));
            return Ok(());
        };
        if !bundle(id, &bytes, verification) {
            return Ok(());
        }
        each(&id.path(), &bytes)?;
        for (tile, computed) in verification.filled() {
            compare(log, tile, &computed, verification, &mut each)?;
        }
        progress.at(verification.entries(), console);
    }
    for (tile, computed) in verification.edge() {
        compare(log, tile, &computed, verification, &mut each)?;
    }
    progress.end(console);
    Ok(())
}

/// Takes the entries of a bundle; false if it is none.
fn bundle(id: BundleId, bytes: &[u8], verification: &mut Verification) -> bool {
    match decode_bundle(bytes, id.width()) {
        Ok(entries) => {
            entries.into_iter().for_each(|entry| verification.step(entry));
            true
        }
        Err(error) => {
            verification.missing(format!("`{}` is damaged: {error}", id.path()));
            false
        }
    }
}

fn compare(
    log: &dyn Tiled,
    tile: TileId,
    computed: &[u8],
    verification: &mut Verification,
    each: &mut impl FnMut(&str, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if !log.keeps(tile) {
        return each(&tile.path(), computed);
    }
    let kept = found(log.tile(tile), verification)?;
    verification.compare(tile, computed, kept.as_deref());
    kept.map_or(Ok(()), |kept| each(&tile.path(), &kept))
}

/// What a broken log says of itself is a finding.
fn found(
    read: Result<Option<Vec<u8>>, Failure>,
    verification: &mut Verification,
) -> Result<Option<Vec<u8>>, Failure> {
    match read {
        Err(failure) if failure.exit() == Exit::Refused => {
            verification.missing(failure.what());
            Ok(None)
        }
        read => read,
    }
}

/// How far a long work is.
pub(in super::super) struct Progress {
    doing: &'static str,
    all: u64,
    told: u64,
}

impl Progress {
    /// Of so many entries; `doing` is what has been done to them.
    pub(in super::super) const fn new(doing: &'static str, all: u64) -> Self {
        Self { doing, all, told: 0 }
    }

    /// So many are done.
    pub(in super::super) fn at(&mut self, done: u64, console: &mut Console) {
        if self.all < ENTRIES_MIN {
            return;
        }
        let percent = done.saturating_mul(100) / self.all.max(1);
        let step = if console.is_watched() { 1 } else { STEP };
        if percent < self.told + step {
            return;
        }
        self.told = percent;
        let line = format!("{} {done} of {} entries ({percent} %)", self.doing, self.all);
        if console.is_watched() { console.progress(Some(&line)) } else { console.aside(&line) }
    }

    /// All are done.
    pub(in super::super) fn end(&self, console: &mut Console) {
        if console.is_watched() && self.told > 0 {
            console.progress(None);
        }
    }
}
