//! A version of the owner's policies: from what an author sends to the events that write it
//! down, and to those that put it in force at once.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::admission::{Base, NewSet, compile, storable};
use super::force::{as_admitted, parts_of, pieces, schema_parts, version, wants_approval};
use super::lifecycle::{By, checked, numbers};
use super::{Part, Refusal};
use crate::cedar::{Fault, Limits, codes};
use crate::event::{Event, PolicyTestsSubmitted, VersionActivated, VersionDrafted};
use crate::model::{Digest, Label, PolicySource, SetKind, Version};
use crate::projection::{Compiled, PolicyVersion, Stage, World};

/// The most bytes of a version's tests.
pub const TESTS_BYTES_MAX: usize = 1 << 20;

/// A version as an author sends it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewVersion {
    /// The whole schema as Cedar text; absent to keep the one in force.
    pub schema: Option<String>,
    /// The whole set; absent to keep the one in force.
    pub policies: Option<Vec<PolicySource>>,
    /// The text of its tests; absent for none.
    pub tests: Option<String>,
    /// Why, in the author's words.
    pub message: Label,
}

/// A version found fit to be written down, and what it was held against.
#[derive(Clone, Debug)]
pub struct Written {
    digest: Digest,
    base: Base,
    /// The schema's text, if it is another than the one in force.
    schema: Option<String>,
    schema_digest: Digest,
    policies: NewSet,
    sources: Vec<PolicySource>,
    tests: Option<String>,
    message: Label,
}

/// Looks at what an author sends, without compiling it.
///
/// Costs a digest of each policy, so call it away from the writer.
///
/// # Errors
/// [`Refusal::NoSchema`]; [`Refusal::PolicyInvalid`] for a name that is used twice and for
/// what is too much; [`Refusal::SchemaInvalid`] and [`Refusal::TestsTooLarge`] for what is
/// too long.
pub fn write(world: &World, new: NewVersion, limits: &Limits) -> Result<Written, Refusal> {
    let NewVersion { schema, policies, tests, message } = new;
    let present = world.set(SetKind::Application);
    let in_force = present.schema();
    let schema = schema.filter(|text| Some(text.as_str()) != in_force.map(|(text, _)| text));
    let schema_digest = match (&schema, in_force) {
        (Some(text), _) => Digest::of(text),
        (None, Some((_, it))) => it.digest,
        (None, None) => return Err(Refusal::NoSchema),
    };
    let sources = policies.unwrap_or_else(|| present.sources().cloned().collect());
    bounded(schema.as_deref(), &sources, tests.as_deref(), limits)?;
    let policies_digest = PolicySource::digest_of_set(&sources);
    let tests_digest = tests.as_ref().map(Digest::of);
    let digest =
        PolicyVersion::digest_of(&schema_digest, &policies_digest, tests_digest.as_ref(), &message);
    Ok(Written {
        digest,
        base: Base::of(world, SetKind::Application, schema.is_some()),
        policies: NewSet::between(present, sources.clone(), policies_digest),
        schema,
        schema_digest,
        sources,
        tests,
        message,
    })
}

fn bounded(
    schema: Option<&str>,
    sources: &[PolicySource],
    tests: Option<&str>,
    limits: &Limits,
) -> Result<(), Refusal> {
    let (found, most) = (schema.map_or(0, str::len), limits.schema_bytes);
    if found > most {
        let message = format!("the schema takes {found} bytes; at most {most} do");
        return Err(Refusal::SchemaInvalid(vec![Fault::new(codes::SCHEMA_TOO_LARGE, message)]));
    }
    let (found, most) = (sources.len(), limits.policies);
    if found > most {
        let message = format!("the set has {found} policies; at most {most} can be in force");
        return Err(Refusal::PolicyInvalid(vec![Fault::new(codes::POLICY_TOO_LARGE, message)]));
    }
    let mut names = BTreeSet::new();
    if let Some(again) = sources.iter().find(|source| !names.insert(&source.id)) {
        let fault = Fault::new(codes::POLICY_ID_DUPLICATE, "another policy has the same id")
            .about(&again.id)
            .with_help("give each policy an `@id` of its own");
        return Err(Refusal::PolicyInvalid(vec![fault]));
    }
    let (found, most) = (tests.map_or(0, str::len), TESTS_BYTES_MAX);
    if found > most {
        return Err(Refusal::TestsTooLarge { found, most });
    }
    storable(sources).map_err(Refusal::PolicyInvalid)
}

impl Written {
    /// Its name.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// True if it is what is in force, its tests included.
    fn is_in_force(&self, world: &World) -> bool {
        let tests = self.tests.as_deref();
        world.versions.in_force().is_some_and(|it| {
            it.content.schema_digest == self.schema_digest
                && it.content.policies_digest == self.policies.digest
                && it.tests.as_deref() == tests
        })
    }

    /// Its schema, if it is another than the one in force, its policies, and its tests.
    #[must_use]
    pub fn parts(&self) -> (Option<&str>, &[PolicySource], Option<&str>) {
        (self.schema.as_deref(), &self.sources, self.tests.as_deref())
    }

