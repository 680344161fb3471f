//! What an author may want to know of policies that are valid.

use cedar_policy_core::ast;

use super::index::Index;
use super::{Fault, codes};
use crate::model::PolicyId;

const HELP: &str = "if it is meant for some only, say so in its scope, such as \
    `resource is Document` or `action == Action::\"…\"`; a guardrail is right as it is";

/// How many are named one by one.
const SHOWN_MAX: usize = 20;

/// The policies that every question has to pass, because nothing in their scopes can tell
/// one from another: the cost of a decision grows with their number, and with no other.
pub(super) fn unhooked<'a>(
    index: &Index,
    name: impl Fn(&ast::PolicyID) -> Option<&'a PolicyId>,
) -> Vec<Fault> {
    let fault = |id| {
        let message = "its scope leaves principal, action and resource open, so it is evaluated \
                       for every request, at 1 to 2 µs each";
        Fault::new(codes::POLICY_SCOPE_WARNING, message).with_help(HELP).about(id)
    };
    let mut ids: Vec<_> = index.unhooked().filter_map(|policy| name(policy.id())).collect();
    ids.sort_unstable();
    let more = ids.len().saturating_sub(SHOWN_MAX);
    let mut faults: Vec<_> = ids.into_iter().take(SHOWN_MAX).map(fault).collect();
    if more > 0 {
        let message = format!("{more} more policies leave everything open in their scopes");
        faults.push(Fault::new(codes::POLICY_SCOPE_WARNING, message));
    }
    faults
}

#[cfg(test)]
mod tests {
    use crate::cedar::codes;
    use crate::cedar::example::{always, policies};

    #[test]
    fn a_policy_for_everything_is_pointed_out_and_one_for_something_is_not() {
        let text = always("everything", "forbid", "!context.mfa")
            + "@id(\"a\") permit (principal, action == Action::\"view\", resource);
               @id(\"b\") permit (principal is User, action, resource);
               @id(\"c\") permit (principal, action, resource in Folder::\"plans\");";
        let policies = policies(&text).unwrap();
        let [found] = policies.warnings() else { panic!("{:?}", policies.warnings()) };
        assert_eq!(found.code, codes::POLICY_SCOPE_WARNING);
        assert_eq!(found.policy.as_ref().unwrap().as_str(), "everything");
        assert!(found.to_string().contains("say so in its scope"), "{found}");
    }
}
