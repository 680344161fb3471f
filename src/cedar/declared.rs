//! What is read from a schema's declarations before and beside Cedar's own checks: its
//! size, its namespaces, and `@caller`.

use std::collections::BTreeMap;

use cedar_policy_core::ast::InternalName;
use cedar_policy_core::est::Annotations;
use cedar_policy_core::validator::json_schema::{
    EntityTypeKind, Fragment, NamespaceDefinition, Type, TypeVariant,
};

use super::excerpt::Span;
use super::types::Caller;
use super::{Fault, Limits, codes, scan};
use crate::model::EntityType;

/// The namespace of Countersign's own administration.
pub(super) const RESERVED: &str = "Countersign";

type Declarations = Fragment<InternalName>;

/// The attributes on which callers have a say, by entity type.
#[derive(Default)]
pub(super) struct Callers(BTreeMap<String, BTreeMap<String, Caller>>);

impl Callers {
    pub(super) fn of(&self, name: &EntityType) -> BTreeMap<String, Caller> {
        self.0.get(name.as_str()).cloned().unwrap_or_default()
    }
}

/// Refuses an owner's schema that declares anything in `Countersign::`.
pub(super) fn unreserved<N>(schema: &Fragment<N>, text: &str) -> Result<(), Fault> {
    let names = schema.0.iter().flat_map(|(space, own)| {
        let bare = space.is_none();
        let types = own.entity_types.keys().map(ToString::to_string);
        let space = space.iter().map(ToString::to_string);
        space.chain(types.filter(move |_| bare))
    });
    let reserved = |name: &String| name.split("::").next() == Some(RESERVED);
    if !names.into_iter().any(|name| reserved(&name)) {
        return Ok(());
    }
    let message = format!("`{RESERVED}` is the namespace of Countersign's own administration");
    let fault = Fault::new(codes::RESERVED_NAMESPACE, message).with_help("choose another name");
    Err(match scan::find_word(text, RESERVED) {
        Some(span) => fault.at(text, span),
        None => fault,
    })
}

/// Refuses a schema with more declarations, or with types that become deeper or larger
/// when common types are written out, than the limits. Common types that refer to each
/// other double in size with every line; Cedar walks them written out.
pub(super) fn bounded(schema: &Declarations, limits: &Limits) -> Result<(), Fault> {
    let spaces = schema.0.values();
    let count = |own: &NamespaceDefinition<InternalName>| {
        own.common_types.len() + own.entity_types.len() + own.actions.len()
    };
    let found: usize = spaces.clone().map(count).sum();
    if found > limits.declarations {
        let most = limits.declarations;
        let message = format!("the schema has {found} declarations; at most {most} are read");
        return Err(Fault::new(codes::SCHEMA_TOO_LARGE, message));
    }
    let mut sizes = Sizes::new(schema);
    let mut nodes = 0_usize;
    for (name, declared) in roots(schema) {
        let size = sizes.of(declared);
        nodes = nodes.saturating_add(size.nodes);
        if size.depth > limits.nesting || nodes > limits.type_nodes {
            let message = format!("the types of `{name}` are nested too deeply or are too large");
            let help = format!(
                "with all common types written out, a type may be {} deep and all of them \
                 together {} parts large",
                limits.nesting, limits.type_nodes
            );
            return Err(Fault::new(codes::SCHEMA_TOO_LARGE, message).with_help(help));
        }
    }
    Ok(())
}

/// The types of attributes, tags and contexts, with the name of what has them.
fn roots(schema: &Declarations) -> impl Iterator<Item = (String, &Type<InternalName>)> {
    schema.0.values().flat_map(|own| {
        let entities = own.entity_types.iter().flat_map(|(name, declared)| {
            let types = match &declared.kind {
                EntityTypeKind::Standard(own) => [Some(&own.shape.0), own.tags.as_ref()],
                EntityTypeKind::Enum { .. } => [None, None],
            };
            types.into_iter().flatten().map(move |declared| (name.to_string(), declared))
        });
        let actions = own.actions.iter().filter_map(|(name, declared)| {
            declared.applies_to.as_ref().map(|applies| (name.to_string(), &applies.context.0))
        });
        let common = own.common_types.iter();
        let common = common.map(|(name, own)| (name.as_ref().to_string(), &own.ty));
        entities.chain(actions).chain(common)
    })
}

/// The common types by their whole names.
pub(super) fn common_types(schema: &Declarations) -> BTreeMap<String, &Type<InternalName>> {
    let common = schema.0.iter().flat_map(|(space, own)| {
        own.common_types.iter().map(move |(name, declared)| {
            let name = name.as_ref();
            let whole = space.as_ref().map(|space| format!("{space}::{name}"));
            (whole.unwrap_or_else(|| name.to_string()), &declared.ty)
        })
    });
    common.collect()
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    depth: usize,
}

/// Sizes of types with common types written out; each common type is measured once.
struct Sizes<'a> {
    common: BTreeMap<String, &'a Type<InternalName>>,
    known: BTreeMap<String, Size>,
}

impl<'a> Sizes<'a> {
    fn new(schema: &'a Declarations) -> Self {
        Self { common: common_types(schema), known: BTreeMap::new() }
    }

