//! Directory changes, against a real schema.

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::{Admission, Refusal, admit, put_in_force};
use crate::cedar::codes;
use crate::event::{
    Actor, Envelope, Event, PoliciesActivated, SchemaActivated, SchemaSubmitted, Whence,
};
use crate::model::{
    Digest, EntityDocument, Index, Label, Moment, PolicySource, SetKind, Uid, Version,
};
use crate::projection::{Change, World};

const SCHEMA: &str = "entity Group in [Group];
entity User in [Group] = { level: Long, name?: String };
action view appliesTo { principal: [User], resource: [Group] };
";

const SET: SetKind = SetKind::Application;

/// The World after some more events.
fn after(mut world: World, events: Vec<Event>) -> World {
    for event in events {
        let index = world.through.map_or(Index(0), Index::next);
        world.advance(&Envelope {
            id: Uuid::from_u128(u128::from(index.0)),
            time: Moment::EPOCH,
            index,
            stream: event.stream(),
            version: Version(1),
            causation: Uuid::nil(),
            log: Uuid::nil(),
            actor: Actor::LocalOperator,
            correlation: None,
            whence: Whence::default(),
            event,
        });
    }
    world
}

fn with_schema(world: World, text: &str) -> World {
    let publication = Uuid::from_u128(7);
    let message = Label::default();
    let version = Version(1);
    let submitted = SchemaSubmitted { publication, set: SET, text: text.to_owned() };
    let digest = Digest::of(text);
    let schema =
        SchemaActivated { publication, set: SET, version, digest, message: message.clone() };
    let digest = PolicySource::digest_of_set(&[]);
    let policies = PoliciesActivated { publication, set: SET, version, count: 0, digest, message };
    let events = vec![
        Event::SchemaSubmitted(submitted),
        Event::SchemaActivated(schema),
        Event::PoliciesActivated(policies),
    ];
    after(world, events)
}

fn founded() -> World {
    with_schema(World::default(), SCHEMA)
}

fn user(id: &str) -> Uid {
    Uid::parse("User", id).unwrap()
}

fn group(id: &str) -> Uid {
    Uid::parse("Group", id).unwrap()
}

fn put(uid: Uid, attrs: &serde_json::Value, parents: &[Uid]) -> Change {
    let attrs = attrs.as_object().unwrap().clone();
    let parents = parents.iter().cloned().collect();
    Change::Put(EntityDocument { attrs, parents, ..EntityDocument::bare(uid) })
}

fn alice(level: i64) -> Change {
    put(user("alice"), &json!({"level": level}), &[group("staff")])
}

fn admitted(world: &World, changes: Vec<Change>) -> Result<Admission, Refusal> {
    admit(world, changes, 100)
}

fn forced(world: &World, admission: &Admission) -> Result<Vec<Event>, Refusal> {
    put_in_force(world, admission, Uuid::from_u128(1), Label::default(), None)
}

fn changed(world: World, changes: Vec<Change>) -> World {
    let admission = admitted(&world, changes).unwrap();
    let events = forced(&world, &admission).unwrap();
    after(world, events)
}

fn codes_of(refusal: &Refusal) -> Vec<&'static str> {
    refusal.faults().iter().map(|fault| fault.code).collect()
}

#[test]
fn what_is_put_is_in_the_directory_with_all_that_it_is_in() {
    let staff = put(group("staff"), &json!({}), &[group("all")]);
    let world = changed(founded(), vec![alice(3), staff]);
    let node = world.directory.get(&user("alice")).unwrap();
    assert_eq!(node.ancestors.len(), 2);
    assert_eq!((world.directory.len(), world.directory.version()), (2, Version(1)));
    let world = changed(world, vec![Change::Remove(user("alice"))]);
    assert!(world.directory.get(&user("alice")).is_none());
    assert_eq!(world.directory.version(), Version(2));
}

#[test]
fn without_a_schema_there_is_no_directory() {
    let refusal = admitted(&World::default(), vec![alice(1)]).unwrap_err();
    assert_eq!(refusal.code(), "no_schema");
}

#[test]
fn a_request_has_at_least_one_change_and_at_most_so_many() {
    assert_eq!(admitted(&founded(), Vec::new()).unwrap_err().code(), "no_changes");
    let refusal = admit(&founded(), vec![alice(1), Change::Remove(group("x"))], 1).unwrap_err();
    assert!(matches!(refusal, Refusal::TooMany { found: 2, limit: 1 }), "{refusal}");
}

#[test]
fn entities_that_do_not_fit_are_told_by_name() {
    let wrong = vec![
        alice(1),
        put(user("bob"), &json!({"level": "high"}), &[]),
        put(user("eve"), &json!({"level": 1, "colour": "red"}), &[]),
        put(Uid::parse("Robot", "r2").unwrap(), &json!({}), &[]),
    ];
    let refusal = admitted(&founded(), wrong).unwrap_err();
    assert_eq!(refusal.code(), "entity_invalid");
    let told: Vec<_> = refusal.faults().iter().map(|fault| fault.message.clone()).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for name in ["User::\"bob\"", "User::\"eve\"", "Robot::\"r2\""] {
        let prefix = format!("entity `{name}` does not fit: ");
        assert!(told.iter().any(|message| message.starts_with(&prefix)), "{name}: {told:?}");
    }
}

#[test]
fn twenty_faults_are_told_and_the_rest_counted() {
    let wrong = (0..25).map(|n| put(user(&n.to_string()), &json!({}), &[])).collect();
    let refusal = admitted(&founded(), wrong).unwrap_err();
    assert_eq!(refusal.faults().len(), 21);
    assert_eq!(&*refusal.faults()[20].message, "5 more faults are not shown");
}

