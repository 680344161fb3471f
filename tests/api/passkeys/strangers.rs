//! What somebody learns, or can break, who has no key.

use countersign::event::{Event, Refused};
use serde_json::{Value, json};

use super::ceremony::named;
use crate::app::{Answer, PASSWORD, Setup, TestApp};
use crate::journal;

/// The shape of what is answered, whoever is asked about.
fn shape(asked: &Value) -> Vec<String> {
    let options = asked["options"]["publicKey"].as_object().unwrap();
    let mut names: Vec<_> = options.keys().cloned().collect();
    names.extend(asked["options"].as_object().unwrap().keys().cloned());
    names.extend(named(asked).iter().flat_map(|it| it.as_object().unwrap().keys().cloned()));
    names.sort();
    names.dedup();
    names
}

/// Goal: by asking for a name's passkeys nobody sees who is known here, nor who has some.
///
/// Source: `WebAuthn` Level 3 §14.6.2.
#[test]
fn names_without_passkeys_are_given_some_that_stay() {
    let mut app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.with_passkey(&admin, "alice", 1);
    app.person(&admin, "known");
    let real = app.login_options(Some("alice"));
    let strangers: Vec<String> = (0..20).map(|number| format!("stranger{number}")).collect();
    let names = ["known", "no name at all", "Nobody"].into_iter();
    let names: Vec<&str> = names.chain(strangers.iter().map(String::as_str)).collect();
    let first = journal::size(&app);
    let before: Vec<_> = names.iter().map(|name| app.login_options(Some(name))).collect();
    let some = before.iter().filter(|asked| !named(asked).is_empty());
    let alike = some.inspect(|asked| assert_eq!(shape(asked), shape(&real))).count();
    assert!((10..=23).contains(&alike), "{alike} of {}", names.len());
    let after: Vec<_> = names.iter().map(|name| app.login_options(Some(name))).collect();
    for (one, other) in before.iter().zip(&after) {
        assert_eq!(named(one), named(other), "the same ids each time");
        assert_ne!(
            one["options"]["publicKey"]["challenge"],
            other["options"]["publicKey"]["challenge"]
        );
    }
    assert_eq!(journal::names(&app, first), [""; 0], "asking costs no entry");
    app.restart();
    let later: Vec<_> = names.iter().map(|name| app.login_options(Some(name))).collect();
    assert!(before.iter().zip(&later).all(|(one, other)| named(one) == named(other)));
    assert_eq!(
        named(&app.login_options(Some("NOBODY"))),
        named(&app.login_options(Some("nobody")))
    );
}

/// Goal: an unknown key, a wrong signature, a disabled person and a disabled key are one
/// answer; what each was stands in the log.
#[test]
fn every_failure_is_one_answer() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut barred = app.with_passkey(&admin, "barred", 1);
    let mut wrong = app.with_passkey(&admin, "wrong", 2);
    wrong.verified = false;
    let mut unknown = super::Stick::new(3, &barred.origin);
    unknown.handle.clone_from(&barred.handle);
    let offered = app.login_options(Some("barred"));
    app.post("/users/v1/barred/disable", &admin.token, &json!({})).expect(204);
    assert_eq!(named(&offered), named(&app.login_options(Some("barred"))), "nobody sees it");

    let first = journal::size(&app);
    let answers = [&mut unknown, &mut wrong, &mut barred].map(|stick| app.sign_in(None, stick));
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (401, &answers[0].text));
    }
    let refused: Vec<_> = journal::since(&app, first)
        .into_iter()
        .map(|entry| match entry.event {
            Event::PasskeyRefused(it) => (it.person.map(String::from), it.reason),
            other => panic!("{other:?}"),
        })
        .collect();
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(
        refused,
        [
            (None, Refused::Unknown),
            (some("wrong"), Refused::Wrong),
            (some("barred"), Refused::Unknown)
        ]
    );
}

/// Goal: who knows a name can neither slow down nor disable its passkeys.
#[test]
fn failures_of_a_password_leave_passkeys_alone() {
    let setup = Setup::default()
        .with_setting("decisions.throttle.failures_max_password=5")
        .with_setting("decisions.throttle.delay_max_s=1");
    let app = TestApp::spawn(&setup);
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    for _ in 0..50 {
        app.login("alice", "some other long password");
        app.clock.advance(1);
    }
    let password = app.node.sequencer.world();
    let alice = password.identities.get(&"alice".parse().unwrap()).unwrap();
    assert!(alice.password.as_ref().unwrap().credential.disabled);
    app.sign_in(Some("alice"), &mut stick).expect(200);
    app.sign_in(None, &mut stick).expect(200);
    // Nor do failures of the passkey itself.
    stick.verified = false;
    for _ in 0..50 {
        assert_eq!(app.sign_in(None, &mut stick).code(), "passkey_failed");
    }
    stick.verified = true;
    app.sign_in(None, &mut stick).expect(200);
}

