//! A set of policies, compiled: parsed one by one, validated together.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

use cedar_policy_core::ast;

use super::fault::in_order;
use super::index::Index;
use super::parse::{self, Parsed};
use super::reads::Readers;
use super::stack::on_large_stack;
use super::{CompiledSchema, Effect, Fault, Limits, codes, lint, validate};
use crate::model::{Digest, PolicyId, PolicySource, SetKind, Uid};

/// Policies in force: parsed, valid against their schema, ready to evaluate. Cloning is
/// cheap.
#[derive(Clone)]
pub struct CompiledPolicies(Arc<Inner>);

struct Inner {
    schema: CompiledSchema,
    set: ast::PolicySet,
    index: Index,
    ids: BTreeMap<PolicyId, ast::PolicyID>,
    names: HashMap<ast::PolicyID, PolicyId>,
    digest: Digest,
    reach: Reach,
    warnings: Vec<Fault>,
    /// Made when it is first asked for.
    readers: OnceLock<Readers>,
}

/// How far from the request policies look at entities.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// This many steps (RFC 76), known by validation.
    Level(u32),
    /// Nobody knows: from the request and from all these entities, any number of steps.
    Unknown(Vec<Uid>),
}

impl CompiledPolicies {
    /// Compiles a set: parses each policy on its own under its own id, makes the links,
    /// and validates all strictly against the schema, at the least level (RFC 76) at which
    /// they validate. About 60 µs a policy, and as much again for each combination of
    /// types that it may apply to.
    ///
    /// An `@id` in a text must be the id of its source; a text without one is taken (only
    /// [`read_policies`](super::read_policies) insists on it). Of the policies of the
    /// owner (`kind`), none may name anything in `Countersign::`.
    ///
    /// # Errors
    /// All faults, by place: syntax, sizes, repeated ids, links, validation, level.
    pub fn compile(
        sources: &[PolicySource],
        schema: &CompiledSchema,
        kind: SetKind,
        limits: &Limits,
    ) -> Result<Self, Vec<Fault>> {
        few(sources, limits)?;
        on_large_stack(|| compile(sources, schema, kind, limits))
            .unwrap_or_else(|fault| Err(vec![fault]))
            .map_err(|faults| in_order(faults, limits.faults))
    }

    /// Compiles a set without validating it, for tests that compare with Cedar where a
    /// schema and policies do not go together. Never to be put in force: what it may look
    /// at is not bounded.
    ///
    /// # Errors
    /// As [`CompiledPolicies::compile`], but for validation.
    pub fn compile_without_validation(
        sources: &[PolicySource],
        schema: &CompiledSchema,
        limits: &Limits,
    ) -> Result<Self, Vec<Fault>> {
        few(sources, limits)?;
        on_large_stack(|| {
            let parsed = parse::all(sources, schema, SetKind::System, limits);
            if !parsed.faults.is_empty() {
                return Err(in_order(parsed.faults, limits.faults));
            }
            let reach = Reach::Unknown(parsed.named_entities(schema));
            Ok(Self::new(sources, schema, parsed, reach, Vec::new()))
        })
        .unwrap_or_else(|fault| Err(vec![fault]))
    }

    fn new(
        sources: &[PolicySource],
        schema: &CompiledSchema,
        parsed: Parsed,
        reach: Reach,
        mut warnings: Vec<Fault>,
    ) -> Self {
        let core = |id: &PolicyId| ast::PolicyID::from_string(id.as_str());
        let ids = sources.iter().map(|source| (source.id.clone(), core(&source.id)));
        let names = sources.iter().map(|source| (core(&source.id), source.id.clone()));
        let names: HashMap<_, _> = names.collect();
        let index = Index::of(parsed.set.policies());
        warnings.extend(lint::unhooked(&index, |core| names.get(core)));
        Self(Arc::new(Inner {
            schema: schema.clone(),
            index,
            set: parsed.set,
            ids: ids.collect(),
            names,
            digest: PolicySource::digest_of_set(sources),
            reach,
            warnings,
            readers: OnceLock::new(),
        }))
    }

