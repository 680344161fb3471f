//! Why a command did not end well, and the exit code that says so.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cedar;
use crate::event_store::StoreError;
use crate::node::NodeError;
use crate::sequencer::CommitError;
use crate::settings::SettingError;

/// How a command ends, for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// It did what it was asked.
    Fine,
    /// It found something, or was refused.
    Refused,
    /// It was called in a way it does not know.
    Usage,
    /// It could not run.
    CouldNotRun,
}

impl Exit {
    /// The number that the shell sees.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::CouldNotRun => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// Why a command did not end well: what is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Failure {
    #[serde(skip)]
    exit: Exit,
    code: String,
    #[serde(rename = "detail")]
    what: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<FaultTold>,
}

impl Failure {
    fn new(exit: Exit, code: &str, what: impl fmt::Display) -> Self {
        Self { exit, code: code.to_owned(), what: what.to_string(), faults: Vec::new() }
    }

    /// The command was understood, and refused.
    pub(super) fn refused(code: &str, what: impl fmt::Display) -> Self {
        Self::new(Exit::Refused, code, what)
    }

    /// The command was not understood.
    pub(super) fn usage(what: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, "usage", what)
    }

    /// The command was understood, and something else kept it from running.
    pub(super) fn could_not_run(what: impl fmt::Display) -> Self {
        Self::new(Exit::CouldNotRun, "could_not_run", what)
    }

    /// The same with the things to put right. A refusal that repeats its only fault is
    /// cut short: the fault is told by itself.
    pub(super) fn with_faults(mut self, faults: impl IntoIterator<Item = FaultTold>) -> Self {
        self.faults.extend(faults);
        if let [only] = self.faults.as_slice()
            && let Some(before) = self.what.strip_suffix(&only.to_string())
        {
            self.what = format!("{before}1 fault");
        }
        self
    }

    /// The same with each fault told anew, such as with the file it is in.
    pub(super) fn placing(mut self, place: impl Fn(FaultTold) -> FaultTold) -> Self {
        self.faults = self.faults.into_iter().map(place).collect();
        self
    }

    /// The same after a word on where.
    pub(super) fn within(mut self, place: impl fmt::Display) -> Self {
        self.what = format!("{place}: {}", self.what);
        self
    }

    /// The same and how to go on.
    pub(super) fn and(mut self, more: impl fmt::Display) -> Self {
        self.what = format!("{}; {more}", self.what);
        self
    }

    /// How the command ends.
    pub(super) const fn exit(&self) -> Exit {
        self.exit
    }

    /// The stable code.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// What is wrong, and what would be right.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// Each thing for an author to put right.
    pub(super) fn faults(&self) -> &[FaultTold] {
        &self.faults
    }

    /// True if nobody reads the output any more: nothing is wrong with that.
    pub(super) fn is_reader_gone(&self) -> bool {
        self.code == READER_GONE
    }
}

const READER_GONE: &str = "reader_gone";

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Fine, READER_GONE, "nobody reads the output any more");
        }
        Self::could_not_run(format!("cannot write the output: {error}"))
    }
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        Self::usage(whole(&error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Locked { dir } => Self::could_not_run(format!(
                "the log in `{}` is open in another process: stop it, or ask its server with \
                 `--server URL`",
                dir.display()
            )),
            StoreError::Missing { dir } => Self::could_not_run(format!(
                "there is no log in `{}`: name another directory, or create one with \
                 `countersign init`",
                dir.display()
            )),
            StoreError::Broken { .. } | StoreError::BrokenKey | StoreError::BrokenCheckpoint => {
                Self::refused("log_broken", whole(&error))
            }
            _ => Self::could_not_run(whole(&error)),
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let faults: Vec<_> = error.faults().iter().map(FaultTold::from).collect();
        let failure = match error {
            NodeError::Store(error) => Self::from(error),
            NodeError::Policies(refusal) => Self::refused(refusal.code(), refusal),
            NodeError::Entities(refusal) => Self::refused(refusal.code(), refusal),
            NodeError::Persons(refusal) => Self::refused(refusal.code(), refusal),
            error @ NodeError::NothingPersonal(_) => Self::refused("nothing_personal", error),
            error @ NodeError::NothingSupposed => Self::usage(error),
            error @ NodeError::NotResumable(_) => Self::refused("not_resumable", error),
            error @ NodeError::Founded(_) => Self::refused("exists", error),
            error @ NodeError::NothingLost => Self::refused("nothing_lost", error),
            error @ NodeError::NotAsSigned(_) => Self::refused("not_as_signed", whole(&error)),
            error @ NodeError::Export(_) => Self::refused("export_broken", error),
            error @ (NodeError::LastKey | NodeError::NoSuchKey(_) | NodeError::TooManyKeys(_)) => {
                Self::refused("key_refused", error)
            }
            NodeError::NotRecorded(error) => error.into(),
            error => Self::could_not_run(whole(&error)),
        };
        failure.with_faults(faults)
    }
}

