//! Passwords: changed, known to others, too short alone, brought along, hashed anew.

use std::process::Command;

use countersign::hasher::HasherSettings;
use serde_json::{Value, json};

use crate::app::{Answer, PASSWORD, Person, Setup, TestApp};
use crate::journal;

const NEW: &str = "nine brass lanterns by the canal";
/// What Python's bcrypt 5.0 made of `correct horse battery`, at its lowest cost.
const BCRYPT: &str = "$2b$04$uzfqreZhByPpy4t9SOQLKOr6FdXgsNL4CmazYolgGehfYsP1d1IM2";

fn change(app: &TestApp, token: &str, current: &str, new: &str) -> Answer {
    let body = json!({"current_password": current, "new_password": new});
    app.post("/auth/v1/password", token, &body)
}

fn session(app: &TestApp, token: &str) -> Answer {
    app.get("/auth/v1/session", token)
}

fn ticket(app: &TestApp, admin: &Person, name: &str) -> String {
    let made = app.post(&format!("/users/v1/{name}/ticket"), &admin.token, &json!({})).expect(201);
    made["ticket"].as_str().unwrap().to_owned()
}

fn import(app: &TestApp, admin: &Person, users: &Value) -> Value {
    app.post("/users/v1/import", &admin.token, &json!({"users": users})).expect(200)
}

/// The members of one user as administrators see them.
fn shown(app: &TestApp, admin: &Person, name: &str) -> Value {
    let all = app.get("/users/v1", &admin.token).expect(200);
    let users = all["users"].as_array().unwrap();
    users.iter().find(|user| user["name"] == name).unwrap().clone()
}

/// Goal: who had the old password is out, everywhere, at once. Source: ASVS 5.0 6.2.2,
/// 6.2.3, 7.2.4, 7.4.3.
#[test]
fn a_changed_password_replaces_the_old_one_and_every_token() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let (one, other) = (app.one_factor("alice"), app.one_factor("alice"));
    let first = journal::size(&app);

    let changed = change(&app, &one.token, PASSWORD, NEW).expect(200);

    let told = ["password.verified", "password.enrolled", "session.ended", "session.ended"];
    assert_eq!(journal::names(&app, first), [&told[..], &["session.started"]].concat());
    for token in [&one.token, &other.token] {
        assert_eq!(session(&app, token).status, 401);
    }
    let now = session(&app, changed["token"].as_str().unwrap()).expect(200);
    assert_eq!((&now["aal"], now.get("purpose")), (&json!(1), None));
    assert_eq!(app.login("alice", PASSWORD).status, 401);
    assert_eq!(app.login("alice", NEW).status, 200);
    app.assert_replays();
}

#[test]
fn a_change_takes_the_current_password_and_a_good_new_one() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let alice = app.one_factor("alice");
    let computed = app.node.hasher.computed();
    for (new, why) in [
        ("vqmzkwhrtjxbnd", "this password has 14 characters"),
        (PASSWORD, "the new password is the old one"),
        ("qwertyuiopasdfghjkl", "this password is one of those that are tried first"),
        ("countersigncountersign", "a password must not be made of the user's name, the product's"),
        (&*"x".repeat(129), "a password has at most 128 characters"),
    ] {
        let refused = change(&app, &alice.token, PASSWORD, new);
        assert_eq!((refused.status, refused.code()), (422, "password_weak".to_owned()));
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(why), "{detail}");
    }
    assert_eq!(app.node.hasher.computed(), computed, "none of them was hashed");

    let first = journal::size(&app);
    let wrong = change(&app, &alice.token, "some other long password", NEW);
    assert_eq!((wrong.status, wrong.code()), (401, "login_failed".to_owned()));
    assert_eq!(journal::names(&app, first), ["password.refused"]);
    for _ in 0..2 {
        change(&app, &alice.token, "some other long password", NEW).expect(401);
    }
    assert_eq!(change(&app, &alice.token, PASSWORD, NEW).code(), "throttled");
    app.clock.advance(1);
    let long: String = (0..64).filter_map(|at| char::from_u32(0x1f600 + at * 7 % 64)).collect();
    change(&app, &alice.token, PASSWORD, &long).expect(200);
}

