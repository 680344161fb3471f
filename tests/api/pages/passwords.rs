//! Setting a password with a ticket, and changing it.

use serde_json::json;

use crate::app::{Answer, Browser, PASSWORD, Setup, TestApp};

const NEW: &str = "nine loud mountains at dawn";

fn leads(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("location"))
}

/// Goal: a newcomer needs nothing but a browser and the ticket.
#[test]
fn a_ticket_becomes_a_password_on_a_page() {
    let app = TestApp::spawn(&Setup::default());
    let mut browser = Browser::new(&app);
    browser.open("/enrol");
    let mut set = |ticket: &str, new: &str, again: &str| {
        browser.submit("/enrol", &[("ticket", ticket), ("new", new), ("again", again)])
    };
    let ticket = app.ticket.expose();
    assert_eq!(set("cs_ticket_of_nobody", NEW, NEW).status, 401);
    assert_eq!(set(ticket, NEW, PASSWORD).status, 422);
    let short = set(ticket, "short", "short");
    assert_eq!(short.status, 422);
    assert!(short.text.contains("id=\"new-error\"") && !short.text.contains("\"short\""));
    assert!(!short.text.contains(ticket), "the ticket is not repeated");
    assert_eq!(leads(&set(&format!(" {ticket} "), NEW, NEW)), (303, "/sign-in?done=password"));
    Browser::signed_in(&app, "admin", NEW);
}

#[test]
fn a_changed_password_ends_every_other_session_and_goes_on_here() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let mut elsewhere = Browser::signed_in(&app, "alice", PASSWORD);
    let mut browser = Browser::signed_in(&app, "alice", PASSWORD);
    browser.open("/account/password");
    let mut change = |current: &str, new: &str, again: &str| {
        browser.open("/account/password");
        browser.submit("/account/password", &[("current", current), ("new", new), ("again", again)])
    };
    let wrong = change("not hers", NEW, NEW);
    assert_eq!(wrong.status, 401);
    assert!(wrong.text.contains("The current password is wrong."));
    let different = change(PASSWORD, NEW, "nine loud mountains at dusk");
    assert!(different.text.contains("id=\"again-error\""), "{}", different.text);
    let weak = change(PASSWORD, "password", "password");
    assert_eq!((weak.status, weak.text.contains("id=\"new-error\"")), (422, true));
    assert_eq!(leads(&change(PASSWORD, NEW, NEW)), (303, "/account?done=password"));
    let page = browser.open("/account?done=password");
    assert!(page.text.contains("Your new password is set"));
    assert_eq!(leads(&elsewhere.open("/account")), (303, "/sign-in"), "it has ended");
    assert_eq!(Browser::new(&app).sign_in("alice", PASSWORD).status, 401);
    Browser::signed_in(&app, "alice", NEW);
}

/// Goal: who must change their password sees the page for that, and no other.
#[test]
fn a_compromised_password_opens_nothing_but_its_change() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let path = "/users/v1/alice/password-compromised";
    let told = app.post(path, &admin.token, &json!({"reason": "in a list"}));
    assert!(told.status < 300, "{}", told.text);
    let mut browser = Browser::signed_in(&app, "alice", PASSWORD);
    for closed in ["/account", "/account/set-up", "/sign-in/code", "/sign-in"] {
        assert_eq!(leads(&browser.open(closed)), (303, "/account/password"), "{closed}");
    }
    let page = browser.open("/account/password");
    assert!(page.text.contains("Choose a new password") && !page.text.contains("Back to"));
    let change = [("current", PASSWORD), ("new", NEW), ("again", NEW)];
    assert_eq!(leads(&browser.submit("/account/password", &change)).0, 303);
    assert_eq!(browser.open("/account").status, 200);
}

/// Goal: nobody is shut out by a leak. A change takes the account's strength, so the code is
/// asked for first.
#[test]
fn who_has_an_app_gives_a_code_before_a_compromised_password_is_changed() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let seed = app.two_factors(&app.one_factor("alice")).seed.unwrap();
    let path = "/users/v1/alice/password-compromised";
    assert!(app.post(path, &admin.token, &json!({})).status < 300);
    let mut browser = Browser::signed_in(&app, "alice", PASSWORD);
    assert_eq!(leads(&browser.open("/account/password")), (303, "/sign-in/code"));
    app.clock.advance(30);
    browser.open("/sign-in/code");
    browser.submit("/sign-in/code", &[("code", &app.code(&seed))]);
    assert_eq!(leads(&browser.open("/account")), (303, "/account/password"));
    browser.open("/account/password");
    let change = [("current", PASSWORD), ("new", NEW), ("again", NEW)];
    assert_eq!(leads(&browser.submit("/account/password", &change)).0, 303);
    assert_eq!(app.login("alice", NEW).status, 200);
}

/// Goal: eight characters do beside a second factor, and open nothing without it.
#[test]
fn a_short_password_beside_a_code_opens_only_the_page_for_the_code() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let mut browser = Browser::signed_in(&app, "alice", PASSWORD);
    let seed = browser.offer();
    browser.submit("/account/set-up/confirm", &[("code", &app.code(&seed))]);
    browser.open("/account/password");
    let short = "dusk 7 ox";
    let change = [("current", PASSWORD), ("new", short), ("again", short)];
    assert_eq!(leads(&browser.submit("/account/password", &change)).0, 303);
    for closed in ["/account", "/account/set-up", "/account/password", "/sign-in"] {
        assert_eq!(leads(&browser.open(closed)), (303, "/sign-in/code"), "{closed}");
    }
    app.clock.advance(30);
    browser.open("/sign-in/code");
    let code = app.code(&seed);
    assert_eq!(leads(&browser.submit("/sign-in/code", &[("code", &code)])), (303, "/account"));
    assert_eq!(browser.open("/account").status, 200);
}
