//! Logging in by password, sessions, logging out.

use std::collections::BTreeSet;

use countersign::event::{Event, SessionUsed};
use serde_json::{Value, json};

use crate::app::{Answer, PASSWORD, Person, Setup, TestApp};
use crate::{door, journal};

/// What a stranger can tell two answers apart by.
fn visible(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status, answer.text.clone(), headers)
}

fn register(app: &TestApp, admin: &Person, name: &str) -> String {
    let made = app.post("/users/v1", &admin.token, &json!({"name": name})).expect(201);
    made["ticket"].as_str().unwrap().to_owned()
}

/// Goal: nobody learns who is known here. Source: ASVS 5.0 6.3.8.
#[test]
fn every_failed_login_has_the_same_answer() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    app.person(&admin, "twofold");
    app.two_factors(&app.one_factor("twofold"));
    app.person(&admin, "barred");
    app.post("/users/v1/barred/disable", &admin.token, &json!({})).expect(204);
    register(&app, &admin, "ticket-only");
    let long = "x".repeat(600);

    let wrong = "some other long password";
    let attempts = [
        ("alice", wrong),
        ("twofold", wrong),
        ("barred", wrong),
        ("barred", PASSWORD),
        ("ticket-only", wrong),
        ("nobody", wrong),
        ("no name at all", wrong),
        ("", wrong),
        (long.as_str(), wrong),
    ];
    let answers = attempts.map(|(name, password)| visible(&app.login(name, password)));

    assert_eq!(answers[0].0, 401);
    assert!(answers[0].1.contains("login_failed"), "{}", answers[0].1);
    for (answer, (name, _)) in answers.iter().zip(attempts) {
        assert_eq!(answer, &answers[0], "{name}");
    }
}

/// Source: SP 800-63B-4 §3.1.1.2 (NFC for passwords); a name is the same in any case.
#[test]
fn a_name_and_a_password_are_the_same_however_they_are_typed() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let composed = "caf\u{e9} by the quiet harbour";
    let decomposed = "cafe\u{301} by the quiet harbour";
    app.enrol(&register(&app, &admin, "ZOE\u{308}@Example.com"), composed).expect(201);

    let names = ["zo\u{eb}@example.com", "ZO\u{cb}@EXAMPLE.COM", "zoe\u{308}@example.com"];
    for name in names {
        for password in [composed, decomposed] {
            let begun = app.login(name, password).expect(200);
            assert_eq!(begun["session"]["user"], json!({"type": "User", "id": names[0]}));
        }
    }
    assert_eq!(app.login(names[0], "Caf\u{e9} by the quiet harbour").status, 401);
    let again = app.post("/users/v1", &admin.token, &json!({"name": "Zoe\u{308}@example.com"}));
    assert_eq!(again.code(), "person_exists");
}

/// Goal: nobody makes the hasher work on a megabyte; such a try is refused before it
/// is counted or hashed. Source: SP 800-63B-4 §3.1.1.2, OWASP on long passwords.
#[test]
fn a_password_too_long_is_refused_before_anything_is_done_with_it() {
    let app = TestApp::spawn(&Setup::default());
    let most: String = ('\u{1f400}'..).step_by(3).take(128).collect();
    app.enrol(app.ticket.expose(), &most).expect(201);
    let first = journal::size(&app);

    for long in ["\u{1f409}".repeat(129), "x".repeat(513), "y".repeat(60_000)] {
        let (known, unknown) = (app.login("admin", &long), app.login("nobody", &long));
        assert_eq!((known.status, known.code().as_str()), (400, "bad_password"));
        assert_eq!(visible(&known), visible(&unknown));
    }
    assert_eq!(app.login("admin", "").status, 400);
    assert_eq!(app.login("admin", &"z".repeat(70_000)).status, 413);

    assert_eq!(journal::names(&app, first), [""; 0]);
    assert_eq!(app.login("admin", &most).status, 200, "512 bytes are not too many");
}

/// Goal: what was stolen before the second factor is worth nothing after it.
///
/// Source: ASVS 5.0 7.2.4.
#[test]
fn both_tokens_change_when_a_session_rises() {
    let app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);
    app.person(&admin, "alice");
    let one = app.one_factor("alice");

    let two = app.two_factors(&one);

    assert_ne!(one.token, two.token);
    assert_ne!(one.session_token, two.session_token);
    assert_eq!(app.get("/auth/v1/session", &one.token).status, 401);
    assert!(!door::opens(&app, &pep, "alice", &one.session_token));
    assert_eq!(last_session(&app), Some(SessionUsed::Unknown));
    assert_eq!(app.get("/auth/v1/session", &two.token).status, 200);
    assert!(door::opens(&app, &pep, "alice", &two.session_token));
}

