//! An auditor reads the log over HTTP: what is there, nothing else, and all of it.

use std::io::{BufRead as _, BufReader, Read};
use std::time::Duration;

use countersign::audit::Filter;
use countersign::event::{Envelope, Verdict};
use countersign::model::SetKind;
use serde_json::{Value, json};

use crate::app::{Answer, decided};
use crate::office::{Office, POLICIES, ask, given, setup, unlock};

/// An office with something to look back on, and an auditor's token.
struct Archive {
    office: Office,
    auditor: String,
    /// The id of the auditor's token.
    id: String,
}

impl Archive {
    fn new() -> Self {
        let office = Office::with(&setup());
        let body = json!({"scopes": ["audit"]});
        let made = office.app.post("/tokens/v1", &office.admin.token, &body).expect(201);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let (id, auditor) = (text("id"), text("token"));
        for (at, user) in ["alice", "bob", "carol", "alice", "bob"].into_iter().enumerate() {
            office.app.clock.advance(10);
            assert_eq!(office.allows(&ask(user, "read", "plan")), user == "alice", "{at}");
            office.app.evaluate(&office.pep, &ask(user, "fly", "plan")).expect(200);
        }
        office.app.evaluate(&office.pep, &given(unlock("alice", "sum"), json!({"count": 2})));
        office.app.put("/policies/v1", &office.pep, &json!({})).expect(403);
        Self { office, auditor, id }
    }

    fn get(&self, path: &str) -> Answer {
        self.office.app.get(path, &self.auditor)
    }

    fn events(&self, query: &str) -> Value {
        self.get(&format!("/audit/v1/events{query}")).expect(200)
    }

    fn log(&self) -> Vec<Envelope> {
        self.office.app.log()
    }
}

fn indices(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().unwrap();
    events.iter().map(|event| event["index"].as_u64().unwrap()).collect()
}

/// Goal: each filter, and several together, show exactly the entries that they describe,
/// and each entry as it is stored.
#[test]
fn filters_show_what_they_describe() {
    let archive = Archive::new();
    let fifth = archive.log().iter().filter(|entry| decided(entry).is_some()).nth(5).unwrap().time;
    let from = format!("from={fifth}");
    for query in [
        "",
        "type=access.decided",
        "type=countersign.access.decided.v1",
        "type=policy.submitted",
        "subject=alice",
        "subject=User::%22alice%22",
        "subject=admin",
        "decision=allow",
        "decision=deny",
        "policy=staff-read",
        "policy=wall-sum",
        "policy=system-role-administrator",
        "set=system",
        "set=application",
        &from,
        &from.replace("from", "to"),
        "type=access.decided&decision=deny&subject=bob&set=application",
        "decision=allow&set=system&policy=system-role-administrator",
    ] {
        let separator = if query.is_empty() { "" } else { "&" };
        let page = archive.get(&format!("/audit/v1/events?{query}{separator}limit=1000"));
        let (log, body) = (archive.log(), page.expect(200));
        let mut filter = Filter::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap();
            assert!(filter.take(name, &value.replace("%22", "\"")).unwrap());
        }
        let fits = log.iter().rev().filter(|entry| filter.matches(entry));
        let expected: Vec<_> = fits.map(|entry| entry.index.0).collect();
        assert_eq!(indices(&body), expected, "{query}");
        assert!(!expected.is_empty(), "{query} shows something");
        let stored = archive.office.app.stored();
        let lines: Vec<_> = stored.lines().collect();
        for index in expected {
            let line = lines[usize::try_from(index).unwrap()];
            assert!(page.text.contains(line), "{line} is not shown as it is stored");
        }
    }
    archive.office.app.assert_replays();
}

