//! What an author may want to know of policies that are valid.

use cedar_policy_core::ast;

use super::excerpt::Span;
use super::index::Index;
use super::{CompiledPolicies, Fault, codes, scan};
use crate::model::{PolicyBody, PolicyId, PolicySource};

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

impl CompiledPolicies {
    /// How many policies leave principal, action and resource open in their scopes, so that
    /// every request has to pass them. Linear.
    #[must_use]
    pub fn unindexed(&self) -> usize {
        self.index().unhooked().count()
    }

    /// The policies and templates among these that do not say what they are for, or whose
    /// they are, in order of the sources: whoever is denied wants to read the one, and
    /// whoever reviews them to ask the other. Linear.
    #[must_use]
    pub fn undocumented(&self, sources: &[PolicySource]) -> Vec<Fault> {
        let wanted = [
            (
                "description",
                codes::POLICY_DESCRIPTION_WARNING,
                "it does not say what it is for",
                "write one sentence above it, for whoever is denied by it or audits it: \
                 `@description(\"Editors edit internal documents.\")`",
            ),
            (
                "owner",
                codes::POLICY_OWNER_WARNING,
                "it does not say whose it is",
                "name the team to ask about it: `@owner(\"platform-security\")`",
            ),
        ];
        let lacking = |source: &PolicySource| {
            let (PolicyBody::Static { text } | PolicyBody::Template { text }) = &source.body else {
                return Vec::new();
            };
            let place = scan::first_token(text).unwrap_or(Span::new(0, 0));
            let lacks = |(key, ..): &(&str, _, _, _)| {
                self.annotation(&source.id, key).is_none_or(|said| said.trim().is_empty())
            };
            let fault = |(_, code, message, help)| {
                Fault::new(code, message).with_help(help).about(&source.id).at(text, place)
            };
            wanted.into_iter().filter(lacks).map(fault).collect::<Vec<_>>()
        };
        sources.iter().flat_map(lacking).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::cedar::example::{always, policies};
    use crate::cedar::{Limits, codes, read_policies};

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

    #[test]
    fn a_policy_says_what_it_is_for_and_whose_it_is() {
        let text = "@id(\"a\") @description(\"All.\") @owner(\"us\")
               permit (principal, action, resource);
               @id(\"b\") @description(\" \") permit (principal is User, action, resource);";
        let sources = read_policies("p", text, &Limits::default()).unwrap();
        let found = policies(text).unwrap().undocumented(&sources);
        let told: Vec<_> = found.iter().map(|it| (it.code, it.policy.as_ref().unwrap())).collect();
        let b = sources.last().map(|source| &source.id).unwrap();
        let expected = [(codes::POLICY_DESCRIPTION_WARNING, b), (codes::POLICY_OWNER_WARNING, b)];
        assert_eq!(told, expected);
    }
}
