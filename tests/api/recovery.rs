//! Ways back in when the second factor is lost.

use std::sync::Barrier;
use std::thread;

use countersign::audit::describe;
use countersign::event::{Event, Refused, SessionPurpose};
use serde_json::json;

use crate::app::{Answer, PASSWORD, Person, Setup, TestApp, seed};
use crate::journal;
use crate::office::{Office, setup, unlock};

/// One step of RFC 6238, in seconds.
const STEP: u64 = 30;
const WRONG: &str = "aaaa-bbbb-cccc-dddd-eeee-ffff";

/// Alice in a session of two factors, and her codes.
fn alice(app: &TestApp, admin: &Person) -> (Person, Vec<String>) {
    app.person(admin, "alice");
    let alice = app.two_factors(&app.one_factor("alice"));
    let codes = issue(app, &alice).expect(201);
    let codes = codes["codes"].as_array().unwrap().iter();
    let codes = codes.map(|code| code.as_str().unwrap().to_owned()).collect();
    (alice, codes)
}

fn with_codes(setup: &Setup) -> (TestApp, Person, Vec<String>) {
    let app = TestApp::spawn(setup);
    let admin = app.admin();
    let (_, codes) = alice(&app, &admin);
    (app, admin, codes)
}

fn issue(app: &TestApp, person: &Person) -> Answer {
    app.post("/auth/v1/recovery-codes", &person.token, &json!({}))
}

fn recover(app: &TestApp, name: &str, password: &str, code: &str) -> Answer {
    let body = json!({"username": name, "password": password, "code": code}).to_string();
    let headers = [("content-type", "application/json")];
    app.raw("POST", "/auth/v1/recover", &headers, body.as_bytes())
}

/// Goal: a person who has lost their telephone is back in, by what they have and know, and
/// nothing is in force meanwhile that either alone would not give.
///
/// Source: SP 800-63B-4 §4.2.1.1, §4.2.2.2.
#[test]
fn a_code_beside_the_password_binds_a_new_authenticator_and_opens_nothing_else() {
    let office = Office::with(&setup());
    let app = &office.app;
    let (strong, codes) = alice(app, &office.admin);
    let start = journal::size(app);

    let answer = recover(app, "alice", PASSWORD, &codes[3]).expect(200);

    assert_eq!(answer["session"]["purpose"], "recovery");
    let told = ["recovery_code.used", "password.verified", "session.started"];
    assert_eq!(journal::names(app, start), told);
    let recovering = Person::of(&answer, None);
    let asked =
        app.evaluate_with(&office.pep, &recovering.session_token, &unlock("alice", "session"));
    assert_eq!(asked.expect(200)["decision"], false, "no session that a policy sees");
    let token = recovering.token.as_str();
    for path in ["/auth/v1/sessions", "/auth/v1/authenticators", "/auth/v1/sign-ins"] {
        let refused = app.get(path, token);
        assert_eq!((refused.status, refused.code().as_str()), (403, "recovery_only"), "{path}");
    }
    assert_eq!(issue(app, &recovering).code(), "recovery_only");
    assert_eq!(app.get("/users/v1", token).status, 403);
    // What was lost raises nothing here.
    app.clock.advance(STEP);
    let lost = app.code(&strong.seed.unwrap());
    assert_eq!(app.verify(token, &lost).code(), "mfa_not_set_up");

    let offer = app.post("/auth/v1/setup-mfa", token, &json!({"label": "new"})).expect(200);
    let new = seed(offer["secret"].as_str().unwrap());
    assert_eq!(app.verify(token, &app.code(&new)).expect(200), json!({"bound": true}));
    assert_eq!(app.get("/auth/v1/session", token).status, 401, "it has ended");
    app.clock.advance(STEP);
    let weak = app.one_factor("alice");
    assert_eq!(app.verify(&weak.token, &app.code(&new)).expect(200)["session"]["aal"], 2);
    app.assert_replays();
}

