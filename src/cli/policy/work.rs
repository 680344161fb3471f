//! The policies an author works on, with all that belongs to them, as files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::super::authored::{self, NamedText};
use super::super::client::Verb;
use super::super::console::Console;
use super::super::failure::{Failure, FaultTold};
use super::super::publication::placed;
use super::super::target::{Target, TargetFlags};
use super::analyze::Analyze;
use super::checked::Solved;
use crate::cedar::{Limits, on_large_stack};
use crate::checks::{Given, Report, Suite, SuiteReport, TestsReport, Which, examine};
use crate::model::{GoOn, JsonLimits, parse_json};
use crate::projection::World;
use crate::symbolic::Solver;

/// How deeply objects and arrays may stand within each other in a file of tests.
const DEPTH: usize = 64;

/// Policies and what they are held against, on the command line.
#[derive(clap::Args, Clone, Debug)]
#[command(
    mut_arg("data", |arg| arg.help("A stopped data directory, to hold them against")),
    mut_arg("server", |arg| arg.help(
        "A running server, to hold them against, asked with the token in `COUNTERSIGN_TOKEN`"
    ))
)]
pub(super) struct Work {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    target: TargetFlags,
}

/// Policies with their schema and tests, as files.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Files {
    /// Cedar policies: files, or folders of *.cedar files and a links.json
    #[arg(value_name = "DIR|FILE", required = true)]
    policies: Vec<PathBuf>,
    /// Their schema [default: the only *.cedarschema in DIR, else the one in force]
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Their tests [default: every *.cedartests.json in DIR]
    #[arg(long, value_name = "FILE")]
    tests: Vec<PathBuf>,
    /// Entities for tests that have none of their own [default: the only
    /// *.cedarentities.json in DIR, else the directory in force]
    #[arg(long, value_name = "FILE")]
    entities: Option<PathBuf>,
}

/// The files, read.
pub(super) struct Read {
    pub(super) files: Vec<NamedText>,
    pub(super) schema: Option<NamedText>,
    pub(super) suites: Vec<Suite>,
    pub(super) entities: Option<Value>,
}

impl Work {
    /// Checks them: here, and against nothing in force unless a log is named; over a server
    /// by the server.
    ///
    /// # Errors
    /// Usage, if there is no schema to check them against; could not run, for what cannot
    /// be read.
    pub(super) fn report(&self, which: Which) -> Result<Report<FaultTold>, Failure> {
        let read = self.files.read(which.tests)?;
        let (files, schema) = (read.files.clone(), self.files.schema_file()?);
        let mut report = match self.target()? {
            Some(target) => read.examined_in(&target, which)?,
            None if read.schema.is_none() => {
                return Err(Failure::usage(
                    "no schema to check against: give --schema FILE, put one *.cedarschema \
                     beside the policies, or name a log with --data or --server",
                ));
            }
            None => examined(&World::default(), read, which)?,
        };
        let place = |fault| placed(fault, &files, schema.as_deref());
        report.faults = report.faults.into_iter().map(place).collect();
        report.warnings = report.warnings.into_iter().map(place).collect();
        Ok(report)
    }

    /// What the solver finds out about policies that have been checked, compared with those
    /// in force if a log is named.
    ///
    /// # Errors
    /// Why they could not be analysed; that there is no solver is told, and no error.
    pub(super) fn solved(&self, console: &mut Console) -> Result<Solved, Failure> {
        let solver = match Solver::find() {
            Ok(solver) => solver,
            Err(why) => return Ok(Solved::Not { not_done: why.to_string() }),
        };
        let analyze = Analyze::of(&self.files.policies, self.files.schema_file()?);
        let analysed = analyze.analysed(&solver, self.target()?.as_ref(), console)?;
        Ok(Solved::Done(Box::new(analysed)))
    }

    /// The log whose schema and directory count, if one is named: never one of the
    /// environment, for checking needs none.
    fn target(&self) -> Result<Option<Target>, Failure> {
        let named = self.target.data.is_some() || self.target.server.is_some();
        named.then(|| self.target.target()).transpose()
    }
}

