//! Passkeys: made, used, misused. Authenticators of `webauthn-authenticator-rs`, and one of
//! the tests' own that does what no decent one does.

pub mod authenticator;
mod ceremony;
mod independent;
mod misuse;
mod strangers;

use countersign::event::{Event, SessionStarted};
use countersign::model::{Aal, Digest, Method};
use serde_json::json;

use crate::app::{Person, Setup, TestApp};
use crate::journal;
use authenticator::{Stick, text};
use ceremony::{named, origin};

/// How a session began, as recorded.
fn started(app: &TestApp, first: usize) -> SessionStarted {
    let begun = journal::since(app, first).into_iter().find_map(|entry| match entry.event {
        Event::SessionStarted(it) => Some(it),
        _ => None,
    });
    begun.unwrap()
}

/// Goal: a passkey alone logs in, by name and without one, and what is known of it is what
/// policies see.
#[test]
fn a_passkey_logs_in_by_name_and_without_one() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let first = journal::size(&app);
    let mut stick = app.with_passkey(&admin, "alice", 1);
    assert!(journal::names(&app, first).contains(&"passkey.registered".to_owned()));

    for username in [Some("alice"), Some("ALICE"), None] {
        let first = journal::size(&app);
        let answer = app.sign_in(username, &mut stick).expect(200);
        assert_eq!(journal::names(&app, first), ["passkey.verified", "session.started"]);
        assert_eq!(answer["session"]["aal"], 2);
        assert_eq!(answer["session"]["amr"], json!(["mfa", "pop", "user"]));
        assert_eq!(answer["session"]["passkeys"], 1);
        let person = Person::of(&answer, None);
        assert_eq!(app.get("/auth/v1/session", &person.token).expect(200)["aal"], 2);
        let methods = started(&app, first).methods;
        let known = [Method::Pop, Method::User, Method::Uv];
        assert_eq!(methods, known.into_iter().collect());
    }
    app.assert_replays();
}

/// Goal: a policy may ask for what cannot be phished, and the record of a decision names the
/// use of the key that it rests on.
#[test]
fn a_decision_rests_on_the_passkey_that_was_used() {
    let schema = "type Session = { aal: Long, amr: Set<String>, authenticated_at: datetime,
        age_seconds: Long, phishing_resistant: Bool, source: String };
      entity User; entity Door;
      action open appliesTo { principal: [User], resource: [Door],
        context: { session?: Session } };";
    let policy = r#"@id("unphished") permit (principal, action, resource)
      when { context has session && context.session.phishing_resistant };"#;
    let app = TestApp::spawn(&Setup::of(schema, policy, &json!([])));
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let weak = app.one_factor("alice");
    let strong = Person::of(&app.sign_in(None, &mut stick).expect(200), None);
    let ask = json!({
        "subject": {"type": "User", "id": "alice"},
        "action": {"name": "open"},
        "resource": {"type": "Door", "id": "front"},
    });
    let decided = |person: &Person| app.evaluate_with(&pep, &person.session_token, &ask);
    assert_eq!(decided(&weak).expect(200)["decision"], false);
    let answer = decided(&strong);
    assert_eq!(answer.expect(200)["decision"], true);
    let id = answer.header("countersign-decision");
    let auditor = app.token(&admin, &["audit"]);
    let dossier = app.get(&format!("/audit/v1/decisions/{id}"), &auditor).expect(200);
    let steps = dossier["authentication"].as_array().unwrap();
    let kinds: Vec<_> = steps.iter().map(|step| step["type"].as_str().unwrap()).collect();
    let used = ["countersign.passkey.verified.v1", "countersign.session.started.v1"];
    assert_eq!(kinds, used);
    assert_eq!(steps[0]["what"], "alice used a passkey, which verified its user");
    app.assert_replays();
}

