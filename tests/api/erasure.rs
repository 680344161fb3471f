//! What is personal is sealed where it is recorded, and can be erased: the log stays what
//! it was, and every replay still holds.

use countersign::audit::{Replay, Report};
use countersign::authn::erase;
use countersign::cedar::on_large_stack;
use countersign::event::{Event, Note};
use countersign::model::{SetKind, Uid};
use countersign::sequencer::{Expected, Origin};
use serde_json::{Value, json};

use crate::app::{Answer, Setup};
use crate::office::Office;

const SCHEMA: &str = r#"
entity Group in [Group];
entity User in [Group] = {
  level: Long,
  @personal email?: String,
  home?: { @personal street?: String, country: String },
  @personal @caller("fill") phone?: String,
};
entity Doc = { @personal about?: User };
action read, write, phone appliesTo {
  principal: [User], resource: [Doc],
  context: {
    @personal from?: ipaddr,
    count?: Long,
    action_properties?: { @personal recipient?: String, copies?: Long },
  },
};
"#;

const POLICIES: &str = r#"
@id("staff-read")
permit (principal in Group::"staff", action == Action::"read", resource);
@id("own-domain-writes")
permit (principal, action == Action::"write", resource)
when { principal has email && principal.email like "*@example.org" };
@id("from-here")
permit (principal, action == Action::"phone", resource)
when { context has from && context.from.isInRange(ip("10.0.0.0/8")) };
"#;

const EMAIL: &str = "alice.liddell@example.org";
const PHONE: &str = "+44 1865 276150";
const ADDRESS: &str = "10.99.88.77";
const RECIPIENT: &str = "dodgson@christchurch.example";
const STREET: &str = "Wonder Lane 7";

fn entities() -> Value {
    json!([
        {"uid": {"type": "Group", "id": "staff"}},
        {"uid": {"type": "User", "id": "alice"},
         "attrs": {"level": 3, "email": EMAIL, "home": {"street": STREET, "country": "UK"}},
         "parents": [{"type": "Group", "id": "staff"}]},
        {"uid": {"type": "User", "id": "bob"}, "attrs": {"level": 1, "email": "bob@example.org"}},
        {"uid": {"type": "Doc", "id": "plan"}},
    ])
}

fn office() -> Office {
    Office::with(&Setup::of(SCHEMA, POLICIES, &entities()))
}

fn ask(user: &str, action: &str) -> Value {
    json!({
        "subject": {"type": "User", "id": user, "properties": {"phone": PHONE}},
        "action": {"name": action, "properties": {"recipient": RECIPIENT, "copies": 2}},
        "resource": {"type": "Doc", "id": "plan"},
        "context": {"from": ADDRESS, "count": 1},
    })
}

impl Office {
    /// What replaying comes to with the vault's keys as they are now.
    fn replayed(&self, with_keys: bool) -> Report {
        let mut log = self.app.log();
        let sealer = &self.app.node.sealer;
        if with_keys {
            log.iter_mut().for_each(|entry| sealer.open_event(&mut entry.event).unwrap());
        }
        let report = on_large_stack(|| {
            let mut replay = Replay::new();
            log.iter().for_each(|entry| replay.step(entry));
            replay.report()
        });
        let report = report.unwrap();
        let live = self.app.node.sequencer.world().digest();
        assert_eq!((report.different, &report.state.parts), (0, &live.parts), "{report}");
        assert_eq!(report.state.digest, live.digest);
        assert!(report.clean, "{report}");
        report
    }

    fn erase(&self, path: &str, body: &Value) -> Answer {
        self.app.post(path, &self.admin.token, body)
    }

    fn assert_nowhere(&self, values: &[&str]) {
        let stored = self.app.stored();
        for value in values {
            assert!(!stored.contains(value), "{value} is in the log");
        }
    }
}

fn counted(report: &Report, reason: &str) -> u64 {
    report.reasons.get(reason).copied().unwrap_or_default()
}

