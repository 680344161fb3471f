//! A schema, compiled: checked by Cedar and turned into tables.

use std::fmt;
use std::sync::Arc;

use cedar_policy::ffi::DetailedError;
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::json_schema::Fragment;
use cedar_policy_core::validator::{RawName, Validator, ValidatorSchema, ValidatorSchemaFragment};

use super::fault::in_order;
use super::scan::{self, Grammar};
use super::stack::on_large_stack;
use super::terrain::Terrain;
use super::types::Tables;
use super::{Fault, Limits, codes, declared, diagnosis, personal};
use crate::model::{Digest, EntityType, SetKind, Uid};

/// A schema in force: complete, checked, ready for lookups. Cloning is cheap.
#[derive(Clone)]
pub struct CompiledSchema(Arc<Inner>);

struct Inner {
    text: Arc<str>,
    digest: Digest,
    limits: Limits,
    validator: Validator,
    tables: Tables,
    terrain: Terrain,
    warnings: Vec<Fault>,
}

/// Why a request does not fit the schema. The answer to such a request is a deny.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// The schema declares no such action.
    #[error("the schema declares no action `{0}`")]
    UnknownAction(Uid),
    /// The schema declares no such entity type.
    #[error("the schema declares no entity type `{0}`")]
    UnknownType(EntityType),
    /// The action is not for principals of this type.
    #[error("the action `{action}` is not for principals of type `{principal}`")]
    PrincipalType {
        /// The action.
        action: Uid,
        /// The principal's type.
        principal: EntityType,
    },
    /// The action is not for resources of this type.
    #[error("the action `{action}` is not for resources of type `{resource}`")]
    ResourceType {
        /// The action.
        action: Uid,
        /// The resource's type.
        resource: EntityType,
    },
    /// The type lists its ids, and this is none of them.
    #[error("`{0}` is not one of the entities that its type lists")]
    UnlistedId(Uid),
}

impl CompiledSchema {
    /// Compiles a schema in Cedar's schema syntax. `kind` says whose it is: the owner's
    /// may not declare anything in `Countersign::`. Takes milliseconds.
    ///
    /// An attribute of an entity type may be annotated `@caller("fill")` or
    /// `@caller("override")`: see [`CompiledSchema::overlay`]. An optional one, and a member
    /// of a context, may be annotated `@personal`: it is sealed where it is recorded.
    /// `@segment`, `@pivot` and `@crown_jewel` say how somebody can move: see
    /// [`CompiledSchema::pivots`].
    ///
    /// # Errors
    /// What exceeds the limits, what Cedar finds, `external` declarations (an incomplete
    /// schema validates nothing), an annotation of ours where it has no effect.
    pub fn compile(text: &str, kind: SetKind, limits: &Limits) -> Result<Self, Vec<Fault>> {
        if text.len() > limits.schema_bytes {
            let (found, most) = (text.len(), limits.schema_bytes);
            let message = format!("the schema has {found} bytes; at most {most} are read");
            return Err(vec![Fault::new(codes::SCHEMA_TOO_LARGE, message)]);
        }
        scan::check(text, Grammar::Schema, limits.nesting)
            .map_err(|flaw| diagnosis::flawed(Grammar::Schema, flaw, limits.nesting, text))
            .map_err(|fault| vec![fault])?;
        on_large_stack(|| compile(text, kind, limits))
            .unwrap_or_else(|fault| Err(vec![fault]))
            .map_err(|faults| in_order(faults, limits.faults))
            .map(|inner| Self(Arc::new(inner)))
    }

    /// The digest of the text, by which an event names the schema.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What Cedar finds doubtful, such as names that look like other names.
    #[must_use]
    pub fn warnings(&self) -> &[Fault] {
        &self.0.warnings
    }

    /// True if the schema declares this entity type. Action types do not count.
    #[must_use]
    pub fn has_entity_type(&self, kind: &EntityType) -> bool {
        self.0.tables.entities.contains_key(kind)
    }

