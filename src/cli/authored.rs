//! What authors keep in files: policies, a schema, entities.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::failure::Failure;
use crate::audit::read_patch;
use crate::model::{EntityDocument, JsonLimits, parse_json};
use crate::pap::LINKS_FILE;
use crate::pip;
use crate::projection::Change;

/// The most bytes of one file.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Objects and arrays within each other in a file of entities.
const DEPTH: usize = 32;

/// A file by the name that messages call it, and its text.
pub(super) type NamedText = (String, String);

/// Reads policies from files and folders; of a folder its `*.cedar` files, in order
/// of their names, and then its [`LINKS_FILE`].
///
/// # Errors
/// Could not run, for what cannot be read; usage, for a folder without policies.
pub(super) fn policies(paths: &[PathBuf]) -> Result<Vec<NamedText>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(in_folder(path)?);
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|path| Ok((path.display().to_string(), text(path)?))).collect()
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unread = |error: std::io::Error| unreadable(folder, &error);
    let entries = fs::read_dir(folder).map_err(unread)?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|it| it.path())).collect();
    let is_cedar = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "cedar");
    let mut files: Vec<_> = paths.map_err(unread)?.into_iter().filter(is_cedar).collect();
    if files.is_empty() {
        let folder = folder.display();
        return Err(Failure::usage(format!("`{folder}` holds no policies: no file *.cedar")));
    }
    files.sort();
    files.extend(Some(folder.join(LINKS_FILE)).filter(|links| links.exists()));
    Ok(files)
}

/// Reads a file of text.
///
/// # Errors
/// Could not run, with the file's name.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| unreadable(path, &error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let name = path.display();
        return Err(Failure::could_not_run(format!(
            "`{name}` is longer than {FILE_BYTES_MAX} bytes"
        )));
    }
    Ok(text)
}

/// Reads a file of entities in Cedar's JSON form.
///
/// # Errors
/// Refused, with the file's name and the place in it; could not run, if it cannot be
/// read.
pub(super) fn entities(path: &Path) -> Result<Vec<EntityDocument>, Failure> {
    let json = entities_json(path)?;
    let name = path.display();
    pip::read_entities(&json)
        .map_err(|error| Failure::refused("bad_entities", error).within(format!("`{name}`")))
}

/// Reads a patch of the directory: such a file, with bare names among its entities.
///
/// # Errors
/// As [`entities`].
pub(super) fn patch(path: &Path) -> Result<(Value, Vec<Change>), Failure> {
    let json = entities_json(path)?;
    let name = path.display();
    let read = read_patch(&json)
        .map_err(|error| Failure::refused("bad_entities", error).within(format!("`{name}`")))?;
    Ok((json, read))
}

/// Reads such a file as JSON, strictly: no member named twice.
fn entities_json(path: &Path) -> Result<Value, Failure> {
    let limits = JsonLimits { bytes: usize::MAX, depth: DEPTH };
    let json = parse_json(text(path)?.as_bytes(), limits);
    let name = path.display();
    json.map_err(|error| Failure::refused("bad_json", error).within(format!("`{name}`")))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::could_not_run(format!("cannot read `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::failure::Exit;
    use super::*;

    #[test]
    fn a_folder_gives_its_cedar_files_in_order_and_its_links() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.cedar", "links.json", "a.cedar", "notes.md", "tests.json"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let read = policies(&[folder.path().to_owned()]).unwrap();
        let texts: Vec<_> = read.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["a.cedar", "b.cedar", "links.json"]);
        assert!(read[0].0.ends_with("/a.cedar"));
    }

    #[test]
    fn a_folder_without_policies_and_a_missing_file_are_said() {
        let folder = tempfile::tempdir().unwrap();
        let none = policies(&[folder.path().to_owned()]).unwrap_err();
        assert!(none.exit() == Exit::Usage && none.what().contains("*.cedar"));
        let missing = policies(&[folder.path().join("x.cedar")]).unwrap_err();
        assert!(missing.exit() == Exit::CouldNotRun && missing.what().contains("x.cedar"));
    }

    #[test]
    fn entities_are_read_strictly_and_errors_say_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.json");
        fs::write(&path, r#"[{"uid": {"type": "User", "id": "a"}}]"#).unwrap();
        assert_eq!(entities(&path).unwrap().len(), 1);
        fs::write(&path, r#"[{"uid": {"type": "User"}}]"#).unwrap();
        let fault = entities(&path).unwrap_err();
        assert!(fault.what().contains("e.json`: entities[0]: uid.id"), "{}", fault.what());
        fs::write(&path, r#"[{"uid": 1, "uid": 2}]"#).unwrap();
        assert_eq!(entities(&path).unwrap_err().exit(), Exit::Refused);
    }
}
