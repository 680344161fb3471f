//! Authenticators that nobody here wrote: `webauthn-authenticator-rs`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::audit::describe;
use countersign::event::Event;
use countersign::model::Digest;
use serde_json::{Value, json};
use webauthn_authenticator_rs::WebauthnAuthenticator;
use webauthn_authenticator_rs::prelude::Url;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;
use webauthn_authenticator_rs::softtoken::{AAGUID, SoftToken};
use webauthn_rs::prelude::AttestationCaListBuilder;

use super::ceremony::origin;
use crate::app::{Person, Setup, TestApp};
use crate::journal;

fn place(app: &TestApp) -> Url {
    origin(app).parse().unwrap()
}

/// Makes a key and registers it.
fn registered(
    app: &TestApp,
    token: &str,
    kind: &str,
    authenticator: &mut impl WebauthnAuthenticator,
) -> crate::app::Answer {
    let asked = app.passkey_options(token, kind).expect(200);
    let options = serde_json::from_value(asked["options"].clone()).unwrap();
    let made = authenticator.do_registration(place(app), options).unwrap();
    app.passkey(token, &asked["ticket"], &serde_json::to_value(made).unwrap())
}

/// Signs what is asked.
fn signed(app: &TestApp, asked: &Value, authenticator: &mut impl WebauthnAuthenticator) -> Value {
    let options = serde_json::from_value(asked["options"].clone()).unwrap();
    let signed = authenticator.do_authentication(place(app), options).unwrap();
    serde_json::to_value(signed).unwrap()
}

fn login(app: &TestApp, authenticator: &mut impl WebauthnAuthenticator) -> crate::app::Answer {
    let asked = app.login_options(Some("alice"));
    app.login_passkey(&asked["ticket"], &signed(app, &asked, authenticator))
}

fn alice(app: &TestApp) -> Person {
    let admin = app.admin();
    app.person(&admin, "alice");
    app.one_factor("alice")
}

/// Goal: a client of somebody else's logs in by name and raises a session.
#[test]
fn a_soft_passkey_registers_logs_in_and_raises() {
    let app = TestApp::spawn(&Setup::default());
    let alice = alice(&app);
    let mut soft = SoftPasskey::new(true);
    registered(&app, &alice.token, "passkey", &mut soft).expect(201);
    assert_eq!(login(&app, &mut soft).expect(200)["session"]["aal"], 2);
    let asked = app.verify_options(&alice.token).expect(200);
    let signed = signed(&app, &asked, &mut soft);
    let raised = app.verify_passkey(&alice.token, &asked["ticket"], &signed).expect(200);
    assert_eq!(raised["session"]["amr"], json!(["mfa", "pop", "pwd", "user"]));
}

/// Goal: an auditor sees under which settings a password was hashed and a key attested.
#[test]
fn what_logins_rest_on_is_on_record_from_each_start() {
    let (_, authority) = SoftToken::new(true).unwrap();
    let list = list_of(|built| {
        let (name, others) = ("soft".to_owned(), std::collections::BTreeMap::new());
        built.insert_device_x509(authority, AAGUID, name, others).unwrap();
    });
    let mut app = TestApp::spawn(
        &Setup::default()
            .with_setting("public_url=https://pdp.example.com")
            .with_setting("argon2.t=3"),
    );
    let path = list.path().to_owned();
    app.restart_with(|settings| settings.webauthn.attestation = Some(path));
    let log = app.log();
    let told: Vec<_> = log
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::NodeStarted(it) => it.authentication.clone().map(|it| (it, describe(entry))),
            _ => None,
        })
        .collect();
    let [(before, _), (after, row)] = told.try_into().unwrap();
    assert_eq!((before.argon2_kib, before.argon2_passes, before.argon2_lanes), (19_456, 3, 1));
    assert_eq!(before.rp_id.as_deref(), Some("pdp.example.com"));
    assert_eq!(before.origins, ["https://pdp.example.com"]);
    assert_eq!(before.attestation, None);
    let digest = Digest::of(std::fs::read(list.path()).unwrap());
    assert_eq!(after.attestation, Some(digest));
    assert!(row.contains("argon2id of 19456 KiB × 3 × 1; passkeys of pdp.example.com"), "{row}");
    assert!(row.ends_with(&format!("attested by the list {digest}")), "{row}");
    app.assert_replays();
}

/// The file of `webauthn.attestation` for a soft token's authority.
fn list_of(token: impl FnOnce(&mut AttestationCaListBuilder)) -> tempfile::NamedTempFile {
    let mut built = AttestationCaListBuilder::new();
    token(&mut built);
    let built = serde_json::to_value(built.build()).unwrap();
    let authority = built["cas"].as_object().unwrap().values().next().unwrap();
    let der = URL_SAFE_NO_PAD.decode(authority["ca"].as_str().unwrap()).unwrap();
    let pem = STANDARD.encode(der);
    let lines: Vec<_> = pem.as_bytes().chunks(64).map(|it| str::from_utf8(it).unwrap()).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "# soft\n-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n\
         aaguid {AAGUID} soft\n",
        lines.join("\n")
    );
    std::fs::write(file.path(), text).unwrap();
    file
}

