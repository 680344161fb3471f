//! Who sees which page, and where each form leads.

use crate::app::{Answer, Browser, PASSWORD, Setup, TestApp};

fn people() -> TestApp {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    app
}

fn leads(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("location"))
}

const INSIDE: [&str; 4] = ["/account", "/account/set-up", "/sign-in/code", "/sign-out"];

#[test]
fn a_stranger_is_shown_where_to_sign_in() {
    let app = people();
    let mut browser = Browser::new(&app);
    assert_eq!(leads(&browser.open("/")), (303, "/sign-in"));
    for path in INSIDE {
        assert_eq!(leads(&browser.open(path)), (303, "/sign-in"), "{path}");
        let form = [("form", "0"), ("code", "000000")];
        let sent = browser.send(path, &[("sec-fetch-site", "same-origin")], &form);
        if path != "/account" {
            assert_eq!(leads(&sent), (303, "/sign-in"), "{path}");
        }
    }
}

/// Goal: the article's two factors, page by page. With the second in use, the first
/// alone opens nothing but the page that asks for it.
#[test]
fn password_then_code_lead_to_the_account() {
    let app = people();
    let mut browser = Browser::signed_in(&app, "alice", PASSWORD);
    let weak = browser.cookies.clone();
    let seed = browser.offer();
    let first = app.code(&seed);
    let raised = browser.submit("/account/set-up/confirm", &[("code", &first)]);
    assert_eq!(leads(&raised), (303, "/account"));
    assert_ne!(browser.cookies, weak, "the session goes on under a new token");
    let account = browser.open("/account").text;
    assert!(account.contains("AAL2") && account.contains("code from an authenticator app"));
    let mut old = Browser { cookies: weak, ..Browser::new(&app) };
    assert_eq!(leads(&old.open("/account")), (303, "/sign-in"), "the old cookie is dead");

    app.clock.advance(30);
    let mut again = Browser::signed_in(&app, "alice", PASSWORD);
    for path in ["/account", "/account/set-up", "/sign-in"] {
        assert_eq!(leads(&again.open(path)), (303, "/sign-in/code"), "{path}");
    }
    let page = again.open("/sign-in/code");
    assert_eq!(page.status, 200);
    assert_eq!(leads(&again.submit("/account/set-up", &[])), (303, "/sign-in/code"));
    let used = again.submit("/sign-in/code", &[("code", &first)]);
    assert_eq!(used.status, 401, "the code of before");
    let code = app.code(&seed);
    let (one, other) = code.split_at(3);
    let spaced = format!(" {one} {other} ");
    assert_eq!(leads(&again.submit("/sign-in/code", &[("code", &spaced)])), (303, "/account"));
    assert_eq!(again.open("/account").status, 200);
}

#[test]
fn what_is_wrong_is_said_with_the_status_that_programs_hear() {
    let app = people();
    let mut browser = Browser::new(&app);
    for _ in 0..3 {
        let wrong = browser.sign_in("alice", "wrong");
        assert_eq!(wrong.status, 401);
        assert!(wrong.text.contains("The name or the password is wrong."));
        assert!(wrong.text.contains("value=\"alice\""), "the name stays");
    }
    let early = browser.sign_in("alice", PASSWORD);
    assert_eq!((early.status, early.header("retry-after")), (429, "1"));
    assert!(early.text.contains("try again in 1 s."));
    let long = "x".repeat(129);
    assert_eq!(browser.sign_in("alice", &long).status, 400);
    assert_eq!(browser.sign_in("alice", "").status, 400);
}

/// Goal: the pages tell a stranger no more than the API: who is known is not told.
#[test]
fn an_unknown_name_is_told_what_a_known_one_is() {
    let app = people();
    let told = |name: &str| {
        let mut browser = Browser::new(&app);
        let answer = browser.sign_in(name, "wrong");
        (answer.status, answer.text.replace(name, "…").replace(&browser.tag, "…"))
    };
    assert_eq!(told("alice"), told("nobody"));
}

#[test]
fn who_signs_out_is_out_at_once() {
    let app = people();
    let mut browser = Browser::signed_in(&app, "alice", PASSWORD);
    let session = browser.cookies.clone();
    browser.open("/account");
    let out = browser.submit("/sign-out", &[]);
    assert_eq!(leads(&out), (303, "/sign-in?done=signed-out"));
    assert!(!browser.cookies.contains_key("__Host-countersign"), "the cookie is taken back");
    let mut kept = Browser { cookies: session, ..Browser::new(&app) };
    assert_eq!(leads(&kept.open("/account")), (303, "/sign-in"));
    assert!(browser.open("/sign-in?done=signed-out").text.contains("You have signed out."));
}

/// Source: ASVS 5.0 V7.2.4.
#[test]
fn who_signs_in_anew_leaves_the_session_of_before() {
    let app = people();
    let mut browser = Browser::signed_in(&app, "alice", PASSWORD);
    let before = browser.cookies.clone();
    browser.sign_in("alice", PASSWORD);
    assert_eq!(browser.open("/account").status, 200);
    let mut old = Browser { cookies: before, ..Browser::new(&app) };
    assert_eq!(leads(&old.open("/account")), (303, "/sign-in"));
}

/// Source: SP 800-63B-4 §4.1.2.1; ASVS 5.0 V7.5.1.
#[test]
fn an_authenticator_is_set_up_only_after_a_fresh_sign_in() {
    let app = people();
    let mut browser = Browser::signed_in(&app, "alice", PASSWORD);
    app.clock.advance(901);
    browser.open("/account");
    assert_eq!(leads(&browser.submit("/account/set-up", &[])), (303, "/sign-in?done=again"));
    assert_eq!(browser.open("/sign-in?done=again").status, 200, "though still signed in");
    browser.sign_in("alice", PASSWORD);
    browser.offer();
}

#[test]
fn an_offer_is_shown_until_it_is_confirmed_and_never_after() {
    let app = people();
    let mut browser = Browser::signed_in(&app, "alice", PASSWORD);
    let first = browser.offer();
    assert!(browser.open("/account/set-up").text.contains("data:image/png"));
    let second = browser.offer();
    assert_ne!(first, second, "offered anew");
    let old = browser.submit("/account/set-up/confirm", &[("code", &app.code(&first))]);
    assert_eq!(old.status, 401);
    let right = browser.submit("/account/set-up/confirm", &[("code", &app.code(&second))]);
    assert_eq!(leads(&right), (303, "/account"));
    assert!(!browser.open("/account/set-up").text.contains("data:image/png"));
}
