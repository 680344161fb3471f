//! A version as an author keeps it in files: policies, a schema, tests.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::authored::NamedText;
use super::super::failure::Failure;
use super::super::publication::{placed, read_files};
use super::work::Files;
use super::work::{self, json_in};
use crate::checks::Suite;
use crate::model::Label;
use crate::pap::NewVersion;

/// What is in the files.
pub(super) struct Written {
    files: Vec<NamedText>,
    schema: Option<NamedText>,
    suites: Vec<Suite>,
/// Where the files are.
#[derive(clap::Args, Debug)]
pub(super) struct Files {
    /// Cedar policies: files, or folders of *.cedar files
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

/// What is in them.
pub(super) struct Written {
    files: Vec<NamedText>,
    schema: Option<(PathBuf, String)>,
    tests: Option<String>,
}

impl Files {
    /// Reads them.
    ///
    /// # Errors
    /// Could not run, for what cannot be read; usage, for a folder without policies, or with
    /// several schemas or files of entities.
    pub(super) fn read(&self) -> Result<Written, Failure> {
        let schema = match &self.schema {
            Some(path) => Some(path.clone()),
            None => self.only("cedarschema")?,
        };
        let schema = match schema {
            Some(path) => Some((path.clone(), authored::text(&path)?)),
            None => None,
        };
        let tests = if self.tests.is_empty() {
            self.beside("cedartests.json")?
        } else {
            self.tests.clone()
        };
        let entities = match &self.entities {
            Some(path) => Some(path.clone()),
            None => self.only("cedarentities.json")?,
        };
        let tests = together(&tests, entities.as_deref())?;
        Ok(Written { files: authored::policies(&self.policies)?, schema, tests })
    }

    fn only(&self, ending: &str) -> Result<Option<PathBuf>, Failure> {
        work::only(&self.policies, ending)
    }

    fn beside(&self, ending: &str) -> Result<Vec<PathBuf>, Failure> {
        work::beside(&self.policies, ending)
    }
}

/// Tests as a version keeps them: a file as it is, or several with the files of entities
/// that they name, so that it stands by itself.
fn together(paths: &[PathBuf], entities: Option<&Path>) -> Result<Option<String>, Failure> {
    let suites = paths.iter().map(|path| suite(path)).collect::<Result<Vec<_>, _>>()?;
    match (paths, suites.as_slice(), entities) {
        ([], ..) => Ok(None),
        ([one], [alone], None) if alone.files.is_empty() => authored::text(one).map(Some),
        (_, _, None) => Ok(Some(json!({"suites": suites}).to_string())),
        (_, _, Some(path)) => {
            Ok(Some(json!({"suites": suites, "entities": json_in(path)?}).to_string()))
        }
    }
}

/// A file of tests by its own name: where it lies is no part of a version.
fn suite(path: &Path) -> Result<Suite, Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Suite { name: name.unwrap_or_default(), ..work::suite(path)? })
}

impl Written {
    /// Reads them. Tests are named by their file alone, and have with them the entities that
    /// stand beside them: a version is the same wherever its files lie.
    ///
    /// # Errors
    /// As [`Files::read`].
    pub(super) fn read(files: &Files) -> Result<Self, Failure> {
        let read = files.read(true)?;
        let with = |suite: Suite| whole(suite, read.entities.as_ref());
        let suites = read.suites.into_iter().map(with).collect();
        Ok(Self { files: read.files, schema: read.schema, suites })
    }

    /// The members of a request that say it.
    pub(super) fn body(&self, message: &Label) -> Map<String, Value> {
        let sent = self.files.iter().map(|(name, text)| json!({"name": name, "text": text}));
        let mut body = Map::from_iter([
            ("files".to_owned(), sent.collect()),
            ("suites".to_owned(), json!(self.suites)),
            ("message".to_owned(), json!(message)),
        ]);
        body.extend(self.schema.as_ref().map(|(_, text)| ("schema".to_owned(), json!(text))));
        body
    }

    /// The same, read.
    ///
    /// # Errors
    /// Refused, with each fault.
    pub(super) fn version(&self, message: &Label) -> Result<NewVersion, Failure> {
        Ok(NewVersion {
            schema: self.schema.as_ref().map(|(_, text)| text.clone()),
            policies: Some(read_files(&self.files)?),
            tests: Suite::text_of(&self.suites),
            message: message.clone(),
        })
    }

    /// A refusal with each fault at its place in these files.
    pub(super) fn placing(&self, refusal: Failure) -> Failure {
        let schema = self.schema.as_ref().map(|(path, _)| Path::new(path));
        refusal.placing(|fault| placed(fault, &self.files, schema))
    }
}

fn whole(suite: Suite, entities: Option<&Value>) -> Suite {
    let name = Path::new(&suite.name).file_name().map(|name| name.to_string_lossy().into_owned());
    let tests = match (suite.tests, entities) {
        (Value::Array(tests), Some(entities)) => json!({"entities": entities, "tests": tests}),
        (tests, _) => tests,
    };
    Suite { name: name.unwrap_or(suite.name), tests, files: suite.files }
}
