//! From single sources to one of Cedar's policy sets.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::ffi::DetailedError;
use cedar_policy_core::ast::{self, SlotId};

use super::declared::RESERVED;
use super::excerpt::Span;
use super::{CompiledSchema, Fault, Limits, codes, diagnosis, expression, source};
use crate::model::{PolicyBody, PolicyId, PolicySource, SetKind, Uid};

/// What could be parsed, and what is wrong with the rest.
pub(super) struct Parsed {
    pub(super) set: ast::PolicySet,
    pub(super) faults: Vec<Fault>,
}

impl Parsed {
    /// The entities that policies, templates and links name, each once, in order.
    pub(super) fn named_entities(&self, schema: &CompiledSchema) -> Vec<Uid> {
        let uid = |core: &ast::EntityUID| schema.tables().uid(core);
        let mut uids = BTreeSet::new();
        for template in self.set.all_templates() {
            let condition = template.condition();
            uids.extend(expression::entities(&condition).into_iter().filter_map(uid));
        }
        for policy in self.set.policies() {
            uids.extend(policy.env().values().filter_map(uid));
        }
        uids.into_iter().collect()
    }
}

/// Parses every source under its own id and makes the links. To be called on a large
/// stack.
pub(super) fn all(
    sources: &[PolicySource],
    schema: &CompiledSchema,
    kind: SetKind,
    limits: &Limits,
) -> Parsed {
    let mut parsed = Parsed { set: ast::PolicySet::new(), faults: Vec::new() };
    let mut seen = BTreeSet::new();
    for source in sources {
        let added = if seen.insert(&source.id) {
            add(&mut parsed.set, source, kind, limits)
        } else {
            let fault = Fault::new(codes::POLICY_ID_DUPLICATE, "another policy has the same id");
            Err(vec![fault.with_help("give each policy an `@id` of its own")])
        };
        let faults = added.err().into_iter().flatten();
        parsed.faults.extend(faults.map(|fault| fault.about(&source.id)));
    }
    // Links come last: their templates may stand anywhere.
    for source in sources {
        if let Err(fault) = link(&mut parsed.set, source, schema, kind) {
            parsed.faults.push(fault.about(&source.id));
        }
    }
    parsed
}

fn add(
    set: &mut ast::PolicySet,
    source: &PolicySource,
    kind: SetKind,
    limits: &Limits,
) -> Result<(), Vec<Fault>> {
    let text = match &source.body {
        PolicyBody::Static { text } | PolicyBody::Template { text } => text,
        PolicyBody::Link { .. } => return Ok(()),
    };
    let template = source::parse(text, limits)?;
    let condition = template.condition();
    [
        own_id(&template, &source.id, text),
        low(&condition, limits),
        unreserved(&condition, kind, text),
        of_kind(&template, &source.body),
    ]
    .into_iter()
    .collect::<Result<(), Fault>>()
    .map_err(|fault| vec![fault])?;
    let template = template.new_id(ast::PolicyID::from_string(source.id.as_str()));
    match ast::StaticPolicy::try_from(template.clone()) {
        Ok(policy) => set.add_static(policy),
        Err(_) => set.add_template(template),
    }
    .map_err(|error| {
        vec![diagnosis::unplaced(codes::POLICY_ID_DUPLICATE, &DetailedError::from(&error))]
    })
}

/// An `@id`, if there is one, is the name under which the policy is published.
fn own_id(template: &ast::Template, id: &PolicyId, text: &str) -> Result<(), Fault> {
    let written = template.annotations().find(|(key, _)| key.as_ref() == "id");
    let Some((_, written)) = written.filter(|(_, own)| own.as_ref() != id.as_str()) else {
        return Ok(());
    };
    let message = format!("its text says `@id(\"{}\")`", written.as_ref().escape_debug());
    let fault = Fault::new(codes::POLICY_ID_INVALID, message);
    let fault = fault.with_help("publish it under the id that it has, or change its `@id`");
    Err(match &written.loc {
        Some(loc) => fault.at(text, Span::new(loc.start(), loc.end())),
        None => fault,
    })
}

/// Not so high that an evaluation on a worker's stack could give up: an erroring forbid
/// does not forbid.
fn low(condition: &ast::Expr, limits: &Limits) -> Result<(), Fault> {
    let (found, most) = (expression::height(condition), limits.height);
    if found <= most {
        return Ok(());
    }
    let message = format!("{found} operators stand on top of each other; at most {most} may");
    Err(Fault::new(codes::POLICY_NESTING, message).with_help(
        "split the policy into several, or compare with a set: \
         `[\"a\", \"b\"].contains(resource.kind)` instead of a chain of `||`",
    ))
}

fn unreserved(condition: &ast::Expr, kind: SetKind, text: &str) -> Result<(), Fault> {
    if kind == SetKind::System {
        return Ok(());
    }
    let types = expression::types(condition);
    let reserved = |name: &&ast::EntityType| name.to_string().split("::").next() == Some(RESERVED);
    let Some(found) = types.into_iter().find(reserved) else { return Ok(()) };
    let fault = reserved_fault(&found.to_string());
    Err(match super::scan::find_word(text, RESERVED) {
        Some(span) => fault.at(text, span),
        None => fault,
    })
}

fn reserved_fault(name: &str) -> Fault {
    let message = format!("`{name}` belongs to Countersign's own administration");
    let help = "who may administer Countersign is decided by its own policies, not by these";
    Fault::new(codes::RESERVED_NAMESPACE, message).with_help(help)
}

fn of_kind(template: &ast::Template, body: &PolicyBody) -> Result<(), Fault> {
    let slot = template.slots().next();
    match (body, slot) {
        (PolicyBody::Static { .. }, Some(slot)) => {
            let message = format!("a policy has no slots, and this has `{}`", slot.id);
            let help = "publish it as a template, or name an entity instead of the slot";
            Err(Fault::new(codes::POLICY_KIND, message).with_help(help))
        }
        (PolicyBody::Template { .. }, None) => {
            let help = "write `?principal` or `?resource` in its scope, or publish it as a policy";
            Err(Fault::new(codes::POLICY_KIND, "a template has slots, and this has none")
                .with_help(help))
        }
        _ => Ok(()),
    }
}

fn link(
    set: &mut ast::PolicySet,
    source: &PolicySource,
    schema: &CompiledSchema,
    kind: SetKind,
) -> Result<(), Fault> {
    let PolicyBody::Link { template, principal, resource } = &source.body else { return Ok(()) };
    let mut slots = HashMap::new();
    for (slot, uid) in [(SlotId::principal(), principal), (SlotId::resource(), resource)] {
        let Some(uid) = uid else { continue };
        if kind == SetKind::Application && uid.kind().is_reserved() {
            return Err(reserved_fault(&uid.to_string()));
        }
        let core = schema.tables().core_uid(uid).ok_or_else(|| {
            let message = format!("the schema declares no entity type `{}`", uid.kind());
            Fault::new(codes::POLICY_LINK, message)
        })?;
        slots.insert(slot, core);
    }
    let id = |id: &PolicyId| ast::PolicyID::from_string(id.as_str());
    let known = set.get_template(&id(template)).is_some_and(|own| own.slots().next().is_some());
    if !known {
        let message = format!("the set has no template `{template}`");
        return Err(Fault::new(codes::POLICY_LINK, message));
    }
    match set.link(id(template), id(&source.id), slots) {
        Ok(_) => Ok(()),
        Err(error) => Err(diagnosis::unplaced(codes::POLICY_LINK, &DetailedError::from(&error))),
    }
}
