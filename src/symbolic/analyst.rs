//! The whole of an analysis, environment by environment.

use std::time::Duration;

use cedar_policy::Schema;
use cedar_policy_symcc::{WellFormedAsserts, never_errors_asserts};

use super::review::Review;
use super::session::{Found, Session};
use super::side::{Place, Side, Stance, compiled_one};
use super::{Environment, Example, Report, Solver, Undecided, Verdict, always, compare};
use crate::cedar::{
    Assumption, CompiledPolicies, CompiledSchema, Effect, Fault, Instance, Matched, on_large_stack,
};

/// What is to be analysed.
#[derive(Clone, Copy, Debug)]
pub struct Analysis<'a> {
    /// The set.
    pub new: &'a CompiledPolicies,
    /// The set to compare it with, compiled with the same schema.
    pub old: Option<&'a CompiledPolicies>,
    /// True if a forbid that cannot be evaluated denies, as it does unless the deployment
    /// was set otherwise.
    pub forbid_errors_deny: bool,
    /// How far to go.
    pub bounds: Bounds,
}

/// How far an analysis goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most environments.
    pub environments: usize,
    /// The most policies in one environment for which it is asked whether each is needed.
    pub policies: usize,
    /// The longest time for one question.
    pub question: Duration,
    /// The longest time for all.
    pub whole: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            environments: 1_000,
            policies: 300,
            question: Duration::from_secs(10),
            whole: Duration::from_secs(600),
        }
    }
}

/// Analyses a set. Takes some 20 ms a question, and asks about two for each policy in each
/// environment where it can apply by its types; `progress` hears how many environments
/// are done, of how many. Blocks: never to be called by who serves requests.
///
/// # Errors
/// A [`Fault`] if there is no thread for it, or it failed altogether. What the solver does
/// not answer is in the report.
pub fn analyse(
    solver: &Solver,
    analysis: &Analysis<'_>,
    progress: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<Report, Fault> {
    on_large_stack(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Fault::new(crate::cedar::codes::INTERNAL, format!("no runtime: {error}"))
        })?;
        Ok(runtime.block_on(Analyst::new(solver, analysis).run(progress)))
    })?
}

/// What an analysis has at hand.
pub(super) struct Analyst<'a> {
    pub(super) schema: Schema,
    pub(super) declared: CompiledSchema,
    pub(super) new: Side<'a>,
    pub(super) old: Option<Side<'a>>,
    pub(super) bounds: Bounds,
    pub(super) places: Vec<Place>,
    left_out: usize,
    forbid_errors_deny: bool,
    session: Session<'a>,
    undecided: Vec<Undecided>,
    solver: &'a Solver,
}

impl<'a> Analyst<'a> {
    fn new(solver: &'a Solver, analysis: &Analysis<'a>) -> Self {
        let Analysis { new, old, forbid_errors_deny, bounds } = *analysis;
        let declared = new.schema().clone();
        let schema = declared.for_analysis();
        let mut places: Vec<_> = schema.request_envs().map(Place::of).collect();
        places.sort_by(|one, other| one.key().cmp(&other.key()));
        places.dedup_by(|one, other| one.key() == other.key());
        let left_out = places.len().saturating_sub(bounds.environments);
        places.truncate(bounds.environments);
        let side = |policies| Side::new(policies, &schema, &places, forbid_errors_deny);
        Self {
            new: side(new),
            old: old.map(side),
            session: Session::new(solver, bounds.question, bounds.whole),
            undecided: Vec::new(),
            schema,
            declared,
            bounds,
            places,
            left_out,
            forbid_errors_deny,
            solver,
        }
    }

    async fn run(mut self, progress: &mut (dyn FnMut(usize, usize) + Send)) -> Report {
        let places = self.places.clone();
        let mut review = Review::of(&self.new);
        let (mut environments, mut assumes) = (Vec::new(), false);
        for (index, place) in places.iter().enumerate() {
            progress(index, places.len());
            let assumed = self.assumed(place);
            assumes |= !assumed.is_empty();
            let new = self.stance(true, index, place, &assumed, &mut review).await;
            let mut environment = Environment::of(place, new.statements.len());
            if self.old.is_some() {
                let old = self.stance(false, index, place, &assumed, &mut review).await;
                let sets = [&new, &old];
                compare::compare(&mut self, place, &assumed, sets, &mut environment).await;
            }
            let seen = review.step(&mut self, place, &new).await;
            environment.always = always::of(&mut self, place, &new, seen).await;
            review.keep(place, new);
            environments.push(environment);
        }
        progress(places.len(), places.len());
        let findings = review.findings(&mut self).await;
        let verdicts = environments.iter().filter_map(|one| one.verdict);
        let verdict = self.old.is_some().then(|| verdicts.fold(Verdict::Equivalent, Verdict::and));
        let assumed = "`context.session`: `aal` is 1 to 3, `age_seconds` 0 to 2·10¹³";
        Report {
            solver: self.solver.version().to_owned(),
            policies: self.new.policies.digest(),
            count: self.new.statements.len(),
            against: self.old.as_ref().map(|old| old.policies.digest()),
            schema: self.declared.digest(),
            assumed: assumes.then_some(assumed).into_iter().collect(),
            verdict,
            environments,
            left_out: self.left_out,
            findings,
            undecided: self.undecided,
            questions: self.session.asked(),
        }
    }