#[test]
fn what_no_directory_holds_is_refused_before_the_schema_is_asked() {
    let role = Uid::parse("Countersign::Role", "administrator").unwrap();
    let wrong = vec![
        put(role.clone(), &json!({}), &[]),
        put(user("mallory"), &json!({"level": 1}), &[role]),
        Change::Remove(user("nobody")),
        alice(1),
        Change::Remove(user("alice")),
        put(user("long"), &json!({"level": 1, "name": "x".repeat(33_000)}), &[]),
    ];
    let refusal = admitted(&founded(), wrong).unwrap_err();
    let expected = [
        codes::RESERVED_NAMESPACE,
        codes::RESERVED_NAMESPACE,
        "entity_unknown",
        "entity_duplicate",
        "entity_unknown",
        codes::ENTITY_TOO_LARGE,
    ];
    assert_eq!(codes_of(&refusal), expected);
}

#[test]
fn a_cycle_is_refused_with_its_path() {
    let world = changed(founded(), vec![put(group("a"), &json!({}), &[group("b")])]);
    let refusal = admitted(&world, vec![put(group("b"), &json!({}), &[group("a")])]).unwrap_err();
    assert_eq!(refusal.code(), "hierarchy_invalid");
    assert!(refusal.to_string().contains("would be in itself"), "{refusal}");
}

#[test]
fn what_is_already_so_gets_no_event() {
    let world = changed(founded(), vec![alice(1)]);
    let admission = admitted(&world, vec![alice(1)]).unwrap();
    assert!(matches!(forced(&world, &admission), Err(Refusal::Unchanged)));
    let bob = put(user("bob"), &json!({"level": 2}), &[]);
    let admission = admitted(&world, vec![alice(1), bob]).unwrap();
    assert_eq!(forced(&world, &admission).unwrap().len(), 2);
}

#[test]
fn an_admission_outlives_other_changes_but_not_another_schema() {
    let world = changed(founded(), vec![alice(1)]);
    let raised = admitted(&world, vec![alice(2)]).unwrap();
    let removed = admitted(&world, vec![Change::Remove(user("alice"))]).unwrap();

    let bob = put(user("bob"), &json!({"level": 1}), &[]);
    let meanwhile = changed(world.clone(), vec![bob]);
    assert!(forced(&meanwhile, &raised).is_ok());
    let gone = changed(world.clone(), vec![Change::Remove(user("alice"))]);
    let conflict = forced(&gone, &removed).unwrap_err();
    assert!(matches!(conflict, Refusal::Conflict { what: "directory" }), "{conflict}");
    let moved = with_schema(world, &SCHEMA.replace("level: Long", "level: Long, a?: Long"));
    let conflict = forced(&moved, &raised).unwrap_err();
    assert!(matches!(conflict, Refusal::Conflict { what: "schema" }), "{conflict}");
}

#[test]
fn a_cycle_that_two_authors_would_make_together_is_a_conflict() {
    let world = founded();
    let mine = admitted(&world, vec![put(group("a"), &json!({}), &[group("b")])]).unwrap();
    let theirs = changed(world, vec![put(group("b"), &json!({}), &[group("a")])]);
    let conflict = forced(&theirs, &mine).unwrap_err();
    assert!(matches!(conflict, Refusal::Conflict { what: "directory" }), "{conflict}");
}

#[test]
fn an_author_who_has_read_another_version_is_told_so() {
    let world = changed(founded(), vec![alice(1)]);
    let admission = admitted(&world, vec![alice(2)]).unwrap();
    let expecting = |version| {
        put_in_force(&world, &admission, Uuid::nil(), Label::default(), Some(Version(version)))
    };
    assert!(expecting(1).is_ok());
    let refusal = expecting(4).unwrap_err();
    assert_eq!(refusal.code(), "version_conflict");
    assert_eq!(refusal.to_string(), "expected version 4 of the directory, found 1");
}

/// What a law's author may do to one of ten groups.
fn edits() -> impl Strategy<Value = Vec<(u8, Option<Vec<u8>>)>> {
    let parents = prop::option::of(prop::collection::vec(0_u8..10, 0..3));
    prop::collection::btree_map(0_u8..10, parents, 1..8).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Law: what the events fold to is what admission looked at, entity by entity, and
    /// no admitted change is refused by the writer where nothing else has happened.
    #[test]
    fn the_fold_gives_what_was_admitted(requests in prop::collection::vec(edits(), 1..6)) {
        let mut world = founded();
        for request in requests {
            let name = |n: u8| group(&n.to_string());
            let changes: Vec<_> = request.into_iter().map(|(n, parents)| match parents {
                None => Change::Remove(name(n)),
                Some(parents) => {
                    let parents: Vec<_> = parents.into_iter().map(name).collect();
                    put(name(n), &json!({}), &parents)
                }
            }).collect();
            let Ok(admission) = admitted(&world, changes.clone()) else { continue };
            let expected = world.directory.with(admission.changes()).unwrap();
            match forced(&world, &admission) {
                Ok(events) => world = after(world, events),
                Err(refusal) => prop_assert_eq!(refusal.code(), "unchanged"),
            }
            prop_assert_eq!(world.directory.len(), expected.len());
            for node in expected.iter() {
                let found = world.directory.get(&node.document.uid).unwrap();
                prop_assert_eq!(&found.document, &node.document);
                prop_assert_eq!(&found.ancestors, &node.ancestors);
            }
        }
    }
}
