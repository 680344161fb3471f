//! Sessions as a list: the person's own, and anybody's to an administrator.

use std::sync::atomic::{AtomicBool, Ordering};

use countersign::event::{Event, SessionEnding, Verdict};
use serde_json::{Value, json};

use crate::app::{PASSWORD, Person, TestApp, decided};
use crate::journal;
use crate::office::{Office, setup, unlock};

fn rows(answer: &Value) -> Vec<Value> {
    answer["sessions"].as_array().unwrap().clone()
}

fn ids(answer: &Value) -> Vec<String> {
    rows(answer).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// An office in which Alice has two sessions.
fn office() -> (Office, Person, Person) {
    let office = Office::with(&setup());
    office.app.person(&office.admin, "alice");
    let here = office.app.one_factor("alice");
    office.app.clock.advance(1);
    let there = office.app.one_factor("alice");
    (office, here, there)
}

fn opens(office: &Office, session: &str) -> bool {
    let answer = office.app.evaluate_with(&office.pep, session, &unlock("alice", "session"));
    answer.expect(200)["decision"] == true
}

#[test]
fn a_person_sees_their_sessions_and_which_one_this_is() {
    let (office, here, _) = office();
    let app = &office.app;
    app.clock.advance(119);
    assert!(opens(&office, &here.session_token));

    let all = rows(&app.get("/auth/v1/sessions", &here.token).expect(200));

    assert_eq!(all.len(), 2, "none of the administrator's");
    let first = json!({
        "id": all[0]["id"], "current": true, "aal": 1, "amr": ["pwd"], "source": "countersign",
        "started_at": "2026-11-22T12:00:00.000000Z",
        "authenticated_at": "2026-11-22T12:00:00.000000Z",
        "last_active": "2026-11-22T12:02:00.000000Z",
        "expires_at": "2026-11-23T12:00:00.000000Z",
        "idle_until": "2026-11-22T13:02:00.000000Z",
    });
    assert_eq!(all[0], first);
    assert_eq!(all[1]["current"], Value::Null);
    assert_eq!(all[1]["last_active"], "2026-11-22T12:00:01.000000Z");
}

/// Goal: a session that its person ends is worth nothing to the very next decision.
#[test]
fn a_person_ends_one_of_their_sessions() {
    let (office, here, there) = office();
    let app = &office.app;
    let all = ids(&app.get("/auth/v1/sessions", &here.token).expect(200));
    assert!(opens(&office, &there.session_token));
    let start = journal::size(app);

    app.delete(&format!("/auth/v1/sessions/{}", all[1]), &here.token).expect(204);

    assert!(!opens(&office, &there.session_token));
    assert!(opens(&office, &here.session_token));
    assert_eq!(app.get("/auth/v1/session", &there.token).status, 401);
    let log = journal::since(app, start);
    let why = SessionEnding::EndedByPerson;
    assert!(matches!(&log[0].event, Event::SessionEnded(it) if it.reason == why));
    let again = app.delete(&format!("/auth/v1/sessions/{}", all[1]), &here.token);
    assert_eq!((again.status, again.code().as_str()), (404, "session_unknown"));
    app.assert_replays();
}

#[test]
fn nobody_ends_a_session_of_somebody_else() {
    let (office, here, _) = office();
    let app = &office.app;
    let admins = ids(&app.get("/auth/v1/sessions", &office.admin.token).expect(200));
    let start = journal::size(app);
    for id in [admins[0].as_str(), "none"] {
        let answer = app.delete(&format!("/auth/v1/sessions/{id}"), &here.token);
        assert_eq!((answer.status, answer.code().as_str()), (404, "session_unknown"));
    }
    assert_eq!(journal::size(app), start);
}

#[test]
fn a_person_ends_all_others_or_all() {
    let (office, here, there) = office();
    let app = &office.app;
    app.delete("/auth/v1/sessions", &here.token).expect(204);
    assert_eq!(app.get("/auth/v1/session", &there.token).status, 401);
    assert_eq!(app.get("/auth/v1/session", &here.token).status, 200);
    app.one_factor("alice");
    app.delete("/auth/v1/sessions?all=true", &here.token).expect(204);
    assert_eq!(app.get("/auth/v1/session", &here.token).status, 401);
    assert!(!opens(&office, &here.session_token));
    let left = app.get("/users/v1/alice/sessions", &office.admin.token).expect(200);
    assert_eq!(rows(&left).len(), 0);
}

/// Goal: an administrator sees anybody's sessions and ends them, at once.
///
/// Source: ASVS 5.0 7.4.5.
#[test]
fn an_administrator_ends_anybodys_sessions() {
    let (office, here, there) = office();
    let (app, admin) = (&office.app, &office.admin.token);
    let all = ids(&app.get("/users/v1/alice/sessions", admin).expect(200));
    assert_eq!(all.len(), 2);

    app.delete(&format!("/users/v1/alice/sessions/{}", all[0]), admin).expect(204);
    assert!(!opens(&office, &here.session_token));
    assert!(opens(&office, &there.session_token));
    app.delete("/users/v1/alice/sessions", admin).expect(204);
    assert!(!opens(&office, &there.session_token));

    let admins = ids(&app.get("/auth/v1/sessions", admin).expect(200));
    let wrong = app.delete(&format!("/users/v1/alice/sessions/{}", admins[0]), admin);
    assert_eq!((wrong.status, wrong.code().as_str()), (404, "session_unknown"));
    assert_eq!(app.get("/users/v1/nobody/sessions", admin).code(), "person_unknown");
    let alice = app.one_factor("alice");
    assert_eq!(app.get("/users/v1/admin/sessions", &alice.token).status, 403);
    assert_eq!(app.delete("/users/v1/admin/sessions", &alice.token).status, 403);
    app.assert_replays();
}

/// Goal: once a session has ended, no decision recorded after that allows by it, however
/// many were under way.
#[test]
fn no_decision_under_way_outlives_the_end_of_its_session() {
    let (office, here, there) = office();
    let app = &office.app;
    let id = ids(&app.get("/auth/v1/sessions", &here.token).expect(200)).remove(1);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ask = || {
            while !stop.load(Ordering::SeqCst) {
                opens(&office, &there.session_token);
            }
            // Whoever asks after the end was answered is denied.
            assert!(!opens(&office, &there.session_token));
        };
        let askers: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        while app.decisions().len() < 20 {
            std::thread::yield_now();
        }
        app.delete(&format!("/auth/v1/sessions/{id}"), &here.token).expect(204);
        stop.store(true, Ordering::SeqCst);
        askers.into_iter().for_each(|asker| asker.join().unwrap());
    });
    let log = app.log();
    let is_end = |event: &Event| match event {
        Event::SessionEnded(it) => it.session.to_string() == id,
        _ => false,
    };
    let end = log.iter().position(|entry| is_end(&entry.event)).unwrap();
    let (before, after) = log.split_at(end);
    let allowed = |entry: &countersign::event::Envelope| {
        decided(entry)
            .is_some_and(|it| it.decision == Verdict::Allow && it.request.subject.id == "alice")
    };
    assert!(before.iter().any(allowed));
    assert!(!after.iter().any(allowed));
    app.assert_replays();
}

/// Goal: a person sees who came in their name, and who tried, after a restart too.
#[test]
fn a_person_sees_their_latest_sign_ins_from_the_log() {
    let (mut office, here, _) = office();
    let app = &mut office.app;
    app.login("alice", "a guess that is wrong").code();
    app.login("bob", PASSWORD).code();
    let shown = |app: &TestApp, person: &Person| {
        let answer = app.get("/auth/v1/sign-ins", &person.token).expect(200);
        answer["sign_ins"].as_array().unwrap().clone()
    };
    let all = shown(app, &here);
    let told: Vec<_> = all.iter().map(|row| row["what"].as_str().unwrap()).collect();
    let began = "a session of alice began at AAL1 by pwd";
    assert_eq!(told, ["alice gave a wrong password", began, began]);
    assert_eq!(all[0]["time"], "2026-11-22T12:00:01.000000Z");
    app.restart();
    assert_eq!(shown(app, &here), all);
    let all: Vec<_> = (0..25).map(|_| app.one_factor("alice")).collect();
    assert_eq!(shown(app, &all[24]).len(), 21, "20 sign-ins and one refusal");
}
