//! The real binary on a stopped directory: its key rotated, its vault taken away and put
//! back, a person erased; and what an auditor makes of copies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign::event::Event;
use serde_json::Value;
use tempfile::TempDir;

use crate::app::{Setup, TestApp};

const BINARY: &str = env!("CARGO_BIN_EXE_countersign");

/// A founded example organisation, its key beside it.
struct House {
    place: TempDir,
}

impl House {
    fn founded() -> Self {
        let house = Self { place: TempDir::new().unwrap() };
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let text = |path: &str| root.join(path).display().to_string();
        house.told(&[
            "init",
            "--policies",
            &text("policies/cloud"),
            "--schema",
            &text("schemas/cloud.cedarschema"),
            "--entities",
            &text("schemas/cloud.entities.json"),
        ]);
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(arguments).arg("--data").arg(self.path("data"));
        command.args(["--format", "json"]).env_remove("COUNTERSIGN_SERVER").output().unwrap()
    }

    fn told(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// A user's e-mail as the directory shows it.
    fn email(&self, user: &str) -> Value {
        let listed = self.told(&["entities", "list", "--type", "User"]);
        let users = listed["entities"].as_array().unwrap();
        let found = users.iter().find(|it| it["uid"]["id"] == user).unwrap();
        found["attrs"]["email"].clone()
    }

    fn replayed(&self) -> Value {
        let report = self.told(&["replay"]);
        assert_eq!(report["clean"], true, "{report}");
        report["state"]["digest"].clone()
    }
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Goal: a rotation changes the key and nothing else, and an export from before it needs
/// the old one.
#[test]
fn a_rotated_key_opens_what_the_old_one_did() {
    let house = House::founded();
    assert_eq!(house.email("alice"), "alice@example.org");
    let (before, export) = (house.path("before"), house.path("after"));
    let [before, export] = [before, export].map(|it| it.display().to_string());
    house.told(&["key", "export", &before]);
    let old = fs::read_to_string(house.path("data.key")).unwrap();

    let rotated = house.told(&["key", "rotate"]);
    assert_eq!(rotated["subjects"], 5, "the four users with an e-mail, and the log");
    let new = fs::read_to_string(house.path("data.key")).unwrap();
    assert!(new.lines().count() == 1 && new != old);
    assert_eq!(house.email("alice"), "alice@example.org");
    let text = String::from_utf8(house.run(&["log", "--type", "key.rotated"]).stdout).unwrap();
    assert!(text.contains(rotated["adopted"].as_str().unwrap()), "{text}");
    assert!(!text.contains(new.split_whitespace().nth(1).unwrap()));

    let told = house.refused(&["key", "import", &before]);
    assert!(told.contains("sealed under another key"), "{told}");
    house.told(&["key", "export", &export]);
    let told = house.refused(&["key", "export", &export]);
    assert!(told.contains("exists already"), "{told}");
    fs::remove_dir_all(house.path("data/vault")).unwrap();
    assert_eq!(house.email("alice"), Value::Null);
    let imported = house.told(&["key", "import", &export]);
    assert_eq!(imported["added"], 7, "five keys, the one for names, and the log's secret");
    assert_eq!(house.email("alice"), "alice@example.org");
    house.replayed();
}

/// Goal: a start goes on with a rotation that was cut short, and records it once.
#[test]
fn a_rotation_that_was_cut_short_is_completed_at_the_next_start() {
    let mut app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let email = |app: &TestApp| {
        let shown = app.get("/entities/v1/User/alice", &admin.token).expect(200);
        shown["attrs"]["email"].clone()
    };
    let old = fs::read_to_string(app.key_file()).unwrap();
    let next = House::founded();
    let new = fs::read_to_string(next.path("data.key")).unwrap();
    let retiring = old.replace("countersign-kek-v1 ", "countersign-kek-v1-retiring ");
    fs::write(app.key_file(), format!("{new}{retiring}")).unwrap();
    for _ in 0..2 {
        app.restart();
        assert_eq!(email(&app), "alice@example.org");
        assert_eq!(fs::read_to_string(app.key_file()).unwrap(), new);
    }
    let rotations =
        app.log().into_iter().filter(|entry| matches!(entry.event, Event::KeyRotated(_)));
    assert_eq!(rotations.count(), 1);
    app.assert_replays();
}

/// Goal: who was erased stays erased: an older vault put back is seen to at once, and a
/// copy of the log without keys replays to the same state.
#[test]
fn an_older_vault_brings_nobody_back() {
    let house = House::founded();
    house.told(&["user", "create", "alice"]);
    let export = house.path("export").display().to_string();
    house.told(&["key", "export", &export]);
    copied(&house.path("data/vault"), &house.path("older"));
    house.told(&["user", "erase", "alice", "--reason", "asked for it"]);
    house.told(&["entities", "erase", "User::\"bob\""]);
    assert_eq!([house.email("alice"), house.email("bob")], [Value::Null, Value::Null]);
    assert_eq!(house.email("carol"), "carol@example.org");
    let told = house.refused(&["user", "erase", "alice"]);
    assert!(told.contains("person_erased"), "{told}");
    let told = house.refused(&["entities", "erase", "User::\"mallory\""]);
    assert!(told.contains("nothing personal"), "{told}");

    assert!(house.told(&["key", "import", &export])["added"].as_u64().unwrap() > 0);
    assert_eq!(house.email("alice"), Value::Null);
    fs::remove_dir_all(house.path("data/vault")).unwrap();
    copied(&house.path("older"), &house.path("data/vault"));
    assert_eq!(house.email("alice"), Value::Null, "the log says so, whatever the vault holds");

    let state = house.replayed();
    fs::remove_dir_all(house.path("data/vault")).unwrap();
    fs::remove_file(house.path("data.key")).unwrap();
    assert_eq!(house.email("carol"), Value::Null, "an auditor's copy");
    assert_eq!(house.replayed(), state);
}
