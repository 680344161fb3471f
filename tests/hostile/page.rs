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
    vec![
        page("GET", "/", 303),
        page("GET", "/sign-in", 200),
        signing_in(house),
        page("GET", "/sign-in/code", 200).with(session),
        page("POST", "/account/set-up", 303).with(session).reading([json!({"form": tag})]),
        page("POST", "/sign-in/code", 401).with(session).reading(filled("000000")).weighing(2),
        page("POST", "/account/set-up/confirm", 401).with(session).reading(filled("000000")),
        page("GET", "/account/set-up", 200).with(session),
        page("GET", "/account", 200).with(session),
        page("GET", "/sign-out", 200).with(session),
        page("POST", "/sign-out", 303).with(&[to_leave]).reading([json!({"form": leaving})]),
        page("GET", "/assets/{digest}/{file}", 200).at(&[&style]),
    ]
}

fn signing_in(house: &House) -> Target {
    let asked = house.ask("GET", "/sign-in", "", None);
    let tag = value(&asked, "name=\"form\" value=\"");
    let cookie = asked.header("set-cookie").split(';').next().unwrap().to_owned();
    let body: Value = json!({"form": tag, "username": VISITOR, "password": PASSWORD});
    let mut target = Target::new("POST", "/sign-in", 303).of_a_page().reading([body]).weighing(3);
    target.headers.push(("cookie", cookie));
    target
}

/// What stands on a page behind a text, up to the next quotation mark.
fn value(page: &Answer, before: &str) -> String {
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split('"').next().unwrap().to_owned()
}
