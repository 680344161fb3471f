//! The ground on which somebody moves, as a schema's annotations describe it: `@segment`,
//! `@pivot("…")` and `@crown_jewel`.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy_core::ast::InternalName;
use cedar_policy_core::est::Annotations;
use cedar_policy_core::validator::ValidatorSchema;
use cedar_policy_core::validator::json_schema::{EntityTypeKind, Fragment, Type, TypeVariant};

use super::declared::fault;
use super::excerpt::Span;
use super::types::{Kind, Tables};
use super::{CompiledSchema, Fault};
use crate::model::{EntityDocument, EntityType, Uid};

const SEGMENT: &str = "segment";
const PIVOT: &str = "pivot";
const CROWN_JEWEL: &str = "crown_jewel";

/// What is said of segments, of ways on, and of what is most precious.
#[derive(Debug, Default)]
pub(super) struct Terrain {
    segments: BTreeSet<EntityType>,
    /// The types whose entities can be in a segment, segments left out.
    inhabitants: BTreeSet<EntityType>,
    pivots: BTreeMap<Uid, String>,
    jewels: BTreeSet<EntityType>,
    jewel_flags: BTreeMap<EntityType, BTreeSet<String>>,
}

/// Where an annotation stands.
#[derive(Clone, Debug)]
enum Place {
    EntityType(String),
    Attribute(String, String),
    Action(String, String),
    Elsewhere,
}

impl Terrain {
    /// Reads the three annotations and holds them against what the schema declares.
    ///
    /// # Errors
    /// A fault for each that stands where it has no effect, has a value that it must not
    /// have, or names an attribute that leads nowhere.
    pub(super) fn read(
        fragment: &Fragment<InternalName>,
        schema: &ValidatorSchema,
        tables: &Tables,
        text: &str,
    ) -> Result<Self, Vec<Fault>> {
        let mut reading = Reading { tables, text, found: Self::default(), faults: Vec::new() };
        places(fragment, &mut |annotations, place| reading.take(annotations, &place));
        let Reading { mut found, faults, .. } = reading;
        for declared in schema.entity_types() {
            let is_segment = |kind: &EntityType| kind.as_str() == declared.name().to_string();
            if found.segments.iter().any(is_segment) {
                let inside = declared.descendants.iter();
                let inside = inside.filter_map(|kind| EntityType::new(&kind.to_string()).ok());
                found.inhabitants.extend(inside);
            }
        }
        found.inhabitants.retain(|kind| !found.segments.contains(kind));
        if faults.is_empty() { Ok(found) } else { Err(faults) }
    }
}

/// A reading on its way through a schema.
struct Reading<'a> {
    tables: &'a Tables,
    text: &'a str,
    found: Terrain,
    faults: Vec<Fault>,
}