    /// The digest of the set: over the ids, in order, and the digests of their sources. The
    /// order of the sources does not matter.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// How many policies, templates and links there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.ids.len()
    }

    /// True if there are none. An empty set denies everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.ids.is_empty()
    }

    /// The least level at which the set validates: how many steps from entity to entity
    /// its policies take. Nothing if it was not validated.
    #[must_use]
    pub fn level(&self) -> Option<u32> {
        match self.0.reach {
            Reach::Level(level) => Some(level),
            Reach::Unknown(_) => None,
        }
    }

    /// The ids of policies, templates and links, in order.
    pub fn ids(&self) -> impl Iterator<Item = &PolicyId> {
        self.0.ids.keys()
    }

    /// The value of an annotation; a link has those of its template.
    #[must_use]
    pub fn annotation(&self, id: &PolicyId, key: &str) -> Option<&str> {
        let mut annotations = self.template(id)?.annotations();
        let (_, found) = annotations.find(|(name, _)| name.as_ref() == key)?;
        Some(found.as_ref())
    }

    /// What the policy, template or link does when it applies.
    #[must_use]
    pub fn effect(&self, id: &PolicyId) -> Option<Effect> {
        self.template(id).map(|template| Effect::of(template.effect()))
    }

    /// What Cedar finds doubtful, such as a policy that can never apply.
    #[must_use]
    pub fn warnings(&self) -> &[Fault] {
        &self.0.warnings
    }

    /// The schema it was compiled with.
    #[must_use]
    pub fn schema(&self) -> &CompiledSchema {
        &self.0.schema
    }

    pub(super) fn template(&self, id: &PolicyId) -> Option<&ast::Template> {
        let core = self.0.ids.get(id)?;
        let linked = self.0.set.get(core).map(ast::Policy::template);
        linked.or_else(|| self.0.set.get_template(core))
    }

    pub(super) fn set(&self) -> &ast::PolicySet {
        &self.0.set
    }

    pub(super) fn index(&self) -> &Index {
        &self.0.index
    }

    pub(super) fn readers(&self) -> &Readers {
        self.0.readers.get_or_init(|| Readers::of(self.0.set.policies()))
    }

    /// The same policies with an index that lacks one: what a defect in it would be like.
    #[cfg(test)]
    pub(crate) fn with_faulty_index(&self, missing: &PolicyId) -> Self {
        let Inner { schema, set, ids, names, digest, reach, warnings, .. } = self.0.as_ref();
        let kept = set.policies().filter(|policy| names.get(policy.id()) != Some(missing));
        Self(Arc::new(Inner {
            index: Index::of(kept),
            schema: schema.clone(),
            set: set.clone(),
            ids: ids.clone(),
            names: names.clone(),
            digest: *digest,
            reach: reach.clone(),
            warnings: warnings.clone(),
            readers: OnceLock::new(),
        }))
    }

    pub(super) fn reach(&self) -> &Reach {
        &self.0.reach
    }

    /// Our id of one of Cedar's.
    pub(super) fn id(&self, core: &ast::PolicyID) -> Option<&PolicyId> {
        self.0.names.get(core)
    }
}

impl fmt::Debug for CompiledPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompiledPolicies({} policies, {})", self.len(), self.digest())
    }
}

fn few(sources: &[PolicySource], limits: &Limits) -> Result<(), Vec<Fault>> {
    if sources.len() <= limits.policies {
        return Ok(());
    }
    let (found, most) = (sources.len(), limits.policies);
    let message = format!("the set has {found} policies; at most {most} can be in force");
    Err(vec![Fault::new(codes::POLICY_TOO_LARGE, message)])
}