/// Goal: a code is used once, and there are always ten.
#[test]
fn a_used_code_is_void_and_the_fresh_one_counts() {
    let (mut app, _, codes) = with_codes(&Setup::default());
    let answer = recover(&app, "alice", PASSWORD, &codes[0]).expect(200);
    let fresh = answer["recovery_code"].as_str().unwrap().to_owned();
    assert!(!codes.contains(&fresh));
    app.restart();
    let again = recover(&app, "alice", PASSWORD, &codes[0]);
    assert_eq!((again.status, again.code().as_str()), (401, "recovery_failed"));
    for code in [&codes[1], &fresh, &codes[9].to_uppercase().replace('-', " ")] {
        recover(&app, "alice", PASSWORD, code).expect(200);
    }
    app.assert_replays();
}

#[test]
fn codes_are_shown_once_and_a_new_set_voids_the_old() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let (person, codes) = alice(&app, &admin);
    let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), 10);
    let shown = app.get("/auth/v1/authenticators", &person.token).expect(200);
    assert_eq!(shown["authenticators"][2]["kind"], "recovery_codes");
    assert!(codes.iter().all(|code| !shown.to_string().contains(code)));

    let answer = issue(&app, &person);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.expect(201);
    assert_eq!(recover(&app, "alice", PASSWORD, &codes[0]).code(), "recovery_failed");
}

/// Goal: neither a stolen password nor a session left open gets codes.
#[test]
fn codes_take_the_accounts_whole_strength_of_late() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "bob");
    let bob = app.one_factor("bob");
    assert_eq!(issue(&app, &bob).code(), "mfa_not_set_up");
    let strong = app.two_factors(&bob);
    let weak = app.one_factor("bob");
    assert_eq!(issue(&app, &weak).code(), "assurance_too_low");
    app.clock.advance(901);
    assert_eq!(issue(&app, &strong).code(), "reauthentication_required");
}

/// Goal: no answer tells who there is, who has codes, or which of the two was wrong.
///
/// Source: ASVS 5.0 6.3.8.
#[test]
fn whatever_is_wrong_the_answer_is_one() {
    let (app, admin, codes) = with_codes(&Setup::default());
    app.person(&admin, "no-codes");
    app.person(&admin, "barred");
    app.post("/users/v1/barred/disable", &admin.token, &json!({})).expect(204);
    let asked = [
        ("nobody", PASSWORD, codes[0].as_str()),
        ("alice", "a guess that is wrong", codes[0].as_str()),
        ("alice", PASSWORD, WRONG),
        ("no-codes", PASSWORD, codes[0].as_str()),
        ("barred", PASSWORD, codes[0].as_str()),
        ("no name at all", PASSWORD, WRONG),
    ];
    let answers: Vec<_> =
        asked.iter().map(|(name, password, code)| recover(&app, name, password, code)).collect();
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (401, &answers[0].text));
    }
    assert_eq!(answers[0].code(), "recovery_failed");
    for text in ["", "1234", "aaaa-bbbb-cccc-dddd"] {
        assert_eq!(recover(&app, "alice", PASSWORD, text).code(), "bad_code");
    }
    recover(&app, "alice", PASSWORD, &codes[0]).expect(200);
}

