//! What a person does on their account: names, removes, recovers, ends sessions.

use countersign::event::Event;

use crate::app::{Answer, Browser, PASSWORD, Setup, TestApp};

fn people() -> TestApp {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    app
}

/// Signed in with both factors; the seed of the app, called `name`.
fn with_app<'a>(app: &'a TestApp, name: &str) -> (Browser<'a>, [u8; 20]) {
    let mut browser = Browser::signed_in(app, "alice", PASSWORD);
    let seed = add_app(app, &mut browser, name);
    (browser, seed)
}

fn add_app(app: &TestApp, browser: &mut Browser<'_>, name: &str) -> [u8; 20] {
    browser.open("/account");
    browser.submit("/account/set-up", &[("label", name)]);
    let seed = browser.seed_on("/account/set-up");
    let raised = browser.submit("/account/set-up/confirm", &[("code", &app.code(&seed))]);
    assert_eq!(leads(&raised), (303, "/account"));
    seed
}

fn leads(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("location"))
}

/// The places of the apps on the account, in its order.
fn apps(browser: &mut Browser<'_>) -> Vec<String> {
    let page = browser.open("/account").text;
    let places = page.split('"').filter(|it| it.starts_with("/account/authenticators/"));
    places.map(str::to_owned).collect()
}

#[test]
fn several_apps_are_named_renamed_and_removed() {
    let app = people();
    let (mut browser, _) = with_app(&app, "old <b>phone</b>");
    app.clock.advance(30);
    add_app(&app, &mut browser, "tablet");
    let account = browser.open("/account").text;
    assert!(account.contains("old &lt;b&gt;phone&lt;/b&gt;") && account.contains("tablet"));
    let [phone, tablet] = apps(&mut browser).try_into().unwrap();

    browser.open(&phone);
    let renamed = browser.submit(&phone, &[("label", " spare phone ")]);
    assert_eq!(leads(&renamed), (303, "/account?done=renamed"));
    let account = browser.open("/account?done=renamed").text;
    assert!(account.contains("The name is saved.") && account.contains(">spare phone<"));
    let long = "x".repeat(257);
    assert_eq!(browser.submit(&phone, &[("label", &long)]).status, 400);

    let mut elsewhere = Browser::signed_in(&app, "alice", PASSWORD);
    let removed = browser.submit(&format!("{tablet}/remove"), &[]);
    assert_eq!(leads(&removed), (303, "/account?done=removed"));
    assert_eq!(apps(&mut browser), [phone]);
    assert_eq!(leads(&elsewhere.open("/sign-in/code")), (303, "/sign-in"), "it has ended");
    assert_eq!(browser.open(&tablet).status, 404);
}

/// Source: SP 800-63B-4 §4.1.2.1; ASVS 5.0 7.5.1.
#[test]
fn after_a_while_a_change_takes_the_second_factor_again() {
    let app = people();
    let (mut browser, seed) = with_app(&app, "");
    app.clock.advance(901);
    let [place] = apps(&mut browser).try_into().unwrap();
    let again = (303, "/sign-in/code?done=again");
    assert_eq!(leads(&browser.submit(&format!("{place}/remove"), &[])), again);
    assert_eq!(leads(&browser.submit("/account/recovery-codes", &[])), again);
    assert_eq!(leads(&browser.submit("/account/set-up", &[])), again);
    let page = browser.open("/sign-in/code?done=again");
    assert!(page.text.contains("it has been a while"));
    let code = app.code(&seed);
    assert_eq!(leads(&browser.submit("/sign-in/code", &[("code", &code)])), (303, "/account"));
    browser.open("/account");
    assert_eq!(browser.submit("/account/recovery-codes", &[]).status, 200);
}

