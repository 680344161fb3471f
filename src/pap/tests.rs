//! Publishing, against real schemas and policies.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::{Admission, Draft, Part, Refusal, admit, put_in_force, set_of, supposed};
use crate::cedar::{Limits, codes};
use crate::event::{Actor, DirectoryActivated, EntitySubmitted, Envelope, Event, Verdict, Whence};
use crate::model::{
    AccessRequest, EntityDocument, Index, Label, Moment, PolicyBody, PolicyId, PolicySource,
    SetKind, Uid, Version,
};
use crate::pdp::{Ask, decide};
use crate::projection::World;

pub(super) const SCHEMA: &str = "entity Group;
entity User in [Group] = { level: Long };
entity Document = { owner: User };
action view, edit appliesTo { principal: [User], resource: [Document] };
";

const OWNERS: &str = "@id(\"owners\")
permit (principal, action, resource) when { resource.owner == principal };";
const STAFF: &str = "@id(\"staff\")
permit (principal in Group::\"staff\", action == Action::\"view\", resource);";
const READERS: &str = "@id(\"readers\")
permit (principal == ?principal, action == Action::\"view\", resource);";

fn read(texts: &[&str]) -> Vec<PolicySource> {
    set_of(&[("p.cedar", &texts.join("\n"))], &Limits::default()).unwrap()
}

fn draft(schema: Option<&str>, policies: Option<&[&str]>) -> Draft {
    Draft {
        set: SetKind::Application,
        schema: schema.map(ToOwned::to_owned),
        policies: policies.map(read),
        message: "as agreed".parse().unwrap(),
    }
}

fn admitted(world: &World, draft: Draft) -> Result<Admission, Refusal> {
    admit(world, draft, &Limits::default())
}

fn forced(world: &World, admission: &Admission) -> Result<Vec<Event>, Refusal> {
    put_in_force(world, admission, Uuid::from_u128(1), None)
}

/// The World after some more events.
pub(super) fn after(mut world: World, events: Vec<Event>) -> World {
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

fn published(world: World, draft: Draft) -> World {
    let admission = admitted(&world, draft).unwrap();
    let events = forced(&world, &admission).unwrap();
    after(world, events)
}

fn founded() -> World {
    published(World::default(), draft(Some(SCHEMA), Some(&[OWNERS, STAFF])))
}

fn with_users(world: World, levels: impl Iterator<Item = serde_json::Value>) -> World {
    let publication = Uuid::from_u128(9);
    let mut changed = 0;
    let mut events = Vec::new();
    for (n, level) in levels.enumerate() {
        let mut entity = EntityDocument::bare(Uid::parse("User", &format!("u{n:03}")).unwrap());
        entity.attrs.insert("level".to_owned(), level);
        events.push(Event::EntitySubmitted(EntitySubmitted { publication, entity }));
        changed += 1;
    }
    let (version, message) = (world.directory.version().next(), Label::default());
    let activated = DirectoryActivated { publication, version, changed, message };
    events.push(Event::DirectoryActivated(activated));
    after(world, events)
}

fn view(world: &World) -> crate::event::AccessDecided {
    let body = json!({
        "subject": {"type": "User", "id": "alice", "properties": {"level": 1}},
        "action": {"name": "view"},
        "resource": {"type": "Document", "id": "1", "properties": {"owner": "alice"}},
    });
    let request = AccessRequest::from_json(&body).unwrap();
    let presented = crate::event::Presented::Nothing;
    let ask = Ask::access(request, presented, "test");
    decide(world, &ask, Moment::EPOCH)
}

fn code_and_faults(refusal: &Refusal) -> (&'static str, Vec<String>) {
    (refusal.code(), refusal.faults().iter().map(ToString::to_string).collect())
}

/// Goal: a draft is asked in the very World that it would come into.
#[test]
fn a_draft_decides_before_it_is_in_force_and_changes_nothing() {
    let world = founded();
    let before = view(&world);
    let nothing = supposed(&world, &draft(None, Some(&[])), &Limits::default()).unwrap();
    let after = view(&world.supposing(nothing));
    assert_eq!((before.decision, after.decision), (Verdict::Allow, Verdict::Deny));
    assert_eq!(after.policies.map(|it| it.version), Some(Version(2)));
    assert_eq!(view(&world), before);
}

#[test]
fn a_first_schema_alone_brings_an_empty_set_in_force() {
    let world = published(World::default(), draft(Some(SCHEMA), None));
    let in_force = world.application.in_force().unwrap();
    assert_eq!((in_force.version, world.application.len()), (Version(1), 0));
    let decided = view(&world);
    assert_eq!((decided.decision, decided.note), (Verdict::Deny, None));
    assert_eq!(decided.policies, Some(in_force));
}

#[test]
fn policies_without_any_schema_are_refused() {
    let refusal = admitted(&World::default(), draft(None, Some(&[OWNERS]))).unwrap_err();
    assert_eq!(refusal.code(), "no_schema");
    assert!(matches!(admitted(&World::default(), draft(None, None)), Err(Refusal::NoSchema)));
}

#[test]
fn what_is_published_is_in_force_and_decides() {
    let world = founded();
    let (text, schema) = world.application.schema().unwrap();
    assert_eq!((text, schema.version), (SCHEMA, Version(1)));
    let sources: Vec<_> = world.application.sources().cloned().collect();
    assert_eq!(sources, read(&[OWNERS, STAFF]));
    let compiled = world.application.compiled().unwrap().unwrap();
    assert_eq!(compiled.schema.digest(), schema.digest, "or the writer would compile again");
    assert_eq!(compiled.policies.digest(), world.application.in_force().unwrap().digest);
    let decided = view(&world);
    assert_eq!(decided.decision, Verdict::Allow);
    assert_eq!(decided.determining, ["owners".parse::<PolicyId>().unwrap()]);
}

#[test]
fn only_what_differs_becomes_an_event() {
    let world = founded();
    let narrowed = OWNERS.replace("action,", "action == Action::\"edit\",");
    let admission = admitted(&world, draft(None, Some(&[&narrowed, READERS]))).unwrap();
    let names = |ids: &[PolicyId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let changes = admission.changes();
    assert_eq!(names(&changes.added), ["readers"]);
    assert_eq!(names(&changes.changed), ["owners"]);
    assert_eq!(names(&changes.withdrawn), ["staff"]);
    assert_eq!(changes.schema, None);
    let events = forced(&world, &admission).unwrap();
    let types: Vec<_> = events.iter().map(Event::type_name).collect();
    let submitted = "countersign.policy.submitted.v1";
    let withdrawn = "countersign.policy.withdrawn.v1";
    let activated = "countersign.policies.activated.v1";
    assert_eq!(types, [submitted, submitted, withdrawn, activated]);
    let world = after(world, events);
    assert_eq!(world.application.in_force().unwrap().version, Version(2));
    assert_eq!(world.application.schema().unwrap().1.version, Version(1));
}

#[test]
fn what_changes_nothing_is_refused() {
    let world = founded();
    for same in [
        draft(None, None),
        draft(Some(SCHEMA), None),
        draft(None, Some(&[STAFF, OWNERS])),
        draft(Some(SCHEMA), Some(&[OWNERS, STAFF])),
    ] {
        assert!(matches!(admitted(&world, same), Err(Refusal::Unchanged)));
    }
}

#[test]
fn a_schema_that_is_none_is_refused_with_its_place() {
    let refusal = admitted(&founded(), draft(Some("entity User = {"), None)).unwrap_err();
    assert_eq!(refusal.code(), "schema_invalid");
    assert!(!refusal.faults().is_empty());
}

#[test]
fn a_policy_that_does_not_fit_the_schema_is_refused_by_name() {
    let wrong = OWNERS.replace("resource.owner", "resource.author");
    let refusal = admitted(&founded(), draft(None, Some(&[&wrong]))).unwrap_err();
    let (code, faults) = code_and_faults(&refusal);
    assert_eq!(code, "policy_invalid");
    assert!(faults[0].contains("`owners`") && faults[0].contains("author"), "{faults:?}");
}

#[test]
fn a_schema_that_the_policies_in_force_do_not_fit_is_refused() {
    let other = SCHEMA.replace("owner: User", "author: User");
    let refusal = admitted(&founded(), draft(Some(&other), None)).unwrap_err();
    assert_eq!(refusal.code(), "policy_invalid");
    let moved = OWNERS.replace("owner ==", "author ==");
    let both = draft(Some(&other), Some(&[&moved]));
    assert!(admitted(&founded(), both).is_ok(), "together they fit");
}

#[test]
fn a_schema_that_entities_do_not_fit_is_refused_with_the_first_twenty() {
    let world = with_users(founded(), (0..25).map(|n| json!(n)));
    let other = SCHEMA.replace("level: Long", "level: String");
    let refusal = admitted(&world, draft(Some(&other), None)).unwrap_err();
    let (code, faults) = code_and_faults(&refusal);
    assert_eq!((code, faults.len()), ("schema_invalid", 21));
    assert!(faults[0].starts_with("entity `User::\"u000\"` of the directory does not fit"));
    assert_eq!(faults[20], "5 more entities of the directory do not fit");
}

#[test]
fn a_template_that_a_link_fills_cannot_be_withdrawn() {
    let link = |principal: &str| PolicySource {
        id: "bob-reads".parse().unwrap(),
        body: PolicyBody::Link {
            template: "readers".parse().unwrap(),
            principal: Some(Uid::parse("User", principal).unwrap()),
            resource: None,
        },
    };
    let with_link = |mut base: Draft| {
        base.policies.as_mut().unwrap().push(link("bob"));
        base
    };
    let world = published(founded(), with_link(draft(None, Some(&[OWNERS, READERS]))));
    let refusal = admitted(&world, with_link(draft(None, Some(&[OWNERS])))).unwrap_err();
    assert_eq!(refusal.code(), "policy_invalid");
    assert_eq!(refusal.faults()[0].code, codes::POLICY_LINK);
}

#[test]
fn a_policy_that_grows_when_stored_is_refused() {
    let text = format!("// {}\n{OWNERS}", "\u{1}".repeat(9_000));
    let body = PolicyBody::Static { text: Arc::from(text) };
    let source = PolicySource { id: "owners".parse().unwrap(), body };
    let large = Draft { policies: Some(vec![source]), ..draft(None, None) };
    let refusal = admitted(&founded(), large).unwrap_err();
    assert_eq!(refusal.faults()[0].code, codes::POLICY_TOO_LARGE);
}

#[test]
fn an_admission_holds_only_where_it_was_made() {
    let world = founded();
    let policies = admitted(&world, draft(None, Some(&[OWNERS]))).unwrap();
    let other = SCHEMA.replace("entity Group;", "entity Group, Team;");
    let schema = admitted(&world, draft(Some(&other), None)).unwrap();

    let moved = published(world.clone(), draft(None, Some(&[STAFF])));
    let part = |result: Result<Vec<Event>, Refusal>| match result {
        Err(Refusal::Conflict { part }) => Some(part),
        _ => None,
    };
    assert_eq!(part(forced(&moved, &policies)), Some(Part::Policies));
    assert_eq!(part(forced(&moved, &schema)), Some(Part::Policies));
    let moved =
        published(world.clone(), draft(Some(&SCHEMA.replace("view,", "view, list,")), None));
    assert_eq!(part(forced(&moved, &policies)), Some(Part::Schema));
    let moved = with_users(world, [json!(1)].into_iter());
    assert_eq!(part(forced(&moved, &schema)), Some(Part::Directory));
    assert!(forced(&moved, &policies).is_ok(), "entities do not matter to policies");
}

#[test]
fn an_author_who_has_read_another_version_is_told_so() {
    let world = founded();
    let admission = admitted(&world, draft(None, Some(&[OWNERS]))).unwrap();
    let put = |expected| put_in_force(&world, &admission, Uuid::nil(), Some(Version(expected)));
    assert!(put(1).is_ok());
    let refusal = put(0).unwrap_err();
    assert_eq!(refusal.code(), "version_conflict");
    assert_eq!(refusal.to_string(), "expected version 0 of the policies, found 1");
    let first = admitted(&World::default(), draft(Some(SCHEMA), None)).unwrap();
    assert!(put_in_force(&World::default(), &first, Uuid::nil(), Some(Version(0))).is_ok());
}

#[test]
fn a_long_schema_is_stored_in_pieces_that_fit() {
    let text = format!("{SCHEMA}// {}\n", "\u{1}é\"".repeat(20_000));
    let world = World::default();
    let admission = admitted(&world, draft(Some(&text), None)).unwrap();
    let events = forced(&world, &admission).unwrap();
    let sizes = events.iter().filter_map(|event| match event {
        Event::SchemaSubmitted(it) => Some(serde_json::to_string(&it.text).unwrap().len()),
        _ => None,
    });
    assert!(sizes.clone().count() > 10);
    assert!(sizes.clone().all(|bytes| bytes <= 16 * 1024 + 2), "{:?}", sizes.max());
    assert_eq!(after(world, events).application.schema().unwrap().0, text);
}

#[test]
fn an_id_in_two_files_is_refused_with_both_names() {
    let second = format!("// a comment\n\n{OWNERS}");
    let files = [("a.cedar", OWNERS), ("b.cedar", STAFF), ("c.cedar", second.as_str())];
    let faults = set_of(&files, &Limits::default()).unwrap_err();
    let [fault] = faults.as_slice() else { panic!("{faults:?}") };
    assert_eq!((fault.code, fault.file.as_deref()), (codes::POLICY_ID_DUPLICATE, Some("c.cedar")));
    assert!(fault.to_string().starts_with("c.cedar:"), "{fault}");
    assert!(fault.message.contains("`a.cedar`"));
}

#[test]
fn the_faults_of_all_files_are_told_together() {
    let files = [("a.cedar", "permit (principal);"), ("b.cedar", STAFF), ("c.cedar", "nonsense")];
    let faults = set_of(&files, &Limits::default()).unwrap_err();
    let named: BTreeSet<_> = faults.iter().filter_map(|fault| fault.file.as_deref()).collect();
    assert_eq!(named, BTreeSet::from(["a.cedar", "c.cedar"]));
    assert_eq!(set_of(&[], &Limits::default()), Ok(Vec::new()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Law: whatever was in force before, what is published is in force afterwards,
    /// whole and nothing else, under the digest that the event states.
    #[test]
    fn the_set_in_force_is_the_set_published(
        sets in prop::collection::vec(prop::collection::btree_map(0_u8..6, 0_i64..3, 0..5), 1..5),
    ) {
        let mut world = published(World::default(), draft(Some(SCHEMA), None));
        for set in sets {
            let texts: Vec<_> = set.iter().map(|(id, level)| format!(
                "@id(\"p{id}\") permit (principal, action, resource) \
                 when {{ principal.level > {level} }};"
            )).collect();
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            match admitted(&world, draft(None, Some(&texts))) {
                Ok(admission) => {
                    let events = forced(&world, &admission).unwrap();
                    world = after(world, events);
                }
                Err(refusal) => prop_assert_eq!(refusal.code(), "unchanged"),
            }
            let in_force: Vec<_> = world.application.sources().cloned().collect();
            prop_assert_eq!(&in_force, &read(&texts));
            let digest = PolicySource::digest_of_set(&in_force);
            prop_assert_eq!(world.application.in_force().unwrap().digest, digest);
            prop_assert!(world.application.compiled().unwrap().is_ok());
        }
    }
}
