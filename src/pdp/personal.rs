//! What is personal of a request leaves it before it is recorded; and what of that, and of
//! the directory, can no longer be seen when a decision is taken again.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::ACTION_PROPERTIES;
use crate::cedar::{CompiledPolicies, CompiledSchema, Missing, Question};
use crate::event::AccessDecided;
use crate::model::{AccessRequest, EntityAsked, EntityDocument, KeyId, Personal, Pointer, Uid};
use crate::projection::Erasures;

/// Takes what the schema declares personal out of a request. The resource's own properties
/// are the resource's; all else that is said is about the subject.
pub(super) fn separate(
    schema: &CompiledSchema,
    [subject, action, resource]: [&Uid; 3],
    request: &mut AccessRequest,
) -> Vec<Personal> {
    let of_entity = |place: &'static str, uid: &Uid, asked: &EntityAsked| {
        // Mostly nothing is said.
        let paths = (!asked.properties.is_empty()).then(|| schema.personal_attributes(uid.kind()));
        let paths = paths.unwrap_or_default().iter();
        paths.map(move |path| pointer(&[place, "properties"], path)).collect::<Vec<_>>()
    };
    let mut own = of_entity("subject", subject, &request.subject);
    for path in schema.personal_context(action) {
        match path.split_first() {
            Some((first, rest)) if first == ACTION_PROPERTIES => {
                own.extend(of_action(rest, request));
            }
            Some((first, _)) if !request.context.contains_key(first) => {}
            _ => own.push(pointer(&["context"], path)),
        }
    }
    let of_resource = of_entity("resource", resource, &request.resource);
    let mut taken = |uid: &Uid, pointers: Vec<Pointer>| {
        let members = pointers.into_iter().filter_map(|at| request.take(&at).map(|it| (at, it)));
        let members: Vec<_> = members.collect();
        (!members.is_empty()).then(|| Personal::fresh(uid.clone(), members))
    };
    [taken(subject, own), taken(resource, of_resource)].into_iter().flatten().collect()
}

/// One property of the action, or each if they are personal as a whole.
fn of_action(path: &[String], request: &AccessRequest) -> Vec<Pointer> {
    let place = ["action", "properties"];
    if !path.is_empty() {
        return vec![pointer(&place, path)];
    }
    let names = request.action.properties.keys();
    names.map(|name| pointer(&place, std::slice::from_ref(name))).collect()
}

fn pointer(place: &[&str], path: &[String]) -> Pointer {
    Pointer::new(place.iter().copied().chain(path.iter().map(String::as_str)))
}

/// What cannot be seen of a recorded request, by its outermost names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    subject: BTreeSet<String>,
    resource: BTreeSet<String>,
    context: BTreeSet<String>,
    by_key: BTreeMap<KeyId, Missing>,
}

impl Gaps {
    /// The gaps of a recorded decision: what is personal in it and is sealed or erased.
    #[must_use]
    pub fn of(decided: &AccessDecided) -> Self {
        let mut gaps = Self::default();
        for one in &decided.personal {
            let Some(key) = one.closed() else { continue };
            let missing = gaps.by_key.entry(key).or_default();
            for at in &one.paths {
                let (own, name) = match at.names().as_slice() {
                    ["subject", "properties", name, ..] => (&mut gaps.subject, *name),
                    ["resource", "properties", name, ..] => (&mut gaps.resource, *name),
                    ["action", "properties", ..] => (&mut gaps.context, ACTION_PROPERTIES),
                    ["context", name, ..] => (&mut gaps.context, *name),
                    _ => continue,
                };
                own.insert(name.to_owned());
                let of_context =
                    at.names().first().is_some_and(|it| ["context", "action"].contains(it));
                let all = if of_context { &mut missing.context } else { &mut missing.attributes };
                all.insert(name.to_owned());
            }
        }
        gaps
    }

    /// True if everything can be seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// What of a request and of its believed paths can be compared with another time:
    /// nothing in which there is a gap.
    #[must_use]
    pub fn comparable(&self, decided: &AccessDecided) -> (AccessRequest, Vec<String>) {
        let mut request = decided.request.clone();
        let unseen = |names: &BTreeSet<String>, name: &str| names.contains(name);
        request.subject.properties.retain(|name, _| !unseen(&self.subject, name));
        request.resource.properties.retain(|name, _| !unseen(&self.resource, name));
        request.context.retain(|name, _| !unseen(&self.context, name));
        if self.context.contains(ACTION_PROPERTIES) {
            request.action.properties.clear();
        }
        let gap = |path: &String| {
            let of = |place: &str, names: &BTreeSet<String>| {
                let name = path.strip_prefix(place);
                name.is_some_and(|name| names.contains(name))
            };
            of("subject.properties.", &self.subject) || of("resource.properties.", &self.resource)
        };
        let believed = decided.believed.iter().filter(|path| !gap(path)).cloned().collect();
        (request, believed)
    }

    /// True if a missing member of the context, by its path, is one of the gaps.
    pub(super) fn explains(&self, path: &str) -> bool {
        let within = |name: &String| {
            let rest = path.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.context.iter().any(within)
    }

    /// The keys of what cannot be seen, by outermost name; `met` is what cannot be seen of
    /// the entities looked at.
    pub(super) fn unseen(&self, met: &Met) -> BTreeMap<String, BTreeSet<KeyId>> {
        let asked = self.by_key.iter().map(|(key, missing)| (*key, missing));
        let named = asked.flat_map(|(key, Missing { attributes, context })| {
            attributes.iter().chain(context).map(move |name| (name.clone(), key))
        });
        let of_entities = met.attributes.iter();
        let of_entities =
            of_entities.flat_map(|(key, names)| names.iter().map(|name| (name.clone(), *key)));
        let mut unseen: BTreeMap<String, BTreeSet<KeyId>> = BTreeMap::new();
        for (name, key) in named.chain(of_entities) {
            unseen.entry(name).or_default().insert(key);
        }
        unseen
    }

    /// The keys without which nobody can say whether the question's answer would be the
    /// same; `met` is what cannot be seen of the entities looked at.
    pub(super) fn rested_on(
        &self,
        met: &Met,
        policies: &CompiledPolicies,
        question: &Question,
    ) -> BTreeSet<KeyId> {
        let mut by_key = self.by_key.clone();
        for (key, names) in &met.attributes {
            by_key.entry(*key).or_default().attributes.extend(names.iter().cloned());
        }
        let read = by_key.iter().filter(|(_, missing)| policies.may_read(question, missing));
        read.map(|(key, _)| *key).chain(met.unfit.iter().copied()).collect()
    }
}

/// What cannot be seen of the directory's entities that a decision came across.
#[derive(Debug, Default)]
pub(super) struct Met {
    attributes: BTreeMap<KeyId, BTreeSet<String>>,
    /// Entities that do not fit the schema without it.
    unfit: BTreeSet<KeyId>,
}

impl Met {
    /// Notes what is closed of an entity; `fits` says whether it has a type without it.
    /// What had been erased by then was closed for everybody, and hides nothing.
    pub(super) fn entity(&mut self, document: &EntityDocument, fits: bool, erased: &Erasures) {
        for one in &document.personal {
            let Some(key) = one.closed().filter(|key| !erased.contains(key)) else { continue };
            let names = one.paths.iter().filter_map(|at| match at.names().as_slice() {
                ["attrs", name, ..] => Some((*name).to_owned()),
                _ => None,
            });
            self.attributes.entry(key).or_default().extend(names);
            if !fits {
                self.unfit.insert(key);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }
}