/// What became of the session presented in the newest decision.
fn last_session(app: &TestApp) -> Option<SessionUsed> {
    let log = app.log();
    let decided = log.iter().rev().find_map(|entry| match &entry.event {
        Event::AccessDecided(decided) => Some(decided),
        _ => None,
    });
    decided.unwrap().session.clone()
}

/// Goal: what reaches every application is no key to Countersign, and the other way
/// round: README.md, "A person's session".
#[test]
fn the_two_tokens_of_a_session_never_stand_in_for_each_other() {
    let app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);
    app.person(&admin, "alice");
    let alice = app.two_factors(&app.one_factor("alice"));

    assert_eq!(app.get("/auth/v1/session", &alice.session_token).status, 401);
    assert_eq!(app.get("/users/v1", &admin.session_token).status, 401);
    assert_eq!(app.get("/auth/v1/session", &pep).status, 403, "a service is no person");
    assert!(!door::opens(&app, &pep, "alice", &alice.token));
    assert_eq!(last_session(&app), Some(SessionUsed::Unknown));
    assert!(!door::opens(&app, &pep, "alice", &pep));
}

#[test]
fn who_logs_out_is_out_at_once_with_both_tokens_and_only_there() {
    let app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);
    app.person(&admin, "alice");
    let here = app.two_factors(&app.one_factor("alice"));
    let there = app.one_factor("alice");

    app.post("/auth/v1/logout", &here.token, &json!({})).expect(204);

    assert_eq!(app.get("/auth/v1/session", &here.token).status, 401);
    assert_eq!(app.post("/auth/v1/logout", &here.token, &json!({})).status, 401);
    assert!(!door::opens(&app, &pep, "alice", &here.session_token));
    assert_eq!(last_session(&app), Some(SessionUsed::Unknown));
    assert_eq!(app.get("/auth/v1/session", &there.token).status, 200);
}

#[test]
fn a_session_shows_what_it_is_worth() {
    let app = TestApp::spawn(&Setup::default());
    app.admin();
    let one = app.one_factor("admin");
    let shown = app.get("/auth/v1/session", &one.token).expect(200);
    let expected = json!({
        "user": {"type": "User", "id": "admin"},
        "aal": 1,
        "amr": ["pwd"],
        "authenticated_at": "2026-11-22T12:00:00.000000Z",
        "expires_at": "2026-11-23T12:00:00.000000Z",
        "idle_until": "2026-11-22T13:00:00.000000Z",
        "mfa_enrolled": true,
        "mfa_pending": false,
        "passkeys": 0,
    });
    assert_eq!(shown, expected);
}

/// Source: SP 800-63B-4 §2.2.3: at AAL2 an hour idle, and here 12 hours in all.
#[test]
fn a_session_ends_when_it_is_idle_or_old_however_busy() {
    let app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);
    app.person(&admin, "alice");
    let one = app.one_factor("alice");
    let busy = app.two_factors(&one);
    let idle = app.one_factor("alice");

    app.clock.advance(3_600);
    assert_eq!(app.get("/auth/v1/session", &idle.token).status, 200);
    assert!(door::opens(&app, &pep, "alice", &busy.session_token));
    app.clock.advance(1);
    assert_eq!(app.get("/auth/v1/session", &idle.token).status, 401);

    for _ in 0..13 {
        app.clock.advance(3_000);
        assert!(door::opens(&app, &pep, "alice", &busy.session_token));
    }
    app.clock.advance(43_200 - 3_601 - 13 * 3_000);
    assert!(door::opens(&app, &pep, "alice", &busy.session_token));
    app.clock.advance(1);
    assert!(!door::opens(&app, &pep, "alice", &busy.session_token));
    assert!(matches!(last_session(&app), Some(SessionUsed::Over { .. })));
    assert_eq!(app.get("/auth/v1/session", &busy.token).status, 401);
}

/// Source: ASVS 5.0 7.4.2.
#[test]
fn who_is_disabled_is_out_with_the_next_request() {
    let app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);
    app.person(&admin, "alice");
    let alice = app.two_factors(&app.one_factor("alice"));
    assert!(door::opens(&app, &pep, "alice", &alice.session_token));

    app.post("/users/v1/alice/disable", &admin.token, &json!({"reason": "left"})).expect(204);

    assert!(!door::opens(&app, &pep, "alice", &alice.session_token));
    assert_eq!(app.get("/auth/v1/session", &alice.token).status, 401);
    assert_eq!(app.login("alice", PASSWORD).code(), "login_failed");
}