impl Files {
    /// Reads them, the tests if they are wanted.
    ///
    /// # Errors
    /// Could not run, for what cannot be read; usage, for a folder without policies or with
    /// several schemas.
    pub(super) fn read(&self, tests: bool) -> Result<Read, Failure> {
        let schema = self.schema_file()?;
        let named =
            |path: &PathBuf| Ok::<_, Failure>((path.display().to_string(), authored::text(path)?));
        let (mut suites, mut entities) = (Vec::new(), None);
        if tests {
            suites = self.suites()?;
            let default = only(&self.policies, "cedarentities.json")?;
            let path = self.entities.clone().or(default);
            entities = path.as_deref().map(json_in).transpose()?;
        }
        Ok(Read {
            files: authored::policies(&self.policies)?,
            schema: schema.as_ref().map(named).transpose()?,
            suites,
            entities,
        })
    }

    fn schema_file(&self) -> Result<Option<PathBuf>, Failure> {
        match &self.schema {
            Some(path) => Ok(Some(path.clone())),
            None => only(&self.policies, "cedarschema"),
        }
    }

    fn suites(&self) -> Result<Vec<Suite>, Failure> {
        match self.tests.as_slice() {
            [] => suites_beside(&self.policies),
            named => named.iter().map(|path| suite(path)).collect(),
        }
    }
}

fn suites_beside(policies: &[PathBuf]) -> Result<Vec<Suite>, Failure> {
    beside(policies, "cedartests.json")?.iter().map(|path| suite(path)).collect()
}

/// Makes sure that the tests that lie beside policies hold, with this schema or else the one
/// in force in a log. Nothing is asked where none lie there.
///
/// # Errors
/// Refused with each test that does not hold, or with what keeps them from being run;
/// otherwise as [`Files::read`], or why it could not be asked.
pub(super) fn tests_hold(
    policies: &[PathBuf],
    files: &[NamedText],
    schema: Option<NamedText>,
    target: &Target,
) -> Result<(), Failure> {
    let suites = suites_beside(policies)?;
    if suites.is_empty() {
        return Ok(());
    }
    let entities = only(policies, "cedarentities.json")?.as_deref().map(json_in).transpose()?;
    let read = Read { files: files.to_vec(), schema, suites, entities };
    let which = Which { style: false, ..Which::default() };
    let Report { faults, tests, .. } = read.examined_in(target, which)?;
    if !faults.is_empty() {
        let what = "the tests beside these policies cannot be run";
        return Err(Failure::refused("tests_failed", what).with_faults(faults));
    }
    let TestsReport { failed, suites, .. } = tests.unwrap_or_default();
    if failed == 0 {
        return Ok(());
    }
    let what = format!("{failed} of the tests beside these policies do not hold");
    let refused = Failure::refused("tests_failed", what)
        .with_faults(suites.iter().flat_map(failures))
        .and("mend them, or publish without them: --without-tests");
    Err(refused)
}

/// Each test of a file that does not hold.
fn failures(suite: &SuiteReport) -> impl Iterator<Item = FaultTold> {
    let failed = suite.tests.iter().filter(|test| !test.passed());
    failed.map(|test| {
        let message = format!("test `{}`: {}", test.name, test.failed.join("; "));
        FaultTold::from(json!({"code": "test_failed", "file": suite.name, "message": message}))
    })
}

