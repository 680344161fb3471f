//! Failures slow down the next try (SP 800-63B-4 §3.2.2).

use serde_json::json;

use crate::app::{Answer, PASSWORD, Person, Setup, TestApp};
use crate::journal;

const WRONG: &str = "some other long password";

/// How long an answer says to wait; 0 if it was looked at.
fn wait(answer: &Answer) -> u64 {
    match answer.status {
        401 => 0,
        429 => {
            assert_eq!(answer.code(), "throttled");
            answer.header("retry-after").parse().unwrap()
        }
        other => panic!("{other}: {}", answer.text),
    }
}

fn ticket(app: &TestApp, admin: &Person, name: &str) -> String {
    let made = app.post(&format!("/users/v1/{name}/ticket"), &admin.token, &json!({})).expect(201);
    made["ticket"].as_str().unwrap().to_owned()
}

/// Goal: guessing gets slower and slower; who keeps to Retry-After is looked at again,
/// who comes a second earlier is not.
#[test]
fn delays_grow_with_failures_and_end_when_they_say() {
    let app = TestApp::spawn(&Setup::default().with_setting("decisions.throttle.delay_max_s=60"));
    app.admin();
    let mut delays = Vec::new();
    for _ in 0..12 {
        let delay = wait(&app.login("admin", WRONG));
        delays.push(delay);
        if delay > 0 {
            app.clock.advance(delay - 1);
            assert_eq!(wait(&app.login("admin", WRONG)), 1);
            app.clock.advance(1);
            assert_eq!(wait(&app.login("admin", WRONG)), 0, "after {delay} s");
        }
    }
    assert_eq!(delays, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

/// Goal: nobody learns by hurrying whether a guess was right, and tries that were not
/// looked at cost neither entries nor tries.
#[test]
fn a_right_password_is_refused_while_it_is_throttled() {
    let app = TestApp::spawn(&Setup::default());
    app.admin();
    for _ in 0..3 {
        assert_eq!(wait(&app.login("admin", WRONG)), 0);
    }
    let first = journal::size(&app);
    let (right, wrong) = (app.login("admin", PASSWORD), app.login("admin", WRONG));
    assert_eq!((right.status, &right.text), (429, &wrong.text));
    for _ in 0..20 {
        assert_eq!(wait(&app.login("admin", WRONG)), 1);
    }
    assert_eq!(journal::names(&app, first), [""; 0]);

    app.clock.advance(1);
    assert_eq!(app.login("admin", PASSWORD).status, 200);
    for _ in 0..3 {
        assert_eq!(wait(&app.login("admin", WRONG)), 0, "success has forgotten the failures");
    }
    assert_eq!(wait(&app.login("admin", WRONG)), 1);
}

/// Goal: delays tell nobody who is known here, nor whose password works.
#[test]
fn every_name_is_slowed_down_alike() {
    let setup = Setup::default()
        .with_setting("decisions.throttle.delay_max_s=4")
        .with_setting("decisions.throttle.failures_max_password=5");
    let app = TestApp::spawn(&setup);
    let admin = app.admin();
    app.person(&admin, "alice");
    app.person(&admin, "barred");
    app.post("/users/v1/barred/disable", &admin.token, &json!({})).expect(204);
    app.post("/users/v1", &admin.token, &json!({"name": "ticket-only"})).expect(201);
    let names = ["alice", "barred", "ticket-only", "nobody", "no name at all"];

    // Beyond the fifth failure alice's password is disabled, which nobody may see.
    for round in 0..9 {
        let answers = names.map(|name| app.login(name, WRONG));
        for (answer, name) in answers.iter().zip(names) {
            let same = (answer.status, &answer.text) == (answers[0].status, &answers[0].text);
            assert!(same, "round {round}, {name}: {}", answer.text);
            let waits = answers[0].header("retry-after");
            assert_eq!(answer.header("retry-after"), waits, "round {round}, {name}");
        }
        if answers[0].status == 429 {
            app.clock.advance(wait(&answers[0]));
            assert!(names.iter().all(|name| wait(&app.login(name, WRONG)) == 0));
        }
    }
}

/// Goal: how a name is typed opens no second account of tries.
#[test]
fn an_unknown_name_counts_however_it_is_typed() {
    let app = TestApp::spawn(&Setup::default());
    for name in ["zo\u{eb}", "ZOE\u{308}", "Zoe\u{308}"] {
        assert_eq!(wait(&app.login(name, WRONG)), 0);
    }
    assert_eq!(wait(&app.login("ZO\u{cb}", WRONG)), 1);
    assert_eq!(wait(&app.login("somebody-else", WRONG)), 0);
}

/// Goal: a restart gives a guesser nothing. Known and unknown names alike.
#[test]
fn delays_survive_a_restart() {
    let mut app = TestApp::spawn(&Setup::default());
    app.admin();
    for _ in 0..3 {
        wait(&app.login("admin", WRONG));
        wait(&app.login("nobody", WRONG));
    }
    app.restart();
    assert_eq!(wait(&app.login("admin", PASSWORD)), 1);
    assert_eq!(wait(&app.login("nobody", WRONG)), 1);
    app.clock.advance(1);
    wait(&app.login("admin", WRONG));
    app.restart();
    assert_eq!(wait(&app.login("admin", WRONG)), 2);
}

/// Goal: each authenticator has its own counter: a thief of the password cannot guess
/// codes for longer by logging in anew, and wrong codes bar nobody's password.
#[test]
fn codes_and_passwords_are_counted_apart() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    for _ in 0..3 {
        assert_eq!(wait(&app.verify(&admin.token, "000000")), 0);
    }
    let weak = app.one_factor("admin");
    app.clock.advance(0);
    assert_eq!(wait(&app.verify(&weak.token, "000000")), 1, "a new session gives no new tries");
    assert_eq!(app.login("admin", PASSWORD).status, 200, "nor do wrong codes bar a password");

    for _ in 0..3 {
        assert_eq!(wait(&app.login("admin", WRONG)), 0);
    }
    assert_eq!(wait(&app.login("admin", WRONG)), 1);
    app.clock.advance(30);
    let seed = admin.seed.unwrap();
    assert_eq!(app.verify(&weak.token, &app.code(&seed)).status, 200);
}

/// Goal: a right code is not looked at either while codes are throttled.
#[test]
fn a_right_code_is_refused_while_codes_are_throttled() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.clock.advance(30);
    for _ in 0..3 {
        wait(&app.verify(&admin.token, "000000"));
    }
    let right = app.code(&admin.seed.unwrap());
    assert_eq!(wait(&app.verify(&admin.token, &right)), 1);
    app.clock.advance(1);
    assert_eq!(app.verify(&admin.token, &right).status, 200);
}

