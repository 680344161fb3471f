//! What must not work.

use std::collections::BTreeSet;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::event::{Event, Refused};
use serde_json::json;

use super::authenticator::{Stick, text};
use super::ceremony::origin;
use crate::app::{Answer, Person, Setup, TestApp};
use crate::journal;

fn failed(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (401, "passkey_failed"));
}

fn void(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (401, "passkey_ticket_invalid"));
}

/// Whose passkeys were refused from an entry on, and why.
fn reasons(app: &TestApp, first: usize) -> Vec<(Option<String>, Refused)> {
    let entries = journal::since(app, first).into_iter();
    let refused = entries.filter_map(|entry| match entry.event {
        Event::PasskeyRefused(it) => Some((it.person.map(String::from), it.reason)),
        _ => None,
    });
    refused.collect()
}

/// Goal: a key works at the places named and nowhere else, however alike they look.
///
/// Source: `WebAuthn` Level 3 §13.4.9. A suffix without the dot was once taken for a domain
/// below: badexample.com for example.com.
#[test]
fn a_passkey_is_bound_to_its_place() {
    let home = "https://sign-in.example.com:8443";
    let setup = Setup::default()
        .with_setting("webauthn.rp_id=example.com")
        .with_setting(&format!("webauthn.origins=https://example.com,{home}"));
    let app = TestApp::spawn(&setup);
    let admin = app.admin();
    let mut stick = Stick::new(1, home);
    let elsewhere = [
        "https://badexample.com",
        "https://example.com.attacker.net",
        "https://www.example.com",
        "https://sign-in.example.com",
        "https://example.com:8443",
        "http://example.com",
        "http://localhost",
        "https://127.0.0.1",
        &origin(&app),
    ];
    for place in elsewhere {
        stick.origin = place.to_owned();
        let answer = app.register(&admin.token, "passkey", &mut stick);
        assert_eq!(answer.code(), "passkey_not_accepted", "{place}");
    }
    stick.origin = home.to_owned();
    app.register(&admin.token, "passkey", &mut stick).expect(201);
    for place in elsewhere {
        stick.origin = place.to_owned();
        failed(&app.sign_in(None, &mut stick));
    }
    stick.origin = "https://example.com".to_owned();
    app.sign_in(None, &mut stick).expect(200);
    for wrong in ["badexample.com", "com", "localhost", "sign-in.example.com"] {
        stick.rp_id = Some(wrong.to_owned());
        failed(&app.sign_in(None, &mut stick));
    }
    stick.rp_id = None;
    stick.kind = Some("webauthn.create");
    failed(&app.sign_in(None, &mut stick));
}

/// Goal: an assertion is worth one login: neither it nor its challenge is taken again.
#[test]
fn an_assertion_is_used_once() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let asked = app.login_options(None);
    let assertion = stick.get(&asked["options"]);
    app.login_passkey(&asked["ticket"], &assertion).expect(200);
    void(&app.login_passkey(&asked["ticket"], &assertion));
    let first = journal::size(&app);
    failed(&app.login_passkey(&app.login_options(None)["ticket"], &assertion));
    assert_eq!(reasons(&app, first), [(Some("alice".to_owned()), Refused::Wrong)]);

    // A wrong one uses its challenge up as well.
    let asked = app.login_options(None);
    stick.verified = false;
    failed(&app.login_passkey(&asked["ticket"], &stick.get(&asked["options"])));
    stick.verified = true;
    void(&app.login_passkey(&asked["ticket"], &stick.get(&asked["options"])));
}

/// Goal: nobody foresees a challenge: 256 bits, never the same.
///
/// Source: SP 800-63B-4 §3.1.6.2, §3.1.7.2; ASVS 5.0 6.7.2: at least 64.
#[test]
fn a_challenge_is_long_and_never_the_same() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut seen = BTreeSet::new();
    for _ in 0..30 {
        for asked in [app.login_options(None), app.login_options(Some("admin"))] {
            seen.insert(asked["options"]["publicKey"]["challenge"].to_string());
            assert_eq!(asked["options"]["publicKey"]["userVerification"], "required");
        }
        let asked = app.passkey_options(&admin.token, "passkey").expect(200);
        seen.insert(asked["options"]["publicKey"]["challenge"].to_string());
    }
    assert_eq!(seen.len(), 90);
    assert!(seen.iter().all(|challenge| challenge.len() == 43 + 2));
}

/// Goal: a challenge lapses in five minutes, at a login and at a registration.
#[test]
fn a_challenge_lapses() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let (early, late) = (app.login_options(None), app.login_options(None));
    let mut second = Stick::new(2, &origin(&app));
    let asked = app.passkey_options(&admin.token, "passkey").expect(200);
    app.clock.advance(299);
    app.login_passkey(&early["ticket"], &stick.get(&early["options"])).expect(200);
    app.clock.advance(1);
    void(&app.login_passkey(&late["ticket"], &stick.get(&late["options"])));
    let created = second.create(&asked["options"]);
    void(&app.passkey(&admin.token, &asked["ticket"], &created));
}

