//! A draft as it would be in force, for whoever wants to know before it is.

use super::admission::compile;
use super::{Draft, Refusal};
use crate::cedar::{CompiledSchema, Fault, Limits, codes};
use crate::model::Version;
use crate::projection::{PolicySetState, World};

/// Compiles a draft against the World as [`admit`](super::admit) does, but only to be
/// asked: it need not change anything, and what it gives goes into
/// [`World::supposing`], not to the writer. It counts as the version after the one in force.
///
/// What the schema in force calls personal must be so in the draft's, too: past requests
/// are put to it, and what is sealed in them is not to be read by leaving a word out.
///
/// Costs a compilation of the whole set (about 50 µs a policy), and with a new schema a
/// look at every entity. Call it on a large stack.
///
/// # Errors
/// [`Refusal`]: [`SchemaInvalid`](Refusal::SchemaInvalid),
/// [`PolicyInvalid`](Refusal::PolicyInvalid) or [`NoSchema`](Refusal::NoSchema).
pub fn supposed(world: &World, draft: &Draft, limits: &Limits) -> Result<PolicySetState, Refusal> {
    let present = world.set(draft.set);
    let in_force = || present.sources().cloned().collect();
    let sources = draft.policies.clone().unwrap_or_else(in_force);
    let compiled = compile(world, draft.set, draft.schema.as_deref(), &sources, limits)?;
    if let Some((text, _)) = present.schema().filter(|_| draft.schema.is_some()) {
        let now =
            CompiledSchema::compile(text, draft.set, limits).map_err(Refusal::SchemaInvalid)?;
        let (was, is) = (now.personal_names(), compiled.schema.personal_names());
        if let Some(name) = was.difference(&is).next() {
            let what =
                format!("`{name}` is `@personal` in the schema in force and not in this one");
            let fault = Fault::new(codes::SCHEMA_ANNOTATION, what)
                .with_help("a draft is asked only if it keeps sealed what is sealed");
            return Err(Refusal::SchemaInvalid(vec![fault]));
        }
    }
    let version = present.in_force().map_or(Version(0), |it| it.version).next();
    Ok(PolicySetState::supposed(draft.set, sources, compiled, version))
}