    /// Compiles it, for being put in force at once. What comes of it is left with the World's
    /// artefacts.
    ///
    /// # Errors
    /// [`Refusal::SchemaInvalid`], [`Refusal::PolicyInvalid`] with each fault;
    /// [`Refusal::Unchanged`].
    pub fn check(&self, world: &World, limits: &Limits) -> Result<Fitness, Refusal> {
        if self.is_in_force(world) {
            return Err(Refusal::Unchanged);
        }
        let (set, schema) = (SetKind::Application, self.schema.as_deref());
        let compiled = compile(world, set, schema, &self.sources, limits)?;
        Fitness::of(world, self.policies.digest, compiled)
    }
}

/// What compiling a version has found, where it is fit.
#[derive(Clone, Debug)]
pub struct Fitness {
    /// The least level at which its policies validate.
    pub level: Option<u32>,
    /// What is allowed, but probably not meant.
    pub warnings: Vec<Fault>,
    /// How many tests held, for whoever has run them; none if there are none.
    pub tests: Option<u64>,
}

impl Fitness {
    /// Tries each policy once, and leaves what was compiled to the fold.
    pub(super) fn of(world: &World, policies: Digest, compiled: Compiled) -> Result<Self, Refusal> {
        compiled.policies.tried().map_err(Refusal::PolicyInvalid)?;
        let found = Self::found(&compiled);
        world.artefacts().keep(policies, compiled);
        Ok(found)
    }

    /// What is known of a set that was tried before.
    pub(super) fn found(compiled: &Compiled) -> Self {
        let warnings = [compiled.schema.warnings(), compiled.policies.warnings()].concat();
        Self { level: compiled.policies.level(), warnings, tests: None }
    }
}

/// Writes a version down as a draft: the events, which belong in one batch. `publication`
/// is a fresh id.
///
/// # Errors
/// [`Refusal::Unchanged`] if it is in force; [`Refusal::VersionExists`] if it was drafted
/// before on the same ground, or was in force; [`Refusal::Conflict`] if what it was held
/// against has changed.
pub fn draft(
    world: &World,
    written: &Written,
    publication: Uuid,
    by: &By,
) -> Result<Vec<Event>, Refusal> {
    as_admitted(&written.base_now(world), &written.base)?;
    if written.is_in_force(world) {
        return Err(Refusal::Unchanged);
    }
    if let Some(known) = world.versions.get(&written.digest) {
        let ground = world.versions.in_force().map(|it| it.digest);
        if known.stage == Stage::Retired || known.base == ground {
            let (digest, stage) = (known.digest, known.stage);
            return Err(Refusal::VersionExists { digest, stage });
        }
    }
    Ok(drafting(world, written, publication, by))
}

/// Drafts, checks and puts in force in one batch. `expected` is the version of the policies
/// that the author had read; 0 for "none yet".
///
/// # Errors
/// [`Refusal::ApprovalRequired`] where four eyes are asked for;
/// [`Refusal::VersionConflict`]; [`Refusal::Unchanged`]; [`Refusal::Conflict`].
pub fn apply(
    world: &World,
    written: &Written,
    fitness: &Fitness,
    publication: Uuid,
    expected: Option<Version>,
    by: &By,
) -> Result<Vec<Event>, Refusal> {
    if wants_approval(world) {
        return Err(Refusal::ApprovalRequired("a version".to_owned()));
    }
    let now = written.base_now(world);
    match expected {
        Some(expected) if expected != version(now.policies) => {
            let (part, found) = (Part::Policies, version(now.policies));
            return Err(Refusal::VersionConflict { part, expected, found });
        }
        _ => as_admitted(&now, &written.base)?,
    }
    if written.is_in_force(world) {
        return Err(Refusal::Unchanged);
    }
    let digest = written.digest;
    let session = by.session(world);
    let mut events = drafting(world, written, publication, by);
    events.push(checked(digest, fitness, session.clone()));
    let (policies, schema) = numbers(world, written.policies.digest, written.schema_digest);
    let reason = written.message.clone();
    let activated = VersionActivated { digest, policies, schema, reason, session };
    events.push(Event::VersionActivated(activated));
    Ok(events)
}

impl Written {
    fn base_now(&self, world: &World) -> Base {
        Base::of(world, SetKind::Application, self.schema.is_some())
    }
}

fn drafting(world: &World, written: &Written, publication: Uuid, by: &By) -> Vec<Event> {
    let set = SetKind::Application;
    let mut events = Vec::new();
    if let Some(text) = &written.schema {
        schema_parts(&mut events, set, text, publication);
    }
    parts_of(&mut events, set, &written.policies, publication);
    let tests = written.tests.as_deref().map(pieces).unwrap_or_default();
    events.extend(tests.into_iter().map(|text| {
        let text = text.to_owned();
        Event::PolicyTestsSubmitted(PolicyTestsSubmitted { publication, text })
    }));
    events.push(Event::VersionDrafted(VersionDrafted {
        publication,
        digest: written.digest,
        schema: written.schema_digest,
        policies: written.policies.digest,
        tests: written.tests.as_ref().map(Digest::of),
        count: written.policies.count,
        message: written.message.clone(),
        session: by.session(world),
    }));
    events
}
