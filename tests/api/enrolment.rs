//! From a one-time ticket to a password.

use countersign::event::Event;
use countersign::model::Digest;
use serde_json::{Value, json};

use crate::app::{Answer, PASSWORD, Person, Setup, TestApp};
use crate::journal;

const OTHER: &str = "nine brass lanterns by the canal";

/// Makes a person known; returns their ticket.
fn ticket(app: &TestApp, admin: &Person, name: &str) -> String {
    let made = app.post("/users/v1", &admin.token, &json!({"name": name})).expect(201);
    made["ticket"].as_str().unwrap().to_owned()
}

fn ticket_again(app: &TestApp, admin: &Person, name: &str) -> String {
    let made = app.post(&format!("/users/v1/{name}/ticket"), &admin.token, &json!({})).expect(201);
    made["ticket"].as_str().unwrap().to_owned()
}

fn refused(answer: &Answer) -> Value {
    assert_eq!(answer.code(), "ticket_invalid");
    answer.expect(401)
}

/// Goal: a ticket is worth one password, and the record says who used it.
#[test]
fn a_ticket_sets_one_password() {
    let app = TestApp::spawn(&Setup::default());
    let first = journal::size(&app);
    let ticket = app.ticket.expose();

    assert_eq!(app.enrol(ticket, PASSWORD).expect(201), json!({"person": "admin"}));
    assert_eq!(journal::names(&app, first), ["ticket.used", "password.enrolled"]);
    // Who holds a ticket has not shown who they are: it may be whoever handed it over.
    let entries = journal::since(&app, first);
    let actors: Vec<_> = entries.iter().map(|it| it.actor.to_string()).collect();
    assert_eq!(actors, ["anonymous", "anonymous"]);
    assert!(entries.iter().all(|it| it.whence.network.is_some() && it.whence.session.is_none()));

    refused(&app.enrol(ticket, OTHER));
    assert_eq!(app.login("admin", OTHER).status, 401);
    assert_eq!(app.login("admin", PASSWORD).status, 200);
}

/// Goal: an old letter is worth nothing. Source: ASVS 5.0 6.4.1.
#[test]
fn a_ticket_lapses() {
    let app = TestApp::spawn(&Setup::default().with_setting("decisions.session.ticket_s=60"));
    let admin = app.admin();
    let (early, late) = (ticket(&app, &admin, "early"), ticket(&app, &admin, "late"));
    app.clock.advance(59);
    app.enrol(&early, PASSWORD).expect(201);
    app.clock.advance(1);
    refused(&app.enrol(&late, PASSWORD));
}

/// Goal: nobody learns whether a ticket was ever one.
#[test]
fn tickets_that_are_not_valid_are_refused_alike() {
    let app = TestApp::spawn(&Setup::default().with_setting("decisions.session.ticket_s=60"));
    let admin = app.admin();
    let (lapsed, used) = (ticket(&app, &admin, "lapsed"), ticket(&app, &admin, "used"));
    app.enrol(&used, PASSWORD).expect(201);
    app.clock.advance(60);
    let replaced = ticket(&app, &admin, "replaced");
    ticket_again(&app, &admin, "replaced");
    let barred = ticket(&app, &admin, "barred");
    app.post("/users/v1/barred/disable", &admin.token, &json!({})).expect(204);
    let first = journal::size(&app);

    let unknown = "cs_ticket_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let long = "x".repeat(5_000);
    let all = [unknown, "", "short", "a ticket with spaces in it", "šestnáctkařek", &long];
    let answers: Vec<_> = [&lapsed, &used, &replaced, &barred]
        .into_iter()
        .map(String::as_str)
        .chain(all)
        .map(|ticket| refused(&app.enrol(ticket, OTHER)))
        .collect();

    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    // What has not the form of a ticket may be a password, and is kept in no form.
    assert_eq!(journal::names(&app, first), ["ticket.refused"; 5]);
}

