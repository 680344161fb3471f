//! The node as a witness of other logs: what it cosigns, what it refuses, and that it
//! remembers.

use std::convert::Infallible;
use std::fs;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;

use countersign::event::Event;
use countersign::model::Digest;
use countersign::tlog::{
    AddCheckpoint, Checkpoint, Hash, Nodes, Note, SigningKey, Tree, Verified, VerifierKey,
    consistency_proof, leaf_hash, sign_checkpoint,
};

use crate::app::{Answer, Setup, TestApp};
use crate::journal;
use crate::litewitness::{sigsum_log, transcript};

const ORIGIN: &str = "other.example/log";
/// How many entries all futures of the log begin with.
const COMMON: u64 = 3;

/// A log of 20 entries, in one of its possible futures.
struct Log {
    key: SigningKey,
    leaves: Vec<Hash>,
}

impl Log {
    fn of(future: &str) -> Self {
        let key = SigningKey::new(ORIGIN.parse().unwrap(), &[1; 32]);
        let entry = |index: u64| if index < COMMON { "" } else { future }.to_owned();
        let leaves = (0..20).map(|index| leaf_hash(format!("{index} {}", entry(index)).as_bytes()));
        Self { key, leaves: leaves.collect() }
    }

    fn note(&self, size: u64) -> Note {
        let root = root(&self.leaves[..usize::try_from(size).unwrap()]);
        let checkpoint = Checkpoint::new(ORIGIN, size, root).unwrap();
        sign_checkpoint(&checkpoint, &[&self.key]).unwrap().parse().unwrap()
    }

    /// What it sends to show that it has grown.
    fn request(&self, old: u64, size: u64) -> String {
        let proof = consistency_proof(old.min(size), size, self).unwrap();
        AddCheckpoint::new(old, proof, self.note(size)).unwrap().to_string()
    }
}

impl Nodes for Log {
    type Error = Infallible;
    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let (width, index) = (1_usize << level, usize::try_from(index).unwrap());
        Ok(root(&self.leaves[width * index..width * (index + 1)]))
    }
}

fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.append(*leaf, &mut Vec::new()));
    tree.root()
}

/// A node that was told to watch this log.
fn watching(log: &VerifierKey) -> TestApp {
    let setup = Setup::default().with_setting("log.public=true");
    TestApp::spawn(&setup.with_setting(&format!("witness.logs={log}")))
}

fn ask(app: &TestApp, request: &str) -> Answer {
    app.raw("POST", "/log/v1/add-checkpoint", &[], request.as_bytes())
}

/// The key that the node cosigns by, as everybody may read it.
fn witness_key(app: &TestApp) -> VerifierKey {
    let keys = app.raw("GET", "/log/v1/keys", &[], b"").expect(200);
    keys["witness"]["verifier_key"].as_str().unwrap().parse().unwrap()
}

/// What the World holds of what was cosigned, by its digest.
fn state(app: &TestApp) -> Digest {
    app.node.sequencer.world().digest().parts["witnessing"]
}

/// The time that an answer states, if it cosigns the checkpoint.
#[track_caller]
fn cosigned(app: &TestApp, answer: &Answer, note: &Note) -> u64 {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let keys = [witness_key(app)];
    let note = note.with_cosignatures(&answer.text, &keys).unwrap();
    match note.verify(&keys).unwrap().as_slice() {
        [Verified { time: Some(time), .. }] => *time,
        other => panic!("{other:?}"),
    }
}

/// Goal: what was cosigned is on record before the log hears of it, and never forgotten.
#[test]
fn a_log_is_cosigned_as_it_grows() {
    let log = Log::of("one");
    let mut app = watching(&log.key.verifier());
    let first = journal::size(&app);

    let time = cosigned(&app, &ask(&app, &log.request(0, 3)), &log.note(3));
    app.clock.advance(60);
    let later = cosigned(&app, &ask(&app, &log.request(3, 3)), &log.note(3));

    // A repetition is cosigned as of now, and is nothing new.
    assert_eq!(journal::names(&app, first), ["checkpoint.cosigned"]);
    assert_eq!(time, journal::since(&app, first)[0].time.seconds());
    assert_eq!(later, time + 60);
    let key = witness_key(&app);
    app.restart();
    assert_eq!(witness_key(&app), key);
    let behind = ask(&app, &log.request(0, 7));
    assert_eq!((behind.status, behind.text.as_str()), (409, "3\n"));
    assert_eq!(behind.header("content-type"), "text/x.tlog.size");
    cosigned(&app, &ask(&app, &log.request(3, 7)), &log.note(7));
    app.assert_replays();
}

