//! A browser's token: a cookie that no script reads and no other site sends.

use serde_json::json;

use crate::app::{Answer, PASSWORD, Setup, TestApp, seed};

const NAME: &str = "__Host-countersign";

fn post(app: &TestApp, path: &str, headers: &[(&str, &str)], body: &serde_json::Value) -> Answer {
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers);
    app.raw("POST", path, &all, body.to_string().as_bytes())
}

fn log_in(app: &TestApp) -> Answer {
    let body = json!({"username": "admin", "password": PASSWORD, "cookie": true});
    let answer = post(app, "/auth/v1/login", &[], &body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

/// The cookie's pair of name and value, as a browser sends it back.
fn pair(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn session(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    app.raw("GET", "/auth/v1/session", headers, b"")
}

/// Source: SP 800-63B-4 §5.1.1; RFC 6265bis §4.1.3.2 (`__Host-`).
#[test]
fn the_cookie_has_every_attribute_it_should_have_and_no_other() {
    let app = TestApp::spawn(&Setup::default());
    app.enrol(app.ticket.expose(), PASSWORD).expect(201);

    let answer = log_in(&app);

    let mut parts = answer.header("set-cookie").split("; ");
    let token = parts.next().unwrap().strip_prefix("__Host-countersign=").unwrap();
    let mut attributes: Vec<_> = parts.collect();
    attributes.sort_unstable();
    // No Domain, which `__Host-` forbids; no Max-Age: the server ends a session.
    assert_eq!(attributes, ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]);
    assert!(token.starts_with("cs_token_"), "{token}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    assert!(body.get("token").is_none(), "the token is in the cookie alone");
    assert!(!answer.text.contains(token));
    assert!(body["session_token"].is_string());
}

#[test]
fn a_cookie_is_given_only_to_who_asks_for_one() {
    let app = TestApp::spawn(&Setup::default());
    app.enrol(app.ticket.expose(), PASSWORD).expect(201);
    let answer = app.login("admin", PASSWORD);
    assert_eq!((answer.status, answer.header("set-cookie")), (200, ""));
}

/// Goal: no session is left behind that its browser cannot end any more.
///
/// Source: ASVS 5.0 V7.2.4.
#[test]
fn a_browser_that_logs_in_anew_leaves_the_session_it_was_in() {
    let app = TestApp::spawn(&Setup::default());
    app.enrol(app.ticket.expose(), PASSWORD).expect(201);
    let first = pair(&log_in(&app));
    let own = |cookie| [("cookie", cookie), ("sec-fetch-site", "same-origin")];
    let again = json!({"username": "admin", "password": PASSWORD, "cookie": true});
    let second = pair(&post(&app, "/auth/v1/login", &own(&first), &again));
    assert_eq!(session(&app, &own(&first)).status, 401);
    assert_eq!(session(&app, &own(&second)).status, 200);
}

/// Goal: a browser does the whole flow with its cookie: both factors, administration,
/// leaving.
#[test]
fn a_browser_needs_nothing_but_its_cookie() {
    let app = TestApp::spawn(&Setup::default());
    app.enrol(app.ticket.expose(), PASSWORD).expect(201);
    let weak = pair(&log_in(&app));
    let own = |cookie| [("cookie", cookie), ("sec-fetch-site", "same-origin")];
    assert_eq!(session(&app, &own(&weak)).expect(200)["aal"], 1);

    let offer = post(&app, "/auth/v1/setup-mfa", &own(&weak), &json!({})).expect(200);
    let code = app.code(&seed(offer["secret"].as_str().unwrap()));
    let confirm = json!({"mfa_code": code, "cookie": true});
    let raised = post(&app, "/auth/v1/verify-mfa", &own(&weak), &confirm);
    assert!(raised.expect(200).get("token").is_none());
    let strong = pair(&raised);

    assert_ne!(weak, strong);
    assert_eq!(session(&app, &own(&weak)).status, 401, "the old cookie is dead");
    assert_eq!(session(&app, &own(&strong)).expect(200)["aal"], 2);
    let made = post(&app, "/users/v1", &own(&strong), &json!({"name": "alice"}));
    assert_eq!(made.status, 201);

    let out = post(&app, "/auth/v1/logout", &own(&strong), &json!({}));
    assert_eq!(out.status, 204);
    let gone = out.header("set-cookie");
    assert!(gone.starts_with(&format!("{NAME}=;")), "{gone}");
    assert!(gone.contains("Max-Age=0") && gone.contains("Secure") && gone.contains("Path=/"));
    assert_eq!(session(&app, &own(&strong)).status, 401);
}

/// Goal: another site's page gets nothing done with a visitor's cookie, even where a
/// browser should send it. Source: W3C Fetch Metadata, `Sec-Fetch-Site`.
#[test]
fn a_cookie_from_another_site_is_refused() {
    let app = TestApp::spawn(&Setup::default());
    app.enrol(app.ticket.expose(), PASSWORD).expect(201);
    let cookie = pair(&log_in(&app));
    for (site, status) in [
        (None, 200),
        (Some("same-origin"), 200),
        (Some("none"), 200),
        (Some("same-site"), 403),
        (Some("cross-site"), 403),
        (Some("something new"), 403),
    ] {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(site.map(|site| ("sec-fetch-site", site)));
        assert_eq!(session(&app, &headers).status, status, "{site:?}");
        let changed = post(&app, "/auth/v1/setup-mfa", &headers, &json!({}));
        assert_eq!(changed.status, status, "{site:?}");
    }
    // A form of another site cannot say JSON.
    let form = [("cookie", cookie.as_str()), ("content-type", "text/plain")];
    let answer = app.raw("POST", "/auth/v1/setup-mfa", &form, b"{}");
    assert_eq!((answer.status, answer.code().as_str()), (400, "content_type"));
}

/// Goal: who sends a token in the header is who it says, whatever cookie came along.
#[test]
fn the_header_goes_before_the_cookie() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    app.person(&admin, "alice");
    let alice = app.one_factor("alice");
    let cookie = pair(&log_in(&app));
    let bearer = format!("Bearer {}", alice.token);
    let both = [("cookie", cookie.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(session(&app, &both).expect(200)["user"]["id"], "alice");
    let wrong = [("cookie", cookie.as_str()), ("authorization", "Bearer not-a-token-of-ours")];
    assert_eq!(session(&app, &wrong).status, 401, "a wrong token is not made good by a cookie");
}
