//! What a person signs in with: several of a kind, named, shown and removed.

use countersign::event::{Event, Refused, SessionEnding};
use serde_json::{Value, json};

use crate::app::{Answer, PASSWORD, Person, Setup, TestApp, seed};
use crate::journal;

/// One step of RFC 6238, in seconds.
const STEP: u64 = 30;

/// Alice in a session of two factors.
fn alice(app: &TestApp) -> Person {
    let admin = app.admin();
    app.person(&admin, "alice");
    app.two_factors(&app.one_factor("alice"))
}

/// Binds another authenticator in a session of two factors, which goes on as it was.
fn another(app: &TestApp, person: &Person, label: &str) -> (Person, String) {
    let offer = app.post("/auth/v1/setup-mfa", &person.token, &json!({"label": label}));
    let offer = offer.expect(200);
    assert_eq!(offer["label"], label);
    let seed = seed(offer["secret"].as_str().unwrap());
    let bound = app.verify(&person.token, &app.code(&seed)).expect(200);
    assert_eq!(bound, json!({"bound": true}));
    (Person { seed: Some(seed), ..person.clone() }, offer["id"].as_str().unwrap().to_owned())
}

fn held(app: &TestApp, person: &Person) -> Vec<Value> {
    let shown = app.get("/auth/v1/authenticators", &person.token).expect(200);
    shown["authenticators"].as_array().unwrap().clone()
}

fn remove(app: &TestApp, person: &Person, id: &str) -> Answer {
    app.delete(&format!("/auth/v1/authenticators/{id}"), &person.token)
}

/// The id of the first authenticator of a kind.
fn id_of(app: &TestApp, person: &Person, kind: &str) -> String {
    let all = held(app, person);
    let found = all.iter().find(|it| it["kind"] == kind).unwrap();
    found["id"].as_str().unwrap().to_owned()
}

#[test]
fn several_authenticators_are_in_use_at_once_each_with_its_name() {
    let app = TestApp::spawn(&Setup::default());
    let first = alice(&app);
    let (second, _) = another(&app, &first, "the tablet");

    let all = held(&app, &second);
    let kinds: Vec<_> = all.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["password", "totp", "totp"]);
    assert_eq!(all[2]["label"], "the tablet");
    assert_eq!(all[2]["disabled"], false);
    assert_eq!(all[2]["enrolled_at"], "2026-11-22T12:00:00.000000Z");
    assert_eq!(all[2]["last_used_at"], "2026-11-22T12:00:00.000000Z");
    assert!(!all.iter().any(|it| it.to_string().contains("secret")));

    for seed in [first.seed.unwrap(), second.seed.unwrap()] {
        app.clock.advance(STEP);
        let weak = app.one_factor("alice");
        assert_eq!(app.verify(&weak.token, &app.code(&seed)).status, 200);
    }
    app.assert_replays();
}

/// Goal: each authenticator makes a guess likelier to hit, so there are not many.
#[test]
fn a_sixth_authenticator_is_refused() {
    let app = TestApp::spawn(&Setup::default());
    let mut alice = alice(&app);
    for number in 2..=5 {
        alice = another(&app, &alice, &format!("number {number}")).0;
    }
    let sixth = app.post("/auth/v1/setup-mfa", &alice.token, &json!({}));
    assert_eq!((sixth.status, sixth.code().as_str()), (409, "too_many_authenticators"));
    let last = held(&app, &alice)[5]["id"].as_str().unwrap().to_owned();
    remove(&app, &alice, &last).expect(204);
    assert_eq!(app.post("/auth/v1/setup-mfa", &alice.token, &json!({})).status, 200);
}