/// Goal: of parallel uses of one ticket one wins.
#[test]
fn of_parallel_uses_of_one_ticket_one_logs_in() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let asked = app.login_options(Some("alice"));
    let assertion = stick.get(&asked["options"]);
    let first = journal::size(&app);
    let answers: Vec<u16> = thread::scope(|scope| {
        let one = || app.login_passkey(&asked["ticket"], &assertion).status;
        let all: Vec<_> = (0..20).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 19);
    assert_eq!(journal::names(&app, first), ["passkey.verified", "session.started"]);
}

/// Goal: where two copies of one key are used at once, each under a challenge of its own,
/// the second shows the copy, disables the key and logs nobody in.
#[test]
fn of_parallel_uses_of_a_copied_key_one_logs_in() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let stick = app.with_passkey(&admin, "alice", 1);
    let uses: Vec<_> = (0..8)
        .map(|_| {
            let asked = app.login_options(None);
            let assertion = stick.clone().get(&asked["options"]);
            (asked["ticket"].clone(), assertion)
        })
        .collect();
    let first = journal::size(&app);
    thread::scope(|scope| {
        for (ticket, assertion) in &uses {
            let app = &app;
            scope.spawn(move || app.login_passkey(ticket, assertion).status);
        }
    });
    let names = journal::names(&app, first);
    let count = |name: &str| names.iter().filter(|one| one.as_str() == name).count();
    assert_eq!((count("session.started"), count("credential.disabled")), (1, 1), "{names:?}");
    assert_eq!(count("passkey.refused"), 7);
}

/// Goal: a counter that does not grow is recorded, disables the key, and is answered like
/// any other failure; authenticators that do not count are left alone.
///
/// Source: `WebAuthn` Level 3 §6.1.1.
#[test]
fn a_copied_key_is_disabled() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let mut copy = stick.clone();
    app.sign_in(None, &mut stick).expect(200);
    app.sign_in(None, &mut stick).expect(200);
    let first = journal::size(&app);
    failed(&app.sign_in(None, &mut copy));
    assert_eq!(journal::names(&app, first), ["passkey.refused", "credential.disabled"]);
    assert_eq!(reasons(&app, first), [(Some("alice".to_owned()), Refused::Cloned)]);
    failed(&app.sign_in(Some("alice"), &mut stick));
    // It still bars what it barred: nobody gains by wearing a key out.
    let weak = app.one_factor("alice");
    assert_eq!(app.passkey_options(&weak.token, "passkey").code(), "assurance_too_low");
    assert_eq!(app.verify_options(&weak.token).code(), "passkey_not_set_up");

    app.person(&admin, "bob");
    let bob = app.one_factor("bob");
    let mut still = Stick::new(2, &origin(&app));
    still.counter = 0;
    app.register(&bob.token, "passkey", &mut still).expect(201);
    still.counts = false;
    for _ in 0..2 {
        app.sign_in(None, &mut still).expect(200);
    }
}

/// Goal: without user verification there is no login by a passkey, whatever it says it is;
/// without presence there is nothing.
///
/// Source: SP 800-63B-4 §3.1.7.2.
#[test]
fn a_user_who_was_not_verified_does_not_log_in() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    stick.verified = false;
    failed(&app.sign_in(None, &mut stick));
    failed(&app.sign_in(Some("alice"), &mut stick));
    (stick.verified, stick.present) = (true, false);
    failed(&app.sign_in(None, &mut stick));
    (stick.present, stick.backed_up) = (true, true);
    failed(&app.sign_in(None, &mut stick)); // backed up, though it may not be
    (stick.backed_up, stick.eligible) = (false, true);
    failed(&app.sign_in(None, &mut stick)); // another key than was registered
    stick.eligible = false;
    app.sign_in(None, &mut stick).expect(200);
}

/// Goal: a key that may be copied to other devices is never AAL3.
///
/// Source: SP 800-63B-4 appendix B.
#[test]
fn a_key_that_may_be_copied_is_two_factors_and_no_more() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let alice = app.one_factor("alice");
    let mut synced = Stick::new(1, &origin(&app));
    (synced.eligible, synced.backed_up) = (true, true);
    app.register(&alice.token, "passkey", &mut synced).expect(201);
    let answer = app.sign_in(None, &mut synced).expect(200);
    assert_eq!(answer["session"]["aal"], 2);
    let raised = app.raise(&alice.token, &mut synced).expect(200);
    assert_eq!(raised["session"]["aal"], 2);
}

/// Goal: a passkey's login leaves no session behind that its browser cannot end any more.
///
/// Source: ASVS 5.0 V7.2.4.
#[test]
fn a_browser_that_logs_in_with_a_passkey_leaves_the_session_it_was_in() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let before = app.one_factor("alice");
    let asked = app.login_options(None);
    let credential = stick.get(&asked["options"]);
    let body = json!({"ticket": asked["ticket"], "credential": credential, "cookie": true});
    let cookie = format!("__Host-countersign={}", before.token);
    let headers = [
        ("content-type", "application/json"),
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    app.raw("POST", "/auth/v1/login/passkey", &headers, body.to_string().as_bytes()).expect(200);
    assert_eq!(app.get("/auth/v1/session", &before.token).status, 401);
}