impl Reading<'_> {
    fn take(&mut self, annotations: &Annotations, place: &Place) {
        if let Some((value, at)) = annotated(annotations, SEGMENT) {
            self.valueless(SEGMENT, value, at);
            match place {
                Place::EntityType(kind) => self.found.segments.extend(EntityType::new(kind)),
                _ => self.misplaced(SEGMENT, "the entity type whose entities are segments", at),
            }
        }
        if let Some((value, at)) = annotated(annotations, CROWN_JEWEL) {
            self.valueless(CROWN_JEWEL, value, at);
            self.jewel(place, at);
        }
        if let Some((value, at)) = annotated(annotations, PIVOT) {
            match place {
                Place::Action(kind, id) => self.pivot(kind, id, value, at),
                _ => self.misplaced(PIVOT, "an action, with the name of an attribute", at),
            }
        }
    }

    fn jewel(&mut self, place: &Place, at: Option<Span>) {
        match place {
            Place::EntityType(kind) => self.found.jewels.extend(EntityType::new(kind)),
            Place::Attribute(kind, name) => {
                let Ok(kind) = EntityType::new(kind) else { return };
                if matches!(self.attribute(&kind, name), Some(Kind::Bool)) {
                    let flags = self.found.jewel_flags.entry(kind).or_default();
                    flags.insert(name.clone());
                } else {
                    let message = format!("`@crown_jewel` on `{name}`: it is not a `Bool`");
                    let help = "it marks the entities of which the attribute is true; to mark \
                                every entity of a type, write it on the type";
                    self.wrong(message, help, at);
                }
            }
            Place::Action(..) | Place::Elsewhere => {
                self.misplaced(CROWN_JEWEL, "a `Bool` attribute of an entity type, or a type", at);
            }
        }
    }

    fn pivot(&mut self, kind: &str, id: &str, attribute: &str, at: Option<Span>) {
        let Ok(action) = Uid::parse(kind, id) else { return };
        let Some(table) = self.tables.actions.get(&action) else { return };
        if attribute.is_empty() {
            let message = format!("`@pivot` on `{id}` names no attribute");
            let help = "write `@pivot(\"runs_on\")`, with the attribute of the resource that \
                        holds as whom one may go on";
            return self.wrong(message, help, at);
        }
        let resources = table.resources.iter();
        let there: Vec<_> =
            resources.filter_map(|kind| Some((kind, self.attribute(kind, attribute)?))).collect();
        if there.is_empty() {
            let message = format!(
                "`@pivot(\"{attribute}\")` on `{id}`: no resource of it has that attribute"
            );
            let help = "name an attribute of the resource that holds an entity";
            return self.wrong(message, help, at);
        }
        let acts = |kind: &EntityType| {
            self.tables.actions.values().any(|action| action.principals.contains(kind))
        };
        let wrong = there.iter().find_map(|(kind, found)| match found {
            Kind::Entity(reference) if acts(&reference.name) => None,
            Kind::Entity(reference) => {
                let name = &reference.name;
                Some(format!("`{attribute}` of `{kind}` holds a `{name}`, which no action is for"))
            }
            _ => Some(format!("`{attribute}` of `{kind}` does not hold an entity")),
        });
        if let Some(wrong) = wrong {
            let help = "name an attribute that holds an entity which can act in its turn";
            return self.wrong(format!("`@pivot(\"{attribute}\")` on `{id}`: {wrong}"), help, at);
        }
        self.found.pivots.insert(action, attribute.to_owned());
    }

    fn attribute(&self, kind: &EntityType, name: &str) -> Option<&Kind> {
        let table = self.tables.entities.get(kind)?;
        table.attributes.members.get(name).map(|member| &member.kind)
    }

    fn valueless(&mut self, name: &str, value: &str, at: Option<Span>) {
        if !value.is_empty() {
            let help = format!("write `@{name}` alone");
            self.wrong(format!("`@{name}` takes no value"), &help, at);
        }
    }

    fn misplaced(&mut self, name: &str, where_to: &str, at: Option<Span>) {
        let help = format!("write it on {where_to}");
        self.wrong(format!("`@{name}` has no effect here"), &help, at);
    }

    fn wrong(&mut self, message: String, help: &str, at: Option<Span>) {
        self.faults.push(fault(message, help, at, self.text));
    }
}

fn annotated<'a>(annotations: &'a Annotations, name: &str) -> Option<(&'a str, Option<Span>)> {
    let (_, found) = annotations.0.iter().find(|(key, _)| key.as_ref() == name)?;
    let Some(found) = found else { return Some(("", None)) };
    let at = found.loc.as_ref().map(|loc| Span::new(loc.start(), loc.end()));
    Some((found.as_ref(), at))
}

