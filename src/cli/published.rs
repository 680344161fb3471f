//! Checkpoints that were signed, beside the entries that were replayed.

use serde::Serialize;

use super::page::{Ink, Page};
use crate::audit::Replay;
use crate::node::read_outside;
use crate::projection::World;
use crate::tlog::{Checkpoint, CheckpointError, Hash, Note, VerifierKey, open_checkpoint};

/// Waits for a replay to reach the size that a checkpoint was signed for.
pub(super) struct Awaited {
    /// What it is called where a sentence begins.
    name: String,
    note: String,
    /// What it says; none if it is no checkpoint.
    read: Option<Checkpoint>,
    /// The root of the entries replayed, at its size.
    replayed: Option<Hash>,
}

/// Whose word on a checkpoint is taken, and for how much of the log.
pub(super) struct Terms<'a> {
    /// The keys that may have signed; none means those that the log itself names.
    pub(super) keys: &'a [VerifierKey],
    /// True if the whole log was replayed, so that nothing that was signed may be missing.
    pub(super) whole: bool,
}

impl Awaited {
    /// For what is said to be a signed note.
    pub(super) fn of(name: impl Into<String>, note: impl AsRef<[u8]>) -> Self {
        // What is not text is no checkpoint, and will be told as that.
        let note = String::from_utf8_lossy(note.as_ref()).into_owned();
        let read = note.parse::<Note>().ok().and_then(|note| note.text().parse().ok());
        let mut awaited = Self { name: name.into(), note, read, replayed: None };
        awaited.see(&Replay::new());
        awaited
    }

    /// Looks at a replay after each entry.
    pub(super) fn see(&mut self, replay: &Replay) {
        if self.read.as_ref().is_some_and(|read| read.size() == replay.tree().size()) {
            self.replayed = Some(replay.tree().root());
        }
    }

    /// What came of it; `world` is that after the last entry replayed, which knows the
    /// log's keys.
    pub(super) fn compared(self, world: &World, terms: &Terms<'_>) -> Published {
        let outcome = match (&self.read, self.replayed) {
            (None, _) => Standing::Unreadable,
            (Some(_), None) if terms.whole => Standing::Shorter,
            (Some(_), None) => Standing::Beyond,
            (Some(read), Some(replayed)) if replayed != read.root() => Standing::Different,
            (Some(_), Some(_)) if signed(&self.note, world, terms.keys).is_err() => {
                Standing::Unsigned
            }
            (Some(_), Some(_)) => Standing::Same,
        };
        Published {
            name: self.name,
            size: self.read.as_ref().map(Checkpoint::size),
            root: self.read.as_ref().map(|read| read.root().to_string()),
            outcome,
        }
    }
}

fn signed(note: &str, world: &World, keys: &[VerifierKey]) -> Result<Checkpoint, CheckpointError> {
    match keys.first() {
        // A key given says which log is meant; no other will do.
        Some(key) => open_checkpoint(note, keys, key.name().as_str()),
        None => read_outside(world, note),
    }
}

/// How a checkpoint and a replay stand to each other.
#[derive(Serialize)]
pub(super) struct Published {
    #[serde(skip)]
    name: String,
    /// The entries it is for; none if it cannot be read.
    size: Option<u64>,
    /// The root it names, in base64.
    root: Option<String>,
    outcome: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    /// The entries replayed have its root, and a key that is believed signed it.
    Same,
    /// They have it, but no key that is believed signed it.
    Unsigned,
    /// They have another root.
    Different,
    /// The whole log has fewer entries.
    Shorter,
    /// Fewer entries were to be replayed.
    Beyond,
    /// It is no checkpoint.
    Unreadable,
}

impl Published {
    /// Whether there is nothing to look into.
    pub(super) fn is_fine(&self) -> bool {
        matches!(self.outcome, Standing::Same | Standing::Beyond)
    }

    /// Whether it is of the entries replayed, and signed.
    pub(super) fn is_same(&self) -> bool {
        self.outcome == Standing::Same
    }