/// Goal: a start from a snapshot, which reads no entry before it again, forgets nothing of
/// what was cosigned, or the witness would vouch for two futures of one log.
#[test]
fn a_witness_that_starts_from_a_snapshot_refuses_what_it_did_before() {
    let (log, fork) = (Log::of("one"), Log::of("another"));
    let setup = Setup::default().with_setting("log.public=true");
    let setup = setup.with_setting(&format!("witness.logs={}", log.key.verifier()));
    let mut app = TestApp::spawn(&setup.with_setting("snapshots.every=10"));
    cosigned(&app, &ask(&app, &log.request(0, 5)), &log.note(5));
    let (key, size, state) = (witness_key(&app), journal::size(&app), state(&app));

    app.restart();

    assert_eq!(app.node.snapshots.newest(), size as u64, "the snapshot holds all there was");
    assert_eq!((witness_key(&app), self::state(&app)), (key, state));
    for (request, status) in [
        (log.request(0, 3), 409),
        (log.request(3, 5), 409),
        (fork.request(0, 5), 409),
        (fork.request(3, 7), 409),
        (fork.request(5, 5), 422),
        (fork.request(5, 7), 422),
    ] {
        assert_eq!(ask(&app, &request).status, status, "{request}");
    }
    cosigned(&app, &ask(&app, &log.request(5, 7)), &log.note(7));
    app.assert_replays();
}

/// Goal: only what grew out of what was cosigned is cosigned.
#[test]
fn what_has_not_grown_is_refused_and_leaves_no_trace() {
    let (log, fork) = (Log::of("one"), Log::of("another"));
    let app = watching(&log.key.verifier());
    cosigned(&app, &ask(&app, &log.request(0, 5)), &log.note(5));
    let first = journal::size(&app);
    let stranger =
        Log { key: SigningKey::new(ORIGIN.parse().unwrap(), &[2; 32]), ..Log::of("one") };
    let renamed = log.request(5, 6).replace(ORIGIN, "unheard.example/of");

    for (request, status) in [
        (log.request(7, 6), 400),
        ("old 5\n".to_owned(), 400),
        (String::new(), 400),
        (stranger.request(5, 6), 403),
        (renamed, 404),
        (log.request(3, 6), 409),
        (fork.request(3, 6), 409),
        (log.request(6, 6), 409),
        (fork.request(5, 6), 422),
        (fork.request(5, 5), 422),
    ] {
        let answer = ask(&app, &request);
        assert_eq!(answer.status, status, "{request}\n{}", answer.text);
        assert!(answer.header("content-type").starts_with("text/"));
    }
    let not_text = app.raw("POST", "/log/v1/add-checkpoint", &[], b"old 5\n\n\xff");
    assert_eq!(not_text.status, 400);
    let endless = ask(&app, &"a".repeat(1 << 20));
    assert_eq!((endless.status, endless.code().as_str()), (413, "body_too_large"));

    assert_eq!(journal::names(&app, first), [""; 0]);
    app.clock.advance(1);
    cosigned(&app, &ask(&app, &log.request(5, 6)), &log.note(6));
}