    /// All entity types, in order; action types do not count.
    #[must_use]
    pub fn entity_types(&self) -> Vec<EntityType> {
        let mut types: Vec<_> = self.0.tables.entities.keys().cloned().collect();
        types.sort();
        types
    }

    /// True if the schema declares this action.
    #[must_use]
    pub fn declares_action(&self, action: &Uid) -> bool {
        self.0.tables.actions.contains_key(action)
    }

    /// All actions, in order; groups of actions are actions too.
    #[must_use]
    pub fn actions(&self) -> Vec<Uid> {
        let mut actions: Vec<_> = self.0.tables.actions.keys().cloned().collect();
        actions.sort();
        actions
    }

    /// Whether principals and resources of these types may be asked about together with
    /// this action.
    ///
    /// # Errors
    /// The first [`Misfit`]: action, principal, resource.
    pub fn applies(
        &self,
        principal: &EntityType,
        action: &Uid,
        resource: &EntityType,
    ) -> Result<(), Misfit> {
        let tables = &self.0.tables;
        let table = tables.actions.get(action);
        let table = table.ok_or_else(|| Misfit::UnknownAction(action.clone()))?;
        for kind in [principal, resource] {
            if !tables.entities.contains_key(kind) && !tables.action_types.contains_key(kind) {
                return Err(Misfit::UnknownType(kind.clone()));
            }
        }
        let action = || action.clone();
        if !table.principals.contains(principal) {
            return Err(Misfit::PrincipalType { action: action(), principal: principal.clone() });
        }
        if !table.resources.contains(resource) {
            return Err(Misfit::ResourceType { action: action(), resource: resource.clone() });
        }
        Ok(())
    }

    /// As [`CompiledSchema::applies`], and that an entity of an enumerated type is one of
    /// those listed. To be asked before every evaluation.
    ///
    /// # Errors
    /// The first [`Misfit`].
    pub fn fits(&self, principal: &Uid, action: &Uid, resource: &Uid) -> Result<(), Misfit> {
        self.applies(principal.kind(), action, resource.kind())?;
        match [principal, resource].into_iter().find(|uid| !self.lists(uid)) {
            None => Ok(()),
            Some(uid) => Err(Misfit::UnlistedId(uid.clone())),
        }
    }

    fn lists(&self, uid: &Uid) -> bool {
        match self.0.tables.entities.get(uid.kind()) {
            Some(table) => table.ids.as_ref().is_none_or(|ids| ids.contains(uid.id())),
            None => self.0.tables.actions.contains_key(uid),
        }
    }

    /// The declared type of this name, of entities or of actions.
    #[must_use]
    pub fn entity_type(&self, name: &str) -> Option<&EntityType> {
        let tables = &self.0.tables;
        let of_entities = tables.entities.get_key_value(name).map(|(name, _)| name);
        of_entities.or_else(|| tables.action_types.get_key_value(name).map(|(name, _)| name))
    }

    /// True if this action's context may have a member of this name. What Countersign
    /// itself knows (the session, the time) is put there only then.
    #[must_use]
    pub fn context_declares(&self, action: &Uid, name: &str) -> bool {
        let table = self.0.tables.actions.get(action);
        table.is_some_and(|table| table.context.members.contains_key(name))
    }

    /// True for a clone of the same: then all that either gives is the other's, too.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.0.tables
    }

    pub(super) fn terrain(&self) -> &Terrain {
        &self.0.terrain
    }

    pub(super) fn validator(&self) -> &Validator {
        &self.0.validator
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }
}

impl fmt::Debug for CompiledSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompiledSchema({})", self.0.digest)
    }
}

