//! An auditor asks what was true, and what would have been decided, at any past moment.

use countersign::cedar::on_large_stack;
use countersign::event::{Envelope, Event};
use countersign::projection::World;
use serde_json::{Value, json};

use crate::app::{Answer, Person, decided};
use crate::office::{Office, POLICIES, ask, setup, unlock};

/// An office whose policies, people and sessions have changed, and an auditor's token. A
/// snapshot is put away every 15 entries.
struct History {
    office: Office,
    auditor: String,
    /// Alice in a session of two factors, which has ended since.
    alice: Person,
    /// The answer that she was given in it.
    opened: Answer,
}

impl History {
    fn new() -> Self {
        let office = Office::with(&setup().with_setting("snapshots.every=15"));
        let Office { app, admin, pep } = &office;
        let auditor = app.token(admin, &["audit"]);
        app.person(admin, "alice");
        app.clock.advance(30);
        let alice = app.two_factors(&app.one_factor("alice"));
        app.clock.advance(30);
        let opened = app.evaluate(pep, &presenting(&alice));
        assert_eq!(opened.expect(200), json!({"decision": true}));
        for _ in 0..20 {
            assert!(office.allows(&ask("alice", "read", "plan")));
        }
        app.clock.advance(60);
        app.post("/auth/v1/logout", &alice.token, &json!({})).expect(204);
        let stricter = POLICIES.replace(
            "permit (principal in Group::\"staff\"",
            "permit (principal == User::\"nobody\"",
        );
        let files = json!([{"name": "p.cedar", "text": stricter}]);
        app.put("/policies/v1", &admin.token, &json!({"files": files})).expect(200);
        let delete = json!({"delete": [{"type": "User", "id": "alice"}]});
        app.post("/entities/v1", &admin.token, &delete).expect(200);
        app.clock.advance(60);
        for _ in 0..20 {
            assert!(!office.allows(&ask("alice", "read", "plan")));
        }
        Self { office, auditor, alice, opened }
    }

    fn get(&self, path: &str) -> Answer {
        self.office.app.get(path, &self.auditor)
    }

    fn then(&self, query: &str, question: &Value) -> Answer {
        let path = format!("/audit/v1/evaluation?{query}");
        self.office.app.post(&path, &self.auditor, question)
    }

    fn log(&self) -> Vec<Envelope> {
        self.office.app.log()
    }

    /// The entry at which Alice opened the vault.
    fn opened_at(&self) -> usize {
        self.opened.header("countersign-index").parse().unwrap()
    }
}

/// Alice wants to open what takes two factors, and shows her session.
fn presenting(alice: &Person) -> Value {
    let mut question = unlock("alice", "second-factor");
    question["context"] = json!({"session_token": alice.session_token});
    question
}

/// Goal: what was allowed then is allowed as of then, by the policies, the directory and
/// the time of then; and all that the log gains by asking is that the auditor asked.
#[test]
fn an_access_is_decided_as_it_would_have_been_then() {
    let history = History::new();
    let at = history.opened_at();
    let question = ask("alice", "read", "plan");
    let before = history.log().len();
    let then = history.then(&format!("at={at}"), &question);
    let told = then.expect(200);
    assert_eq!(
        (&told["decision"], &told["context"]["determining"]),
        (&json!(true), &json!(["staff-read"]))
    );
    let entry = &history.log()[at];
    assert_eq!(told["context"]["as_of"], json!({"index": at, "time": entry.time}));
    assert_eq!(then.header("countersign-as-of-index"), at.to_string());
    assert_eq!(then.header("countersign-as-of-time"), entry.time.to_string());
    assert_eq!(then.header("countersign-policy-version"), "1");
    assert_eq!(then.header("countersign-index"), "", "it is no record");

    // By a time between two entries: the newest entry before it, at the time asked for.
    let next = history.log()[at + 1].time;
    assert_eq!(next, entry.time, "all in the same instant");
    let last = history.log().iter().rposition(|it| it.time == entry.time).unwrap();
    let time = entry.time.plus_seconds(3);
    let told = history.then(&format!("at={time}"), &question).expect(200);
    assert_eq!(told["context"]["as_of"], json!({"index": last, "time": time}));
    assert_eq!(told["decision"], true);

    let newest = history.log().len() - 1;
    let told = history.then(&format!("at={newest}"), &question).expect(200);
    assert_eq!(told["decision"], false, "by the policies of now");

    let log = history.log();
    assert_eq!(log.len(), before + 3, "one for each question");
    for entry in &log[before..] {
        let decided = decided(entry).unwrap();
        assert_eq!(decided.request.action.name, "Countersign::Action::readAudit");
    }
    history.office.app.assert_replays();
}

