//! `@personal`: what a schema declares to be about a person, to be sealed where it is
//! recorded.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy_core::ast::InternalName;
use cedar_policy_core::est::Annotations;
use cedar_policy_core::validator::json_schema::{
    EntityTypeKind, Fragment, RecordType, Type, TypeVariant,
};

use super::declared::{common_types, fault};
use super::excerpt::Span;
use super::{CompiledSchema, Fault};
use crate::model::{EntityType, Uid};

/// The way to a personal member, from the outside in.
pub(super) type Path = Vec<String>;

/// What is personal, by entity type and by action.
#[derive(Default)]
pub(super) struct Personals {
    entities: BTreeMap<String, Vec<Path>>,
    actions: BTreeMap<(String, String), Vec<Path>>,
}

impl Personals {
    pub(super) fn of_entity(&self, name: &EntityType) -> Vec<Path> {
        self.entities.get(name.as_str()).cloned().unwrap_or_default()
    }

    pub(super) fn of_action(&self, action: &Uid) -> Vec<Path> {
        let key = (action.kind().as_str().to_owned(), action.id().to_owned());
        self.actions.get(&key).cloned().unwrap_or_default()
    }
}

type Record = RecordType<InternalName>;

/// Reads `@personal` from the attributes of entity types and the members of contexts, by
/// way of common types too.
///
/// What is sealed can be erased, and is absent then. So it is the optional member at or
/// above the annotated one, the nearest: what is left without it still has its type. A set
/// is sealed whole.
///
/// # Errors
/// A fault for each `@personal` with a value or in another place, and for each attribute
/// of an entity that could not be absent.
pub(super) fn personals(
    schema: &Fragment<InternalName>,
    text: &str,
    nesting: usize,
) -> Result<Personals, Vec<Fault>> {
    let mut walk = Walk { common: common_types(schema), text, nesting, faults: Vec::new() };
    let mut found = Personals::default();
    for (space, own) in &schema.0 {
        walk.misplaced(&own.annotations);
        own.common_types.values().for_each(|declared| walk.misplaced(&declared.annotations));
        let whole = |name: &dyn std::fmt::Display| match space {
            Some(space) => format!("{space}::{name}"),
            None => name.to_string(),
        };
        for (name, declared) in &own.entity_types {
            walk.misplaced(&declared.annotations);
            let EntityTypeKind::Standard(standard) = &declared.kind else { continue };
            if let Some(tags) = &standard.tags {
                walk.no_tags(name, tags);
            }
            let paths = walk.members(&standard.shape.0, Some(name.as_ref()));
            found.entities.insert(whole(name), paths);
        }
        for (name, declared) in &own.actions {
            walk.misplaced(&declared.annotations);
            let Some(applies) = &declared.applies_to else { continue };
            let paths = walk.members(&applies.context.0, None);
            found.actions.insert((whole(&"Action"), name.to_string()), paths);
        }
    }
    if walk.faults.is_empty() { Ok(found) } else { Err(walk.faults) }
}

/// A walk through the types, common ones written out. Their size has been checked.
struct Walk<'a> {
    common: BTreeMap<String, &'a Type<InternalName>>,
    text: &'a str,
    nesting: usize,
    faults: Vec<Fault>,
}

impl<'a> Walk<'a> {
    /// What is to be sealed of an entity's attributes (`entity` is its name, for messages)
    /// or of a context.
    fn members(&mut self, shape: &'a Type<InternalName>, entity: Option<&str>) -> Vec<Path> {
        let mut found = BTreeSet::new();
        if let Some(record) = self.record(shape) {
            self.within(record, &mut Vec::new(), entity, &mut found);
        }
        let covered = |path: &Path| {
            found.iter().any(|other| other.len() < path.len() && path.starts_with(other))
        };
        found.iter().filter(|path| !covered(path)).cloned().collect()
    }

    /// `way` holds the members from the outside in, each with whether it is required.
    fn within(
        &mut self,
        record: &'a Record,
        way: &mut Vec<(String, bool)>,
        entity: Option<&str>,
        found: &mut BTreeSet<Path>,
    ) {
        // A type within itself is Cedar's to refuse; here it must only end.
        if way.len() >= self.nesting {
            return;
        }
        for (name, member) in &record.attributes {
            way.push((name.to_string(), member.required));
            let annotated = self.annotated(&member.annotations, name);
            if annotated || self.set_of_personal(&member.ty, 0) {
                self.seal(way, entity, found);
            } else if let Some(inner) = self.record(&member.ty) {
                self.within(inner, way, entity, found);
            }
            way.pop();
        }
    }