/// Goal: who has lost the app gets back in with paper, and by nothing less; each code once.
#[test]
fn a_recovery_code_and_the_password_lead_to_a_new_app() {
    let app = people();
    let (mut browser, _) = with_app(&app, "lost");
    browser.open("/account");
    let codes = codes(&browser.submit("/account/recovery-codes", &[]));
    assert_eq!(codes.len(), 10);
    let mut lost = Browser::signed_in(&app, "alice", PASSWORD);
    assert!(lost.open("/sign-in/code").text.contains("href=\"/sign-in/recover\""));

    let mut lost = Browser::new(&app);
    lost.open("/sign-in/recover");
    let mut give = |code: &str| {
        let given = [("username", "alice"), ("password", PASSWORD), ("code", code)];
        lost.submit("/sign-in/recover", &given)
    };
    let wrong = give("aaaa-bbbb-cccc-dddd-eeee-ffff");
    assert_eq!(wrong.status, 401);
    let recovered = give(&codes[3].to_uppercase().replace('-', " "));
    assert_eq!(recovered.status, 200);
    let [fresh] = self::codes(&recovered).try_into().unwrap();
    assert!(!codes.contains(&fresh));
    for closed in ["/account", "/sign-in/code", "/sign-in"] {
        assert_eq!(leads(&lost.open(closed)), (303, "/account/set-up"), "{closed}");
    }
    assert_eq!(leads(&lost.submit("/account/set-up", &[])), (303, "/account/set-up"));
    let seed = lost.seed_on("/account/set-up");
    let bound = lost.submit("/account/set-up/confirm", &[("code", &app.code(&seed))]);
    assert_eq!(leads(&bound), (303, "/sign-in?done=bound"));
    assert_eq!(leads(&lost.open("/account")), (303, "/sign-in"), "no more than binding");
    assert!(lost.open("/sign-in?done=bound").text.contains("Sign in with it."));

    app.clock.advance(30);
    let mut back = Browser::signed_in(&app, "alice", PASSWORD);
    back.open("/sign-in/code");
    let code = app.code(&seed);
    assert_eq!(leads(&back.submit("/sign-in/code", &[("code", &code)])), (303, "/account"));
    app.assert_replays();
}

fn codes(page: &Answer) -> Vec<String> {
    let (_, list) = page.text.split_once("<ul class=\"codes\">").unwrap();
    let (list, _) = list.split_once("</ul>").unwrap();
    let each = list.split("<code>").skip(1);
    each.map(|it| it.split('<').next().unwrap().to_owned()).collect()
}

/// Goal: a session that is ended here is over with its next request.
#[test]
fn a_person_ends_one_session_or_all_others() {
    let app = people();
    let mut here = Browser::signed_in(&app, "alice", PASSWORD);
    let [mut one, mut two, mut three] = [(); 3].map(|()| {
        app.clock.advance(1);
        Browser::signed_in(&app, "alice", PASSWORD)
    });
    let page = here.open("/account").text;
    let ends: Vec<_> = page.split('"').filter(|it| it.ends_with("/end")).collect();
    assert_eq!(ends.len(), 3, "not the one that asks");
    assert_eq!(leads(&here.submit(ends[0], &[])), (303, "/account?done=ended"));
    let out = |browser: &mut Browser<'_>| browser.open("/account").status == 303;
    assert_eq!([out(&mut one), out(&mut two), out(&mut three)], [true, false, false]);
    let all = here.submit("/account/sessions/end-others", &[]);
    assert_eq!(leads(&all), (303, "/account?done=others-ended"));
    assert_eq!([out(&mut two), out(&mut three), out(&mut here)], [true, true, false]);
}

/// Goal: nobody ends another's session, or looks at another's authenticator.
#[test]
fn what_is_another_persons_is_nothing() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    app.person(&admin, "mallory");
    let (mut alice, _) = with_app(&app, "hers");
    let [place] = apps(&mut alice).try_into().unwrap();
    let session = app.log().iter().rev().find_map(|entry| match &entry.event {
        Event::SessionRaised(it) => Some(it.session),
        _ => None,
    });
    let session = session.unwrap();
    let mut mallory = Browser::signed_in(&app, "mallory", PASSWORD);
    mallory.open("/account");
    let before = app.log().len();
    assert_eq!(mallory.open(&place).status, 404);
    assert_eq!(mallory.submit(&place, &[("label", "mine")]).status, 404);
    assert_eq!(mallory.submit(&format!("{place}/remove"), &[]).status, 404);
    assert_eq!(mallory.submit(&format!("/account/sessions/{session}/end"), &[]).status, 404);
    assert_eq!(app.log().len(), before);
    assert_eq!(alice.open("/account").status, 200);
}

#[test]
fn the_account_shows_the_latest_sign_ins_from_the_log() {
    let app = people();
    Browser::new(&app).sign_in("alice", "a wrong one");
    let (mut browser, seed) = with_app(&app, "");
    app.clock.advance(30);
    let code = app.code(&seed);
    browser.open("/sign-in/code");
    browser.submit("/sign-in/code", &[("code", &code)]);
    browser.open("/sign-in/code");
    browser.submit("/sign-in/code", &[("code", &code)]);
    let page = browser.open("/account").text;
    assert!(page.contains("a code of yours was given that had been used before"));
    let (_, rows) = page.split_once("<tbody>").unwrap();
    let said: Vec<_> = [
        "a code that had been used before",
        "password and code from an authenticator app",
        "Signed in: password<",
        "a wrong password",
    ]
    .map(|what| rows.find(what).unwrap())
    .into();
    assert!(said.is_sorted(), "newest first: {said:?}");
}
