//! `log import` beside checkpoints that were kept, and those that are something else.

use std::fs;
use std::path::Path;

use crate::binary::Ground;
use crate::evidence::{copy, keys, path};
use crate::exporting::files;
use crate::place::Place;

/// A log, its export, and the checkpoint of a fork of it that is as long and signed by the
/// same key.
struct Lost {
    place: Place,
    key: String,
    backup: String,
    fork: String,
}

impl Lost {
    fn new() -> Self {
        let place = Place::stopped();
        let ground = &place.ground;
        copy(&ground.at("data"), &ground.at("fork"));
        fs::copy(ground.at("data.key"), ground.at("fork.key")).unwrap();
        let [fork, backup] = ["fork", "backup"].map(|name| path(ground, name));
        ground.run(&["user", "create", "mallory", "--data", &fork]).done();
        place.say(&["user", "create", "alice"]).done();
        place.say(&["log", "export", &backup]).done();
        let (key, fork) = (keys(&place).remove(0), path(ground, "fork/checkpoint"));
        Self { place, key, backup, fork }
    }

    fn ground(&self) -> &Ground {
        &self.place.ground
    }

    /// Imports into a directory beside a checkpoint; what came of it, as JSON.
    fn import(&self, data: &Path, more: &[&str], code: i32) -> serde_json::Value {
        let data = data.display().to_string();
        let import = ["log", "import", &self.backup, "--data", &data, "--format", "json"];
        self.ground().run(&[&import[..], more].concat()).ended(code).json()
    }
}

/// Goal: whoever forked a log, or signed with no key of it, has no say on whether it goes on.
#[test]
fn a_checkpoint_that_is_not_of_the_export_is_not_taken_for_one() {
    let lost = Lost::new();
    let ground = lost.ground();
    let true_one = fs::read_to_string(ground.at("data/checkpoint")).unwrap();
    let fork = fs::read_to_string(&lost.fork).unwrap();
    let (text, signatures) = true_one.split_once("\n\n").unwrap();
    let [origin, _, root] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    let unsigned = format!("{origin}\n3\n{root}\n\n{signatures}");
    let newer = format!("{origin}\n300\n{root}\n\n{signatures}");
    for (note, code) in [
        (fork.as_str(), "forked"),
        (&unsigned, "kept_not_believed"),
        (&newer, "kept_not_believed"),
        ("no checkpoint\n", "kept_not_believed"),
    ] {
        let kept = path(ground, "kept");
        fs::write(&kept, note).unwrap();
        for keys in [&["--key", &lost.key][..], &[]] {
            // Given,
            let data = ground.at("restored");
            let told = lost.import(&data, &[&["--checkpoint", &kept], keys].concat(), 1);
            assert_eq!(told["findings"]["first"][0]["code"], code, "{told}");
            assert!(!data.exists(), "nothing was to be written");
            // or lying there.
            fs::create_dir(&data).unwrap();
            fs::write(data.join("checkpoint"), note).unwrap();
            let before = files(&data);
            let told = lost.import(&data, keys, 1);
            assert_eq!(told["findings"]["first"][0]["code"], code, "{told}");
            // A better one that is given does not make good what lies there.
            let good = path(ground, "data/checkpoint");
            lost.import(&data, &[&["--checkpoint", &good], keys].concat(), 1);
            assert_eq!(files(&data), before);
            fs::remove_dir_all(&data).unwrap();
        }
    }
}

/// Goal: a refused import takes nothing from a log that is there.
#[test]
fn nothing_is_written_where_there_is_a_log() {
    let lost = Lost::new();
    let ground = lost.ground();
    let other = Place::stopped();
    for name in ["bob", "carol", "dave"] {
        other.say(&["user", "create", name]).done();
    }
    let newer = path(&other.ground, "data/checkpoint");
    let before = fs::read(ground.at("data/checkpoint")).unwrap();
    let import = ["log", "import", &lost.backup, "--data", &ground.data(), "--checkpoint"];
    let refused = ground.run(&[&import[..], &[&newer]].concat()).ended(1);
    assert!(refused.err.contains("holds a log already"), "{refused:?}");
    assert_eq!(fs::read(ground.at("data/checkpoint")).unwrap(), before);
}

/// Goal: the newest of what was kept decides, and is kept on.
#[test]
fn the_newest_checkpoint_that_was_kept_decides() {
    let lost = Lost::new();
    let ground = lost.ground();
    let older = fs::read_to_string(ground.at("backup/checkpoint")).unwrap();
    lost.place.say(&["user", "create", "bob"]).done();
    let newer = path(ground, "data/checkpoint");
    let note = fs::read_to_string(&newer).unwrap();

    // Into a directory that is made for it.
    let data = ground.at("behind");
    let told = lost.import(&data, &["--checkpoint", &newer], 0);
    assert_eq!((&told["goes_on"], &told["verified"]["clean"]), (&false.into(), &true.into()));
    assert_eq!(fs::read_to_string(data.join("checkpoint")).unwrap(), note);

    // The newer one lies there, the older one is given.
    let (data, kept) = (ground.at("again"), path(ground, "kept"));
    fs::write(&kept, &older).unwrap();
    fs::create_dir(&data).unwrap();
    fs::write(data.join("checkpoint"), &note).unwrap();
    let told = lost.import(&data, &["--checkpoint", &kept], 0);
    assert_eq!(told["goes_on"], false, "{told}");
    assert_eq!(fs::read_to_string(data.join("checkpoint")).unwrap(), note);

    let data = ground.at("whole");
    let told = lost.import(&data, &["--checkpoint", &kept, "--key", &lost.key], 0);
    assert_eq!(told["goes_on"], true, "{told}");
    assert_eq!(fs::read_to_string(data.join("checkpoint")).unwrap(), older);
}
