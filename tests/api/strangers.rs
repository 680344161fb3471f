//! Guessing from elsewhere: what it costs the guesser, and not the person.

use std::time::Duration;

use countersign::hasher::HasherSettings;
use serde_json::json;

use crate::app::{Answer, PASSWORD, Setup, TestApp};
use crate::journal;

const WRONG: &str = "some other long password";
const DEVICE: &str = "__Host-countersign-device";

/// A node behind a proxy on this machine, whose word on the client's address counts.
fn behind_a_proxy() -> Setup {
    Setup::default().with_setting("behind_proxy=true").with_setting("trusted_proxies=127.0.0.1")
}

/// A login from a network, on a device if a cookie is sent.
fn log_in(app: &TestApp, from: &str, cookie: &str, name: &str, password: &str) -> Answer {
    let body = json!({"username": name, "password": password, "cookie": true}).to_string();
    let headers =
        [("content-type", "application/json"), ("x-forwarded-for", from), ("cookie", cookie)];
    app.raw("POST", "/auth/v1/login", &headers, body.as_bytes())
}

fn stranger(app: &TestApp, nth: u32, name: &str) -> Answer {
    log_in(app, &format!("198.51.{}.7", nth % 250), "", name, WRONG)
}

/// What an answer says but for the time.
fn said(answer: &Answer) -> (u16, &str, &str) {
    (answer.status, &answer.text, answer.header("retry-after"))
}

/// The cookie that a browser sends back for its device.
fn device(answer: &Answer) -> String {
    let all = answer.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap());
    let ours = all.into_iter().find(|it| it.starts_with(DEVICE)).unwrap();
    for attribute in ["HttpOnly", "Path=/", "SameSite=Strict", "Secure", "Max-Age=34560000"] {
        assert!(ours.contains(attribute), "{ours}");
    }
    ours.split(';').next().unwrap().to_owned()
}

/// Goal: delays are for who has failed: another network is not slowed down by them, and a
/// header that no trusted proxy has written makes nobody another.
#[test]
fn delays_grow_by_account_and_network() {
    let app = TestApp::spawn(&behind_a_proxy());
    app.admin();
    for name in ["admin", "nobody"] {
        for _ in 0..3 {
            assert_eq!(log_in(&app, "192.0.2.1", "", name, WRONG).status, 401);
        }
        assert_eq!(log_in(&app, "192.0.2.254", "", name, WRONG).status, 429, "one /24");
        let faked = log_in(&app, "203.0.113.9, 192.0.2.1", "", name, WRONG);
        assert_eq!(faked.status, 429, "the newest address counts");
        assert_eq!(log_in(&app, "192.0.3.1", "", name, WRONG).status, 401);
    }
    assert_eq!(log_in(&app, "192.0.2.1", "", "admin", PASSWORD).status, 429);
    assert_eq!(log_in(&app, "192.0.4.1", "", "admin", PASSWORD).status, 200);
}

/// Goal: nobody is locked out by strangers on the device they use. Known and unknown names
/// are slowed down alike, word for word. Source: ASVS 5.0 6.1.1, 6.3.8.
#[test]
fn strangers_together_slow_down_strangers_alone() {
    let app = TestApp::spawn(&behind_a_proxy());
    app.enrol(app.ticket.expose(), PASSWORD).expect(201);
    let own = device(&log_in(&app, "192.0.2.1", "", "admin", PASSWORD));
    let names = ["admin", "nobody"];
    for nth in 0..30 {
        let answers = names.map(|name| stranger(&app, nth, name));
        assert_eq!(answers[0].status, 401, "{nth}");
        assert_eq!(said(&answers[0]), said(&answers[1]));
    }
    let answers = names.map(|name| stranger(&app, 100, name));
    assert_eq!(answers[0].status, 429, "they share what they have free");
    assert_eq!(said(&answers[0]), said(&answers[1]));
    assert_eq!(log_in(&app, "203.0.113.1", "", "admin", PASSWORD).status, 429);

    let known = log_in(&app, "203.0.113.1", &own, "admin", PASSWORD);
    assert_eq!(known.status, 200, "the owner's device is not slowed down");
    assert_eq!(device(&known), own, "and stays the same one");
    assert_eq!(stranger(&app, 101, "admin").status, 429, "nor do strangers profit from it");
}