    /// Recursive: as deep as the declarations are many, at most.
    fn of(&mut self, declared: &Type<InternalName>) -> Size {
        let below = match declared {
            Type::CommonTypeRef { type_name, .. } => self.of_common(&type_name.to_string()),
            Type::Type { ty: TypeVariant::EntityOrCommon { type_name }, .. } => {
                self.of_common(&type_name.to_string())
            }
            Type::Type { ty: TypeVariant::Set { element }, .. } => self.of(element),
            Type::Type { ty: TypeVariant::Record(record), .. } => {
                let members = record.attributes.values().map(|member| self.of(&member.ty));
                members.fold(Size::default(), |sum, one| Size {
                    nodes: sum.nodes.saturating_add(one.nodes),
                    depth: sum.depth.max(one.depth),
                })
            }
            Type::Type { .. } => Size::default(),
        };
        Size { nodes: below.nodes.saturating_add(1), depth: below.depth.saturating_add(1) }
    }

    fn of_common(&mut self, name: &str) -> Size {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let Some(declared) = self.common.get(name).copied() else { return Size::default() };
        // A type within itself is Cedar's to refuse; here it must only end.
        self.known.insert(name.to_owned(), Size::default());
        let size = self.of(declared);
        self.known.insert(name.to_owned(), size);
        size
    }
}

/// Reads `@caller("fill")` and `@caller("override")` from the attributes of entity types.
///
/// # Errors
/// A fault for each `@caller` with another value or in another place.
pub(super) fn callers(schema: &Declarations, text: &str) -> Result<Callers, Vec<Fault>> {
    let mut callers = Callers::default();
    let mut faults = Vec::new();
    for (space, own) in &schema.0 {
        faults.extend(misplaced(&own.annotations, text));
        for declared in own.common_types.values() {
            faults.extend(misplaced(&declared.annotations, text));
            faults.extend(misplaced_within(&declared.ty, text));
        }
        for declared in own.actions.values() {
            faults.extend(misplaced(&declared.annotations, text));
            let context = declared.applies_to.as_ref().map(|applies| &applies.context.0);
            faults.extend(context.into_iter().flat_map(|ty| misplaced_within(ty, text)));
        }
        for (name, declared) in &own.entity_types {
            faults.extend(misplaced(&declared.annotations, text));
            let EntityTypeKind::Standard(standard) = &declared.kind else { continue };
            faults.extend(standard.tags.iter().flat_map(|ty| misplaced_within(ty, text)));
            let whole = space.as_ref().map(|space| format!("{space}::{name}"));
            let (found, wrong) = attributes(&standard.shape.0, text);
            callers.0.insert(whole.unwrap_or_else(|| name.to_string()), found);
            faults.extend(wrong);
        }
    }
    if faults.is_empty() { Ok(callers) } else { Err(faults) }
}

fn attributes(shape: &Type<InternalName>, text: &str) -> (BTreeMap<String, Caller>, Vec<Fault>) {
    let (mut found, mut faults) = (BTreeMap::new(), Vec::new());
    let Type::Type { ty: TypeVariant::Record(record), .. } = shape else {
        return (found, misplaced_within(shape, text));
    };
    for (name, member) in &record.attributes {
        faults.extend(misplaced_within(&member.ty, text));
        match caller(&member.annotations) {
            None => {}
            Some(("fill", _)) => drop(found.insert(name.to_string(), Caller::Fill)),
            Some(("override", _)) => drop(found.insert(name.to_string(), Caller::Override)),
            Some((other, place)) => {
                let message = format!("`@caller(\"{other}\")` on `{name}` is not known");
                let help = "write `@caller(\"fill\")`, for an attribute that a caller may supply \
                            where the directory has none, or `@caller(\"override\")`";
                faults.push(fault(message, help, place, text));
            }
        }
    }
    (found, faults)
}

fn misplaced_within(declared: &Type<InternalName>, text: &str) -> Vec<Fault> {
    match declared {
        Type::Type { ty: TypeVariant::Set { element }, .. } => misplaced_within(element, text),
        Type::Type { ty: TypeVariant::Record(record), .. } => {
            let members = record.attributes.values();
            members
                .flat_map(|member| {
                    let own = misplaced(&member.annotations, text);
                    own.into_iter().chain(misplaced_within(&member.ty, text))
                })
                .collect()
        }
        Type::Type { .. } | Type::CommonTypeRef { .. } => Vec::new(),
    }
}

fn misplaced(annotations: &Annotations, text: &str) -> Option<Fault> {
    let (_, place) = caller(annotations)?;
    let help = "write it on an attribute of an entity type itself";
    Some(fault("`@caller` has no effect here".to_owned(), help, place, text))
}

fn caller(annotations: &Annotations) -> Option<(&str, Option<Span>)> {
    let (_, found) = annotations.0.iter().find(|(key, _)| key.as_ref() == "caller")?;
    // Without a value Cedar keeps no place either.
    let Some(found) = found else { return Some(("", None)) };
    let place = found.loc.as_ref().map(|loc| Span::new(loc.start(), loc.end()));
    Some((found.as_ref(), place))
}

pub(super) fn fault(message: String, help: &str, place: Option<Span>, text: &str) -> Fault {
    let fault = Fault::new(codes::SCHEMA_ANNOTATION, message).with_help(help);
    match place {
        Some(span) => fault.at(text, span),
        None => fault,
    }
}