impl<E: Into<Failure>> From<CommitError<E>> for Failure
where
    CommitError<E>: fmt::Display,
{
    fn from(error: CommitError<E>) -> Self {
        match error {
            CommitError::Refused(refusal) => refusal.into(),
            error @ CommitError::Conflict { .. } => Self::refused("version_conflict", error),
            error @ CommitError::TooLarge { .. } => Self::refused("too_large", error),
            error => Self::could_not_run(error),
        }
    }
}

impl From<Infallible> for Failure {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<crate::authn::Refusal> for Failure {
    fn from(refusal: crate::authn::Refusal) -> Self {
        Self::refused(refusal.code(), refusal)
    }
}

/// The message with those of its sources that it does not repeat itself.
pub(super) fn whole(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !told.contains(&more) {
            told = format!("{told}: {more}");
        }
        next = source.source();
    }
    told
}

/// One thing for an author to put right, whoever found it: this process or a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FaultTold {
    code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u64>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl From<&cedar::Fault> for FaultTold {
    fn from(fault: &cedar::Fault) -> Self {
        Self::from(serde_json::to_value(fault).unwrap_or_default())
    }
}

impl From<Value> for FaultTold {
    /// Reads a fault as a server sends it; what is not one is told as it is.
    fn from(json: Value) -> Self {
        let text = json.to_string();
        serde_json::from_value(json).unwrap_or(Self { message: text, ..Self::default() })
    }
}

impl FaultTold {
    /// The stable code.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// The policy it is about, if it does not say in which file that is.
    pub(super) fn unplaced_policy(&self) -> Option<&str> {
        self.policy.as_deref().filter(|_| self.file.is_none())
    }

    /// True if it is at a place of a schema, and does not say in which file.
    pub(super) fn is_unplaced_in_schema(&self) -> bool {
        let placed = self.file.is_some() || self.policy.is_some();
        !placed && self.line.is_some() && self.code.starts_with("schema")
    }

    /// The same, told by its place in a file, in which `before` stands before the text
    /// that its line and column count in.
    pub(super) fn in_file(mut self, file: &str, before: &str) -> Self {
        self.file = Some(file.to_owned());
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let (above, beside) = before.rsplit_once('\n').unwrap_or(("", before));
        let above = if before.contains('\n') { above.matches('\n').count() + 1 } else { 0 };
        if self.line == Some(1) {
            self.column = self.column.map(|column| column + count(beside.chars().count()));
        }
        self.line = self.line.map(|line| line + count(above));
        if let (Some(line), Some(excerpt)) = (self.line, self.excerpt.take()) {
            let rest = excerpt.split_once(" | ").map_or(excerpt.as_str(), |(_, rest)| rest);
            self.excerpt = Some(format!("{line:>5} | {rest}"));
        }
        self
    }
}

