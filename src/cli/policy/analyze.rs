//! `countersign policy analyze`: what a policy set decides of all requests at once.

use std::path::PathBuf;
use std::time::Duration;

use super::super::authored::{self, NamedText};
use super::super::console::Console;
use super::super::failure::{Exit, Failure, FaultTold};
use super::super::publication::{placed, read_files};
use super::super::target::{Target, TargetFlags};
use super::analysed::Analysed;
use super::in_force::InForce;
use crate::cedar::{CompiledPolicies, CompiledSchema, Fault, Limits};
use crate::model::{PolicySource, SetKind};
use crate::symbolic::{Analysis, Bounds, Solver, analyse};

/// The longest time for one question to the solver, and for all, in seconds, unless said
/// otherwise.
const QUESTION_LIMIT: u64 = 10;
const TIME_LIMIT: u64 = 600;

/// Find out what a policy set changes, for every request that there can be
///
/// Compares the set with the one in force, or with another, for each combination of
/// principal type, action and resource type: equivalent, stricter, more permissive, or
/// incomparable, with a request that shows it, decided again under both. Finds policies
/// that never apply, that change nothing because of others, and that may end in an error.
///
/// Needs the solver cvc5: the program that `CVC5` names, or `cvc5` on the `PATH`. Entities
/// are taken to be as the schema says.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes: 0 nothing newly allowed, nothing found; 1 something is, or \
    something could not be decided; 2 wrong usage; 3 could not run, such as without cvc5.\n\
    Examples:\n  \
    countersign policy analyze policies/cloud --data ./data\n  \
    countersign policy analyze policies/cloud --schema schemas/cloud.cedarschema \\\n    \
      --against ../main/policies/cloud")]
pub(super) struct Analyze {
    /// Cedar policies: files, or folders of *.cedar files and a links.json
    #[arg(value_name = "DIR|FILE", required = true)]
    policies: Vec<PathBuf>,
    /// The schema to hold them against [default: the one in force]
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// The policies to compare them with [default: those in force, if a log is named]
    #[arg(long, value_name = "DIR|FILE")]
    against: Vec<PathBuf>,
    /// The longest time for one question to the solver
    #[arg(long, value_name = "SECONDS", default_value_t = QUESTION_LIMIT)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3_600))]
    question_limit: u64,
    /// The longest time for all of them
    #[arg(long, value_name = "SECONDS", default_value_t = TIME_LIMIT)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time_limit: u64,
    #[command(flatten)]
    target: TargetFlags,
}

impl Analyze {
    /// Analyses them.
    ///
    /// # Errors
    /// [`Failure`]: a set that is none, with each fault; no solver; no log where one is
    /// needed.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let solver = Solver::find().map_err(Failure::could_not_run)?;
        let log = match (&self.schema, self.against.as_slice()) {
            (Some(_), [_, ..]) => None,
            (Some(_), []) => self.target.if_named()?,
            (None, _) => Some(self.target.target()?),
        };
        let analysed = self.analysed(&solver, log.as_ref(), console)?;
        console.tell(&analysed)?;
        Ok(if analysed.0.has_findings() { Exit::Refused } else { Exit::Fine })
    }

    /// The analysis of these policies, compared with those in force in a log if there is one.
    pub(super) fn of(policies: &[PathBuf], schema: Option<PathBuf>) -> Self {
        let (against, target) = (Vec::new(), TargetFlags::default());
        let (question_limit, time_limit) = (QUESTION_LIMIT, TIME_LIMIT);
        let policies = policies.to_vec();
        Self { policies, schema, against, question_limit, time_limit, target }
    }

    /// Analyses them, and tells how far it has come.
    ///
    /// # Errors
    /// As [`Analyze::run`], but for the solver.
    pub(super) fn analysed(
        &self,
        solver: &Solver,
        log: Option<&Target>,
        console: &mut Console,
    ) -> Result<Analysed, Failure> {
        let ground = self.ground(log)?;
        let new = self.compiled(&self.policies, &ground)?;
        let old = match (&ground.other, self.against.as_slice()) {
            (_, [_, ..]) => Some(self.compiled(&self.against, &ground)?),
            (Some(sources), []) => Some(compiled_in_force(sources, &ground.schema)?),
            (None, []) => None,
        };
        let bounds = Bounds {
            question: Duration::from_secs(self.question_limit),
            whole: Duration::from_secs(self.time_limit),
            ..Bounds::default()
        };
        let (old, forbid_errors_deny) = (old.as_ref(), ground.forbid_errors_deny);
        let analysis = Analysis { new: &new, old, forbid_errors_deny, bounds };
        let report = analyse(solver, &analysis, &mut |done, all| tell(done, all, console));
        let analysed = Analysed(report.map_err(|fault| Failure::could_not_run(fault.message))?);
        if console.is_watched() {
            console.progress(None);
        }
        Ok(analysed)
    }

    /// What they are held against. A log is asked only for what the files do not say.
    fn ground(&self, log: Option<&Target>) -> Result<Ground, Failure> {
        let schema = self.schema.as_deref().map(authored::text).transpose()?;
        let in_force = log.map(InForce::of).transpose()?;
        let text = match (schema, &in_force) {
            (Some(text), _) => text,
            (None, Some(in_force)) => in_force.schema.clone().ok_or_else(|| {
                Failure::refused("no_schema", "no schema is in force: give --schema FILE")
            })?,
            (None, None) => String::new(),
        };
        let schema = CompiledSchema::compile(&text, SetKind::Application, &Limits::default())
            .map_err(|faults| self.faulty("schema_invalid", "the schema", &faults, &[]))?;
        let deny = in_force.as_ref().is_none_or(|it| it.forbid_errors_deny);
        let other = in_force.map(|it| it.policies);
        Ok(Ground { schema, other, forbid_errors_deny: deny })
    }

    fn compiled(&self, paths: &[PathBuf], ground: &Ground) -> Result<CompiledPolicies, Failure> {
        let files = authored::policies(paths)?;
        let sources = read_files(&files)?;
        let limits = Limits::default();
        CompiledPolicies::compile(&sources, &ground.schema, SetKind::Application, &limits)
            .map_err(|faults| self.faulty("policy_invalid", "the set", &faults, &files))
    }

    fn faulty(&self, code: &str, what: &str, faults: &[Fault], files: &[NamedText]) -> Failure {
        let told = faults.iter().map(FaultTold::from);
        let failure =
            Failure::refused(code, format!("{what} cannot be analysed")).with_faults(told);
        failure.placing(|fault| placed(fault, files, self.schema.as_deref()))
    }
}

/// What policies are held against.
struct Ground {
    schema: CompiledSchema,
    /// The policies in force.
    other: Option<Vec<PolicySource>>,
    forbid_errors_deny: bool,
}

fn compiled_in_force(
    sources: &[PolicySource],
    schema: &CompiledSchema,
) -> Result<CompiledPolicies, Failure> {
    CompiledPolicies::compile(sources, schema, SetKind::Application, &Limits::default()).map_err(
        |faults| {
            let what = "the policies in force do not fit the new schema, so there is nothing to \
                        compare with";
            let told = faults.iter().map(FaultTold::from);
            Failure::refused("not_comparable", what).with_faults(told)
        },
    )
}

fn tell(done: usize, all: usize, console: &mut Console) {
    if console.is_watched() {
        console.progress(Some(&format!("analysed {done} of {all} environments")));
    }
}