    fn seal(&mut self, way: &[(String, bool)], entity: Option<&str>, found: &mut BTreeSet<Path>) {
        let optional = way.iter().rposition(|(_, required)| !required);
        let path = |last: usize| way.iter().take(last + 1).map(|(name, _)| name.clone()).collect();
        match (optional, entity) {
            (Some(last), _) => drop(found.insert(path(last))),
            (None, None) => drop(found.insert(path(0))),
            (None, Some(entity)) => {
                let names: Vec<_> = way.iter().map(|(name, _)| name.as_str()).collect();
                let name = names.join(".");
                let message = format!("`@personal` on `{name}` of `{entity}`: it is required");
                let help = format!(
                    "what is personal can be erased, and policies must be ready for that: \
                     write `{}?`",
                    names.last().copied().unwrap_or_default()
                );
                self.faults.push(fault(message, &help, None, self.text));
            }
        }
    }

    /// The record that a type is, by way of common types.
    fn record(&self, declared: &'a Type<InternalName>) -> Option<&'a Record> {
        let mut declared = declared;
        for _ in 0..=self.common.len() {
            match declared {
                Type::Type { ty: TypeVariant::Record(record), .. } => return Some(record),
                Type::CommonTypeRef { type_name, .. }
                | Type::Type { ty: TypeVariant::EntityOrCommon { type_name }, .. } => {
                    declared = self.common.get(&type_name.to_string())?;
                }
                Type::Type { .. } => return None,
            }
        }
        None
    }

    /// True for a set, by way of common types, in which anything is personal.
    fn set_of_personal(&self, declared: &'a Type<InternalName>, depth: usize) -> bool {
        match declared {
            Type::Type { ty: TypeVariant::Set { element }, .. } => self.holds(element, depth),
            Type::CommonTypeRef { type_name, .. }
            | Type::Type { ty: TypeVariant::EntityOrCommon { type_name }, .. } => {
                let common = self.common.get(&type_name.to_string());
                depth < self.nesting && common.is_some_and(|it| self.set_of_personal(it, depth + 1))
            }
            Type::Type { .. } => false,
        }
    }

    /// True if anything in a type is personal.
    fn holds(&self, declared: &'a Type<InternalName>, depth: usize) -> bool {
        if depth >= self.nesting {
            return false;
        }
        if let Some(record) = self.record(declared) {
            return record.attributes.values().any(|member| {
                personal(&member.annotations).is_some() || self.holds(&member.ty, depth + 1)
            });
        }
        self.set_of_personal(declared, depth + 1)
    }

    fn no_tags(&mut self, entity: &dyn std::fmt::Display, tags: &'a Type<InternalName>) {
        if self.holds(tags, 0) {
            let message = format!("tags of `{entity}` hold something `@personal`");
            let help = "make it an attribute: tags are not sealed";
            self.faults.push(fault(message, help, None, self.text));
        }
    }

    fn annotated(&mut self, annotations: &Annotations, name: &str) -> bool {
        let Some((value, place)) = personal(annotations) else { return false };
        if !value.is_empty() {
            let message = format!("`@personal` on `{name}` takes no value");
            self.faults.push(fault(message, "write `@personal` alone", place, self.text));
        }
        true
    }

    fn misplaced(&mut self, annotations: &Annotations) {
        if let Some((_, place)) = personal(annotations) {
            let help = "write it on an attribute of an entity type or on a member of a context";
            let message = "`@personal` has no effect here".to_owned();
            self.faults.push(fault(message, help, place, self.text));
        }
    }
}

fn personal(annotations: &Annotations) -> Option<(&str, Option<Span>)> {
    let (_, found) = annotations.0.iter().find(|(key, _)| key.as_ref() == "personal")?;
    let Some(found) = found else { return Some(("", None)) };
    let place = found.loc.as_ref().map(|loc| Span::new(loc.start(), loc.end()));
    Some((found.as_ref(), place))
}

impl CompiledSchema {
    /// What is personal of an entity of this type, as paths from the attribute inwards.
    #[must_use]
    pub fn personal_attributes(&self, kind: &EntityType) -> &[Vec<String>] {
        self.tables().entities.get(kind).map_or(&[], |table| &table.personal)
    }