/// All of the work, on a large stack.
fn compile(
    sources: &[PolicySource],
    schema: &CompiledSchema,
    kind: SetKind,
    limits: &Limits,
) -> Result<CompiledPolicies, Vec<Fault>> {
    let Parsed { set, mut faults } = parse::all(sources, schema, kind, limits);
    let validated = validate::all(&set, sources, schema, limits);
    faults.extend(validated.faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let (parsed, reach) = (Parsed { set, faults }, Reach::Level(validated.level));
    Ok(CompiledPolicies::new(sources, schema, parsed, reach, validated.warnings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::example::{always, directory, policies, schema, shown, uid, view};
    use crate::cedar::read_policies;
    use crate::model::PolicyBody;

    fn faults(text: &str) -> Vec<Fault> {
        policies(text).unwrap_err()
    }

    fn fault(text: &str) -> Fault {
        let faults = faults(text);
        let [fault] = faults.as_slice() else { panic!("{}", shown(&faults)) };
        fault.clone()
    }

    fn source(id: &str, body: PolicyBody) -> PolicySource {
        PolicySource { id: id.parse().unwrap(), body }
    }

    fn compiled(sources: &[PolicySource]) -> Result<CompiledPolicies, Vec<Fault>> {
        let limits = Limits::default();
        CompiledPolicies::compile(sources, &schema(), SetKind::Application, &limits)
    }

    fn linked() -> Vec<PolicySource> {
        let template = "@id(\"t\") @why(\"shared\") forbid (principal == ?principal, action, \
                        resource in ?resource);";
        let link = |template: &str, principal: Option<Uid>, resource: Option<Uid>| {
            PolicyBody::Link { template: template.parse().unwrap(), principal, resource }
        };
        let mut sources = read_policies("t", template, &Limits::default()).unwrap();
        let slots = (Some(uid("User", "alice")), Some(uid("Folder", "plans")));
        sources.insert(0, source("l", link("t", slots.0, slots.1)));
        sources
    }

    #[test]
    fn an_attribute_that_is_not_declared_is_shown_with_help() {
        let found = fault(
            "@id(\"a\")\npermit (principal, action, resource)\nwhen { principal.levle > 3 };",
        );
        assert_eq!(
            (found.code, found.line, found.column),
            (codes::POLICY_INVALID, Some(3), Some(8))
        );
        let shown = found.to_string();
        assert!(shown.contains("policy `a`: attribute `levle`"), "{shown}");
        assert!(shown.contains("help: did you mean `principal.level`?"), "{shown}");
    }

    #[test]
    fn an_optional_attribute_wants_a_test_first() {
        let found = fault(&always("a", "permit", "principal.office == \"x\""));
        assert!(found.help.as_ref().unwrap().contains("has office"), "{found}");
    }

    #[test]
    fn all_policies_are_checked_though_one_does_not_parse() {
        let sources = [
            source("a", PolicyBody::Static { text: Arc::from("permit (principal);") }),
            source(
                "b",
                PolicyBody::Static {
                    text: Arc::from("permit (principal, action, resource) when { resource.x };"),
                },
            ),
            source("b", PolicyBody::Static { text: Arc::from("") }),
        ];
        let found = compiled(&sources).unwrap_err();
        let mut codes: Vec<_> = found.iter().map(|fault| fault.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(
            codes,
            [codes::POLICY_ID_DUPLICATE, codes::POLICY_INVALID, codes::POLICY_SYNTAX]
        );
    }

    #[test]
    fn the_owner_may_not_name_our_namespace() {
        for condition in [
            "principal == Countersign::Person::\"alice\"",
            "resource is Countersign::Service",
            "action == Countersign::Action::\"publish\"",
            "[Countersign::Role::\"admin\"].contains(Countersign::Role::\"admin\")",
        ] {
            let text = always("a", "permit", condition);
            let found = faults(&text);
            let reserved = found.iter().find(|fault| fault.code == codes::RESERVED_NAMESPACE);
            assert!(reserved.is_some_and(|fault| fault.column.is_some()), "{}", shown(&found));
        }
        let scope = "@id(\"a\") permit (principal in Countersign::G::\"x\", action, resource);";
        assert!(faults(scope).iter().any(|fault| fault.code == codes::RESERVED_NAMESPACE));
        let named = always("a", "permit", "context.mfa && \"Countersign::\" != \"\"");
        assert!(policies(&format!("@why(\"Countersign::\") {named}")).is_ok());
    }

    #[test]
    fn the_least_level_is_found() {
        let level = |condition: &str| {
            let policies = policies(&always("a", "permit", condition));
            policies.unwrap_or_else(|faults| panic!("{}", shown(&faults))).level()
        };
        assert_eq!(level("context.mfa"), Some(0));
        assert_eq!(level("principal.level > 1"), Some(1));
        assert_eq!(level("principal in Group::\"g\""), Some(1));
        assert_eq!(level("resource.owner.level > 1"), Some(2));
        let manager = "principal has manager && principal.manager has manager && \
                       principal.manager.manager.level > 1";
        assert_eq!(level(manager), Some(3));
    }

    #[test]
    fn a_policy_that_looks_too_far_or_from_its_own_entity_is_refused() {
        let far = format!("resource.owner == principal{}", " && principal in Group::\"g\"");
        let limits = Limits { level: 0, ..Limits::default() };
        let sources = read_policies("p", &always("a", "permit", &far), &limits).unwrap();
        let found = CompiledPolicies::compile(&sources, &schema(), SetKind::Application, &limits);
        assert!(found.unwrap_err().iter().all(|fault| fault.code == codes::POLICY_LEVEL));
        let own = fault(&always("a", "permit", "User::\"alice\".level > 1"));
        assert_eq!(own.code, codes::POLICY_LEVEL);
        assert!(own.help.is_some(), "{own}");
    }

    #[test]
    fn a_link_stands_for_its_template_with_the_slots_filled() {
        let mut sources = linked();
        sources.extend(
            read_policies("p", &always("p", "permit", "true"), &Limits::default()).unwrap(),
        );
        let policies = compiled(&sources).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        let (id, schema) = ("l".parse().unwrap(), schema());
        assert_eq!(policies.effect(&id), Some(Effect::Forbid));
        assert_eq!(policies.annotation(&id, "why"), Some("shared"));
        assert_eq!(policies.annotation(&id, "other"), None);
        assert_eq!(policies.len(), 3);
        let ask = |who: &str| policies.evaluate(&view(&schema, who), &directory(&schema));
        assert_eq!(ask("alice").determining, [id]);
        assert!(ask("bob").allowed);
    }

    #[test]
    fn a_link_that_does_not_fit_its_template_is_refused() {
        let with = |change: &dyn Fn(&mut PolicyBody)| {
            let mut sources = linked();
            change(&mut sources[0].body);
            let found = compiled(&sources).unwrap_err();
            assert_eq!(found.len(), 1, "{}", shown(&found));
            (found[0].code, found[0].to_string())
        };
        let slots = |one: Option<Uid>, other: Option<Uid>| {
            with(&|body| {
                let PolicyBody::Link { principal, resource, .. } = body else { unreachable!() };
                (*principal, *resource) = (one.clone(), other.clone());
            })
        };
        let folder = || Some(uid("Folder", "f"));
        assert_eq!(slots(None, folder()).0, codes::POLICY_LINK);
        assert_eq!(slots(Some(uid("Robot", "r")), folder()).0, codes::POLICY_LINK);
        let ours = slots(Some(uid("Countersign::Person", "a")), folder());
        assert_eq!(ours.0, codes::RESERVED_NAMESPACE);
        let unknown = with(&|body| {
            let PolicyBody::Link { template, .. } = body else { unreachable!() };
            *template = "none".parse().unwrap();
        });
        assert_eq!(unknown.1, "policy `l`: the set has no template `none`");
    }

    #[test]
    fn a_policy_is_of_the_kind_and_name_it_is_published_under() {
        let text = |text: &str| Arc::<str>::from(text);
        let plain = "@id(\"a\") permit (principal, action, resource);";
        let slots = "@id(\"a\") permit (principal == ?principal, action, resource);";
        let code = |id: &str, body: PolicyBody| compiled(&[source(id, body)]).unwrap_err()[0].code;
        assert_eq!(code("a", PolicyBody::Static { text: text(slots) }), codes::POLICY_KIND);
        assert_eq!(code("a", PolicyBody::Template { text: text(plain) }), codes::POLICY_KIND);
        assert_eq!(code("b", PolicyBody::Static { text: text(plain) }), codes::POLICY_ID_INVALID);
        let two = text(&format!("{plain} {plain}"));
        assert_eq!(code("a", PolicyBody::Static { text: two }), codes::POLICY_SYNTAX);
    }

    #[test]
    fn a_policy_that_never_applies_is_a_warning() {
        let text = "@id(\"a\") permit (principal is Document, action, resource);";
        let policies = policies(text).unwrap();
        let [inapplicable] = policies.warnings() else { panic!("{}", shown(policies.warnings())) };
        assert_eq!(inapplicable.code, codes::POLICY_WARNING);
        assert!(inapplicable.to_string().contains("a principal is of type `User`"));
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order() {
        let mut sources = linked();
        let one = compiled(&sources).unwrap();
        sources.reverse();
        assert_eq!(compiled(&sources).unwrap().digest(), one.digest());
        sources.pop();
        assert_ne!(compiled(&sources).unwrap().digest(), one.digest());
        let ids: Vec<_> = one.ids().map(PolicyId::as_str).collect();
        assert_eq!(ids, ["l", "t"]);
    }

    #[test]
    fn a_set_has_a_limit() {
        let text: String = (0..4).map(|n| always(&format!("p{n}"), "permit", "true")).collect();
        let limits = Limits { policies: 3, ..Limits::default() };
        let sources = read_policies("p", &text, &limits).unwrap();
        let found = CompiledPolicies::compile(&sources, &schema(), SetKind::Application, &limits);
        assert_eq!(found.unwrap_err()[0].code, codes::POLICY_TOO_LARGE);
    }

    #[test]
    fn an_id_with_quotes_keeps_its_name() {
        let text = "@id(\"it's \\\"a\\\"\") permit (principal, action, resource) when { 1 };";
        let found = fault(text);
        assert_eq!(found.policy.as_ref().unwrap().as_str(), "it's \"a\"");
        assert!(!found.message.contains("for policy"), "{found}");
    }
}