/// All of the work, on a large stack.
fn compile(text: &str, kind: SetKind, limits: &Limits) -> Result<Inner, Vec<Fault>> {
    let (fragment, warnings) = Fragment::from_cedarschema_str(text, Extensions::all_available())
        .map_err(|error| invalid(&DetailedError::from(&error), text))?;
    let warned =
        |warning| diagnosis::fault(codes::SCHEMA_WARNING, &DetailedError::from(&warning), text);
    let warnings = in_order(warnings.map(warned).collect(), limits.faults);
    if kind == SetKind::Application {
        declared::unreserved(&fragment, text).map_err(|fault| vec![fault])?;
    }
    let resolved = fragment
        .to_internal_name_fragment_with_resolved_types()
        .map_err(|error| invalid(&DetailedError::from(&error), text))?;
    declared::bounded(&resolved, limits).map_err(|fault| vec![fault])?;
    let callers = declared::callers(&resolved, text)?;
    let personals = personal::personals(&resolved, text, limits.nesting)?;
    let schema = checked(fragment, text)?;
    schema.check_complete().map_err(|error| {
        let incomplete = invalid(&DetailedError::from(&error), text).into_iter();
        let help = "declare it here: Countersign takes one schema, which is whole";
        incomplete.map(|fault| fault.with_help(help)).collect::<Vec<_>>()
    })?;
    few_environments(&schema, limits).map_err(|fault| vec![fault])?;
    let tables = Tables::compile(&schema, &callers, &personals).map_err(|fault| vec![fault])?;
    let terrain = Terrain::read(&resolved, &schema, &tables, text)?;
    Ok(Inner {
        text: Arc::from(text),
        digest: Digest::of(text),
        limits: *limits,
        validator: Validator::new(schema),
        tables,
        terrain,
        warnings,
    })
}

fn checked(fragment: Fragment<RawName>, text: &str) -> Result<ValidatorSchema, Vec<Fault>> {
    let whole = ValidatorSchemaFragment::from_schema_fragment(fragment)
        .map_err(|error| invalid(&DetailedError::from(&error), text))?;
    ValidatorSchema::from_schema_fragments([whole], Extensions::all_available())
        .map_err(|error| invalid(&DetailedError::from(&error), text))
}

fn invalid(error: &DetailedError, text: &str) -> Vec<Fault> {
    let faults = diagnosis::faults(codes::SCHEMA_INVALID, error, text).into_iter();
    if text.trim_start().starts_with('{') {
        let help = "write it in Cedar's schema syntax, such as `entity User;`, not as JSON";
        return faults.map(|fault| fault.with_help(help)).collect();
    }
    faults.collect()
}