/// Goal: the person sees their passkeys, the office how many; the log has neither the key's
/// id nor anything that a handle would give away.
#[test]
fn what_is_known_of_a_passkey_is_shown_and_no_more() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let login = Person::of(&app.sign_in(None, &mut stick).expect(200), None);
    let shown = app.get("/auth/v1/passkeys", &login.token).expect(200);
    let one = &shown["passkeys"][0];
    assert_eq!((&one["label"], &one["disabled"]), (&json!("my key"), &json!(false)));
    assert_eq!((&one["user_verifying"], &one["backup_eligible"]), (&json!(true), &json!(false)));
    assert!(one["attested"].is_null() && one["used_at"].is_string());
    let users = app.get("/users/v1", &admin.token).expect(200);
    let of = |name: &str| {
        let all = users["users"].as_array().unwrap();
        all.iter().find(|user| user["name"] == name).unwrap()["passkeys"].clone()
    };
    assert_eq!((of("alice"), of("admin")), (json!(1), json!(0)));

    let handle = stick.handle.clone().unwrap();
    assert_eq!(handle.len(), 16);
    let stored = app.stored();
    for secret in [text(&stick.id), text(&handle)] {
        assert!(!stored.contains(&secret), "{secret}");
    }
    assert!(stored.contains(&Digest::of(&stick.id).to_string()));
    let again = app.passkey_options(&login.token, "passkey").expect(200);
    assert_eq!(again["options"]["publicKey"]["user"]["id"], text(&handle), "always the same");
    let excluded = &again["options"]["publicKey"]["excludeCredentials"];
    assert_eq!(excluded[0]["id"], text(&stick.id));
}

/// Goal: a password and a key that does not verify its user are two factors; the key alone
/// is none that logs in.
///
/// Source: SP 800-63B-4 §3.1.7.2.
#[test]
fn a_security_key_counts_beside_a_password_alone() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let alice = app.one_factor("alice");
    let mut key = Stick::new(1, &origin(&app));
    key.verified = false;
    let refused = app.register(&alice.token, "passkey", &mut key);
    assert_eq!((refused.status, refused.code().as_str()), (422, "passkey_not_accepted"));
    app.register(&alice.token, "security_key", &mut key).expect(201);

    let raised = app.raise(&alice.token, &mut key).expect(200);
    assert_eq!(raised["session"]["aal"], 2);
    assert_eq!(raised["session"]["amr"], json!(["mfa", "pop", "pwd", "user"]));
    assert_eq!(app.get("/auth/v1/session", &alice.token).status, 401, "the old token is dead");

    assert!(named(&app.login_options(Some("alice"))).iter().all(|it| it["id"] != text(&key.id)));
    for verified in [false, true] {
        key.verified = verified;
        for username in [None, Some("alice")] {
            let answer = app.sign_in(username, &mut key);
            assert_eq!((answer.status, answer.code().as_str()), (401, "passkey_failed"));
        }
    }
}

/// Goal: a password's session rises by a passkey, and one of a passkey is refreshed by it.
#[test]
fn a_passkey_raises_a_session_and_refreshes_it() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let weak = app.one_factor("alice");
    let first = journal::size(&app);
    let strong = Person::of(&app.raise(&weak.token, &mut stick).expect(200), None);
    assert_eq!(journal::names(&app, first), ["passkey.verified", "session.raised"]);

    app.clock.advance(1_000);
    let refused = app.passkey_options(&strong.token, "passkey");
    assert_eq!(refused.code(), "reauthentication_required");
    let fresh = Person::of(&app.raise(&strong.token, &mut stick).expect(200), None);
    app.passkey_options(&fresh.token, "passkey").expect(200);

    let alone = Person::of(&app.sign_in(None, &mut stick).expect(200), None);
    stick.verified = false;
    assert_eq!(app.raise(&alone.token, &mut stick).code(), "passkey_failed");
    stick.verified = true;
    assert_eq!(app.raise(&alone.token, &mut stick).expect(200)["session"]["aal"], 2);

    let old = app.one_factor("alice");
    app.clock.advance(901);
    assert_eq!(app.verify_options(&old.token).code(), "reauthentication_required");
    let nobody = app.one_factor("admin");
    assert_eq!(app.verify_options(&nobody.token).code(), "passkey_not_set_up");
}

