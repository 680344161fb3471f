//! What a caller said, was not recorded, and would bear on another decision.

use std::sync::Arc;

use super::Ask;
use super::decide::{ACTION_PROPERTIES, Names, OURS, named};
use crate::cedar::CompiledSchema;
use crate::event::{AccessDecided, Note};
use crate::model::Uid;
use crate::projection::World;

/// True if a recorded decision, taken in another World than its own, may come out otherwise
/// for want of something that its caller said: a decision records only what its schema and
/// its directory let count. `then` is the World that it was taken in, `supposed` the one
/// with another schema or directory. A handful of look-ups; in doubt true.
#[must_use]
pub fn rests_on_unrecorded(then: &World, supposed: &World, recorded: &AccessDecided) -> bool {
    let left_out = !recorded.pruned.is_empty() || recorded.omitted > 0;
    let Some(Ok(draft)) = supposed.set(recorded.set).compiled() else { return false };
    let names = named(supposed, &Ask::recorded(recorded));
    let (true, Ok(names)) = (left_out, names) else { return false };
    if draft.schema.fits(&names.subject, &names.action, &names.resource).is_err() {
        // It is denied before anything that was said is looked at.
        return false;
    }
    let before = then.set(recorded.set).compiled().and_then(Result::ok);
    let before = before.map(|it| &it.schema).filter(|_| !is_stripped(recorded.note));
    let same_schema = before.is_some_and(|it| it.digest() == draft.schema.digest());
    let touched = |uid: &Uid| is_touched(then, supposed, uid);
    if same_schema && !touched(&names.subject) && !touched(&names.resource) {
        return false;
    }
    let heard = Heard { schema: &draft.schema, before, names: &names, touched };
    // Of a list that was cut nobody knows the rest.
    recorded.omitted > 0 || recorded.pruned.iter().any(|path| heard.counts(path))
}

/// True if a decision was taken before anything said was looked at.
const fn is_stripped(note: Option<Note>) -> bool {
    matches!(
        note,
        Some(
            Note::NoPolicies
                | Note::UnknownType
                | Note::UnknownAction
                | Note::DoesNotApply
                | Note::Reserved
        )
    )
}

/// True if the directory has an entity that it did not have, or has it otherwise.
fn is_touched(then: &World, supposed: &World, uid: &Uid) -> bool {
    match (then.directory.get(uid), supposed.directory.get(uid)) {
        (None, None) => false,
        (Some(one), Some(other)) => !Arc::ptr_eq(&one.document, &other.document),
        _ => true,
    }
}

struct Heard<'a, T> {
    schema: &'a CompiledSchema,
    before: Option<&'a CompiledSchema>,
    names: &'a Names,
    touched: T,
}

impl<T: Fn(&Uid) -> bool> Heard<'_, T> {
    /// True if what was left out at this path may count now.
    fn counts(&self, path: &str) -> bool {
        let Names { subject, resource, .. } = self.names;
        if let Some(name) = path.strip_prefix("subject.properties.") {
            return ways(name).any(|name| self.of_entity(subject, name));
        }
        if let Some(name) = path.strip_prefix("resource.properties.") {
            return ways(name).any(|name| self.of_entity(resource, name));
        }
        match path.strip_prefix("context.") {
            Some(ours) if OURS.contains(&ours) => false,
            Some(name) => ways(name).any(|name| self.in_context(name)),
            // The action's properties, as a whole or one by one.
            None => self.in_context(ACTION_PROPERTIES),
        }
    }

    fn in_context(&self, name: &str) -> bool {
        self.schema.hears_more_context(self.before, &self.names.action, name)
    }

    fn of_entity(&self, uid: &Uid, name: &str) -> bool {
        let before = self.before.filter(|_| !(self.touched)(uid));
        self.schema.hears_more_attribute(before, uid.kind(), name)
    }
}

/// The outermost name of a path, in all ways to read it: a name may have points in it.
fn ways(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
    ends.filter_map(|end| path.get(..end))
}
