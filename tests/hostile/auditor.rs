//! The doors of an auditor.

use serde_json::{Value, json};

use crate::house::House;
use crate::target::Target;

/// A decision that there is not.
const NOBODYS: &str = "/audit/v1/decisions/01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57";

pub fn targets(house: &House) -> Vec<Target> {
    let office = std::slice::from_ref(&house.office);
    let question = json!({
        "subject": {"type": "User", "id": "alice"},
        "action": {"name": "view"},
        "resource": {"type": "Document", "id": "handbook"},
    });
    let decided = house.ask("POST", "/access/v1/evaluation", &house.pep, Some(&question));
    let decision = format!("/audit/v1/decisions/{}", decided.header("countersign-decision"));
    let events = [
        "/audit/v1/events?type=access.decided&decision=deny&limit=2&order=oldest",
        "/audit/v1/events?subject=alice&set=system&policy=wall-data&limit=1",
        "/audit/v1/events?from=2026-11-22T12:00:00Z&to=2036-11-22T12:00:00Z&limit=3",
        "/audit/v1/events?cursor=bgAAAAAAAAAI",
        "/audit/v1/events?follow=true&after=1&type=access.decided",
    ];
    let nobodys = NOBODYS;
    let mut all = explained(office, &decision, &question);
    all.extend([
        Target::new("GET", "/audit/v1/events", 200).with(office).at(&events).weighing(2),
        Target::new("GET", "/audit/v1/entries", 200)
            .with(office)
            .at(&["/audit/v1/entries?from=3", "/audit/v1/entries"]),
        Target::new("POST", "/audit/v1/evaluation", 200)
            .with(office)
            .at(&["/audit/v1/evaluation?at=71", "/audit/v1/evaluation?at=2036-11-22T12:00:00Z"])
            .reading([question.clone()])
            .weighing(2),
        Target::new("GET", "/versions/v1/shadow", 200).with(office),
        Target::new("POST", "/audit/v1/impact", 200).with(office).reading([
            json!({"entities": [{"uid": {"type": "User", "id": "alice"}}], "since": "1d"}),
            json!({"files": [{"name": "none.cedar", "text": ""}], "partials": true}),
        ]),
        Target::new("GET", "/audit/v1/state", 200).with(office),
        Target::new("GET", "/audit/v1/decisions/{id}", 200).with(office).at(&[&decision, nobodys]),
        Target::new("GET", "/audit/v1/decisions/{id}/proof", 200)
            .with(office)
            .at(&[&format!("{decision}/proof"), &format!("{nobodys}/proof")]),
        Target::new("GET", "/log/v1/checkpoint", 200).with(office),
        Target::new("GET", "/log/v1/tile/{path:.*}", 200).with(office).weighing(2).at(&[
            "/log/v1/tile/0/000.p/7",
            "/log/v1/tile/entries/000.p/9",
            "/log/v1/tile/0/x001/234.p/255",
            "/log/v1/tile/63/000",
        ]),
        Target::new("GET", "/log/v1/keys", 200).with(office),
    ]);
    all
}

fn explained(office: &[String], decision: &str, question: &Value) -> Vec<Target> {
    let text = "@id(\"all\") permit (principal, action, resource);";
    let draft = json!({"files": [{"name": "p.cedar", "text": text}]});
    let mut supposed = draft.clone();
    supposed["request"] = question.clone();
    vec![
        Target::new("POST", "/audit/v1/decisions/{id}/explain", 200)
            .with(office)
            .at(&[&format!("{decision}/explain"), &format!("{NOBODYS}/explain")])
            .reading([json!({}), draft]),
        Target::new("POST", "/audit/v1/explain", 200)
            .with(office)
            .reading([supposed, json!({"request": question})])
            .weighing(2),
    ]
}