/// Goal: the cookie opens nothing, is nobody else's, and ends with the password.
#[test]
fn a_device_is_known_by_its_own_person_and_password_alone() {
    let app = TestApp::spawn(&behind_a_proxy());
    let admin = app.admin();
    app.person(&admin, "alice");
    let own = device(&log_in(&app, "192.0.2.1", "", "alice", PASSWORD));
    for _ in 0..3 {
        assert_eq!(log_in(&app, "192.0.2.1", &own, "alice", WRONG).status, 401);
    }
    assert_eq!(log_in(&app, "203.0.113.1", &own, "alice", PASSWORD).status, 429, "its own delay");
    assert_eq!(log_in(&app, "192.0.2.1", "", "alice", PASSWORD).status, 200, "and no other's");

    for nth in 0..30 {
        stranger(&app, nth, "admin");
    }
    let mut forged = own.clone();
    forged.replace_range(forged.len() - 6.., "AAAAAA");
    for cookie in [own.as_str(), &forged, "__Host-countersign-device=x"] {
        let refused = log_in(&app, "203.0.113.1", cookie, "admin", PASSWORD);
        assert_eq!(refused.status, 429, "{cookie}");
    }

    app.clock.advance(1);
    let made = app.post("/users/v1/alice/ticket", &admin.token, &json!({})).expect(201);
    app.enrol(made["ticket"].as_str().unwrap(), "nine brass lanterns by the canal").expect(201);
    for nth in 0..30 {
        stranger(&app, nth, "alice");
    }
    let after = log_in(&app, "203.0.113.1", &own, "alice", "nine brass lanterns by the canal");
    assert_eq!(after.status, 429, "a new password, and a device to be known anew");
}

/// Goal: the limit counts whoever fails, disables the password and nothing else, and
/// outlives a restart. Source: SP 800-63B-4 §3.2.2.
#[test]
fn a_hundred_failures_disable_the_password_wherever_they_come_from() {
    let mut app = TestApp::spawn(&behind_a_proxy());
    let admin = app.admin();
    app.person(&admin, "alice");
    let (first, mut minutes) = (journal::size(&app), 0);
    for nth in 0..100 {
        if nth == 50 {
            app.restart();
        }
        while stranger(&app, nth, "alice").status == 429 {
            app.clock.advance(60);
            minutes += 1;
        }
    }
    let told = journal::names(&app, first);
    let count = |name: &str| told.iter().filter(|it| *it == name).count();
    assert_eq!((count("password.refused"), count("credential.disabled")), (100, 1));
    assert!(minutes > 60 * 15, "and that took most of a day");
    app.clock.advance(3_600);
    assert_eq!(app.login("alice", PASSWORD).code(), "login_failed");
    app.assert_replays();
}