/// Every place of a schema at which an annotation can stand.
fn places(fragment: &Fragment<InternalName>, see: &mut impl FnMut(&Annotations, Place)) {
    for (space, own) in &fragment.0 {
        see(&own.annotations, Place::Elsewhere);
        let whole = |name: &dyn std::fmt::Display| match space {
            Some(space) => format!("{space}::{name}"),
            None => name.to_string(),
        };
        for declared in own.common_types.values() {
            see(&declared.annotations, Place::Elsewhere);
            within(&declared.ty, see);
        }
        for (id, declared) in &own.actions {
            see(&declared.annotations, Place::Action(whole(&"Action"), id.to_string()));
            let context = declared.applies_to.as_ref().map(|applies| &applies.context.0);
            context.into_iter().for_each(|ty| within(ty, see));
        }
        for (name, declared) in &own.entity_types {
            let name = whole(name);
            see(&declared.annotations, Place::EntityType(name.clone()));
            let EntityTypeKind::Standard(standard) = &declared.kind else { continue };
            standard.tags.iter().for_each(|ty| within(ty, see));
            let Type::Type { ty: TypeVariant::Record(record), .. } = &standard.shape.0 else {
                within(&standard.shape.0, see);
                continue;
            };
            for (attribute, member) in &record.attributes {
                let place = Place::Attribute(name.clone(), attribute.to_string());
                see(&member.annotations, place);
                within(&member.ty, see);
            }
        }
    }
}

/// The places inside a type, common ones not written out.
fn within(declared: &Type<InternalName>, see: &mut impl FnMut(&Annotations, Place)) {
    match declared {
        Type::Type { ty: TypeVariant::Set { element }, .. } => within(element, see),
        Type::Type { ty: TypeVariant::Record(record), .. } => {
            for member in record.attributes.values() {
                see(&member.annotations, Place::Elsewhere);
                within(&member.ty, see);
            }
        }
        Type::Type { .. } | Type::CommonTypeRef { .. } => {}
    }
}

impl CompiledSchema {
    /// The entity types whose entities are segments: `@segment`.
    #[must_use]
    pub fn segment_types(&self) -> &BTreeSet<EntityType> {
        &self.terrain().segments
    }

    /// The entity types whose entities can be in a segment; segments left out.
    #[must_use]
    pub fn types_in_segments(&self) -> &BTreeSet<EntityType> {
        &self.terrain().inhabitants
    }

    /// The actions by which one moves on, each with the attribute of the resource that
    /// says as whom: `@pivot("…")`.
    #[must_use]
    pub fn pivots(&self) -> &BTreeMap<Uid, String> {
        &self.terrain().pivots
    }

    /// True of what is declared to be most precious: an entity of a type annotated
    /// `@crown_jewel`, or one of which a Bool attribute so annotated is true.
    #[must_use]
    pub fn is_crown_jewel(&self, entity: &EntityDocument) -> bool {
        let (terrain, kind) = (self.terrain(), entity.uid.kind());
        let is_true = |name: &String| {
            entity.attrs.get(name).is_some_and(|value| value.as_bool() == Some(true))
        };
        let flags = terrain.jewel_flags.get(kind);
        terrain.jewels.contains(kind) || flags.is_some_and(|all| all.iter().any(is_true))
    }

    /// The entity types that may ask for an action.
    #[must_use]
    pub fn principals_of(&self, action: &Uid) -> Option<&BTreeSet<EntityType>> {
        self.tables().actions.get(action).map(|table| &table.principals)
    }

