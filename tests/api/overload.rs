//! More is asked than can be recorded.

use std::sync::mpsc::channel;
use std::thread::yield_now;

use crate::office::{Office, ask, setup};

/// Goal: while as many wait for the writer as may, an evaluation is refused at once, says
/// when to come back, and leaves nothing in the log; then all goes on.
#[test]
fn an_evaluation_too_many_is_refused_at_once_and_says_when_to_come_back() {
    let office = Office::with(&setup().with_setting("limits.queue=1"));
    let (app, request) = (&office.app, ask("alice", "read", "plan"));
    let sequencer = &app.node.sequencer;
    let ((enter, entered), (open, gate)) = (channel(), channel());
    std::thread::scope(|scope| {
        scope.spawn(|| app.propose_nothing(Some((enter, gate))));
        entered.recv().unwrap();
        // The writer is held; one may wait for it.
        scope.spawn(|| app.propose_nothing(None));
        while sequencer.has_room() {
            yield_now();
        }
        for path in ["/access/v1/evaluation", "/access/v1/evaluations"] {
            let before = sequencer.store().size();
            let refused = app.post(path, &office.pep, &request);
            assert_eq!((refused.status, refused.code()), (503, "overloaded".to_owned()), "{path}");
            assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
            assert_eq!(sequencer.store().size(), before);
        }
        open.send(()).unwrap();
    });
    assert!(office.allows(&request));
    app.assert_replays();
}