/// Goal: a session counts as it stood then, whether its token or its id is shown.
#[test]
fn a_session_counts_as_it_stood_then() {
    let history = History::new();
    let at = history.opened_at();
    let log = history.log();
    let started = log.iter().position(
        |it| matches!(&it.event, Event::SessionRaised(it) if it.person.as_str() == "alice"),
    );
    let session = decided(&log[at]).unwrap().session.clone().unwrap();
    let id = serde_json::to_value(&session).unwrap()["id"].as_str().unwrap().to_owned();
    let newest = log.len() - 1;
    let by_token = presenting(&history.alice);
    let by_id = unlock("alice", "second-factor");
    let asked = |at: usize| {
        let one = history.then(&format!("at={at}"), &by_token).expect(200);
        let two = history.then(&format!("at={at}&session={id}"), &by_id).expect(200);
        (one, two)
    };
    let (one, two) = asked(at);
    assert_eq!(one["decision"], true);
    assert_eq!(one, two);
    assert_eq!(one["context"]["session"]["state"], "in_force");
    assert_eq!(one["context"]["session"]["aal"], 2);

    let (one, two) = asked(newest);
    assert_eq!((&one["decision"], &two["decision"]), (&json!(false), &json!(false)));
    assert_eq!(one["context"]["session"]["state"], "unknown", "its token leads nowhere now");

    let (one, _) = asked(started.unwrap() - 1);
    assert_eq!(one["decision"], false, "this token had not been given yet");
    let hours = log[at].time.plus_seconds(40 * 60);
    let told = history.then(&format!("at={hours}"), &by_token);
    assert_eq!(told.code(), "bad_query", "still to come: {}", told.text);
    assert!(!history.office.app.stored().contains(&history.alice.session_token));
}

/// Goal: whoever asks wrongly, or may not ask, hears what is wrong.
#[test]
fn a_question_about_the_past_must_name_one() {
    let history = History::new();
    let question = ask("alice", "read", "plan");
    for (query, told) in [
        ("", "say as of which entry or time"),
        ("at=yesterday", "expected an entry's index"),
        ("at=1&at=2", "given twice"),
        ("at=99999", "there is no entry 99999 yet"),
        ("at=1999-01-01T00:00:00Z", "the log begins at"),
        ("at=2999-01-01T00:00:00Z", "is still to come"),
        ("at=1&session=alice", "expected a session's id"),
        ("at=1&colour=red", "the parameters are at, session and pep"),
    ] {
        let answer = history.then(query, &question);
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_query"), "{query}");
        assert!(answer.text.contains(told), "{query}: {}", answer.text);
    }
    let both =
        history.then(&format!("at=9&session={}", uuid::Uuid::nil()), &presenting(&history.alice));
    assert_eq!(both.code(), "bad_query");
    let path = "/audit/v1/evaluation?at=9";
    let refused = history.office.app.post(path, &history.office.pep, &question);
    assert_eq!(refused.status, 403, "asking takes scope audit");
}

/// Goal: the state, the events and the entries of then are those of the log up to then.
#[test]
fn the_log_can_be_read_as_it_was() {
    let history = History::new();
    let log = history.log();
    let stored = history.office.app.stored();
    for at in [0, 7, history.opened_at(), log.len() - 1] {
        let world = on_large_stack(|| World::fold(&log[..=at])).unwrap();
        let state = history.get(&format!("/audit/v1/state?at={at}")).expect(200);
        assert_eq!(state, serde_json::to_value(world.digest()).unwrap(), "{at}");

        let page = history.get(&format!("/audit/v1/events?at={at}&limit=1")).expect(200);
        assert_eq!(page["events"][0]["index"], at);
        let oldest = history.get(&format!("/audit/v1/events?at={at}&order=oldest&limit=1000"));
        assert_eq!(oldest.expect(200)["events"].as_array().unwrap().len(), at + 1);

        let entries = history.get(&format!("/audit/v1/entries?at={at}"));
        let expected: String =
            stored.lines().take(at + 1).map(|line| line.to_owned() + "\n").collect();
        assert!(entries.text == expected && entries.header("countersign-next").is_empty(), "{at}");
    }
    let followed = history.get("/audit/v1/events?follow=true&at=3");
    assert_eq!(followed.code(), "bad_query");
}

/// Goal: a node that starts from a snapshot is the node that stopped, and its answers about
/// the past are the same with snapshots and without.
#[test]
fn a_restart_from_a_snapshot_changes_nothing() {
    let mut history = History::new();
    let state =
        |history: &History, at: usize| history.get(&format!("/audit/v1/state?at={at}")).expect(200);
    let id = history.opened.header("countersign-decision").to_owned();
    let dossier = |history: &History| history.get(&format!("/audit/v1/decisions/{id}")).expect(200);
    let at = history.opened_at() + 5;
    let (lived, shown) = (state(&history, at), dossier(&history));
    assert!(shown["authentication"].as_array().unwrap().len() > 3);

    history.office.app.restart();
    let newest = history.office.app.node.snapshots.newest();
    assert!(newest > 20, "one was put away at the end");
    assert_eq!((state(&history, at), dossier(&history)), (lived.clone(), shown.clone()));
    history.office.app.assert_replays();

    history.office.app.node.snapshots.forget().unwrap();
    assert_eq!(history.office.app.node.snapshots.newest(), 0);
    assert_eq!((state(&history, at), dossier(&history)), (lived, shown));
    history.office.app.restart();
    history.office.app.assert_replays();
}
