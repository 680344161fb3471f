//! An export on its way into a folder, of which nothing changes before all is verified.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::folder::{Exported, unusable};

/// Where in the folder the new files wait; what an interrupted export left there is
/// thrown away by the next.
const DRAFT: &str = "export.draft";

/// The new files of an export. Dropped before they are placed, they are gone, and so is
/// the folder if it was made for them.
pub(in super::super) struct Staged {
    folder: PathBuf,
    /// Whether there was no folder before.
    made: bool,
    /// The paths of what waits, in the order in which it came.
    waiting: Vec<String>,
}

impl Staged {
    /// Makes the folder, or takes an empty one, or one that holds an older export.
    ///
    /// # Errors
    /// [`Failure`]: it cannot be made.
    pub(in super::super) fn within(folder: PathBuf) -> Result<Self, Failure> {
        let made = !folder.exists();
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        created.map_err(|error| unusable("make", &folder, &error))?;
        let staged = Self { folder, made, waiting: Vec::new() };
        let draft = staged.draft();
        match fs::remove_dir_all(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(unusable("remove", &draft, &error))
            }
            _ => Ok(staged),
        }
    }

    /// Takes one of the files, unless it is there already. What is there of the same place
    /// in the tree must agree with it: a partial file with a fuller one as far as it goes,
    /// and a file of the same name in every byte.
    ///
    /// # Errors
    /// [`Failure`]: what is there is of another history, or the disk refuses.
    pub(in super::super) fn take(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let there = Exported::at(self.folder.clone());
        match there.read(path)? {
            Some(same) if same == bytes => return Ok(()),
            Some(_) => return Err(self.another(path)),
            None => {}
        }
        for other in self.of_the_same_place(path)? {
            let agrees = |it: Vec<u8>| it.starts_with(bytes) || bytes.starts_with(&it);
            if !there.read(&other)?.is_none_or(agrees) {
                return Err(self.another(&other));
            }
        }
        let waiting = self.draft().join(path);
        let parent = waiting.parent().unwrap_or(&self.folder);
        let written = fs::create_dir_all(parent)
            .and_then(|()| File::create(&waiting))
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.map_err(|error| unusable("write", &waiting, &error))?;
        self.waiting.push(path.to_owned());
        Ok(())
    }

    /// Puts every file in its place, durably, and the checkpoint last: until then whoever
    /// reads the folder reads the older export.
    ///
    /// # Errors
    /// [`Failure`]: the disk's refusal. What is in place by then is part of this log.
    pub(in super::super) fn place(mut self, checkpoint: &str) -> Result<(), Failure> {
        self.made = false;
        let mut folders = BTreeSet::new();
        for path in &self.waiting {
            let (from, to) = (self.draft().join(path), self.folder.join(path));
            let parent = to.parent().unwrap_or(&self.folder);
            let moved = fs::create_dir_all(parent).and_then(|()| fs::rename(&from, &to));
            moved.map_err(|error| unusable("write", &to, &error))?;
            let above = parent.ancestors().take_while(|it| it.starts_with(&self.folder));
            folders.extend(above.map(Path::to_owned));
        }
        folders.iter().try_for_each(|folder| sync(folder))?;
        let (draft, whole) = (self.draft(), self.folder.join("checkpoint"));
        let written = fs::create_dir_all(&draft)
            .and_then(|()| File::create(draft.join("checkpoint")))
            .and_then(|mut file| {
                file.write_all(checkpoint.as_bytes()).and_then(|()| file.sync_all())
            })
            .and_then(|()| fs::rename(draft.join("checkpoint"), &whole));
        written.map_err(|error| unusable("write", &whole, &error))?;
        sync(&self.folder)
    }

    fn draft(&self) -> PathBuf {
        self.folder.join(DRAFT)
    }

    /// The full file in the place of a tile or bundle, and the partial ones that are there.
    fn of_the_same_place(&self, path: &str) -> Result<Vec<String>, Failure> {
        let full = path.split_once(".p/").map_or(path, |(full, _)| full);
        let partial = self.folder.join(format!("{full}.p"));
        let names = fs::read_dir(&partial).and_then(|files| {
            files.map(|file| Ok(file?.file_name())).collect::<io::Result<Vec<_>>>()
        });
        let names = match names {
            Ok(names) => names,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Vec::new()
            }
            Err(error) => return Err(unusable("read", &partial, &error)),
        };
        let widths = names.iter().filter_map(|name| name.to_str()?.parse::<u16>().ok());
        let partial = widths.map(|width| format!("{full}.p/{width}"));
        Ok(partial.chain([full.to_owned()]).collect())
    }

    fn another(&self, path: &str) -> Failure {
        let path = self.folder.join(path);
        let what = format!(
            "`{}` is there and differs: the folder holds another history, or is damaged; nothing \
             in it was changed. Export to another folder, and `countersign verify` both",
            path.display()
        );
        Failure::refused("other_history", what)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next export.
        let _gone = fs::remove_dir_all(self.draft());
        if self.made {
            let _gone = fs::remove_dir(&self.folder);
        }
    }
}

