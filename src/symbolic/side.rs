//! One of the sets compared, as it stands in one environment.

use cedar_policy::{PolicyId, PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::{CompiledPolicy, CompiledPolicySet};

use super::Answer;
use super::session::told;
use crate::cedar::{CompiledPolicies, Effect, Instance, Matched, Statement};

/// A combination of types that can be asked about.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) env: RequestEnv,
    pub(super) principal: String,
    pub(super) action: String,
    pub(super) resource: String,
}

impl Place {
    pub(super) fn of(env: RequestEnv) -> Self {
        let (principal, resource) = (env.principal(), env.resource());
        let (principal, resource) = (principal.to_string(), resource.to_string());
        Self { principal, action: env.action().to_string(), resource, env }
    }

    pub(super) fn key(&self) -> (&str, &str, &str) {
        (&self.action, &self.principal, &self.resource)
    }

    pub(super) fn name(&self) -> String {
        format!("{}, {}, {}", self.principal, self.action, self.resource)
    }
}

/// A set, and which of its statements can apply where, by their types.
pub(super) struct Side<'a> {
    pub(super) policies: &'a CompiledPolicies,
    pub(super) statements: Vec<Statement>,
    /// For each statement, for each place.
    fits: Vec<Vec<bool>>,
    forbid_errors_deny: bool,
}

impl<'a> Side<'a> {
    /// Type-checks each statement in each place.
    pub(super) fn new(
        policies: &'a CompiledPolicies,
        schema: &Schema,
        places: &[Place],
        forbid_errors_deny: bool,
    ) -> Self {
        let statements = policies.statements();
        let fits = statements.iter().map(|statement| {
            let valid = statement.policy().get_valid_request_envs(schema).map(Place::of);
            let valid: Vec<_> = valid.collect();
            let is_valid = |place: &Place| valid.iter().any(|one| one.key() == place.key());
            places.iter().map(is_valid).collect()
        });
        Self { policies, fits: fits.collect(), statements, forbid_errors_deny }
    }

    /// The statements that can apply in a place.
    pub(super) fn in_place(&self, place: usize) -> impl Iterator<Item = &Statement> {
        let fits = self.fits.iter().map(move |fits| fits.get(place).copied().unwrap_or_default());
        self.statements.iter().zip(fits).filter_map(|(one, fits)| fits.then_some(one))
    }

    /// What is decided of an instance, by the index and by Cedar's authorizer alike;
    /// nothing should they differ.
    pub(super) fn answer(&self, instance: &Instance) -> Option<Answer> {
        let evaluation = self.policies.evaluate(instance.question(), instance);
        if evaluation != self.policies.evaluate_each(instance.question(), instance) {
            return None;
        }
        let failed = self.forbid_errors_deny && evaluation.forbid_failed();
        Some(Answer {
            allowed: evaluation.allowed && !failed,
            determining: evaluation.determining,
            errors: evaluation.errors.into_iter().map(|error| error.policy).collect(),
        })
    }
}

/// A set as it decides in one environment.
pub(super) struct Stance {
    /// Its statements, as they are given what can be assumed.
    pub(super) statements: Vec<Statement>,
    /// The forbids among them that may err.
    pub(super) erring: Vec<Statement>,
}

impl Stance {
    /// The permits as they count: where a forbid errs that denies by that, none does.
    pub(super) fn permits(&self) -> Vec<Statement> {
        let guarded = |permit: &Statement| {
            self.erring.iter().fold(permit.clone(), |permit, forbid| permit.unless_error_in(forbid))
        };
        self.of(Effect::Permit).map(guarded).collect()
    }

    /// Those of one effect, as they stand.
    pub(super) fn of(&self, effect: Effect) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(move |statement| statement.effect == effect)
    }

    /// Those of its statements for which this holds.
    pub(super) fn part(&self, of: impl Fn(&Statement) -> bool) -> Self {
        let part = |all: &[Statement]| all.iter().filter(|one| of(one)).cloned().collect();
        Self { statements: part(&self.statements), erring: part(&self.erring) }
    }

    /// Whether a request is allowed of which its statements say this.
    pub(super) fn allows(&self, matched: &[Matched]) -> bool {
        let each = || self.statements.iter().zip(matched);
        let permits = |(one, said): (&Statement, &Matched)| {
            one.effect == Effect::Permit && *said == Matched::Yes
        };
        each().any(permits) && !each().any(|(one, said)| self.forbids(one, *said))
    }

    /// Whether a statement forbids that says this.
    pub(super) fn forbids(&self, one: &Statement, said: Matched) -> bool {
        let errs = || self.erring.iter().any(|erring| erring.id == one.id);
        one.effect == Effect::Forbid && (said == Matched::Yes || said == Matched::Error && errs())
    }

    /// All of it, as it counts.
    pub(super) fn whole(&self) -> Vec<Statement> {
        let mut all = self.permits();
        all.extend(self.of(Effect::Forbid).cloned());
        all
    }
}

/// Some statements as one formula of one environment; the error is why they are none.
pub(super) fn compiled(
    statements: &[Statement],
    place: &Place,
    schema: &Schema,
) -> Result<CompiledPolicySet, String> {
    let mut set = PolicySet::new();
    for (index, statement) in statements.iter().enumerate() {
        // By number: one of them may be there twice, with two conditions.
        let policy = statement.policy().new_id(PolicyId::new(index.to_string()));
        let _unique = set.add(policy);
    }
    CompiledPolicySet::compile(&set, &place.env, schema).map_err(|error| told(&error))
}

/// Both of them, if there are both.
pub(super) fn both<T>(of: [&Result<T, String>; 2]) -> Result<[&T; 2], &String> {
    let [one, other] = of;
    one.as_ref().and_then(|one| Ok([one, other.as_ref()?]))
}

/// One statement as a formula of one environment; the error is why it is none.
pub(super) fn compiled_one(
    statement: &Statement,
    place: &Place,
    schema: &Schema,
) -> Result<CompiledPolicy, String> {
    let policy = statement.policy();
    CompiledPolicy::compile(&policy, &place.env, schema).map_err(|error| told(&error))
}
