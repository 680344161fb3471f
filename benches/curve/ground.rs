//! Worlds, made as a node makes them: admitted by `pap` and `pip`, put in force, folded.
//! Only the bytes in between are left out; no store holds them.

use countersign::cedar::Limits;
use countersign::event::{Actor, Envelope, Event, LogCreated, Whence};
use countersign::model::{Index, Label, Moment, PolicySource, SetKind, Version};
use countersign::pap::{self, Draft};
use countersign::pip;
use countersign::projection::{Change, Compiled, World};
use uuid::Uuid;

use crate::workload::{Organisation, Workload};

/// The most changes that are admitted together.
const CHANGES_MAX: usize = 100_000;

/// A World with a workload's schema and no policies.
pub fn founded(workload: &Workload) -> World {
    let mut world = World::default();
    record(&mut world, vec![Event::LogCreated(LogCreated { log: Uuid::from_u128(1) })]);
    let draft = Draft {
        set: SetKind::Application,
        schema: Some(workload.schema.to_owned()),
        policies: None,
        message: Label::default(),
    };
    let admitted = admitted(&world, draft);
    put_in_force(&mut world, &admitted);
    world
}

/// Admits a set of policies; it can be put in force in each World with the same schema.
pub fn admit_policies(world: &World, policies: Vec<PolicySource>) -> pap::Admission {
    let (set, message) = (SetKind::Application, Label::default());
    admitted(world, Draft { set, schema: None, policies: Some(policies), message })
}

fn admitted(world: &World, draft: Draft) -> pap::Admission {
    pap::admit(world, draft, &Limits::default()).unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

pub fn put_in_force(world: &mut World, admission: &pap::Admission) {
    let publication = Uuid::from_u128(3);
    record(world, pap::put_in_force(world, admission, publication, None).unwrap());
}

/// The World after every entity of an organisation has been put into its directory.
pub fn peopled(world: &World, organisation: &Organisation) -> World {
    let mut world = world.clone();
    let mut documents = organisation.documents().peekable();
    while documents.peek().is_some() {
        let changes = documents.by_ref().take(CHANGES_MAX).map(Change::Put).collect();
        world = changed(&world, changes);
    }
    assert_eq!(world.directory.len(), organisation.size);
    world
}

/// The World after some changes of its directory, admitted and put in force.
pub fn changed(world: &World, changes: Vec<Change>) -> World {
    let mut after = world.clone();
    record(&mut after, events(world, changes));
    after
}

/// The events that put changes of the directory in force.
pub fn events(world: &World, changes: Vec<Change>) -> Vec<Event> {
    let admission = pip::admit(world, changes, CHANGES_MAX).unwrap();
    let publication = Uuid::from_u128(5);
    pip::put_in_force(world, &admission, publication, Label::default(), None).unwrap()
}

/// Folds events as a node would find them in its log.
pub fn record(world: &mut World, events: Vec<Event>) {
    for event in events {
        let entry = placed(world, event);
        world.advance(&entry);
    }
}

/// An event in its place.
pub fn placed(world: &World, event: Event) -> Envelope {
    let index = world.through.map_or(Index(0), Index::next);
    let id = Uuid::from_u128(u128::from(index.0));
    Envelope {
        id,
        time: Moment::EPOCH,
        index,
        stream: event.stream(),
        version: Version(index.0 + 1),
        causation: id,
        log: Uuid::from_u128(1),
        actor: Actor::Node,
        correlation: None,
        whence: Whence::default(),
        event,
    }
}

/// What the World decides by.
pub fn compiled(world: &World) -> &Compiled {
    world.application.compiled().unwrap().unwrap()
}
