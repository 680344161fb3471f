//! What was done to a folder and all below it, in order, and what was told meanwhile.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::strace::{Call, descriptor, escapes};

/// A file or a folder, whatever its names are.
pub type Node = usize;

/// The folder in which all happens. It was there before.
pub const ROOT: Node = 0;

/// What one call did.
#[derive(Debug)]
pub enum Deed {
    /// Bytes of a file were replaced, or added behind it.
    Write { file: Node, at: u64, bytes: Vec<u8> },
    /// A file was made so long.
    Resize { file: Node, length: u64 },
    /// A file, or the names in a folder, was made durable.
    Sync { node: Node, data_only: bool },
    /// Names in a folder were given or taken, all at once.
    Name { folder: Node, names: Vec<(String, Option<Node>)> },
    /// A client was answered.
    Answer { request: String, status: u16 },
    /// The program said something on its standard output.
    Say,
}

/// One deed, and the lines of the trace on which it began and ended.
#[derive(Debug)]
pub struct Operation {
    pub began: usize,
    pub ended: usize,
    pub deed: Deed,
}

/// Everything done below a folder.
#[derive(Default)]
pub struct Story {
    pub operations: Vec<Operation>,
    /// For each node, whether it is a folder.
    pub folders: Vec<bool>,
    root: PathBuf,
    live: HashMap<PathBuf, Node>,
    /// Where each descriptor stands.
    positions: HashMap<String, u64>,
}

impl Story {
    /// Of what happens in a folder to names that begin with `data`.
    pub fn of(root: &Path) -> Self {
        let root = root.canonicalize().unwrap();
        let live = HashMap::from([(root.clone(), ROOT)]);
        Self { folders: vec![true], root, live, ..Self::default() }
    }

