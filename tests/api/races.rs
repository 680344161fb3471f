//! What many do at once, one of them does.

use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;

use countersign::event::{Event, Refused};
use serde_json::{Value, json};

use crate::app::{Answer, PASSWORD, Person, Setup, TestApp};
use crate::journal;

/// Runs as many of one thing as asked, all at the same moment; their answers in order.
fn at_once<T: Send>(count: usize, one: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (start, one) = (Barrier::new(count), &one);
    thread::scope(|scope| {
        let run = |place| {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                one(place)
            })
        };
        let threads: Vec<_> = (0..count).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn succeeded(answers: &[Answer]) -> Vec<&Answer> {
    answers.iter().filter(|answer| answer.status < 300).collect()
}

fn count(app: &TestApp, first: usize, wanted: impl Fn(&Event) -> bool) -> usize {
    journal::since(app, first).iter().filter(|entry| wanted(&entry.event)).count()
}

/// The codes that a race for one code may end with.
fn is_fair(answer: &Answer) -> bool {
    match answer.status {
        200 => true,
        // The other session rose, or this one did and its token is no more.
        401 => ["mfa_failed", "unauthenticated"].contains(&answer.code().as_str()),
        429 => answer.code() == "throttled",
        _ => false,
    }
}

/// Goal: the fourth proof: 200 parallel tries with one right code, from as many
/// sessions as a person may have, let exactly one in.
#[test]
fn of_two_hundred_with_one_right_code_one_gets_in() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let seed = app.two_factors(&app.one_factor("alice")).seed.unwrap();
    let sessions: Vec<_> = (0..19).map(|_| app.one_factor("alice")).collect();
    app.clock.advance(30);
    let code = app.code(&seed);
    let first = journal::size(&app);

    let answers = at_once(200, |place| app.verify(&sessions[place % 19].token, &code));

    let unfair: Vec<_> = answers.iter().filter(|it| !is_fair(it)).map(|it| &it.text).collect();
    assert_eq!(unfair, [""; 0]);
    let winners = succeeded(&answers);
    assert_eq!(winners.len(), 1);
    let raised = Person::of(&winners[0].json(), None);
    assert_eq!(app.get("/auth/v1/session", &raised.token).expect(200)["aal"], 2);
    assert_eq!(count(&app, first, |it| matches!(it, Event::MfaVerified(_))), 1);
    assert_eq!(count(&app, first, |it| matches!(it, Event::SessionRaised(_))), 1);
    // The first failures are recorded, as what they are; the burst wears nothing out.
    let replayed = |it: &Event| match it {
        Event::MfaRefused(refused) => refused.reason == Refused::Replayed,
        _ => false,
    };
    assert_eq!(count(&app, first, replayed), 3);
    assert_eq!(journal::size(&app), first + 5);
    app.clock.advance(30);
    assert_eq!(app.verify(&raised.token, &app.code(&seed)).status, 200);
}

#[test]
fn of_fifty_tries_in_one_session_one_gets_in() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let alice = app.one_factor("alice");
    let offer = app.post("/auth/v1/setup-mfa", &alice.token, &json!({})).expect(200);
    let code = app.code(&crate::app::seed(offer["secret"].as_str().unwrap()));
    let first = journal::size(&app);

    let answers = at_once(50, |_| app.verify(&alice.token, &code));

    assert!(answers.iter().all(is_fair));
    let winners = succeeded(&answers);
    assert_eq!(winners.len(), 1);
    assert_eq!(app.get("/auth/v1/session", &alice.token).status, 401);
    let raised = Person::of(&winners[0].json(), None);
    assert_eq!(app.get("/auth/v1/session", &raised.token).status, 200);
    assert_eq!(count(&app, first, |it| matches!(it, Event::MfaEnrolled(_))), 1);
    assert_eq!(count(&app, first, |it| matches!(it, Event::MfaVerified(_))), 1);
}

/// Goal: a token from before the second factor is worth nothing after it, for a command
/// that was on its way too: whoever has stolen it gets no codes of the owner's.
#[test]
fn a_token_that_was_replaced_meanwhile_commands_nothing() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let seed = app.two_factors(&app.one_factor("alice")).seed.unwrap();
    app.clock.advance(30);
    let old = app.one_factor("alice");
    let sequencer = &app.node.sequencer;
    let ((enter, entered), (open, gate)) = (channel(), channel());
    let first = thread::scope(|scope| {
        scope.spawn(|| app.propose_nothing(Some((enter, gate))));
        entered.recv().unwrap();
        let raising = scope.spawn(|| app.verify(&old.token, &app.code(&seed)));
        while sequencer.queued() < 1 {
            thread::yield_now();
        }
        let first = journal::size(&app);
        let stolen = scope.spawn(|| app.delete("/auth/v1/sessions", &old.token));
        let offered = scope.spawn(|| app.post("/auth/v1/logout", &old.token, &json!({})));
        while sequencer.queued() < 3 {
            thread::yield_now();
        }
        open.send(()).unwrap();
        raising.join().unwrap().expect(200);
        assert_eq!(stolen.join().unwrap().status, 401);
        assert_eq!(offered.join().unwrap().status, 401);
        first
    });
    assert_eq!(count(&app, first, |it| matches!(it, Event::SessionRaised(_))), 1);
    assert_eq!(count(&app, first, |it| matches!(it, Event::SessionEnded(_))), 0);
}

