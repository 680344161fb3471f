//! `verify`, `proof`, `keygen`, `log export` and `import`, `recover`: the log as evidence.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::binary::{Ground, Said, text};
use crate::place::Place;

/// The verifier keys of a log, oldest first.
pub fn keys(place: &Place) -> Vec<String> {
    let shown = place.json(&["keygen", "--show"]);
    shown["keys"].as_array().unwrap().iter().map(|key| text(key, "verifier_key")).collect()
}

/// One decision of the log.
pub fn decision(place: &Place) -> String {
    let out = place.say(&["log", "--type", "access.decided", "--format", "json"]).done().out;
    let first: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    text(&first, "id")
}

pub fn path(ground: &Ground, name: &str) -> String {
    ground.at(name).display().to_string()
}

/// Copies a folder, whole.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from: PathBuf = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Goal: an auditor with nothing but the verifier key hears the same of a directory, its
/// server and its export.
#[test]
fn a_log_is_verified_wherever_it_is() {
    for place in Place::both() {
        let key = keys(&place).remove(0);
        let verified = place.json(&["verify", "--key", &key]);
        assert_eq!(verified["clean"], true, "{verified}");
        assert_eq!(verified["keys_given"], true);
        assert_eq!(verified["entries"], verified["size"]);
        assert_eq!(verified["signed_by"], serde_json::json!([key]));
        if place.server.is_none() {
            // Only full tiles are stored; others would be computed from the entries themselves.
            assert_eq!(verified["tiles"].as_u64(), verified["size"].as_u64().map(|it| it / 256));
        }

        let folder = path(&place.ground, "export");
        place.say(&["log", "export", &folder, "--key", &key]).done();
        let exported = place.ground.run(&["verify", &folder, "--key", &key, "--format", "json"]);
        let exported = exported.done().json();
        assert!(exported["size"].as_u64() >= verified["size"].as_u64());
        let told = place.ground.run(&["verify", &folder]).done().out;
        assert!(told.contains("the log's own keys"), "{told}");
        assert!(told.contains("--since"), "{told}");
    }
}

#[test]
fn a_wrong_key_and_a_key_that_is_none_are_told_apart() {
    let place = Place::stopped();
    let other = "log.example+9f0e2ff0+AfgZbRvjVvUE1RO2dP3Esk7DEwABAgMEBQYHCAkKCwwN";
    place.say(&["verify", "--key", other]).ended(2);
    let another = Place::stopped();
    let wrong = place.say(&["verify", "--key", &keys(&another)[0]]).ended(1);
    assert!(wrong.out.contains("checkpoint_not_believed"), "{wrong:?}");
}

/// Goal: a receipt is worth something to whoever has only the key, and to nobody once it
/// is altered.
#[test]
fn a_receipt_is_taken_away_and_checked_offline() {
    for place in Place::both() {
        let (key, decision) = (keys(&place).remove(0), decision(&place));
        let file = path(&place.ground, "it.tlog-proof");
        place.say(&["proof", &decision, "--out", &file]).done();
        let check = |file: &str| place.ground.run(&["proof", "check", file, "--key", &key]);
        let proved = check(&file).done().out;
        assert!(proved.starts_with("Proved: this entry is in the log"), "{proved}");
        assert!(proved.contains("local-operator"), "{proved}");

        let receipt = fs::read_to_string(&file).unwrap();
        assert!(receipt.starts_with("c2sp.org/tlog-proof@v1\nextra "), "{receipt}");
        let altered = path(&place.ground, "altered.tlog-proof");
        for (from, to) in [("index ", "index 1"), ("extra e", "extra f")] {
            fs::write(&altered, receipt.replacen(from, to, 1)).unwrap();
            let refused = check(&altered).ended(1);
            assert!(refused.err.contains("proves nothing"), "{refused:?}");
        }
        place.say(&["proof", "01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57"]).ended(1);
    }
}

/// Goal: those who verify may change over when they like.
#[test]
fn one_signing_key_follows_another_with_an_overlap() {
    for place in Place::both() {
        let old = keys(&place).remove(0);
        let adopted = place.json(&["keygen"]);
        let new = text(&adopted, "verifier_key");
        let both = keys(&place);
        assert_eq!(both, [old.clone(), new.clone()]);
        for key in &both {
            assert_eq!(place.json(&["verify", "--key", key])["clean"], true);
        }
        let shown = place.json(&["keygen", "--show"]);
        let first = text(&shown["keys"][0], "credential");
        place.say(&["keygen", "--retire", &first]).done();
        assert_eq!(place.json(&["verify", "--key", &new])["clean"], true);
        place.say(&["verify", "--key", &old]).ended(1);
        let last = text(&adopted, "credential");
        let refused = place.say(&["keygen", "--retire", &last]).ended(1);
        assert!(refused.err.contains("adopt another one first"), "{refused:?}");
    }
}

