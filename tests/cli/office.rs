//! `user` and `token`: who may log in, and who holds tokens.

use crate::binary::text;
use crate::place::{Place, alike, masked};

const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What is asked, the exit code, and the code of the refusal if it is one.
const PEOPLE: &[(&[&str], i32, &str)] = &[
    (&["user", "create", "alice", "--role", "auditor"], 0, ""),
    (&["user", "create", "alice"], 1, "person_exists"),
    (&["user", "create", "bob", "--role", "pope"], 1, "role_unknown"),
    (&["user", "create", "mallory"], 0, ""),
    (&["user", "grant", "alice", "author"], 0, ""),
    (&["user", "grant", "alice", "author"], 1, "role_unchanged"),
    (&["user", "revoke", "alice", "auditor"], 0, ""),
    (&["user", "revoke", "admin", "administrator"], 1, "last_administrator"),
    (&["user", "ticket", "alice"], 0, ""),
    (&["user", "ticket", "nobody"], 1, "person_unknown"),
    (&["user", "disable", "mallory", "--reason", "left the company"], 0, ""),
    (&["user", "ticket", "mallory"], 1, "person_disabled"),
    (&["user", "list"], 0, ""),
    (&["token", "create", "--scope", "evaluate,search", "--label", "photos"], 0, ""),
    (
        &[
            "token",
            "create",
            "--scope",
            "ingest",
            "--source",
            "https://idp.example",
            "--user-type",
            "User",
            "--max-aal",
            "2",
        ],
        0,
        "",
    ),
    (&["token", "create", "--scope", "ingest"], 1, "binding_required"),
    (&["token", "revoke", NOBODY], 1, "service_unknown"),
    (&["token", "list"], 0, ""),
];

/// Goal: an operator at the machine and an administrator far away do the same thing.
#[test]
fn people_and_tokens_are_administered_alike_over_both() {
    let [stopped, served] = Place::both();
    for (asked, code, refusal) in PEOPLE {
        let asked = [asked, &["--format", "json"][..]].concat();
        let [here, there] = [&stopped, &served].map(|place| place.say(&asked).ended(*code));
        if refusal.is_empty() {
            assert_eq!(alike(here.json()), alike(there.json()), "{asked:?}");
            assert_eq!((here.err.as_str(), there.err.as_str()), ("", ""), "{asked:?}");
        } else {
            let told: serde_json::Value = serde_json::from_str(&here.err).unwrap();
            assert_eq!((told["code"].as_str(), here.err), (Some(*refusal), there.err));
            assert_eq!((here.out.as_str(), there.out.as_str()), ("", ""));
        }
    }
    for list in [["user", "list"], ["token", "list"]] {
        let told = [&stopped, &served].map(|place| masked(&place.say(&list).done().out));
        assert_eq!(told[0], told[1]);
    }
}

#[test]
fn what_is_so_now_is_shown_to_people_and_to_programs() {
    let place = Place::stopped();
    let ticket = place.say(&["user", "create", "alice", "--role", "author"]).done().out;
    assert!(ticket.contains("cs_ticket_") && ticket.contains("shown only now"), "{ticket}");
    let users = place.say(&["user", "list"]).done().out;
    let alice = users.lines().find(|line| line.starts_with("alice")).unwrap();
    assert!(alice.ends_with("none: awaits enrolment  author"), "{users}");
    let listed = place.json(&["user", "list"]);
    assert_eq!(listed["users"][1]["name"], "alice");
    assert_eq!(listed["users"][1]["roles"], serde_json::json!(["author"]));

    let made = place.json(&["token", "create", "--scope", "audit", "--label", "siem"]);
    let (id, token) = (text(&made, "id"), text(&made, "token"));
    let tokens = place.say(&["token", "list"]).done().out;
    assert!(tokens.contains(&id) && tokens.contains("siem") && !tokens.contains(&token));
    place.say(&["token", "revoke", &id]).done();
    assert!(!place.say(&["token", "list"]).done().out.contains(&id));
}

/// Goal: a token is worth nothing from the moment it is taken back.
#[test]
fn a_revoked_token_is_refused() {
    let mut place = Place::served();
    let made = place.json(&["token", "create", "--scope", "admin"]);
    place.token = text(&made, "token");
    place.say(&["user", "list"]).done();
    place.say(&["policy", "show"]).ended(1);
    place.say(&["token", "revoke", &text(&made, "id")]).done();
    let refused = place.say(&["user", "list", "--format", "json"]).ended(1);
    assert!(refused.err.contains("\"code\":\"unauthenticated\""), "{refused:?}");
}
