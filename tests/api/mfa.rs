//! TOTP: set up, confirmed, used once.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::authn::{TotpSeed, code_at};
use countersign::clock::Clock as _;
use countersign::event::{Event, Refused};
use countersign::model::Moment;
use serde_json::{Value, json};

use crate::app::{Answer, Person, Setup, TestApp, seed};
use crate::journal;

/// One step of RFC 6238, in seconds.
const STEP: u64 = 30;

/// A person without a second factor, in a session.
fn alice(app: &TestApp) -> (Person, Person) {
    let admin = app.admin();
    app.person(&admin, "alice");
    let alice = app.one_factor("alice");
    (admin, alice)
}

/// A node and a person with a second factor, in a new session of one factor; the
/// code of the present step is used up.
fn enrolled() -> (TestApp, Person, [u8; 20]) {
    let app = TestApp::spawn(&Setup::default());
    let (_, alice) = alice(&app);
    let seed = app.two_factors(&alice).seed.unwrap();
    let weak = app.one_factor("alice");
    (app, weak, seed)
}

fn offer(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/v1/setup-mfa", token, &json!({}))
}

fn offered(app: &TestApp, token: &str) -> [u8; 20] {
    seed(offer(app, token).expect(200)["secret"].as_str().unwrap())
}

fn code(seed: &[u8; 20], at: Moment) -> String {
    code_at(&TotpSeed::from(*seed), at).to_string()
}