/// Goal: one key is one account's, for ever: also a disabled person's.
#[test]
fn a_key_of_another_account_is_refused() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let stick = app.with_passkey(&admin, "alice", 1);
    app.person(&admin, "bob");
    let bob = app.one_factor("bob");
    let mut same = Stick { id: stick.id.clone(), ..Stick::new(2, &origin(&app)) };
    for _ in 0..2 {
        let first = journal::size(&app);
        let answer = app.register(&bob.token, "passkey", &mut same);
        assert_eq!((answer.status, answer.code().as_str()), (409, "passkey_exists"));
        assert_eq!(journal::names(&app, first), [""; 0]);
        app.post("/users/v1/alice/disable", &admin.token, &json!({}));
    }
}

/// Goal: who has an id from a login in another's name does not learn by registering it
/// whether that other has a passkey.
#[test]
fn a_key_made_up_for_a_name_is_refused_like_one_that_somebody_has() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "bob");
    let bob = app.one_factor("bob");
    let offered = (0..20).find_map(|n| {
        let asked = app.login_options(Some(&format!("nobody-{n}")));
        let id = asked["options"]["publicKey"]["allowCredentials"][0]["id"].as_str();
        id.map(|id| URL_SAFE_NO_PAD.decode(id).unwrap())
    });
    let mut same = Stick { id: offered.unwrap(), ..Stick::new(2, &origin(&app)) };
    let first = journal::size(&app);
    let answer = app.register(&bob.token, "passkey", &mut same);
    assert_eq!((answer.status, answer.code().as_str()), (409, "passkey_exists"));
    assert_eq!(journal::names(&app, first), [""; 0]);
}

/// Goal: a ticket is for who asked and for what it was asked, and what is refused at a
/// registration may be tried again.
#[test]
fn a_ticket_is_for_its_session_and_purpose() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let alice = Person::of(&app.sign_in(None, &mut stick).expect(200), None);
    let other = Person::of(&app.sign_in(None, &mut stick).expect(200), None);
    let asked = app.passkey_options(&alice.token, "passkey").expect(200);
    let mut second = Stick::new(2, &origin(&app));
    let created = second.create(&asked["options"]);
    void(&app.passkey(&other.token, &asked["ticket"], &created));
    void(&app.passkey(&admin.token, &asked["ticket"], &created));
    let assertion = stick.get(&app.login_options(None)["options"]);
    void(&app.verify_passkey(&alice.token, &asked["ticket"], &assertion));
    void(&app.login_passkey(&asked["ticket"], &assertion));
    second.verified = false;
    let refused = app.passkey(&alice.token, &asked["ticket"], &second.create(&asked["options"]));
    assert_eq!((refused.status, refused.code().as_str()), (422, "passkey_not_accepted"));
    app.passkey(&alice.token, &asked["ticket"], &created).expect(201);
    void(&app.passkey(&alice.token, &asked["ticket"], &created));

    let raising = app.verify_options(&alice.token).expect(200);
    let signed = stick.get(&raising["options"]);
    void(&app.verify_passkey(&other.token, &raising["ticket"], &signed));
    void(&app.login_passkey(&raising["ticket"], &signed));
    app.verify_passkey(&alice.token, &raising["ticket"], &signed).expect(200);
}

/// Goal: nobody's key raises somebody else's session, or logs in under another's name.
#[test]
fn a_key_vouches_for_its_own_person_alone() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut hers = app.with_passkey(&admin, "alice", 1);
    let mut his = app.with_passkey(&admin, "bob", 2);
    let alice = app.one_factor("alice");
    failed(&app.raise(&alice.token, &mut his));
    failed(&app.sign_in(Some("alice"), &mut his));
    failed(&app.sign_in(Some("nobody"), &mut his));
    // Without a name, who the authenticator says it is must be who it is.
    his.handle.clone_from(&hers.handle);
    failed(&app.sign_in(None, &mut his));
    hers.discoverable = false;
    failed(&app.sign_in(None, &mut hers));
    app.sign_in(Some("alice"), &mut hers).expect(200);
}

/// Goal: bodies that are no answers are refused before anything is looked at.
#[test]
fn what_is_no_answer_is_refused_without_being_repeated() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let asked = app.login_options(None);
    let first = journal::size(&app);
    for bad in [json!("canary-7"), json!({"id": "canary-7"}), json!({"rawId": 7})] {
        let answer = app.login_passkey(&asked["ticket"], &bad);
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
        assert!(!answer.text.contains("canary-7"), "{}", answer.text);
    }
    assert_eq!(journal::names(&app, first), [""; 0]);
    let mut mangled = stick.get(&asked["options"]);
    mangled["response"]["authenticatorData"] = json!(text(&[0; 40]));
    failed(&app.login_passkey(&asked["ticket"], &mangled));
}