/// Goal: policies see what is personal, the log does not show it, and whoever has the keys
/// replays all of it; who has not is told which decisions rest on it.
#[test]
fn what_is_personal_decides_but_is_not_in_the_log() {
    let office = office();
    assert!(office.allows(&ask("alice", "read")));
    assert!(office.allows(&ask("alice", "write")));
    assert!(office.allows(&ask("alice", "phone")));
    assert!(!office.allows(&ask("carol", "write")));

    office.assert_nowhere(&[EMAIL, PHONE, ADDRESS, RECIPIENT, STREET, "bob@example.org"]);
    let decided = office.app.decisions().remove(0);
    assert_eq!(serde_json::to_value(&decided.request).unwrap()["context"], json!({"count": 1}));
    let paths: Vec<_> = decided.personal.iter().flat_map(|one| &one.paths).collect();
    let shown: Vec<_> = paths.iter().map(ToString::to_string).collect();
    let expected = ["/subject/properties/phone", "/action/properties/recipient", "/context/from"];
    assert_eq!(shown, expected);

    assert_eq!(office.replayed(true).not_replayable, 0);
    let report = office.replayed(false);
    // Reading takes none of it; writing takes the e-mail, phoning takes the address. Carol
    // has no e-mail, and nobody can tell that from outside, but none is sealed of her.
    assert_eq!((report.not_replayable, counted(&report, "sealed")), (2, 2), "{report}");
}

/// Goal: after an erasure nothing personal is left, new decisions do without, every replay
/// holds, and of a decision that rested on it nobody pretends to know.
#[test]
fn an_erased_person_is_forgotten_and_every_replay_still_holds() {
    let mut office = office();
    office.app.person(&office.admin, "alice");
    let alice = office.app.one_factor("alice");
    for action in ["read", "write", "phone"] {
        assert!(office.allows(&ask("alice", action)));
    }
    assert!(office.allows(&ask("bob", "write")));
    assert_eq!(office.shown("/entities/v1/User/alice")["attrs"]["email"], EMAIL);
    let stored = office.app.stored();

    let body = json!({"reason": "asked for it"});
    let erased = office.erase("/users/v1/alice/erase", &body).expect(200);
    assert_eq!(erased["erased"], "alice");

    let check = |office: &Office| {
        assert!(office.app.stored().starts_with(&stored), "no entry changes");
        let shown = office.shown("/entities/v1/User/alice");
        assert_eq!(shown["attrs"], json!({"level": 3, "home": {"country": "UK"}}));
        assert_eq!(office.shown("/entities/v1/User/bob")["attrs"]["email"], "bob@example.org");
        assert_eq!(shown["unseen"], json!(["/attrs/email", "/attrs/home/street"]));
        let report = office.replayed(true);
        assert_eq!((report.not_replayable, counted(&report, "erased")), (2, 2), "{report}");
        let report = office.replayed(false);
        assert_eq!((counted(&report, "erased"), counted(&report, "sealed")), (2, 1), "{report}");
    };
    check(&office);
    let auditor = office.app.token(&office.admin, &["audit"]);
    let dossier = |id: &str| office.app.get(&format!("/audit/v1/decisions/{id}"), &auditor).json();
    let asked = office.app.log().into_iter().filter(|entry| match &entry.event {
        Event::AccessDecided(it) => it.set == SetKind::Application,
        _ => false,
    });
    let outcomes: Vec<_> = asked.map(|entry| dossier(&entry.id.to_string())).collect();
    let told = |at: usize| (&outcomes[at]["replay"]["outcome"], &outcomes[at]["personal"][0]);
    assert_eq!(told(0).0, "identical");
    assert_eq!(told(1).0, "not_replayable");
    assert_eq!(outcomes[1]["replay"]["reason"], "erased");
    assert_eq!(told(1).1["state"], "erased");
    assert_eq!((told(3).0, &told(3).1["state"]), (&json!("identical"), &json!("known")));
    let id = |at: usize| outcomes[at]["entry"]["id"].as_str().unwrap().to_owned();
    explained(&office, &auditor, [&id(1), &id(3)]);
    assert_eq!(office.app.get("/auth/v1/session", &alice.token).status, 401);
    assert_eq!(office.app.login("alice", crate::app::PASSWORD).status, 401);
    office.app.restart();
    check(&office);

    // The directory knows no e-mail any more; what a caller says now is sealed anew.
    assert!(office.allows(&ask("alice", "read")));
    assert!(!office.allows(&ask("alice", "write")));
    assert!(office.allows(&ask("alice", "phone")));
    let report = office.replayed(true);
    assert_eq!((report.not_replayable, counted(&report, "erased")), (2, 2), "{report}");

    let again = office.erase("/users/v1/alice/erase", &body);
    assert_eq!((again.status, again.code().as_str()), (409, "person_erased"));
    let nobody = office.erase("/users/v1/nobody/erase", &body);
    assert_eq!((nobody.status, nobody.code().as_str()), (404, "person_unknown"));
}