/// Goal: a guess is a guess at each, and each has its own counter.
///
/// Source: SP 800-63B-4 §3.2.2.
#[test]
fn a_wrong_code_counts_against_every_authenticator_and_a_used_one_against_its_own() {
    let setup = Setup::default().with_setting("decisions.throttle.failures_max_totp=2");
    let app = TestApp::spawn(&setup);
    let first = alice(&app);
    let (second, _) = another(&app, &first, "");
    let used = app.code(&second.seed.unwrap());
    let weak = app.one_factor("alice");
    let start = journal::size(&app);

    assert_eq!(app.verify(&weak.token, &used).code(), "mfa_failed");
    assert_eq!(journal::names(&app, start), ["mfa.refused"]);
    assert_eq!(app.verify(&weak.token, "000000").code(), "mfa_failed");
    let told = ["mfa.refused", "mfa.refused", "mfa.refused", "credential.disabled"];
    assert_eq!(journal::names(&app, start), told);
    app.clock.advance(STEP);
    let code = app.code(&second.seed.unwrap());
    assert_eq!(app.verify(&weak.token, &code).code(), "mfa_failed", "worn out");
    app.clock.advance(STEP);
    let other = app.one_factor("alice");
    let answer = app.verify(&other.token, &app.code(&first.seed.unwrap()));
    assert_eq!((answer.status, answer.code().as_str()), (409, "mfa_disabled"));
}

/// Goal: whose code was seen hears of it.
///
/// Source: SP 800-63B-4 §3.1.4.2.
#[test]
fn a_used_code_given_again_is_recorded_and_shown_to_its_person() {
    let app = TestApp::spawn(&Setup::default());
    let alice = alice(&app);
    let seen = app.code(&alice.seed.unwrap());
    let session = |person: &Person| app.get("/auth/v1/session", &person.token).expect(200);
    assert_eq!(session(&alice)["reused_code_at"], Value::Null);
    let thief = app.one_factor("alice");
    let start = journal::size(&app);

    assert_eq!(app.verify(&thief.token, &seen).code(), "mfa_failed");

    let log = journal::since(&app, start);
    assert!(matches!(&log[0].event, Event::MfaRefused(it) if it.reason == Refused::Replayed));
    assert_eq!(session(&alice)["reused_code_at"], "2026-11-22T12:00:00.000000Z");
    app.clock.advance(7 * 86_400 + 1);
    let later = app.one_factor("alice");
    assert_eq!(session(&later)["reused_code_at"], Value::Null);
}

/// Goal: what is removed is gone for good: from use, from the vault, and with it every
/// session that may have come by it.
///
/// Source: ASVS 5.0 6.5.6, 7.4.3.
#[test]
fn a_removed_authenticator_is_gone_with_every_other_session() {
    let app = TestApp::spawn(&Setup::default());
    let first = alice(&app);
    let lost = id_of(&app, &first, "totp");
    let (kept, _) = another(&app, &first, "kept");
    let (other, weak) = (app.one_factor("alice"), app.one_factor("alice"));
    let vault = &app.node.vault;
    let sealed = {
        let world = app.node.sequencer.world();
        let person = world.identities.get(&"alice".parse().unwrap()).unwrap();
        person.totps[0].credential.clone()
    };
    let totp = countersign::vault::Purpose::Totp;
    assert!(vault.open("alice", sealed.id, totp, &sealed.sealed).is_ok());
    let start = journal::size(&app);

    remove(&app, &kept, &lost).expect(204);

    let log = journal::since(&app, start);
    let told = ["credential.removed", "session.ended", "session.ended"];
    assert_eq!(journal::names(&app, start), told);
    let why = SessionEnding::AuthenticatorRemoved;
    assert!(matches!(&log[1].event, Event::SessionEnded(it) if it.reason == why));
    assert!(vault.open("alice", sealed.id, totp, &sealed.sealed).is_err());
    for ended in [&other, &weak] {
        assert_eq!(app.get("/auth/v1/session", &ended.token).status, 401);
    }
    app.clock.advance(STEP);
    let token = kept.token.as_str();
    assert_eq!(app.verify(token, &app.code(&first.seed.unwrap())).code(), "mfa_failed");
    assert_eq!(app.verify(token, &app.code(&kept.seed.unwrap())).status, 200);
    assert_eq!(remove(&app, &kept, &lost).status, 401, "the token was replaced");
    app.assert_replays();
}