    fn assumed(&self, place: &Place) -> Assumption {
        let actions = self.declared.actions();
        let action = actions.iter().find(|action| action.to_string() == place.action);
        action.map(|action| self.declared.assumption(action)).unwrap_or_default()
    }

    /// How one of the sets stands in a place; what of the new one may err is noted.
    async fn stance(
        &mut self,
        is_new: bool,
        index: usize,
        place: &Place,
        assumed: &Assumption,
        review: &mut Review,
    ) -> Stance {
        let side = if is_new { Some(&self.new) } else { self.old.as_ref() };
        let in_place = side.into_iter().flat_map(|side| side.in_place(index));
        let statements: Vec<_> = in_place.map(|statement| statement.given(assumed)).collect();
        let mut erring = Vec::new();
        for statement in &statements {
            let counts = self.forbid_errors_deny && statement.effect == Effect::Forbid;
            if !counts && (!is_new || review.has_erred(&statement.id)) {
                continue;
            }
            let compiled = compiled_one(statement, place, &self.schema);
            let question = format!("may `{}` err?", statement.id);
            let asserts = compiled.as_ref().map(never_errors_asserts);
            match self.ask(place, &question, asserts).await {
                Found::Nothing => continue,
                Found::This(found) if is_new => review.erred(self, statement, assumed, &found),
                // It may: that is the cautious side for a forbid.
                Found::This(_) | Found::Unknown(_) => {}
            }
            if counts {
                erring.push(statement.clone());
            }
        }
        Stance { statements, erring }
    }

    /// Asks the solver; what it does not know is noted.
    pub(super) async fn ask(
        &mut self,
        place: &Place,
        question: &str,
        asserts: Result<WellFormedAsserts<'_>, &String>,
    ) -> Found {
        let found = match asserts {
            Ok(asserts) => self.session.ask(&asserts).await,
            Err(why) => Found::Unknown(why.clone()),
        };
        if let Found::Unknown(why) = &found {
            self.note(place, question, why);
        }
        found
    }

    /// What the statements say of what the solver found, if it found something.
    pub(super) fn matched(&self, stance: &Stance, found: &Found) -> Option<Vec<Matched>> {
        let Found::This(found) = found else { return None };
        let instance = self.declared.instance(&found.request, &found.entities)?;
        instance.matches(&stance.statements)
    }

    /// True if not all environments are looked at.
    pub(super) const fn left_out_any(&self) -> bool {
        self.left_out > 0
    }

    /// Notes that something is not known.
    pub(super) fn note(&mut self, place: &Place, question: &str, why: &str) {
        let (environment, question) = (place.name(), question.to_owned());
        self.undecided.push(Undecided { environment, question, why: why.to_owned() });
    }

    /// An example that the solver found, as small as it can be made while `holds`.
    pub(super) fn example(
        &self,
        found: &cedar_policy_symcc::Env,
        assumed: &Assumption,
        holds: impl Fn(&Instance) -> bool,
    ) -> Option<Example> {
        let instance = self.declared.instance(&found.request, &found.entities)?;
        let holds = |instance: &Instance| instance.fulfils(assumed) && holds(instance);
        let confirmed = holds(&instance);
        let instance = if confirmed { instance.shrunk(holds) } else { instance };
        let nobody = || super::Answer { allowed: false, determining: vec![], errors: vec![] };
        let new = self.new.answer(&instance);
        let old = self.old.as_ref().map(|old| old.answer(&instance));
        let agreed = new.is_some() && old.as_ref().is_none_or(Option::is_some);
        Some(Example {
            request: instance.request_json(),
            entities: instance.entities_json(),
            new: new.unwrap_or_else(nobody),
            old: old.map(|old| old.unwrap_or_else(nobody)),
            confirmed: confirmed && agreed,
        })
    }
}
