//! A checkpoint that was published, beside the entries that were replayed.

use serde::Serialize;

use super::page::{Ink, Page};
use crate::audit::Replay;
use crate::node::read_outside;
use crate::projection::World;
use crate::tlog::{Checkpoint, Hash, Note};

/// Waits for a replay to reach the size that a checkpoint was signed for.
pub(super) struct Awaited {
    note: String,
    size: u64,
    root: Hash,
    /// The root of the entries replayed, at that size.
    replayed: Option<Hash>,
}

impl Awaited {
    /// For a signed note; none for what is no checkpoint.
    pub(super) fn of(note: impl Into<Vec<u8>>) -> Option<Self> {
        let note = String::from_utf8(note.into()).ok()?;
        let read: Note = note.parse().ok()?;
        let checkpoint: Checkpoint = read.text().parse().ok()?;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        Some(Self { note, size, root, replayed: None })
    }

    /// Looks at a replay after each entry.
    pub(super) fn see(&mut self, replay: &Replay) {
        if replay.tree().size() == self.size {
            self.replayed = Some(replay.tree().root());
        }
    }

    /// What came of it; `world` is that after the last entry replayed, which knows the
    /// keys.
    pub(super) fn compared(self, world: &World) -> Published {
        let outcome = match self.replayed {
            None => Standing::Beyond,
            Some(replayed) if replayed != self.root => Standing::Different,
            Some(_) if read_outside(world, &self.note).is_err() => Standing::Unsigned,
            Some(_) => Standing::Same,
        };
        Published { size: self.size, root: self.root.to_string(), outcome }
    }
}

/// How a published checkpoint and a replay stand to each other.
#[derive(Serialize)]
pub(super) struct Published {
    /// The entries it is for.
    size: u64,
    /// The root it names, in base64.
    root: String,
    outcome: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    /// The entries replayed have its root, and a key that the log itself names signed it.
    Same,
    /// They have it, but no key of the log's signed it.
    Unsigned,
    /// They have another root.
    Different,
    /// Fewer entries were replayed.
    Beyond,
}

impl Published {
    /// Whether there is nothing to look into.
    pub(super) fn is_fine(&self) -> bool {
        matches!(self.outcome, Standing::Same | Standing::Beyond)
    }

    /// Says it to people.
    pub(super) fn tell(&self, page: &mut Page) {
        let size = self.size;
        let (text, ink) = match self.outcome {
            Standing::Same => {
                (format!("The signed checkpoint of {size} entries is of these entries."), Ink::Good)
            }
            Standing::Unsigned => {
                let text = "has their root, but no key that the log names signed it.";
                (format!("The checkpoint of {size} entries {text}"), Ink::Bad)
            }
            Standing::Different => {
                let root = &self.root;
                let text = format!("is NOT of these entries: it names the root {root}.");
                (format!("The checkpoint of {size} entries {text}"), Ink::Bad)
            }
            Standing::Beyond => {
                let text = "and says nothing about fewer: see `countersign verify`.";
                (format!("The newest checkpoint is of {size} entries, {text}"), Ink::Plain)
            }
        };
        page.inked(&text, ink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{SigningKey, Tree, leaf_hash, sign_checkpoint};

    /// What is said of a checkpoint of three entries after so many of these are replayed.
    fn said(entries: &[&str]) -> (&'static str, bool) {
        let mut tree = Tree::default();
        ["a", "b", "c"]
            .iter()
            .for_each(|it| tree.append(leaf_hash(it.as_bytes()), &mut Vec::new()));
        let key = SigningKey::new("example.com/log".parse().unwrap(), &[7; 32]);
        let checkpoint = Checkpoint::new("example.com/log", 3, tree.root()).unwrap();
        let mut awaited = Awaited::of(sign_checkpoint(&checkpoint, &[&key]).unwrap()).unwrap();
        let mut replay = Replay::new();
        for entry in entries {
            replay.hash(entry.as_bytes());
            awaited.see(&replay);
        }
        let published = awaited.compared(replay.world());
        let outcome = match published.outcome {
            Standing::Same => "same",
            Standing::Unsigned => "unsigned",
            Standing::Different => "different",
            Standing::Beyond => "beyond",
        };
        (outcome, published.is_fine())
    }

    #[test]
    fn other_entries_than_were_signed_are_a_finding() {
        assert_eq!(said(&["a", "b", "x"]), ("different", false));
        assert_eq!(said(&["a", "x", "c", "d"]), ("different", false));
        assert_eq!(said(&["a", "b"]), ("beyond", true));
        // The World of these entries names no key.
        assert_eq!(said(&["a", "b", "c", "d"]), ("unsigned", false));
        assert!(Awaited::of("no checkpoint".to_owned()).is_none());
    }
}