/// Goal: what is turned away unread costs one entry a window, however much it is.
#[test]
fn attempts_that_are_turned_away_are_summed_up() {
    let app = TestApp::spawn(&behind_a_proxy());
    for name in ["nobody", "nobody-else"] {
        for _ in 0..3 {
            assert_eq!(log_in(&app, "192.0.2.1", "", name, WRONG).status, 401);
        }
    }
    let (first, computed) = (journal::size(&app), app.node.hasher.computed());
    for _ in 0..50 {
        for name in ["nobody", "nobody-else"] {
            assert_eq!(log_in(&app, "192.0.2.1", "", name, WRONG).status, 429);
        }
    }
    assert_eq!(journal::names(&app, first), [""; 0]);
    assert_eq!(app.node.hasher.computed(), computed, "nothing was hashed");
    app.clock.advance(60);
    assert_eq!(log_in(&app, "192.0.9.1", "", "somebody", WRONG).status, 401);
    assert_eq!(journal::names(&app, first), ["password.refused", "attempts.throttled"]);
    let stored = app.stored();
    let line = stored.lines().last().unwrap();
    assert!(line.contains(r#""count":100,"names":2,"sources":1"#), "{line}");
}

/// Goal: a stop loses nothing of it.
#[test]
fn what_was_turned_away_last_is_recorded_when_the_server_stops() {
    let mut app = TestApp::spawn(&behind_a_proxy());
    for _ in 0..5 {
        log_in(&app, "192.0.2.1", "", "nobody", WRONG);
    }
    let first = journal::size(&app);
    app.restart();
    assert_eq!(journal::names(&app, first), ["attempts.throttled", "node.started"]);
    assert!(app.stored().contains(r#""count":2,"names":1,"sources":1"#));
    app.assert_replays();
}

/// Goal: one network cannot spend what all share, whatever names it tries.
#[test]
fn one_network_has_an_allowance_of_its_own() {
    let app = TestApp::spawn(&behind_a_proxy().with_setting("limits.logins_per_source=5"));
    app.admin();
    let names: Vec<_> = (0..5).map(|nth| format!("name-{nth}")).collect();
    for name in &names {
        assert_eq!(log_in(&app, "192.0.2.1", "", name, WRONG).status, 401);
    }
    let (known, unknown) =
        (log_in(&app, "192.0.2.9", "", "admin", PASSWORD), stranger_from(&app, "192.0.2.9"));
    assert_eq!((known.status, said(&known)), (429, said(&unknown)));
    assert_eq!(known.header("retry-after"), "12");
    assert_eq!(log_in(&app, "192.0.3.1", "", "admin", PASSWORD).status, 200);
    app.clock.advance(12);
    assert_eq!(log_in(&app, "192.0.2.1", "", "admin", PASSWORD).status, 200);
}

fn stranger_from(app: &TestApp, from: &str) -> Answer {
    log_in(app, from, "", "nobody", WRONG)
}

/// Everybody who cannot log in with this password, each for another reason.
fn everybody(app: &TestApp) -> Vec<&'static str> {
    let admin = app.admin();
    for name in ["known", "worn-out", "barred", "leaked"] {
        app.person(&admin, name);
    }
    app.post("/users/v1", &admin.token, &json!({"name": "ticket-only"})).expect(201);
    app.post("/users/v1/barred/disable", &admin.token, &json!({})).expect(204);
    app.post("/users/v1/leaked/password-compromised", &admin.token, &json!({})).expect(204);
    let hash = "$2b$04$uzfqreZhByPpy4t9SOQLKOr6FdXgsNL4CmazYolgGehfYsP1d1IM2";
    let users = json!({"users": [{"name": "imported", "hash": hash}]});
    app.post("/users/v1/import", &admin.token, &users).expect(200);
    let unknown = ["nobody", "no name at all"];
    [&unknown[..], &["known", "worn-out", "barred", "leaked", "ticket-only", "imported"]].concat()
}

/// Goal: nobody learns from an answer who is known here, nor in what way. Source: ASVS 5.0
/// 6.3.8.
#[test]
fn a_refusal_is_word_for_word_the_same_whoever_is_asked_for() {
    let setup = Setup::default().with_setting("decisions.throttle.failures_max_password=2");
    let app = TestApp::spawn(&setup);
    let names = everybody(&app);
    for round in 0..4 {
        let answers: Vec<_> = names.iter().map(|name| log_in(&app, "", "", name, WRONG)).collect();
        for (answer, name) in answers.iter().zip(&names) {
            assert_eq!(said(answer), said(&answers[0]), "{name}, round {round}");
            let named = |it: &Answer| -> Vec<String> {
                let all = it.headers.keys().map(ToString::to_string);
                let mut all: Vec<_> = all.filter(|name| name != "date").collect();
                all.sort_unstable();
                all
            };
            assert_eq!(named(answer), named(&answers[0]), "{name}, round {round}");
        }
        assert_eq!(answers[0].status, if round < 3 { 401 } else { 429 });
    }
}

/// Goal: a full queue says the same to everybody, and leaves nothing behind.
#[test]
fn a_hasher_that_is_too_busy_says_so_to_everybody_alike() {
    let mut app = TestApp::spawn(&Setup::default());
    let names = everybody(&app);
    // Whoever waits at all has waited too long.
    app.restart_hashing_at(HasherSettings::insecure_for_tests().with_patience(Duration::ZERO));
    let first = journal::size(&app);
    let answers: Vec<_> = names.iter().map(|name| app.login(name, PASSWORD)).collect();
    for (answer, name) in answers.iter().zip(&names) {
        assert_eq!((answer.status, answer.code()), (503, "hashing_busy".to_owned()), "{name}");
        assert_eq!(said(answer), said(&answers[0]), "{name}");
    }
    assert_eq!(journal::names(&app, first), [""; 0]);
}

/// Goal: beyond what the node looks at in a second, everybody hears the same.
#[test]
fn all_together_have_an_allowance() {
    let app = TestApp::spawn(&Setup::default().with_setting("limits.logins_per_s=1"));
    app.enrol(app.ticket.expose(), PASSWORD).expect(201);
    for nth in 0..10 {
        assert_eq!(app.login(&format!("name-{nth}"), WRONG).status, 401);
    }
    let (known, unknown) = (app.login("admin", PASSWORD), app.login("nobody", WRONG));
    assert_eq!((known.status, said(&known)), (429, said(&unknown)));
    app.clock.advance(1);
    assert_eq!(app.login("admin", PASSWORD).status, 200);
}
