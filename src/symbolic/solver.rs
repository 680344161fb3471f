//! The solver: a program outside.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use cedar_policy_symcc::err::SolverError;
use cedar_policy_symcc::solver::LocalSolver;

/// The environment variable with the program's path.
const VARIABLE: &str = "CVC5";
/// What it is called on the `PATH`.
const NAME: &str = "cvc5";
/// What of our environment it is told: it has no use for our secrets.
const TOLD: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR"];

/// A solver that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solver {
    program: OsString,
    version: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoSolver {
    /// It is not installed.
    #[error(
        "symbolic analysis was skipped: no `cvc5` on the PATH; install it (Debian: `apt-get \
         install cvc5`), or set CVC5 to its path"
    )]
    Missing,
    /// What `CVC5` names is not there.
    #[error("symbolic analysis was skipped: CVC5 names `{0}`, which is not there")]
    NotThere(String),
    /// It is there and does not answer as cvc5 does.
    #[error("symbolic analysis was skipped: `{program}` does not answer as cvc5 does: {what}")]
    Unfit {
        /// The program.
        program: String,
        /// What it did.
        what: String,
    },
}

impl Solver {
    /// The one that `CVC5` names, or else `cvc5` on the `PATH`; it is started once to ask for
    /// its version.
    ///
    /// # Errors
    /// [`NoSolver`], which says what to do.
    pub fn find() -> Result<Self, NoSolver> {
        Self::named(env::var_os(VARIABLE).filter(|path| !path.is_empty()))
    }

    /// The one of this path, or else `cvc5` on the `PATH`.
    ///
    /// # Errors
    /// As [`Solver::find`].
    pub fn named(path: Option<OsString>) -> Result<Self, NoSolver> {
        let named = path.is_some();
        let program = path.unwrap_or_else(|| NAME.into());
        let shown = program.to_string_lossy().into_owned();
        let mut command = Command::new(&program);
        command.arg("--version").stdin(Stdio::null()).env_clear().envs(environment());
        let output = command.output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if named => NoSolver::NotThere(shown.clone()),
            io::ErrorKind::NotFound => NoSolver::Missing,
            _ => NoSolver::Unfit { program: shown.clone(), what: error.to_string() },
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_once("cvc5 version ");
        let version = version.and_then(|(_, rest)| rest.split_whitespace().next());
        let what = || format!("`--version` ended with {}", output.status);
        let unfit = || NoSolver::Unfit { program: shown, what: what() };
        let version = format!("cvc5 {}", version.ok_or_else(unfit)?);
        Ok(Self { program, version })
    }

    /// Its name and version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Starts it; it ends with what is returned. It gives up each question after `limit`.
    pub(super) fn start(&self, limit: Duration) -> Result<LocalSolver, SolverError> {
        let mut command = tokio::process::Command::new(&self.program);
        let limit = format!("--tlimit-per={}", limit.as_millis());
        command.args([OsStr::new("--lang"), OsStr::new("smt"), OsStr::new(&limit)]);
        command.env_clear().envs(environment()).kill_on_drop(true);
        LocalSolver::from_command(&mut command)
    }
}

fn environment() -> impl Iterator<Item = (&'static str, OsString)> {
    TOLD.into_iter().filter_map(|name| Some((name, env::var_os(name)?)))
}
