//! `log export` into a folder that holds something already.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::evidence::{copy, keys, path};
use crate::place::Place;

/// Every file below a folder.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    all
}

/// Goal: a backup is brought up to date as often as one likes.
#[test]
fn an_export_grows_with_its_log() {
    let place = Place::stopped();
    let (key, ground) = (keys(&place).remove(0), &place.ground);
    let backup = path(ground, "backup");
    let export = ["log", "export", &backup];
    place.say(&export).done();
    let first = files(&ground.at("backup"));
    place.say(&export).done();
    assert_eq!(files(&ground.at("backup")), first, "nothing is new");
    let kept = path(ground, "kept");
    fs::copy(ground.at("backup/checkpoint"), &kept).unwrap();

    place.say(&["user", "create", "alice"]).done();
    place.say(&export).done();

    let grown = files(&ground.at("backup"));
    for (name, bytes) in first.iter().filter(|(name, _)| !name.ends_with("checkpoint")) {
        assert_eq!(grown.get(name), Some(bytes), "{name}");
    }
    ground.run(&["verify", &backup, "--key", &key, "--since", &kept]).done();
}

/// Goal: a good backup outlives every attempt to export something else over it.
#[test]
fn an_export_is_never_replaced_by_another_history() {
    let place = Place::stopped();
    let ground = &place.ground;
    copy(&ground.at("data"), &ground.at("fork"));
    fs::copy(ground.at("data.key"), ground.at("fork.key")).unwrap();
    let backup = path(ground, "backup");
    place.say(&["user", "create", "alice"]).done();
    place.say(&["log", "export", &backup]).done();
    let before = files(&ground.at("backup"));

    // Signed by the same key, as long as the true log, and another.
    let fork = path(ground, "fork");
    ground.run(&["user", "create", "bobby", "--data", &fork]).done();
    let export = ["log", "export", &backup, "--data", &fork];
    let refused = ground.run(&export).ended(1);
    assert!(refused.err.contains("holds another history"), "{refused:?}");
    assert!(refused.err.contains("backup/tile/"), "{refused:?}");
    assert_eq!(files(&ground.at("backup")), before);
    // Longer than it, and without the checkpoint that would tell.
    ground.run(&["user", "create", "carol", "--data", &fork]).done();
    let checkpoint = ground.at("backup/checkpoint");
    let note = fs::read(&checkpoint).unwrap();
    fs::remove_file(&checkpoint).unwrap();
    ground.run(&export).ended(1);
    fs::write(&checkpoint, note).unwrap();
    assert_eq!(files(&ground.at("backup")), before);

    // Another log altogether.
    let other = Place::stopped();
    let data = other.ground.data();
    let refused = ground.run(&["log", "export", &backup, "--data", &data]).ended(1);
    assert!(refused.err.contains("holds another history"), "{refused:?}");
    assert_eq!(files(&ground.at("backup")), before);
    ground.run(&["verify", &backup]).done();
}

/// Goal: what is not the log that was signed leaves nothing behind that looks like one.
#[test]
fn what_does_not_verify_is_not_exported() {
    let place = Place::stopped();
    let (ground, other) = (&place.ground, Place::stopped());
    let backup = path(ground, "backup");
    let told = place.say(&["log", "export", &backup, "--key", &keys(&other)[0]]).ended(1);
    assert!(told.out.contains("Nothing was written"), "{told:?}");
    assert!(!ground.at("backup").exists());
}
