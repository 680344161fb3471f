//! The doors that people come through, forms in their hands.

use serde_json::{Value, json};

use crate::binary::PASSWORD;
use crate::house::{House, VISITOR};
use crate::target::Target;
use crate::wire::Answer;

/// The pages, and what is sent to each.
pub fn pages(house: &House) -> Vec<Target> {
    let token = &house.session[0];
    let session = std::slice::from_ref(token);
    let account = house.ask("GET", "/account", token, None);
    let tag = value(&account, "name=\"form\" value=\"");
    let filled = |code: &str| [json!({"form": tag, "code": code})];
    let to_leave = house.sessions.first().cloned().unwrap_or_default();
    let leaving = value(&house.ask("GET", "/account", &to_leave, None), "name=\"form\" value=\"");
    let style = value(&account, "rel=\"stylesheet\" href=\"");
    let page = |method, template, honest| Target::new(method, template, honest).of_a_page();
    let held = house.ask("GET", "/auth/v1/authenticators", token, None).json();
    let one =
        format!("/account/authenticators/{}", held["authenticators"][0]["id"].as_str().unwrap());
    let removing = format!("{one}/remove");
    let nobodys = "/account/sessions/01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57/end";
    let tagged = [json!({"form": tag})];
    vec![
        page("GET", "/", 303),
        page("GET", "/sign-in", 200),
        signing_in(house),
        page("GET", "/sign-in/code", 200).with(session),
        recovering(house),
        page("GET", "/sign-in/recover", 200),
        enrolling(house),
        page("GET", "/enrol", 200),
        page("GET", "/account/password", 200).with(session),
        page("POST", "/account/password", 422).with(session).reading([
            json!({"form": tag, "current": PASSWORD, "new": "a short one", "again": "a short one"}),
        ]),
        page("POST", "/account/set-up", 303)
            .with(session)
            .reading([json!({"form": tag, "label": "a phone"})]),
        page("POST", "/sign-in/code", 401).with(session).reading(filled("000000")).weighing(2),
        page("POST", "/account/set-up/confirm", 401).with(session).reading(filled("000000")),
        page("GET", "/account/set-up", 200).with(session),
        page("GET", "/account", 200).with(session),
        page("GET", "/account/authenticators/{id}", 200).with(session).at(&[&one]),
        page("POST", "/account/authenticators/{id}", 422)
            .with(session)
            .at(&[&one])
            .reading([json!({"form": tag, "label": "mine"})]),
        page("POST", "/account/authenticators/{id}/remove", 409)
            .with(session)
            .at(&[&removing])
            .reading(tagged.clone()),
        page("POST", "/account/recovery-codes", 409).with(session).reading(tagged.clone()),
        page("POST", "/account/sessions/end-others", 303).with(session).reading(tagged.clone()),
        page("POST", "/account/sessions/{id}/end", 404)
            .with(session)
            .at(&[nobodys])
            .reading(tagged),
        page("GET", "/sign-out", 200).with(session),
        page("POST", "/sign-out", 303).with(&[to_leave]).reading([json!({"form": leaving})]),
        page("GET", "/assets/{digest}/{file}", 200).at(&[&style]),
    ]
}

fn signing_in(house: &House) -> Target {
    let body = json!({"username": VISITOR, "password": PASSWORD});
    from_stranger(house, "/sign-in", 303, body)
}

fn recovering(house: &House) -> Target {
    let code = "aaaa-bbbb-cccc-dddd-eeee-ffff";
    let body = json!({"username": "leo", "password": PASSWORD, "code": code});
    from_stranger(house, "/sign-in/recover", 401, body)
}

fn enrolling(house: &House) -> Target {
    let ticket = "cs_ticket_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    from_stranger(
        house,
        "/enrol",
        401,
        json!({"ticket": ticket, "new": PASSWORD, "again": PASSWORD}),
    )
}

/// A form of a browser that nobody has signed in with.
fn from_stranger(house: &House, path: &'static str, honest: u16, mut body: Value) -> Target {
    let asked = house.ask("GET", path, "", None);
    body["form"] = value(&asked, "name=\"form\" value=\"").into();
    let cookie = asked.header("set-cookie").split(';').next().unwrap().to_owned();
    let mut target = Target::new("POST", path, honest).of_a_page().reading([body]).weighing(2);
    target.headers.push(("cookie", cookie));
    target
}

/// What stands on a page behind a text, up to the next quotation mark.
fn value(page: &Answer, before: &str) -> String {
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split('"').next().unwrap().to_owned()
}