/// Goal: a backup is a folder; a restored log goes on where it was, and under the same
/// name only if nothing newer was ever signed.
#[test]
fn a_restored_log_goes_on_and_never_forks() {
    let place = Place::stopped();
    let (key, ground) = (keys(&place).remove(0), &place.ground);
    let backup = path(ground, "backup");
    place.say(&["log", "export", &backup]).done();
    let kept = path(ground, "kept");
    fs::copy(ground.at("data/checkpoint"), &kept).unwrap();
    let decision = decision(&place);

    let lost = |name: &str| {
        // The vault was backed up beside; the log is lost.
        let data = ground.at(name);
        fs::create_dir(&data).unwrap();
        copy(&ground.at("data/vault"), &data.join("vault"));
        fs::copy(ground.at("data.key"), ground.at(&format!("{name}.key"))).unwrap();
        data.display().to_string()
    };
    let restored = lost("restored");
    let import = ["log", "import", &backup, "--key", &key, "--data"];
    ground.run(&[&import[..], &[&restored, "--checkpoint", &kept]].concat()).done();
    ground.run(&["token", "list", "--data", &restored]).done();
    ground.run(&["replay", "--data", &restored]).done();
    let verified = ground.run(&["verify", "--data", &restored, "--key", &key, "--since", &kept]);
    verified.done();
    let proof = path(ground, "restored.tlog-proof");
    ground.run(&["proof", &decision, "--data", &restored, "--out", &proof]).done();
    ground.run(&["proof", "check", &proof, "--key", &key]).done();

    // The true log went on after the backup: its newest checkpoint is kept elsewhere.
    place.say(&["user", "create", "later"]).done();
    let newer = ground.at("data/checkpoint").display().to_string();
    let behind = lost("behind");
    let told = ground.run(&[&import[..], &[&behind, "--checkpoint", &newer]].concat()).done();
    assert!(told.out.contains("does NOT start"), "{told:?}");
    refuses_to_start(ground, &behind);
    let nobody = lost("nobody-kept-any");
    let told = ground.run(&[&import[..], &[&nobody]].concat()).done();
    assert!(told.out.contains("Nobody kept a checkpoint"), "{told:?}");
    refuses_to_start(ground, &nobody);
    // A log is never put in place of another.
    ground.run(&[&import[..], &[&restored]].concat()).ended(1);

    accepted(ground, &behind, &key, &newer);
}

fn refuses_to_start(ground: &Ground, data: &str) -> Said {
    let refused = ground.run(&["user", "create", "bob", "--data", data]).ended(1);
    assert!(refused.err.contains("countersign recover"), "{refused:?}");
    refused
}

/// Goal: going on after a loss is on the record, and under a name that nobody takes for
/// the old one's.
fn accepted(ground: &Ground, data: &str, old_key: &str, old_checkpoint: &str) {
    let looked = ground.run(&["recover", "--data", data]).ended(1);
    assert!(looked.out.contains("was cut or rolled back"), "{looked:?}");
    let accept = ["recover", "--data", data, "--accept-loss", "--reason", "a test"];
    let accepted = ground.run(&[&accept[..], &["--format", "json"]].concat()).done().json();
    let new_key = text(&accepted, "verifier_key");
    assert!(Path::new(&text(&accepted, "set_aside")).exists());
    ground.run(&["user", "create", "bob", "--data", data]).done();
    ground.run(&["replay", "--data", data]).done();
    let verified = ground.run(&["verify", "--data", data, "--key", &new_key, "--format", "json"]);
    assert_eq!(verified.done().json()["losses_accepted"], 1);
    ground.run(&["verify", "--data", data, "--key", old_key]).ended(1);
    let since = ["verify", "--data", data, "--key", &new_key, "--since", old_checkpoint];
    let told = ground.run(&since).ended(1);
    assert!(told.out.contains("kept_"), "{told:?}");
    ground.run(&["recover", "--data", data]).ended(1);
    let rows = ground.run(&["log", "--data", data, "--type", "loss.accepted"]).done().out;
    assert!(rows.contains("a test"), "{rows}");
}

/// Goal: a log that was put back to an older state does not start.
#[test]
fn a_log_that_was_rolled_back_does_not_start() {
    let place = Place::stopped();
    let ground = &place.ground;
    copy(&ground.at("data/log"), &ground.at("older"));
    place.say(&["user", "create", "alice"]).done();
    fs::remove_dir_all(ground.at("data/log")).unwrap();
    copy(&ground.at("older"), &ground.at("data/log"));
    let told = refuses_to_start(ground, &ground.data());
    assert!(told.err.contains("was cut or rolled back"), "{told:?}");
    let verified = place.say(&["verify"]).ended(1);
    assert!(verified.out.contains("rolled_back"), "{verified:?}");

    // Nor does one whose checkpoint is gone, or is not a checkpoint.
    let whole = Place::stopped();
    let checkpoint = whole.ground.at("data/checkpoint");
    let note = fs::read_to_string(&checkpoint).unwrap();
    fs::write(&checkpoint, note.replacen('\n', "x\n", 1)).unwrap();
    refuses_to_start(&whole.ground, &whole.ground.data());
    fs::remove_file(&checkpoint).unwrap();
    refuses_to_start(&whole.ground, &whole.ground.data());
    fs::write(&checkpoint, note).unwrap();
    whole.say(&["user", "create", "alice"]).done();
}

/// Goal: `verify` reads what others have written in the same format.
#[test]
fn a_log_that_tessera_wrote_verifies() {
    let Some(vectors) = std::env::var_os("COUNTERSIGN_VECTORS") else {
        println!("skipped: COUNTERSIGN_VECTORS does not name the folder of the test vectors");
        return;
    };
    let log = PathBuf::from(vectors).join("tlog/tessera-testlog/testdata/log");
    let key = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    let (folder, ground) = (log.display().to_string(), Ground::new());
    let verify = ["verify", folder.as_str(), "--opaque", "--key", key];
    let verified = ground.run(&[&verify[..], &["--format", "json"]].concat()).done().json();
    assert_eq!((&verified["size"], &verified["clean"]), (&15.into(), &true.into()));
    for size in 1..15 {
        let older = log.join(format!("checkpoint.{size}")).display().to_string();
        ground.run(&[&verify[..], &["--since", &older]].concat()).done();
    }
}