impl fmt::Display for FaultTold {
    /// Several lines, without a final line break:
    /// ```text
    /// policies/cloud.cedar:12:3: policy `web-reads`: attribute `rol` not found
    ///    12 |   principal.rol == "x"
    ///       |   ^^^^^^^^^^^^^
    ///    help: did you mean `role`?
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = [self.line, self.column].into_iter().flatten();
        let place = self.file.iter().cloned().chain(numbers.map(|number| number.to_string()));
        let place = place.collect::<Vec<_>>().join(":");
        if !place.is_empty() {
            write!(f, "{place}: ")?;
        }
        if let Some(policy) = &self.policy {
            write!(f, "policy `{policy}`: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(excerpt) = &self.excerpt {
            write!(f, "\n{excerpt}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n   help: {help}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let all = [Exit::Fine, Exit::Refused, Exit::Usage, Exit::CouldNotRun];
        assert_eq!(all.map(Exit::number), [0, 1, 2, 3]);
        assert_eq!(Failure::refused("unchanged", "x").exit(), Exit::Refused);
        assert_eq!(Failure::usage("x").exit(), Exit::Usage);
        assert_eq!(Failure::could_not_run("x").exit(), Exit::CouldNotRun);
    }

    #[test]
    fn a_reader_who_leaves_is_no_failure() {
        let gone = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(gone.is_reader_gone());
        assert_eq!(gone.exit(), Exit::Fine);
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit(), Exit::CouldNotRun);
    }

    #[test]
    fn a_directory_in_use_says_to_ask_its_server() {
        let failure = Failure::from(StoreError::Locked { dir: "d/log".into() });
        assert_eq!(failure.exit(), Exit::CouldNotRun);
        assert!(failure.what().contains("`--server URL`"), "{}", failure.what());
    }

    #[test]
    fn what_is_not_recorded_is_told_alike_whatever_it_was() {
        type Unrecorded = CommitError<crate::authn::Refusal>;
        let through = |error: Unrecorded| Failure::from(NodeError::from(error));
        for told in [Failure::from as fn(Unrecorded) -> Failure, through] {
            let large = told(CommitError::TooLarge { bytes: 1 });
            assert_eq!((large.exit(), large.code()), (Exit::Refused, "too_large"));
            let full = told(CommitError::NoRoom);
            assert_eq!((full.exit(), full.code()), (Exit::CouldNotRun, "could_not_run"));
        }
    }

    #[test]
    fn a_fault_is_laid_out_for_reading() {
        let fault = FaultTold::from(json!({
            "code": "policy_invalid", "file": "a.cedar", "line": 3, "column": 5,
            "policy": "web-reads", "message": "attribute `rol` not found",
            "excerpt": "    3 |   principal.rol", "help": "did you mean `role`?",
        }));
        let expected = "a.cedar:3:5: policy `web-reads`: attribute `rol` not found\n    \
                        3 |   principal.rol\n   help: did you mean `role`?";
        assert_eq!(fault.to_string(), expected);
    }

    #[test]
    fn a_fault_of_a_policy_is_placed_in_its_file() {
        let fault = || {
            FaultTold::from(json!({
                "code": "policy_invalid", "policy": "p", "line": 2, "column": 4, "message": "m",
                "excerpt": "    2 | when { x };\n      |        ^",
            }))
        };
        let placed = fault().in_file("a.cedar", "// one\n\n").to_string();
        let expected = "a.cedar:4:4: policy `p`: m\n    4 | when { x };\n      |        ^";
        assert_eq!(placed, expected);
        let first = FaultTold { line: Some(1), ..fault() }.in_file("a.cedar", "// one\nä; ");
        assert_eq!((first.line, first.column), (Some(2), Some(7)));
        let whole = fault().in_file("a.cedar", "");
        assert_eq!((whole.line, whole.column), (Some(2), Some(4)));
    }

    #[test]
    fn a_refusal_does_not_repeat_its_only_fault() {
        let fault = FaultTold::from(json!({"code": "x", "message": "no such attribute"}));
        let refusal = Failure::refused("x", "cannot be put in force: no such attribute");
        assert_eq!(refusal.with_faults([fault]).what(), "cannot be put in force: 1 fault");
    }
}
