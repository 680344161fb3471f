//! How fast a known caller adds to the log what comes to nothing.

use std::sync::mpsc::channel;
use std::thread::{scope, yield_now};
use std::time::Duration;

use serde_json::json;

use crate::app::{Answer, Person, TestApp};
use crate::journal;
use crate::office::{Office, setup};

/// How many refusals of one caller are recorded at once.
const AT_ONCE: usize = 60;

/// Alice, who may do nothing here, in a session of two factors.
fn alice(office: &Office) -> Person {
    office.app.person(&office.admin, "alice");
    office.app.two_factors(&office.app.one_factor("alice"))
}

fn refused(app: &TestApp, token: &str) -> Answer {
    app.get("/audit/v1/state", token)
}

fn says(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text);
}

fn is_throttled(answer: &Answer) {
    says(answer, 429, "throttled");
    assert_eq!(answer.header("retry-after"), "6");
}

/// Goal: whoever may do nothing here cannot fill the log by asking, be it a person or an
/// application; and keeps nobody else from anything, not even from being refused.
#[test]
fn refusals_of_one_caller_are_recorded_only_so_fast() {
    let office = Office::open();
    let app = &office.app;
    let pep = app.token(&office.admin, &["evaluate"]);
    for token in [&alice(&office).token, &pep] {
        let first = journal::size(app);
        for _ in 0..AT_ONCE {
            says(&refused(app, token), 403, "forbidden");
        }
        for _ in 0..AT_ONCE {
            is_throttled(&refused(app, token));
        }
        assert_eq!(journal::names(app, first), vec!["access.decided"; AT_ONCE]);
    }
    // A session of its own is no way around it.
    let token = &app.one_factor("alice").token;
    is_throttled(&refused(app, token));
    app.clock.advance(6);
    says(&refused(app, token), 403, "forbidden");
    is_throttled(&refused(app, token));
    let other = app.token(&office.admin, &["publish"]);
    says(&refused(app, &other), 403, "forbidden");
    app.assert_replays();
}

/// Goal: who may do something may do it as often as they like.
#[test]
fn who_is_permitted_is_not_held_up() {
    let office = Office::open();
    for _ in 0..2 * AT_ONCE {
        refused(&office.app, &office.admin.token).expect(200);
    }
    let body = json!({"roles": ["auditor"], "name": "bob"});
    let made = office.app.post("/users/v1", &office.admin.token, &body).expect(201);
    let ticket = made["ticket"].as_str().unwrap();
    office.app.enrol(ticket, crate::app::PASSWORD).expect(201);
    let bob = office.app.two_factors(&office.app.one_factor("bob"));
    let change = || office.app.put("/policies/v1", &bob.token, &json!({}));
    for _ in 0..AT_ONCE {
        says(&change(), 403, "forbidden");
    }
    is_throttled(&change());
    for _ in 0..2 * AT_ONCE {
        refused(&office.app, &bob.token).expect(200);
    }
}

/// Goal: what is kept of the writer's queue for administration is not taken by who may not
/// administer.
#[test]
fn a_refusal_takes_nothing_of_the_queue_that_is_kept_for_administration() {
    let office = Office::with(&setup().with_setting("limits.queue=8"));
    let (app, alice) = (&office.app, alice(&office));
    let sequencer = &app.node.sequencer;
    let ((enter, entered), (open, gate)) = (channel(), channel());
    let (tell, told) = channel();
    scope(|scope| {
        scope.spawn(|| app.propose_nothing(Some((enter, gate))));
        entered.recv().unwrap();
        for _ in 0..7 {
            scope.spawn(|| app.propose_nothing(None));
        }
        while sequencer.has_room() {
            yield_now();
        }
        let before = sequencer.store().size();
        scope.spawn(|| tell.send(refused(app, &alice.token)).unwrap());
        let at_once = told.recv_timeout(Duration::from_secs(20));
        let size = sequencer.store().size();
        let allowed = scope.spawn(|| refused(app, &office.admin.token));
        while at_once.is_ok() && sequencer.queued() < 8 {
            yield_now();
        }
        open.send(()).unwrap();
        let at_once = at_once.expect("a refusal waits for the writer");
        says(&at_once, 503, "overloaded");
        assert!(at_once.header("retry-after").parse::<u64>().unwrap() > 0);
        assert_eq!(size, before);
        allowed.join().unwrap().expect(200);
    });
    app.assert_replays();
}

/// Goal: a person cannot fill the log with changes of their own account either; and whoever
/// has got hold of a session of theirs does not keep them from changing anything.
#[test]
fn changes_of_ones_own_account_are_made_only_so_fast() {
    let office = Office::open();
    let app = &office.app;
    let alice = alice(&office);
    let all = app.get("/auth/v1/authenticators", &alice.token).expect(200);
    let mut all = all["authenticators"].as_array().unwrap().iter();
    let totp = all.find(|it| it["kind"] == "totp").unwrap();
    let path = format!("/auth/v1/authenticators/{}", totp["id"].as_str().unwrap());
    let rename = |token: &str| app.patch(&path, token, &json!({"label": "mine"}));
    let offer = |token: &str| app.post("/auth/v1/setup-mfa", token, &json!({}));
    let codes = |token: &str| app.post("/auth/v1/recovery-codes", token, &json!({}));
    let first = journal::size(app);
    let (mut made, changes) = (0, [&rename as &dyn Fn(&str) -> Answer, &offer, &codes]);
    while changes.iter().all(|change| change(&alice.token).status < 300) {
        made += changes.len();
        assert!(made <= AT_ONCE, "changes go on without end");
    }
    // One was spent on the second factor; the last round ended in its midst.
    assert_eq!(made, AT_ONCE - 3);
    let size = journal::size(app);
    assert!(size > first);
    for change in changes {
        is_throttled(&change(&alice.token));
    }
    assert_eq!(journal::size(app), size);

    // Another code, before the first session has its allowance back.
    app.clock.advance(30);
    while changes.iter().all(|change| change(&alice.token).status < 300) {}
    let elsewhere = app.one_factor("alice").token;
    let elsewhere = app.verify(&elsewhere, &app.code(&alice.seed.unwrap())).expect(200);
    assert_eq!(rename(elsewhere["token"].as_str().unwrap()).status, 204);
}
