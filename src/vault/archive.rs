//! A vault as one file: what completes a backup.
//!
//! ```text
//! {"format":"countersign-vault-v1","log":"…","key":"…"}
//! {"path":"about","bytes":"…base64…"}              one line a file, in order
//! {"sha256":"…"}                                   of all the lines above
//! ```
//! Everything in it is sealed as it is in the vault: without the key file it holds no
//! secret, so the key file is backed up apart from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::files::{self, Publication, failed};
use super::key_file::KeyFile;
use super::{KEY, NAMES, Vault, VaultError};
use crate::entropy::Entropy;
use crate::model::Digest;

const FORMAT: &str = "countersign-vault-v1";
const ABOUT: &str = "about";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    log: Uuid,
    key: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: String,
    bytes: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    sha256: Digest,
}

/// What came of putting an archive's files into a vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Files that were not there, and are now.
    pub added: usize,
    /// Files that were there already, and are as they were.
    pub kept: usize,
}

/// Writes all of a vault's files to one new file of mode 0600, durably.
///
/// # Errors
/// [`VaultError::Exists`] if anything has that name.
///
/// # Returns
/// How many files are in it.
pub fn export(vault: &Vault, key: &KeyFile, to: &Path) -> Result<usize, VaultError> {
    let mut text = String::new();
    let head = Head { format: FORMAT.to_owned(), log: vault.log, key: key.id() };
    push(&mut text, &head)?;
    let mut paths = vec![PathBuf::from(ABOUT), PathBuf::from(NAMES)];
    for folder in files::folders(&vault.dir)? {
        let folder = folder.strip_prefix(&vault.dir).map_or(folder.clone(), Path::to_owned);
        let inside = files::names(&vault.dir.join(&folder))?;
        paths.extend(inside.into_iter().filter(|it| is_sealed(it)).map(|it| folder.join(it)));
    }
    paths.sort();
    let mut count = 0;
    for path in paths {
        let Some(bytes) = files::read(&vault.dir.join(&path))? else { continue };
        let path = path.to_string_lossy().into_owned();
        push(&mut text, &Line { path, bytes: STANDARD.encode(bytes) })?;
        count += 1;
    }
    let sha256 = Digest::of(&text);
    push(&mut text, &End { sha256 })?;
    match files::publish(to, text.as_bytes(), &*vault.entropy)? {
        Publication::Done => Ok(count),
        Publication::NameTaken => Err(VaultError::Exists(to.to_owned())),
    }
}

/// Puts the files of an archive into the vault in a folder, made if it is not there, that
/// lacks them. None is ever replaced: a subject's key that is another by now is the newer
/// one.
///
/// # Errors
/// [`VaultError::NotAnArchive`] if it is not whole; [`VaultError::WrongArchive`] if it is
/// of another log, or sealed under another key than this.
pub fn import(
    dir: &Path,
    key: &KeyFile,
    log: Uuid,
    entropy: &Arc<dyn Entropy>,
    from: &Path,
) -> Result<Imported, VaultError> {
    let text = std::fs::read_to_string(from).map_err(failed("read", from))?;
    let broken = || VaultError::NotAnArchive(from.to_owned());
    let (lines, end) = text.trim_end_matches('\n').rsplit_once('\n').ok_or_else(broken)?;
    let end: End = serde_json::from_str(end).map_err(|_| broken())?;
    if Digest::of(format!("{lines}\n")) != end.sha256 {
        return Err(broken());
    }
    let mut lines = lines.lines();
    let head = lines.next().and_then(|line| serde_json::from_str::<Head>(line).ok());
    let head = head.filter(|head| head.format == FORMAT).ok_or_else(broken)?;
    if head.log != log || head.key != key.id() {
        return Err(VaultError::WrongArchive(from.to_owned()));
    }
    let vault = Vault::at(dir, key, log, Arc::clone(entropy))?;
    let mut imported = Imported::default();
    for line in lines {
        let Line { path, bytes } = serde_json::from_str(line).map_err(|_| broken())?;
        let bytes = STANDARD.decode(bytes).map_err(|_| broken())?;
        let path = vault.place_of(&path)?.ok_or_else(broken)?;
        match files::publish(&path, &bytes, &*vault.entropy)? {
            Publication::Done => imported.added += 1,
            Publication::NameTaken => imported.kept += 1,
        }
    }
    Ok(imported)
}

impl Vault {
    /// Where a file of an archive belongs; nothing for a path that no vault has.
    fn place_of(&self, path: &str) -> Result<Option<PathBuf>, VaultError> {
        let Some((folder, name)) = path.split_once('/') else {
            return Ok([ABOUT, NAMES].contains(&path).then(|| self.dir.join(path)));
        };
        if folder.parse::<Digest>().is_err() || !is_sealed(name) {
            return Ok(None);
        }
        files::private_dir(&self.dir.join(folder))?;
        Ok(Some(self.dir.join(folder).join(name)))
    }
}

/// True for the names of a subject's key and secrets.
fn is_sealed(name: &str) -> bool {
    name == KEY || name.parse::<Uuid>().is_ok()
}

fn push(text: &mut String, line: &impl Serialize) -> Result<(), VaultError> {
    text.push_str(&serde_json::to_string(line).map_err(|_| VaultError::TooLong)?);
    text.push('\n');
    Ok(())
}
