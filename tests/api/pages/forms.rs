//! Only our own forms are taken, and only from the session they were shown in.

use crate::app::{Browser, PASSWORD, Setup, TestApp};

const OURS: [(&str, &str); 1] = [("sec-fetch-site", "same-origin")];

/// A place with an id of nothing in it.
macro_rules! concat_id {
    ($before:literal, $after:literal) => {
        concat!($before, "01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57", $after)
    };
}

const NEW: &str = "nine loud mountains at dawn";

/// Every form that a person signed in can send.
const FORMS: [(&str, &[(&str, &str)]); 10] = [
    ("/account/password", &[("current", PASSWORD), ("new", NEW), ("again", NEW)]),
    (concat_id!("/account/authenticators/", ""), &[("label", "mine")]),
    (concat_id!("/account/authenticators/", "/remove"), &[]),
    (concat_id!("/account/sessions/", "/end"), &[]),
    ("/account/sessions/end-others", &[]),
    ("/account/recovery-codes", &[]),
    ("/sign-in/code", &[("code", "000000")]),
    ("/account/set-up", &[]),
    ("/account/set-up/confirm", &[("code", "000000")]),
    ("/sign-out", &[]),
];

fn people() -> TestApp {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    app.person(&admin, "mallory");
    app
}

/// Goal: another site's page, and a page of another session, get nothing done. Nothing is
/// recorded of the attempt either, for nobody's secret was tried.
#[test]
fn a_form_without_the_tag_of_its_session_is_refused_and_changes_nothing() {
    let app = people();
    let mut alice = Browser::signed_in(&app, "alice", PASSWORD);
    alice.open("/account");
    let mut mallory = Browser::signed_in(&app, "mallory", PASSWORD);
    mallory.open("/account");
    let mut stranger = Browser::new(&app);
    stranger.open("/sign-in");
    let longer = format!("{}0", alice.tag);
    let wrong = [&mallory.tag, &stranger.tag, "", "x", &longer, &alice.tag.to_uppercase()];
    assert!(wrong.iter().all(|tag| **tag != alice.tag));
    let before = app.log().len();
    for (path, fields) in FORMS {
        let untagged = alice.send(path, &OURS, fields);
        assert_eq!(untagged.status, 403, "{path}");
        for tag in wrong {
            let fields = [&[("form", tag)], fields].concat();
            let answer = alice.send(path, &OURS, &fields);
            assert_eq!(answer.status, 403, "{path} {tag}");
            assert!(answer.text.contains("<code>forbidden</code>"));
        }
    }
    assert_eq!(app.log().len(), before, "something was recorded");
    assert_eq!(alice.open("/account").status, 200, "still signed in");
}

/// Goal: the tag alone does not do either, were it ever to leak.
#[test]
fn a_form_from_elsewhere_is_refused_whatever_its_tag() {
    let app = people();
    let mut alice = Browser::signed_in(&app, "alice", PASSWORD);
    alice.open("/account");
    let tag = alice.tag.clone();
    let own = app.base.clone();
    let before = app.log().len();
    let elsewhere: [&[(&str, &str)]; 8] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[],
        &[("sec-fetch-site", "same-origin"), ("content-type", "text/plain")],
    ];
    for (path, fields) in FORMS {
        let fields = [&[("form", tag.as_str())], fields].concat();
        for headers in elsewhere {
            assert_eq!(alice.send(path, headers, &fields).status, 403, "{path} {headers:?}");
        }
    }
    assert_eq!(app.log().len(), before, "something was recorded");
    let from_here = alice.send("/sign-out", &[("origin", &own)], &[("form", &tag)]);
    assert_eq!(from_here.status, 303, "a browser that says no more than its origin");
}

#[test]
fn behind_a_public_address_its_origin_is_the_only_one() {
    let mut app = people();
    let url = "https://countersign.example".parse().unwrap();
    app.restart_with(|settings| settings.public_url = Some(url));
    let mut alice = Browser::signed_in(&app, "alice", PASSWORD);
    alice.open("/account");
    let tag = alice.tag.clone();
    let own = app.base.clone();
    for (origin, status) in [(own.as_str(), 403), ("https://countersign.example", 303)] {
        let answer = alice.send("/account/set-up", &[("origin", origin)], &[("form", &tag)]);
        assert_eq!(answer.status, status, "{origin}");
    }
}

/// Goal: nobody is signed in to somebody else's account without noticing (login CSRF).
#[test]
fn a_sign_in_form_is_taken_only_from_the_browser_it_was_shown_to() {
    let app = people();
    let fields = [("username", "mallory"), ("password", PASSWORD)];
    let mut mallory = Browser::new(&app);
    mallory.open("/sign-in");
    let mut victim = Browser::new(&app);
    let before = app.log().len();

    let tag = mallory.tag.clone();
    let tagged = [&[("form", tag.as_str())], &fields[..]].concat();
    let without_cookie = victim.send("/sign-in", &OURS, &tagged);
    assert_eq!(without_cookie.status, 403);
    victim.open("/sign-in");
    assert_ne!(victim.tag, mallory.tag);
    assert_eq!(victim.send("/sign-in", &OURS, &tagged).status, 403);
    assert_eq!(victim.send("/sign-in", &OURS, &fields).status, 403);
    let own = victim.tag.clone();
    let from_elsewhere = [&[("form", own.as_str())], &fields[..]].concat();
    let cross = [("sec-fetch-site", "cross-site")];
    assert_eq!(victim.send("/sign-in", &cross, &from_elsewhere).status, 403);

    assert_eq!(app.log().len(), before, "something was recorded");
    assert!(!victim.cookies.contains_key("__Host-countersign"));
    assert_eq!(victim.submit("/sign-in", &fields).status, 303);
}

/// Goal: the cookie of before signing in is as well kept as the one after.
#[test]
fn the_cookie_of_a_browser_nobody_signed_in_with_has_every_attribute() {
    let app = TestApp::spawn(&Setup::default());
    let mut browser = Browser::new(&app);
    let answer = browser.open("/sign-in");
    let mut parts: Vec<_> = answer.header("set-cookie").split("; ").skip(1).collect();
    parts.sort_unstable();
    assert_eq!(parts, ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]);
    assert!(browser.cookies.contains_key("__Host-countersign-form"));
    assert_eq!(browser.open("/sign-in").header("set-cookie"), "", "it is kept");
}

/// Goal: a form is read strictly, and what is wrong with it does not repeat it.
#[test]
fn a_form_that_is_not_whole_is_refused_without_repeating_it() {
    let app = people();
    let mut browser = Browser::new(&app);
    browser.open("/sign-in");
    let missing = browser.submit("/sign-in", &[("password", "hunter2 hunter2")]);
    assert_eq!(missing.status, 400);
    assert!(!missing.text.contains("hunter2"));
    let long = "x".repeat(20_000);
    let too_long = browser.submit("/sign-in", &[("username", &long), ("password", "y")]);
    assert_eq!(too_long.status, 413);
    let twice = [("username", "alice"), ("username", "mallory"), ("password", PASSWORD)];
    assert_eq!(browser.submit("/sign-in", &twice).status, 400);
    assert_eq!(browser.open("/account/authenticators/x").status, 404);
}
