//! What a power cut may leave on the disk.
//!
//! The model promises only what POSIX and `man 2 sync_file_range` do. What a file held
//! when its last completed `fsync` or `fdatasync` began is there. Each write after that
//! is there, is not, or is there in part, sector by sector, whatever happened to those
//! before it; `sync_file_range` changes none of that. The file may have its old length,
//! or its new one with zeros where nothing arrived. A name given or taken is certain
//! once its folder was synced after that, and open until then, whatever the file holds.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use countersign::model::Digest;

use super::dice::Dice;
use super::image::Image;
use super::operation::{Deed, Node, Operation, ROOT, Story};

/// Which syncs count as if they had not happened, to see that the others do not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    Nothing,
    /// `fdatasync` does nothing.
    DataSyncs,
    /// The sync of a folder does nothing.
    FolderSyncs,
}

/// How what was not synced fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    Lost,
    /// In part.
    Torn,
    /// It had not begun.
    Never,
}

/// How the fates of one cut hang together.
#[derive(Clone, Copy, Debug)]
enum Manner {
    AllKept,
    AllLost,
    /// Up to some operation all is kept, that one is torn, the rest lost.
    InOrder,
    /// Each is on its own.
    Any,
    /// As `Any`, but names arrive in order, as a journal brings them.
    AnyData,
}

/// The tree of one node, as it is on the disk after a cut.
enum Tree {
    File(Image),
    Folder(BTreeMap<String, Tree>),
}

/// What one power cut has left.
pub struct Remains {
    tree: Tree,
    /// How it came to be, for whoever wants to see it again.
    pub told: String,
}

/// A power cut after so many operations of a story; more may have been on their way.
pub struct Cut<'a> {
    story: &'a Story,
    after: usize,
    broken: Broken,
    /// For each node, where its last completed sync began.
    synced: Vec<usize>,
    /// The moment of it, as a line of the trace.
    moment: usize,
    /// Up to where operations may have begun.
    end: usize,
}

impl<'a> Cut<'a> {
    pub fn after(story: &'a Story, after: usize, broken: Broken) -> Self {
        let mut synced = vec![0; story.folders.len()];
        let done = &story.operations[..after];
        for operation in done {
            if let Deed::Sync { node, data_only } = operation.deed {
                let counts = match broken {
                    Broken::Nothing => true,
                    Broken::DataSyncs => !data_only,
                    Broken::FolderSyncs => !story.folders[node],
                };
                if counts {
                    synced[node] = synced[node].max(operation.began);
                }
            }
        }
        // Just before the next operation ended: whatever had begun by then is on its way.
        let moment = story.operations.get(after).map_or(usize::MAX, |next| next.ended);
        let end = story.operations.iter().rposition(|it| it.began <= moment);
        Self { story, after, broken, synced, moment, end: end.map_or(0, |end| end + 1) }
    }

    /// One of the states it may leave.
    pub fn draw(&self, dice: &mut Dice) -> Remains {
        let manners =
            [Manner::AllKept, Manner::AllLost, Manner::InOrder, Manner::Any, Manner::AnyData];
        let manner = manners[dice.below(manners.len())];
        let first_open = self.first_open();
        let turn = first_open + dice.below(self.end + 1 - first_open);
        let operations = self.story.operations[..self.end].iter().enumerate();
        let fates: Vec<Fate> = operations
            .map(|(at, operation)| match (self.is_certain(operation), manner) {
                _ if operation.began > self.moment => Fate::Never,
                (true, _) | (_, Manner::AllKept) => Fate::Kept,
                (_, Manner::AllLost) => Fate::Lost,
                (_, Manner::InOrder) => in_order(at, turn),
                (_, Manner::AnyData) if matches!(operation.deed, Deed::Name { .. }) => {
                    in_order(at, turn)
                }
                _ => [Fate::Kept, Fate::Lost, Fate::Torn][dice.below(3)],
            })
            .collect();
        let tree = self.tree(ROOT, &fates, dice);
        let after = self.after.checked_sub(1).map(|last| &self.story.operations[last]);
        let after = after.map_or_else(String::new, |last| brief(&last.deed));
        let told =
            format!("{manner:?} at {turn} after {} ({after}), {:?}", self.after, self.broken);
        Remains { tree, told }
    }

    /// Where the first operation is that is not certain.
    fn first_open(&self) -> usize {
        let operations = &self.story.operations[..self.end];
        operations.iter().position(|it| !self.is_certain(it)).unwrap_or(self.end)
    }

    fn is_certain(&self, operation: &Operation) -> bool {
        match &operation.deed {
            Deed::Write { file: node, .. }
            | Deed::Resize { file: node, .. }
            | Deed::Name { folder: node, .. } => operation.ended < self.synced[*node],
            Deed::Sync { .. } | Deed::Answer { .. } | Deed::Say => true,
        }
    }

    fn tree(&self, node: Node, fates: &[Fate], dice: &mut Dice) -> Tree {
        if !self.story.folders[node] {
            return Tree::File(self.file(node, fates, dice));
        }
        let mut names = BTreeMap::new();
        for (operation, fate) in self.story.operations.iter().zip(fates) {
            let Deed::Name { folder, names: changed } = &operation.deed else { continue };
            // Half a renaming is not a state that a file system shows.
            let arrives = *fate == Fate::Kept || *fate == Fate::Torn && dice.one_in(2);
            if *folder == node && arrives {
                names.extend(changed.iter().cloned());
            }
        }
        let there = names.into_iter().filter_map(|(name, node)| Some((name, node?)));
        Tree::Folder(there.map(|(name, node)| (name, self.tree(node, fates, dice))).collect())
    }