/// Goal: a log with two futures finds a witness for one of them, however fast it asks.
#[test]
fn of_two_futures_at_once_one_is_cosigned() {
    let futures = [Log::of("one"), Log::of("another")];
    let app = watching(&futures[0].key.verifier());
    cosigned(&app, &ask(&app, &futures[0].request(0, COMMON)), &futures[0].note(COMMON));
    app.clock.advance(1);
    let requests = futures.each_ref().map(|log| log.request(COMMON, 9));
    let (first, start) = (journal::size(&app), Barrier::new(20));

    let answers: Vec<_> = thread::scope(|scope| {
        let (app, start) = (&app, &start);
        let asking = (0..20).map(|place| {
            let request = &requests[place % 2];
            scope.spawn(move || {
                start.wait();
                ask(app, request)
            })
        });
        let asking: Vec<_> = asking.collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let winners: Vec<_> = (0..20).filter(|place| answers[*place].status == 200).collect();
    let [winner] = winners[..] else { panic!("{winners:?} were cosigned") };
    let behind = answers.iter().filter(|it| it.status == 409 && it.text == "9\n");
    assert_eq!(behind.count(), 19);
    let recorded = journal::since(&app, first);
    let [Event::CheckpointCosigned(it)] = [&recorded[0].event] else { panic!("{recorded:?}") };
    assert_eq!((recorded.len(), it.root), (1, root(&futures[winner % 2].leaves[..9])));
    let (won, lost) = (&futures[winner % 2], &futures[(winner + 1) % 2]);
    assert_eq!(ask(&app, &lost.request(9, 12)).status, 422);
    app.clock.advance(1);
    cosigned(&app, &ask(&app, &won.request(9, 12)), &won.note(12));
}

/// Goal: whoever keeps a log cannot make its witness's grow without end.
#[test]
fn a_log_that_grows_too_fast_is_told_when_to_come_back() {
    let log = Log::of("one");
    let app = watching(&log.key.verifier());
    cosigned(&app, &ask(&app, &log.request(0, 3)), &log.note(3));
    let first = journal::size(&app);

    let refused = ask(&app, &log.request(3, 5));
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "{}", refused.text);
    assert!(refused.header("content-type").starts_with("text/plain"));
    // It is told so after all that is wrong with a request, and a repetition is nothing new.
    assert_eq!(ask(&app, &log.request(5, 5)).status, 409);
    cosigned(&app, &ask(&app, &log.request(3, 3)), &log.note(3));
    assert_eq!(journal::names(&app, first), [""; 0]);

    app.clock.advance(1);
    cosigned(&app, &ask(&app, &log.request(3, 5)), &log.note(5));
    assert_eq!(ask(&app, &log.request(5, 6)).status, 429);
}

/// Goal: anybody may ask, so nobody who does reaches the one writer without news, or is
/// looked at while the writer has more to do than it can.
#[test]
fn strangers_do_not_reach_the_writer() {
    let log = Log::of("one");
    let setup = Setup::default().with_setting("log.public=true").with_setting("limits.queue=1");
    let app = TestApp::spawn(&setup.with_setting(&format!("witness.logs={}", log.key.verifier())));
    cosigned(&app, &ask(&app, &log.request(0, 3)), &log.note(3));
    let sequencer = &app.node.sequencer;
    thread::scope(|scope| {
        let ((enter, entered), (open, gate)) = (channel(), channel());
        scope.spawn(|| app.propose_nothing(Some((enter, gate))));
        entered.recv().unwrap();
        // The writer is held; who had to wait for it would hear nothing.
        cosigned(&app, &ask(&app, &log.request(3, 3)), &log.note(3));
        assert_eq!(ask(&app, &log.request(0, 5)).status, 409);
        assert_eq!(ask(&app, &log.request(3, 5)).status, 429);
        scope.spawn(|| app.propose_nothing(None));
        while sequencer.has_room() {
            thread::yield_now();
        }
        for request in [log.request(3, 3), log.request(0, 5)] {
            let refused = ask(&app, &request);
            assert_eq!((refused.status, refused.code()), (503, "overloaded".to_owned()));
            assert_eq!(refused.header("retry-after"), "1");
        }
        open.send(()).unwrap();
    });
    app.assert_replays();
}

/// Goal: nobody becomes a witness by accident.
#[test]
fn a_node_that_was_told_of_no_log_cosigns_none() {
    let app = TestApp::spawn(&Setup::default().with_setting("log.public=true"));
    let log = Log::of("one");
    let refused = ask(&app, &log.request(0, 3));
    assert_eq!((refused.status, refused.text.contains("not known")), (404, true));
    let keys = app.raw("GET", "/log/v1/keys", &[], b"").expect(200);
    assert!(keys["witness"].is_null() && keys["keys"].as_array().unwrap().len() == 1, "{keys}");
}

/// Goal: whoever has spoken with litewitness hears the same here.
#[test]
fn litewitness_and_this_node_answer_alike() {
    let Some(root) = crate::vectors("tlog/litewitness/cmd/litewitness/testdata") else { return };
    let text = fs::read_to_string(root.join("litewitness.txt")).unwrap();
    let (origin, key) = sigsum_log();
    let app = watching(&key);
    for exchange in transcript(&text) {
        // litewitness takes whatever comes however soon.
        app.clock.advance(1);
        let answer = ask(&app, &exchange.request);
        let asked: AddCheckpoint = exchange.request.parse().unwrap();
        // litewitness answers 403 for an unknown log; the specification has since set 404.
        let expected = if asked.origin() == origin { exchange.status } else { 404 };
        assert_eq!(answer.status, expected, "{}\n{}", exchange.request, answer.text);
        assert!(exchange.body.is_none_or(|wanted| wanted == answer.text), "{}", answer.text);
        if answer.status == 200 {
            assert!(exchange.contains.is_some());
            cosigned(&app, &answer, asked.checkpoint());
        }
    }
    let world = app.node.sequencer.world();
    assert_eq!(world.witnessing.last(&origin).map(|last| last.size), Some(5));
}