/// Goal: of two letters with one ticket, one sets the password.
#[test]
fn of_twenty_with_one_ticket_one_sets_the_password() {
    let app = TestApp::spawn(&Setup::default());
    let password = |place: usize| format!("{PASSWORD}, number {place}");

    let answers = at_once(20, |place| app.enrol(app.ticket.expose(), &password(place)));

    let codes = answers.iter().filter(|it| it.status != 201).map(Answer::code);
    assert!(codes.into_iter().all(|code| ["ticket_invalid", "throttled"].contains(&&*code)));
    let set: Vec<_> = (0..20).filter(|place| answers[*place].status == 201).collect();
    assert_eq!(set.len(), 1);
    assert_eq!(app.login("admin", &password(set[0])).status, 200);
    assert_eq!(app.login("admin", &password((set[0] + 1) % 20)).status, 401);
}

/// Goal: guessing in parallel gains nothing: no more tries than one after the other, one at
/// a time, and no burst wears a password out.
#[test]
fn of_a_burst_of_guesses_three_at_most_are_looked_at() {
    let setup = Setup::default().with_setting("decisions.throttle.failures_max_password=4");
    let app = TestApp::spawn(&setup);
    let admin = app.admin();
    app.person(&admin, "alice");
    let first = journal::size(&app);

    let names = ["alice", "nobody"];
    let answers = at_once(100, |place| app.login(names[place % 2], "a guess that is wrong"));

    let mut recorded = 0;
    for (place, name) in names.into_iter().enumerate() {
        let looked_at = answers.iter().skip(place).step_by(2).filter(|it| it.status == 401);
        let looked_at = looked_at.count();
        assert!((1..=3).contains(&looked_at), "{name}: {looked_at}");
        recorded += looked_at;
    }
    assert!(answers.iter().all(|it| it.status == 401 || it.code() == "throttled"));
    assert_eq!(journal::names(&app, first), vec!["password.refused"; recorded]);
    app.clock.advance(1);
    assert_eq!(app.login("alice", PASSWORD).status, 200);
}

/// Goal: there is always somebody who can undo a change, however fast two of them
/// disagree.
#[test]
fn administrators_who_disable_each_other_at_once_leave_one() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let made = json!({"name": "second", "roles": ["administrator"]});
    let made = app.post("/users/v1", &admin.token, &made).expect(201);
    app.enrol(made["ticket"].as_str().unwrap(), PASSWORD).expect(201);
    let second = app.two_factors(&app.one_factor("second"));
    let duel = [(&admin, "second"), (&second, "admin")];

    let answers = at_once(10, |place| {
        let (who, whom) = duel[place % 2];
        app.post(&format!("/users/v1/{whom}/disable"), &who.token, &json!({}))
    });

    let statuses: Vec<_> = answers.iter().map(|it| it.status).collect();
    assert_eq!(succeeded(&answers).len(), 1, "{statuses:?}");
    let standing = duel.iter().filter(|(who, _)| app.get("/users/v1", &who.token).status == 200);
    assert_eq!(standing.count(), 1);
}

/// Goal: a provider that retries too eagerly is recorded once, and every try hears the
/// same place.
#[test]
fn of_many_same_reports_one_is_recorded() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let binding = json!({"source": "https://idp.example", "user_type": "User", "max_aal": 2});
    let asked = json!({"scopes": ["ingest"], "binding": binding});
    let idp = app.post("/tokens/v1", &admin.token, &asked).expect(201);
    let idp = idp["token"].as_str().unwrap();
    let report = json!({
        "specversion": "1.0", "id": "1", "source": "https://idp.example",
        "type": "password.verified", "subject": "alice",
        "data": {"session_token_sha256": "0".repeat(64)},
    });
    let first = journal::size(&app);

    let answers = at_once(40, |_| app.post("/events/v1", idp, &report).expect(200));

    let fresh = answers.iter().filter(|answer| answer["repeated"] == false);
    assert_eq!(fresh.count(), 1);
    let places: Vec<&Value> = answers.iter().map(|answer| &answer["index"]).collect();
    assert!(places.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(journal::names(&app, first), ["authentication.reported"]);
}

/// Goal: a name is taken once.
#[test]
fn of_many_who_register_one_name_one_does() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let names = ["zo\u{eb}", "ZOE\u{308}", "Zo\u{eb}"];
    let answers = at_once(12, |place| {
        app.post("/users/v1", &admin.token, &json!({"name": names[place % 3]}))
    });
    assert_eq!(succeeded(&answers).len(), 1);
    assert!(answers.iter().all(|it| it.status == 201 || it.code() == "person_exists"));
}
