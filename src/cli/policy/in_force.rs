//! The owner's policies and schema in force, from a stopped directory or a server.

use serde::Deserialize;

use super::super::failure::Failure;
use super::super::target::Target;
use crate::model::{PolicySource, SetKind};

/// The owner's policies and schema in force.
pub(super) struct InForce {
    pub(super) policies: Vec<PolicySource>,
    /// None has come in force yet, if there is none.
    pub(super) schema: Option<String>,
    /// Whether a forbid that cannot be evaluated denies.
    pub(super) forbid_errors_deny: bool,
}

#[derive(Deserialize)]
struct Policies {
    policies: Vec<PolicySource>,
    forbid_errors_deny: bool,
}

#[derive(Deserialize)]
struct Schema {
    schema: String,
}

impl InForce {
    /// Reads them.
    ///
    /// # Errors
    /// [`Failure`]: the log cannot be read.
    pub(super) fn of(target: &Target) -> Result<Self, Failure> {
        match target {
            Target::Server(client) => {
                let Policies { policies, forbid_errors_deny } = client.get("/policies/v1", &[])?;
                let schema = match client.get::<Schema>("/schema/v1", &[]) {
                    Ok(Schema { schema }) => Some(schema),
                    Err(failure) if failure.code() == "not_found" => None,
                    Err(failure) => return Err(failure),
                };
                Ok(Self { policies, schema, forbid_errors_deny })
            }
            Target::Data(folder) => {
                let world = folder.world()?;
                let set = world.set(SetKind::Application);
                Ok(Self {
                    policies: set.sources().cloned().collect(),
                    schema: set.schema().map(|(text, _)| text.to_owned()),
                    forbid_errors_deny: world.settings.forbid_errors_deny,
                })
            }
        }
    }
}
