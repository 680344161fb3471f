//! What every page tells a browser, and what is on none.

use std::collections::BTreeMap;

use super::markup::assert_sound;
use crate::app::{Answer, Browser, PASSWORD, Setup, TestApp};

/// Every page that `alice` comes to see, by what it is.
fn every_page(app: &TestApp) -> BTreeMap<&'static str, Answer> {
    let admin = app.admin();
    app.person(&admin, "alice");
    let mut pages = BTreeMap::new();
    let mut browser = Browser::new(app);
    pages.insert("sign-in", browser.open("/sign-in"));
    let wrong = [("username", "alice"), ("password", "not hers")];
    pages.insert("sign-in refused", browser.submit("/sign-in", &wrong));
    browser.sign_in("alice", PASSWORD);
    pages.insert("account with one factor", browser.open("/account"));
    pages.insert("set-up before an offer", browser.open("/account/set-up"));
    let seed = browser.offer();
    pages.insert("set-up", browser.open("/account/set-up"));
    let wrong = [("code", "000000")];
    pages.insert("set-up refused", browser.submit("/account/set-up/confirm", &wrong));
    browser.submit("/account/set-up/confirm", &[("code", &app.code(&seed))]);
    browser.open("/account");
    pages.insert("codes", browser.submit("/account/recovery-codes", &[]));
    pages.insert("password", browser.open("/account/password"));
    let wrong_new = [("current", PASSWORD), ("new", "eight letters"), ("again", "other letters")];
    pages.insert("password refused", browser.submit("/account/password", &wrong_new));
    let account = browser.open("/account");
    let app_page = account.text.split('"').find(|it| it.starts_with("/account/authenticators/"));
    pages.insert("authenticator", browser.open(app_page.unwrap()));
    pages.insert("account", account);
    pages.insert("sign-out", browser.open("/sign-out"));
    browser.sign_in("alice", PASSWORD);
    pages.insert("code", browser.open("/sign-in/code"));
    pages.insert("code refused", browser.submit("/sign-in/code", &wrong));
    let mut lost = Browser::new(app);
    pages.insert("recover", lost.open("/sign-in/recover"));
    let code = "aaaa-bbbb-cccc-dddd-eeee-ffff";
    let wrong_code = [("username", "alice"), ("password", PASSWORD), ("code", code)];
    pages.insert("recover refused", lost.submit("/sign-in/recover", &wrong_code));
    pages.insert("enrol", lost.open("/enrol"));
    let wrong_ticket = [("ticket", "cs_ticket_x"), ("new", PASSWORD), ("again", PASSWORD)];
    pages.insert("enrol refused", lost.submit("/enrol", &wrong_ticket));
    browser.tag = "0".repeat(64);
    pages.insert("problem", browser.submit("/sign-in/code", &wrong));
    pages
}

/// Source: ASVS 5.0 V3.4.
#[test]
fn every_page_says_what_a_browser_may_do_with_it() {
    let app = TestApp::spawn(&Setup::default());
    for (name, page) in every_page(&app) {
        let policy = page.header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.split("; ").any(|it| it == rule), "{name}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{name}: {policy}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{name}");
        assert_eq!(page.header("cache-control"), "no-store", "{name}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{name}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(page.header("strict-transport-security"), "", "{name}: in the clear");
    }
}

#[test]
fn behind_https_every_page_asks_to_be_reached_by_it_alone() {
    let mut app = TestApp::spawn(&Setup::default());
    let url = "https://countersign.example".parse().unwrap();
    app.restart_with(|settings| settings.public_url = Some(url));
    let page = Browser::new(&app).open("/sign-in");
    assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
}

/// Goal: a page is whole, labelled and takes nothing from elsewhere, with what is wrong said
/// where it is and in a summary that is read aloud.
#[test]
fn every_page_is_sound() {
    let app = TestApp::spawn(&Setup::default());
    for (name, page) in every_page(&app) {
        println!("{name}");
        assert_sound(&page.text);
        let refused = name.ends_with("refused");
        assert_eq!(page.text.contains("class=\"summary\" role=\"alert\""), refused, "{name}");
        assert_eq!(page.text.contains("aria-invalid=\"true\""), refused, "{name}");
        let status = if name == "password refused" {
            422
        } else if refused {
            401
        } else if name == "problem" {
            403
        } else {
            200
        };
        assert_eq!(page.status, status, "{name}");
    }
}

/// Goal: what a browser is shown gives nothing away; the key of an app is on the one page
/// that is for it.
#[test]
fn no_page_holds_a_secret_but_the_set_up() {
    let app = TestApp::spawn(&Setup::default());
    for (name, page) in every_page(&app) {
        let shown = page.text.as_str();
        assert!(!shown.contains(PASSWORD) && !shown.contains("not hers"), "{name}");
        assert!(!shown.contains("=\"000000\""), "{name}");
        // Tokens and tickets of ours all begin so; the page for a ticket says how.
        let begun = shown.replace("it begins with cs_ticket.", "");
        assert!(!begun.contains("cs_"), "{name}");
        assert!(!shown.contains("letters\""), "{name}");
        assert!(!shown.contains("aaaa-"), "{name}");
        assert_eq!(shown.contains("class=\"codes\""), name == "codes", "{name}");
        let is_set_up = ["set-up", "set-up refused"].contains(&name);
        assert_eq!(shown.contains("class=\"key\""), is_set_up, "{name}");
        assert_eq!(shown.contains("data:image/png"), is_set_up, "{name}");
    }
}

#[test]
fn what_is_typed_as_a_name_is_shown_as_text() {
    let app = TestApp::spawn(&Setup::default());
    let mut browser = Browser::new(&app);
    let page = browser.sign_in("\"><script>alert('x')</script>&", PASSWORD);
    assert_sound(&page.text);
    assert!(page.text.contains("&quot;&gt;&lt;script&gt;alert('x')&lt;/script&gt;&amp;"));
    assert_eq!(page.text.matches("<script").count(), 1, "ours alone");
}

/// Goal: what does not change may be kept, and what changes is elsewhere.
#[test]
fn style_and_script_are_kept_by_name_and_digest() {
    let app = TestApp::spawn(&Setup::default());
    let mut browser = Browser::new(&app);
    let page = browser.open("/sign-in").text;
    let urls: Vec<_> = page.split('"').filter(|it| it.starts_with("/assets/")).collect();
    assert_eq!(urls.len(), 2, "{urls:?}");
    for url in urls {
        let asset = browser.open(url);
        assert_eq!(asset.status, 200);
        assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(asset.header("x-content-type-options"), "nosniff");
        let kind = if url.ends_with("css") { "text/css" } else { "text/javascript" };
        assert!(asset.header("content-type").starts_with(kind), "{url}");
        assert!(!asset.text.contains("//") || url.ends_with("js"), "an address in {url}");
        assert!(!asset.text.contains("http"), "an address in {url}");
        let other = url.replacen("/assets/", "/assets/0", 1);
        assert_eq!(browser.open(&other).status, 404);
    }
}

/// Goal: looking changes nothing.
#[test]
fn opening_pages_records_nothing() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let mut browser = Browser::signed_in(&app, "alice", PASSWORD);
    browser.offer();
    let before = app.log().len();
    for path in ["/", "/sign-in", "/sign-in/code", "/account", "/account/set-up", "/sign-out"] {
        assert!(browser.open(path).status < 400, "{path}");
    }
    assert_eq!(app.log().len(), before);
}