/// Goal: a letter that somebody has read and tries again is on record, as nobody's doing,
/// and nobody fills the log with it or holds up a ticket that counts.
#[test]
fn a_ticket_tried_again_leaves_a_trace_and_many_leave_one_a_window() {
    let app = TestApp::spawn(
        &Setup::default()
            .with_setting("behind_proxy=true")
            .with_setting("trusted_proxies=127.0.0.1")
            .with_setting("limits.logins_per_source=3"),
    );
    let admin = app.admin();
    let (used, open) = (ticket(&app, &admin, "alice"), ticket(&app, &admin, "bob"));
    app.enrol(&used, PASSWORD).expect(201);
    let first = journal::size(&app);
    let from = |ticket: &str| {
        let headers = [("x-forwarded-for", "192.0.2.1"), ("content-type", "application/json")];
        let body = json!({"ticket": ticket, "password": OTHER}).to_string();
        app.raw("POST", "/auth/v1/enrol", &headers, body.as_bytes())
    };
    for _ in 0..20 {
        refused(&from(&used));
    }
    let log = journal::since(&app, first);
    assert_eq!(journal::names(&app, first), ["ticket.refused"; 3]);
    for entry in &log {
        let Event::TicketRefused(it) = &entry.event else { panic!() };
        assert_eq!(it.ticket, Digest::of(&used));
        assert_eq!(entry.actor.to_string(), "anonymous");
        assert!(entry.whence.network.is_some() && !app.stored().contains(&used));
    }
    from(&open).expect(201);
    app.clock.advance(60);
    refused(&from(&used));
    let told = ["ticket.used", "password.enrolled", "ticket.refused", "attempts.throttled"];
    assert_eq!(journal::names(&app, first)[3..], told);
    assert!(app.stored().contains(r#""count":17,"names":1,"sources":1"#));
    app.assert_replays();
}

/// Goal: of two letters only the second counts.
#[test]
fn a_new_ticket_voids_the_one_before() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let first = ticket(&app, &admin, "alice");
    let second = ticket_again(&app, &admin, "alice");
    refused(&app.enrol(&first, OTHER));
    app.enrol(&second, PASSWORD).expect(201);
    assert_eq!(app.login("alice", PASSWORD).status, 200);
}

/// Goal: who is refused hears why, may try again, and leaves no trace of the try.
///
/// Source: SP 800-63B-4 §3.1.1.2.
#[test]
fn a_weak_password_is_refused_with_its_reason_and_costs_no_ticket() {
    let words = "passwords.words=Harbour Lights, Project Kestrel";
    let app = TestApp::spawn(&Setup::default().with_setting(words));
    let first = journal::size(&app);
    let long = "ab".repeat(65);
    for (weak, reason) in [
        ("", "must not be empty"),
        ("orchid", "has 6 characters: it needs at least 8"),
        ("fourteen chars", "has 14 characters: without a second factor it needs at least 15"),
        (long.as_str(), "at most 128 characters"),
        ("adminadminadmin", "must not be made of the user's name"),
        ("harbour lights 2026!", "words of this organisation"),
        ("CountersignCountersign", "must not be made of the user's name"),
        ("xyzxyzxyzxyzxyz", "repeats one short piece"),
        ("abcdefghijklmnop", "run of neighbouring characters"),
        ("Correct Horse Battery Staple", "those that are tried first"),
    ] {
        let answer = app.enrol(app.ticket.expose(), weak);
        let problem = answer.expect(422);
        assert_eq!(problem["code"], "password_weak", "{weak}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(reason), "{weak}: {detail}");
        assert!(weak.is_empty() || !answer.text.contains(weak), "{weak} is repeated");
    }
    assert_eq!(journal::names(&app, first), [""; 0]);
    app.enrol(app.ticket.expose(), "all lower case, no digit").expect(201);
}

/// Goal: a short password never stands alone; beside a second factor it may.
///
/// Source: SP 800-63B-4 §3.1.1.2 (1).
#[test]
fn how_long_a_password_must_be_depends_on_the_second_factor() {
    let throttle = "decisions.throttle.failures_max_totp=1";
    let app = TestApp::spawn(&Setup::default().with_setting(throttle));
    let admin = app.admin();
    app.person(&admin, "alice");
    let alice = app.two_factors(&app.one_factor("alice"));
    let short = "vqmzkwhr";

    app.enrol(&ticket_again(&app, &admin, "alice"), short).expect(201);

    // Worn out, the factor is taken off by the next enrolment: what is set then is alone.
    let weak = Person::of(&app.login("alice", short).expect(200), alice.seed);
    assert_eq!(app.verify(&weak.token, "000000").code(), "mfa_failed");
    let last = ticket_again(&app, &admin, "alice");
    assert_eq!(app.enrol(&last, short).code(), "password_weak");
    app.enrol(&last, PASSWORD).expect(201);
    let alone = app.login("alice", PASSWORD).expect(200);
    assert_eq!(alone["session"]["mfa_enrolled"], false);
}

/// Goal: a lost password costs its sessions, and gets nobody past the second factor.
///
/// Source: ASVS 5.0 6.4.3, 7.4.3.
#[test]
fn a_new_password_ends_the_sessions_and_leaves_the_second_factor() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let before = app.two_factors(&app.one_factor("alice"));

    app.enrol(&ticket_again(&app, &admin, "alice"), OTHER).expect(201);

    assert_eq!(app.get("/auth/v1/session", &before.token).status, 401);
    assert_eq!(app.login("alice", PASSWORD).status, 401);
    let after = app.login("alice", OTHER).expect(200);
    assert_eq!(after["session"]["aal"], 1);
    assert_eq!(after["session"]["mfa_enrolled"], true);
    let offer = app.post("/auth/v1/setup-mfa", after["token"].as_str().unwrap(), &json!({}));
    assert_eq!(offer.code(), "assurance_too_low");
}

/// Goal: there is no default account; before the first enrolment nothing but the
/// ticket gets in, and that only to set a password. Source: ASVS 5.0 6.3.2.
#[test]
fn nothing_but_the_ticket_gets_into_a_new_node() {
    let app = TestApp::spawn(&Setup::default());
    let long_enough = "password password";
    for name in ["admin", "administrator", "root", "countersign", ""] {
        for password in ["admin", "password", long_enough, app.ticket.expose()] {
            let answer = app.login(name, password);
            assert!([400, 401, 429].contains(&answer.status), "{name}: {}", answer.text);
        }
    }
    let ticket = format!("Bearer {}", app.ticket.expose());
    let basic = "Basic YWRtaW46YWRtaW4=";
    for authorization in [None, Some(ticket.as_str()), Some(basic), Some("Bearer"), Some("")] {
        for (method, path) in ENDPOINTS {
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(authorization.map(|value| ("authorization", value)));
            let answer = app.raw(method, path, &headers, b"{}");
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text);
            assert_eq!(answer.code(), "unauthenticated");
        }
    }
    app.enrol(app.ticket.expose(), PASSWORD).expect(201);
}