    /// What is personal of this action's context, as paths from the member inwards.
    #[must_use]
    pub fn personal_context(&self, action: &Uid) -> &[Vec<String>] {
        self.tables().actions.get(action).map_or(&[], |table| &table.personal)
    }

    /// The attributes and members of contexts in which anything is personal, whosever
    /// they are.
    #[must_use]
    pub fn personal_names(&self) -> BTreeSet<&str> {
        let tables = self.tables();
        let entities = tables.entities.values().flat_map(|table| &table.personal);
        let actions = tables.actions.values().flat_map(|table| &table.personal);
        entities.chain(actions).filter_map(|path| path.first().map(String::as_str)).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::cedar::codes;
    use crate::cedar::example::{compiled, shown, uid};
    use crate::model::EntityType;

    fn paths(of: &str) -> Vec<String> {
        let text = format!(
            "type Street = {{ @personal line: String, country: String }}; \
             type Streets = Set<Street>; entity Role; \
             entity A in [Role] = {{ {of} }}; \
             action a appliesTo {{ principal: A, resource: Role, context: {{ {of} }} }};"
        );
        let schema = compiled(&text).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        let shown = |paths: &[Vec<String>]| paths.iter().map(|it| it.join(".")).collect::<Vec<_>>();
        let own = shown(schema.personal_attributes(&EntityType::new("A").unwrap()));
        assert_eq!(shown(schema.personal_context(&uid("Action", "a"))), own);
        own
    }

    #[test]
    fn what_is_annotated_is_found_wherever_it_is_declared() {
        assert_eq!(paths("@personal email?: String, level: Long"), ["email"]);
        assert_eq!(paths("home: { @personal line?: String, no: Long }"), ["home.line"]);
        assert_eq!(paths("@personal home?: { @personal line?: String }"), ["home"]);
        assert_eq!(paths("level: Long"), [""; 0]);
    }

    /// Goal: what is left after an erasure still has the type that the schema declares.
    #[test]
    fn the_nearest_member_that_may_be_absent_is_sealed() {
        assert_eq!(paths("home?: Street"), ["home"]);
        assert_eq!(paths("homes?: Streets, x?: { homes: Set<Street> }"), ["homes", "x"]);
        let required =
            "entity A { @doc(\"x\") @personal email: String, home: { @personal b: Long } };";
        let faults = compiled(required).unwrap_err();
        assert_eq!(faults.len(), 2, "{}", shown(&faults));
        assert!(faults.iter().all(|fault| fault.code == codes::SCHEMA_ANNOTATION));
        assert!(faults.iter().any(|fault| fault.to_string().contains("write `email?`")));
    }

    #[test]
    fn a_required_member_of_a_context_may_be_personal() {
        let text = "entity A; action a appliesTo { principal: A, resource: A, \
                    context: { @personal from: ipaddr } };";
        let schema = compiled(text).unwrap();
        assert_eq!(schema.personal_context(&uid("Action", "a")), [["from"]]);
        assert_eq!(schema.personal_names().into_iter().collect::<Vec<_>>(), ["from"]);
    }

    #[test]
    fn personal_stands_where_it_has_an_effect() {
        for text in [
            "@personal entity A;",
            "entity A; @personal action a;",
            "@personal namespace N { entity A; }",
            "@personal type B = { c: Long }; entity A { b: B };",
            "entity A { @personal(\"email\") b?: Long };",
            "type T = { @personal c?: Long }; entity A tags T;",
        ] {
            let faults = compiled(text).unwrap_err();
            assert_eq!(faults[0].code, codes::SCHEMA_ANNOTATION, "{text}");
        }
    }

    #[test]
    fn names_in_namespaces_are_found() {
        let text = "namespace Shop { entity User { @personal email?: String }; \
                    action buy appliesTo { principal: User, resource: User, \
                    context: { @personal phone?: String } }; }";
        let schema = compiled(text).unwrap();
        assert_eq!(
            schema.personal_attributes(&EntityType::new("Shop::User").unwrap()),
            [["email"]]
        );
        assert_eq!(schema.personal_context(&uid("Shop::Action", "buy")), [["phone"]]);
    }
}