/// A policy is type-checked once for each combination.
fn few_environments(schema: &ValidatorSchema, limits: &Limits) -> Result<(), Fault> {
    let of_action = |action: &cedar_policy_core::validator::ValidatorActionId| {
        action.principals().count().saturating_mul(action.resources().count())
    };
    let found = schema.action_ids().map(of_action).fold(0, usize::saturating_add);
    if found <= limits.environments {
        return Ok(());
    }
    let most = limits.environments;
    let message = format!(
        "the schema allows {found} combinations of principal type, action and resource type; \
         at most {most} can be checked"
    );
    Err(Fault::new(codes::SCHEMA_TOO_LARGE, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::example::{compiled, schema, shown, uid};
    use std::fmt::Write as _;

    fn fault(text: &str) -> Fault {
        let faults = compiled(text).unwrap_err();
        faults.into_iter().next().unwrap()
    }

    #[test]
    fn what_is_declared_can_be_looked_up() {
        let schema = schema();
        let kind = |name: &str| EntityType::new(name).unwrap();
        assert!(schema.has_entity_type(&kind("User")));
        assert!(!schema.has_entity_type(&kind("Action")) && !schema.has_entity_type(&kind("No")));
        assert!(schema.declares_action(&uid("Action", "readers")));
        assert!(!schema.declares_action(&uid("Action", "delete")));
        assert!(schema.context_declares(&uid("Action", "view"), "mfa"));
        assert!(!schema.context_declares(&uid("Action", "view"), "session"));
        assert!(!schema.context_declares(&uid("Action", "delete"), "mfa"));
        assert_eq!(schema.actions().len(), 4);
        assert_eq!(schema.entity_types().first(), Some(&kind("Colour")));
    }

    #[test]
    fn a_request_that_does_not_fit_says_why() {
        let schema = schema();
        let ask = |principal: (&str, &str), action: &str, resource: (&str, &str)| {
            let (principal, resource) =
                (uid(principal.0, principal.1), uid(resource.0, resource.1));
            schema.fits(&principal, &uid("Action", action), &resource).map_err(|e| e.to_string())
        };
        let (alice, plan) = (("User", "alice"), ("Document", "plan"));
        assert_eq!(ask(alice, "view", plan), Ok(()));
        let refused = |answer: Result<(), String>, says: &str| {
            let message = answer.unwrap_err();
            assert!(message.contains(says), "{message}");
        };
        refused(ask(alice, "fly", plan), "no action `Action::\"fly\"`");
        refused(ask(("Robot", "r"), "view", plan), "no entity type `Robot`");
        refused(ask(("Group", "g"), "view", plan), "not for principals of type `Group`");
        refused(ask(alice, "audit", ("Folder", "f")), "not for resources of type `Folder`");
        refused(ask(alice, "readers", plan), "not for principals of type `User`");
    }

    #[test]
    fn an_id_that_its_type_does_not_list_does_not_fit() {
        let text =
            "entity A; entity C enum [\"x\"]; action a appliesTo { principal: A, resource: C };";
        let schema = compiled(text).unwrap();
        let fits = |id: &str| schema.fits(&uid("A", "a"), &uid("Action", "a"), &uid("C", id));
        assert_eq!(fits("x"), Ok(()));
        assert_eq!(fits("y"), Err(Misfit::UnlistedId(uid("C", "y"))));
    }

    #[test]
    fn names_in_namespaces_are_whole() {
        let text = "namespace Shop { entity User; entity Order { by: User }; \
                    action buy appliesTo { principal: User, resource: Order }; }";
        let schema = compiled(text).unwrap();
        let fits = schema.fits(
            &uid("Shop::User", "a"),
            &uid("Shop::Action", "buy"),
            &uid("Shop::Order", "1"),
        );
        assert_eq!(fits, Ok(()));
    }

    #[test]
    fn a_mistake_is_shown_with_its_place() {
        let found = fault("entity User {\n  name: Sting,\n};");
        assert_eq!((found.code, found.line), (codes::SCHEMA_INVALID, Some(2)), "{found}");
        assert!(found.excerpt.as_ref().unwrap().contains("name: Sting"), "{found}");
        assert!(fault("{\"\": {}}").help.unwrap().contains("not as JSON"));
        let found = fault("entity User\nentity Group;");
        assert_eq!((found.code, found.line), (codes::SCHEMA_INVALID, Some(2)), "{found}");
    }

    #[test]
    fn an_incomplete_schema_is_refused() {
        let found = fault("external entity User; entity Group;");
        assert_eq!(found.code, codes::SCHEMA_INVALID);
        assert!(found.message.contains("User"), "{found}");
    }

    #[test]
    fn the_owner_may_not_declare_our_namespace() {
        for text in [
            "// Countersign\nnamespace Countersign { entity User; }",
            "\nnamespace Countersign::Deep { entity User; }",
            "\nentity Countersign;",
        ] {
            let found = fault(text);
            assert_eq!((found.code, found.line), (codes::RESERVED_NAMESPACE, Some(2)), "{found}");
        }
        let ours = "namespace Countersign { entity Service; }";
        assert!(CompiledSchema::compile(ours, SetKind::System, &Limits::default()).is_ok());
        assert!(compiled("namespace CountersignX { entity User; }").is_ok());
        assert_eq!(fault("entity A { b: Countersign::User };").code, codes::SCHEMA_INVALID);
    }

    #[test]
    fn caller_stands_on_attributes_of_entity_types_only() {
        let wrong = [
            "entity A { @caller(\"replace\") b: Long };",
            "entity A { @caller b: Long };",
            "@caller(\"fill\") entity A;",
            "entity A { b: { @caller(\"fill\") c: Long } };",
            "entity A { b: Set<{ @caller(\"fill\") c: Long }> };",
            "type B = { @caller(\"fill\") c: Long }; entity A { b: B };",
            "entity A; action a appliesTo { principal: A, resource: A, \
             context: { @caller(\"fill\") c: Long } };",
            "@caller(\"fill\") namespace N { entity A; }",
            "entity A; @caller(\"fill\") action a;",
        ];
        for text in wrong {
            assert_eq!(fault(text).code, codes::SCHEMA_ANNOTATION, "{text}");
        }
        let two = compiled("entity A { @caller(\"x\") b: Long, @caller(\"y\") c: Long };");
        assert_eq!(two.unwrap_err().len(), 2);
        assert!(compiled("entity A { @doc(\"x\") @caller(\"fill\") b: Long };").is_ok());
    }

    #[test]
    fn what_would_overflow_or_never_end_is_refused() {
        let nested =
            format!("entity A {{ b: {}Long{} }};", "Set<".repeat(5_000), ">".repeat(5_000));
        assert_eq!(fault(&nested).code, codes::SCHEMA_TOO_LARGE);
        // Each type is twice as large as the one before, written out.
        let mut doubling = "type T0 = { a: Long };\n".to_owned();
        for [before, n] in (0..60).map(|n| [n, n + 1]) {
            let _ = writeln!(doubling, "type T{n} = {{ a: T{before}, b: T{before} }};");
        }
        assert_eq!(fault(&doubling).code, codes::SCHEMA_TOO_LARGE);
        let mut deep = "type T0 = Long;\n".to_owned();
        for [before, n] in (0..1_500).map(|n| [n, n + 1]) {
            let _ = writeln!(deep, "type T{n} = Set<T{before}>;");
        }
        assert_eq!(fault(&deep).code, codes::SCHEMA_TOO_LARGE);
        let many: Vec<_> = (0..2_001).map(|n| format!("entity E{n};")).collect();
        let many = many.concat();
        assert_eq!(fault(&many).code, codes::SCHEMA_TOO_LARGE);
        assert_eq!(fault(&" ".repeat(200_001)).code, codes::SCHEMA_TOO_LARGE);
        let looped = "type A = { b: B }; type B = { a: A }; entity E { a: A };";
        assert_eq!(fault(looped).code, codes::SCHEMA_INVALID);
        let chain: Vec<_> = (0..1_900).map(|n| format!("entity E{n} in E{};", n + 1)).collect();
        let chain = chain.concat() + "entity E1900;";
        assert!(compiled(&chain).is_ok());
    }

    #[test]
    fn long_lists_are_read_or_refused() {
        let members: Vec<_> = (0..3_000).map(|n| format!("a{n}:Long,")).collect();
        let members = members.concat();
        for text in [
            format!("entity A {{{members}}};"),
            format!("entity A;entity B in [{}A];", "A,".repeat(15_000)),
            format!("{}entity A;", "@a".repeat(20_000)),
            format!("entity A {{a:{}A}};", "A::".repeat(15_000)),
            format!("{}entity A;", "entity B{}".repeat(15_000)),
        ] {
            let answer = compiled(&text).map_err(|faults| faults[0].code);
            assert!(matches!(answer, Ok(_) | Err(codes::SCHEMA_INVALID)), "{answer:?}");
        }
    }

    #[test]
    fn too_many_combinations_of_types_are_refused() {
        let names: Vec<_> = (0..300).map(|n| format!("E{n}")).collect();
        let all = names.join(", ");
        let text = format!(
            "entity {all}; action a appliesTo {{ principal: [{all}], resource: [{all}] }};"
        );
        assert!(fault(&text).message.contains("90000 combinations"), "{}", fault(&text));
    }

    #[test]
    fn a_digest_names_the_text() {
        let (one, other) = (compiled("entity A;").unwrap(), compiled("entity A; ").unwrap());
        assert_ne!(one.digest(), other.digest());
        assert_eq!(one.digest(), compiled(one.text()).unwrap().digest());
        assert!(one.warnings().is_empty());
        let shadow = compiled("entity ipaddr { a: Long };").map(|s| s.warnings().to_vec());
        let warnings = shadow.unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        assert!(warnings.iter().all(|fault| fault.code == codes::SCHEMA_WARNING));
        assert_eq!(warnings.len(), 1);
    }
}