/// Nobody pretends to know why of the one that rested on Alice's e-mail, and of Bob, who is
/// not erased, nothing personal is told.
fn explained(office: &Office, auditor: &str, [of_alice, of_bob]: [&str; 2]) {
    let why = |id: &str| {
        let path = format!("/audit/v1/decisions/{id}/explain");
        office.app.post(&path, auditor, &json!({})).expect(200)
    };
    let email = |explained: &Value| {
        let clauses = explained["policies"][0]["clauses"].as_array().unwrap();
        let seen = &clauses.last().unwrap()["values"][0];
        assert_eq!(seen["at"], "principal.email", "{explained}");
        seen["state"].clone()
    };
    let (erased, known) = (why(of_alice), why(of_bob));
    let again = json!({"outcome": "not_replayable", "reason": "erased"});
    assert_eq!((&erased["recorded"]["again"], &erased["unseen"]), (&again, &json!(true)));
    assert_eq!((email(&erased), email(&known)), (json!("erased"), json!("personal")));
    assert!(!known.to_string().contains("bob@example.org"));
}

/// Goal: the same for an entity that nobody logs in as, and it may come back.
#[test]
fn an_entity_is_erased_and_may_be_written_anew() {
    let mut office = office();
    assert!(office.allows(&ask("bob", "write")));
    let bob = json!({"subject": {"type": "User", "id": "bob"}});
    office.erase("/erasures/v1", &bob).expect(200);
    assert!(!office.allows(&ask("bob", "write")));
    let uid = json!({"type": "User", "id": "bob"});
    let attrs = json!({"level": 1, "email": "robert@example.org"});
    let put = json!({"put": [{"uid": uid, "attrs": attrs}]});
    office.app.post("/entities/v1", &office.admin.token, &put).expect(200);
    assert!(office.allows(&ask("bob", "write")));
    let unchanged = office.app.post("/entities/v1", &office.admin.token, &put);
    assert_eq!(unchanged.code(), "unchanged");
    office.app.restart();
    assert!(office.allows(&ask("bob", "write")));
    office.assert_nowhere(&["robert@example.org"]);
    assert_eq!(counted(&office.replayed(true), "erased"), 1);

    let nothing = json!({"subject": {"type": "User", "id": "nobody"}});
    let answer = office.erase("/erasures/v1", &nothing);
    assert_eq!((answer.status, answer.code().as_str()), (404, "nothing_personal"));
}

/// Goal: an erasure that is in the log is carried out, though the node stopped before the
/// key was destroyed.
#[test]
fn an_erasure_that_was_cut_short_is_completed_at_the_next_start() {
    let mut office = office();
    let bob = Uid::parse("User", "bob").unwrap();
    let known = |office: &Office| office.app.node.sealer.keys().known(&bob).ok().unwrap();
    let key = known(&office).unwrap().id();
    let event = erase::subject(bob.clone(), vec![key], "cut short".parse().unwrap());
    actix_web::rt::System::new().block_on(async {
        let decide = |_: &_, _| Ok::<_, std::convert::Infallible>(vec![event]);
        let sequencer = &office.app.node.sequencer;
        sequencer.commit(Origin::node(), Expected::default(), decide).await.unwrap();
    });
    assert!(known(&office).is_some());
    assert!(!office.allows(&ask("bob", "write")), "the event alone closes it");
    office.app.restart();
    // What bob asked meanwhile was sealed under the same key, and went with it.
    assert!(known(&office).is_none());
    assert!(!office.allows(&ask("bob", "write")));
    assert_eq!(office.replayed(true).different, 0);
}