    fn file(&self, node: Node, fates: &[Fate], dice: &mut Dice) -> Image {
        let (mut image, mut synced_length, mut whole_length) = (Image::default(), 0, 0);
        let all = self.story.operations.iter().zip(fates);
        for (operation, fate) in all.filter(|(_, fate)| **fate != Fate::Never) {
            match &operation.deed {
                Deed::Write { file, at, bytes } if *file == node => {
                    match fate {
                        Fate::Kept => image.write(*at, bytes),
                        Fate::Lost | Fate::Never => {}
                        Fate::Torn => tear(&mut image, *at, bytes, dice),
                    }
                    whole_length = image.length().max(at + bytes.len() as u64);
                }
                Deed::Resize { file, length } if *file == node => {
                    if *fate != Fate::Lost {
                        image.resize(*length);
                    }
                    whole_length = image.length();
                }
                _ => continue,
            }
            if self.is_certain(operation) {
                synced_length = image.length();
            }
        }
        if whole_length > synced_length {
            match dice.below(4) {
                0 => image.resize(whole_length),
                1 => image.resize(synced_length),
                _ => {}
            }
        }
        image
    }
}

impl Remains {
    /// Puts it in a folder, on a disk that works.
    pub fn store(&self, folder: &Path) {
        store(&self.tree, folder);
    }

    /// The same for the same bytes under the same names.
    pub fn digest(&self) -> Digest {
        let mut parts = Vec::new();
        gather(&self.tree, &mut parts);
        Digest::of_parts(parts.iter().map(Vec::as_slice))
    }

    /// Every file with what it holds.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        list(&self.tree, "", &mut files);
        files
    }
}

/// All that was done, kept: what the disk holds when nothing has been cut.
pub fn whole(story: &Story) -> Remains {
    let cut = Cut::after(story, story.operations.len(), Broken::Nothing);
    let fates = vec![Fate::Kept; story.operations.len()];
    let mut never = Dice::of(0, 0);
    let Tree::Folder(names) = cut.tree(ROOT, &fates, &mut never) else { unreachable!() };
    Remains { tree: Tree::Folder(names), told: "whole".to_owned() }
}

fn in_order(at: usize, turn: usize) -> Fate {
    match at.cmp(&turn) {
        std::cmp::Ordering::Less => Fate::Kept,
        std::cmp::Ordering::Equal => Fate::Torn,
        std::cmp::Ordering::Greater => Fate::Lost,
    }
}

/// Writes some sectors of a write: the first ones, the last ones, or any.
fn tear(image: &mut Image, at: u64, bytes: &[u8], dice: &mut Dice) {
    let sector = [512, 4_096][dice.below(2)];
    let end = at + bytes.len() as u64;
    let count = usize::try_from(end.div_ceil(sector) - at / sector).unwrap();
    let (kind, turn) = (dice.below(3), dice.below(count + 1));
    // Of a long run of sectors a few pieces fare each on their own.
    let piece = count.div_ceil(64).max(1);
    let lots: Vec<bool> = (0..count.div_ceil(piece)).map(|_| dice.one_in(2)).collect();
    for nth in 0..count {
        let arrives = match kind {
            0 => nth < turn,
            1 => nth >= turn,
            _ => lots[nth / piece],
        };
        let first = (at / sector + nth as u64) * sector;
        let (from, to) = (first.max(at), (first + sector).min(end));
        if arrives {
            let inside = usize::try_from(from - at).unwrap()..usize::try_from(to - at).unwrap();
            image.write(from, &bytes[inside]);
        }
    }
}

fn store(tree: &Tree, place: &Path) {
    match tree {
        Tree::File(image) => {
            let mut file = OpenOptions::new();
            let file = file.write(true).create_new(true).mode(0o600).open(place).unwrap();
            image.store(&file).unwrap();
        }
        Tree::Folder(names) => {
            DirBuilder::new().mode(0o700).create(place).unwrap();
            names.iter().for_each(|(name, tree)| store(tree, &place.join(name)));
        }
    }
}

fn gather(tree: &Tree, parts: &mut Vec<Vec<u8>>) {
    match tree {
        Tree::File(image) => parts.extend(image.parts()),
        Tree::Folder(names) => {
            for (name, tree) in names {
                parts.push([b"/", name.as_bytes(), b"\0"].concat());
                gather(tree, parts);
            }
            parts.push(b"/..".to_vec());
        }
    }
}

fn list(tree: &Tree, path: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    match tree {
        Tree::File(image) => {
            files.insert(path.to_owned(), image.whole());
        }
        Tree::Folder(names) => {
            for (name, tree) in names {
                list(tree, &format!("{path}/{name}"), files);
            }
        }
    }
}

/// A deed in a few words.
fn brief(deed: &Deed) -> String {
    match deed {
        Deed::Write { file, at, bytes } => format!("{} bytes to {file} at {at}", bytes.len()),
        other => format!("{other:?}"),
    }
}