/// Goal: a stolen password is not enough to take the account over. Source: SP 800-63B-4
/// §4.1.2.1, ASVS 5.0 7.5.1.
#[test]
fn a_change_takes_the_second_factor_of_who_has_one() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let weak = app.one_factor("admin");
    assert_eq!(change(&app, &weak.token, PASSWORD, NEW).code(), "assurance_too_low");
    app.clock.advance(901);
    let late = change(&app, &admin.token, PASSWORD, NEW);
    assert_eq!(late.code(), "reauthentication_required");
    app.clock.advance(30);
    let fresh = app.one_factor("admin");
    let code = app.code(&admin.seed.unwrap());
    let fresh = app.verify(&fresh.token, &code).expect(200);
    change(&app, fresh["token"].as_str().unwrap(), PASSWORD, NEW).expect(200);
    assert_eq!(session(&app, &admin.token).status, 401);
}

/// Goal: evidence of compromise forces a change, and until then the password opens nothing.
/// Source: SP 800-63B-4 §3.1.1.2 (6).
#[test]
fn a_compromised_password_must_be_changed_before_anything_else() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let before = app.one_factor("alice");
    let tell = |name: &str| {
        let body = json!({"reason": "found in a leak"});
        app.post(&format!("/users/v1/{name}/password-compromised"), &admin.token, &body)
    };
    let first = journal::size(&app);
    tell("alice").expect(204);
    let told = &journal::names(&app, first)[1..];
    assert_eq!(told, ["password.compromised", "session.ended"]);
    assert_eq!(session(&app, &before.token).status, 401);
    assert_eq!(shown(&app, &admin, "alice")["password_compromised"], true);
    assert_eq!(tell("nobody").code(), "person_unknown");

    let restricted = app.one_factor("alice");
    let seen = session(&app, &restricted.token).expect(200);
    assert_eq!(seen["purpose"], "password_change");
    let offer = app.post("/auth/v1/setup-mfa", &restricted.token, &json!({}));
    assert_eq!((offer.status, offer.code()), (403, "password_change_required".to_owned()));

    let changed = change(&app, &restricted.token, PASSWORD, NEW).expect(200);
    let seen = session(&app, changed["token"].as_str().unwrap()).expect(200);
    assert_eq!(seen.get("purpose"), None);
    assert_eq!(shown(&app, &admin, "alice").get("password_compromised"), None);
    app.assert_replays();
}

/// Goal: a password of eight to fourteen characters is never the only factor. Source:
/// SP 800-63B-4 §3.1.1.2 (1).
#[test]
fn a_short_password_opens_nothing_until_the_second_factor_is_given() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let alice = app.two_factors(&app.one_factor("alice"));
    let short = "vqmzkwhr";
    app.enrol(&ticket(&app, &admin, "alice"), short).expect(201);

    let half = Person::of(&app.login("alice", short).expect(200), None);
    let seen = session(&app, &half.token).expect(200);
    assert_eq!(seen["purpose"], "second_factor");
    let offer = app.post("/auth/v1/setup-mfa", &half.token, &json!({}));
    assert_eq!((offer.status, offer.code()), (403, "assurance_too_low".to_owned()));
    app.clock.advance(30);
    let raised = app.verify(&half.token, &app.code(&alice.seed.unwrap())).expect(200);
    let seen = session(&app, raised["token"].as_str().unwrap()).expect(200);
    assert_eq!((&seen["aal"], seen.get("purpose")), (&json!(2), None));
    let bob = app.post("/users/v1", &admin.token, &json!({"name": "bob"})).expect(201);
    let refused = app.enrol(bob["ticket"].as_str().unwrap(), short);
    assert_eq!(refused.code(), "password_weak", "without a second factor");
}