/// Goal: page by page, in either order, an auditor sees every entry once, although the
/// log grows with each page they read.
#[test]
fn pages_show_every_entry_once() {
    let archive = Archive::new();
    for order in ["newest", "oldest"] {
        let size = archive.log().len() as u64;
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        let mut more = true;
        while more {
            let page = archive.events(&format!("?order={order}&limit=7{cursor}"));
            let found = indices(&page);
            assert!(found.len() <= 7);
            seen.extend(found);
            more = page["more"].as_bool().unwrap();
            if let Some(next) = page["next"].as_str() {
                cursor = format!("&cursor={next}");
            }
        }
        if order == "newest" {
            seen.reverse();
        }
        let whole: Vec<_> = (0..seen.len() as u64).collect();
        assert_eq!(seen, whole, "{order}");
        assert!(seen.len() as u64 > size);
        let again = archive.events(&format!("?limit=7{cursor}"));
        assert_eq!(indices(&again).first() > seen.last(), order == "oldest");
    }
}

/// Goal: a question that cannot be understood is told what is wrong with it.
#[test]
fn a_query_that_is_none_is_refused() {
    let archive = Archive::new();
    let oldest = archive.events("?order=oldest&limit=1")["next"].as_str().unwrap().to_owned();
    for query in [
        "colour=red",
        "type=access",
        "decision=maybe",
        "set=ours",
        "from=yesterday",
        "policy=",
        "order=sideways",
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=x",
        "subject=a&subject=b",
        "follow=perhaps",
        "after=3",
        "follow=true&limit=3",
        "follow=true&after=x",
        &format!("order=newest&cursor={oldest}"),
    ] {
        let answer = archive.get(&format!("/audit/v1/events?{query}"));
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_query"), "{query}");
        let name = query.rsplit('&').next().unwrap().split('=').next().unwrap();
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains('`') || detail.contains(name), "{query}: {detail}");
    }
}

/// Goal: what an auditor downloads is, to the byte, what is stored and hashed.
#[test]
fn entries_are_the_stored_bytes() {
    let archive = Archive::new();
    let (mut next, mut read) = (Some("0".to_owned()), String::new());
    while let Some(from) = next {
        let page = archive.get(&format!("/audit/v1/entries?from={from}"));
        assert_eq!(page.status, 200);
        assert_eq!(page.header("content-type"), "application/x-ndjson");
        read += &page.text;
        let header = page.header("countersign-next");
        next = (!header.is_empty()).then(|| header.to_owned());
    }
    assert_eq!(read, archive.office.app.stored());

    let size = archive.log().len();
    let tail = archive.get(&format!("/audit/v1/entries?from={}", size - 2)).text;
    let stored = archive.office.app.stored();
    let expected: Vec<_> = stored.lines().skip(size - 2).collect();
    assert_eq!(tail.lines().collect::<Vec<_>>(), expected, "and the request's own permission");
    for beyond in ["1000000", "18446744073709551615"] {
        assert_eq!(archive.get(&format!("/audit/v1/entries?from={beyond}")).text, "");
    }
}

/// Goal: whoever folds the entries they were given gets the state that the node says it
/// is in.
#[test]
fn the_state_is_the_fold_of_the_entries() {
    let archive = Archive::new();
    let state = archive.get("/audit/v1/state").expect(200);
    let log = archive.log();
    let world = countersign::projection::World::fold(&log);
    assert_eq!(state, serde_json::to_value(world.digest()).unwrap());
    assert_eq!(state["through"], log.len() - 1);
    let shorter = countersign::projection::World::fold(&log[..log.len() - 1]);
    assert_ne!(state["digest"], serde_json::to_value(shorter.digest()).unwrap()["digest"]);
}

