//! Hands that know nothing of the format: bits, bytes and whole files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use countersign::event_store::{EventStore, SledStore};
use countersign::model::Index;
use countersign::tlog::{Note, TileId};

use crate::ground::{Dice, Ground, Outcome};

/// Something that is altered, verified and restored.
pub trait Target {
    /// Alters it; says how.
    fn mutate(&mut self, dice: &mut Dice) -> String;
    fn verify(&self) -> Outcome;
    /// True if whoever reads it reads what was written.
    fn reads_the_same(&self) -> bool;
    fn restore(&mut self);
}

/// The files below a folder, and what was in them.
struct Files {
    folder: PathBuf,
    whole: BTreeMap<PathBuf, Vec<u8>>,
}

impl Files {
    fn of(folder: &Path) -> Self {
        let mut whole = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap();
                    whole.insert(path, bytes);
                }
            }
        }
        Self { folder: folder.to_owned(), whole }
    }

    /// Alters one file, or two.
    fn mutate(&self, among: &[PathBuf], dice: &mut Dice) -> String {
        let path = &among[dice.below(among.len())];
        let name = path.strip_prefix(&self.folder).unwrap().display();
        let mut bytes = self.whole[path].clone();
        // sled preallocates: what was written ends long before its file does.
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
        match dice.below(12) {
            0..=6 => {
                let (at, bit) = (dice.below(written), dice.below(8));
                bytes[at] ^= 1 << bit;
                fs::write(path, bytes).unwrap();
                format!("bit {bit} of byte {at} of `{name}` flipped")
            }
            7 => {
                let end = dice.below(written);
                bytes.truncate(end);
                fs::write(path, bytes).unwrap();
                format!("`{name}` cut to {end} bytes")
            }
            8 => {
                let (from, count) = (dice.below(written), 1 + dice.below(600));
                let end = (from + count).min(written);
                bytes[from..end].fill(0);
                fs::write(path, bytes).unwrap();
                format!("bytes {from} to {end} of `{name}` zeroed")
            }
            9 => {
                let (from, to) = (dice.below(written), dice.below(written));
                let count = (1 + dice.below(600)).min(written - from.max(to));
                bytes.copy_within(from..from + count, to);
                fs::write(path, bytes).unwrap();
                format!("{count} bytes of `{name}` copied from {from} to {to}")
            }
            10 => {
                fs::remove_file(path).unwrap();
                format!("`{name}` removed")
            }
            _ => {
                let other = &among[dice.below(among.len())];
                fs::write(path, &self.whole[other]).unwrap();
                let other = other.strip_prefix(&self.folder).unwrap().display();
                format!("`{name}` replaced by `{other}`")
            }
        }
    }

    /// Puts back every file as it was, and removes what was not there.
    fn restore(&self) {
        for path in Self::names(&self.folder) {
            if !self.whole.contains_key(&path) {
                fs::remove_file(path).unwrap();
            }
        }
        for (path, bytes) in &self.whole {
            if fs::read(path).ok().as_ref() != Some(bytes) {
                fs::write(path, bytes).unwrap();
            }
        }
    }

    fn names(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (folders, mut files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        files.extend(folders.iter().flat_map(|folder| Self::names(folder)));
        files
    }
}

/// What a file says, to whoever reads it: of a checkpoint its text and its signatures, for
/// the bits behind the last byte of a signature's base64 mean nothing; of any other every
/// byte.
fn says_the_same(path: &Path, whole: &[u8]) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    let note = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap_or("").parse::<Note>();
    bytes == whole
        || path.ends_with("checkpoint") && note(whole).is_ok_and(|it| note(&bytes) == Ok(it))
}

/// A stopped data directory: sled's files, the checkpoint outside, the sealed secrets.
pub struct Directory {
    ground: Ground,
    files: Files,
    /// Files that are read as they lie there.
    plain: Vec<PathBuf>,
    among: Vec<PathBuf>,
    log: Log,
}

impl Directory {
    pub fn new(ground: Ground) -> Self {
        let log = Log::read(&ground.data()).unwrap();
        let files = Files::of(&ground.data());
        let vault = ground.data().join("vault");
        let sealed = |path: &&PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            path.starts_with(&vault) && name.parse::<uuid::Uuid>().is_ok()
        };
        let mut plain: Vec<_> = files.whole.keys().filter(sealed).cloned().collect();
        assert!(!plain.is_empty(), "there are secrets to alter");
        plain.push(ground.data().join("checkpoint"));
        // Half of all hands are laid on sled's own file: there is most to lose.
        let stored = ground.data().join("log");
        let mut among: Vec<_> =
            files.whole.keys().filter(|path| path.starts_with(&stored)).cloned().collect();
        among.extend(plain.iter().cloned());
        among.extend(std::iter::repeat_n(stored.join("db"), among.len()));
        Self { ground, files, plain, among, log }
    }
}

impl Target for Directory {
    fn mutate(&mut self, dice: &mut Dice) -> String {
        self.files.mutate(&self.among, dice)
    }

    fn verify(&self) -> Outcome {
        self.ground.verify_directory(&self.ground.data())
    }

    fn reads_the_same(&self) -> bool {
        self.plain.iter().all(|path| says_the_same(path, &self.files.whole[path]))
            && Log::read(&self.ground.data()).as_ref() == Some(&self.log)
    }

    fn restore(&mut self) {
        self.files.restore();
    }
}

/// What a stopped directory's log says.
#[derive(PartialEq)]
struct Log {
    entries: Vec<Vec<u8>>,
    checkpoint: Option<String>,
    tile: Option<Vec<u8>>,
}

impl Log {
    /// All of it, if all can be read.
    fn read(data: &Path) -> Option<Self> {
        let store = SledStore::open(data.join("log")).ok()?;
        let all = store.read(Index(0), usize::MAX, usize::MAX).ok()?;
        let entries = all.into_iter().map(|(_, bytes)| bytes).collect();
        let tile = store.tile(TileId::at(0, 0, 256)?).ok()?;
        Some(Self { entries, checkpoint: store.checkpoint().ok()?, tile })
    }
}

/// A folder of static files.
pub struct Export {
    ground: Ground,
    files: Files,
    among: Vec<PathBuf>,
}

impl Export {
    pub fn new(ground: Ground) -> Self {
        let files = Files::of(&ground.at("newest"));
        let among = files.whole.keys().cloned().collect();
        Self { ground, files, among }
    }
}

impl Target for Export {
    fn mutate(&mut self, dice: &mut Dice) -> String {
        self.files.mutate(&self.among, dice)
    }

    fn verify(&self) -> Outcome {
        self.ground.verify_export(&self.ground.at("newest"))
    }

    fn reads_the_same(&self) -> bool {
        // A file replaced by itself, zeros over zeros: nothing else is harmless.
        self.files.whole.iter().all(|(path, bytes)| says_the_same(path, bytes))
    }

    fn restore(&mut self) {
        self.files.restore();
    }
}
