//! Applications ask several questions at once (`AuthZEN` 1.0 §7).

use countersign::event::Verdict;
use serde_json::{Value, json};

use crate::app::{Answer, decided};
use crate::office::{Office, ask, given, setup, unlock};

/// One answer for each of these actions of a user on the plan.
fn actions(user: &str, names: &[&str], options: &Value) -> Value {
    let items: Vec<_> = names.iter().map(|name| json!({"action": {"name": name}})).collect();
    json!({
        "subject": {"type": "User", "id": user},
        "resource": {"type": "Doc", "id": "plan"},
        "evaluations": items,
        "options": options,
    })
}

/// Alice may read and write the plan; nobody may fly.
const MIXED: [&str; 5] = ["read", "fly", "write", "fly", "read"];

fn first_last(answer: &Answer, header: &str) -> (String, String) {
    let text = answer.header(header);
    let (first, last) = text.split_once('/').unwrap_or((text, text));
    (first.to_owned(), last.to_owned())
}

/// Goal: §7.1.2.1: each semantic goes through the items in their order, and stops right
/// after the item that triggers it: the answer ends there.
#[test]
fn each_semantic_ends_where_it_must() {
    let Office { app, pep, .. } = Office::open();
    let semantic = |name: &str| json!({"evaluations_semantic": name});
    for (options, names, expected) in [
        (json!({}), &MIXED[..], &[true, false, true, false, true][..]),
        (json!({"other": {"x": [1]}}), &MIXED, &[true, false, true, false, true]),
        (semantic("execute_all"), &MIXED, &[true, false, true, false, true]),
        (semantic("deny_on_first_deny"), &MIXED, &[true, false]),
        (semantic("permit_on_first_permit"), &MIXED, &[true]),
        (semantic("deny_on_first_deny"), &["read", "write"], &[true, true]),
        (semantic("permit_on_first_permit"), &["fly", "fly"], &[false, false]),
        (semantic("permit_on_first_permit"), &["fly", "read", "fly"], &[false, true]),
        (semantic("deny_on_first_deny"), &["fly"], &[false]),
    ] {
        let before = app.decisions().len();
        let answer = app.evaluate_all(&pep, &actions("alice", names, &options));
        let items: Vec<_> =
            expected.iter().map(|allow| format!(r#"{{"decision":{allow}}}"#)).collect();
        let body = format!(r#"{{"evaluations":[{}]}}"#, items.join(","));
        assert_eq!((answer.status, answer.text), (200, body), "{options} {names:?}");
        let recorded = app.decisions().split_off(before);
        let verdicts = recorded.iter().map(|decided| decided.decision == Verdict::Allow);
        assert_eq!(verdicts.collect::<Vec<_>>(), expected, "what was not answered is not recorded");
    }
    app.assert_replays();
}

/// Goal: an unknown semantic is a fault of the whole body, wherever it stands.
#[test]
fn an_unknown_semantic_is_refused() {
    let Office { app, pep, .. } = Office::open();
    for semantic in [json!("permit_on_first_deny"), json!("EXECUTE_ALL"), json!(1), json!({})] {
        let options = json!({"evaluations_semantic": semantic});
        for names in [&["read"][..], &[]] {
            let answer = app.evaluate_all(&pep, &actions("alice", names, &options));
            assert_eq!(answer.status, 400, "{semantic}");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.starts_with("options.evaluations_semantic: expected execute_all"));
        }
    }
    assert!(app.decisions().is_empty());
}

/// Goal: scenario 3.2.7: an item's member replaces the default as a whole, a missing one
/// takes the default, and defaults may be missing where no item needs them.
#[test]
fn a_default_is_replaced_as_a_whole_or_taken_as_a_whole() {
    let office = Office::open();
    let network =
        |ip: Value| json!({"context": ip, "resource": {"type": "Vault", "id": "network"}});
    let body = json!({
        "subject": {"type": "User", "id": "alice", "properties": {"location": "office"}},
        "action": {"name": "open"},
        "resource": {"type": "Vault", "id": "location"},
        "context": {"ip": "10.0.0.1", "note": "n"},
        "evaluations": [
            {},
            {"subject": {"type": "User", "id": "alice"}},
            {"resource": {"type": "Vault", "id": "network"}},
            network(json!({"note": "another"})),
            network(json!({})),
            network(Value::Null),
        ],
    });
    let answer = office.app.evaluate_all(&office.pep, &body);
    let decisions: Vec<_> = answer.expect(200)["evaluations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["decision"].as_bool().unwrap())
        .collect();
    // The location goes with the subject it came with, the address with its context.
    assert_eq!(decisions, [true, false, true, false, false, true]);

    let own = [ask("alice", "read", "plan"), ask("bob", "read", "plan")];
    let answer = office.app.evaluate_all(&office.pep, &json!({"evaluations": own}));
    assert_eq!(answer.text, r#"{"evaluations":[{"decision":true},{"decision":false}]}"#);
    office.app.assert_replays();
}

/// Goal: scenario 3.4.2 and 3.4.3: without items the answer is that of the single API,
/// to the byte and to the headers.
#[test]
fn without_items_the_answer_is_the_single_one() {
    let office = Office::open();
    let mut body = ask("alice", "read", "plan");
    for items in [None, Some(json!([])), Some(Value::Null)] {
        if let Some(items) = items {
            body["evaluations"] = items;
            body["options"] = json!({"evaluations_semantic": "deny_on_first_deny"});
        }
        let answer = office.app.evaluate_all(&office.pep, &body);
        assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"decision":true}"#));
        office.app.recorded(&answer);
    }
    body.as_object_mut().unwrap().remove("subject");
    let answer = office.app.evaluate_all(&office.pep, &body);
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
}

/// Goal: scenario 3.4.1: a faulty item is answered in its place, says what is wrong, and
/// spoils no other; under `deny_on_first_deny` it counts as a deny.
#[test]
fn a_faulty_item_has_an_answer_of_its_own() {
    let Office { app, pep, .. } = Office::open();
    let mut body = ask("alice", "read", "plan");
    body["evaluations"] = json!([
        {},
        {"subject": {"type": "User"}},
        {"action": {"name": 3}},
        {"resource": {}},
        {"context": {"a": {"__entity": {"type": "Group", "id": "staff"}}}},
        {"context": {"session_token": 5}},
        {"context": {"note": "x".repeat(33_000)}},
        7,
        [],
        {"action": {"name": "write"}},
    ]);
    let answer = app.evaluate_all(&pep, &body).expect(200);
    let items = answer["evaluations"].as_array().unwrap();
    let faults = [
        "evaluations[1].subject.id: missing: expected text",
        "evaluations[2].action.name: expected text",
        "evaluations[3].resource.type: missing: expected text",
        "evaluations[4].context.a.__entity: reserved",
        "context.session_token: expected text",
        "the request is too large: at most 32768 bytes count",
        "evaluations[7]: expected an object",
        "evaluations[8]: expected an object",
    ];
    assert_eq!(items.len(), 10);
    assert_eq!([&items[0], &items[9]], [&json!({"decision": true}); 2]);
    for (item, says) in items[1..9].iter().zip(faults) {
        let message = item["context"]["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(says), "{message}");
        let error = json!({"error": {"status": 400, "message": message}});
        assert_eq!(*item, json!({"decision": false, "context": error}));
    }
    assert_eq!(app.decisions().len(), 2);

    body["options"] = json!({"evaluations_semantic": "deny_on_first_deny"});
    let answer = app.evaluate_all(&pep, &body).expect(200);
    assert_eq!(answer["evaluations"].as_array().unwrap().len(), 2);
    body["options"] = json!({"evaluations_semantic": "permit_on_first_permit"});
    body["evaluations"].as_array_mut().unwrap().remove(0);
    let answer = app.evaluate_all(&pep, &body).expect(200);
    assert_eq!(answer["evaluations"].as_array().unwrap().len(), 9);
    app.assert_replays();
}

/// Goal: even when no item can be decided, the batch is answered, and nothing claims to
/// be its record.
#[test]
fn a_batch_of_faults_alone_is_answered() {
    let Office { app, pep, .. } = Office::open();
    let size = app.log().len();
    let answer = app.evaluate_all(&pep, &json!({"evaluations": [{"action": {"name": "read"}}]}));
    let item = &answer.expect(200)["evaluations"][0];
    assert_eq!(
        item["context"]["error"]["message"],
        "evaluations[0].subject: missing: expected an object"
    );
    for header in ["countersign-decision", "countersign-index", "countersign-policy-version"] {
        assert_eq!(answer.header(header), "");
    }
    assert_eq!(app.log().len(), size);
}

/// Goal: an unusable default matters only to the items that use it (the Todo payload has
/// `"resource":{}`), but one of another type than an object spoils the whole.
#[test]
fn only_merged_items_are_judged() {
    let Office { app, pep, .. } = Office::open();
    let mut body = ask("alice", "read", "plan");
    body["resource"] = json!({});
    body["evaluations"] = json!([{"resource": {"type": "Doc", "id": "plan"}}, {}]);
    let answer = app.evaluate_all(&pep, &body).expect(200);
    let items = answer["evaluations"].as_array().unwrap();
    assert_eq!(items[0], json!({"decision": true}));
    assert!(items[1]["context"]["error"]["message"].as_str().unwrap().contains("resource.type"));

    for (member, value) in [
        ("resource", json!("plan")),
        ("context", json!([])),
        ("evaluations", json!({})),
        ("options", json!("all")),
    ] {
        let mut wrong = body.clone();
        wrong[member] = value;
        let answer = app.evaluate_all(&pep, &wrong);
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{member}");
    }
}

/// Goal: a batch has a largest size; at it all is well, beyond it nothing is decided.
#[test]
fn a_batch_has_a_limit() {
    let setup = setup().with_setting("limits.batch_items=4");
    let Office { app, pep, .. } = Office::with(&setup);
    let four = actions("alice", &["read"; 4], &json!({}));
    assert_eq!(
        app.evaluate_all(&pep, &four).expect(200)["evaluations"].as_array().unwrap().len(),
        4
    );
    let answer = app.evaluate_all(&pep, &actions("alice", &["read"; 5], &json!({})));
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
    assert!(answer.json()["detail"].as_str().unwrap().starts_with("evaluations: more items"));
    assert_eq!(app.decisions().len(), 4);
}

/// Goal: a batch is decided in one World and recorded as one: indices without a gap, one
/// cause, one time, and headers that name the first and the last.
#[test]
fn a_batch_is_one_record() {
    let Office { app, pep, .. } = Office::open();
    let answer = app.evaluate_all(&pep, &actions("alice", &MIXED, &json!({})));
    answer.expect(200);

    let log = app.log();
    let batch = &log[log.len() - MIXED.len()..];
    let (first, last) = (batch.first().unwrap(), batch.last().unwrap());
    let ids = (first.id.to_string(), last.id.to_string());
    assert_eq!(first_last(&answer, "countersign-decision"), ids);
    let places = (first.index.to_string(), last.index.to_string());
    assert_eq!(first_last(&answer, "countersign-index"), places);
    assert_eq!(answer.header("countersign-policy-version"), "1");
    for (entry, next) in batch.iter().zip(&batch[1..]) {
        assert_eq!(next.index, entry.index.next());
    }
    for entry in batch {
        let (this, one) = (decided(entry).unwrap(), decided(first).unwrap());
        assert_eq!((entry.causation, entry.time), (first.id, first.time));
        assert_eq!((this.through, this.now, this.policies), (one.through, one.now, one.policies));
        assert_eq!(entry.correlation.as_deref(), Some(answer.header("x-request-id")));
    }
    app.assert_replays();
}

/// Goal: batches from many PEPs at once, a publication among them: each is still one run
/// of indices by one policy set.
#[test]
fn batches_at_once_do_not_mix() {
    let office = Office::open();
    let Office { app, admin, pep } = &office;
    let all = actions("alice", &["read"; 20], &json!({}));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..5 {
                    app.evaluate_all(pep, &all).expect(200);
                }
            });
        }
        for entity in ["carol", "dora", "emil"] {
            let put = json!([{"uid": {"type": "User", "id": entity}}]);
            app.post("/entities/v1", &admin.token, &json!({"put": put})).expect(200);
        }
    });
    let log = app.log();
    let asked: Vec<_> =
        log.iter().filter(|it| decided(it).is_some_and(|it| it.pep != "countersign")).collect();
    assert_eq!(asked.len(), 6 * 5 * 20);
    for batch in asked.chunks(20) {
        let (first, last) = (batch[0], batch[19]);
        assert!(batch.iter().all(|entry| entry.causation == first.id));
        assert_eq!(last.index.0 - first.index.0, 19);
        let through = |at: usize| decided(batch[at]).unwrap().through;
        assert!((0..20).all(|at| through(at) == through(0)));
    }
    app.assert_replays();
}

/// Goal: each item may carry its own circumstances, the default's among them, and what
/// is not declared is pruned item by item.
#[test]
fn circumstances_go_with_their_item() {
    let Office { app, pep, .. } = Office::open();
    let items = [
        given(unlock("alice", "network"), json!({"ip": "10.9.9.9", "colour": "red"})),
        given(unlock("alice", "risk"), json!({"risk": 0.2})),
        given(unlock("alice", "risk"), json!({"risk": "high"})),
    ];
    let answer = app.evaluate_all(&pep, &json!({"evaluations": items}));
    let body = r#"{"evaluations":[{"decision":true},{"decision":true},{"decision":false}]}"#;
    assert_eq!(answer.text, body);
    let pruned: Vec<_> = app.decisions().into_iter().map(|decided| decided.pruned).collect();
    assert_eq!(
        pruned,
        [vec!["context.colour".to_owned()], vec![], vec!["context.risk".to_owned()]]
    );
    app.assert_replays();
}