/// Goal: AAL3 takes an authenticator that a certificate on the owner's list attests, and
/// lasts as long as it is on the list.
///
/// Source: SP 800-63B-4 §2.3.1.
#[test]
fn an_attested_authenticator_gives_aal3_while_it_is_on_the_list() {
    let (mut token, authority) = SoftToken::new(true).unwrap();
    let list = list_of(|built| {
        let (name, others) = ("soft".to_owned(), std::collections::BTreeMap::new());
        built.insert_device_x509(authority, AAGUID, name, others).unwrap();
    });
    let setting = format!("webauthn.attestation={}", list.path().display());
    // The origin has a port, and a restart gives another.
    let place = "webauthn.origins=https://localhost";
    let mut app = TestApp::spawn(&Setup::default().with_setting(&setting).with_setting(place));
    let alice = alice(&app);
    let home: Url = "https://localhost".parse().unwrap();
    let asked = app.passkey_options(&alice.token, "attested").expect(200);
    assert_eq!(asked["options"]["publicKey"]["attestation"], "direct");
    let options = serde_json::from_value(asked["options"].clone()).unwrap();
    let made = token.do_registration(home.clone(), options).unwrap();
    let made = serde_json::to_value(made).unwrap();
    let shown = app.passkey(&alice.token, &asked["ticket"], &made).expect(201);
    assert_eq!(shown["passkey"]["attested"], json!(AAGUID));

    let mut log_in = |app: &TestApp| {
        let asked = app.login_options(Some("alice"));
        let options = serde_json::from_value(asked["options"].clone()).unwrap();
        let signed = token.do_authentication(home.clone(), options).unwrap();
        app.login_passkey(&asked["ticket"], &serde_json::to_value(signed).unwrap()).expect(200)
    };
    let answer = log_in(&app);
    assert_eq!(answer["session"]["aal"], 3);
    assert_eq!(answer["session"]["amr"], json!(["hwk", "mfa", "pop", "user"]));
    // Another attested one takes what this one gives.
    let raised = app.one_factor("alice");
    assert_eq!(app.passkey_options(&raised.token, "attested").code(), "assurance_too_low");
    let strong = Person::of(&answer, None);
    app.passkey_options(&strong.token, "attested").expect(200);

    app.restart_with(|settings| settings.webauthn.attestation = None);
    let answer = log_in(&app);
    assert_eq!(answer["session"]["aal"], 2);
    let person = Person::of(&answer, None);
    assert_eq!(app.passkey_options(&person.token, "attested").code(), "attestation_not_configured");
}

/// Goal: an authenticator of another maker's, and one that was asked for no certificate,
/// is not AAL3 whatever it says of itself.
#[test]
fn an_authenticator_that_nobody_attests_gives_aal2() {
    let (_, authority) = SoftToken::new(true).unwrap();
    let list = list_of(|built| {
        let (name, others) = ("soft".to_owned(), std::collections::BTreeMap::new());
        built.insert_device_x509(authority, AAGUID, name, others).unwrap();
    });
    let setting = format!("webauthn.attestation={}", list.path().display());
    let app = TestApp::spawn(&Setup::default().with_setting(&setting));
    let alice = alice(&app);
    let (mut strange, _) = SoftToken::new(true).unwrap();
    let refused = registered(&app, &alice.token, "attested", &mut strange);
    assert_eq!((refused.status, refused.code().as_str()), (422, "passkey_not_accepted"));
    let mut none = SoftPasskey::new(true);
    let refused = registered(&app, &alice.token, "attested", &mut none);
    assert_eq!(refused.code(), "passkey_not_accepted");
    registered(&app, &alice.token, "passkey", &mut strange).expect(201);
    assert_eq!(login(&app, &mut strange).expect(200)["session"]["aal"], 2);
}

/// Goal: the state of an authenticator that was copied away is found out.
#[test]
fn a_soft_token_that_was_copied_is_disabled() {
    let app = TestApp::spawn(&Setup::default());
    let alice = alice(&app);
    let (mut token, _) = SoftToken::new(true).unwrap();
    registered(&app, &alice.token, "passkey", &mut token).expect(201);
    login(&app, &mut token).expect(200);
    let mut copy = SoftToken::from_cbor(&token.to_cbor().unwrap()).unwrap();
    login(&app, &mut token).expect(200);
    let first = journal::size(&app);
    assert_eq!(login(&app, &mut copy).code(), "passkey_failed");
    let disabled = |event: &Event| matches!(event, Event::CredentialDisabled(_));
    assert!(journal::since(&app, first).iter().any(|entry| disabled(&entry.event)));
}