/// Everything but health, metadata, enrolment and login.
const ENDPOINTS: [(&str, &str); 31] = [
    ("POST", "/access/v1/evaluation"),
    ("POST", "/access/v1/evaluations"),
    ("POST", "/auth/v1/verify-mfa"),
    ("POST", "/auth/v1/setup-mfa"),
    ("POST", "/auth/v1/logout"),
    ("GET", "/auth/v1/session"),
    ("POST", "/events/v1"),
    ("GET", "/policies/v1"),
    ("PUT", "/policies/v1"),
    ("GET", "/policies/v1/any"),
    ("GET", "/schema/v1"),
    ("PUT", "/schema/v1"),
    ("GET", "/entities/v1"),
    ("POST", "/entities/v1"),
    ("GET", "/entities/v1/User/alice"),
    ("GET", "/users/v1"),
    ("POST", "/users/v1"),
    ("POST", "/users/v1/admin/ticket"),
    ("POST", "/users/v1/admin/disable"),
    ("PUT", "/users/v1/admin/roles/author"),
    ("DELETE", "/users/v1/admin/roles/author"),
    ("GET", "/tokens/v1"),
    ("POST", "/tokens/v1"),
    ("DELETE", "/tokens/v1/01935f2e-0000-7000-8000-000000000000"),
    ("GET", "/audit/v1/events"),
    ("GET", "/audit/v1/events?follow=true"),
    ("GET", "/audit/v1/entries"),
    ("GET", "/audit/v1/state"),
    ("GET", "/audit/v1/decisions/01935f2e-0000-7000-8000-000000000000"),
    ("GET", "/metrics"),
    ("DELETE", "/tokens/v1/not-an-id"),
];