/// Goal: whoever asks for challenges without end pushes out his own.
#[test]
fn challenges_are_bounded_for_each_source() {
    let app = TestApp::spawn(&Setup::default().with_setting("trusted_proxies=127.0.0.1"));
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let honest = app.login_options(None);
    let headers = [("content-type", "application/json"), ("x-forwarded-for", "198.51.100.7")];
    let mut first = Value::Null;
    for number in 0..300 {
        let answer = app.raw("POST", "/auth/v1/login/passkey/options", &headers, b"{}");
        let asked = answer.expect(200);
        if number == 0 {
            first = asked;
        }
    }
    let lost = app.login_passkey(&first["ticket"], &stick.get(&first["options"]));
    assert_eq!(lost.code(), "passkey_ticket_invalid");
    app.login_passkey(&honest["ticket"], &stick.get(&honest["options"])).expect(200);
}

/// What somebody at another network asks.
fn from_network(app: &TestApp, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("x-forwarded-for", "198.51.100.7")];
    app.raw("POST", path, &headers, body.to_string().as_bytes())
}

/// Goal: made-up answers do not grow the log without end, nor do they keep anybody else, or
/// anybody's password, out.
#[test]
fn one_network_answers_only_so_many_challenges() {
    const OPTIONS: &str = "/auth/v1/login/passkey/options";
    const ANSWER: &str = "/auth/v1/login/passkey";
    let setup = Setup::default()
        .with_setting("behind_proxy=true")
        .with_setting("trusted_proxies=127.0.0.1")
        .with_setting("limits.logins_per_source=3");
    let app = TestApp::spawn(&setup);
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let mut made_up = super::Stick::new(9, &stick.origin);
    let first = journal::size(&app);
    for _ in 0..3 {
        let asked = from_network(&app, OPTIONS, &json!({})).expect(200);
        let answer = made_up.get(&asked["options"]);
        let body = json!({"ticket": asked["ticket"], "credential": answer});
        assert_eq!(from_network(&app, ANSWER, &body).code(), "passkey_failed");
    }
    let honest = app.login_options(None);
    let body = json!({"ticket": honest["ticket"], "credential": stick.get(&honest["options"])});
    for _ in 0..20 {
        let named = from_network(&app, OPTIONS, &json!({"username": "alice"}));
        for answer in [named, from_network(&app, ANSWER, &body)] {
            assert_eq!((answer.status, answer.code().as_str()), (429, "throttled"));
            assert_eq!(answer.header("retry-after"), "10");
        }
    }
    assert_eq!(journal::names(&app, first), ["passkey.refused"; 3]);

    app.login_passkey(&honest["ticket"], &body["credential"]).expect(200);
    let login = json!({"username": "alice", "password": PASSWORD});
    from_network(&app, "/auth/v1/login", &login).expect(200);
    app.clock.advance(60);
    let first = journal::size(&app);
    from_network(&app, OPTIONS, &json!({})).expect(200);
    assert_eq!(journal::names(&app, first), ["attempts.throttled"]);
    let stored = app.stored();
    let line = stored.lines().last().unwrap();
    assert!(line.contains(r#""count":40,"names":2,"sources":1"#), "{line}");
    app.assert_replays();
}

/// Goal: nobody who cannot sign pushes out what a person should see of their sign-ins; a
/// copy of their key is shown to them.
#[test]
fn what_nobody_signed_is_no_refusal_of_anybodys() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let mut stick = app.with_passkey(&admin, "alice", 1);
    let alice = app.one_factor("alice");
    app.login("alice", "some other long password").expect(401);
    let mut copy = stick.clone();
    app.sign_in(None, &mut stick).expect(200);
    app.sign_in(None, &mut stick).expect(200);
    stick.kind = Some("webauthn.create");
    for _ in 0..25 {
        app.sign_in(Some("alice"), &mut stick).expect(401);
    }
    app.sign_in(None, &mut copy).expect(401);
    let shown = app.get("/auth/v1/sign-ins", &alice.token).expect(200);
    let rows = shown["sign_ins"].as_array().unwrap();
    let count = |kind: &str| {
        let kind = format!("countersign.{kind}.refused.v1");
        rows.iter().filter(|row| row["type"] == kind.as_str()).count()
    };
    assert_eq!((count("password"), count("passkey")), (1, 1), "{rows:?}");
}