/// Goal: everything that led to a decision, as it was then: the policies' texts, the
/// entities, the session's history; whatever has changed since.
#[test]
fn a_dossier_shows_what_a_decision_rested_on() {
    let archive = Archive::new();
    let Office { app, admin, pep } = &archive.office;
    app.person(admin, "alice");
    let alice = app.two_factors(&app.one_factor("alice"));
    let answer = app.evaluate_with(pep, &alice.session_token, &unlock("alice", "second-factor"));
    let id = answer.header("countersign-decision");
    assert!(answer.json()["decision"].as_bool().unwrap());

    let changed = POLICIES.replace("context.session.aal >= 2", "context.session.aal >= 3");
    let files = json!([{"name": "a.cedar", "text": changed}]);
    app.put("/policies/v1", &admin.token, &json!({"files": files})).expect(200);
    let delete = json!({"delete": [{"type": "User", "id": "alice"}]});
    app.post("/entities/v1", &admin.token, &delete).expect(200);
    app.post("/auth/v1/logout", &alice.token, &json!({})).expect(204);

    let shown = archive.get(&format!("/audit/v1/decisions/{id}"));
    let dossier = shown.expect(200);
    let stored = app.stored();
    let index = answer.header("countersign-index").parse::<usize>().unwrap();
    assert!(shown.text.contains(stored.lines().nth(index).unwrap()), "the entry as it is stored");
    assert_eq!(dossier["entry"]["id"], id);
    let [policy] = &dossier["policies"].as_array().unwrap()[..] else { panic!("one policy") };
    assert_eq!(
        (&policy["id"], &policy["part"]["what"]),
        (&json!("open-second-factor"), &json!("determined"))
    );
    assert!(policy["source"]["text"].as_str().unwrap().contains("context.session.aal >= 2"));
    assert_eq!(
        (&dossier["policy_set"]["version"], &dossier["schema"]["version"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(dossier["subject"]["ancestors"], json!([{"type": "Group", "id": "staff"}]));
    assert_eq!(dossier["replay"], json!({"outcome": "identical"}));
    let steps = dossier["authentication"].as_array().unwrap();
    let kinds: Vec<_> = steps.iter().map(|step| step["type"].as_str().unwrap()).collect();
    for kind in ["password.verified", "session.started", "mfa.verified", "session.raised"] {
        let name = format!("countersign.{kind}.v1");
        assert!(kinds.contains(&name.as_str()), "{name} is not in {kinds:?}");
    }
    assert!(!kinds.contains(&"countersign.session.ended.v1"), "that came later");
    app.assert_replays();
}

/// Goal: any decision has one, an administrative refusal and an errant forbid included;
/// what is no decision has none.
#[test]
fn every_decision_has_a_dossier_and_nothing_else_has() {
    let archive = Archive::new();
    let log = archive.log();
    let of = |wanted: &dyn Fn(&Envelope) -> bool| log.iter().rfind(|it| wanted(it)).unwrap().id;
    let system = of(&|it| {
        decided(it).is_some_and(|it| it.set == SetKind::System && it.decision == Verdict::Deny)
    });
    let dossier = archive.get(&format!("/audit/v1/decisions/{system}")).expect(200);
    assert_eq!(dossier["subject"]["standing"]["kind"], "service");
    assert_eq!(dossier["subject"]["standing"]["scopes"], json!(["evaluate"]));
    let erred = of(&|it| decided(it).is_some_and(|it| !it.errors.is_empty()));
    let dossier = archive.get(&format!("/audit/v1/decisions/{erred}")).expect(200);
    assert_eq!(dossier["policies"][0]["part"]["what"], "erred");
    assert!(dossier["policies"][0]["part"]["message"].as_str().unwrap().contains("overflow"));
    assert_eq!(dossier["replay"]["outcome"], "identical");

    let other = of(&|it| decided(it).is_none());
    let never = uuid::Uuid::now_v7();
    for id in [other, never, uuid::Uuid::nil(), uuid::Uuid::max()] {
        let answer = archive.get(&format!("/audit/v1/decisions/{id}"));
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{id}");
    }
}

/// A stream of entries, read line by line; a server that says nothing for long fails the
/// test instead of holding it up.
fn follow(archive: &Archive, token: &str, query: &str) -> impl Iterator<Item = Value> + use<> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(60))).build().into();
    let url = archive.office.app.url(&format!("/audit/v1/events?follow=true{query}"));
    let answer = agent.get(url).header("authorization", format!("Bearer {token}")).call().unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let reader: Box<dyn Read> = Box::new(answer.into_body().into_reader());
    let lines = BufReader::new(reader).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

/// Goal: who follows hears each new entry that fits, in order and as it is stored, and
/// nothing any more once their token is revoked.
#[test]
fn a_stream_tells_what_is_new_until_its_token_is_revoked() {
    let archive = Archive::new();
    let Office { app, admin, pep } = &archive.office;
    let query = "&type=access.decided&set=application";
    let mut heard = follow(&archive, &archive.auditor, query);
    for user in ["alice", "bob"] {
        let answer = app.evaluate(pep, &ask(user, "read", "plan"));
        app.get("/policies/v1", &admin.token).expect(200); // Does not fit.
        let line = heard.next().unwrap();
        assert_eq!(line["id"], answer.header("countersign-decision"));
        assert_eq!(line["data"]["request"], ask(user, "read", "plan"));
    }
    app.delete(&format!("/tokens/v1/{}", archive.id), &admin.token).expect(204);
    app.evaluate(pep, &ask("alice", "read", "plan")).expect(200);
    assert_eq!(heard.next(), None);
    app.assert_replays();
}

/// Goal: `after` begins in the past and goes on into the future without a gap.
#[test]
fn a_stream_may_begin_in_the_past() {
    let archive = Archive::new();
    let Office { app, pep, .. } = &archive.office;
    let mut heard = follow(&archive, &archive.auditor, "&after=3");
    let size = archive.log().len();
    for index in 4..size {
        assert_eq!(heard.next().unwrap()["index"], index);
    }
    let answer = app.evaluate(pep, &ask("alice", "read", "plan"));
    assert_eq!(heard.next().unwrap()["index"].to_string(), answer.header("countersign-index"));
}

/// Goal: whoever follows does not hold up the node's end: their stream ends with it, and
/// they may go on after the last index they have heard.
#[test]
fn a_stream_does_not_hold_up_the_end() {
    let mut archive = Archive::new();
    let mut heard = follow(&archive, &archive.auditor, "&after=0");
    let last = archive.log().len() - 1;
    while heard.next().unwrap()["index"] != last {}
    archive.office.app.restart();
    assert_eq!(heard.next(), None);
    let mut again = follow(&archive, &archive.auditor, &format!("&after={last}"));
    assert_eq!(again.next().unwrap()["index"], last + 1);
}

/// Goal: a person who follows hears nothing after their session has run out, although
/// the connection is still there.
#[test]
fn a_stream_ends_with_its_session() {
    let archive = Archive::new();
    let Office { app, admin, pep } = &archive.office;
    let mut heard = follow(&archive, &admin.token, "&type=access.decided");
    app.evaluate(pep, &ask("alice", "read", "plan")).expect(200);
    assert!(heard.next().is_some());
    app.clock.advance(3_601);
    app.evaluate(pep, &ask("alice", "read", "plan")).expect(200);
    assert_eq!(heard.next(), None);
}

/// Goal: reading the log is itself in the log: who watches is watched.
#[test]
fn reading_the_log_is_recorded() {
    let archive = Archive::new();
    for path in ["/audit/v1/events", "/audit/v1/entries", "/audit/v1/state"] {
        let before = archive.log().len();
        archive.get(path);
        let log = archive.log().split_off(before);
        let [entry] = &log[..] else { panic!("{path}: {log:?}") };
        let decided = decided(entry).unwrap();
        assert_eq!(decided.request.action.name, "Countersign::Action::readAudit");
        assert_eq!(decided.decision, Verdict::Allow);
        assert_eq!(entry.actor.to_string(), format!("service/{}", archive.id));
    }
    archive.office.app.assert_replays();
}