fn sync(folder: &Path) -> Result<(), Failure> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| unusable("write", folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file below a folder, by its path in it.
    fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(folder).unwrap().display().to_string();
                    all.push((name, fs::read(&path).unwrap()));
                }
            }
        }
        all.sort();
        all
    }

    fn export(folder: &Path, files: &[(&str, &[u8])], checkpoint: &str) -> Result<(), Failure> {
        let mut staged = Staged::within(folder.to_owned())?;
        files.iter().try_for_each(|(path, bytes)| staged.take(path, bytes))?;
        staged.place(checkpoint)
    }

    #[test]
    fn nothing_is_there_before_all_of_it_is() {
        let ground = tempfile::tempdir().unwrap();
        let folder = ground.path().join("export");
        let mut staged = Staged::within(folder.clone()).unwrap();
        staged.take("tile/0/000", b"a").unwrap();
        assert!(!folder.join("tile").exists());
        drop(staged);
        assert!(!folder.exists(), "it was not there before either");
        export(&folder, &[("tile/0/000", b"a")], "one").unwrap();
        let expected =
            [("checkpoint".to_owned(), b"one".to_vec()), ("tile/0/000".into(), vec![b'a'])];
        assert_eq!(files(&folder), expected);
    }

    #[test]
    fn what_is_there_is_never_replaced_by_what_differs() {
        let ground = tempfile::tempdir().unwrap();
        let folder = ground.path().join("export");
        let first: [(&str, &[u8]); 2] = [("tile/0/000", b"full"), ("tile/0/001.p/2", b"ab")];
        export(&folder, &first, "one").unwrap();
        let before = files(&folder);
        for (path, bytes, named) in [
            ("tile/0/000", b"fuel".as_slice(), "tile/0/000"),
            ("tile/0/001.p/2", b"ax", "tile/0/001.p/2"),
            ("tile/0/001.p/3", b"axc", "tile/0/001.p/2"),
            ("tile/0/001", b"xbcd", "tile/0/001.p/2"),
            ("tile/0/000.p/3", b"fux", "tile/0/000"),
        ] {
            // What comes before it is new, and must not be there afterwards.
            let new: [(&str, &[u8]); 2] = [("tile/entries/000", b"new"), (path, bytes)];
            let refused = export(&folder, &new, "two").unwrap_err();
            assert_eq!(refused.code(), "other_history");
            let name = format!("`{}` is there", folder.join(named).display());
            assert!(refused.what().starts_with(&name), "{refused:?}");
            assert_eq!(files(&folder), before, "{path}");
        }
        let grown: [(&str, &[u8]); 3] =
            [("tile/0/000", b"full"), ("tile/0/001.p/3", b"abc"), ("tile/0/000.p/2", b"fu")];
        export(&folder, &grown, "two").unwrap();
        assert_eq!(files(&folder).len(), before.len() + 2);
    }

    #[test]
    fn what_an_interrupted_export_left_is_not_taken_for_verified() {
        let ground = tempfile::tempdir().unwrap();
        let folder = ground.path().join("export");
        fs::create_dir_all(folder.join(DRAFT).join("tile/0")).unwrap();
        fs::write(folder.join(DRAFT).join("tile/0/000"), b"other").unwrap();
        export(&folder, &[("tile/0/000", b"full")], "one").unwrap();
        assert_eq!(fs::read(folder.join("tile/0/000")).unwrap(), b"full");
        assert!(!folder.join(DRAFT).exists());
    }
}