/// Goal: codes cannot be guessed at without end.
///
/// Source: SP 800-63B-4 §3.2.2.
#[test]
fn guesses_at_codes_slow_down_and_wear_the_set_out() {
    let setup = Setup::default()
        .with_setting("decisions.throttle.failures_max_password=4")
        .with_setting("decisions.throttle.failures_max_totp=1");
    let (app, _, codes) = with_codes(&setup);
    for _ in 0..3 {
        assert_eq!(recover(&app, "alice", PASSWORD, WRONG).code(), "recovery_failed");
    }
    let start = journal::size(&app);
    let wrong = recover(&app, "alice", "some other long password", WRONG);
    for code in [WRONG, codes[0].as_str()] {
        let answer = recover(&app, "alice", PASSWORD, code);
        assert_eq!((answer.status, &answer.text), (401, &wrong.text), "as a wrong password's");
    }
    let told = ["password.verified", "recovery_code.refused"];
    assert_eq!(journal::names(&app, start), [&["password.refused"], &told[..], &told].concat());
    app.clock.advance(1);
    let start = journal::size(&app);
    assert_eq!(recover(&app, "alice", PASSWORD, WRONG).code(), "recovery_failed");
    let told = ["password.verified", "recovery_code.refused", "credential.disabled"];
    assert_eq!(journal::names(&app, start), told);
    app.clock.advance(3_600);
    assert_eq!(recover(&app, "alice", PASSWORD, &codes[0]).code(), "recovery_failed");
    assert_eq!(app.login("alice", PASSWORD).status, 200, "the password is untouched");
    app.assert_replays();
}