/// Goal: a key that was lost, not erased, never makes a `forbid` silent: what may rest on it
/// is denied and says why, all else goes on, and with the key back the log still replays.
#[test]
fn what_may_rest_on_a_lost_key_is_denied() {
    const LEFT: &str = r#"
@id("all-read") permit (principal, action == Action::"read", resource);
@id("who-has-left") forbid (principal, action, resource)
when { principal has email && principal.email like "*@left.example" };
"#;
    let mut entities = entities();
    let gone = json!({"level": 1, "email": "mallory@left.example"});
    let uid = json!({"type": "User", "id": "mallory"});
    entities.as_array_mut().unwrap().push(json!({"uid": uid, "attrs": gone}));
    let mut office = Office::with(&Setup::of(SCHEMA, LEFT, &entities));
    let left = ask("mallory", "read");
    assert!(!office.allows(&left) && office.allows(&ask("alice", "read")));

    let mallory = Uid::parse("User", "mallory").unwrap();
    let key = office.app.node.sealer.keys().known(&mallory).ok().unwrap().unwrap().id();
    assert!(office.app.node.sealer.keys().destroy_key(&mallory, key).unwrap());
    office.app.restart();
    assert!(!office.allows(&left), "the forbid was silent for want of a key");
    let denied = office.app.decisions().pop().unwrap();
    assert_eq!((denied.note, denied.determining.len()), (Some(Note::KeyMissing), 0));
    assert!(office.allows(&ask("alice", "read")) && !office.allows(&left));

    let report = office.replayed(true);
    assert_eq!((report.not_replayable, counted(&report, "a key was missing")), (3, 2), "{report}");
    let asked =
        office.app.post("/audit/v1/explain", &office.admin.token, &json!({"request": left}));
    assert!(asked.text.contains("the key of a personal value"), "{}", asked.text);
}

/// Goal: who may erase is decided by the system policies: neither an author nor a token,
/// nor an administrator whose second factor is old.
#[test]
fn only_an_administrator_with_fresh_factors_erases() {
    let office = office();
    let bob = json!({"subject": {"type": "User", "id": "bob"}});
    let token = office.app.token(&office.admin, &["admin"]);
    assert_eq!(office.app.post("/erasures/v1", &token, &bob).status, 403);
    office.app.clock.advance(901);
    let answer = office.erase("/erasures/v1", &bob);
    assert_eq!(answer.status, 403, "{}", answer.text);
    let refused = office.app.log().into_iter().any(|entry| match entry.event {
        Event::AccessDecided(it) => {
            let action = it.request.action.name.as_str();
            it.set == SetKind::System && action == "Countersign::Action::erase"
        }
        _ => false,
    });
    assert!(refused);
}

/// Goal: what was erased is not to be seen in the past either: no snapshot of before is
/// left, and what may have rested on it is refused instead of answered as if it had not.
#[test]
fn the_past_forgets_what_is_erased() {
    let setup = Setup::of(SCHEMA, POLICIES, &entities()).with_setting("snapshots.every=8");
    let mut office = Office::with(&setup);
    let auditor = office.app.token(&office.admin, &["audit"]);
    assert!(office.allows(&ask("bob", "write")));
    let then = office.app.log().len() - 1;
    for _ in 0..10 {
        assert!(office.allows(&ask("bob", "write")) && office.allows(&ask("alice", "read")));
    }
    let past = |office: &Office, user: &str, action: &str| {
        let path = format!("/audit/v1/evaluation?at={then}");
        office.app.post(&path, &auditor, &ask(user, action))
    };
    let folder = |office: &Office| office.app.node.settings.data.join("snapshots");
    assert_eq!(past(&office, "bob", "write").expect(200)["decision"], true);
    office.app.restart();
    // Now from a snapshot, whose personal values were opened anew.
    assert!(office.app.node.snapshots.newest() > then as u64);
    assert_eq!(past(&office, "bob", "write").expect(200)["decision"], true);
    assert!(office.allows(&ask("bob", "write")));
    for file in std::fs::read_dir(folder(&office)).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("example.org"));
    }

    let before = office.app.log().len() as u64;
    let bob = json!({"subject": {"type": "User", "id": "bob"}});
    office.erase("/erasures/v1", &bob).expect(200);
    let check = |office: &Office| {
        let unseen = past(office, "bob", "write");
        assert_eq!((unseen.status, unseen.code().as_str()), (409, "unseen"), "{}", unseen.text);
        // Explained, it is not called a loss that a vault could make good.
        let question = json!({"request": ask("bob", "write"), "at": then.to_string()});
        let why = office.app.post("/audit/v1/explain", &auditor, &question).expect(200);
        assert_eq!((&why["unseen"], &why["note"]), (&json!(true), &Value::Null), "{why}");
        assert_eq!(past(office, "alice", "read").expect(200)["decision"], true);
        let newest = office.app.node.snapshots.newest();
        assert!(newest == 0 || newest > before, "of {newest} entries, before the erasure");
        for file in std::fs::read_dir(folder(office)).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let size: u64 = name.split('.').next().unwrap().parse().unwrap();
            assert!(size > before, "{name}");
        }
        assert_eq!(office.replayed(true).different, 0);
    };
    check(&office);
    office.app.restart();
    check(&office);
}