/// Goal: a stolen password removes nothing, and neither does a session left open.
///
/// Source: ASVS 5.0 7.5.1; SP 800-63B-4 §4.1.2.1.
#[test]
fn removing_takes_the_accounts_whole_strength_of_late() {
    let app = TestApp::spawn(&Setup::default());
    let alice = alice(&app);
    let totp = id_of(&app, &alice, "totp");
    let weak = app.one_factor("alice");
    let start = journal::size(&app);
    let refused = remove(&app, &weak, &totp);
    assert_eq!((refused.status, refused.code().as_str()), (403, "assurance_too_low"));
    let renamed = json!({"label": "mine"});
    let path = format!("/auth/v1/authenticators/{totp}");
    assert_eq!(app.patch(&path, &weak.token, &renamed).code(), "assurance_too_low");
    app.clock.advance(901);
    let refused = remove(&app, &alice, &totp);
    assert_eq!((refused.status, refused.code().as_str()), (403, "reauthentication_required"));
    assert_eq!(journal::size(&app), start);
}

#[test]
fn only_ones_own_authenticators_can_be_removed_and_never_the_password() {
    let app = TestApp::spawn(&Setup::default());
    let alice = alice(&app);
    let admin = app.one_factor("admin");
    let admins = held(&app, &admin)[1]["id"].as_str().unwrap().to_owned();
    for id in [admins.as_str(), "no-id", &uuid::Uuid::nil().to_string()] {
        let refused = remove(&app, &alice, id);
        assert_eq!((refused.status, refused.code().as_str()), (404, "authenticator_unknown"));
    }
    let password = id_of(&app, &alice, "password");
    let refused = remove(&app, &alice, &password);
    assert_eq!((refused.status, refused.code().as_str()), (409, "password_required"));
    let path = format!("/auth/v1/authenticators/{password}");
    assert_eq!(app.patch(&path, &alice.token, &json!({"label": "x"})).code(), "not_named");
}

/// Goal: a password that was let in beside a second factor never stands alone.
///
/// Source: SP 800-63B-4 §3.1.1.2 (1).
#[test]
fn a_short_password_keeps_its_last_second_factor() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let alice = app.two_factors(&app.one_factor("alice"));
    let ticket = app.post("/users/v1/alice/ticket", &admin.token, &json!({})).expect(201);
    let short = "harbours";
    app.enrol(ticket["ticket"].as_str().unwrap(), short).expect(201);
    app.clock.advance(STEP);
    let weak = Person::of(&app.login("alice", short).expect(200), None);
    let raised = app.verify(&weak.token, &app.code(&alice.seed.unwrap())).expect(200);
    let strong = Person::of(&raised, alice.seed);

    let totp = id_of(&app, &strong, "totp");
    let refused = remove(&app, &strong, &totp);
    assert_eq!((refused.status, refused.code().as_str()), (409, "password_too_short_alone"));

    let (strong, second) = another(&app, &strong, "second");
    remove(&app, &strong, &totp).expect(204);
    let refused = remove(&app, &strong, &second);
    assert_eq!(refused.code(), "password_too_short_alone");
}

#[test]
fn with_a_long_password_the_last_second_factor_can_go() {
    let app = TestApp::spawn(&Setup::default());
    let alice = alice(&app);
    let totp = id_of(&app, &alice, "totp");
    remove(&app, &alice, &totp).expect(204);
    let alone = app.login("alice", PASSWORD).expect(200);
    assert_eq!(alone["session"]["mfa_enrolled"], false);
    assert_eq!(app.verify(alone["token"].as_str().unwrap(), "000000").code(), "mfa_not_set_up");
}

#[test]
fn an_authenticator_gets_another_name_on_the_record() {
    let app = TestApp::spawn(&Setup::default());
    let alice = alice(&app);
    let totp = id_of(&app, &alice, "totp");
    let start = journal::size(&app);
    let path = format!("/auth/v1/authenticators/{totp}");
    app.patch(&path, &alice.token, &json!({"label": "telephone"})).expect(204);
    assert_eq!(journal::names(&app, start), ["credential.renamed"]);
    assert_eq!(held(&app, &alice)[1]["label"], "telephone");
    assert_eq!(app.patch(&path, &alice.token, &json!({"label": "a\nb"})).status, 400);
}