/// Goal: a migration needs nobody's password, and ends by itself.
#[test]
fn an_imported_password_works_and_is_hashed_anew_at_the_first_login() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let users = json!([
        {"name": "carol", "hash": BCRYPT},
        {"name": "alice", "hash": BCRYPT},
        {"name": "dave", "hash": "$2b$15$uzfqreZhByPpy4t9SOQLKOr6FdXgsNL4CmazYolgGehfYsP1d1IM2"},
        {"name": "eve", "hash": "secret"},
    ]);
    let told = import(&app, &admin, &users);
    assert_eq!(told["imported"], json!(["carol"]));
    let refused: Vec<_> =
        told["refused"].as_array().unwrap().iter().map(|it| &it["code"]).collect();
    assert_eq!(refused, ["person_exists", "bad_hash", "bad_hash"]);
    assert!(!told.to_string().contains("secret"));
    assert_eq!(shown(&app, &admin, "carol")["password_imported"], "bcrypt");
    assert_eq!(app.login("carol", "correct horse batterY").status, 401);

    let first = journal::size(&app);
    let session = app.login("carol", "correct horse battery").expect(200);
    let began = ["password.verified", "password.rehashed", "session.started"];
    assert_eq!(journal::names(&app, first), began);
    assert_eq!(session["session"].get("purpose"), None, "21 characters stand alone");
    assert_eq!(shown(&app, &admin, "carol").get("password_imported"), None);
    let first = journal::size(&app);
    app.login("carol", "correct horse battery").expect(200);
    assert_eq!(journal::names(&app, first), ["password.verified", "session.started"]);
    assert!(!app.stored().contains("uzfqreZhByPpy4t9SOQLKO"), "no hash is in the log");
    let many = json!({"users": vec![json!({"name": "x", "hash": BCRYPT}); 101]});
    assert_eq!(app.post("/users/v1/import", &admin.token, &many).code(), "too_many");
    app.assert_replays();
}

/// Goal: raising the cost reaches those who log in, and a login never lowers it.
#[test]
fn a_login_hashes_anew_when_the_cost_has_risen() {
    let mut app = TestApp::spawn(&Setup::default());
    app.enrol(app.ticket.expose(), PASSWORD).expect(201);
    app.restart_hashing_at(HasherSettings::default().with_threads(1));
    let first = journal::size(&app);
    app.login("admin", PASSWORD).expect(200);
    let began = ["password.verified", "password.rehashed", "session.started"];
    assert_eq!(journal::names(&app, first), began);

    app.restart_hashing_at(HasherSettings::insecure_for_tests());
    let first = journal::size(&app);
    app.login("admin", PASSWORD).expect(200);
    assert_eq!(journal::names(&app, first), ["password.verified", "session.started"]);
    app.assert_replays();
}

/// Goal: what Python's own libraries hash now is taken.
#[test]
fn hashes_of_argon2_cffi_and_bcrypt_log_in() {
    let Some(python) = std::env::var_os("COUNTERSIGN_PYTHON") else {
        println!("skipped: COUNTERSIGN_PYTHON does not name a Python with argon2-cffi and bcrypt");
        return;
    };
    let program = "import argon2, bcrypt\n\
        word = 'correct horse battery'\n\
        print(argon2.PasswordHasher().hash(word))\n\
        print(argon2.PasswordHasher(type=argon2.Type.I, memory_cost=1024).hash(word))\n\
        for kind in (b'2a', b'2b'):\n\
        \x20   print(bcrypt.hashpw(word.encode(), bcrypt.gensalt(6, kind)).decode())\n";
    let said = Command::new(python).args(["-c", program]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8(said.stdout).unwrap();
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    for (number, hash) in said.lines().enumerate() {
        let name = format!("person-{number}");
        let told = import(&app, &admin, &json!([{"name": name, "hash": hash}]));
        assert_eq!(told["imported"], json!([name]), "{hash}");
        assert_eq!(app.login(&name, "correct horse batterY").status, 401, "{hash}");
        app.login(&name, "correct horse battery").expect(200);
    }
    assert_eq!(said.lines().count(), 4);
}
