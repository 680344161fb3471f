//! The policies and schema of Countersign's own administration, compiled in.

use crate::cedar::{Limits, read_policies};
use crate::model::{Label, SetKind};
use crate::pap::{Draft, Refusal};

const SCHEMA: &str = include_str!("../../schemas/system.cedarschema");
const POLICIES: &str = include_str!("../../policies/system/system.cedar");

/// The system set of this build, as a draft.
///
/// # Errors
/// If it does not parse, which the tests rule out.
pub(super) fn system() -> Result<Draft, Refusal> {
    let policies = read_policies("system.cedar", POLICIES, &Limits::default())
        .map_err(Refusal::PolicyInvalid)?;
    Ok(Draft {
        set: SetKind::System,
        schema: Some(SCHEMA.to_owned()),
        policies: Some(policies),
        message: Label::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pap;
    use crate::projection::World;

    #[test]
    fn the_shipped_system_set_is_fit_to_be_put_in_force() {
        let draft = system().unwrap();
        assert!(pap::admit(&World::default(), draft, &Limits::default()).is_ok());
    }
}