/// Goal: a script that logs in for ever displaces itself, and nobody else.
#[test]
fn the_twenty_first_session_displaces_the_oldest() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let later = |_| {
        app.clock.advance(1);
        app.one_factor("alice")
    };
    let all: Vec<_> = (0..21).map(later).collect();
    let status = |person: &Person| app.get("/auth/v1/session", &person.token).status;
    assert_eq!(status(&all[0]), 401);
    assert!(all[1..].iter().all(|it| status(it) == 200));
    assert_eq!(status(&admin), 200);
}

/// Goal: the log tells the article's story, step by step and nothing else: enrol,
/// fail, log in, be denied, set up, fail, confirm, be allowed, leave.
#[test]
fn the_log_tells_the_whole_story_of_a_login() {
    let app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);
    let ticket = register(&app, &admin, "alice");
    let first = journal::size(&app);

    app.enrol(&ticket, PASSWORD).expect(201);
    app.login("alice", "not her password").expect(401);
    let one = app.one_factor("alice");
    assert!(!door::opens(&app, &pep, "alice", &one.session_token));
    let offer = app.post("/auth/v1/setup-mfa", &one.token, &json!({})).expect(200);
    let seed = crate::app::seed(offer["secret"].as_str().unwrap());
    let right = app.code(&seed);
    app.verify(&one.token, &wrong(&right)).expect(401);
    let two = Person::of(&app.verify(&one.token, &right).expect(200), Some(seed));
    assert!(door::opens(&app, &pep, "alice", &two.session_token));
    app.post("/auth/v1/logout", &two.token, &json!({})).expect(204);

    let told = [
        ("ticket.used", "anonymous"),
        ("password.enrolled", "anonymous"),
        ("password.refused", "anonymous"),
        ("password.verified", "anonymous"),
        ("session.started", "anonymous"),
        ("access.decided", "service"),
        ("mfa.offered", "person/alice"),
        ("mfa.refused", "person/alice"),
        ("mfa.enrolled", "person/alice"),
        ("mfa.verified", "person/alice"),
        ("session.raised", "person/alice"),
        ("access.decided", "service"),
        ("session.ended", "person/alice"),
    ];
    assert_eq!(journal::names(&app, first), told.map(|(name, _)| name));
    for (entry, (name, actor)) in journal::since(&app, first).iter().zip(told) {
        assert!(entry.actor.to_string().starts_with(actor), "{name}: {}", entry.actor);
        assert!(entry.correlation.is_some(), "{name} belongs to no request");
        // An auditor sees from where, and in which of her sessions.
        assert_eq!(entry.whence.network.is_some(), actor != "service", "{name}");
        assert_eq!(entry.whence.session.is_some(), actor == "person/alice", "{name}");
    }
    let in_sessions: BTreeSet<_> =
        journal::since(&app, first).iter().filter_map(|entry| entry.whence.session).collect();
    assert_eq!(in_sessions.len(), 1, "a session that rises keeps its id");
}

/// A code that is wrong whatever the right one is.
fn wrong(right: &str) -> String {
    let next = (right.parse::<u32>().unwrap() + 1) % 1_000_000;
    format!("{next:06}")
}

/// Goal: a member typed wrongly is named or described, never repeated: it may hold a
/// password.
#[test]
fn a_body_that_cannot_be_read_is_not_repeated() {
    let app = TestApp::spawn(&Setup::default());
    let secret = "quiet-harbours-at-dusk";
    for body in [
        json!({"username": "alice", "password": {"text": secret}}).to_string(),
        json!({"username": [secret], "password": "x"}).to_string(),
        json!({"username": "alice", "password": secret, "cookie": secret}).to_string(),
        json!([secret]).to_string(),
        json!(secret).to_string(),
        format!("{{\"username\": \"alice\", \"password\": \"{secret}\""),
        format!("{{\"password\": {secret}}}"),
        format!("{{\"password\": \"{secret}\", \"password\": \"{secret}\"}}"),
    ] {
        let headers = [("content-type", "application/json")];
        let answer = app.raw("POST", "/auth/v1/login", &headers, body.as_bytes());
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(!answer.text.contains(secret), "{}", answer.text);
        let problem: Value = answer.json();
        assert_eq!(problem["status"], 400);
    }
}
