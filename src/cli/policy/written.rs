//! A version as an author keeps it in files: policies, a schema, tests.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::authored::NamedText;
use super::super::failure::Failure;
use super::super::publication::{placed, read_files};
use super::work::Files;
use crate::checks::Suite;
use crate::model::Label;
use crate::pap::NewVersion;

/// What is in the files.
pub(super) struct Written {
    files: Vec<NamedText>,
    schema: Option<NamedText>,
    suites: Vec<Suite>,
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