    /// Says it to people.
    pub(super) fn tell(&self, page: &mut Page) {
        let (size, root) = (self.size.unwrap_or_default(), self.root.as_deref().unwrap_or(""));
        let (what, ink) = match self.outcome {
            Standing::Same => ("is of these entries.".to_owned(), Ink::Good),
            Standing::Unsigned => {
                ("has their root, but no key that is believed signed it.".to_owned(), Ink::Bad)
            }
            Standing::Different => {
                (format!("is NOT of these entries: it names the root {root}."), Ink::Bad)
            }
            Standing::Shorter => {
                ("is of more entries than there are: the log was cut.".to_owned(), Ink::Bad)
            }
            Standing::Beyond => {
                ("says nothing about fewer: see `countersign verify`.".to_owned(), Ink::Plain)
            }
            Standing::Unreadable => {
                page.inked(&format!("{} is not a signed checkpoint.", self.name), Ink::Bad);
                return;
            }
        };
        page.inked(&format!("{} of {size} entries {what}", self.name), ink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{SigningKey, Tree, leaf_hash, sign_checkpoint};

    fn key(seed: u8) -> SigningKey {
        SigningKey::new("example.com/log".parse().unwrap(), &[seed; 32])
    }

    /// A checkpoint of three entries.
    fn note() -> String {
        let mut tree = Tree::default();
        ["a", "b", "c"]
            .iter()
            .for_each(|it| tree.append(leaf_hash(it.as_bytes()), &mut Vec::new()));
        let checkpoint = Checkpoint::new("example.com/log", 3, tree.root()).unwrap();
        sign_checkpoint(&checkpoint, &[&key(7)]).unwrap()
    }

    /// How a note stands to so many entries replayed, and whether that is fine.
    fn held(note: &str, entries: &[&str], terms: &Terms<'_>) -> (Standing, bool) {
        let mut awaited = Awaited::of("It", note);
        let mut replay = Replay::new();
        for entry in entries {
            replay.hash(entry.as_bytes());
            awaited.see(&replay);
        }
        let published = awaited.compared(replay.world(), terms);
        (published.outcome, published.is_fine())
    }

    #[test]
    fn other_entries_than_were_signed_are_a_finding() {
        let keys = [key(7).verifier()];
        let (given, named) = (Terms { keys: &keys, whole: true }, Terms { keys: &[], whole: true });
        let said = |entries: &[&str]| held(&note(), entries, &given);
        assert_eq!(said(&["a", "b", "c"]), (Standing::Same, true));
        assert_eq!(said(&["a", "b", "c", "d"]), (Standing::Same, true));
        assert_eq!(said(&["a", "b", "x"]), (Standing::Different, false));
        assert_eq!(said(&["a", "x", "c", "d"]), (Standing::Different, false));
        // The World of these entries names no key.
        assert_eq!(held(&note(), &["a", "b", "c"], &named), (Standing::Unsigned, false));
        let other = [key(8).verifier()];
        let other = Terms { keys: &other, whole: true };
        assert_eq!(held(&note(), &["a", "b", "c"], &other), (Standing::Unsigned, false));
    }

    /// Goal: a log that was cut is found out, unless less of it was asked for.
    #[test]
    fn fewer_entries_than_were_signed_are_a_finding_in_a_whole_log() {
        let part = Terms { keys: &[], whole: false };
        assert_eq!(held(&note(), &["a", "b"], &part), (Standing::Beyond, true));
        let whole = Terms { keys: &[], whole: true };
        assert_eq!(held(&note(), &["a", "b"], &whole), (Standing::Shorter, false));
        assert_eq!(held(&note(), &[], &whole), (Standing::Shorter, false));
    }

    #[test]
    fn what_is_no_checkpoint_is_a_finding() {
        for whole in [true, false] {
            let terms = Terms { keys: &[], whole };
            assert_eq!(held("no checkpoint", &["a"], &terms), (Standing::Unreadable, false));
        }
    }
}