/// The files beside policies whose names end so, in order.
///
/// # Errors
/// Could not run, for a folder that cannot be read.
pub(super) fn beside(policies: &[PathBuf], ending: &str) -> Result<Vec<PathBuf>, Failure> {
    let ending = format!(".{ending}");
    let mut found = Vec::new();
    for folder in policies.iter().filter(|path| path.is_dir()) {
        let unread = |error: std::io::Error| {
            Failure::could_not_run(format!("cannot read `{}`: {error}", folder.display()))
        };
        for entry in fs::read_dir(folder).map_err(unread)? {
            let path = entry.map_err(unread)?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| name.ends_with(&ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The only file of that kind, if there is one.
///
/// # Errors
/// Usage, if there are several; otherwise those of [`beside`].
pub(super) fn only(policies: &[PathBuf], ending: &str) -> Result<Option<PathBuf>, Failure> {
    match beside(policies, ending)?.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        [one, other, ..] => Err(Failure::usage(format!(
            "`{}` and `{}` are both there: name the one that counts",
            one.display(),
            other.display(),
        ))),
    }
}

fn examined(world: &World, read: Read, which: Which) -> Result<Report<FaultTold>, Failure> {
    let Read { files, schema, suites, entities } = read;
    let schema = schema.map(|(_, text)| text);
    let given = Given { files, policies: Vec::new(), schema, suites, entities };
    let limits = Limits::default();
    let report = on_large_stack(|| examine(world, given, which, &limits, &GoOn::ALWAYS));
    let report = report.map_err(Failure::could_not_run)?;
    let json = serde_json::to_value(report).map_err(Failure::could_not_run)?;
    serde_json::from_value(json).map_err(Failure::could_not_run)
}

impl Read {
    /// Checks them against what is in force in a log: a server's by the server.
    fn examined_in(self, target: &Target, which: Which) -> Result<Report<FaultTold>, Failure> {
        match target {
            Target::Server(client) => {
                client.send(Verb::Post, "/policies/v1/check", &self.body(which))
            }
            Target::Data(folder) => examined(&folder.world()?, self, which),
        }
    }

    /// What a server is sent.
    fn body(self, which: Which) -> Value {
        let named = |(name, text): NamedText| json!({"name": name, "text": text});
        let files: Vec<_> = self.files.into_iter().map(named).collect();
        let optional = [
            ("schema", self.schema.map(|(_, text)| Value::String(text))),
            ("entities", self.entities),
        ];
        let mut body = Map::from_iter([
            ("files".to_owned(), Value::Array(files)),
            ("suites".to_owned(), json!(self.suites)),
            ("which".to_owned(), json!(which)),
        ]);
        let given = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        body.extend(given.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(body)
    }
}

/// A file of tests, with the files of entities that it names.
///
/// # Errors
/// Usage, for a name that leads out of its folder; refused, for what is not JSON; could not
/// run, for what cannot be read.
pub(super) fn suite(path: &Path) -> Result<Suite, Failure> {
    let name = path.display().to_string();
    let mut suite = Suite { name, tests: json_in(path)?, files: BTreeMap::new() };
    let folder = path.parent().unwrap_or(Path::new(""));
    for name in suite.wanted() {
        let within = |failure: Failure| failure.within(format!("`{}`", path.display()));
        let json = json_in(&inside(folder, &name).map_err(within)?)?;
        suite.files.insert(name, json);
    }
    Ok(suite)
}

/// A file within a folder, by the name that a file of tests gives it: whoever writes tests
/// has only that folder read.
fn inside(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let outside = || Failure::usage(format!("entities: `{name}` is not a file beside these tests"));
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !Path::new(name).components().all(plain) {
        return Err(outside());
    }
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let unread = |path: &Path, error: std::io::Error| {
        Failure::could_not_run(format!("cannot read `{}`: {error}", path.display()))
    };
    // A link may lead elsewhere.
    let whole = here.canonicalize().map_err(|error| unread(here, error))?;
    let path = folder.join(name);
    let real = path.canonicalize().map_err(|error| unread(&path, error))?;
    if real.starts_with(&whole) { Ok(path) } else { Err(outside()) }
}

/// Reads a file as JSON, strictly: no member named twice.
///
/// # Errors
/// Refused, with the file's name; could not run, if it cannot be read.
pub(super) fn json_in(path: &Path) -> Result<Value, Failure> {
    let limits = JsonLimits { bytes: usize::MAX, depth: DEPTH };
    let json = parse_json(authored::text(path)?.as_bytes(), limits);
    let name = path.display();
    json.map_err(|error| Failure::refused("bad_json", error).within(format!("`{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_name_only_files_in_their_own_folder() {
        let folder = tempfile::tempdir().unwrap();
        let tests = folder.path().join("tests");
        fs::create_dir_all(tests.join("deep")).unwrap();
        for path in ["secret.json", "tests/a.json", "tests/deep/b.json"] {
            fs::write(folder.path().join(path), "[]").unwrap();
        }
        std::os::unix::fs::symlink("../secret.json", tests.join("link.json")).unwrap();
        assert_eq!(inside(&tests, "a.json").unwrap(), tests.join("a.json"));
        assert!(inside(&tests, "deep/b.json").is_ok());
        let absolute = folder.path().join("secret.json").display().to_string();
        for wrong in ["../secret.json", "deep/../../secret.json", "link.json", &absolute] {
            let refused = inside(&tests, wrong).unwrap_err();
            assert!(refused.what().contains("is not a file beside"), "{}", refused.what());
        }
    }
}