    /// The entity types to which an action may be done.
    #[must_use]
    pub fn resources_of(&self, action: &Uid) -> Option<&BTreeSet<EntityType>> {
        self.tables().actions.get(action).map(|table| &table.resources)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cedar::codes;
    use crate::cedar::example::{compiled, shown, uid};
    use crate::model::{EntityDocument, EntityType};

    const GROUND: &str = "@segment entity Segment in [Segment]; entity Program in [Segment]; \
        entity Service in [Segment] = { runs_on?: Program, @crown_jewel dear?: Bool }; \
        @crown_jewel entity Key; entity Person; \
        @pivot(\"runs_on\") action connect appliesTo { \
            principal: [Program, Person], resource: [Service, Key] }; \
        action look appliesTo { principal: Person, resource: Service };";

    fn kinds(names: &[&str]) -> Vec<EntityType> {
        names.iter().map(|name| EntityType::new(name).unwrap()).collect()
    }

    #[test]
    fn the_ground_is_read_from_the_annotations() {
        let schema = compiled(GROUND).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        let all = |found: &std::collections::BTreeSet<EntityType>| {
            found.iter().cloned().collect::<Vec<_>>()
        };
        assert_eq!(all(schema.segment_types()), kinds(&["Segment"]));
        assert_eq!(all(schema.types_in_segments()), kinds(&["Program", "Service"]));
        let pivots: Vec<_> = schema.pivots().iter().collect();
        assert_eq!(pivots, [(&uid("Action", "connect"), &"runs_on".to_owned())]);
        let connect = uid("Action", "connect");
        assert_eq!(all(schema.resources_of(&connect).unwrap()), kinds(&["Key", "Service"]));
        assert_eq!(all(schema.principals_of(&connect).unwrap()), kinds(&["Person", "Program"]));
    }

    #[test]
    fn a_crown_jewel_is_marked_by_its_type_or_by_an_attribute_that_is_true() {
        let schema = compiled(GROUND).unwrap();
        let service = |attrs| {
            let json = json!({"uid": {"type": "Service", "id": "s"}, "attrs": attrs});
            schema.is_crown_jewel(&EntityDocument::from_json(&json).unwrap())
        };
        assert!(service(json!({"dear": true})));
        assert!(!service(json!({"dear": false})) && !service(json!({})));
        assert!(schema.is_crown_jewel(&EntityDocument::bare(uid("Key", "k"))));
    }

    #[test]
    fn names_in_namespaces_are_whole() {
        let text = "namespace Net { @segment entity Zone; entity Host in [Zone] = { on: Host }; \
                    @pivot(\"on\") action reach appliesTo { principal: Host, resource: Host }; }";
        let schema = compiled(text).unwrap();
        assert!(schema.segment_types().iter().eq(&kinds(&["Net::Zone"])));
        assert!(schema.types_in_segments().iter().eq(&kinds(&["Net::Host"])));
        assert!(schema.pivots().contains_key(&uid("Net::Action", "reach")));
    }

    #[test]
    fn what_leads_nowhere_is_refused_with_what_would_be_right() {
        let on = |annotation: &str, attribute: &str| {
            format!(
                "entity A = {{ b: {attribute} }}; entity Idle; \
                 {annotation} action go appliesTo {{ principal: A, resource: A }};"
            )
        };
        for (text, says) in [
            (on("@pivot", "A"), "names no attribute"),
            (on("@pivot(\"c\")", "A"), "no resource of it has that attribute"),
            (on("@pivot(\"b\")", "Long"), "`b` of `A` does not hold an entity"),
            (on("@pivot(\"b\")", "Set<A>"), "`b` of `A` does not hold an entity"),
            (on("@pivot(\"b\")", "Idle"), "holds a `Idle`, which no action is for"),
            (on("@segment", "A"), "`@segment` has no effect here"),
            (on("@crown_jewel", "A"), "`@crown_jewel` has no effect here"),
            ("@pivot(\"b\") entity A;".to_owned(), "`@pivot` has no effect here"),
            ("@segment(\"x\") entity A;".to_owned(), "`@segment` takes no value"),
            ("entity A { @segment b: Long };".to_owned(), "`@segment` has no effect here"),
            ("entity A { @crown_jewel b: Long };".to_owned(), "it is not a `Bool`"),
            ("entity A { b: { @crown_jewel c: Bool } };".to_owned(), "has no effect here"),
            ("@crown_jewel namespace N { entity A; }".to_owned(), "has no effect here"),
        ] {
            let faults = compiled(&text).unwrap_err();
            assert_eq!(faults[0].code, codes::SCHEMA_ANNOTATION, "{text}");
            let told = shown(&faults);
            assert!(
                told.contains(says) && told.contains("write") | told.contains("name"),
                "{told}"
            );
        }
    }
}
