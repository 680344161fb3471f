//! Is a log the one that was signed? Every entry is hashed, and the root over all of them
//! is held against checkpoints that were signed, cosigned by witnesses, or kept from
//! before.
//!
//! It takes nobody's word but that of the keys it is given. Without any it takes those
//! that the log itself names: that shows damage, but no forger, for whoever can rewrite a
//! whole log can name a key of their own. The report says which it was.

use std::slice::from_ref;

use super::report::Kept;
use super::verified::{Cosignature, Verified, Waypoint};
use super::{Continuity, Finding};
use crate::event::{Envelope, Event, decode};
use crate::model::{Index, Moment};
use crate::projection::SigningKeys;
use crate::tlog::{
    Checkpoint, CheckpointError, Hash, KeyKind, Note, NoteError, Signature, TILE_WIDTH, TileId,
    Tree, VerifierKey, leaf_hash, open_signed,
};

/// How many findings are kept; the rest are counted.
const FINDINGS_MAX: usize = 1_000;

/// What a log is held against.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// The newest signed checkpoint, as it came with the log.
    pub head: String,
    /// Checkpoints of the same log that the auditor kept, each with what people call it.
    pub kept: Vec<(String, String)>,
    /// The checkpoint that lies beside the log, and what people call it. Whoever can write
    /// the log can write that, too: nobody is surer of a rollback for it.
    pub beside: Option<(String, String)>,
    /// The keys that may sign; none means those that the log names.
    pub keys: Vec<VerifierKey>,
    /// Witnesses, each of whom must have cosigned the newest checkpoint.
    pub witnesses: Vec<VerifierKey>,
    /// True if the entries are not Countersign's events: the tree alone is checked.
    pub opaque: bool,
    /// True if entries may be missing at the end that those checkpoints are for, as in a
    /// backup: which they are is told, and no finding.
    pub may_lack: bool,
}

/// A verification on its way through a log. Costs, an entry, hashing and decoding it;
/// memory is that of the stream heads and of what is bounded here.
#[derive(Debug)]
pub struct Verification {
    claims: Claims,
    /// What the newest checkpoint says; whether anybody signed it is told at the end.
    head: Option<Checkpoint>,
    /// Sizes at which the root is wanted, and what was there once it is known.
    wanted: Vec<(u64, Option<Then>)>,
    tree: Tree,
    filled: Vec<(TileId, Vec<u8>)>,
    continuity: Continuity,
    signing: SigningKeys,
    losses: u64,
    secrets: Option<u64>,
    bytes: u64,
    tiles: u64,
    from: Option<Moment>,
    to: Option<Moment>,
    findings: Kept<Finding>,
}

/// A log when it had so many entries.
#[derive(Clone, Debug)]
struct Then {
    root: Hash,
    /// The keys that it named until then.
    keys: Vec<VerifierKey>,
}

impl Verification {
    /// Before the first entry.
    #[must_use]
    pub fn of(claims: Claims) -> Self {
        let head = unverified(&claims.head);
        let notes = claims.kept.iter().chain(&claims.beside);
        let notes = notes.filter_map(|(_, note)| unverified(note));
        let mut this = Self {
            wanted: notes.map(|kept| (kept.size(), None)).collect(),
            head,
            claims,
            tree: Tree::default(),
            filled: Vec::new(),
            continuity: Continuity::default(),
            signing: SigningKeys::default(),
            losses: 0,
            secrets: None,
            bytes: 0,
            tiles: 0,
            from: None,
            to: None,
            findings: Kept::default(),
        };
        this.reached();
        this
    }

