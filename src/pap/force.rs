//! The cheap half: from an admission to the events that put it in force.

use uuid::Uuid;

use super::admission::{Base, NewSet};
use super::{Admission, Part, Refusal};
use crate::event::{
    Event, PoliciesActivated, PolicySubmitted, PolicyWithdrawn, SchemaActivated, SchemaSubmitted,
    VersionRef,
};
use crate::model::{Digest, SetKind, Version};
use crate::projection::World;

/// The most bytes of one piece of a schema, as it is written in JSON.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// The events that put an admission in force; they belong in one batch, in this order.
/// `publication` is a fresh id. `expected` is the version the author had read: of the
/// policies if the draft had any, else of the schema; 0 for "none yet".
///
/// Costs what changes; nothing is compiled.
///
/// # Errors
/// [`Refusal::ApprovalRequired`] where four eyes are asked for: draft it instead.
/// [`Refusal::VersionConflict`] if the author had read another version;
/// [`Refusal::Conflict`] if what the draft was admitted against has changed: admit it
/// again.
pub fn put_in_force(
    world: &World,
    admission: &Admission,
    publication: Uuid,
    expected: Option<Version>,
) -> Result<Vec<Event>, Refusal> {
    if admission.set == SetKind::Application && wants_approval(world) {
        return Err(Refusal::ApprovalRequired("a version".to_owned()));
    }
    let now = Base::of(world, admission.set, admission.schema.is_some());
    as_expected(&now, admission.versioned, expected)?;
    as_admitted(&now, &admission.base)?;
    let mut events = Vec::new();
    if let Some(text) = &admission.schema {
        schema_events(&mut events, admission, text, publication, next(now.schema));
    }
    if let Some(new) = &admission.policies {
        policy_events(&mut events, admission, new, publication, next(now.policies));
    }
    Ok(events)
}

fn as_expected(now: &Base, part: Part, expected: Option<Version>) -> Result<(), Refusal> {
    let in_force = if part == Part::Policies { now.policies } else { now.schema };
    let found = version(in_force);
    match expected {
        Some(expected) if expected != found => {
            Err(Refusal::VersionConflict { part, expected, found })
        }
        _ => Ok(()),
    }
}

pub(super) fn as_admitted(now: &Base, base: &Base) -> Result<(), Refusal> {
    let moved = [
        (Part::Schema, now.schema != base.schema),
        (Part::Policies, now.policies != base.policies),
        (Part::Directory, now.directory != base.directory),
    ];
    match moved.into_iter().find(|(_, moved)| *moved) {
        Some((part, _)) => Err(Refusal::Conflict { part }),
        None => Ok(()),
    }
}

pub(super) fn version(in_force: Option<VersionRef>) -> Version {
    in_force.map(|it| it.version).unwrap_or_default()
}

fn next(in_force: Option<VersionRef>) -> Version {
    version(in_force).next()
}

fn schema_events(
    events: &mut Vec<Event>,
    admission: &Admission,
    text: &str,
    publication: Uuid,
    version: Version,
) {
    let (set, message) = (admission.set, admission.message.clone());
    schema_parts(events, set, text, publication);
    let digest = Digest::of(text);
    let activated = SchemaActivated { publication, set, version, digest, message };
    events.push(Event::SchemaActivated(activated));
}

fn policy_events(
    events: &mut Vec<Event>,
    admission: &Admission,
    new: &NewSet,
    publication: Uuid,
    version: Version,
) {
    let (set, message) = (admission.set, admission.message.clone());
    parts_of(events, set, new, publication);
    let (count, digest) = (new.count, new.digest);
    let activated = PoliciesActivated { publication, set, version, count, digest, message };
    events.push(Event::PoliciesActivated(activated));
}

/// Whether what comes in force must have been approved. The first set of all need not: until
/// then every decision is a denial, and there is nobody yet who could have looked.
pub(super) fn wants_approval(world: &World) -> bool {
    world.settings.policies.four_eyes && world.versions.in_force().is_some()
}

/// The pieces of a new schema.
pub(super) fn schema_parts(events: &mut Vec<Event>, set: SetKind, text: &str, publication: Uuid) {
    events.extend(pieces(text).into_iter().map(|piece| {
        Event::SchemaSubmitted(SchemaSubmitted { publication, set, text: piece.to_owned() })
    }));
}

/// The policies by which a new set differs from the one in force.
pub(super) fn parts_of(events: &mut Vec<Event>, set: SetKind, new: &NewSet, publication: Uuid) {
    let submitted = new.added.iter().chain(&new.changed).cloned();
    events.extend(
        submitted
            .map(|policy| Event::PolicySubmitted(PolicySubmitted { publication, set, policy })),
    );
    events.extend(
        new.withdrawn
            .iter()
            .cloned()
            .map(|policy| Event::PolicyWithdrawn(PolicyWithdrawn { publication, set, policy })),
    );
}

/// A text in pieces that each fit an event, however much JSON's escapes add.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, character) in text.char_indices() {
        let more = written_bytes(character);
        if bytes + more > PIECE_BYTES_MAX {
            pieces.extend(text.get(start..at));
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    pieces.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    pieces
}

/// How many bytes a character takes within a JSON string (RFC 8259 §7).
const fn written_bytes(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}
