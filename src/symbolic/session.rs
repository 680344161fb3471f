//! Questions to the solver, one after the other, each bounded.

use std::time::{Duration, Instant};

use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, Env, WellFormedAsserts};

use super::Solver;

/// How much longer than its own limit a solver is waited for before it is ended.
const GRACE: Duration = Duration::from_secs(2);
/// The most characters of a solver's complaint that are repeated.
const COMPLAINT_MAX: usize = 200;

/// What the solver says to "is there such a request?".
pub(super) enum Found {
    /// There is none.
    Nothing,
    /// This one, it says.
    This(Box<Env>),
    /// It does not know.
    Unknown(String),
}

/// One solver, started when it is first needed and again after it failed.
pub(super) struct Session<'a> {
    solver: &'a Solver,
    limit: Duration,
    until: Instant,
    running: Option<CedarSymCompiler<LocalSolver>>,
    asked: u64,
}

impl<'a> Session<'a> {
    /// None is running yet. Each question may take `limit`, all of them `whole`.
    pub(super) fn new(solver: &'a Solver, limit: Duration, whole: Duration) -> Self {
        Self { solver, limit, until: Instant::now() + whole, running: None, asked: 0 }
    }

    /// How many questions were asked.
    pub(super) const fn asked(&self) -> u64 {
        self.asked
    }

    /// Asks for a request that fulfils all of it.
    pub(super) async fn ask(&mut self, asserts: &WellFormedAsserts<'_>) -> Found {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Found::Unknown("the time for the whole analysis was up".to_owned());
        }
        self.asked += 1;
        let mut running = match self.running.take().map_or_else(|| self.start(), Ok) {
            Ok(running) => running,
            Err(why) => return Found::Unknown(why),
        };
        let longest = left.min(self.limit + GRACE);
        match tokio::time::timeout(longest, running.check_sat(asserts)).await {
            Ok(Ok(found)) => {
                self.running = Some(running);
                found.map_or(Found::Nothing, |found| Found::This(Box::new(found)))
            }
            Ok(Err(Error::SolverUnknown)) => {
                let limit = self.limit.as_secs_f32();
                Found::Unknown(format!("the solver gave up (it had {limit} s)"))
            }
            Ok(Err(error)) => Found::Unknown(told(&error)),
            Err(_) => Found::Unknown(format!("no answer within {:.1} s", longest.as_secs_f32())),
        }
    }

    fn start(&self) -> Result<CedarSymCompiler<LocalSolver>, String> {
        let started = self.solver.start(self.limit);
        let started = started.map_err(|error| format!("the solver cannot be started: {error}"))?;
        CedarSymCompiler::new(started).map_err(|error| told(&error))
    }
}

/// What it says, bounded: it may repeat whole formulas.
pub(super) fn told(error: &Error) -> String {
    error.to_string().chars().take(COMPLAINT_MAX).collect()
}