    /// How many entries the newest checkpoint is for; what is to be read.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.head.as_ref().map_or(0, Checkpoint::size)
    }

    /// How many entries have been taken.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.tree.size()
    }

    /// Takes the next entry as it is stored. Whatever is wrong is noted, and the
    /// verification goes on.
    pub fn step(&mut self, bytes: &[u8]) {
        let index = Index(self.tree.size());
        self.tree.append(leaf_hash(bytes), &mut self.filled);
        self.bytes += bytes.len() as u64;
        if !self.claims.opaque {
            match decode(index, bytes) {
                Ok(entry) => self.entry(&entry),
                Err(broken) => self.find(index, "entry_unreadable", broken.to_string()),
            }
        }
        self.reached();
    }

    /// Tiles that the entries taken have filled, and that have not been compared yet.
    pub fn filled(&mut self) -> Vec<(TileId, Vec<u8>)> {
        std::mem::take(&mut self.filled)
    }

    /// The tiles of the right edge, which no entry has filled. For the end.
    #[must_use]
    pub fn edge(&self) -> Vec<(TileId, Vec<u8>)> {
        self.tree.partial_tiles().collect()
    }

    /// Compares a tile with what the log's keeper has of it.
    pub fn compare(&mut self, tile: TileId, computed: &[u8], kept: Option<&[u8]>) {
        self.tiles += 1;
        let span = u64::from(TILE_WIDTH).saturating_pow(u32::from(tile.level()) + 1);
        let entry = Index(tile.index().saturating_mul(span));
        match kept {
            Some(kept) if kept == computed => {}
            Some(_) => {
                self.find(entry, "tile_differs", format!("`{tile}` does not fit the entries"));
            }
            None => self.find(entry, "tile_missing", format!("`{tile}` is not there")),
        }
    }

    /// Notes that the log's keeper holds so many entries: none may be beyond what was
    /// signed.
    pub fn held(&mut self, entries: u64) {
        let signed = self.size();
        if entries > signed {
            let what = format!("{signed} entries were signed, but {entries} are there");
            self.find(Index(signed), "not_signed", what);
        }
    }

    /// Notes that so many sealed secrets were held against the log, and what is wrong with
    /// them.
    pub fn secrets(&mut self, checked: u64, wrong: impl IntoIterator<Item = String>) {
        self.secrets = Some(checked);
        for what in wrong {
            self.find(Index(self.size()), "secret_not_as_named", what);
        }
    }

    /// True if nothing has been found so far.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.findings.total == 0
    }

    /// Notes what the log's keeper could not give.
    pub fn missing(&mut self, what: impl Into<String>) {
        self.find(Index(self.tree.size()), "entry_missing", what.into());
    }

    /// What has been found, once all entries have been taken.
    #[must_use]
    pub fn report(mut self) -> Verified {
        let given = !self.claims.keys.is_empty();
        let keys = if given { self.claims.keys.clone() } else { self.named() };
        let signed_by = self.signers(&keys);
        let unchecked = self.unchecked(&keys);
        self.held_against_head();
        let witnessed_by = self.cosigners();
        let given_ones = std::mem::take(&mut self.claims.kept).into_iter().map(|it| (it, true));
        let all = given_ones.chain(self.claims.beside.take().map(|it| (it, false)));
        let kept = all.map(|(kept, given)| self.waypoint(kept, given)).collect();
        let head = self.head.take();
        Verified {
            clean: self.findings.is_empty(),
            origin: head.as_ref().map(|head| head.origin().to_owned()),
            size: head.as_ref().map(Checkpoint::size),
            root: head.as_ref().map(|head| head.root().to_string()),
            signed_by,
            witnessed_by,
            unchecked,
            keys_given: given,
            entries: self.tree.size(),
            bytes: self.bytes,
            tiles: self.tiles,
            secrets: self.secrets,
            losses_accepted: self.losses,
            from: self.from,
            to: self.to,
            kept,
            findings: self.findings,
        }
    }

    fn entry(&mut self, entry: &Envelope) {
        self.from.get_or_insert(entry.time);
        self.to = Some(entry.time);
        if let Err(wrong) = self.continuity.check(entry) {
            self.find(wrong.index(), wrong.code(), wrong.to_string());
        }
        self.signing.take(entry);
        self.losses += u64::from(matches!(entry.event, Event::LossAccepted(_)));
    }

    /// Remembers the root where somebody wants to know it.
    fn reached(&mut self) {
        let size = self.tree.size();
        if self.wanted.iter().any(|(wanted, _)| *wanted == size) {
            let then = Then { root: self.tree.root(), keys: self.named() };
            let here = self.wanted.iter_mut().filter(|(wanted, _)| *wanted == size);
            here.for_each(|(_, known)| *known = Some(then.clone()));
        }
    }

    /// The keys that the log names for its present origin.
    fn named(&self) -> Vec<VerifierKey> {
        self.signing.iter().map(|key| key.verifier_key.clone()).collect()
    }

    fn signers(&mut self, keys: &[VerifierKey]) -> Vec<String> {
        let origin = match (&self.head, keys.first()) {
            // A key given says which log is meant; no other will do.
            (_, Some(key)) if !self.claims.keys.is_empty() => key.name().to_string(),
            (Some(head), _) => head.origin().to_owned(),
            (None, _) => String::new(),
        };
        match open_signed(&self.claims.head, keys, &origin) {
            Ok(signed) => {
                let by = signed.signers.iter().filter(|by| by.key.kind() == KeyKind::Ed25519);
                by.map(|by| by.key.to_string()).collect()
            }
            Err(error) => {
                let end = Index(self.size());
                self.find(end, "checkpoint_not_believed", error.to_string());
                Vec::new()
            }
        }
    }

    fn held_against_head(&mut self) {
        let Some(head) = self.head.clone() else { return };
        let (signed, found) = (head.size(), self.tree.size());
        if signed != found {
            let what = format!("{signed} entries were signed, but there are {found}");
            self.find(Index(found.min(signed)), "size_differs", what);
        } else if head.root() != self.tree.root() {
            let what = "the root over the entries is not the one that was signed".to_owned();
            self.find(Index(signed), "root_differs", what);
        }
        let in_force: Vec<_> =
            self.signing.in_force().map(|key| key.verifier_key.clone()).collect();
        let knows_keys = self.signing.iter().next().is_some();
        if knows_keys && open_signed(&self.claims.head, &in_force, head.origin()).is_err() {
            let what = "no key that the log itself has in force signed the checkpoint".to_owned();
            self.find(Index(signed), "key_not_in_force", what);
        }
    }

    fn waypoint(&mut self, (name, note): (String, String), given: bool) -> Waypoint {
        let origin = self.head.as_ref().map(|head| head.origin().to_owned()).unwrap_or_default();
        let then = unverified(&note).and_then(|kept| self.then(kept.size()).cloned());
        // What was signed then was signed by a key of then: a later one proves nothing.
        let keys = match &then {
            _ if !self.claims.keys.is_empty() => self.claims.keys.clone(),
            Some(then) => then.keys.clone(),
            None => self.named(),
        };
        let opened = open_signed(&note, &keys, &origin).map(|signed| signed.checkpoint);
        let size = opened.as_ref().ok().map(Checkpoint::size);
        let holds = match opened {
            Ok(kept) => self.holds(&name, &kept, then.map(|then| then.root)),
            Err(error) => {
                let code = match error {
                    CheckpointError::Origin { .. } => "kept_of_other_log",
                    _ => "kept_not_believed",
                };
                self.find(Index(0), code, format!("`{name}`: {error}"));
                false
            }
        };
        Waypoint { name, size, holds, given }
    }

    /// What the log was when it had so many entries, if it was asked for and had them.
    fn then(&self, size: u64) -> Option<&Then> {
        let here = self.wanted.iter().find(|(wanted, _)| *wanted == size);
        here.and_then(|(_, then)| then.as_ref())
    }

    fn holds(&mut self, name: &str, kept: &Checkpoint, root: Option<Hash>) -> bool {
        let (size, found) = (kept.size(), self.tree.size());
        match root {
            Some(root) if root == kept.root() => true,
            Some(_) => {
                let what = format!("the first {size} entries are not those that `{name}` is for");
                self.find(Index(size), "forked", what);
                false
            }
            None if self.claims.may_lack => false,
            None => {
                let what = format!("`{name}` is for {size} entries, but there are only {found}");
                self.find(Index(found), "rolled_back", what);
                false
            }
        }
    }

    /// Which of the witnesses asked for have cosigned the newest checkpoint.
    fn cosigners(&mut self) -> Vec<Cosignature> {
        let note: Option<Note> = self.claims.head.parse().ok();
        let mut seen = Vec::new();
        for witness in std::mem::take(&mut self.claims.witnesses) {
            let lines = note.as_ref().map_or(Err(NoteError::Unsigned), |note| {
                note.verify(from_ref(&witness)).map(|lines| lines.first().and_then(|it| it.time))
            });
            let what = match lines {
                Ok(Some(time)) => {
                    let at = Moment::EPOCH.plus_seconds(time);
                    seen.push(Cosignature { witness: witness.to_string(), at });
                    continue;
                }
                Err(NoteError::Forged { name }) => {
                    format!("the line of witness `{name}` does not hold")
                }
                Ok(None) | Err(_) => format!("witness `{}` has not cosigned it", witness.name()),
            };
            self.find(Index(self.size()), "not_witnessed", what);
        }
        seen
    }

    /// Signature lines of the newest checkpoint that no key was given for.
    fn unchecked(&self, keys: &[VerifierKey]) -> Vec<String> {
        let note: Option<Note> = self.claims.head.parse().ok();
        let known = |line: &Signature| {
            let all = keys.iter().chain(&self.claims.witnesses);
            all.into_iter().any(|key| line.id() == key.id() && line.name() == key.name())
        };
        let lines = note.iter().flat_map(Note::signatures).filter(|line| !known(line));
        lines.map(|line| format!("{}+{:08x}", line.name(), line.id())).collect()
    }

    fn find(&mut self, index: Index, code: &'static str, what: String) {
        self.findings.keep(Finding { index, code, what }, FINDINGS_MAX);
    }
}

/// What a note says, whoever signed it.
fn unverified(note: &str) -> Option<Checkpoint> {
    note.parse::<Note>().ok()?.text().parse().ok()
}
