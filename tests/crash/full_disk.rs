//! The disk, full: nobody is acknowledged anything, nothing breaks, and once there is room
//! the node goes on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{Ground, PASSWORD};
use crate::house::House;
use crate::inspection::Inspection;
use crate::ledger::{Ledger, Told};
use crate::wire::{Arrived, Wire};

/// A disk of 96 MiB in memory; gone when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts it; nothing if that is not allowed here.
    fn mount() -> Option<Self> {
        let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=96m,mode=0700", "tmpfs"]).arg(place.path());
        if mount.output().is_ok_and(|said| said.status.success()) {
            return Some(Self(place));
        }
        println!("SKIPPED the full disk: no file system can be mounted here");
        None
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    /// Takes all the room there is but so many bytes.
    fn fill(&self, left: u64) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let chunk = vec![1; 64 << 10];
        while room(self.0.path()) > left && ballast.write(&chunk).is_ok_and(|many| many > 0) {}
    }

    fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

fn room(place: &Path) -> u64 {
    let disk = rustix::fs::statvfs(place).unwrap();
    disk.f_bavail * disk.f_frsize
}

/// Goal: while there is no room each request that would record something is answered with
/// a deliberate 503, `no_room`; nothing else breaks, log lines that cannot be written
/// included; and with room again it goes on without a restart, with all that was
/// acknowledged.
#[test]
fn a_full_disk_is_said_and_survived() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (house, tickets) = House::found_on(Ground::within(disk.0.path()));
    let mut inspection = Inspection::of(&house.ground);
    let server = house.serve();
    House::enrol(&server, &tickets[0]);
    let wire = Wire::to(&server.url);
    let mut told = vec![decided(&house, &wire)];
    // Nearly full; and full to the last byte, where a sealed secret has no room either.
    for left in [20 << 20, 0] {
        disk.fill(left);
        let answers = everything(&house, &wire, &tickets[1]);
        answers.iter().for_each(assert_no_room);
        let full_of_sealed = |it: &Arrived| it.text.contains("the disk of the vault");
        assert_eq!(answers.iter().any(full_of_sealed), left == 0, "the enrolment's");
        assert_eq!(wire.get("/healthz", "").unwrap().status, 200);
        disk.empty();
        told.push(decided(&house, &wire));
        assert_eq!(wire.get("/readyz", "").unwrap().status, 200);
    }
    // The ticket was not used up by what was refused.
    House::enrol(&server, &tickets[1]);
    let login = json!({"username": "bob", "password": PASSWORD});
    assert_eq!(wire.post("/auth/v1/login", "", &login).unwrap().status, 200);
    server.terminate();
    assert_eq!(server.ended(), Some(0));

    disk.fill(0);
    let data = house.ground.data();
    let said = house.ground.run(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]).ended(3);
    assert!(said.err.contains("make room"), "{said:?}");
    disk.empty();
    told.push(decided(&house, &Wire::to(&house.serve().url)));

    let mut ledger = Ledger::default();
    inspection.assert_verifies(&mut ledger);
    inspection.assert_found_clean(&house.ground);
    ledger.assert_holds(&told);
    house.assert_replays(None);
    assert_eq!(house.ground.server_log().matches("panicked").count(), 0);
}

/// One of each kind of request that records something.
fn everything(house: &House, wire: &Wire, ticket: &str) -> Vec<Arrived> {
    let policies = json!({"files": [
        {"name": "a.cedar", "text": "@id(\"only\") permit (principal, action, resource);"},
    ]});
    let carol = json!({"put": [{"uid": {"type": "User", "id": "carol"}, "attrs": {}}]});
    let login = json!({"username": "alice", "password": PASSWORD});
    let wrong = json!({"username": "nobody", "password": "not seven quiet harbours"});
    let enrol = json!({"ticket": ticket, "password": PASSWORD});
    let batch = json!({"evaluations": [question(), question()]});
    let answers = [
        wire.post("/access/v1/evaluation", &house.pep, &question()),
        wire.post("/access/v1/evaluations", &house.pep, &batch),
        wire.put("/policies/v1", &house.author, &policies),
        wire.post("/entities/v1", &house.author, &carol),
        wire.post("/auth/v1/login", "", &login),
        wire.post("/auth/v1/login", "", &wrong),
        wire.post("/auth/v1/enrol", "", &enrol),
        wire.get("/audit/v1/entries?from=0", &house.auditor),
        wire.get("/readyz", ""),
    ];
    answers.into_iter().map(|answer| answer.expect("it answers")).collect()
}

fn question() -> Value {
    json!({
        "subject": {"type": "User", "id": "alice"},
        "action": {"name": "view"},
        "resource": {"type": "Document", "id": "handbook"},
    })
}

fn decided(house: &House, wire: &Wire) -> Told {
    Told::decided(&wire.post("/access/v1/evaluation", &house.pep, &question()).unwrap())
}

#[track_caller]
fn assert_no_room(answer: &Arrived) {
    let said = (answer.status, answer.body["code"].as_str());
    assert_eq!(said, (503, Some("no_room")), "{}", answer.text);
    assert!(answer.body["detail"].as_str().unwrap().contains("make room"), "{}", answer.text);
    assert_eq!(answer.header("retry-after"), "1");
}