/// Goal: of fifty with one code, one gets in; the others leave no secret behind.
#[test]
fn of_fifty_with_one_recovery_code_one_gets_in() {
    let (app, _, codes) = with_codes(&Setup::default());
    let (start, barrier) = (journal::size(&app), Barrier::new(50));
    let answers: Vec<_> = thread::scope(|scope| {
        let one = || {
            barrier.wait();
            recover(&app, "alice", PASSWORD, &codes[5])
        };
        let all: Vec<_> = (0..50).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let won: Vec<_> = answers.iter().filter(|it| it.status == 200).collect();
    assert_eq!(won.len(), 1);
    let others = answers.iter().filter(|it| it.status != 200).map(Answer::code);
    assert!(others.into_iter().all(|it| it == "recovery_failed" || it == "throttled"));
    let log = journal::since(&app, start);
    let used = log.iter().filter(|it| matches!(it.event, Event::RecoveryCodeUsed(_)));
    assert_eq!(used.count(), 1);
    let begun = log.iter().filter_map(|it| match &it.event {
        Event::SessionStarted(it) => Some(it.purpose),
        _ => None,
    });
    assert_eq!(begun.collect::<Vec<_>>(), [SessionPurpose::Recovery]);
    let reasons = log.iter().filter_map(|it| match &it.event {
        Event::RecoveryCodeRefused(it) => Some(it.reason),
        _ => None,
    });
    let fair = [Refused::Replayed, Refused::Wrong, Refused::TooSoon];
    let mut unfair = reasons.filter(|it| !fair.contains(it));
    assert_eq!(unfair.next(), None);
    // The password, the second factor and one set are sealed, and nothing else.
    let world = app.node.sequencer.world();
    let person = world.identities.get(&"alice".parse().unwrap()).unwrap();
    let folder = countersign::model::Digest::of("alice").to_string();
    let folder = app.node.settings.data.join("vault").join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    let ids = files.filter(|it| it.to_str().unwrap().parse::<uuid::Uuid>().is_ok());
    assert_eq!(ids.count(), person.credentials().count());
    app.assert_replays();
}

/// Goal: an administrator starts it and chooses nothing: what was lost is dead at once, and
/// the person binds anew by a ticket.
///
/// Source: ASVS 5.0 6.4.6; SP 800-63B-4 §4.2.2.
#[test]
fn an_administrator_has_a_person_bind_everything_anew() {
    let (app, admin, codes) = with_codes(&Setup::default());
    let inside = app.one_factor("alice");
    let start = journal::size(&app);

    let answer = app.post("/users/v1/alice/re-enrol", &admin.token, &json!({})).expect(201);

    let told = journal::names(&app, start);
    let disabled = told.iter().filter(|name| *name == "credential.disabled");
    assert_eq!(disabled.count(), 3, "{told:?}");
    assert_eq!(app.get("/auth/v1/session", &inside.token).status, 401);
    assert_eq!(app.login("alice", PASSWORD).code(), "login_failed");
    assert_eq!(recover(&app, "alice", PASSWORD, &codes[0]).code(), "recovery_failed");

    let ticket = answer["ticket"].as_str().unwrap();
    let short = app.enrol(ticket, "harbours");
    assert_eq!(short.code(), "password_weak", "no second factor is left to stand beside it");
    app.enrol(ticket, "eight loud harbours at dawn").expect(201);
    let alone = app.login("alice", "eight loud harbours at dawn").expect(200);
    assert_eq!(alone["session"]["mfa_enrolled"], false);
    assert_eq!(app.two_factors(&Person::of(&alone, None)).seed.map(|seed| seed.len()), Some(20));
    app.assert_replays();
}

/// Goal: an auditor reads why somebody else touched an account; who says nothing writes
/// nothing.
#[test]
fn what_an_administrator_does_to_an_account_carries_their_reason() {
    let (app, admin, _) = with_codes(&Setup::default());
    let (admin, why) = (&admin.token, json!({"reason": "lost her phone"}));
    let start = journal::size(&app);
    app.post("/users/v1/alice/ticket", admin, &why).expect(201);
    app.one_factor("alice");
    app.delete("/users/v1/alice/sessions?reason=a%20stolen%20laptop", admin).expect(204);
    app.post("/users/v1/alice/re-enrol", admin, &why).expect(201);
    let hash = "$2b$04$uzfqreZhByPpy4t9SOQLKOr6FdXgsNL4CmazYolgGehfYsP1d1IM2";
    let people = json!({"users": [{"name": "bob", "hash": hash}], "reason": "the move"});
    app.post("/users/v1/import", admin, &people).expect(200);

    let log = journal::since(&app, start);
    let told: Vec<_> = log.iter().map(describe).collect();
    let says = |what: &str, why: &str| {
        let found = told.iter().filter(|row| row.contains(what) && row.ends_with(why));
        found.count()
    };
    assert_eq!(says("was issued a ticket", ": lost her phone"), 2, "{told:?}");
    assert!(says("an administrator ended it", ": a stolen laptop") >= 1, "{told:?}");
    assert_eq!(says("a password of bob was imported", ": the move"), 1, "{told:?}");

    let silent = journal::size(&app);
    let bearer = format!("Bearer {admin}");
    app.raw("POST", "/users/v1/alice/ticket", &[("authorization", &bearer)], b"");
    let stored = app.stored();
    let last = stored.lines().last().unwrap();
    assert_eq!(journal::names(&app, silent), ["access.decided", "ticket.issued"]);
    assert!(!last.contains("reason"), "{last}");
    let long = json!({"reason": "x".repeat(300)});
    assert_eq!(app.post("/users/v1/alice/ticket", admin, &long).status, 400);
    app.assert_replays();
}

#[test]
fn an_administrator_may_choose_what_is_bound_anew() {
    let (app, admin, _) = with_codes(&Setup::default());
    let id = {
        let world = app.node.sequencer.world();
        let person = world.identities.get(&"alice".parse().unwrap()).unwrap();
        person.totps[0].credential.id
    };
    let path = "/users/v1/alice/re-enrol";
    let unknown = json!({"authenticators": [uuid::Uuid::nil()]});
    let refused = app.post(path, &admin.token, &unknown);
    assert_eq!((refused.status, refused.code().as_str()), (404, "authenticator_unknown"));
    app.post(path, &admin.token, &json!({"authenticators": [id]})).expect(201);
    let weak = app.one_factor("alice");
    assert_eq!(app.verify(&weak.token, "000000").code(), "mfa_disabled");
    let offer = app.post("/auth/v1/setup-mfa", &weak.token, &json!({}));
    assert_eq!(offer.code(), "assurance_too_low", "not without the ticket");
    assert_eq!(app.post(path, &weak.token, &json!({})).status, 403);
}