    /// Takes the next call.
    pub fn take(&mut self, call: &Call) {
        if call.was_cut_off() {
            return self.take_cut_off(call);
        }
        if !call.succeeded() {
            return;
        }
        assert!(!(escapes(call) && self.concerns(call)), "this escapes: {call:?}");
        match call.name.as_str() {
            "openat" => self.open(call),
            "write" | "writev" | "sendto" | "sendmsg" => self.write_on(call),
            "pwrite64" => {
                let (_, path) = call.descriptor(0);
                if let Some(file) = self.node(&path) {
                    let (bytes, at) = (call.string(1), call.number(3));
                    self.write(call, file, at, bytes);
                }
            }
            "lseek" => {
                let (descriptor, _) = call.descriptor(0);
                self.positions.insert(descriptor, call.result.parse().unwrap());
            }
            "ftruncate" => {
                if let Some(file) = self.node(&call.descriptor(0).1) {
                    self.done(call, Deed::Resize { file, length: call.number(1) });
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(node) = self.node(&call.descriptor(0).1) {
                    let data_only = call.name == "fdatasync";
                    self.done(call, Deed::Sync { node, data_only });
                }
            }
            _ => self.rename(call),
        }
    }

    /// Takes a write in whose midst its thread was killed. How much of it was done is told
    /// by the disk alone: the kernel gives up between two pages.
    fn take_cut_off(&mut self, call: &Call) {
        let at = match call.name.as_str() {
            "pwrite64" => call.number(3),
            "write" => match self.positions.get(&call.descriptor(0).0) {
                Some(at) => *at,
                None => return,
            },
            _ => return,
        };
        let (_, path) = call.descriptor(0);
        let Some(file) = self.node(&path) else { return };
        let mut bytes = call.string(1);
        let mut there = vec![0; bytes.len()];
        let opened = File::open(self.placed(&path)).unwrap();
        let length = opened.read_at(&mut there, at).unwrap();
        let same = bytes.iter().zip(&there[..length]).take_while(|(one, other)| one == other);
        let done = same.count();
        if done > 0 {
            bytes.truncate(done);
            self.done(call, Deed::Write { file, at, bytes });
        }
    }

    /// What has another name now, or none.
    fn rename(&mut self, call: &Call) {
        match call.name.as_str() {
            "mkdir" => self.make(call, &call.path(0), true),
            "mkdirat" => self.make(call, &call.path(1), true),
            "link" => self.give(call, &call.path(0), &call.path(1), false),
            "linkat" => self.give(call, &call.path(1), &call.path(3), false),
            "rename" => self.give(call, &call.path(0), &call.path(1), true),
            "unlink" => {
                let path = self.placed(&call.path(0));
                if self.live.remove(&path).is_some() {
                    let (folder, name) = self.named(&path);
                    self.done(call, Deed::Name { folder, names: vec![(name, None)] });
                }
            }
            _ => {}
        }
    }

    /// Whether a call that cannot be followed may concern what is followed.
    fn concerns(&self, call: &Call) -> bool {
        let mut all = call.arguments.join(" ");
        let inside = call.arguments.iter().map(|argument| descriptor(argument).1);
        all.extend(inside);
        all.push_str(&String::from_utf8_lossy(&call.strings()));
        all.contains(&*self.root.to_string_lossy()) || call.name == "io_uring_setup"
    }

    fn open(&mut self, call: &Call) {
        let (number, path) = descriptor(&call.result);
        let path = self.placed(&path);
        if !self.is_ours(&path) {
            return;
        }
        let flags = &call.arguments[2];
        match self.live.get(&path) {
            Some(file) if flags.contains("O_TRUNC") => {
                let resize = Deed::Resize { file: *file, length: 0 };
                self.done(call, resize);
            }
            Some(_) => {}
            None => self.make(call, &path.to_string_lossy(), false),
        }
        assert!(!flags.contains("O_APPEND"), "{call:?}");
        self.positions.insert(number, 0);
    }

    /// A write where the descriptor stands: to a file, a client, or whoever listens.
    fn write_on(&mut self, call: &Call) {
        let (number, path) = call.descriptor(0);
        if let Some(file) = self.node(&path) {
            assert_eq!(call.name, "write", "{call:?}");
            let bytes = call.string(1);
            let at = self.positions[&number];
            self.positions.insert(number, at + bytes.len() as u64);
            self.write(call, file, at, bytes);
        } else if path.starts_with("socket:") || path.starts_with("TCP") {
            let text = String::from_utf8_lossy(&call.strings()).into_owned();
            if let Some((request, status)) = answer(&text) {
                self.done(call, Deed::Answer { request, status });
            }
        } else if number == "1" {
            self.done(call, Deed::Say);
        }
    }

    fn write(&mut self, call: &Call, file: Node, at: u64, bytes: Vec<u8>) {
        let written: u64 = call.result.parse().unwrap();
        assert_eq!(written, bytes.len() as u64, "cut short: {} in the trace", call.name);
        self.done(call, Deed::Write { file, at, bytes });
    }

    fn make(&mut self, call: &Call, path: &str, folder: bool) {
        let path = self.placed(path);
        if self.is_ours(&path) {
            let node = self.folders.len();
            self.folders.push(folder);
            self.live.insert(path.clone(), node);
            let (folder, name) = self.named(&path);
            self.done(call, Deed::Name { folder, names: vec![(name, Some(node))] });
        }
    }

    /// Gives what has a name another one; `moved` takes the first away.
    fn give(&mut self, call: &Call, from: &str, to: &str, moved: bool) {
        let (from, to) = (self.placed(from), self.placed(to));
        let Some(node) = self.live.get(&from).copied() else { return };
        let ((folder, old), (other, new)) = (self.named(&from), self.named(&to));
        assert_eq!(folder, other, "from one folder to another: {call:?}");
        let mut names = vec![(new, Some(node))];
        if moved {
            self.live.remove(&from);
            names.push((old, None));
        }
        self.live.insert(to, node);
        self.done(call, Deed::Name { folder, names });
    }

    fn done(&mut self, call: &Call, deed: Deed) {
        self.operations.push(Operation { began: call.began, ended: call.ended, deed });
    }

    /// The path as the kernel spells it.
    fn placed(&self, path: &str) -> PathBuf {
        let path = Path::new(path);
        let resolved = path.parent().and_then(|parent| parent.canonicalize().ok());
        let resolved = resolved.filter(|_| !path.starts_with(&self.root));
        resolved.zip(path.file_name()).map_or(path.to_owned(), |(parent, name)| parent.join(name))
    }

    fn is_ours(&self, path: &Path) -> bool {
        let first = path.strip_prefix(&self.root).ok().and_then(|path| path.iter().next());
        first.is_some_and(|first| first.to_string_lossy().starts_with("data"))
    }

    fn node(&self, path: &str) -> Option<Node> {
        let path = self.placed(path);
        let node = self.live.get(&path).copied();
        assert!(node.is_some() || !self.is_ours(&path), "nobody made {}", path.display());
        node
    }

    fn named(&self, path: &Path) -> (Node, String) {
        let folder = self.live[path.parent().unwrap()];
        (folder, path.file_name().unwrap().to_str().unwrap().to_owned())
    }
}

/// The request that an answer is to, and its status.
fn answer(text: &str) -> Option<(String, u16)> {
    let status = text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let name = "x-request-id: ";
    let at = text.to_ascii_lowercase().find(name)? + name.len();
    Some((text.get(at..)?.lines().next()?.to_owned(), status))
}
