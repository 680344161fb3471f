//! Where the key lies, never inside what it seals; and the checkpoint, never inside
//! what it vouches for.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::SettingError;

/// The key file: the one named, else the data directory's name with `.key` behind
/// it. Follows links, so that no detour leads back inside.
pub(super) fn key_file(named: Option<String>, data: &Path) -> Result<PathBuf, SettingError> {
    let inside = resolved(data);
    let key_file = named.map_or_else(|| beside(&inside), PathBuf::from);
    if resolved(&key_file).starts_with(&inside) {
        return Err(SettingError::KeyInData { key_file, data: data.to_owned() });
    }
    Ok(key_file)
}

/// The checkpoint's file: the one named, else `checkpoint` in the data directory. Never
/// inside the log's own folder: there it would be lost and rolled back with the log.
pub(super) fn checkpoint_file(named: Option<String>, data: &Path) -> Result<PathBuf, SettingError> {
    let checkpoint = named.map_or_else(|| data.join("checkpoint"), PathBuf::from);
    if resolved(&checkpoint).starts_with(resolved(&data.join("log"))) {
        return Err(SettingError::CheckpointInLog { checkpoint });
    }
    Ok(checkpoint)
}

fn beside(data: &Path) -> PathBuf {
    let mut name = data.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".key");
    data.with_file_name(name)
}

/// The path from the root, with links followed as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    whole.components().fold(PathBuf::new(), |mut so_far, part| {
        match part {
            Component::ParentDir => {
                so_far.pop();
            }
            part => so_far.push(part),
        }
        so_far.canonicalize().unwrap_or(so_far)
    })
}