/// Goal: a stolen password binds no authenticator of the thief's: neither kind, once there
/// is a passkey.
///
/// Source: SP 800-63B-4 §4.1.2.1; ASVS 5.0 7.5.1.
#[test]
fn another_authenticator_takes_the_strength_of_those_there_are() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let thief = app.one_factor("alice");
    for kind in ["passkey", "security_key"] {
        let answer = app.passkey_options(&thief.token, kind);
        assert_eq!((answer.status, answer.code().as_str()), (403, "assurance_too_low"));
    }
    let totp = app.post("/auth/v1/setup-mfa", &thief.token, &json!({}));
    assert_eq!(totp.code(), "assurance_too_low");

    let strong = Person::of(&app.sign_in(None, &mut stick).expect(200), None);
    let mut second = Stick::new(2, &origin(&app));
    app.register(&strong.token, "passkey", &mut second).expect(201);
    app.two_factors(&strong);
    app.sign_in(Some("alice"), &mut second).expect(200);

    // And with TOTP alone the same.
    app.person(&admin, "bob");
    app.two_factors(&app.one_factor("bob"));
    let weak = app.one_factor("bob");
    assert_eq!(app.passkey_options(&weak.token, "passkey").code(), "assurance_too_low");
}

/// Goal: a password may not be short because there is a passkey: it logs in without one.
///
/// Source: SP 800-63B-4 §3.1.1.2 (1).
#[test]
fn a_passkey_makes_no_shorter_password_good_enough() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.with_passkey(&admin, "alice", 1);
    let made = app.post("/users/v1/alice/ticket", &admin.token, &json!({})).expect(201);
    let ticket = made["ticket"].as_str().unwrap();
    let short = app.enrol(ticket, "fourteen chars");
    assert_eq!((short.status, short.code().as_str()), (422, "password_weak"));
    app.enrol(ticket, "fifteen charact").expect(201);
}

/// Goal: a person has a bounded number of passkeys.
#[test]
fn a_person_has_sixteen_passkeys_at_most() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut first = app.with_passkey(&admin, "alice", 1);
    let alice = Person::of(&app.sign_in(None, &mut first).expect(200), None);
    for number in 2..=16 {
        let mut stick = Stick::new(number, &origin(&app));
        app.register(&alice.token, "passkey", &mut stick).expect(201);
    }
    let answer = app.passkey_options(&alice.token, "passkey");
    assert_eq!((answer.status, answer.code().as_str()), (409, "passkeys_full"));
    assert_eq!(named(&app.login_options(Some("alice"))).len(), 16);
}

/// Goal: what was accepted before a restart is known after it: keys, counters, and the
/// vault's sealed files.
#[test]
fn passkeys_survive_a_restart_with_their_counters() {
    let mut app = TestApp::spawn(&Setup::default().with_setting("webauthn.rp_id=localhost"));
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let copy = stick.clone();
    app.sign_in(None, &mut stick).expect(200);
    app.restart();
    stick.origin = origin(&app);
    let mut copy = Stick { origin: origin(&app), ..copy };
    assert_eq!(app.sign_in(None, &mut copy).code(), "passkey_failed");
    assert_eq!(app.sign_in(None, &mut stick).code(), "passkey_failed", "disabled by the copy");
    app.assert_replays();
}

/// Goal: where no domain is known there are no passkeys, and that is said; what an owner
/// chose wrongly is not served at all.
#[test]
fn without_a_domain_passkeys_are_refused_clearly() {
    let app = TestApp::spawn(&Setup::default().with_setting("public_url=https://192.0.2.7"));
    let admin = app.admin();
    let answer = app.passkey_options(&admin.token, "passkey");
    assert_eq!((answer.status, answer.code().as_str()), (409, "passkeys_not_configured"));
    let headers = [("content-type", "application/json")];
    let answer = app.raw("POST", "/auth/v1/login/passkey/options", &headers, b"{}");
    assert_eq!((answer.status, answer.code().as_str()), (409, "passkeys_not_configured"));
}

/// Goal: the AAL that a session has never grows by adding up what two keys are.
#[test]
fn a_refresh_with_a_weaker_key_leaves_the_session_as_it_was() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut strong = app.with_passkey(&admin, "alice", 1);
    let session = Person::of(&app.sign_in(None, &mut strong).expect(200), None);
    let mut weak = Stick::new(2, &origin(&app));
    weak.verified = false;
    app.register(&session.token, "security_key", &mut weak).expect(201);
    let asked = app.verify_options(&session.token).expect(200);
    assert_eq!(named(&asked).len(), 1, "only what would leave it as strong is asked for");
    let world = app.node.sequencer.world();
    let aals: Vec<_> = world.sessions.iter().map(|session| session.aal).collect();
    assert!(aals.iter().all(|aal| *aal <= Aal::TWO));
}