/// Goal: codes that are turned away leave a trace, and one entry a window at most.
#[test]
fn codes_that_are_turned_away_are_summed_up_as_passwords_are() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.clock.advance(30);
    for _ in 0..3 {
        wait(&app.verify(&admin.token, "000000"));
    }
    let first = journal::size(&app);
    for _ in 0..20 {
        assert_eq!(wait(&app.verify(&admin.token, "000000")), 1);
    }
    assert_eq!(journal::names(&app, first), [""; 0]);
    app.clock.advance(60);
    assert_eq!(app.verify(&admin.token, "000000").status, 401);
    assert_eq!(journal::names(&app, first), ["mfa.refused", "attempts.throttled"]);
    let stored = app.stored();
    let line = stored.lines().last().unwrap();
    assert!(line.contains(r#""count":20,"names":1,"sources":1"#), "{line}");
    app.assert_replays();
}

/// Goal: SP 800-63B-4 §3.2.2: at the limit the password is disabled and must be bound
/// anew; nobody but an administrator's ticket brings the person back.
#[test]
fn a_password_is_disabled_at_the_limit_and_replaced_with_a_ticket() {
    let setup = Setup::default().with_setting("decisions.throttle.failures_max_password=4");
    let mut app = TestApp::spawn(&setup);
    let admin = app.admin();
    app.person(&admin, "alice");
    let session = app.one_factor("alice");
    for _ in 0..3 {
        assert_eq!(wait(&app.login("alice", WRONG)), 0);
    }
    app.clock.advance(1);
    let first = journal::size(&app);
    assert_eq!(wait(&app.login("alice", WRONG)), 0);
    assert_eq!(journal::names(&app, first), ["password.refused", "credential.disabled"]);

    assert_eq!(app.get("/auth/v1/session", &session.token).status, 200, "who is in stays in");
    app.clock.advance(600);
    assert_eq!(app.login("alice", PASSWORD).code(), "login_failed");
    app.restart();
    app.clock.advance(200);
    assert_eq!(app.login("alice", PASSWORD).code(), "login_failed");

    let ticket = ticket(&app, &admin, "alice");
    app.enrol(&ticket, "nine brass lanterns by the canal").expect(201);
    assert_eq!(app.login("alice", "nine brass lanterns by the canal").status, 200);
}

/// Goal: the same for a second factor; and a thief of the password who wears it out
/// cannot put his own in its place.
#[test]
fn a_second_factor_is_disabled_at_the_limit_and_replaced_with_a_ticket() {
    let setup = Setup::default().with_setting("decisions.throttle.failures_max_totp=2");
    let app = TestApp::spawn(&setup);
    let admin = app.admin();
    app.person(&admin, "alice");
    let alice = app.two_factors(&app.one_factor("alice"));
    let thief = app.one_factor("alice");
    app.clock.advance(30);
    let first = journal::size(&app);
    assert_eq!(wait(&app.verify(&thief.token, "000000")), 0);
    assert_eq!(wait(&app.verify(&thief.token, "000000")), 0);
    let told = ["mfa.refused", "mfa.refused", "credential.disabled"];
    assert_eq!(journal::names(&app, first), told);

    let right = app.code(&alice.seed.unwrap());
    let answer = app.verify(&thief.token, &right);
    assert_eq!((answer.status, answer.code().as_str()), (409, "mfa_disabled"));
    let offer = app.post("/auth/v1/setup-mfa", &thief.token, &json!({}));
    assert_eq!(offer.code(), "assurance_too_low");

    app.enrol(&ticket(&app, &admin, "alice"), PASSWORD).expect(201);
    let anew = app.two_factors(&app.one_factor("alice"));
    assert_eq!(app.get("/auth/v1/session", &anew.token).expect(200)["aal"], 2);
    assert_ne!(anew.seed, alice.seed);
}