/// Runs a program that a test speaks to as a stranger would; nothing if it is not
/// installed, which is said.
fn stranger(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let ran = command.args(arguments).stdin(Stdio::null()).output();
    let Ok(output) = ran else {
        println!("SKIPPED: `{program}` is not installed");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    Some(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
}

#[test]
fn an_offer_says_what_an_authenticator_app_needs() {
    let app = TestApp::spawn(&Setup::default());
    let (_, alice) = alice(&app);

    let answer = offer(&app, &alice.token);

    assert_eq!(answer.header("cache-control"), "no-store");
    let shown = answer.expect(200);
    let secret = shown["secret"].as_str().unwrap();
    let uri = shown["otpauth_uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/Countersign:alice?"), "{uri}");
    assert!(uri.contains(&format!("secret={secret}")), "{uri}");
    assert!(uri.contains("issuer=Countersign"), "{uri}");
    assert_eq!(shown["expires_at"], "2026-11-22T12:10:00.000000Z");
    let session = app.get("/auth/v1/session", &alice.token).expect(200);
    assert_eq!(session["mfa_pending"], true);
    assert_eq!(session["mfa_enrolled"], false, "an offer is no second factor yet");
    assert!(!session.to_string().contains(secret));
}

/// Goal: a seed is shown once. Asking again makes another one and voids the first.
#[test]
fn a_seed_is_never_shown_again() {
    let app = TestApp::spawn(&Setup::default());
    let (_, alice) = alice(&app);
    let first = offered(&app, &alice.token);
    let second = offered(&app, &alice.token);
    assert_ne!(first, second);
    assert_eq!(app.verify(&alice.token, &app.code(&first)).code(), "mfa_failed");
    assert_eq!(app.verify(&alice.token, &app.code(&second)).status, 200);
}

#[test]
fn an_offer_lapses() {
    let app = TestApp::spawn(&Setup::default().with_setting("decisions.session.mfa_pending_s=90"));
    let (_, alice) = alice(&app);
    let seed = offered(&app, &alice.token);
    app.clock.advance(90);
    assert_eq!(app.verify(&alice.token, &app.code(&seed)).code(), "mfa_not_set_up");
    let seed = offered(&app, &alice.token);
    app.clock.advance(89);
    assert_eq!(app.verify(&alice.token, &app.code(&seed)).status, 200);
}

#[test]
fn without_a_second_factor_there_is_nothing_to_verify() {
    let app = TestApp::spawn(&Setup::default());
    let (_, alice) = alice(&app);
    let answer = app.verify(&alice.token, "123456");
    assert_eq!((answer.status, answer.code().as_str()), (409, "mfa_not_set_up"));
}

#[test]
fn a_wrong_code_is_refused_and_a_right_one_raises_the_session() {
    let (app, weak, seed) = enrolled();
    app.clock.advance(STEP);
    let right = app.code(&seed);
    let first = journal::size(&app);
    for wrong in ["000000", "999999"] {
        assert_ne!(right, wrong, "the seeds of this test are fixed");
        let answer = app.verify(&weak.token, wrong);
        assert_eq!((answer.status, answer.code().as_str()), (401, "mfa_failed"));
    }
    let raised = app.verify(&weak.token, &right).expect(200);
    assert_eq!(raised["session"]["aal"], 2);
    assert_eq!(raised["session"]["amr"], json!(["mfa", "otp", "pwd"]));
    let told = ["mfa.refused", "mfa.refused", "mfa.verified", "session.raised"];
    assert_eq!(journal::names(&app, first), told);
}

#[test]
fn what_is_no_code_is_not_looked_at() {
    let (app, weak, _) = enrolled();
    let first = journal::size(&app);
    for text in ["", "12345", "1234567", "12 345", "12345a", "１２３４５６", "-12345"] {
        assert_eq!(app.verify(&weak.token, text).code(), "bad_code", "{text}");
    }
    for body in [json!({}), json!({"mfa_code": 123_456}), json!({"code": "123456"}), json!([])] {
        assert_eq!(app.post("/auth/v1/verify-mfa", &weak.token, &body).status, 400, "{body}");
    }
    assert_eq!(journal::names(&app, first), [""; 0]);
}

/// Goal: a code seen over somebody's shoulder is worth nothing: here, from another
/// session, and after a restart.
///
/// Source: RFC 6238 §5.2, SP 800-63B-4 §3.1.4.2.
#[test]
fn a_code_is_accepted_once_for_ever() {
    let (mut app, weak, seed) = enrolled();
    app.clock.advance(STEP);
    let code = app.code(&seed);
    let other = app.one_factor("alice");
    let strong = Person::of(&app.verify(&weak.token, &code).expect(200), Some(seed));

    for token in [&strong.token, &other.token] {
        let answer = app.verify(token, &code);
        assert_eq!((answer.status, answer.code().as_str()), (401, "mfa_failed"));
    }
    app.restart();
    assert_eq!(app.verify(&other.token, &code).code(), "mfa_failed");

    let log = app.log();
    let reasons = log.iter().filter_map(|entry| match &entry.event {
        Event::MfaRefused(refused) => Some(refused.reason),
        _ => None,
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [Refused::Replayed; 3]);
    app.clock.advance(STEP);
    assert_eq!(app.verify(&other.token, &app.code(&seed)).status, 200);
}

/// Goal: a clock that is set back makes no used code new again; far back, nothing is
/// decided by it at all.
#[test]
fn a_clock_set_back_makes_no_code_new() {
    let (app, weak, seed) = enrolled();
    let noon = app.clock.now();
    app.clock.advance(STEP);
    let later = app.code(&seed);
    let strong = Person::of(&app.verify(&weak.token, &later).expect(200), Some(seed));
    app.clock.set(app.clock.now().minus_seconds(9));
    let other = app.one_factor("alice");
    for code in [later, code(&seed, noon)] {
        assert_eq!(app.verify(&other.token, &code).code(), "mfa_failed");
    }
    app.clock.set(noon.minus_seconds(120));
    let early = app.verify(&strong.token, &app.code(&seed));
    assert_eq!((early.status, early.code().as_str()), (503, "clock_behind"));
}

/// Goal: a person has the time to type, but nobody has tomorrow's code honestly.
#[test]
fn the_code_before_is_accepted_once_and_the_next_one_never() {
    let (app, weak, seed) = enrolled();
    app.clock.advance(2 * STEP);
    let now = app.clock.now();
    let before = code(&seed, now.minus_seconds(STEP));
    let next = code(&seed, now.plus_seconds(STEP));
    let current = code(&seed, now);

    assert_eq!(app.verify(&weak.token, &next).code(), "mfa_failed");
    let strong = app.verify(&weak.token, &before).expect(200);
    let token = strong["token"].as_str().unwrap();
    assert_eq!(app.verify(token, &before).code(), "mfa_failed");
    assert_eq!(app.verify(token, &current).status, 200);
    let other = app.one_factor("alice");
    assert_eq!(app.verify(&other.token, &before).code(), "mfa_failed", "older than the last");
}

/// Goal: a stolen password binds no authenticator of the thief's.
///
/// Source: SP 800-63B-4 §4.1.2.1; ASVS 5.0 7.5.1.
#[test]
fn another_authenticator_needs_the_one_in_use_and_a_fresh_session() {
    let (app, weak, seed) = enrolled();
    let answer = offer(&app, &weak.token);
    assert_eq!((answer.status, answer.code().as_str()), (403, "assurance_too_low"));

    app.clock.advance(STEP);
    let raised = app.verify(&weak.token, &app.code(&seed)).expect(200);
    let strong = Person::of(&raised, Some(seed));
    app.clock.advance(901);
    let answer = offer(&app, &strong.token);
    assert_eq!((answer.status, answer.code().as_str()), (403, "reauthentication_required"));

    let raised = app.verify(&strong.token, &app.code(&seed)).expect(200);
    let fresh = Person::of(&raised, Some(seed));
    let replacement = offered(&app, &fresh.token);
    app.clock.advance(STEP);
    // It shows nothing that the session has not shown before.
    let bound = app.verify(&fresh.token, &app.code(&replacement)).expect(200);
    assert_eq!(bound, json!({"bound": true}));
    app.clock.advance(STEP);
    // Both are in use from here on.
    for seed in [seed, replacement] {
        let other = app.one_factor("alice");
        assert_eq!(app.verify(&other.token, &app.code(&seed)).status, 200);
    }
    assert_eq!(app.get("/auth/v1/session", &fresh.token).expect(200)["aal"], 2);
}

/// Goal: a pending authenticator is its person's alone.
#[test]
fn nobody_confirms_an_authenticator_of_somebody_else() {
    let app = TestApp::spawn(&Setup::default());
    let (admin, alice) = alice(&app);
    app.person(&admin, "bob");
    let bob = app.one_factor("bob");
    let (hers, his) = (offered(&app, &alice.token), offered(&app, &bob.token));
    assert_eq!(app.verify(&alice.token, &app.code(&his)).code(), "mfa_failed");
    assert_eq!(app.verify(&bob.token, &app.code(&hers)).code(), "mfa_failed");
    assert_eq!(app.verify(&alice.token, &app.code(&hers)).status, 200);
}

/// Goal: a refused set-up leaves nothing behind: no entry, and no sealed seed.
#[test]
fn a_refused_offer_seals_no_seed() {
    let (app, weak, _) = enrolled();
    let (entries, files) = (journal::size(&app), sealed(&app));
    for _ in 0..3 {
        assert_eq!(offer(&app, &weak.token).code(), "assurance_too_low");
    }
    assert_eq!((journal::size(&app), sealed(&app)), (entries, files));
}

/// How many files the vault has.
fn sealed(app: &TestApp) -> usize {
    let folders = std::fs::read_dir(app.node.settings.data.join("vault")).unwrap();
    let folders = folders.map(|folder| folder.unwrap().path()).filter(|path| path.is_dir());
    folders.map(|folder| std::fs::read_dir(folder).unwrap().count()).sum()
}

/// Goal: what a second, independent implementation of RFC 6238 makes of the secret
/// shown is what logs in.
#[test]
fn oathtool_logs_in() {
    let app = TestApp::spawn(&Setup::default());
    let (_, alice) = alice(&app);
    let shown = offer(&app, &alice.token).expect(200);
    let secret = shown["secret"].as_str().unwrap();
    let code = |at: Moment| {
        let now = format!("--now={}", at.to_string().replace('T', " ").replace(".000000Z", " UTC"));
        stranger(
            "oathtool",
            &["--totp=sha1", "--digits=6", "--time-step-size=30s", &now, "-b", secret],
        )
    };
    let Some(first) = code(app.clock.now()) else { return };
    let raised = app.verify(&alice.token, &first).expect(200);
    assert_eq!(raised["session"]["aal"], 2);
    for seconds in [30, 45, 3_571, 100_000] {
        app.clock.advance(seconds);
        let weak = app.one_factor("alice");
        let code = code(app.clock.now()).unwrap();
        assert_eq!(app.verify(&weak.token, &code).status, 200, "{seconds} s later");
    }
}

/// Goal: so does a third, which is what many services were built with.
#[test]
fn pyotp_logs_in() {
    let python = std::env::var("COUNTERSIGN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", "import pyotp"]).output();
    if !there.is_ok_and(|it| it.status.success()) {
        println!("SKIPPED: `{python}` has no pyotp (COUNTERSIGN_PYTHON names one that has)");
        return;
    }
    let app = TestApp::spawn(&Setup::default());
    let (_, alice) = alice(&app);
    let shown = offer(&app, &alice.token).expect(200);
    let script = "import pyotp, sys; totp = pyotp.parse_uri(sys.argv[1])\n\
                  print(totp.issuer, totp.name, totp.at(int(sys.argv[2])))";
    let code = |at: Moment| {
        let uri = shown["otpauth_uri"].as_str().unwrap();
        let said = stranger(&python, &["-c", script, uri, &at.seconds().to_string()]).unwrap();
        said.strip_prefix("Countersign alice ").unwrap().to_owned()
    };
    let raised = app.verify(&alice.token, &code(app.clock.now())).expect(200);
    assert_eq!(raised["session"]["aal"], 2);
    for seconds in [30, 59, 86_400] {
        app.clock.advance(seconds);
        let weak = app.one_factor("alice");
        let code = code(app.clock.now());
        assert_eq!(app.verify(&weak.token, &code).status, 200, "{seconds} s later");
    }
}

/// Goal: the picture that a person points a telephone at says what the text says.
#[test]
fn zbarimg_reads_the_uri_from_the_picture() {
    let app = TestApp::spawn(&Setup::default());
    let (_, alice) = alice(&app);
    let shown = offer(&app, &alice.token).expect(200);
    let picture = shown["qr_png"].as_str().unwrap();
    let picture = STANDARD.decode(picture.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
    let mut file = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
    file.write_all(&picture).unwrap();

    let path = file.path().to_str().unwrap();
    let Some(read) = stranger("zbarimg", &["--quiet", "--raw", "--nodbus", path]) else { return };

    assert_eq!(Value::from(read), shown["otpauth_uri"]);
}
