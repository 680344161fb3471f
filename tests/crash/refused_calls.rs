//! Each call by which a group becomes durable, refused by the disk: nothing is
//! acknowledged that is not there, and nobody is answered by accident.

use crate::binary::found_program;
use crate::house::House;
use crate::ledger::{Ledger, Told};
use crate::wire::{Arrived, Wire};

/// What the tracer does to which call: refuses it, from a while after the start on.
const REFUSALS: [&str; 5] = [
    // A batch is written, by sled's own threads.
    "pwrite64:error=EIO:when=4+",
    "pwrite64:error=ENOSPC:when=5+",
    // It is flushed.
    "sync_file_range:error=EIO:when=3+",
    // It is synced: it is there, but may not be told.
    "fdatasync:error=EIO:when=6+",
    "fdatasync:error=ENOSPC:when=9+",
];

/// Goal: after a call that failed everybody hears 503 and nothing is written any more; the
/// node says what is wrong; and a restart goes on with all that was acknowledged.
#[test]
fn a_refused_call_of_a_commit_acknowledges_nothing() {
    let Some(tracer) = found_program("strace") else { return };
    let (mut house, _) = House::found();
    let mut ledger = Ledger::default();
    for refusal in REFUSALS {
        house.ground.under = refusing(&tracer, refusal);
        let server = house.serve();
        let wire = Wire::to(&server.url);
        let mut told = Vec::new();
        let refused = loop {
            match ask(&house, &wire) {
                answer if answer.status == 200 => told.push(Told::decided(&answer)),
                answer => break answer,
            }
        };
        assert_is(&refused, "log_unavailable");
        for _ in 0..3 {
            assert_is(&ask(&house, &wire), "log_unavailable");
        }
        assert_is(&wire.get("/readyz", "").unwrap(), "log_unavailable");
        assert_eq!(wire.get("/healthz", "").unwrap().status, 200);
        assert!(!told.is_empty(), "{refusal} came too early to tell");
        server.kill();

        house.ground.under = Vec::new();
        let server = house.serve();
        ledger.read_on(&server.url, &house.auditor);
        ledger.assert_holds(&told);
        ledger.assert_replays();
        assert_eq!(ask(&house, &Wire::to(&server.url)).status, 200);
        server.terminate();
        assert_eq!(server.ended(), Some(0));
    }
    house.assert_replays(None);
}

/// Goal: a checkpoint that cannot be published stops no answer, for the group is signed in
/// the log; but the node is not ready while that is so, and goes on by itself.
#[test]
fn a_checkpoint_that_cannot_be_published_is_said() {
    let Some(tracer) = found_program("strace") else { return };
    let (mut house, _) = House::found();
    for refusal in ["rename:error=EIO:when=2..3", "rename:error=ENOSPC:when=2..3"] {
        house.ground.under = refusing(&tracer, refusal);
        let server = house.serve();
        let wire = Wire::to(&server.url);
        let mut kinds = Vec::new();
        while kinds.len() < 3 {
            assert_eq!(ask(&house, &wire).status, 200);
            let ready = wire.get("/readyz", "").unwrap();
            let kind = if ready.status == 200 { "ready".to_owned() } else { code(&ready) };
            if kinds.last() != Some(&kind) {
                kinds.push(kind);
            }
        }
        assert_eq!(kinds, ["ready", "not_published", "ready"]);
        server.terminate();
        assert_eq!(server.ended(), Some(0));
    }
    house.ground.under = Vec::new();
    house.assert_replays(None);
}

/// Runs a program so that a call of its is refused.
fn refusing(tracer: &str, refusal: &str) -> Vec<String> {
    let call = refusal.split(':').next().unwrap();
    let (trace, inject) = (format!("trace={call}"), format!("inject={refusal}"));
    let words = [tracer, "-D", "-f", "-q", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    words.map(str::to_owned).to_vec()
}

fn ask(house: &House, wire: &Wire) -> Arrived {
    let question = serde_json::json!({
        "subject": {"type": "User", "id": "alice"},
        "action": {"name": "view"},
        "resource": {"type": "Document", "id": "handbook"},
    });
    wire.post("/access/v1/evaluation", &house.pep, &question).expect("it answers")
}

fn code(answer: &Arrived) -> String {
    answer.body["code"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn assert_is(answer: &Arrived, wanted: &str) {
    assert_eq!((answer.status, code(answer).as_str()), (503, wanted), "{}", answer.text);
}
